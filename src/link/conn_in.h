/*
 * A conn from inside: what conn.c, in.c, call.c, line.c, answer.c and session.c share. Everything is touched on the conn's loop
 * only, but for entry and stat of the owner of a kept request, which touch their call.
 */
#ifndef TN_LINK_CONN_IN_H
#define TN_LINK_CONN_IN_H

#include "core/loop.h"
#include "link/call.h"
#include "link/conn.h"
#include "link/conns.h"

enum {
	TN_IN_BASE = 128, /* bytes of the in buffer that is always there */
	TN_ANSWER_MAX =
	    512, /* of an answer but its data or stat: the longest is Rerror, which is cut */
	TN_MSIZE_MIN = 256, /* Rwalk with 16 qids, Rgetattr, and some words of an error */
	TN_TAG_CHAINS = 32,
	TN_PEER_MAX = 128 /* of its name, for log lines */
};

enum tn_conn_state {
	TN_CONN_NEW, /* no version agreed */
	TN_CONN_OPEN,
	TN_CONN_RESET, /* Tversion came: what is outstanding ends, then Rversion */
	TN_CONN_ENDING,
	TN_CONN_CLOSED /* `closed` is on its way, or was called */
};

struct tn_calls {
	struct tn_call *first, *last;
};

struct tn_conn {
	struct tn_stream stream; /* first: a stream is its conn */
	struct tn_server *server;
	struct tn_server *beside; /* counted, or NULL; for attaches of the name `aname` */
	const char *aname;
	struct tn_server *users; /* counted, or NULL; is asked first */
	struct tn_loop *loop;
	struct tn_conns *all; /* counted; so is limits.conns, which is the same or NULL */
	struct tn_conn_link tick_link, turn_link;
	struct tn_conn_limits limits;
	uint8_t state;   /* enum tn_conn_state */
	uint8_t dialect; /* enum tn_dialect */
	bool is_working;
	bool must_cut;     /* all calls are to be ended silently */
	bool must_discard; /* what is in the out buffer will not be sent */
	bool is_clearing;  /* no call is left of what was cut: the fids go */
	bool was_refused;  /* input said NULL: the transport wants to hear when that changes */
	bool is_greedy;    /* the last read filled the in buffer */
	bool is_reading;   /* whole frames may be in the in buffer */
	bool has_skipped;  /* an error was said of a frame that there is no memory for */
	uint8_t linger;    /* ticks */
	uint16_t quota;    /* messages and fids that are left to it in the loop's turn `turn` */
	uint32_t turn;
	uint32_t msize;
	uint32_t cursor; /* of clearing */
	/* the in buffer, in_base or in_piece: in_len bytes from in_start are not served */
	uint8_t *in;
	struct tn_piece *in_piece; /* lent while it is needed, or a large one; or NULL */
	uint32_t in_size, in_start, in_len;
	uint32_t skip; /* bytes of a frame that there was no memory for */
	enum tn_err no_memory;
	uint32_t scanned; /* behind in_start: looked through for Tflush */
	struct tn_budget budget;
	struct tn_fids fids;
	uint32_t attr_bytes; /* of attributes at fids and calls */
	uint64_t lock_key;   /* 0: no lock was asked for yet */
	struct tn_call *
	    *tags; /* TN_TAG_CHAINS; NULL: there was no memory or no need, look through calls */
	struct tn_call *calls; /* all that outlive their frame */
	uint32_t n_calls;
	struct tn_calls finished; /* answered by the server */
	struct tn_calls unsent;   /* and there was no memory for the answer */
	struct tn_fid *stirred;   /* lines to look at */
	/* Rversion, to be sent at the end of TN_CONN_RESET */
	uint16_t version_tag;
	uint8_t version_dialect; /* TN_DIALECTS: "unknown" */
	uint32_t version_msize;
	struct tn_task task; /* work, or at the end `closed` */
	uint64_t ticked_in;  /* messages_in at the last tick */
	uint64_t
	    begun_ns; /* about when what it has not ended was begun: a message, or the session */
	uint64_t heard_ns; /* about when the last message came */
	void (*closed)(struct tn_conn *conn, void *arg);
	void *arg;
	struct tn_conn_stats stats;
	struct tn_out out;
	uint8_t in_base[TN_IN_BASE];
	char peer[]; /* terminated */
};

static inline void tn_calls_put(struct tn_calls *q, struct tn_call *call)
{
	call->queue_next = NULL;
	if (q->last)
		q->last->queue_next = call;
	else
		q->first = call;
	q->last = call;
}

static inline struct tn_call *tn_calls_take(struct tn_calls *q)
{
	struct tn_call *call = q->first;

	if (!call)
		return NULL;
	q->first = call->queue_next;
	if (!q->first)
		q->last = NULL;
	call->queue_next = NULL;
	return call;
}

