/*
 * What a running name space says of itself, for `tenon ps`: lines of a word and a text.
 *
 *     server PID      S
 *     pid PID         a process in it: the program's, if it has not ended
 *     keep NAME       if it is kept
 *     program WORDS   what was run, quoted as in rc
 *     mount LINE      a line of ns, in its order, without the directory's
 *     link STATE      a connection of it (lib/linked.h); the lines behind it are about it:
 *     dial NAME
 *     dialect NAME    if one was agreed on
 *     messages N, losses N
 */
#ifndef TN_LAUNCH_STATE_H
#define TN_LAUNCH_STATE_H

#include "core/proc.h"

#include <sys/types.h>

struct tn_state {
	char *const *argv; /* what was run; terminated by NULL */
	pid_t pid;         /* 0: nobody is in it */
	const char *keep;  /* the name it is kept by; NULL: it ends with who is in it */
};

/* For free(). NULL: no memory. Does not wait. */
char *tn_state_text(struct tn_proc *proc, const struct tn_state *state);

#endif
