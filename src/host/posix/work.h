/*
 * Workers: threads for calls that may wait in the kernel (a dead NFS, a cold page, fsync). Started when first needed;
 * more are started while all of those there are hang, up to a bound.
 */
#ifndef TN_POSIX_WORK_H
#define TN_POSIX_WORK_H

#include "core/loop.h"

struct tn_work;
struct tn_job;

/* Jobs of one lane run one after the other, in the order in which they were started. Zeroes are an empty one. */
struct tn_lane {
	struct tn_job *first, *last; /* waiting behind the one that runs */
	struct tn_job *running;      /* with the workers, or queued for them */
};

/*
 * A call for a worker: embedded in what it is about, which lives until `done` or `drop`.
 *
 * run   On a worker. Touches only what is the job's own.
 * done  On the loop, once, after run.
 * drop  Instead of done, on the worker, when the workers' owner has gone meanwhile: frees the job.
 */
struct tn_job {
	struct tn_task task;
	struct tn_job *next;
	struct tn_lane *lane; /* NULL: no order */
	struct tn_work *work;
	void (*run)(struct tn_job *job);
	void (*done)(struct tn_job *job);
	void (*drop)(struct tn_job *job);
};

struct tn_work_limits {
	uint32_t threads_base; /* started as jobs come; 0: 4 */
	uint32_t threads_max;  /* when all hang; 0: 64 */
	uint64_t stuck_ns; /* no job begun for so long while one waits: a thread more; 0: 50 ms */
};

/* No thread yet. `loop` is a tn_host_loop's. limits may be NULL. NULL: no memory. On the loop, as all below. */
struct tn_work *tn_work_new(struct tn_loop *loop, const struct tn_work_limits *limits);

/* Nothing waits; jobs that still run are dropped when they come back. Waits for nobody. Takes NULL. */
void tn_work_free(struct tn_work *work);

/* false: no thread could be started and none is there; the job is the caller's still. */
bool tn_work_start(struct tn_work *work, struct tn_lane *lane, struct tn_job *job);

/* Takes back a job that has not begun: neither run nor done will be called. false: it runs, done will come. */
bool tn_work_cancel(struct tn_work *work, struct tn_job *job);

struct tn_work_stats {
	uint32_t threads, queued;
	uint64_t begun;
};
void tn_work_stats(struct tn_work *work, struct tn_work_stats *out);

#endif
