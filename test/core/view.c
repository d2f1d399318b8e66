/*
 * Views: numbers, cuts, what is refused, nesting, waiting. Most of it as a process sees it that has mounted the view. What
 * a view shows of unions and mounts is the oracle's (oracle-driver).
 */
#include "core/view.h"

#include "core/union.h"
#include "fs/ram.h"
#include "lib/call.h"
#include "world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tn_user *user;
static struct tn_server *ram[2];
static struct tn_proc *p; /* serves */
static struct tn_proc *q; /* has mounted the view on / */
static struct tn_server *view;

static struct tn_server *view_of_root(const struct tn_view_options *o, const char *root)
{
	struct tn_chan *c = tn_call_walk(p, root, TN_FOR_TARGET);
	struct tn_server *s = tn_view_new(p, c, o);

	tn_chan_put(c);
	return s;
}

static struct tn_proc *importer(struct tn_server *s, const char *aname)
{
	struct tn_proc *new = tn_proc_new(&node, user);

	assert_int_equal(tn_call_mount(new, s, "/", TN_REPL | TN_CREATE_HERE, aname), 0);
	assert_int_equal(tn_call_chdir(new, "/"), 0);
	return new;
}

static void use_view(const struct tn_view_options *o)
{
	view = view_of_root(o, "/");
	q = importer(view, "");
}

static const struct tn_view_options plain;

