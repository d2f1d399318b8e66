/*
 * Open union directories and rewritten entries: offsets, little room, waiting, members that are down. What a listing
 * shows is the oracle's (oracle-driver).
 */
#include "core/union.h"

#include "core/mount.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tree *a, *b, *c;
static struct tn_proc *p;

static int set_up(void **state)
{
	(void)state;
	world_init();
	a = tree_new();
	b = tree_new();
	c = tree_new();
	tree_add(a, "d/");
	tree_add(a, "d/one");
	tree_add(a, "d/two/");
	tree_add(a, "plain/");
	tree_add(a, "plain/x/");
	tree_add(a, "plain/y");
	for (int i = 0; i < 5; i++)
		tree_add(b, (const char *[]){ "b1", "b2", "b3", "b4", "b5" }[i]);
	tree_add(c, "c1");
	p = tn_proc_new(&node, NULL);
	assert_int_equal(put_at(p, a, 0, "/", TN_REPL | TN_CREATE_HERE), TN_OK);
	assert_int_equal(put_at(p, b, 0, "/d", TN_AFTER), TN_OK);
	assert_int_equal(put_at(p, c, 0, "/d", TN_AFTER), TN_OK);
	settle();
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
	tn_server_put(&c->s);
	world_fini();
	return 0;
}

static struct tn_chan *open_dir(const char *name)
{
	struct tn_name n = question(p, name, TN_FOR_OPEN);
	struct tn_chan *dir;

	assert_int_equal(resolve(&n), TN_OK);
	dir = n.chan;
	n.chan = NULL;
	tn_name_fini(&n);
	return dir;
}

/* ---- a reader with so much room ---- */

struct reading {
	struct tn_req r; /* first */
	int room, n;
	bool done;
	char text[512]; /* "name:length " */
	uint64_t next[32];
};

static bool take(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct reading *d = (struct reading *)r;

	if (d->n == d->room)
		return false;
	assert_int_not_equal(next, 0);
	d->next[d->n++] = next;
	snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "%.*s:%d ",
	    (int)st->name.len, st->name.s, (int)st->length);
	return true;
}

static void read_done(struct tn_req *r)
{
	((struct reading *)r)->done = true;
}

static const struct tn_owner reader = { .done = read_done, .entry = take };

static enum tn_status start_reading(struct reading *d, struct tn_chan *dir, uint64_t offset,
    int room)
{
	*d = (struct reading){ .room = room };
	tn_req_init(&d->r, TN_READDIR, dir, &reader);
	d->r.u.readdir.offset = offset;
	return tn_submit(&d->r);
}

static enum tn_err read_once(struct reading *d, struct tn_chan *dir, uint64_t offset, int room)
{
	if (start_reading(d, dir, offset, room) == TN_LATER) {
		while (!d->done)
			tn_loop_run(&loop);
	}
	tn_req_reset(&d->r);
	return (enum tn_err)d->r.err;
}

/* The whole directory from an offset on, `room` entries at a time. Offsets go to next, if that is not NULL. */
static const char *read_all(struct tn_chan *dir, uint64_t offset, int room, uint64_t *next)
{
	static char text[1024];
	struct reading d;
	int n = 0;

	text[0] = '\0';
	do {
		assert_int_equal(read_once(&d, dir, offset, room), TN_OK);
		strcat(text, d.text);
		for (int i = 0; i < d.n; i++) {
			offset = d.next[i];
			if (next)
				next[n++] = offset;
		}
	} while (d.n > 0);
	return text;
}

#define ALL "one:2 two:3 b1:1 b2:2 b3:3 b4:4 b5:5 c1:1 "

static const uint64_t strides[] = { 1, 24, UINT64_C(1) << 50, UINT64_C(1) << 57 };

static void with_any_room_and_late_servers_it_is_the_same(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		a->late = b->late = c->late = late;
		for (size_t i = 0; i < TN_COUNT(strides); i++) {
			a->stride = b->stride = strides[i];
			for (int room = 1; room < 10; room++) {
				struct tn_chan *dir = open_dir("/d");

				assert_string_equal(read_all(dir, 0, room, NULL), ALL);
				assert_string_equal(read_all(dir, 0, room, NULL), ALL);
				tn_chan_put(dir);
				settle();
			}
		}
	}
}

/* readdir(3), seekdir(3): any offset that was given goes on behind its entry. */
static void every_offset_that_was_given_is_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(strides); i++) {
		struct tn_chan *dir = open_dir("/d");
		uint64_t next[16];
		const char *rest = ALL;

		a->stride = b->stride = strides[i];
		read_all(dir, 0, 3, next);
		for (int k = 0; k < 8; k++) {
			rest = strchr(rest, ' ') + 1;
			assert_string_equal(read_all(dir, next[k], 2, NULL), rest);
		}
		tn_chan_put(dir);
		settle();
		a->stride = b->stride = 0;
	}
}

