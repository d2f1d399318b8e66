/*
 * #ram as a peer sees it: section 5 of the manual, limits, and that running out of memory leaves everything as it was.
 */
#include "fs/ram.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root; /* of an attach as glenda */

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
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

static void restart_with(const struct tn_ram_options *o)
{
	teardown(NULL);
	start_with(o);
}

static struct tn_ram_use use(void)
{
	struct tn_ram_use u;

	tn_loop_run(&loop);
	tn_ram_use(server, &u);
	return u;
}

static enum tn_err rename_at(struct tn_chan *from_dir, const char *from, struct tn_chan *to_dir,
    const char *to, uint32_t how)
{
	struct tn_req r;

	tn_req_init(&r, TN_RENAME, from_dir, &driver);
	r.chan2 = to_dir;
	r.u.rename.name = str(from);
	r.u.rename.newname = str(to);
	r.u.rename.how = how;
	return ask(&r);
}

static enum tn_err link_at(struct tn_chan *dir, const char *name, struct tn_chan *file)
{
	struct tn_req r;

	tn_req_init(&r, TN_LINK, dir, &driver);
	r.chan2 = file;
	r.u.rename.name = str(name);
	return ask(&r);
}

static enum tn_err symlink_at(struct tn_chan *dir, const char *name, const char *target)
{
	struct tn_req r;

	tn_req_init(&r, TN_SYMLINK, dir, &driver);
	r.u.create.name = str(name);
	r.u.create.target = str(target);
	return ask(&r);
}

static enum tn_err range(struct tn_chan *c, enum tn_req_type type, uint64_t off, uint64_t length,
    uint32_t how, uint64_t *answer)
{
	struct tn_req r;
	enum tn_err err;

	tn_req_init(&r, type, c, &driver);
	r.u.range.offset = off;
	r.u.range.length = length;
	r.u.range.how = how;
	err = ask(&r);
	if (answer)
		*answer = r.u.range.offset;
	return err;
}

/* ---- names ---- */

static void a_listing_is_in_the_order_of_creation(void **state)
{
	(void)state;
	put_file(root, "b", "", 0644);
	make_dir(root, "c", 0755);
	put_file(root, "a", "", 0644);
	assert_string_equal(list(root, ""), "b c/ a");
}

static void a_listing_goes_on_behind_a_removed_entry(void **state)
{
	struct tn_chan *d;
	char name[2] = "a";

	(void)state;
	for (name[0] = 'a'; name[0] <= 'j'; name[0]++)
		put_file(root, name, "", 0644);
	d = open_at(root, "", TN_OREAD);
	list_room = 4;
	assert_int_equal(list_from(d, 0), TN_OK);
	assert_string_equal(listing, "a b c d");
	/* Six of ten: the directory has closed its ranks meanwhile. */
	for (name[0] = 'a'; name[0] <= 'f'; name[0]++)
		assert_int_equal(remove_at(root, name), TN_OK);
	put_file(root, "new", "", 0644);
	list_room = ~0u;
	assert_int_equal(list_from(d, list_next), TN_OK);
	assert_string_equal(listing, "g h i j new");
	turn(d);
}

static void a_rename_keeps_the_place_in_the_listing(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("z") };

	(void)state;
	put_file(root, "a", "text", 0644);
	put_file(root, "b", "", 0644);
	assert_int_equal(wstat_at(root, "a", &st), TN_OK);
	assert_string_equal(list(root, ""), "z b");
	assert_string_equal(cat(root, "z"), "text");
	assert_false(is_there(root, "a"));
}

static void dot_dot_of_the_root_is_the_root(void **state)
{
	(void)state;
	make_dir(root, "d", 0755);
	assert_int_equal(stat_at(root, "..")->qid.path, stat_at(root, "")->qid.path);
	assert_int_equal(stat_at(root, "d/..")->qid.path, stat_at(root, "")->qid.path);
	assert_string_equal(seen.name, "/");
}

static void an_attach_name_is_a_path_that_dot_dot_does_not_leave(void **state)
{
	struct tn_chan *sub, *a;
	enum tn_err err;

	(void)state;
	make_dir(root, "a", 0777);
	a = at(root, "a");
	make_dir(a, "b", 0777);
	turn(a);
	sub = attach_as(server, "glenda", "a/b", &err);
	assert_non_null(sub);
	assert_int_equal(stat_at(sub, "..")->qid.path, stat_at(sub, "")->qid.path);
	assert_null(attach_as(server, "glenda", "a/none", &err));
	assert_int_equal(err, TN_EBADATTACH);
	assert_null(attach_as(server, "glenda", "a/..", &err));
	assert_int_equal(err, TN_EBADATTACH);
	tn_chan_put(sub);
}

/* Somebody with a wider view moves the directory: who stood in it comes back to what he attached, not to the outside. */
static void who_is_moved_out_of_his_attach_does_not_escape(void **state)
{
	struct tn_chan *sub, *in, *a;
	enum tn_err err;

	(void)state;
	make_dir(root, "a", 0777);
	a = at(root, "a");
	make_dir(a, "in", 0777);
	sub = attach_as(server, "glenda", "a", &err);
	in = at(sub, "in");
	assert_int_equal(rename_at(a, "in", root, "out", 0), TN_OK);
	assert_int_equal(stat_at(in, "..")->qid.path, stat_at(root, "a")->qid.path);
	tn_chan_put(a);
	tn_chan_put(in);
	tn_chan_put(sub);
}

static void a_walk_stops_where_a_name_is_missing(void **state)
{
	enum tn_err err;

	(void)state;
	make_dir(root, "a", 0755);
	put_file(root, "f", "", 0644);
	assert_null(walk(root, "a/none/x", &err));
	assert_int_equal(walked, 1);
	assert_null(walk(root, "none", &err));
	assert_int_equal(err, TN_ENOENT);
	assert_null(walk(root, "f/x", &err));
	assert_int_equal(walked, 1);
	assert_false(is_there(root, "."));
}

static const struct {
	const char *name;
	enum tn_err want;
} bad_names[] = {
	{ "", TN_EEMPTYNAME },
	{ ".", TN_EEXIST },
	{ "..", TN_EEXIST },
	{ "a/b", TN_EBADCHAR },
	{ "/", TN_EBADCHAR },
	{ "...", TN_OK },
	{ ".a", TN_OK },
};

static void only_legal_names_are_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad_names); i++) {
		print_message("'%s'\n", bad_names[i].name);
		assert_int_equal(create_fails(root, bad_names[i].name, TN_OREAD, 0644),
		    bad_names[i].want);
	}
}

