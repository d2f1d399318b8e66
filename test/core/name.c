/*
 * Resolving names: what is sent for it, what comes of partial, late, lying and failing answers. The rules themselves are
 * the oracle's (oracle-driver).
 */
#include "core/name.h"

#include "core/mount.h"
#include "core/union.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tree *a, *b;
static struct tn_proc *p;

/* a: /d/e/f/g/file, /m, /n, ... mounted on /; b: /x/y, /f */
static int set_up(void **state)
{
	(void)state;
	world_init();
	a = tree_new();
	b = tree_new();
	device_server = &b->s;
	static const char *const of_a[] = { "d/", "d/e/", "d/e/f/", "d/e/f/g/", "d/e/f/g/file",
		"m/", "n/", "plain" };
	static const char *const of_b[] = { "x/", "x/y/", "x/y/z/", "x/y/z/deep", "f" };

	for (size_t i = 0; i < TN_COUNT(of_a); i++)
		tree_add(a, of_a[i]);
	for (size_t i = 0; i < TN_COUNT(of_b); i++)
		tree_add(b, of_b[i]);
	p = tn_proc_new(&node, NULL);
	assert_int_equal(put_at(p, a, 0, "/", TN_REPL | TN_CREATE_HERE), TN_OK);
	settle();
	tree_forget(a);
	tree_forget(b);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	tn_proc_put(p);
	settle();
	tn_server_put(&a->s);
	tn_server_put(&b->s);
	world_fini();
	return 0;
}

/* The node that a name leads to; -1 and the error in *err. */
static int at(const char *name, enum tn_name_for want, enum tn_err *err)
{
	struct tn_name n = question(p, name, want);
	int i = -1;

	*err = resolve(&n);
	if (*err == TN_OK)
		i = (int)n.chan->qid.path;
	tn_name_fini(&n);
	settle();
	return i;
}

static unsigned requests(const struct tree *t)
{
	unsigned n = 0;

	for (int i = 0; i < TN_REQ_TYPES; i++)
		n += i == TN_CLUNK ? 0 : t->count[i];
	return n;
}

/* ---- messages ---- */

static void a_run_of_names_is_one_walk(void **state)
{
	enum tn_err err;

	(void)state;
	assert_int_equal(at("/d/e/f/g/file", TN_FOR_ACCESS, &err), 5);
	assert_int_equal(a->count[TN_WALK], 1);
	assert_int_equal(requests(a), 1);
}

static void sixteen_names_are_one_walk_and_seventeen_two(void **state)
{
	char name[64] = "";
	enum tn_err err;

	(void)state;
	for (int i = 0; i < 15; i++)
		strcat(name, "/d");
	for (int i = 9; i < 9 + 20; i++)
		a->node[i] = (struct node){ .name = strdup("d"),
			.parent = i == 9 ? 1 : i - 1,
			.mode = TN_DMDIR | 0775 };
	a->n = 29;
	strcat(name, "/d");
	assert_int_equal(at(name, TN_FOR_TARGET, &err), 9 + 14);
	assert_int_equal(a->count[TN_WALK], 1);
	strcat(name, "/d");
	assert_int_equal(at(name, TN_FOR_TARGET, &err), 9 + 15);
	assert_int_equal(a->count[TN_WALK], 1 + 2);
}

/* The qids of the one walk show where the run must be cut; from there it goes on in what is mounted. */
static void a_mount_point_on_the_way_costs_one_more_walk(void **state)
{
	enum tn_err err;

	(void)state;
	assert_int_equal(put_at(p, b, 0, "/d/e", TN_REPL), TN_OK);
	settle();
	tree_forget(a);
	assert_int_equal(at("/d/e/x/y/z/deep", TN_FOR_ACCESS, &err), 4);
	assert_int_equal(requests(a), 1);
	assert_int_equal(requests(b), 1);
}