/* ram 0 on /: a/f, b/f, m, one; ram 1 on /m: a/f */
static int set_up(void **state)
{
	(void)state;
	world_init();
	user = tn_user_new(TN_STR("glenda"), 1000, 1000);
	for (int i = 0; i < 2; i++) {
		ram[i] = tn_ram_new(&loop, &(struct tn_ram_options){ .owner = user });
		tn_ram_put_dir(ram[i], str("/a"), 0775);
		tn_ram_put_file(ram[i], str("/a/f"), 0664, str("text"));
	}
	tn_ram_put_dir(ram[0], str("/b"), 0775);
	tn_ram_put_file(ram[0], str("/b/f"), 0664, str("b/f"));
	tn_ram_put_dir(ram[0], str("/m"), 0775);
	tn_ram_put_file(ram[0], str("/one"), 0664, str("one"));
	p = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(p, ram[0], "/", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_mount(p, ram[1], "/m", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_chdir(p, "/"), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	if (q)
		tn_proc_put(q);
	q = NULL;
	settle();
	tn_server_put(view);
	view = NULL;
	tn_ns_clear(p->ns); /* a test may have mounted the view in what it shows */
	tn_proc_put(p);
	settle();
	tn_server_put(ram[0]);
	tn_server_put(ram[1]);
	tn_user_put(user);
	world_fini();
	return 0;
}

/* ---- numbers ---- */

static uint64_t listed;
static const char *listed_name;

static bool find_listed(void *arg, const struct tn_stat *st)
{
	(void)arg;
	if (st->name.len == strlen(listed_name) &&
	    memcmp(st->name.s, listed_name, st->name.len) == 0)
		listed = st->qid.path;
	return true;
}

static uint64_t number_in_listing(const char *dir, const char *name)
{
	int fd = tn_call_open(q, dir, TN_OREAD);

	assert_true(fd >= 0);
	listed = 0;
	listed_name = name;
	while (tn_call_dirread(q, fd, 0, find_listed, NULL) > 0)
		;
	tn_call_close(q, fd);
	return listed;
}

static uint64_t number_in_stat(const char *name)
{
	struct tn_call_stat s;

	assert_int_equal(tn_call_stat(q, name, &s), 0);
	tn_free(s.text);
	return s.st.qid.path;
}

static uint64_t number_in_walk(const char *name)
{
	struct tn_chan *c = tn_call_walk(q, name, TN_FOR_TARGET);
	uint64_t path = c->qid.path;

	tn_chan_put(c);
	return path;
}

static uint64_t number_when_open(const char *name)
{
	int fd = tn_call_open(q, name, TN_OREAD);
	uint64_t path = tn_chan_behind(tn_call_chan(q, fd))->qid.path;
	struct tn_call_stat s;

	assert_int_equal(tn_call_fstat(q, fd, &s), 0);
	assert_int_equal(s.st.qid.path, path);
	tn_free(s.text);
	tn_call_close(q, fd);
	return path;
}

static const struct {
	const char *name, *dir, *last;
} places[] = {
	{ "/a", "/", "a" },
	{ "/a/f", "/a", "f" },
	{ "/m", "/", "m" },
	{ "/m/a", "/m", "a" },
	{ "/m/a/f", "/m/a", "f" },
	{ "/one", "/", "one" },
};

/* namespace-semantics.md 9. */
static void a_file_has_one_number_everywhere_and_no_other_has_it(void **state)
{
	uint64_t number[TN_COUNT(places)];

	(void)state;
	use_view(&plain);
	for (size_t i = 0; i < TN_COUNT(places); i++) {
		print_message("%s\n", places[i].name);
		number[i] = number_in_stat(places[i].name);
		assert_int_equal(number_in_walk(places[i].name), number[i]);
		assert_int_equal(number_when_open(places[i].name), number[i]);
		assert_int_equal(number_in_listing(places[i].dir, places[i].last), number[i]);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(number[i], number[k]);
	}
}

static void a_view_made_again_gives_the_same_numbers(void **state)
{
	uint64_t first;

	(void)state;
	use_view(&plain);
	first = number_in_stat("/m/a/f");
	tn_proc_put(q);
	settle();
	tn_server_put(view);
	use_view(&plain);
	assert_int_equal(number_in_stat("/m/a/f"), first);
}

/* A server with numbers of 64 bits: they cannot go in as they are. */
static uint64_t big_path;

static enum tn_status big_walk(struct tn_req *r)
{
	struct tn_qid qid = { .path = big_path + r->u.walk.names[0].len };

	if (r->u.walk.n_names == 0) {
		r->u.walk.newchan->qid = r->chan->qid;
		return TN_DONE;
	}
	r->u.walk.qids[0] = r->u.walk.newchan->qid = qid;
	r->u.walk.n_walked = 1;
	return TN_DONE;
}

static enum tn_status big_attach(struct tn_req *r)
{
	r->u.attach.newchan->qid = (struct tn_qid){ .path = big_path, .type = TN_QTDIR };
	return TN_DONE;
}

static void big_free(struct tn_server *s)
{
	(void)s;
}

static const struct tn_ops big_ops = {
	.name = "big",
	.op = { [TN_ATTACH] = big_attach, [TN_WALK] = big_walk },
	.free = big_free,
};

static void large_numbers_are_kept_apart_too(void **state)
{
	static const uint64_t paths[] = { 0, UINT64_C(1) << 39, UINT64_C(1) << 40,
		UINT64_C(1) << 63, UINT64_MAX - 8 };
	struct tn_server big;
	uint64_t number[2 * TN_COUNT(paths)];

	(void)state;
	tn_server_init(&big, &big_ops, &loop, NULL);
	use_view(&plain);
	for (size_t i = 0; i < TN_COUNT(paths); i++) {
		big_path = paths[i];
		assert_int_equal(tn_call_mount(p, &big, "/b", TN_REPL, ""), 0);
		number[2 * i] = number_in_walk("/b/x");
		number[2 * i + 1] = number_in_walk("/b/xx");
		assert_int_equal(number_in_walk("/b/x"), number[2 * i]);
		assert_int_equal(number[2 * i] >> 63, i < 2 ? 0 : 1);
		for (size_t k = 0; k < 2 * i + 1; k++) {
			assert_int_not_equal(number[k], number[2 * i + 1]);
			assert_true(k == 2 * i || number[k] != number[2 * i]);
		}
	}
	tn_call_unmount(p, NULL, "/b");
	settle();
}

/* ---- names ---- */

static void check_name(const char *name, const char *want)
{
	struct tn_call_stat s;
	struct tn_chan *c = tn_call_walk(q, name, TN_FOR_ACCESS);
	int fd;

	/* By the fid, as a peer asks: not by the importer's own names. */
	c->path = (tn_path_put(c->path), NULL);
	fd = tn_call_fd(q, c);
	assert_int_equal(tn_call_fstat(q, fd, &s), 0);
	assert_int_equal(s.st.name.len, strlen(want));
	assert_memory_equal(s.st.name.s, want, s.st.name.len);
	tn_free(s.text);
	tn_call_close(q, fd);
}

static void the_root_is_called_slash_and_a_mount_point_by_its_place(void **state)
{
	(void)state;
	use_view(&plain);
	check_name("/m", "m");
	check_name("/a/f", "f");
	assert_int_equal(tn_call_bind(p, "/one", "/a/f", TN_REPL), 0);
	check_name("/a/f", "f");
	tn_proc_put(q);
	q = importer(view, "");
	check_name("/", "/");
}

static int rename_open(int fd, const char *to)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = str(to) };

	return tn_call_fwstat(q, fd, &st);
}

static void a_file_renamed_by_its_fid_tells_its_new_name(void **state)
{
	struct tn_chan *c;
	struct tn_call_stat s;
	int fd;

	(void)state;
	use_view(&plain);
	c = tn_call_walk(q, "/a/f", TN_FOR_REMOVE);
	c->path = (tn_path_put(c->path), NULL);
	fd = tn_call_fd(q, c);
	assert_int_equal(rename_open(fd, "new"), 0);
	assert_int_equal(tn_call_fstat(q, fd, &s), 0);
	assert_memory_equal(s.st.name.s, "new", 3);
	tn_free(s.text);
}

