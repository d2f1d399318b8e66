/*
 * Changes of a running name space, and questions about it: lines from the control socket (control.h) and from the files
 * of /n/ns (fs/ns.h). They wait in a queue and are carried out one after the other by S's outermost loop, because a
 * change may dial, resolve and mount, and turns the loop meanwhile. A change is there when it is answered, in the name
 * space and in the kernel, or it has not happened.
 */
#ifndef TN_LAUNCH_CHANGE_H
#define TN_LAUNCH_CHANGE_H

#include "launch/control.h"
#include "launch/shadow.h"

struct tn_changes;

/* For proc's name space with its shadow; both borrowed. NULL: no memory. */
struct tn_changes *tn_changes_new(struct tn_proc *proc, struct tn_shadow *shadow);

/* The server behind #ns. Counted for the caller. NULL: no memory. */
struct tn_server *tn_changes_device(struct tn_changes *ch);

/*
 * A line came over the socket (tn_control_listen's handler; arg: the tn_changes):
 *     bind [-bacC] NEW OLD; mount [-o OPTIONS] [-bacC] SRC OLD [ANAME]; unmount [NEW] OLD; and the rest of namespace(6)
 *     ns [specs]; whence NAME; stats; version
 */
void tn_changes_line(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid);

/* Carries out what is queued. From the outermost loop only. */
void tn_changes_run(struct tn_changes *ch);

/* Where the counters come from, when there is a door. */
void tn_changes_door(struct tn_changes *ch, struct launch_fuse *f);

#endif
