/*
 * inotify inside: what changes at a server without a program in here having done it (another client, the server's own
 * host) is raised in this kernel, for the directories that somebody in here watches. Four parts: watchers.c finds out
 * which directories those are, notify.c follows them at their servers (TN_WATCH), echo.c knows what programs in here did
 * themselves, which the kernel has raised already, and raise.c raises the rest: a child that has our file system does
 * the same to its names once more, and what it asks for is answered "done" without a word to the server. launcher.md 5.
 *
 * The child holds the file system by a mount of its own while something is followed, so a name space ends at the latest
 * WATCHERS_NS behind its last process, and the server of a mount of the host's when launch_fuse_quiet was called.
 */
#ifndef TN_LAUNCH_NOTIFY_H
#define TN_LAUNCH_NOTIFY_H

#include "launch/door.h"
#include "launch/live.h"

struct launch_notify;
struct launch_echo;

/* Where the child takes the bare file system from. */
struct launch_bare {
	struct tn_live_place in; /* it is the root of this name space; with dir: its `device` alone */
	const char *dir;         /* it is mounted here, in the host's own name space; borrowed; NULL: it is not */
};

/* Begins. Without memory nothing is raised. */
void launch_notify_start(struct launch_fuse *f, const struct launch_bare *bare);

/* Raises nothing any more. The child may wait for an answer of the door's: it is reaped when fuse's session has ended. */
void launch_notify_stop(struct launch_fuse *f);
void launch_notify_free(struct launch_fuse *f);

/* `pid` has asked for something: it may have begun to watch. */
void launch_notify_asked(struct launch_fuse *f, pid_t pid);

/* ---- what programs do themselves: before the operation begins, which takes it; and when it is over ---- */

void launch_notify_makes(struct launch_fuse *f, fuse_ino_t parent, const char *name);
void launch_notify_removes(struct launch_fuse *f, fuse_ino_t parent, const char *name);
void launch_notify_renames(struct launch_fuse *f, fuse_ino_t parent, const char *name,
    fuse_ino_t newparent, const char *newname, bool both);
void launch_notify_touches(struct launch_fuse *f, fuse_ino_t ino);
struct launch_echo *launch_notify_take(struct launch_fuse *f); /* by launch_op_new */
void launch_notify_over(struct launch_fuse *f, struct launch_echo *e, int error); /* takes NULL */

/* ---- requests of the child: true: answered ---- */

bool launch_raised_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
bool launch_raised_getattr(fuse_req_t req, fuse_ino_t ino);
bool launch_raised_setattr(fuse_req_t req, fuse_ino_t ino);
bool launch_raised_make(fuse_req_t req, fuse_ino_t parent, const char *name);
bool launch_raised_remove(fuse_req_t req, fuse_ino_t parent, const char *name);
bool launch_raised_rename(fuse_req_t req, fuse_ino_t parent, const char *name);

/* ---- the same operations, rows of launch_fops: told.c ---- */

void launch_told_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    dev_t rdev);
void launch_told_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void launch_told_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void launch_told_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
void launch_told_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi);
void launch_told_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void launch_told_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void launch_told_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags);
void launch_told_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void launch_told_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi);
void launch_told_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
    struct fuse_file_info *fi);
void launch_told_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
    struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
    size_t len, int flags);
void launch_told_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags);
void launch_told_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* Its part of the counters. */
void launch_notify_stats(const struct launch_fuse *f, struct launch_fuse_stats *out);

#endif
