/*
 * bind(2), mount(2), unmount(2) and chdir(2) by name, for those who must not wait: the names are resolved, the server is
 * attached to, and the name space is changed in one step at the end. namespace-semantics.md 2, 3. Blocking: lib/call.h.
 */
#ifndef TN_CORE_MOUNT_H
#define TN_CORE_MOUNT_H

#include "core/name.h"

enum tn_mount_what { TN_DO_BIND, TN_DO_MOUNT, TN_DO_UNMOUNT, TN_DO_CHDIR };

/* Zero it, fill the first part, call tn_mount_start; when it says TN_LATER, `done` follows. Then tn_mount_fini. */
struct tn_mount {
	/* the question */
	enum tn_mount_what what;
	struct tn_proc *proc; /* its name space and `.` are changed; borrowed until the end */
	/* bind: what is to be seen; unmount: the member (empty: all). Borrowed until the end, as place is. */
	struct tn_str source;
	struct tn_str place;      /* where; chdir: the directory */
	struct tn_server *server; /* mount: an instance that nobody has attached to; borrowed */
	const char *aname;        /* mount: terminated; "" is the whole tree. Borrowed */
	uint32_t flags;           /* enum tn_mount_flag */
	/* unmount, instead of source: the first member that lives on a connection goes. Or NULL */
	bool (*lives)(const struct tn_chan *to, void *arg);
	void *lives_arg;
	uint64_t deadline_ns; /* 0: the servers' own bounds */
	uint32_t pid;
	void (*done)(struct tn_mount *m);
	void *arg;

	/* the answer */
	enum tn_err err;
	char *words;     /* a server's own text, or NULL */
	bool err_source; /* the error is about the source or the server, not about the place */

	/* how far it is: src/core/mount.c */
	struct tn_name name;
	struct tn_req req;
	struct tn_chan *to, *target;
	struct tn_members *list;
	uint8_t step;
	bool flushed;
};

enum tn_status tn_mount_start(struct tn_mount *m);
void tn_mount_flush(struct tn_mount *m); /* ends soon with TN_EINTR, or as it would have */
void tn_mount_fini(struct tn_mount *m);

#endif
