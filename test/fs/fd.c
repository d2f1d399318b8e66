/*
 * #fd: names are the numbers that the host has open for who asks. dup(3).
 */
#include "fs/fd.h"

#include "drive.h"

static uint32_t fds[] = { 0, 1, 2, 17, 2147483647 };
static size_t n_fds;
static char calls[256];
static struct tn_req *kept_req;

static int64_t next(void *arg, const struct tn_req *r, uint32_t from)
{
	assert_ptr_equal(arg, calls);
	assert_non_null(r);
	for (size_t i = 0; i < n_fds; i++) {
		if (fds[i] >= from)
			return fds[i];
	}
	return -1;
}

static void note(const char *what, uint32_t fd)
{
	size_t have = strlen(calls);

	snprintf(calls + have, sizeof(calls) - have, "%s %u;", what, fd);
}

static void info(void *arg, const struct tn_req *r, uint32_t fd, struct tn_stat *st)
{
	(void)arg;
	(void)r;
	if (fd == 0)
		st->mode = 0444;
	st->length = fd;
}

static enum tn_status open_fd(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)arg;
	note("open", fd);
	return fd == 17 ? tn_fail(r, TN_EACCES) : TN_DONE;
}

static enum tn_status read_fd(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)arg;
	note("read", fd);
	if (fd != 0)
		return tn_reply_text(r, "text", 4);
	if (!tn_keep(r))
		return TN_DONE;
	kept_req = r;
	return TN_LATER;
}

static enum tn_status write_fd(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)arg;
	(void)r;
	note("write", fd);
	return TN_DONE;
}

static void flush_fd(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)arg;
	note("flush", fd);
	assert_ptr_equal(r, kept_req);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
}

static void clunk_fd(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)arg;
	(void)r;
	note("clunk", fd);
}

static const struct tn_fd_host host = { calls, next, info, open_fd, read_fd, write_fd, flush_fd,
	clunk_fd };

static struct tn_server *server;
static struct tn_chan *root;

static int setup(void **state)
{
	(void)state;
	loop_start();
	n_fds = TN_COUNT(fds);
	calls[0] = '\0';
	server = tn_fd_new(&loop, &host);
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

static void the_open_descriptors_are_listed(void **state)
{
	(void)state;
	assert_string_equal(list(root, ""), "0 1 2 17 2147483647");
	n_fds = 2;
	assert_string_equal(list(root, ""), "0 1");
	n_fds = 0;
	assert_string_equal(list(root, ""), "");
}

static void a_listing_goes_on_behind_any_descriptor(void **state)
{
	struct tn_chan *d = open_at(root, "", TN_OREAD);

	(void)state;
	list_room = 2;
	list_from(d, 0);
	list_room = ~0u;
	list_from(d, list_next);
	assert_string_equal(listing, "2 17 2147483647");
	list_from(d, list_next);
	assert_string_equal(listing, "");
	turn(d);
}

static const struct {
	const char *name;
	bool is_there;
} names[] = {
	{ "0", true },
	{ "17", true },
	{ "2147483647", true },
	{ "2147483648", false },
	{ "4294967296", false },
	{ "3", false },
	{ "01", false },
	{ "-1", false },
	{ "+1", false },
	{ "1x", false },
	{ "x", false },
	{ "1 ", false },
	{ "00000000001", false },
	{ ".", false },
	{ "1/0", false },
	{ "..", true },
};

static void only_an_open_number_in_its_plain_form_is_a_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		print_message("'%s'\n", names[i].name);
		assert_int_equal(is_there(root, names[i].name), names[i].is_there);
	}
}

static void requests_go_to_the_host(void **state)
{
	struct tn_chan *c = open_at(root, "1", TN_ORDWR);

	(void)state;
	assert_string_equal(read_at(c, 0, 10), "text");
	write_at(c, 0, "abc");
	turn(c);
	assert_string_equal(calls, "open 1;read 1;write 1;clunk 1;");
}

static void a_refused_open_is_not_clunked(void **state)
{
	(void)state;
	assert_int_equal(open_fails(root, "17", TN_OREAD), TN_EACCES);
	tn_loop_run(&loop);
	assert_string_equal(calls, "open 17;");
	assert_int_equal(open_fails(root, "", TN_OWRITE), TN_EISDIR);
}

static void a_kept_read_is_flushed_by_the_host(void **state)
{
	struct tn_chan *c = open_at(root, "0", TN_OREAD);
	struct kept *k = keep_read(c, 0, 10);

	(void)state;
	assert_true(is_waiting(k));
	tn_flush(&k->r);
	assert_int_equal(kept_err(k), TN_EINTR);
	turn(c);
	assert_string_equal(calls, "open 0;read 0;flush 0;clunk 0;");
}

static void a_stat_tells_what_the_host_knows(void **state)
{
	(void)state;
	assert_int_equal(stat_at(root, "0")->mode, 0444);
	assert_string_equal(seen.name, "0");
	assert_int_equal(stat_at(root, "17")->mode, 0666);
	assert_int_equal(seen.st.length, 17);
	assert_string_equal(seen.name, "17");
	assert_int_equal(stat_at(root, "")->mode, TN_DMDIR | 0555);
}

static void nothing_of_it_is_changed_but_a_cut_is_no_error(void **state)
{
	struct tn_stat cut = { .valid = TN_ST_LENGTH }, mode = { .valid = TN_ST_MODE };

	(void)state;
	assert_int_equal(wstat_at(root, "1", &cut), TN_OK);
	assert_int_equal(wstat_at(root, "1", &mode), TN_EACCES);
	assert_int_equal(remove_at(root, "1"), TN_EACCES);
	assert_int_equal(create_fails(root, "5", TN_OREAD, 0644), TN_EACCES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_open_descriptors_are_listed),
		TEST(a_listing_goes_on_behind_any_descriptor),
		TEST(only_an_open_number_in_its_plain_form_is_a_name),
		TEST(requests_go_to_the_host),
		TEST(a_refused_open_is_not_clunked),
		TEST(a_kept_read_is_flushed_by_the_host),
		TEST(a_stat_tells_what_the_host_knows),
		TEST(nothing_of_it_is_changed_but_a_cut_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
