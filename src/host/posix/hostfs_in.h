/*
 * The inside of #host. place.c knows names and files and holds descriptors, look.c, act.c and actio.c make the calls,
 * hostact.c runs acts, hostfs.c, hostwalk.c, hostopen.c, hostio.c and hostset.c turn requests into acts and results into
 * answers, hostxattr.c and hostlock.c do both for attributes and locks, hostwatch.c tells of changes, owner.c knows the names of users,
 * hostuser.c as whom a call is made.
 *
 * An act is what one request has the kernel do. It is filled on the loop, runs either there or on a worker, and is
 * settled on the loop: system calls see nothing but the act itself, so that a request may be answered (flushed) and a
 * Chan be gone while its call hangs.
 */
#ifndef TN_POSIX_HOSTFS_IN_H
#define TN_POSIX_HOSTFS_IN_H

#include "host/posix/hostfs.h"
#include "host/posix/work.h"

#include <limits.h>
#include <sys/stat.h>

#define HF_NAME_SIZE 256
#define HF_XATTR     "user.tenon.mode" /* hexadecimal: the bits of HF_EXTRA */
#define HF_EXTRA     (TN_DMAPPEND | TN_DMEXCL)

struct hf;

/* ---- what the kernel says of a file ---- */

/* What tells a file from the one that had its inode number before: a matter of the file system. */
enum hf_gen {
	HF_GEN_BIRTH,  /* when it was made */
	HF_GEN_HANDLE, /* its handle */
	HF_GEN_FS /* nothing need: numbers are not used anew. But other file systems may have had the device's */
};

/* Which file it is: no two that exist have the same, and a number used anew shows in `gen`. */
struct hf_ident {
	uint64_t dev, ino;
	uint64_t
	    gen; /* by enum hf_gen: its birth, a hash of its handle, the number of the file system */
};

struct hf_meta {
	struct hf_ident id;
	struct statx x;
	uint32_t extra; /* TN_DMAPPEND, TN_DMEXCL: what is kept in an attribute */
	bool slow;      /* it lies where calls may hang */
	uint8_t gen_by; /* enum hf_gen, of its file system */
};

/* ---- files and names: place.c ---- */

/* A file that somebody has a name or a descriptor of. One for each identity. */
struct hf_inode {
	struct hf_inode *next;      /* by identity */
	struct hf_inode *path_next; /* by qid.path */
	struct hf_inode *linger_next;
	struct hf_ident id;
	uint64_t qid_path;
	int64_t ctime_ns; /* as seen last */
	uint32_t bump;    /* changes through us since then: one tick of the clock may see several */
	uint32_t refs;
	uint32_t n_open;
	uint32_t extra;  /* TN_DMAPPEND, TN_DMEXCL */
	bool held;       /* open, and TN_DMEXCL */
	bool remembered; /* `extra` is nowhere but here: kept as long as the server */
	bool lingers;    /* without references; here for its bump */
};

/* A name and the file it led to. Shared by all Chans that walked it. */
struct hf_place {
	struct hf_place *next; /* by parent and name */
	struct hf_place *lru_prev, *lru_next;
	struct hf_place *parent; /* counted; NULL: the root of an attach */
	struct hf_inode *inode;  /* counted */
	uint32_t refs;
	uint32_t pins; /* acts that use fd */
	int fd;        /* O_PATH; -1: dropped, to be walked again */
	uint32_t kind; /* S_IFMT */
	bool followed; /* the name is a symbolic link that was followed to here */
	bool gone;     /* removed through us, or its name leads elsewhere now */
	bool removed;
	bool hashed;
	bool slow; /* its descriptor is never dropped: to walk again might hang */
	uint8_t gen_by;
	char *name; /* terminated */
};

/* A walk's answer, before it is a place. */
struct hf_found {
	int fd;
	bool followed;
	struct hf_meta meta;
};

