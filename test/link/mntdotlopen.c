/* mnt in 9P2000.L: files that are opened and made. */
#include "dotl.h"

/* ---- open ---- */

static const struct {
	uint32_t flags, sent;
} opens[] = {
	{ TN_OREAD, 0 },
	{ TN_OWRITE, 1 },
	{ TN_ORDWR, 2 },
	{ TN_OWRITE | TN_OF_TRUNC, 01001 },
	{ TN_ORDWR | TN_OF_APPEND, 02002 },
	{ TN_OWRITE | TN_OF_SYNC, 04010001 },
	{ TN_OREAD | TN_OF_NOFOLLOW, 0 },
};

static void an_open_has_linuxs_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(opens); i++) {
		struct tn_chan *c = got_walk(root, "f");
		struct ask *a = ask_open(c, opens[i].flags);

		assert_int_equal(peer_expect(TN_TLOPEN)->flags, opens[i].sent);
		peer_answer(&peer.m);
		must(a, TN_OK);
		put(c);
	}
}

/* open(5): OEXEC needs permission to execute. */
static void a_file_that_nobody_may_execute_is_not_opened_for_it(void **state)
{
	static const struct {
		uint32_t perm;
		enum tn_err err;
	} rows[] = { { 0100644, TN_EACCES }, { 0100645, TN_OK } };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_chan *c = got_walk(root, "f");
		struct ask *a = ask_open(c, TN_OEXEC);

		peer_expect(TN_TGETATTR);
		ANSWER(.valid = 1, .perm = rows[i].perm);
		if (rows[i].err == TN_OK) {
			assert_int_equal(peer_expect(TN_TLOPEN)->flags, 0);
			peer_answer(&peer.m);
		}
		must(a, rows[i].err);
		put(c);
	}
}

static void a_directory_is_opened_as_one(void **state)
{
	struct tn_chan *c = got_walk(root, "d");
	struct ask *a = ask_open(c, TN_OREAD | TN_OF_DIRECTORY);

	(void)state;
	assert_int_equal(peer_expect(TN_TLOPEN)->flags, 0200000);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(c);
}

/* The peer's kernel would follow it, by the peer's names. */
static void a_symbolic_link_is_not_opened(void **state)
{
	struct ask *a = ask_walk(root, "l");
	struct tn_chan *c;

	(void)state;
	peer_expect(TN_TWALK);
	peer.fids[peer.m.newfid].used = true;
	ANSWER(.nwqid = 1, .wqid = { { .path = 9, .type = TN_QTSYMLINK } });
	c = got(a);
	must(ask_open(c, TN_OREAD), TN_ESYMLINK);
	put(c);
}

/* ORCLOSE: .L has no word for it; remove(5) ends a fid as clunk(5) does. */
static void a_file_that_goes_with_its_close_is_removed_by_it(void **state)
{
	struct tn_chan *c = got_walk(root, "f");
	struct ask *a = ask_open(c, TN_ORDWR | TN_OF_RCLOSE);

	(void)state;
	serve(TN_TLOPEN);
	must(a, TN_OK);
	tn_chan_put(c);
	serve(TN_TREMOVE);
	assert_null(peer_take());
}

/* ---- create ---- */

static void a_create_is_an_lcreate_that_replaces_nothing(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, "f", TN_OWRITE | TN_OF_TRUNC, TN_DMSETUID | 0640);

	(void)state;
	peer_expect(TN_TLCREATE);
	assert_true(is(peer.m.name, "f"));
	assert_int_equal(peer.m.flags, 01301); /* O_WRONLY O_CREAT O_EXCL O_TRUNC */
	assert_int_equal(peer.m.perm, 04640);
	assert_int_equal(peer.m.gid, 55);
	peer_answer(&peer.m);
	assert_int_equal(d->qid.path, peer_qid(TN_STR("f")).path);
	must(a, TN_OK);
	a = ask_io(TN_WRITE, d, 20000, 0); /* regular: in parts at once */
	peer_expect(TN_TWRITE);
	peer_answer(&peer.m);
	serve(TN_TWRITE);
	serve(TN_TWRITE);
	must(a, TN_OK);
	put(d);
}

