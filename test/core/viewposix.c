/*
 * What POSIX peers ask of a view beside 9P2000: attributes, locks, files that are renamed by their Chans.
 */
#include "core/view.h"
#include "fs/ram.h"
#include "lib/call.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tn_server *ram[2];
static struct tn_user *user;
static struct tn_proc *p; /* serves */
static struct tn_proc *q; /* has mounted the view on / */
static struct tn_server *view;
static uint8_t value[64];

static void use_view_with(struct tn_view_options o)
{
	struct tn_chan *c = tn_call_walk(p, "/", TN_FOR_TARGET);

	view = tn_view_new(p, c, &o);
	tn_chan_put(c);
	q = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(q, view, "/", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_chdir(q, "/"), 0);
}

static void use_view(bool read_only)
{
	use_view_with((struct tn_view_options){ .read_only = read_only });
}

/* ram 0 on /: a/f, b/f, m, u, one; ram 1 on /m: a/f; /a and /b, which is where files are made, on /u */
static int set_up(void **state)
{
	(void)state;
	world_init();
	user = tn_user_new(TN_STR("glenda"), 1000, 1000);
	for (int i = 0; i < 2; i++) {
		ram[i] = tn_ram_new(&loop, &(struct tn_ram_options){ .owner = user });
		tn_ram_put_dir(ram[i], str("/a"), 0775);
		tn_ram_put_file(ram[i], str("/a/f"), 0664, str("a/f"));
	}
	tn_ram_put_dir(ram[0], str("/b"), 0775);
	tn_ram_put_file(ram[0], str("/b/g"), 0664, str("b/g"));
	tn_ram_put_dir(ram[0], str("/m"), 0775);
	tn_ram_put_dir(ram[0], str("/u"), 0775);
	tn_ram_put_file(ram[0], str("/one"), 0664, str("one"));
	p = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(p, ram[0], "/", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_mount(p, ram[1], "/m", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_bind(p, "/a", "/u", TN_REPL), 0);
	assert_int_equal(tn_call_bind(p, "/b", "/u", TN_AFTER | TN_CREATE_HERE), 0);
	assert_int_equal(tn_call_chdir(p, "/"), 0);
	use_view(false);
	return 0;
}

static void drop_view(void)
{
	tn_proc_put(q);
	settle();
	tn_server_put(view);
}

static int tear_down(void **state)
{
	(void)state;
	drop_view();
	tn_ns_clear(p->ns);
	tn_proc_put(p);
	settle();
	tn_server_put(ram[0]);
	tn_server_put(ram[1]);
	tn_user_put(user);
	world_fini();
	return 0;
}

/* Sends r and drops its Chans. */
static enum tn_err end(struct tn_req *r)
{
	tn_call_req(r);
	tn_chan_put(r->chan);
	tn_chan_put(r->chan2);
	settle();
	return (enum tn_err)r->err;
}

static struct tn_req begin(struct tn_proc *who, enum tn_req_type type, const char *name)
{
	struct tn_chan *c = tn_call_walk(who, name, TN_FOR_ACCESS);
	struct tn_req r;

	assert_non_null(c);
	tn_req_init(&r, type, c, &tn_call_owner);
	return r;
}

/* ---- attributes ---- */

static enum tn_err set(const char *name, const char *text)
{
	struct tn_req r = begin(q, TN_XATTRSET, name);

	r.u.xattr.name = TN_STR("user.a");
	r.u.xattr.data = (uint8_t *)(uintptr_t)text;
	r.u.xattr.size = (uint32_t)strlen(text);
	return end(&r);
}

static const char *get(struct tn_proc *who, const char *name)
{
	struct tn_req r = begin(who, TN_XATTRGET, name);
	enum tn_err err;

	memset(value, 0, sizeof(value));
	r.u.xattr.name = TN_STR("user.a");
	r.u.xattr.data = value;
	r.u.xattr.size = sizeof(value);
	err = end(&r);
	return err ? tn_err_name(err) : (char *)value;
}

static void attributes_are_those_of_what_is_shown(void **state)
{
	struct tn_proc *bare = tn_proc_new(&node, user);

	(void)state;
	assert_int_equal(tn_call_mount(bare, ram[0], "/", TN_REPL, ""), 0);
	assert_int_equal(tn_call_mount(bare, ram[1], "/b", TN_REPL, ""), 0);
	assert_int_equal(set("/one", "of one"), TN_OK);
	assert_int_equal(set("/m", "of what is mounted"), TN_OK);
	assert_int_equal(set("/u", "of the first"), TN_OK);
	assert_string_equal(get(q, "/one"), "of one");
	assert_string_equal(get(q, "/m"), "of what is mounted");
	assert_string_equal(get(q, "/u"), "of the first");
	assert_string_equal(get(q, "/b"), "TN_ENODATA");
	assert_string_equal(get(bare, "/m"), "TN_ENODATA");
	assert_string_equal(get(bare, "/a"), "of the first");
	tn_proc_put(bare);
	settle();
}

static void a_read_only_view_has_attributes_as_they_are(void **state)
{
	(void)state;
	assert_int_equal(set("/one", "before"), TN_OK);
	drop_view();
	use_view(true);
	assert_int_equal(set("/one", "after"), TN_EROFS);
	assert_string_equal(get(q, "/one"), "before");
}

/* ---- locks ---- */

static enum tn_err lock(int fd, enum tn_req_type type, uint64_t owner)
{
	struct tn_req r;

	tn_req_init(&r, type, tn_call_chan(q, fd), &tn_call_owner);
	r.u.lock.owner = owner;
	r.u.lock.type = TN_LK_WRITE;
	tn_call_req(&r);
	return r.err ? (enum tn_err)r.err : r.u.lock.type == TN_LK_UNLOCK ? TN_OK : TN_EBUSY;
}

static void locks_go_through_and_end_with_the_fid(void **state)
{
	int a = tn_call_open(q, "/one", TN_ORDWR), b = tn_call_open(q, "/one", TN_ORDWR);

	(void)state;
	assert_int_equal(lock(a, TN_GETLOCK, 1), TN_OK);
	assert_int_equal(lock(a, TN_LOCK, 1), TN_EBUSY); /* set; its type is as it was */
	assert_int_equal(lock(b, TN_LOCK, 2), TN_EAGAIN);
	assert_int_equal(lock(b, TN_GETLOCK, 2), TN_EBUSY);
	assert_int_equal(tn_call_close(q, a), 0);
	assert_int_equal(lock(b, TN_GETLOCK, 2), TN_OK);
	assert_int_equal(tn_call_close(q, b), 0);
}

/* ---- a file renamed by its Chan ---- */

static const struct {
	const char *file, *dir, *name;
	enum tn_err err;
	const char *now; /* where it is then, in what is served */
} renames[] = {
	{ "/one", "/b", "two", TN_OK, "/b/two" },
	{ "/b/g", "/", "g", TN_OK, "/g" },
	{ "/b/g", "/a", "f", TN_OK, "/a/f" }, /* over another */
	{ "/a", "/b", "dir", TN_OK, "/b/dir" },
	/* In a union: a name that is there is replaced where it is; */
	{ "/one", "/u", "f", TN_OK, "/a/f" },
	/* a new one goes where files are made; */
	{ "/one", "/u", "new", TN_OK, "/b/new" },
	/* and a file stays in its member. */
	{ "/u/f", "/u", "new", TN_OK, "/a/new" },
	{ "/m/a/f", "/m", "up", TN_OK, "/m/up" },
	{ "/one", "/m", "one", TN_EXDEV, "/one" },
	{ "/m", "/b", "m", TN_EISMOUNT, "/m" },
	{ "/one", "/", "m", TN_EISMOUNT, "/one" },
	{ "/", "/b", "root", TN_EACCES, "/" },
	{ "/one", "/b", "..", TN_EBADARG, "/one" },
	{ "/one", "/b/g", "x", TN_ENOTDIR, "/one" },
};

static void a_file_is_renamed_by_its_fid(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(renames); i++) {
		struct tn_req r;
		struct tn_chan *c;

		print_message("%s to %s/%s\n", renames[i].file, renames[i].dir, renames[i].name);
		tear_down(NULL);
		set_up(NULL);
		r = begin(q, TN_RENAME, renames[i].file);
		r.chan2 = tn_call_walk(q, renames[i].dir, TN_FOR_ACCESS);
		r.u.rename.newname = str(renames[i].name);
		assert_int_equal(end(&r), renames[i].err);
		c = tn_call_walk(p, renames[i].now, TN_FOR_TARGET);
		assert_non_null(c);
		tn_chan_put(c);
		if (renames[i].err == TN_OK)
			assert_null(tn_call_walk(p, renames[i].file, TN_FOR_TARGET));
	}
}

