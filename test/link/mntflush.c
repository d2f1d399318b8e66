/*
 * mnt and flush(5): when the answer, Rflush, both or neither come, and what becomes of tags and fids.
 */
#include "peer.h"

static bool is_done(const struct ask *a)
{
	return a->done == 1;
}

static void what_waits_for_a_connection_ends_at_once(void **state)
{
	struct ask *a;

	(void)state;
	peer.slow = true;
	a = ask_attach();
	run();
	tn_flush(&a->r);
	must(a, TN_EINTR);
	peer.slow = false;
	pass(11 * (uint64_t)SECOND);
}

/* The requests that are one message, each flushed: Rflush first, the answer first, Rflush never. */
static const struct row {
	const char *what;
	uint8_t type;   /* enum tn_req_type */
	uint8_t msg;    /* T-message that is outstanding when the flush comes */
	bool on_opened; /* acts on an open file */
} rows[] = {
	{ "attach", TN_ATTACH, TN_TATTACH, false },
	{ "walk", TN_WALK, TN_TWALK, false },
	{ "open", TN_OPEN, TN_TOPEN, false },
	{ "create", TN_CREATE, TN_TCREATE, false },
	{ "read", TN_READ, TN_TREAD, true },
	{ "readdir", TN_READDIR, TN_TREAD, false },
	{ "write", TN_WRITE, TN_TWRITE, true },
	{ "remove", TN_REMOVE, TN_TREMOVE, false },
	{ "stat", TN_STAT, TN_TSTAT, false },
	{ "wstat", TN_WSTAT, TN_TWSTAT, false },
	{ "rename", TN_RENAME, TN_TWALK, false },
	{ "fsync", TN_FSYNC, TN_TWSTAT, true },
};

static const struct tn_stat new_mode = { .valid = TN_ST_MODE, .mode = 0600 };

static struct ask *ask_row(const struct row *row, struct tn_chan *d, struct tn_chan *opened)
{
	struct ask *a;

	switch (row->type) {
	case TN_ATTACH: return ask_attach();
	case TN_WALK: return ask_walk(d, "f");
	case TN_READ: return ask_io(TN_READ, opened, 100, 0);
	case TN_WRITE: return ask_io(TN_WRITE, opened, 100, 0);
	default: break;
	}
	a = ask_new((enum tn_req_type)row->type, row->on_opened ? opened : d);
	if (row->type == TN_CREATE)
		a->r.u.create.name = TN_STR("new");
	if (row->type == TN_WSTAT)
		a->r.u.wstat.st = &new_mode;
	if (row->type == TN_RENAME) {
		a->r.chan2 = d;
		a->r.u.rename.name = TN_STR("old");
		a->r.u.rename.newname = TN_STR("new");
	}
	ask_go(a);
	return a;
}

enum when { RFLUSH_FIRST, ANSWER_FIRST, NEVER, WHENS };

static void flush_one(const struct row *row, enum when when)
{
	struct tn_chan *root = got_attach(), *d = got_walk(root, "d"),
		       *opened = got_open(root, "f");
	struct tn_chan *listed = row->type == TN_READDIR ? got_open(root, "dd") : NULL;
	struct ask *a = ask_row(row, listed ? listed : d, opened);
	struct tn_msg victim = *peer_expect(row->msg);
	uint16_t tag;

	tn_flush(&a->r);
	tn_flush(&a->r);
	tag = peer_expect(TN_TFLUSH)->tag;
	assert_int_equal(peer.m.oldtag, victim.tag);
	assert_null(peer_take());
	assert_false(is_done(a));
	if (when == RFLUSH_FIRST) {
		peer_reply(TN_RFLUSH, tag);
		must(a, TN_EINTR);
	} else if (when == ANSWER_FIRST) {
		peer_answer(&victim);
		peer_serve();
		/* A rename is two messages: its second is not sent any more. */
		must(a, row->type == TN_RENAME ? TN_EINTR : TN_OK);
		peer_reply(TN_RFLUSH, tag);
	} else {
		/* It lives, but does not answer the flush. */
		for (int i = 0; i < 10; i++) {
			assert_false(is_done(a));
			pass(SECOND + 1);
			peer_serve();
		}
		must(a, TN_EINTR);
		if (victim.type != TN_TREMOVE && victim.type != TN_TCREATE &&
		    victim.type != TN_TOPEN)
			peer_answer(&victim); /* late: what it made is clunked */
		peer_reply(TN_RFLUSH, tag);
	}
	peer_serve();
	put(listed);
	put(opened);
	put(d);
	put(root);
	/* Nothing is left behind at the peer, but what was never told to have been answered. */
	for (int i = 0; i < PEER_FIDS && (when != NEVER || victim.type != TN_TREMOVE); i++)
		assert_false(peer.fids[i].used);
}

