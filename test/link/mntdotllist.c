/* mnt in 9P2000.L: listings. */
#include "dotl.h"

static void a_listing_is_names_and_kinds_without_dots(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_readdir(d, 0, 100);

	(void)state;
	assert_int_equal(peer_expect(TN_TREADDIR)->offset, 0);
	peer_answer(&peer.m);
	assert_string_equal(a->entries, "f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 ");
	assert_int_equal(a->next, 12);
	must(a, TN_OK);
	a = ask_readdir(d, 12, 100);
	assert_int_equal(peer_expect(TN_TREADDIR)->offset, 12);
	peer_answer(&peer.m);
	assert_string_equal(a->entries, "");
	must(a, TN_OK);
	put(d);
}

static void what_had_no_room_is_kept_for_the_next_request(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_readdir(d, 0, 3);
	uint64_t next;

	(void)state;
	serve(TN_TREADDIR);
	assert_string_equal(a->entries, "f0 f1 f2 ");
	next = a->next;
	must(a, TN_OK);
	a = ask_readdir(d, next, 3);
	assert_string_equal(a->entries, "f3 f4 f5 ");
	must(a, TN_OK);
	a = ask_readdir(d, next, 2); /* from somewhere else */
	assert_int_equal(peer_expect(TN_TREADDIR)->offset, next);
	peer_answer(&peer.m);
	assert_string_equal(a->entries, "f3 f4 ");
	must(a, TN_OK);
	a = ask_readdir(d, next, 0); /* no room at all */
	serve(TN_TREADDIR);
	must(a, TN_OK);
	put(d);
}

/* A walk and a Tgetattr for each entry, from a fid of the directory that is not open: walk(5). */
static void stats_are_asked_for_side_by_side(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_stats(d, 0, 100);
	struct tn_msg walks[4];
	uint32_t near;

	(void)state;
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "d"));
	near = peer.m.newfid;
	peer_answer(&peer.m);
	serve(TN_TREADDIR);
	for (int i = 0; i < 4; i++) {
		walks[i] = *peer_expect(TN_TWALK);
		assert_int_equal(walks[i].fid, near);
		assert_int_equal(walks[i].wname[0].s[1], '0' + i);
		peer_walk(&peer.m);
	}
	peer_serve();
	assert_int_equal(peer.counts[TN_TGETATTR], 4);
	assert_string_equal(a->entries, "f0 f1 f2 f3 ");
	must(a, TN_OK);
	a = ask_stats(d, 6, 100);
	peer_serve();
	assert_string_equal(a->entries, "f4 f5 f6 f7 ");
	assert_int_equal(peer.counts[TN_TREADDIR], 1);
	assert_int_equal(peer.counts[TN_TATTACH], 2);
	must(a, TN_OK);
	put(d);
}

static struct tn_stat seen[16];
static unsigned n_seen;

static bool see_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)next;
	seen[n_seen++] = *st;
	return n_seen < ((struct ask *)r)->room;
}

static const struct tn_owner seeing = { ask_done, ask_keep, see_entry, ask_stat, NULL };

static void a_stat_that_cannot_be_had_is_left_out(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_new(TN_READDIR, d);
	const struct tn_msg *m;

	(void)state;
	a->r.owner = &seeing;
	a->r.flags = TN_OF_STATS;
	a->r.u.readdir.count = 4 * 128;
	n_seen = 0;
	ask_go(a);
	while ((m = peer_take()) != NULL) {
		if (m->type == TN_TWALK && is(m->wname[0], "f0"))
			peer_lerror(m->tag, 2);
		else if (m->type == TN_TGETATTR && peer.counts[TN_TGETATTR] == 1)
			peer_lerror(m->tag, 13);
		else
			peer_answer(m);
	}
	assert_int_equal(n_seen, 4);
	for (int i = 0; i < 2; i++)
		assert_int_equal(seen[i].valid, TN_ST_QID | TN_ST_NAME);
	for (int i = 2; i < 4; i++) {
		assert_true(seen[i].valid & TN_ST_MODE);
		assert_int_equal(seen[i].length, peer.content_len);
		assert_int_equal(seen[i].mtime_ns, 2000000003);
	}
	must(a, TN_OK);
	put(d);
}

/* Somebody renamed it meanwhile: what is under its name now is not asked. */
static void a_directory_that_moved_is_listed_without_stats(void **state)
{
	struct tn_chan *d = got_open(root, "d");
	struct ask *a = ask_stats(d, 0, 100);

	(void)state;
	serve(TN_TATTACH);
	peer_lerror(peer_expect(TN_TWALK)->tag, 2);
	serve(TN_TREADDIR);
	assert_string_equal(a->entries, "f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 ");
	must(a, TN_OK);
	put(d);
	d = got_open(root, "d");
	a = ask_stats(d, 0, 100);
	answer_walk(peer_qid(TN_STR("de")));
	serve(TN_TREADDIR);
	serve(TN_TCLUNK);
	assert_string_equal(a->entries, "f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 ");
	must(a, TN_OK);
	put(d);
}

static void a_listing_with_stats_can_be_flushed_anywhere(void **state)
{
	(void)state;
	for (int steps = 0; steps < 12; steps++) {
		struct tn_chan *d = got_open(root, "d");
		struct ask *a = ask_stats(d, 0, 100);
		const struct tn_msg *m;

		for (int i = 0; i < steps && (m = peer_take()) != NULL; i++)
			peer_answer(m);
		run();
		if (a->done == 0)
			tn_flush(&a->r);
		peer_serve();
		if (a->r.err != TN_OK)
			must(a, TN_EINTR);
		else
			ask_free(a);
		put(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(a_listing_is_names_and_kinds_without_dots),
		L_TEST(what_had_no_room_is_kept_for_the_next_request),
		L_TEST(stats_are_asked_for_side_by_side),
		L_TEST(a_stat_that_cannot_be_had_is_left_out),
		L_TEST(a_directory_that_moved_is_listed_without_stats),
		L_TEST(a_listing_with_stats_can_be_flushed_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
