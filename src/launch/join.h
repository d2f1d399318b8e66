/*
 * `tenon run --in`: CMD in a name space that runs already, with the terminal's rules of a `tenon run`. Between the front and CMD
 * stands a keeper, CMD's parent, to which all come whose parents end: when the front or CMD is killed, it ends what they
 * have begun; when it is killed itself, the front does. Others in the name space go on.
 */
#ifndef TN_LAUNCH_JOIN_H
#define TN_LAUNCH_JOIN_H

#include "launch/control.h"
#include "launch/enter.h"

/*
 * Runs argv in the name space at `at`; `name` is what the user called it. Returns the exit status as tn_run does, all
 * being said. The caller has no threads and no loop.
 */
int tn_join(const struct tn_control_at *at, const char *name, char *const *argv);

/* The keeper, behind the front's fork: enters, forks CMD, and ends with it. */
_Noreturn void tn_join_command(const struct tn_command *c);

#endif
