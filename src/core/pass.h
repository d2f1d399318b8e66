/*
 * Passing a request on to a Chan behind: what a server does that stands before others (union.h, view.h). The passed
 * request takes all that the first one asks, and its answer becomes the first one's. Not for requests that make Chans
 * (attach, walk, open, create, clunk).
 */
#ifndef TN_CORE_PASS_H
#define TN_CORE_PASS_H

#include "core/req.h"

/* Embedded in what the server keeps for the request; zeroed. */
struct tn_pass {
	struct tn_req req;    /* the one that is passed on */
	struct tn_req *outer; /* the one that is to be answered */
	struct tn_user *user; /* who asks, borrowed; NULL: outer's */
	bool kept;            /* outer was kept already */
	/* It was answered later; outer has the answer: tn_respond(outer) comes from here. Not called when tn_pass_on says
	 * TN_DONE. */
	void (*done)(struct tn_pass *p);
	/* May change what is told to outer's owner; call that one's functions. NULL: as it is. */
	bool (*entry)(struct tn_pass *p, const struct tn_stat *st, uint64_t next);
	void (*stat)(struct tn_pass *p, const struct tn_stat *st);
};

/* Passes `outer` on to the Chan `to` (chan2: to2, or NULL), held by the caller until the answer. */
enum tn_status tn_pass_on(struct tn_pass *p, struct tn_req *outer, struct tn_chan *to,
    struct tn_chan *to2);

/* outer was flushed. */
void tn_pass_flush(struct tn_pass *p);

#endif