/* ---- conn.c ---- */

/* Does what there is to do, for as long as the conn has its turn. */
void tn_conn_work(struct tn_conn *conn);

/* A second has gone by. true: the next one matters too. */
bool tn_conn_tick(struct tn_conn *conn, uint64_t now);

/* What is queued will be looked at from the loop. */
void tn_conn_work_later(struct tn_conn *conn);

/* Time matters from now on: a large buffer, a clunk that waits. */
void tn_conn_want_ticks(struct tn_conn *conn);

/* Nothing is taken for now: the peer does not read, or the conn ends. */
bool tn_conn_is_pushed_back(const struct tn_conn *conn);

/* Whatever comes can be answered, at least by an error. */
bool tn_conn_may_serve(struct tn_conn *conn);

/* ---- in.c ---- */

/* Where the next bytes may go. NULL: nowhere, for now. */
uint8_t *tn_conn_make_room(struct tn_conn *conn, size_t *room);

/* Gives back what is lent, if nothing needs it. shrink_in: also a buffer that is the conn's own. */
void tn_conn_release_in(struct tn_conn *conn);
void tn_conn_shrink_in(struct tn_conn *conn);

/* ---- call.c ---- */

/* NULL: no memory, or the budget's limit. */
struct tn_call *tn_conn_call_new(struct tn_conn *conn, uint8_t type, uint16_t tag);

/* The call has no place in a line any more. With all that is its own. */
void tn_conn_call_free(struct tn_call *call);

/* From now on the call outlives its frame: its tag is taken. */
void tn_conn_list_call(struct tn_call *call);

/* NULL: the tag is free. */
struct tn_call *tn_conn_find_tag(struct tn_conn *conn, uint16_t tag);

/* Copies the frame and decodes it again into call->kept; then names and data stay where they are. false: no memory. */
bool tn_conn_keep_frame(struct tn_call *call);

/* An Rstat that found no room in the piece made for it takes the piece's place. */
void tn_conn_adopt_large(struct tn_call *call);

/* ---- line.c ---- */

/* The fids that the message names: finds them, or makes placeholders for those that it is to make. */
enum tn_err tn_line_enter(struct tn_call *call, const struct tn_msg *m);

/* TN_OK, or why the call's fids are not what the message takes them for. */
enum tn_err tn_line_check(const struct tn_call *call);

/* Somebody is before the call at one of its fids. */
bool tn_line_must_wait(const struct tn_call *call);

void tn_line_join(struct tn_call *call); /* behind all others */
void tn_line_quit(struct tn_call *call); /* it waits no more */
bool tn_line_is_its_turn(const struct tn_call *call);

/* The server keeps the request: others on its fids may or must not go on meanwhile; until tn_line_leave. */
void tn_line_hold(struct tn_call *call);
void tn_line_leave(struct tn_call *call);

/* Drops a fid that is not in use, unless somebody waits for it; who waits is looked at. */
void tn_line_settle(struct tn_conn *conn, struct tn_fid *fid);

/* ---- answer.c ---- */

/* A message that needs at most TN_ANSWER_MAX bytes. false: no memory now. */
bool tn_conn_put_msg(struct tn_conn *conn, const struct tn_msg *m);

/* Rerror or Rlerror. text: of err, or a server's own. */
bool tn_conn_put_error(struct tn_conn *conn, uint16_t tag, enum tn_err err, const char *text);

/* An error for a message that is no call. There is room: who serves has seen to it. */
void tn_conn_refuse_tag(struct tn_conn *conn, uint16_t tag, enum tn_err err);

/* Answers a call; *m is for its use. false: no memory now, try again when something was sent. */
bool tn_conn_send(struct tn_call *call, struct tn_msg *m);

/* The call is answered; those who waited for it come next, its flushes before all. Frees it. */
void tn_conn_end_call(struct tn_call *call);

/* The two, or the call waits in conn->unsent. */
void tn_conn_finish(struct tn_call *call, struct tn_msg *m);

/* ---- session.c ---- */

void tn_conn_take_flush(struct tn_conn *conn, struct tn_msg *m);

/* Carries out, but does not answer, each Tflush in the in buffer. true: it ended something. */
bool tn_conn_scan_flushes(struct tn_conn *conn);

/* Asks that a kept request end. false: there is nothing to ask. */
bool tn_conn_cut_short(struct tn_call *call);

void tn_conn_take_version(struct tn_conn *conn, const struct tn_msg *m);

/* Nothing that is outstanding will be answered. */
void tn_conn_cut_calls(struct tn_conn *conn);

/* A step of the end: first the calls, then the fids. false: others must do something first. */
bool tn_conn_clear(struct tn_conn *conn);

#endif
