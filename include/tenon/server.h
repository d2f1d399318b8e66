/*
 * How to write a file server, and what every room of Tenon shares: errors, requests, Chans, servers.
 *
 * A request acts on a Chan; a Chan belongs to a file server; a name space turns names into Chans. A file server is a
 * tn_ops: functions indexed by the type of the request, all of one signature. What is not there is answered by an
 * honest default. A small server is even less: a tn_device, a table of files with the functions for what is peculiar to
 * it.
 *
 * An operation answers (return TN_DONE), fails (return tn_fail(r, TN_EPERM)), or keeps the request:
 *
 *     if (!tn_keep(r))
 *             return TN_DONE;          (no memory to keep it; r has failed)
 *     ... remember r; later, once, on the server's loop: tn_respond(r) ...
 *     return TN_LATER;
 *
 * Until tn_keep, names and data of r may lie in a buffer that is used again when the operation returns; tn_keep moves
 * them to where they stay until tn_respond. So tn_keep comes before r is shown to anybody else, and pointers into r are
 * taken after it; what an operation has put into the data of a read before is lost. A kept request can be flushed at
 * any time: TN_FLUSH is called with that request, and the server ends it soon, by tn_fail(r, TN_EINTR) and tn_respond
 * or by its ordinary answer.
 *
 * Threads: a server and its Chans and requests are touched on its home loop only: in its operations, tasks and timers.
 * In a program that uses <tenon.h> the home loop is tn_home(), and whichever thread is in a call may turn it. Who is on
 * another thread posts a task. Nothing here waits; and calls of <tenon.h>, which do, are refused inside of it.
 */
#ifndef TENON_SERVER_H
#define TENON_SERVER_H

#include "tenon/9p.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* clang-format off */
/* Each has Plan 9's text and Linux's errno: tn_err_text, tn_err_linux. New ones are added before TN_ERRS only. */
enum tn_err {
	TN_OK,
	/* the classes of the oracle */
	TN_ENOENT, TN_EACCES, TN_EEXIST, TN_ENOTDIR, TN_EISDIR, TN_EMOUNT, TN_ENOTMOUNTED, TN_ENOTUNION,
	TN_ENOCREATE, TN_EISMOUNT, TN_ENOATTACH, TN_EBADARG, TN_EBADFD, TN_EBADUSE, TN_ENODEV, TN_EEMPTYNAME,
	TN_EBADCHAR, TN_ENEEDDIR, TN_ENOTEMPTY, TN_EBADATTACH, TN_EEXECDIR,
	/* of 9P and its servers */
	TN_EPERM, TN_EROFS, TN_EINTR, TN_EIO, TN_ENOMEM, TN_ENOSPC, TN_EFBIG, TN_ENAMETOOLONG, TN_EEXCL, TN_ESTALE,
	TN_EXDEV, TN_ENOTSUP, TN_EBADMSG, TN_EBADFID, TN_EFIDINUSE, TN_EBADTAG, TN_EBADOFFSET, TN_EBADCOUNT,
	TN_ENOTOPEN, TN_EISOPEN, TN_EBADVERSION, TN_ENOAUTH, TN_ENEEDAUTH, TN_EBADAUTH, TN_EREMOTE, TN_EGONE,
	TN_EBUSY, TN_ELOOP, TN_ESYMLINK, TN_EINVAL, TN_ERANGE, TN_EOVERFLOW, TN_ENODATA, TN_EAGAIN, TN_ECHILD,
	TN_ETXTBSY, TN_EMLINK, TN_EDQUOT, TN_ENXIO, TN_EPIPE, TN_EDEADLK, TN_ESRCH, TN_EUSERS, TN_E2BIG,
	/* of connections */
	TN_ECONNLOST, TN_ETIMEDOUT, TN_ECONNREFUSED, TN_EHOSTUNREACH, TN_EBADDIAL, TN_EADDRINUSE, TN_ENOHOST,
	/* limits, each with its own words */
	TN_ELIMIT_MOUNTS, TN_ELIMIT_UNION, TN_ELIMIT_PATH, TN_ELIMIT_OPEN, TN_ELIMIT_FIDS, TN_ELIMIT_REQS,
	TN_ELIMIT_CONNS, TN_ELIMIT_MEMORY, TN_ELIMIT_DEPTH, TN_ELIMIT_FILES, TN_ELIMIT_LOCKS,
	TN_ELIMIT_ATTRS, TN_ELIMIT_ALL, TN_ELIMIT_PEER, TN_ELIMIT_SLOW, TN_ELIMIT_IDLE,
	TN_ERRS
};

