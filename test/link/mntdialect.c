/*
 * mnt: which dialect is agreed on, and what 9P2000.u says beside 9P2000. Sources: version(5); the "9p2000.u" draft.
 */
#include "scene.h"

#define ANY   TN_DIALECTS
#define PLAIN TN_9P2000
#define DOT_U TN_9P2000_U
#define DOT_L TN_9P2000_L
#define TENON TN_9P2000_TENON

static void start(enum tn_dialect asked, enum tn_dialect best, enum peer_at_more at_more)
{
	struct tn_client_options o = { .label = "tcp!test!564", .dialect = asked };

	peer_start(&o);
	peer.best = best;
	peer.at_more = at_more;
}

/* ---- the version ---- */

static const struct {
	const char *what;
	enum tn_dialect asked, best;
	enum peer_at_more at_more;
	enum tn_dialect agreed; /* or the error below */
	unsigned versions, dials;
	const char *words;
} agreements[] = {
	{ "the best", ANY, DOT_L, PEER_SAYS_LESS, DOT_L, 1, 1, NULL },
	{ "it answers what it has", ANY, DOT_U, PEER_SAYS_LESS, DOT_U, 2, 1, NULL },
	{ "plain servers leave the suffix out", ANY, PLAIN, PEER_SAYS_LESS, PLAIN, 2, 1, NULL },
	{ "unknown, then .u", ANY, DOT_U, PEER_SAYS_UNKNOWN, DOT_U, 3, 1, NULL },
	{ "unknown, then plain", ANY, PLAIN, PEER_SAYS_UNKNOWN, PLAIN, 4, 1, NULL },
	{ "Rerror, then plain", ANY, PLAIN, PEER_SAYS_ERROR, PLAIN, 4, 1, NULL },
	{ "Rlerror, then .u", ANY, DOT_U, PEER_SAYS_LERROR, DOT_U, 3, 1, NULL },
	{ "Rerror with a number, then .u", ANY, DOT_U, PEER_SAYS_NUMBER, DOT_U, 3, 1, NULL },
	{ "it hangs up twice, then .u", ANY, DOT_U, PEER_HANGS_UP, DOT_U, 3, 3, NULL },
	{ "it hangs up three times, then plain", ANY, PLAIN, PEER_HANGS_UP, PLAIN, 4, 4, NULL },
	{ "an error and a hang-up, then .u", ANY, DOT_U, PEER_SAYS_ERROR_AND_HANGS_UP, DOT_U, 3, 3,
	    NULL },
	{ "asked for .u, no more is offered", DOT_U, DOT_L, PEER_SAYS_LESS, DOT_U, 1, 1, NULL },
	{ "asked for plain, the same", PLAIN, DOT_L, PEER_SAYS_LESS, PLAIN, 1, 1, NULL },
	{ "asked for .L, less will not do", DOT_L, DOT_U, PEER_SAYS_LESS, ANY, 2, 1,
	    "tcp!test!564: 9P2000.L was asked for, the peer says: 9P2000.u" },
	{ "asked for .u, plain will not do", DOT_U, PLAIN, PEER_SAYS_LESS, ANY, 1, 1,
	    "tcp!test!564: 9P2000.u was asked for, the peer says: 9P2000" },
	{ "asked for .u, it knows none", DOT_U, PLAIN, PEER_SAYS_UNKNOWN, ANY, 1, 1,
	    "tcp!test!564: 9P2000.u was asked for, the peer says: unknown" },
	{ "asked for .u, an error of .L", DOT_U, PLAIN, PEER_SAYS_LERROR, ANY, 1, 1,
	    "tcp!test!564: 9P2000.u was asked for, the peer says: i/o error" },
	{ "asked for .u, an error of nfs-ganesha", DOT_U, PLAIN, PEER_SAYS_NUMBER, ANY, 1, 1,
	    "tcp!test!564: 9P2000.u was asked for, the peer says: file does not exist" },
	{ "asked for .L, it hangs up", DOT_L, PLAIN, PEER_HANGS_UP, ANY, 2, 2,
	    "connection lost: tcp!test!564" },
};

