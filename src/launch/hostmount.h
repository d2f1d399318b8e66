/*
 * `tenon mount` outside of a name space: a 9P server's tree as an ordinary FUSE mount of the host, served by a process
 * of its own until it is unmounted. As root by mount(2), else by fusermount3.
 */
#ifndef TN_LAUNCH_HOSTMOUNT_H
#define TN_LAUNCH_HOSTMOUNT_H

#include "lib/compose.h"

#include <stdbool.h>

struct tn_host_mount {
	const char *dir;
	struct tn_compose *compose; /* to mount: one dial string at "/"; borrowed */
	const char *what;           /* on failure: the name that it is about */
	char error[512];            /* and the cause */
	bool lacking;               /* the machine lacks something; the cause names the fix */
};

/*
 * Mounts and returns true when the tree is there and can be used. The caller must have no threads. On a failure nothing
 * is left behind. The server process ends with the mount, and the mount on SIGTERM to it; when it is killed the mount
 * stays, without an answer (ENOTCONN), until it is unmounted.
 */
bool tn_host_mount(struct tn_host_mount *m);

/*
 * Ends the mount on m->dir at once, whatever became of its server; only one that tn_host_mount made. Open files keep
 * their server until they are closed.
 */
bool tn_host_unmount(struct tn_host_mount *m);

#endif
