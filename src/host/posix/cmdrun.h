/*
 * Commands of #cmd on this host (fs/cmd.h): each below a keeper, a process of its own to which all come whose parents end.
 * When it is told to, or this program ends however it does, it kills them all: nothing that a command has begun is left.
 */
#ifndef TN_POSIX_CMDRUN_H
#define TN_POSIX_CMDRUN_H

#include "fs/cmd.h"
#include "host/posix/loop.h"

/*
 * One reference to a #cmd whose commands run as this program's user, in its directory and environment. When that is root,
 * nobody else's are run: TN_EPERM. NULL: no memory.
 */
struct tn_server *tn_cmdrun_new(struct tn_host_loop *h);

#endif
