/*
 * mnt in 9P2000.L: which messages a request becomes, and what their answers make of it. Sources: diod's protocol.md;
 * Linux's fs/9p and net/9p; open(5), stat(5) for what requests mean.
 */
#include "peer.h"

static struct tn_chan *root;

static int setup(void **state)
{
	struct tn_client_options o = { .label = "tcp!test!564", .dialect = TN_DIALECTS };

	(void)state;
	peer_start(&o);
	peer.best = TN_9P2000_L;
	root = got_attach();
	assert_int_equal(peer.dialect, TN_9P2000_L);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	put(root);
	peer_end();
	return 0;
}

#define L_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static bool is(struct tn_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static struct tn_str str(const char *text)
{
	return (struct tn_str){ text, (uint32_t)strlen(text) };
}

/* The next message is of this type and is answered as an ordinary server does. */
static void serve(uint8_t type)
{
	peer_answer(peer_expect(type));
}

/* Answers the message that peer_expect gave. */
#define ANSWER(...)  \
	peer_send(&( \
	    struct tn_msg){ .type = (uint8_t)(peer.m.type + 1), .tag = peer.m.tag, __VA_ARGS__ })

static void an_attach_that_is_not_there_is_told_as_one(void **state)
{
	struct ask *a = ask_attach();

	(void)state;
	peer_lerror(peer_expect(TN_TATTACH)->tag, 2);
	must_say(a, TN_EBADATTACH, "bad attach specifier");
	a = ask_attach();
	peer_lerror(peer_expect(TN_TATTACH)->tag, 1);
	must(a, TN_EPERM);
}

/* As nfs-ganesha 4.3 does: type and tag of Rerror, the body of Rlerror. Linux's net/9p takes either. */
static void an_rerror_with_a_number_is_the_errno(void **state)
{
	struct ask *a = ask_attach();
	uint16_t tag = peer_expect(TN_TATTACH)->tag;
	const uint8_t frame[] = { 11, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 13, 0,
		0, 0 };

	(void)state;
	peer_bytes(frame, sizeof(frame));
	must(a, TN_EACCES);
	assert_non_null(peer.stream);
}

static void an_rerror_with_words_ends_the_connection(void **state)
{
	struct ask *a = ask_attach();
	uint16_t tag = peer_expect(TN_TATTACH)->tag;
	const uint8_t frame[] = { 12, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 3, 0,
		'b', 'a', 'd' };

	(void)state;
	peer_bytes(frame, sizeof(frame));
	must_say(a, TN_ECONNLOST, "connection lost: tcp!test!564: malformed message");
	peer_serve();
}

/* ---- nfs-ganesha: mntganesha.c ---- */

/* A connection whose errors are of that form. */
static void be_ganesha(void)
{
	struct ask *a = ask_simple(TN_STAT, root);
	uint16_t tag = peer_expect(TN_TGETATTR)->tag;

	peer_bytes((const uint8_t[]){ 11, 0, 0, 0, TN_RERROR, (uint8_t)tag, (uint8_t)(tag >> 8), 5,
		       0, 0, 0 },
	    11);
	must(a, TN_EIO);
}

static void ganesha_is_told_the_users_group(void **state)
{
	struct tn_user *user = tn_user_new(TN_STR("who"), 7, 8);
	struct ask *a;

	(void)state;
	for (int is_ganesha = 0; is_ganesha < 2; is_ganesha++) {
		struct tn_chan *d = got_walk(root, "d");

		if (is_ganesha)
			be_ganesha();
		a = ask_new(TN_CREATE, d);
		a->r.u.create.name = TN_STR("f");
		a->r.u.create.perm = 0644;
		a->r.u.create.gid = TN_NONUNAME;
		a->r.user = user;
		ask_go(a);
		assert_int_equal(peer_expect(TN_TLCREATE)->gid, is_ganesha ? 8 : TN_NONUNAME);
		peer_answer(&peer.m);
		must(a, TN_OK);
		put(d);
	}
	tn_user_put(user);
}

