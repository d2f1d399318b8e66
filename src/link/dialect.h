/*
 * Dialects: how a message becomes a request, and the answer a message. The meaning inside is one; 9P2000.u, 9P2000.L and
 * 9P2000.L.tenon are other spellings (spell.h) of the same requests: columns of the table in dialect.c.
 */
#ifndef TN_LINK_DIALECT_H
#define TN_LINK_DIALECT_H

#include "core/req.h"

struct tn_call; /* link/call.h */

/* What a message does with a fid, and thereby what must have ended on that fid before. */
enum tn_use {
	TN_USE_NONE,
	TN_USE_SHARE, /* others may be outstanding beside it: stat, wstat, read, write, the start of a walk */
	TN_USE_READ, /* the same, but directories are read by one at a time: the next offset hangs on it */
	TN_USE_ALONE, /* open, create, a walk onto itself: the fid is another afterwards */
	TN_USE_MAKE,  /* the fid comes to be */
	TN_USE_LAST   /* the fid is gone afterwards: clunk, remove */
};

/*
 * A message of the peer.
 *
 * fid ..  What it does with the fids that it names.
 * lead    Sets m->newfid to the fid that the message names in another way, or TN_NOFID. NULL: it is a field.
 * ask     Checks what the dialect asks for, makes call->r and submits it; or refuses (tn_call_refuse).
 * point   Points call->r at the names and data of *m and at the call's room: in ask, and once more when the request is
 *         kept and they have moved. NULL: it points at nothing of the message.
 * then    The server has answered. true: there is more to ask before the peer is; call->r is that request, made and not
 *         submitted. false: there is not; call->r has the answer, which may have become an error. NULL: there never is.
 * answer  The server has answered without an error: says so in *m, and gives the fids what has become of them.
 */
struct tn_spelling {
	uint8_t fid, newfid, afid; /* enum tn_use */
	bool keeps_frame;          /* point and then need the message */
	bool takes_attr;           /* its fids may be attributes */
	void (*lead)(struct tn_msg *m);
	enum tn_status (*ask)(struct tn_call *call, struct tn_msg *m);
	void (*point)(struct tn_call *call, struct tn_msg *m);
	bool (*then)(struct tn_call *call, struct tn_msg *m);
	void (*answer)(struct tn_call *call, struct tn_msg *m);
};

/* NULL: the dialect has no such request, or Tenon does not answer it. */
const struct tn_spelling *tn_dialect_spelling(enum tn_dialect dialect, unsigned type);

/* It says what 9P2000.L says, and perhaps more. */
static inline bool tn_dialect_is_l(enum tn_dialect dialect)
{
	return dialect >= TN_9P2000_L;
}

/* The dialect to answer to a Tversion that offers `version`; TN_DIALECTS: "unknown". version(5). */
enum tn_dialect tn_dialect_offered(struct tn_str version);

/*
 * Makes *m but its tag the answer to a Tstat (Tgetattr): every field known, nothing in it that the dialect has no word
 * for. extension: what *st has none of; of a symbolic link its target, if it was asked for. Returns the bytes of its
 * frame; 0: too many.
 */
size_t tn_dialect_rstat(struct tn_msg *m, const struct tn_stat *st, struct tn_str extension,
    enum tn_dialect dialect);

/* A directory's entry as the dialect says it. next: see tn_owner. Returns the bytes used; 0: they are more than size. */
size_t tn_dialect_entry(uint8_t *to, size_t size, const struct tn_stat *st, uint64_t next,
    enum tn_dialect dialect);
struct tn_qid tn_dialect_qid(struct tn_qid qid, enum tn_dialect dialect);

/* The TN_DM bits that the dialect has. */
uint32_t tn_dialect_dm(enum tn_dialect dialect);

/* TN_OF bits that each request of that type has in the dialect. */
uint32_t tn_dialect_flags(enum tn_dialect dialect, enum tn_req_type type);

/* Bytes of the longest name of a file that a peer may say. */
uint32_t tn_dialect_name_max(enum tn_dialect dialect);

#endif
