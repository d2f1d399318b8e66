/*
 * The inside of mnt, for its own files: client.c (dialling, the loss of a connection), offer.c (the version),
 * clientio.c (its bytes), bound.c (the bound on waiting), rpc.c (requests being served, tags, flushes), mfid.c (fids,
 * names below the attach), recover.c (walking again on a new connection, and to fids of an op's own), mnt.c (the table
 * of requests). How they are spelled: mntwalk.c and mntio.c in all dialects; mntfile.c and mntdir.c in 9P2000 and .u,
 * mntspecial.c what .u adds; mntopen.c, mntattr.c, mntname.c, mntlist.c, mntxattr.c, mntlock.c in .L; mnttenon.c what
 * .L.tenon adds. mntwatch.c is about changes at the peer; mntquirk.c is about servers that want something else.
 *
 *     tn_req --1:1-- tn_op --1:n-- tn_rpc --1:1-- a tag and a message
 *     tn_chan --1:1-- tn_mfid --n:1-- tn_root (an attach)
 *
 * An op goes through tn_op_go, which sees to a connection and a live fid, and then through the steps of its request.
 * Each step is an rpc: filled when there is room for its message, answered once. Whatever happens an op ends in
 * tn_op_done or tn_op_fail. Who owns a fid: its Chan, each rpc that names it, an op that is making it: the last one
 * clunks it, when the peer knows it.
 */
#ifndef TN_LINK_CLIENT_H
#define TN_LINK_CLIENT_H

#include "core/chan.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/server.h"
#include "link/dialect.h"
#include "link/mnt.h"

enum {
	TN_RPCS_MAX = 1000,   /* tags: below what peers of our own kind read at once */
	TN_OP_RPCS_MAX = 960, /* of them for requests; the rest is for flushes and clunks */
	TN_STARTS_MAX = 900,  /* with so many in use no further request is begun: it waits */
	TN_PARTS_MAX = 16,    /* parts of a large read or write that are outstanding at once */
	TN_MSIZE_MIN = 256
};

struct tn_rpc;
struct tn_op;

/* ---- names, attaches, fids ---- */

/* An element of a name below the attach. Immutable, counted; the last element leads to the first. */
struct tn_elem {
	uint32_t refs;
	uint16_t depth; /* 1: right below the root */
	uint16_t len;
	struct tn_elem *up; /* counted; NULL: the root */
	uint64_t hash;      /* of the whole name: the qid.path with qids_by_name */
	char name[];
};

/* A queue of ops that wait for the same thing. */
struct tn_opq {
	struct tn_op *first, *last;
};

/* An attach: what is needed to attach again. Counted by the fids below it. */
struct tn_root {
	uint32_t refs;
	bool busy;             /* an op is attaching it again */
	struct tn_opq waiting; /* for that */
	struct tn_mfid *top;    /* on a connection after the first: its root there, from which Chans are walked again */
	uint64_t shown;        /* the root's qid.path as Chans show it: the first one */
	uint64_t path;         /* the same as this connection says */
	uint8_t type;          /* of its qid */
	uint32_t n_uname;
	uint16_t uname_len, aname_len;
	char text[]; /* uname, aname */
};

enum {
	TN_MFID_OPEN = 1,    /* it was opened or created; on a new connection it is stale */
	TN_MFID_STALE = 2,   /* removed, or it is unknown what it is at the peer */
	TN_MFID_WALKING = 4, /* an op walks it again: all others wait */
	TN_MFID_LISTING = 8, /* an op reads it as a directory: other such ops wait */
	TN_MFID_REGULAR = 16, /* parts of one read may be outstanding together: a short one is the end of the file */
	TN_MFID_ASKED = 32,   /* whether it is that has been asked */
	TN_MFID_RCLOSE = 64,  /* .L, which cannot say it: its end is a Tremove */
	TN_MFID_APPEND = 128  /* .L: the peer writes at the end: parts of a write must not pass one another */
};