static void names_have_up_to_255_bytes(void **state)
{
	char name[257];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[254] = '\0';
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_OK);
	name[254] = 'n';
	name[255] = '\0';
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_OK);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(create_fails(root, name, TN_OREAD, 0644), TN_ENAMETOOLONG);
	assert_false(is_there(root, name));
	name[255] = '\0';
	assert_true(is_there(root, name));
}

static void qid_paths_are_never_used_anew(void **state)
{
	uint64_t last = stat_at(root, "")->qid.path;

	(void)state;
	for (int i = 0; i < 5; i++) {
		put_file(root, "f", "", 0644);
		assert_true(stat_at(root, "f")->qid.path > last);
		last = seen.st.qid.path;
		assert_int_equal(remove_at(root, "f"), TN_OK);
	}
}

static void a_directory_with_a_hundred_thousand_entries_works(void **state)
{
	struct tn_chan *d;
	enum { N = 100000 };
	char name[16];
	unsigned n = 0;
	uint64_t off = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		tn_chan_put(create_at(root, name, TN_OREAD, 0644));
		if (i % 100 == 0)
			tn_loop_run(&loop);
	}
	d = open_at(root, "", TN_OREAD);
	do {
		list_room = 100;
		assert_int_equal(list_from(d, off), TN_OK);
		n += 100 - list_room;
		off = list_next;
	} while (list_room == 0);
	assert_int_equal(n, N);
	turn(d);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(remove_at(root, name), TN_OK);
	}
	list_room = ~0u;
	assert_string_equal(list(root, ""), "");
	assert_int_equal(use().files, 0);
}

static void a_tree_of_great_depth_is_freed(void **state)
{
	struct tn_chan *c = at(root, "");

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct tn_chan *next = create_at(c, "d", TN_OREAD, TN_DMDIR | 0777);
		struct tn_chan *to = at(next, "");

		tn_chan_put(next);
		turn(c);
		c = to;
	}
	turn(c);
}

/* ---- create, remove ---- */

/* open(5): perm & (~0666 | dir.perm & 0666), for directories the same with 0777. */
static void permissions_are_masked_by_those_of_the_directory(void **state)
{
	struct tn_chan *d;

	(void)state;
	make_dir(root, "d", 0750);
	d = at(root, "d");
	turn(create_at(d, "f", TN_OWRITE | TN_OF_INHERIT, 0666));
	turn(create_at(d, "x", TN_OWRITE | TN_OF_INHERIT, 0777));
	turn(create_at(d, "s", TN_OREAD | TN_OF_INHERIT, TN_DMDIR | 0777));
	assert_int_equal(stat_at(d, "f")->mode, 0640);
	assert_int_equal(stat_at(d, "x")->mode, 0751);
	assert_int_equal(stat_at(d, "s")->mode, TN_DMDIR | 0750);
	tn_chan_put(d);
}

/* mkdir(2), open(2): the peer's own umask was taken from it already. */
static void permissions_are_as_asked_for_without_inherit(void **state)
{
	struct tn_chan *d;

	(void)state;
	make_dir(root, "d", 0700);
	d = at(root, "d");
	turn(create_at(d, "f", TN_OWRITE, 0666));
	turn(create_at(d, "s", TN_OREAD, TN_DMDIR | 0777));
	assert_int_equal(stat_at(d, "f")->mode, 0666);
	assert_int_equal(stat_at(d, "s")->mode, TN_DMDIR | 0777);
	tn_chan_put(d);
}

static void a_file_is_its_makers_and_its_group_the_directorys(void **state)
{
	struct tn_chan *other = attach(server, "rob");

	(void)state;
	put_file(other, "f", "text", 0644);
	stat_at(root, "f");
	assert_string_equal(seen.uid, "rob");
	assert_string_equal(seen.gid, "glenda");
	assert_string_equal(seen.muid, "rob");
	tn_chan_put(other);
}

static void a_create_over_a_name_that_is_there_changes_nothing(void **state)
{
	(void)state;
	put_file(root, "f", "old", 0644);
	assert_int_equal(create_fails(root, "f", TN_OWRITE | TN_OF_TRUNC, 0644), TN_EEXIST);
	assert_string_equal(cat(root, "f"), "old");
}

static void a_directory_is_made_for_reading_only(void **state)
{
	(void)state;
	assert_int_equal(create_fails(root, "d", TN_OWRITE, TN_DMDIR | 0755), TN_EISDIR);
	assert_int_equal(create_fails(root, "d", TN_OREAD | TN_OF_RCLOSE, TN_DMDIR | 0755),
	    TN_EISDIR);
	assert_false(is_there(root, "d"));
}

static void nothing_is_made_in_a_removed_directory(void **state)
{
	struct tn_chan *d;

	(void)state;
	make_dir(root, "d", 0777);
	d = at(root, "d");
	assert_int_equal(remove_at(root, "d"), TN_OK);
	assert_int_equal(create_fails(d, "f", TN_OREAD, 0644), TN_ENOENT);
	assert_int_equal(stat_at(d, "..")->qid.path, stat_at(root, "")->qid.path);
	tn_chan_put(d);
}

static void a_directory_goes_only_when_it_is_empty_and_the_root_never(void **state)
{
	struct tn_chan *d;

	(void)state;
	make_dir(root, "d", 0777);
	d = at(root, "d");
	put_file(d, "f", "", 0644);
	assert_int_equal(remove_at(root, "d"), TN_ENOTEMPTY);
	assert_int_equal(remove_at(d, "f"), TN_OK);
	assert_int_equal(remove_at(root, "d"), TN_OK);
	assert_int_equal(remove_at(root, ""), TN_EACCES);
	assert_int_equal(remove_at(d, ""), TN_ENOENT);
	tn_chan_put(d);
}

static void a_removed_file_lives_on_for_who_has_it(void **state)
{
	struct tn_chan *f;

	(void)state;
	put_file(root, "f", "old", 0644);
	f = open_at(root, "f", TN_ORDWR);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	put_file(root, "f", "new", 0644);
	assert_string_equal(read_at(f, 0, 10), "old");
	write_at(f, 0, "OLD");
	assert_string_equal(cat(root, "f"), "new");
	assert_int_equal(use().files, 2);
	turn(f);
	assert_int_equal(use().files, 1);
}

