/* src/host/posix/procfs.c: processes as files, proc(3). */
#include "host/posix/procfs.h"

#include "asker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_server *server;
static struct tn_chan *root;
static pid_t child; /* asleep until it is killed */
static char at[64];

static void begin(const struct tn_procfs_options *o)
{
	server = tn_procfs_new(ask_loop, o);
	root = ask_attach(server, "");
	assert_non_null(root);
}

static void end(void)
{
	ask_put(root);
	tn_server_put(server);
}

static int set_up(void **state)
{
	(void)state;
	h = tn_host_loop_new();
	ask_loop = tn_host_loop_core(h);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	begin(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end();
	tn_req_reset(&ask.r);
	tn_host_loop_free(h);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return 0;
}

static const char *name(const char *file)
{
	snprintf(at, sizeof(at), "%d/%s", (int)child, file);
	return at;
}

/* Until exec is through, the child is this program. */
static void wait_for_exec(void)
{
	while (!strstr(ask_cat(root, name("args")), "sleep"))
		;
}

static enum tn_err control(const char *line)
{
	struct tn_chan *c = ask_walk(root, name("ctl"));
	int64_t n;

	assert_non_null(c);
	assert_int_equal(ask_open(c, TN_OWRITE), TN_OK);
	n = ask_write(c, line, (uint32_t)strlen(line), 0);
	ask_put(c);
	return n < 0 ? (enum tn_err) - n : TN_OK;
}

static void arguments_are_one_line_as_rc_quotes(void **state)
{
	int ready[2], hold[2];
	pid_t other;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(hold[0], STDIN_FILENO);
		dup2(ready[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo; read x; :", "it's", "", "a b", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1); /* exec is through */
	snprintf(at, sizeof(at), "%d/args", (int)other);
	assert_string_equal(ask_cat(root, at), "sh -c 'echo; read x; :' 'it''s' '' 'a b'\n");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	close(hold[0]);
	close(hold[1]);
}

static void status_has_plan_9s_columns(void **state)
{
	const char *text;

	(void)state;
	wait_for_exec();
	text = ask_cat(root, name("status"));
	assert_int_equal(strlen(text), 28 + 28 + 12 + 9 * 12);
	assert_int_equal(strncmp(text, "sleep ", 6), 0);
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(text[68 + 12 * i + 11], ' ');
		assert_true(strspn(text + 68 + 12 * i, " 0123456789") >= 11);
	}
}

static void descriptors_and_mounts_are_shown(void **state)
{
	char cwd[4096];

	(void)state;
	wait_for_exec();
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(strncmp(ask_cat(root, name("fd")), cwd, strlen(cwd)), 0);
	assert_non_null(strstr(ask_cat(root, name("fd")), "\n  0 "));
	assert_non_null(strstr(ask_cat(root, name("ns")), " / "));
}

static void see(void *arg, const struct ask_entry *e)
{
	*(bool *)arg = *(bool *)arg || (uint32_t)strtoul(e->name, NULL, 10) == (uint32_t)child;
}

static void a_listing_goes_on_where_it_stopped_and_has_all(void **state)
{
	struct tn_chan *c = ask_walk(root, "");
	bool seen = false;
	uint64_t offset = 0;

	(void)state;
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	do {
		assert_int_equal(ask_list(c, offset, 1, see, &seen), TN_OK);
		assert_true(ask.n_entries == 0 || ask.next > offset);
		offset = ask.next;
	} while (ask.n_entries > 0);
	assert_true(seen);
	ask_put(c);
	c = ask_walk(root, name(""));
	assert_int_equal(ask_open(c, TN_OREAD), TN_OK);
	assert_int_equal(ask_list(c, 0, 100, NULL, NULL), TN_OK);
	assert_int_equal(ask.n_entries, 5);
	ask_put(c);
}

static void walks_go_down_and_up(void **state)
{
	struct tn_chan *c;

	(void)state;
	snprintf(at, sizeof(at), "%d/status/../../%d/args", (int)child, (int)child);
	c = ask_walk(root, at);
	assert_non_null(c);
	ask_put(c);
	static const char *const bad[] = { "0", "01", "-1", "x", "999999999999", "4294967297" };
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		assert_null(ask_walk(root, bad[i]));
		assert_int_equal(ask.r.err, TN_ENOENT);
	}
	assert_null(ask_walk(root, name("mem")));
}

static bool stopped(void)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)child, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED;
}

