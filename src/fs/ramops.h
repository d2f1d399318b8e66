/*
 * What the operations of #ram share: the server, who asks and what he may, and how a Chan holds its place. The server's
 * word of a Chan has two numbers of entries: where it is, and the root of its attach, above which ".." does not lead.
 */
#ifndef TN_FS_RAMOPS_H
#define TN_FS_RAMOPS_H

#include "core/chan.h"
#include "core/lock.h"
#include "fs/ram.h"
#include "fs/ramtree.h"

struct ram {
	struct tn_server s; /* first: a server is its ram */
	struct ram_tree tree;
	struct tn_locks locks;
	struct ram_watch *watches; /* ramwatch.c */
	uint32_t pair;
	bool owner_bits_only;
	bool unowned; /* the first who attaches becomes the root's owner */
};

static inline struct ram *ram_of(const struct tn_server *s)
{
	return (struct ram *)s;
}

static inline uint32_t ram_id(const struct tn_chan *c)
{
	return (uint32_t)c->aux.u64;
}

static inline uint32_t ram_top(const struct tn_chan *c)
{
	return (uint32_t)(c->aux.u64 >> 32);
}

static inline struct ram_entry *ram_entry_of(const struct tn_chan *c)
{
	return ram_entry(&ram_of(c->server)->tree, ram_id(c));
}

static inline struct ram_node *ram_node_of(const struct tn_chan *c)
{
	return ram_entry_of(c)->node;
}

static inline struct tn_qid ram_qid(const struct ram_node *n)
{
	return (struct tn_qid){ .path = n->path,
		.version = n->version,
		.type = (uint8_t)(n->mode >> 24) };
}

/* Neither bytes nor names: what nobody opens. */
#define RAM_SPECIAL (TN_DMSYMLINK | TN_DMNAMEDPIPE | TN_DMSOCKET | TN_DMDEVICE)

/* ramowner.c: whose files are, and who may what. */

enum { RAM_READ = 4, RAM_WRITE = 2, RAM_EXEC = 1 };

/* Who asks; never NULL. */
struct tn_user *ram_user(const struct tn_req *r);
bool ram_is_user(const struct tn_user *a, const struct tn_user *b);

/* Linux's root: whose number, not name, is 0. */
bool ram_is_root(const struct tn_user *who);
/* The owner, and who may all that he may. */
bool ram_is_owner(const struct ram *ram, const struct ram_node *n, const struct tn_user *who);
bool ram_may(const struct ram *ram, const struct ram_node *n, const struct tn_user *who,
    unsigned want);

/*
 * The group of what was made, which has the directory's: that is so below a directory with the setgid bit, and for who
 * asks for no other; else it is the maker's own, if he asks for that, and any for root. mkdir(2), open(2).
 */
void ram_give_group(struct ram_node *n, const struct ram_node *dir, const struct tn_req *r);

/* What a wstat makes the owner and the group; counted; NULL: as they are. */
struct ram_owners {
	struct tn_user *owner, *group;
};

/* Checks that `who` may, and gets what it takes: then _set or _put. TN_EPERM, TN_ENOMEM. */
enum tn_err ram_owners_of(struct ram_owners *o, const struct ram *ram, const struct ram_node *n,
    const struct tn_stat *st, struct tn_user *who);
void ram_owners_set(struct ram_node *n, struct ram_owners *o, const struct tn_stat *st);
void ram_owners_put(struct ram_owners *o);

/* ramattr.c: what files are like. */

/* The content of n, or of directory n, has changed: version, times, who did it. */
void ram_changed(struct ram_node *n, struct tn_user *who);

/* n was read. As Linux's relatime: only the first time after a change, so that reads ask for no time. */
void ram_was_read(struct ram_node *n);

enum tn_status ram_stat(struct tn_req *r);
enum tn_status ram_wstat(struct tn_req *r);
enum tn_status ram_readdir(struct tn_req *r);
enum tn_status ram_statfs(struct tn_req *r);

/* ramxattr.c */
enum tn_status ram_xattrget(struct tn_req *r);
enum tn_status ram_xattrset(struct tn_req *r);

/* ramwatch.c. ram_tell: of the linked entry, behind the change, or before it goes. ram_next_pair: before a rename. */
void ram_tell(struct ram *ram, uint32_t id, enum tn_change_what what);
void ram_next_pair(struct ram *ram);
enum tn_status ram_watch(struct tn_req *r);
enum tn_status ram_flush(struct tn_req *r); /* of nothing else: all else is answered at once */

/* ramlink.c: names that come, go and move. */

/* Checks for a new name in the directory of Chan c: a directory, that is still there, may be written, legal, free. */
enum tn_err ram_may_make(const struct tn_chan *c, const struct tn_user *who, struct tn_str name);

/* Checks and takes the entry out of its directory. */
enum tn_err ram_remove_entry(struct ram *ram, uint32_t id, struct tn_user *who);

enum tn_status ram_rename(struct tn_req *r);
enum tn_status ram_link_op(struct tn_req *r);
enum tn_status ram_symlink(struct tn_req *r);
enum tn_status ram_readlink(struct tn_req *r);
enum tn_status ram_mknod(struct tn_req *r);

#endif
