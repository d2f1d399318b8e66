/*
 * The nodes of the FUSE door: places and files, counts, the LRU of Chans, pins. launcher.md 5, architecture.md 2. The
 * servers here answer nothing; they count the Chans that stand for something.
 */
#include "launch/node.h"

#include "core/loop.h"
#include "core/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
	struct tn_loop loop;
	struct tn_server *local, *remote;
	struct launch_nodes t;
	int n_held;    /* Chans of `remote` that were not clunked */
	long fail_at;  /* this allocation fails, counted from 1; 0: none */
	long n_allocs; /* since fail_at was set */
} w;

/* ---- allocations that fail ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool fails(void)
{
	return w.fail_at > 0 && ++w.n_allocs == w.fail_at;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

/* ---- servers and Chans ---- */

static enum tn_status clunk(struct tn_req *r)
{
	if (r->chan->server == w.remote)
		w.n_held--;
	return TN_DONE;
}

static void server_free(struct tn_server *s)
{
	free(s);
}

static const struct tn_ops ops = { .name = "test",
	.op = { [TN_CLUNK] = clunk },
	.free = server_free };

static struct tn_server *server(uint32_t flags)
{
	struct tn_server *s = calloc(1, sizeof(*s));

	tn_server_init(s, &ops, &w.loop, NULL);
	s->flags = flags;
	return s;
}

static struct tn_chan *chan(struct tn_server *s, uint64_t path, bool is_dir)
{
	struct tn_chan *c = tn_chan_new(s, NULL);

	assert_non_null(c);
	c->qid.path = path;
	c->qid.type = is_dir ? TN_QTDIR : TN_QTFILE;
	c->flags |= TN_CF_USED;
	w.n_held += s == w.remote;
	return c;
}

static void turn(void)
{
	while (tn_loop_next_ns(&w.loop) == 0)
		tn_loop_run(&w.loop);
}

enum { CHANS_MAX = 4 };

static int begin(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	tn_loop_init(&w.loop, NULL, NULL);
	w.local = server(0);
	w.remote = server(TN_SF_REMOTE);
	assert_true(launch_nodes_init(&w.t, chan(w.local, 1, true), CHANS_MAX));
	return 0;
}

static int end(void **state)
{
	(void)state;
	w.fail_at = 0;
	launch_nodes_fini(&w.t);
	turn();
	assert_int_equal(w.n_held, 0);
	tn_server_put(w.local);
	tn_server_put(w.remote);
	tn_loop_fini(&w.loop);
	return 0;
}

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static struct launch_node *dir(struct launch_node *parent, const char *name, uint64_t path)
{
	return launch_node_found(&w.t, parent, str(name), chan(w.local, path, true));
}

static struct launch_node *file(struct launch_node *parent, const char *name, uint64_t path)
{
	return launch_node_found(&w.t, parent, str(name), chan(w.local, path, false));
}

static struct launch_node *remote(struct launch_node *parent, const char *name, uint64_t path)
{
	return launch_node_found(&w.t, parent, str(name), chan(w.remote, path, false));
}

/* ---- places and files ---- */

static void a_directory_at_two_places_is_two_nodes(void **state)
{
	struct launch_node *a = dir(w.t.root, "a", 5), *b = dir(w.t.root, "b", 5);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(dir(w.t.root, "a", 5), a);
	assert_int_equal(a->lookups, 2);
}

static void a_file_of_two_names_is_one_node_at_the_name_seen_last(void **state)
{
	struct launch_node *a = file(w.t.root, "a", 5);

	(void)state;
	assert_ptr_equal(file(w.t.root, "b", 5), a);
	assert_string_equal(a->name, "b");
	assert_true(a->in_place);
	assert_int_equal(w.t.n_nodes, 2);
}

static void files_of_the_same_number_of_two_servers_are_two_nodes(void **state)
{
	(void)state;
	assert_ptr_not_equal(file(w.t.root, "a", 5), remote(w.t.root, "b", 5));
}

