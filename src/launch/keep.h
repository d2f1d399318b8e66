/*
 * A name space that goes on when its program has ended (`tenon run --keep NAME`): S holds M1 by a descriptor, and a process
 * that does nothing stands in it, because the kernel tells mounts by a process only. And what S gives to those who enter.
 */
#ifndef TN_LAUNCH_KEEP_H
#define TN_LAUNCH_KEEP_H

#include "launch/live.h"

/*
 * Opens M1 and forks the holder, a child without rights, descriptors or signals, which ends with S: place->held, ->holder.
 * Only when M1 has been built. 0, or an errno.
 */
int tn_keep_hold(struct tn_live_place *place);

/* A process in M1 besides the holder, the program's own if it is there; 0: there is none. */
pid_t tn_keep_someone(const struct tn_live_place *place);

/* What tn_keep_doors gives, in this order. */
enum tn_door { TN_DOOR_USER, TN_DOOR_MOUNTS, TN_DOOR_PIDS, TN_DOORS };

/*
 * Descriptors of U (S's own), M1 and, with_pids, the pid name space in it; else that is -1. The caller's. 0, or an errno
 * and no descriptor.
 */
int tn_keep_doors(const struct tn_live_place *place, bool with_pids, int fds[TN_DOORS]);

#endif
