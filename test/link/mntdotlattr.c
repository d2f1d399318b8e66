/* mnt in 9P2000.L: what is said about files, and what is changed of it. */
#include "dotl.h"

/* ---- stat ---- */

static const struct {
	uint32_t unix_mode, dm;
	uint8_t type;
} modes[] = {
	{ 0100644, 0644, 0 },
	{ 0040755, TN_DMDIR | 0755, TN_QTDIR },
	{ 0120777, TN_DMSYMLINK | 0777, TN_QTSYMLINK },
	{ 0120777, TN_DMSYMLINK | 0777, 0 },
	{ 0010600, TN_DMNAMEDPIPE | 0600, 0 },
	{ 0140600, TN_DMSOCKET | 0600, 0 },
	{ 0020620, TN_DMDEVICE | 0620, 0 },
	{ 0060660, TN_DMDEVICE | 0660, 0 },
	{ 0104711, TN_DMSETUID | 0711, 0 },
	{ 0042755, TN_DMDIR | TN_DMSETGID | 0755, TN_QTDIR },
	{ 0041777, TN_DMDIR | TN_DMSETVTX | 0777, TN_QTDIR },
	{ 0100644, TN_DMAPPEND | 0644, TN_QTAPPEND },
	{ 0000644, TN_DMDIR | 0644, TN_QTDIR },
};

static void unixs_mode_is_told_as_plan_9s(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(modes); i++) {
		struct tn_chan *c = got_walk(root, modes[i].type & TN_QTDIR ? "d" : "f");
		struct ask *a = ask_simple(TN_STAT, c);

		print_message("%o\n", modes[i].unix_mode);
		peer_expect(TN_TGETATTR);
		ANSWER(.valid = 0x7ff, .perm = modes[i].unix_mode,
		    .qid = { .type = modes[i].type });
		assert_int_equal(a->st.mode, modes[i].dm);
		must(a, TN_OK);
		put(c);
	}
}

static void a_stat_has_what_the_answer_says_is_valid(void **state)
{
	struct tn_chan *c = got_walk(root, "da/f");
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	assert_int_equal(peer_expect(TN_TGETATTR)->valid, 0x3fff);
	ANSWER(.valid = 0x3fff, .perm = 0100644, .uid = 1000, .gid = 100, .nlink = 3, .length = 77,
	    .blksize = 512, .blocks = 9, .atime_sec = 1, .atime_nsec = 2, .mtime_sec = 3,
	    .mtime_nsec = 4, .ctime_sec = 5, .ctime_nsec = 6, .btime_sec = 7, .btime_nsec = 8,
	    .gen = 10, .data_version = 11);
	assert_string_equal(a->st_name, "f");
	assert_int_equal(a->st.n_uid, 1000);
	assert_int_equal(a->st.n_gid, 100);
	assert_int_equal(a->st.nlink, 3);
	assert_int_equal(a->st.length, 77);
	assert_int_equal(a->st.blksize, 512);
	assert_int_equal(a->st.blocks, 9);
	assert_int_equal(a->st.atime_ns, 1000000002);
	assert_int_equal(a->st.mtime_ns, 3000000004);
	assert_int_equal(a->st.ctime_ns, 5000000006);
	assert_int_equal(a->st.btime_ns, 7000000008);
	assert_int_equal(a->st.gen, 10);
	assert_int_equal(a->st.data_version, 11);
	must(a, TN_OK);
	a = ask_simple(TN_STAT, c);
	peer_expect(TN_TGETATTR);
	ANSWER(.valid = 0x1, .perm = 0100600, .mtime_sec = 3, .uid = 4);
	assert_int_equal(a->st.valid, TN_ST_QID | TN_ST_MODE | TN_ST_NAME);
	must(a, TN_OK);
	put(c);
}

