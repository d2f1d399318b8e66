/*
 * Inside the FUSE door: one operation of a program, from the kernel's request to the answer. fuse.c has the session,
 * op.c the steps that all share, fops.c the operations.
 */
#ifndef TN_LAUNCH_DOOR_H
#define TN_LAUNCH_DOOR_H

#define FUSE_USE_VERSION 314

#include "core/lock.h"
#include "launch/fuse.h"
#include "launch/node.h"

#include <fuse_lowlevel.h>

/*
 * Seconds that the kernel may keep what a server elsewhere said of a file's attributes, and of the entries of a listing.
 * 9P2000 tells nobody of a change, and a cache is right or absent: nothing is kept. A dialect that says when a file has
 * changed may have more.
 */
#define LAUNCH_FRESH_S 0.0

struct launch_op;

/* What goes on when a step has succeeded. */
typedef void (*launch_step)(struct launch_op *op);

/* A name of the root that only the launcher knows. */
struct launch_hidden {
	struct launch_hidden *next;
	struct tn_chan *chan; /* counted */
	char name[];
};

struct launch_fuse {
	struct tn_host_loop *hl;
	struct fuse_session *se;
	struct launch_fuse_options o;
	uint32_t uid, gid; /* the process's own: of files whose owner is not shown */
	bool true_owners;
	struct tn_proc *proc;
	struct launch_nodes nodes;
	struct launch_op *ops; /* all that are under way */
	struct fuse_buf buf;   /* the request that is being read */
	uv_poll_t *poll;
	struct launch_fuse_stats stats;
	struct launch_hidden *hidden;
	struct tn_locks locks; /* of byte ranges, where the server has none */
	struct tn_locks flocks;
	struct launch_op *lock_waiters; /* who came first comes first */
	uint64_t lock_salt;
	struct launch_notify *notify; /* NULL: what others change is not raised in here */
	uint32_t telling;             /* entries that the kernel is being told to forget */
	bool freeing, has_ended;
};

/* The kernel tells the process with a lock but not with an unlock, and a server knows an owner by both. */
struct launch_locker {
	uint64_t owner;
	uint32_t pid;
};

/* An open file or directory of the program's. */
struct launch_handle {
	struct launch_handle *next, *prev; /* of the node's */
	uint32_t
	    refs; /* the program's, and each operation's: a release may come before an answer */
	struct launch_node *node; /* counted */
	struct tn_chan *chan;
	bool direct;     /* past the page cache */
	bool is_union;   /* a listing that may have a name twice: the first wins */
	uint64_t number; /* of the next entry of the listing: FUSE's offset. "." is 0, ".." 1 */
	uint64_t cookie; /* where the server goes on for it */
	uint64_t *marks; /* the same for the entries 2, 3, ...: for seekdir */
	uint32_t n_marks, marks_size;
	struct launch_names *names; /* those that were given, while is_union */
	struct launch_op *listers;  /* the listing under way, then those that wait for it */
	struct launch_locker
	    *lockers; /* owners that may have locks at the server, set by this file */
	uint32_t n_lockers;
	bool locks_here; /* the server has none */
	bool lost;       /* its connection: what it says from then on */
};

/* A set of names: namespace-semantics.md 6. */
struct launch_names {
	char **slots;
	size_t size, used;
};
bool launch_names_add(struct launch_names *set, struct tn_str name,
    bool *is_new); /* false: no memory */
void launch_names_clear(struct launch_names *set);

/* What fcntl(2) or flock(2) asks for, and where it stands. */
struct launch_lock {
	struct tn_lock want;
	struct launch_op *next; /* the waiter behind it */
	struct tn_timer again;
	uint64_t pause_ns, pause_max_ns;
	bool sleeps, is_flock;
	bool is_here;    /* in the door's own table */
	bool is_waiting; /* for its turn, or for the pause to end */
};

/* One operation. Freed when its last step is over, whether the kernel still waits or was answered EINTR before. */
struct launch_op {
	struct launch_op *next, *prev;
	struct launch_op *next_lister; /* the handle's */
	struct launch_fuse *f;
	fuse_req_t req;                   /* NULL: answered */
	struct launch_node *node, *node2; /* counted */
	struct launch_handle *handle;
	struct tn_name name; /* the resolution under way; its answer until the next one */
	struct tn_req r;     /* the request under way */
	bool resolving;
	bool
	    in_step; /* a step is running: what it starts and finishes at once is carried on by its loop */
	bool over;        /* ended inside a step: freed when that returns */
	launch_step step; /* what to do next */
	launch_step
	    failed; /* instead of answering the error, for a step that knows a second way; used once */
	enum tn_err err;