static void another_file_at_a_place_is_another_node_with_another_generation(void **state)
{
	struct launch_node *old = file(w.t.root, "a", 5), *new = file(w.t.root, "a", 6);

	(void)state;
	assert_ptr_not_equal(old, new);
	assert_int_not_equal(old->generation, new->generation);
	assert_false(old->in_place);
	assert_ptr_equal(file(w.t.root, "a", 6), new);
}

static void a_directory_where_a_file_was_is_another_node(void **state)
{
	struct launch_node *old = file(w.t.root, "a", 5);

	(void)state;
	assert_ptr_not_equal(dir(w.t.root, "a", 5), old);
}

/* ---- counts ---- */

static void a_node_lives_until_each_lookup_is_forgotten(void **state)
{
	struct launch_node *a = file(w.t.root, "a", 5);

	(void)state;
	file(w.t.root, "a", 5);
	launch_node_forget(&w.t, a, 1);
	assert_int_equal(w.t.n_nodes, 2);
	launch_node_forget(&w.t, a, 1);
	assert_int_equal(w.t.n_nodes, 1);
}

static void forgetting_more_than_was_looked_up_frees_once(void **state)
{
	struct launch_node *a = file(w.t.root, "a", 5);

	(void)state;
	launch_node_forget(&w.t, a, 1000);
	assert_int_equal(w.t.n_nodes, 1);
	launch_node_forget(&w.t, w.t.root, 1000);
	assert_int_equal(w.t.n_nodes, 1);
}

static void a_directory_stays_while_something_below_it_is_known(void **state)
{
	struct launch_node *d = dir(w.t.root, "d", 5), *f = file(d, "f", 6);

	(void)state;
	launch_node_forget(&w.t, d, 1);
	assert_int_equal(w.t.n_nodes, 3);
	launch_node_forget(&w.t, f, 1);
	assert_int_equal(w.t.n_nodes, 1);
}

static void a_chain_of_a_hundred_thousand_directories_is_freed_without_recursion(void **state)
{
	enum { DEEP = 100000 };
	static struct launch_node *chain[DEEP];

	(void)state;
	for (int i = 0; i < DEEP; i++)
		chain[i] = dir(i ? chain[i - 1] : w.t.root, "d", (uint64_t)i + 10);
	for (int i = 0; i < DEEP; i++)
		launch_node_forget(&w.t, chain[i], 1);
	assert_int_equal(w.t.n_nodes, 1);
}

static void what_the_kernel_never_forgot_is_freed_at_the_end(void **state)
{
	struct launch_node *d = dir(w.t.root, "d", 5);

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (int)i);
		remote(d, name, i);
	}
	launch_node_forget(&w.t, d, 1);
	/* `end` sees that nothing is left */
}

/* ---- the LRU ---- */

static void nodes_hold_no_more_remote_chans_than_the_limit(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct launch_node *nodes[TN_COUNT(names)];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		nodes[i] = remote(w.t.root, names[i], i + 10);
		turn();
		assert_int_equal(w.n_held, i + 1 < CHANS_MAX ? i + 1 : CHANS_MAX);
	}
	assert_null(nodes[0]->chan);
	assert_null(nodes[1]->chan);
	assert_non_null(nodes[2]->chan);
	assert_int_equal(w.t.n_chans, CHANS_MAX);
}

static void a_chan_that_was_used_is_given_up_later(void **state)
{
	struct launch_node *a = remote(w.t.root, "a", 10), *b = remote(w.t.root, "b", 11);

	(void)state;
	remote(w.t.root, "c", 12);
	remote(w.t.root, "d", 13);
	launch_node_used(&w.t, a);
	remote(w.t.root, "e", 14);
	assert_non_null(a->chan);
	assert_null(b->chan);
}

static void a_chan_found_again_replaces_the_old_one(void **state)
{
	struct launch_node *a = remote(w.t.root, "a", 10);

	(void)state;
	assert_ptr_equal(remote(w.t.root, "a", 10), a);
	turn();
	assert_int_equal(w.n_held, 1);
	assert_int_equal(w.t.n_chans, 1);
}

