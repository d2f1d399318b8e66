/*
 * Files by name, in a thread's name space, and by descriptor: those are the program's, in one table. What a file is called
 * and who owns it is put where the caller has room for it.
 */
#include "lib/enter.h"

#include <string.h>

#define OPEN_FLAGS                                                                    \
	(TN_OF_ACCESS | TN_OF_TRUNC | TN_OF_RCLOSE | TN_OF_APPEND | TN_OF_DIRECTORY | \
	    TN_OF_NOFOLLOW | TN_OF_SYNC)

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

/* ---- opening ---- */

static int open_as(const char *name, struct tn_name *n, unsigned allowed)
{
	struct tn_proc *p = tn_enter_ns(name && (n->flags & ~allowed) == 0);

	if (!p)
		return -1;
	n->proc = p;
	n->name = str(name);
	return (int)tn_leave(tn_call_open_name(n, tn_program.files));
}

int tn_open(const char *name, unsigned flags)
{
	struct tn_name n = { .want = TN_FOR_OPEN, .flags = flags };

	return open_as(name, &n, OPEN_FLAGS);
}

int tn_create(const char *name, unsigned flags, uint32_t perm)
{
	struct tn_name n = { .want = TN_FOR_CREATE, .flags = flags | TN_OF_INHERIT, .perm = perm };

	return open_as(name, &n, OPEN_FLAGS | TN_OF_EXCL | TN_OF_INHERIT);
}

int tn_close(int fd)
{
	return tn_enter(true) ? (int)tn_leave(tn_call_close(tn_program.files, fd)) : -1;
}

/* ---- bytes ---- */

int64_t tn_read(int fd, void *buf, size_t size)
{
	if (!tn_enter(buf || size == 0))
		return -1;
	return tn_leave(tn_call_read(tn_program.files, fd, buf, size));
}

int64_t tn_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	if (!tn_enter(buf || size == 0))
		return -1;
	return tn_leave(tn_call_pread(tn_program.files, fd, buf, size, offset));
}

int64_t tn_write(int fd, const void *buf, size_t size)
{
	if (!tn_enter(buf || size == 0))
		return -1;
	return tn_leave(tn_call_write(tn_program.files, fd, buf, size));
}

int64_t tn_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
	if (!tn_enter(buf || size == 0))
		return -1;
	return tn_leave(tn_call_pwrite(tn_program.files, fd, buf, size, offset));
}

int64_t tn_seek(int fd, int64_t offset, int whence)
{
	if (!tn_enter(true))
		return -1;
	return tn_leave(tn_call_seek(tn_program.files, fd, offset, whence));
}

/* ---- what is known of files ---- */

/* The strings of *st move to *at, which moves on, each with a NUL behind it. false: no room, nothing has moved. */
static bool place_strings(struct tn_stat *st, char **at, size_t *left)
{
	struct tn_str *strings[] = { &st->name, &st->uid, &st->gid, &st->muid, &st->extension };
	size_t need = 0;

	for (size_t i = 0; i < TN_COUNT(strings); i++)
		need += strings[i]->len + 1;
	if (need > *left)
		return false;
	for (size_t i = 0; i < TN_COUNT(strings); i++) {
		struct tn_str *s = strings[i];

		if (s->len > 0)
			memcpy(*at, s->s, s->len);
		(*at)[s->len] = '\0';
		s->s = *at;
		*at += s->len + 1;
	}
	*left -= need;
	return true;
}

/* Without room for any the strings are said to be unknown. */
static void drop_strings(struct tn_stat *st)
{
	st->name = st->uid = st->gid = st->muid = st->extension = TN_STR("");
	st->valid &= ~(uint32_t)(TN_ST_NAME | TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_EXTENSION);
}

/* Takes the text of *found. */
static int give_stat(struct tn_call_stat *found, struct tn_stat *st, char *strings, size_t size)
{
	bool has_room = true;

	*st = found->st;
	if (strings)
		has_room = place_strings(st, &strings, &size);
	if (!strings || !has_room)
		drop_strings(st);
	tn_free(found->text);
	return has_room ? 0 : tn_call_set(TN_ERANGE, NULL);
}

static bool is_room(const struct tn_stat *st, const char *strings, size_t size)
{
	return st && (strings || size == 0);
}

int tn_stat(const char *name, struct tn_stat *st, char *strings, size_t size)
{
	struct tn_proc *p = tn_enter_ns(name && is_room(st, strings, size));
	struct tn_call_stat found;

	if (!p)
		return -1;
	if (tn_call_stat(p, name, &found) < 0)
		return (int)tn_leave(-1);
	return (int)tn_leave(give_stat(&found, st, strings, size));
}

int tn_fstat(int fd, struct tn_stat *st, char *strings, size_t size)
{
	struct tn_call_stat found;

	if (!tn_enter(is_room(st, strings, size)))
		return -1;
	if (tn_call_fstat(tn_program.files, fd, &found) < 0)
		return (int)tn_leave(-1);
	return (int)tn_leave(give_stat(&found, st, strings, size));
}

int tn_wstat(const char *name, const struct tn_stat *st)
{
	struct tn_proc *p = tn_enter_ns(name && st);

	return p ? (int)tn_leave(tn_call_wstat(p, name, st)) : -1;
}

int tn_fwstat(int fd, const struct tn_stat *st)
{
	if (!tn_enter(st != NULL))
		return -1;
	return (int)tn_leave(tn_call_fwstat(tn_program.files, fd, st));
}

int tn_remove(const char *name)
{
	struct tn_proc *p = tn_enter_ns(name != NULL);

	return p ? (int)tn_leave(tn_call_remove(p, name)) : -1;
}

/* ---- directories ---- */

struct list {
	struct tn_stat *st;
	int n, max;
	char *at; /* NULL: no strings are wanted */
	size_t left;
	bool has_no_room; /* for the strings of the one that comes next */
};

/* Maybe on a worker's thread. */
static bool take_entry(void *arg, const struct tn_stat *st)
{
	struct list *l = arg;
	struct tn_stat taken = *st;

	if (l->n == l->max)
		return false;
	if (!l->at)
		drop_strings(&taken);
	else if (!place_strings(&taken, &l->at, &l->left))
		l->has_no_room = true;
	if (l->has_no_room)
		return false;
	l->st[l->n++] = taken;
	return true;
}

int tn_dirread(int fd, struct tn_stat *st, int n, char *strings, size_t size)
{
	struct list l = { .st = st, .max = n, .at = strings, .left = size };
	int ret;

	if (!tn_enter(is_room(st, strings, size) && n > 0))
		return -1;
	ret = tn_call_dirread(tn_program.files, fd, TN_OF_STATS, take_entry, &l);
	if (ret == 0 && l.has_no_room)
		ret = tn_call_set(TN_ERANGE, NULL);
	return (int)tn_leave(ret);
}