static void each_request_can_be_flushed_at_any_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		for (int when = 0; when < WHENS; when++) {
			print_message("%s %d\n", rows[i].what, when);
			peer_start(NULL);
			flush_one(&rows[i], (enum when)when);
			peer_end();
		}
	}
}

/* flush(5): oldtag may be used anew when Rflush has come, not before. */
static void a_flushed_tag_is_reserved_until_rflush(void **state)
{
	struct tn_chan *root = got_attach();
	struct ask *a = ask_simple(TN_STAT, root), *b;
	struct tn_msg victim = *peer_expect(TN_TSTAT);
	uint16_t tag;

	(void)state;
	tn_flush(&a->r);
	tag = peer_expect(TN_TFLUSH)->tag;
	peer_answer(&victim);
	must(a, TN_OK);
	b = ask_simple(TN_STAT, root);
	assert_int_not_equal(peer_expect(TN_TSTAT)->tag, victim.tag);
	peer_answer(&peer.m);
	must(b, TN_OK);
	peer_reply(TN_RFLUSH, tag);
	for (int i = 0; i < 2; i++) {
		b = ask_simple(TN_STAT, root);
		peer_expect(TN_TSTAT);
		if (peer.m.tag == victim.tag)
			i = 2;
		peer_answer(&peer.m);
		must(b, TN_OK);
		assert_int_not_equal(i, 1);
	}
	put(root);
}

/* What a device has given is not thrown away. */
static void a_flushed_read_gives_what_has_come(void **state)
{
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	struct ask *a = ask_simple(TN_STAT, c);
	struct tn_msg parts[2];
	const struct tn_msg *m;

	(void)state;
	peer_serve();
	must(a, TN_OK);
	a = ask_io(TN_READ, c, 16384, 0);
	parts[0] = *peer_expect(TN_TREAD);
	parts[1] = *peer_expect(TN_TREAD);
	peer_answer(&parts[0]);
	tn_flush(&a->r);
	m = peer_expect(TN_TFLUSH);
	assert_int_equal(m->oldtag, parts[1].tag);
	peer_answer(m);
	assert_int_equal(a->r.u.io.count, 8192);
	must(a, TN_OK);
	put(c);
	put(root);
}

/* What was not sent needs no Tflush. */
static void what_is_still_here_is_taken_back(void **state)
{
	enum { MANY = 40 };
	static struct ask *asks[MANY];
	struct tn_chan *root = got_attach(), *c = got_open(root, "f");
	unsigned writes = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		asks[i] = ask_io(TN_WRITE, c, 8000, 0);
	run();
	for (int i = MANY - 1; i > 5; i--) {
		tn_flush(&asks[i]->r);
		must(asks[i], TN_EINTR);
	}
	for (const struct tn_msg *m; (m = peer_take()) != NULL; writes++)
		peer_answer(m);
	assert_int_equal(writes, 6);
	for (int i = 0; i < 6; i++)
		must(asks[i], TN_OK);
	put(c);
	put(root);
}

static void a_flushed_walk_that_has_succeeded_is_good(void **state)
{
	struct tn_chan *root = got_attach(), *c;
	struct ask *a = ask_walk(root, "f");
	struct tn_msg victim = *peer_expect(TN_TWALK);

	(void)state;
	tn_flush(&a->r);
	peer_expect(TN_TFLUSH);
	peer_answer(&victim);
	peer_reply(TN_RFLUSH, peer.m.tag);
	c = got(a);
	a = ask_simple(TN_STAT, c);
	peer_serve();
	assert_string_equal(a->st_name, "f");
	must(a, TN_OK);
	put(c);
	put(root);
}

/* Some answer the flush of what they do not know by an error. */
static void an_error_for_a_flush_is_an_answer(void **state)
{
	struct tn_chan *root = got_attach();
	struct ask *a = ask_simple(TN_STAT, root);

	(void)state;
	peer_expect(TN_TSTAT);
	tn_flush(&a->r);
	peer_error(peer_expect(TN_TFLUSH)->tag, "bad tag");
	must(a, TN_EINTR);
	put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(what_waits_for_a_connection_ends_at_once),
		cmocka_unit_test(each_request_can_be_flushed_at_any_outcome),
		PEER_TEST(a_flushed_tag_is_reserved_until_rflush),
		PEER_TEST(a_flushed_read_gives_what_has_come),
		PEER_TEST(what_is_still_here_is_taken_back),
		PEER_TEST(a_flushed_walk_that_has_succeeded_is_good),
		PEER_TEST(an_error_for_a_flush_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
