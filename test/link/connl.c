/*
 * conn in 9P2000.L, a message at a time: what Linux's flags, modes and times become, what is refused before a server
 * hears of it, and what is asked in which order when one message is more than one request. Errors are Linux's numbers.
 */
#include "link/dialect.h"
#include "talk.h"

static int setup_l(void **state)
{
	(void)state;
	start_dialect(NULL, TN_9P2000_L);
	return 0;
}

#define DOT_L(f) cmocka_unit_test_setup_teardown(f, setup_l, teardown)

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static struct tn_msg t_lopen(uint16_t tag, uint32_t fid, uint32_t flags)
{
	return (struct tn_msg){ .type = TN_TLOPEN, .tag = tag, .fid = fid, .flags = flags };
}

/* A message that makes or takes away a name in directory fid. */
static struct tn_msg t_name(uint8_t type, uint16_t tag, uint32_t fid, struct tn_str name)
{
	return (struct tn_msg){ .type = type,
		.tag = tag,
		.fid = fid,
		.newfid = fid,
		.name = name,
		.newname = TN_STR("new"),
		.target = TN_STR("to"),
		.perm = 0644,
		.gid = 7 };
}

static struct tn_msg t_readdir(uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count)
{
	return (struct tn_msg){ .type = TN_TREADDIR,
		.tag = tag,
		.fid = fid,
		.offset = offset,
		.count = count };
}

/* Fid 5 is the file of that name, freshly walked to. */
static void walk_to(const char *name)
{
	ASK(t_fid(TN_TCLUNK, 1, 5));
	assert_int_equal(ASK(t_walk(1, 0, 5, name)).type, TN_RWALK);
	fake.history[0] = '\0';
}

/* walk(5) refuses every walk from an open fid; v9fs_fid_find_inode() of Linux's client clones such ones. */
static void an_open_fid_is_cloned_and_not_walked_from(void **state)
{
	(void)state;
	walk_to("f");
	ASK(t_lopen(1, 5, 2));
	fake.history[0] = '\0';
	assert_int_equal(ASK(t_walk(1, 5, 7, "")).type, TN_RWALK);
	assert_history("walk");
	assert_int_equal(ASK(t_fid(TN_TGETATTR, 1, 7)).qid.path, qid_of_name(TN_STR("f")).path);
	assert_int_equal(ASK(t_read(1, 7, 0, 10)).type, TN_RLERROR);
	assert_int_equal(ASK(t_lopen(1, 7, 0)).type, TN_RLOPEN);
	fake.history[0] = '\0';
	assert_int_equal(ASK(t_walk(1, 5, 5, "")).type, TN_RLERROR);
	walk_to("d");
	ASK(t_lopen(1, 5, 0));
	fake.history[0] = '\0';
	assert_int_equal(ASK(t_walk(1, 5, 8, "f")).type, TN_RLERROR);
	assert_history("");
}

/* What is asked, and what is asked after that. */
static void answer_all(void)
{
	while (fake.n_held > 0) {
		answer(0);
		run_loop();
	}
	settle();
}

/* The error of an answer; 0: it is none. */
static uint32_t error_of(struct tn_msg r)
{
	return r.type == TN_RLERROR ? r.error : 0;
}

/* ---- ids ---- */

/* protocol.md, attach: n_uname tells the user; what a peer says it is, is all that a server hears. */
static void the_number_of_an_attach_is_who_asks(void **state)
{
	struct tn_msg m = t_attach(1, 9, TN_NOFID);

	(void)state;
	m.n_uname = 4711;
	m.uname = TN_STR("");
	assert_int_equal(ASK(m).type, TN_RATTACH);
	assert_int_equal(fake.last.u.attach.n_uname, 4711);
	assert_int_equal(fake.uid, 4711);
	ASK(t_fid(TN_TGETATTR, 1, 9));
	assert_int_equal(fake.uid, 4711);
	m.fid = 10;
	m.n_uname = TN_NONUNAME;
	ASK(m);
	assert_int_equal(fake.uid, TN_NONUNAME);
}

/* As a host with one user, 0 and root, who stands before the server; it refuses 99. */
static enum tn_status users_attach(struct tn_req *r)
{
	struct tn_chan *c = r->u.attach.newchan;
	const struct tn_user *said = c->user;

	if (said->uid == 99)
		return tn_fail(r, TN_ENOMEM);
	if (said->uid == 0 || (said->len == 4 && memcmp(said->name, "root", 4) == 0)) {
		tn_user_put(c->user);
		c->user = r->user = tn_user_new(TN_STR("root"), 0, 0);
	}
	r->server = c->server;
	return tn_server_call(r);
}

static const struct tn_ops users_ops = { .name = "users", .op = { [TN_ATTACH] = users_attach } };

/* v9fs_fid_lookup_with_uid(): each user of the kernel's attaches by number, without a name. */
static const struct {
	const char *said;
	uint32_t n_said;
	uint32_t error;
	const char *name;
	uint32_t uid, gid;
} users[] = {
	{ "", 0, 0, "root", 0, 0 },
	{ "root", TN_NONUNAME, 0, "root", 0, 0 },
	{ "", 1000, 0, "", 1000, TN_NONUNAME },
	{ "glenda", TN_NONUNAME, 0, "glenda", TN_NONUNAME, TN_NONUNAME },
	{ "", 99, 12, "", 0, 0 },
};

