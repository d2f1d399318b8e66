/* src/host/posix/serve.c: whoever connects gets a conn, up to a limit. */
#include "host/posix/serve.h"

#include "core/chan.h"
#include "engine.h"
#include "fs/root.h"
#include "host/posix/listen.h"
#include "host/posix/peer.h"
#include "host/posix/stream.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define AT "unix!@tn-serve-test"

static struct tn_host_loop *h;
static struct tn_loop *loop;
static struct tn_service *service;
static struct tn_server *server;
static char words[TN_WORDS_SIZE];
static unsigned idles;
static bool ended;

static void idle(void *arg)
{
	(void)arg;
	idles++;
}

static void end_seen(void *arg)
{
	(void)arg;
	ended = true;
}

/* A name service that knows everybody at once, but for "slow": that one when a byte is in the pipe, or not at all. */
static int slow[2];
static atomic_bool slow_has_begun;

static struct tn_user *look_up(struct tn_str name, uint32_t uid)
{
	bool is_slow = name.len == 4 && memcmp(name.s, "slow", 4) == 0;
	struct pollfd p = { .fd = slow[0], .events = POLLIN };
	char byte;

	if (is_slow)
		atomic_store(&slow_has_begun, true);
	if (is_slow && (poll(&p, 1, 10000) != 1 || read(slow[0], &byte, 1) != 1))
		return NULL;
	return tn_user_new(name, uid, TN_NONUNAME);
}

static void let_slow_go_on(void)
{
	assert_int_equal(write(slow[1], "", 1), 1);
}