static void crossing_the_last_mount_point_costs_nothing(void **state)
{
	enum tn_err err;
	struct tn_name n = question(p, "/d/e", TN_FOR_ACCESS);

	(void)state;
	assert_int_equal(put_at(p, b, 1, "/d/e", TN_REPL), TN_OK);
	tree_forget(a);
	assert_int_equal(resolve(&n), TN_OK);
	assert_ptr_equal(n.chan->server, &b->s);
	assert_true(n.is_mount);
	assert_int_equal(n.members->n, 1);
	assert_int_equal(requests(a), 1);
	assert_int_equal(requests(b), 0);
	tn_name_fini(&n);
	assert_int_equal(at("/d/e", TN_FOR_TARGET, &err), 2);
}

static void dot_dot_over_a_mount_point_costs_nothing(void **state)
{
	enum tn_err err;

	(void)state;
	assert_int_equal(put_at(p, b, 0, "/d/e", TN_REPL), TN_OK);
	tree_forget(a);
	assert_int_equal(at("/d/e/x/../../f/g", TN_FOR_TARGET, &err), -1);
	assert_int_equal(err, TN_ENOENT);
	assert_int_equal(b->count[TN_WALK], 1);
	assert_int_equal(at("/d/e/x/../..", TN_FOR_TARGET, &err), 1);
}

static void at_the_root_dot_dot_asks_nobody(void **state)
{
	enum tn_err err;

	(void)state;
	assert_int_equal(at("/../../..", TN_FOR_TARGET, &err), 0);
	assert_int_equal(requests(a), 0);
}

/* ---- answers that are partial, late ---- */

/* A name, and where it leads: in a, or in b when negative; 0 with an error. */
static const struct {
	const char *name;
	int want;
	enum tn_err err;
} names[] = {
	{ "/d/e/f/g/file", 5, TN_OK },
	{ "/d/e/f/../../e/f", 3, TN_OK },
	{ "/m/x/y/z/deep", -4, TN_OK },
	{ "/m/x/y/../../../d/e", 2, TN_OK },
	{ "/m/x/./y//z/", -3, TN_OK },
	{ "/n/x/y", -2, TN_OK },
	{ "/d/e/none/g", 0, TN_ENOENT },
	{ "/m/x/none/deep", 0, TN_ENOENT },
	{ "/d/e/f/g/file/more", 0, TN_ENOTDIR },
	{ "/plain/", 0, TN_ENOTDIR },
	{ "/plain/..", 0, TN_ENOTDIR },
	{ "/none", 0, TN_ENOENT },
	{ "", 0, TN_EEMPTYNAME },
	{ "#t/x/y", -2, TN_OK },
	{ "#t/x/../f", -5, TN_OK },
	{ "#t/../../x", -1, TN_OK },
	{ "#none", 0, TN_ENODEV },
};

static void mount_two(void)
{
	assert_int_equal(put_at(p, b, 0, "/m", TN_REPL), TN_OK);
	assert_int_equal(put_at(p, a, 1, "/n", TN_AFTER), TN_OK);
	assert_int_equal(put_at(p, b, 0, "/n", TN_AFTER), TN_OK);
}

static void check_names(void)
{
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_name n = question(p, names[i].name, TN_FOR_ACCESS);
		int want = names[i].want < 0 ? -names[i].want : names[i].want;

		print_message("  %s\n", names[i].name);
		assert_int_equal(resolve(&n), names[i].err);
		if (names[i].err == TN_OK) {
			assert_ptr_equal(n.chan->server, names[i].want < 0 ? &b->s : &a->s);
			assert_int_equal(n.chan->qid.path, want);
		}
		tn_name_fini(&n);
		settle();
	}
}

static void walks_may_be_answered_in_part_or_late(void **state)
{
	(void)state;
	mount_two();
	for (unsigned max = 0; max < 5; max++) {
		for (int late = 0; late < 2; late++) {
			print_message("%u at a time%s\n", max, late ? ", late" : "");
			a->walk_max = b->walk_max = max;
			a->late = b->late = late;
			check_names();
		}
	}
}

/* 9P says why only of the first name of a walk; nobody who asks for more must get less of an answer. */
static void a_refusal_deep_in_a_name_is_told_as_it_is(void **state)
{
	enum tn_err err;

	(void)state;
	a->node[3].walk_err = TN_EACCES;
	at("/d/e/f/g/file", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_EACCES);
}

/* Owners may move a name when its request is kept: before that it may lie in a buffer that is used again. */
struct moved {
	struct tn_name n;
	char *first, *second;
	bool done;
};

