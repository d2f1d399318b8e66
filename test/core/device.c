/*
 * The tree server: a table of files is a file server, with directories, dot dot, listings and permissions.
 */
#include "core/chan.h"
#include "core/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum tn_status hello(struct tn_req *r)
{
	return tn_reply_text(r, "hello\n", 6);
}

static const struct tn_file files[] = {
	{ .name = "top", .perm = 0444, .read = hello },
	{ .name = "dir", .perm = TN_DMDIR | 0555 },
	{ .name = "in", .perm = 0666, .depth = 2 },
	{ .name = "sub", .perm = TN_DMDIR | 0555, .depth = 2 },
	{ .name = "deep", .perm = 0222, .depth = 3 },
	{ .name = "last", .perm = 0444 },
};
static const struct tn_device device = { "#test", files, TN_COUNT(files) };

static struct tn_loop loop;
static struct tn_server *server;
static struct tn_chan *root;
static char listing[256];

static bool list_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)r;
	(void)next;
	strncat(listing, st->name.s, st->name.len);
	strcat(listing, st->mode & TN_DMDIR ? "/ " : " ");
	return true;
}

static const struct tn_owner owner = { .entry = list_entry };

static int setup(void **state)
{
	struct tn_req r;

	(void)state;
	tn_loop_init(&loop, NULL, NULL);
	server = tn_device_server(&device, &loop, NULL, NULL);
	root = tn_chan_new(server, NULL);
	tn_req_init(&r, TN_ATTACH, NULL, &owner);
	r.server = server;
	r.u.attach.newchan = root;
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(r.err, TN_OK);
	listing[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	tn_loop_run(&loop);
	tn_loop_fini(&loop);
	return 0;
}

/* The Chan that "a/b" leads to, or NULL with the number of names walked in *walked and the error in *err. */
static struct tn_chan *walk(const char *path, unsigned *walked, enum tn_err *err)
{
	struct tn_str names[8];
	struct tn_qid qids[8];
	struct tn_req r;
	uint16_t n = 0;

	for (const char *s = path; *s; s += names[n].len + (s[names[n].len] == '/'), n++)
		names[n] = (struct tn_str){ s, (uint32_t)strcspn(s, "/") };
	tn_req_init(&r, TN_WALK, root, &owner);
	r.u.walk.names = names;
	r.u.walk.qids = qids;
	r.u.walk.n_names = n;
	r.u.walk.newchan = tn_chan_clone(root);
	assert_int_equal(tn_submit(&r), TN_DONE);
	*walked = r.u.walk.n_walked;
	*err = (enum tn_err)r.err;
	if (r.err == TN_OK && r.u.walk.n_walked == n)
		return r.u.walk.newchan;
	tn_chan_put(r.u.walk.newchan);
	return NULL;
}

static const struct {
	const char *path, *name; /* the file's name, or NULL: it is not reached */
	unsigned walked;
	enum tn_err err;
} walks[] = {
	{ "", "", 0, TN_OK },
	{ "top", "top", 1, TN_OK },
	{ "dir/sub/deep", "deep", 3, TN_OK },
	{ "dir/sub/../in", "in", 4, TN_OK },
	{ "..", "", 1, TN_OK },
	{ "dir/..", "", 2, TN_OK },
	{ "deep", NULL, 0, TN_ENOENT },
	{ "dir/nope", NULL, 1, TN_OK },
	{ "top/x", NULL, 1, TN_OK },
	{ "dir/last", NULL, 1, TN_OK },
};

static void names_lead_where_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(walks); i++) {
		unsigned walked;
		enum tn_err err;
		struct tn_chan *c = walk(walks[i].path, &walked, &err);

		print_message("%s\n", walks[i].path);
		assert_int_equal(c != NULL, walks[i].name != NULL);
		assert_int_equal(walked, walks[i].walked);
		assert_int_equal(err, walks[i].err);
		if (c && walks[i].name[0])
			assert_string_equal(tn_file_of(c)->name, walks[i].name);
		tn_chan_put(c);
	}
}

static void list(const char *path, uint64_t offset)
{
	unsigned walked;
	enum tn_err err;
	struct tn_chan *c = walk(path, &walked, &err);
	struct tn_req r;

	assert_non_null(c);
	listing[0] = '\0';
	tn_req_init(&r, TN_READDIR, c, &owner);
	r.u.readdir.offset = offset;
	assert_int_equal(tn_submit(&r), TN_DONE);
	tn_chan_put(c);
}

static void a_directory_lists_its_own_children_whatever_the_offset(void **state)
{
	(void)state;
	list("", 0);
	assert_string_equal(listing, "top dir/ last ");
	list("dir", 0);
	assert_string_equal(listing, "in sub/ ");
	list("dir/sub", 1); /* an offset that no entry had */
	assert_string_equal(listing, "deep ");
	list("dir", UINT64_MAX);
	assert_string_equal(listing, "");
}

static const struct {
	const char *path;
	uint32_t flags;
	enum tn_err err;
} opens[] = {
	{ "top", TN_OREAD, TN_OK },
	{ "top", TN_OWRITE, TN_EACCES },
	{ "top", TN_OREAD | TN_OF_TRUNC, TN_EACCES },
	{ "top", TN_OEXEC, TN_EACCES },
	{ "dir/in", TN_ORDWR | TN_OF_TRUNC, TN_OK },
	{ "dir/sub/deep", TN_OWRITE, TN_OK },
	{ "dir/sub/deep", TN_ORDWR, TN_EACCES },
	{ "dir", TN_OREAD, TN_OK },
};

static void permissions_of_the_table_are_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(opens); i++) {
		unsigned walked;
		enum tn_err err;
		struct tn_chan *c = walk(opens[i].path, &walked, &err);
		struct tn_req r;

		tn_req_init(&r, TN_OPEN, c, &owner);
		r.flags = opens[i].flags;
		print_message("%s %x\n", opens[i].path, opens[i].flags);
		assert_int_equal(tn_submit(&r), TN_DONE);
		assert_int_equal(r.err, opens[i].err);
		tn_chan_put(c);
	}
}

static void a_read_gives_the_part_that_was_asked_for(void **state)
{
	uint8_t buf[16];
	unsigned walked;
	enum tn_err err;
	struct tn_chan *c = walk("top", &walked, &err);
	struct tn_req r;

	(void)state;
	tn_req_init(&r, TN_READ, c, &owner);
	r.u.io.data = buf;
	r.u.io.offset = 2;
	r.u.io.count = 3;
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(r.u.io.count, 3);
	assert_memory_equal(buf, "llo", 3);
	tn_req_init(&r, TN_READ, c, &owner);
	r.u.io.data = buf;
	r.u.io.offset = UINT64_MAX;
	r.u.io.count = 16;
	assert_int_equal(tn_submit(&r), TN_DONE);
	assert_int_equal(r.u.io.count, 0);
	tn_chan_put(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(names_lead_where_the_table_says),
		T(a_directory_lists_its_own_children_whatever_the_offset),
		T(permissions_of_the_table_are_kept),
		T(a_read_gives_the_part_that_was_asked_for),
	};

	return cmocka_run_group_tests_name("core/device", tests, NULL, NULL);
}
