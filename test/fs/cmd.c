/*
 * #cmd: the tree, lines of ctl, who waits, and what a host is told. Inferno's cmd(3). What commands do: test/e2e/cmd.py.
 */
#include "fs/cmd.h"

#include "drive.h"
#include "host/posix/host.h"

static struct tn_server *server;
static struct tn_chan *root;

/* The host: it notes what it is told. */
static struct {
	struct tn_cmd_run *run;
	char argv[4 * TN_CMD_ARGS_MAX], dir[64], calls[256];
	int nice;
	enum tn_err err;
} host;

static void note(const char *call)
{
	strcat(host.calls, call);
	strcat(host.calls, " ");
}

static enum tn_err host_start(void *arg, struct tn_cmd_run *run, const struct tn_cmd_what *what,
    void **process)
{
	(void)arg;
	host.argv[0] = '\0';
	for (size_t i = 0; what->argv[i]; i++) {
		strcat(host.argv, "<");
		strcat(host.argv, what->argv[i]);
		strcat(host.argv, ">");
	}
	snprintf(host.dir, sizeof(host.dir), "%s", what->dir);
	host.nice = what->nice;
	host.run = run;
	*process = &host;
	return host.err;
}

static enum tn_status host_io(void *process, enum tn_cmd_stream stream, struct tn_req *r)
{
	static const char *const words[] = { "in", "out", "err" };

	(void)process;
	if (r->type == TN_WRITE)
		return TN_DONE;
	return tn_reply_text(r, words[stream], strlen(words[stream]));
}

static void host_flush(void *process, struct tn_req *r)
{
	(void)process;
	(void)r;
	note("flush");
}

static void host_close_in(void *process)
{
	(void)process;
	note("close_in");
}

static void host_kill(void *process)
{
	(void)process;
	note("kill");
}

static void host_put(void *process)
{
	(void)process;
	note("put");
}

static int setup(void **state)
{
	const struct tn_cmd_host h = { .start = host_start,
		.io = host_io,
		.flush = host_flush,
		.close_in = host_close_in,
		.kill = host_kill,
		.put = host_put };

	(void)state;
	memset(&host, 0, sizeof(host));
	loop_start();
	server = tn_cmd_new(&loop, &h);
	root = attach(server, "glenda");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_chan_put(root);
	tn_server_put(server);
	loop_end();
	return 0;
}

static struct tn_chan *clone_one(void)
{
	return open_at(root, "clone", TN_ORDWR);
}

static enum tn_err say(struct tn_chan *ctl, const char *line)
{
	uint32_t count = (uint32_t)strlen(line);

	return write_err(ctl, 0, line, &count);
}

static void exec_now(struct tn_chan *ctl, const char *line)
{
	struct kept *k = keep_write(ctl, 0, line);

	assert_int_equal(k->submitted, TN_LATER);
	tn_cmd_started(host.run, TN_OK);
	assert_int_equal(kept_err(k), TN_OK);
}

static void an_open_of_clone_is_the_ctl_of_a_new_directory(void **state)
{
	struct tn_chan *a = clone_one(), *b = clone_one();

	(void)state;
	assert_string_equal(read_at(a, 0, 100), "1");
	assert_string_equal(read_at(b, 0, 100), "2");
	assert_string_equal(list(root, ""), "clone 1/ 2/");
	assert_string_equal(list(root, "2"), "ctl data stderr status wait");
	tn_chan_put(a);
	tn_loop_run(&loop);
	assert_string_equal(list(root, ""), "clone 2/");
	tn_chan_put(b);
}

static void words_are_quoted_as_in_rc(void **state)
{
	static const struct {
		const char *line, *argv;
	} rows[] = {
		{ "exec a", "<a>" },
		{ "exec  a\tb ", "<a><b>" },
		{ "exec 'a b' 'it''s' c'd'e", "<a b><it's><cde>" },
		{ "exec a ''", "<a><>" },
		{ "exec a\n", "<a>" },
	};

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		struct tn_chan *ctl = clone_one();

		print_message("%s\n", rows[i].line);
		exec_now(ctl, rows[i].line);
		assert_string_equal(host.argv, rows[i].argv);
		tn_chan_put(ctl);
		tn_loop_run(&loop);
	}
}

static void a_command_that_cannot_be_run_is_the_error_of_exec(void **state)
{
	struct tn_chan *ctl = clone_one();
	struct kept *k;

	(void)state;
	assert_int_equal(say(ctl, "dir '/a b'"), TN_OK);
	assert_int_equal(say(ctl, "nice"), TN_OK);
	host.err = TN_EPERM;
	assert_int_equal(say(ctl, "exec a"), TN_EPERM);
	host.err = TN_OK;
	k = keep_write(ctl, 0, "exec a");
	tn_cmd_started(host.run, TN_ENOENT);
	assert_int_equal(kept_err(k), TN_ENOENT);
	assert_string_equal(host.calls, "put ");
	exec_now(ctl, "exec b");
	assert_string_equal(host.dir, "/a b");
	assert_int_equal(host.nice, 10);
	assert_int_equal(say(ctl, "exec c"), TN_EBUSY);
	tn_chan_put(ctl);
}

