/*
 * The mount table, without names: Chans of a server that nobody asks.
 */
#include "core/ns.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tree *tree;

static int set_up(void **state)
{
	(void)state;
	world_init();
	tree = tree_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	settle();
	tn_server_put(&tree->s);
	world_fini();
	return 0;
}

/* File i of the server, a directory. */
static struct tn_chan *dir(uint64_t i)
{
	struct tn_chan *c = tn_chan_new(&tree->s, NULL);

	c->qid = (struct tn_qid){ .path = i, .type = TN_QTDIR };
	return c;
}

static struct tn_chan *file(uint64_t i)
{
	struct tn_chan *c = dir(i);

	c->qid.type = TN_QTFILE;
	return c;
}

static enum tn_err bind(struct tn_ns *ns, uint64_t from, uint64_t at, uint32_t flags)
{
	struct tn_chan *source = dir(from), *target = dir(at);
	struct tn_members *list = tn_ns_find(ns, source, NULL);
	enum tn_err err = tn_ns_mount(ns, list ? list->m[0].to : source, list, target, flags, NULL);

	tn_members_put(list);
	tn_chan_put(source);
	tn_chan_put(target);
	return err;
}

static enum tn_err unmount(struct tn_ns *ns, uint64_t member, uint64_t at)
{
	struct tn_chan *m = dir(member), *target = dir(at);
	enum tn_err err = tn_ns_unmount(ns, target, member ? m : NULL);

	tn_chan_put(m);
	tn_chan_put(target);
	return err;
}

/* The members at a file, as "1 2 3". */
static const char *shown(struct tn_ns *ns, uint64_t at)
{
	static char text[4096];
	struct tn_members *list = tn_ns_find_at(ns, &tree->s, at, NULL, NULL);
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; list && i < list->n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", i ? " " : "",
		    (int)list->m[i].to->qid.path);
	tn_members_put(list);
	return text;
}

/* ---- against a model of thirty lines ---- */

enum { FILES = 8, LIST = 64, SPACES = 4 };

struct model {
	int n[FILES];
	int list[FILES][LIST];
};

/* namespace-semantics.md 2: first what is mounted at the source, else the source itself. */
static void model_bind(struct model *m, int from, int at, uint32_t order)
{
	int new[LIST], n_new = m->n[from], old[LIST], n_old = m->n[at];

	memcpy(new, m->list[from], sizeof(new));
	if (n_new == 0)
		new[n_new++] = from;
	memcpy(old, m->list[at], sizeof(old));
	if (n_old == 0)
		old[n_old++] = at;
	if (order == TN_REPL)
		n_old = 0;
	memcpy(m->list[at], order == TN_AFTER ? old : new,
	    sizeof(int) * (size_t)(order == TN_AFTER ? n_old : n_new));
	memcpy(m->list[at] + (order == TN_AFTER ? n_old : n_new), order == TN_AFTER ? new : old,
	    sizeof(int) * (size_t)(order == TN_AFTER ? n_new : n_old));
	m->n[at] = n_new + n_old;
}

static enum tn_err model_unmount(struct model *m, int member, int at)
{
	int i = 0;

	if (m->n[at] == 0)
		return TN_ENOTMOUNTED;
	if (member == 0) {
		m->n[at] = 0;
		return TN_OK;
	}
	while (i < m->n[at] && m->list[at][i] != member)
		i++;
	if (i == m->n[at])
		return TN_ENOTUNION;
	memmove(&m->list[at][i], &m->list[at][i + 1], sizeof(int) * (size_t)(m->n[at] - i - 1));
	m->n[at]--;
	return TN_OK;
}

static void check(struct tn_ns *ns, const struct model *m)
{
	for (int at = 1; at < FILES; at++) {
		char want[4096] = "";
		size_t len = 0;

		for (int i = 0; i < m->n[at]; i++)
			len += (size_t)snprintf(want + len, sizeof(want) - len, "%s%d",
			    i ? " " : "", m->list[at][i]);
		assert_string_equal(shown(ns, (uint64_t)at), want);
	}
}

