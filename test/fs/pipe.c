/*
 * #pipe: what is written at one end is read at the other, reads wait, full pipes make writers wait. pipe(3).
 */
#include "fs/pipe.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root, *data, *data1;

static int setup(void **state)
{
	(void)state;
	loop_start();
	server = tn_pipe_new(&loop);
	root = attach(server, "glenda");
	data = open_at(root, "data", TN_ORDWR);
	data1 = open_at(root, "data1", TN_ORDWR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(data);
	tn_chan_put(data1);
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

static char block[TN_PIPE_BYTES_MAX + 1]; /* zeros */

static void fill(struct tn_chan *c, uint32_t n)
{
	uint32_t count = n;

	assert_int_equal(write_err(c, 0, block, &count), TN_OK);
	assert_int_equal(count, n);
}

static void it_has_two_ends(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""), "data data1");
	assert_true(server->flags & TN_SF_BLOCKS);
}

static void what_is_written_to_one_end_is_read_from_the_other(void **state)
{
	(void)state;
	write_at(data, 0, "there");
	write_at(data1, 0, "back");
	assert_string_equal(read_at(data1, 0, 100), "there");
	assert_string_equal(read_at(data, 77, 100), "back");
}

static void a_read_gives_one_write_or_a_part_of_it(void **state)
{
	(void)state;
	write_at(data, 0, "abcde");
	write_at(data, 0, "fg");
	assert_string_equal(read_at(data1, 0, 3), "abc");
	assert_string_equal(read_at(data1, 0, 100), "de");
	assert_string_equal(read_at(data1, 0, 100), "fg");
}

static void a_read_waits_until_there_is_something(void **state)
{
	struct kept *k = keep_read(data1, 0, 100);

	(void)state;
	assert_int_equal(k->submitted, TN_LATER);
	tn_loop_run(&loop);
	assert_true(is_waiting(k));
	write_at(data, 0, "now");
	tn_loop_run(&loop);
	assert_int_equal(n_done, 1);
	assert_string_equal(kept_text(k), "now");
}

static void readers_are_served_in_their_order_each_with_a_message(void **state)
{
	struct kept *first = keep_read(data1, 0, 2), *second = keep_read(data1, 0, 100);
	struct kept *third;

	(void)state;
	write_at(data, 0, "abc");
	third = keep_read(data1, 0, 100); /* does not overtake them */
	assert_int_equal(third->submitted, TN_LATER);
	tn_loop_run(&loop);
	assert_string_equal(kept_text(first), "ab");
	assert_string_equal(kept_text(second), "c");
	assert_true(is_waiting(third));
	tn_flush(&third->r);
	assert_int_equal(kept_err(third), TN_EINTR);
}

static void a_write_of_nothing_ends_one_read(void **state)
{
	struct kept *k;

	(void)state;
	write_at(data, 0, "");
	write_at(data, 0, "more");
	assert_string_equal(read_at(data1, 0, 100), "");
	assert_string_equal(read_at(data1, 0, 100), "more");
	k = keep_read(data1, 0, 100);
	write_at(data, 0, "");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(k), "");
}

static void a_read_of_nothing_takes_nothing(void **state)
{
	(void)state;
	write_at(data, 0, "abc");
	assert_string_equal(read_at(data1, 0, 0), "");
	assert_string_equal(read_at(data1, 0, 9), "abc");
	assert_string_equal(read_at(data1, 0, 0), ""); /* and waits for nothing */
}

static void a_flushed_read_takes_nothing(void **state)
{
	struct kept *first = keep_read(data1, 0, 100), *second = keep_read(data1, 0, 100);

	(void)state;
	tn_flush(&first->r);
	assert_int_equal(kept_err(first), TN_EINTR);
	write_at(data, 0, "abc");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(second), "abc");
}

static const struct {
	uint32_t there, more;
	enum tn_status want;
} marks[] = {
	{ TN_PIPE_BYTES_MAX - 1, 1, TN_DONE },
	{ TN_PIPE_BYTES_MAX - 1, 2, TN_LATER },
	{ TN_PIPE_BYTES_MAX, 0, TN_LATER },
	{ TN_PIPE_BYTES_MAX, 1, TN_LATER },
};