static bool move_name(struct tn_name *n)
{
	struct moved *m = (struct moved *)n;

	assert_null(m->second);
	m->second = strdup(m->first);
	memset(m->first, '!', strlen(m->first));
	n->name.s = m->second;
	return true;
}

static void moved_done(struct tn_name *n)
{
	((struct moved *)n)->done = true;
}

static void a_name_may_move_when_it_has_to_wait(void **state)
{
	static const char *const late_names[] = { "/d/e/f/g/file", "/m/x/y/../y/z/deep", "#t/x/y",
		"/d/new" };

	(void)state;
	mount_two();
	a->late = b->late = true;
	for (size_t i = 0; i < TN_COUNT(late_names); i++) {
		struct moved m = { .first = strdup(late_names[i]) };

		m.n = question(p, m.first, i == 3 ? TN_FOR_CREATE : TN_FOR_TARGET);
		m.n.done = moved_done;
		m.n.keep = move_name;
		assert_int_equal(tn_name_start(&m.n), TN_LATER);
		while (!m.done)
			tn_loop_run(&loop);
		assert_int_equal(m.n.err, TN_OK);
		tn_name_fini(&m.n);
		free(m.first);
		free(m.second);
		settle();
	}
	assert_string_equal(a->node[a->n - 1].name, "new");
}

/* ---- flush ---- */

static void a_flush_ends_it_soon(void **state)
{
	struct tn_name n = question(p, "/d/e/f", TN_FOR_OPEN);
	bool done = false;

	(void)state;
	a->stuck = true;
	n.done = name_finished;
	n.arg = &done;
	assert_int_equal(tn_name_start(&n), TN_LATER);
	settle();
	assert_false(done);
	tn_name_flush(&n);
	settle();
	assert_true(done);
	assert_int_equal(n.err, TN_EINTR);
	assert_int_equal(a->count[TN_FLUSH], 1);
	assert_int_equal(a->count[TN_OPEN], 0);
	tn_name_fini(&n);
}

/* Flushing is asking: the answer may come as it would have. Nothing more is asked for then. */
static void a_flush_that_came_too_late_ends_it_all_the_same(void **state)
{
	struct tn_name n = question(p, "/d/e/f", TN_FOR_OPEN);
	bool done = false;

	(void)state;
	a->late = a->deaf = true;
	n.done = name_finished;
	n.arg = &done;
	assert_int_equal(tn_name_start(&n), TN_LATER);
	tn_name_flush(&n);
	settle();
	assert_true(done);
	assert_int_equal(n.err, TN_EINTR);
	assert_int_equal(a->count[TN_OPEN], 0);
	tn_name_fini(&n);
}

static void a_flush_after_the_answer_does_nothing(void **state)
{
	struct tn_name n = question(p, "/d/e/f", TN_FOR_ACCESS);

	(void)state;
	assert_int_equal(resolve(&n), TN_OK);
	tn_name_flush(&n);
	assert_int_equal(a->count[TN_FLUSH], 0);
	tn_name_fini(&n);
}

/* The deadline and who asks go with each request. */
static enum tn_status see_deadline(struct tn_req *r)
{
	assert_int_equal(r->deadline_ns, 12345);
	assert_int_equal(r->pid, 77);
	return tree_op(r);
}

static void the_deadline_goes_with_each_request(void **state)
{
	struct tn_ops ops = tree_ops;
	struct tn_name n = question(p, "/d/e/../e/new", TN_FOR_CREATE);

	(void)state;
	ops.op[TN_WALK] = ops.op[TN_CREATE] = ops.op[TN_OPEN] = see_deadline;
	a->s.ops = &ops;
	n.deadline_ns = 12345;
	n.pid = 77;
	assert_int_equal(resolve(&n), TN_OK);
	tn_name_fini(&n);
	settle();
	a->s.ops = &tree_ops;
}

/* ---- unions ---- */

