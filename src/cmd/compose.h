/* The options that compose a name space (-b -B -a -m -o -n --clean), taken in the order given: for run and export. */
#ifndef TN_CMD_COMPOSE_H
#define TN_CMD_COMPOSE_H

#include "cmd/option.h"
#include "lib/compose.h"

/*
 * Collects a's options into c, which the caller makes by tn_compose_init and ends by tn_compose_fini. false: one of them
 * is wrong; that was said, and CMD_USAGE is to be returned.
 */
bool cmd_compose(struct tn_compose *c, const struct cmd_args *a);

/* Says what c's last failure was. Returns CMD_FAILED. */
int cmd_say_compose(const char *what, const struct tn_compose *c);

/*
 * Whether #cmd was given on the command line: as SRC of an option, or as a word of it. Only then may it be named, by whoever:
 * a name space file, a change while it runs.
 */
bool cmd_gives_commands(const struct tn_compose *c, const struct cmd_args *a);

#endif
