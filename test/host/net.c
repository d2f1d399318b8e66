/* src/host/posix/connect.c, listen.c, exec.c: engines that find each other by dial strings. */
#include "engine.h"
#include "host/posix/host.h"
#include "host/posix/listen.h"
#include "host/posix/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_loop *loop;
static struct engine here, there; /* who connects; who was connected to */
static char dir[] = "/tmp/tn-net-XXXXXX", path[64], words[TN_WORDS_SIZE], cause[TN_WORDS_SIZE],
	    peer[160];
static unsigned answers, accepts;
static enum tn_err answer, err;

static int set_up(void **state)
{
	(void)state;
	h = tn_host_loop_new();
	loop = tn_host_loop_core(h);
	engine_init(&here, 4096);
	engine_init(&there, 4096);
	there.echo = true;
	answers = accepts = 0;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "unix!%s/s", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_host_loop_free(h);
	engine_fini(&here);
	engine_fini(&there);
	assert_int_equal(rmdir(dir), 0); /* nothing is left behind */
	return 0;
}

static void connected(void *arg, enum tn_err e, const char *text)
{
	(void)arg;
	answers++;
	answer = e;
	snprintf(cause, sizeof(cause), "%s", text);
}

static void accepted(void *arg, int fd, const char *name)
{
	(void)arg;
	accepts++;
	snprintf(peer, sizeof(peer), "%s", name);
	if (there.stream.transport) {
		close(fd);
		return;
	}
	assert_int_equal(tn_transport_join(h, &there.stream, fd, fd, NULL, NULL), TN_OK);
}

static struct tn_connect *start(const char *text)
{
	struct tn_connect *c;
	struct tn_dial d;

	assert_int_equal(tn_dial_parse(&d, text, words), TN_OK);
	c = tn_connect_start(h, &d, &here.stream, 0, connected, NULL);
	tn_dial_fini(&d);
	return c;
}

/* Connects and waits for what comes of it. */
static enum tn_err dial(const char *text)
{
	answers = 0;
	start(text);
	assert_int_equal(answers, 0);
	while (!answers)
		tn_host_loop_turn(loop);
	assert_int_equal(answers, 1);
	return answer;
}

static void assert_echo(void)
{
	here.in_len = 0;
	engine_send(&here, "ping", 4);
	while (here.in_len < 4)
		tn_host_loop_turn(loop);
	assert_memory_equal(here.in, "ping", 4);
}

static void hang_up(void)
{
	engine_close(&here);
	while (!here.hung_up)
		tn_host_loop_turn(loop);
	while (there.stream.transport)
		tn_host_loop_turn(loop);
}

static void who_listens_is_found_at_the_address_it_tells(void **state)
{
	const char *at[] = { "tcp!127.0.0.1!0", "tcp!::1!0", "tcp!*!0", "unix!@tn-net-test", path };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(at); i++) {
		struct tn_listener *l = tn_listener_new(h, at[i], accepted, NULL, &err, words);
		char text[200];

		print_message("%s\n", at[i]);
		assert_non_null(l);
		snprintf(text, sizeof(text), "%s", tn_listener_address(l));
		if (strncmp(text, "tcp!::!", 7) == 0)
			snprintf(text, sizeof(text), "tcp!127.0.0.1!%s",
			    tn_listener_address(l) + 7);
		here.stream.closing = here.hung_up = false;
		assert_int_equal(dial(text), TN_OK);
		assert_echo();
		assert_true(tn_is_dial(peer));
		hang_up();
		tn_listener_free(l);
		tn_host_loop_poll(loop);
	}
}

static void a_name_is_resolved_and_all_its_addresses_are_tried(void **state)
{
	struct tn_listener *l = tn_listener_new(h, "tcp!127.0.0.1!0", accepted, NULL, &err, words);
	char text[64];

	(void)state;
	/* localhost may be ::1 first, where nobody listens. */
	snprintf(text, sizeof(text), "tcp!localhost!%s", strrchr(tn_listener_address(l), '!') + 1);
	assert_int_equal(dial(text), TN_OK);
	assert_echo();
	hang_up();
	tn_listener_free(l);
}