static void remove_on_close_removes_at_the_clunk(void **state)
{
	struct tn_chan *f;

	(void)state;
	put_file(root, "f", "text", 0644);
	f = open_at(root, "f", TN_OREAD | TN_OF_RCLOSE);
	assert_true(is_there(root, "f"));
	turn(f);
	assert_false(is_there(root, "f"));
	turn(create_at(root, "g", TN_OWRITE | TN_OF_RCLOSE, 0644));
	assert_false(is_there(root, "g"));
}

static void remove_on_close_takes_no_other_file_of_the_name(void **state)
{
	struct tn_chan *f;

	(void)state;
	put_file(root, "f", "old", 0644);
	f = open_at(root, "f", TN_OREAD | TN_OF_RCLOSE);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	put_file(root, "f", "new", 0644);
	turn(f);
	assert_string_equal(cat(root, "f"), "new");
}

/* ---- permissions ---- */

static const struct {
	const char *who;
	uint32_t perm, flags;
	enum tn_err want;
} opens[] = {
	{ "glenda", 0400, TN_OREAD, TN_OK },
	{ "glenda", 0400, TN_OWRITE, TN_EACCES },
	{ "glenda", 0400, TN_ORDWR, TN_EACCES },
	{ "glenda", 0400, TN_OEXEC, TN_EACCES },
	{ "glenda", 0100, TN_OEXEC, TN_OK },
	{ "glenda", 0400, TN_OREAD | TN_OF_TRUNC, TN_EACCES },
	{ "glenda", 0600, TN_OREAD | TN_OF_TRUNC, TN_OK },
	{ "glenda", 0004, TN_OREAD, TN_OK }, /* what all may the owner may */
	{ "rob", 0770, TN_OREAD, TN_EACCES },
	{ "rob", 0707, TN_ORDWR, TN_OK },
	{ "rob", 0704, TN_ORDWR, TN_EACCES },
	{ "glend", 0700, TN_OREAD, TN_EACCES },
};

static void permissions_are_by_the_user_who_attached(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(opens); i++) {
		struct tn_chan *c = attach(server, opens[i].who);

		print_message("%s %o\n", opens[i].who, opens[i].perm);
		put_file(root, "f", "text", 0644);
		assert_int_equal(tn_ram_set_perm(server, TN_STR("f"), opens[i].perm), TN_OK);
		assert_int_equal(open_fails(c, "f", opens[i].flags), opens[i].want);
		assert_int_equal(remove_at(root, "f"), TN_OK);
		turn(c);
	}
}

static void the_groups_bits_count_for_who_has_its_name(void **state)
{
	struct tn_chan *rob = attach(server, "rob");

	(void)state;
	put_file(rob, "f", "text", 0640); /* rob's, of group glenda */
	assert_int_equal(open_fails(root, "f", TN_OREAD), TN_OK);
	assert_int_equal(open_fails(root, "f", TN_OWRITE), TN_EACCES);
	tn_chan_put(rob);
}

static void a_directory_needs_x_to_walk_w_to_create_r_to_list(void **state)
{
	static const struct {
		uint32_t perm;
		enum tn_err walk, create, open;
	} rows[] = {
		{ 0700, TN_OK, TN_OK, TN_OK },
		{ 0600, TN_EACCES, TN_OK, TN_OK },
		{ 0500, TN_OK, TN_EACCES, TN_OK },
		{ 0300, TN_OK, TN_OK, TN_EACCES },
	};
	struct tn_chan *d, *to;
	enum tn_err err;

	(void)state;
	make_dir(root, "d", 0777);
	d = at(root, "d");
	put_file(d, "f", "", 0644);
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		print_message("%o\n", rows[i].perm);
		assert_int_equal(tn_ram_set_perm(server, TN_STR("/d"), rows[i].perm), TN_OK);
		to = walk(d, "f", &err);
		assert_int_equal(err, rows[i].walk);
		tn_chan_put(to);
		assert_int_equal(create_fails(d, "new", TN_OREAD | TN_OF_RCLOSE, 0644),
		    rows[i].create);
		tn_loop_run(&loop); /* gone again, if it was made */
		assert_int_equal(open_fails(root, "d", TN_OREAD), rows[i].open);
	}
	tn_chan_put(d);
}

static void to_remove_and_to_rename_need_w_in_the_directory(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("g") };
	struct tn_chan *d;

	(void)state;
	make_dir(root, "d", 0777);
	d = at(root, "d");
	put_file(d, "f", "", 0644);
	turn(d);
	assert_int_equal(tn_ram_set_perm(server, TN_STR("d"), 0555), TN_OK);
	assert_int_equal(remove_at(root, "d/f"), TN_EACCES);
	assert_int_equal(wstat_at(root, "d/f", &st), TN_EACCES);
	assert_int_equal(open_fails(root, "d/f", TN_OREAD | TN_OF_RCLOSE), TN_EACCES);
	assert_true(is_there(root, "d/f"));
}

/* ../shared/oracle, end of README.md. */
static void in_the_oracles_world_the_owners_bits_count_for_all(void **state)
{
	static const struct tn_ram_options oracle = { .owner_bits_only = true, .root_perm = 0775 };
	struct tn_chan *rob;

	(void)state;
	restart_with(&oracle);
	rob = attach(server, "rob");
	assert_int_equal(tn_ram_put_dir(server, TN_STR("/d"), 0600), TN_OK);
	assert_int_equal(tn_ram_put_file(server, TN_STR("/d/f"), 0400, TN_STR("text")), TN_OK);
	assert_string_equal(cat(rob, "d/f"), "text");
	assert_int_equal(open_fails(rob, "d/f", TN_OWRITE), TN_EACCES);
	assert_int_equal(open_fails(rob, "d", TN_OWRITE), TN_EACCES);
	assert_int_equal(open_fails(rob, "d", TN_OREAD | TN_OF_TRUNC), TN_EACCES);
	assert_int_equal(create_fails(rob, "e", TN_OWRITE, TN_DMDIR | 0775), TN_EACCES);
	tn_chan_put(rob);
}

/* ---- contents ---- */

static void holes_read_as_zeros_and_take_no_memory(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);
	char buf[8];
	uint32_t n = sizeof(buf);

	(void)state;
	write_at(f, (1ull << 40) + 5, "far");
	write_at(f, 10, "near");
	assert_int_equal(stat_chan(f)->length, (1ull << 40) + 8);
	assert_string_equal(read_at(f, (1ull << 40) + 5, 100), "far");
	assert_int_equal(read_err(f, (1ull << 40), buf, &n), TN_OK);
	assert_int_equal(n, 8);
	assert_memory_equal(buf, "\0\0\0\0\0far", 8);
	n = 8;
	assert_int_equal(read_err(f, 1ull << 33, buf, &n), TN_OK);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0", 8);
	assert_true(use().bytes < 40000);
	turn(f);
}

