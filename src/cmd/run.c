/*
 * tenon run: a program in a name space of its own.
 */
#include "launch/run.h"

#include "cmd/command.h"
#include "cmd/compose.h"

#include <stdlib.h>

int cmd_run(const struct cmd_args *a)
{
	char *shell = getenv("SHELL");
	char *words[] = { shell && *shell ? shell : "/bin/sh", NULL };
	struct tn_compose compose;
	struct tn_run run = { .compose = &compose };
	int status = CMD_USAGE;

	tn_compose_init(&compose);
	if (cmd_compose(&compose, a)) {
		run.no_mount = cmd_has(a, OPT_NO_MOUNT);
		run.pids = cmd_has(a, OPT_PIDS);
		a->words[a->n_words] = NULL; /* there is room: argv ended with one */
		run.argv = a->n_words > 0 ? a->words : words;
		status = tn_run(&run);
	}
	tn_compose_fini(&compose);
	return status;
}
