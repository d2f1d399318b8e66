/*
 * Lines of a `watch` file, both ways. What is read may be anybody's: each is checked whole before it means something.
 */
#include "core/change.h"

#include "core/mem.h"
#include "core/server.h"

/* clang-format off */
static const char *const words[TN_CHANGES] = {
	[TN_CHANGE_BEGUN]   = "begun",
	[TN_CHANGE_MADE]    = "made",
	[TN_CHANGE_GONE]    = "gone",
	[TN_CHANGE_WRITTEN] = "written",
	[TN_CHANGE_STATUS]  = "status",
	[TN_CHANGE_LEFT]    = "left",
	[TN_CHANGE_CAME]    = "came",
	[TN_CHANGE_LOST]    = "lost",
};
/* clang-format on */

/* ---- reading ---- */

struct tn_str tn_change_word(struct tn_str *at)
{
	struct tn_str word = { at->s, 0 };

	while (word.len < at->len && at->s[word.len] != ' ')
		word.len++;
	at->s += word.len;
	at->len -= word.len;
	if (at->len > 0) {
		at->s++;
		at->len--;
	}
	return word;
}

bool tn_change_number(struct tn_str *at, uint32_t *number)
{
	struct tn_str word = tn_change_word(at);
	uint64_t n = 0;

	if (word.len == 0 || word.len > 10)
		return false;
	for (uint32_t i = 0; i < word.len; i++) {
		if (word.s[i] < '0' || word.s[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(word.s[i] - '0');
	}
	*number = (uint32_t)n;
	return n <= UINT32_MAX;
}

bool tn_change_unquote(struct tn_str from, char *to, uint32_t size, uint32_t *len)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < from.len; i++) {
		char c = from.s[i];

		if (c == '\\') {
			if (++i == from.len || (from.s[i] != '\\' && from.s[i] != 'n'))
				return false;
			c = from.s[i] == 'n' ? '\n' : '\\';
		}
		if (n == size)
			return false;
		to[n++] = c;
	}
	*len = n;
	return true;
}

static bool is_word(struct tn_str word, const char *text)
{
	size_t len = tn_strlen(text);

	return word.len == len && memcmp(word.s, text, len) == 0;
}

static uint8_t what_of(struct tn_str word)
{
	uint8_t what = 0;

	while (what < TN_CHANGES && !is_word(word, words[what]))
		what++;
	return what;
}

bool tn_change_parse(struct tn_str line, uint32_t *number, struct tn_change *change, char name[256])
{
	struct tn_str word = tn_change_word(&line), kind;

	*change = (struct tn_change){ .what = what_of(word) };
	if (change->what == TN_CHANGES && !is_word(word, "end"))
		return false;
	if (!tn_change_number(&line, number))
		return false;
	change->name.s = name;
	if (change->what == TN_CHANGE_END) {
		change->name.len = line.len < 255 ? line.len : 255;
		memcpy(name, line.s, change->name.len);
		return true;
	}
	kind = tn_change_word(&line);
	change->is_dir = is_word(kind, "d");
	if (!change->is_dir && !is_word(kind, "f"))
		return false;
	return tn_change_number(&line, &change->pair) &&
	       tn_change_unquote(line, name, 255, &change->name.len) &&
	       (change->name.len == 0 || tn_new_name_check(change->name) == TN_OK);
}

/* ---- writing ---- */

uint32_t tn_change_quote(struct tn_str from, char *to, uint32_t size)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < from.len; i++) {
		bool quoted = from.s[i] == '\\' || from.s[i] == '\n';

		if (n + 2 > size)
			return 0;
		if (quoted)
			to[n++] = '\\';
		to[n++] = from.s[i] == '\n' ? 'n' : from.s[i];
	}
	return n;
}

static char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	*to++ = ' ';
	return to;
}

static char *put_number(char *to, uint32_t number)
{
	char digits[10];
	int n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		*to++ = digits[--n];
	*to++ = ' ';
	return to;
}

uint32_t tn_change_line(char line[TN_CHANGE_LINE_MAX], uint32_t number, const struct tn_change *c)
{
	char *at = put_text(line, words[c->what]);

	if (c->name.len > 255)
		return 0;
	at = put_number(at, number);
	at = put_text(at, c->is_dir ? "d" : "f");
	at = put_number(at, c->pair);
	at += tn_change_quote(c->name, at, 512);
	*at++ = '\n';
	return (uint32_t)(at - line);
}

uint32_t tn_change_end_line(char line[TN_CHANGE_LINE_MAX], uint32_t number, const char *cause)
{
	char *at = put_number(put_text(line, "end"), number);

	while (*cause && at < line + TN_CHANGE_LINE_MAX - 1) {
		*at++ = *cause == '\n' ? ' ' : *cause;
		cause++;
	}
	*at++ = '\n';
	return (uint32_t)(at - line);
}