static void a_read_only_view_renames_nothing(void **state)
{
	struct tn_req r;

	(void)state;
	drop_view();
	use_view(true);
	r = begin(q, TN_RENAME, "/one");
	r.chan2 = tn_call_walk(q, "/b", TN_FOR_TARGET);
	r.u.rename.newname = TN_STR("x");
	assert_int_equal(end(&r), TN_EROFS);
}

/* ---- names and flags; ranges of files ---- */

/* What a file holds, in what is served. */
static const char *text_of(const char *name)
{
	static char text[16];
	int fd = tn_call_open(p, name, TN_OREAD);

	memset(text, 0, sizeof(text));
	assert_true(fd >= 0);
	assert_true(tn_call_read(p, fd, text, sizeof(text) - 1) >= 0);
	tn_call_close(p, fd);
	return text;
}

enum { NOREPLACE = 1, EXCHANGE = 2 };

static const struct {
	const char *dir, *name, *to, *newname;
	uint32_t how;
	enum tn_err err;
	const char *now, *text; /* what is there then, in what is served */
} flags[] = {
	{ "/", "one", "/b", "g", EXCHANGE, TN_OK, "/one", "b/g" },
	{ "/b", "g", "/", "one", EXCHANGE, TN_OK, "/b/g", "one" },
	/* In a union: each stays in the member where the other was. */
	{ "/u", "f", "/u", "g", EXCHANGE, TN_OK, "/a/f", "b/g" },
	{ "/u", "f", "/u", "g", EXCHANGE, TN_OK, "/b/g", "a/f" },
	{ "/", "one", "/b", "none", EXCHANGE, TN_ENOENT, "/one", "one" },
	{ "/", "none", "/b", "g", EXCHANGE, TN_ENOENT, "/b/g", "b/g" },
	{ "/", "one", "/m/a", "f", EXCHANGE, TN_EXDEV, "/one", "one" },
	{ "/", "one", "/", "m", EXCHANGE, TN_EISMOUNT, "/one", "one" },
	{ "/", "m", "/", "one", EXCHANGE, TN_EISMOUNT, "/one", "one" },
	{ "/", "one", "/b", "..", EXCHANGE, TN_EBADARG, "/one", "one" },
	{ "/", "one", "/b", "g", NOREPLACE | EXCHANGE, TN_EINVAL, "/one", "one" },
	{ "/", "one", "/b", "g", NOREPLACE, TN_EEXIST, "/b/g", "b/g" },
	{ "/", "one", "/u", "f", NOREPLACE, TN_EEXIST, "/a/f", "a/f" },
	{ "/", "one", "/u", "g", NOREPLACE, TN_EEXIST, "/b/g", "b/g" },
	{ "/", "one", "/u", "new", NOREPLACE, TN_OK, "/b/new", "one" },
};