static void half_a_user_is_whom_the_host_knows_by_it(void **state)
{
	static struct tn_server users_server; /* stays longer than the conn */

	(void)state;
	tn_server_init(&users_server, &users_ops, &loop, NULL);
	tn_conn_users(peer.conn, &users_server);
	for (size_t i = 0; i < TN_COUNT(users); i++) {
		struct tn_msg m = t_attach(1, 9, TN_NOFID);
		const struct tn_user *is;

		print_message("%s %x\n", users[i].said, users[i].n_said);
		m.uname = (struct tn_str){ users[i].said, (uint32_t)strlen(users[i].said) };
		m.n_uname = users[i].n_said;
		fake.late = 1u << TN_ATTACH;
		SAY(m);
		if (!users[i].error) {
			is = fake.held[0]->user;
			assert_int_equal(is->len, strlen(users[i].name));
			assert_memory_equal(is->name, users[i].name, is->len);
			assert_int_equal(is->uid, users[i].uid);
			assert_int_equal(is->gid, users[i].gid);
			/* A server elsewhere hears what the peer said. */
			assert_int_equal(fake.held[0]->u.attach.n_uname, users[i].n_said);
			assert_int_equal(fake.held[0]->u.attach.uname.len, strlen(users[i].said));
			answer(0);
		}
		settle();
		assert_true(next_msg(&m));
		assert_int_equal(error_of(m), users[i].error);
		fake.late = 0;
		if (!users[i].error)
			ASK(t_fid(TN_TCLUNK, 1, 9));
	}
}

/* ---- Tlopen ---- */

static const struct {
	const char *name;
	uint32_t flags, error, of; /* of: TN_OF bits, when there is no error */
} opens[] = {
	{ "f", 0, 0, TN_OREAD },
	{ "f", 1, 0, TN_OWRITE },
	{ "f", 2, 0, TN_ORDWR },
	{ "f", 3, 22, 0 },
	{ "f", 0100 | 0200, 0, TN_OREAD }, /* O_CREAT, O_EXCL: nothing is made */
	{ "f", 1 | 01000, 0, TN_OWRITE | TN_OF_TRUNC },
	{ "f", 1 | 02000, 0, TN_OWRITE | TN_OF_APPEND },
	{ "f", 1 | 04010000, 0, TN_OWRITE | TN_OF_SYNC },
	{ "f", 1 | 010000, 0, TN_OWRITE | TN_OF_SYNC },
	{ "f", 0200000, 20, 0 },
	{ "f", 0100000 | 04000 | 02000000 | 040000 | 01000000 | 0400000, 0, TN_OREAD },
	{ "f", ~(uint32_t)(3 | 01000 | 02000 | 010000 | 04000000 | 0200000), 0, TN_OREAD },
	{ "d", 0, 0, TN_OREAD },
	{ "d", 0200000, 0, TN_OREAD | TN_OF_DIRECTORY },
	{ "d", 1, 21, 0 },
	{ "d", 2, 21, 0 },
	{ "d", 01000, 21, 0 },
	{ "l", 0, 40, 0 },
	{ "l", 0400000, 40, 0 },
};

static void flags_of_open_become_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(opens); i++) {
		print_message("%s %o\n", opens[i].name, opens[i].flags);
		walk_to(opens[i].name);
		assert_int_equal(error_of(ASK(t_lopen(1, 5, opens[i].flags))), opens[i].error);
		assert_history(opens[i].error ? "" : "open");
		if (!opens[i].error)
			assert_int_equal(fake.last.flags, opens[i].of | TN_OF_NOFOLLOW);
	}
}

/* namespace-semantics: a server never follows a symbolic link for a peer that can do it itself. */
static void no_request_follows_links(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 6, "d"));
	assert_true(fake.last.flags & TN_OF_NOFOLLOW);
	ASK(t_fid(TN_TGETATTR, 1, 6));
	assert_true(fake.last.flags & TN_OF_NOFOLLOW);
}

/* ---- names ---- */

static const uint8_t makers[] = { TN_TLCREATE, TN_TMKDIR, TN_TMKNOD, TN_TSYMLINK, TN_TLINK,
	TN_TRENAME, TN_TRENAMEAT, TN_TUNLINKAT };

static void names_that_cannot_be_are_refused_before_the_server_is_asked(void **state)
{
	static char longer[300];
	const struct tn_str bad[] = { TN_STR(""), TN_STR("."), TN_STR(".."), TN_STR("a/b"),
		TN_STR("/"), TN_STR("../x"), { longer, 256 }, { longer, 300 } };

	(void)state;
	memset(longer, 'n', sizeof(longer));
	walk_to("d");
	for (size_t i = 0; i < TN_COUNT(makers); i++) {
		for (size_t n = 0; n < TN_COUNT(bad); n++) {
			struct tn_msg m = t_name(makers[i], 1, 5, bad[n]);

			print_message("%s %.*s\n", tn_msg_name(m.type), (int)bad[n].len, bad[n].s);
			assert_int_not_equal(error_of(ASK(m)), 0);
			if (m.type == TN_TRENAMEAT) {
				m.name = TN_STR("f");
				m.newname = bad[n];
				assert_int_not_equal(error_of(ASK(m)), 0);
			}
			assert_history("");
		}
	}
	ASK(t_name(TN_TSYMLINK, 1, 5, (struct tn_str){ longer, 255 }));
	assert_history("symlink");
}

