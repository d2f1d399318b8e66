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

/* The device number of our FUSE file system that is mounted last at `dir` in the caller's name space; 0: none. */
dev_t tn_fuse_device(const char *dir);

/* Whether a process has our FUSE file system with this number among its mounts. */
bool tn_sees(pid_t pid, dev_t device);

/*
 * Kills all processes that have the file system `device` mounted, and those of every tenon run that was begun inside of
 * it, until none is left or timeout_ms have passed. Never the caller. Numbers of devices are used anew when a file system has gone, so something must hold it meanwhile: `inside`, a
 * process in it (0: none is known), or its server's descriptor `fuse`, which says when it has gone (-1: the server is
 * dead). Returns how many were left.
 */
int tn_sweep(dev_t device, pid_t inside, int fuse, int timeout_ms);

#endif
