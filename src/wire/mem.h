/*
 * The functions of string.h that the codec calls (a compiler calls them of its own accord). A bare cross compiler has
 * no string.h, and wire includes nothing of core: so these prototypes are here.
 */
#ifndef TN_WIRE_MEM_H
#define TN_WIRE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

#endif