/* intro(5): NUL is illegal in every string. EPROTO. */
static void a_nul_in_a_string_is_refused(void **state)
{
	(void)state;
	walk_to("d");
	for (size_t i = 0; i < TN_COUNT(makers); i++)
		assert_int_equal(
		    error_of(ASK(t_name(makers[i], 1, 5, (struct tn_str){ "a\0b", 3 }))), 71);
	assert_history("");
}

static void a_walk_of_a_name_that_is_too_long_ends_before_it(void **state)
{
	static char longer[256];
	struct tn_msg m = t_walk(1, 0, 6, "d d");

	(void)state;
	memset(longer, 'd', sizeof(longer));
	m.wname[1] = (struct tn_str){ longer, 256 };
	assert_int_equal(ASK(m).nwqid, 1);
	m.wname[0] = m.wname[1];
	fake.history[0] = '\0';
	assert_int_equal(error_of(ASK(m)), 36);
	assert_history("");
}

static void names_are_made_in_directories_only(void **state)
{
	(void)state;
	walk_to("f");
	for (size_t i = 0; i < TN_COUNT(makers); i++)
		assert_int_equal(error_of(ASK(t_name(makers[i], 1, 5, str("a")))), 20);
	assert_history("");
}

/* ---- Tlcreate ---- */

static const struct {
	uint32_t flags;
	const char *name;
	uint32_t error;
	const char *history;
} there[] = {
	{ 2 | 0100 | 0200, "f", 17, "create" }, { 2 | 0100, "f", 0, "create walk open" },
	{ 2 | 0100 | 01000, "f", 0, "create walk open" }, { 0 | 0100, "d", 0, "create walk open" },
	{ 2 | 0100, "d", 21, "create walk" }, { 2 | 0100, "l", 40, "create walk" },
	{ 2 | 0100, "x", 2, "create walk" }, /* removed between the two */
};

/* open(2), O_CREAT, O_EXCL; a symbolic link is the peer's to follow. */
static void a_name_that_is_there_is_opened_unless_excl(void **state)
{
	(void)state;
	fake.is_there = true;
	for (uint32_t late = 0; late < 8; late++) {
		for (size_t i = 0; i < TN_COUNT(there); i++) {
			struct tn_msg m = t_name(TN_TLCREATE, 1, 5, str(there[i].name)), r;

			fake.late = 0;
			walk_to("d");
			fake.late = (late & 1) << TN_CREATE | (late >> 1 & 1) << TN_WALK |
				    (late >> 2 & 1) << TN_OPEN;
			m.flags = there[i].flags;
			SAY(m);
			answer_all();
			assert_true(next_msg(&r));
			print_message("%u %s %o\n", late, there[i].name, there[i].flags);
			assert_int_equal(error_of(r), there[i].error);
			assert_memory_equal(fake.history, there[i].history,
			    strlen(there[i].history));
			fake.late = 0;
			if (!r.error)
				assert_int_equal(ASK(t_fid(TN_TGETATTR, 1, 5)).qid.path,
				    qid_of_name(str(there[i].name)).path);
			run_loop();
			assert_int_equal(fake.n_chans, 2);
		}
	}
}

static void a_create_makes_what_it_says(void **state)
{
	struct tn_msg m = t_name(TN_TLCREATE, 1, 5, str("new")), r;

	(void)state;
	walk_to("d");
	m.flags = 2 | 0100 | 02000;
	m.perm = 0107755; /* S_IFREG and all bits */
	r = ASK(m);
	assert_int_equal(r.type, TN_RLCREATE);
	assert_int_equal(fake.last.u.create.perm, 0755 | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX);
	assert_int_equal(fake.last.u.create.gid, 7);
	assert_int_equal(fake.last.flags, TN_ORDWR | TN_OF_APPEND | TN_OF_NOFOLLOW);
	assert_int_equal(ASK(t_write(1, 5, 0, "abc")).count, 3);
	assert_int_equal(ASK(t_read(1, 5, 0, 3)).count, 3);
	walk_to("d");
	m.perm = 0040755; /* no other kind than a plain file */
	assert_int_equal(error_of(ASK(m)), 22);
	m.perm = 0644;
	m.flags = 3;
	assert_int_equal(error_of(ASK(m)), 22);
	assert_history("");
}

/* ---- Tmkdir, Tmknod, Tsymlink ---- */

static void a_mkdir_leaves_its_fid_where_it_was(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 4; late++) {
		struct tn_msg m = t_name(TN_TMKDIR, 1, 5, str("dnew")), r;

		fake.late = 0;
		walk_to("d");
		fake.late = (late & 1) << TN_WALK | (late >> 1) << TN_CREATE;
		m.perm = 0041750;
		SAY(m);
		answer_all();
		assert_true(next_msg(&r));
		assert_int_equal(r.type, TN_RMKDIR);
		assert_int_equal(r.qid.path, qid_of_name(str("dnew")).path);
		assert_int_equal(r.qid.type, TN_QTDIR);
		assert_string_equal(fake.name, "dnew");
		fake.late = 0;
		assert_history("walk create clunk");
		assert_int_equal(fake.n_chans, 2);
		assert_int_equal(ASK(t_fid(TN_TGETATTR, 1, 5)).qid.path,
		    qid_of_name(str("d")).path);
	}
}

