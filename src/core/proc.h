/*
 * The part of a process that names need: its name space, `/`, `.`, who it is. Plan 9's up->pgrp, slash, dot, user.
 * A door (a view, the launcher, the library) has one for each process or session that it stands for.
 */
#ifndef TN_CORE_PROC_H
#define TN_CORE_PROC_H

#include "core/ns.h"

struct tn_proc;

/*
 * A device of a node: what `#name` attaches to. `instance` gets the text behind the name or letter up to the slash ("" if
 * none) and gives an instance, counted for the caller; a TN_ATTACH with the same text as the attach name follows there.
 * The row with letter '/' is the root device: every node has one, it gives the same instance each time and answers
 * TN_ATTACH at once.
 */
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
	void *host;           /* the host's own */
	uint64_t view_key[2]; /* core/view.c: makes qid.paths; 0 at first */
};

/* The row of a device name (behind the `#`, up to the slash); *spec: what is behind it. NULL: there is no such one. */
const struct tn_device_row *tn_device_find(const struct tn_node *node, struct tn_str name,
    struct tn_str *spec);

struct tn_proc {
	uint32_t refs;
	struct tn_node *node;
	struct tn_ns *ns;
	struct tn_chan *slash, *dot;
	struct tn_user *user;
	void *env; /* the environment group: fs/env.h */
	void *fds; /* the descriptor table: lib */
	/* Gives a copy of the process the same environment; NULL: copies have none. Set with env. */
	void (*share_env)(struct tn_proc *copy, const struct tn_proc *from);
	void (*free_env)(struct tn_proc
		*p); /* called by the last put when env, fds are set; set by who sets those */
	void (*free_fds)(struct tn_proc *p);
	uint32_t pid;
};

/* A process with an empty name space: `/` and `.` are `#/`. NULL: no memory. */
struct tn_proc *tn_proc_new(struct tn_node *node, struct tn_user *user);
/* The same ns, `/`, `.`, user and pid, the environment shared, fds NULL; to be changed by the caller. */
struct tn_proc *tn_proc_copy(struct tn_proc *p);
struct tn_proc *tn_proc_get(struct tn_proc *p);
void tn_proc_put(struct tn_proc *p);

/* Another name space, another current directory; the reference is taken. rfork(2): tn_proc_set_ns(p, tn_ns_copy(p->ns)). */
void tn_proc_set_ns(struct tn_proc *p, struct tn_ns *ns);
void tn_proc_set_dot(struct tn_proc *p, struct tn_chan *dot);

/* `/` and `.` become the root of server (borrowed), which answers a TN_ATTACH at once. false: no memory, or it refused. */
bool tn_proc_set_root(struct tn_proc *p, struct tn_server *server);

#endif
