/*
 * The memory functions of C that freestanding code may call (a compiler calls them of its own accord). A bare cross
 * compiler has no string.h; these four prototypes are all that is used of it.
 */
#ifndef TN_CORE_MEM_H
#define TN_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* The length of a terminated string. */
static inline size_t tn_strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

#endif
