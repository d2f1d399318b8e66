/*
 * A home loop (core/loop.h) turned by libuv. No thread is started here, nor by anything of this room until a name must
 * be resolved or a call must be handed to a worker: a launcher may fork before that, and makes its loop behind the fork.
 */
#ifndef TN_POSIX_LOOP_H
#define TN_POSIX_LOOP_H

#include "core/loop.h"

#include <uv.h>

struct tn_host_loop;

/*
 * A loop of its own; nothing runs until one of the functions below turns it. Writing to a pipe that nobody reads must
 * not end the program: SIGPIPE is ignored from here on if it had its default. NULL: no memory or no descriptor, errno.
 */
struct tn_host_loop *tn_host_loop_new(void);

/*
 * Ends what is still open of libuv's handles that belong to the loop itself and frees it. Everything else (streams,
 * listeners, servers) has ended before; their last callbacks run in here, and those of workers: it waits for these a
 * few seconds. A call that hangs longer keeps the loop's memory, so that it can come back whenever it does.
 */
void tn_host_loop_free(struct tn_host_loop *h);

/* So many more (fewer) will be posted by other threads: the loop is not freed before. */
void tn_host_loop_expect(struct tn_host_loop *h, int more);

struct tn_loop *tn_host_loop_core(struct tn_host_loop *h);
uv_loop_t *tn_host_loop_uv(struct tn_host_loop *h);

/* The host's loop around a core loop that tn_host_loop_new made. */
struct tn_host_loop *tn_host_loop_of(struct tn_loop *loop);

/* Turns until tn_host_loop_stop; a stop that came before counts. */
void tn_host_loop_run(struct tn_host_loop *h);

/* On the loop's thread; from elsewhere post a task that calls it. */
void tn_host_loop_stop(struct tn_host_loop *h);

/*
 * One turn: waits until something happens, moves bytes, runs what is due. For `tn_call_turn` of lib/call.h, and tests.
 * tn_host_loop_poll does not wait.
 */
void tn_host_loop_turn(struct tn_loop *loop);
void tn_host_loop_poll(struct tn_loop *loop);

/*
 * For whoever sleeps elsewhere than in a turn: polls the descriptor for reading, so many milliseconds at most (-1: as long as
 * it takes; 0: not at all, something is due), and then lets it turn. The loop itself may be turned meanwhile.
 */
int tn_host_loop_fd(struct tn_host_loop *h);
int tn_host_loop_sleep_ms(struct tn_host_loop *h);

/* Something is to be done that no descriptor will tell of: a turn is due. */
bool tn_host_loop_is_due(const struct tn_host_loop *h);

#endif
