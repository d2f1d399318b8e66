/*
 * tenon run: a program in a name space of its own, or in one that is there; and the end of one.
 */
#include "launch/run.h"

#include "cmd/command.h"
#include "cmd/compose.h"
#include "cmd/live.h"
#include "cmd/say.h"
#include "launch/join.h"

#include <stdlib.h>

#define ANSWER_MS 10000

/* What to run: the words, or the user's shell. */
static char *const *program(const struct cmd_args *a, char *words[2])
{
	char *shell = getenv("SHELL");

	words[0] = shell && *shell ? shell : "/bin/sh";
	words[1] = NULL;
	a->words[a->n_words] = NULL; /* there is room: argv ended with one */
	return a->n_words > 0 ? a->words : words;
}

static int run_in(const struct cmd_args *a, const char *where)
{
	struct tn_control_at at;
	char *words[2];
	int status;

	if (!cmd_space_of(a, where, &at, &status))
		return status;
	return tn_join(&at, where, program(a, words));
}

static int end(const struct cmd_args *a, const char *where)
{
	struct tn_control_at at;
	char *answer;
	int status;

	if (a->n_words > 0)
		return cmd_usage_error(a->command, a->words[0], "one argument too many");
	if (!cmd_space_of(a, where, &at, &status))
		return status;
	status = tn_control_ask_at(&at, "end", ANSWER_MS, &answer);
	if (status != 0)
		cmd_say("run", where, answer ? answer : "no memory");
	free(answer);
	return status == 0 ? CMD_OK : CMD_FAILED;
}

/* What goes with what; NULL: it is well, else what is wrong with `*option`. */
static const char *clash(const struct cmd_args *a, const char **option)
{
	const char *keep = cmd_value(a, OPT_KEEP);

	*option = cmd_has(a, OPT_IN) ? "--in" : "--end";
	if ((cmd_has(a, OPT_IN) || cmd_has(a, OPT_END)) && a->n_given > 1)
		return "no other option goes with it";
	*option = "--keep";
	if (keep && cmd_has(a, OPT_PIDS))
		return "not with --pids, which lets nothing go on";
	*option = keep;
	if (keep && !tn_control_name_ok(keep))
		return "no name to keep by: a letter, then letters, digits, '.', '_' or '-', 63 at most";
	return NULL;
}

int cmd_run(const struct cmd_args *a)
{
	const char *option, *wrong = clash(a, &option);
	struct tn_compose compose;
	struct tn_run run = { .compose = &compose };
	int status = CMD_USAGE;
	char *words[2];

	if (wrong)
		return cmd_usage_error(a->command, option, wrong);
	if (cmd_has(a, OPT_IN))
		return run_in(a, cmd_value(a, OPT_IN));
	if (cmd_has(a, OPT_END))
		return end(a, cmd_value(a, OPT_END));
	tn_compose_init(&compose);
	if (cmd_compose(&compose, a)) {
		run.no_mount = cmd_has(a, OPT_NO_MOUNT);
		run.pids = cmd_has(a, OPT_PIDS);
		run.keep = cmd_value(a, OPT_KEEP);
		run.commands = cmd_gives_commands(&compose, a);
		run.argv = program(a, words);
		status = tn_run(&run);
	}
	tn_compose_fini(&compose);
	return status;
}