static void a_directory_is_made_walked_to_and_opened(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, "dd", TN_OREAD, TN_DMDIR | 0755);
	struct tn_qid qid = peer_qid(TN_STR("dd"));

	(void)state;
	peer_expect(TN_TMKDIR);
	assert_int_equal(peer.m.perm, 0755);
	assert_int_equal(peer.m.gid, 55);
	assert_true(is(peer.m.name, "dd"));
	ANSWER(.qid = qid);
	answer_walk(qid);
	assert_int_equal(peer.m.newfid, peer.m.fid);
	assert_int_equal(peer_expect(TN_TLOPEN)->flags, 0200000);
	ANSWER(.qid = qid);
	assert_int_equal(d->qid.path, qid.path);
	assert_true(d->flags & TN_CF_OPEN);
	must(a, TN_OK);
	put(d);
}

/* mkdir(2) of a directory that one may not read succeeds. */
static void a_directory_that_cannot_be_opened_is_made_all_the_same(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, "dd", TN_OREAD, TN_DMDIR | 0300);
	struct tn_qid qid = peer_qid(TN_STR("dd"));

	(void)state;
	peer_expect(TN_TMKDIR);
	ANSWER(.qid = qid);
	answer_walk(qid);
	peer_lerror(peer_expect(TN_TLOPEN)->tag, 13);
	assert_int_equal(d->qid.path, qid.path);
	must(a, TN_OK);
	a = ask_readdir(d, 0, 1);
	peer_lerror(peer_expect(TN_TREADDIR)->tag, 9);
	must(a, TN_EBADFD);
	put(d);
}

/* Somebody put another in its place: the Chan must not become that one. */
static void a_directory_that_is_another_by_now_is_stale(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, "dd", TN_OREAD, TN_DMDIR | 0755);

	(void)state;
	peer_expect(TN_TMKDIR);
	ANSWER(.qid = peer_qid(TN_STR("dd")));
	answer_walk(peer_qid(TN_STR("de")));
	must(a, TN_ESTALE);
	assert_int_equal(d->qid.path, peer_qid(TN_STR("d")).path);
	must(ask_simple(TN_STAT, d), TN_ESTALE);
	put(d);
}

/* open(5): perm & (~0666 | dir.perm & 0666), for directories 0777. */
static void a_create_by_plan_9s_rule_asks_for_the_directorys_mode(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_create(d, "f", TN_OWRITE | TN_OF_INHERIT, 0777);

	(void)state;
	peer_expect(TN_TGETATTR);
	ANSWER(.valid = 1, .perm = 0040750, .qid = { .type = TN_QTDIR });
	assert_int_equal(peer_expect(TN_TLCREATE)->perm, 0751);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(d);
}

static void what_l_cannot_make_is_refused_without_a_message(void **state)
{
	static const uint32_t perms[] = { TN_DMAPPEND | 0644, TN_DMEXCL | 0644, TN_DMTMP | 0644,
		TN_DMSYMLINK | 0777 };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(perms); i++)
		must(ask_create(root, "f", TN_OWRITE, perms[i]), TN_ENOTSUP);
	assert_null(peer_take());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(an_open_has_linuxs_flags),
		L_TEST(a_file_that_nobody_may_execute_is_not_opened_for_it),
		L_TEST(a_directory_is_opened_as_one),
		L_TEST(a_symbolic_link_is_not_opened),
		L_TEST(a_file_that_goes_with_its_close_is_removed_by_it),
		L_TEST(a_create_is_an_lcreate_that_replaces_nothing),
		L_TEST(a_directory_is_made_walked_to_and_opened),
		L_TEST(a_directory_that_cannot_be_opened_is_made_all_the_same),
		L_TEST(a_directory_that_is_another_by_now_is_stale),
		L_TEST(a_create_by_plan_9s_rule_asks_for_the_directorys_mode),
		L_TEST(what_l_cannot_make_is_refused_without_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