/* version(5): "unknown" where a server knows nothing like it; diod says Rlerror, others hang up. */
static void the_dialect_is_what_both_know_or_refused_in_clear_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(agreements); i++) {
		struct ask *a;

		print_message("%s\n", agreements[i].what);
		start(agreements[i].asked, agreements[i].best, agreements[i].at_more);
		a = ask_attach();
		peer_serve();
		assert_int_equal(peer.counts[TN_TVERSION], agreements[i].versions);
		assert_int_equal(peer.dials, agreements[i].dials);
		if (agreements[i].words) {
			must_say(a,
			    agreements[i].at_more == PEER_HANGS_UP ? TN_ECONNLOST : TN_EBADVERSION,
			    agreements[i].words);
		} else {
			assert_int_equal(peer.dialect, agreements[i].agreed);
			must(a, TN_OK);
		}
		peer_end();
	}
}

/* dialect.h. Rerror as in 9P2000.u; whoever says Rlerror all the same means its number. */
static void between_two_of_us_an_error_has_words_in_l(void **state)
{
	static const char words[] = "connection lost: tcp!far!564";
	struct ask *a;

	(void)state;
	for (int asked = DOT_L; asked <= ANY; asked++) {
		if (asked == TENON)
			continue; /* nobody asks for it */
		start((enum tn_dialect)asked, TENON, PEER_SAYS_LESS);
		a = ask_attach();
		peer_answer(peer_expect(TN_TVERSION));
		assert_int_equal(peer.dialect, TENON);
		peer_expect(TN_TATTACH);
		peer.dialect = TN_9P2000_U; /* whose Rerror it is */
		peer_send(&(struct tn_msg){ .type = TN_RERROR,
		    .tag = peer.m.tag,
		    .error = 104,
		    .ename = TN_STR(words) });
		must_say(a, TN_ECONNLOST, words);
		peer.dialect = TN_9P2000_L;
		a = ask_attach();
		peer_lerror(peer_expect(TN_TATTACH)->tag, 13);
		must(a, TN_EACCES);
		assert_int_equal(peer.counts[TN_TVERSION], 1);
		peer_end();
	}
}

/* It was not offered: the answer is none. */
static void words_that_were_not_offered_are_no_answer(void **state)
{
	struct ask *a;

	(void)state;
	start(DOT_U, DOT_L, PEER_SAYS_LESS);
	a = ask_attach();
	peer_expect(TN_TVERSION);
	peer_send(&(struct tn_msg){ .type = TN_RVERSION,
	    .tag = peer.m.tag,
	    .msize = 8192,
	    .version = TN_STR("9P2000.L.tenon") });
	must_say(a, TN_EBADVERSION,
	    "tcp!test!564: 9P2000.u was asked for, the peer says: 9P2000.L.tenon");
	peer_end();
}

static void a_peer_that_knows_no_words_is_asked_for_them_once(void **state)
{
	struct ask *a;

	(void)state;
	start(ANY, DOT_L, PEER_SAYS_UNKNOWN);
	root = got_attach();
	assert_int_equal(peer.counts[TN_TVERSION], 2);
	peer_hangup();
	a = ask_simple(TN_STAT, root);
	peer_serve();
	must(a, TN_OK);
	assert_int_equal(peer.counts[TN_TVERSION], 3);
	put(root);
	peer_end();
}

/* A peer that spoke it and hangs up while it is offered it again went away: it is dialled again later, not offered less. */
static void what_a_peer_has_spoken_is_not_taken_back_by_a_hangup(void **state)
{
	struct ask *a;

	(void)state;
	start(ANY, DOT_L, PEER_SAYS_LESS);
	root = got_attach();
	peer_hangup();
	a = ask_simple(TN_STAT, root);
	peer_expect(TN_TVERSION);
	peer_hangup();
	must(a, TN_ECONNLOST);
	assert_int_equal(peer.dials, 2);
	pass(2 * (uint64_t)SECOND);
	a = ask_simple(TN_STAT, root);
	peer_serve();
	must(a, TN_OK);
	assert_int_equal(peer.dialect, TN_9P2000_L);
	put(root);
	peer_end();
}

