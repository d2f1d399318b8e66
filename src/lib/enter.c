/*
 * Taking turns. A thread that has to wait runs what is due; then, if nobody sleeps on the loop yet, it does, else it waits
 * to be woken. Who sleeps wakes those whose wait is over, and when it leaves, the next one to sleep.
 */
#include "lib/enter.h"

#include "core/chan.h"
#include "core/server.h"
#include "host/posix/host.h"
#include "host/posix/node.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS  1000000
#define NS_PER_S   1000000000
#define ROUNDS_MAX 8                    /* turns for others before a call leaves */
#define END_NS     UINT64_C(5000000000) /* for what is still to be said to servers */

struct waiter {
	struct waiter *next;
	bool (*over)(const void *what);
	const void *what;
	bool is_on_loop; /* it is the one who sleeps on the loop; the others on `wake` */
	pthread_cond_t wake;
};

struct tn_program tn_program;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static struct {
	struct waiter *first;
	bool has_sleeper;  /* a thread of ours sleeps on the loop */
	bool is_elsewhere; /* the caller's own loop does, for all we know */
	/* What was the loop's next moment when they lay down. */
	uint64_t sleeper_next_ns, elsewhere_next_ns;
	uint32_t n_wakes; /* of tn_loop_wake */
} waiting;

/* Of a thread. */
static _Thread_local struct {
	bool is_inside;
	enum tn_err err;
	int cancel_state;
	struct tn_proc *part;
	char words[TN_ERRSTR_MAX + 1];
} me;

/* ---- waiting ---- */

static struct tn_loop *core(void)
{
	return tn_host_loop_core(tn_program.loop);
}

/* A call may be what others have waited for: one that answers their requests. */
static void wake_those_over(void)
{
	for (struct waiter *w = waiting.first; w; w = w->next) {
		if (!w->over(w->what))
			continue;
		if (w->is_on_loop)
			core()->wake(core());
		else
			pthread_cond_signal(&w->wake);
	}
}

/* Runs what is due, and wakes those whose wait is over by that. */
static void run(void)
{
	tn_host_loop_poll(core());
	wake_those_over();
}

/* Whoever sleeps on the loop would wake too late for what is due next. */
static void hurry(void)
{
	uint64_t next_ns;

	if (!waiting.has_sleeper && !waiting.is_elsewhere)
		return;
	next_ns = tn_loop_next_ns(core());
	if (waiting.has_sleeper ? next_ns < waiting.sleeper_next_ns
				: next_ns < waiting.elsewhere_next_ns)
		core()->wake(core());
}

/* Without the lock until something happens. What is asked of the loop meanwhile is told to the kernel by who asks. */
static void sleep_on_loop(struct waiter *w, int ms)
{
	struct pollfd ready = { .fd = tn_host_loop_fd(tn_program.loop), .events = POLLIN };

	waiting.has_sleeper = w->is_on_loop = true;
	waiting.sleeper_next_ns = tn_loop_next_ns(core());
	pthread_mutex_unlock(&lock);
	poll(&ready, 1, ms);
	pthread_mutex_lock(&lock);
	waiting.has_sleeper = w->is_on_loop = false;
}

static void sleep_until_woken(struct waiter *w, int ms)
{
	uint64_t at_ns = tn_now_ns() + (uint64_t)ms * NS_PER_MS;
	struct timespec at = { (time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S) };

	if (ms < 0)
		pthread_cond_wait(&w->wake, &lock);
	else
		pthread_cond_timedwait(&w->wake, &lock, &at);
}

static void add(struct waiter *w)
{
	pthread_condattr_t attr;

	w->next = waiting.first;
	waiting.first = w;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
}

/* Somebody else has to sleep on the loop now, if anybody waits. */
static void take_out(struct waiter *w)
{
	struct waiter **at = &waiting.first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	pthread_cond_destroy(&w->wake);
	if (waiting.first && !waiting.has_sleeper)
		pthread_cond_signal(&waiting.first->wake);
}

