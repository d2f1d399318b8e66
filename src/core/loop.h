/*
 * A home loop: what conns, servers and requests belong to. It knows no descriptors; a host turns it:
 *
 *     for (;;) { sleep until tn_loop_next_ns() or woken; move bytes; tn_loop_run(loop); }
 *
 * Everything but tn_loop_post is called on the loop's own thread only.
 */
#ifndef TN_CORE_LOOP_H
#define TN_CORE_LOOP_H

#include "core/host.h"

/* A piece of work for later: embedded in whatever it is about. fn is called once for each defer or post. */
struct tn_task {
	struct tn_task *next;
	void (*fn)(struct tn_task *task);
	bool queued;
};

/* A moment to be called at, embedded likewise. at_ns 0: not set. */
struct tn_timer {
	struct tn_timer *next, *prev;
	uint64_t at_ns; /* by tn_now_ns */
	void (*fn)(struct tn_timer *timer);
};

struct tn_reaper;

struct tn_loop {
	struct tn_task *first, *last; /* to be run, in order */
	struct tn_task *running;      /* what is left of those that tn_loop_run is running */
	struct tn_timer *timers;      /* by at_ns, soonest first */
	uint32_t lock;                /* guards inbox */
	struct tn_task *inbox, *inbox_last; /* posted by other threads */
	void (*wake)(struct tn_loop *loop); /* the host's: ends the sleep. Any thread. NULL: nobody sleeps */
	void *host;                         /* the host's own */
	struct tn_reaper *reaper;           /* src/core/chan.c: Chans to be clunked, and spare ones */
};

void tn_loop_init(struct tn_loop *loop, void (*wake)(struct tn_loop *), void *host);

/* Frees what the loop holds of its own. Everything on it has ended before. */
void tn_loop_fini(struct tn_loop *loop);

/* Runs the task soon, behind what is queued already. A task that is queued is left where it is. */
void tn_loop_defer(struct tn_loop *loop, struct tn_task *task);

/* Takes a deferred task out of the queue again: before what it is embedded in is freed. Not for posted ones. */
void tn_loop_forget(struct tn_loop *loop, struct tn_task *task);

/* tn_loop_defer from any thread. The task must not be posted again before it has run. */
void tn_loop_post(struct tn_loop *loop, struct tn_task *task);

/* Sets the timer (anew). */
void tn_timer_set(struct tn_loop *loop, struct tn_timer *timer, uint64_t at_ns);
void tn_timer_stop(struct tn_loop *loop, struct tn_timer *timer);

/* When the host must call tn_loop_run again at the latest: 0 now, UINT64_MAX never. */
uint64_t tn_loop_next_ns(const struct tn_loop *loop);

/* Runs what is due: the inbox, tasks that were queued before the call, timers. */
void tn_loop_run(struct tn_loop *loop);

#endif