enum tn_req_type {
	TN_ATTACH, TN_WALK, TN_OPEN, TN_CREATE, TN_READ, TN_READDIR, TN_WRITE, TN_CLUNK, TN_REMOVE, TN_STAT, TN_WSTAT,
	TN_FLUSH,
	/* with honest defaults; 9P2000.L and FUSE ask for them */
	TN_RENAME, TN_LINK, TN_SYMLINK, TN_READLINK, TN_MKNOD, TN_XATTRGET, TN_XATTRSET, TN_LOCK, TN_GETLOCK,
	TN_FSYNC, TN_FALLOCATE, TN_SEEKHOLE, TN_COPYRANGE, TN_STATFS, TN_WATCH,
	TN_REQ_TYPES
};
/* clang-format on */

enum tn_status { TN_DONE, TN_LATER };

struct tn_req;
struct tn_chan;
struct tn_server;
struct tn_change;
struct tn_path; /* opaque: the name of a Chan */
struct tn_loop; /* opaque: a home loop */

/* Who asks. Counted (tn_user_get, tn_user_put); immutable. */
struct tn_user {
	uint32_t refs;   /* atomic */
	uint32_t uid;    /* TN_NONUNAME: none is known */
	uint32_t gid;    /* the same */
	uint32_t len;    /* of name */
	char name[TN_FLEXIBLE]; /* not terminated; what Tattach said, or the host's user */
};

/*
 * How the owner of a request is told: who made the request sets it, one constant table for each kind of owner.
 *
 * done    The request, which was kept, is answered: r->err, r->words and the answer are there. It is the owner's again.
 * keep    Moves what r points at to where it stays. false: no memory. NULL: everything stays where it is anyway.
 * entry   TN_READDIR only: takes one directory entry. `next` is the offset at which a later TN_READDIR goes on behind
 *         it. false: no room, the entry was not taken, stop. May be called from a worker between keep and respond.
 * stat    TN_STAT only: takes the answer. *st and its strings are borrowed for the call. The same threads.
 * change  TN_WATCH only: takes what has happened, borrowed for the call. On the loop, from TN_LATER to done.
 */
struct tn_owner {
	void (*done)(struct tn_req *r);
	bool (*keep)(struct tn_req *r);
	bool (*entry)(struct tn_req *r, const struct tn_stat *st, uint64_t next);
	void (*stat)(struct tn_req *r, const struct tn_stat *st);
	void (*change)(struct tn_req *r, const struct tn_change *change);
};

/* r->flags of TN_OPEN, TN_CREATE: a superset of 9P's and POSIX's. The low two bits are TN_OREAD .. TN_OEXEC. */
enum {
	TN_OF_ACCESS = 0x3,
	TN_OF_TRUNC = 0x10, /* = TN_OTRUNC */
	TN_OF_RCLOSE = 0x40, /* = TN_ORCLOSE */
	TN_OF_EXCL = 0x1000, /* create fails when the name is there (always so for a plain 9P server) */
	TN_OF_APPEND = 0x2000,
	TN_OF_DIRECTORY = 0x4000,
	TN_OF_NOFOLLOW = 0x8000, /* TN_WALK, TN_OPEN: the peer follows symbolic links itself (.L, FUSE, the library) */
	TN_OF_SYNC = 0x10000,
	/* TN_CREATE: perm is cut by the directory's, as open(5) has it; else it is as it is */
	TN_OF_INHERIT = 0x20000,
	/*
	 * TN_READDIR: entries are wanted with all that a TN_STAT would tell, even where that costs messages; without it a
	 * server gives what it has at hand: name, qid, the bits of mode that say what kind of file it is. `valid` tells. Of
	 * the qid the path is that of a walk, of the type the bits TN_QTDIR and TN_QTSYMLINK; the version may be 0.
	 */
	TN_OF_STATS = 0x40000,
	/* those that stay in chan->flags while it is open */
	TN_OF_LASTING = TN_OF_ACCESS | TN_OF_RCLOSE | TN_OF_APPEND | TN_OF_DIRECTORY | TN_OF_SYNC
};

/* u.xattr.how: XATTR_CREATE, XATTR_REPLACE of setxattr(2), and removexattr(2). */
enum { TN_XATTR_CREATE = 1, TN_XATTR_REPLACE = 2, TN_XATTR_REMOVE = 4 };

