/*
 * conn in 9P2000.u, a message at a time: what is made by Tcreate's extension, stats with their extension and numbers,
 * errors with text and errno. The "9p2000.u" internet draft.
 */
#include "talk.h"

static int setup_u(void **state)
{
	(void)state;
	start_dialect(NULL, TN_9P2000_U);
	ASK(t_walk(1, 0, 6, "f"));
	fake.history[0] = '\0';
	return 0;
}

/* A session with fid 6 at a file. */
#define DOT_U(f) cmocka_unit_test_setup_teardown(f, setup_u, teardown)

static struct tn_msg t_make(uint32_t perm, const char *name, const char *extension)
{
	struct tn_msg m = t_create(1, 5, name, perm, TN_OREAD);

	m.extension = (struct tn_str){ extension, (uint32_t)strlen(extension) };
	return m;
}

static void walk_to(const char *name)
{
	ASK(t_fid(TN_TCLUNK, 1, 5));
	ASK(t_walk(1, 0, 5, name));
	fake.history[0] = '\0';
}

static const struct {
	uint32_t perm;
	const char *extension, *history; /* history "": refused before the server is asked */
} makes[] = {
	{ TN_DMSYMLINK | 0777, "some/target", "symlink walk" },
	{ TN_DMSYMLINK | 0777, "", "" },
	{ TN_DMLINK | 0644, "6", "link walk" },
	{ TN_DMLINK | 0644, "6\n", "link walk" }, /* as Linux's client says it */
	{ TN_DMLINK | 0644, "7", "" },
	{ TN_DMLINK | 0644, "", "" },
	{ TN_DMLINK | 0644, "x", "" },
	{ TN_DMLINK | 0644, "6x", "" },
	{ TN_DMLINK | 0644, "6\n\n", "" },
	{ TN_DMLINK | 0644, "-1", "" },
	{ TN_DMLINK | 0644, "4294967295", "" },
	{ TN_DMLINK | 0644, "4294967302", "" }, /* 6, to those who count to 32 bits */
	{ TN_DMLINK | 0644, "18446744073709551622", "" },
	{ TN_DMNAMEDPIPE | 0644, "", "mknod walk" },
	{ TN_DMSOCKET | 0644, "", "mknod walk" },
	{ TN_DMDEVICE | TN_DMSETUID | 0644, "c 1 3", "mknod walk" },
	{ TN_DMDEVICE | 0644, "b 4294967295 0", "mknod walk" },
	{ TN_DMDEVICE | 0644, "b 4294967296 0", "" },
	{ TN_DMDEVICE | 0644, "", "" },
	{ TN_DMDEVICE | 0644, "c", "" },
	{ TN_DMDEVICE | 0644, "c 1", "" },
	{ TN_DMDEVICE | 0644, "c 1 ", "" },
	{ TN_DMDEVICE | 0644, "c 1 3 ", "" },
	{ TN_DMDEVICE | 0644, "c  1 3", "" },
	{ TN_DMDEVICE | 0644, "x 1 3", "" },
	{ TN_DMDEVICE | TN_DMNAMEDPIPE | 0644, "c 1 3", "" },
	{ TN_DMDEVICE | TN_DMDIR | 0644, "c 1 3", "" },
	{ TN_DMNAMEDPIPE | TN_DMAPPEND | 0644, "", "" },
	{ 0644, "ignored", "create" },
	{ TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | 0755, "", "create" },
};

static void what_a_create_makes_is_in_its_mode_and_extension(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 2; late++) {
		for (size_t i = 0; i < TN_COUNT(makes); i++) {
			struct tn_msg r;

			fake.late = 0;
			walk_to("d");
			fake.late = late ? UINT32_MAX : 0;
			SAY(t_make(makes[i].perm, "new", makes[i].extension));
			while (fake.n_held > 0) {
				answer(0);
				run_loop();
			}
			settle();
			fake.late = 0;
			print_message("%x %s\n", makes[i].perm, makes[i].extension);
			assert_true(next_msg(&r));
			assert_int_equal(r.type, *makes[i].history ? TN_RCREATE : TN_RERROR);
			assert_int_equal(r.type == TN_RERROR && r.error == 0, 0);
			assert_memory_equal(fake.history, makes[i].history,
			    strlen(makes[i].history));
			if (!*makes[i].history)
				assert_history("");
			/* The fid is what was made, or the directory still. */
			r = ASK(t_fid(TN_TSTAT, 1, 5));
			assert_int_equal(r.stat.qid.path,
			    qid_of_name(*makes[i].history ? TN_STR("new") : TN_STR("d")).path);
		}
	}
}