static int set_up(void **state)
{
	struct tn_service_options o = { .conns_max = 2, .idle = idle };

	(void)state;
	h = tn_host_loop_new();
	loop = tn_host_loop_core(h);
	server = tn_rootfs_new(loop);
	o.users = tn_peers_new(loop, look_up);
	service = tn_service_new(h, server, &o);
	tn_server_put(o.users);
	assert_int_equal(pipe(slow), 0);
	idles = 0;
	ended = false;
	atomic_store(&slow_has_begun, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_service_end(service, end_seen, NULL);
	while (!ended)
		tn_host_loop_turn(loop);
	tn_server_put(server);
	tn_host_loop_free(h);
	close(slow[0]);
	close(slow[1]);
	return 0;
}

static void say(struct engine *e, const struct tn_msg *m)
{
	uint8_t frame[512];
	size_t len;

	assert_int_equal(tn_msg_encode(m, TN_9P2000, frame, sizeof(frame), &len), TN_CODEC_OK);
	engine_send(e, frame, len);
}

/* Sends Tversion and gives what comes back, or hangs up, as it was decoded. */
static void ask_version(struct engine *e, struct tn_msg *answer)
{
	struct tn_msg m = { .type = TN_TVERSION,
		.tag = TN_NOTAG,
		.msize = 8192,
		.version = TN_STR("9P2000") };

	say(e, &m);
	while (!e->hung_up && tn_frame_len(e->in, e->in_len, 8192) <= 0)
		tn_host_loop_turn(loop);
	assert_true(tn_frame_len(e->in, e->in_len, 8192) > 0);
	assert_int_equal(
	    tn_msg_decode(answer, TN_9P2000, e->in, (size_t)tn_frame_len(e->in, e->in_len, 8192)),
	    TN_CODEC_OK);
}

static void connected(void *arg, enum tn_err err, const char *text)
{
	(void)text;
	assert_int_equal(err, TN_OK);
	*(bool *)arg = true;
}

static void join(struct engine *e, const char *dial)
{
	struct tn_dial d;
	bool there = false;

	engine_init(e, 8192);
	assert_int_equal(tn_dial_parse(&d, dial, words), TN_OK);
	tn_connect_start(h, &d, &e->stream, 0, connected, &there);
	tn_dial_fini(&d);
	while (!there)
		tn_host_loop_turn(loop);
}

static void leave(struct engine *e)
{
	engine_close(e);
	while (!e->hung_up)
		tn_host_loop_turn(loop);
	engine_fini(e);
}

static void one_connection_too_many_is_told_so_and_closed(void **state)
{
	static const char *const places[] = { AT, "tcp!127.0.0.1!0" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(places); i++) {
		struct tn_service_stats stats;
		struct engine e[3];
		struct tn_msg m;
		const char *at;

		assert_int_equal(tn_service_listen(service, places[i], &at, words), TN_OK);
		for (size_t k = 0; k < 2; k++) {
			join(&e[k], at);
			ask_version(&e[k], &m);
			assert_int_equal(m.type, TN_RVERSION);
		}
		join(&e[2], at);
		ask_version(&e[2], &m);
		assert_int_equal(m.type, TN_RERROR);
		assert_memory_equal(m.ename.s, tn_err_text(TN_ELIMIT_CONNS), m.ename.len);
		while (!e[2].hung_up)
			tn_host_loop_turn(loop);
		tn_service_stats(service, &stats);
		assert_int_equal(stats.refused, i + 1);
		assert_int_equal(stats.conns, 2);
		engine_fini(&e[2]);
		leave(&e[0]);
		leave(&e[1]);
		while (idles == i)
			tn_host_loop_turn(loop);
	}
}

static void one_address_has_its_own_limit_and_others_come_all_the_same(void **state)
{
	struct tn_service_options o = { .peer_max = 1 };
	struct tn_service *strict = tn_service_new(h, server, &o);
	struct engine first, again, unix_peer;
	const char *tcp, *local;
	struct tn_msg m;

	(void)state;
	assert_int_equal(tn_service_listen(strict, "tcp!127.0.0.1!0", &tcp, words), TN_OK);
	assert_int_equal(tn_service_listen(strict, AT "-strict", &local, words), TN_OK);
	join(&first, tcp);
	ask_version(&first, &m);
	assert_int_equal(m.type, TN_RVERSION);
	for (int i = 0; i < 3; i++) { /* who was refused counts no more */
		join(&again, tcp);
		ask_version(&again, &m);
		assert_int_equal(m.type, TN_RERROR);
		assert_memory_equal(m.ename.s, tn_err_text(TN_ELIMIT_PEER), m.ename.len);
		while (!again.hung_up)
			tn_host_loop_turn(loop);
		engine_fini(&again);
	}
	join(&unix_peer, local);
	ask_version(&unix_peer, &m);
	assert_int_equal(m.type, TN_RVERSION);
	leave(&first);
	do { /* until the end of the first was seen */
		join(&again, tcp);
		ask_version(&again, &m);
		leave(&again);
	} while (m.type != TN_RVERSION);
	leave(&unix_peer);
	tn_service_end(strict, end_seen, NULL);
	while (!ended)
		tn_host_loop_turn(loop);
	ended = false;
}

static void several_places_serve_the_same(void **state)
{
	struct engine one, other;
	const char *a, *b;
	struct tn_msg m;

	(void)state;
	assert_int_equal(tn_service_listen(service, AT, &a, words), TN_OK);
	assert_int_equal(tn_service_listen(service, "tcp!127.0.0.1!0", &b, words), TN_OK);
	join(&one, a);
	join(&other, b);
	ask_version(&one, &m);
	ask_version(&other, &m);
	assert_int_equal(m.type, TN_RVERSION);
	leave(&one);
	leave(&other);
}

static void what_cannot_be_listened_at_is_said(void **state)
{
	(void)state;
	assert_int_equal(tn_service_listen(service, "unix!/nowhere/s", NULL, words), TN_ENOENT);
	assert_non_null(strstr(words, "unix!/nowhere/s"));
}

/* Socket activation with a connection instead of a socket that listens, and standard input and output. */
static void a_connection_that_is_there_already_is_served(void **state)
{
	struct engine e;
	struct tn_msg m;
	int pair[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		if (i == 0)
			assert_int_equal(tn_service_fd(service, pair[0], words), TN_OK);
		else
			assert_int_equal(tn_service_pair(service, pair[0], pair[0], words), TN_OK);
		engine_init(&e, 8192);
		assert_int_equal(tn_transport_join(h, &e.stream, pair[1], pair[1], NULL, NULL),
		    TN_OK);
		ask_version(&e, &m);
		assert_int_equal(m.type, TN_RVERSION);
		leave(&e);
		while (idles == i)
			tn_host_loop_turn(loop);
	}
	assert_int_equal(tn_service_fd(service, 987, words), TN_EBADFD);
	assert_int_equal(tn_service_pair(service, 987, 988, words), TN_EBADFD);
}

static void an_end_hangs_up_on_everybody(void **state)
{
	struct engine e;
	struct tn_msg m;
	const char *at;

	(void)state;
	assert_int_equal(tn_service_listen(service, AT, &at, words), TN_OK);
	join(&e, at);
	ask_version(&e, &m);
	tn_service_end(service, end_seen, NULL);
	while (!ended || !e.hung_up)
		tn_host_loop_turn(loop);
	engine_fini(&e);
	ended = false;
	service = tn_service_new(h, server, NULL); /* for tear_down */
}

/* ---- a slow name service ---- */

/* The next message that has come; those of `but` are passed over. */
static struct tn_msg hear(struct engine *e, uint8_t but)
{
	struct tn_msg m = { .type = 0 };
	int32_t len = 0;

	do {
		while (!e->hung_up && (len = tn_frame_len(e->in, e->in_len, 8192)) == 0)
			tn_host_loop_turn(loop);
		assert_true(len > 0);
		assert_int_equal(tn_msg_decode(&m, TN_9P2000, e->in, (size_t)len), TN_CODEC_OK);
		e->in_len -= (size_t)len;
		memmove(e->in, e->in + len, e->in_len);
	} while (m.type == but);
	return m;
}

static void come(struct engine *e, const char *at)
{
	struct tn_msg m;

	join(e, at);
	ask_version(e, &m);
	engine_drain(e);
}

static void attach(struct engine *e, uint16_t tag, const char *name)
{
	struct tn_msg m = { .type = TN_TATTACH, .tag = tag, .fid = 1, .afid = TN_NOFID };

	m.uname = (struct tn_str){ name, (uint32_t)strlen(name) };
	say(e, &m);
}

/* architecture.md: nothing waits. */
static void while_a_users_name_is_looked_up_others_are_answered(void **state)
{
	struct engine one, other;
	const char *at;

	(void)state;
	assert_int_equal(tn_service_listen(service, AT, &at, words), TN_OK);
	come(&one, at);
	come(&other, at);
	attach(&one, 1, "slow");
	for (unsigned i = 0; i < 20; i++) {
		struct tn_msg m = { .type = TN_TCLUNK, .tag = 2, .fid = 1 };

		attach(&other, 2, "quick");
		assert_int_equal(hear(&other, 0).type, TN_RATTACH);
		say(&other, &m);
		assert_int_equal(hear(&other, 0).type, TN_RCLUNK);
	}
	assert_int_equal(one.in_len, 0);
	let_slow_go_on();
	assert_int_equal(hear(&one, 0).type, TN_RATTACH);
	leave(&one);
	leave(&other);
}

/* flush(5): what it asked for is over, and the fid is as it was. */
static void an_attach_is_flushed_while_its_user_is_looked_up(void **state)
{
	struct tn_msg m = { .type = TN_TFLUSH, .tag = 2, .oldtag = 1 };
	struct engine e;
	const char *at;

	(void)state;
	assert_int_equal(tn_service_listen(service, AT, &at, words), TN_OK);
	come(&e, at);
	attach(&e, 1, "slow");
	say(&e, &(struct tn_msg){ .type = TN_TCLUNK, .tag = 3, .fid = 7 });
	assert_int_equal(hear(&e, 0).type, TN_RERROR); /* what came before it was served */
	for (unsigned i = 0; i < 10000 && !atomic_load(&slow_has_begun); i++)
		poll(NULL, 0, 1);
	assert_true(atomic_load(&slow_has_begun));
	say(&e, &m);
	assert_int_equal(hear(&e, TN_RERROR).type, TN_RFLUSH);
	attach(&e, 1, "quick");
	assert_int_equal(hear(&e, 0).type, TN_RATTACH);
	let_slow_go_on(); /* to nobody, while others come and go */
	for (unsigned i = 0; i < 50; i++) {
		m = (struct tn_msg){ .type = TN_TCLUNK, .tag = 2, .fid = 1 };
		say(&e, &m);
		assert_int_equal(hear(&e, 0).type, TN_RCLUNK);
		attach(&e, 1, "quick");
		assert_int_equal(hear(&e, 0).type, TN_RATTACH);
	}
	leave(&e);
}

/* No host has such a user, so nobody is asked; the server that is meant takes names of any length. */
static void who_has_a_name_that_is_too_long_for_a_host_attaches_by_it(void **state)
{
	char name[301];
	struct engine e;
	const char *at;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(tn_service_listen(service, AT, &at, words), TN_OK);
	come(&e, at);
	for (size_t len = 250; len < sizeof(name); len++) {
		struct tn_msg m = { .type = TN_TCLUNK, .tag = 2, .fid = 1 };

		name[len] = '\0';
		attach(&e, 1, name);
		assert_int_equal(hear(&e, 0).type, TN_RATTACH);
		say(&e, &m);
		assert_int_equal(hear(&e, 0).type, TN_RCLUNK);
		name[len] = 'x';
	}
	leave(&e);
}

static void who_hangs_up_while_his_name_is_looked_up_is_gone(void **state)
{
	struct engine e;
	const char *at;

	(void)state;
	assert_int_equal(tn_service_listen(service, AT, &at, words), TN_OK);
	come(&e, at);
	attach(&e, 1, "slow");
	leave(&e);
	while (idles == 0)
		tn_host_loop_turn(loop);
	let_slow_go_on();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_connection_too_many_is_told_so_and_closed),
		TEST(one_address_has_its_own_limit_and_others_come_all_the_same),
		TEST(several_places_serve_the_same),
		TEST(what_cannot_be_listened_at_is_said),
		TEST(a_connection_that_is_there_already_is_served),
		TEST(an_end_hangs_up_on_everybody),
		TEST(while_a_users_name_is_looked_up_others_are_answered),
		TEST(an_attach_is_flushed_while_its_user_is_looked_up),
		TEST(who_has_a_name_that_is_too_long_for_a_host_attaches_by_it),
		TEST(who_hangs_up_while_his_name_is_looked_up_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
