/*
 * The control socket: a line and its answer, in one process (the client in a thread, as it blocks).
 */
#include "launch/control.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *hl;
static struct tn_control *control;
static struct tn_control_ask *kept;
static int given[3]; /* descriptors that an answer brings */

struct asking {
	uv_work_t work;
	const char *line;
	int status;
	char *answer;
	bool done;
};

static void handle(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid)
{
	(void)arg;
	assert_int_equal(pid, getpid());
	if (strcmp(line, "wait") == 0)
		kept = ask;
	else if (strcmp(line, "enter") == 0)
		tn_control_answer_fds(ask, "doors\n", given, 3);
	else if (strncmp(line, "bad", 3) == 0)
		tn_control_answer(ask, "inconsistent mount", NULL);
	else
		tn_control_answer(ask, NULL, line);
}

static void call(uv_work_t *work)
{
	struct asking *a = work->data;

	a->status = tn_control_call(0, a->line, 5000, &a->answer);
}

static void called(uv_work_t *work, int status)
{
	(void)status;
	((struct asking *)work->data)->done = true;
}

static void start(struct asking *a, const char *line)
{
	memset(a, 0, sizeof(*a));
	a->line = line;
	a->work.data = a;
	assert_int_equal(uv_queue_work(tn_host_loop_uv(hl), &a->work, call, called), 0);
}

static void finish(struct asking *a)
{
	while (!a->done)
		tn_host_loop_turn(tn_host_loop_core(hl));
}

static int setup(void **state)
{
	struct tn_control_at at = { .mntns = tn_control_mntns(0) };

	(void)state;
	hl = tn_host_loop_new();
	control = tn_control_listen(hl, &at, handle, NULL);
	return control ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tn_control_end(control);
	tn_host_loop_free(hl);
	return 0;
}

static void a_line_gets_its_answer_or_its_error(void **state)
{
	char *long_line = malloc(60001);
	struct {
		const char *line;
		int status;
		const char *answer;
	} rows[] = {
		{ "bind /a /b", 0, "bind /a /b" },
		{ "", 0, "" },
		{ "bad", 1, "inconsistent mount" },
		{ long_line, 0, long_line },
	};
	struct asking a;

	(void)state;
	memset(long_line, 'x', 60000);
	long_line[60000] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&a, rows[i].line);
		finish(&a);
		assert_int_equal(a.status, rows[i].status);
		assert_string_equal(a.answer, rows[i].answer);
		free(a.answer);
	}
	free(long_line);
}

static void a_line_beyond_the_limit_is_an_error(void **state)
{
	char *line = malloc(TN_CONTROL_LINE_MAX + 2);
	struct asking a;

	(void)state;
	memset(line, 'x', TN_CONTROL_LINE_MAX + 1);
	line[TN_CONTROL_LINE_MAX + 1] = '\0';
	start(&a, line);
	finish(&a);
	assert_int_not_equal(a.status, 0);
	free(a.answer);
	free(line);
}

static void an_answer_may_come_later_and_others_go_first(void **state)
{
	struct asking slow, fast;

	(void)state;
	kept = NULL;
	start(&slow, "wait");
	while (!kept)
		tn_host_loop_turn(tn_host_loop_core(hl));
	start(&fast, "quick");
	finish(&fast);
	assert_int_equal(fast.status, 0);
	assert_false(slow.done);
	tn_control_answer(kept, NULL, "at last");
	finish(&slow);
	assert_string_equal(slow.answer, "at last");
	free(slow.answer);
	free(fast.answer);
}

struct entering {
	struct asking a; /* first: its work's data */
	int fds[3], server;
};

static void ask_for_doors(uv_work_t *work)
{
	struct entering *e = work->data;
	struct tn_control_at at = { .mntns = tn_control_mntns(0) };

	e->a.status = tn_control_doors(&at, 5000, e->fds, &e->server, &e->a.answer);
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

static void an_answer_brings_descriptors_and_who_gave_them(void **state)
{
	static const char *const names[] = { "/proc/self/ns/user", "/proc/self/ns/mnt",
		"/proc/self/ns/pid" };
	struct entering e = { 0 };

	(void)state;
	for (int n = 3; n >= 2; n--) {
		for (int i = 0; i < 3; i++)
			given[i] = i < n ? open(names[i], O_RDONLY | O_CLOEXEC) : -1;
		e.a = (struct asking){ .work.data = &e };
		assert_int_equal(
		    uv_queue_work(tn_host_loop_uv(hl), &e.a.work, ask_for_doors, called), 0);
		finish(&e.a);
		assert_int_equal(e.a.status, 0);
		assert_string_equal(e.a.answer, "doors\n");
		for (int i = 0; i < n; i++) {
			assert_true(is_same_file(given[i], e.fds[i]));
			assert_int_equal(fcntl(e.fds[i], F_GETFD), FD_CLOEXEC);
			close(e.fds[i]);
			close(given[i]);
		}
		if (n < 3)
			assert_int_equal(e.fds[2], -1);
		assert_int_equal(poll(&(struct pollfd){ .fd = e.server, .events = POLLIN }, 1, 0),
		    0);
		close(e.server);
		free(e.a.answer);
	}
}

static void names_to_keep_by_are_words_that_are_no_numbers(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "a", true },
		{ "Work-2.old_one", true },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk",
		    true }, /* 63 */
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl", false },
		{ "", false },
		{ "1", false },
		{ "-a", false },
		{ "a/b", false },
		{ "a b", false },
		{ "a\n", false },
		{ "\303\244", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(tn_control_name_ok(rows[i].name), rows[i].ok);
	}
}

static void who_is_in_no_name_space_is_told_so(void **state)
{
	char *answer;

	(void)state;
	assert_int_equal(tn_control_call(0x7ffffffe, "ns", 100, &answer), -1);
	assert_string_equal(answer, "no such process");
	free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_gets_its_answer_or_its_error, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_line_beyond_the_limit_is_an_error, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(an_answer_may_come_later_and_others_go_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(an_answer_brings_descriptors_and_who_gave_them,
		    setup, teardown),
		cmocka_unit_test(names_to_keep_by_are_words_that_are_no_numbers),
		cmocka_unit_test_setup_teardown(who_is_in_no_name_space_is_told_so, setup,
		    teardown),
	};

	return cmocka_run_group_tests_name("launch/control", tests, NULL, NULL);
}