/* Every length around the sizes at which the layout changes, whole and by pieces. */
static void what_is_written_is_read(void **state)
{
	static const uint32_t sizes[] = { 1, 63, 64, 65, 127, 128, 4095, 4096, 4097, 8191, 8192,
		65535, 1 << 20, (1 << 20) + 1 };
	static uint8_t out[(1 << 20) + 1], in[(1 << 20) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 4096);
	for (size_t i = 0; i < TN_COUNT(sizes); i++) {
		struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);
		uint32_t size = sizes[i], piece = size / 3 + 1, n = size;

		print_message("%u\n", size);
		for (uint32_t off = 0; off < size; off += n) {
			n = size - off < piece ? size - off : piece;
			assert_int_equal(write_err(f, off, out + off, &n), TN_OK);
		}
		n = size + (size < sizeof(in));
		memset(in, 0, sizeof(in));
		assert_int_equal(read_err(f, 0, in, &n), TN_OK);
		assert_int_equal(n, size);
		assert_memory_equal(in, out, size);
		turn(f);
		assert_int_equal(remove_at(root, "f"), TN_OK);
		assert_int_equal(use().bytes, 0);
	}
}

/* Against an array: writes, cuts, holes at random places. */
static void random_changes_agree_with_a_model(void **state)
{
	enum { SIZE = 300000 };
	static uint8_t model[SIZE], buf[SIZE];
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);
	uint32_t length = 0, seed = 9;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		struct tn_stat st = { .valid = TN_ST_LENGTH };
		uint32_t what, off, n;

		seed = seed * 1664525 + 1013904223;
		what = seed >> 24 & 7;
		off = (seed >> 4) % SIZE;
		n = (seed * 2654435761u >> 8) % (i % 10 == 0 ? 40000 : 900);
		if (n > SIZE - off)
			n = SIZE - off;
		if (what == 0) {
			st.length = off;
			assert_int_equal(wstat_chan(f, &st), TN_OK);
			if (off < length)
				memset(model + off, 0, length - off);
			length = off;
		} else if (what == 1 && n > 0) {
			assert_int_equal(range(f, TN_FALLOCATE, off, n, 3, NULL), TN_OK);
			memset(model + off, 0, n);
		} else if (what == 2 && n > 0) {
			assert_int_equal(range(f, TN_FALLOCATE, off, n, 1, NULL), TN_OK);
		} else if (n > 0) {
			memset(buf, i & 0xff, n);
			assert_int_equal(write_err(f, off, buf, &n), TN_OK);
			memset(model + off, i & 0xff, n);
			length = off + n > length ? off + n : length;
		}
		n = SIZE;
		assert_int_equal(read_err(f, 0, buf, &n), TN_OK);
		assert_int_equal(n, length);
		assert_memory_equal(buf, model, length);
	}
	turn(f);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	assert_int_equal(use().bytes, 0);
}

static const struct {
	uint64_t off;
	uint32_t count;
	enum tn_err want;
} ends[] = {
	{ (uint64_t)INT64_MAX - 3, 3, TN_OK },
	{ (uint64_t)INT64_MAX - 3, 4, TN_EFBIG },
	{ INT64_MAX, 1, TN_EFBIG },
	{ (uint64_t)INT64_MAX + 1, 1, TN_EFBIG },
	{ UINT64_MAX, 1, TN_EFBIG },
	{ UINT64_MAX - 1, 4, TN_EFBIG },
};

static void a_file_ends_at_the_last_signed_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(ends); i++) {
		struct tn_chan *f = create_at(root, "f", TN_ORDWR | TN_OF_RCLOSE, 0644);
		uint32_t n = ends[i].count;

		print_message("%llu\n", (unsigned long long)ends[i].off);
		assert_int_equal(write_err(f, ends[i].off, "1234", &n), ends[i].want);
		assert_string_equal(read_at(f, UINT64_MAX, 4), "");
		assert_string_equal(read_at(f, ends[i].off, 4), ends[i].want ? "" : "123");
		turn(f);
	}
	assert_int_equal(use().bytes, 0);
}

static void an_append_only_file_is_written_at_its_end_and_never_cut(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, TN_DMAPPEND | 0644);

	(void)state;
	assert_int_equal(f->qid.type, TN_QTAPPEND);
	write_at(f, 0, "one");
	write_at(f, 0, "two");
	write_at(f, 100, "three");
	turn(f);
	turn(open_at(root, "f", TN_OWRITE | TN_OF_TRUNC));
	assert_string_equal(cat(root, "f"), "onetwothree");
}

static void an_exclusive_file_has_one_opener(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, TN_DMEXCL | 0666), *g;

	(void)state;
	assert_int_equal(open_fails(root, "f", TN_OREAD), TN_EEXCL);
	turn(f);
	g = open_at(root, "f", TN_OREAD);
	assert_int_equal(open_fails(root, "f", TN_OREAD), TN_EEXCL);
	tn_chan_put(g); /* the end of one that is not open frees nothing */
	tn_loop_run(&loop);
	turn(open_at(root, "f", TN_OREAD));
}

static void versions_move_with_each_change_and_with_nothing_else(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);
	uint32_t v = stat_chan(f)->qid.version, d = stat_at(root, "")->qid.version;
	struct tn_stat cut = { .valid = TN_ST_LENGTH, .length = 1 }, sync = { .valid = 0 };
	uint32_t none = 0;

	(void)state;
	write_at(f, 0, "text");
	assert_int_not_equal(stat_chan(f)->qid.version, v);
	v = seen.st.qid.version;
	read_at(f, 0, 4);
	assert_int_equal(write_err(f, 9, "", &none), TN_OK);
	assert_int_equal(wstat_chan(f, &sync), TN_OK);
	turn(open_at(root, "f", TN_OREAD));
	assert_int_equal(stat_chan(f)->qid.version, v);
	assert_int_equal(seen.st.length, 4);
	assert_int_equal(wstat_chan(f, &cut), TN_OK);
	assert_int_not_equal(stat_chan(f)->qid.version, v);
	assert_int_equal(stat_at(root, "")->qid.version, d);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	assert_int_not_equal(stat_at(root, "")->qid.version, d);
	tn_chan_put(f);
}

