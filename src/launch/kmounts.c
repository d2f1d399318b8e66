/*
 * Reading mountinfo. Its names have blanks, newlines and backslashes as three octal digits; names and order are the
 * kernel's, but that parents come first is made sure of here, for one mount can be moved onto a later one.
 */
#include "launch/kmounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { TEXT_FIRST = 16384 };

/* ---- the text ---- */

static char *read_all(int fd)
{
	size_t size = TEXT_FIRST, len = 0;
	char *text = malloc(size), *more;
	ssize_t n;

	while (text && (n = read(fd, text + len, size - len - 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
		if (size - len > 1)
			continue;
		more = realloc(text, size *= 2);
		if (!more)
			break;
		text = more;
	}
	if (text && n == 0) {
		text[len] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && is_octal(s + 1)) {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = '\0';
}

/* A line before its parents are known: the parent's number stands in `owner`'s place. */
struct line {
	struct tn_kmount mount;
	uint32_t parent;
	bool is_placed;
};

/* "ID PARENT MAJOR:MINOR ROOT AT OPTIONS ..." */
static bool parse_line(char *text, struct line *line)
{
	unsigned id, parent, major_number, minor_number;
	char *root, *at, *end;
	int used = 0;

	if (sscanf(text, "%u %u %u:%u %n", &id, &parent, &major_number, &minor_number, &used) < 4 ||
	    used == 0)
		return false;
	root = text + used;
	at = strchr(root, ' ');
	end = at ? strchr(at + 1, ' ') : NULL;
	if (!end)
		return false;
	*at++ = '\0';
	*end = '\0';
	unescape(root);
	unescape(at);
	*line = (struct line){ .mount = { .id = id,
				   .dev = makedev(major_number, minor_number),
				   .root = root,
				   .at = at },
		.parent = parent };
	return true;
}

/* ---- the table ---- */

static struct line *line_of(struct line *lines, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (lines[i].mount.id == id)
			return &lines[i];
	}
	return NULL;
}

/* Puts the lines into the table, parents first. A circle cannot be; what were in one is left out. */
static void place_lines(struct tn_kmounts *t, struct line *lines, size_t n)
{
	size_t before;

	do {
		before = t->n;
		for (size_t i = 0; i < n; i++) {
			const struct line *up = line_of(lines, n, lines[i].parent);

			if (lines[i].is_placed || (up && up != &lines[i] && !up->is_placed))
				continue;
			t->m[t->n] = lines[i].mount;
			if (up && up != &lines[i])
				t->m[t->n].parent = tn_kmounts_find(t, lines[i].parent);
			t->n++;
			lines[i].is_placed = true;
		}
	} while (t->n > before);
}

int tn_kmounts_parse(struct tn_kmounts *t, char *text)
{
	size_t n_lines = 0, n = 0;
	struct line *lines;
	char *rest = text, *line;

	*t = (struct tn_kmounts){ .text = text };
	for (const char *s = text; *s; s++)
		n_lines += *s == '\n';
	lines = calloc(n_lines + 1, sizeof(*lines));
	t->m = calloc(n_lines + 1, sizeof(*t->m));
	if (!lines || !t->m) {
		free(lines);
		tn_kmounts_free(t);
		return ENOMEM;
	}
	while ((line = strsep(&rest, "\n")) && n < n_lines)
		n += parse_line(line, &lines[n]);
	place_lines(t, lines, n);
	free(lines);
	return 0;
}

int tn_kmounts_read(struct tn_kmounts *t, pid_t pid)
{
	char name[64] = "/proc/self/mountinfo", *text;
	int fd, error;

	*t = (struct tn_kmounts){ 0 };
	if (pid)
		snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	errno = ENOMEM;
	text = read_all(fd);
	error = errno;
	close(fd);
	return text ? tn_kmounts_parse(t, text) : error;
}

void tn_kmounts_free(struct tn_kmounts *t)
{
	free(t->m);
	free(t->text);
	*t = (struct tn_kmounts){ 0 };
}

/* ---- names ---- */

const char *tn_name_below(const char *name, const char *above)
{
	size_t len = strcmp(above, "/") == 0 ? 0 : strlen(above);

	if (strncmp(name, above, len) != 0 || (name[len] != '\0' && name[len] != '/'))
		return NULL;
	return len == 0 && name[1] == '\0' ? "" : name + len;
}

char *tn_name_join(const char *above, const char *below)
{
	size_t len = strcmp(above, "/") == 0 && below[0] ? 0 : strlen(above);
	char *name = malloc(len + strlen(below) + 1);

	if (!name)
		return NULL;
	memcpy(name, above, len);
	strcpy(name + len, below);
	return name;
}

/* ---- asking ---- */

struct tn_kmount *tn_kmounts_find(const struct tn_kmounts *t, uint32_t id)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->m[i].id == id)
			return &t->m[i];
	}
	return NULL;
}

struct tn_kmount *tn_kmounts_on(const struct tn_kmounts *t, const struct tn_kmount *m,
    const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->m[i].parent == m && strcmp(t->m[i].at, name) == 0)
			return &t->m[i];
	}
	return NULL;
}

/* Does something lie on m's root, or on the way from there to the name? What is at the name itself does not count. */
static bool is_covered(const struct tn_kmounts *t, const struct tn_kmount *m, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *rest;

		if (t->m[i].parent != m)
			continue;
		rest = tn_name_below(name, t->m[i].at);
		if (rest && rest[0])
			return true;
	}
	return false;
}

bool tn_kmounts_is_seen(const struct tn_kmounts *t, const struct tn_kmount *m, const char *name)
{
	for (; m; name = m->at, m = m->parent) {
		if (is_covered(t, m, name))
			return false;
	}
	return true;
}

struct tn_kmount *tn_kmounts_around(const struct tn_kmounts *t, const char *name)
{
	struct tn_kmount *here = t->n ? &t->m[0] : NULL, *next = here;

	while (next) {
		here = next;
		next = NULL;
		for (size_t i = 0; i < t->n; i++) {
			const char *rest = t->m[i].parent == here ? tn_name_below(name, t->m[i].at)
								  : NULL;

			/* The nearest to the root covers the others. */
			if (rest && rest[0] && (!next || strlen(t->m[i].at) < strlen(next->at)))
				next = &t->m[i];
		}
	}
	return here;
}