static struct tn_req begin_rename(const char *dir, const char *to)
{
	struct tn_req r = begin(q, TN_RENAME, dir);

	r.chan2 = tn_call_walk(q, to, TN_FOR_ACCESS);
	return r;
}

/* rename(2), and namespace-semantics.md 7 for where a name of a union is. */
static void flags_of_a_rename_hold_across_members_and_mounts(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(flags); i++) {
		struct tn_req r;

		print_message("%s of %s/%s, %s/%s\n",
		    flags[i].how == NOREPLACE ? "name" : "exchange", flags[i].dir, flags[i].name,
		    flags[i].to, flags[i].newname);
		tear_down(NULL);
		set_up(NULL);
		r = begin_rename(flags[i].dir, flags[i].to);
		r.u.rename.name = str(flags[i].name);
		r.u.rename.newname = str(flags[i].newname);
		r.u.rename.how = flags[i].how;
		assert_string_equal(tn_err_name(end(&r)), tn_err_name(flags[i].err));
		assert_string_equal(text_of(flags[i].now), flags[i].text);
	}
}

static enum tn_err range(int fd, enum tn_req_type type, uint32_t how, uint64_t offset,
    uint64_t length)
{
	struct tn_req r;

	tn_req_init(&r, type, tn_call_chan(q, fd), &tn_call_owner);
	r.chan2 = r.chan;
	r.u.range.how = how;
	r.u.range.offset = offset;
	r.u.range.length = length;
	tn_call_req(&r);
	return (enum tn_err)r.err;
}