static void a_member_that_is_down_gives_its_error(void **state)
{
	enum tn_err err;

	(void)state;
	mount_two(); /* /n: a's n, a's d, b */
	a->late = b->late = true;
	b->down = TN_ECONNLOST;
	at("/n/x", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_ECONNLOST);
	assert_int_equal(at("/n/e", TN_FOR_ACCESS, &err), 2); /* the one before it has it */
	b->s.flags |= TN_SF_DOWN_SKIP;
	at("/n/x", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_ENOENT);
}

static void a_member_that_refuses_is_passed_over(void **state)
{
	enum tn_err err;

	(void)state;
	mount_two();
	a->node[1].walk_err = TN_EACCES;
	assert_int_equal(at("/n/x", TN_FOR_ACCESS, &err), 1);
	assert_int_equal(err, TN_OK);
	at("/n/none", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_ENOENT); /* what the last one said */
}

/* ---- create ---- */

static void what_somebody_else_made_meanwhile_is_opened(void **state)
{
	struct tn_name n = question(p, "/d/new", TN_FOR_CREATE);

	(void)state;
	a->race = true;
	assert_int_equal(resolve(&n), TN_OK);
	assert_true(n.existed);
	assert_int_equal(a->count[TN_CREATE], 1);
	assert_int_equal(a->count[TN_OPEN], 1);
	tn_name_fini(&n);
}

/* It is looked for anew from the first member on, whichever was asked last. */
static void what_somebody_else_made_meanwhile_in_a_union_is_opened(void **state)
{
	struct tn_name n = question(p, "/n/new", TN_FOR_CREATE);

	(void)state;
	mount_two();
	assert_int_equal(put_at(p, a, 6, "/n", TN_BEFORE | TN_CREATE_HERE), TN_OK);
	a->race = true;
	assert_int_equal(resolve(&n), TN_OK);
	assert_true(n.existed);
	assert_ptr_equal(n.chan->server, &a->s);
	assert_int_equal(a->count[TN_CREATE], 1);
	tn_name_fini(&n);
}

static void exclusively_it_is_not_opened(void **state)
{
	struct tn_name n = question(p, "/d/new", TN_FOR_CREATE);

	(void)state;
	a->race = true;
	n.flags = TN_OF_EXCL;
	assert_int_equal(resolve(&n), TN_EEXIST);
	assert_int_equal(a->count[TN_OPEN], 0);
	tn_name_fini(&n);
}

/* A server that says "exists" of what it does not find is asked twice and no more. */
static enum tn_status create_exists(struct tn_req *r)
{
	tree_of(r->server)->count[TN_CREATE]++;
	return tn_fail(r, TN_EEXIST);
}

static void a_server_that_contradicts_itself_ends_it(void **state)
{
	struct tn_ops ops = tree_ops;
	struct tn_name n = question(p, "/d/new", TN_FOR_CREATE);

	(void)state;
	ops.op[TN_CREATE] = create_exists;
	a->s.ops = &ops;
	assert_int_equal(resolve(&n), TN_EEXIST);
	assert_int_equal(a->count[TN_CREATE], 2);
	tn_name_fini(&n);
	settle();
	a->s.ops = &tree_ops;
}

/* It may have the name; making another one elsewhere would hide it when it comes back. */
static void nothing_is_made_while_a_member_is_down(void **state)
{
	struct tn_name n = question(p, "/n/new", TN_FOR_CREATE);

	(void)state;
	mount_two();
	assert_int_equal(put_at(p, a, 6, "/n", TN_BEFORE | TN_CREATE_HERE), TN_OK);
	b->down = TN_ETIMEDOUT;
	assert_int_equal(resolve(&n), TN_ETIMEDOUT);
	assert_int_equal(a->count[TN_CREATE], 0);
	tn_name_fini(&n);
}

/* ---- limits ---- */

static void a_name_is_so_long_and_no_longer(void **state)
{
	size_t n = TN_PATH_BYTES_MAX / strlen("/self");
	char *name = malloc((n + 1) * strlen("/self") + 1);
	enum tn_err err;

	(void)state;
	for (size_t i = 0; i <= n; i++)
		memcpy(name + i * strlen("/self"), "/self", strlen("/self") + 1);
	at(name, TN_FOR_TARGET, &err);
	assert_int_equal(err, TN_ELIMIT_PATH);
	name[n * strlen("/self")] = '\0';
	assert_int_equal(at(name, TN_FOR_TARGET, &err), 0);
	assert_int_equal(err, TN_OK);
	free(name);
}