/* A fid: a number that stays with this struct for the client's life. In a Chan's aux.p. Counted, see above. */
struct tn_mfid {
	struct tn_mfid *next; /* in the list of free ones, or of those whose clunk waits */
	uint32_t refs;
	uint32_t number;
	uint32_t generation; /* the connection on which the peer knows it; 0: none */
	uint32_t flags;
	struct tn_root *root; /* counted; NULL: not bound to a Chan yet */
	struct tn_elem *name; /* counted; NULL: the root */
	struct tn_qid qid;    /* as the Chan shows it */
	uint32_t iounit;      /* as Ropen said; 0: none */
	struct tn_opq waiting;
	struct tn_dir {
		uint8_t *buf;      /* entries that the owner had no room for */
		uint32_t size, at, len;
		uint64_t off;      /* of buf[at] in the peer's stream of entries; where the owner goes on. .L: as the peer says */
		uint64_t peer_off; /* where the peer will read on; UINT64_MAX: unknown */
		/* .L: mntlist.c */
		struct tn_mfid *near; /* counted; the same directory, not open; or NULL */
		bool no_near;         /* it is not to be asked for (again) */
		uint32_t span, left;  /* against listings without an end */
		uint64_t held;
	} dir;
};

/* ---- rpcs and ops ---- */

/* How a message is filled and answered: a row for each kind of message that requests send. */
struct tn_step {
	uint8_t type; /* T-message */
	bool unsure;  /* if it stays unanswered nobody knows what its fid is: the fid becomes stale */
	void (*fill)(const struct tn_rpc *rpc, struct tn_msg *m);
	/*
	 * m is of type + 1. *rpc is a copy: the tag is free already. Returns NULL, or what is wrong with the message
	 * (a constant): then the connection ends.
	 */
	const char *(*answer)(const struct tn_rpc *rpc, const struct tn_msg *m);
	/* m is an Rerror. NULL: the request fails with it. */
	void (*refused)(const struct tn_rpc *rpc, const struct tn_msg *m);
	/* The answer came when nobody waited any more. NULL: nothing to do. */
	void (*late)(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m);
};

enum tn_rpc_state {
	TN_RPC_FREE,
	TN_RPC_QUEUED,   /* waits for room in the out buffer */
	TN_RPC_SENT,
	TN_RPC_FLUSHING, /* and a Tflush for it behind it */
	TN_RPC_ANSWERED  /* answered while being flushed: the tag is reserved until Rflush */
};

struct tn_rpc {
	struct tn_rpc *next, *prev;    /* free list; queue */
	struct tn_rpc *op_next;        /* the op's */
	struct tn_op *op;               /* who waits; NULL: nobody */
	const struct tn_step *step;
	struct tn_mfid *fid, *newfid;    /* that the message names; counted, or NULL */
	struct tn_rpc *victim;         /* of a Tflush */
	uint64_t offset;
	uint32_t count;                 /* asked */
	uint16_t first, n;              /* names: from, how many; first: the part of a read or write, an entry */
	uint16_t tag;
	uint8_t state;
};

struct tn_op {
	struct tn_op *next, *prev;      /* client->ops, or the free list */
	struct tn_op *q_next, *q_prev;
	struct tn_opq *queue;           /* where it waits, or NULL */
	struct tn_client *client;
	struct tn_req *r;
	struct tn_mfid *fid;             /* r->chan's; the Chan's reference. TN_CLUNK: the op's own */
	struct tn_mfid *fid2;            /* r->chan2's, or NULL; the same */
	struct tn_mfid *lost;            /* the one of the two whose attach or name is being walked again */
	struct tn_mfid *busy;            /* the one that it walks again or lists: others wait for it */
	struct tn_mfid *newfid;          /* being made; counted */
	/* recover.c: go on when newfid has been walked to; or when it cannot be, instead of failing. Or NULL */
	void (*then)(struct tn_op *op), (*after)(struct tn_op *op), (*otherwise)(struct tn_op *op);
	struct tn_root *root;           /* TN_ATTACH: being made; counted */
	struct tn_elem *name;           /* TN_WALK, TN_CREATE: newfid's; counted */
	struct tn_rpc *rpcs;          /* outstanding */
	uint64_t deadline_ns;           /* UINT64_MAX: none */
	uint64_t base;                  /* io: bytes that were done before this round */
	bool holds_root;                /* it made lost->root busy: others wait for it */
	bool flushed;
	bool started;                   /* the request's own messages have begun */
	bool crowded;                   /* it waits for a tag */
	bool is_full;                   /* a listing: the owner had no room */
	uint8_t n_parts;
	uint16_t n_done, n_good;        /* walk: names walked; names that may be walked */
	uint32_t got[TN_PARTS_MAX];     /* io: bytes of each part; UINT32_MAX: none */
	uint32_t perm;                  /* .L, TN_CREATE: as it is sent */
	struct tn_qid made;             /* the same, of a directory: as the peer calls it */
	struct tn_looks *looks;         /* .L, TN_READDIR: stats of entries; freed with the op. mntlist.c */
	char text[48];                  /* while a message is filled */
};

