/*
 * Who is connected how often: one count for each address that peers come from. An IPv4 address is itself; of an IPv6
 * address the network counts (64 bits), for one machine may use all that are in it; a Unix socket's peer is its user.
 */
#ifndef TN_POSIX_CALLERS_H
#define TN_POSIX_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

struct tn_callers;
struct tn_caller; /* one address, for as long as it is counted */

struct tn_callers *tn_callers_new(void);          /* NULL: no memory */
void tn_callers_free(struct tn_callers *callers); /* takes NULL; nobody is counted any more */

/* Counts one more at the other end of fd: what is no socket is all one. NULL: no memory. */
struct tn_caller *tn_caller_enter(struct tn_callers *callers, int fd);
void tn_caller_leave(struct tn_callers *callers, struct tn_caller *caller); /* takes NULL */

/* How many are counted there, this one too. */
uint32_t tn_caller_count(const struct tn_caller *caller);

#endif