/* Bytes of an attribute's value or of a list of names, and of a name, that no server need go beyond: Linux's. */
enum { TN_XATTR_MAX = 65536, TN_XATTR_NAME_MAX = 255 };

/*
 * How bind and mount put something at a name: one of the first three, and others of them. bind(2). TN_CREATE_HERE is
 * Plan 9's MCREATE: files may be created in this member of the union. TN_CACHE (MCACHE) is accepted and shown, no more.
 */
enum tn_mount_flag {
	TN_REPL = 0,
	TN_BEFORE = 1,
	TN_AFTER = 2,
	TN_ORDER = 3, /* the bits of the order; both is no order */
	TN_CREATE_HERE = 4,
	TN_CACHE = 16,
	TN_MOUNT_FLAGS = 3 | 4 | 16
};

/* u.lock.type: the numbers of 9P2000.L. */
enum { TN_LK_READ = 0, TN_LK_WRITE = 1, TN_LK_UNLOCK = 2 };

/*
 * A request. Whoever makes it (a door, the name space, a command) owns the memory; it lives until it is answered.
 * Strings and buffers are borrowed from the owner and stay until the answer. Fields before the union are for all.
 */
struct tn_req {
	uint8_t type;  /* enum tn_req_type */
	uint8_t state; /* Tenon's own */
	uint16_t err;  /* enum tn_err: the answer's first word */
	uint32_t flags;
	const struct tn_owner *owner;
	struct tn_server *server; /* who serves it; = chan->server, but for TN_ATTACH */
	struct tn_chan *chan;     /* what it acts on; NULL for TN_ATTACH. Held by the owner until the answer */
	struct tn_chan *chan2;    /* TN_RENAME: the directory it goes to; TN_LINK: the file; TN_COPYRANGE: the source */
	struct tn_user *user;     /* who asks, borrowed; NULL: the Chan's user */
	char *words;              /* the server's own text of the error, or NULL. The request's; tn_req_reset frees it */
	uint64_t deadline_ns;     /* by tn_now_ns; 0: the server's own bound */
	uint32_t pid;             /* the asking process on this machine; 0: unknown */
	struct tn_req *next;      /* free for whoever keeps the request: a queue's link */
	void *keeper;             /* free for whoever keeps the request */
	union {
		struct {
			struct tn_str uname, aname;
			struct tn_chan *newchan; /* as in walk */
			struct tn_chan *auth;    /* an auth file that was gone through, or NULL */
			uint32_t n_uname;
		} attach;
		/*
		 * walk(5). newchan is a fresh Chan of the same server (tn_chan_clone), which the owner made: when all names
		 * were walked (n_walked == n_names) the server has set its qid and aux; else it is left as it was, to be
		 * thrown away. With n_walked < n_names and n_walked > 0 the request is DONE without an error; with
		 * n_walked == 0 and n_names > 0 it has failed. n_names 0: newchan becomes the same file. ".." may be a name;
		 * at the root it stays. "." and "" are not names: TN_ENOENT.
		 */
		struct {
			const struct tn_str *names;
			struct tn_qid *qids; /* room for n_names */
			struct tn_chan *newchan;
			uint16_t n_names, n_walked;
		} walk;
		/* open(5). flags as above. iounit: answer, 0: none. The server has set chan->qid anew if it moved. */
		struct {
			uint32_t iounit;
		} open;
		/*
		 * open(5), 9P2000's create: chan becomes the new file, open. perm: TN_DM bits and permissions. On an error
		 * chan is the directory still.
		 */
		struct {
			struct tn_str name;
			uint32_t perm;
			uint32_t gid; /* TN_NONUNAME: the directory's */
			uint32_t iounit;
			uint32_t rdev_major, rdev_minor; /* TN_MKNOD */
			struct tn_str target;            /* TN_SYMLINK. TN_MKNOD of a device: begins with b or c */
			struct tn_qid qid;               /* answer of TN_MKNOD, TN_SYMLINK */
		} create;
		/* read(5). The server fills data and sets count to what it gave or took. TN_READ of a directory: TN_EISDIR. */
		struct {
			uint8_t *data; /* TN_WRITE: not to be changed */
			uint64_t offset;
			uint32_t count;
		} io;
		/* Directory entries go to owner->entry. offset: 0, or the `next` of an entry that was taken. */
		struct {
			uint64_t offset;
			uint32_t count; /* a hint: bytes that the owner has room for */
		} readdir;
		struct {
			uint64_t mask; /* which fields are wanted; 0: all */
		} stat;
		/* stat(5). st->valid says what to set; all of it or nothing. No bits at all: sync. */
		struct {
			const struct tn_stat *st;
		} wstat;
		/*
		 * TN_RENAME: what is `name` in chan becomes `newname` in the directory chan2; an empty `name`: the file chan
		 * itself does, whichever directory it was walked from (.L's Trename). TN_LINK: name in directory chan for
		 * file chan2. rename(2), link(2); one step, or TN_EXDEV.
		 */
		struct {
			struct tn_str name, newname;
			uint32_t how; /* RENAME_NOREPLACE 1, RENAME_EXCHANGE 2; others: TN_EINVAL */
		} rename;
		struct {
			char *buf;
			uint32_t size, len;
		} readlink;
		/*
		 * Extended attributes, whole: getxattr(2), setxattr(2). .L's reads and writes of an attribute's fid are put
		 * together at its doors.
		 *
		 * TN_XATTRGET  The value of `name`; an empty name: the list of names, each with a NUL behind it. `len` is the
		 *              answer's size in any case; `data` gets it if `size` is enough: size 0 asks for the size alone,
		 *              one that is too small is TN_ERANGE. No such attribute: TN_ENODATA.
		 * TN_XATTRSET  `data` of `size` bytes, not to be changed, becomes the value. how: TN_XATTR bits.
		 */
		struct {
			struct tn_str name;
			uint8_t *data;
			uint32_t size, len;
			uint32_t how;
		} xattr;
		/*
		 * POSIX locks of byte ranges, between all that is open on this server: fcntl(2) F_SETLK, F_GETLK. Nobody waits
		 * here: a door whose program does asks again. `owner` is unique on this machine, and the door's. A lock ends
		 * with a TN_LK_UNLOCK of its owner, and with the open Chan by which it was set.
		 *
		 * TN_LOCK     TN_EAGAIN: somebody else has it. TN_EDEADLK: `waits` is set, and the one who has it waits, as
		 *             far as is known, for this owner.
		 * TN_GETLOCK  Answers a lock that stands in the way (all but waits), or type TN_LK_UNLOCK. Its owner has given
		 *             up waiting, if he was: what a door asks whose program was interrupted.
		 */
		struct {
			uint64_t start, length; /* length 0: to the end of any file */
			uint64_t owner;
			uint32_t pid; /* to be told to those who ask */
			uint8_t type; /* TN_LK_READ, TN_LK_WRITE, TN_LK_UNLOCK */
			bool waits;   /* will ask again until it has it */
		} lock;
		struct {
			uint64_t offset, length, offset2;
			uint32_t how; /* fallocate's mode; SEEK_DATA, SEEK_HOLE; datasync of TN_FSYNC */
		} range;
		struct {
			struct tn_statfs *out;
		} statfs;
	} u;
};

