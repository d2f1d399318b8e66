/*
 * mnt when the peer is slow, silent or gone: product.md 5. Every request ends within the bound, nothing is sent twice,
 * and what can be found again on a new connection is. The clock is the test's.
 */
#include "peer.h"

#define LOST "connection lost: tcp!test!564"
#define MS   (uint64_t)1000000

/* ---- the bound ---- */

static void a_silent_connection_is_asked_and_then_dead(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_simple(TN_STAT, root), *b = ask_io(TN_READ, c, 10, 0);

	(void)state;
	peer_expect(TN_TSTAT);
	peer_expect(TN_TREAD);
	pass(5 * (uint64_t)SECOND - 1);
	assert_null(peer_take());
	pass(1);
	peer_expect(TN_TFLUSH);
	assert_int_equal(peer.m.oldtag, 0xfffe);
	pass(5 * (uint64_t)SECOND - 1);
	assert_null(peer_take());
	assert_int_equal(a->done + b->done, 0);
	pass(1);
	must_say(a, TN_ECONNLOST, LOST);
	must_say(b, TN_ECONNLOST, LOST);
	assert_null(peer.stream);
	assert_int_equal(peer.detached, 1);
	put(c);
	put(root);
}

/* A stat has no reason to take so long; a read of a device has. */
static void what_may_block_goes_on_while_the_peer_lives(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_simple(TN_STAT, root), *b = ask_io(TN_READ, c, 10, 0);
	struct tn_msg stat = *peer_expect(TN_TSTAT), read = *peer_expect(TN_TREAD);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a->done, 0);
		pass(5 * (uint64_t)SECOND);
		peer_answer(peer_expect(TN_TFLUSH));
	}
	must_say(a, TN_ECONNLOST, LOST);
	peer_answer(&stat); /* late: nobody minds */
	peer_serve();
	for (int i = 0; i < 600; i++) {
		pass(SECOND);
		peer_serve();
	}
	assert_int_equal(b->done, 0);
	peer_answer(&read);
	must(b, TN_OK);
	assert_int_equal(peer.dials, 1);
	put(c);
	put(root);
}

static void a_deadline_of_the_request_is_kept(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_new(TN_READ, c);

	(void)state;
	a->r.u.io.data = a->data;
	a->r.u.io.count = 10;
	a->r.deadline_ns = peer_now + 3 * (uint64_t)SECOND;
	ask_go(a);
	peer_expect(TN_TREAD);
	pass(3 * (uint64_t)SECOND - 1);
	assert_int_equal(a->done, 0);
	pass(1);
	must_say(a, TN_ETIMEDOUT, "no answer: tcp!test!564");
	peer_answer(peer_expect(TN_TFLUSH));
	put(c);
	put(root);
}

static void a_dial_without_end_ends(void **state)
{
	struct ask *a, *b;

	(void)state;
	peer.slow = true;
	a = ask_attach();
	run();
	pass(6 * (uint64_t)SECOND);
	b = ask_attach();
	pass(4 * (uint64_t)SECOND);
	must_say(a, TN_ECONNLOST, LOST);
	must_say(b, TN_ECONNLOST, LOST);
	assert_int_equal(peer.cancels, 1);
	peer.slow = false;
}

static void a_version_without_answer_ends(void **state)
{
	struct ask *a = ask_attach();

	(void)state;
	peer_expect(TN_TVERSION);
	pass(10 * (uint64_t)SECOND);
	must_say(a, TN_ECONNLOST, LOST);
	assert_null(peer.stream);
}

static void a_hard_mount_waits(void **state)
{
	struct tn_client_options o = { .label = "x",
		.dialect = TN_DIALECTS,
		.soft_ns = UINT64_MAX };
	struct tn_chan *root;
	struct ask *a;

	(void)state;
	peer_start(&o);
	root = got_attach();
	a = ask_simple(TN_STAT, root);
	peer_expect(TN_TSTAT);
	pass(1000000 * (uint64_t)SECOND);
	assert_null(peer_take());
	assert_int_equal(a->done, 0);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(root);
	peer_end();
}