static void the_first_read_after_a_change_moves_the_atime(void **state)
{
	struct tn_stat st = { .valid = TN_ST_ATIME | TN_ST_MTIME, .atime_ns = 3, .mtime_ns = 2 };
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);

	(void)state;
	assert_int_equal(wstat_chan(f, &st), TN_OK);
	read_at(f, 0, 1);
	assert_int_equal(stat_chan(f)->atime_ns, 3);
	st.atime_ns = 2;
	assert_int_equal(wstat_chan(f, &st), TN_OK);
	read_at(f, 0, 1);
	assert_true(stat_chan(f)->atime_ns > 3);
	turn(f);
}

/* ---- wstat ---- */

static void one_wstat_changes_all_or_nothing(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_MODE | TN_ST_LENGTH | TN_ST_MTIME,
		.name = TN_STR("g"),
		.mode = 0600,
		.length = 3,
		.mtime_ns = 86400 };

	(void)state;
	put_file(root, "f", "abcdef", 0644);
	put_file(root, "g", "", 0644);
	assert_int_equal(wstat_at(root, "f", &st), TN_EEXIST);
	assert_string_equal(cat(root, "f"), "abcdef");
	assert_int_equal(stat_at(root, "f")->mode, 0644);
	st.name = str("h");
	st.mode |= TN_DMDIR;
	assert_int_equal(wstat_at(root, "f", &st), TN_EPERM);
	assert_false(is_there(root, "h"));
	st.mode = 0600;
	assert_int_equal(wstat_at(root, "f", &st), TN_OK);
	stat_at(root, "h");
	assert_int_equal(seen.st.mode, 0600);
	assert_int_equal(seen.st.length, 3);
	assert_int_equal(seen.st.mtime_ns, 86400);
}

static void only_the_owner_changes_mode_and_times(void **state)
{
	struct tn_stat mode = { .valid = TN_ST_MODE, .mode = 0600 };
	struct tn_stat mtime = { .valid = TN_ST_MTIME, .mtime_ns = 5 };
	struct tn_stat uid = { .valid = TN_ST_UID, .uid = TN_STR("rob") };
	struct tn_chan *rob = attach(server, "rob");

	(void)state;
	put_file(root, "f", "", 0666);
	assert_int_equal(wstat_at(rob, "f", &mode), TN_EPERM);
	assert_int_equal(wstat_at(rob, "f", &mtime), TN_EPERM);
	assert_int_equal(wstat_at(root, "f", &uid), TN_EPERM);
	uid.uid = str("glenda");
	assert_int_equal(wstat_at(root, "f", &uid), TN_OK); /* as it is */
	assert_int_equal(wstat_at(root, "f", &mode), TN_OK);
	tn_chan_put(rob);
}

static void a_group_can_be_changed_to_oneself_only(void **state)
{
	struct tn_stat gid = { .valid = TN_ST_GID, .gid = TN_STR("sys") };
	struct tn_chan *rob = attach(server, "rob");

	(void)state;
	put_file(rob, "f", "", 0644);
	assert_int_equal(wstat_at(rob, "f", &gid), TN_EPERM);
	gid.gid = str("rob");
	assert_int_equal(wstat_at(root, "f", &gid), TN_EPERM);
	assert_int_equal(wstat_at(rob, "f", &gid), TN_OK);
	stat_at(rob, "f");
	assert_string_equal(seen.gid, "rob");
	tn_chan_put(rob);
}

static void a_length_is_set_with_write_permission_or_by_who_writes(void **state)
{
	struct tn_stat st = { .valid = TN_ST_LENGTH, .length = 2 };
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0444);

	(void)state;
	write_at(f, 0, "text");
	assert_int_equal(wstat_at(root, "f", &st), TN_EACCES);
	assert_int_equal(wstat_chan(f, &st), TN_OK);
	assert_string_equal(read_at(f, 0, 9), "te");
	st.length = (uint64_t)INT64_MAX + 1;
	assert_int_equal(wstat_chan(f, &st), TN_EFBIG);
	st.length = 1;
	assert_int_equal(wstat_at(root, "", &st), TN_EISDIR);
	turn(f);
}

/* ftruncate(2): the file must be open for writing. */
static void who_has_a_file_open_for_reading_sets_no_length(void **state)
{
	struct tn_stat st = { .valid = TN_ST_LENGTH, .length = 2 };
	struct tn_chan *f = create_at(root, "f", TN_OREAD, 0444);

	(void)state;
	assert_int_equal(wstat_chan(f, &st), TN_EACCES);
	turn(f);
}

static void the_root_keeps_its_name(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("x") };

	(void)state;
	assert_int_equal(wstat_at(root, "", &st), TN_EACCES);
	st.name = str("/");
	assert_int_equal(wstat_at(root, "", &st), TN_OK);
}

/* ---- rename, link, symlink ---- */

static const struct {
	const char *from, *to;
	uint32_t how;
	enum tn_err want;
	const char *root, *dir; /* listings afterwards */
} renames[] = {
	{ "f", "d/new", 0, TN_OK, "g d/ e/", "x new" },
	{ "f", "g", 0, TN_OK, "g d/ e/", "x" },
	{ "f", "f", 0, TN_OK, "f g d/ e/", "x" },
	{ "f", "d", 0, TN_EISDIR, "f g d/ e/", "x" },
	{ "d", "f", 0, TN_ENOTDIR, "f g d/ e/", "x" },
	{ "e", "d", 0, TN_ENOTEMPTY, "f g d/ e/", "x" },
	{ "d", "d/in", 0, TN_EINVAL, "f g d/ e/", "x" },
	{ "none", "h", 0, TN_ENOENT, "f g d/ e/", "x" },
	{ "f", "..", 0, TN_EINVAL, "f g d/ e/", "x" },
	{ "f", "g", 1, TN_EEXIST, "f g d/ e/", "x" },
	{ "f", "h", 1, TN_OK, "h g d/ e/", "x" },
	{ "f", "h", 2, TN_ENOENT, "f g d/ e/", "x" },
	{ "f", "d/x", 2, TN_OK, "f g d/ e/", "x" },
	{ "f", "e", 2, TN_OK, "f/ g d/ e", "x" },
	{ "d", "d/x", 2, TN_EINVAL, "f g d/ e/", "x" },
	{ "f", "h", 3, TN_EINVAL, "f g d/ e/", "x" },
};

