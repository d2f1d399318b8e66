/*
 * A call: a message of a peer while it is a request. What conn.c (which knows streams, tags and lines) and the
 * spellings (which know what messages mean) share.
 */
#ifndef TN_LINK_CALL_H
#define TN_LINK_CALL_H

#include "link/dialect.h"
#include "link/fid.h"
#include "link/out.h"

struct tn_conn;

/* A call's place in the line of one fid. */
struct tn_ticket {
	struct tn_fid *fid; /* NULL: no such fid, and nobody is about to make it */
	struct tn_call *call;
	struct tn_ticket *next;
	uint8_t use;   /* enum tn_use */
	uint8_t holds; /* while kept: what conn.c has entered at the fid */
};

enum tn_call_state {
	TN_CALL_FREE,
	TN_CALL_SERVING, /* being made a request; the server may answer at once */
	TN_CALL_WAITING, /* in line behind others */
	TN_CALL_KEPT,    /* the server has it */
	TN_CALL_DONE,    /* answered, not yet in the out buffer */
	TN_CALL_FLUSH    /* a Tflush that waits for `target` */
};

/* A message that must outlive the in buffer, and the frame that it points into. */
struct tn_kept_msg {
	struct tn_msg m;
	uint32_t size; /* of frame */
	uint8_t frame[];
};

struct tn_call {
	struct tn_req r; /* first: a request is its call */
	struct tn_conn *conn;
	const struct tn_spelling *how;
	struct tn_call *tag_next;    /* in the conn's table of tags */
	struct tn_call *next, *prev; /* in the conn's list of calls that outlive their frame */
	struct tn_call *queue_next;  /* finished, unsent, a target's flushes, or the free list */
	struct tn_call *flushes, *flushes_last; /* Tflushes to be answered behind this, in order */
	struct tn_call *target;                 /* of a Tflush */
	struct tn_ticket tickets[2];            /* in order: fid, then newfid or afid */
	uint8_t n_tickets;
	uint8_t state; /* enum tn_call_state */
	uint8_t type;  /* of the message */
	uint8_t stage; /* how->then's own */
	bool is_listed;
	bool is_unasked;  /* it was answered before there was a request */
	bool is_silent;   /* whatever comes of it is not answered: Tversion, hang-up */
	bool is_flushed;  /* a Tflush has named it */
	enum tn_err over; /* why it could not be kept; TN_OK: it could */
	bool is_answered; /* `room` or `piece` holds a whole frame of answer_len bytes already */
	bool is_full;     /* an entry was refused for lack of room */
	uint16_t tag;
	uint16_t n_names;     /* of a walk, as the peer sent it */
	const uint8_t *frame; /* in the in buffer, until kept */
	uint32_t frame_len;
	struct tn_kept_msg *kept;
	struct tn_chan *newchan; /* made for it; counted, until a fid has it */
	/* the data of an answer: behind a reserved header, in the out buffer or, when kept, in a piece of its own */
	uint8_t *room;
	struct tn_piece *piece;
	struct tn_piece *large; /* an Rstat that is larger than piece, not yet in the budget */
	uint32_t data_max, data_len, answer_len;
	uint64_t dir_off,
	    dir_next;        /* of a directory: where this read began; where the server goes on */
	uint64_t blocked_ns; /* since when the head of a line waits, by tn_now_ns; 0: it does not */
	char *text;          /* a symbolic link's target; the budget's */
	uint32_t text_len;
	/* how->then: the answer that it keeps while it asks once more */
	char *first_words;
	uint16_t first_err;
	struct tn_attr *attr; /* that a fid gives or gets; owned */
	struct tn_statfs statfs;
};

/* bytes of a header before the data of Rread and Rreaddir */
#define TN_DATA_HDR 11u

/* bytes of a symbolic link's target */
#define TN_TARGET_MAX 4096u

extern const struct tn_owner tn_conn_owner;

/* ---- what conn.c lends to spellings ---- */

/* Makes call->r a new request on c, with the flags of the dialect. What the last one has answered is gone. */
void tn_call_request(struct tn_call *call, enum tn_req_type type, struct tn_chan *c);

/* call->r fails for want of something of the conn. */
void tn_call_fail(struct tn_call *call, enum tn_err err);

/* Answers the call before there is a request: with an error, or, TN_OK, without asking anybody. */
enum tn_status tn_call_refuse(struct tn_call *call, enum tn_err err);

/*
 * Room for an answer with max bytes of data behind `head` bytes of header: call->room. false: no memory. The room is in
 * the out buffer; when the request is kept it becomes a piece, and how->point is told.
 */
bool tn_call_room(struct tn_call *call, uint32_t head, uint32_t max);

/*
 * Makes call->r the TN_READLINK of c, which fills call->text. false: no memory. tn_call_target: it was answered, and
 * call->text_len is what there is of the target, 0 after an error. false: it is longer than a target may be.
 */
bool tn_call_readlink(struct tn_call *call, struct tn_chan *c);
bool tn_call_target(struct tn_call *call);

/* An attribute for the call. false: call->r has failed. */
bool tn_call_attr_new(struct tn_call *call, uint32_t size, struct tn_str name);
void tn_call_attr_free(struct tn_call *call);

/* What owners of locks of this connection are made from. */
uint64_t tn_call_lock_key(struct tn_call *call);

/* The server that an attach of that name is for; who is asked for it, which is maybe somebody before it. */
struct tn_server *tn_call_server(const struct tn_call *call, struct tn_str aname);
struct tn_server *tn_call_door(const struct tn_call *call, struct tn_server *server);

/* What the peer agreed to. */
uint32_t tn_call_msize(const struct tn_call *call);
enum tn_dialect tn_call_dialect(const struct tn_call *call);

/* The file of the message's fid: in use, as conn.c has checked. */
static inline struct tn_fid *tn_call_fid(const struct tn_call *call)
{
	return call->tickets[0].fid;
}

/* That of its newfid or afid, which may be the same. */
static inline struct tn_fid *tn_call_fid2(const struct tn_call *call)
{
	return call->tickets[call->n_tickets - 1].fid;
}

#endif