/* The place of `found` in `parent`, a new one or the one that is known; takes found->fd. NULL: no memory, fd closed. */
struct hf_place *hf_place_take(struct hf *hf, struct hf_place *parent, const char *name,
    struct hf_found *found);
/* An attach's root. Takes found->fd. */
struct hf_place *hf_place_root(struct hf *hf, struct hf_found *found);
struct hf_place *hf_place_get(struct hf_place *p);
void hf_place_put(struct hf *hf, struct hf_place *p);
/* The place known for a name; NULL: none. Borrowed. */
struct hf_place *hf_place_find(struct hf *hf, const struct hf_place *parent, const char *name);
/* The name is not its any more; `removed`: nor is there another. */
void hf_place_lose(struct hf *hf, struct hf_place *p, bool removed);
/* It has another name now, where nothing is known any more. Without memory it loses its name. */
void hf_place_move(struct hf *hf, struct hf_place *p, struct hf_place *parent, const char *name);

/* Makes p->fd good, walking again from the nearest place that has one, and pins it. Unpin when the act is settled. */
enum tn_err hf_place_pin(struct hf *hf, struct hf_place *p);
void hf_place_unpin(struct hf *hf, struct hf_place *p);
/* Drops descriptors that nobody needs now until `n` fewer are held: the kernel had none left. false: none to drop. */
bool hf_place_drop(struct hf *hf, unsigned n);

struct hf_place *hf_place_top(struct hf_place *p);
/* The names from the root to p, "." for the root. 0 bytes written: longer than size. */
size_t hf_place_path(const struct hf_place *p, char *buf, size_t size);

struct hf_inode *hf_inode_take(struct hf *hf,
    const struct hf_meta *m); /* counted; NULL: no memory */
struct hf_inode *hf_inode_find(struct hf *hf, const struct hf_ident *id);
struct hf_inode *hf_inode_get(struct hf_inode *i);
void hf_inode_put(struct hf *hf, struct hf_inode *i);
/* The qid of a file of which m was just found out. i may be NULL: nobody has a name of it. */
struct tn_qid hf_qid(struct hf *hf, struct hf_inode *i, const struct hf_meta *m);
/* The same where m is brief: the version is 0, and of what is kept in an attribute nothing shows unless it is known. */
struct tn_qid hf_brief_qid(struct hf *hf, const struct hf_meta *m);

/* ---- open files ---- */

/* An open directory. A reader's own: on one thread at a time. */
struct hf_dir {
	int fd, root_fd;
	uint64_t next; /* the offset that the buffer's next entry is read from */
	uint32_t at, len;
	uint64_t
	    last_next; /* the same of the entry before, and where it is in the buffer: it may be wanted once more */
	uint32_t last_at;
	bool follow, slow;
	uint8_t gen_by;
	int mount_id;        /* of gen_by handles */
	struct hf_ident id;  /* of the directory itself */
	char path[PATH_MAX]; /* from the root: to follow links by */
	uint8_t buf[16384];
};

/* The state of a Chan. Counted: acts that are on their way hold it. */
struct hf_file {
	uint32_t refs;
	struct hf *hf;
	struct hf_place *place;  /* counted */
	struct hf_inode *opened; /* counted; what `fd` is open on */
	struct hf_who *opener;   /* counted; who is to remove it at its clunk; NULL: this process */
	int fd;                  /* -1: not open */
	struct hf_dir *dir;
	struct tn_lane lane;
	bool slow, waits, remove_on_close, nofollow, has_locks, knows_no_waiting;
};

/* ---- acts: act.c, actio.c ---- */

enum { HF_ENTRIES_MAX = 64 };

struct hf_entry {
	struct hf_meta meta;
	uint64_t next;
	uint16_t name_len;
	char name[HF_NAME_SIZE];
};