static const struct {
	const char *aname, *listed;
	enum tn_err err;
} anames[] = {
	{ "", "one", TN_OK },
	{ "/", "one", TN_OK },
	{ "a", "f", TN_OK },
	{ "/m/a", "f", TN_OK },
	{ "/../..", "one", TN_OK },
	{ "m/../b/.", "f", TN_OK },
	{ "none", NULL, TN_EBADATTACH },
	{ "one/x", NULL, TN_EBADATTACH },
};

static void an_attach_name_is_a_path_in_the_view(void **state)
{
	(void)state;
	use_view(&plain);
	for (size_t i = 0; i < TN_COUNT(anames); i++) {
		print_message("'%s'\n", anames[i].aname);
		if (anames[i].err != TN_OK) {
			assert_int_equal(tn_call_mount(q, view, "/a", TN_REPL, anames[i].aname),
			    -1);
			assert_int_equal(tn_call_err(), anames[i].err);
			continue;
		}
		tn_proc_put(q);
		q = importer(view, anames[i].aname);
		assert_int_not_equal(number_in_listing("/", anames[i].listed), 0);
	}
}

/* As a peer walks: ".." comes to the server as it is. */
static uint64_t walk_raw(struct tn_chan *from, const char *const *name, uint16_t n)
{
	struct tn_str names[8];
	struct tn_qid qids[8];
	struct tn_req r;
	uint64_t path = 0;
	struct tn_chan *new = tn_chan_new(from->server, user);

	for (uint16_t i = 0; i < n; i++)
		names[i] = str(name[i]);
	tn_req_init(&r, TN_WALK, from, &tn_call_owner);
	r.u.walk.names = names;
	r.u.walk.qids = qids;
	r.u.walk.n_names = n;
	r.u.walk.newchan = new;
	if (tn_call_req(&r) == 0 && r.u.walk.n_walked == n)
		path = new->qid.path;
	tn_chan_put(new);
	return path;
}

static struct tn_chan *attach_raw(struct tn_server *s, const char *aname)
{
	struct tn_chan *c = tn_chan_new(s, user);
	struct tn_req r;

	tn_req_init(&r, TN_ATTACH, NULL, &tn_call_owner);
	r.server = s;
	r.u.attach.newchan = c;
	r.u.attach.aname = str(aname);
	assert_int_equal(tn_call_req(&r), 0);
	return c;
}

static void dot_dot_does_not_leave_what_was_attached_to(void **state)
{
	static const char *const names[] = { "..", "..", "f" };
	struct tn_chan *root, *a;

	(void)state;
	view = view_of_root(&plain, "/");
	root = attach_raw(view, "");
	a = attach_raw(view, "a");
	assert_int_equal(walk_raw(a, names, 2), a->qid.path);
	assert_int_equal(walk_raw(root, names, 2), root->qid.path);
	assert_int_not_equal(walk_raw(a, names, 3), 0);
	assert_int_equal(walk_raw(root, names, 3), 0);
	tn_chan_put(root);
	tn_chan_put(a);
}

static void a_view_of_a_subtree_shows_nothing_above_it(void **state)
{
	static const char *const up[] = { "..", "..", "one" };
	static const char *const slash[] = { "../one" };
	struct tn_chan *root;

	(void)state;
	view = view_of_root(&plain, "/m/a");
	root = attach_raw(view, "/../..");
	assert_int_equal(walk_raw(root, up, 3), 0);
	assert_int_equal(walk_raw(root, slash, 1), 0);
	assert_int_equal(walk_raw(root, up, 2), root->qid.path);
	tn_chan_put(root);
}

/* ---- live ---- */

static void a_fid_sees_what_is_bound_later(void **state)
{
	struct tn_call_stat s;
	struct tn_chan *c;

	(void)state;
	use_view(&plain);
	assert_int_equal(tn_call_chdir(q, "/a"), 0);
	c = tn_chan_get(q->dot);
	assert_int_equal(tn_call_bind(p, "/b", "/a", TN_REPL), 0);
	assert_int_equal(tn_call_stat(q, "f", &s), 0);
	assert_int_equal(s.st.length, 3);
	tn_free(s.text);
	tn_chan_put(c);
}

static void the_server_may_go_its_own_way(void **state)
{
	(void)state;
	use_view(&plain);
	assert_int_equal(tn_call_rfork(p, TN_RF_NAMEG), 0);
	assert_int_equal(tn_call_bind(p, "/b", "/m", TN_REPL), 0);
	assert_int_not_equal(number_in_listing("/m", "a"), 0);
}

/* ---- read-only ---- */

static int try_create(void)
{
	return tn_call_create(q, "/a/new", TN_OWRITE, 0664);
}

static int try_mkdir(void)
{
	return tn_call_create(q, "/a/new", TN_OREAD, TN_DMDIR | 0775);
}