static void an_element_may_not_hold_a_slash(void **state)
{
	static const struct {
		struct tn_str elem;
		enum tn_err want;
	} rows[] = {
		{ { "d", 1 }, TN_OK },
		{ { "..", 2 }, TN_OK },
		{ { "d/e", 3 }, TN_EBADCHAR },
		{ { "/", 1 }, TN_EBADCHAR },
		{ { "d\0e", 3 }, TN_EBADCHAR },
		{ { ".", 1 }, TN_ENOENT },
		{ { "", 0 }, TN_ENOENT },
	};
	struct tn_chan *root = tree_chan(a, 0, "/");

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_name n = { .proc = p,
			.from = root,
			.elems = &rows[i].elem,
			.n_elems = 1 };

		assert_int_equal(resolve(&n), rows[i].want);
		tn_name_fini(&n);
	}
	tn_chan_put(root);
}

static void a_name_may_not_hold_a_zero(void **state)
{
	struct tn_name n = { .proc = p, .name = { "/d\0/e", 5 } };

	(void)state;
	assert_int_equal(resolve(&n), TN_EBADCHAR);
	tn_name_fini(&n);
}

/* ---- from another place than the root ---- */

static void dot_dot_stays_below_the_given_depth(void **state)
{
	struct tn_name start = question(p, "/d/e", TN_FOR_TARGET);
	struct tn_name n = { .proc = p, .name = str("f/../../../../f/g"), .want = TN_FOR_TARGET };

	(void)state;
	assert_int_equal(resolve(&start), TN_OK);
	n.from = start.chan;
	n.root_depth = 2;
	assert_int_equal(resolve(&n), TN_OK);
	assert_int_equal(n.chan->qid.path, 4);
	tn_name_fini(&n);
	tn_name_fini(&start);
}

static uint64_t seen_path[8];
static struct tn_server *seen_server[8];

static void see(struct tn_name *n, uint32_t i, struct tn_server *server, const struct tn_qid *qid)
{
	(void)n;
	seen_path[i] = qid->path;
	seen_server[i] = server;
}

static void each_element_is_seen_as_it_is_shown(void **state)
{
	struct tn_name n = question(p, "/d/e/x/../..", TN_FOR_TARGET);

	(void)state;
	assert_int_equal(put_at(p, b, 0, "/d/e", TN_REPL), TN_OK);
	n.seen = see;
	assert_int_equal(resolve(&n), TN_OK);
	assert_int_equal(n.n_good, 5);
	assert_ptr_equal(seen_server[0], &a->s);
	assert_int_equal(seen_path[0], 1);
	assert_ptr_equal(seen_server[1], &b->s); /* the mount point shows what is mounted */
	assert_int_equal(seen_path[1], 0);
	assert_int_equal(seen_path[2], 1);
	assert_ptr_equal(seen_server[3], &b->s);
	assert_int_equal(seen_path[3], 0);
	assert_ptr_equal(seen_server[4], &a->s);
	assert_int_equal(seen_path[4], 1);
	tn_name_fini(&n);
}

/* ---- symbolic links ---- */

/* A name from /, and where it leads: in a, in b when negative; 0 with an error. */
static const struct {
	const char *name;
	enum tn_name_for want;
	int to;
	enum tn_err err;
} links[] = {
	{ "/rel", TN_FOR_ACCESS, 2, TN_OK }, { "/rel/f/g", TN_FOR_ACCESS, 4, TN_OK },
	{ "/abs", TN_FOR_ACCESS, 3, TN_OK }, { "/abs/g/file", TN_FOR_ACCESS, 5, TN_OK },
	{ "/abs/../f/g", TN_FOR_ACCESS, 4, TN_OK }, /* ".." is the target's */
	{ "/d/e/up/f", TN_FOR_ACCESS, 3, TN_OK }, { "/chain", TN_FOR_ACCESS, 3, TN_OK },
	{ "/chain/g", TN_FOR_ACCESS, 4, TN_OK },
	{ "/tomount/x", TN_FOR_ACCESS, -1, TN_OK }, /* by the names of the name space */
	{ "/m/back", TN_FOR_ACCESS, 2, TN_OK }, { "/m/back/f", TN_FOR_ACCESS, 3, TN_OK },
	{ "/tofile", TN_FOR_ACCESS, 5, TN_OK }, { "/tofile/", TN_FOR_ACCESS, 0, TN_ENOTDIR },
	{ "/tofile/x", TN_FOR_ACCESS, 0, TN_ENOTDIR }, { "/loop", TN_FOR_ACCESS, 0, TN_ELOOP },
	{ "/loop/x", TN_FOR_ACCESS, 0, TN_ELOOP }, { "/nowhere", TN_FOR_ACCESS, 0, TN_ENOENT },
	{ "/empty", TN_FOR_ACCESS, 0, TN_ENOENT },
	{ "/above", TN_FOR_ACCESS, 1, TN_OK }, /* at the root ".." stays */
};

