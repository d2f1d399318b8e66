/*
 * The inside of <tenon.h>: what a program has of it, under one lock, and how a call enters and leaves. Who holds the lock is
 * the loop's thread: it starts requests, and turns the loop when it has to wait. Of those who wait one sleeps, without the
 * lock, until the loop's descriptor or its next moment; the others are woken when what they wait for is over.
 */
#ifndef TN_LIB_ENTER_H
#define TN_LIB_ENTER_H

#include "tenon.h"

#include "core/proc.h"
#include "host/posix/loop.h"
#include "lib/call.h"

/* Of the program; under the lock. */
struct tn_program {
	struct tn_host_loop *loop; /* NULL: nobody has called yet */
	struct tn_node *node;
	struct tn_proc *files;   /* has the descriptors; is asked for where no name space is */
	unsigned n_own_handles;  /* libuv's, that belong to the loop itself */
	uint32_t n_refs, n_uses; /* of name spaces: by the program; by threads */
	uint32_t n_services;
};

extern struct tn_program tn_program;

/*
 * Enters: takes the lock and makes the program's part if there is none. false: the thread's error is set, nothing is held:
 * TN_EBADARG is_good is false; TN_EDEADLK from inside of a server's function; TN_ENOMEM. tn_enter_ns also wants the thread
 * to have a name space, which it returns, borrowed until tn_leave; NULL: as false, or TN_EINVAL.
 */
bool tn_enter(bool is_good);
struct tn_proc *tn_enter_ns(bool is_good);

/* The same for calls that may be given one: p, else the thread's. */
struct tn_proc *tn_enter_part(struct tn_proc *p, bool is_good);

/* Leaves. What is negative failed with tn_call_err(): the thread's error from now on. Returns it. */
int64_t tn_leave(int64_t ret);
void *tn_leave_with(void *ret); /* NULL failed likewise */

/* What the thread uses; counted. */
struct tn_proc *tn_thread_part(void);
void tn_thread_use(struct tn_proc *p);

/* Entered: one turn of the loop, waiting so long for something to happen. */
void tn_turn(int wait_ms);

/* Entered: ends the program's part. false: somebody is in a call. */
bool tn_program_end(void);

#endif