/* Tunlinkat, from a fid of the directory that is walked to for that. */
static void ganesha_is_not_sent_a_tremove(void **state)
{
	static const char *const names[] = { "f", "d/f", "d/d" };

	(void)state;
	be_ganesha();
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_chan *c = got_walk(root, names[i]);
		struct ask *a = ask_simple(TN_REMOVE, c);
		const char *last = names[i] + strlen(names[i]) - 1;

		while (peer_take()->type != TN_TUNLINKAT)
			peer_answer(&peer.m);
		assert_true(is(peer.m.name, last));
		assert_int_equal(peer.m.flags, *last == 'd' ? 0x200 : 0);
		peer_reply(TN_RUNLINKAT, peer.m.tag);
		must(a, TN_OK);
		put(c);
		peer_serve();
	}
	assert_int_equal(peer.counts[TN_TREMOVE], 0);
}

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

static struct ask *ask_create(struct tn_chan *d, const char *name, uint32_t flags, uint32_t perm)
{
	struct ask *a = ask_new(TN_CREATE, d);

	a->r.flags = flags;
	a->r.u.create.name = str(name);
	a->r.u.create.perm = perm;
	a->r.u.create.gid = 55;
	ask_go(a);
	return a;
}

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

static void answer_walk(struct tn_qid qid)
{
	peer_expect(TN_TWALK);
	peer.fids[peer.m.newfid] = peer.fids[peer.m.fid];
	peer.fids[peer.m.newfid].qid = qid;
	ANSWER(.nwqid = 1, .wqid = { qid });
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

static struct ask *ask_wstat(struct tn_chan *c, const struct tn_stat *st)
{
	struct ask *a = ask_new(TN_WSTAT, c);

	a->r.u.wstat.st = st;
	ask_go(a);
	return a;
}

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

/* ---- names ---- */

static struct ask *ask_rename(struct tn_chan *from, const char *name, struct tn_chan *to,
    const char *newname, uint32_t how)
{
	struct ask *a = ask_new(TN_RENAME, from);

	a->r.chan2 = to;
	a->r.u.rename.name = str(name);
	a->r.u.rename.newname = str(newname);
	a->r.u.rename.how = how;
	ask_go(a);
	return a;
}

static void a_rename_between_directories_is_one_message(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_rename(root, "old", d, "new", 0);

	(void)state;
	peer_expect(TN_TRENAMEAT);
	assert_int_equal(peer.m.fid, 0);
	assert_int_equal(peer.m.newfid, 1);
	assert_true(is(peer.m.name, "old") && is(peer.m.newname, "new"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(d);
}

static void a_server_without_renameat_is_asked_once(void **state)
{
	struct tn_chan *d = got_walk(root, "d");
	struct ask *a = ask_rename(root, "old", d, "new", 0);

	(void)state;
	peer_lerror(peer_expect(TN_TRENAMEAT)->tag, 95);
	for (int i = 0; i < 2; i++) {
		uint32_t fid;

		assert_true(is(peer_expect(TN_TWALK)->wname[0], "old"));
		fid = peer.m.newfid;
		peer_answer(&peer.m);
		peer_expect(TN_TRENAME);
		assert_int_equal(peer.m.fid, fid);
		assert_int_equal(peer.m.newfid, 1);
		assert_true(is(peer.m.name, "new"));
		ANSWER(.count = 0);
		must(a, TN_OK);
		serve(TN_TCLUNK);
		if (i == 0)
			a = ask_rename(root, "old", d, "new", 0);
	}
	put(d);
}

static void a_rename_that_must_not_replace_looks_first(void **state)
{
	struct ask *a = ask_rename(root, "old", root, "new", 1);

	(void)state;
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "new"));
	peer_answer(&peer.m);
	must(a, TN_EEXIST);
	serve(TN_TCLUNK);
	a = ask_rename(root, "old", root, "no", 1);
	serve(TN_TWALK);
	peer_expect(TN_TRENAMEAT);
	ANSWER(.count = 0);
	must(a, TN_OK);
	must(ask_rename(root, "old", root, "new", 2), TN_EINVAL);
	assert_null(peer_take());
}

static void a_file_itself_is_renamed_by_its_fid(void **state)
{
	struct tn_chan *f = got_walk(root, "da/f"), *e = got_walk(root, "de");
	struct ask *a = ask_rename(f, "", e, "g", 0);

	(void)state;
	peer_expect(TN_TRENAME);
	assert_int_equal(peer.m.fid, 1);
	assert_int_equal(peer.m.newfid, 2);
	assert_true(is(peer.m.name, "g"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(e);
	put(f);
}

static void a_link_names_directory_and_file(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_new(TN_LINK, root);

	(void)state;
	a->r.chan2 = f;
	a->r.u.rename.name = TN_STR("other");
	ask_go(a);
	peer_expect(TN_TLINK);
	assert_int_equal(peer.m.fid, 0);
	assert_int_equal(peer.m.newfid, 1);
	assert_true(is(peer.m.name, "other"));
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(f);
}

/* Both Chans of a request are found again after a loss. */
static void after_a_loss_both_chans_are_walked_again(void **state)
{
	struct tn_chan *d = got_walk(root, "d1"), *e = got_walk(root, "d2");
	struct ask *a;

	(void)state;
	peer_hangup();
	a = ask_rename(d, "old", e, "new", 0);
	serve(TN_TVERSION);
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "d1"));
	peer_answer(&peer.m);
	assert_true(is(peer_expect(TN_TWALK)->wname[0], "d2"));
	peer_answer(&peer.m);
	peer_expect(TN_TRENAMEAT);
	ANSWER(.count = 0);
	must(a, TN_OK);
	put(e);
	put(d);
}

static struct ask *ask_make(enum tn_req_type type, uint32_t perm, const char *target)
{
	struct ask *a = ask_new(type, root);

	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = perm;
	a->r.u.create.gid = TN_NONUNAME;
	a->r.u.create.rdev_major = 7;
	a->r.u.create.rdev_minor = 300;
	a->r.u.create.target = str(target);
	ask_go(a);
	return a;
}

static void a_symbolic_link_is_made_with_its_target(void **state)
{
	struct ask *a = ask_make(TN_SYMLINK, 0, "../there");

	(void)state;
	peer_expect(TN_TSYMLINK);
	assert_true(is(peer.m.name, "new") && is(peer.m.target, "../there"));
	assert_int_equal(peer.m.gid, TN_NONUNAME);
	ANSWER(.qid = { .path = 9, .type = TN_QTSYMLINK });
	assert_int_equal(a->r.u.create.qid.path, 9);
	must(a, TN_OK);
	must(ask_make(TN_SYMLINK, 0, ""), TN_ENOENT);
}

static const struct {
	uint32_t perm, sent;
	const char *target;
} nodes[] = {
	{ 0644, 0100644, "" },
	{ TN_DMNAMEDPIPE | 0644, 0010644, "" },
	{ TN_DMSOCKET | 0644, 0140644, "" },
	{ TN_DMDEVICE | 0644, 0020644, "" },
	{ TN_DMDEVICE | 0644, 0020644, "c" },
	{ TN_DMDEVICE | TN_DMSETUID | 0644, 0064644, "b" },
};

static void a_special_file_is_made_with_unixs_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(nodes); i++) {
		struct ask *a = ask_make(TN_MKNOD, nodes[i].perm, nodes[i].target);

		peer_expect(TN_TMKNOD);
		assert_int_equal(peer.m.perm, nodes[i].sent);
		assert_int_equal(peer.m.major, 7);
		assert_int_equal(peer.m.minor, 300);
		ANSWER(.qid = { .path = 9 });
		assert_int_equal(a->r.u.create.qid.path, 9);
		must(a, TN_OK);
	}
}