/* fallocate(2), lseek(2), copy_file_range(2): the server's answers, #ram's here; in a view that is read-only no changes. */
static void ranges_of_files_are_the_servers(void **state)
{
	(void)state;
	for (int read_only = 0; read_only < 2; read_only++) {
		int fd;

		drop_view();
		use_view(read_only);
		fd = tn_call_open(q, "/one", read_only ? TN_OREAD : TN_ORDWR);
		assert_true(fd >= 0);
		assert_int_equal(range(fd, TN_SEEKHOLE, 4, 0, 0), TN_OK);
		assert_int_equal(range(fd, TN_SEEKHOLE, 4, 9999999, 0), TN_ENXIO);
		assert_int_equal(range(fd, TN_FALLOCATE, 1, 0, 1000), read_only ? TN_EROFS : TN_OK);
		assert_int_equal(range(fd, TN_FALLOCATE, 0x80, 0, 1000),
		    read_only ? TN_EROFS : TN_ENOTSUP);
		assert_int_equal(range(fd, TN_COPYRANGE, 0, 0, 1),
		    read_only ? TN_EROFS : TN_ENOTSUP);
		tn_call_close(q, fd);
	}
}

/* ---- for whom ---- */

static const char *owner_of(const char *name)
{
	static char text[32];
	struct tn_call_stat s;

	assert_int_equal(tn_call_stat(q, name, &s), 0);
	snprintf(text, sizeof(text), "%.*s", (int)s.st.uid.len, s.st.uid.s);
	tn_free(s.text);
	return text;
}

static void the_servers_are_asked_for_whoever_asks_if_it_is_so_wanted(void **state)
{
	struct tn_user *rob = tn_user_new(TN_STR("rob"), 1001, 1001);

	(void)state;
	tn_ram_set_perm(ram[0], TN_STR("/u"), 0777);
	tn_ram_set_perm(ram[0], TN_STR("/b"), 0777);
	tn_ram_set_perm(ram[0], TN_STR("/one"), 0600);
	for (int as_asker = 0; as_asker < 2; as_asker++) {
		struct tn_proc *his;
		int fd;

		drop_view();
		use_view_with((struct tn_view_options){ .as_asker = as_asker });
		his = tn_proc_new(&node, rob);
		assert_int_equal(tn_call_mount(his, view, "/", TN_REPL | TN_CREATE_HERE, ""), 0);
		fd = tn_call_open(his, "/one", TN_OREAD); /* glenda's own */
		assert_int_equal(fd >= 0, !as_asker);
		tn_call_close(his, fd);
		fd = tn_call_create(his, "/u/new", TN_OWRITE, 0666); /* in a union */
		assert_true(fd >= 0);
		tn_call_close(his, fd);
		assert_string_equal(owner_of("/b/new"), as_asker ? "rob" : "glenda");
		assert_int_equal(tn_call_remove(his, "/a/f"), as_asker ? -1 : 0);
		tn_ram_put_file(ram[0], TN_STR("/a/f"), 0644, TN_STR(""));
		assert_int_equal(tn_call_remove(his, "/u/new"), 0);
		tn_proc_put(his);
		settle();
	}
	tn_user_put(rob);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attributes_are_those_of_what_is_shown),
		TEST(a_read_only_view_has_attributes_as_they_are),
		TEST(locks_go_through_and_end_with_the_fid),
		TEST(a_file_is_renamed_by_its_fid),
		TEST(a_read_only_view_renames_nothing),
		TEST(flags_of_a_rename_hold_across_members_and_mounts),
		TEST(ranges_of_files_are_the_servers),
		TEST(the_servers_are_asked_for_whoever_asks_if_it_is_so_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
