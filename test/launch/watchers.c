/*
 * What /proc/PID/fdinfo says of inotify: lines as Linux 6.18 prints them, of x86-64.
 */
#include "launch/notify_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static const char ours[] =
    "inotify wd:3 ino:3b57f19ec98f26f4 sdev:27 mask:fff ignored_mask:0 fhandle-bytes:c "
    "fhandle-type:81 f_handle:3a560000200716d417000000\n";

static void a_line_of_our_file_system_names_the_node_and_its_generation(void **state)
{
	struct launch_mark mark;

	(void)state;
	assert_true(launch_mark_parse(ours, makedev(0, 0x27), &mark));
	assert_int_equal(mark.ino, 0x563ad4160720);
	assert_int_equal(mark.generation, 0x17);
}

/* MKDEV in the kernel's include/linux/kdev_t.h: a minor has 20 bits. */
static void a_file_system_may_have_a_high_number(void **state)
{
	char line[sizeof(ours) + 8];
	struct launch_mark mark;

	(void)state;
	snprintf(line, sizeof(line), "inotify wd:3 ino:3b sdev:12345 %s", strstr(ours, "mask:"));
	assert_true(launch_mark_parse(line, makedev(0, 0x12345), &mark));
	assert_false(launch_mark_parse(line, makedev(0, 0x345), &mark));
}

static void the_root_is_number_one(void **state)
{
	struct launch_mark mark;

	(void)state;
	assert_true(
	    launch_mark_parse("inotify wd:1 ino:57cb sdev:27 mask:fff ignored_mask:0 "
			      "fhandle-bytes:c fhandle-type:81 f_handle:000000000100000000000000\n",
		makedev(0, 0x27), &mark));
	assert_int_equal(mark.ino, 1);
}

static void other_file_systems_and_other_lines_are_none(void **state)
{
	static const char *const lines[] = {
		"", "pos:\t0\n", "inotify wd:3\n",
		"inotify wd:4 ino:3c51c sdev:fe00000 mask:fff ignored_mask:0 fhandle-bytes:8 "
		"fhandle-type:1 f_handle:1cc5030000000000\n",
		"inotify wd:3 ino:3b sdev:27 mask:fff ignored_mask:0 f_handle:3a560000\n",
		"inotify wd:3 ino:3b sdev:27 mask:fff ignored_mask:0 f_handle:zz560000200716d417000000\n"
	};
	struct launch_mark mark;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(launch_mark_parse(lines[i], makedev(0, 0x27), &mark));
	assert_false(launch_mark_parse(ours, makedev(0, 0x28), &mark));
	assert_false(launch_mark_parse(ours, makedev(1, 0x27), &mark));
}

static void each_truncation_is_read_no_further_than_its_end(void **state)
{
	char line[sizeof(ours)];
	struct launch_mark mark;

	(void)state;
	for (size_t len = 0; len + 2 < sizeof(ours); len++) {
		memcpy(line, ours, len);
		line[len] = '\0';
		assert_false(launch_mark_parse(line, makedev(0, 0x27), &mark));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_our_file_system_names_the_node_and_its_generation),
		cmocka_unit_test(a_file_system_may_have_a_high_number),
		cmocka_unit_test(the_root_is_number_one),
		cmocka_unit_test(other_file_systems_and_other_lines_are_none),
		cmocka_unit_test(each_truncation_is_read_no_further_than_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