static int try_write(void)
{
	return tn_call_open(q, "/one", TN_OWRITE);
}

static int try_read_write(void)
{
	return tn_call_open(q, "/one", TN_ORDWR);
}

static int try_truncate(void)
{
	return tn_call_open(q, "/one", TN_OREAD | TN_OF_TRUNC);
}

static int try_remove_on_close(void)
{
	return tn_call_open(q, "/one", TN_OREAD | TN_OF_RCLOSE);
}

static int try_remove(void)
{
	return tn_call_remove(q, "/one");
}

static int try_chmod(void)
{
	struct tn_stat st = { .valid = TN_ST_MODE, .mode = 0600 };

	return tn_call_wstat(q, "/one", &st);
}

static int try_rename(void)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("two") };

	return tn_call_wstat(q, "/one", &st);
}

static int try_two(enum tn_req_type type)
{
	struct tn_chan *a = tn_call_walk(q, "/a", TN_FOR_TARGET),
		       *b = tn_call_walk(q, "/b", TN_FOR_TARGET);
	struct tn_req r;
	int ret;

	tn_req_init(&r, type, a, &tn_call_owner);
	r.chan2 = b;
	r.u.rename.name = TN_STR("f");
	r.u.rename.newname = TN_STR("g");
	if (type == TN_SYMLINK || type == TN_MKNOD) {
		r.u.create.name = TN_STR("link");
		r.u.create.target = TN_STR("f");
	}
	ret = tn_call_req(&r);
	tn_chan_put(a);
	tn_chan_put(b);
	return ret;
}

static int try_rename2(void)
{
	return try_two(TN_RENAME);
}

static int try_symlink(void)
{
	return try_two(TN_SYMLINK);
}

static const struct {
	const char *what;
	int (*act)(void);
} changes[] = {
	{ "create", try_create },
	{ "mkdir", try_mkdir },
	{ "write", try_write },
	{ "read and write", try_read_write },
	{ "truncate", try_truncate },
	{ "remove on close", try_remove_on_close },
	{ "rename by two directories", try_rename2 },
	{ "symbolic link", try_symlink },
	{ "chmod", try_chmod },
	{ "rename", try_rename },
	{ "remove", try_remove },
};

static void read_only_refuses_every_change_and_no_look(void **state)
{
	struct tn_call_stat s;

	(void)state;
	for (int read_only = 1; read_only >= 0; read_only--) {
		view = view_of_root(&(struct tn_view_options){ .read_only = read_only }, "/");
		q = importer(view, "");
		for (size_t i = 0; i < TN_COUNT(changes); i++) {
			int ret;

			print_message("%s\n", changes[i].what);
			ret = changes[i].act();
			if (read_only) {
				assert_int_equal(ret, -1);
				assert_int_equal(tn_call_err(), TN_EROFS);
			} else if (ret < 0) {
				assert_int_equal(tn_call_err(), TN_ENOENT); /* renamed away */
			} else if (changes[i].act != try_remove) {
				tn_call_close(q, ret);
			}
			tn_call_stat(q, "/one", &s);
			tn_free(s.text);
		}
		assert_int_not_equal(number_in_listing("/", "a"), 0);
		tn_proc_put(q);
		q = NULL;
		settle();
		tn_server_put(view);
		view = NULL;
	}
}

/* ---- two directories ---- */

static void a_rename_in_a_union_stays_in_the_member(void **state)
{
	(void)state;
	use_view(&plain);
	assert_int_equal(tn_call_bind(p, "/b", "/a", TN_AFTER), 0);
	tn_ram_put_file(ram[0], str("/b/only"), 0664, str("x"));
	struct tn_chan *dir = tn_call_walk(q, "/a", TN_FOR_TARGET);
	struct tn_req r;

	tn_req_init(&r, TN_RENAME, dir, &tn_call_owner);
	r.chan2 = dir;
	r.u.rename.name = TN_STR("only");
	r.u.rename.newname = TN_STR("moved");
	assert_int_equal(tn_call_req(&r), 0);
	assert_int_not_equal(number_in_listing("/b", "moved"), 0);
	tn_req_init(&r, TN_RENAME, dir, &tn_call_owner);
	r.chan2 = dir;
	r.u.rename.name = TN_STR("..");
	r.u.rename.newname = TN_STR("x");
	assert_int_equal(tn_call_req(&r), -1);
	assert_int_equal(tn_call_err(), TN_EBADARG);
	tn_chan_put(dir);
}