/* tn_call_wait of the library. */
static void wait_in_turn(struct tn_loop *loop, bool (*over)(const void *what), const void *what)
{
	struct waiter w = { .over = over, .what = what };

	(void)loop;
	add(&w);
	for (;;) {
		int ms;

		run();
		if (over(what))
			break;
		ms = tn_host_loop_sleep_ms(tn_program.loop);
		if (ms == 0)
			continue;
		if (waiting.has_sleeper) {
			hurry();
			sleep_until_woken(&w, -1);
		} else {
			sleep_on_loop(&w, ms);
		}
	}
	take_out(&w);
}

static bool is_waked(const void *n_wakes)
{
	return *(const uint32_t *)n_wakes != waiting.n_wakes;
}

void tn_turn(int wait_ms)
{
	uint32_t n_wakes = waiting.n_wakes;
	struct waiter w = { .over = is_waked, .what = &n_wakes };
	int ms;

	waiting.is_elsewhere = false;
	run();
	ms = tn_host_loop_sleep_ms(tn_program.loop);
	if (wait_ms == 0 || ms == 0)
		return;
	if (ms < 0 || (wait_ms > 0 && wait_ms < ms))
		ms = wait_ms;
	add(&w);
	if (waiting.has_sleeper)
		sleep_until_woken(&w, wait_ms);
	else
		sleep_on_loop(&w, ms);
	run();
	take_out(&w);
}

/* ---- the program's part ---- */

static void (*log_line)(const char *text, size_t len); /* NULL: nowhere */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *text, size_t len)
{
	pthread_mutex_lock(&log_lock);
	if (log_line)
		log_line(text, len);
	pthread_mutex_unlock(&log_lock);
}

void tn_log_to(void (*line)(const char *text, size_t len))
{
	pthread_mutex_lock(&log_lock);
	log_line = line;
	pthread_mutex_unlock(&log_lock);
}

static void count(uv_handle_t *handle, void *arg)
{
	(void)handle;
	++*(unsigned *)arg;
}

static unsigned n_handles(void)
{
	unsigned n = 0;

	uv_walk(tn_host_loop_uv(tn_program.loop), count, &n);
	return n;
}

static bool forget_program(void)
{
	tn_proc_put(tn_program.files);
	tn_host_node_free(tn_program.node);
	tn_host_loop_free(tn_program.loop);
	tn_program = (struct tn_program){ 0 };
	return false;
}

static bool has_program(void)
{
	if (tn_program.loop)
		return true;
	tn_call_wait = wait_in_turn;
	tn_call_turn = tn_host_loop_turn;
	if (!tn_log_hook)
		tn_log_hook = say; /* before the node, which hands on to it what it notes */
	tn_program.loop = tn_host_loop_new();
	if (!tn_program.loop)
		return false;
	tn_program.n_own_handles = n_handles();
	tn_program.node = tn_host_node_new(tn_program.loop);
	if (tn_program.node)
		tn_program.files = tn_host_proc_clean(tn_program.node);
	return tn_program.files || forget_program();
}

static void time_is_up(struct tn_timer *timer)
{
	(void)timer; /* has ended the turn */
}

/* Connections say goodbye before their loop may go. */
static void drain(void)
{
	struct tn_timer bound = { .fn = time_is_up };
	uint64_t until = tn_now_ns() + END_NS;

	tn_timer_set(core(), &bound, until);
	while ((n_handles() > tn_program.n_own_handles || tn_loop_next_ns(core()) == 0) &&
	       tn_now_ns() < until)
		tn_host_loop_turn(core());
	tn_timer_stop(core(), &bound);
}

bool tn_program_end(void)
{
	if (waiting.first)
		return false;
	tn_proc_put(tn_program.files);
	tn_program.files = NULL;
	drain();
	waiting.is_elsewhere = false;
	forget_program();
	return true;
}

/* ---- threads ---- */

static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_up_part(void *part)
{
	(void)part;
	if (tn_enter(true)) {
		tn_thread_use(NULL);
		tn_leave(0);
	}
}

