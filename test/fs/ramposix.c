/*
 * What POSIX peers ask of #ram beside 9P2000: attributes (xattr(7)), a file that is renamed by its Chan, modes and groups
 * as ext4 has them.
 */
#include "drive.h"
#include "fs/ram.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root; /* of an attach as glenda */
static uint8_t value[TN_XATTR_MAX + 1];
static uint32_t len; /* what the last get answered */
static void start_with(const struct tn_ram_options *o)
{
	loop_start();
	server = tn_ram_new(&loop, o);
	assert_non_null(server);
	root = attach(server, "glenda");
}

static int setup(void **state)
{
	(void)state;
	start_with(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

static uint64_t bytes_used(void)
{
	struct tn_ram_use u;

	tn_loop_run(&loop);
	tn_ram_use(server, &u);
	return u.bytes;
}

/* ---- attributes ---- */

static enum tn_err set_on(struct tn_chan *c, struct tn_str name, const void *data, uint32_t size,
    uint32_t how)
{
	struct tn_req r;

	tn_req_init(&r, TN_XATTRSET, c, &driver);
	r.u.xattr.name = name;
	r.u.xattr.data = (uint8_t *)(uintptr_t)data;
	r.u.xattr.size = size;
	r.u.xattr.how = how;
	return ask(&r);
}

static enum tn_err set(struct tn_chan *from, const char *file, const char *name, const char *text,
    uint32_t how)
{
	struct tn_chan *c = at(from, file);
	enum tn_err err = set_on(c, str(name), text, (uint32_t)strlen(text), how);

	turn(c);
	return err;
}

static enum tn_err get(struct tn_chan *from, const char *file, const char *name, uint32_t size)
{
	struct tn_chan *c = at(from, file);
	struct tn_req r;
	enum tn_err err;

	memset(value, 0, sizeof(value));
	tn_req_init(&r, TN_XATTRGET, c, &driver);
	r.u.xattr.name = str(name);
	r.u.xattr.data = value;
	r.u.xattr.size = size;
	err = ask(&r);
	len = r.u.xattr.len;
	turn(c);
	return err;
}

static void a_value_is_set_read_listed_and_removed(void **state)
{
	static const char *const files[] = { "f", "d", "" };
	int64_t ctime_ns;

	(void)state;
	put_file(root, "f", "text", 0644);
	make_dir(root, "d", 0755);
	for (size_t i = 0; i < TN_COUNT(files); i++) {
		uint32_t version = stat_at(root, files[i])->qid.version;
		int64_t mtime_ns = seen.st.mtime_ns;

		ctime_ns = seen.st.ctime_ns;
		assert_int_equal(set(root, files[i], "user.a", "one", 0), TN_OK);
		assert_int_equal(set(root, files[i], "user.b", "", 0), TN_OK);
		assert_int_equal(set(root, files[i], "user.a", "two more", 0), TN_OK);
		assert_int_equal(get(root, files[i], "user.a", 100), TN_OK);
		assert_int_equal(len, 8);
		assert_string_equal((char *)value, "two more");
		assert_int_equal(get(root, files[i], "user.b", 100), TN_OK);
		assert_int_equal(len, 0);
		assert_int_equal(get(root, files[i], "", 100), TN_OK);
		assert_int_equal(len, 14);
		assert_memory_equal(value, "user.a\0user.b", 14);
		assert_int_equal(set(root, files[i], "user.a", "", TN_XATTR_REMOVE), TN_OK);
		assert_int_equal(get(root, files[i], "user.a", 100), TN_ENODATA);
		assert_int_equal(get(root, files[i], "", 100), TN_OK);
		assert_memory_equal(value, "user.b", 7);
		stat_at(root, files[i]); /* inode(7): ctime alone */
		assert_true(seen.st.ctime_ns > ctime_ns);
		assert_int_equal(seen.st.mtime_ns, mtime_ns);
		assert_int_equal(seen.st.qid.version, version);
	}
	assert_string_equal(cat(root, "f"), "text");
}

static void size_0_asks_for_the_size_and_too_small_is_erange(void **state)
{
	(void)state;
	put_file(root, "f", "", 0644);
	assert_int_equal(set(root, "f", "user.a", "twelve bytes", 0), TN_OK);
	assert_int_equal(get(root, "f", "user.a", 0), TN_OK);
	assert_int_equal(len, 12);
	assert_int_equal(get(root, "f", "user.a", 11), TN_ERANGE);
	assert_int_equal(get(root, "f", "user.a", 12), TN_OK);
	assert_int_equal(get(root, "f", "", 0), TN_OK);
	assert_int_equal(len, 7);
	assert_int_equal(get(root, "f", "", 6), TN_ERANGE);
	assert_int_equal(get(root, "f", "", 7), TN_OK);
}

static const struct {
	const char *name;
	uint32_t how;
	enum tn_err err;
} hows[] = {
	{ "user.new", TN_XATTR_CREATE, TN_OK },
	{ "user.new", TN_XATTR_CREATE, TN_EEXIST },
	{ "user.new", TN_XATTR_REPLACE, TN_OK },
	{ "user.no", TN_XATTR_REPLACE, TN_ENODATA },
	{ "user.no", TN_XATTR_REMOVE, TN_ENODATA },
	{ "user.new", TN_XATTR_REMOVE | TN_XATTR_CREATE, TN_EINVAL },
	{ "user.new", 8, TN_EINVAL },
	{ "user.new", TN_XATTR_REMOVE, TN_OK },
	{ "user.new", 0, TN_OK },
	{ "trusted.a", 0, TN_ENOTSUP },
	{ "security.a", 0, TN_ENOTSUP },
	{ "system.posix_acl_access", 0, TN_ENOTSUP },
	{ "userx", 0, TN_ENOTSUP },
	{ "user.", 0, TN_EINVAL },
	{ "", 0, TN_ERANGE },
};

/* setxattr(2), removexattr(2), xattr(7). */
static void how_says_what_must_be_there_and_only_user_is(void **state)
{
	struct tn_chan *c;

	(void)state;
	put_file(root, "f", "", 0644);
	for (size_t i = 0; i < TN_COUNT(hows); i++) {
		print_message("%s, %u\n", hows[i].name, hows[i].how);
		assert_int_equal(set(root, "f", hows[i].name, "x", hows[i].how), hows[i].err);
	}
	assert_int_equal(get(root, "f", "trusted.a", 10), TN_ENOTSUP);
	put_file(root, "g", "", 0644);
	c = at(root, "g");
	assert_int_equal(set_on(c, (struct tn_str){ "user.\0a", 7 }, "x", 1, 0), TN_EINVAL);
	turn(c);
}

/* xattr(7): "access ... is defined by the file permission bits"; a link has none. */
static void who_may_read_a_file_reads_them_and_who_may_write_it_writes_them(void **state)
{
	struct tn_chan *rob = attach(server, "rob");
	struct tn_req r;

	(void)state;
	put_file(root, "f", "", 0604);
	put_file(root, "w", "", 0602);
	tn_req_init(&r, TN_SYMLINK, root, &driver);
	r.u.create.name = str("l");
	r.u.create.target = str("f");
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(set(root, "f", "user.a", "one", 0), TN_OK);
	assert_int_equal(get(rob, "f", "user.a", 10), TN_OK);
	assert_int_equal(set(rob, "f", "user.a", "two", 0), TN_EACCES);
	assert_int_equal(set(rob, "f", "user.a", "", TN_XATTR_REMOVE), TN_EACCES);
	assert_int_equal(set(rob, "w", "user.a", "one", 0), TN_OK);
	assert_int_equal(get(rob, "w", "user.a", 10), TN_EACCES);
	assert_int_equal(set(root, "l", "user.a", "x", 0), TN_EPERM);
	assert_int_equal(get(root, "l", "user.a", 10), TN_ENODATA);
	assert_int_equal(get(root, "l", "", 10), TN_OK);
	assert_int_equal(len, 0);
	turn(rob);
}

static void names_values_and_lists_are_as_long_as_linux_has_them(void **state)
{
	struct tn_chan *c;
	char name[TN_XATTR_NAME_MAX + 2];
	uint32_t n = 0;
	enum tn_err err;

	(void)state;
	put_file(root, "f", "", 0644);
	c = at(root, "f");
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[TN_XATTR_NAME_MAX + 1] = 0;
	assert_int_equal(set_on(c, str(name), "x", 1, 0), TN_ERANGE);
	name[TN_XATTR_NAME_MAX] = 0;
	assert_int_equal(set_on(c, str(name), "x", 1, 0), TN_OK);
	assert_int_equal(set_on(c, str(name), value, TN_XATTR_MAX + 1, 0), TN_E2BIG);
	assert_int_equal(set_on(c, str(name), value, TN_XATTR_MAX, 0), TN_OK);
	assert_int_equal(set_on(c, str(name), value, TN_XATTR_MAX - 1, 0), TN_OK);
	assert_int_equal(set_on(c, str(name), "", 0, TN_XATTR_REMOVE), TN_OK);
	do { /* 256 bytes of the list each */
		snprintf(name + 5, 5, "%04u", n++);
		name[9] = 'n';
		err = set_on(c, str(name), "", 0, 0);
	} while (err == TN_OK);
	assert_int_equal(err, TN_ENOSPC);
	assert_int_equal(n, TN_XATTR_MAX / 256 + 1);
	assert_int_equal(get(root, "f", "", TN_XATTR_MAX), TN_OK);
	assert_int_equal(len, TN_XATTR_MAX);
	turn(c);
}

/* Each name has a byte behind it in a list: listxattr(2). */
static void a_list_that_would_be_a_byte_too_long_is_refused(void **state)
{
	struct tn_chan *c;
	char name[TN_XATTR_NAME_MAX + 1];
	int n;

	(void)state;
	put_file(root, "f", "", 0644);
	c = at(root, "f");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	for (n = 0; n < TN_XATTR_MAX / 256 - 1; n++) {
		snprintf(name, 10, "user.%04d", n);
		name[9] = 'n';
		assert_int_equal(set_on(c, str(name), "", 0, 0), TN_OK);
	}
	name[127] = 0; /* 128 of the 256 bytes that are left */
	assert_int_equal(set_on(c, str(name), "", 0, 0), TN_OK);
	name[5] = 'm';
	name[127] = 'n';
	name[128] = 0;
	assert_int_equal(set_on(c, str(name), "", 0, 0), TN_ENOSPC);
	name[127] = 0;
	assert_int_equal(set_on(c, str(name), "", 0, 0), TN_OK);
	turn(c);
}

static void attributes_take_of_the_trees_memory_and_give_it_back(void **state)
{
	static const struct tn_ram_options small = { .bytes_max = 4096 };
	uint64_t one, name_len = 6;
	struct tn_chan *c;

	(void)state;
	teardown(NULL);
	start_with(&small);
	put_file(root, "f", "", 0644);
	c = at(root, "f");
	assert_int_equal(set_on(c, TN_STR("user.a"), value, 100, 0), TN_OK);
	one = bytes_used() - 100 - name_len;
	assert_int_equal(set_on(c, TN_STR("user.a"), value, 10, 0), TN_OK);
	assert_int_equal(bytes_used(), one + name_len + 10);
	for (uint32_t more = 0; more < 3; more++) { /* n - 1, n, n + 1 */
		uint32_t size = (uint32_t)(4096 - one - name_len) - 1 + more;

		assert_int_equal(set_on(c, TN_STR("user.a"), value, size, 0),
		    more < 2 ? TN_OK : TN_ENOSPC);
	}
	assert_int_equal(bytes_used(), 4096);
	assert_int_equal(set_on(c, TN_STR("user.b"), value, 0, 0), TN_ENOSPC);
	assert_int_equal(set_on(c, TN_STR("user.a"), value, 0, 0), TN_OK);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	turn(c);
	assert_int_equal(bytes_used(), 0);
}

static void without_memory_an_attribute_is_as_it_was(void **state)
{
	struct tn_chan *c;

	(void)state;
	put_file(root, "f", "", 0644);
	assert_int_equal(set(root, "f", "user.a", "one", 0), TN_OK);
	c = at(root, "f");
	allocations_left = 0;
	tn_alloc_hook = allow;
	assert_int_equal(set_on(c, TN_STR("user.a"), "two", 3, 0), TN_ENOMEM);
	assert_int_equal(set_on(c, TN_STR("user.b"), "two", 3, 0), TN_ENOMEM);
	tn_alloc_hook = NULL;
	turn(c);
	assert_int_equal(get(root, "f", "user.a", 10), TN_OK);
	assert_string_equal((char *)value, "one");
	assert_int_equal(get(root, "f", "", 10), TN_OK);
	assert_int_equal(len, 7);
}

/* ---- a file renamed by its Chan ---- */

static enum tn_err rename_itself(struct tn_chan *file, struct tn_chan *dir, const char *name,
    uint32_t how)
{
	struct tn_req r;

	tn_req_init(&r, TN_RENAME, file, &driver);
	r.chan2 = dir;
	r.u.rename.newname = str(name);
	r.u.rename.how = how;
	return ask(&r);
}

/* .L's Trename: wherever it is by now. */
static void a_file_is_renamed_by_its_chan(void **state)
{
	struct tn_chan *f, *d;

	(void)state;
	put_file(root, "f", "text", 0644);
	put_file(root, "g", "other", 0644);
	make_dir(root, "d", 0755);
	f = at(root, "f");
	d = at(root, "d");
	assert_int_equal(rename_itself(f, d, "new", 0), TN_OK);
	assert_string_equal(list(root, ""), "g d/");
	assert_string_equal(cat(root, "d/new"), "text");
	assert_int_equal(rename_itself(f, d, "newer", 0), TN_OK); /* the same Chan, from there */
	assert_int_equal(rename_itself(f, root, "g", 1), TN_EEXIST);
	assert_int_equal(rename_itself(f, root, "g", 2), TN_OK);
	assert_string_equal(cat(root, "d/newer"), "other");
	assert_string_equal(cat(root, "g"), "text");
	assert_int_equal(rename_itself(f, d, "..", 0), TN_EINVAL);
	assert_int_equal(rename_itself(f, d, "", 0), TN_EEMPTYNAME);
	assert_int_equal(rename_itself(d, d, "in itself", 0), TN_EINVAL);
	assert_int_equal(rename_itself(root, d, "root", 0), TN_EACCES);
	assert_int_equal(rename_itself(d, f, "x", 0), TN_ENOTDIR);
	assert_int_equal(remove_at(root, "g"), TN_OK);
	assert_int_equal(rename_itself(f, root, "gone", 0), TN_ENOENT);
	turn(f);
	turn(d);
}

/* ---- modes, groups, stats ---- */

/* inode(7): S_ISVTX. */
static void where_the_sticky_bit_is_names_go_with_their_owners(void **state)
{
	struct tn_chan *rob = attach(server, "rob"), *ken = attach(server, "ken"), *d, *f;

	(void)state;
	turn(create_at(root, "d", TN_OREAD, TN_DMDIR | TN_DMSETVTX | 0777));
	d = at(rob, "d");
	put_file(d, "f", "", 0666);
	put_file(d, "g", "", 0666);
	turn(d);
	d = at(ken, "d");
	put_file(d, "k", "", 0666);
	assert_int_equal(remove_at(d, "f"), TN_EPERM);
	f = at(d, "f");
	assert_int_equal(rename_itself(f, d, "x", 0), TN_EPERM);
	turn(f);
	f = at(d, "k");
	assert_int_equal(rename_itself(f, d, "f", 0), TN_EPERM);
	turn(f);
	assert_int_equal(remove_at(d, "k"), TN_OK);
	turn(d);
	d = at(root, "d");
	assert_int_equal(remove_at(d, "g"), TN_OK); /* the directory is hers */
	turn(d);
	d = at(rob, "d");
	assert_int_equal(remove_at(d, "f"), TN_OK);
	turn(d);
	turn(rob);
	turn(ken);
}

static const struct {
	const char *what;
	uint32_t dir, asked; /* the directory's mode; the gid of the create */
	uint32_t flags;
	uint32_t mode, gid; /* of a directory that is made there */
} groups[] = {
	{ "his own", 0777, 200, 0, 0750, 200 },
	{ "none is asked for", 0777, TN_NONUNAME, 0, 0750, 100 },
	{ "not his", 0777, 300, 0, 0750, 100 },
	{ "below setgid", TN_DMSETGID | 0777, 200, 0, TN_DMSETGID | 0750, 100 },
	{ "Plan 9's create", 0777, 200, TN_OF_INHERIT, 0750, 100 },
};

/* mkdir(2), open(2). */
static void a_new_file_has_the_group_that_ext4_would_give_it(void **state)
{
	struct tn_chan *owner, *rob;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(groups); i++) {
		struct tn_chan *c;
		struct tn_req r;

		print_message("%s\n", groups[i].what);
		turn(root);
		tn_server_put(server);
		server = tn_ram_new(&loop, NULL);
		root = owner = attach_number(server, "glenda", 1, 100);
		rob = attach_number(server, "rob", 2, 200);
		turn(create_at(owner, "d", TN_OREAD, TN_DMDIR | groups[i].dir));
		c = at(rob, "d");
		tn_req_init(&r, TN_CREATE, c, &driver);
		r.flags = groups[i].flags;
		r.u.create.name = str("new");
		r.u.create.perm = TN_DMDIR | 0750;
		r.u.create.gid = groups[i].asked;
		assert_int_equal(ask(&r), TN_OK);
		turn(c);
		assert_int_equal(stat_at(root, "d/new")->mode, TN_DMDIR | groups[i].mode);
		assert_int_equal(seen.st.n_gid, groups[i].gid);
		assert_int_equal(seen.st.n_uid, 2);
		turn(rob);
	}
}

/* chmod(2) knows nothing of DMAPPEND and DMEXCL: who follows links himself is Unix. */
static void a_chmod_of_unix_leaves_the_other_bits(void **state)
{
	struct tn_stat st = { .valid = TN_ST_MODE, .mode = 0600 };
	struct tn_req r;
	struct tn_chan *c;

	(void)state;
	put_file(root, "f", "", TN_DMAPPEND | 0644);
	c = at(root, "f");
	tn_req_init(&r, TN_WSTAT, c, &driver);
	r.flags = TN_OF_NOFOLLOW;
	r.u.wstat.st = &st;
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(stat_at(root, "f")->mode, TN_DMAPPEND | 0600);
	tn_req_init(&r, TN_WSTAT, c, &driver);
	r.u.wstat.st = &st;
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(stat_at(root, "f")->mode, 0600);
	turn(c);
}

static void a_stat_has_all_that_unix_asks_for(void **state)
{
	const uint32_t want = TN_ST_NLINK | TN_ST_RDEV | TN_ST_BLOCKS | TN_ST_BTIME | TN_ST_CTIME |
			      TN_ST_GEN | TN_ST_DATA_VERSION | TN_ST_NUID | TN_ST_NGID;
	struct tn_chan *rob = attach_number(server, "rob", 2, 200);

	(void)state;
	put_file(rob, "f", "text", 0644);
	stat_at(root, "f");
	assert_int_equal(seen.st.valid & want & ~TN_ST_NGID, want & ~TN_ST_NGID);
	assert_int_equal(seen.st.n_uid, 2);
	assert_int_equal(seen.st.data_version, seen.st.qid.version);
	turn(rob);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_is_set_read_listed_and_removed),
		TEST(size_0_asks_for_the_size_and_too_small_is_erange),
		TEST(how_says_what_must_be_there_and_only_user_is),
		TEST(who_may_read_a_file_reads_them_and_who_may_write_it_writes_them),
		TEST(names_values_and_lists_are_as_long_as_linux_has_them),
		TEST(a_list_that_would_be_a_byte_too_long_is_refused),
		TEST(attributes_take_of_the_trees_memory_and_give_it_back),
		TEST(without_memory_an_attribute_is_as_it_was),
		TEST(a_file_is_renamed_by_its_chan),
		TEST(where_the_sticky_bit_is_names_go_with_their_owners),
		TEST(a_new_file_has_the_group_that_ext4_would_give_it),
		TEST(a_chmod_of_unix_leaves_the_other_bits),
		TEST(a_stat_has_all_that_unix_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
