/* src/host/posix/host.c: what the freestanding rooms may rely on. */
#include "host/posix/host.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void memory_is_zero_also_where_a_block_has_grown(void **state)
{
	uint8_t *p = tn_alloc(7);

	(void)state;
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(p[i], 0);
	memset(p, 0xff, 7);
	p = tn_realloc(p, 7, 70000);
	for (size_t i = 0; i < 70000; i++)
		assert_int_equal(p[i], i < 7 ? 0xff : 0);
	tn_free(p);
	tn_free(NULL);
}

static unsigned allowed;

static bool so_many(size_t size)
{
	(void)size;
	return allowed > 0 && allowed--;
}

static void a_test_can_fail_the_nth_allocation(void **state)
{
	void *p;

	(void)state;
	allowed = 1;
	tn_alloc_hook = so_many;
	p = tn_alloc(1);
	assert_non_null(p);
	assert_null(tn_alloc(1));
	assert_null(tn_realloc(p, 1, 2));
	tn_alloc_hook = NULL;
	tn_free(p);
}

static uint32_t lock, count;
static uint64_t guarded; /* by lock */

static void *add(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		tn_lock(&lock);
		guarded++;
		tn_unlock(&lock);
		tn_count_up(&count);
	}
	return arg;
}

static void locks_exclude_and_counts_lose_nothing(void **state)
{
	pthread_t other[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&other[i], NULL, add, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		pthread_join(other[i], NULL);
	assert_int_equal(guarded, 60000);
	assert_int_equal(tn_count_read(&count), 60000);
	assert_int_equal(tn_count_down(&count), 59999);
}

static void clocks_go_on_and_random_bytes_differ(void **state)
{
	uint8_t a[4096], b[4096];
	uint64_t now = tn_now_ns();

	(void)state;
	assert_true(tn_now_ns() >= now);
	assert_true(tn_time_ns() > (int64_t)1700000000 * 1000000000);
	tn_random(a, sizeof(a));
	tn_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static char logged[2000];
static size_t logged_len;

static void take_line(const char *text, size_t len)
{
	memcpy(logged, text, len);
	logged_len = len;
}

static void log_lines_go_to_the_hook_and_long_ones_are_cut(void **state)
{
	char text[1500];

	(void)state;
	tn_log_hook = take_line;
	tn_log("abc", 2);
	assert_int_equal(logged_len, 2);
	tn_logf("%s %d", "x", 7);
	assert_int_equal(logged_len, 3);
	assert_memory_equal(logged, "x 7", 3);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	tn_logf("%s", text);
	assert_int_equal(logged_len, 1000);
	tn_log_hook = NULL;
}

static void what_must_hold_and_does_not_ends_the_program(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		tn_assert(!"this");
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zero_also_where_a_block_has_grown),
		cmocka_unit_test(a_test_can_fail_the_nth_allocation),
		cmocka_unit_test(locks_exclude_and_counts_lose_nothing),
		cmocka_unit_test(clocks_go_on_and_random_bytes_differ),
		cmocka_unit_test(log_lines_go_to_the_hook_and_long_ones_are_cut),
		cmocka_unit_test(what_must_hold_and_does_not_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