/* A program would be started twice, a descriptor does not come back. */
static void what_can_be_dialled_once_only_is_not_dialled_for_less(void **state)
{
	struct ask *a;

	(void)state;
	start(ANY, PLAIN, PEER_HANGS_UP);
	peer.dialer.once = true;
	a = ask_attach();
	peer_serve();
	must(a, TN_ECONNLOST);
	assert_int_equal(peer.dials, 1);
	peer_end();
}

/* The time that is left for a version is shared by all dials for it. */
static void dials_for_less_have_one_bound_together(void **state)
{
	struct ask *a;

	(void)state;
	start(ANY, PLAIN, PEER_HANGS_UP);
	a = ask_attach();
	for (int i = 0; i < 2; i++) {
		pass(4 * (uint64_t)SECOND);
		peer_answer(peer_expect(TN_TVERSION));
	}
	peer_expect(TN_TVERSION);
	pass(3 * (uint64_t)SECOND);
	must(a, TN_ECONNLOST);
	peer_end();
}

static void the_number_of_the_user_goes_along_in_u_and_l(void **state)
{
	(void)state;
	for (int d = TN_9P2000_U; d <= TN_9P2000_L; d++) {
		struct ask *a = NULL;

		start((enum tn_dialect)d, DOT_L, PEER_SAYS_LESS);
		a = ask_new(TN_ATTACH, NULL);
		a->r.server = peer.server;
		a->r.u.attach.uname = TN_STR("glenda");
		a->r.u.attach.n_uname = 1234;
		a->r.u.attach.newchan = a->newchan = tn_chan_new(peer.server, NULL);
		ask_go(a);
		peer_answer(peer_expect(TN_TVERSION));
		assert_int_equal(peer_expect(TN_TATTACH)->n_uname, 1234);
		peer_answer(&peer.m);
		must(a, TN_OK);
		peer_end();
	}
}

/* ---- errors ---- */

static const struct {
	const char *ename;
	uint32_t number;
	enum tn_err err;
} u_errors[] = {
	{ "file does not exist", 5, TN_ENOENT }, /* the words say more */
	{ "No such file or directory", 2, TN_ENOENT },
	{ "keine solche Datei", 2, TN_ENOENT },
	{ "out of cheese", 28, TN_ENOSPC },
	{ "out of cheese", 0, TN_EREMOTE },
	{ "out of cheese", 4711, TN_EREMOTE },
	{ "out of cheese", 5, TN_EIO },
};

static void in_u_an_error_is_its_text_and_else_its_number(void **state)
{

	(void)state;
	start(DOT_U, DOT_U, PEER_SAYS_LESS);
	root = got_attach();
	for (size_t i = 0; i < TN_COUNT(u_errors); i++) {
		struct ask *a = ask_simple(TN_STAT, root);
		struct tn_msg m = { .type = TN_RERROR, .error = u_errors[i].number };

		m.ename.s = u_errors[i].ename;
		m.ename.len = (uint32_t)strlen(m.ename.s);
		m.tag = peer_expect(TN_TSTAT)->tag;
		peer_send(&m);
		must_say(a, u_errors[i].err, u_errors[i].ename);
	}
	put(root);
	peer_end();
}

static const struct {
	uint32_t number;
	enum tn_err err;
	const char *words;
} l_errors[] = {
	{ 2, TN_ENOENT, "file does not exist" },
	{ 5, TN_EIO, "i/o error" },
	{ 24, TN_ELIMIT_OPEN, "limit reached: open files" },
	{ 38, TN_ENOTSUP, "operation not supported" },
	{ 95, TN_ENOTSUP, "operation not supported" },
	{ 0, TN_EREMOTE, "error number 0" },
	{ 4711, TN_EREMOTE, "error number 4711" },
	{ UINT32_MAX, TN_EREMOTE, "error number 4294967295" },
};