static void the_input_ends_with_its_last_writer_and_all_with_the_last_file(void **state)
{
	struct tn_chan *ctl = clone_one(), *a, *b, *c;

	(void)state;
	exec_now(ctl, "exec a");
	a = open_at(root, "1/data", TN_OWRITE);
	b = open_at(root, "1/data", TN_ORDWR);
	c = open_at(root, "1/data", TN_OREAD);
	assert_string_equal(read_at(c, 0, 100), "out");
	tn_chan_put(a);
	tn_loop_run(&loop);
	assert_string_equal(host.calls, "");
	tn_chan_put(b);
	tn_loop_run(&loop);
	assert_string_equal(host.calls, "close_in ");
	tn_chan_put(ctl);
	tn_loop_run(&loop);
	assert_string_equal(host.calls, "close_in ");
	tn_chan_put(c);
	tn_loop_run(&loop);
	assert_string_equal(host.calls, "close_in put ");
}

static void reads_of_wait_wait_and_each_is_answered(void **state)
{
	struct tn_chan *ctl = clone_one(), *w = open_at(root, "1/wait", TN_OREAD);
	struct kept *first = keep_read(w, 0, 100), *second = keep_read(w, 0, 3),
		    *third = keep_read(w, 0, 9);

	(void)state;
	exec_now(ctl, "exec a");
	assert_true(is_waiting(first));
	tn_flush(&third->r);
	assert_int_equal(kept_err(third), TN_EINTR);
	tn_cmd_ended(host.run, "7 0 0 0 ''", 10);
	assert_string_equal(kept_text(first), "7 0 0 0 ''");
	assert_string_equal(kept_text(second), "7 0");
	assert_string_equal(read_at(w, 8, 100), "''");
	assert_int_equal(say(ctl, "kill"), TN_ESRCH);
	tn_chan_put(w);
	tn_chan_put(ctl);
}

static void without_memory_for_its_end_wait_says_so_and_does_not_wait(void **state)
{
	struct tn_chan *ctl = clone_one(), *w = open_at(root, "1/wait", TN_OREAD);

	(void)state;
	exec_now(ctl, "exec a");
	allocations_left = 0;
	tn_alloc_hook = allow;
	tn_cmd_ended(host.run, "7 0 0 0 ''", 10);
	tn_alloc_hook = NULL;
	assert_int_equal(kept_err(keep_read(w, 0, 100)), TN_ENOMEM);
	tn_chan_put(w);
	tn_chan_put(ctl);
}

static void a_flushed_exec_goes_on(void **state)
{
	struct tn_chan *ctl = clone_one();
	struct kept *k = keep_write(ctl, 0, "exec a");

	(void)state;
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	tn_cmd_started(host.run, TN_OK);
	assert_int_equal(say(ctl, "kill"), TN_OK);
	assert_string_equal(host.calls, "kill ");
	tn_chan_put(ctl);
}

static void limits_are_errors(void **state)
{
	struct tn_chan *all[TN_CMD_MAX];
	char line[2 * TN_CMD_ARGS_MAX + 16] = "exec";

	(void)state;
	for (size_t i = 0; i < TN_CMD_MAX; i++)
		all[i] = clone_one();
	assert_int_equal(open_fails(root, "clone", TN_ORDWR), TN_ELIMIT_OPEN);
	for (size_t i = 0; i <= TN_CMD_ARGS_MAX; i++)
		strcat(line, " a");
	assert_int_equal(say(all[0], line), TN_E2BIG);
	line[strlen(line) - 2] = '\0';
	exec_now(all[0], line);
	for (size_t i = 0; i < TN_CMD_MAX; i++)
		tn_chan_put(all[i]);
}

static void wrong_lines_are_refused(void **state)
{
	static const char *const lines[] = { "", " ", "x", "exec", "exec 'a", "dir", "dir 'a",
		"nice a", "nice 20", "nice 1 2" };
	struct tn_chan *ctl = clone_one();

	(void)state;
	for (size_t i = 0; i < TN_COUNT(lines); i++) {
		print_message("%s\n", lines[i]);
		assert_int_equal(say(ctl, lines[i]), TN_EBADARG);
	}
	assert_int_equal(say(ctl, "dir a\nexec b"), TN_EBADCHAR);
	assert_int_equal(open_fails(root, "1/status", TN_OWRITE), TN_EACCES);
	assert_int_equal(open_fails(root, "1/data", TN_OEXEC), TN_EACCES);
	tn_chan_put(ctl);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_open_of_clone_is_the_ctl_of_a_new_directory),
		TEST(words_are_quoted_as_in_rc),
		TEST(a_command_that_cannot_be_run_is_the_error_of_exec),
		TEST(the_input_ends_with_its_last_writer_and_all_with_the_last_file),
		TEST(reads_of_wait_wait_and_each_is_answered),
		TEST(without_memory_for_its_end_wait_says_so_and_does_not_wait),
		TEST(a_flushed_exec_goes_on),
		TEST(limits_are_errors),
		TEST(wrong_lines_are_refused),
	};

	return cmocka_run_group_tests_name("fs/cmd", tests, NULL, NULL);
}