static void chans_of_this_machine_are_not_counted(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++)
		assert_non_null(file(w.t.root, names[i], i + 10)->chan);
	assert_int_equal(w.t.n_chans, 0);
}

static void a_freed_node_leaves_the_lru(void **state)
{
	struct launch_node *a = remote(w.t.root, "a", 10);

	(void)state;
	remote(w.t.root, "b", 11);
	launch_node_forget(&w.t, a, 1);
	turn();
	assert_int_equal(w.n_held, 1);
	assert_int_equal(w.t.n_chans, 1);
	assert_ptr_equal(w.t.oldest, w.t.newest);
}

/* ---- made, listed, moved ---- */

static void a_created_file_has_no_chan_of_its_own_until_it_is_looked_up(void **state)
{
	struct tn_chan *open = chan(w.remote, 10, false);
	struct launch_node *a = launch_node_created(&w.t, w.t.root, str("a"), open);

	(void)state;
	assert_null(a->chan);
	assert_true(a->plain);
	assert_int_equal(a->lookups, 1);
	assert_ptr_equal(remote(w.t.root, "a", 10), a);
	assert_non_null(a->chan);
	tn_chan_put(open);
}

static void a_listed_file_is_the_node_that_a_lookup_finds(void **state)
{
	struct tn_qid qid = { .path = 10 };
	struct launch_node *a = launch_node_listed(&w.t, w.t.root, str("a"), w.remote->instance,
	    qid);

	(void)state;
	assert_null(a->chan);
	assert_int_equal(a->lookups, 1);
	assert_ptr_equal(remote(w.t.root, "a", 10), a);
	assert_ptr_equal(launch_node_listed(&w.t, w.t.root, str("a"), w.remote->instance, qid), a);
	assert_non_null(a->chan);
	assert_int_equal(a->lookups, 3);
	qid.path = 11;
	assert_ptr_not_equal(launch_node_listed(&w.t, w.t.root, str("a"), w.remote->instance, qid),
	    a);
}

static void what_is_gone_leaves_its_place_and_lives_while_it_is_held(void **state)
{
	struct launch_node *a = file(w.t.root, "a", 5);

	(void)state;
	launch_node_gone(&w.t, w.t.root, str("a"));
	assert_false(a->in_place);
	launch_node_gone(&w.t, w.t.root, str("a"));
	launch_node_gone(&w.t, w.t.root, str("never"));
	/* the same file under another name has a place again */
	assert_ptr_equal(file(w.t.root, "b", 5), a);
	assert_true(a->in_place);
}

static void a_moved_directory_takes_what_is_below_it_along(void **state)
{
	struct launch_node *d = dir(w.t.root, "d", 5), *f = file(d, "f", 6),
			   *to = dir(w.t.root, "to", 7);
	struct launch_node *old = dir(to, "x", 8);

	(void)state;
	launch_node_moved(&w.t, w.t.root, str("d"), to, str("x"));
	assert_ptr_equal(d->parent, to);
	assert_string_equal(d->name, "x");
	assert_false(old->in_place);
	assert_ptr_equal(dir(to, "x", 5), d);
	assert_ptr_equal(file(d, "f", 6), f);
	launch_node_moved(&w.t, w.t.root, str("unknown"), to, str("y"));
}

static void a_rename_to_itself_changes_nothing(void **state)
{
	struct launch_node *a = file(w.t.root, "a", 5);

	(void)state;
	launch_node_moved(&w.t, w.t.root, str("a"), w.t.root, str("a"));
	assert_true(a->in_place);
	assert_ptr_equal(file(w.t.root, "a", 5), a);
}

static void an_exchange_swaps_two_places_also_when_one_is_not_known(void **state)
{
	struct launch_node *d = dir(w.t.root, "d", 5), *a = dir(d, "a", 6),
			   *b = file(w.t.root, "b", 7);

	(void)state;
	launch_node_exchanged(&w.t, d, str("a"), w.t.root, str("b"));
	assert_ptr_equal(dir(w.t.root, "b", 6), a);
	assert_ptr_equal(file(d, "a", 7), b);
	launch_node_exchanged(&w.t, w.t.root, str("b"), d, str("unknown"));
	assert_ptr_equal(dir(d, "unknown", 6), a);
	launch_node_exchanged(&w.t, w.t.root, str("nor this"), d, str("unknown"));
	assert_ptr_equal(dir(w.t.root, "nor this", 6), a);
}