/* A long message on a slow line: that it moves at all is a sign of life. */
static void a_slow_line_is_not_dead(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_io(TN_WRITE, c, 8000, 0);
	struct tn_vec vec;

	(void)state;
	run();
	for (int i = 0; i < 40; i++) {
		assert_int_equal(tn_stream_output(peer.stream, &vec, 1), 1);
		memcpy(peer.in + peer.end, vec.data, 200);
		peer.end += 200;
		tn_stream_sent(peer.stream, 200);
		pass(4 * (uint64_t)SECOND);
	}
	assert_int_equal(a->done, 0);
	peer_serve();
	must(a, TN_OK);
	put(c);
	put(root);
}

static void a_listing_that_finds_no_end_ends(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "d");
	struct ask *a = ask_readdir(c, UINT64_MAX / 2, 100);
	static uint8_t entries[8192];
	size_t len = peer_entries(entries, sizeof(entries), 0);
	unsigned reads = 0;

	(void)state;
	for (; a->done == 0 && reads < 1000; reads++) {
		struct tn_msg m = { .type = TN_RREAD, .data = entries, .count = (uint32_t)len };

		if (peer_take()->type == TN_TREAD) {
			m.tag = peer.m.tag;
			peer_send(&m);
		} else {
			peer_answer(&peer.m);
		}
		pass(SECOND);
	}
	assert_in_range(reads, 5, 15);
	must_say(a, TN_ECONNLOST, LOST);
	while (peer_take())
		if (peer.m.type == TN_TFLUSH)
			peer_answer(&peer.m);
	put(c);
	put(root);
}

/* ---- a peer that is gone, and a new connection ---- */

static void a_hangup_fails_what_is_outstanding_at_once(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_io(TN_WRITE, c, 100, 0), *b = ask_walk(root, "x");

	(void)state;
	peer_expect(TN_TWRITE);
	peer_hangup();
	must_say(a, TN_ECONNLOST, LOST);
	must_say(b, TN_ECONNLOST, LOST);
	/* The write may have been carried out: it is not sent again. */
	pass(SECOND);
	assert_int_equal(peer.dials, 1);
	put(c);
	put(root);
	assert_int_equal(peer.dials, 1);
}

static void a_chan_is_found_again_by_its_name(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/db/f");
	struct ask *a;

	(void)state;
	peer_hangup();
	a = ask_simple(TN_STAT, c);
	peer_answer(peer_expect(TN_TVERSION));
	peer_expect(TN_TATTACH);
	assert_memory_equal(peer.m.uname.s, "glenda", 6);
	peer_answer(&peer.m);
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 3);
	peer_answer(&peer.m);
	peer_answer(peer_expect(TN_TSTAT));
	assert_null(peer_take());
	assert_string_equal(a->st_name, "f");
	must(a, TN_OK);
	/* The root, too, without an attach of its own. */
	a = ask_simple(TN_STAT, root);
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 0);
	peer_answer(&peer.m);
	peer_answer(peer_expect(TN_TSTAT));
	must(a, TN_OK);
	assert_int_equal(peer.dials, 2);
	put(c);
	put(root);
	for (int i = 0; i < PEER_FIDS; i++)
		assert_false(peer.fids[i].used);
}

static void requests_of_one_chan_share_its_walk(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f"),
		       *e = got_walk(root, "db/f");
	struct ask *a[4];

	(void)state;
	peer_hangup();
	memset(peer.counts, 0, sizeof(peer.counts));
	for (int i = 0; i < 4; i++)
		a[i] = ask_simple(TN_STAT, i < 3 ? c : e);
	peer_serve();
	for (int i = 0; i < 4; i++)
		must(a[i], TN_OK);
	assert_int_equal(peer.counts[TN_TVERSION], 1);
	assert_int_equal(peer.counts[TN_TATTACH], 1);
	assert_int_equal(peer.counts[TN_TWALK], 2);
	put(c);
	put(e);
	put(root);
}

