/*
 * Inside of the shadow: its heads, and the plan of what is to be mounted and unmounted. shadow.c has what is wanted and
 * the order of a change, plan.c compares it with the kernel's tables.
 */
#ifndef TN_LAUNCH_SHADOW_IN_H
#define TN_LAUNCH_SHADOW_IN_H

#include "launch/kmounts.h"
#include "launch/shadow.h"

enum shadow_kind { SHADOW_ABSENT, SHADOW_HOST, SHADOW_FUSE };

/* A file as the kernel's tables name it: of the host, or of our FUSE file system. path NULL: none. */
struct shadow_spot {
	dev_t dev;
	char *path;
	bool is_removed; /* it has no name any more; path is as the tables show it then */
};

/* A mount point of the name space. */
struct shadow_head {
	struct shadow_head *next;
	struct tn_chan *under; /* counted: the file mounted upon; holds its number */
	char *place;           /* the name by which the head was made, free of symbolic links */
	char *pinned; /* its name in FUSE, where FUSE serves it and the kernel is to have a mount */
	char *at;     /* with pinned: the name that this is in the name space */
	bool has_moved;  /* with pinned: that leads elsewhere now, and the mount is to go */
	unsigned hidden; /* number of its hidden name; 0: none */

	enum shadow_kind want;
	struct tn_chan *source; /* of SHADOW_HOST: counted; else NULL */
	bool is_changed; /* by the change that is being applied: its failure is the change's */

	/* while a round is planned */
	struct shadow_spot under_spot, source_spot, hidden_spot;
	size_t n_mounts, n_pinned; /* of it in the kernel, seen or covered; those in FUSE */
};

struct tn_shadow {
	struct tn_host_loop *hl;
	struct tn_proc *proc;
	struct launch_fuse *f;
	struct tn_live_place place;
	struct shadow_head *heads, **tail; /* in the order in which they were made */
	struct tn_kmounts outside, inside; /* M0's and M1's, while a round is planned */
	size_t n_mounts;                   /* ours, at the last look */
	unsigned n_hidden;
	bool no_memory;
};

/* A round as it is handed to the child, and whose each operation is. */
struct shadow_plan {
	struct tn_live_op ops[TN_LIVE_OPS_MAX];
	struct shadow_head *heads[TN_LIVE_OPS_MAX];
	char *texts[TN_LIVE_OPS_MAX][2]; /* to, from: for free() */
	size_t n;
	bool is_full, no_memory;
};

/* Reads both tables and finds out which mounts are whose. 0, or an errno. */
int shadow_look(struct tn_shadow *s);
void shadow_look_away(struct tn_shadow *s);

/* What is to be done so that the kernel has at each place what is wanted. */
void shadow_plan(struct tn_shadow *s, struct shadow_plan *p);

/* The name in FUSE of a name that FUSE serves. For free(); NULL: the kernel serves it, or no memory. */
char *shadow_fuse_name(const struct tn_shadow *s, const char *name);

/* "/.tenon-N". For free(). */
char *shadow_hidden_name(unsigned number);

#endif