/* ---- the client ---- */

struct tn_buf {
	uint8_t *p;
	size_t size, at, end; /* bytes [at, end) are there */
};

/* What is said of a connection that is lost or was not had. */
struct tn_loss {
	char s[320];
	size_t len;
};

enum tn_client_state {
	TN_CLIENT_DOWN,
	TN_CLIENT_DIALING,
	TN_CLIENT_VERSION, /* Tversion was sent */
	TN_CLIENT_READY
};

/* What a server is known by; mntquirk.c says which one that is. */
enum tn_sign {
	TN_SIGN_RERROR_OF_NUMBER /* an Rerror in 9P2000.L with the number that Rlerror has. offer.c */
};

/* What is done otherwise for some. */
enum tn_quirk {
	TN_QUIRK_GROUP_OF_USER = 1,      /* who gives a new file no group of its own gives it the user's */
	TN_QUIRK_LOCKS_OF_HOST = 2,      /* a lock's owner is a host by its address, and proc_id */
	TN_QUIRK_REMOVE_BY_UNLINKAT = 4  /* instead of Tremove */
};

struct tn_client {
	struct tn_stream stream; /* first: a stream of mnt is its client */
	uint32_t refs;
	struct tn_loop *loop;
	struct tn_dialer *dialer;
	struct tn_task task;
	struct tn_timer timer;
	char *label;
	uint32_t offer; /* msize */
	uint32_t msize; /* agreed */
	uint32_t fids_max;
	uint64_t soft_ns;
	uint64_t seed; /* of names' hashes */
	enum tn_dialect dialect; /* agreed */
	enum tn_dialect asked;   /* no other will do; TN_DIALECTS: any. 9P2000.L.tenon counts as 9P2000.L */
	enum tn_dialect offered; /* to this connection, the last time */
	bool is_no_tenon;        /* the peer did not know 9P2000.L.tenon: it is not offered again */
	uint32_t quirks;         /* of the peer, once it has shown what it is. enum tn_quirk */
	enum tn_dialect spoke;   /* what the last connection that had one agreed on; TN_DIALECTS: none yet */
	bool qids_by_name, skip_down;
	bool offer_less;  /* the next dial begins with what is in `offered`: the peer hung up at more */
	bool offer_is_late; /* this connection's peer has refused more before: it may hang up for that */
	bool no_renameat; /* this connection's peer has said so */
	uint64_t locker;  /* a number of this client's own, for the owners of its locks */

	enum tn_client_state state;
	uint32_t generation;   /* of connections; goes up when one is lost, so that no fid is live meanwhile */
	bool dropping;         /* the transport is to be let go of, by the task */
	bool ever;             /* it was connected once */
	bool good;             /* this connection has answered something behind Rversion, and is not silent since */
	bool ending;           /* the last reference went */
	bool probing;          /* the probe is outstanding */
	bool stuck;            /* the transport could not take all output the last time */
	uint32_t dial_fails;
	uint64_t asked_ns;     /* since when the peer is being asked in vain, once it is */
	uint64_t dial_at_ns;   /* not before; until then who asks is told `why` */
	enum tn_err why_err;
	struct tn_loss why;
	uint64_t dial_by_ns;   /* the bound of this dial, and of Rversion */
	uint64_t quiet_ns;     /* since when nothing has come, while somebody waited */
	uint64_t end_by_ns;