static void another_file_under_the_name_is_stale(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f");
	struct ask *a;

	(void)state;
	peer_hangup();
	peer.salt = 7;
	a = ask_simple(TN_STAT, c);
	peer_serve();
	must(a, TN_ESTALE);
	put(c);
	put(root);
	assert_int_equal(peer.counts[TN_TCLUNK],
	    2); /* c's and the root's: what was found is given back */
}

/* architecture.md 2: identity is (instance, qid.path); the version never counts. */
static void a_file_that_was_changed_meanwhile_is_the_same_file(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f");
	struct ask *a;

	(void)state;
	peer_hangup();
	peer.version = 7;
	a = ask_simple(TN_STAT, c);
	peer_serve();
	assert_int_equal(a->st.qid.version, 7);
	must(a, TN_OK);
	put(c);
	put(root);
}

static void a_name_that_is_gone_is_stale(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/f");
	struct ask *a, *b;

	(void)state;
	peer_hangup();
	a = ask_simple(TN_STAT, c);
	b = ask_simple(TN_STAT, c);
	peer_answer(peer_expect(TN_TVERSION));
	peer_answer(peer_expect(TN_TATTACH));
	peer_error(peer_expect(TN_TWALK)->tag, "file does not exist");
	must(a, TN_ESTALE);
	peer_serve(); /* the other tries for itself: it may have come back */
	must(b, TN_OK);
	put(c);
	put(root);
}

/* A server in memory, started anew: its root has another number. The name space goes on with the first. */
static void the_root_may_have_another_number(void **state)
{
	struct tn_chan *root = got_attach(), *c;
	struct ask *a;

	(void)state;
	peer_hangup();
	peer.root_path = 99;
	a = ask_simple(TN_STAT, root);
	peer_serve();
	assert_int_equal(a->st.qid.path, 1);
	must(a, TN_OK);
	c = got_walk(root, "da/..");
	assert_int_equal(c->qid.path, root->qid.path);
	put(c);
	put(root);
}

static void an_open_file_is_stale_and_says_so_without_a_message(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");

	(void)state;
	peer_hangup();
	must(ask_io(TN_READ, c, 10, 0), TN_ESTALE);
	must(ask_simple(TN_STAT, c), TN_ESTALE);
	put(c);
	put(root);
	assert_int_equal(peer.dials, 1);
}

static void a_deep_name_is_walked_in_sixteens(void **state)
{
	struct tn_chan *root = got_attach(),
		       *a = got_walk(root, "d1/d2/d3/d4/d5/d6/d7/d8/d9/da/db/dc"), *b;
	struct ask *s;

	(void)state;
	b = got_walk(a, "d1/d2/d3/d4/d5/d6/d7/f");
	peer_hangup();
	s = ask_simple(TN_STAT, b);
	peer_answer(peer_expect(TN_TVERSION));
	peer_answer(peer_expect(TN_TATTACH));
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 16);
	assert_memory_equal(peer.m.wname[12].s, "d1", 2);
	peer_answer(&peer.m);
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 4);
	assert_memory_equal(peer.m.wname[3].s, "f", 1);
	assert_int_equal(peer.m.fid, peer.m.newfid);
	peer_answer(&peer.m);
	peer_answer(peer_expect(TN_TSTAT));
	must(s, TN_OK);
	put(b);
	put(a);
	put(root);
}

/* Eight names of 2[28] are 240 bytes, and with what is before them 257. */
static void a_deep_name_is_walked_in_messages_that_fit(void **state)
{
	char path[8 * 29 + 1];
	struct tn_chan *root, *c;
	struct ask *s;

	(void)state;
	peer.msize = 256;
	root = got_attach();
	memset(path, 'd', sizeof(path) - 1);
	for (size_t i = 28; i < sizeof(path); i += 29)
		path[i] = '/';
	path[sizeof(path) - 2] = '\0';
	c = got_walk(root, path);
	peer_hangup();
	memset(peer.counts, 0, sizeof(peer.counts));
	s = ask_simple(TN_STAT, c);
	peer_serve();
	must(s, TN_OK);
	assert_int_equal(peer.counts[TN_TWALK], 2);
	put(c);
	put(root);
}