static struct ask *ask_readlink(struct tn_chan *c, uint32_t size)
{
	struct ask *a = ask_new(TN_READLINK, c);

	a->r.u.readlink.buf = a->text;
	a->r.u.readlink.size = size;
	ask_go(a);
	return a;
}

static void a_link_is_read_whole_or_not_at_all(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_readlink(f, 8);

	(void)state;
	peer_expect(TN_TREADLINK);
	ANSWER(.target = TN_STR("../there"));
	assert_int_equal(a->r.u.readlink.len, 8);
	assert_memory_equal(a->text, "../there", 8);
	must(a, TN_OK);
	a = ask_readlink(f, 7);
	peer_expect(TN_TREADLINK);
	ANSWER(.target = TN_STR("../there"));
	must(a, TN_ENAMETOOLONG);
	put(f);
}

/* ---- listings ---- */

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

static struct ask *ask_stats(struct tn_chan *d, uint64_t offset, unsigned room)
{
	struct ask *a = ask_new(TN_READDIR, d);

	a->r.flags = TN_OF_STATS;
	a->r.u.readdir.offset = offset;
	a->r.u.readdir.count = 4 * 128;
	a->room = room;
	ask_go(a);
	return a;
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

/* ---- extended attributes ---- */

static struct ask *ask_xattr(enum tn_req_type type, struct tn_chan *c, const char *name,
    uint32_t size, uint32_t how)
{
	struct ask *a = ask_new(type, c);

	a->r.u.xattr.name = str(name);
	a->r.u.xattr.data = a->data;
	a->r.u.xattr.size = size;
	a->r.u.xattr.how = how;
	for (uint32_t i = 0; type == TN_XATTRSET && i < size && i < sizeof(a->data); i++)
		a->data[i] = (uint8_t)(i * 7);
	ask_go(a);
	return a;
}

static void an_attribute_is_walked_to_read_and_clunked(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRGET, f, "user.a", 20000, 0);
	uint8_t *data = calloc(1, 20000);
	uint32_t fid;