static void a_device_is_told_with_its_numbers(void **state)
{
	struct tn_chan *c = got_walk(root, "f");
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	peer_expect(TN_TGETATTR);
	ANSWER(.valid = 0x7ff, .perm = 0060660, .rdev = 0x12c07, .length = 5);
	assert_int_equal(a->st.rdev, 0x12c07);
	assert_int_equal(a->st.length, 0);
	assert_true(a->st.valid & TN_ST_EXTENSION);
	must(a, TN_OK);
	put(c);
}

static const struct {
	uint64_t sec, nsec;
	int64_t ns;
} times[] = {
	{ UINT64_MAX, 0, -1000000000 }, /* a second before 1970 */
	{ UINT64_MAX, 500000000, -500000000 },
	{ UINT64_MAX, UINT64_MAX, -1 },
	{ 0, 1000000000, 999999999 },
	{ INT64_MAX, 0, (INT64_MAX / 1000000000 - 1) * 1000000000 },
	{ (uint64_t)INT64_MIN, 0, -(INT64_MAX / 1000000000 - 1) * 1000000000 },
};

static void a_time_that_cannot_be_is_the_nearest_that_can(void **state)
{
	struct tn_chan *c = got_walk(root, "f");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(times); i++) {
		struct ask *a = ask_simple(TN_STAT, c);

		peer_expect(TN_TGETATTR);
		ANSWER(.valid = 0x7ff, .perm = 0100644, .mtime_sec = times[i].sec,
		    .mtime_nsec = times[i].nsec);
		assert_int_equal(a->st.mtime_ns, times[i].ns);
		must(a, TN_OK);
	}
	put(c);
}

static void a_server_without_getattr_has_its_qids_only(void **state)
{
	struct tn_chan *c = got_walk(root, "d");
	struct ask *a = ask_simple(TN_STAT, c);

	(void)state;
	peer_lerror(peer_expect(TN_TGETATTR)->tag, 95);
	assert_int_equal(a->st.mode, TN_DMDIR | 0777);
	must(a, TN_OK);
	put(c);
}

/* A read that is larger than a message asks what it reads, beside its first part. */
static void a_large_read_asks_by_getattr(void **state)
{
	struct tn_chan *c = got_open(root, "f");
	struct ask *a = ask_io(TN_READ, c, 20000, 0);

	(void)state;
	serve(TN_TREAD);
	serve(TN_TGETATTR);
	serve(TN_TREAD);
	serve(TN_TREAD);
	assert_int_equal(a->r.u.io.count, 20000);
	must(a, TN_OK);
	put(c);
}

/* Parts that pass one another would be appended in the wrong order. */
static void what_is_appended_goes_in_one_part_after_the_other(void **state)
{
	struct tn_chan *c = got_walk(root, "f");
	struct ask *a = ask_open(c, TN_OWRITE | TN_OF_APPEND);

	(void)state;
	serve(TN_TLOPEN);
	must(a, TN_OK);
	a = ask_simple(TN_STAT, c);
	serve(TN_TGETATTR);
	must(a, TN_OK);
	a = ask_io(TN_WRITE, c, 20000, 20000);
	for (int i = 0; i < 3; i++) {
		peer_expect(TN_TWRITE);
		assert_null(peer.at < peer.end ? &peer : NULL);
		ANSWER(.count = peer.m.count);
	}
	must(a, TN_OK);
	put(c);
}

/* ---- setattr ---- */

static const struct {
	struct tn_stat st;
	uint64_t valid;
} sets[] = {
	{ { .valid = TN_ST_MODE, .mode = TN_DMSETGID | 0751 }, 0x1 },
	{ { .valid = TN_ST_NUID, .n_uid = 4 }, 0x2 },
	{ { .valid = TN_ST_NGID, .n_gid = 5 }, 0x4 },
	{ { .valid = TN_ST_LENGTH, .length = 6 }, 0x8 },
	{ { .valid = TN_ST_ATIME, .atime_ns = -1 }, 0x90 },
	{ { .valid = TN_ST_MTIME, .mtime_ns = 1000000001 }, 0x120 },
	{ { .valid = TN_ST_ATIME_NOW }, 0x10 },
	{ { .valid = TN_ST_MTIME_NOW }, 0x20 },
	{ { .valid = TN_ST_ATIME | TN_ST_MTIME_NOW | TN_ST_LENGTH, .atime_ns = 0 }, 0xb8 },
	{ { .valid = TN_ST_MTIME | TN_ST_MTIME_NOW }, 0x20 },
};

