/*
 * The map of users: whom a peer is taken for, and what is no line of it.
 */
#include "host/posix/usermap.h"

#include "core/chan.h"
#include "host/posix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/tn-usermap-XXXXXX";
static int allocations_left;

static int set_up(void **state)
{
	(void)state;
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	return unlink(path);
}

static struct tn_usermap *read_text(const char *text, unsigned *line)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return tn_usermap_read(path, line);
}

static const struct {
	const char *name;
	uint32_t uid;
	const char *local; /* NULL: nobody */
	uint32_t local_uid;
} peers[] = {
	{ "glenda", TN_NONUNAME, "bin", TN_NONUNAME },
	{ "", 1000, "daemon", TN_NONUNAME },
	{ "1000", TN_NONUNAME, "daemon", TN_NONUNAME },
	{ "glenda", 1000, "bin", TN_NONUNAME }, /* the first line that fits */
	{ "rob", TN_NONUNAME, "7", 7 },
	{ "root", 0, "nobody", TN_NONUNAME },
	{ "", TN_NONUNAME, NULL, 0 },
	{ "rob ", TN_NONUNAME, NULL, 0 },
	{ "#", TN_NONUNAME, NULL, 0 },
};

static void the_first_line_that_fits_counts(void **state)
{
	unsigned line;
	struct tn_usermap *map = read_text("# who\nglenda bin\n\n  1000\tdaemon # his number\n"
					   "rob 7\nroot nobody\nroot bin",
	    &line);

	(void)state;
	assert_non_null(map);
	for (size_t i = 0; i < TN_COUNT(peers); i++) {
		struct tn_user *u = tn_user_new(
		    (struct tn_str){ peers[i].name, (uint32_t)strlen(peers[i].name) }, peers[i].uid,
		    TN_NONUNAME);
		const struct tn_user *is = tn_usermap_find(map, u);

		print_message("'%s' %u\n", peers[i].name, (unsigned)peers[i].uid);
		assert_int_equal(is != NULL, peers[i].local != NULL);
		if (is) {
			assert_int_equal(is->len, strlen(peers[i].local));
			assert_memory_equal(is->name, peers[i].local, is->len);
			assert_int_equal(is->uid, peers[i].local_uid);
		}
		tn_user_put(u);
	}
	tn_usermap_free(map);
	map = read_text("rob 7\n* nobody\nglenda bin\n", &line);
	{
		struct tn_user *u = tn_user_new(TN_STR("glenda"), TN_NONUNAME, TN_NONUNAME);

		assert_memory_equal(tn_usermap_find(map, u)->name, "nobody", 6);
		tn_user_put(u);
	}
	tn_usermap_free(map);
}

static const struct {
	const char *text;
	unsigned line;
} bad[] = { { "rob\n", 1 }, { "rob 7\n# two\nglenda bin more\n", 3 }, { "\n*\n", 2 } };

static void a_line_of_another_kind_is_named_by_its_number(void **state)
{
	char *longer = malloc(2000);
	unsigned line;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		assert_null(read_text(bad[i].text, &line));
		assert_int_equal(line, bad[i].line);
	}
	memset(longer, 'a', 1999);
	longer[1999] = 0;
	longer[1000] = ' ';
	assert_null(read_text(longer, &line));
	assert_int_equal(line, 1);
	free(longer);
}

static void a_file_that_cannot_be_read_is_an_errno(void **state)
{
	unsigned line = 9;

	(void)state;
	assert_null(tn_usermap_read("/nonexistent", &line));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(line, 0);
	assert_null(tn_usermap_read("/", &line));
	assert_int_equal(errno, EISDIR);
}

static void there_are_so_many_lines_and_no_more(void **state)
{
	char *text = malloc(4097 * 4 + 1);
	unsigned line;

	(void)state;
	for (unsigned n = 4095; n <= 4097; n++) {
		struct tn_usermap *map;

		for (unsigned i = 0; i < n; i++)
			memcpy(text + i * 4, "a b\n", 5);
		map = read_text(text, &line);
		assert_int_equal(map != NULL, n <= 4096);
		if (!map)
			assert_int_equal(errno, EFBIG);
		tn_usermap_free(map);
	}
	free(text);
}

static bool allow(size_t size)
{
	(void)size;
	return allocations_left-- > 0;
}

static void without_memory_there_is_none(void **state)
{
	struct tn_usermap *map;
	int n = 0;

	(void)state;
	do {
		unsigned line;

		allocations_left = n++;
		tn_alloc_hook = allow;
		map = read_text("a b\nc d\n", &line);
		tn_alloc_hook = NULL;
		if (!map)
			assert_int_equal(errno, ENOMEM);
	} while (!map && n < 10);
	assert_int_equal(n, 6);
	tn_usermap_free(map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_line_that_fits_counts),
		TEST(a_line_of_another_kind_is_named_by_its_number),
		TEST(a_file_that_cannot_be_read_is_an_errno),
		TEST(there_are_so_many_lines_and_no_more),
		TEST(without_memory_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
