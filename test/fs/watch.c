/*
 * The file `watch` over #ram: what is written, what is read, limits and ends. fs/watch.h.
 */
#include "fs/watch.h"

#include "drive.h"
#include "fs/ram.h"
#include "host/posix/host.h"

static struct tn_server *ram, *watch;
static struct tn_chan *top, *feed; /* of the tree; the open file */
static char text[1 << 19];

static int set_up(void **state)
{
	enum tn_err err;

	(void)state;
	tn_loop_init(&loop, NULL, NULL);
	ram = tn_ram_new(&loop, NULL);
	watch = tn_watch_new(ram);
	top = attach_as(ram, "glenda", "", &err);
	assert_non_null(top);
	feed = attach_as(watch, "glenda", TN_WATCH_ANAME, &err);
	assert_non_null(feed);
	assert_int_equal(open_chan(feed, TN_ORDWR), TN_OK);
	n_done = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_chan_put(feed);
	tn_chan_put(top);
	while (tn_loop_next_ns(&loop) == 0)
		tn_loop_run(&loop);
	tn_server_put(watch);
	tn_server_put(ram);
	tn_loop_fini(&loop);
	return 0;
}

static enum tn_err say(const char *line)
{
	struct tn_req r;

	tn_req_init(&r, TN_WRITE, feed, &driver);
	r.u.io.data = (uint8_t *)(uintptr_t)line;
	r.u.io.count = (uint32_t)strlen(line);
	return ask(&r);
}

/* What there is; a reader for whom there is nothing waits, and is flushed. */
static const char *hear(uint32_t room)
{
	struct tn_req r;
	uint32_t n = 0;

	tn_req_init(&r, TN_READ, feed, &driver);
	r.u.io.data = (uint8_t *)text;
	r.u.io.count = room;
	if (tn_submit(&r) == TN_LATER) {
		tn_flush(&r);
		assert_int_equal(r.err, TN_EINTR);
	} else {
		assert_int_equal(r.err, TN_OK);
		n = r.u.io.count;
	}
	tn_req_reset(&r);
	text[n] = '\0';
	return text;
}

static struct tn_chan *create(const char *name, uint32_t perm)
{
	struct tn_chan *c = tn_chan_clone(top);
	struct tn_req r;

	tn_req_init(&r, TN_WALK, top, &driver);
	r.u.walk.newchan = c;
	assert_int_equal(ask(&r), TN_OK);
	tn_req_init(&r, TN_CREATE, c, &driver);
	r.flags = TN_OREAD;
	r.u.create.name = str(name);
	r.u.create.perm = perm;
	r.u.create.gid = TN_NONUNAME;
	assert_int_equal(ask(&r), TN_OK);
	return c;
}

static void remove_it(struct tn_chan *c)
{
	struct tn_req r;

	tn_req_init(&r, TN_REMOVE, c, &driver);
	assert_int_equal(ask(&r), TN_OK);
	tn_chan_put(c);
}

static void changes_below_what_was_named_are_told(void **state)
{
	struct tn_chan *c;

	(void)state;
	assert_int_equal(say("watch 5 "), TN_OK);
	assert_string_equal(hear(4096), "begun 5 f 0 \n");
	c = create("f", 0666);
	assert_string_equal(hear(4096), "made 5 f 0 f\n");
	remove_it(c);
	assert_string_equal(hear(4096), "gone 5 f 0 f\n");
	assert_int_equal(say("end 5"), TN_OK);
	remove_it(create("g", 0666));
	assert_string_equal(hear(4096), "");
}

static void a_watch_of_what_is_not_there_ends_with_the_cause(void **state)
{
	(void)state;
	assert_int_equal(say("watch 1 not/there\nwatch 2 "), TN_OK);
	assert_string_equal(hear(4096), "end 1 file does not exist\nbegun 2 f 0 \n");
}

/* walk(5): it makes nothing of names behind the one that is missing, and is no error. */
static void a_way_that_ends_midway_is_not_there(void **state)
{
	struct tn_chan *d = create("d", TN_DMDIR | 0777);

	(void)state;
	assert_int_equal(say("watch 1 d/no"), TN_OK);
	assert_string_equal(hear(4096), "end 1 file does not exist\n");
	remove_it(d);
}

static void a_directory_that_is_removed_ends_its_watch(void **state)
{
	struct tn_chan *d = create("d", TN_DMDIR | 0777);

	(void)state;
	assert_int_equal(say("watch 1 d"), TN_OK);
	assert_string_equal(hear(4096), "begun 1 f 0 \n");
	remove_it(d);
	assert_string_equal(hear(4096), "end 1 file does not exist\n");
}

static void a_directory_that_is_removed_ends_all_its_watches(void **state)
{
	struct tn_chan *d = create("d", TN_DMDIR | 0777);

	(void)state;
	assert_int_equal(say("watch 1 d\nwatch 2 d"), TN_OK);
	hear(4096);
	remove_it(d);
	assert_string_equal(hear(4096), "end 2 file does not exist\nend 1 file does not exist\n");
}

