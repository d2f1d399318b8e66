/*
 * What the kernel says of processes, as text that the launcher reads: mountinfo, whose names are anybody's, and fdinfo. The
 * first byte says which.
 */
#include "fuzz.h"
#include "launch/kmounts.h"
#include "launch/notify_in.h"

#include <sys/sysmacros.h>

enum { ASKED = 8 };

/* Parents stand before their children, so that no way up is a circle; each answers by its number. */
static void look(const struct tn_kmounts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct tn_kmount *m = &t->m[i];

		must(!m->parent || (m->parent >= t->m && m->parent < m));
		must(tn_kmounts_find(t, m->id) && m->root && m->at);
		if (i >= ASKED)
			continue;
		tn_kmounts_on(t, m->parent, m->at);
		tn_kmounts_is_seen(t, m, m->at);
		must(tn_kmounts_around(t, m->at));
	}
}

/* A name that lies below another is that one with something behind it. */
static void join(const struct tn_kmounts *t)
{
	const char *below;
	char *whole;

	if (t->n < 2 || t->m[0].at[0] != '/' || !(below = tn_name_below(t->m[1].at, t->m[0].at)))
		return;
	whole = tn_name_join(t->m[0].at, below);
	must(whole);
	free(whole);
}

static void mounts(const uint8_t *bytes, size_t len)
{
	struct tn_kmounts t;

	must(tn_kmounts_parse(&t, fuzz_text(bytes, len)) == 0); /* which takes the text */
	look(&t);
	join(&t);
	tn_kmounts_free(&t);
}

static void fdinfo(char *text)
{
	struct launch_mark mark;

	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		launch_mark_parse(line, makedev(0, 0x35), &mark);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text;

	fuzz_begin();
	if (len == 0)
		return 0;
	if (bytes[0] & 1) {
		text = fuzz_text(bytes + 1, len - 1);
		fdinfo(text);
		free(text);
	} else {
		mounts(bytes + 1, len - 1);
	}
	return 0;
}