struct hf_act {
	struct tn_job job; /* first */
	struct hf *hf;
	struct tn_req *r;     /* NULL: it was answered meanwhile (flushed) */
	struct hf_file *file; /* counted if on a worker */
	struct hf_file *file2;
	struct hf_place *pinned[3];
	struct hf_who *who; /* counted if on a worker; NULL: this process, unless `stranger` */
	bool stranger;      /* nobody that is known asks: nothing is done */
	void (*act)(struct hf_act *a); /* the calls; sets err */
	void (*settle)(
	    struct hf_act *a); /* answers a->r if it is there, else undoes what nobody knows of */
	int err;               /* errno */
	bool on_worker;
	bool xdev; /* walk: stopped before another file system, and only for that */

	int fd, fd2; /* what to act on */
	int root_fd; /* of the attach */
	int new_fd;  /* a result: -1 or a descriptor */
	int new_path_fd;
	uint32_t kind, perm, gid, flags, how;
	bool follow, exact, slow;
	bool brief; /* readdir: names, numbers and kinds will do */
	uint8_t gen_by;
	uint64_t offset, offset2, length;
	uint8_t *data; /* read, write: of the request, or our own on a worker */
	uint32_t count, n;
	struct hf_ident id;    /* the file that a name must still lead to */
	bool any_id;           /* it need not */
	struct tn_stat change; /* wstat: numbers only */
	uint32_t extra, old_extra;
	bool owner_fixed; /* wstat: the owner must be `owner` already */
	bool owner_given; /* wstat: by number, which is chown(2), also if it is what it was */
	uint32_t owner;
	uint32_t cancelled;  /* atomic: nobody waits for it any more */
	bool waits;          /* a device: no offsets, and it may keep one waiting */
	struct hf_place *at; /* walk: how far it is; counted */
	uint32_t n_walked;
	bool up;              /* walk: this run is one ".." */
	bool again;           /* settle wants another run on the worker */
	enum tn_err bad_name; /* walk: why the run ends before the next ".." */
	bool lost_extra;      /* the file system keeps no attributes: remember it */
	bool renamed;
	struct hf_meta meta; /* a result */
	char name[HF_NAME_SIZE], name2[HF_NAME_SIZE];
	struct tn_statfs statfs;
	uint64_t rdev;
	struct hf_dir *dir;
	struct hf_entry *entries; /* readdir on a worker */
	/* not zeroed */
	char text[PATH_MAX]; /* a link's target; the path of the directory, to follow links by */
	struct {
		uint16_t n, done;
		char names[TN_WNAME_MAX][HF_NAME_SIZE];
		struct hf_found found[TN_WNAME_MAX];
	} walk;
};

/*
 * The file behind a descriptor, O_PATH or not, as a name: opens, links and attributes go by it without a race, and to the
 * file itself, be it a link.
 */
#define HF_FD_PATH_SIZE 40
const char *hf_fd_path(int fd, char path[HF_FD_PATH_SIZE]);

/* The end of a call: errno, or that there is none. */
bool hf_act_errno(struct hf_act *a, bool good);

void hf_act_walk(struct hf_act *a);
void hf_act_attach(struct hf_act *a);
void hf_act_look(struct hf_act *a); /* stat of fd; a link's target into text if kind says link */
void hf_act_open(struct hf_act *a);
void hf_act_create(struct hf_act *a);
void hf_act_read(struct hf_act *a);
void hf_act_write(struct hf_act *a);
void hf_act_readdir(struct hf_act *a);
void hf_act_remove(struct hf_act *a);
void hf_act_wstat(struct hf_act *a);
void hf_act_sync(struct hf_act *a);
void hf_act_rename(struct hf_act *a);
void hf_act_link(struct hf_act *a);
void hf_act_make(struct hf_act *a); /* symlink, mknod */
void hf_act_readlink(struct hf_act *a);
void hf_act_fallocate(struct hf_act *a);
void hf_act_seekhole(struct hf_act *a);
void hf_act_copy(struct hf_act *a);
void hf_act_statfs(struct hf_act *a);
void hf_act_close(struct hf_act *a);