	(void)state;
	peer_expect(TN_TXATTRWALK);
	assert_true(is(peer.m.name, "user.a"));
	fid = peer.m.newfid;
	peer.fids[fid].used = true;
	ANSWER(.length = 10000);
	memset(data, 'x', 10000);
	for (uint32_t at = 0; at < 10000;) {
		uint32_t n = at == 0 ? 100 : 0; /* a short one first */

		peer_expect(TN_TREAD);
		assert_int_equal(peer.m.fid, fid);
		assert_int_equal(peer.m.offset, at);
		n = n ? n : peer.m.count;
		ANSWER(.count = n, .data = data);
		at += n;
	}
	assert_int_equal(a->r.u.xattr.len, 10000);
	assert_memory_equal(a->data, data, 10000);
	must(a, TN_OK);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
	peer_answer(&peer.m);
	free(data);
	put(f);
}

static void an_attributes_size_alone_is_not_read(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	static const struct {
		uint32_t size, len;
		enum tn_err err;
	} rows[] = { { 0, 5, TN_OK }, { 4, 5, TN_ERANGE }, { 4, 0, TN_OK } };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct ask *a = ask_xattr(TN_XATTRGET, f, "", rows[i].size, 0);

		assert_int_equal(peer_expect(TN_TXATTRWALK)->name.len, 0);
		peer.fids[peer.m.newfid].used = true;
		ANSWER(.length = rows[i].len);
		assert_int_equal(a->r.u.xattr.len, rows[i].len);
		must(a, rows[i].err);
		serve(TN_TCLUNK);
	}
	put(f);
}