	struct tn_buf in, out;
	struct tn_rpc **rpcs; /* by tag; 0 is the probe's */
	uint32_t n_rpcs, rpcs_size, rpcs_used;
	struct tn_rpc *free_rpcs;
	struct tn_rpc *queue, *queue_last; /* rpcs that wait for room */
	struct tn_rpc probe;

	struct tn_op *ops, *free_ops;
	uint32_t n_free_ops;
	struct tn_opq waiting;  /* for the connection */
	struct tn_opq crowd;    /* for a tag */
	struct tn_opq runnable; /* that may go on */
	struct tn_opq doomed;   /* that are being failed */

	struct tn_mfid *free_fids, *unclunked;
	uint32_t n_fids, fids_used;
	struct tn_elem *free_elems;
	uint32_t n_free_elems;
	struct tn_client_stats stats;
};

/* An instance: one mount. */
struct tn_mnt {
	struct tn_server s; /* first */
	struct tn_client *client; /* counted */
	struct tn_feed *feeds;    /* one of each user who watches: mntwatch.c */
	uint32_t no_feed;         /* the generation of the connection whose peer has none; 0: not known */
};

static inline struct tn_client *tn_client_of(const struct tn_req *r)
{
	return ((struct tn_mnt *)r->server)->client;
}

/* ---- client.c ---- */

/* Fails op because the peer is not there or does not answer: "connection lost: LABEL", then `why` if not NULL. */
void tn_op_fail_lost(struct tn_op *op, const char *why);

/* The same when its own deadline has come: "no answer: LABEL". */
void tn_op_fail_late(struct tn_op *op);

/* The connection ends: every op fails, with `why` (NULL: no more than that) in its words and in the log. */
void tn_client_lost(struct tn_client *client, const char *why);

/* The connection ends: the peer's version is none that will do. `what` and what it said go into the words. */
void tn_client_refuse(struct tn_client *client, const char *what, struct tn_str said);

/* The connection, still without a version, ends and is dialled again: nobody's request fails. */
void tn_client_redial(struct tn_client *client);

/* There is something for the transport to look at. */
void tn_client_tell(struct tn_client *client);

/* ---- offer.c ---- */

/* What is offered first to a new connection. */
void tn_client_offer_first(struct tn_client *client);
void tn_client_send_version(struct tn_client *client);

/* A frame of the peer as a message of the dialect. false: it is none. What m points at is in the frame. */
bool tn_client_decode(struct tn_client *client, struct tn_msg *m, enum tn_dialect dialect,
    const uint8_t *frame, size_t len);

/* The answer to Tversion. Returns NULL, or what is wrong with it. */
const char *tn_client_version(struct tn_client *client, const uint8_t *frame, size_t len);

/* The peer hung up at what was offered. false: that is a loss. */
bool tn_client_offer_again(struct tn_client *client);

/* What an Rerror or Rlerror means. */
enum tn_err tn_client_err(const struct tn_client *client, const struct tn_msg *m);

static inline bool tn_is_error(const struct tn_msg *m)
{
	return m->type == TN_RERROR || m->type == TN_RLERROR;
}

/* ---- clientio.c ---- */

extern const struct tn_stream_ops tn_client_stream;

bool tn_client_bufs(struct tn_client *client);   /* the first; false: no memory */
void tn_client_shrink(struct tn_client *client); /* nobody needs them just now */
void tn_client_reset(struct tn_client *client);  /* what is in them belongs to a connection that is gone */

enum tn_put {
	TN_PUT_OK,
	TN_PUT_LATER, /* when output has left */
	TN_PUT_NEVER, /* it is longer than the msize */
	TN_PUT_NOMEM
};

/* Puts a message into the out buffer and tells the transport. */
enum tn_put tn_client_put_msg(struct tn_client *client, const struct tn_msg *m);

/* ---- bound.c ---- */

/* The timer fires at at_ns at the latest. */
void tn_client_arm(struct tn_client *client, uint64_t at_ns);
void tn_client_tick(struct tn_timer *timer);