static void an_offset_that_was_never_given_is_refused(void **state)
{
	struct tn_chan *dir = open_dir("/d");
	struct reading d;

	(void)state;
	assert_int_equal(read_once(&d, dir, UINT64_MAX, 9), TN_EBADOFFSET);
	assert_int_equal(read_once(&d, dir, UINT64_C(0x7f) << 56 | 5, 9), TN_EBADOFFSET);
	tn_chan_put(dir);
}

/*
 * Places that are too far for an offset have numbers; the 4096 that were given last are known. Here each reading gives
 * two: an entry for which there was no room has had one too.
 */
static void an_offset_that_was_forgotten_is_not_taken_for_another(void **state)
{
	struct tn_chan *dir = open_dir("/d");
	struct reading d;
	uint64_t first;

	(void)state;
	a->stride = UINT64_C(1) << 57;
	assert_int_equal(read_once(&d, dir, 0, 1), TN_OK);
	first = d.next[0];
	for (int i = 1; i < 2048; i++)
		assert_int_equal(read_once(&d, dir, 0, 1), TN_OK);
	assert_int_equal(read_once(&d, dir, first, 1), TN_OK);
	assert_int_equal(read_once(&d, dir, first, 1), TN_EBADOFFSET);
	tn_chan_put(dir);
}

/* namespace-semantics.md 6: it follows its own mount point, not another that comes to the same place. */
static void a_mount_point_made_anew_is_another(void **state)
{
	struct tn_chan *dir = open_dir("/d"), *to = tree_chan(a, 1, "/d");
	struct reading d;

	(void)state;
	assert_int_equal(tn_ns_unmount(p->ns, to, NULL), TN_OK);
	assert_string_equal(read_all(dir, 0, 9, NULL), "");
	assert_int_equal(put_at(p, b, 0, "/d", TN_AFTER), TN_OK);
	assert_int_equal(put_at(p, c, 0, "/d", TN_AFTER), TN_OK);
	assert_int_equal(read_once(&d, dir, 0, 9), TN_OK);
	assert_string_equal(d.text, "");
	tn_chan_put(to);
	tn_chan_put(dir);
}

/* ---- several at once ---- */

static void listings_of_one_directory_wait_for_one_another(void **state)
{
	struct tn_chan *dir = open_dir("/d");
	struct reading d[3];

	(void)state;
	a->late = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(start_reading(&d[i], dir, 0, 9), TN_LATER);
	while (!d[0].done || !d[1].done || !d[2].done)
		tn_loop_run(&loop);
	for (int i = 0; i < 3; i++)
		assert_string_equal(d[i].text, "one:2 two:3 ");
	tn_chan_put(dir);
}

static void one_that_waits_can_be_flushed(void **state)
{
	struct tn_chan *dir = open_dir("/d");
	struct reading d[3];

	(void)state;
	a->stuck = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(start_reading(&d[i], dir, 0, 9), TN_LATER);
	tn_flush(&d[1].r);
	assert_true(d[1].done);
	assert_int_equal(d[1].r.err, TN_EINTR);
	tn_flush(&d[0].r);
	settle();
	assert_true(d[0].done);
	assert_int_equal(d[0].r.err, TN_EINTR);
	assert_false(d[2].done);
	tn_flush(&d[2].r);
	settle();
	assert_true(d[2].done);
	tn_chan_put(dir);
}

/* ---- members that cannot be read ---- */

static void a_later_member_that_is_down_gives_its_error(void **state)
{
	struct tn_chan *dir = open_dir("/d");
	struct reading d;

	(void)state;
	b->down = TN_ECONNLOST;
	assert_int_equal(read_once(&d, dir, 0, 9), TN_OK);
	assert_string_equal(d.text, "one:2 two:3 ");
	assert_int_equal(read_once(&d, dir, d.next[1], 9), TN_ECONNLOST);
	b->s.flags |= TN_SF_DOWN_SKIP;
	assert_string_equal(read_all(dir, 0, 9, NULL), "one:2 two:3 c1:1 ");
	tn_chan_put(dir);
}

static void a_later_member_that_refuses_is_passed_over(void **state)
{
	struct tn_chan *dir = open_dir("/d");

	(void)state;
	b->node[0].open_err = TN_EACCES;
	assert_string_equal(read_all(dir, 0, 9, NULL), "one:2 two:3 c1:1 ");
	tn_chan_put(dir);
}

/* ---- entries that are mount points ---- */

