/* src/host/posix/node.c: the devices of product.md 3 by name, and a process's part on this host. */
#include "host/posix/node.h"

#include "lib/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct tn_host_loop *h;
static struct tn_node *node;
static struct tn_proc *p;

static int set_up(void **state)
{
	(void)state;
	setenv("TN_TEST_VARIABLE", "its value", 1);
	tn_call_turn = tn_host_loop_turn;
	h = tn_host_loop_new();
	node = tn_host_node_new(h);
	p = tn_host_proc_new(node);
	return p ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tn_proc_put(p);
	for (unsigned i = 0; i < 5; i++) /* Chans are clunked later */
		tn_host_loop_poll(node->loop);
	tn_host_node_free(node);
	tn_host_loop_free(h);
	return 0;
}

static void assert_reads(const char *name, const char *text)
{
	char buf[256] = "";
	int fd = tn_call_open(p, name, TN_OREAD);

	if (fd < 0)
		fail_msg("%s: %s", name, tn_call_text());
	assert_true(tn_call_read(p, fd, buf, sizeof(buf) - 1) >= 0);
	assert_string_equal(buf, text);
	assert_int_equal(tn_call_close(p, fd), 0);
}

static void every_device_has_a_directory(void **state)
{
	static const char *const names[] = { "#/", "#root", "#mntgen", "#ram", "#e", "#env", "#s",
		"#srv", "#|", "#pipe", "#host", "#p", "#proc", "#c", "#cons", "#d", "#fd" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(names); i++) {
		struct tn_call_stat st;

		print_message("%s\n", names[i]);
		assert_int_equal(tn_call_stat(p, names[i], &st), 0);
		assert_true(st.st.mode & TN_DMDIR);
		tn_free(st.text);
	}
}

static void an_unknown_device_is_an_error(void **state)
{
	struct tn_call_stat st;

	(void)state;
	assert_int_equal(tn_call_stat(p, "#nosuch", &st), -1);
	assert_int_equal(tn_call_err(), TN_ENODEV);
	assert_int_equal(tn_call_stat(p, "#ns", &st), -1); /* nobody has given one */
	assert_int_equal(tn_call_err(), TN_ENODEV);
}

static void the_root_is_the_hosts_and_so_is_host(void **state)
{
	char path[] = "/tmp/tn-node-XXXXXX", device[64];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	assert_reads(path, "hello");
	snprintf(device, sizeof(device), "#host%s", path);
	assert_reads(device, "hello");
	unlink(path);
}

static void a_clean_part_has_an_empty_root(void **state)
{
	struct tn_proc *clean = tn_host_proc_clean(node);
	struct tn_call_stat st;

	(void)state;
	assert_int_equal(tn_call_stat(clean, "/tmp", &st), -1);
	assert_int_equal(tn_call_err(), TN_ENOENT);
	tn_proc_put(clean);
}

static void the_environment_is_this_programs(void **state)
{
	(void)state;
	assert_reads("#e/TN_TEST_VARIABLE", "its value");
}

static void a_dial_string_written_to_srv_is_a_service(void **state)
{
	int fd = tn_call_create(p, "#s/x", TN_OWRITE, 0600);
	struct tn_post *post;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tn_call_write(p, fd, "unix!@tn-nobody", 15), 15);
	assert_int_equal(tn_call_close(p, fd), 0);
	post = tn_srv_find(tn_host_node_srv(node), TN_STR("x"));
	assert_non_null(post);
	tn_post_put(post);
	fd = tn_call_create(p, "#s/y", TN_OWRITE, 0600);
	assert_true(fd >= 0);
	assert_int_equal(tn_call_write(p, fd, "nonsense", 8), -1);
	assert_int_equal(tn_call_err(), TN_EBADDIAL);
	tn_call_close(p, fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_device_has_a_directory),
		TEST(an_unknown_device_is_an_error),
		TEST(the_root_is_the_hosts_and_so_is_host),
		TEST(a_clean_part_has_an_empty_root),
		TEST(the_environment_is_this_programs),
		TEST(a_dial_string_written_to_srv_is_a_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
