/*
 * The queue of deferred work and the timers of a home loop. The inbox is the only thing that other threads touch.
 */
#include "core/loop.h"

#include "core/chan.h"
#include "core/mem.h"

void tn_loop_init(struct tn_loop *loop, void (*wake)(struct tn_loop *), void *host)
{
	memset(loop, 0, sizeof(*loop));
	loop->wake = wake;
	loop->host = host;
}

void tn_loop_defer(struct tn_loop *loop, struct tn_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	if (loop->last)
		loop->last->next = task;
	else
		loop->first = task;
	loop->last = task;
}

void tn_loop_post(struct tn_loop *loop, struct tn_task *task)
{
	bool was_empty;

	task->next = NULL;
	tn_lock(&loop->lock);
	was_empty = loop->inbox == NULL;
	if (loop->inbox_last)
		loop->inbox_last->next = task;
	else
		loop->inbox = task;
	loop->inbox_last = task;
	tn_unlock(&loop->lock);
	if (was_empty && loop->wake)
		loop->wake(loop);
}

static void take_inbox(struct tn_loop *loop)
{
	struct tn_task *task, *next;

	tn_lock(&loop->lock);
	task = loop->inbox;
	loop->inbox = loop->inbox_last = NULL;
	tn_unlock(&loop->lock);
	for (; task; task = next) {
		next = task->next;
		tn_loop_defer(loop, task);
	}
}

void tn_timer_stop(struct tn_loop *loop, struct tn_timer *timer)
{
	if (timer->at_ns == 0)
		return;
	if (timer->prev)
		timer->prev->next = timer->next;
	else
		loop->timers = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	timer->next = timer->prev = NULL;
	timer->at_ns = 0;
}

/* Most timers are bounds: set later than all others and stopped before they fire. There are few: one a connection. */
void tn_timer_set(struct tn_loop *loop, struct tn_timer *timer, uint64_t at_ns)
{
	struct tn_timer *before = NULL, *after;

	tn_timer_stop(loop, timer);
	for (after = loop->timers; after && after->at_ns <= at_ns; after = after->next)
		before = after;
	timer->at_ns = at_ns ? at_ns : 1;
	timer->prev = before;
	timer->next = after;
	if (before)
		before->next = timer;
	else
		loop->timers = timer;
	if (after)
		after->prev = timer;
}

uint64_t tn_loop_next_ns(const struct tn_loop *loop)
{
	if (loop->first)
		return 0;
	return loop->timers ? loop->timers->at_ns : UINT64_MAX;
}

static void run_timers(struct tn_loop *loop)
{
	uint64_t now;

	if (!loop->timers)
		return;
	now = tn_now_ns();
	while (loop->timers && loop->timers->at_ns <= now) {
		struct tn_timer *timer = loop->timers;

		tn_timer_stop(loop, timer);
		timer->fn(timer);
	}
}

void tn_loop_run(struct tn_loop *loop)
{
	struct tn_task *task;

	loop->turns++;
	take_inbox(loop);
	/* What is queued while these run waits for the next call: a task that queues itself starves nobody. */
	loop->running = loop->first;
	loop->first = loop->last = NULL;
	while ((task = loop->running) != NULL) {
		loop->running = task->next;
		task->queued = false;
		task->fn(task);
	}
	run_timers(loop);
}

static bool unlink_task(struct tn_task **list, struct tn_task **last, struct tn_task *task)
{
	struct tn_task *before = NULL;

	for (struct tn_task *t = *list; t; before = t, t = t->next) {
		if (t != task)
			continue;
		if (before)
			before->next = t->next;
		else
			*list = t->next;
		if (last && *last == t)
			*last = before;
		return true;
	}
	return false;
}

void tn_loop_forget(struct tn_loop *loop, struct tn_task *task)
{
	if (!task->queued)
		return;
	if (!unlink_task(&loop->first, &loop->last, task))
		unlink_task(&loop->running, NULL, task);
	task->queued = false;
}

void tn_loop_fini(struct tn_loop *loop)
{
	tn_reaper_free(loop->reaper);
	loop->reaper = NULL;
}
