/*
 * The FUSE door: a program's file calls become requests on names and Chans. It serves the name space of one tn_proc on
 * one FUSE descriptor, by libfuse3's low-level interface in our own loop. Nodes are places (node.h); what a place shows
 * is looked up in the name space as it is now, so a bind is seen at the next call. launcher.md 3, 5.
 */
#ifndef TN_LAUNCH_FUSE_H
#define TN_LAUNCH_FUSE_H

#include "core/name.h"
#include "host/posix/loop.h"

struct launch_fuse;

struct launch_fuse_options {
	int fd;             /* /dev/fuse, O_NONBLOCK; taken */
	uint32_t chans_max; /* Chans of remote servers that nodes hold at most; 0: 128 */
	void (*ended)(
	    void *arg); /* the file system is gone (the last mount of it has ended); called once */
	void *arg;
	bool debug;
};

/*
 * A door that serves `proc` (counted) from its `/` down. It does not read fd yet. NULL: errno.
 *
 * Whom files belong to is decided here for every door: where this process is root among others, files have the owners that
 * their servers name, and what somebody makes is given to him; else all are this process's own.
 */
struct launch_fuse *launch_fuse_new(struct tn_host_loop *hl, struct tn_proc *proc,
    const struct launch_fuse_options *options);

/* mount(2) of /dev/fuse on dir, as every door wants it. `type` is "fuse" or "fuse.NAME". 0, or an errno. */
int launch_fuse_mount(const char *dir, int fd, const char *type);

/* Begins to serve: when the kernel's mount exists, not before (a poll of fd would say POLLERR). 0, or -errno. */
int launch_fuse_start(struct launch_fuse *f);

/*
 * Names on the way to a kernel mount: their entries are kept by the kernel for an hour, since a lookup that is answered
 * otherwise takes the mount away. `path` is absolute in the file system. Counted: each pin wants an unpin. After the
 * last unpin the kernel is told to forget the entry. 0, or -ENOMEM.
 */
int launch_fuse_pin(struct launch_fuse *f, const char *path);
void launch_fuse_unpin(struct launch_fuse *f, const char *path);

/*
 * The kernel is being told to forget an entry. A mount that is made there meanwhile would be taken away again: who mounts
 * turns the loop until this is over.
 */
bool launch_fuse_is_telling(const struct launch_fuse *f);

/*
 * A name of the root that no listing has and that shows `c` (counted; as TN_FOR_TARGET gave it: what is mounted there is
 * seen): what the launcher binds onto places in directories of the host, which the kernel serves. It begins with
 * LAUNCH_HIDDEN and stays until launch_fuse_hide. 0, or -ENOMEM.
 */
#define LAUNCH_HIDDEN ".tenon-"
int launch_fuse_show(struct launch_fuse *f, const char *name, struct tn_chan *c);
void launch_fuse_hide(struct launch_fuse *f, const char *name);

/*
 * What others change at the servers is raised by inotify, for who watches it: where the file system is, is known now. A
 * mount of the host's that has ended, which who watches it would not hear of else, has to be told by launch_fuse_quiet.
 * notify.h
 */
struct launch_bare;
void launch_fuse_notify(struct launch_fuse *f, const struct launch_bare *bare);
void launch_fuse_quiet(struct launch_fuse *f);

/* What it has done: one table for #ns/stats. */
struct launch_fuse_stats {
	uint64_t requests, errors, interrupted, walked_again;
	uint32_t nodes, chans, open;
	/* notify.h: directories that are watched in here and followed at their servers; changes that were raised for them,
	 * that were programs' own, that were too many (so many times), that could not be raised */
	uint32_t watched;
	uint64_t raised, echoes, lost, not_raised;
};
void launch_fuse_stats(const struct launch_fuse *f, struct launch_fuse_stats *out);

/* Frees nodes and Chans, closes fd. Requests under way are flushed; the loop must turn until they have ended. */
void launch_fuse_free(struct launch_fuse *f);

#endif