static void a_mount_point_is_neither_removed_nor_renamed(void **state)
{
	struct tn_chan *root;
	struct tn_req r;

	(void)state;
	use_view(&plain);
	assert_int_equal(tn_call_remove(q, "/m"), -1);
	assert_int_equal(tn_call_err(), TN_EISMOUNT);
	root = tn_call_walk(q, "/", TN_FOR_ACCESS);
	tn_req_init(&r, TN_RENAME, root, &tn_call_owner);
	r.chan2 = root;
	r.u.rename.name = TN_STR("m");
	r.u.rename.newname = TN_STR("n");
	assert_int_equal(tn_call_req(&r), -1);
	assert_int_equal(tn_call_err(), TN_EISMOUNT);
	tn_req_init(&r, TN_RENAME, root, &tn_call_owner);
	r.chan2 = root;
	r.u.rename.name = TN_STR("b");
	r.u.rename.newname = TN_STR("m");
	assert_int_equal(tn_call_req(&r), -1);
	assert_int_equal(tn_call_err(), TN_EISMOUNT);
	tn_chan_put(root);
}

/* ---- listings ---- */

static char names[512];

static bool put_name(void *arg, const struct tn_stat *st)
{
	(void)arg;
	snprintf(names + strlen(names), sizeof(names) - strlen(names), "%.*s ", (int)st->name.len,
	    st->name.s);
	return true;
}

static const char *list(const char *dir)
{
	int fd = tn_call_open(q, dir, TN_OREAD);

	assert_true(fd >= 0);
	names[0] = '\0';
	while (tn_call_dirread(q, fd, 0, put_name, NULL) > 0)
		;
	tn_call_close(q, fd);
	return names;
}

static const struct {
	const char *what;
	bool no_duplicates, show_mounts;
	const char *want;
} listings[] = {
	{ "as it is", false, false, "f f other f " },
	{ "without duplicates", true, false, "f other " },
	{ "with all mount points", false, true, "f f other f gone " },
	{ "both", true, true, "f other gone " },
};

static void duplicates_and_hidden_mount_points_are_switches(void **state)
{
	(void)state;
	tn_ram_put_file(ram[0], str("/b/other"), 0664, str("x"));
	tn_ram_put_dir(ram[0], str("/a/gone"), 0775);
	assert_int_equal(tn_call_bind(p, "/m", "/a/gone", TN_REPL), 0);
	assert_int_equal(tn_call_bind(p, "/b", "/a", TN_AFTER), 0);
	assert_int_equal(tn_call_bind(p, "/m/a", "/a", TN_AFTER), 0);
	/* The directory under the mount point goes, as when another machine removes it. */
	q = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(q, ram[0], "/", TN_REPL, ""), 0);
	assert_int_equal(tn_call_remove(q, "/a/gone"), 0);
	tn_proc_put(q);
	for (size_t i = 0; i < TN_COUNT(listings); i++) {
		print_message("%s\n", listings[i].what);
		view = view_of_root(
		    &(struct tn_view_options){ .no_duplicates = listings[i].no_duplicates,
			.show_mounts = listings[i].show_mounts },
		    "/");
		q = importer(view, "");
		assert_string_equal(list("/a"), listings[i].want);
		assert_string_equal(list("/a"), listings[i].want);
		tn_proc_put(q);
		q = NULL;
		settle();
		tn_server_put(view);
		view = NULL;
	}
}

/* A reader with room for so many entries at a time; "name name ". */
struct reading {
	struct tn_req r; /* first */
	int room, n;
	uint64_t next;
	char text[128];
};

static bool take_some(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct reading *d = (struct reading *)r;

	if (d->n == d->room)
		return false;
	d->n++;
	d->next = next;
	snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "%.*s ",
	    (int)st->name.len, st->name.s);
	return true;
}

static const struct tn_owner some_owner = { .entry = take_some };

static const char *list_by(struct tn_chan *c, int room, char *text)
{
	struct reading d = { .next = 0 };

	text[0] = '\0';
	do {
		uint64_t offset = d.next;

		d = (struct reading){ .room = room, .next = offset };
		tn_req_init(&d.r, TN_READDIR, c, &some_owner);
		d.r.u.readdir.offset = offset;
		assert_int_equal(tn_submit(&d.r), TN_DONE);
		assert_int_equal(d.r.err, TN_OK);
		strcat(text, d.text);
	} while (d.n > 0);
	return text;
}

static void with_any_room_a_listing_is_the_same(void **state)
{
	char text[256];

	(void)state;
	for (int i = 0; i < 6; i++)
		tn_ram_put_file(ram[0],
		    str((const char *[]){ "/b/1", "/a/2", "/b/2", "/a/3", "/b/4", "/b/3" }[i]),
		    0664, str("x"));
	assert_int_equal(tn_call_bind(p, "/b", "/a", TN_AFTER), 0);
	use_view(&(
	    struct tn_view_options){ .no_duplicates = true, .show_mounts = true, .follow = true });
	for (int room = 1; room < 8; room++) {
		struct tn_chan *c = tn_call_walk(q, "/a", TN_FOR_OPEN);

		assert_string_equal(list_by(c, room, text), "f 2 3 1 4 ");
		assert_string_equal(list_by(c, room, text), "f 2 3 1 4 ");
		tn_chan_put(c);
	}
}