static void a_wstat_is_a_setattr(void **state)
{
	struct tn_chan *c = got_walk(root, "f");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(sets); i++) {
		struct ask *a = ask_wstat(c, &sets[i].st);
		const struct tn_msg *m = peer_expect(TN_TSETATTR);

		assert_int_equal(m->valid, sets[i].valid);
		if (i == 0)
			assert_int_equal(m->perm, 02751);
		if (m->valid & 2)
			assert_int_equal(m->uid, 4);
		if (m->valid & 4)
			assert_int_equal(m->gid, 5);
		if (m->valid == 8)
			assert_int_equal(m->length, 6);
		if (m->valid == 0x90) {
			assert_int_equal(m->atime_sec, UINT64_MAX);
			assert_int_equal(m->atime_nsec, 999999999);
		}
		if (m->valid == 0x120) {
			assert_int_equal(m->mtime_sec, 1);
			assert_int_equal(m->mtime_nsec, 1);
		}
		ANSWER(.count = 0);
		must(a, TN_OK);
	}
	put(c);
}

static const struct {
	const char *name;
	struct tn_stat st;
	enum tn_err err;
} unsayable[] = {
	{ "f", { .valid = TN_ST_GID, .gid = { "sys", 3 } }, TN_ENOTSUP },
	{ "f", { .valid = TN_ST_MODE, .mode = TN_DMAPPEND | 0644 }, TN_ENOTSUP },
	{ "f", { .valid = TN_ST_MODE, .mode = TN_DMDIR | 0755 }, TN_EPERM },
	{ "d", { .valid = TN_ST_MODE, .mode = 0755 }, TN_EPERM },
	{ "d", { .valid = TN_ST_LENGTH, .length = 1 }, TN_EISDIR },
	{ "d", { .valid = TN_ST_LENGTH, .length = 0 }, TN_OK },
	{ "f", { .valid = TN_ST_QID, .qid = { .path = 1 } }, TN_EPERM },
	{ "f", { .valid = TN_ST_NAME, .name = { "a/b", 3 } }, TN_EBADCHAR },
	{ "f", { .valid = TN_ST_NAME, .name = { "f", 1 } }, TN_OK },
};

static void what_a_setattr_cannot_say_is_refused_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(unsayable); i++) {
		struct tn_chan *c = got_walk(root, unsayable[i].name);

		must(ask_wstat(c, &unsayable[i].st), unsayable[i].err);
		assert_null(peer_take());
		put(c);
	}
}

/* stat(5): a name that is taken is refused. So it is looked for; by a fid of the directory that no Chan has. */
static void a_wstat_of_the_name_renames_and_replaces_nothing(void **state)
{
	struct tn_chan *c = got_walk(root, "da/f");
	struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_MODE, .name = TN_STR("g"), .mode = 0600 };
	struct ask *a = ask_wstat(c, &st);
	uint32_t dir;

	(void)state;
	serve(TN_TATTACH); /* once for the connection */
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "da"));
	dir = peer.m.newfid;
	peer_answer(&peer.m);
	peer_expect(TN_TWALK);
	assert_int_equal(peer.m.fid, dir);
	assert_true(is(peer.m.wname[0], "g"));
	peer_answer(&peer.m); /* it is there */
	must(a, TN_EEXIST);
	serve(TN_TCLUNK);
	serve(TN_TCLUNK);
	a = ask_wstat(c, &st);
	serve(TN_TWALK);
	peer_lerror(peer_expect(TN_TWALK)->tag, 2);
	assert_int_equal(peer_expect(TN_TSETATTR)->valid, 1);
	ANSWER(.count = 0);
	peer_expect(TN_TRENAME);
	assert_true(is(peer.m.name, "g"));
	assert_int_equal(peer.m.newfid, dir);
	ANSWER(.count = 0);
	must(a, TN_OK);
	serve(TN_TCLUNK);
	/* After a loss the Chan is looked for under the new name. */
	peer_hangup();
	a = ask_simple(TN_STAT, c);
	serve(TN_TVERSION);
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[1], "g"));
	ANSWER(.nwqid = 2,
	    .wqid = { peer_qid(TN_STR("da")), { .path = c->qid.path, .type = c->qid.type } });
	peer.fids[peer.m.newfid] = (struct peer_fid){ .used = true,
		.qid = { .path = c->qid.path } };
	serve(TN_TGETATTR);
	must(a, TN_OK);
	put(c);
}