static void add_links(void)
{
	assert_int_equal(put_at(p, b, 0, "/m", TN_REPL), TN_OK);
	tree_add_link(a, "rel", "d/e");
	tree_add_link(a, "abs", "/d/./e//f/");
	tree_add_link(a, "d/e/up", "../../rel");
	tree_add_link(a, "chain", "chain2");
	tree_add_link(a, "chain2", "/d/e/up/f");
	tree_add_link(a, "tomount", "m");
	tree_add_link(b, "back", "/rel");
	tree_add_link(a, "tofile", "abs/g/file");
	tree_add_link(a, "loop", "d/../loop");
	tree_add_link(a, "nowhere", "d/none");
	tree_add_link(a, "empty", "");
	tree_add_link(a, "above", "../../../d");
}

static void links_are_followed_by_the_names_of_the_name_space(void **state)
{
	(void)state;
	add_links();
	for (int how = 0; how < 6; how++) {
		a->late = b->late = how & 1;
		a->walk_max = b->walk_max = (unsigned)how / 2;
		for (size_t i = 0; i < TN_COUNT(links); i++) {
			struct tn_name n = question(p, links[i].name, links[i].want);

			print_message("  %s\n", links[i].name);
			n.follow = true;
			assert_int_equal(resolve(&n), links[i].err);
			if (links[i].err == TN_OK)
				assert_int_equal((int)n.chan->qid.path,
				    links[i].to < 0 ? -links[i].to : links[i].to);
			tn_name_fini(&n);
			settle();
		}
	}
}

static void a_link_is_not_followed_to_be_removed_or_made_anew(void **state)
{
	struct tn_name n;

	(void)state;
	add_links();
	n = question(p, "/rel", TN_FOR_REMOVE);
	n.follow = true;
	assert_int_equal(resolve(&n), TN_OK);
	assert_true(n.chan->qid.type & TN_QTSYMLINK);
	tn_name_fini(&n);
	n = question(p, "/nowhere", TN_FOR_CREATE);
	n.follow = true;
	n.flags = TN_OF_EXCL;
	assert_int_equal(resolve(&n), TN_EEXIST);
	tn_name_fini(&n);
	n = question(p, "/nowhere", TN_FOR_CREATE);
	n.follow = true;
	assert_int_equal(resolve(&n), TN_OK); /* what it leads to is made */
	assert_int_equal(a->node[a->n - 1].parent, 1);
	assert_string_equal(a->node[a->n - 1].name, "none");
	tn_name_fini(&n);
}

static void a_link_does_not_lead_above_where_one_began(void **state)
{
	static const struct tn_str up[] = { { "up", 2 } }, abs[] = { { "abs", 3 } };
	struct tn_name start = question(p, "/d/e", TN_FOR_TARGET);

	(void)state;
	add_links();
	tree_add_link(a, "d/e/abs", "/f/g");
	assert_int_equal(resolve(&start), TN_OK);
	for (int i = 0; i < 2; i++) {
		struct tn_name n = { .proc = p,
			.from = start.chan,
			.root_depth = 2,
			.follow = true,
			.elems = i ? abs : up,
			.n_elems = 1 };

		assert_int_equal(resolve(&n), i ? TN_OK : TN_ENOENT);
		if (i)
			assert_int_equal(n.chan->qid.path, 4);
		tn_name_fini(&n);
	}
	tn_name_fini(&start);
}

