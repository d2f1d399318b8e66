/*
 * Name space files, read as strictly and as leniently as they can be. What was understood is said again in quotes, and is
 * understood as the same.
 */
#include "core/nsfile.h"

#include "fuzz.h"

static const char *variable(void *arg, struct tn_str name)
{
	(void)arg;
	if (name.len == 1 && name.s[0] == 'x')
		return "a b'c";
	return name.len > 0 && name.s[0] == 'y' ? "yy" : NULL;
}

static void bad(void *arg, const struct tn_ns_where *where)
{
	must(where->what && where->line > 0 && where->column > 0);
	++*(unsigned *)arg;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static size_t add_word(char *to, size_t at, size_t size, const char *word)
{
	if (!word)
		return at;
	to[at++] = ' ';
	at += tn_quote(word, to + at, size - at);
	must(at < size);
	return at;
}

/* The line as its words; in the order in which namespace(6) has them. */
static size_t say(const struct tn_ns_line *l, char *to, size_t size)
{
	static const char *const verbs[] = { "bind", "mount", "unmount", "cd", "clear", ".",
		"import" };
	bool has_flags = l->verb == TN_NS_BIND || l->verb == TN_NS_MOUNT || l->verb == TN_NS_IMPORT;
	size_t at = strlen(verbs[l->verb]);

	memcpy(to, verbs[l->verb], at);
	if (has_flags && l->flags & TN_AFTER)
		at = add_word(to, at, size, "-a");
	if (has_flags && l->flags & TN_BEFORE)
		at = add_word(to, at, size, "-b");
	if (has_flags && l->flags & TN_CREATE_HERE)
		at = add_word(to, at, size, "-c");
	if (has_flags && l->flags & TN_CACHE)
		at = add_word(to, at, size, "-C");
	at = add_word(to, at, size, l->src);
	if (l->verb == TN_NS_IMPORT)
		at = add_word(to, at, size, l->spec);
	at = add_word(to, at, size, l->place);
	if (l->verb == TN_NS_MOUNT)
		at = add_word(to, at, size, l->spec);
	return at;
}

/* A word that a blank-ended line cannot bring back: a newline, or what would be a flag or a service in its place. */
static bool is_odd(const char *word)
{
	return word &&
	       (strchr(word, '\n') || word[0] == '-' || word[0] == '#' || strchr(word, '!'));
}

static void once_more(const struct tn_ns_line *l, size_t room)
{
	size_t size = 2 * room + 64;
	char *text = malloc(size);
	struct tn_ns_script again;

	must(text);
	if (!is_odd(l->src) && !is_odd(l->place) && !is_odd(l->spec) &&
	    (l->flags & TN_ORDER) != TN_ORDER) {
		size_t len = say(l, text, size);

		must(tn_ns_parse(&again, "again", text, len, NULL, NULL, false, NULL, NULL) ==
		     TN_OK);
		must(again.n == 1 && again.lines[0].verb == l->verb);
		must(same(again.lines[0].src, l->src) && same(again.lines[0].place, l->place) &&
		     same(again.lines[0].spec, l->spec));
		tn_ns_script_free(&again);
	}
	free(text);
}

static size_t length_of(const char *s)
{
	return s ? strlen(s) + 3 : 0;
}

static void understood(const struct tn_ns_script *script)
{
	for (size_t i = 0; i < script->n; i++) {
		const struct tn_ns_line *l = &script->lines[i];

		must(strcmp(l->file, "file") == 0 && l->line > 0 && l->column > 0);
		once_more(l, length_of(l->src) + length_of(l->place) + length_of(l->spec));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = fuzz_text(bytes, len);
	unsigned n_bad = 0;

	fuzz_begin();
	for (int lenient = 0; lenient < 2; lenient++) {
		struct tn_ns_where where = { 0 };
		struct tn_ns_script script;

		if (tn_ns_parse(&script, "file", text, len, variable, &n_bad, lenient, bad,
			&where) == TN_OK)
			understood(&script);
		else
			must(!lenient && where.what && where.line > 0);
		tn_ns_script_free(&script);
	}
	free(text);
	return 0;
}