/*
 * TN_WATCH: whoever changes the directory chan, or a file by its name in it, owner->change hears of it. The request is
 * kept until it is flushed (TN_EINTR) or the directory is removed (TN_ENOENT); a connection that is lost is made again.
 * No memory grows while nobody listens: what is too much is lost, and said to be.
 */
enum tn_change_what {
	TN_CHANGE_BEGUN,   /* from here on; the first of all, and after each loss of a connection */
	TN_CHANGE_MADE,    /* `name` is new */
	TN_CHANGE_GONE,    /* it was removed */
	TN_CHANGE_WRITTEN, /* its bytes are others; the same may be told for many writes */
	TN_CHANGE_STATUS,  /* its mode, owner, times; an empty name: the directory's own */
	TN_CHANGE_LEFT,    /* it was renamed: away from here, and to here. The two halves have the same `pair` */
	TN_CHANGE_CAME,
	TN_CHANGE_LOST,    /* changes there were that are not told: look for yourself */
	TN_CHANGES
};

struct tn_change {
	uint8_t what; /* enum tn_change_what */
	bool is_dir;  /* what `name` is or was */
	uint32_t pair; /* of LEFT and CAME, else 0 */
	struct tn_str name;
};

/* What TN_STATFS answers, as statfs(2). */
struct tn_statfs {
	uint32_t type, bsize, namelen;
	uint64_t blocks, bfree, bavail, files, ffree, fsid;
};

/*
 * A place in a file server: what a fid, a descriptor or a member of a union points at. Counted by Tenon: a server has
 * it from the request that it is in until the TN_CLUNK, which comes once, on the server's loop. server and user never
 * change.
 */