static void make_key(void)
{
	pthread_key_create(&at_exit, give_up_part);
}

struct tn_proc *tn_thread_part(void)
{
	return me.part;
}

void tn_thread_use(struct tn_proc *p)
{
	struct tn_proc *old = me.part;

	pthread_once(&once, make_key);
	if (p)
		tn_proc_get(p);
	me.part = p;
	tn_program.n_uses += (p != NULL);
	tn_program.n_uses -= (old != NULL);
	pthread_setspecific(at_exit, p);
	tn_proc_put(old);
}

/* ---- in and out ---- */

static void take_error(enum tn_err err, const char *words)
{
	size_t len = strnlen(words, TN_ERRSTR_MAX);

	/* Not in the middle of a character of UTF-8. */
	while (words[len] && len > 0 && ((unsigned char)words[len] & 0xc0) == 0x80)
		len--;
	me.err = err;
	memcpy(me.words, words, len);
	me.words[len] = '\0';
}

static bool refuse(enum tn_err err)
{
	take_error(err, tn_err_text(err));
	return false;
}

bool tn_enter(bool is_good)
{
	if (me.is_inside)
		return refuse(TN_EDEADLK);
	if (!is_good)
		return refuse(TN_EBADARG);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &me.cancel_state);
	pthread_mutex_lock(&lock);
	me.is_inside = true;
	if (has_program())
		return true;
	tn_call_set(TN_ENOMEM, NULL);
	tn_leave(-1);
	return false;
}

struct tn_proc *tn_enter_part(struct tn_proc *p, bool is_good)
{
	if (!tn_enter(is_good))
		return NULL;
	if (!p)
		p = me.part;
	if (p)
		return p;
	tn_call_set(TN_EINVAL, "this thread uses no name space");
	tn_leave(-1);
	return NULL;
}

struct tn_proc *tn_enter_ns(bool is_good)
{
	return tn_enter_part(NULL, is_good);
}

int64_t tn_leave(int64_t ret)
{
	if (ret < 0)
		take_error(tn_call_err(), tn_call_text());
	else
		me.err = TN_OK;
	/* What this call has left behind, the clunk of a Chan, a connection's farewell, waits for no other. */
	if (tn_program.loop) {
		for (int i = 0; i < ROUNDS_MAX && tn_host_loop_is_due(tn_program.loop); i++)
			run();
		wake_those_over();
		hurry();
	}
	me.is_inside = false;
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(me.cancel_state, NULL);
	return ret;
}

void *tn_leave_with(void *ret)
{
	tn_leave(ret ? 0 : -1);
	return ret;
}

enum tn_err tn_errno(void)
{
	return me.err;
}

const char *tn_errstr(void)
{
	return me.err == TN_OK ? tn_err_text(TN_OK) : me.words;
}

/* ---- a loop of the caller's ---- */

int tn_loop_turn(int wait_ms)
{
	if (!tn_enter(true))
		return -1;
	tn_turn(wait_ms < 0 ? -1 : wait_ms);
	return (int)tn_leave(0);
}

int tn_loop_fd(void)
{
	if (!tn_enter(true))
		return -1;
	return (int)tn_leave(tn_host_loop_fd(tn_program.loop));
}

int tn_loop_wait_ms(void)
{
	int ms;

	if (!tn_enter(true))
		return -1;
	run();
	ms = tn_host_loop_sleep_ms(tn_program.loop);
	waiting.is_elsewhere = true;
	waiting.elsewhere_next_ns = tn_loop_next_ns(core());
	tn_leave(0);
	return ms;
}

static void wake_all(void)
{
	waiting.n_wakes++;
	wake_those_over(); /* nobody waits where there is no loop yet */
	if (waiting.is_elsewhere)
		core()->wake(core());
}

void tn_loop_wake(void)
{
	if (!me.is_inside)
		pthread_mutex_lock(&lock);
	wake_all();
	if (!me.is_inside)
		pthread_mutex_unlock(&lock);
}
