/*
 * A pool of threads before one queue. Lanes are the loop's alone: the next job of a lane enters the queue when the one
 * before it is done. What threads share is under `lock`; the pool itself is freed by whoever leaves it last.
 */
#include "host/posix/work.h"

#include "host/posix/loop.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define THREADS_BASE 4
#define THREADS_MAX  64
#define STUCK_NS     50000000
#define IDLE_S       10 /* a thread beyond the base that had nothing to do for so long ends */
#define STACK_SIZE   (256u * 1024u) /* bytes; none recurses */

struct tn_work {
	struct tn_loop *loop;
	struct tn_work_limits limits;
	struct tn_timer stuck;
	uint64_t begun_then; /* when `stuck` was set */
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under lock */
	struct tn_job *first, *last;
	uint32_t n_queued, n_threads, n_idle;
	uint64_t begun;
	bool gone;
};

/* ---- threads ---- */

static void pool_destroy(struct tn_work *w)
{
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	tn_free(w);
}

static struct tn_job *take_first(struct tn_work *w)
{
	struct tn_job *job = w->first;

	w->first = job->next;
	if (!w->first)
		w->last = NULL;
	w->n_queued--;
	w->begun++;
	job->next = NULL;
	return job;
}

/* Under lock. The next job; NULL: this thread is to end. */
static struct tn_job *next_job(struct tn_work *w)
{
	struct timespec until;

	while (!w->gone && !w->first) {
		int err;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += IDLE_S;
		w->n_idle++;
		err = pthread_cond_timedwait(&w->more, &w->lock, &until);
		w->n_idle--;
		if (err && !w->first && w->n_threads > w->limits.threads_base)
			return NULL;
	}
	return w->gone ? NULL : take_first(w);
}

static void *worker(void *arg)
{
	struct tn_work *w = arg;
	struct tn_job *job;
	bool last;

	pthread_mutex_lock(&w->lock);
	while ((job = next_job(w)) != NULL) {
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		/* Under lock: tn_work_free comes before or after, and the loop is there as long as it has not come. */
		if (w->gone)
			job->drop(job);
		else
			tn_loop_post(w->loop, &job->task);
	}
	last = --w->n_threads == 0 && w->gone;
	pthread_mutex_unlock(&w->lock);
	if (last)
		pool_destroy(w);
	return NULL;
}

/* Under lock. Signals are for the loop's thread. */
static bool add_thread(struct tn_work *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	bool good;

	if (pthread_attr_init(&attr))
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	good = pthread_create(&thread, &attr, worker, w) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	w->n_threads += good;
	return good;
}

/* ---- the queue ---- */

static void watch(struct tn_work *w)
{
	if (w->stuck.at_ns == 0)
		tn_timer_set(w->loop, &w->stuck, tn_now_ns() + w->limits.stuck_ns);
}

/* Somebody has waited and nobody has begun anything: all threads hang. */
static void look_whether_stuck(struct tn_timer *timer)
{
	struct tn_work *w = (struct tn_work *)((char *)timer - offsetof(struct tn_work, stuck));
	bool waiting;

	pthread_mutex_lock(&w->lock);
	waiting = w->first != NULL;
	if (waiting && w->begun == w->begun_then && w->n_threads < w->limits.threads_max)
		add_thread(w);
	w->begun_then = w->begun;
	pthread_mutex_unlock(&w->lock);
	if (waiting)
		watch(w);
}

/* false: nobody will ever run it. */
static bool enqueue(struct tn_work *w, struct tn_job *job)
{
	bool good, waits;

	pthread_mutex_lock(&w->lock);
	good = w->n_threads > 0;
	if (w->n_queued >= w->n_idle && w->n_threads < w->limits.threads_base)
		good = add_thread(w) || good;
	if (good) {
		job->next = NULL;
		if (w->last)
			w->last->next = job;
		else
			w->first = job;
		w->last = job;
		w->n_queued++;
		tn_host_loop_expect(tn_host_loop_of(w->loop), 1);
		pthread_cond_signal(&w->more);
	}
	waits = good && w->n_queued > w->n_idle;
	if (waits && w->stuck.at_ns == 0)
		w->begun_then = w->begun;
	pthread_mutex_unlock(&w->lock);
	if (waits)
		watch(w);
	return good;
}

