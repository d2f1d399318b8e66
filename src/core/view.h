/*
 * A view: a name space, from one of its directories down, as a file server. What conn serves for an export of a composed
 * name space, and what one hands to somebody else: cut to a subtree, read-only or not; whoever holds a view can make a
 * narrower one of it, never a wider. namespace-semantics.md 9.
 *
 * qid.paths are made from (instance, path) of the files behind: the same file has the same number under all its names,
 * in walk, open, stat and listings; the same again when the view is made again over the same instances.
 */
#ifndef TN_CORE_VIEW_H
#define TN_CORE_VIEW_H

#include "core/name.h"
#include "core/server.h"

struct tn_view_options {
	bool read_only; /* whatever changes a file is refused with TN_EROFS */
	/* Listings of unions: the first of a name only. For FUSE, POSIX; product.md keeps 9P raw. */
	bool no_duplicates;
	/* Listings also have mount points whose name no member has. gateway.md. */
	bool show_mounts;
	/* The servers behind are asked for whoever asks the view; else for the user of its proc. */
	bool as_asker;
	/* Symbolic links are followed for the peer, within the view. For plain 9P2000. */
	bool follow;
};

/*
 * The name space that `proc` has now, live, from `root` (counted; as TN_FOR_TARGET gave it) down. An attach name is a path
 * in it; one that is not there is refused with TN_EBADATTACH. A view may show views; a fid leads through 32 of them at
 * most (TN_ELIMIT_DEPTH). One reference. NULL: no memory.
 */
struct tn_server *tn_view_new(struct tn_proc *proc, struct tn_chan *root,
    const struct tn_view_options *o);

#endif
