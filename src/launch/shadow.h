/*
 * The kernel's mounts as the shadow of a name space. What is one plain file or directory of the host is bound by the
 * kernel; everything else is served by FUSE, and where a directory of the host lies around it, a hidden FUSE name is
 * bound onto its place. After each change the mounts that are wanted are held against those that are there, as
 * /proc/PID/mountinfo tells them, and the difference is applied. launcher.md sections 3 and 4.
 *
 * A mount point of the name space (a head) is known by the identity of the file mounted upon: the kernel has a mount at
 * every name by which it shows that file (plan.c).
 */
#ifndef TN_LAUNCH_SHADOW_H
#define TN_LAUNCH_SHADOW_H

#include "launch/fuse.h"
#include "launch/live.h"

struct tn_shadow;

/* For proc's name space; borrowed. NULL: no memory. */
struct tn_shadow *tn_shadow_new(struct tn_host_loop *hl, struct tn_proc *proc);
void tn_shadow_free(struct tn_shadow *s); /* takes NULL; unmounts nothing */

/* The door that serves it; borrowed. */
void tn_shadow_door(struct tn_shadow *s, struct launch_fuse *f);

/* Where the mounts are to be made: known when the program's name space has been built. */
void tn_shadow_place(struct tn_shadow *s, const struct tn_live_place *place);

/*
 * The entries of the host's root that are bound as a whole when the root is built: what is a plain directory or file
 * there and in the name space. `each` gets the names. The names are pinned. 0, or an errno.
 */
int tn_shadow_roots(struct tn_shadow *s, bool (*each)(void *arg, const char *name), void *arg);

/*
 * Makes the kernel's mounts what the name space wants now. Blocks as lib/call.h does. names: other absolute names by which
 * changed mount points may be reached, for those whose own name is covered. 0, or an errno with *step; then what
 * was done so far stays done, and a second call (with the name space put right) goes on from there.
 */
int tn_shadow_apply(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step);

/*
 * Takes out of the name space what is mounted on files that the host has removed: the kernel's mounts there went without a
 * word, and no name leads to them any more. Asked before the name space is shown or changed.
 */
void tn_shadow_prune(struct tn_shadow *s);

/* How many mounts of the kernel's there are: for stats. */
size_t tn_shadow_count(const struct tn_shadow *s);

#endif
