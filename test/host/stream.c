/* src/host/posix/stream.c: bytes between descriptors and an engine. */
#include "host/posix/stream.h"

#include "engine.h"
#include "host/posix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 3000000 /* bytes: more than any socket or pipe holds */

static struct tn_host_loop *h;
static struct tn_loop *loop;
static struct engine engine;
static int fds[2]; /* the transport's, ours */
static unsigned closes;
static enum tn_err closed_why;

static void closed(void *arg, enum tn_err why)
{
	(void)arg;
	closes++;
	closed_why = why;
}

static void begin(size_t room)
{
	h = tn_host_loop_new();
	loop = tn_host_loop_core(h);
	closes = 0;
	closed_why = TN_ERRS;
	engine_init(&engine, room);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
}

static void join(void)
{
	assert_int_equal(tn_transport_join(h, &engine.stream, fds[0], fds[0], closed, NULL), TN_OK);
}

static void finish(void)
{
	close(fds[1]);
	while (!closes)
		tn_host_loop_turn(loop);
	assert_int_equal(closes, 1);
	assert_null(engine.stream.transport);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	tn_host_loop_free(h);
	engine_fini(&engine);
}

static void turn_until_hangup(void)
{
	while (!engine.hung_up)
		tn_host_loop_turn(loop);
}

/* Reads what there is on our side until `want` bytes have come or nothing moves any more at end of file. */
static size_t take(uint8_t *buf, size_t want)
{
	size_t have = 0;

	while (have < want) {
		ssize_t n = read(fds[1], buf + have, want - have);

		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
		else
			tn_host_loop_poll(loop);
	}
	return have;
}

static uint8_t *pattern(size_t len)
{
	uint8_t *p = malloc(len);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	return p;
}

static void bytes_go_through_both_ways(void **state)
{
	uint8_t back[5];

	(void)state;
	begin(4096);
	engine.echo = true;
	join();
	assert_int_equal(write(fds[1], "hello", 5), 5);
	assert_int_equal(take(back, 5), 5);
	assert_memory_equal(back, "hello", 5);
	finish();
	assert_int_equal(closed_why, TN_OK);
	assert_int_equal(engine.hangups, 1);
	assert_int_equal(engine.why, TN_OK);
}

static void output_that_was_there_before_the_transport_is_sent(void **state)
{
	uint8_t back[3];

	(void)state;
	begin(16);
	engine_send(&engine, "abc", 3);
	join();
	assert_int_equal(take(back, 3), 3);
	finish();
}

static void much_output_goes_in_pieces_and_in_order(void **state)
{
	static const size_t pieces[] = { 0, 1000, 77777 };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(pieces); i++) {
		uint8_t *all = pattern(MANY), *back = malloc(MANY);

		begin(16);
		engine.piece = pieces[i];
		join();
		engine_send(&engine, all, MANY);
		assert_int_equal(take(back, MANY), MANY);
		assert_memory_equal(all, back, MANY);
		finish();
		free(all);
		free(back);
	}
}

static void without_room_nothing_is_read_and_with_room_it_goes_on(void **state)
{
	uint8_t *all = pattern(300);

	(void)state;
	begin(100);
	join();
	assert_int_equal(write(fds[1], all, 300), 300);
	for (unsigned i = 0; i < 5; i++)
		tn_host_loop_poll(loop);
	assert_int_equal(engine.in_len, 100); /* what it has room for */
	assert_memory_equal(engine.in, all, 100);
	engine_drain(&engine);
	while (engine.in_len < 100)
		tn_host_loop_turn(loop);
	assert_memory_equal(engine.in, all + 100, 100);
	engine_drain(&engine);
	while (engine.in_len < 100)
		tn_host_loop_turn(loop);
	assert_memory_equal(engine.in, all + 200, 100);
	engine_drain(&engine);
	free(all);
	finish();
}

static void an_engine_that_closes_has_its_last_words_sent(void **state)
{
	uint8_t *all = pattern(MANY), *back = malloc(MANY);

	(void)state;
	begin(16);
	join();
	engine_send(&engine, all, MANY);
	engine_close(&engine);
	assert_int_equal(take(back, MANY + 1), MANY);
	assert_memory_equal(all, back, MANY);
	free(all);
	free(back);
	finish();
	assert_int_equal(closed_why, TN_OK);
}

static uint64_t shift;

static uint64_t shifted_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + shift;
}

static void a_peer_that_takes_no_last_words_does_not_hold_the_stream(void **state)
{
	uint8_t *all = pattern(MANY);

	(void)state;
	begin(16);
	shift = 0;
	tn_now_hook = shifted_clock;
	join();
	engine_send(&engine, all, MANY);
	engine_close(&engine);
	for (unsigned i = 0; i < 5; i++)
		tn_host_loop_poll(loop);
	assert_false(engine.hung_up);
	shift = UINT64_C(6000000000);
	turn_until_hangup();
	assert_int_equal(engine.why, TN_ETIMEDOUT);
	tn_now_hook = NULL;
	free(all);
	finish();
}