static void an_attribute_is_set_when_its_fid_is_clunked(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 9000, TN_XATTR_CREATE);
	uint32_t fid;

	(void)state;
	assert_int_equal(peer_expect(TN_TWALK)->nwname, 0);
	fid = peer.m.newfid;
	peer_answer(&peer.m);
	peer_expect(TN_TXATTRCREATE);
	assert_int_equal(peer.m.fid, fid);
	assert_true(is(peer.m.name, "user.a"));
	assert_int_equal(peer.m.length, 9000);
	assert_int_equal(peer.m.flags, 1);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.count, 8192);
	assert_memory_equal(peer.m.data, a->data, 8192);
	ANSWER(.count = 100);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.offset, 100);
	ANSWER(.count = peer.m.count);
	peer_expect(TN_TWRITE);
	assert_int_equal(peer.m.offset, 8292);
	assert_int_equal(peer.m.count, 708);
	ANSWER(.count = peer.m.count);
	assert_int_equal(a->done, 0);
	assert_int_equal(peer_expect(TN_TCLUNK)->fid, fid);
	peer_lerror(peer.m.tag, 28);
	must(a, TN_ENOSPC);
	assert_null(peer_take());
	put(f);
}

static void an_attribute_is_removed_by_replacing_it_with_nothing(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 0, TN_XATTR_REMOVE);

	(void)state;
	serve(TN_TWALK);
	peer_expect(TN_TXATTRCREATE);
	assert_int_equal(peer.m.length, 0);
	assert_int_equal(peer.m.flags, 2);
	ANSWER(.count = 0);
	serve(TN_TCLUNK);
	must(a, TN_OK);
	must(ask_xattr(TN_XATTRSET, f, "user.a", 0, TN_XATTR_REPLACE), TN_ENOTSUP);
	must(ask_xattr(TN_XATTRSET, f, "", 0, 0), TN_ERANGE);
	must(ask_xattr(TN_XATTRSET, f, "user.a", TN_XATTR_MAX + 1, 0), TN_ERANGE);
	assert_null(peer_take());
	put(f);
}

/* walk(5): an open fid cannot be walked from. Its file is gone to by its name. */
static void an_attribute_of_an_open_file_is_set_by_name(void **state)
{
	struct tn_chan *f = got_open(root, "da/f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);

	(void)state;
	serve(TN_TATTACH);
	assert_true(is(peer_expect(TN_TWALK)->wname[1], "f"));
	peer_answer(&peer.m);
	peer_expect(TN_TXATTRCREATE);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	ANSWER(.count = 1);
	serve(TN_TCLUNK);
	must(a, TN_OK);
	a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);
	peer.salt += 256;
	serve(TN_TWALK); /* another file has the name now */
	must(a, TN_ESTALE);
	serve(TN_TCLUNK);
	put(f);
}

/* A clunk that was sent is carried out: a flush would leave a fid behind of which nobody knows whether it is there. */
static void the_clunk_of_an_attribute_is_not_flushed(void **state)
{
	struct tn_chan *f = got_walk(root, "f");
	struct ask *a = ask_xattr(TN_XATTRSET, f, "user.a", 1, 0);

	(void)state;
	serve(TN_TWALK);
	peer_expect(TN_TXATTRCREATE);
	ANSWER(.count = 0);
	peer_expect(TN_TWRITE);
	ANSWER(.count = 1);
	peer_expect(TN_TCLUNK);
	tn_flush(&a->r);
	assert_int_equal(a->done, 0);
	peer_answer(&peer.m);
	must(a, TN_OK);
	assert_null(peer_take());
	put(f);
}

/* ---- locks ---- */

static struct ask *ask_lock(enum tn_req_type type, struct tn_chan *c, uint8_t how, uint64_t owner)
{
	struct ask *a = ask_new(type, c);

	a->r.u.lock.type = how;
	a->r.u.lock.start = 10;
	a->r.u.lock.length = 20;
	a->r.u.lock.owner = owner;
	a->r.u.lock.pid = 77;
	ask_go(a);
	return a;
}

static const struct {
	uint8_t status;
	enum tn_err err;
} locks[] = { { 0, TN_OK }, { 1, TN_EAGAIN }, { 2, TN_EIO }, { 3, TN_EAGAIN }, { 4, TN_EBADMSG } };

