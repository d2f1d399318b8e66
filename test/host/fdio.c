/* src/host/posix/fdio.c: descriptors as files, #fd. */
#include "host/posix/fdio.h"

#include "asker.h"
#include "core/server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_fdio *fdio;
static struct tn_server *server;
static struct tn_chan *root;
static int in[2], saved; /* in[0] is standard input of this program meanwhile */

static int set_up(void **state)
{
	(void)state;
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	fdio = tn_fdio_new(ask_loop);
	server = tn_descriptors_new(ask_loop, fdio);
	root = ask_attach(server, "");
	assert_int_equal(pipe(in), 0);
	saved = dup(STDIN_FILENO);
	dup2(in[0], STDIN_FILENO);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(in[0]);
	close(in[1]);
	ask_put(root);
	ask_put(NULL);
	tn_req_reset(&ask.r);
	tn_server_put(server);
	tn_fdio_free(fdio);
	tn_host_loop_free(h);
	return 0;
}

static void what_comes_is_read_and_what_waits_can_be_flushed(void **state)
{
	struct tn_chan *c = ask_walk(root, "0");
	char buf[8];

	(void)state;
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(write(in[1], "abc", 3), 3);
	assert_int_equal(ask_read(c, buf, 8, 0), 3);
	assert_memory_equal(buf, "abc", 3);

	ask_begin(TN_READ, c);
	ask.r.u.io.data = (uint8_t *)buf;
	ask.r.u.io.count = 8;
	assert_true(ask_start());
	tn_flush(&ask.r);
	assert_true(ask.done);
	assert_int_equal(ask.r.err, TN_EINTR);
	ask_put(c);
}

static void a_write_does_not_wait_behind_a_read_that_waits(void **state)
{
	static uint8_t byte;
	struct tn_chan *c;
	int pair[2], other = dup(STDIN_FILENO);

	(void)state;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	dup2(pair[0], STDIN_FILENO);
	c = ask_walk(root, "0");
	assert_int_equal(ask_open(c, TN_ORDWR), TN_OK);
	static struct ask reader;
	ask_begin(TN_READ, c);
	reader = ask;
	reader.r.u.io.data = &byte;
	reader.r.u.io.count = 1;
	assert_int_equal(tn_submit(&reader.r), TN_LATER);
	assert_int_equal(ask_write(c, "x", 1, 0), 1);
	assert_false(reader.done);
	assert_int_equal(write(pair[1], "y", 1), 1);
	while (!reader.done)
		tn_host_loop_turn(ask_loop);
	assert_int_equal(byte, 'y');
	ask_put(c);
	dup2(other, STDIN_FILENO);
	close(other);
	close(pair[0]);
	close(pair[1]);
}

static void count_entry(void *arg, const struct ask_entry *e)
{
	++*(unsigned *)arg;
	assert_true(strtoul(e->name, NULL, 10) <= 2);
}

/* Its other descriptors are connections of other peers. */
static void a_peer_of_elsewhere_gets_no_more_than_the_first_three(void **state)
{
	struct tn_chan *c = ask_walk(root, "");
	char name[16];
	unsigned n = 0;

	(void)state;
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(ask_list(c, 0, 100, count_entry, &n), TN_OK);
	assert_int_equal(n, 3);
	snprintf(name, sizeof(name), "%d", in[1]);
	assert_null(ask_walk(root, name));
	assert_int_equal(ask.r.err, TN_ENOENT);
	ask_put(c);
}

static void a_descriptor_is_opened_as_it_was(void **state)
{
	struct tn_chan *c = ask_walk(root, "0");

	(void)state;
	assert_int_equal(ask_open(c, TN_OWRITE), TN_EACCES);
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	ask_put(c);
}

/* The requests of a process of this machine are about its own. */
static void a_process_gets_its_own(void **state)
{
	int out[2], ready[2];
	struct tn_chan *c;
	pid_t child;
	char byte, name[16];

	(void)state;
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 77);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	ask_begin(TN_WALK, root);
	c = tn_chan_clone(root);
	snprintf(name, sizeof(name), "77");
	struct tn_str names[1] = { ask_str(name) };
	ask.r.u.walk.names = names;
	ask.r.u.walk.n_names = 1;
	ask.r.u.walk.qids = ask.qids;
	ask.r.u.walk.newchan = c;
	ask.r.pid = (uint32_t)child;
	assert_int_equal(ask_send(), TN_OK);
	ask_begin(TN_OPEN, c);
	ask.r.flags = TN_OWRITE;
	ask.r.pid = (uint32_t)child;
	assert_int_equal(ask_send(), TN_OK);
	assert_int_equal(ask_write(c, "z", 1, 0), 1);
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(byte, 'z');
	ask_put(c);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		close(out[i]);
		close(ready[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_is_read_and_what_waits_can_be_flushed),
		TEST(a_write_does_not_wait_behind_a_read_that_waits),
		TEST(a_peer_of_elsewhere_gets_no_more_than_the_first_three),
		TEST(a_descriptor_is_opened_as_it_was),
		TEST(a_process_gets_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
