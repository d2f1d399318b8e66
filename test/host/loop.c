/* src/host/posix/loop.c: a core loop turned by libuv. */
#include "host/posix/loop.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_loop *loop;
static unsigned runs;

static int set_up(void **state)
{
	(void)state;
	h = tn_host_loop_new();
	loop = tn_host_loop_core(h);
	runs = 0;
	return h ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tn_host_loop_free(h);
	return 0;
}

static void count_run(struct tn_task *task)
{
	(void)task;
	runs++;
}

static void stop(struct tn_task *task)
{
	(void)task;
	tn_host_loop_stop(h);
}

static void a_turn_runs_what_is_due_and_does_not_wait(void **state)
{
	struct tn_task task = { .fn = count_run };

	(void)state;
	tn_loop_defer(loop, &task);
	tn_host_loop_turn(loop); /* would wait for ever if it waited */
	assert_int_equal(runs, 1);
	tn_host_loop_poll(loop);
	assert_int_equal(runs, 1);
}

static struct tn_task second = { .fn = count_run };

static void defer_second(struct tn_task *task)
{
	(void)task;
	tn_loop_defer(loop, &second);
}

static void what_a_task_defers_runs_in_the_same_turn(void **state)
{
	struct tn_task first = { .fn = defer_second };

	(void)state;
	tn_loop_defer(loop, &first);
	tn_host_loop_turn(loop);
	assert_int_equal(runs, 1);
}

static void defer_self(struct tn_task *task)
{
	runs++;
	tn_loop_defer(loop, task);
}

static bool byte_seen;

static void byte_came(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	byte_seen = true;
	uv_poll_stop(poll);
}

static void a_task_that_defers_itself_starves_no_descriptor(void **state)
{
	struct tn_task task = { .fn = defer_self };
	uv_poll_t poll;
	int fds[2];

	(void)state;
	byte_seen = false;
	assert_int_equal(pipe(fds), 0);
	uv_poll_init(tn_host_loop_uv(h), &poll, fds[0]);
	uv_poll_start(&poll, UV_READABLE, byte_came);
	tn_loop_defer(loop, &task);
	tn_host_loop_turn(loop);
	assert_int_equal(write(fds[1], "x", 1), 1);
	tn_host_loop_turn(loop);
	assert_true(byte_seen);
	assert_true(runs >= 2);
	task.fn = count_run; /* it is queued still: let it end */
	tn_host_loop_turn(loop);
	uv_close((uv_handle_t *)&poll, NULL);
	tn_host_loop_poll(loop);
	close(fds[0]);
	close(fds[1]);
}

static uint64_t fired_at;

static void fire(struct tn_timer *timer)
{
	(void)timer;
	fired_at = tn_now_ns();
	tn_host_loop_stop(h);
}

static void a_timer_ends_the_sleep_and_never_early(void **state)
{
	struct tn_timer timer = { .fn = fire };
	uint64_t at = tn_now_ns() + 3300000;

	(void)state;
	tn_timer_set(loop, &timer, at);
	tn_host_loop_run(h);
	assert_true(fired_at >= at);
}

static void *post_stop(void *arg)
{
	tn_loop_post(loop, arg);
	return NULL;
}

static void a_post_of_another_thread_wakes_the_loop(void **state)
{
	struct tn_task task = { .fn = stop };
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, post_stop, &task), 0);
	tn_host_loop_run(h);
	pthread_join(other, NULL);
}

/* launcher.md 2: no thread may exist in who calls unshare. */
static void a_loop_starts_no_thread(void **state)
{
	struct tn_task task = { .fn = count_run };
	unsigned n = 0;
	DIR *dir;

	(void)state;
	tn_loop_defer(loop, &task);
	tn_host_loop_turn(loop);
	dir = opendir("/proc/self/task");
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		n += entry->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(n, 1);
}

static void a_broken_pipe_does_not_end_the_program(void **state)
{
	struct sigaction now;

	(void)state;
	assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, SIG_IGN);
}

/* ---- whoever sleeps elsewhere ---- */

static void one_may_sleep_until_the_next_moment(void **state)
{
	struct tn_timer timer = { 0 };
	struct tn_task task = { .fn = count_run };

	(void)state;
	tn_host_loop_poll(loop);
	assert_false(tn_host_loop_is_due(h));
	assert_int_equal(tn_host_loop_sleep_ms(h), -1);
	tn_timer_set(loop, &timer, tn_now_ns() + 50000000);
	assert_in_range(tn_host_loop_sleep_ms(h), 1, 51);
	tn_timer_stop(loop, &timer);
	tn_loop_defer(loop, &task);
	assert_true(tn_host_loop_is_due(h));
	assert_int_equal(tn_host_loop_sleep_ms(h), 0);
	tn_host_loop_poll(loop);
	assert_int_equal(runs, 1);
}

static void count_ready(uv_poll_t *watcher, int status, int events)
{
	(void)status;
	(void)events;
	runs++;
	uv_poll_stop(watcher);
}

/* libuv tells the kernel of a descriptor when it turns, not when it is asked to. */
static void a_descriptor_that_the_kernel_does_not_know_yet_is_no_time_to_sleep(void **state)
{
	struct pollfd ready = { .fd = tn_host_loop_fd(h), .events = POLLIN };
	uv_poll_t watcher;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	tn_host_loop_poll(loop);
	assert_int_equal(uv_poll_init(tn_host_loop_uv(h), &watcher, ends[0]), 0);
	assert_int_equal(uv_poll_start(&watcher, UV_READABLE, count_ready), 0);
	assert_true(tn_host_loop_is_due(h));
	assert_int_equal(tn_host_loop_sleep_ms(h), 0);
	tn_host_loop_poll(loop);
	assert_int_equal(tn_host_loop_sleep_ms(h), -1);
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(poll(&ready, 1, 0), 1);
	tn_host_loop_poll(loop);
	assert_int_equal(runs, 1);
	uv_close((uv_handle_t *)&watcher, NULL);
	tn_host_loop_poll(loop);
	close(ends[0]);
	close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_loop_starts_no_thread), /* the first: others start one */
		TEST(a_turn_runs_what_is_due_and_does_not_wait),
		TEST(what_a_task_defers_runs_in_the_same_turn),
		TEST(a_task_that_defers_itself_starves_no_descriptor),
		TEST(a_timer_ends_the_sleep_and_never_early),
		TEST(a_post_of_another_thread_wakes_the_loop),
		TEST(a_broken_pipe_does_not_end_the_program),
		TEST(one_may_sleep_until_the_next_moment),
		TEST(a_descriptor_that_the_kernel_does_not_know_yet_is_no_time_to_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