/* ---- pins ---- */

static bool is_pinned(const struct launch_node *node)
{
	return node->pin && node->pin->count > 0;
}

static void a_pin_is_seen_by_nodes_made_before_and_after(void **state)
{
	struct launch_node *a = dir(w.t.root, "a", 5), *b, *other;

	(void)state;
	assert_true(launch_pin(&w.t, "/a//b/"));
	b = dir(a, "b", 6);
	other = dir(a, "other", 7);
	assert_true(is_pinned(a));
	assert_true(is_pinned(b));
	assert_false(is_pinned(other));
}

static void pins_are_counted_and_the_last_unpin_names_the_entry(void **state)
{
	struct launch_node *a = dir(w.t.root, "a", 5), *b = dir(a, "b", 6), *parent;
	const char *path = "/a/b";
	struct tn_str name;

	(void)state;
	assert_true(launch_pin(&w.t, path));
	assert_true(launch_pin(&w.t, path));
	assert_true(launch_pin(&w.t, "/a"));
	launch_unpin(&w.t, path, &parent, &name);
	assert_null(parent);
	assert_true(is_pinned(b));
	launch_unpin(&w.t, path, &parent, &name);
	assert_ptr_equal(parent, a);
	assert_memory_equal(name.s, "b", 1);
	assert_int_equal(name.len, 1);
	assert_false(is_pinned(b));
	assert_true(is_pinned(a));
	launch_node_put(&w.t, parent);
	launch_unpin(&w.t, "/never/was", &parent, &name);
	assert_null(parent);
}

static void every_pins_way_leads_over_the_root(void **state)
{
	struct launch_node *parent;
	struct tn_str name;

	(void)state;
	assert_false(is_pinned(w.t.root));
	assert_true(launch_pin(&w.t, "/a/b"));
	assert_true(launch_pin(&w.t, "/c"));
	launch_unpin(&w.t, "/a/b", &parent, &name);
	launch_node_put(&w.t, parent);
	assert_true(is_pinned(w.t.root));
	launch_unpin(&w.t, "/c", &parent, &name);
	launch_node_put(&w.t, parent);
	assert_false(is_pinned(w.t.root));
}

/* A pin is of a name: what comes to the name has it, what leaves the name does not take it along. */
static void who_moves_to_a_pinned_name_is_pinned_until_he_leaves_it(void **state)
{
	struct launch_node *a = dir(w.t.root, "a", 5), *d = dir(w.t.root, "d", 6);

	(void)state;
	assert_true(launch_pin(&w.t, "/d/b"));
	launch_node_moved(&w.t, w.t.root, str("a"), d, str("b"));
	assert_true(is_pinned(a));
	launch_node_moved(&w.t, d, str("b"), d, str("other"));
	assert_false(is_pinned(a));
}

static struct launch_node *far_dir(struct launch_node *parent, const char *name, uint64_t path)
{
	return launch_node_found(&w.t, parent, str(name), chan(w.remote, path, true));
}

static void a_pinned_place_keeps_its_node_which_becomes_that_of_the_directory_there(void **state)
{
	struct launch_node *a = far_dir(w.t.root, "a", 5);
	uint64_t generation = a->generation;

	(void)state;
	assert_true(launch_pin(&w.t, "/a"));
	assert_ptr_equal(far_dir(w.t.root, "a", 99), a);
	assert_int_equal(a->chan->qid.path, 99);
	assert_int_equal(a->generation, generation);
	turn();
	assert_int_equal(w.n_held, 1);
	assert_ptr_equal(launch_node_listed(&w.t, w.t.root, str("a"), w.remote->instance,
			     (struct tn_qid){ .type = TN_QTDIR, .path = 100 }),
	    a);
	assert_null(a->chan); /* it was another directory's */
	assert_true(launch_node_walked(&w.t, a, chan(w.remote, 100, true)));
	assert_int_equal(a->chan->qid.path, 100);
	assert_ptr_equal(launch_node_pinned(&w.t, w.t.root, str("a")), a);
	assert_null(launch_node_pinned(&w.t, w.t.root, str("b")));
}

