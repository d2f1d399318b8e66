#include "cmd/say.h"

#include "cmd/option.h"

#include <errno.h>
#include <string.h>

static const char safe[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-";

void (*cmd_before_say)(void);

struct tn_str cmd_str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

/* The length of the well-formed UTF-8 character at s that a terminal shows, 0 when there is none. */
static size_t shown_len(const char *s, size_t left)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80                   ? 1
		   : u[0] >= 0xc2 && u[0] < 0xe0 ? 2
		   : u[0] >= 0xe0 && u[0] < 0xf0 ? 3
		   : u[0] < 0xf5                 ? 4
						 : 0;

	if (u[0] < 0x20 || u[0] == 0x7f || n == 0 || n > left || (u[0] >= 0x80 && u[0] < 0xc2))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	/* C1 controls, overlong forms, surrogates, beyond U+10FFFF. */
	if ((u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xe0 && u[1] < 0xa0) ||
	    (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
	    (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

/* Whether a shell takes the word as it is, and a terminal shows it. */
static bool is_plain(struct tn_str name)
{
	for (uint32_t i = 0; i < name.len;) {
		size_t n = shown_len(name.s + i, name.len - i);

		if (n == 0 || (n == 1 && !strchr(safe, name.s[i])))
			return false;
		i += (uint32_t)n;
	}
	return name.len > 0;
}

void cmd_print_name(FILE *to, struct tn_str name)
{
	enum quotes { NONE, SINGLE, DOLLAR } open = NONE; /* '...' or $'...' */
	static const char *const opening[] = { [SINGLE] = "'", [DOLLAR] = "$'" };

	if (is_plain(name)) {
		fwrite(name.s, 1, name.len, to);
		return;
	}
	for (uint32_t i = 0; i < name.len;) {
		size_t n = shown_len(name.s + i, name.len - i);
		enum quotes want = n && name.s[i] != '\'' ? SINGLE : DOLLAR;

		if (open != NONE && open != want)
			fputc('\'', to);
		if (open != want)
			fputs(opening[want], to);
		open = want;
		if (want == SINGLE)
			fwrite(name.s + i, 1, n, to);
		else
			fprintf(to, "\\%03o", (unsigned char)name.s[i]);
		i += n ? (uint32_t)n : 1;
	}
	fputs(open == NONE ? "''" : "'", to);
}

void cmd_print_text(FILE *to, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		size_t n = shown_len(text, left);

		if (n)
			fwrite(text, 1, n, to);
		else
			fputc('?', to);
		n += n == 0;
		text += n;
		left -= n;
	}
}

void cmd_say(const char *what, const char *name, const char *cause)
{
	if (cmd_before_say)
		cmd_before_say();
	fputs("tenon: ", stderr);
	if (what)
		fprintf(stderr, "%s: ", what);
	if (name) {
		cmd_print_name(stderr, cmd_str(name));
		fputs(": ", stderr);
	}
	cmd_print_text(stderr, cause); /* which may be a server's words */
	fputc('\n', stderr);
}

int cmd_say_errno(const char *what, const char *name)
{
	cmd_say(what, name, strerror(errno));
	return CMD_FAILED;
}
