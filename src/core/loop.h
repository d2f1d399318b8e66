/*
 * A home loop: what conns, servers and requests belong to. It knows no descriptors; a host turns it:
 *
 *     for (;;) { sleep until tn_loop_next_ns() or woken; move bytes; tn_loop_run(loop); }
 *
 * Tasks and timers are tenon/server.h's. Everything but tn_loop_post is called on the loop's own thread only.
 */
#ifndef TN_CORE_LOOP_H
#define TN_CORE_LOOP_H

#include "tenon/server.h"

#include "core/host.h"

struct tn_reaper;

struct tn_loop {
	struct tn_task *first, *last; /* to be run, in order */
	struct tn_task *running;      /* what is left of those that tn_loop_run is running */
	struct tn_timer *timers;      /* by at_ns, soonest first */
	uint32_t turns;               /* calls of tn_loop_run: what one turn may do is bounded */
	uint32_t lock;                /* guards inbox */
	struct tn_task *inbox, *inbox_last; /* posted by other threads */
	void (*wake)(struct tn_loop *loop); /* the host's: ends the sleep. Any thread. NULL: nobody sleeps */
	void *host;                         /* the host's own */
	struct tn_reaper *reaper;           /* src/core/chan.c: Chans to be clunked, and spare ones */
};

void tn_loop_init(struct tn_loop *loop, void (*wake)(struct tn_loop *), void *host);

/* Frees what the loop holds of its own. Everything on it has ended before. */
void tn_loop_fini(struct tn_loop *loop);

/* When the host must call tn_loop_run again at the latest: 0 now, UINT64_MAX never. */
uint64_t tn_loop_next_ns(const struct tn_loop *loop);

/* Runs what is due: the inbox, tasks that were queued before the call, timers. */
void tn_loop_run(struct tn_loop *loop);

#endif
