/*
 * The part of a process that names need: its name space, `/`, `.`, who it is. Plan 9's up->pgrp, slash, dot, user.
 * A door (a view, the launcher, the library) has one for each process or session that it stands for.
 */
#ifndef TN_CORE_PROC_H
#define TN_CORE_PROC_H

#include "core/ns.h"

/*
 * The devices of a node: what `#name` attaches to. `attach` gets the text behind the name up to the slash ("" if none)
 * and a Chan's worth of context; it gives an instance (counted for the caller), on which a TN_ATTACH follows.
 */
struct tn_proc;
struct tn_device_row {
	const char *name; /* "ram" */
	char letter;      /* 0: none */
	bool allowed;     /* although the name space forbids devices (RFNOMNT's five) */
	enum tn_err (*instance)(struct tn_proc *p, struct tn_str spec, struct tn_server **out);
};

/* What is one for a whole program: tables that the host fills. Lives as long as anything of it. */
struct tn_node {
	struct tn_loop *loop;
	const struct tn_device_row *devices;
	size_t n_devices;
	void *host; /* the host's own */
};

struct tn_proc {
	uint32_t refs;
	struct tn_node *node;
	struct tn_ns *ns;
	struct tn_chan *slash, *dot;
	struct tn_user *user;
	void *env; /* the environment group: fs/env.h */
	void *fds; /* the descriptor table: lib */
	uint32_t pid;
};

/* A process with an empty name space: `/` and `.` are `#/`. NULL: no memory. */
struct tn_proc *tn_proc_new(struct tn_node *node, struct tn_user *user);
/* The same ns, `/`, `.` and user, to be changed by the caller. */
struct tn_proc *tn_proc_copy(struct tn_proc *p);
struct tn_proc *tn_proc_get(struct tn_proc *p);
void tn_proc_put(struct tn_proc *p);

#endif
