/*
 * What the conns of a service have in common: the memory they may take in all, what one has no use for and another will
 * (calls, pieces of buffers), a clock of one timer for all of them, and turns, so that none keeps the others waiting.
 */
#ifndef TN_LINK_CONNS_H
#define TN_LINK_CONNS_H

#include "core/loop.h"
#include "link/out.h"

struct tn_conn;
struct tn_call;

/* A place in a list of conns. */
struct tn_conn_link {
	struct tn_conn *next;
	struct tn_conn **at; /* NULL: in none */
};

struct tn_conns {
	struct tn_store store;
	struct tn_loop *loop;
	uint32_t refs;
	uint32_t n_spare;
	struct tn_call *spare;   /* calls */
	struct tn_conn *ticking; /* something of theirs grows old */
	struct tn_conn
	    *hungry; /* have more to do than one turn was enough for; who came first is first */
	struct tn_conn **hungry_last;
	struct tn_conn *due, *fed; /* those of both that are seen to just now */
	struct tn_timer clock, turn;
};

/* memory_max: bytes, 0: the default. One reference. NULL: no memory. */
struct tn_conns *tn_conns_new(struct tn_loop *loop, uint64_t memory_max);
struct tn_conns *tn_conns_get(struct tn_conns *all);
void tn_conns_put(struct tn_conns *all); /* takes NULL */

/* The conn is ticked once a second for as long as tn_conn_tick says true. */
void tn_conns_tick(struct tn_conns *all, struct tn_conn *conn);

/* The conn's turn is over and it has more to do: tn_conn_work in the loop's next turn, behind those that wait already. */
void tn_conns_hunger(struct tn_conns *all, struct tn_conn *conn);

/* The conn ends: it is in no list any more. */
void tn_conns_forget(struct tn_conns *all, struct tn_conn *conn);

/* A call that is zeroed but for its request. NULL: no memory. */
struct tn_call *tn_conns_call(struct tn_conns *all);
void tn_conns_uncall(struct tn_conns *all, struct tn_call *call);

#endif