	struct tn_chan *chan, *chan2; /* counted: what the operation works on */
	char *text, *text2;           /* names and targets of the request, copied */
	char *walk_text;              /* a way from an ancestor */
	uint8_t *data;                /* of a read or write */
	size_t size, done;
	off_t off, from;
	int flags, to_set;
	mode_t mode;
	dev_t rdev;
	struct stat attr; /* the last answer of a TN_STAT; as asked for by a setattr in `want` */
	struct stat want;
	struct tn_stat change;
	uint32_t dm_bits;            /* the mode's high bits as the server has them */
	uint32_t true_uid, true_gid; /* of the last TN_STAT, whatever attr shows; TN_NONUNAME: not said */
	bool attr_direct, is_remote; /* the last TN_STAT: no page cache; its server is elsewhere */
	bool is_made_up;             /* attr is nobody's word */
	struct tn_members *members;
	struct tn_str one_name; /* the name of a walk of one element */
	struct tn_qid one_qid;
	const struct tn_server *made_by; /* of what has no Chan yet */
	struct fuse_file_info fi;
	launch_step then;            /* behind the resolution or the request under way */
	launch_step after;           /* behind launch_node_chan */
	launch_step shown;           /* behind launch_node_shown */
	launch_step made_in;         /* behind the choice of where something is made */
	launch_step permitted;       /* behind the permissions of what was made */
	struct launch_node *node3;   /* counted: the other directory or file of rename and link */
	struct tn_chan *dir, *todir; /* counted: of rename; dir also the file of link */
	struct tn_statfs statfs;
	uint32_t perm;            /* of a create */
	uint32_t maker_uid, maker_gid; /* of what is made */
	bool is_making, is_others;     /* it has a maker; who is not the door's own user */
	bool keeps_owner;              /* a change that names owners only as they are */
	struct tn_timer patience; /* it was interrupted, and is answered EINTR then */
	struct launch_node *
	    *told; /* entries of a listing that the kernel will count as looked up */
	uint32_t n_told, told_size;
	enum tn_err list_err; /* of a listing: what ended it */
	bool plus, full,
	    any; /* its entries carry stats; the answer is full; the last request brought an entry */
	bool is_union, is_listing, has_begun, tried;
	struct launch_lock lock;
	int error;                    /* what was answered; 0: that it was done */
	struct launch_echo *echo;     /* what its server will tell of it: notify.h */
	struct launch_follow *follow; /* for which it looks a directory up; counted */
	struct launch_suspect *suspect; /* for which it looks again */
	struct launch_raiser *raiser; /* for which it looks a file up */
	char aside[16];               /* rename: what the target is called until it is removed */
};

/* ---- op.c ---- */

struct launch_op *launch_op_new(struct launch_fuse *f, fuse_req_t req,
    fuse_ino_t ino);                                        /* NULL: ENOMEM was answered */
void launch_op_end(struct launch_op *op);                   /* after the answer */
void launch_op_fail(struct launch_op *op, enum tn_err err); /* answers and ends */
void launch_op_errno(struct launch_op *op, int number);     /* the same by an errno */
void launch_op_ok(struct launch_op *op);                    /* answers 0 and ends */
void launch_op_flush(struct launch_op *op); /* the caller was answered; ends it soon */
struct launch_node *launch_node_of(struct launch_fuse *f, fuse_ino_t ino);
fuse_ino_t launch_ino_of(struct launch_fuse *f, const struct launch_node *node);

/* The first step runs the ones that follow it without recursion. */
void launch_op_run(struct launch_op *op, launch_step first);

/* Resolves a name from a Chan; then the answer is in op->name. */
void launch_resolve(struct launch_op *op, struct tn_chan *from, const char *name,
    enum tn_name_for want, uint32_t flags, uint32_t perm, launch_step next);

/* Submits op->r, which was made with launch_owner. */
extern const struct tn_owner launch_owner;
void launch_submit(struct launch_op *op, launch_step next);

/* op->chan becomes the node's Chan, before its mount point if it is a directory; walked again if it is missing. */
void launch_node_chan(struct launch_op *op, struct launch_node *node, launch_step next);

