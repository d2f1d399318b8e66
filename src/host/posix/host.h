/*
 * Hooks of this host's core/host.h: where log lines go, and what a test may take away.
 */
#ifndef TN_POSIX_HOST_H
#define TN_POSIX_HOST_H

#include "core/host.h"

/*
 * Asked before each allocation of tn_alloc and tn_realloc; false makes it fail. NULL (the default): nobody asks. For
 * tests that count allocations or fail the n-th. Set it while no other thread allocates.
 */
extern bool (*tn_alloc_hook)(size_t size);

/* Gets each line of tn_log, unterminated, on any thread. NULL (the default): lines go to standard error. */
extern void (*tn_log_hook)(const char *text, size_t len);

/* What happens to a line without a hook: for a hook that adds to it. */
void tn_log_stderr(const char *text, size_t len);

/* Where tn_now_ns comes from when not NULL: a test moves the clock. */
extern uint64_t (*tn_now_hook)(void);

/* A line for tn_log as printf makes it; at most 1000 bytes of it. Any thread. */
__attribute__((format(printf, 1, 2))) void tn_logf(const char *format, ...);

#endif