static const struct {
	uint32_t mode, error, perm;
	const char *target;
} nodes[] = {
	{ 0010640, 0, TN_DMNAMEDPIPE | 0640, "c" },
	{ 0140600, 0, TN_DMSOCKET | 0600, "c" },
	{ 0020600, 0, TN_DMDEVICE | 0600, "c" },
	{ 0060600, 0, TN_DMDEVICE | 0600, "b" },
	{ 0100644, 0, 0644, "c" },
	{ 0000644, 0, 0644, "c" },
	{ 0104755, 0, TN_DMSETUID | 0755, "c" },
	{ 0040755, 22, 0, "" },
	{ 0120777, 22, 0, "" },
	{ 0030644, 22, 0, "" },
	{ 0170644, 22, 0, "" },
};

static void kinds_of_nodes_become_ours(void **state)
{
	(void)state;
	walk_to("d");
	for (size_t i = 0; i < TN_COUNT(nodes); i++) {
		struct tn_msg m = t_name(TN_TMKNOD, 1, 5, str("n"));

		m.perm = nodes[i].mode;
		m.major = 8;
		m.minor = 300;
		assert_int_equal(error_of(ASK(m)), nodes[i].error);
		if (nodes[i].error)
			continue;
		assert_int_equal(fake.last.u.create.perm, nodes[i].perm);
		assert_string_equal(fake.target, nodes[i].target);
		assert_int_equal(fake.last.u.create.rdev_major, 8);
		assert_int_equal(fake.last.u.create.rdev_minor, 300);
	}
}

/* protocol.md: gid is the group of what is made. */
static void what_is_made_is_of_the_group_that_was_said(void **state)
{
	struct tn_msg m = t_name(TN_TMKNOD, 1, 5, str("n"));

	(void)state;
	walk_to("d");
	m.perm = 0010640;
	m.gid = 1234;
	assert_int_equal(ASK(m).type, TN_RMKNOD);
	assert_int_equal(fake.last.u.create.gid, 1234);
	m = t_name(TN_TSYMLINK, 1, 5, str("l"));
	m.target = str("t");
	m.gid = 4321;
	assert_int_equal(ASK(m).type, TN_RSYMLINK);
	assert_int_equal(fake.last.u.create.gid, 4321);
}

static void a_link_has_a_target_of_4096_bytes_at_most(void **state)
{
	static char target[4097];
	struct tn_msg m = t_name(TN_TSYMLINK, 1, 5, str("l"));

	(void)state;
	memset(target, 't', sizeof(target));
	walk_to("d");
	m.target = (struct tn_str){ target, 4096 };
	assert_int_equal(ASK(m).type, TN_RSYMLINK);
	m.target.len = 4097;
	assert_int_equal(error_of(ASK(m)), 36);
	m.target.len = 0;
	assert_int_equal(error_of(ASK(m)), 2);
}

static void a_readlink_gives_the_whole_target_or_an_error(void **state)
{
	static const struct {
		uint32_t msize, len, error;
	} rows[] = { { 8192, 6, 0 }, { 8192, 4096, 0 }, { 8192, 4097, 75 }, { 300, 291, 0 },
		{ 300, 292, 75 } };

	(void)state;
	for (int late = 0; late < 2; late++) {
		for (size_t i = 0; i < TN_COUNT(rows); i++) {
			struct tn_msg r;

			fake.late = 0;
			peer.msize = 0;
			ADD(t_version(rows[i].msize, "9P2000.L"));
			ADD(t_attach(1, 0, TN_NOFID));
			ADD(t_walk(1, 0, 5, "l"));
			send_batch();
			peer.msize = rows[i].msize;
			assert_got("Rversion 65535, Rattach 1, Rwalk 1");
			fake.late = late ? 1u << TN_READLINK : 0;
			fake.target_len = rows[i].len;
			SAY(t_fid(TN_TREADLINK, 1, 5));
			if (late)
				answer(0);
			settle();
			assert_true(next_msg(&r));
			assert_int_equal(error_of(r), rows[i].error);
			if (!rows[i].error)
				assert_int_equal(r.target.len, rows[i].len);
		}
	}
	fake.late = 0;
	walk_to("f");
	assert_int_equal(error_of(ASK(t_fid(TN_TREADLINK, 1, 5))), 22);
	assert_history("");
}

/* ---- Tlink, Trename, Trenameat ---- */

static void a_rename_says_which_file_and_where_to(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 6, "f"));
	walk_to("d");
	SAY((struct tn_msg){ .type = TN_TRENAME,
	    .tag = 1,
	    .fid = 6,
	    .newfid = 5,
	    .name = str("g") });
	assert_got("Rrename 1");
	assert_string_equal(fake.name, "");
	assert_string_equal(fake.newname, "g");
	assert_int_equal(fake.last.chan->qid.path, qid_of_name(str("f")).path);
	assert_int_equal(fake.last.chan2->qid.path, qid_of_name(str("d")).path);
	SAY((struct tn_msg){ .type = TN_TRENAMEAT,
	    .tag = 1,
	    .fid = 0,
	    .name = str("a"),
	    .newfid = 5,
	    .newname = str("b") });
	assert_got("Rrenameat 1");
	assert_string_equal(fake.name, "a");
	assert_string_equal(fake.newname, "b");
	assert_int_equal(fake.last.chan->qid.path, root_qid.path);
	SAY((struct tn_msg){ .type = TN_TLINK, .tag = 1, .fid = 5, .newfid = 6, .name = str("h") });
	assert_got("Rlink 1");
	assert_string_equal(fake.name, "h");
	assert_int_equal(fake.last.chan2->qid.path, qid_of_name(str("f")).path);
	assert_history("rename rename link");
	SAY((struct tn_msg){ .type = TN_TRENAME,
	    .tag = 1,
	    .fid = 5,
	    .newfid = 6,
	    .name = str("g") });
	assert_got("Rlerror 1 20");
	SAY((
	    struct tn_msg){ .type = TN_TLINK, .tag = 1, .fid = 5, .newfid = 77, .name = str("g") });
	assert_got("Rlerror 1 9");
	SAY((struct tn_msg){ .type = TN_TLINK,
	    .tag = 1,
	    .fid = 5,
	    .newfid = TN_NOFID,
	    .name = str("g") });
	assert_got("Rlerror 1 9");
	assert_history("");
}

