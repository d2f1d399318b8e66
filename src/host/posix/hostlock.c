/*
 * Locks of #host's files. One table for all instances of this process: two exports of one file exclude each other. What
 * the table has, the host's file has too, as locks of one open file description that is nobody's Chan (fcntl(2), F_OFD_*),
 * so that processes of the host are excluded: of each byte the strongest lock that anybody here has. Only on local file
 * systems, whose lock calls end at once; elsewhere, and where the host has no locks, the table is all there is.
 */
#include "core/chan.h"
#include "core/lock.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* A file that is locked at the host too. */
struct locked {
	struct locked *next;
	struct tn_lock_key key;
	int fd;
};

static struct {
	pthread_mutex_t
	    lock; /* instances may have loops of their own; nothing that waits is called under it */
	struct tn_locks table;
	struct locked *files;
	uint32_t users;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct tn_lock_key key_of(const struct hf_file *f)
{
	return (struct tn_lock_key){ f->opened->id.dev, f->opened->id.ino };
}

static struct locked **locked_at(struct tn_lock_key key)
{
	struct locked **at = &all.files;

	while (*at && ((*at)->key.a != key.a || (*at)->key.b != key.b))
		at = &(*at)->next;
	return at;
}

static struct flock flock_of(const struct tn_lock *l)
{
	static const short
	    types[] = { [TN_LK_READ] = F_RDLCK, [TN_LK_WRITE] = F_WRLCK, [TN_LK_UNLOCK] = F_UNLCK };

	return (struct flock){ .l_type = types[l->type],
		.l_whence = SEEK_SET,
		.l_start = (off_t)l->first,
		.l_len = l->last == TN_LOCK_END ? 0 : (off_t)(l->last - l->first + 1) };
}

/* For reading and writing, if it can be had: whoever comes later may want the other. */
static int open_for_locks(const struct hf_file *f, uint32_t access)
{
	char path[HF_FD_PATH_SIZE];
	int fd = -1;

	if (access != TN_ORDWR)
		fd = open(hf_fd_path(f->fd, path), O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
}

static enum tn_err locked_new(struct locked **at, const struct tn_lock *l)
{
	struct locked *new = tn_alloc(sizeof(*new));

	if (!new)
		return TN_ENOMEM;
	new->fd = open_for_locks(hf_file_of(l->by), l->by->flags & TN_OF_ACCESS);
	if (new->fd < 0) {
		tn_free(new);
		return hf_err(errno);
	}
	*at = new;
	return TN_OK;
}

/* Without a lock of ours the descriptor goes. */
static void trim(struct tn_lock_key key)
{
	struct tn_lock gap = { .first = 0, .last = TN_LOCK_END };
	struct locked **at = locked_at(key), *gone = *at;

	if (!gone || !tn_locks_gap(&all.table, key, &gap) || gap.first > 0 ||
	    gap.last < TN_LOCK_END)
		return;
	*at = gone->next;
	close(gone->fd);
	tn_free(gone);
}

/* The table grants it; so that nobody else here has anything there, or all who have read. */
static enum tn_err lock_at_host(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l)
{
	const struct hf_file *f = hf_file_of(l->by);
	struct locked **at = locked_at(key);
	struct flock want = flock_of(l);
	enum tn_err err;

	(void)t;
	if (f->fd < 0 || f->slow || f->place->kind != S_IFREG)
		return TN_OK;
	if (!*at) {
		err = locked_new(at, l);
		if (err)
			return err;
		(*at)->key = key;
	}
	if (fcntl((*at)->fd, F_OFD_SETLK, &want) == 0 || (errno != EAGAIN && errno != EACCES))
		return TN_OK;
	trim(key);
	return TN_EAGAIN;
}

/* What nobody here has of these bytes any more, nobody has at the host. */
static void unlock_at_host(struct tn_lock_key key, const struct tn_lock *span)
{
	struct locked *at = *locked_at(key);
	struct tn_lock gap = { .first = span->first, .last = span->last, .type = TN_LK_UNLOCK };

	while (at && tn_locks_gap(&all.table, key, &gap)) {
		struct flock none = flock_of(&gap);

		fcntl(at->fd, F_OFD_SETLK, &none);
		gap.first = gap.last + 1;
		gap.last = span->last;
	}
	trim(key);
}

/* Who of the host stands in the way. false: nobody. *l becomes his lock; a description's has no process. */
static bool host_conflict(const struct hf_file *f, struct tn_lock_key key, struct tn_lock *l)
{
	const struct locked *at = *locked_at(key);
	struct flock found = flock_of(l);

	if (f->fd < 0 || f->slow || fcntl(at ? at->fd : f->fd, F_OFD_GETLK, &found) ||
	    found.l_type == F_UNLCK)
		return false;
	l->type = found.l_type == F_WRLCK ? TN_LK_WRITE : TN_LK_READ;
	l->first = (uint64_t)found.l_start;
	l->last = found.l_len ? (uint64_t)(found.l_start + found.l_len - 1) : TN_LOCK_END;
	l->owner = 0;
	l->pid = found.l_pid > 0 ? (uint32_t)found.l_pid : 0;
	return true;
}

enum tn_status hf_lock(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct tn_lock_key key;
	struct tn_lock l;
	enum tn_err err = hf_is_open(f) ? tn_lock_of(&l, r) : TN_ENOTOPEN;

	if (err)
		return tn_fail(r, err);
	key = key_of(f);
	pthread_mutex_lock(&all.lock);
	err = tn_locks_set(&all.table, key, &l, r->u.lock.waits);
	if (!err && l.type == TN_LK_UNLOCK)
		unlock_at_host(key, &l);
	pthread_mutex_unlock(&all.lock);
	f->has_locks = f->has_locks || !err;
	return tn_fail(r, err);
}

enum tn_status hf_getlock(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	const struct tn_lock *found;
	struct tn_lock_key key;
	struct tn_lock l;
	enum tn_err err = hf_is_open(f) ? tn_lock_of(&l, r) : TN_ENOTOPEN;

	if (err)
		return tn_fail(r, err);
	key = key_of(f);
	pthread_mutex_lock(&all.lock);
	tn_locks_waits_not(&all.table, l.owner);
	found = tn_locks_conflict(&all.table, key, &l);
	if (!found && host_conflict(f, key, &l))
		found = &l;
	tn_locks_tell(r, found);
	pthread_mutex_unlock(&all.lock);
	return TN_DONE;
}

void hf_locks_drop(const struct tn_chan *c)
{
	struct hf_file *f = hf_file_of(c);
	struct tn_lock span;

	if (!f->has_locks)
		return;
	pthread_mutex_lock(&all.lock);
	if (tn_locks_drop(&all.table, key_of(f), c, &span))
		unlock_at_host(key_of(f), &span);
	pthread_mutex_unlock(&all.lock);
}

void hf_locks_get(void)
{
	pthread_mutex_lock(&all.lock);
	if (all.users++ == 0) {
		tn_locks_init(&all.table, NULL);
		all.table.outside = lock_at_host;
	}
	pthread_mutex_unlock(&all.lock);
}

void hf_locks_put(void)
{
	pthread_mutex_lock(&all.lock);
	if (--all.users == 0)
		tn_locks_fini(&all.table);
	pthread_mutex_unlock(&all.lock);
}
