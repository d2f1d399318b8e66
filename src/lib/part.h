/*
 * What the calls that compose share: a composition applied to the name space that a thread's part shares with others.
 */
#ifndef TN_LIB_PART_H
#define TN_LIB_PART_H

#include "lib/enter.h"

#include "lib/compose.h"

/* Entered. All of c or nothing, in one step for all who share p's name space. 0, or -1 as tn_call_*. */
int tn_part_compose(struct tn_proc *p, struct tn_compose *c);

/* The last error becomes what went wrong with c. -1. */
int tn_part_compose_error(const struct tn_compose *c);

#endif