/* One fid has one place in its line; both of two are held while the server has the request. */
static void a_fid_that_is_named_twice_does_not_wait_for_itself(void **state)
{
	(void)state;
	walk_to("d");
	fake.late = 1u << TN_RENAME | 1u << TN_WALK;
	SAY(t_walk(1, 5, 5, "d"));
	SAY(t_name(TN_TRENAMEAT, 2, 5, str("a"))); /* waits: fid is on its way */
	assert_int_equal(fake.n_held, 1);
	answer(0);
	assert_got("Rwalk 1");
	assert_int_equal(fake.n_held, 1);
	answer(0);
	assert_got("Rrenameat 2");
}

static void both_fids_of_a_link_stay_until_it_is_answered(void **state)
{
	(void)state;
	ASK(t_walk(1, 0, 6, "f"));
	walk_to("d");
	fake.late = 1u << TN_LINK;
	SAY((struct tn_msg){ .type = TN_TLINK, .tag = 1, .fid = 5, .newfid = 6, .name = str("h") });
	SAY(t_fid(TN_TCLUNK, 2, 6));
	SAY(t_fid(TN_TCLUNK, 3, 5));
	assert_got("");
	assert_history("");
	answer(0);
	assert_got("Rlink 1, Rclunk 2, Rclunk 3");
}

/* ---- Tunlinkat ---- */

static const struct {
	const char *name;
	uint32_t flags, error;
	const char *history;
} unlinks[] = {
	{ "f", 0, 0, "walk remove clunk" },
	{ "l", 0, 0, "walk remove clunk" },
	{ "d", 0x200, 0, "walk remove clunk" },
	{ "d", 0, 21, "walk clunk" },
	{ "f", 0x200, 20, "walk clunk" },
	{ "l", 0x200, 20, "walk clunk" },
	{ "x", 0, 2, "walk" },
	{ "f", 1, 22, "" },
	{ "f", 0x100, 22, "" },
	{ "d", 0x201, 22, "" },
};

/* unlinkat(2) */
static void an_unlinkat_removes_what_its_flags_say_it_is(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 4; late++) {
		for (size_t i = 0; i < TN_COUNT(unlinks); i++) {
			struct tn_msg m = t_name(TN_TUNLINKAT, 1, 0, str(unlinks[i].name)), r;

			fake.late = (late & 1) << TN_WALK | (late >> 1) << TN_REMOVE;
			m.flags = unlinks[i].flags;
			SAY(m);
			answer_all();
			assert_true(next_msg(&r));
			print_message("%s %x\n", unlinks[i].name, unlinks[i].flags);
			assert_int_equal(error_of(r), unlinks[i].error);
			assert_history(unlinks[i].history);
			assert_int_equal(fake.n_chans, 1);
		}
	}
}

/* flush(5): what is left to ask is not asked. */
static void a_flush_between_its_requests_ends_an_unlinkat(void **state)
{
	(void)state;
	fake.late = 1u << TN_WALK;
	fake.on_flush = FLUSH_ANSWERS;
	SAY(t_name(TN_TUNLINKAT, 1, 0, str("f")));
	SAY(t_flush(2, 1));
	assert_got("Rflush 2");
	assert_history("flush walk clunk");
}

/* ---- attributes ---- */

static void what_a_server_does_not_know_is_least_wrong(void **state)
{
	struct tn_msg r;

	(void)state;
	fake.stat = (struct tn_stat){ .valid = TN_ST_QID | TN_ST_MODE | TN_ST_MTIME,
		.mode = 0644,
		.mtime_ns = -1,
		.length = 513 };
	r = ASK(t_fid(TN_TGETATTR, 1, 0));
	assert_int_equal(r.valid, 0x7ff);
	assert_int_equal(r.perm, 0100644);
	assert_int_equal(r.uid, 65534);
	assert_int_equal(r.gid, 65534);
	assert_int_equal(r.nlink, 1);
	assert_int_equal(r.blksize, 4096);
	assert_int_equal(r.blocks, 2);
	assert_int_equal((int64_t)r.mtime_sec, -1);
	assert_int_equal(r.mtime_nsec, 999999999);
	assert_int_equal((int64_t)r.ctime_sec, -1);
	fake.stat.valid |= TN_ST_NUID | TN_ST_NGID | TN_ST_BTIME | TN_ST_GEN | TN_ST_DATA_VERSION |
			   TN_ST_NLINK | TN_ST_RDEV | TN_ST_EXTENSION | TN_ST_ATIME;
	fake.stat.n_uid = 1;
	fake.stat.n_gid = 2;
	fake.stat.btime_ns = INT64_MAX;
	fake.stat.gen = 3;
	fake.stat.data_version = 4;
	fake.stat.nlink = 5;
	fake.stat.rdev = 6;
	fake.stat.mode = TN_DMDEVICE | TN_DMSETGID | 0600;
	fake.stat.extension = TN_STR("b 8 0");
	r = ASK(t_fid(TN_TGETATTR, 1, 0));
	assert_int_equal(r.valid, 0x3fff);
	assert_int_equal(r.perm, 0062600);
	assert_int_equal(r.uid, 1);
	assert_int_equal(r.gid, 2);
	assert_int_equal(r.btime_sec, 9223372036);
	assert_int_equal(r.gen, 3);
	assert_int_equal(r.data_version, 4);
	assert_int_equal(r.nlink, 5);
	assert_int_equal(r.rdev, 6);
	assert_int_equal(r.atime_sec, 0);
}

