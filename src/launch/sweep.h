/*
 * The sweep: ends every process that sees one FUSE file system among its mounts. What a name space held is gone when its
 * server or its front has died, whatever daemonised in it or made a mount name space of its own there.
 */
#ifndef TN_LAUNCH_SWEEP_H
#define TN_LAUNCH_SWEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The inode number of a process's mount name space (pid 0: one's own); 0: there is none to be seen. */
uint64_t tn_mntns_of(pid_t pid);

/* That name space, held as long as the descriptor is open; -1: there is none to be had. */
int tn_mntns_open(pid_t pid);

/* The device number of our FUSE file system that is mounted last at `dir` in the caller's name space; 0: none. */
dev_t tn_fuse_device(const char *dir);

/* Whether a process has our FUSE file system with this number among its mounts. */
bool tn_sees(pid_t pid, dev_t device);

/*
 * Kills all processes that have the file system `device` mounted, and those of every tenon run that was begun inside of
 * it, until none is left or timeout_ms have passed. Never the caller. The number of a device is given to another as soon
 * as its file system has gone, so there must be something that says so, its server's descriptor `fuse`; or, when the server
 * is dead (fuse -1), the caller holds the file system by an open name space that has it. Returns how many were left.
 */
int tn_sweep(dev_t device, int fuse, int timeout_ms);

/*
 * Kills all children of the calling process, by its list (host/posix/children.h; borrowed), and reaps them, until it has
 * none or timeout_ms have passed.
 */
void tn_sweep_children(int children, int timeout_ms);

#endif
