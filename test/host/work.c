/* src/host/posix/work.c: workers, lanes, and what happens when all hang. */
#include "host/posix/work.h"

#include "host/posix/host.h"
#include "host/posix/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct work_item {
	struct tn_job job; /* first */
	int wait_fd; /* >= 0: run waits until it is readable, as a call into a dead server does */
	unsigned number;
	bool ran, done;
	pthread_t thread;
};

static struct tn_host_loop *h;
static struct tn_work *work;
static unsigned order[64], n_done;
static unsigned at_once, at_once_max; /* by atomics */

static int set_up(void **state)
{
	(void)state;
	h = tn_host_loop_new();
	n_done = at_once_max = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_work_free(work);
	tn_host_loop_free(h);
	return 0;
}

static void start_pool(uint32_t base, uint32_t max)
{
	struct tn_work_limits limits = { .threads_base = base,
		.threads_max = max,
		.stuck_ns = 1000000 };

	work = tn_work_new(tn_host_loop_core(h), &limits);
	assert_non_null(work);
}

static void run(struct tn_job *job)
{
	struct work_item *item = (struct work_item *)job;
	unsigned now = __atomic_add_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
	char byte;

	if (now > __atomic_load_n(&at_once_max, __ATOMIC_SEQ_CST))
		__atomic_store_n(&at_once_max, now, __ATOMIC_SEQ_CST);
	if (item->wait_fd >= 0)
		item->ran = read(item->wait_fd, &byte, 1) == 1;
	else
		item->ran = true;
	item->thread = pthread_self();
	__atomic_sub_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
}

static void done(struct tn_job *job)
{
	struct work_item *item = (struct work_item *)job;

	item->done = true;
	order[n_done++] = item->number;
}

static void start(struct work_item *item, struct tn_lane *lane, unsigned number, int wait_fd)
{
	*item = (struct work_item){ .job.run = run,
		.job.done = done,
		.wait_fd = wait_fd,
		.number = number };
	assert_true(tn_work_start(work, lane, &item->job));
}

static bool is_late;

static void came_late(struct tn_timer *timer)
{
	(void)timer;
	is_late = true;
}

static void turn_until(unsigned n)
{
	struct tn_timer bound = { .fn = came_late };

	is_late = false;
	tn_timer_set(tn_host_loop_core(h), &bound, tn_now_ns() + 20u * UINT64_C(1000000000));
	while (n_done < n && !is_late)
		tn_host_loop_turn(tn_host_loop_core(h));
	tn_timer_stop(tn_host_loop_core(h), &bound);
	assert_true(n_done >= n);
}

static unsigned threads(void)
{
	struct tn_work_stats stats;

	tn_work_stats(work, &stats);
	return stats.threads;
}

static void no_thread_is_there_before_the_first_job(void **state)
{
	struct work_item item;

	(void)state;
	start_pool(4, 8);
	assert_int_equal(threads(), 0);
	start(&item, NULL, 0, -1);
	assert_int_equal(threads(), 1);
	turn_until(1);
	assert_true(item.ran && item.done);
	assert_false(pthread_equal(item.thread, pthread_self()));
}

