/*
 * The answers of a conn that have not been sent: whole frames, in order, in a chain of pieces that leave in one
 * gathered write. One small piece is the conn's own, so that a short answer always finds room once all is sent; what
 * does not fit there is in pieces that are lent until it is sent, or, when much piles up, in larger ones.
 */
#ifndef TN_LINK_OUT_H
#define TN_LINK_OUT_H

#include "link/stream.h"

enum {
	TN_PIECE_LENT =
	    8192 +
	    32, /* bytes of a piece that goes from conn to conn: a message of an msize of 8 KiB */
	TN_PIECES_SPARE = 16,    /* such pieces that wait for the next */
	TN_OUT_BASE = 512,       /* bytes of the piece that is always there */
	TN_OUT_GROW_MAX = 262144 /* a piece is made larger than its first frame needs, up to this */
};

/* What several budgets have in common: their bytes in all, and pieces that nobody uses just now. */
struct tn_store {
	uint64_t used, max; /* bytes */
	struct tn_piece *spare;
	uint32_t n_spare;
};

/* What a conn may take of memory. */
struct tn_budget {
	uint64_t used, max;     /* bytes */
	struct tn_store *store; /* NULL: it stands alone */
	enum tn_err
	    refused; /* the limit that the last failure was of; TN_OK: the machine had no more */
};

/* Notes `size` bytes that are had in another way. false: over a limit; b->refused says which. force: always notes. */
bool tn_budget_take(struct tn_budget *b, size_t size);
void tn_budget_force(struct tn_budget *b, size_t size);
void tn_budget_give(struct tn_budget *b, size_t size);

/* NULL: no memory, or over a limit. Zeroed. `size` is told again when it is freed. */
void *tn_budget_alloc(struct tn_budget *b, size_t size);
void tn_budget_free(struct tn_budget *b, void *p, size_t size); /* takes NULL */

/* Why the last of them has failed; to be asked once. */
static inline enum tn_err tn_budget_err(struct tn_budget *b)
{
	enum tn_err err = b->refused ? b->refused : TN_ENOMEM;

	b->refused = TN_OK;
	return err;
}

/* No budget is left. */
void tn_store_fini(struct tn_store *store);

/* Bytes that leave in order. start: sent so far; len: filled so far. */
struct tn_piece {
	struct tn_piece *next;
	uint32_t size, start, len;
	uint8_t *data;
};

struct tn_out {
	struct tn_piece *first, *last; /* never NULL; the last may be empty */
	struct tn_piece *spare;        /* one that was sent, to be used anew */
	struct tn_budget *budget;
	uint64_t bytes; /* not yet sent */
	uint32_t grow;  /* the size of the next piece at least */
	bool base_idle; /* base is not in the chain */
	struct tn_piece base;
	uint8_t base_data[TN_OUT_BASE];
};

void tn_out_init(struct tn_out *out, struct tn_budget *budget);
void tn_out_fini(struct tn_out *out);

/* Room for `need` bytes in one run at the end, until the next call of any of these. NULL: no memory now. */
uint8_t *tn_out_room(struct tn_out *out, size_t need);

/* The first n bytes of that room are filled. */
void tn_out_fill(struct tn_out *out, size_t n);

/* A piece of its own for `size` bytes; NULL as tn_budget_alloc. It is linked by tn_out_take or freed. */
struct tn_piece *tn_piece_new(struct tn_budget *b, size_t size);

/* One of TN_PIECE_LENT bytes, which others have used or will; freed as any. To be had for a turn without allocating. */
struct tn_piece *tn_piece_lend(struct tn_budget *b);
void tn_piece_free(struct tn_budget *b, struct tn_piece *p); /* takes NULL */

/* Sends the piece's `len` bytes next; takes the piece. */
void tn_out_take(struct tn_out *out, struct tn_piece *p);

/* As output and sent of tn_stream_ops. */
size_t tn_out_vec(const struct tn_out *out, struct tn_vec *vec, size_t max);
void tn_out_sent(struct tn_out *out, size_t n);

/* Nothing of it will be sent. */
void tn_out_discard(struct tn_out *out);

/* Gives back what an idle conn does not need. */
void tn_out_shrink(struct tn_out *out);

static inline bool tn_out_is_small(const struct tn_out *out)
{
	return !out->spare && out->last == &out->base;
}

#endif