static void an_answer_names_what_where_and_why(void **state)
{
	struct tn_listener *l = tn_listener_new(h, "tcp!127.0.0.1!0", accepted, NULL, &err, words);
	char gone[64];

	(void)state;
	snprintf(gone, sizeof(gone), "%s", tn_listener_address(l));
	tn_listener_free(l);
	tn_host_loop_poll(loop);

	assert_int_equal(dial(gone), TN_ECONNREFUSED);
	assert_non_null(strstr(cause, gone));
	assert_non_null(strstr(cause, "connection refused"));
	assert_int_equal(dial(path), TN_ENOENT);
	assert_non_null(strstr(cause, path));
	assert_int_equal(dial("tcp!no-such-host.invalid!1"), TN_ENOHOST);
	assert_non_null(strstr(cause, "no-such-host.invalid"));
	assert_int_equal(dial("tcp!*!1"), TN_EBADDIAL);
	assert_int_equal(dial("tcp!127.0.0.1!0"), TN_EBADDIAL);
	assert_int_equal(dial("fd!987"), TN_EBADFD);
	assert_non_null(strstr(cause, "fd!987"));
}

static void a_connect_that_was_cancelled_says_nothing(void **state)
{
	struct tn_listener *l = tn_listener_new(h, "tcp!127.0.0.1!0", accepted, NULL, &err, words);

	(void)state;
	tn_connect_cancel(start(tn_listener_address(l))); /* before it began */
	for (unsigned i = 0; i < 3; i++)
		tn_host_loop_poll(loop);
	assert_int_equal(answers, 0);
	assert_null(here.stream.transport);
	tn_listener_free(l);
}

static void a_lookup_that_was_cancelled_says_nothing(void **state)
{
	struct tn_connect *c = start("tcp!no-such-host.invalid!1");

	(void)state;
	tn_host_loop_poll(loop);
	tn_connect_cancel(c);
	tn_host_loop_poll(loop);
	assert_int_equal(answers, 0); /* and tear_down waits for the worker */
}

static uint64_t shift;

static uint64_t shifted_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + shift;
}

/* A unix socket whose queue is full: the only peer on a loopback that neither takes nor refuses. */
static void connecting_is_bounded(void **state)
{
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), filler[2];
	struct sockaddr_un address;
	struct tn_dial d;
	unsigned len;

	(void)state;
	assert_int_equal(tn_dial_parse(&d, "unix!@tn-net-full", words), TN_OK);
	len = tn_dial_unix_address(&d, &address);
	tn_dial_fini(&d);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listening, 0), 0);
	for (size_t i = 0; i < 2; i++) {
		filler[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filler[i], (struct sockaddr *)&address, len);
	}
	shift = 0;
	tn_now_hook = shifted_clock;
	start("unix!@tn-net-full");
	for (unsigned i = 0; i < 3; i++)
		tn_host_loop_turn(loop);
	assert_int_equal(answers, 0);
	shift = 2 * TN_CONNECT_NS;
	while (!answers)
		tn_host_loop_turn(loop);
	assert_int_equal(answer, TN_ETIMEDOUT);
	tn_now_hook = NULL;
	close(filler[0]);
	close(filler[1]);
	close(listening);
}

static void a_stale_socket_file_is_replaced_and_a_used_one_is_not(void **state)
{
	struct tn_listener *l = tn_listener_new(h, path, accepted, NULL, &err, words), *other;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address;
	struct tn_dial d;
	struct stat st;

	(void)state;
	assert_non_null(l);
	other = tn_listener_new(h, path, accepted, NULL, &err, words);
	assert_null(other);
	assert_int_equal(err, TN_EADDRINUSE);
	assert_non_null(strstr(words, path));
	tn_listener_free(l);
	assert_int_equal(lstat(path + 5, &st), -1);

	assert_int_equal(tn_dial_parse(&d, path, words), TN_OK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, tn_dial_unix_address(&d, &address)),
	    0);
	tn_dial_fini(&d);
	close(fd); /* the file stays: its owner died */
	l = tn_listener_new(h, path, accepted, NULL, &err, words);
	assert_non_null(l);
	tn_listener_free(l);
	assert_int_equal(lstat(path + 5, &st), -1);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	int fd = open(path + 5, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_null(tn_listener_new(h, path, accepted, NULL, &err, words));
	assert_int_equal(err, TN_EADDRINUSE);
	close(fd);
	assert_int_equal(unlink(path + 5), 0);
}