/* What is to be known of an open (or O_PATH) descriptor. `near`: of its file system, if that is the same. */
bool hf_look(int fd, const struct hf_meta *near, struct hf_meta *m);
/* The same of a file whose identity is known. */
bool hf_look_again(int fd, const struct hf_ident *id, struct hf_meta *m);

/* The name in the directory, as a place. slow_too: also into another file system. false: errno. */
bool hf_find(int fd, const char *name, const struct hf_meta *near, bool slow_too,
    struct hf_found *found);

/* The path from the root, its links followed, below the root. The same. */
bool hf_follow(int root_fd, const char *path, const struct hf_meta *near, bool slow_too,
    struct hf_found *found);

struct hf_dir *hf_dir_new(void);
void hf_dir_free(struct hf_dir *d);
/*
 * The next entry of d: 1; 0 at the end, -1 with errno. brief: of e->meta the identity and the kind are enough, and what
 * the directory itself does not tell is looked at only where these depend on it. hf_dir_seek: 0 rewinds; an entry's
 * `next` goes on behind it.
 */
int hf_dir_next(struct hf_dir *d, bool brief, struct hf_entry *e);
/* The next name, and nothing about it, but for "." and ".."; NULL: the end, or an error. */
const char *hf_dir_name(struct hf_dir *d);
void hf_dir_seek(struct hf_dir *d, uint64_t offset);

/* ---- users: owner.c ---- */

/* Names of users and groups by number and back, from the host's tables, remembered. Borrowed until hf_owners_trim. */
struct hf_owners;
struct hf_owners *hf_owners_new(void);
void hf_owners_free(struct hf_owners *o);
/* Makes room, when there are many: names given before this are gone. */
void hf_owners_trim(struct hf_owners *o);
struct tn_str hf_user_name(struct hf_owners *o, uint32_t uid);
struct tn_str hf_group_name(struct hf_owners *o, uint32_t gid);
/* The same without a table: any thread. */
void hf_user_text(uint32_t uid, char *buf, size_t size);
bool hf_user_number(struct tn_str name, uint32_t *uid);
bool hf_group_number(struct tn_str name, uint32_t *gid);

/* ---- as whom: hostuser.c ---- */

/* A user of the host that is acted for. Counted, on the loop. */
struct hf_who;
/*
 * The ids of u as they are now; and as they were at an attach, if there was one. NULL: unknown, or no memory. Borrowed
 * until the next attach.
 */
struct hf_who *hf_who_attach(struct hf *hf, const struct tn_user *u);
struct hf_who *hf_who_of(struct hf *hf, const struct tn_user *u);
struct hf_who *hf_who_get(struct hf_who *w);
void hf_who_put(struct hf_who *w); /* takes NULL */
void hf_users_free(struct hf *hf);
/* Whether this process can act for others at all. */
bool hf_users_start(void);
/* From here on this thread acts for `who`; NULL: for this process, which cannot fail. false: for this process still. */
bool hf_act_as(const struct hf_who *who);
const struct hf_who *hf_acting(void);
uint32_t hf_acting_uid(void);

/* ---- locks: hostlock.c ---- */

/* One table for all instances; each counts as a user of it. */
void hf_locks_get(void);
void hf_locks_put(void);
/* c is clunked: what was locked by it is not locked any more. */
void hf_locks_drop(const struct tn_chan *c);

/* ---- changes: hostwatch.c ---- */

/* What the kernel tells of directories that are watched; made with the first. */
struct hf_watcher;
void hf_watcher_free(struct hf_watcher *w); /* takes NULL; nobody watches any more */
enum tn_status hf_watch(struct tn_req *r);
enum tn_status hf_watch_flush(struct tn_req *r);

/* ---- the server ---- */

enum { HF_BUCKETS = 8192 };