/* ---- symbolic links ---- */

static void make_link(const char *dir, const char *name, const char *target)
{
	struct tn_chan *c = tn_call_walk(p, dir, TN_FOR_ACCESS);
	struct tn_req r;

	tn_req_init(&r, TN_SYMLINK, c, &tn_call_owner);
	r.user = user;
	r.u.create.name = str(name);
	r.u.create.target = str(target);
	assert_int_equal(tn_call_req(&r), 0);
	tn_chan_put(c);
}

/* As a peer without links of its own walks and asks. "": it is not there. */
static const char *seen_as(struct tn_chan *from, const char *name)
{
	static char text[64];
	struct tn_chan *c = tn_chan_new(from->server, user);
	struct tn_call_stat s;
	struct tn_str elem = str(name);
	struct tn_qid qid;
	struct tn_req r;
	int fd;

	text[0] = '\0';
	tn_req_init(&r, TN_WALK, from, &tn_call_owner);
	r.u.walk.names = &elem;
	r.u.walk.qids = &qid;
	r.u.walk.n_names = 1;
	r.u.walk.newchan = c;
	if (tn_call_req(&r) < 0) {
		tn_chan_put(c);
		return text;
	}
	fd = tn_call_fd(p, c);
	assert_int_equal(tn_call_fstat(p, fd, &s), 0);
	assert_int_equal(s.st.qid.path, qid.path);
	snprintf(text, sizeof(text), "%.*s %c %d", (int)s.st.name.len, s.st.name.s,
	    s.st.mode & TN_DMDIR       ? 'd'
	    : s.st.mode & TN_DMSYMLINK ? 'l'
				       : 'f',
	    (int)s.st.length);
	tn_free(s.text);
	tn_call_close(p, fd);
	return text;
}

static char kinds[512];

static bool put_kind(void *arg, const struct tn_stat *st)
{
	(void)arg;
	snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%.*s:%c ",
	    (int)st->name.len, st->name.s,
	    st->mode & TN_DMDIR       ? 'd'
	    : st->mode & TN_DMSYMLINK ? 'l'
				      : 'f');
	return true;
}

static const char *list_kinds(const char *dir)
{
	int fd = tn_call_open(q, dir, TN_OREAD);

	assert_true(fd >= 0);
	kinds[0] = '\0';
	while (tn_call_dirread(q, fd, 0, put_kind, NULL) > 0)
		;
	tn_call_close(q, fd);
	return kinds;
}

static void make_links(void)
{
	make_link("/a", "file", "f");
	make_link("/a", "dir", "../b");
	make_link("/a", "abs", "/b/f");
	make_link("/a", "none", "nothing");
	make_link("/a", "out", "../one");
}

static void links_are_followed_for_a_peer_that_has_none(void **state)
{
	struct tn_chan *a;

	(void)state;
	make_links();
	use_view(&(struct tn_view_options){ .follow = true });
	a = attach_raw(view, "/a");
	assert_string_equal(seen_as(a, "file"), "file f 4");
	assert_string_equal(seen_as(a, "none"), "");
	assert_string_equal(seen_as(a, "out"), ""); /* not below what was attached to */
	assert_string_equal(seen_as(a, "abs"), "");
	tn_chan_put(a);
	assert_string_equal(list_kinds("/a"), "f:f file:f dir:d abs:f none:l out:f ");
	assert_int_not_equal(number_in_listing("/a/dir", "f"), 0);
	assert_int_equal(number_in_stat("/a/abs"), number_in_stat("/b/f"));
	assert_int_equal(number_in_listing("/a", "dir"), number_in_stat("/b"));
}

static void it_removes_and_renames_the_link_and_not_the_file(void **state)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = TN_STR("renamed") };
	struct tn_chan *c;
	struct tn_req r;

	(void)state;
	make_links();
	use_view(&(struct tn_view_options){ .follow = true });
	assert_int_equal(tn_call_wstat(q, "/a/file", &st), 0);
	assert_int_equal(tn_call_remove(q, "/a/abs"), 0);
	assert_string_equal(list_kinds("/a"), "f:f renamed:f dir:d none:l out:f ");
	assert_string_equal(list_kinds("/b"), "f:f ");
	c = tn_call_walk(q, "/a/out", TN_FOR_REMOVE);
	st = (struct tn_stat){ .valid = TN_ST_MODE, .mode = 0600 };
	tn_req_init(&r, TN_WSTAT, c, &tn_call_owner);
	r.u.wstat.st = &st;
	assert_int_equal(tn_call_req(&r), 0); /* of what it leads to */
	tn_chan_put(c);
	assert_string_equal(list_kinds("/"), "a:d b:d m:d one:f ");
	assert_int_equal(tn_call_open(q, "/one", TN_OWRITE), 0);
}