static void renames_do_as_rename_2_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(renames); i++) {
		bool in_d = strncmp(renames[i].to, "d/", 2) == 0;
		struct tn_chan *d;

		print_message("%s to %s how %u\n", renames[i].from, renames[i].to, renames[i].how);
		restart_with(NULL);
		put_file(root, "f", "one", 0644);
		put_file(root, "g", "two", 0644);
		make_dir(root, "d", 0777);
		make_dir(root, "e", 0777);
		d = at(root, "d");
		put_file(d, "x", "in d", 0644);
		assert_int_equal(rename_at(root, renames[i].from, in_d ? d : root,
				     renames[i].to + (in_d ? 2 : 0), renames[i].how),
		    renames[i].want);
		assert_string_equal(list(root, ""), renames[i].root);
		assert_string_equal(list(d, ""), renames[i].dir);
		tn_chan_put(d);
	}
}

/* rename(2), EINVAL: whichever of the two is named first. */
static void a_directory_changes_places_with_nothing_below_it(void **state)
{
	struct tn_chan *d, *in;

	(void)state;
	make_dir(root, "d", 0777);
	d = at(root, "d");
	make_dir(d, "in", 0777);
	in = at(d, "in");
	put_file(in, "f", "", 0644);
	assert_int_equal(rename_at(root, "d", d, "in", 2), TN_EINVAL);
	assert_int_equal(rename_at(d, "in", root, "d", 2), TN_EINVAL);
	assert_int_equal(rename_at(in, "f", root, "d", 2), TN_EINVAL);
	assert_string_equal(list(root, ""), "d/");
	assert_string_equal(list(d, ""), "in/");
	assert_string_equal(list(in, ""), "f");
	tn_chan_put(d);
	tn_chan_put(in);
}

/* A file keeps its directory's place in memory, but only that of the one that it is in now. */
static void what_was_moved_away_holds_its_old_directory_no_more(void **state)
{
	struct tn_chan *d, *e;

	(void)state;
	make_dir(root, "d", 0777);
	make_dir(root, "e", 0777);
	d = at(root, "d");
	e = at(root, "e");
	put_file(d, "f", "", 0644);
	assert_int_equal(rename_at(d, "f", e, "f", 0), TN_OK);
	turn(d);
	assert_int_equal(remove_at(root, "d"), TN_OK);
	assert_int_equal(use().files, 2);
	turn(e);
}

static void an_exchange_takes_contents_along(void **state)
{
	struct tn_chan *d, *f;

	(void)state;
	put_file(root, "f", "one", 0644);
	make_dir(root, "d", 0777);
	d = at(root, "d");
	put_file(d, "x", "in d", 0644);
	f = open_at(root, "f", TN_OREAD);
	assert_int_equal(rename_at(root, "f", d, "x", 2), TN_OK);
	assert_string_equal(cat(root, "f"), "in d");
	assert_string_equal(cat(d, "x"), "one");
	assert_string_equal(read_at(f, 0, 9), "one");
	stat_chan(f);
	assert_string_equal(seen.name, "x");
	assert_int_equal(remove_at(root, "f"), TN_OK);
	assert_string_equal(cat(d, "x"), "one");
	tn_chan_put(d);
	tn_chan_put(f);
}

static void a_link_is_another_name_of_the_file(void **state)
{
	struct tn_chan *f, *d;
	uint64_t path;

	(void)state;
	put_file(root, "f", "text", 0644);
	make_dir(root, "d", 0755);
	d = at(root, "d");
	f = at(root, "f");
	path = f->qid.path;
	assert_int_equal(link_at(root, "g", f), TN_OK);
	assert_int_equal(link_at(root, "g", f), TN_EEXIST);
	assert_int_equal(link_at(root, "h", d), TN_EPERM);
	turn(d);
	assert_int_equal(stat_at(root, "g")->qid.path, path);
	assert_int_equal(seen.st.nlink, 2);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	assert_string_equal(cat(root, "g"), "text");
	assert_int_equal(stat_at(root, "g")->nlink, 1);
	assert_int_equal(link_at(root, "h", f),
	    TN_OK); /* link(2): the file is there, by whatever name it was reached */
	assert_int_equal(remove_at(root, "g"), TN_OK);
	assert_int_equal(remove_at(root, "h"), TN_OK);
	assert_int_equal(link_at(root, "i", f), TN_ENOENT); /* none of its names is left */
	tn_chan_put(f);
}

static void a_symbolic_link_is_read_and_not_opened(void **state)
{
	struct tn_chan *l;
	struct tn_req r;
	char buf[64];

	(void)state;
	assert_int_equal(symlink_at(root, "l", "to/there"), TN_OK);
	l = at(root, "l");
	assert_int_equal(l->qid.type, TN_QTSYMLINK);
	tn_req_init(&r, TN_READLINK, l, &driver);
	r.u.readlink.buf = buf;
	r.u.readlink.size = sizeof(buf);
	assert_int_equal(ask(&r), TN_OK);
	assert_int_equal(r.u.readlink.len, 8);
	assert_memory_equal(buf, "to/there", 8);
	assert_int_equal(stat_chan(l)->length, 8);
	assert_int_equal(open_chan(l, TN_OREAD), TN_ESYMLINK);
	tn_chan_put(l);
}

/* ---- random names ---- */

enum { MODEL_DIRS = 6, MODEL_NAMES = 8 }; /* directories d0.. below the root, names n0.. in each */

/* What the name in the directory is: 0 nothing, else a number that the file has as its content. */
static int model[MODEL_DIRS][MODEL_NAMES];
static struct tn_chan *model_dirs[MODEL_DIRS];

