/*
 * Names and the way back: prefixes are shared, long chains are freed without recursion, texts are whole.
 */
#include "core/path.h"

#include "core/chan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static const struct {
	const char *root;
	const char *names[3];
	const char *text;
} texts[] = {
	{ "/", { NULL }, "/" },
	{ "/", { "a" }, "/a" },
	{ "/", { "a", "b c", "d" }, "/a/b c/d" },
	{ "#s", { NULL }, "#s" },
	{ "#s", { "x" }, "#s/x" },
	{ "#/", { NULL }, "#/" },
	{ "#/", { "a" }, "#/a" },
};

static void a_path_prints_as_it_was_walked(void **state)
{
	char buf[64], cut[4];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(texts); i++) {
		struct tn_path *p = tn_path_root(str(texts[i].root)), *next;

		for (size_t k = 0; k < 3 && texts[i].names[k]; k++) {
			next = tn_path_add(p, str(texts[i].names[k]));
			tn_path_put(p);
			p = next;
		}
		assert_int_equal(tn_path_text(p, buf, sizeof(buf)), strlen(texts[i].text));
		assert_string_equal(buf, texts[i].text);
		assert_int_equal(tn_path_text(p, cut, sizeof(cut)), strlen(texts[i].text));
		assert_int_equal(strncmp(cut, texts[i].text, strlen(cut)), 0);
		tn_path_put(p);
	}
}

static void a_path_has_a_longest_length_and_is_freed_without_recursion(void **state)
{
	struct tn_path *p = tn_path_root(str("/")), *next;
	unsigned n = 0;

	(void)state;
	while ((next = tn_path_add(p, str("x"))) != NULL) {
		tn_path_put(p);
		p = next;
		n++;
	}
	assert_int_equal(n, TN_PATH_BYTES_MAX / 2); /* "/x" each */
	assert_int_equal(p->depth, n);
	tn_path_put(p);
}

static void the_last_element_of_a_root_is_empty(void **state)
{
	struct tn_path *root = tn_path_root(str("/")), *p = tn_path_add(root, str("abc"));

	(void)state;
	assert_int_equal(tn_path_last(root).len, 0);
	assert_int_equal(tn_path_last(p).len, 3);
	tn_path_put(root);
	assert_ptr_equal(p->up, root); /* the child holds it */
	tn_path_put(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_prints_as_it_was_walked),
		cmocka_unit_test(a_path_has_a_longest_length_and_is_freed_without_recursion),
		cmocka_unit_test(the_last_element_of_a_root_is_empty),
	};

	return cmocka_run_group_tests_name("core/path", tests, NULL, NULL);
}
