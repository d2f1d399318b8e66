/*
 * Who watches a directory of a view: of a union each member tells, each for itself, and it is one watch all the same.
 */
#include "core/view.h"
#include "fs/ram.h"
#include "lib/call.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tn_server *ram;
static struct tn_user *user;
static struct tn_proc *p; /* serves */
static struct tn_proc *q; /* has mounted the view on / */
static struct tn_server *view;

/* ---- who watches ---- */

struct watch {
	struct tn_req r; /* first */
	bool done;
	char heard[256]; /* "WHAT NAME, " of each change */
};

static void watch_done(struct tn_req *r)
{
	((struct watch *)r)->done = true;
}

static void watch_change(struct tn_req *r, const struct tn_change *c)
{
	static const char *const whats[TN_CHANGES] = { [TN_CHANGE_BEGUN] = "begun",
		[TN_CHANGE_MADE] = "made",
		[TN_CHANGE_GONE] = "gone",
		[TN_CHANGE_STATUS] = "status" };
	struct watch *w = (struct watch *)r;
	size_t len = strlen(w->heard);

	snprintf(w->heard + len, sizeof(w->heard) - len, "%s %.*s, ", whats[c->what],
	    (int)c->name.len, c->name.len ? c->name.s : "");
}

static bool watch_keep(struct tn_req *r)
{
	(void)r;
	return true;
}

static const struct tn_owner watcher = { .done = watch_done,
	.keep = watch_keep,
	.change = watch_change };

static struct watch *begin_as(const struct tn_owner *owner, struct tn_proc *who, const char *name)
{
	struct tn_chan *c = tn_call_walk(who, name, TN_FOR_ACCESS);
	struct watch *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_non_null(c);
	tn_req_init(&w->r, TN_WATCH, c, owner);
	w->done = tn_submit(&w->r) == TN_DONE;
	settle();
	return w;
}

static struct watch *begin(struct tn_proc *who, const char *name)
{
	return begin_as(&watcher, who, name);
}

static void hears(struct watch *w, const char *changes)
{
	settle();
	assert_string_equal(w->heard, changes);
	w->heard[0] = '\0';
}

/* It must be over. */
static enum tn_err end(struct watch *w)
{
	enum tn_err err = (enum tn_err)w->r.err;

	settle();
	assert_true(w->done);
	tn_chan_put(w->r.chan);
	tn_req_reset(&w->r);
	free(w);
	return err;
}

static enum tn_err flush(struct watch *w)
{
	assert_false(w->done);
	tn_flush(&w->r);
	return end(w);
}

/* ---- the world ---- */

static void use_view(bool as_asker)
{
	struct tn_chan *c = tn_call_walk(p, "/", TN_FOR_TARGET);

	view = tn_view_new(p, c, &(struct tn_view_options){ .as_asker = as_asker });
	tn_chan_put(c);
	q = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(q, view, "/", TN_REPL | TN_CREATE_HERE, ""), 0);
}

static void drop_view(void)
{
	tn_proc_put(q);
	settle();
	tn_server_put(view);
}