static void a_pinned_directory_that_a_file_has_replaced_is_another_node(void **state)
{
	struct launch_node *a = far_dir(w.t.root, "a", 5), *f;

	(void)state;
	assert_true(launch_pin(&w.t, "/a"));
	f = remote(w.t.root, "a", 99);
	assert_ptr_not_equal(f, a);
	assert_false(f->is_dir);
	assert_int_equal(f->chan->qid.path, 99);
	assert_int_equal(a->qid_path, 5);
}

static void a_pinned_file_stays_what_it_was(void **state)
{
	struct launch_node *f = remote(w.t.root, "f", 5);

	(void)state;
	assert_true(launch_pin(&w.t, "/f"));
	assert_ptr_equal(remote(w.t.root, "f", 99), f);
	assert_int_equal(f->chan->qid.path, 5);
	assert_false(launch_node_must_walk(f));
}

static void a_walk_to_a_node_must_find_its_file_where_nothing_is_pinned(void **state)
{
	struct launch_node *a = far_dir(w.t.root, "a", 5);

	(void)state;
	assert_false(launch_node_walked(&w.t, a, chan(w.remote, 6, true)));
	assert_int_equal(a->chan->qid.path, 5);
	assert_true(launch_node_walked(&w.t, a, chan(w.remote, 5, true)));
	assert_true(launch_pin(&w.t, "/a"));
	assert_false(launch_node_walked(&w.t, a, chan(w.remote, 6, false))); /* a file */
	assert_int_equal(a->chan->qid.path, 5);
	turn();
	assert_int_equal(w.n_held, 1);
}

static void what_another_machine_may_change_is_walked_to_where_the_kernel_asks_no_more(void **state)
{
	struct launch_node *here = dir(w.t.root, "here", 5), *far = far_dir(w.t.root, "far", 6);

	(void)state;
	assert_false(launch_node_must_walk(far));
	assert_true(launch_pin(&w.t, "/here"));
	assert_true(launch_pin(&w.t, "/far"));
	assert_false(launch_node_must_walk(here));
	assert_true(launch_node_must_walk(far));
	assert_false(launch_node_must_walk(w.t.root));
}

/* ---- no memory ---- */

/* Each allocation fails in turn: what is refused leaves the table as it was; `end` sees that nothing leaks. */
static void without_memory_a_node_is_refused_and_the_chan_is_given_back(void **state)
{
	int failed = 0;

	(void)state;
	for (long at = 1; at < 40; at++) {
		struct tn_chan *c = chan(w.remote, (uint64_t)at + 100, false);
		size_t before = w.t.n_nodes;
		struct launch_node *node;

		w.fail_at = at;
		w.n_allocs = 0;
		node = launch_node_found(&w.t, w.t.root, str("a"), c);
		w.fail_at = 0;
		failed += !node;
		if (!node)
			assert_int_equal(w.t.n_nodes, before);
		turn();
		assert_true(w.n_held <= CHANS_MAX);
	}
	assert_true(failed >= 2);
}

static void without_memory_the_table_is_refused(void **state)
{
	(void)state;
	for (long at = 1; at <= 6; at++) {
		struct tn_chan *root = chan(w.local, 1, true);
		struct launch_nodes t;
		bool made;

		w.fail_at = at;
		w.n_allocs = 0;
		made = launch_nodes_init(&t, root, 4);
		w.fail_at = 0;
		assert_int_equal(made, at == 6);
		if (made)
			launch_nodes_fini(&t);
	}
}