/* a + b, or UINT64_MAX. */
static inline uint64_t tn_add_ns(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* ---- rpc.c ---- */

/* An op for r, with its bound; not started, not in r->keeper yet. NULL: no memory or too many requests; *err. */
struct tn_op *tn_op_new(struct tn_client *client, struct tn_req *r, enum tn_err *err);

/* Before anything was done with it: r is as if there had been none. */
void tn_op_drop(struct tn_op *op);

/* Takes the op as far as it can go now: to its request's first message, or into a queue. */
void tn_op_go(struct tn_op *op);

/* Ends the op and answers its request, with what is in r or with an error. What is outstanding is flushed. */
void tn_op_done(struct tn_op *op);
void tn_op_fail(struct tn_op *op, enum tn_err err);
void tn_op_refused(struct tn_op *op, const struct tn_msg *m); /* by the words of an Rerror */

/* The same without ending it: r has the error. */
void tn_op_note(struct tn_op *op, const struct tn_msg *m);

/* r of an op was flushed. */
void tn_op_flush(struct tn_op *op);

void tn_op_wait(struct tn_op *op, struct tn_opq *queue);
void tn_op_wake_all(struct tn_client *client, struct tn_opq *queue); /* they go on soon */
void tn_op_run_all(struct tn_client *client);                       /* now */
void tn_op_free_spare(struct tn_client *client, uint32_t n_left);     /* those in the free list */

/*
 * An rpc of op (NULL: nobody waits) naming fid and newfid (counted anew; NULL: none). Set what else it needs, then
 * tn_rpc_send. NULL: *err (TN_EINTR: the op was flushed and must send nothing more).
 */
struct tn_rpc *tn_rpc_new(struct tn_client *client, struct tn_op *op, const struct tn_step *step,
    struct tn_mfid *fid, struct tn_mfid *newfid, enum tn_err *err);

/* false: it will never fit, or there is no memory; the rpc is gone and *err says which. */
bool tn_rpc_send(struct tn_client *client, struct tn_rpc *rpc, enum tn_err *err);

/* Both, for rpcs that need nothing else. Failing ends the op. */
void tn_op_send(struct tn_op *op, const struct tn_step *step, struct tn_mfid *fid, struct tn_mfid *newfid);

/* Output has left: rpcs that waited for room. */
void tn_rpcs_pump(struct tn_client *client);

/* A message with a tag came. Returns NULL, or what is wrong with it. */
const char *tn_rpcs_answer(struct tn_client *client, const struct tn_msg *m);

/* The connection is gone, no fid is live any more: all rpcs are forgotten, without a word to their ops. */
void tn_rpcs_forget(struct tn_client *client);
void tn_rpcs_free(struct tn_client *client);

/* Asks for a sign of life. */
void tn_rpcs_probe(struct tn_client *client);

/* ---- mfid.c ---- */

struct tn_elem *tn_elem_add(struct tn_client *client, struct tn_elem *up, struct tn_str name); /* up: borrowed */
void tn_elem_put(struct tn_client *client, struct tn_elem *e);
struct tn_elem *tn_elem_get(struct tn_elem *e); /* takes and gives NULL */
uint64_t tn_name_hash(uint64_t up, struct tn_str name);

struct tn_root *tn_root_new(struct tn_str uname, struct tn_str aname, uint32_t n_uname);
void tn_root_put(struct tn_client *client, struct tn_root *root);

/* One reference. NULL: *err (no memory, fids_max). */
struct tn_mfid *tn_mfid_new(struct tn_client *client, enum tn_err *err);
struct tn_mfid *tn_mfid_get(struct tn_mfid *f);
void tn_mfid_put(struct tn_client *client, struct tn_mfid *f); /* takes NULL */
bool tn_mfid_live(const struct tn_client *client, const struct tn_mfid *f);

/* Binds f to what it has become; counts root anew, takes name. */
void tn_mfid_bind(struct tn_client *client, struct tn_mfid *f, struct tn_root *root, struct tn_elem *name);

/* Sends clunks that found no tag before. */
void tn_mfids_clunk(struct tn_client *client);
void tn_mfids_free(struct tn_client *client);

/* The qid that a Chan shows for what the peer calls `qid`; hash: of its name below the attach. */
struct tn_qid tn_mfid_qid(
    const struct tn_client *client, const struct tn_root *root, uint64_t hash, struct tn_qid qid);
uint64_t tn_elem_hash(const struct tn_client *client, const struct tn_elem *e);

/* ---- recover.c ---- */

/* op->lost is not known at the peer: attaches and walks again as needed, then tn_op_go; or fails the op. */
void tn_mfid_recover(struct tn_op *op);

/* op lets go of what it made busy; who waits goes on. */
void tn_op_release(struct tn_op *op);

/*
 * Is there a fid of the root of op->fid's attach that no Chan has? false: it is being made, behind which the op begins
 * anew (tn_mnt_start), or the op has failed. So these come before anything else that an op does.
 */
bool tn_op_has_top(struct tn_op *op);

/*
 * op->newfid becomes a fid of its own, not open, of the file called `name` below op->fid's attach (borrowed; NULL: the
 * root), or of op->fid's file; then `then` goes on. A file that is not there any more, or is another: TN_ESTALE.
 */
void tn_op_seek(struct tn_op *op, struct tn_elem *name, void (*then)(struct tn_op *op));
void tn_op_twin(struct tn_op *op, void (*then)(struct tn_op *op));

/* ---- mnt.c and the spellings ---- */

static inline struct tn_mfid *tn_mfid_of(const struct tn_chan *c)
{
	return (struct tn_mfid *)c->aux.p;
}

/* A name of a file in its directory, as walk(5) has it: nothing that a peer could take for a path. ".." is one. */
static inline bool tn_is_name(struct tn_str s)
{
	if (s.len == 0 || (s.len == 1 && s.s[0] == '.'))
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == '/' || s.s[i] == '\0')
			return false;
	}
	return true;
}