static void a_renamed_file_is_found_under_its_new_name(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_walk(root, "da/old");
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("new") };
	struct ask *a = ask_new(TN_WSTAT, c);

	(void)state;
	a->r.u.wstat.st = &st;
	ask_go(a);
	peer_serve();
	must(a, TN_OK);
	peer_hangup();
	a = ask_simple(TN_STAT, c);
	peer_answer(peer_expect(TN_TVERSION));
	peer_answer(peer_expect(TN_TATTACH));
	peer_expect(TN_TWALK);
	assert_memory_equal(peer.m.wname[1].s, "new", 3);
	peer_error(peer.m.tag, "file does not exist");
	must(a, TN_ESTALE);
	put(c);
	put(root);
}

static void a_created_file_is_found_by_its_name(void **state)
{
	struct tn_chan *root = got_attach(), *d = got_walk(root, "da"), *c;
	struct ask *a = ask_new(TN_CREATE, d);

	(void)state;
	a->r.u.create.name = TN_STR("dn");
	a->r.u.create.perm = TN_DMDIR | 0755;
	ask_go(a);
	peer_serve();
	must(a, TN_OK);
	c = got_walk(d, "");
	put(d);
	peer_hangup();
	a = ask_simple(TN_STAT, c);
	peer_answer(peer_expect(TN_TVERSION));
	peer_answer(peer_expect(TN_TATTACH));
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 2);
	assert_memory_equal(peer.m.wname[1].s, "dn", 2);
	peer_answer(&peer.m);
	peer_serve();
	must(a, TN_OK);
	put(c);
	put(root);
}

static void dials_that_are_refused_come_one_by_one_and_at_each_use(void **state)
{
	struct tn_chan *root = got_attach();
	struct ask *a, *b;

	(void)state;
	peer_hangup();
	peer.refuse = true;
	a = ask_simple(TN_STAT, root);
	b = ask_simple(TN_STAT, root);
	run();
	must_say(a, TN_ECONNLOST, LOST ": tcp!test!564: connection refused");
	must_say(b, TN_ECONNLOST, LOST ": tcp!test!564: connection refused");
	assert_int_equal(peer.dials, 2);
	/* A refusal costs nothing: whoever asks next dials, and finds the server as soon as it is there again. */
	for (unsigned i = 0; i < 6; i++) {
		a = ask_simple(TN_STAT, root);
		run();
		must_say(a, TN_ECONNLOST, LOST ": tcp!test!564: connection refused");
		assert_int_equal(peer.dials, 3 + i);
	}
	peer.refuse = false;
	a = ask_simple(TN_STAT, root);
	peer_serve();
	must(a, TN_OK);
	put(root);
}

/*
 * The kernel asks again for a name whose first lookup failed, and lets others who want it wait until then: product.md 5
 * holds for all of them together.
 */
static void what_took_long_to_find_out_is_believed_longer(void **state)
{
	/* It falls silent; then it takes a connection and says nothing at all. */
	static const unsigned dials[] = { 1, 2 };
	struct tn_chan *root = got_attach();

	(void)state;
	for (size_t i = 0; i < TN_COUNT(dials); i++) {
		struct ask *a = ask_simple(TN_STAT, root);

		run();
		pass(10 * (uint64_t)SECOND);
		must_say(a, TN_ECONNLOST, LOST);
		assert_int_equal(peer.dials, dials[i]);
		pass(SECOND - 1); /* not a quarter of ten seconds */
		a = ask_simple(TN_STAT, root);
		run();
		must_say(a, TN_ECONNLOST, LOST);
		assert_int_equal(peer.dials, dials[i]);
		pass(1);
	}
	put(root);
}