static void a_lock_never_waits_and_names_its_owner(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	char first[64];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(locks); i++) {
		struct ask *a = ask_lock(TN_LOCK, f, TN_LK_WRITE, 42);

		peer_expect(TN_TLOCK);
		assert_int_equal(peer.m.lock_type, 1);
		assert_int_equal(peer.m.flags, 0);
		assert_int_equal(peer.m.start, 10);
		assert_int_equal(peer.m.length, 20);
		assert_int_equal(peer.m.proc_id, 77);
		if (i == 0)
			snprintf(first, sizeof(first), "%.*s", (int)peer.m.client_id.len,
			    peer.m.client_id.s);
		assert_true(is(peer.m.client_id, first));
		ANSWER(.status = locks[i].status);
		must(a, locks[i].err);
	}
	struct ask *a = ask_lock(TN_LOCK, f, TN_LK_UNLOCK, 43);

	peer_expect(TN_TLOCK);
	assert_int_equal(peer.m.lock_type, 2);
	assert_false(is(peer.m.client_id, first)); /* another owner */
	ANSWER(.status = 0);
	must(a, TN_OK);
	put(f);
}

/* It takes client_id for a host: an address asks nobody. Owners are apart by proc_id. */
static void ganesha_is_told_an_address_and_a_number(void **state)
{
	struct tn_chan *f;
	uint32_t ids[2];

	(void)state;
	be_ganesha();
	f = got_open(root, "f");
	for (unsigned i = 0; i < 2; i++) {
		struct ask *a = ask_lock(TN_LOCK, f, TN_LK_WRITE, 42 + i);
		unsigned byte[4];
		char id[64];
		int end = 0;

		peer_expect(TN_TLOCK);
		snprintf(id, sizeof(id), "%.*s", (int)peer.m.client_id.len, peer.m.client_id.s);
		assert_int_equal(
		    sscanf(id, "%3u.%3u.%3u.%3u%n", &byte[0], &byte[1], &byte[2], &byte[3], &end),
		    4);
		assert_int_equal(end, strlen(id));
		for (unsigned k = 0; k < 4; k++)
			assert_in_range(byte[k], 0, 255);
		ids[i] = peer.m.proc_id;
		ANSWER(.status = 0);
		must(a, TN_OK);
	}
	assert_int_not_equal(ids[0], ids[1]);
	put(f);
}

/* P9_LOCK_FLAGS_BLOCK: the server does not wait for it, but may see who waits for whom. */
static void who_will_ask_again_for_a_lock_says_so(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	struct ask *a = ask_new(TN_LOCK, f);

	(void)state;
	a->r.u.lock.type = TN_LK_WRITE;
	a->r.u.lock.waits = true;
	ask_go(a);
	peer_expect(TN_TLOCK);
	assert_int_equal(peer.m.flags, 1);
	ANSWER(.status = 1);
	must(a, TN_EAGAIN);
	put(f);
}

static void a_lock_that_stands_in_the_way_is_told(void **state)
{
	struct tn_chan *f = got_open(root, "f");
	struct ask *a = ask_lock(TN_GETLOCK, f, TN_LK_WRITE, 42);

	(void)state;
	peer_expect(TN_TGETLOCK);
	ANSWER(.lock_type = TN_LK_READ, .start = 5, .length = 6, .proc_id = 7,
	    .client_id = TN_STR("x"));
	assert_int_equal(a->r.u.lock.type, TN_LK_READ);
	assert_int_equal(a->r.u.lock.start, 5);
	assert_int_equal(a->r.u.lock.length, 6);
	assert_int_equal(a->r.u.lock.pid, 7);
	must(a, TN_OK);
	put(f);
}

/* ---- memory ---- */

static unsigned allocations, fail_at;

static bool fail_one(size_t size)
{
	(void)size;
	return size == sizeof(struct tn_chan) || ++allocations != fail_at;
}

static void serve_all(struct ask *a)
{
	const struct tn_msg *m;

	while ((m = peer_take()) != NULL) {
		switch (m->type) {
		case TN_TMKDIR: ANSWER(.qid = peer_qid(m->name)); break;
		case TN_TXATTRWALK:
			peer.fids[m->newfid].used = true;
			ANSWER(.length = 0);
			break;
		case TN_TWRITE: ANSWER(.count = m->count); break;
		default: peer_answer(m);
		}
	}
	ask_free(a);
}

