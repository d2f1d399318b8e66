/*
 * #proc: processes of this host as files. proc(3). N/status args ns fd are what they were when they were opened; a line
 * written to N/ctl (kill, stop, start) is a signal.
 */
#ifndef TN_POSIX_PROCFS_H
#define TN_POSIX_PROCFS_H

#include "core/server.h"

/*
 * shows  Whether a process is seen at all; NULL: those of the user who runs this program.
 * ns     The text of a process's `ns`, allocated by tn_alloc, *len bytes. NULL, or a NULL text: what the kernel says is
 *        mounted for it (/proc/N/mountinfo). On the loop.
 */
struct tn_procfs_options {
	bool (*shows)(void *arg, uint32_t pid);
	char *(*ns)(void *arg, uint32_t pid, size_t *len);
	void *arg;
};

/* One reference. options may be NULL. NULL: no memory. */
struct tn_server *tn_procfs_new(struct tn_loop *loop, const struct tn_procfs_options *options);

#endif