static void a_process_is_stopped_started_and_killed(void **state)
{
	int status;

	(void)state;
	assert_int_equal(control("stop\n"), TN_OK);
	assert_true(stopped());
	assert_non_null(strstr(ask_cat(root, name("status")), "Stopped"));
	assert_int_equal(control("start"), TN_OK);
	assert_int_equal(control("kill\n"), TN_OK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	child = -1;
}

static void another_word_is_refused(void **state)
{
	static const char *const bad[] = { "", "kil", "killx", "hang", "kill kill" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++)
		assert_int_equal(control(bad[i]), TN_EBADARG);
	assert_int_equal(kill(child, 0), 0);
}

static void a_process_that_has_ended_is_gone_from_open_chans_too(void **state)
{
	struct tn_chan *c = ask_walk(root, name("ctl")), *dir = ask_walk(root, name(""));

	(void)state;
	assert_int_equal(ask_open(c, TN_OWRITE), TN_OK);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(ask_write(c, "kill", 4, 0), -TN_ESRCH);
	assert_int_equal(ask_stat(dir), TN_ESRCH);
	assert_null(ask_walk(dir, "status"));
	child = -1;
	ask_put(c);
	ask_put(dir);
}

static bool only_the_child(void *arg, uint32_t pid)
{
	(void)arg;
	return pid == (uint32_t)child;
}

static char *its_ns(void *arg, uint32_t pid, size_t *len)
{
	char *text = tn_alloc(16);

	(void)arg;
	(void)pid;
	*len = (size_t)snprintf(text, 16, "cd /\n");
	return text;
}

static void who_keeps_a_name_space_says_what_is_seen(void **state)
{
	const struct tn_procfs_options o = { .shows = only_the_child, .ns = its_ns };

	(void)state;
	end();
	begin(&o);
	snprintf(at, sizeof(at), "%d", (int)getpid());
	assert_null(ask_walk(root, at));
	assert_string_equal(ask_cat(root, name("ns")), "cd /\n");
}

static void texts_are_not_written_and_ctl_not_read(void **state)
{
	static const char *const names[] = { "status", "args", "ns", "fd" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_chan *c = ask_walk(root, name(names[i]));

		assert_int_equal(ask_open(c, TN_OWRITE), TN_EACCES);
		ask_put(c);
	}
	assert_string_equal(ask_cat(root, name("ctl")), "!TN_EACCES");
}

static void an_open_can_be_flushed(void **state)
{
	struct tn_chan *c = ask_walk(root, name("args"));

	(void)state;
	ask_begin(TN_OPEN, c);
	assert_true(ask_start());
	tn_flush(&ask.r);
	assert_int_equal(ask_wait(), TN_EINTR);
	ask_put(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments_are_one_line_as_rc_quotes),
		TEST(status_has_plan_9s_columns),
		TEST(descriptors_and_mounts_are_shown),
		TEST(a_listing_goes_on_where_it_stopped_and_has_all),
		TEST(walks_go_down_and_up),
		TEST(a_process_is_stopped_started_and_killed),
		TEST(another_word_is_refused),
		TEST(a_process_that_has_ended_is_gone_from_open_chans_too),
		TEST(who_keeps_a_name_space_says_what_is_seen),
		TEST(texts_are_not_written_and_ctl_not_read),
		TEST(an_open_can_be_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