static void session(void)
{
	struct ask *a = ask_walk(root, "da/f"), *b = ask_walk(root, "d"), *o;
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("no") };

	peer_serve();
	if (a->r.err == TN_OK) {
		serve_all(ask_xattr(TN_XATTRSET, a->newchan, "user.a", 10, 0));
		serve_all(ask_xattr(TN_XATTRGET, a->newchan, "user.a", 10, 0));
		serve_all(ask_wstat(a->newchan, &st));
		serve_all(ask_simple(TN_FSYNC, a->newchan));
	}
	if (b->r.err == TN_OK) {
		o = ask_open(b->newchan, TN_OREAD);
		peer_serve();
		if (o->r.err == TN_OK)
			serve_all(ask_stats(b->newchan, 0, 100));
		ask_free(o);
	}
	ask_free(b);
	ask_free(a);
	a = ask_walk(root, "d");
	peer_serve();
	if (a->r.err == TN_OK)
		serve_all(ask_create(a->newchan, "dd", TN_OREAD, TN_DMDIR | 0755));
	ask_free(a);
	pass(SECOND); /* clunks that found no memory come again */
	peer_serve();
}

static void in_l_every_allocation_may_fail(void **state)
{
	unsigned n = 1;

	(void)state;
	for (fail_at = 0; fail_at <= n; fail_at++) {
		setup(NULL);
		tn_chan_put(tn_chan_new(peer.server, NULL)); /* the reaper is there */
		allocations = 0;
		tn_alloc_hook = fail_one;
		session();
		tn_alloc_hook = NULL;
		n = fail_at == 0 ? allocations : n;
		pass(11 * (uint64_t)SECOND);
		teardown(NULL);
	}
	print_message("%u allocations\n", n);
	assert_true(n > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		L_TEST(an_attach_that_is_not_there_is_told_as_one),
		L_TEST(an_rerror_with_a_number_is_the_errno),
		L_TEST(an_rerror_with_words_ends_the_connection),
		L_TEST(ganesha_is_told_the_users_group),
		L_TEST(ganesha_is_not_sent_a_tremove),
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
		L_TEST(a_rename_between_directories_is_one_message),
		L_TEST(a_server_without_renameat_is_asked_once),
		L_TEST(a_rename_that_must_not_replace_looks_first),
		L_TEST(a_file_itself_is_renamed_by_its_fid),
		L_TEST(a_link_names_directory_and_file),
		L_TEST(after_a_loss_both_chans_are_walked_again),
		L_TEST(a_symbolic_link_is_made_with_its_target),
		L_TEST(a_special_file_is_made_with_unixs_mode),
		L_TEST(a_link_is_read_whole_or_not_at_all),
		L_TEST(a_listing_is_names_and_kinds_without_dots),
		L_TEST(what_had_no_room_is_kept_for_the_next_request),
		L_TEST(stats_are_asked_for_side_by_side),
		L_TEST(a_stat_that_cannot_be_had_is_left_out),
		L_TEST(a_directory_that_moved_is_listed_without_stats),
		L_TEST(a_listing_with_stats_can_be_flushed_anywhere),
		L_TEST(an_attribute_is_walked_to_read_and_clunked),
		L_TEST(an_attributes_size_alone_is_not_read),
		L_TEST(an_attribute_is_set_when_its_fid_is_clunked),
		L_TEST(an_attribute_is_removed_by_replacing_it_with_nothing),
		L_TEST(an_attribute_of_an_open_file_is_set_by_name),
		L_TEST(the_clunk_of_an_attribute_is_not_flushed),
		L_TEST(a_lock_never_waits_and_names_its_owner),
		L_TEST(ganesha_is_told_an_address_and_a_number),
		L_TEST(who_will_ask_again_for_a_lock_says_so),
		L_TEST(a_lock_that_stands_in_the_way_is_told),
		cmocka_unit_test(in_l_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