static void rename_to(const char *name, const char *newname, uint32_t how)
{
	struct tn_req r;

	tn_req_init(&r, TN_RENAME, top, &driver);
	r.chan2 = top;
	r.u.rename.name = str(name);
	r.u.rename.newname = str(newname);
	r.u.rename.how = how;
	assert_int_equal(ask(&r), TN_OK);
}

/* core/change.h: the halves of one rename have one number, which no other has. */
static void the_halves_of_each_rename_have_a_number_of_their_own(void **state)
{
	struct tn_chan *a = create("a", 0666), *b = create("b", 0666);

	(void)state;
	assert_int_equal(say("watch 1 "), TN_OK);
	hear(4096);
	rename_to("a", "c", 0);
	assert_string_equal(hear(4096), "left 1 f 1 a\ncame 1 f 1 c\n");
	rename_to("c", "b", 2); /* RENAME_EXCHANGE */
	assert_string_equal(hear(4096), "left 1 f 2 c\nleft 1 f 3 b\ncame 1 f 3 c\ncame 1 f 2 b\n");
	rename_to("b", "a", 0);
	assert_string_equal(hear(4096), "left 1 f 4 b\ncame 1 f 4 a\n");
	remove_it(a);
	remove_it(b);
}

static void what_a_wstat_changes_is_told(void **state)
{
	struct tn_stat st = { .valid = TN_ST_LENGTH, .length = 5 };
	struct tn_chan *c = create("f", 0666);
	struct tn_req r;

	(void)state;
	assert_int_equal(say("watch 1 "), TN_OK);
	hear(4096);
	for (int i = 0; i < 2; i++) {
		tn_req_init(&r, TN_WSTAT, c, &driver);
		r.u.wstat.st = &st;
		assert_int_equal(ask(&r), TN_OK);
		assert_string_equal(hear(4096), i ? "status 1 f 0 f\n" : "written 1 f 0 f\n");
		st = (struct tn_stat){ .valid = TN_ST_MODE, .mode = 0600 };
	}
	remove_it(c);
}

static void what_is_no_line_is_refused_and_what_stood_before_it_holds(void **state)
{
	static const char *const bad[] = { "watch", "watch x", "watch 1 .", "watch 1 ..",
		"watch 1 a/..", "watch 1 ../a", "watch 1 \\x", "end", "end 1 x", "wait 1",
		"watch 4294967296 " };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(say(bad[i]), TN_EBADARG);
	}
	assert_int_equal(say("watch 1 \nwatch 1 "), TN_EEXIST);
	assert_string_equal(hear(4096), "begun 1 f 0 \n");
}

/* A name may begin with dots. */
static void dots_in_a_name_are_no_way_out(void **state)
{
	struct tn_chan *d = create("..d", TN_DMDIR | 0777);

	(void)state;
	assert_int_equal(say("watch 1 /..d/"), TN_OK);
	assert_string_equal(hear(4096), "begun 1 f 0 \n");
	remove_it(d);
}

static void a_reader_with_little_room_gets_whole_lines(void **state)
{
	(void)state;
	assert_int_equal(say("watch 1 \nwatch 2 "), TN_OK);
	assert_string_equal(hear(14), "begun 1 f 0 \n");
	assert_string_equal(hear(5), "begun");
	assert_string_equal(hear(4096), " 2 f 0 \n");
}

static void a_reader_that_waits_is_answered_when_something_happens(void **state)
{
	struct tn_req r;

	(void)state;
	assert_int_equal(say("watch 1 "), TN_OK);
	hear(4096);
	tn_req_init(&r, TN_READ, feed, &driver);
	r.u.io.data = (uint8_t *)text;
	r.u.io.count = 4096;
	assert_int_equal(tn_submit(&r), TN_LATER);
	remove_it(create("f", 0666));
	assert_int_equal(n_done, 0);
	tn_loop_run(&loop);
	assert_int_equal(n_done, 1);
	assert_int_equal(r.u.io.count, strlen("made 1 f 0 f\ngone 1 f 0 f\n"));
	tn_req_reset(&r);
}

/* Also of what has come, and the first has not been given yet. */
static void who_reads_later_gets_what_comes_later(void **state)
{
	static char other[4096];
	struct tn_req r[2];

	(void)state;
	assert_int_equal(say("watch 1 "), TN_OK);
	hear(4096);
	for (int i = 0; i < 2; i++) {
		tn_req_init(&r[i], TN_READ, feed, &driver);
		r[i].u.io.data = (uint8_t *)(i ? other : text);
		r[i].u.io.count = 4096;
		assert_int_equal(tn_submit(&r[i]), TN_LATER);
		if (i == 0)
			remove_it(create("f", 0666));
	}
	tn_loop_run(&loop);
	assert_int_equal(n_done, 1);
	assert_memory_equal(text, "made 1 f 0 f\ngone 1 f 0 f\n", r[0].u.io.count);
	tn_flush(&r[1]);
	assert_int_equal(n_done, 2);
	tn_req_reset(&r[0]);
	tn_req_reset(&r[1]);
}