static unsigned below(uint32_t *seed, unsigned n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static const char *model_name(unsigned i)
{
	static char names[2][4];
	static int which;

	which = !which;
	snprintf(names[which], sizeof(names[which]), "n%u", i);
	return names[which];
}

static void change_one(uint32_t *seed, int number)
{
	unsigned d = below(seed, MODEL_DIRS), n = below(seed, MODEL_NAMES);
	unsigned e = below(seed, MODEL_DIRS), m = below(seed, MODEL_NAMES);
	unsigned how = below(seed, 3);
	int *from = &model[d][n], *to = &model[e][m], was = *from;
	enum tn_err err;
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	switch (below(seed, 4)) {
	case 0:
		err = create_fails(model_dirs[d], model_name(n), TN_OREAD, 0666);
		assert_int_equal(err, was ? TN_EEXIST : TN_OK);
		if (was)
			break;
		*from = number;
		turn(NULL);
		assert_int_equal(remove_at(model_dirs[d], model_name(n)), TN_OK);
		put_file(model_dirs[d], model_name(n), text, 0666);
		break;
	case 1:
		if (was) {
			assert_int_equal(remove_at(model_dirs[d], model_name(n)), TN_OK);
			*from = 0;
		}
		break;
	default:
		err = rename_at(model_dirs[d], model_name(n), model_dirs[e], model_name(m), how);
		if (!was || (how == 2 && !*to)) {
			assert_int_equal(err, TN_ENOENT);
		} else if (how == 1 && *to) {
			assert_int_equal(err, TN_EEXIST);
		} else {
			assert_int_equal(err, TN_OK);
			if (from == to)
				break;
			*from = how == 2 ? *to : 0;
			*to = was;
		}
	}
}

static void check_model(void)
{
	uint32_t files = MODEL_DIRS;

	for (unsigned d = 0; d < MODEL_DIRS; d++) {
		unsigned there = 0, listed = 0;

		for (unsigned n = 0; n < MODEL_NAMES; n++) {
			assert_int_equal(is_there(model_dirs[d], model_name(n)), model[d][n] != 0);
			if (model[d][n] != 0) {
				assert_int_equal(atoi(cat(model_dirs[d], model_name(n))),
				    model[d][n]);
				there++;
			}
		}
		for (const char *s = list(model_dirs[d], ""); *s;
		     s += strcspn(s, " "), s += *s == ' ')
			listed++;
		assert_int_equal(listed, there);
		files += there;
	}
	assert_int_equal(use().files, files);
}

static void random_names_agree_with_a_model(void **state)
{
	uint32_t seed = 4;
	char name[4];

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned d = 0; d < MODEL_DIRS; d++) {
		snprintf(name, sizeof(name), "d%u", d);
		make_dir(root, name, 0777);
		model_dirs[d] = at(root, name);
	}
	for (int i = 1; i < 20000; i++) {
		change_one(&seed, i);
		if (i % 50 == 0)
			check_model();
	}
	for (unsigned d = 0; d < MODEL_DIRS; d++)
		turn(model_dirs[d]);
}

static void data_and_holes_are_found(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);
	struct tn_stat st = { .valid = TN_ST_LENGTH, .length = 1 << 20 };
	uint64_t at_;

	(void)state;
	write_at(f, 40960, "x");
	assert_int_equal(wstat_chan(f, &st), TN_OK);
	assert_int_equal(range(f, TN_SEEKHOLE, 5, 0, 3, &at_), TN_OK);
	assert_int_equal(at_, 40960);
	assert_int_equal(range(f, TN_SEEKHOLE, 40961, 0, 4, &at_), TN_OK);
	assert_int_equal(at_, 45056);
	assert_int_equal(range(f, TN_SEEKHOLE, 0, 0, 4, &at_), TN_OK);
	assert_int_equal(at_, 0);
	assert_int_equal(range(f, TN_SEEKHOLE, 45056, 0, 3, &at_), TN_ENXIO);
	assert_int_equal(range(f, TN_SEEKHOLE, 1 << 20, 0, 4, &at_), TN_ENXIO);
	turn(f);
}

/* ---- limits ---- */

static void bytes_are_limited(void **state)
{
	static const struct tn_ram_options small = { .bytes_max = 4096 };
	static char data[4097];
	uint32_t n = 4095;
	struct tn_chan *f, *g;

	(void)state;
	restart_with(&small);
	f = create_at(root, "f", TN_ORDWR, 0644);
	g = create_at(root, "g", TN_ORDWR, 0644);
	assert_int_equal(write_err(f, 0, data, &n), TN_OK);
	assert_int_equal(n, 4095);
	n = 4096;
	assert_int_equal(write_err(f, 0, data, &n), TN_OK);
	assert_int_equal(n, 4096);
	n = 4097;
	assert_int_equal(write_err(f, 0, data, &n), TN_OK);
	assert_int_equal(n, 4096); /* as many as there is room for */
	n = 1;
	assert_int_equal(write_err(f, 4096, data, &n), TN_ENOSPC);
	n = 1;
	assert_int_equal(write_err(g, 0, data, &n), TN_ENOSPC);
	turn(f);
	assert_int_equal(remove_at(root, "f"), TN_OK);
	n = 1;
	assert_int_equal(write_err(g, 0, data, &n), TN_OK);
	turn(g);
}

static void files_are_limited(void **state)
{
	static const struct tn_ram_options small = { .files_max = 3 };

	(void)state;
	restart_with(&small);
	put_file(root, "1", "", 0644);
	make_dir(root, "2", 0755);
	assert_int_equal(create_fails(root, "3", TN_OREAD, 0644), TN_OK);
	assert_int_equal(create_fails(root, "4", TN_OREAD, 0644), TN_ELIMIT_FILES);
	tn_loop_run(&loop);
	assert_int_equal(remove_at(root, "2"), TN_OK);
	assert_int_equal(create_fails(root, "4", TN_OREAD, 0644), TN_OK);
	assert_int_equal(use().files, 3);
}

static void an_absurd_reservation_is_refused_at_once(void **state)
{
	struct tn_chan *f = create_at(root, "f", TN_ORDWR, 0644);

	(void)state;
	assert_int_equal(range(f, TN_FALLOCATE, 0, 1ull << 60, 0, NULL), TN_ENOSPC);
	assert_int_equal(range(f, TN_FALLOCATE, 1, INT64_MAX, 0, NULL), TN_EFBIG);
	assert_int_equal(use().bytes, 0);
	turn(f);
}

/* ---- without memory ---- */

/* ---- locks ---- */

static enum tn_err lock(struct tn_chan *c, uint64_t owner, uint8_t type, uint64_t start)
{
	struct tn_req r;

	tn_req_init(&r, TN_LOCK, c, &driver);
	r.u.lock.owner = owner;
	r.u.lock.type = type;
	r.u.lock.start = start;
	r.u.lock.length = 1;
	return ask(&r);
}

