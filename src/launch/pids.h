/*
 * --pids: CMD in a pid name space of its own, so that nothing can outlive it. Two processes more: a keeper, child of the
 * front, whose child is pid 1; pid 1 is CMD's parent, reaps, and ends (and with it everything inside) when CMD, the
 * front or S ends.
 */
#ifndef TN_LAUNCH_PIDS_H
#define TN_LAUNCH_PIDS_H

#include "launch/enter.h"

/* Forks pid 1 and returns in it; the caller becomes the keeper, which waits for pid 1 and ends. */
void tn_pids_become_first(const struct tn_command *c);

/*
 * In pid 1, or in the keeper of join.h: forks CMD, which execs; reports CMD's states over c->front_life as PIDS, and ends with
 * it. A keeper that lost its front, or whose CMD was killed, ends all that came to it first.
 */
_Noreturn void tn_pids_exec_below(const struct tn_command *c);

#endif