/* 256 KiB, fs/watch.h; a line is 26 bytes at most here. */
static void what_nobody_reads_is_lost_and_said_to_be(void **state)
{
	uint32_t n = 0;

	(void)state;
	assert_int_equal(say("watch 1 "), TN_OK);
	hear(4096);
	for (int i = 0; i < 12000; i++)
		remove_it(create("f", 0666));
	assert_memory_equal(hear(sizeof(text) - 1), "lost 0 f 0 \n", 12);
	for (const char *at = text; *at; at++)
		n += *at == '\n';
	assert_in_range(n, 2, 12000);
	remove_it(create("f", 0666));
	assert_string_equal(hear(4096), "made 1 f 0 f\ngone 1 f 0 f\n");
}

static void a_feed_has_4096_watches_at_most(void **state)
{
	char line[32];

	(void)state;
	for (int i = 0; i < 4096; i++) {
		snprintf(line, sizeof(line), "watch %d ", i);
		assert_int_equal(say(line), TN_OK);
	}
	assert_int_equal(say("watch 4096 "), TN_ELIMIT_FILES);
	assert_int_equal(say("end 7"), TN_OK);
	assert_int_equal(say("watch 4096 "), TN_OK);
}

/* fs/watch.h: 1024 are open at a time. One is from set_up. */
static void a_feed_that_is_closed_makes_room_for_another(void **state)
{
	static struct tn_chan *more[1024];
	enum tn_err err;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(more); i++) {
		more[i] = attach_as(watch, "glenda", TN_WATCH_ANAME, &err);
		assert_int_equal(open_chan(more[i], TN_ORDWR),
		    i < TN_COUNT(more) - 1 ? TN_OK : TN_ELIMIT_OPEN);
	}
	tn_chan_put(more[0]);
	tn_loop_run(&loop);
	assert_int_equal(open_chan(more[1023], TN_ORDWR), TN_OK);
	for (size_t i = 1; i < TN_COUNT(more); i++)
		tn_chan_put(more[i]);
}

/* fs/watch.h: 16384 of all feeds together, 4096 of each. */
static void watches_that_have_ended_make_room_for_others(void **state)
{
	struct tn_chan *mine = feed, *more[4];
	enum tn_err err;
	char line[32];

	(void)state;
	for (int k = 0; k < 4; k++) {
		feed = more[k] = attach_as(watch, "glenda", TN_WATCH_ANAME, &err);
		assert_int_equal(open_chan(feed, TN_ORDWR), TN_OK);
		for (int i = 0; i < 4096; i++) {
			snprintf(line, sizeof(line), "watch %d ", i);
			assert_int_equal(say(line), TN_OK);
		}
	}
	feed = mine;
	assert_int_equal(say("watch 1 "), TN_ELIMIT_FILES);
	tn_chan_put(more[0]);
	tn_loop_run(&loop);
	assert_int_equal(say("watch 1 "), TN_OK);
	for (int k = 1; k < 4; k++)
		tn_chan_put(more[k]);
}

static void who_may_not_read_a_directory_is_told_nothing_of_it(void **state)
{
	struct tn_chan *d = create("d", TN_DMDIR | 0700);
	enum tn_err err;

	(void)state;
	tn_chan_put(feed);
	feed = attach_as(watch, "boyd", TN_WATCH_ANAME, &err);
	assert_int_equal(open_chan(feed, TN_ORDWR), TN_OK);
	assert_int_equal(say("watch 1 d"), TN_OK);
	assert_string_equal(hear(4096), "end 1 permission denied\n");
	remove_it(d);
}

static void a_closed_feed_lets_go_of_its_watches(void **state)
{
	enum tn_err err;

	(void)state;
	assert_int_equal(say("watch 1 \nwatch 2 "), TN_OK);
	tn_chan_put(feed);
	feed = attach_as(watch, "glenda", TN_WATCH_ANAME, &err);
	assert_int_equal(open_chan(feed, TN_ORDWR), TN_OK);
	remove_it(create("f", 0666));
	assert_string_equal(hear(4096), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_below_what_was_named_are_told),
		TEST(a_watch_of_what_is_not_there_ends_with_the_cause),
		TEST(a_way_that_ends_midway_is_not_there),
		TEST(a_directory_that_is_removed_ends_its_watch),
		TEST(a_directory_that_is_removed_ends_all_its_watches),
		TEST(the_halves_of_each_rename_have_a_number_of_their_own),
		TEST(what_a_wstat_changes_is_told),
		TEST(what_is_no_line_is_refused_and_what_stood_before_it_holds),
		TEST(dots_in_a_name_are_no_way_out),
		TEST(a_reader_with_little_room_gets_whole_lines),
		TEST(a_reader_that_waits_is_answered_when_something_happens),
		TEST(who_reads_later_gets_what_comes_later),
		TEST(what_nobody_reads_is_lost_and_said_to_be),
		TEST(a_feed_has_4096_watches_at_most),
		TEST(a_feed_that_is_closed_makes_room_for_another),
		TEST(watches_that_have_ended_make_room_for_others),
		TEST(who_may_not_read_a_directory_is_told_nothing_of_it),
		TEST(a_closed_feed_lets_go_of_its_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