static void a_hard_mount_dials_the_more_seldom_the_longer(void **state)
{
	struct tn_client_options o = { .label = "x",
		.dialect = TN_DIALECTS,
		.soft_ns = UINT64_MAX };
	struct tn_chan *root;
	struct ask *a;

	(void)state;
	peer_start(&o);
	root = got_attach();
	peer_hangup();
	peer.refuse = true;
	a = ask_simple(TN_STAT, root);
	run();
	must(a, TN_ECONNLOST);
	for (uint64_t ms = 100; ms <= 1600; ms *= 2) {
		unsigned dials = peer.dials;

		a = ask_simple(TN_STAT, root);
		pass(ms * MS - 1);
		assert_int_equal(peer.dials, dials);
		pass(1);
		assert_int_equal(peer.dials, dials + 1);
		must(a, TN_ECONNLOST);
	}
	put(root);
	peer_end();
}

static void an_attach_that_is_refused_now_fails_all_who_wait_for_it(void **state)
{
	struct tn_chan *root = got_attach(), *a = got_walk(root, "a"), *b = got_walk(root, "b");
	struct ask *s, *t;

	(void)state;
	peer_hangup();
	s = ask_simple(TN_STAT, a);
	t = ask_simple(TN_STAT, b);
	peer_answer(peer_expect(TN_TVERSION));
	peer_error(peer_expect(TN_TATTACH)->tag, "closed for today");
	assert_null(peer_take());
	must_say(s, TN_EREMOTE, "closed for today");
	must_say(t, TN_EREMOTE, "closed for today");
	put(a);
	put(b);
	put(root);
}

/* At every message of finding a Chan again: flushed, or lost once more; who else waits goes on. */
static void finding_again_can_be_cut_short_anywhere(void **state)
{
	static const uint8_t msgs[] = { TN_TVERSION, TN_TATTACH, TN_TWALK, TN_TSTAT };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(msgs); i++) {
		for (int lost = 0; lost < 2; lost++) {
			struct tn_chan *root, *c;
			struct ask *a, *b;
			bool skipped = false;

			print_message("%s %s\n", tn_msg_name(msgs[i]), lost ? "lost" : "flushed");
			peer_start(NULL);
			root = got_attach();
			c = got_walk(root, "da/f");
			peer_hangup();
			a = ask_simple(TN_STAT, c);
			b = ask_simple(TN_STAT, c);
			for (size_t k = 0; k < i; k++)
				peer_answer(peer_expect(msgs[k]));
			run();
			if (lost) {
				peer_hangup();
				must_say(a, TN_ECONNLOST, LOST);
				must_say(b, TN_ECONNLOST, LOST);
			} else {
				tn_flush(&a->r);
				while (peer_take()) {
					if (peer.m.type != msgs[i] || skipped ||
					    msgs[i] == TN_TVERSION)
						peer_answer(&peer.m);
					else
						skipped = true;
				}
				must(a, TN_EINTR);
				must(b, TN_OK);
			}
			a = ask_simple(TN_STAT, c);
			pass(SECOND);
			peer_serve();
			must(a, TN_OK);
			put(c);
			put(root);
			peer_end();
		}
	}
}

/* ---- the end ---- */

static void the_last_clunk_may_stay_without_an_answer(void **state)
{
	struct tn_chan *root;

	(void)state;
	peer_start(NULL);
	root = got_attach();
	tn_chan_put(root);
	peer_expect(TN_TCLUNK);
	tn_server_put(peer.server);
	tn_client_put(peer.client);
	run();
	assert_int_equal(peer.freed, 0);
	pass(5 * (uint64_t)SECOND);
	pass(5 * (uint64_t)SECOND);
	pass(1);
	assert_int_equal(peer.freed, 1);
	assert_null(peer.stream);
	tn_loop_fini(&peer.loop);
}