static void in_l_an_error_is_its_number(void **state)
{

	(void)state;
	start(DOT_L, DOT_L, PEER_SAYS_LESS);
	root = got_attach();
	for (size_t i = 0; i < TN_COUNT(l_errors); i++) {
		struct ask *a = ask_simple(TN_FSYNC, root);

		peer_answer(peer_expect(TN_TWALK));
		peer_lerror(peer_expect(TN_TLOPEN)->tag, l_errors[i].number);
		must_say(a, l_errors[i].err, l_errors[i].words);
		peer_answer(peer_expect(TN_TCLUNK));
	}
	put(root);
	peer_end();
}

/* ---- what .u says ---- */

static int u_setup(void **state)
{
	(void)state;
	scene_start(DOT_U, DOT_U);
	return 0;
}

static int u_teardown(void **state)
{
	(void)state;
	scene_end();
	return 0;
}

#define U_TEST(f) cmocka_unit_test_setup_teardown(f, u_setup, u_teardown)

static struct ask *ask_make(enum tn_req_type type, struct tn_chan *d, uint32_t perm,
    const char *target)
{
	struct ask *a = ask_new(type, d);

	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = perm;
	a->r.u.create.gid = TN_NONUNAME;
	a->r.u.create.rdev_major = 7;
	a->r.u.create.rdev_minor = 300;
	a->r.u.create.target = (struct tn_str){ target, (uint32_t)strlen(target) };
	ask_go(a);
	return a;
}

static const struct {
	const char *what;
	enum tn_req_type type;
	uint32_t perm, sent;
	const char *target, *extension;
} specials[] = {
	{ "symbolic link", TN_SYMLINK, 0, TN_DMSYMLINK | 0777, "../a b", "../a b" },
	{ "fifo", TN_MKNOD, TN_DMNAMEDPIPE | 0644, TN_DMNAMEDPIPE | 0644, "", "" },
	{ "device of characters", TN_MKNOD, TN_DMDEVICE | 0600, TN_DMDEVICE | 0600, "", "c 7 300" },
	{ "of blocks", TN_MKNOD, TN_DMDEVICE | 0600, TN_DMDEVICE | 0600, "b", "b 7 300" },
};

/* 9p2000.u: the extension of Tcreate; the fid becomes the new file, so it is one of its own. */
static void a_special_file_is_a_create_with_an_extension(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(specials); i++) {
		struct ask *a = ask_make(specials[i].type, root, specials[i].perm,
		    specials[i].target);
		uint32_t fid;

		print_message("%s\n", specials[i].what);
		assert_int_equal(peer_expect(TN_TWALK)->nwname, 0);
		fid = peer.m.newfid;
		peer_answer(&peer.m);
		peer_expect(TN_TCREATE);
		assert_int_equal(peer.m.fid, fid);
		assert_int_equal(peer.m.perm, specials[i].sent);
		assert_int_equal(peer.m.mode, TN_OREAD);
		assert_true(is(peer.m.name, "new"));
		assert_true(is(peer.m.extension, specials[i].extension));
		peer_answer(&peer.m);
		assert_int_equal(a->r.u.create.qid.path, peer_qid(TN_STR("new")).path);
		must(a, TN_OK);
		assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
		peer_answer(&peer.m);
	}
}

static void an_ordinary_create_has_no_extension(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_new(TN_CREATE, d);

	(void)state;
	a->r.flags = TN_OWRITE;
	a->r.u.create.name = TN_STR("f");
	a->r.u.create.perm = 0644;
	ask_go(a);
	assert_int_equal(peer_expect(TN_TCREATE)->extension.len, 0);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(d);
}