/* a, b, and u, which is both, a first */
static int set_up(void **state)
{
	(void)state;
	world_init();
	user = tn_user_new(TN_STR("glenda"), 1000, 1000);
	ram = tn_ram_new(&loop, &(struct tn_ram_options){ .owner = user });
	tn_ram_put_dir(ram, str("/a"), 0775);
	tn_ram_put_dir(ram, str("/b"), 0775);
	tn_ram_put_dir(ram, str("/u"), 0775);
	p = tn_proc_new(&node, user);
	assert_int_equal(tn_call_mount(p, ram, "/", TN_REPL | TN_CREATE_HERE, ""), 0);
	assert_int_equal(tn_call_bind(p, "/a", "/u", TN_REPL), 0);
	assert_int_equal(tn_call_bind(p, "/b", "/u", TN_AFTER), 0);
	use_view(false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drop_view();
	tn_ns_clear(p->ns);
	tn_proc_put(p);
	settle();
	tn_server_put(ram);
	tn_user_put(user);
	world_fini();
	return 0;
}

static void make(const char *name)
{
	int fd = tn_call_create(p, name, TN_OREAD, 0666);

	assert_true(fd >= 0);
	tn_call_close(p, fd);
}

/* ---- tests ---- */

static void each_member_of_a_union_tells_and_it_begins_once(void **state)
{
	struct watch *w = begin(q, "/u");

	(void)state;
	hears(w, "begun , ");
	make("/a/x");
	make("/b/y");
	hears(w, "made x, made y, ");
	assert_int_equal(flush(w), TN_EINTR);
}

static void a_directory_that_is_no_union_tells_for_itself(void **state)
{
	struct watch *w = begin(q, "/b");

	(void)state;
	hears(w, "begun , ");
	make("/a/x");
	make("/b/y");
	hears(w, "made y, ");
	assert_int_equal(flush(w), TN_EINTR);
}

static void a_member_that_goes_leaves_the_others_and_the_last_ends_it(void **state)
{
	struct watch *w = begin(q, "/u");

	(void)state;
	hears(w, "begun , ");
	assert_int_equal(tn_call_remove(p, "/b"), 0);
	settle();
	assert_false(w->done);
	make("/a/x");
	hears(w, "made x, ");
	assert_int_equal(tn_call_remove(p, "/a/x"), 0);
	assert_int_equal(tn_call_remove(p, "/a"), 0);
	assert_int_equal(end(w), TN_ENOENT);
}

static void members_are_asked_for_whoever_asks_if_it_is_so_wanted(void **state)
{
	struct tn_user *rob = tn_user_new(TN_STR("rob"), 1001, 1001);

	(void)state;
	tn_ram_set_perm(ram, TN_STR("/b"), 0700);
	for (int as_asker = 0; as_asker < 2; as_asker++) {
		struct tn_proc *his;
		struct watch *w;

		drop_view();
		use_view(as_asker);
		his = tn_proc_new(&node, rob);
		assert_int_equal(tn_call_mount(his, view, "/", TN_REPL | TN_CREATE_HERE, ""), 0);
		w = begin(his, "/u");
		hears(w, "begun , ");
		make("/b/y");
		hears(w, as_asker ? "" : "made y, ");
		assert_int_equal(tn_call_remove(p, "/b/y"), 0);
		assert_int_equal(flush(w), TN_EINTR);
		tn_proc_put(his);
		settle();
	}
	tn_user_put(rob);
}

static void when_all_members_refuse_the_cause_is_told(void **state)
{
	(void)state;
	tn_ram_set_perm(ram, TN_STR("/a"), 0300);
	tn_ram_set_perm(ram, TN_STR("/b"), 0300);
	assert_int_equal(end(begin(q, "/u")), TN_EACCES);
}

static void the_cause_is_that_of_the_member_that_ended_last(void **state)
{
	struct watch *w;

	(void)state;
	tn_ram_set_perm(ram, TN_STR("/a"), 0300);
	w = begin(q, "/u");
	hears(w, "begun , ");
	assert_int_equal(tn_call_remove(p, "/b"), 0);
	assert_int_equal(end(w), TN_ENOENT);
}

static bool keeps_not(struct tn_req *r)
{
	(void)r;
	return false;
}

/* req.h: without memory to wait with, nobody waits. Nothing of it stays: the leak check. */
static void who_cannot_wait_is_refused(void **state)
{
	static const struct tn_owner hasty = { .done = watch_done,
		.keep = keeps_not,
		.change = watch_change };

	(void)state;
	assert_int_equal(end(begin_as(&hasty, q, "/u")), TN_ENOMEM);
	assert_int_equal(flush(begin(q, "/u")), TN_EINTR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_member_of_a_union_tells_and_it_begins_once),
		TEST(a_directory_that_is_no_union_tells_for_itself),
		TEST(a_member_that_goes_leaves_the_others_and_the_last_ends_it),
		TEST(members_are_asked_for_whoever_asks_if_it_is_so_wanted),
		TEST(when_all_members_refuse_the_cause_is_told),
		TEST(the_cause_is_that_of_the_member_that_ended_last),
		TEST(who_cannot_wait_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