/* Its peer lives and says nothing: nobody waits but the client itself. */
static void a_client_that_ends_waits_for_its_last_clunk_a_bound_long(void **state)
{
	struct tn_chan *root;
	struct ask *a;

	(void)state;
	peer_start(NULL);
	root = got_attach();
	a = ask_walk(root, "f");
	peer_expect(TN_TWALK);
	for (int i = 0; i < 2; i++) {
		pass(5 * (uint64_t)SECOND);
		peer_answer(peer_expect(TN_TFLUSH));
	}
	must(a, TN_ECONNLOST);
	tn_chan_put(root);
	while (peer_take())
		if (peer.m.type == TN_TCLUNK)
			peer_answer(&peer.m);
	tn_server_put(peer.server);
	tn_client_put(peer.client);
	run();
	assert_int_equal(peer.freed, 0); /* the walk, whose flush has no answer */
	pass(10 * (uint64_t)SECOND);
	assert_int_equal(peer.freed, 1);
	assert_null(peer.stream);
	tn_loop_fini(&peer.loop);
}

static void a_client_may_go_while_it_dials(void **state)
{
	struct ask *a;

	(void)state;
	peer_start(NULL);
	peer.slow = true;
	a = ask_attach();
	run();
	tn_flush(&a->r);
	must(a, TN_EINTR);
	run();
	tn_server_put(peer.server);
	tn_client_put(peer.client);
	run();
	assert_int_equal(peer.cancels, 1);
	assert_int_equal(peer.freed, 1);
	tn_loop_fini(&peer.loop);
}

static void an_idle_client_gives_buffers_back(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_io(TN_WRITE, c, 8192, 0);
	size_t room;

	(void)state;
	peer_serve();
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 8192, 0);
	peer_serve();
	must(a, TN_OK);
	tn_stream_input(peer.stream, &room);
	assert_in_range(room, 8192, 70000);
	pass(10 * (uint64_t)SECOND);
	tn_stream_input(peer.stream, &room);
	assert_int_equal(room, 4096);
	a = ask_io(TN_READ, c, 8192, 0);
	peer_serve();
	must(a, TN_OK);
	put(c);
	put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(a_silent_connection_is_asked_and_then_dead),
		PEER_TEST(what_may_block_goes_on_while_the_peer_lives),
		PEER_TEST(a_deadline_of_the_request_is_kept),
		PEER_TEST(a_dial_without_end_ends),
		PEER_TEST(a_version_without_answer_ends),
		cmocka_unit_test(a_hard_mount_waits),
		PEER_TEST(a_slow_line_is_not_dead),
		PEER_TEST(a_listing_that_finds_no_end_ends),
		PEER_TEST(a_hangup_fails_what_is_outstanding_at_once),
		PEER_TEST(a_chan_is_found_again_by_its_name),
		PEER_TEST(requests_of_one_chan_share_its_walk),
		PEER_TEST(another_file_under_the_name_is_stale),
		PEER_TEST(a_file_that_was_changed_meanwhile_is_the_same_file),
		PEER_TEST(a_name_that_is_gone_is_stale),
		PEER_TEST(the_root_may_have_another_number),
		PEER_TEST(an_open_file_is_stale_and_says_so_without_a_message),
		PEER_TEST(a_deep_name_is_walked_in_sixteens),
		PEER_TEST(a_deep_name_is_walked_in_messages_that_fit),
		PEER_TEST(a_renamed_file_is_found_under_its_new_name),
		PEER_TEST(a_created_file_is_found_by_its_name),
		PEER_TEST(dials_that_are_refused_come_one_by_one_and_at_each_use),
		PEER_TEST(what_took_long_to_find_out_is_believed_longer),
		cmocka_unit_test(a_hard_mount_dials_the_more_seldom_the_longer),
		PEER_TEST(an_attach_that_is_refused_now_fails_all_who_wait_for_it),
		cmocka_unit_test(finding_again_can_be_cut_short_anywhere),
		cmocka_unit_test(the_last_clunk_may_stay_without_an_answer),
		cmocka_unit_test(a_client_that_ends_waits_for_its_last_clunk_a_bound_long),
		cmocka_unit_test(a_client_may_go_while_it_dials),
		PEER_TEST(an_idle_client_gives_buffers_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