static void random_binds_unmounts_and_forks_are_as_the_model(void **state)
{
	struct tn_ns *ns[SPACES];
	struct model m[SPACES] = { 0 };

	(void)state;
	srand(20260707);
	for (int i = 0; i < SPACES; i++)
		ns[i] = tn_ns_empty(NULL);
	for (int step = 0; step < 20000; step++) {
		int who = rand() % SPACES, from = 1 + rand() % (FILES - 1),
		    at = 1 + rand() % (FILES - 1);
		int other = rand() % SPACES;
		uint32_t order = (uint32_t)(rand() % 3);
		int n = m[who].n[from] + m[who].n[at] + 2;

		switch (rand() % 8) {
		case 0:
			if (other == who)
				break;
			tn_ns_put(ns[other]);
			ns[other] = tn_ns_copy(ns[who]);
			m[other] = m[who];
			break;
		case 1:
		case 2:
		case 3:
			if (n > LIST)
				break;
			assert_int_equal(bind(ns[who], (uint64_t)from, (uint64_t)at, order), TN_OK);
			model_bind(&m[who], from, at, order);
			break;
		default:
			from = rand() % FILES;
			assert_int_equal(unmount(ns[who], (uint64_t)from, (uint64_t)at),
			    model_unmount(&m[who], from, at));
			break;
		}
		check(ns[who], &m[who]);
		check(ns[other], &m[other]);
		settle();
	}
	for (int i = 0; i < SPACES; i++)
		tn_ns_put(ns[i]);
}

/* ---- many heads ---- */

static void a_thousand_mount_points_are_found_and_taken_away(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL);

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(bind(ns, 5000, i << 20, TN_REPL), TN_OK);
	for (uint64_t i = 1; i <= 1000; i += 2)
		assert_int_equal(unmount(ns, 0, i << 20), TN_OK);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_string_equal(shown(ns, i << 20), i % 2 ? "" : "5000");
	tn_ns_put(ns);
}

/* ---- limits ---- */

static void a_union_has_so_many_members_and_no_more(void **state)
{
	struct tn_ns *ns = tn_ns_empty(&(struct tn_ns_limits){ .union_max = 5 });

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(bind(ns, 2, 1, TN_AFTER), TN_OK); /* and the original */
	assert_int_equal(bind(ns, 2, 1, TN_AFTER), TN_ELIMIT_UNION);
	assert_string_equal(shown(ns, 1), "1 2 2 2 2");
	assert_int_equal(bind(ns, 2, 1, TN_REPL), TN_OK);
	tn_ns_put(ns);
}

static void a_name_space_has_so_many_mounts_and_no_more(void **state)
{
	struct tn_ns *ns = tn_ns_empty(&(struct tn_ns_limits){ .mounts_max = 4 });

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(bind(ns, 9, i, TN_REPL), TN_OK);
	assert_int_equal(bind(ns, 9, 5, TN_REPL), TN_ELIMIT_MOUNTS);
	assert_int_equal(bind(ns, 9, 4, TN_AFTER), TN_ELIMIT_MOUNTS);
	assert_int_equal(bind(ns, 8, 4, TN_REPL), TN_OK); /* in the place of another */
	assert_int_equal(unmount(ns, 0, 1), TN_OK);
	assert_int_equal(bind(ns, 9, 5, TN_REPL), TN_OK);
	tn_ns_put(ns);
}

/* ---- what is refused ---- */

static const struct {
	const char *what;
	bool file_source, file_target;
	uint32_t flags;
	enum tn_err want;
} kinds[] = {
	{ "a directory on a directory", false, false, TN_REPL, TN_OK },
	{ "a file on a file", true, true, TN_REPL, TN_OK },
	{ "a file on a file, with MCREATE", true, true, TN_CREATE_HERE, TN_OK },
	{ "a file before a file", true, true, TN_BEFORE, TN_EMOUNT },
	{ "a file after a file", true, true, TN_AFTER, TN_EMOUNT },
	{ "a file on a directory", true, false, TN_REPL, TN_EMOUNT },
	{ "a directory on a file", false, true, TN_REPL, TN_EMOUNT },
	{ "before and after", false, false, TN_BEFORE | TN_AFTER, TN_EBADARG },
	{ "an unknown bit", false, false, 8, TN_EBADARG },
	{ "an unknown bit, of wrong kinds", true, false, 32, TN_EBADARG },
	{ "all known flags", false, false, TN_AFTER | TN_CREATE_HERE | TN_CACHE, TN_OK },
};

