/*
 * #fd: the descriptors of whoever opens it, a file each: 0 1 2 ... dup(3). What descriptors are is the host's to say.
 */
#ifndef TN_FS_FD_H
#define TN_FS_FD_H

#include "core/server.h"

/*
 * The functions get the request they are asked for: r->user and r->pid say who it is. Those that serve a request answer
 * as a server's operations do, and may keep it. What is NULL is answered by the default of a server.
 *
 * next   The lowest descriptor at or above `from` that who asks has open; -1: none.
 * info   What a stat tells of it: mode (permissions and TN_DMAPPEND; 0666 is there already), length, times. May be NULL.
 * flush  Of a read or write that was kept: ends it soon.
 * clunk  Of a file that was opened; answers at once.
 */
struct tn_fd_host {
	void *arg;
	int64_t (*next)(void *arg, const struct tn_req *r, uint32_t from);
	void (*info)(void *arg, const struct tn_req *r, uint32_t fd, struct tn_stat *st);
	enum tn_status (*open)(void *arg, struct tn_req *r, uint32_t fd);
	enum tn_status (*read)(void *arg, struct tn_req *r, uint32_t fd);
	enum tn_status (*write)(void *arg, struct tn_req *r, uint32_t fd);
	void (*flush)(void *arg, struct tn_req *r, uint32_t fd);
	void (*clunk)(void *arg, struct tn_req *r, uint32_t fd);
};

/* One reference; *host is copied. NULL: no memory. */
struct tn_server *tn_fd_new(struct tn_loop *home, const struct tn_fd_host *host);

#endif