struct tn_chan {
	uint32_t refs;            /* atomic */
	uint32_t flags;           /* TN_CF bits; once open, TN_OF bits too */
	struct tn_server *server; /* counted: the instance */
	struct tn_qid qid;
	union {
		void *p;
		uint64_t u64;
	} aux;                    /* the server's own word; 0 until walk, attach or create has set it */
	struct tn_user *user;     /* counted; who attached */
	struct tn_path *path;     /* counted; the name it was reached by, and the way back. NULL below a door */
	struct tn_req *closer;    /* the TN_CLUNK that waits for the last put, or NULL */
	struct tn_chan *next;     /* in the loop's list of Chans to be clunked, or of spare ones */
};

enum {
	TN_CF_OPEN = 0x100000,    /* opened or created; TN_OF_ACCESS of flags says how. Set by core, as TN_CF_USED */
	TN_CF_USED = 0x200000,    /* a walk or attach has succeeded: it represents a file, the last put clunks */
	TN_CF_MOUNTED = 0x400000, /* the root of an attach that a mount made: ns(1) prints it as one */
	TN_CF_AUTH = 0x800000     /* an auth file */
};

/*
 * The functions of a server, by type of request. NULL: an honest default, which promises nothing and changes nothing: a
 * read is empty, a stat or an attach TN_ENOTSUP, a walk TN_ENOENT, a change TN_EACCES, a rename or link TN_EXDEV, an
 * open or a clunk does nothing and is well.
 */
struct tn_ops {
	const char *name; /* "ram"; for logs and ns */
	enum tn_status (*op[TN_REQ_TYPES])(struct tn_req *r);
	void (*free)(struct tn_server *s); /* the last reference went; frees s->data and s itself */
};

/*
 * An instance of a file server: one attach, or a tree that all attaches share. Counted; made by tn_server_init or
 * tn_device_server.
 */
struct tn_server {
	uint32_t refs; /* atomic */
	uint32_t flags; /* TN_SF bits */
	const struct tn_ops *ops;
	void *data; /* the server's own */
	struct tn_loop *home;
	uint64_t instance;     /* a number that no other instance of this node has */
	const char *label;     /* for ns and messages: "#ram", "tcp!host!564"; lives as long as the server */
};

enum {
	TN_SF_DOWN_SKIP = 1, /* mount option skip-down: a union passes over it while its connection is down */
	TN_SF_BLOCKS = 2,    /* reads of its files may wait: no caching, direct I/O */
	TN_SF_REMOTE = 4,    /* its answers come from elsewhere */
	TN_SF_DEVICE = 8,    /* files are made up when they are read: length 0 says nothing, no page cache */
	TN_SF_READONLY = 16,
	TN_SF_OPENS_DEVICES = 32, /* device nodes of its host are opened by it: a door shows them as files */
	TN_SF_SHARED = 64   /* others change its files without a request here: the host's. REMOTE: so it is anyway */
};

/* ---- instances ---- */

/*
 * Fills *s, which the server's author has allocated and ops->free frees: one reference, which is the caller's, no
 * flags, an instance number that is new, label = ops->name. `ops` and `home` live longer than s.
 */
void tn_server_init(struct tn_server *s, const struct tn_ops *ops, struct tn_loop *home, void *data);

/*
 * One reference more (returns s); one less. The last one calls ops->free, on the thread that gives it up: a server that
 * served nobody any more. tn_server_put takes NULL. Threads: any.
 */
struct tn_server *tn_server_get(struct tn_server *s);
void tn_server_put(struct tn_server *s);

/* ---- for operations ---- */

/*
 * Makes r fail. For `return tn_fail(r, TN_EPERM);`: returns TN_DONE. tn_fail_words: with the server's own text, `len`
 * bytes, copied; without memory for it the error's own text must do. intro(5), Rerror.
 */
enum tn_status tn_fail(struct tn_req *r, enum tn_err err);
enum tn_status tn_fail_words(struct tn_req *r, enum tn_err err, const char *text, size_t len);

/*
 * Keeps r beyond the operation: see the head of this file. true: r stays, with its names and data, until tn_respond;
 * the operation returns TN_LATER. false: r has failed with TN_ENOMEM; return TN_DONE.
 */
bool tn_keep(struct tn_req *r);

/* Answers a kept request, once, on the server's loop. From then on r is not the server's any more. */
void tn_respond(struct tn_req *r);

/* Whether the end of r, which is kept, has been asked for: for servers that look before they go on. flush(5). */
bool tn_req_flushed(const struct tn_req *r);