static const struct {
	const char *what, *name;
	struct tn_msg m;
	uint32_t error;
	struct tn_stat st; /* valid: what the server hears; 0: nothing */
} changes[] = {
	{ "nothing", "f", { .valid = 0, .perm = 0777 }, 0, { 0 } },
	{ "the time of the change alone", "f", { .valid = 0x40 }, 0, { 0 } },
	{ "mode", "f", { .valid = 1, .perm = 0104640 }, 0,
	    { .valid = TN_ST_MODE, .mode = TN_DMSETUID | 0640 } },
	{ "mode of a directory", "d", { .valid = 1, .perm = 0750 }, 0,
	    { .valid = TN_ST_MODE, .mode = TN_DMDIR | 0750 } },
	{ "owner", "f", { .valid = 6, .uid = 1, .gid = 2 }, 0,
	    { .valid = TN_ST_NUID | TN_ST_NGID, .n_uid = 1, .n_gid = 2 } },
	{ "no owner", "f", { .valid = 2, .uid = UINT32_MAX }, 22, { 0 } },
	{ "no group", "f", { .valid = 4, .gid = UINT32_MAX }, 22, { 0 } },
	{ "size", "f", { .valid = 8, .length = INT64_MAX }, 0,
	    { .valid = TN_ST_LENGTH, .length = INT64_MAX } },
	{ "size beyond 63 bits", "f", { .valid = 8, .length = (uint64_t)INT64_MAX + 1 }, 27,
	    { 0 } },
	{ "size of a directory", "d", { .valid = 8 }, 21, { 0 } },
	{ "times of now", "f", { .valid = 0x30, .atime_sec = 1, .mtime_sec = 1 }, 0,
	    { .valid = TN_ST_ATIME_NOW | TN_ST_MTIME_NOW } },
	{ "given times", "f",
	    { .valid = 0x1b0,
		.atime_sec = 2,
		.atime_nsec = 3,
		.mtime_sec = UINT64_MAX,
		.mtime_nsec = 999999999 },
	    0, { .valid = TN_ST_ATIME | TN_ST_MTIME, .atime_ns = 2000000003, .mtime_ns = -1 } },
	{ "times beyond ours", "f",
	    { .valid = 0x1b0, .atime_sec = INT64_MAX, .mtime_sec = (uint64_t)INT64_MIN }, 0,
	    { .valid = TN_ST_ATIME | TN_ST_MTIME, .atime_ns = INT64_MAX, .mtime_ns = INT64_MIN } },
	{ "SET without the time", "f", { .valid = 0x180 }, 0, { 0 } },
	{ "more than a second of nanoseconds", "f", { .valid = 0x90, .atime_nsec = 1000000000 }, 22,
	    { 0 } },
	{ "bits that nobody knows", "f", { .valid = 0xfffffe00 }, 0, { 0 } },
};

static void a_setattr_changes_what_its_mask_says(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		for (size_t i = 0; i < TN_COUNT(changes); i++) {
			const struct tn_stat *want = &changes[i].st;
			struct tn_msg m = changes[i].m, r;

			m.type = TN_TSETATTR;
			m.tag = 1;
			m.fid = 5;
			fake.late = 0;
			walk_to(changes[i].name);
			memset(&fake.last_stat, 0, sizeof(fake.last_stat));
			fake.late = late ? 1u << TN_WSTAT : 0;
			SAY(m);
			SAY(t_fid(TN_TGETATTR, 2, 0)); /* the in buffer is used anew */
			if (fake.n_held > 0)
				answer(0);
			settle();
			do
				assert_true(next_msg(&r));
			while (r.tag != 1);
			print_message("%s\n", changes[i].what);
			assert_int_equal(error_of(r), changes[i].error);
			assert_int_equal(fake.last_stat.valid, want->valid);
			assert_int_equal(fake.last_stat.mode, want->mode);
			assert_int_equal(fake.last_stat.n_uid, want->n_uid);
			assert_int_equal(fake.last_stat.n_gid, want->n_gid);
			assert_int_equal(fake.last_stat.length, want->length);
			assert_int_equal(fake.last_stat.atime_ns, want->atime_ns);
			assert_int_equal(fake.last_stat.mtime_ns, want->mtime_ns);
			got();
		}
	}
}

/* ---- Treaddir ---- */

enum { ENTRY = 13 + 8 + 1 + 2 + 4 }; /* bytes of an entry with a name of four */

