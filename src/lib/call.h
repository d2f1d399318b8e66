/*
 * Plan 9's system calls for a process's part (core/proc.h), blocking: each makes requests and turns the loop until they
 * are answered. For commands, tests and the oracle's driver; the inside of <tenon.h>. One thread, or one at a time: while
 * one waits another may call (enter.c sees to that). Never from inside a callback of the loop. Errors: a negative return,
 * then tn_call_err() and tn_call_text().
 */
#ifndef TN_LIB_CALL_H
#define TN_LIB_CALL_H

#include "core/mount.h"

/*
 * Makes the host turn the loop once, waiting for something to happen. Set by the host (host/posix); without one it runs
 * what is due and panics when nothing would ever happen.
 */
extern void (*tn_call_turn)(struct tn_loop *loop);

/* How a call waits until over(what): turns the loop as often as it takes, unless somebody has a better way (enter.c). */
extern void (*tn_call_wait)(struct tn_loop *loop, bool (*over)(const void *what), const void *what);

/* Makes err the last one; words (copied; NULL: none) say more. -1, or 0 for TN_OK. */
int tn_call_set(enum tn_err err, const char *words);

enum tn_err tn_call_err(void);
const char *tn_call_text(void); /* the server's words, else the table's; until the next call */

/* How long a call may take, from its start; 0 (at first): the servers' own bounds. */
extern uint64_t tn_call_bound_ns;

/* bind(2), chdir(2). `server`: an instance that nobody has attached to. name NULL: all that is mounted on old. */
int tn_call_bind(struct tn_proc *p, const char *name, const char *old, uint32_t flags);
int tn_call_mount(struct tn_proc *p, struct tn_server *server, const char *old, uint32_t flags,
    const char *aname);
int tn_call_unmount(struct tn_proc *p, const char *name, const char *old);
int tn_call_unmount_where(struct tn_proc *p, const char *old,
    bool (*lives)(const struct tn_chan *to, void *arg), void *arg);
int tn_call_chdir(struct tn_proc *p, const char *name);

/* rfork(2) for p itself, as far as names go: a set of these. Open files and `.` stay as they are. */
enum { TN_RF_NAMEG = 1, TN_RF_CNAMEG = 2, TN_RF_NOMNT = 4 };
int tn_call_rfork(struct tn_proc *p, uint32_t how);

#define TN_CALL_FDS_MAX 65536 /* open files of a process; beyond it TN_ELIMIT_OPEN */

/*
 * Descriptors of p: small numbers, -1 on an error. open(2), read(2), stat(2), fd2path(2). One that is closed while a call
 * uses it is gone at once; its file is, when the call is through.
 */
int tn_call_open(struct tn_proc *p, const char *name, uint32_t flags);
int tn_call_create(struct tn_proc *p, const char *name, uint32_t flags, uint32_t perm);
int64_t tn_call_read(struct tn_proc *p, int fd, void *buf, size_t size);
int64_t tn_call_pread(struct tn_proc *p, int fd, void *buf, size_t size, uint64_t offset);
int64_t tn_call_write(struct tn_proc *p, int fd, const void *buf, size_t size);
int64_t tn_call_pwrite(struct tn_proc *p, int fd, const void *buf, size_t size, uint64_t offset);
int64_t tn_call_seek(struct tn_proc *p, int fd, int64_t offset,
    int whence);                              /* 0 set, 1 by, 2 end */
int tn_call_close(struct tn_proc *p, int fd); /* 0 when the server has closed it; its error else */

/* A stat with its strings in `text`: one block, freed with tn_free; NULL after an error. */
struct tn_call_stat {
	struct tn_stat st;
	char *text;
};
int tn_call_stat(struct tn_proc *p, const char *name, struct tn_call_stat *out);
int tn_call_fstat(struct tn_proc *p, int fd, struct tn_call_stat *out);
int tn_call_wstat(struct tn_proc *p, const char *name, const struct tn_stat *st);
int tn_call_fwstat(struct tn_proc *p, int fd, const struct tn_stat *st);
int tn_call_remove(struct tn_proc *p, const char *name);

/*
 * The next entries of an open directory go to `each`, until that says false: it has not taken this one, which comes again.
 * Returns how many were taken, 0 at the end, -1. `each` may be called on a worker's thread, while this one waits. flags:
 * TN_OF_STATS, or 0: names and kinds are enough.
 */
int tn_call_dirread(struct tn_proc *p, int fd, uint32_t flags,
    bool (*each)(void *arg, const struct tn_stat *st), void *arg);

/* The Chan of a descriptor, borrowed; NULL: no such one. Puts a Chan (taken) into a free descriptor. */
struct tn_chan *tn_call_chan(struct tn_proc *p, int fd);
int tn_call_fd(struct tn_proc *p, struct tn_chan *c);

/* Gives `to`, which has none, the descriptors of `from`: the same open files, offsets shared. RFFDG. 0 or -1. */
int tn_call_copy_fds(struct tn_proc *to, struct tn_proc *from);

/* Resolves a name, symbolic links followed unless flags say TN_OF_NOFOLLOW; fill *n as name.h says. 0: n->chan and the rest are there, until tn_name_fini; -1. */
int tn_call_name(struct tn_name *n);

/* The Chan that a name leads to (want of name.h), counted; NULL: the error is told. */
struct tn_chan *tn_call_walk(struct tn_proc *p, const char *name, enum tn_name_for want);

/* Opens what n asks for (TN_FOR_OPEN, TN_FOR_CREATE) as a descriptor of `into`. */
int tn_call_open_name(struct tn_name *n, struct tn_proc *into);

/* Submits r, whose owner is tn_call_owner or has no need to be told, and waits for its answer. 0, or -1: r->err. */
int tn_call_req(struct tn_req *r);
extern const struct tn_owner tn_call_owner;

/* Waits for a request that tn_submit kept: turns the loop until it is answered. */
void tn_call_wait_req(struct tn_loop *loop, struct tn_req *r);

#endif