/*
 * Answers of common shapes; both return TN_DONE. text: what a read of a file with this content, `len` bytes, at r's
 * offset gives; copied. stat: *st and its strings are borrowed for the call. read(5), stat(5).
 */
enum tn_status tn_reply_text(struct tn_req *r, const char *text, size_t len);
enum tn_status tn_reply_stat(struct tn_req *r, const struct tn_stat *st);

/*
 * Whether a file may be given this name: TN_OK; TN_EEMPTYNAME, TN_ENAMETOOLONG (over 255 bytes), TN_EEXIST ("." and
 * ".."), TN_EBADCHAR (a slash or a NUL). The rules of intro(5) and of Unix, for TN_CREATE and renames.
 */
enum tn_err tn_new_name_check(struct tn_str name);

/* One reference more (returns u); one less, and the last one frees it. tn_user_put takes NULL. Threads: any. */
struct tn_user *tn_user_get(struct tn_user *u);
void tn_user_put(struct tn_user *u);

/* ---- errors ---- */

/*
 * The faces of an error: Plan 9's text, constant and never NULL; Linux's errno (0 for TN_OK), whatever this host's
 * numbers are; the symbol, "TN_ENOENT". Threads: any. errstr(2).
 */
const char *tn_err_text(enum tn_err err);
uint32_t tn_err_linux(enum tn_err err);
const char *tn_err_name(enum tn_err err);

/* ---- later, and from other threads ---- */

/* A piece of work for later, embedded in whatever it is about. fn is called once for each defer or post, on the loop. */
struct tn_task {
	struct tn_task *next;
	void (*fn)(struct tn_task *task);
	bool queued;
};

/* A moment to be called at, embedded likewise. at_ns 0: not set. fn is called once, on the loop. */
struct tn_timer {
	struct tn_timer *next, *prev;
	uint64_t at_ns; /* by tn_now_ns */
	void (*fn)(struct tn_timer *timer);
};

/*
 * Runs the task soon, behind what is queued already; one that is queued is left where it is. tn_loop_forget takes a
 * deferred task out again, before what it is embedded in is freed (not a posted one). On the loop.
 */
void tn_loop_defer(struct tn_loop *loop, struct tn_task *task);
void tn_loop_forget(struct tn_loop *loop, struct tn_task *task);

/*
 * tn_loop_defer from any thread, and from inside the loop: how what another thread has found out comes to a server,
 * whose function fn then is on its loop and may tn_respond. The task must not be posted again before it has run.
 */
void tn_loop_post(struct tn_loop *loop, struct tn_task *task);

/*
 * Sets the timer (anew) to a moment of tn_now_ns; stops it, if it is set. Before the timer's memory goes it is stopped.
 * On the loop.
 */
void tn_timer_set(struct tn_loop *loop, struct tn_timer *timer, uint64_t at_ns);
void tn_timer_stop(struct tn_loop *loop, struct tn_timer *timer);

/* Nanoseconds since some start, never going back. Threads: any. */
uint64_t tn_now_ns(void);

/* ---- a server as a table ---- */

/*
 * One file or directory of a tn_device. The tree is given in depth-first order by `depth`: the root's children have
 * depth 1. Functions that are NULL answer by the default: a read gives nothing, a write is refused.
 * `open` and `clunk` may keep state in chan->aux only if the device has `own_aux`.
 */
struct tn_file {
	const char *name;
	uint32_t perm; /* TN_DMDIR for a directory, permissions; TN_DMAPPEND, TN_DMEXCL */
	uint8_t depth; /* 0 counts as 1 */
	enum tn_status (*read)(struct tn_req *r);
	enum tn_status (*write)(struct tn_req *r);
	enum tn_status (*open)(struct tn_req *r);
	enum tn_status (*clunk)(struct tn_req *r);
	enum tn_status (*flush)(struct tn_req *r);
	uint64_t (*length)(struct tn_server *s);
	intptr_t what; /* for functions that serve several rows */
};

struct tn_device {
	const char *name;
	const struct tn_file *files;
	size_t n_files;
};

/*
 * Makes an instance that serves `device` (which stays); `data` becomes server->data and is handed to `free_data` at the
 * end (NULL: nothing to free). One reference, the caller's. NULL: no memory.
 */
struct tn_server *tn_device_server(
    const struct tn_device *device, struct tn_loop *home, void *data, void (*free_data)(void *data));

/* The row of a Chan of a tn_device_server, tn_file_of(r->chan): for functions that serve several. NULL: its root. */
const struct tn_file *tn_file_of(const struct tn_chan *c);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