static void an_entry_shows_what_is_mounted(void **state)
{
	(void)state;
	assert_int_equal(put_at(p, b, 0, "/plain/x", TN_REPL), TN_OK);
	assert_int_equal(put_at(p, b, 3, "/plain/y", TN_REPL), TN_OK);
	for (int late = 0; late < 2; late++) {
		a->late = b->late = late;
		for (int room = 1; room < 3; room++) {
			struct tn_chan *dir = open_dir("/plain");

			assert_string_equal(read_all(dir, 0, room, NULL), "x:0 y:3 ");
			tn_chan_put(dir);
			settle();
		}
	}
}

static void an_entry_whose_mount_is_down_is_listed_as_it_is(void **state)
{
	struct tn_chan *dir;

	(void)state;
	assert_int_equal(put_at(p, b, 0, "/plain/x", TN_REPL), TN_OK);
	b->down = TN_ETIMEDOUT;
	dir = open_dir("/plain");
	assert_string_equal(read_all(dir, 0, 9, NULL), "x:5 y:6 ");
	tn_chan_put(dir);
}

/* A directory of a server in which nothing is mounted pays nothing. */
static void where_nothing_is_mounted_a_directory_is_the_servers_own(void **state)
{
	struct tn_chan *dir;

	(void)state;
	tree_add(b, "sub/");
	dir = open_dir("/d/sub");
	assert_ptr_equal(dir->server, &b->s);
	assert_ptr_equal(tn_chan_behind(dir), dir);
	tn_chan_put(dir);
	dir = open_dir("/plain");
	assert_ptr_not_equal(dir->server, &a->s);
	assert_ptr_equal(tn_chan_behind(dir)->server, &a->s);
	tn_chan_put(dir);
}

/* ---- the rest is the first member's ---- */

static void take_stat(struct tn_req *r, const struct tn_stat *st)
{
	((struct reading *)r)->n = (int)st->length;
}

static const struct tn_owner stat_reader = { .done = read_done, .stat = take_stat };

static void other_requests_go_to_the_first_member(void **state)
{
	struct tn_chan *dir = open_dir("/d");

	(void)state;
	for (int late = 0; late < 2; late++) {
		struct reading d = { .n = 0 };

		a->late = late;
		tn_req_init(&d.r, TN_STAT, dir, &stat_reader);
		if (tn_submit(&d.r) == TN_LATER) {
			while (!d.done)
				tn_loop_run(&loop);
		}
		assert_int_equal(d.r.err, TN_OK);
		assert_int_equal(d.n, 1);
	}
	a->late = false;
	a->stuck = true;
	struct reading d = { .n = 0 };

	tn_req_init(&d.r, TN_STAT, dir, &stat_reader);
	assert_int_equal(tn_submit(&d.r), TN_LATER);
	tn_flush(&d.r);
	settle();
	assert_true(d.done);
	assert_int_equal(d.r.err, TN_EINTR);
	tn_chan_put(dir);
}

/* ---- memory ---- */

static void any_allocation_may_fail(void **state)
{
	enum tn_err err = TN_ENOMEM;
	int k = 0;

	(void)state;
	assert_int_equal(put_at(p, b, 0, "/plain/x", TN_REPL), TN_OK);
	a->stride = b->stride = UINT64_C(1) << 57; /* offsets need memory too */
	for (; err == TN_ENOMEM && k < 100; k++) {
		struct tn_chan *dir = open_dir("/d"), *plain = open_dir("/plain");
		struct reading d;

		allocs_left = k;
		tn_alloc_hook = alloc_or_not;
		err = read_once(&d, dir, 0, 9);
		while (err == TN_OK && d.n > 0)
			err = read_once(&d, dir, d.next[d.n - 1], 9);
		if (err == TN_OK)
			err = read_once(&d, plain, 0, 9);
		tn_alloc_hook = NULL;
		tn_chan_put(dir);
		tn_chan_put(plain);
		settle();
	}
	assert_int_equal(err, TN_OK);
	assert_true(k > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(with_any_room_and_late_servers_it_is_the_same),
		TEST(every_offset_that_was_given_is_good),
		TEST(an_offset_that_was_never_given_is_refused),
		TEST(an_offset_that_was_forgotten_is_not_taken_for_another),
		TEST(a_mount_point_made_anew_is_another),
		TEST(listings_of_one_directory_wait_for_one_another),
		TEST(one_that_waits_can_be_flushed),
		TEST(a_later_member_that_is_down_gives_its_error),
		TEST(a_later_member_that_refuses_is_passed_over),
		TEST(an_entry_shows_what_is_mounted),
		TEST(an_entry_whose_mount_is_down_is_listed_as_it_is),
		TEST(where_nothing_is_mounted_a_directory_is_the_servers_own),
		TEST(other_requests_go_to_the_first_member),
		TEST(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