static void a_link_is_seen_as_what_it_leads_to(void **state)
{
	static const struct tn_str elems[] = { { "chain", 5 }, { "g", 1 }, { "..", 2 } };
	struct tn_chan *root = tree_chan(a, 0, "/");
	struct tn_name n = { .proc = p,
		.from = root,
		.follow = true,
		.elems = elems,
		.n_elems = 3,
		.seen = see };

	(void)state;
	add_links();
	assert_int_equal(resolve(&n), TN_OK);
	assert_int_equal(n.n_good, 3);
	assert_int_equal(seen_path[0], 3);
	assert_int_equal(seen_path[1], 4);
	assert_int_equal(seen_path[2], 3);
	tn_name_fini(&n);
	n = (struct tn_name){ .proc = p,
		.from = root,
		.follow = true,
		.elems = elems,
		.n_elems = 1 };
	assert_int_equal(resolve(&n), TN_OK);
	assert_non_null(n.link);
	assert_true(n.link->qid.type & TN_QTSYMLINK);
	assert_memory_equal(tn_path_last(n.link->path).s, "chain", 5);
	tn_name_fini(&n);
	tn_chan_put(root);
}

/* ---- devices ---- */

static void where_devices_are_forbidden_the_allowed_ones_stay(void **state)
{
	enum tn_err err;

	(void)state;
	tn_ns_forbid(p->ns);
	at("#t/x", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_ENOATTACH);
	at("#/", TN_FOR_ACCESS, &err);
	assert_int_equal(err, TN_ENOATTACH);
	assert_int_equal(at("#|/x", TN_FOR_ACCESS, &err), 1);
}

static const struct {
	const char *name, *device, *spec;
} device_names[] = {
	{ "test", "test", "" },
	{ "t", "test", "" },
	{ "t0", "test", "0" },
	{ "testx", "test", "x" },
	{ "|", "pipe", "" },
	{ "|x", "pipe", "x" },
	{ "/", "root", "" },
	{ "/a", "root", "a" },
	{ "tx", NULL, NULL },
	{ "Q", NULL, NULL },
	{ "", NULL, NULL },
	{ "tes", NULL, NULL },
};

static void devices_are_found_by_name_and_by_letter(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(device_names); i++) {
		struct tn_str spec;
		const struct tn_device_row *row = tn_device_find(&node, str(device_names[i].name),
		    &spec);

		print_message("#%s\n", device_names[i].name);
		if (!device_names[i].device) {
			assert_null(row);
			continue;
		}
		assert_non_null(row);
		assert_string_equal(row->name, device_names[i].device);
		assert_int_equal(spec.len, strlen(device_names[i].spec));
		assert_memory_equal(spec.s, device_names[i].spec, spec.len);
	}
}

/* ---- memory ---- */

static enum tn_err mount_now(struct tn_mount *m)
{
	assert_int_equal(tn_mount_start(m), TN_DONE);
	tn_mount_fini(m);
	return m->err;
}

static enum tn_err do_bind(void)
{
	struct tn_mount m = { .what = TN_DO_BIND,
		.proc = p,
		.source = str("/n"),
		.place = str("/d/e"),
		.flags = TN_AFTER };

	return mount_now(&m);
}

static enum tn_err do_mount(void)
{
	struct tn_mount m = { .what = TN_DO_MOUNT,
		.proc = p,
		.server = &b->s,
		.aname = "",
		.place = str("/d/e"),
		.flags = TN_REPL };

	return mount_now(&m);
}

static enum tn_err do_unmount(void)
{
	struct tn_mount m = { .what = TN_DO_UNMOUNT,
		.proc = p,
		.source = str("/d"),
		.place = str("/n") };

	return mount_now(&m);
}

static enum tn_err do_chdir(void)
{
	struct tn_mount m = { .what = TN_DO_CHDIR, .proc = p, .place = str("/m/x/y/../..") };

	return mount_now(&m);
}

static enum tn_err do_name(const char *name, enum tn_name_for want)
{
	struct tn_name n = question(p, name, want);
	enum tn_err err;