struct hf {
	struct tn_server server; /* first */
	struct tn_hostfs_options o;
	struct tn_work *work; /* made when first needed */
	struct hf_owners *owners;
	struct hf_watcher *watcher;
	struct hf_who *users; /* who came last comes first */
	struct hf_place *root;
	struct hf_place *lru_first,
	    *lru_last; /* of those with a descriptor that may be dropped; first: to go first */
	struct hf_inode *linger_first, *linger_last;
	uint32_t n_lingering, n_places, n_inodes, n_held, n_open;
	struct tn_hostfs_stats stats;
	char label[PATH_MAX + 8];
	struct hf_place *places[HF_BUCKETS];
	struct hf_inode *inodes[HF_BUCKETS], *paths[HF_BUCKETS];
};

struct hf *hf_of(const struct tn_req *r);
struct hf_file *hf_file_of(const struct tn_chan *c);
struct hf_file *hf_file_new(struct hf *hf, struct hf_place *place);
void hf_file_put(struct hf_file *f);
bool hf_is_open(const struct hf_file *f);
enum tn_err hf_err(int number);
enum tn_err hf_copy_name(char to[HF_NAME_SIZE],
    struct tn_str name); /* TN_EBADCHAR, TN_ENAMETOOLONG */
/* Name, qid and kind: what m has when it is brief. */
void hf_fill_brief(struct hf *hf, const struct hf_meta *m, struct tn_str name, struct tn_stat *st);
void hf_fill_stat(struct hf *hf, struct hf_inode *i, const struct hf_meta *m, struct tn_str name,
    struct tn_stat *st);

/* An act begins with hf_act_init, gets its descriptors by hf_act_on and _pin, and is run, or refused. */
void hf_act_init(struct hf_act *a, struct hf *hf, struct tn_req *r);
void hf_act_for(struct hf_act *a, struct hf_who *who); /* instead of who asks */
enum tn_err hf_act_on(struct hf_act *a, struct hf_file *f);
enum tn_err hf_act_pin(struct hf_act *a, struct hf_place *p, int *fd);
void hf_act_unpin(struct hf_act *a);
void hf_act_here(struct hf_act *a); /* the calls, now; once more if descriptors can be given back */
enum tn_status hf_act_run(struct hf_act *a); /* here, or on a worker if it may hang */
enum tn_status hf_act_later(
    struct hf_act *a); /* on a worker. Takes a->data, a->entries, which are its own */
enum tn_status hf_act_refuse(struct hf_act *a, enum tn_err err);
void hf_fail(struct hf_act *a); /* with a->err, if anybody waits */
bool hf_start(struct hf_act *a, struct tn_lane *lane);

enum tn_status hf_attach(struct tn_req *r);
enum tn_status hf_walk(struct tn_req *r);
enum tn_status hf_open(struct tn_req *r);
enum tn_status hf_create(struct tn_req *r);
enum tn_status hf_clunk(struct tn_req *r);
enum tn_status hf_remove(struct tn_req *r);
enum tn_status hf_stat(struct tn_req *r);
enum tn_status hf_flush(struct tn_req *r);
enum tn_status hf_read(struct tn_req *r);
enum tn_status hf_readdir(struct tn_req *r);
enum tn_status hf_write(struct tn_req *r);
enum tn_status hf_fsync(struct tn_req *r);
enum tn_status hf_fallocate(struct tn_req *r);
enum tn_status hf_seekhole(struct tn_req *r);
enum tn_status hf_copyrange(struct tn_req *r);
enum tn_status hf_statfs(struct tn_req *r);
enum tn_status hf_wstat(struct tn_req *r);
enum tn_status hf_rename(struct tn_req *r);
enum tn_status hf_link(struct tn_req *r);
enum tn_status hf_symlink(struct tn_req *r);
enum tn_status hf_readlink(struct tn_req *r);
enum tn_status hf_mknod(struct tn_req *r);
enum tn_status hf_xattrget(struct tn_req *r);
enum tn_status hf_xattrset(struct tn_req *r);
enum tn_status hf_lock(struct tn_req *r);
enum tn_status hf_getlock(struct tn_req *r);
enum tn_status hf_sync_of(struct tn_req *r, bool data_only);

#endif
