/*
 * Lines of a `watch` file: what is written is read back, and what is no line is none. core/change.h.
 */
#include "core/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

/* On memory of its own, so that a byte too far is seen. */
static bool parse(const char *text, size_t len, uint32_t *number, struct tn_change *change,
    char name[256])
{
	char *copy = malloc(len + !len);
	bool good;

	assert_non_null(copy);
	memcpy(copy, text, len);
	good = tn_change_parse((struct tn_str){ copy, (uint32_t)len }, number, change, name);
	free(copy);
	return good;
}

#define NAME(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	} /* a constant */

static const struct {
	struct tn_change change;
	uint32_t number;
	const char *line;
} lines[] = {
	{ { .what = TN_CHANGE_BEGUN }, 1, "begun 1 f 0 \n" },
	{ { .what = TN_CHANGE_MADE, .name = NAME("a b") }, 0, "made 0 f 0 a b\n" },
	{ { .what = TN_CHANGE_GONE, .is_dir = true, .name = NAME("d") }, 4294967295u,
	    "gone 4294967295 d 0 d\n" },
	{ { .what = TN_CHANGE_WRITTEN, .name = NAME("...") }, 7, "written 7 f 0 ...\n" },
	{ { .what = TN_CHANGE_STATUS }, 7, "status 7 f 0 \n" },
	{ { .what = TN_CHANGE_LEFT, .pair = 4294967295u, .name = NAME("\\") }, 7,
	    "left 7 f 4294967295 \\\\\n" },
	{ { .what = TN_CHANGE_CAME, .pair = 9, .name = NAME("a\nb") }, 7, "came 7 f 9 a\\nb\n" },
	{ { .what = TN_CHANGE_LOST }, 0, "lost 0 f 0 \n" },
};

static void a_line_that_is_written_is_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(lines); i++) {
		const struct tn_change *want = &lines[i].change;
		char line[TN_CHANGE_LINE_MAX], name[256];
		struct tn_change got;
		uint32_t number, len = tn_change_line(line, lines[i].number, want);

		print_message("%s", lines[i].line);
		assert_int_equal(len, strlen(lines[i].line));
		assert_memory_equal(line, lines[i].line, len);
		assert_true(parse(line, len - 1, &number, &got, name));
		assert_int_equal(number, lines[i].number);
		assert_int_equal(got.what, want->what);
		assert_int_equal(got.is_dir, want->is_dir);
		assert_int_equal(got.pair, want->pair);
		assert_int_equal(got.name.len, want->name.len);
		assert_memory_equal(got.name.s, want->name.s, want->name.len);
	}
}

static void an_end_has_its_cause(void **state)
{
	char line[TN_CHANGE_LINE_MAX], name[256];
	struct tn_change got;
	uint32_t number, len = tn_change_end_line(line, 3, "file\ndoes not exist");

	(void)state;
	assert_true(parse(line, len - 1, &number, &got, name));
	assert_int_equal(got.what, TN_CHANGE_END);
	assert_int_equal(number, 3);
	assert_int_equal(got.name.len, strlen("file does not exist"));
	assert_memory_equal(got.name.s, "file does not exist", got.name.len);
}

static void a_cause_that_is_too_long_is_cut(void **state)
{
	char cause[TN_CHANGE_LINE_MAX * 2], *line = malloc(TN_CHANGE_LINE_MAX); /* alone: asan */

	(void)state;
	assert_non_null(line);
	memset(cause, 'x', sizeof(cause) - 1);
	cause[sizeof(cause) - 1] = '\0';
	assert_int_equal(tn_change_end_line(line, 3, cause), TN_CHANGE_LINE_MAX);
	assert_memory_equal(line, "end 3 x", 7);
	assert_int_equal(line[TN_CHANGE_LINE_MAX - 1], '\n');
	free(line);
}

static const char *const bad[] = { "", " ", "made", "made ", "made x f 0 a", "made 1", "made 1 f",
	"made 1 x 0 a", "made 1 f x a", "made -1 f 0 a", "made 4294967296 f 0 a",
	"made 11111111111 f 0 a", "made 18446744073709551617 f 0 a", "mad 1 f 0 a", "madee 1 f 0 a",
	"made 1 f 0 .", "made 1 f 0 ..", "made 1 f 0 a/b", "made 1 f 0 \\", "made 1 f 0 a\\b",
	"end", "end x" };

static void what_is_no_line_is_refused(void **state)
{
	struct tn_change got;
	uint32_t number;
	char name[256];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_false(parse(bad[i], strlen(bad[i]), &number, &got, name));
	}
	assert_false(parse("made 1 f 0 a\0b", 14, &number, &got, name));
}

/* No cut of a line is read beyond its end. */
static void each_truncation_is_looked_at_no_further(void **state)
{
	static const char line[] = "left 7 f 4294967295 a\\\\b\\nc";
	struct tn_change got;
	uint32_t number;
	char name[256];

	(void)state;
	for (size_t len = 0; len < sizeof(line); len++)
		parse(line, len, &number, &got, name);
}

static void a_name_of_255_bytes_is_one_and_a_longer_is_none(void **state)
{
	char text[256], line[TN_CHANGE_LINE_MAX], name[256];
	struct tn_change change = { .what = TN_CHANGE_MADE, .name = { text, 255 } }, got;
	uint32_t number, len;

	(void)state;
	memset(text, '\n', sizeof(text));
	len = tn_change_line(line, 1, &change);
	assert_true(parse(line, len - 1, &number, &got, name));
	assert_int_equal(got.name.len, 255);
	change.name.len = 256;
	assert_int_equal(tn_change_line(line, 1, &change), 0);
	memcpy(line, "made 1 f 0 ", 11);
	memset(line + 11, 'x', 256);
	assert_false(parse(line, 11 + 256, &number, &got, name));
}

static void quoting_never_goes_beyond_its_room(void **state)
{
	char to[8];

	(void)state;
	assert_int_equal(tn_change_quote(str("\n\n\n\n"), to, 8), 8);
	assert_int_equal(tn_change_quote(str("\n\n\n\n\n"), to, 8), 0);
	assert_int_equal(tn_change_quote(str("abcdefg"), to, 8), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_that_is_written_is_read_back),
		cmocka_unit_test(an_end_has_its_cause),
		cmocka_unit_test(a_cause_that_is_too_long_is_cut),
		cmocka_unit_test(what_is_no_line_is_refused),
		cmocka_unit_test(each_truncation_is_looked_at_no_further),
		cmocka_unit_test(a_name_of_255_bytes_is_one_and_a_longer_is_none),
		cmocka_unit_test(quoting_never_goes_beyond_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