/* What is said of ranges is tested with core/lock.c. */
static void locks_are_between_all_attaches_and_names_of_a_file(void **state)
{
	struct tn_chan *other = attach(server, "rob"), *a, *b, *c;

	(void)state;
	put_file(root, "f", "", 0666);
	put_file(root, "g", "", 0666);
	a = open_at(root, "f", TN_ORDWR);
	assert_int_equal(link_at(root, "name", a), TN_OK);
	b = open_at(other, "name", TN_ORDWR);
	c = open_at(other, "g", TN_ORDWR);
	assert_int_equal(lock(a, 1, TN_LK_WRITE, 5), TN_OK);
	assert_int_equal(lock(b, 2, TN_LK_READ, 5), TN_EAGAIN);
	assert_int_equal(lock(b, 2, TN_LK_READ, 6), TN_OK);
	assert_int_equal(lock(c, 2, TN_LK_WRITE, 5), TN_OK); /* another file */
	assert_int_equal(remove_at(root, "f"), TN_OK);
	assert_int_equal(lock(b, 2, TN_LK_READ, 5), TN_EAGAIN); /* nor is a name a file */
	turn(a);
	assert_int_equal(lock(b, 2, TN_LK_WRITE, 5), TN_OK);
	turn(b);
	b = open_at(other, "name", TN_ORDWR);
	assert_int_equal(lock(b, 3, TN_LK_WRITE, 5), TN_OK);
	turn(b);
	turn(c);
	turn(other);
}

/* One of each that needs memory. Returns the first error. */
static enum tn_err do_everything(struct tn_chan *dir, struct tn_chan *new_name)
{
	struct tn_req r;
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("renamed") };
	uint32_t n = 3;
	enum tn_err err;

	tn_req_init(&r, TN_CREATE, new_name, &driver);
	r.flags = TN_ORDWR;
	r.u.create.name = str("made");
	r.u.create.perm = 0644;
	if ((err = ask(&r)) || (err = write_err(new_name, 1 << 20, "far", &n)) ||
	    (err = symlink_at(dir, "sym", "target")) || (err = link_at(dir, "link", new_name)) ||
	    (err = wstat_chan(new_name, &st)) ||
	    (err = rename_at(dir, "renamed", dir, "link2", 0)) ||
	    (err = rename_at(dir, "sym", dir, "link2", 2)))
		return err;
	return TN_OK;
}

static void running_out_of_memory_fails_and_leaves_all_whole(void **state)
{
	enum tn_err err;
	char names[64];
	int n = 0;

	(void)state;
	do {
		struct tn_chan *c;

		restart_with(NULL);
		for (char name[] = "a"; name[0] < 'o'; name[0]++) /* so that tables must grow */
			put_file(root, name, "", 0644);
		c = at(root, "");
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = do_everything(root, c);
		tn_alloc_hook = NULL;
		assert_true(err == TN_OK || err == TN_ENOMEM);
		turn(c);
		for (char name[] = "a"; name[0] < 'o'; name[0]++)
			assert_int_equal(remove_at(root, name), TN_OK);
		strcpy(names, list(root, "")); /* what is listed is there, and goes */
		for (char *save, *name = strtok_r(names, " ", &save); name;
		     name = strtok_r(NULL, " ", &save))
			assert_int_equal(remove_at(root, name), TN_OK);
		assert_int_equal(use().files, 0);
		assert_int_equal(use().bytes, 0);
	} while (err != TN_OK);
	assert_true(n > 8);
}

static void a_server_is_made_whole_or_not_at_all(void **state)
{
	struct tn_server *s;
	int n = 0;

	(void)state;
	do {
		allocations_left = n++;
		tn_alloc_hook = allow;
		s = tn_ram_new(&loop, NULL);
		tn_alloc_hook = NULL;
	} while (!s);
	assert_true(n > 4);
	tn_server_put(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_listing_is_in_the_order_of_creation),
		TEST(a_listing_goes_on_behind_a_removed_entry),
		TEST(a_rename_keeps_the_place_in_the_listing),
		TEST(dot_dot_of_the_root_is_the_root),
		TEST(an_attach_name_is_a_path_that_dot_dot_does_not_leave),
		TEST(who_is_moved_out_of_his_attach_does_not_escape),
		TEST(a_walk_stops_where_a_name_is_missing),
		TEST(only_legal_names_are_made),
		TEST(names_have_up_to_255_bytes),
		TEST(qid_paths_are_never_used_anew),
		TEST(a_directory_with_a_hundred_thousand_entries_works),
		TEST(a_tree_of_great_depth_is_freed),
		TEST(permissions_are_masked_by_those_of_the_directory),
		TEST(permissions_are_as_asked_for_without_inherit),
		TEST(a_file_is_its_makers_and_its_group_the_directorys),
		TEST(a_create_over_a_name_that_is_there_changes_nothing),
		TEST(a_directory_is_made_for_reading_only),
		TEST(nothing_is_made_in_a_removed_directory),
		TEST(a_directory_goes_only_when_it_is_empty_and_the_root_never),
		TEST(a_removed_file_lives_on_for_who_has_it),
		TEST(remove_on_close_removes_at_the_clunk),
		TEST(remove_on_close_takes_no_other_file_of_the_name),
		TEST(permissions_are_by_the_user_who_attached),
		TEST(the_groups_bits_count_for_who_has_its_name),
		TEST(a_directory_needs_x_to_walk_w_to_create_r_to_list),
		TEST(to_remove_and_to_rename_need_w_in_the_directory),
		TEST(in_the_oracles_world_the_owners_bits_count_for_all),
		TEST(holes_read_as_zeros_and_take_no_memory),
		TEST(what_is_written_is_read),
		TEST(random_changes_agree_with_a_model),
		TEST(a_file_ends_at_the_last_signed_offset),
		TEST(an_append_only_file_is_written_at_its_end_and_never_cut),
		TEST(an_exclusive_file_has_one_opener),
		TEST(versions_move_with_each_change_and_with_nothing_else),
		TEST(the_first_read_after_a_change_moves_the_atime),
		TEST(one_wstat_changes_all_or_nothing),
		TEST(only_the_owner_changes_mode_and_times),
		TEST(a_group_can_be_changed_to_oneself_only),
		TEST(a_length_is_set_with_write_permission_or_by_who_writes),
		TEST(who_has_a_file_open_for_reading_sets_no_length),
		TEST(the_root_keeps_its_name),
		TEST(renames_do_as_rename_2_says),
		TEST(a_directory_changes_places_with_nothing_below_it),
		TEST(what_was_moved_away_holds_its_old_directory_no_more),
		TEST(an_exchange_takes_contents_along),
		TEST(a_link_is_another_name_of_the_file),
		TEST(a_symbolic_link_is_read_and_not_opened),
		TEST(random_names_agree_with_a_model),
		TEST(data_and_holes_are_found),
		TEST(bytes_are_limited),
		TEST(files_are_limited),
		TEST(an_absurd_reservation_is_refused_at_once),
		TEST(locks_are_between_all_attaches_and_names_of_a_file),
		TEST(running_out_of_memory_fails_and_leaves_all_whole),
		TEST(a_server_is_made_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
