/*
 * #pipe: data and data1, the two ends of a pipe: what is written to one is read from the other. pipe(3).
 */
#ifndef TN_FS_PIPE_H
#define TN_FS_PIPE_H

#include "core/server.h"

/* For each direction; a write that finds more waits, but into an empty pipe any write goes. */
#define TN_PIPE_BYTES_MAX    65536u
#define TN_PIPE_MESSAGES_MAX 4096u

/*
 * A pipe. All attaches of the instance are at this one: whoever resolves the name `#pipe` makes an instance for each.
 * A read gives what one write brought, or a part of it, and waits while there is nothing; a write of no bytes is an end
 * of file for one read. Closing an end hangs nobody up: it may be opened again. One reference. NULL: no memory.
 */
struct tn_server *tn_pipe_new(struct tn_loop *home);

#endif