/* namespace-semantics.md 2. */
static void kinds_and_flags_must_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(kinds); i++) {
		struct tn_ns *ns = tn_ns_empty(NULL);
		struct tn_chan *source = kinds[i].file_source ? file(1) : dir(1);
		struct tn_chan *target = kinds[i].file_target ? file(2) : dir(2);

		print_message("%s\n", kinds[i].what);
		assert_int_equal(tn_ns_mount(ns, source, NULL, target, kinds[i].flags, NULL),
		    kinds[i].want);
		tn_chan_put(source);
		tn_chan_put(target);
		tn_ns_put(ns);
	}
}

static void where_it_is_forbidden_a_mount_is_refused_and_a_bind_is_not(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL), *clean, *fork;
	struct tn_chan *a = dir(1), *b = dir(2);

	(void)state;
	tn_ns_forbid(ns);
	assert_int_equal(tn_ns_mount(ns, a, NULL, b, TN_REPL, ""), TN_ENOATTACH);
	assert_int_equal(tn_ns_mount(ns, a, NULL, b, TN_REPL, NULL), TN_OK);
	fork = tn_ns_copy(ns);
	clean = tn_ns_clean(ns);
	assert_true(tn_ns_forbids(fork));
	assert_true(tn_ns_forbids(clean));
	assert_string_equal(shown(clean, 2), "");
	assert_string_equal(shown(fork, 2), "1");
	tn_chan_put(a);
	tn_chan_put(b);
	tn_ns_put(ns);
	tn_ns_put(fork);
	tn_ns_put(clean);
}

/* ---- copies ---- */

static unsigned n_allocs;

static bool count_allocs(size_t size)
{
	(void)size;
	n_allocs++;
	return true;
}

static void a_fork_costs_one_allocation_whatever_is_mounted(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL), *fork;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(bind(ns, 5000, i, TN_AFTER), TN_OK);
	n_allocs = 0;
	tn_alloc_hook = count_allocs;
	fork = tn_ns_copy(ns);
	tn_alloc_hook = NULL;
	assert_int_equal(n_allocs, 1);
	assert_string_equal(shown(fork, 100), "100 5000");
	tn_ns_put(ns);
	assert_string_equal(shown(fork, 100), "100 5000");
	tn_ns_put(fork);
}

static void a_snapshot_stays_as_it_was(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL);
	struct tn_ns_table *then;
	uint64_t version;

	(void)state;
	assert_int_equal(bind(ns, 2, 1, TN_REPL), TN_OK);
	version = tn_ns_version(ns);
	then = tn_ns_snapshot(ns);
	assert_int_equal(bind(ns, 3, 1, TN_AFTER), TN_OK);
	assert_int_equal(bind(ns, 3, 4, TN_AFTER), TN_OK);
	assert_int_not_equal(tn_ns_version(ns), version);
	assert_int_equal(tn_ns_table_find(then, &tree->s, 1)->n, 1);
	assert_null(tn_ns_table_find(then, &tree->s, 4));
	assert_int_equal(unmount(ns, 0, 1), TN_OK);
	assert_int_equal(tn_ns_table_find(then, &tree->s, 1)->n, 1);
	tn_ns_table_put(then);
	tn_ns_put(ns);
}

/* An open union directory knows by it that its mount point was taken away and made again. */
static void a_head_made_anew_has_another_number(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL);
	uint64_t first, second, third;

	(void)state;
	bind(ns, 2, 1, TN_AFTER);
	tn_members_put(tn_ns_find_at(ns, &tree->s, 1, NULL, &first));
	bind(ns, 3, 1, TN_BEFORE);
	unmount(ns, 2, 1);
	tn_members_put(tn_ns_find_at(ns, &tree->s, 1, NULL, &second));
	assert_int_equal(first, second);
	unmount(ns, 0, 1);
	bind(ns, 2, 1, TN_AFTER);
	tn_members_put(tn_ns_find_at(ns, &tree->s, 1, NULL, &third));
	assert_int_not_equal(first, third);
	tn_ns_put(ns);
}

/* ---- order ---- */

static void put_number(void *arg, struct tn_chan *under, const struct tn_member *m)
{
	char *text = arg;

	sprintf(text + strlen(text), "%d>%d ", (int)m->to->qid.path, (int)under->qid.path);
}