static void a_device_is_told_as_it_was_said(void **state)
{
	(void)state;
	walk_to("d");
	ASK(t_make(TN_DMDEVICE | 0600, "new", "b 8 300"));
	assert_string_equal(fake.target, "b 8 300");
	walk_to("d");
	fake.late = 1u << TN_MKNOD;
	SAY(t_make(TN_DMDEVICE | 0600, "new", "b 8 300"));
	assert_int_equal(fake.held[0]->u.create.rdev_major, 8);
	assert_int_equal(fake.held[0]->u.create.rdev_minor, 300);
	assert_int_equal(fake.held[0]->u.create.perm, TN_DMDEVICE | 0600);
	answer(0);
	assert_got("Rcreate 1");
}

static void the_fid_of_a_hard_link_stays_until_it_is_made(void **state)
{
	(void)state;
	walk_to("d");
	fake.late = 1u << TN_LINK;
	SAY(t_make(TN_DMLINK | 0644, "new", "6"));
	assert_int_equal(fake.held[0]->chan2->qid.path, qid_of_name(TN_STR("f")).path);
	SAY(t_fid(TN_TCLUNK, 2, 6));
	assert_got("");
	answer(0);
	assert_got("Rcreate 1, Rclunk 2");
}

/* A link to the directory that the fid stands for: one place in one line. */
static void a_fid_may_name_itself(void **state)
{
	(void)state;
	walk_to("d");
	assert_int_equal(ASK(t_make(TN_DMLINK | 0644, "new", "5")).type, TN_RERROR);
	assert_history("");
}

static void the_target_of_a_link_is_asked_for(void **state)
{
	struct tn_msg r;

	(void)state;
	walk_to("l");
	for (uint32_t late = 0; late < 4; late++) {
		fake.late = (late & 1) << TN_READLINK | (late >> 1) << TN_STAT;
		fake.target_len = late & 2 ? 4096 : 0;
		SAY(t_fid(TN_TSTAT, 1, 5));
		while (fake.n_held > 0) {
			answer(0);
			run_loop();
		}
		settle();
		assert_true(next_msg(&r));
		assert_int_equal(r.type, TN_RSTAT);
		assert_history("readlink stat");
		assert_int_equal(r.stat.extension.len, late & 2 ? 4096 : 6);
		assert_true(r.stat.mode & TN_DMSYMLINK);
	}
	fake.late = 0;
	fake.target_len = 4097;
	assert_int_equal(ASK(t_fid(TN_TSTAT, 1, 5)).error, 75);
	ASK(t_fid(TN_TSTAT, 1, 6));
	assert_history("readlink stat");
	assert_int_equal(ASK(t_open(1, 5, TN_OREAD)).error, 40);
	assert_history("");
}

static void a_flush_between_its_requests_ends_a_stat_of_a_link(void **state)
{
	(void)state;
	walk_to("l");
	fake.history[0] = '\0';
	fake.late = 1u << TN_READLINK;
	SAY(t_fid(TN_TSTAT, 1, 5));
	SAY(t_flush(2, 1));
	assert_got("Rflush 2");
	assert_history("flush");
}

static const struct {
	const char *what;
	struct tn_stat st;
	uint32_t error, valid;
} wstats[] = {
	{ "nothing: sync", { 0 }, 0, 0 },
	{ "setuid", { .valid = TN_ST_MODE, .mode = TN_DMSETUID | 0755 }, 0, TN_ST_MODE },
	{ "a link of a file", { .valid = TN_ST_MODE, .mode = TN_DMSYMLINK | 0755 }, 1, 0 },
	{ "owners by number", { .valid = TN_ST_NUID | TN_ST_NGID, .n_uid = 1, .n_gid = 2 }, 0,
	    TN_ST_NUID | TN_ST_NGID },
	{ "who changed it last", { .valid = TN_ST_NMUID, .n_muid = 1 }, 1, 0 },
	{ "the extension", { .valid = TN_ST_EXTENSION, .extension = { "x", 1 } }, 1, 0 },
	{ "a name, and who gives it: v9fs_vfs_rename()",
	    { .valid = TN_ST_NAME | TN_ST_MUID, .name = { "new", 3 }, .muid = { "root", 4 } }, 0,
	    TN_ST_NAME },
	{ "who changed it last, by name", { .valid = TN_ST_MUID, .muid = { "root", 4 } }, 0,
	    TN_ST_MUID },
};

static void a_wstat_touches_what_unix_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(wstats); i++) {
		struct tn_msg r;

		memset(&fake.last_stat, 0, sizeof(fake.last_stat));
		print_message("%s\n", wstats[i].what);
		r = ASK(t_wstat(1, 6, wstats[i].st));
		assert_int_equal(r.type == TN_RERROR ? r.error : 0, wstats[i].error);
		assert_history(wstats[i].error ? "" : "wstat");
		assert_int_equal(fake.last_stat.valid, wstats[i].valid);
	}
}