/* op->chan becomes what the node shows now: a directory's mount point is crossed; op->members what is mounted there. */
void launch_node_shown(struct launch_op *op, struct launch_node *node, launch_step next);

/* Asks for the stat of op->chan; then op->attr and its companions are there. */
void launch_stat(struct launch_op *op, launch_step next);

void launch_chan_take(struct launch_op *op, struct tn_chan *c); /* op->chan = c, the old one put */
enum tn_err launch_err_of(const struct launch_op *op);

/* ---- attr.c ---- */

void launch_attr(const struct launch_fuse *f, const struct tn_server *server,
    const struct tn_stat *st, struct stat *out);
uint64_t launch_ino_number(uint64_t instance, uint64_t path);
bool launch_is_direct(const struct tn_server *server, const struct tn_stat *st);

/* ---- fops.c: names and attributes ---- */

struct launch_fuse *launch_door_of(fuse_req_t req);

/* The kernel's request, for the one answer; NULL: it was interrupted and has its answer. */
fuse_req_t launch_answering(struct launch_op *op);

/* An operation on the name `name` in the directory `ino`; the name is in op->text. NULL: it was refused. */
struct launch_op *launch_op_with_name(fuse_req_t req, fuse_ino_t ino, const char *name);

/* Looks up op->text in the directory op->node and answers with the entry. */
void launch_look_up(struct launch_op *op);

/* The entry of a node of which op->attr was just learnt. */
void launch_fill_entry(struct launch_op *op, struct launch_node *node, struct fuse_entry_param *e);
uint32_t launch_dm_of(mode_t mode);

/* ---- fopen.c: open files ---- */

/* A handle of the node's with the open Chan c (taken, but not on failure). NULL: no memory. */
struct launch_handle *launch_handle_new(struct launch_op *op, struct launch_node *node,
    struct tn_chan *c);
void launch_handle_close(struct launch_fuse *f,
    struct launch_handle *h); /* the program has let go of it */
void launch_handle_put(struct launch_fuse *f, struct launch_handle *h); /* takes NULL */

struct launch_handle *launch_handle_of(const struct fuse_file_info *fi); /* NULL: none */
void launch_take_handle(struct launch_op *op, const struct fuse_file_info *fi);

/* An operation on an open file: op->handle, and op->chan its Chan. NULL: it was refused. */
struct launch_op *launch_op_on_handle(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
bool launch_op_data(struct launch_op *op, size_t size); /* false: it was refused */
void launch_answer_open(struct launch_op *op, struct launch_handle *h);
uint32_t launch_open_flags(int flags);

/* op->chan2 becomes a Chan of the same file as op->chan that is nobody else's: to be opened, removed, renamed. */
void launch_clone_chan(struct launch_op *op, launch_step next);

/* ---- flist.c ---- */

/* A listing begins when its handle's listers before it have ended; behind launch_list_leave the one that it returns does. */
void launch_list(struct launch_op *op);
bool launch_list_waits(const struct launch_op *op);
struct launch_op *launch_list_leave(
    struct launch_op *op); /* NULL: none; also if op is no listing */

/* ---- flock.c ---- */

bool launch_lock_waits(const struct launch_op *op); /* for a lock, and nothing is under way */
void launch_lock_leave(struct launch_op *op);       /* the queue; also if it stands in none */
void launch_lock_stop(struct launch_op *op);        /* ends one that waits, with EINTR */

/* ---- fmake.c ---- */

/* op->chan becomes where the directory op->node lets things be made; then op->made_in. The second: it is shown already. */
void launch_in_maker(struct launch_op *op, launch_step next);
void launch_choose_maker(struct launch_op *op);

/* ---- the operations, rows of launch_fops ---- */

void launch_do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void launch_do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void launch_do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void launch_do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi);
void launch_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void launch_do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void launch_do_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
    struct flock *range);
void launch_do_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *range,
    int sleep);
void launch_do_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int how);
void launch_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void launch_do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi);
void launch_do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi);
void launch_do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void launch_do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
    struct fuse_file_info *fi);
void launch_do_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
    struct fuse_file_info *fi);
void launch_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void launch_do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi);
void launch_do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi);
void launch_do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void launch_do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void launch_do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags);
void launch_do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);

void launch_do_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
    struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
    size_t len, int flags);
void launch_do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void launch_do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void launch_do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags);
void launch_do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

extern const struct fuse_lowlevel_ops launch_fops;

#endif