/* 9p2000.u: DMLINK, the extension is the fid of the file in digits. */
static void a_link_is_a_create_with_the_fid_in_its_extension(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_new(TN_LINK, root);

	(void)state;
	a->r.chan2 = f;
	a->r.u.rename.name = TN_STR("other");
	ask_go(a);
	peer_answer(peer_expect(TN_TWALK));
	peer_expect(TN_TCREATE);
	assert_int_equal(peer.m.perm, TN_DMLINK);
	assert_true(is(peer.m.name, "other"));
	assert_true(is(peer.m.extension, "1"));
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(f);
}

static struct ask *ask_readlink(struct tn_chan *c, uint32_t size)
{
	struct ask *a = ask_new(TN_READLINK, c);

	a->r.u.readlink.buf = a->text;
	a->r.u.readlink.size = size;
	ask_go(a);
	return a;
}

static void answer_stat(uint32_t mode, const char *extension)
{
	struct tn_msg m = { .type = TN_RSTAT, .tag = peer_expect(TN_TSTAT)->tag };

	m.stat = peer_stat(&peer.fids[peer.m.fid]);
	m.stat.mode |= mode;
	m.stat.valid |= TN_ST_EXTENSION | TN_ST_NUID | TN_ST_NGID;
	m.stat.n_uid = 1000;
	m.stat.n_gid = 100;
	m.stat.extension = (struct tn_str){ extension, (uint32_t)strlen(extension) };
	peer_send(&m);
}

static void the_target_of_a_link_is_the_extension_of_its_stat(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_readlink(f, 100);

	(void)state;
	answer_stat(TN_DMSYMLINK, "../there");
	assert_int_equal(a->r.u.readlink.len, 8);
	assert_memory_equal(a->text, "../there", 8);
	must(a, TN_OK);
	a = ask_readlink(f, 7);
	answer_stat(TN_DMSYMLINK, "../there");
	must(a, TN_ENAMETOOLONG);
	a = ask_readlink(f, 100);
	answer_stat(TN_DMSYMLINK, "");
	must(a, TN_EBADMSG);
	a = ask_readlink(f, 100);
	answer_stat(0, "");
	must(a, TN_EINVAL);
	put(f);
}

/* As QEMU's server says it. Whatever else is there is none of ours to read. */
static const struct {
	uint32_t mode;
	const char *extension;
	uint32_t nlink; /* 0: not told; the extension stays */
} counts[] = {
	{ 0, "HARDLINKCOUNT 2", 2 },
	{ 0, "HARDLINKCOUNT12", 12 },
	{ 0, "HARDLINKCOUNT 4294967296", 0 },
	{ 0, "HARDLINKCOUNT ", 0 },
	{ 0, "HARDLINKCOUNT", 0 },
	{ 0, "HARDLINKCOUNT 2x", 0 },
	{ 0, "anything", 0 },
	{ TN_DMSYMLINK, "HARDLINKCOUNT 2", 0 },
};

static void links_are_counted_by_the_extension_of_a_plain_file(void **state)
{
	struct tn_chan *f = got_walk(root, "f");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(counts); i++) {
		struct ask *a = ask_simple(TN_STAT, f);

		answer_stat(counts[i].mode, counts[i].extension);
		assert_int_equal(a->st.valid & TN_ST_NLINK ? a->st.nlink : 0, counts[i].nlink);
		assert_int_equal(!(a->st.valid & TN_ST_EXTENSION), counts[i].nlink > 0);
		must(a, TN_OK);
	}
	put(f);
}

static void numbers_of_owners_come_and_go(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct tn_stat st = { .valid = TN_ST_NGID, .n_gid = 100 };
	struct ask *a = ask_simple(TN_STAT, f);

	(void)state;
	answer_stat(0, "");
	assert_int_equal(a->st.n_uid, 1000);
	assert_true(a->st.valid & TN_ST_NGID);
	must(a, TN_OK);
	a = ask_new(TN_WSTAT, f);
	a->r.u.wstat.st = &st;
	ask_go(a);
	peer_expect(TN_TWSTAT);
	assert_int_equal(peer.m.stat.valid, TN_ST_NGID);
	assert_int_equal(peer.m.stat.n_gid, 100);
	peer_answer(&peer.m);
	must(a, TN_OK);
	put(f);
}

