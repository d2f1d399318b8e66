/*
 * #root: an empty tree with the mount points that somebody has made in it.
 */
#ifndef TN_FS_ROOT_H
#define TN_FS_ROOT_H

#include "core/server.h"

#define TN_ROOTFS_MAX 65536u /* directories and files */

/* A tree with nothing in it. One reference. NULL: no memory. */
struct tn_server *tn_rootfs_new(struct tn_loop *home);

/* The server is such a tree. */
bool tn_rootfs_is(const struct tn_server *s);

/*
 * Makes "/a/b/c", and the directories above it that are not there: a directory, or an empty file (a file can be mounted
 * on files only). One of the same kind that is there already will do. It stays as long as the tree.
 * TN_EISDIR, TN_ENOTDIR: another kind is there, or above. TN_EEXIST: an element is "." or "..". TN_ENAMETOOLONG: it has
 * more than 255 bytes. TN_ELIMIT_FILES, TN_ENOMEM.
 */
enum tn_err tn_rootfs_add(struct tn_server *s, struct tn_str path, bool is_dir);

#endif