static void what_was_answered_reaches_a_peer_that_only_stopped_sending(void **state)
{
	uint8_t *all = pattern(MANY), *back = malloc(MANY);

	(void)state;
	begin(16);
	join();
	engine_send(&engine, all, MANY);
	shutdown(fds[1], SHUT_WR);
	assert_int_equal(take(back, MANY + 1), MANY);
	assert_memory_equal(all, back, MANY);
	free(all);
	free(back);
	finish();
}

static void a_peer_that_is_gone_is_a_lost_connection_for_who_sends(void **state)
{
	uint8_t *all = pattern(MANY);

	(void)state;
	begin(16);
	join();
	tn_host_loop_poll(loop);
	close(fds[1]);
	engine_send(&engine, all, MANY);
	turn_until_hangup();
	assert_int_equal(engine.hangups, 1);
	free(all);
	fds[1] = -1;
	finish();
}

static void an_engine_may_vanish(void **state)
{
	(void)state;
	begin(16);
	join();
	tn_host_loop_poll(loop);
	engine_detach(&engine);
	finish();
	assert_int_equal(engine.hangups, 0);
}

static void an_engine_may_vanish_while_a_task_of_the_transport_waits(void **state)
{
	(void)state;
	begin(16);
	join();
	engine_send(&engine, "x", 1);
	engine_detach(&engine);
	finish();
}

static void two_pipes_are_a_stream(void **state)
{
	int in[2], out[2];
	uint8_t back[4];

	(void)state;
	begin(64);
	engine.echo = true;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	close(fds[0]);
	close(fds[1]);
	fds[0] = in[0];
	fds[1] = out[0];
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(tn_transport_join(h, &engine.stream, in[0], out[1], closed, NULL), TN_OK);
	assert_int_equal(write(in[1], "abcd", 4), 4);
	assert_int_equal(take(back, 4), 4);
	assert_memory_equal(back, "abcd", 4);
	close(in[1]);
	finish();
	assert_int_equal(fcntl(out[1], F_GETFD), -1);
}

/* epoll(7) takes no plain files. */
static void a_file_and_dev_null_are_a_stream_too(void **state)
{
	uint8_t *all = pattern(100000);
	FILE *file = tmpfile();
	int in, null = open("/dev/null", O_WRONLY);

	(void)state;
	begin(200000);
	engine_send(&engine, "x", 1);
	assert_int_equal(fwrite(all, 1, 100000, file), 100000);
	rewind(file);
	in = dup(fileno(file));
	fclose(file);
	close(fds[0]);
	fds[0] = in;
	assert_int_equal(tn_transport_join(h, &engine.stream, in, null, closed, NULL), TN_OK);
	turn_until_hangup();
	assert_int_equal(engine.in_len, 100000);
	assert_memory_equal(engine.in, all, 100000);
	free(all);
	finish();
}

static void descriptors_that_cannot_do_it_are_refused_and_closed(void **state)
{
	int null = open("/dev/null", O_RDONLY);

	(void)state;
	begin(16);
	assert_int_equal(tn_transport_join(h, &engine.stream, null, null, closed, NULL), TN_EBADFD);
	assert_int_equal(fcntl(null, F_GETFD), -1);
	assert_null(engine.stream.transport);
	join();
	finish();
}

static void a_borrowed_terminal_is_blocking_again_afterwards(void **state)
{
	int shared;

	(void)state;
	begin(16);
	shared = dup(fds[0]);
	join();
	assert_true(fcntl(shared, F_GETFL) & O_NONBLOCK);
	finish();
	assert_false(fcntl(shared, F_GETFL) & O_NONBLOCK);
	close(shared);
}

static void small_messages_on_tcp_are_not_held_back(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 0;
	socklen_t len = sizeof(on);

	(void)state;
	tn_socket_tune(fd);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_through_both_ways),
		cmocka_unit_test(output_that_was_there_before_the_transport_is_sent),
		cmocka_unit_test(much_output_goes_in_pieces_and_in_order),
		cmocka_unit_test(without_room_nothing_is_read_and_with_room_it_goes_on),
		cmocka_unit_test(an_engine_that_closes_has_its_last_words_sent),
		cmocka_unit_test(a_peer_that_takes_no_last_words_does_not_hold_the_stream),
		cmocka_unit_test(what_was_answered_reaches_a_peer_that_only_stopped_sending),
		cmocka_unit_test(a_peer_that_is_gone_is_a_lost_connection_for_who_sends),
		cmocka_unit_test(an_engine_may_vanish),
		cmocka_unit_test(an_engine_may_vanish_while_a_task_of_the_transport_waits),
		cmocka_unit_test(two_pipes_are_a_stream),
		cmocka_unit_test(a_file_and_dev_null_are_a_stream_too),
		cmocka_unit_test(descriptors_that_cannot_do_it_are_refused_and_closed),
		cmocka_unit_test(a_borrowed_terminal_is_blocking_again_afterwards),
		cmocka_unit_test(small_messages_on_tcp_are_not_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