static inline bool tn_is_dotdot(struct tn_str s)
{
	return s.len == 2 && s.s[0] == '.' && s.s[1] == '.';
}

/* The peer's qid of the file called `name` below f's attach, as it is shown. */
static inline struct tn_qid tn_op_qid(
    const struct tn_op *op, const struct tn_mfid *f, const struct tn_elem *name, struct tn_qid qid)
{
	return tn_mfid_qid(op->client, f->root, tn_elem_hash(op->client, name), qid);
}


/* Sends the first message of op's request in the connection's dialect. */
void tn_mnt_start(struct tn_op *op);

/* A request of this type may rightly take long. */
bool tn_mnt_may_block(uint8_t type);

/* TN_WATCH: no messages of its own; it reads the peer's file `watch`. */
enum tn_status tn_mnt_watch(struct tn_req *r);
void tn_mnt_watch_flush(struct tn_req *r);

/* Nothing is outstanding any more of a flushed op: answers with what was done, or TN_EINTR. */
void tn_mnt_drained(struct tn_op *op);

/*
 * Send the first message of a request. A failure ends the op. Those of all dialects; those of 9P2000 and .u; those that
 * .u adds; those of .L; those that .L.tenon adds.
 */
void tn_mnt_attach(struct tn_op *op);
void tn_mnt_walk(struct tn_op *op);
void tn_mnt_remove(struct tn_op *op);
void tn_mnt_io(struct tn_op *op); /* TN_READ, TN_WRITE */
void tn_mnt_open(struct tn_op *op);
void tn_mnt_create(struct tn_op *op);
void tn_mnt_stat(struct tn_op *op);
void tn_mnt_wstat(struct tn_op *op);
void tn_mnt_fsync(struct tn_op *op);
void tn_mnt_rename(struct tn_op *op);
void tn_mnt_readdir(struct tn_op *op);
void tn_mnt_special(struct tn_op *op); /* TN_SYMLINK, TN_MKNOD, TN_LINK */
void tn_mnt_extension(struct tn_op *op); /* TN_READLINK */
void tn_mnt_unlink(struct tn_op *op); /* TN_REMOVE */
void tn_mnt_lopen(struct tn_op *op);
void tn_mnt_lcreate(struct tn_op *op);
void tn_mnt_lfsync(struct tn_op *op);
void tn_mnt_statfs(struct tn_op *op);
void tn_mnt_getattr(struct tn_op *op);
void tn_mnt_setattr(struct tn_op *op);
void tn_mnt_renameat(struct tn_op *op);
void tn_mnt_link(struct tn_op *op);
void tn_mnt_symlink(struct tn_op *op);
void tn_mnt_mknod(struct tn_op *op);
void tn_mnt_readlink(struct tn_op *op);
void tn_mnt_list(struct tn_op *op); /* TN_READDIR */
void tn_mnt_xattrget(struct tn_op *op);
void tn_mnt_xattrset(struct tn_op *op);
void tn_mnt_lock(struct tn_op *op);
void tn_mnt_getlock(struct tn_op *op);
void tn_mnt_allocate(struct tn_op *op);
void tn_mnt_seekhole(struct tn_op *op);
void tn_mnt_copy(struct tn_op *op);
void tn_mnt_renameat2(struct tn_op *op);

