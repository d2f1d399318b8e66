/*
 * Name space files: what is wrong and where, what is passed over, and that ns prints what can be read again. The words
 * themselves are the oracle's (nsfile-*, ns-*).
 */
#include "core/nsfile.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *var(void *arg, struct tn_str name)
{
	(void)arg;
	if (name.len == 1 && name.s[0] == 'x')
		return "a b";
	if (name.len == 1 && name.s[0] == 'q')
		return "it''s";
	return NULL;
}

/* ---- what is wrong ---- */

static const struct {
	const char *text;
	uint32_t line, column;
	const char *what;
} wrong[] = {
	{ "bind /a\n", 1, 1, "bind wants 2 arguments" },
	{ "\n\n  bind /a /b /c\n", 3, 3, "bind wants 2 arguments" },
	{ "mount /a\n", 1, 1, "mount wants 2 or 3 arguments" },
	{ "mount a b c d", 1, 1, "mount wants 2 or 3 arguments" },
	{ "unmount\n", 1, 1, "unmount wants 1 or 2 arguments" },
	{ "cd\n", 1, 1, "cd wants 1 argument" },
	{ "# c\nclear all\n", 2, 1, "clear wants no argument" },
	{ ". \n", 1, 1, ". wants 1 argument" },
	{ "import host\n", 1, 1, "import wants 2 or 3 arguments" },
	{ "bind /a /b\n\tfrobnicate /a\n", 2, 2, "unknown verb" },
	{ "bind -x /a /b\n", 1, 6, "unknown flag" },
	{ "bind -a -q /a /b\n", 1, 9, "unknown flag" },
	{ "bind -ab /a /b\n", 1, 1, "before and after at once" },
	{ "bind 'a /b\n", 1, 6, "a quote without its end" },
	{ "cd -a\n", 0, 0, NULL },
	{ "bind a b c d e f g h i j k l m n o p q\n", 1, 36, "too many words" },
};

static void an_error_names_line_and_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(wrong); i++) {
		struct tn_ns_script s;
		struct tn_ns_where where;
		enum tn_err err = tn_ns_parse(&s, "file", wrong[i].text, strlen(wrong[i].text), var,
		    NULL, false, NULL, &where);

		print_message("%s", wrong[i].text);
		if (!wrong[i].what) {
			assert_int_equal(err, TN_OK);
			tn_ns_script_free(&s);
			continue;
		}
		assert_int_equal(err, TN_EINVAL);
		assert_string_equal(where.file, "file");
		assert_int_equal(where.line, wrong[i].line);
		assert_int_equal(where.column, wrong[i].column);
		assert_string_equal(where.what, wrong[i].what);
		assert_null(s.lines);
	}
}

static void count_bad(void *arg, const struct tn_ns_where *where)
{
	(void)where;
	++*(int *)arg;
}

static void leniently_wrong_lines_are_told_and_passed_over(void **state)
{
	static const char text[] = "bind /a\nbind -xa /a /b\nnone\nbind 'x /y\ncd /z";
	struct tn_ns_script s;
	int bad = 0;

	(void)state;
	assert_int_equal(
	    tn_ns_parse(&s, "f", text, sizeof(text) - 1, NULL, &bad, true, count_bad, NULL), TN_OK);
	assert_int_equal(bad, 3);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.lines[0].flags, TN_AFTER);
	assert_int_equal(s.lines[0].line, 2);
	assert_int_equal(s.lines[1].verb, TN_NS_CD);
	assert_string_equal(s.lines[1].place, "/z");
	tn_ns_script_free(&s);
}

/* ---- what is right ---- */