/* Linux's v9fs_stat2inode() takes 0xffffffff for an owner that it does not have: nobody may make files there. */
static void an_owner_whose_number_is_not_known_is_65534(void **state)
{
	struct tn_stat st;
	struct tn_msg r;
	size_t used;

	(void)state;
	fake.stat = (struct tn_stat){ .valid = TN_ST_MODE | TN_ST_UID | TN_ST_NAME,
		.mode = 0644,
		.uid = TN_STR("glenda"),
		.name = TN_STR("f") };
	r = ASK(t_fid(TN_TSTAT, 1, 6));
	assert_int_equal(r.stat.n_uid, 65534);
	assert_int_equal(r.stat.n_gid, 65534);
	assert_false(r.stat.valid & TN_ST_NMUID);
	fake.stat.valid |= TN_ST_NUID | TN_ST_NGID;
	fake.stat.n_uid = 0;
	fake.stat.n_gid = 7;
	r = ASK(t_fid(TN_TSTAT, 1, 6));
	assert_int_equal(r.stat.n_uid, 0);
	assert_int_equal(r.stat.n_gid, 7);
	/* Directories are the same stats. */
	walk_to("d");
	ASK(t_open(1, 5, TN_OREAD));
	r = ASK(t_read(1, 5, 0, 1000));
	assert_int_equal(tn_stat_decode(&st, TN_9P2000_U, r.data, r.count, &used), TN_CODEC_OK);
	assert_int_equal(st.n_uid, 65534);
}

/* v9fs_stat2inode() reads the count of a plain file from its extension, which is empty for one of one name. */
static const struct {
	struct tn_stat st;
	const char *extension;
} links[] = {
	{ { .valid = TN_ST_NLINK, .mode = 0644, .nlink = 2 }, "HARDLINKCOUNT 2" },
	{ { .valid = TN_ST_NLINK, .mode = 0644, .nlink = UINT32_MAX }, "HARDLINKCOUNT 4294967295" },
	{ { .valid = TN_ST_NLINK, .mode = 0644, .nlink = UINT64_C(1) << 32 }, "" },
	{ { .valid = TN_ST_NLINK, .mode = 0644, .nlink = 1 }, "" },
	{ { .valid = TN_ST_NLINK, .mode = 0644, .nlink = 0 }, "" },
	{ { .mode = 0644, .nlink = 2 }, "" },
	{ { .valid = TN_ST_NLINK, .mode = TN_DMNAMEDPIPE | 0644, .nlink = 2 }, "" },
	{ { .valid = TN_ST_NLINK | TN_ST_EXTENSION,
	      .mode = TN_DMDEVICE | 0644,
	      .nlink = 2,
	      .extension = { "c 1 3", 5 } },
	    "c 1 3" },
};

static void links_of_a_plain_file_are_counted_in_its_extension(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(links); i++) {
		struct tn_str got;

		fake.stat = links[i].st;
		fake.stat.valid |= TN_ST_MODE;
		got = ASK(t_fid(TN_TSTAT, 1, 6)).stat.extension;
		assert_int_equal(got.len, strlen(links[i].extension));
		if (got.len > 0)
			assert_memory_equal(got.s, links[i].extension, got.len);
	}
}

static void an_open_may_append(void **state)
{
	(void)state;
	ASK(t_open(1, 6, TN_OWRITE | 0x80));
	assert_int_equal(fake.last.flags, TN_OWRITE | TN_OF_APPEND | TN_OF_NOFOLLOW);
	walk_to("f");
	assert_int_equal(ASK(t_open(1, 5, 0x20)).type, TN_RERROR);
}

static void an_error_has_a_text_and_a_number(void **state)
{
	struct tn_msg r;

	(void)state;
	fake.fail = TN_EREMOTE;
	fake.words = "the dog ate it";
	r = ASK(t_fid(TN_TSTAT, 1, 6));
	assert_int_equal(r.ename.len, 14);
	assert_int_equal(r.error, 5);
	fake.words = NULL;
	for (unsigned err = 1; err < TN_ERRS; err++) {
		fake.fail = (enum tn_err)err;
		assert_int_not_equal(ASK(t_fid(TN_TSTAT, 1, 6)).error, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DOT_U(what_a_create_makes_is_in_its_mode_and_extension),
		DOT_U(a_device_is_told_as_it_was_said),
		DOT_U(the_fid_of_a_hard_link_stays_until_it_is_made),
		DOT_U(a_fid_may_name_itself),
		DOT_U(the_target_of_a_link_is_asked_for),
		DOT_U(a_flush_between_its_requests_ends_a_stat_of_a_link),
		DOT_U(a_wstat_touches_what_unix_may),
		DOT_U(an_owner_whose_number_is_not_known_is_65534),
		DOT_U(links_of_a_plain_file_are_counted_in_its_extension),
		DOT_U(an_open_may_append),
		DOT_U(an_error_has_a_text_and_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
