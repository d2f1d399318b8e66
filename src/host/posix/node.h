/*
 * A node: the devices of product.md 3 in one table, on this host. What of a device is the machine's (a console,
 * descriptors, processes, files) is wired here; what is a name space's (#ns) is given by whoever keeps it.
 */
#ifndef TN_POSIX_NODE_H
#define TN_POSIX_NODE_H

#include "core/proc.h"
#include "fs/env.h"
#include "fs/ns.h"
#include "fs/root.h"
#include "fs/srv.h"
#include "host/posix/hostfs.h"
#include "host/posix/loop.h"
#include "host/posix/procfs.h"

/* The names of the devices, in the table's order; NULL behind the last. */
const char *tn_host_device_name(size_t i);

/* A node on h's loop, with all devices. NULL: no memory. */
struct tn_node *tn_host_node_new(struct tn_host_loop *h);

/* Everything of it has ended: no process's part, no conn, no view. Takes NULL. */
void tn_host_node_free(struct tn_node *node);

/*
 * A process's part of whoever runs this program: his name and numbers, his environment (#env), `/` and `.` the root of
 * the host's files; or, clean, the empty tree `#/`. NULL: errno or no memory. May turn the loop while the host's root
 * cannot be reached at once.
 */
struct tn_proc *tn_host_proc_new(struct tn_node *node);
struct tn_proc *tn_host_proc_clean(struct tn_node *node);

/* The files of the host from its root, for all of this node; NULL: it has none (no memory, no right). Borrowed. */
struct tn_server *tn_host_node_files(struct tn_node *node);

/* How they are served, before they are first asked for (copied). At first: with hostfs.h's defaults. */
void tn_host_node_files_with(struct tn_node *node, const struct tn_hostfs_options *o);

/* What is posted in #srv. Borrowed. */
struct tn_srv *tn_host_node_srv(struct tn_node *node);

/* What #ns attaches to for p: counted for the caller. NULL (at first): there is no #ns. */
void tn_host_node_ns(struct tn_node *node,
    enum tn_err (*instance)(struct tn_proc *p, struct tn_server **out));

/* From now on #cmd may be named, which runs commands (cmdrun.h). At first: TN_EACCES. */
void tn_host_node_cmd(struct tn_node *node);

/*
 * Which processes #proc shows, and their `ns` (procfs.h; copied). At first: those of this user, and what the kernel has
 * mounted for them. `tenon run` says which are inside. Who has attached before keeps what he sees.
 */
void tn_host_node_procs(struct tn_node *node, const struct tn_procfs_options *o);

#endif