static const struct {
	const char *text;
	enum tn_ns_verb verb;
	uint32_t flags;
	const char *src, *place, *spec;
} right[] = {
	{ "bind /a /b", TN_NS_BIND, 0, "/a", "/b", NULL },
	{ "bind -a -c /a /b", TN_NS_BIND, TN_AFTER | TN_CREATE_HERE, "/a", "/b", NULL },
	{ "bind -bcC '#|' /b", TN_NS_BIND, TN_BEFORE | TN_CREATE_HERE | TN_CACHE, "#|", "/b",
	    NULL },
	{ "bind /$x /b", TN_NS_BIND, 0, "/a b", "/b", NULL },
	{ "bind '/$x' $q", TN_NS_BIND, 0, "/$x", "its", NULL },
	{ "bind '' /b", TN_NS_BIND, 0, "", "/b", NULL },
	{ "mount tcp!h!564 /n", TN_NS_MOUNT, 0, "tcp!h!564", "/n", NULL },
	{ "mount /n tcp!h!564 spec", TN_NS_MOUNT, 0, "tcp!h!564", "/n", "spec" },
	{ "mount -c '#srv/x' '/n x' ''", TN_NS_MOUNT, TN_CREATE_HERE, "#srv/x", "/n x", "" },
	{ "mount /srv/x /n!y", TN_NS_MOUNT, 0, "/srv/x", "/n!y", NULL },
	{ "unmount /n", TN_NS_UNMOUNT, 0, NULL, "/n", NULL },
	{ "unmount /a /n\r", TN_NS_UNMOUNT, 0, "/a", "/n", NULL },
	{ "cd x", TN_NS_CD, 0, NULL, "x", NULL },
	{ "clear", TN_NS_CLEAR, 0, NULL, NULL, NULL },
	{ ". /lib/ns", TN_NS_INCLUDE, 0, "/lib/ns", NULL, NULL },
	{ "import -a host /r /m", TN_NS_IMPORT, TN_AFTER, "host", "/m", "/r" },
	{ "import host /m", TN_NS_IMPORT, 0, "host", "/m", NULL },
};

static void same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void arguments_go_where_the_verb_has_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(right); i++) {
		struct tn_ns_script s;

		print_message("%s\n", right[i].text);
		assert_int_equal(tn_ns_parse(&s, "f", right[i].text, strlen(right[i].text), var,
				     NULL, false, NULL, NULL),
		    TN_OK);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.lines[0].verb, right[i].verb);
		assert_int_equal(s.lines[0].flags, right[i].flags);
		same(s.lines[0].src, right[i].src);
		same(s.lines[0].place, right[i].place);
		same(s.lines[0].spec, right[i].spec);
		assert_string_equal(s.lines[0].file, "f");
		tn_ns_script_free(&s);
	}
}

/* ---- quotes ---- */

static const struct {
	const char *word, *quoted;
} quotes[] = {
	{ "", "''" },
	{ "a", "a" },
	{ "a b", "'a b'" },
	{ "it's", "'it''s'" },
	{ "$x", "'$x'" },
	{ "#|", "#|" },
	{ "a\tb", "'a\tb'" },
	{ "'", "''''" },
	{ "tcp!h!5", "tcp!h!5" },
	{ "\xc3\xa9", "\xc3\xa9" },
};

static void a_quoted_word_is_read_back_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(quotes); i++) {
		char quoted[64], line[80], small[4];
		struct tn_ns_script s;

		assert_int_equal(tn_quote(quotes[i].word, quoted, sizeof(quoted)),
		    strlen(quotes[i].quoted));
		assert_string_equal(quoted, quotes[i].quoted);
		assert_int_equal(tn_quote(quotes[i].word, small, sizeof(small)),
		    strlen(quotes[i].quoted));
		assert_true(strlen(small) < sizeof(small));
		snprintf(line, sizeof(line), "cd %s", quoted);
		assert_int_equal(
		    tn_ns_parse(&s, "f", line, strlen(line), var, NULL, false, NULL, NULL), TN_OK);
		assert_string_equal(s.lines[0].place, quotes[i].word);
		tn_ns_script_free(&s);
	}
}

/* ---- printing ---- */

static char printed[1024];

