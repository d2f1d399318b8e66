/*
 * The mounts of a mount name space as the kernel tells them, /proc/PID/mountinfo: a snapshot. proc(5).
 *
 * A mount shows `root` of the file system `dev` at the name `at`. It lies on a name in its parent; a mount that lies on
 * another one's root has that one's name.
 */
#ifndef TN_LAUNCH_KMOUNTS_H
#define TN_LAUNCH_KMOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tn_kmount {
	uint32_t id;
	struct tn_kmount *parent; /* NULL: the first, or not to be seen from here */
	dev_t dev;
	const char *root, *at;
	void *owner; /* for whoever made it; NULL at first */
};

struct tn_kmounts {
	struct tn_kmount *m; /* parents come before what lies on them */
	size_t n;
	char *text; /* what the names point into */
};

/* Those of process `pid` (0: one's own). 0, or an errno; then *t is empty. */
int tn_kmounts_read(struct tn_kmounts *t, pid_t pid);
void tn_kmounts_free(struct tn_kmounts *t);

/* A table from the text of a mountinfo, which is cut up; taken. */
int tn_kmounts_parse(struct tn_kmounts *t, char *text);

struct tn_kmount *tn_kmounts_find(const struct tn_kmounts *t,
    uint32_t id); /* NULL: there is none */

/* What lies directly on `name` in m, on m's root if it is m's own name; NULL: nothing. */
struct tn_kmount *tn_kmounts_on(const struct tn_kmounts *t, const struct tn_kmount *m,
    const char *name);

/* Is m's `name` what the name leads to, as far as mounts go: nothing lies on m, on m's way, or on the way in m? */
bool tn_kmounts_is_seen(const struct tn_kmounts *t, const struct tn_kmount *m, const char *name);

/* The mount that the directory of an absolute name lies in: what is at the name itself does not matter. */
struct tn_kmount *tn_kmounts_around(const struct tn_kmounts *t, const char *name);

/*
 * What is left of `name` below `above`: "" if they are the same, "/x" for what is in it; NULL: it is not below it. Names
 * are absolute and clean.
 */
const char *tn_name_below(const char *name, const char *above);

/* above + below, where `below` is as tn_name_below gives it. For free(); NULL: no memory. */
char *tn_name_join(const char *above, const char *below);

#endif