static void without_memory_a_move_leaves_no_node_at_a_wrong_place(void **state)
{
	(void)state;
	for (long at = 1; at < 4; at++) {
		struct launch_node *a, *b;

		a = dir(w.t.root, "a", 50);
		b = dir(w.t.root, "b", 51);
		w.fail_at = at;
		w.n_allocs = 0;
		launch_node_exchanged(&w.t, w.t.root, str("a"), w.t.root, str("b"));
		w.fail_at = 0;
		assert_true(!a->in_place || strcmp(a->name, "b") == 0);
		assert_true(!b->in_place || strcmp(b->name, "a") == 0);
		launch_node_gone(&w.t, w.t.root, str("a"));
		launch_node_gone(&w.t, w.t.root, str("b"));
		launch_node_forget(&w.t, a, 9);
		launch_node_forget(&w.t, b, 9);
	}
}

static void without_memory_a_pin_is_refused_and_pins_nothing(void **state)
{
	struct launch_node *a = dir(w.t.root, "a", 5);

	(void)state;
	w.fail_at = 2;
	w.n_allocs = 0;
	assert_false(launch_pin(&w.t, "/a/b"));
	w.fail_at = 0;
	assert_false(is_pinned(a));
}

/* The table grows by the same number of allocations whether they succeed or not: the chains grow longer instead. */
static void without_memory_for_more_buckets_all_is_still_found(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		/* a node takes two; the third is that of the buckets */
		w.n_allocs = 0;
		w.fail_at = i > 250 ? 4 : 0;
		assert_non_null(dir(w.t.root, name, (uint64_t)i + 10));
		w.fail_at = 0;
	}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(dir(w.t.root, name, (uint64_t)i + 10)->lookups, 2);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_directory_at_two_places_is_two_nodes),
		CASE(a_file_of_two_names_is_one_node_at_the_name_seen_last),
		CASE(files_of_the_same_number_of_two_servers_are_two_nodes),
		CASE(another_file_at_a_place_is_another_node_with_another_generation),
		CASE(a_directory_where_a_file_was_is_another_node),
		CASE(a_node_lives_until_each_lookup_is_forgotten),
		CASE(forgetting_more_than_was_looked_up_frees_once),
		CASE(a_directory_stays_while_something_below_it_is_known),
		CASE(a_chain_of_a_hundred_thousand_directories_is_freed_without_recursion),
		CASE(what_the_kernel_never_forgot_is_freed_at_the_end),
		CASE(nodes_hold_no_more_remote_chans_than_the_limit),
		CASE(a_chan_that_was_used_is_given_up_later),
		CASE(a_chan_found_again_replaces_the_old_one),
		CASE(chans_of_this_machine_are_not_counted),
		CASE(a_freed_node_leaves_the_lru),
		CASE(a_created_file_has_no_chan_of_its_own_until_it_is_looked_up),
		CASE(a_listed_file_is_the_node_that_a_lookup_finds),
		CASE(what_is_gone_leaves_its_place_and_lives_while_it_is_held),
		CASE(a_moved_directory_takes_what_is_below_it_along),
		CASE(a_rename_to_itself_changes_nothing),
		CASE(an_exchange_swaps_two_places_also_when_one_is_not_known),
		CASE(a_pin_is_seen_by_nodes_made_before_and_after),
		CASE(pins_are_counted_and_the_last_unpin_names_the_entry),
		CASE(every_pins_way_leads_over_the_root),
		CASE(who_moves_to_a_pinned_name_is_pinned_until_he_leaves_it),
		CASE(a_pinned_place_keeps_its_node_which_becomes_that_of_the_directory_there),
		CASE(a_pinned_directory_that_a_file_has_replaced_is_another_node),
		CASE(a_pinned_file_stays_what_it_was),
		CASE(a_walk_to_a_node_must_find_its_file_where_nothing_is_pinned),
		CASE(what_another_machine_may_change_is_walked_to_where_the_kernel_asks_no_more),
		CASE(without_memory_a_node_is_refused_and_the_chan_is_given_back),
		CASE(without_memory_the_table_is_refused),
		CASE(without_memory_a_move_leaves_no_node_at_a_wrong_place),
		CASE(without_memory_a_pin_is_refused_and_pins_nothing),
		CASE(without_memory_for_more_buckets_all_is_still_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