static void came_back(struct tn_task *task)
{
	struct tn_job *job = (struct tn_job *)task, *next;
	struct tn_lane *lane = job->lane;

	if (lane) {
		lane->running = NULL;
		next = lane->first;
		if (next) {
			lane->first = next->next;
			if (!lane->first)
				lane->last = NULL;
			lane->running = next;
			enqueue(next->work,
			    next); /* cannot fail: the thread that came back is there */
		}
	}
	tn_host_loop_expect(tn_host_loop_of(job->work->loop), -1);
	job->done(job);
}

bool tn_work_start(struct tn_work *w, struct tn_lane *lane, struct tn_job *job)
{
	job->task = (struct tn_task){ .fn = came_back };
	job->lane = lane;
	job->work = w;
	job->next = NULL;
	if (lane && lane->running) {
		if (lane->last)
			lane->last->next = job;
		else
			lane->first = job;
		lane->last = job;
		return true;
	}
	if (!enqueue(w, job))
		return false;
	if (lane)
		lane->running = job;
	return true;
}

/* Takes job out of a list. false: it is not there. */
static bool list_remove(struct tn_job **first, struct tn_job **last, struct tn_job *job)
{
	struct tn_job *before = NULL;

	for (struct tn_job *at = *first; at; before = at, at = at->next) {
		if (at != job)
			continue;
		if (before)
			before->next = at->next;
		else
			*first = at->next;
		if (*last == at)
			*last = before;
		return true;
	}
	return false;
}

bool tn_work_cancel(struct tn_work *w, struct tn_job *job)
{
	struct tn_lane *lane = job->lane;
	bool found;

	if (lane && lane->running != job)
		return list_remove(&lane->first, &lane->last, job);
	pthread_mutex_lock(&w->lock);
	found = list_remove(&w->first, &w->last, job);
	w->n_queued -= found;
	pthread_mutex_unlock(&w->lock);
	if (found)
		tn_host_loop_expect(tn_host_loop_of(w->loop), -1);
	if (!found || !lane)
		return found;
	lane->running = lane->first;
	if (lane->running) {
		lane->first = lane->running->next;
		if (!lane->first)
			lane->last = NULL;
		enqueue(w,
		    lane->running); /* cannot fail: somebody would have run the one taken back */
	}
	return true;
}

/* ---- the pool ---- */

struct tn_work *tn_work_new(struct tn_loop *loop, const struct tn_work_limits *limits)
{
	struct tn_work *w = tn_alloc(sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	if (limits)
		w->limits = *limits;
	if (!w->limits.threads_base)
		w->limits.threads_base = THREADS_BASE;
	if (!w->limits.threads_max)
		w->limits.threads_max = THREADS_MAX;
	if (!w->limits.stuck_ns)
		w->limits.stuck_ns = STUCK_NS;
	w->loop = loop;
	w->stuck.fn = look_whether_stuck;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->more, &attr);
	pthread_condattr_destroy(&attr);
	return w;
}

void tn_work_free(struct tn_work *w)
{
	bool last;

	if (!w)
		return;
	tn_timer_stop(w->loop, &w->stuck);
	pthread_mutex_lock(&w->lock);
	tn_assert(!w->first);
	w->gone = true;
	pthread_cond_broadcast(&w->more);
	last = w->n_threads == 0;
	pthread_mutex_unlock(&w->lock);
	if (last)
		pool_destroy(w);
}

void tn_work_stats(struct tn_work *w, struct tn_work_stats *out)
{
	pthread_mutex_lock(&w->lock);
	*out = (struct tn_work_stats){ w->n_threads, w->n_queued, w->begun };
	pthread_mutex_unlock(&w->lock);
}
