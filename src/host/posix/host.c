/*
 * core/host.h for POSIX systems: memory, counts, locks, clocks, random bytes and the log. Nothing here starts a thread
 * or keeps state but the hooks.
 */
#include "host/posix/host.h"

#include "tenon/server.h" /* tn_now_ns is public */

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S     1000000000
#define SPINS_MAX    64   /* looks at a lock before the processor goes to somebody else */
#define LOG_LINE_MAX 1000 /* bytes of a line that tn_logf makes */

bool (*tn_alloc_hook)(size_t size);
void (*tn_log_hook)(const char *text, size_t len);
uint64_t (*tn_now_hook)(void);

void *tn_alloc(size_t size)
{
	if (tn_alloc_hook && !tn_alloc_hook(size))
		return NULL;
	return calloc(1, size ? size : 1);
}

void tn_free(void *p)
{
	free(p);
}

void *tn_realloc(void *p, size_t had, size_t size)
{
	uint8_t *moved;

	if (tn_alloc_hook && !tn_alloc_hook(size))
		return NULL;
	moved = realloc(p, size ? size : 1);
	if (moved && size > had)
		memset(moved + had, 0, size - had);
	return moved;
}

void tn_count_up(uint32_t *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

uint32_t tn_count_down(uint32_t *count)
{
	return __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST);
}

uint32_t tn_count_read(const uint32_t *count)
{
	return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

void tn_lock(uint32_t *lock)
{
	for (unsigned spins = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); spins++) {
		if (spins >= SPINS_MAX)
			sched_yield(); /* its holder may wait for this very processor */
	}
}

void tn_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	tn_assert(clock_gettime(clock, &t) == 0);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

uint64_t tn_now_ns(void)
{
	return tn_now_hook ? tn_now_hook() : (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

int64_t tn_time_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

void tn_random(void *buf, size_t size)
{
	uint8_t *at = buf;

	while (size > 0) {
		ssize_t n = getrandom(at, size, 0);

		if (n < 0) {
			tn_assert(
			    errno == EINTR); /* keys of zeros would be worse than no program */
			continue;
		}
		at += n;
		size -= (size_t)n;
	}
}

void tn_log(const char *text, size_t len)
{
	if (tn_log_hook)
		tn_log_hook(text, len);
	else
		tn_log_stderr(text, len);
}

void tn_log_stderr(const char *text, size_t len)
{
	struct iovec line[2] = { { (void *)text, len }, { "\n", 1 } };

	/* One writev: lines of several threads do not mix. Nobody can be told when it fails. */
	if (writev(STDERR_FILENO, line, 2) < 0)
		return;
}

void tn_logf(const char *format, ...)
{
	char line[LOG_LINE_MAX + 1];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n > 0)
		tn_log(line, n > LOG_LINE_MAX ? LOG_LINE_MAX : (size_t)n);
}

void tn_panic(const char *what, const char *file, int line)
{
	fprintf(stderr, "tenon: does not hold: %s (%s:%d)\n", what, file, line);
	abort();
}
