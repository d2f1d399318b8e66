/*
 * What the blocking calls on names (call.c) and on files (callfile.c) share.
 */
#ifndef TN_LIB_CALL_IN_H
#define TN_LIB_CALL_IN_H

#include "lib/call.h"

#include <string.h>

/* For requests that begin now: tn_call_bound_ns from here, or 0. */
uint64_t tn_call_deadline(void);

/* What was dropped meanwhile is clunked now, even by a program that never has to wait. */
void tn_call_sweep(struct tn_loop *loop);

/* The error of an answered request becomes the last one. 0 or -1. */
int tn_call_take_error(struct tn_req *r);

/* tn_call_name with a question made of these. */
int tn_call_resolve(struct tn_name *n, struct tn_proc *p, const char *name, enum tn_name_for want);

static inline struct tn_str tn_call_str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

#endif
