/*
 * The nodes of the FUSE door. A directory is a node by place, (parent, name): with one node at two names a process that
 * stands in one would be moved by a look at the other. A file is a node by (instance, qid.path): one page cache for all
 * its names. A node's Chan may be absent: those of remote servers are an LRU with a limit, and a missing one is walked
 * again from the nearest ancestor that has one. launcher.md 5, architecture.md 2.
 */
#ifndef TN_LAUNCH_NODE_H
#define TN_LAUNCH_NODE_H

#include "core/chan.h"

struct launch_handle;

/* A name that is on the way to a kernel mount, and those below it. */
struct launch_pin {
	struct launch_pin *next, *below;
	uint32_t count;
	char name[];
};

struct launch_node {
	struct launch_node *parent;     /* counted; NULL: the root */
	struct launch_node *next_place; /* in a bucket of places */
	struct launch_node *next_file;  /* in a bucket of files */
	struct launch_node *next_all, *prev_all;
	struct launch_node *older, *newer; /* the LRU of those with a remote Chan */
	struct launch_handle *handles;     /* open files of it */
	struct launch_pin *pin;
	struct tn_chan *chan; /* a directory's as TN_FOR_TARGET gave it; a file's own; or NULL */
	uint64_t lookups;     /* what the kernel holds */
	uint64_t instance, qid_path; /* what the Chan must show when it is walked again */
	uint64_t generation;
	uint64_t
	    touched_ns; /* when a program has changed it last, if its directory is followed: echo.c */
	uint32_t touching; /* changes under way, the same */
	uint32_t refs;     /* children, operations, handles; and one while lookups > 0 */
	bool is_dir, in_lru, in_place, in_files;
	bool followed; /* notify.c */
	bool direct;   /* made up when read: no page cache */
	bool
	    plain; /* a file that has, or had, or is given its bytes by writing them: its length is true */
	uint64_t length; /* as the kernel was told */
	uint16_t name_len;
	char *name;
};

struct launch_nodes {
	struct launch_node *root;
	struct launch_node *all;
	struct launch_node **places, **files;
	size_t n_buckets, n_nodes;
	struct launch_node *oldest, *newest;
	uint32_t n_chans, chans_max;
	uint64_t generation;
	struct launch_pin *pins; /* the root's */
};

/* The table, with a root that holds `root` (taken). false: no memory. */
bool launch_nodes_init(struct launch_nodes *t, struct tn_chan *root, uint32_t chans_max);
void launch_nodes_fini(struct launch_nodes *t);

/*
 * The node for what `name` in `parent` has shown: c (taken, also on failure), a directory before its mount point or a file. One
 * more lookup of the kernel's. NULL: no memory.
 */
struct launch_node *launch_node_found(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, struct tn_chan *c);

/*
 * A name on the way to a kernel mount keeps its node, for with another one the kernel would take the mount away: a directory's
 * node becomes that of whatever directory is at the place now (a file's, which the mount covers, stays what it was). The
 * kernel does not ask for such a name again. So where another machine may have changed what it leads to, the node's Chan is
 * not to be used as it is, but walked to from above.
 */
bool launch_node_is_pinned(const struct launch_node *node);
bool launch_node_must_walk(const struct launch_node *node);

/* What a walk to the node's place has found, c (taken): false, and no change, if the node cannot be of that. */
bool launch_node_walked(struct launch_nodes *t, struct launch_node *node, struct tn_chan *c);

/* The node of such a name, which the kernel has asked for before: one more lookup; or NULL. */
struct launch_node *launch_node_pinned(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name);

/* The same for a file that was just created and whose Chan is open, so that it is not the node's. c is borrowed. */
struct launch_node *launch_node_created(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, const struct tn_chan *c);

/* The node that is at the place; borrowed, and no lookup. NULL: none is known. */
struct launch_node *launch_node_known(const struct launch_nodes *t,
    const struct launch_node *parent, struct tn_str name);

/* A node of no server's, at no place: what the kernel gets for a moment. Counted. NULL: no memory. */
struct launch_node *launch_node_nobody(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, bool is_dir);

/* One more lookup of the kernel's. */
void launch_node_looked_up(struct launch_node *node);

/* The kernel has forgotten `n` lookups. */
void launch_node_forget(struct launch_nodes *t, struct launch_node *node, uint64_t n);

struct launch_node *launch_node_get(struct launch_node *node);
void launch_node_put(struct launch_nodes *t, struct launch_node *node);

/* A Chan for a node that had none (taken); it becomes the newest of the LRU. */
void launch_node_set_chan(struct launch_nodes *t, struct launch_node *node, struct tn_chan *c);
void launch_node_used(struct launch_nodes *t, struct launch_node *node);

/*
 * The node for an entry of a listing, with one more lookup: file `path` of `instance`. Its Chan may be absent. NULL: no
 * memory.
 */
struct launch_node *launch_node_listed(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, uint64_t instance, struct tn_qid qid);

/* What was at (parent, name) is there no more; or is now at another place; or has changed places with what is there. */
void launch_node_gone(struct launch_nodes *t, struct launch_node *parent, struct tn_str name);
void launch_node_moved(struct launch_nodes *t, struct launch_node *from, struct tn_str name,
    struct launch_node *to, struct tn_str newname);
void launch_node_exchanged(struct launch_nodes *t, struct launch_node *from, struct tn_str name,
    struct launch_node *to, struct tn_str newname);

/*
 * Pins and unpins an absolute path. An unpin after which the kernel should forget an entry says which: `name` (it points
 * into path) in *parent (counted); else *parent is NULL.
 */
bool launch_pin(struct launch_nodes *t, const char *path);
void launch_unpin(struct launch_nodes *t, const char *path, struct launch_node **parent,
    struct tn_str *name);

#endif