static void without_the_switch_a_link_is_a_link(void **state)
{
	struct tn_chan *root, *a;

	(void)state;
	make_links();
	use_view(&plain);
	root = attach_raw(view, "");
	a = attach_raw(view, "/a");
	assert_string_equal(seen_as(a, "file"), "file l 1");
	assert_string_equal(seen_as(a, "out"), "out l 6");
	tn_chan_put(a);
	tn_chan_put(root);
	assert_string_equal(list_kinds("/a"), "f:f file:l dir:l abs:l none:l out:l ");
}

/* ---- views in views ---- */

enum { DEPTH_MAX = 32 };

static char deep_name[4 * DEPTH_MAX];

/* The view is mounted in what it shows: /b/b/b ... leads through ever more views. */
static void *walk_deep(void *arg)
{
	int n = *(int *)arg;
	struct tn_call_stat s;

	deep_name[0] = '\0';
	for (int i = 0; i < n; i++)
		strcat(deep_name, "/b");
	strcat(deep_name, "/one");
	n = tn_call_stat(q, deep_name, &s);
	tn_free(s.text);
	settle();
	return n == 0 ? arg : NULL;
}

static void *on_a_small_stack(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	assert_int_equal(pthread_create(&thread, &attr, fn, arg), 0);
	assert_int_equal(pthread_join(thread, &ret), 0);
	pthread_attr_destroy(&attr);
	return ret;
}

static void a_view_may_lead_through_so_many_and_no_more(void **state)
{
	(void)state;
	use_view(&plain);
	assert_int_equal(tn_call_mount(p, view, "/b", TN_REPL, ""), 0);
	for (int n = 1; n < DEPTH_MAX + 8; n++) {
		bool there = on_a_small_stack(walk_deep, &n) != NULL;

		assert_int_equal(there, n < DEPTH_MAX);
		if (!there)
			assert_int_equal(tn_call_err(), TN_ELIMIT_DEPTH);
	}
}

/* ---- waiting ---- */

struct asked {
	struct tn_req r; /* first */
	bool done;
};

static void asked_done(struct tn_req *r)
{
	((struct asked *)r)->done = true;
}

static void asked_stat(struct tn_req *r, const struct tn_stat *st)
{
	(void)r;
	(void)st;
}

static bool asked_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)r;
	(void)st;
	(void)next;
	return true;
}

static const struct tn_owner asked_owner = { .done = asked_done,
	.stat = asked_stat,
	.entry = asked_entry };

static void a_flush_goes_through(void **state)
{
	static const enum tn_req_type types[] = { TN_STAT, TN_WSTAT, TN_OPEN, TN_READDIR,
		TN_REMOVE };
	struct tree *t = tree_new();
	struct tn_stat st = { .valid = TN_ST_MODE };

	(void)state;
	tree_add(t, "sub/");
	use_view(&(struct tn_view_options){ .show_mounts = true });
	assert_int_equal(tn_call_mount(p, &t->s, "/b", TN_REPL, ""), 0);
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		struct tn_chan *c = types[i] == TN_READDIR
					? tn_call_walk(q, "/b", TN_FOR_OPEN)
					: tn_call_walk(q, "/b/sub", TN_FOR_REMOVE);
		struct asked a = { .done = false };

		assert_ptr_equal(tn_chan_behind(c), c);
		tree_forget(t);
		t->stuck = true;
		tn_req_init(&a.r, types[i], c, &asked_owner);
		if (types[i] == TN_WSTAT)
			a.r.u.wstat.st = &st;
		assert_int_equal(tn_submit(&a.r), TN_LATER);
		settle();
		assert_false(a.done);
		tn_flush(&a.r);
		settle();
		assert_true(a.done);
		assert_int_equal(a.r.err, TN_EINTR);
		assert_int_equal(t->count[TN_FLUSH], 1);
		t->stuck = false;
		tn_req_reset(&a.r);
		tn_chan_put(c);
		tn_proc_put(q);
		q = importer(view, "");
		settle();
	}
	tn_call_unmount(p, NULL, "/b");
	settle();
	tn_server_put(&t->s);
}