/* ---- sync, statfs ---- */

static void a_sync_of_an_open_file_is_an_fsync(void **state)
{
	struct tn_chan *c = got_open(root, "f");
	struct tn_stat none = { .valid = 0 };
	struct ask *a = ask_new(TN_FSYNC, c);

	(void)state;
	a->r.u.range.how = 1;
	ask_go(a);
	assert_int_equal(peer_expect(TN_TFSYNC)->flags, 1);
	ANSWER(.count = 0);
	must(a, TN_OK);
	a = ask_wstat(c, &none);
	assert_int_equal(peer_expect(TN_TFSYNC)->flags, 0);
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(c);
}

/* Only what is open can be: stat(5)'s wstat of nothing may come on any fid. */
static void a_sync_of_another_opens_a_fid_for_it(void **state)
{
	struct tn_chan *c = got_walk(root, "f");
	struct tn_stat none = { .valid = 0 };
	struct ask *a = ask_wstat(c, &none);
	uint32_t fid;

	(void)state;
	serve(TN_TWALK);
	fid = peer.m.newfid;
	assert_int_equal(peer_expect(TN_TLOPEN)->flags, 0);
	peer_answer(&peer.m);
	assert_int_equal(peer_expect(TN_TFSYNC)->fid, fid);
	ANSWER(.count = 0);
	must(a, TN_OK);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
	peer_answer(&peer.m);
	put(c);
}

static void statfs_is_told(void **state)
{
	struct ask *a = ask_new(TN_STATFS, root);
	struct tn_statfs s = { 0 };

	(void)state;
	a->r.u.statfs.out = &s;
	ask_go(a);
	peer_expect(TN_TSTATFS);
	ANSWER(.statfs = { .type = 1,
		   .bsize = 2,
		   .blocks = 3,
		   .bfree = 4,
		   .bavail = 5,
		   .files = 6,
		   .ffree = 7,
		   .fsid = 8,
		   .namelen = 9 });
	assert_int_equal(s.bsize, 2);
	assert_int_equal(s.blocks, 3);
	assert_int_equal(s.bfree, 4);
	assert_int_equal(s.bavail, 5);
	assert_int_equal(s.files, 6);
	assert_int_equal(s.ffree, 7);
	assert_int_equal(s.fsid, 8);
	assert_int_equal(s.namelen, 9);
	must(a, TN_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(unixs_mode_is_told_as_plan_9s),
		L_TEST(a_stat_has_what_the_answer_says_is_valid),
		L_TEST(a_device_is_told_with_its_numbers),
		L_TEST(a_time_that_cannot_be_is_the_nearest_that_can),
		L_TEST(a_server_without_getattr_has_its_qids_only),
		L_TEST(a_large_read_asks_by_getattr),
		L_TEST(what_is_appended_goes_in_one_part_after_the_other),
		L_TEST(a_wstat_is_a_setattr),
		L_TEST(what_a_setattr_cannot_say_is_refused_whole),
		L_TEST(a_wstat_of_the_name_renames_and_replaces_nothing),
		L_TEST(a_sync_of_an_open_file_is_an_fsync),
		L_TEST(a_sync_of_another_opens_a_fid_for_it),
		L_TEST(statfs_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
