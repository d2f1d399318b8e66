/*
 * What core, link and fs need from below. A host (src/host/posix, src/host/bare, a test) defines these functions; the
 * freestanding rooms call nothing else but mem*.
 */
#ifndef TN_CORE_HOST_H
#define TN_CORE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory. tn_alloc returns NULL when there is none; the bytes are zero. tn_free takes NULL. Any thread. */
void *tn_alloc(size_t size);
void tn_free(void *p);
/* Moves p (NULL: allocates) to `size` bytes; what is behind the old `had` bytes is zero. NULL: p is as it was. */
void *tn_realloc(void *p, size_t had, size_t size);

/* 32-bit atomic counts, sequentially consistent. Any thread. tn_count_down returns the new value. */
void tn_count_up(uint32_t *count);
uint32_t tn_count_down(uint32_t *count);
uint32_t tn_count_read(const uint32_t *count);

/* A short lock for what is told across threads: a loop's inbox. Never held while anything is called. */
void tn_lock(uint32_t *lock);
void tn_unlock(uint32_t *lock);

/* Nanoseconds: since some start, never going back; since 1970. */
uint64_t tn_now_ns(void);
int64_t tn_time_ns(void);

/* Random bytes fit for keys. */
void tn_random(void *buf, size_t size);

/* A line for the node's log, without a newline. Any thread. */
void tn_log(const char *text, size_t len);

/* Something that must hold does not: says so and ends the program. Never returns. */
_Noreturn void tn_panic(const char *what, const char *file, int line);

#define tn_assert(must_hold)                                                                                           \
	((must_hold) ? (void)0 : tn_panic(#must_hold, __FILE__, __LINE__))

#endif