/* namespace-semantics.md 11: the order of the calls, the original before what brought it in. */
static void all_is_told_in_the_order_of_the_calls(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL);
	char text[256] = "";

	(void)state;
	bind(ns, 5, 3, TN_BEFORE);
	bind(ns, 6, 1, TN_REPL);
	bind(ns, 7, 3, TN_BEFORE);
	bind(ns, 8, 2, TN_AFTER);
	unmount(ns, 0, 1);
	bind(ns, 9, 1, TN_REPL);
	tn_ns_each(ns, put_number, text);
	assert_string_equal(text, "3>3 5>3 7>3 2>2 8>2 9>1 ");
	tn_ns_put(ns);
}

/* rfork(2): who shares a name space sees what is changed in it; a change that was tried out on a copy comes in one step. */
static void a_name_space_becomes_what_its_copy_is(void **state)
{
	struct tn_ns *ns = tn_ns_empty(NULL), *copy;
	uint64_t version, serial = 0, before = 0;
	struct tn_chan *under;

	(void)state;
	bind(ns, 5, 1, TN_REPL);
	version = tn_ns_version(ns);
	tn_members_put(tn_ns_head_after(ns, &before, &under));
	copy = tn_ns_clean(ns);
	bind(copy, 6, 1, TN_REPL);
	bind(copy, 7, 2, TN_REPL);
	tn_ns_forbid(copy);
	tn_ns_become(ns, copy);
	bind(copy, 8, 3, TN_REPL);
	assert_string_equal(shown(ns, 1), "6");
	assert_string_equal(shown(ns, 2), "7");
	assert_string_equal(shown(ns, 3), "");
	assert_true(tn_ns_forbids(ns));
	assert_true(tn_ns_version(ns) > version);
	/* Numbers that were seen here are not given to other heads. */
	bind(ns, 9, 4, TN_REPL);
	for (struct tn_members *m; (m = tn_ns_head_after(ns, &serial, &under)) != NULL;)
		tn_members_put(m);
	assert_true(serial > before);
	tn_ns_put(copy);
	tn_ns_put(ns);
	settle();
}

/* ---- memory ---- */

/* Whichever allocation fails, the name space is as it was before or as it should be after. */
static void without_memory_nothing_has_changed(void **state)
{
	(void)state;
	for (int k = 0; k < 64; k++) {
		struct tn_ns *ns = tn_ns_empty(NULL), *fork;
		struct tn_chan *a = dir(10), *b = dir(1);
		enum tn_err mounted, taken, all;

		for (uint64_t i = 1; i <= 6; i++)
			bind(ns, 5000 + i, i, TN_AFTER); /* the next head makes the table grow */
		fork = tn_ns_copy(ns);
		allocs_left = k;
		tn_alloc_hook = alloc_or_not;
		mounted = tn_ns_mount(ns, a, NULL, b, TN_AFTER, "spec");
		taken = tn_ns_unmount(ns, b, b);
		all = tn_ns_unmount(fork, b, NULL);
		tn_alloc_hook = NULL;
		assert_true(mounted == TN_OK || mounted == TN_ENOMEM);
		assert_true(taken == TN_OK || taken == TN_ENOMEM);
		assert_string_equal(shown(ns, 1), taken == TN_OK
						      ? mounted == TN_OK ? "5001 10" : "5001"
						  : mounted == TN_OK ? "1 5001 10"
								     : "1 5001");
		assert_string_equal(shown(fork, 1), all == TN_OK ? "" : "1 5001");
		assert_string_equal(shown(fork, 6), "6 5006");
		if (k == 63)
			assert_int_equal(mounted + taken + all, TN_OK);
		tn_chan_put(a);
		tn_chan_put(b);
		tn_ns_put(ns);
		tn_ns_put(fork);
		settle();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_binds_unmounts_and_forks_are_as_the_model),
		cmocka_unit_test(a_thousand_mount_points_are_found_and_taken_away),
		cmocka_unit_test(a_union_has_so_many_members_and_no_more),
		cmocka_unit_test(a_name_space_has_so_many_mounts_and_no_more),
		cmocka_unit_test(kinds_and_flags_must_agree),
		cmocka_unit_test(where_it_is_forbidden_a_mount_is_refused_and_a_bind_is_not),
		cmocka_unit_test(a_fork_costs_one_allocation_whatever_is_mounted),
		cmocka_unit_test(a_snapshot_stays_as_it_was),
		cmocka_unit_test(a_head_made_anew_has_another_number),
		cmocka_unit_test(all_is_told_in_the_order_of_the_calls),
		cmocka_unit_test(a_name_space_becomes_what_its_copy_is),
		cmocka_unit_test(without_memory_nothing_has_changed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