/* ---- servers that want something else: mntquirk.c ---- */

/* The peer has shown it. */
void tn_client_shows(struct tn_client *client, enum tn_sign sign);

static inline bool tn_client_has(const struct tn_client *client, enum tn_quirk quirk)
{
	return client->quirks & (uint32_t)quirk;
}

/* The group of what TN_CREATE, TN_SYMLINK or TN_MKNOD makes, as the peer is told it. */
uint32_t tn_mnt_gid(const struct tn_rpc *rpc);

/* TN_QUIRK_LOCKS_OF_HOST: says in m whose the lock is. */
void tn_mnt_locker_of_host(struct tn_op *op, struct tn_msg *m);

/* ---- what the spellings share ---- */

/* An answer that says nothing but that it is done. */
const char *tn_mnt_ended(const struct tn_rpc *rpc, const struct tn_msg *m);

/* op->fid is open: what the owner is told, of TN_OPEN and TN_CREATE. */
void tn_mnt_now_open(struct tn_op *op, struct tn_qid qid, uint32_t iounit);

/* A server that does not answer stats at all: one made up of the qid. */
void tn_mnt_make_up_stat(struct tn_op *op);

/* The last name of f, or "/". */
struct tn_str tn_mfid_last_name(const struct tn_mfid *f);

/* The new name of op->fid, whose file has moved: taken. */
void tn_mfid_rename(struct tn_op *op, struct tn_elem *name);

/* Is the file that f stands for, by the name it was reached by, in the directory that dir stands for? */
bool tn_mfid_is_in(const struct tn_mfid *f, const struct tn_mfid *dir);

/* The target of a symbolic link is the answer. */
void tn_mnt_answer_link(struct tn_op *op, struct tn_str target);

/*
 * An Rgetattr as a stat without a name, its qid as the peer says it. `was`: the file's qid till now; `device`: where the
 * extension of a device lies. TN_EBADMSG: what it says cannot be.
 */
enum { TN_DEVICE_CHARS = 48 };
enum tn_err tn_mnt_attr(
    const struct tn_msg *m, struct tn_qid was, struct tn_stat *st, char device[TN_DEVICE_CHARS]);
void tn_mnt_fill_getattr(const struct tn_rpc *rpc, struct tn_msg *m);

/* The late answer to a Twalk of one name: the peer knows newfid now. */
void tn_mnt_newfid_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m);

/* op->newfid becomes the file that a rename is about, by its name in op->fid. It is clunked with the op. */
void tn_op_find(struct tn_op *op, void (*then)(struct tn_op *op));

/* .L: op goes on if the directory has nothing under the request's new name; else it fails with TN_EEXIST. */
void tn_op_must_lack(struct tn_op *op, struct tn_mfid *dir, void (*then)(struct tn_op *op));

/* Trename of the rpc's fid to the directory in its newfid, with op->name as op->fid's new one. */
extern const struct tn_step tn_mnt_rename_step;

/* .L: asks, beside a read, what tn_mnt_learn wants to know. */
extern const struct tn_step tn_mnt_learn_step;
void tn_mnt_io_part_done(struct tn_op *op);

/* No part of a read or write is outstanding any more. */
void tn_mnt_io_settle(struct tn_op *op);
uint32_t tn_mnt_io_max(const struct tn_op *op); /* bytes of data in one message */
void tn_mnt_learn(struct tn_mfid *f, const struct tn_stat *st);
void tn_mnt_dir_free(struct tn_mfid *f);

#endif
