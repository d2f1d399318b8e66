/* What the freestanding rooms may use of string.h: a bare cross compiler has none. */
#ifndef TN_TEST_STRING_H
#define TN_TEST_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *at, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *at, int byte, size_t n);

#endif
