/*
 * Changes of the kernel's mounts in a program's name space while it runs: by a child of S with one thread, which takes
 * trees of the host in M0, enters M1 and puts them there. S goes on serving meanwhile: the child's own names may need
 * its answers. launcher.md section 4.
 */
#ifndef TN_LAUNCH_LIVE_H
#define TN_LAUNCH_LIVE_H

#include "host/posix/loop.h"
#include "launch/step.h"

enum tn_live_what {
	TN_LIVE_HOST,   /* a file or directory of the host */
	TN_LIVE_FUSE,   /* a hidden name of our FUSE file system */
	TN_LIVE_UNMOUNT /* what is uppermost at `to` */
};

struct tn_live_op {
	enum tn_live_what what;
	int fd;           /* HOST: O_PATH of it, in M0; borrowed */
	const char *from; /* FUSE: the hidden name */
	const char *to;   /* absolute, inside */
	uint32_t
	    top; /* the mount that `to` must lead into: else the name has changed meanwhile, ESTALE */
	bool replace; /* HOST, FUSE: in the stead of that mount, which is one of ours */
	bool is_done; /* answer: a mount was made or taken away */
	int error;    /* answer: 0, or an errno with the step */
	enum tn_step step;
};

#define TN_LIVE_OPS_MAX 256

/* Where: the name space M1 and what is known of it. */
struct tn_live_place {
	uint64_t mntns; /* M1's inode */
	pid_t pids
	    [2]; /* processes that are probably in it; 0: none. If they are not, one is looked for */
	int held; /* a descriptor of M1, borrowed, and */
	pid_t
	    holder; /* a process in it of which no more is to be had than its mounts: keep.h; 0: none */
	dev_t device;   /* of our FUSE file system */
	bool read_only; /* what is put there cannot be written to */
};

/* The name space, for setns, and a process in it, or the holder; the caller's. -1: nobody is in it. */
int tn_live_open(const struct tn_live_place *place, pid_t *by);

/* A process in the name space, or the holder; 0: nobody is in it any more. */
pid_t tn_live_someone(const struct tn_live_place *place);

/*
 * Does ops in order; one that fails does not keep the others from being done, but a place's later ones find another `top`.
 * Turns the loop until the child has ended. 0: each has its answer; or an errno with *step, and none was done.
 */
int tn_live_run(struct tn_host_loop *hl, const struct tn_live_place *place, struct tn_live_op *ops,
    size_t n, enum tn_step *step);

#endif