static void a_write_beyond_the_mark_waits_for_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(marks); i++) {
		char text[3] = "ab";
		struct kept *k;

		fill(data, marks[i].there);
		text[marks[i].more] = '\0';
		k = keep_write(data, 0, text);
		print_message("%u and %u\n", marks[i].there, marks[i].more);
		assert_int_equal(k->submitted, marks[i].want);
		read_at(data1, 0, TN_PIPE_BYTES_MAX);
		tn_loop_run(&loop);
		assert_int_equal(kept_err(k), TN_OK);
		assert_string_equal(read_at(data1, 0, 100), text);
	}
}

static void a_great_write_goes_into_an_empty_pipe(void **state)
{
	struct kept *k;

	(void)state;
	fill(data, TN_PIPE_BYTES_MAX + 1);
	k = keep_write(data, 0, "x");
	assert_true(is_waiting(k));
	read_at(data1, 0, 65536);
	tn_loop_run(&loop);
	assert_false(is_waiting(k));
	assert_int_equal(kept_err(k), TN_OK);
}

static void messages_of_nothing_are_limited_too(void **state)
{
	struct kept *k;

	(void)state;
	for (uint32_t i = 0; i < TN_PIPE_MESSAGES_MAX; i++)
		write_at(data, 0, "");
	k = keep_write(data, 0, "");
	assert_int_equal(k->submitted, TN_LATER);
	read_at(data1, 0, 1);
	tn_loop_run(&loop);
	assert_int_equal(kept_err(k), TN_OK);
}

static void a_flushed_write_brings_nothing_and_lets_others_go_on(void **state)
{
	struct kept *k, *small;

	(void)state;
	fill(data, TN_PIPE_BYTES_MAX - 2);
	k = keep_write(data, 0, "three");
	small = keep_write(data, 0, "2"); /* behind it, although it would fit */
	assert_true(is_waiting(small));
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	tn_loop_run(&loop);
	assert_int_equal(kept_err(small), TN_OK);
	read_at(data1, 0, 65536);
	assert_string_equal(read_at(data1, 0, 100), "2");
}

/* Unlike Plan 9's own pipe: writers may come and go. */
static void closing_an_end_hangs_nobody_up(void **state)
{
	struct kept *k = keep_read(data1, 0, 100);

	(void)state;
	data = turn(data);
	assert_true(is_waiting(k));
	data = open_at(root, "data", TN_OWRITE);
	write_at(data, 0, "again");
	tn_loop_run(&loop);
	assert_string_equal(kept_text(k), "again");
}

static bool refuse(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_a_write_fails_also_one_that_waited(void **state)
{
	struct kept *k;
	uint32_t n = 1;

	(void)state;
	tn_alloc_hook = refuse;
	assert_int_equal(write_err(data, 0, "x", &n), TN_ENOMEM);
	tn_alloc_hook = NULL;
	fill(data, TN_PIPE_BYTES_MAX);
	k = keep_write(data, 0, "x");
	read_at(data1, 0, 65536);
	tn_alloc_hook = refuse;
	tn_loop_run(&loop);
	tn_alloc_hook = NULL;
	assert_int_equal(kept_err(k), TN_ENOMEM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_has_two_ends),
		TEST(what_is_written_to_one_end_is_read_from_the_other),
		TEST(a_read_gives_one_write_or_a_part_of_it),
		TEST(a_read_waits_until_there_is_something),
		TEST(readers_are_served_in_their_order_each_with_a_message),
		TEST(a_write_of_nothing_ends_one_read),
		TEST(a_read_of_nothing_takes_nothing),
		TEST(a_flushed_read_takes_nothing),
		TEST(a_write_beyond_the_mark_waits_for_room),
		TEST(a_great_write_goes_into_an_empty_pipe),
		TEST(messages_of_nothing_are_limited_too),
		TEST(a_flushed_write_brings_nothing_and_lets_others_go_on),
		TEST(closing_an_end_hangs_nobody_up),
		TEST(without_memory_a_write_fails_also_one_that_waited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
