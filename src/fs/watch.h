/*
 * The file `watch`: what changes in a file server, as text, for whoever may ask it for files. It is the root of the attach
 * whose name is TN_WATCH_ANAME, beside the server's own trees on the same connection, and made of nothing that 9P does
 * not have: a file that one opens for reading and writing. Each that is open is a feed of its own.
 *
 *     write  watch NUMBER NAME     from here on tell of the directory NAME, from the root of the server's tree of the
 *                                  empty attach name, under the writer's NUMBER. An empty name is that root
 *            end NUMBER            no more of that
 *     read   lines as in core/change.h; waits until there is one. Offsets mean nothing
 *
 * A line of a write ends with a newline or the write. A line that cannot be understood is TN_EBADARG, and what stands
 * before it holds. NAME has \\ and \n as names in lines have. What is not read is kept up to 256 KiB a feed; then all is
 * thrown away and one `lost 0` tells it; watches go on. 1024 feeds may be open at a time (TN_ELIMIT_OPEN); a feed has 4096
 * watches at most, all together 16384 (TN_ELIMIT_FILES).
 */
#ifndef TN_FS_WATCH_H
#define TN_FS_WATCH_H

#include "core/change.h" /* TN_WATCH_ANAME */
#include "core/server.h"

/* The file for `server` (counted), whose loop it is on. One reference. NULL: no memory. */
struct tn_server *tn_watch_new(struct tn_server *server);

#endif