static void a_lane_keeps_its_order(void **state)
{
	struct tn_lane lane = { 0 };
	struct work_item item[40];

	(void)state;
	start_pool(4, 8);
	for (unsigned i = 0; i < 40; i++)
		start(&item[i], &lane, i, -1);
	turn_until(40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(at_once_max, 1);
}

static void a_lane_that_has_run_empty_is_filled_again(void **state)
{
	struct tn_lane lane = { 0 };
	struct work_item item[9];

	(void)state;
	start_pool(4, 8);
	for (unsigned i = 0; i < 9; i++) {
		start(&item[i], &lane, i, -1);
		if (i % 3 == 2)
			turn_until(i + 1);
	}
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(order[i], i);
}

static void lanes_do_not_wait_for_one_another(void **state)
{
	struct tn_lane stuck = { 0 }, other = { 0 };
	struct work_item first, behind, free;
	int fds[2];

	(void)state;
	start_pool(4, 8);
	assert_int_equal(pipe(fds), 0);
	start(&first, &stuck, 0, fds[0]);
	start(&behind, &stuck, 1, -1);
	start(&free, &other, 2, -1);
	turn_until(1);
	assert_int_equal(order[0], 2);
	assert_int_equal(write(fds[1], "x", 1), 1);
	turn_until(3);
	assert_int_equal(order[1], 0);
	assert_int_equal(order[2], 1);
	close(fds[0]);
	close(fds[1]);
}

static void when_all_hang_there_are_more_up_to_a_bound(void **state)
{
	struct work_item stuck[6], item;
	int fds[2];

	(void)state;
	start_pool(2, 5);
	assert_int_equal(pipe(fds), 0);
	for (unsigned i = 0; i < 4; i++)
		start(&stuck[i], NULL, i, fds[0]);
	start(&item, NULL, 9, -1);
	turn_until(1); /* although four hang before two workers */
	assert_int_equal(order[0], 9);
	assert_int_equal(threads(), 5);
	start(&stuck[4], NULL, 4, fds[0]);
	start(&stuck[5], NULL, 5, fds[0]);
	for (unsigned i = 0; i < 20; i++)
		tn_host_loop_turn(tn_host_loop_core(h)); /* each by the timer that looks */
	assert_int_equal(threads(), 5);
	assert_int_equal(write(fds[1], "xxxxxx", 6), 6);
	turn_until(7);
	close(fds[0]);
	close(fds[1]);
}

static void a_job_that_has_not_begun_can_be_taken_back(void **state)
{
	struct tn_lane lane = { 0 };
	struct work_item stuck, behind, last, queued;
	int fds[2];

	(void)state;
	start_pool(1, 1);
	assert_int_equal(pipe(fds), 0);
	start(&stuck, &lane, 0, fds[0]);
	start(&behind, &lane, 1, -1);
	start(&last, &lane, 2, -1);
	start(&queued, NULL, 3, -1);
	assert_true(tn_work_cancel(work, &behind.job));
	assert_true(tn_work_cancel(work, &queued.job));
	while (__atomic_load_n(&at_once, __ATOMIC_SEQ_CST) == 0)
		tn_host_loop_turn(tn_host_loop_core(h));
	assert_false(tn_work_cancel(work, &stuck.job)); /* it runs */
	assert_int_equal(write(fds[1], "x", 1), 1);
	turn_until(2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	assert_false(behind.ran || behind.done || queued.ran || queued.done);
	close(fds[0]);
	close(fds[1]);
}

static void the_first_of_a_lane_taken_back_lets_the_next_run(void **state)
{
	struct tn_lane lane = { 0 };
	struct work_item stuck, first, next;
	int fds[2];

	(void)state;
	start_pool(1, 1);
	assert_int_equal(pipe(fds), 0);
	start(&stuck, NULL, 0, fds[0]);
	start(&first, &lane, 1, -1);
	start(&next, &lane, 2, -1);
	assert_true(tn_work_cancel(work, &first.job));
	assert_int_equal(write(fds[1], "x", 1), 1);
	turn_until(2);
	assert_true(next.ran);
	close(fds[0]);
	close(fds[1]);
}

static bool nothing(size_t size)
{
	(void)size;
	return false;
}

static void without_memory_there_is_no_pool(void **state)
{
	(void)state;
	tn_alloc_hook = nothing;
	work = tn_work_new(tn_host_loop_core(h), NULL);
	tn_alloc_hook = NULL;
	assert_null(work);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_thread_is_there_before_the_first_job),
		TEST(a_lane_keeps_its_order),
		TEST(a_lane_that_has_run_empty_is_filled_again),
		TEST(lanes_do_not_wait_for_one_another),
		TEST(when_all_hang_there_are_more_up_to_a_bound),
		TEST(a_job_that_has_not_begun_can_be_taken_back),
		TEST(the_first_of_a_lane_taken_back_lets_the_next_run),
		TEST(without_memory_there_is_no_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
