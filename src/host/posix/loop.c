/*
 * libuv around core/loop.h. In each turn of libuv `prepare` says how long it may sleep, then descriptors are served,
 * then `check` runs the core's tasks and timers in batches, so that what one turn caused leaves in the same turn.
 */
#include "host/posix/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS  1000000
#define WAIT_NS    UINT64_C(5000000000) /* for workers, when the loop is to be freed */
#define ROUNDS_MAX 32 /* batches of tasks in one turn before descriptors are looked at again */

struct tn_host_loop {
	struct tn_loop core;
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_check_t check;
	int expected;   /* posts that will come */
	uv_idle_t idle; /* active: something is due now, do not sleep */
};

static void woken(uv_async_t *async)
{
	(void)async; /* the turn itself is what was wanted: `check` empties the inbox */
}

static void timer_due(uv_timer_t *timer)
{
	(void)timer; /* the same */
}

static void idle_turn(uv_idle_t *idle)
{
	(void)idle;
}

static void wake(struct tn_loop *loop)
{
	struct tn_host_loop *h = loop->host;

	uv_async_send(&h->wake);
}

/* How long libuv may sleep: not at all, until the next timer, until woken. */
static void before_sleep(uv_prepare_t *prepare)
{
	struct tn_host_loop *h = prepare->data;
	uint64_t next = tn_loop_next_ns(&h->core), now;

	if (next == UINT64_MAX) {
		uv_idle_stop(&h->idle);
		uv_timer_stop(&h->timer);
		return;
	}
	now = tn_now_ns();
	if (next <= now) {
		uv_idle_start(&h->idle, idle_turn);
		return;
	}
	uv_idle_stop(&h->idle);
	uv_update_time(&h->uv);
	/* Rounded up: to wake a millisecond early would be to turn for nothing until it is over. */
	uv_timer_start(&h->timer, timer_due, (next - now) / NS_PER_MS + 1, 0);
}

static void after_sleep(uv_check_t *check)
{
	struct tn_host_loop *h = check->data;

	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		tn_loop_run(&h->core);
		if (tn_loop_next_ns(&h->core) != 0)
			return;
	}
}

static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct tn_host_loop *tn_host_loop_new(void)
{
	struct tn_host_loop *h = tn_alloc(sizeof(*h));
	int err;

	if (!h) {
		errno = ENOMEM;
		return NULL;
	}
	err = uv_loop_init(&h->uv);
	if (err)
		goto free_h;
	err = uv_async_init(&h->uv, &h->wake, woken);
	if (err)
		goto close_loop;
	/* These cannot fail: they take nothing from the system. */
	uv_timer_init(&h->uv, &h->timer);
	uv_prepare_init(&h->uv, &h->prepare);
	uv_check_init(&h->uv, &h->check);
	uv_idle_init(&h->uv, &h->idle);
	h->prepare.data = h->check.data = h;
	uv_prepare_start(&h->prepare, before_sleep);
	uv_check_start(&h->check, after_sleep);
	tn_loop_init(&h->core, wake, h);
	ignore_sigpipe();
	return h;

close_loop:
	uv_loop_close(&h->uv);
free_h:
	tn_free(h);
	errno = -err;
	return NULL;
}

void tn_host_loop_expect(struct tn_host_loop *h, int more)
{
	h->expected += more;
}

static void waited(struct tn_timer *timer)
{
	(void)timer; /* has ended the sleep */
}

/* false: they have not all come. */
static bool wait_for_workers(struct tn_host_loop *h)
{
	struct tn_timer bound = { .fn = waited };
	uint64_t until = tn_now_ns() + WAIT_NS;

	tn_timer_set(&h->core, &bound, until);
	while (h->expected > 0 && tn_now_ns() < until)
		tn_host_loop_turn(&h->core);
	tn_timer_stop(&h->core, &bound);
	return h->expected == 0;
}

void tn_host_loop_free(struct tn_host_loop *h)
{
	if (!h || !wait_for_workers(h))
		return;
	uv_close((uv_handle_t *)&h->wake, NULL);
	uv_close((uv_handle_t *)&h->timer, NULL);
	uv_close((uv_handle_t *)&h->prepare, NULL);
	uv_close((uv_handle_t *)&h->check, NULL);
	uv_close((uv_handle_t *)&h->idle, NULL);
	while (uv_run(&h->uv, UV_RUN_DEFAULT) != 0)
		;
	while (tn_loop_next_ns(&h->core) == 0)
		tn_loop_run(
		    &h->core); /* what the last callbacks deferred: the clunks of dropped Chans */
	tn_loop_fini(&h->core);
	tn_assert(uv_loop_close(&h->uv) == 0);
	tn_free(h);
}

struct tn_loop *tn_host_loop_core(struct tn_host_loop *h)
{
	return &h->core;
}

uv_loop_t *tn_host_loop_uv(struct tn_host_loop *h)
{
	return &h->uv;
}

struct tn_host_loop *tn_host_loop_of(struct tn_loop *loop)
{
	return loop->host;
}

void tn_host_loop_run(struct tn_host_loop *h)
{
	uv_run(&h->uv, UV_RUN_DEFAULT);
}

void tn_host_loop_stop(struct tn_host_loop *h)
{
	uv_stop(&h->uv);
}

void tn_host_loop_turn(struct tn_loop *loop)
{
	struct tn_host_loop *h = loop->host;

	uv_run(&h->uv, UV_RUN_ONCE);
}

int tn_host_loop_fd(struct tn_host_loop *h)
{
	return uv_backend_fd(&h->uv);
}

/*
 * Descriptors that libuv has been asked to watch, and that the kernel hears of when it turns next. The queue is in uv.h, but
 * nothing is promised of it; in all versions it begins with a pointer that leads to itself when it is empty.
 */
static bool has_new_watchers(const uv_loop_t *uv)
{
	const void *first;

	memcpy(&first, &uv->watcher_queue, sizeof(first));
	return first != &uv->watcher_queue;
}

bool tn_host_loop_is_due(const struct tn_host_loop *h)
{
	return tn_loop_next_ns(&h->core) == 0 || has_new_watchers(&h->uv);
}

int tn_host_loop_sleep_ms(struct tn_host_loop *h)
{
	uint64_t next = tn_loop_next_ns(&h->core), now;
	int ms = uv_backend_timeout(&h->uv), own;

	if (has_new_watchers(&h->uv))
		return 0;
	if (next == UINT64_MAX || ms == 0)
		return ms;
	now = tn_now_ns();
	if (next <= now)
		return 0;
	next = (next - now) / NS_PER_MS + 1;
	own = next > INT_MAX ? INT_MAX : (int)next;
	return ms < 0 || own < ms ? own : ms;
}

void tn_host_loop_poll(struct tn_loop *loop)
{
	struct tn_host_loop *h = loop->host;

	uv_run(&h->uv, UV_RUN_NOWAIT);
}