static void put_line(void *arg, const char *text)
{
	(void)arg;
	strcat(printed, text);
	strcat(printed, "\n");
}

static const char *server_name(void *arg, const struct tn_chan *c)
{
	(void)arg;
	(void)c;
	return "exec!ssh host";
}

static struct tree *t;
static struct tn_proc *p;

static void make_names(void)
{
	struct tn_chan *root, *dir;
	struct tn_members *list;

	world_init();
	t = tree_new();
	tree_add(t, "d e/");
	tree_add(t, "m/");
	p = tn_proc_new(&node, NULL);
	root = tree_chan(t, 0, "#tree");
	root->flags |= TN_CF_MOUNTED;
	assert_int_equal(tn_ns_mount(p->ns, root, NULL, p->slash, TN_CREATE_HERE, "s p"), TN_OK);
	dir = tree_chan(t, 1, "/");
	tn_chan_set_path(dir, tn_path_add(dir->path, str("d e")));
	list = tn_ns_find(p->ns, p->slash, NULL);
	assert_int_equal(tn_ns_mount(p->ns, root, list, dir, TN_AFTER, NULL), TN_OK);
	tn_members_put(list);
	tn_chan_put(root);
	tn_chan_put(dir);
}

static void drop_names(void)
{
	tn_proc_put(p);
	settle();
	tn_server_put(&t->s);
	world_fini();
}

static void ns_prints_what_can_be_read_again(void **state)
{
	struct tn_ns_script s;

	(void)state;
	make_names();
	printed[0] = '\0';
	assert_int_equal(tn_ns_lines(p, false, server_name, put_line, NULL), TN_OK);
	assert_string_equal(printed, "mount -c 'exec!ssh host' / 's p'\n"
				     "bind '/d e' '/d e'\n"
				     "mount -a 'exec!ssh host' '/d e'\n"
				     "cd /\n");
	assert_int_equal(
	    tn_ns_parse(&s, "f", printed, strlen(printed), var, NULL, false, NULL, NULL), TN_OK);
	assert_string_equal(s.lines[0].src, "exec!ssh host");
	assert_string_equal(s.lines[0].spec, "s p");
	tn_ns_script_free(&s);
	printed[0] = '\0';
	assert_int_equal(tn_ns_lines(p, true, server_name, put_line, NULL), TN_OK);
	assert_non_null(strstr(printed, "mount -a 'exec!ssh host' '/d e' 's p'\n"));
	drop_names();
}

/* ---- memory ---- */

static void any_allocation_may_fail(void **state)
{
	static const char text[] =
	    "bind -a /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa /b\n";
	char file[40 * sizeof(text)] = "";
	enum tn_err parsed = TN_ENOMEM, said = TN_ENOMEM;
	int k = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(file, text);
	make_names();
	for (; parsed == TN_ENOMEM || said == TN_ENOMEM; k++) {
		struct tn_ns_script s;

		assert_true(k < 100);
		printed[0] = '\0';
		allocs_left = k;
		tn_alloc_hook = alloc_or_not;
		parsed = tn_ns_parse(&s, "f", file, strlen(file), var, NULL, false, NULL, NULL);
		allocs_left = k;
		said = tn_ns_lines(p, false, server_name, put_line, NULL);
		tn_alloc_hook = NULL;
		if (parsed == TN_OK)
			assert_int_equal(s.n, 40);
		tn_ns_script_free(&s);
	}
	assert_int_equal(parsed, TN_OK);
	assert_int_equal(said, TN_OK);
	assert_true(k > 2);
	drop_names();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_names_line_and_column),
		cmocka_unit_test(leniently_wrong_lines_are_told_and_passed_over),
		cmocka_unit_test(arguments_go_where_the_verb_has_them),
		cmocka_unit_test(a_quoted_word_is_read_back_as_it_was),
		cmocka_unit_test(ns_prints_what_can_be_read_again),
		cmocka_unit_test(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
