/* The kernel's table of mounts, proc(5): names, parents, what covers what. */
#include "launch/kmounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

/*
 * `/`, in it /a (a bind of /x of the same file system), in that /a/b; on /a's root another one; /c lies on a name that /a/b's
 * parent has. As the kernel writes them, but that a child comes before its parent.
 */
static const char table[] = "30 20 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n"
			    "33 32 0:40 /.tenon-1 /a/b rw - fuse tenon rw\n"
			    "32 30 8:1 /x /a rw - ext4 /dev/sda rw\n"
			    "34 32 0:41 / /a rw master:2 - tmpfs none rw\n"
			    "35 30 8:1 /with\\040blank\\134 /c\\011d rw - ext4 /dev/sda rw\n";

static int setup(void **state)
{
	static struct tn_kmounts t;

	*state = &t;
	return tn_kmounts_parse(&t, strdup(table));
}

static int teardown(void **state)
{
	tn_kmounts_free(*state);
	return 0;
}

static void each_line_is_a_mount_and_parents_come_first(void **state)
{
	const struct tn_kmounts *t = *state;

	assert_int_equal(t->n, 5);
	for (size_t i = 0; i < t->n; i++)
		assert_true(!t->m[i].parent || t->m[i].parent < &t->m[i]);
	assert_null(tn_kmounts_find(t, 30)->parent);
	assert_ptr_equal(tn_kmounts_find(t, 33)->parent, tn_kmounts_find(t, 32));
	assert_true(tn_kmounts_find(t, 33)->dev == makedev(0, 40));
	assert_string_equal(tn_kmounts_find(t, 33)->root, "/.tenon-1");
	assert_null(tn_kmounts_find(t, 20));
}

static void octal_digits_are_one_character(void **state)
{
	assert_string_equal(tn_kmounts_find(*state, 35)->root, "/with blank\\");
	assert_string_equal(tn_kmounts_find(*state, 35)->at, "/c\td");
}

static void what_is_no_line_is_left_out(void **state)
{
	struct tn_kmounts t;

	(void)state;
	assert_int_equal(
	    tn_kmounts_parse(&t, strdup("\nnonsense\n1 2 3\n1 2 0:3 /\n7 1 0:3 / /x rw\n")), 0);
	assert_int_equal(t.n, 1);
	tn_kmounts_free(&t);
	/* Each other's parent: neither can be reached. */
	assert_int_equal(
	    tn_kmounts_parse(&t, strdup("1 2 0:3 / /a r\n2 1 0:3 / /b r\n3 3 0:3 / / r\n")), 0);
	assert_int_equal(t.n, 1);
	tn_kmounts_free(&t);
}

static void a_name_is_seen_unless_something_lies_on_the_way(void **state)
{
	const struct tn_kmounts *t = *state;
	struct tn_kmount *root = tn_kmounts_find(t, 30), *a = tn_kmounts_find(t, 32),
			 *top = tn_kmounts_find(t, 34);

	assert_true(tn_kmounts_is_seen(t, root, "/x"));
	assert_true(tn_kmounts_is_seen(t, root, "/a"));
	assert_false(tn_kmounts_is_seen(t, root, "/a/b"));
	assert_false(tn_kmounts_is_seen(t, a, "/a/b")); /* 34 lies on its root */
	assert_true(tn_kmounts_is_seen(t, a, "/a"));
	assert_true(tn_kmounts_is_seen(t, top, "/a/b"));
	assert_true(tn_kmounts_is_seen(t, root, "/ab"));
}

static void what_lies_on_a_name_and_around_it_is_found(void **state)
{
	const struct tn_kmounts *t = *state;

	assert_int_equal(tn_kmounts_on(t, tn_kmounts_find(t, 30), "/a")->id, 32);
	assert_int_equal(tn_kmounts_on(t, tn_kmounts_find(t, 32), "/a")->id, 34);
	assert_null(tn_kmounts_on(t, tn_kmounts_find(t, 34), "/a"));
	assert_int_equal(tn_kmounts_around(t, "/a")->id, 30);
	assert_int_equal(tn_kmounts_around(t, "/a/b")->id, 34);
	assert_int_equal(tn_kmounts_around(t, "/c\td/e/f")->id, 35);
}

static void names_below_names(void **state)
{
	static const struct {
		const char *name, *above, *below;
	} rows[] = { { "/", "/", "" }, { "/a", "/", "/a" }, { "/a", "/a", "" },
		{ "/a/b", "/a", "/b" }, { "/ab", "/a", NULL }, { "/", "/a", NULL },
		{ "/a/b/c", "/a/b", "/c" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *below = tn_name_below(rows[i].name, rows[i].above);
		char *joined;

		if (!rows[i].below) {
			assert_null(below);
			continue;
		}
		assert_string_equal(below, rows[i].below);
		joined = tn_name_join(rows[i].above, below);
		assert_string_equal(joined, rows[i].name);
		free(joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_line_is_a_mount_and_parents_come_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(octal_digits_are_one_character, setup, teardown),
		cmocka_unit_test(what_is_no_line_is_left_out),
		cmocka_unit_test_setup_teardown(a_name_is_seen_unless_something_lies_on_the_way,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(what_lies_on_a_name_and_around_it_is_found, setup,
		    teardown),
		cmocka_unit_test(names_below_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
