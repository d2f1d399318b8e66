/*
 * #ram: files in memory, with a limit. The whole of 9P2000 (intro(5)) and of what POSIX peers ask beside it, but for
 * device nodes and attributes other than user.*. ramtree.h holds the names, ramdata.h the contents.
 */
#ifndef TN_FS_RAM_H
#define TN_FS_RAM_H

#include "core/server.h"

struct tn_ram_options {
	uint64_t bytes_max; /* of contents; 0: 256 MiB. Beyond it TN_ENOSPC */
	uint32_t
	    files_max; /* entries, a removed one too as long as it is open; 0: 262144. TN_ELIMIT_FILES */
	struct tn_user *owner; /* of the root, counted anew; NULL: who attaches first */
	uint32_t root_perm;    /* 0: 0777, so that every peer can use it */
	bool
	    owner_bits_only; /* the oracle's world: the owner's bits count, for everybody; no search permission */
};

/*
 * A tree with an empty root, which all attaches share: an instance of its own for each use of the name `#ram` is made by
 * whoever resolves it. An attach name is a path in the tree, whose ".." is itself. One reference. NULL options: the
 * defaults. NULL: no memory.
 */
struct tn_server *tn_ram_new(struct tn_loop *home, const struct tn_ram_options *o);

/*
 * Files put there behind everybody's back, owned by the root's owner. path: from the root, "a/b" or "/a/b"; what is above
 * must be there. Without asking for permissions. TN_ENOENT, TN_ENOTDIR, TN_EEXIST, TN_ENOMEM, a limit.
 */
enum tn_err tn_ram_put_dir(struct tn_server *s, struct tn_str path, uint32_t perm);
enum tn_err tn_ram_put_file(struct tn_server *s, struct tn_str path, uint32_t perm,
    struct tn_str text);
enum tn_err tn_ram_set_perm(struct tn_server *s, struct tn_str path, uint32_t perm);

/* What it holds now. */
struct tn_ram_use {
	uint64_t bytes, bytes_max;
	uint32_t files, files_max;
};
void tn_ram_use(const struct tn_server *s, struct tn_ram_use *out);

#endif