static unsigned n_entries_of(const struct tn_msg *r, uint64_t first)
{
	unsigned n = 0;

	assert_int_equal(r->type, TN_RREADDIR);
	for (size_t at = 0, used; at < r->count; at += used, n++) {
		struct tn_dirent d;
		char name[16];

		assert_int_equal(tn_dirent_decode(&d, r->data + at, r->count - at, &used),
		    TN_CODEC_OK);
		snprintf(name, sizeof(name), "e%03u", (unsigned)first + n);
		assert_memory_equal(d.name.s, name, 4);
		assert_int_equal(d.offset, first + n + 1);
		assert_int_equal(d.type, 8);
	}
	return n;
}

/* A cookie is good for as long as its server says, in any order; it goes there as it came. */
static void a_directory_is_read_from_any_cookie(void **state)
{
	static const uint64_t offsets[] = { 0, 7, 39, 40, 3, 0, UINT64_MAX, (uint64_t)1 << 63 };

	(void)state;
	walk_to("d");
	assert_int_equal(ASK(t_lopen(1, 5, 0200000)).type, TN_RLOPEN);
	for (int late = 0; late < 2; late++) {
		fake.late = late ? 1u << TN_READDIR : 0;
		for (size_t i = 0; i < TN_COUNT(offsets); i++) {
			struct tn_msg r;

			SAY(t_readdir(1, 5, offsets[i], 5 * ENTRY + ENTRY - 1));
			if (late)
				answer(0);
			settle();
			assert_true(next_msg(&r));
			assert_int_equal(n_entries_of(&r, offsets[i]), offsets[i] >= 40 ? 0
								       : offsets[i] > 35
									   ? 40 - offsets[i]
									   : 5);
			assert_int_equal(fake.last.u.readdir.offset, offsets[i]);
		}
	}
}

static void an_entry_that_does_not_fit_is_an_error(void **state)
{
	(void)state;
	walk_to("d");
	ASK(t_lopen(1, 5, 0));
	assert_int_equal(error_of(ASK(t_readdir(1, 5, 0, ENTRY - 1))), 22);
	assert_int_equal(error_of(ASK(t_readdir(1, 5, 0, 1))), 22);
	assert_int_equal(ASK(t_readdir(1, 5, 0, 0)).count, 0);
	assert_int_equal(ASK(t_readdir(1, 5, 0, ENTRY)).count, ENTRY);
	fake.n_entries = 1000;
	assert_in_range(ASK(t_readdir(1, 5, 0, UINT32_MAX)).count, 8192 - 11 - ENTRY, 8192 - 11);
}

static void directories_are_listed_and_files_are_read(void **state)
{
	(void)state;
	walk_to("d");
	assert_int_equal(error_of(ASK(t_readdir(1, 5, 0, 1000))), 9);
	ASK(t_lopen(1, 5, 0));
	assert_int_equal(error_of(ASK(t_read(1, 5, 0, 1000))), 21);
	walk_to("f");
	ASK(t_lopen(1, 5, 0));
	assert_int_equal(error_of(ASK(t_readdir(1, 5, 0, 1000))), 20);
	assert_int_equal(ASK(t_read(1, 5, 3, 4)).count, 4);
}

/* ---- the rest ---- */

static void a_statfs_says_what_the_server_says_or_that_there_are_no_blocks(void **state)
{
	struct tn_msg r = ASK(t_fid(TN_TSTATFS, 1, 0));

	(void)state;
	assert_int_equal(r.statfs.type, 1);
	assert_int_equal(r.statfs.bsize, 2);
	assert_int_equal(r.statfs.namelen, 3);
	assert_int_equal(r.statfs.blocks, 4);
	assert_int_equal(r.statfs.bfree, 5);
	assert_int_equal(r.statfs.bavail, 6);
	assert_int_equal(r.statfs.files, 7);
	assert_int_equal(r.statfs.ffree, 8);
	assert_int_equal(r.statfs.fsid, 9);
	fake.fail = TN_ENOTSUP;
	r = ASK(t_fid(TN_TSTATFS, 1, 0));
	assert_int_equal(r.type, TN_RSTATFS);
	assert_int_equal(r.statfs.blocks, 0);
	assert_int_equal(r.statfs.namelen, 255);
	fake.fail = TN_EIO;
	assert_int_equal(error_of(ASK(t_fid(TN_TSTATFS, 1, 0))), 5);
}

static void an_fsync_needs_an_open_file(void **state)
{
	struct tn_msg m = { .type = TN_TFSYNC, .tag = 1, .fid = 5, .flags = 1 };

	(void)state;
	walk_to("f");
	assert_int_equal(error_of(ASK(m)), 9);
	ASK(t_lopen(1, 5, 1));
	assert_int_equal(ASK(m).type, TN_RFSYNC);
	assert_int_equal(fake.last.u.range.how, 1);
	m.flags = 0;
	ASK(m);
	assert_int_equal(fake.last.u.range.how, 0);
}

static const struct {
	enum tn_err err;
	const char *words;
	uint32_t number;
} errors[] = {
	{ TN_ENOENT, NULL, 2 },
	{ TN_EREMOTE, "the dog ate it", 5 },
	{ TN_EEXIST, "there is one", 17 },
	{ TN_ELIMIT_FIDS, NULL, 24 },
	{ TN_ESTALE, NULL, 116 },
};

static void errors_are_numbers_whatever_the_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(errors); i++) {
		fake.fail = errors[i].err;
		fake.words = errors[i].words;
		assert_int_equal(error_of(ASK(t_fid(TN_TGETATTR, 1, 0))), errors[i].number);
	}
}