/* What the peer gave its request of time and identity is what the server behind is asked with. */
static void a_deadline_and_who_asks_go_through(void **state)
{
	static const enum tn_req_type types[] = { TN_STAT, TN_WSTAT, TN_OPEN, TN_REMOVE };
	struct tree *t = tree_new();
	struct tn_stat st = { .valid = TN_ST_MODE };

	(void)state;
	tree_add(t, "sub/");
	use_view(&plain);
	assert_int_equal(tn_call_mount(p, &t->s, "/b", TN_REPL, ""), 0);
	for (size_t i = 0; i < TN_COUNT(types); i++) {
		struct tn_chan *c = tn_call_walk(q, "/b/sub", TN_FOR_REMOVE);
		struct asked a = { .done = false };

		t->stuck = true;
		tn_req_init(&a.r, types[i], c, &asked_owner);
		a.r.deadline_ns = 12345 + i;
		a.r.pid = 77;
		if (types[i] == TN_WSTAT)
			a.r.u.wstat.st = &st;
		assert_int_equal(tn_submit(&a.r), TN_LATER);
		assert_non_null(t->kept);
		assert_int_equal(t->kept->deadline_ns, 12345 + i);
		assert_int_equal(t->kept->pid, 77);
		tn_flush(&a.r);
		settle();
		assert_true(a.done);
		t->stuck = false;
		tn_req_reset(&a.r);
		tn_chan_put(c);
		tn_proc_put(q);
		q = importer(view, "");
		settle();
	}
	tn_call_unmount(p, NULL, "/b");
	settle();
	tn_server_put(&t->s);
}

static void late_servers_are_waited_for(void **state)
{
	struct tree *t = tree_new();

	(void)state;
	tree_add(t, "sub/");
	tree_add(t, "sub/x");
	use_view(&(struct tn_view_options){ .no_duplicates = true, .show_mounts = true });
	assert_int_equal(tn_call_mount(p, &t->s, "/b", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_bind(p, "/b/sub", "/b/sub", TN_AFTER), 0);
	t->late = true;
	assert_string_equal(list("/b/sub"), "x ");
	assert_int_equal(tn_call_create(q, "/b/new", TN_OWRITE, 0664), 0);
	assert_int_equal(tn_call_close(q, 0), 0);
	assert_int_equal(tn_call_remove(q, "/b/new"), 0);
	t->late = false;
	tn_proc_put(q);
	q = NULL;
	tn_call_unmount(p, NULL, "/b/sub");
	tn_call_unmount(p, NULL, "/b");
	settle();
	tn_server_put(&t->s);
}

/* ---- memory ---- */

static bool do_all(void)
{
	struct tn_chan *c = tn_call_walk(q, "/a/../m/a", TN_FOR_TARGET);
	struct tn_call_stat s;
	int fd;

	tn_chan_put(c);
	if (!c)
		return false;
	fd = tn_call_open(q, "/a", TN_OREAD);
	if (fd < 0)
		return false;
	names[0] = '\0';
	if (tn_call_dirread(q, fd, 0, put_name, NULL) < 0) {
		tn_call_close(q, fd);
		return false;
	}
	if (tn_call_close(q, fd) < 0 || tn_call_stat(q, "/m/a/f", &s) < 0)
		return false;
	tn_free(s.text);
	return tn_call_mount(q, view, "/b", TN_REPL, "m") == 0;
}

static void any_allocation_may_fail(void **state)
{
	bool ok = false;
	int k = 0;

	(void)state;
	assert_int_equal(tn_call_bind(p, "/b", "/a", TN_AFTER), 0);
	for (; !ok && k < 300; k++) {
		use_view(&(struct tn_view_options){ .no_duplicates = true, .show_mounts = true });
		allocs_left = k;
		tn_alloc_hook = alloc_or_not;
		ok = do_all();
		tn_alloc_hook = NULL;
		if (!ok)
			assert_int_equal(tn_call_err(), TN_ENOMEM);
		tn_proc_put(q);
		q = NULL;
		settle();
		tn_server_put(view);
		view = NULL;
	}
	assert_true(ok);
	assert_true(k > 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_has_one_number_everywhere_and_no_other_has_it),
		TEST(a_view_made_again_gives_the_same_numbers),
		TEST(large_numbers_are_kept_apart_too),
		TEST(the_root_is_called_slash_and_a_mount_point_by_its_place),
		TEST(a_file_renamed_by_its_fid_tells_its_new_name),
		TEST(an_attach_name_is_a_path_in_the_view),
		TEST(dot_dot_does_not_leave_what_was_attached_to),
		TEST(a_view_of_a_subtree_shows_nothing_above_it),
		TEST(a_fid_sees_what_is_bound_later),
		TEST(the_server_may_go_its_own_way),
		TEST(read_only_refuses_every_change_and_no_look),
		TEST(a_rename_in_a_union_stays_in_the_member),
		TEST(a_mount_point_is_neither_removed_nor_renamed),
		TEST(duplicates_and_hidden_mount_points_are_switches),
		TEST(with_any_room_a_listing_is_the_same),
		TEST(links_are_followed_for_a_peer_that_has_none),
		TEST(it_removes_and_renames_the_link_and_not_the_file),
		TEST(without_the_switch_a_link_is_a_link),
		TEST(a_view_may_lead_through_so_many_and_no_more),
		TEST(a_flush_goes_through),
		TEST(a_deadline_and_who_asks_go_through),
		TEST(late_servers_are_waited_for),
		TEST(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