	err = resolve(&n);
	tn_name_fini(&n);
	return err;
}

static enum tn_err do_open(void)
{
	return do_name("/n", TN_FOR_OPEN);
}

static enum tn_err do_create(void)
{
	return do_name("/m/x/../new", TN_FOR_CREATE);
}

static enum tn_err do_access(void)
{
	return do_name("/m/x/y/../../../n/x", TN_FOR_ACCESS);
}

static enum tn_err do_remove(void)
{
	return do_name("/m/x/y", TN_FOR_REMOVE);
}

static enum tn_err do_device(void)
{
	return do_name("#t/x/y", TN_FOR_OPEN);
}

static enum tn_err do_link(void)
{
	struct tn_name n = question(p, "/chain/g", TN_FOR_OPEN);
	enum tn_err err;

	n.follow = true;
	err = resolve(&n);
	tn_name_fini(&n);
	return err;
}

static const struct {
	const char *what;
	enum tn_err (*act)(void);
} acts[] = {
	{ "link", do_link },
	{ "bind", do_bind },
	{ "mount", do_mount },
	{ "unmount", do_unmount },
	{ "chdir", do_chdir },
	{ "open", do_open },
	{ "create", do_create },
	{ "access", do_access },
	{ "remove", do_remove },
	{ "device", do_device },
};

/* The sanitizers see that nothing is lost. */
static void any_allocation_may_fail(void **state)
{
	(void)state;
	mount_two();
	add_links();
	assert_int_equal(put_at(p, b, 0, "/m", TN_REPL | TN_CREATE_HERE), TN_OK);
	for (size_t i = 0; i < TN_COUNT(acts); i++) {
		enum tn_err err = TN_ENOMEM;
		int k = 0;

		print_message("%s\n", acts[i].what);
		for (; err == TN_ENOMEM && k < 200; k++) {
			uint64_t version = tn_ns_version(p->ns);

			allocs_left = k;
			tn_alloc_hook = alloc_or_not;
			err = acts[i].act();
			tn_alloc_hook = NULL;
			settle();
			if (err == TN_ENOMEM)
				assert_int_equal(tn_ns_version(p->ns), version);
		}
		assert_int_equal(err, TN_OK);
		assert_true(k > 1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_run_of_names_is_one_walk),
		TEST(sixteen_names_are_one_walk_and_seventeen_two),
		TEST(a_mount_point_on_the_way_costs_one_more_walk),
		TEST(crossing_the_last_mount_point_costs_nothing),
		TEST(dot_dot_over_a_mount_point_costs_nothing),
		TEST(at_the_root_dot_dot_asks_nobody),
		TEST(walks_may_be_answered_in_part_or_late),
		TEST(a_refusal_deep_in_a_name_is_told_as_it_is),
		TEST(a_name_may_move_when_it_has_to_wait),
		TEST(a_flush_ends_it_soon),
		TEST(a_flush_that_came_too_late_ends_it_all_the_same),
		TEST(a_flush_after_the_answer_does_nothing),
		TEST(the_deadline_goes_with_each_request),
		TEST(a_member_that_is_down_gives_its_error),
		TEST(a_member_that_refuses_is_passed_over),
		TEST(what_somebody_else_made_meanwhile_is_opened),
		TEST(what_somebody_else_made_meanwhile_in_a_union_is_opened),
		TEST(exclusively_it_is_not_opened),
		TEST(a_server_that_contradicts_itself_ends_it),
		TEST(nothing_is_made_while_a_member_is_down),
		TEST(a_name_is_so_long_and_no_longer),
		TEST(an_element_may_not_hold_a_slash),
		TEST(a_name_may_not_hold_a_zero),
		TEST(dot_dot_stays_below_the_given_depth),
		TEST(each_element_is_seen_as_it_is_shown),
		TEST(links_are_followed_by_the_names_of_the_name_space),
		TEST(a_link_is_not_followed_to_be_removed_or_made_anew),
		TEST(a_link_does_not_lead_above_where_one_began),
		TEST(a_link_is_seen_as_what_it_leads_to),
		TEST(where_devices_are_forbidden_the_allowed_ones_stay),
		TEST(devices_are_found_by_name_and_by_letter),
		TEST(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
