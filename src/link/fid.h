/*
 * The fids of a conn. A fid is a number that a peer gave to a Chan, and the line of requests that touch it: those that
 * depend on each other take effect in the order in which they came, however late a server answers.
 */
#ifndef TN_LINK_FID_H
#define TN_LINK_FID_H

#include "core/chan.h"
#include "link/attr.h"
#include "link/out.h"

struct tn_call;   /* link/call.h */
struct tn_ticket; /* the same */

struct tn_fid {
	uint32_t number;
	uint32_t shared;         /* kept requests beside which others may go on */
	struct tn_chan *chan;    /* counted */
	struct tn_attr *attr;    /* it stands for an attribute of the file (link/attr.h) */
	struct tn_call *holder;  /* the kept request that all others wait for */
	struct tn_ticket *first; /* who waits, in order */
	struct tn_ticket *last;
	struct tn_fid *next;         /* in the table's chain or free list */
	struct tn_fid *stirred_next; /* in the conn's list of lines to look at */
	bool is_stirred;
	bool is_open;
	uint8_t mode;      /* of open and create: TN_OREAD .. TN_OEXEC */
	uint64_t dir_off;  /* where the last read of a directory ended, in the peer's bytes */
	uint64_t dir_next; /* the server's offset for it */
};

enum {
	TN_FIDS_DENSE = 8,
	TN_FIDS_HASHED = 2,
	TN_FIDS_SPARE = 64,
	TN_FID_BYTES =
	    256 /* that the budget is told for one: with its Chan and what a server has for it, about */
};

/* Numbers that are dense are slots of an array, others hashed: clients count from 0 or use what they like. */
struct tn_fids {
	struct tn_fid **dense; /* by number */
	struct tn_fid **hashed;
	uint32_t n_dense;   /* slots */
	uint32_t hash_bits; /* 1 << hash_bits chains */
	uint32_t n, n_hashed;
	uint32_t max;
	struct tn_budget *budget; /* NULL: their memory is not counted */
	uint32_t key;             /* random and odd: a peer cannot choose numbers of one chain */
	struct tn_fid *spare;
	uint32_t n_spare;
	struct tn_fid *first_dense[TN_FIDS_DENSE]; /* so that a small client costs nothing more */
	struct tn_fid *first_hashed[TN_FIDS_HASHED];
};

/* Neither Chan nor attribute: requests wait to make it, or it is about to go. */
static inline bool tn_fid_is_free(const struct tn_fid *fid)
{
	return !fid->chan && !fid->attr;
}

void tn_fids_init(struct tn_fids *t, uint32_t max);
void tn_fids_fini(struct tn_fids *t); /* no fid is left */

/* NULL: there is none. */
struct tn_fid *tn_fid_find(const struct tn_fids *t, uint32_t number);

/* A new one of a number that tn_fid_find does not find. NULL: *err says why, TN_ELIMIT_FIDS or TN_ENOMEM. */
struct tn_fid *tn_fid_make(struct tn_fids *t, uint32_t number, enum tn_err *err);

/* Takes it out of the table; without Chan and line. */
void tn_fid_drop(struct tn_fids *t, struct tn_fid *fid);

/* Some fid that is left at or behind *cursor, which starts at 0; NULL: none. Those that it passed may be dropped. */
struct tn_fid *tn_fids_next(const struct tn_fids *t, uint32_t *cursor);

/* Gives back what an idle table does not need. */
void tn_fids_shrink(struct tn_fids *t);

static inline bool tn_fids_are_small(const struct tn_fids *t)
{
	return t->n_spare == 0 && (t->n > 0 || t->n_dense == TN_FIDS_DENSE);
}

#endif
