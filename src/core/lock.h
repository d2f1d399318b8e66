/*
 * POSIX locks of byte ranges, fcntl(2): a table that a file server has for its files. Nobody waits here: a range that
 * somebody else has is refused, and who means to ask again is remembered for a while, so that a circle of those who wait
 * for each other is seen. One thread at a time.
 */
#ifndef TN_CORE_LOCK_H
#define TN_CORE_LOCK_H

#include "core/req.h"

/* A file, as its server tells it from others: all its names, and all attaches, have one key. */
struct tn_lock_key {
	uint64_t a, b;
};

/* A lock, or the wish for one. */
struct tn_lock {
	uint64_t first, last; /* bytes, both in it; last is TN_LOCK_END: to the end of any file */
	uint64_t owner;
	uint32_t pid;
	uint8_t type; /* TN_LK_READ, TN_LK_WRITE, TN_LK_UNLOCK */
	const struct tn_chan
	    *by; /* the open Chan: its clunk is the end of the lock. A name for it, not counted */
};

#define TN_LOCK_END ((uint64_t)INT64_MAX)

struct tn_locks_limits {
	uint32_t file_max; /* ranges of one file, TN_ELIMIT_LOCKS; 0: 1024 */
	uint32_t all_max;  /* ranges of the table, TN_ELIMIT_LOCKS; 0: 16384 */
	uint32_t
	    waits_max; /* owners that are known to wait; beyond it the one who asked longest ago is forgotten; 0: 256 */
	uint64_t wait_ns; /* who has not asked again for so long waits no more; 0: 5 s */
};

enum { TN_LOCK_BUCKETS = 64 };

struct tn_locks {
	struct tn_locks_limits limits;
	/*
	 * Has the last word on a lock that this table would grant, when nothing else can fail: for a server whose files
	 * others lock too. TN_OK: it is set. NULL: there are no others.
	 */
	enum tn_err (*outside)(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l);
	uint32_t n_ranges, n_waits;
	struct tn_lock_wait *waits; /* who asked last comes first */
	struct tn_locked_file *files[TN_LOCK_BUCKETS];
};

/* limits may be NULL. fini frees what is left. */
void tn_locks_init(struct tn_locks *t, const struct tn_locks_limits *limits);
void tn_locks_fini(struct tn_locks *t);

/*
 * What a TN_LOCK or TN_GETLOCK asks for. TN_ENOTOPEN; TN_EBADUSE: the Chan is not open for what the lock is about;
 * TN_EINVAL, TN_EOVERFLOW as fcntl(2) has them for a start or an end that no file has.
 */
enum tn_err tn_lock_of(struct tn_lock *l, const struct tn_req *r);

/* Somebody else's lock that stands in l's way: the one that begins first. Borrowed until the table changes; NULL: none. */
const struct tn_lock *tn_locks_conflict(const struct tn_locks *t, struct tn_lock_key key,
    const struct tn_lock *l);

/*
 * Sets l, in place of all that its owner has there; or takes that away. All of it or nothing.
 * TN_EAGAIN: tn_locks_conflict. TN_EDEADLK: the same, l's owner means to ask again (`waits`), and the one who has it
 * waits, over as many others as it may be, for l's owner. TN_ELIMIT_LOCKS, TN_ENOMEM; what `outside` says.
 */
enum tn_err tn_locks_set(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l,
    bool waits);

/* The owner has given up waiting, so that no circle goes through it. */
void tn_locks_waits_not(struct tn_locks *t, uint64_t owner);

/* Takes away what was set by the Chan. *span: from the first to the last byte of it. false: there was nothing. */
bool tn_locks_drop(struct tn_locks *t, struct tn_lock_key key, const struct tn_chan *by,
    struct tn_lock *span);

/* Cuts *gap to the first stretch in it where nobody has a lock. false: there is none. */
bool tn_locks_gap(const struct tn_locks *t, struct tn_lock_key key, struct tn_lock *gap);

/* TN_LOCK and TN_GETLOCK of a server for whose files this table is all there is. */
enum tn_status tn_locks_serve(struct tn_locks *t, struct tn_lock_key key, struct tn_req *r);

/* TN_GETLOCK's answer. NULL: nothing stands in the way. */
enum tn_status tn_locks_tell(struct tn_req *r, const struct tn_lock *conflict);

#endif
