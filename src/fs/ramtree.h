/*
 * The names of #ram. A node is a file; an entry is a name of it in a directory, and what a Chan stands for: with hard
 * links a node has several. An entry is known by its number, so that a rename may put it elsewhere in memory, and lives
 * as long as it is linked in its directory, a Chan is at it, or entries below it live. Nothing here asks for
 * permissions, and nothing waits.
 */
#ifndef TN_FS_RAMTREE_H
#define TN_FS_RAMTREE_H

#include "tenon/server.h"

#include "fs/ramdata.h"

#define RAM_NAME_MAX 255u

/* A line of a directory. A line whose entry has gone stays, empty, until half of them are. */
struct ram_line {
	uint64_t serial; /* ever rising in its directory: the offset behind it for readdir */
	uint32_t id;     /* 0: gone */
};

struct ram_dir {
	struct ram_line *lines; /* in the order in which the entries came: serials rise */
	uint32_t used, size;    /* lines in use, there */
	uint32_t live;          /* entries */
	uint32_t dirs;          /* of them directories */
	uint64_t serial;        /* the last one given */
};

struct ram_node {
	uint32_t refs;  /* entries that live */
	uint32_t nlink; /* entries that are linked */
	uint32_t mode;  /* TN_DM bits and permissions */
	uint32_t version;
	uint64_t path;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct tn_user *owner, *group, *muid; /* counted */
	struct tn_chan *holder;               /* who has the TN_DMEXCL file open, or NULL */
	struct ram_xattr *xattrs;             /* ramxattr.c */
	union {
		struct ram_data
		    data; /* files; the target of a symbolic link; a device's struct ram_device */
		struct ram_dir dir;
	} u;
};

/* What the data of a device is; it has no other. */
struct ram_device {
	uint32_t major, minor;
	bool is_block;
};

struct ram_entry {
	uint32_t refs; /* linked, Chans, entries below */
	uint32_t up;   /* the directory's entry; the root's own at the root */
	uint32_t next; /* in the same bucket */
	uint32_t hash;
	uint64_t serial;
	struct ram_node *node;
	bool linked; /* false: it was removed */
	uint8_t len; /* bytes of name */
	char name[];
};

struct ram_place {
	struct ram_entry *entry; /* NULL: free */
	uint32_t next_free;
};

struct ram_tree {
	struct ram_place *places; /* by number; 0 is none, 1 the root */
	uint32_t n_places, first_free;
	uint32_t *buckets; /* numbers; linked entries by directory and name */
	uint32_t n_buckets, n_hashed;
	uint32_t files, files_max; /* entries that live */
	uint32_t seed[2];
	uint64_t path; /* the last qid.path given */
	struct ram_budget budget;
};

enum { RAM_ROOT = 1 };

/* An empty root, owned by `owner`. TN_ENOMEM: nothing is left behind. */
enum tn_err ram_tree_init(struct ram_tree *t, struct tn_user *owner, uint32_t mode);

/* Frees everything. No Chan is left. */
void ram_tree_fini(struct ram_tree *t);

static inline struct ram_entry *ram_entry(const struct ram_tree *t, uint32_t id)
{
	return t->places[id].entry;
}

static inline bool ram_is_dir(const struct ram_node *n)
{
	return n->mode & TN_DMDIR;
}

/* The entry `name` of directory `up`; 0: there is none. */
uint32_t ram_find(const struct ram_tree *t, uint32_t up, struct tn_str name);

/*
 * A new node with one name; users are counted anew. Not there yet and a legal name: checked before. Answers its number.
 * TN_ELIMIT_FILES, TN_ENOMEM.
 */
enum tn_err ram_make(struct ram_tree *t, uint32_t up, struct tn_str name, uint32_t mode,
    struct tn_user *owner, uint32_t *id);

/* One more name for a node. The same errors, TN_EMLINK. */
enum tn_err ram_link(struct ram_tree *t, uint32_t up, struct tn_str name, struct ram_node *node,
    uint32_t *id);

/* Takes the entry out of its directory. It may be freed by it. */
void ram_unlink(struct ram_tree *t, uint32_t id);

/* Gives a linked entry another name or directory. `name` is free there. Within one directory it keeps its line. */
enum tn_err ram_move(struct ram_tree *t, uint32_t id, uint32_t up, struct tn_str name);

/* Swaps the places of two linked entries. */
enum tn_err ram_exchange(struct ram_tree *t, uint32_t a, uint32_t b);

/* ramxattr.c: the attributes of a node that goes. */
void ram_xattrs_free(struct ram_node *n, struct ram_budget *budget);

/* One more, one less that needs the entry. */
void ram_hold(struct ram_tree *t, uint32_t id);
void ram_drop(struct ram_tree *t, uint32_t id);

/* Whether `id` is `top` or below it. */
bool ram_is_below(const struct ram_tree *t, uint32_t id, uint32_t top);

/* The first entry of directory `node` behind the serial; 0: none. */
uint32_t ram_next(const struct ram_node *node, uint64_t serial);

#endif