static void what_cannot_be_listened_at_is_said(void **state)
{
	static const struct {
		const char *dial;
		enum tn_err err;
	} rows[] = {
		{ "exec!cat", TN_EBADDIAL },
		{ "fd!0,1", TN_EBADDIAL },
		{ "tcp!no-such-host.invalid!1", TN_ENOHOST },
		{ "tcp!192.0.2.1!0",
		    TN_EINVAL }, /* nobody's address; its errno has no row of its own */
		{ "unix!/nowhere/at/all", TN_ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		print_message("%s\n", rows[i].dial);
		assert_null(tn_listener_new(h, rows[i].dial, accepted, NULL, &err, words));
		if (rows[i].err != TN_EINVAL)
			assert_int_equal(err, rows[i].err);
		assert_non_null(strstr(words, rows[i].dial));
	}
}

static void a_command_is_a_stream(void **state)
{
	(void)state;
	assert_int_equal(dial("exec!exec cat"), TN_OK);
	assert_echo();
	engine_close(&here);
	while (!here.hung_up)
		tn_host_loop_turn(loop); /* tear_down waits until it has been reaped */
}

static void a_command_that_ends_is_end_of_file(void **state)
{
	(void)state;
	assert_int_equal(dial("exec!printf abc"), TN_OK);
	while (!here.hung_up)
		tn_host_loop_turn(loop);
	assert_int_equal(here.why, TN_OK);
	assert_int_equal(here.in_len, 3);
}

/* It neither reads its input nor minds SIGTERM: SIGKILL must come, or tear_down never ends. */
static void a_command_that_will_not_end_is_ended(void **state)
{
	(void)state;
	assert_int_equal(dial("exec!trap '' TERM; printf x; while :; do sleep 1; done"), TN_OK);
	while (here.in_len < 1)
		tn_host_loop_turn(loop);
	engine_close(&here);
	while (!here.hung_up)
		tn_host_loop_turn(loop);
}

static void descriptors_are_a_stream_and_nobody_else_prints_into_it(void **state)
{
	int pair[2], old = dup(STDOUT_FILENO), in = dup(STDIN_FILENO);
	char buf[8];

	(void)state;
	fflush(stdout);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	dup2(pair[1], STDIN_FILENO);
	dup2(pair[1], STDOUT_FILENO);
	close(pair[1]);
	assert_int_equal(dial("fd!0,1"), TN_OK);
	printf("stray\n");
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	dup2(in, STDIN_FILENO);
	close(old);
	close(in);
	engine_send(&here, "abc", 3);
	engine_close(&here);
	while (!here.hung_up)
		tn_host_loop_turn(loop);
	assert_int_equal(read(pair[0], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "abc", 3);
	close(pair[0]);
}

static void sockets_that_were_opened_for_us_are_found(void **state)
{
	char pid[16];

	(void)state;
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_PID", "1", 1);
	assert_int_equal(tn_listen_fds(), 0); /* another's */
	assert_null(getenv("LISTEN_FDS"));
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(tn_listen_fds(), 2);
	assert_int_equal(tn_listen_fds(), 0);
}

static void a_socket_that_listens_already_is_taken(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct tn_listener *l;

	(void)state;
	assert_false(tn_fd_listens(fd));
	assert_int_equal(listen(fd, 1), 0);
	assert_true(tn_fd_listens(fd));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	l = tn_listener_of_fd(h, fd, accepted, NULL, &err, words);
	assert_non_null(l);
	assert_int_equal(strncmp(tn_listener_address(l), "tcp!0.0.0.0!", 12), 0);
	tn_listener_free(l);
	assert_null(tn_listener_of_fd(h, open("/dev/null", O_RDONLY), accepted, NULL, &err, words));
	assert_int_equal(err, TN_EBADFD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_listens_is_found_at_the_address_it_tells),
		TEST(a_name_is_resolved_and_all_its_addresses_are_tried),
		TEST(an_answer_names_what_where_and_why),
		TEST(a_connect_that_was_cancelled_says_nothing),
		TEST(a_lookup_that_was_cancelled_says_nothing),
		TEST(connecting_is_bounded),
		TEST(a_stale_socket_file_is_replaced_and_a_used_one_is_not),
		TEST(a_file_that_is_no_socket_is_left_alone),
		TEST(what_cannot_be_listened_at_is_said),
		TEST(a_command_is_a_stream),
		TEST(a_command_that_ends_is_end_of_file),
		TEST(a_command_that_will_not_end_is_ended),
		TEST(descriptors_are_a_stream_and_nobody_else_prints_into_it),
		TEST(sockets_that_were_opened_for_us_are_found),
		TEST(a_socket_that_listens_already_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