/* 9P2000.u has no message for these. */
static void what_u_lacks_is_refused_without_a_message(void **state)
{
	static const enum tn_req_type lacking[] = { TN_XATTRGET, TN_XATTRSET, TN_LOCK, TN_GETLOCK,
		TN_STATFS };
	struct tn_chan *f = got_open(root, "f");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(lacking); i++) {
		struct ask *a = ask_new(lacking[i], f);

		if (lacking[i] == TN_XATTRSET)
			a->r.u.xattr.name = TN_STR("user.a");
		ask_go(a);
		must(a, TN_ENOTSUP);
	}
	assert_null(peer_take());
	put(f);
}

/* An empty name: the Chan's file itself, wherever it was walked from. */
static void a_file_is_renamed_itself_within_its_directory(void **state)
{
	struct tn_chan *d = got_walk(root, "d"), *f = got_walk(d, "f"), *e = got_walk(root, "de");
	struct ask *a = ask_new(TN_RENAME, f);

	(void)state;
	a->r.chan2 = d;
	a->r.u.rename.newname = TN_STR("g");
	ask_go(a);
	peer_expect(TN_TWSTAT);
	assert_true(is(peer.m.stat.name, "g"));
	peer_answer(&peer.m);
	must(a, TN_OK);
	a = ask_new(TN_RENAME, f);
	a->r.chan2 = e;
	a->r.u.rename.newname = TN_STR("g");
	ask_go(a);
	must(a, TN_EXDEV);
	put(e);
	put(f);
	put(d);
}

/* ---- memory ---- */

static void u_session(void)
{
	struct ask *a;

	a = ask_make(TN_SYMLINK, root, 0, "x");
	peer_serve();
	ask_free(a);
	a = ask_readlink(root, 100);
	peer_serve();
	ask_free(a);
	a = ask_new(TN_LINK, root);
	a->r.chan2 = root;
	a->r.u.rename.name = TN_STR("other");
	ask_go(a);
	peer_serve();
	ask_free(a);
	pass(SECOND);
	peer_serve();
}

static void in_u_every_allocation_may_fail(void **state)
{
	(void)state;
	scene_sweep(u_setup, u_session, u_teardown, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dialect_is_what_both_know_or_refused_in_clear_words),
		cmocka_unit_test(between_two_of_us_an_error_has_words_in_l),
		cmocka_unit_test(words_that_were_not_offered_are_no_answer),
		cmocka_unit_test(a_peer_that_knows_no_words_is_asked_for_them_once),
		cmocka_unit_test(what_a_peer_has_spoken_is_not_taken_back_by_a_hangup),
		cmocka_unit_test(what_can_be_dialled_once_only_is_not_dialled_for_less),
		cmocka_unit_test(dials_for_less_have_one_bound_together),
		cmocka_unit_test(the_number_of_the_user_goes_along_in_u_and_l),
		cmocka_unit_test(in_u_an_error_is_its_text_and_else_its_number),
		cmocka_unit_test(in_l_an_error_is_its_number),
		U_TEST(a_special_file_is_a_create_with_an_extension),
		U_TEST(an_ordinary_create_has_no_extension),
		U_TEST(a_link_is_a_create_with_the_fid_in_its_extension),
		U_TEST(the_target_of_a_link_is_the_extension_of_its_stat),
		U_TEST(links_are_counted_by_the_extension_of_a_plain_file),
		U_TEST(numbers_of_owners_come_and_go),
		U_TEST(what_u_lacks_is_refused_without_a_message),
		U_TEST(a_file_is_renamed_itself_within_its_directory),
		cmocka_unit_test(in_u_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