/* Messages of 9P2000 that .L has others for. */
static void the_replaced_messages_are_refused(void **state)
{
	static const uint8_t types[] = { TN_TOPEN, TN_TCREATE, TN_TSTAT, TN_TWSTAT };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		uint8_t frame[] = { 11, 0, 0, 0, types[i], 1, 0, 0, 0, 0, 0 };

		push_all(frame, sizeof(frame));
		assert_got("Rlerror 1 71");
	}
	assert_history("");
}

static void every_message_on_an_unknown_fid_is_refused(void **state)
{
	static const uint8_t types[] = { TN_TSTATFS, TN_TLOPEN, TN_TLCREATE, TN_TSYMLINK, TN_TMKNOD,
		TN_TRENAME, TN_TREADLINK, TN_TGETATTR, TN_TSETATTR, TN_TXATTRWALK, TN_TXATTRCREATE,
		TN_TREADDIR, TN_TFSYNC, TN_TLOCK, TN_TGETLOCK, TN_TLINK, TN_TMKDIR, TN_TRENAMEAT,
		TN_TUNLINKAT, TN_TREAD, TN_TWRITE, TN_TCLUNK, TN_TREMOVE };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		struct tn_msg m = t_name(types[i], 1, 77, str("a"));

		m.newfid = 78;
		m.data = (const uint8_t *)"";
		m.client_id = str("c");
		print_message("%s\n", tn_msg_name(m.type));
		assert_int_equal(error_of(ASK(m)), 9);
	}
	assert_history("");
}

/* docs/architecture.md. Everything else that is said here is 9P2000.L. */
static void between_two_of_us_errors_are_words_and_a_number(void **state)
{
	struct tn_msg r;

	(void)state;
	start(NULL);
	peer.msize = 8192;
	r = ASK(t_version(8192, "9P2000.L.tenon"));
	assert_int_equal(r.type, TN_RVERSION);
	assert_int_equal(r.version.len, strlen("9P2000.L.tenon"));
	assert_memory_equal(r.version.s, "9P2000.L.tenon", r.version.len);
	peer.dialect = TN_9P2000_TENON;
	assert_int_equal(ASK(t_attach(1, 0, TN_NOFID)).type, TN_RATTACH);
	assert_int_equal(ASK(t_walk(1, 0, 5, "f")).type, TN_RWALK);
	assert_int_equal(ASK(t_lopen(1, 5, 0)).type, TN_RLOPEN);
	fake.fail = TN_ECONNLOST;
	fake.words = "connection lost: tcp!far!564";
	r = ASK(t_read(1, 5, 0, 10));
	assert_int_equal(r.type, TN_RERROR);
	assert_int_equal(r.error, 104);
	assert_int_equal(r.ename.len, strlen(fake.words));
	assert_memory_equal(r.ename.s, fake.words, r.ename.len);
	/* A new session in 9P2000.L itself. */
	fake.fail = TN_OK;
	assert_int_equal(ASK(t_version(8192, "9P2000.L")).type, TN_RVERSION);
	peer.dialect = TN_9P2000_L;
	assert_int_equal(error_of(ASK(t_fid(TN_TREADLINK, 1, 5))), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOT_L(the_number_of_an_attach_is_who_asks),
		DOT_L(half_a_user_is_whom_the_host_knows_by_it),
		DOT_L(an_open_fid_is_cloned_and_not_walked_from),
		DOT_L(flags_of_open_become_ours),
		DOT_L(no_request_follows_links),
		DOT_L(names_that_cannot_be_are_refused_before_the_server_is_asked),
		DOT_L(a_nul_in_a_string_is_refused),
		DOT_L(a_walk_of_a_name_that_is_too_long_ends_before_it),
		DOT_L(names_are_made_in_directories_only),
		DOT_L(a_name_that_is_there_is_opened_unless_excl),
		DOT_L(a_create_makes_what_it_says),
		DOT_L(a_mkdir_leaves_its_fid_where_it_was),
		DOT_L(kinds_of_nodes_become_ours),
		DOT_L(what_is_made_is_of_the_group_that_was_said),
		DOT_L(a_link_has_a_target_of_4096_bytes_at_most),
		DOT_L(a_readlink_gives_the_whole_target_or_an_error),
		DOT_L(a_rename_says_which_file_and_where_to),
		DOT_L(a_fid_that_is_named_twice_does_not_wait_for_itself),
		DOT_L(both_fids_of_a_link_stay_until_it_is_answered),
		DOT_L(an_unlinkat_removes_what_its_flags_say_it_is),
		DOT_L(a_flush_between_its_requests_ends_an_unlinkat),
		DOT_L(what_a_server_does_not_know_is_least_wrong),
		DOT_L(a_setattr_changes_what_its_mask_says),
		DOT_L(a_directory_is_read_from_any_cookie),
		DOT_L(an_entry_that_does_not_fit_is_an_error),
		DOT_L(directories_are_listed_and_files_are_read),
		DOT_L(a_statfs_says_what_the_server_says_or_that_there_are_no_blocks),
		DOT_L(an_fsync_needs_an_open_file),
		DOT_L(errors_are_numbers_whatever_the_words),
		DOT_L(the_replaced_messages_are_refused),
		DOT_L(every_message_on_an_unknown_fid_is_refused),
		BARE(between_two_of_us_errors_are_words_and_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
