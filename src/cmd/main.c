/* tenon: finds the row of the subcommand, has its arguments parsed, runs it. */
#include "cmd/option.h"
#include "cmd/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Standard output may be a full disk: what was printed is only there when the last flush says so. */
static int finish(const char *what, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		cmd_say_errno(what, "standard output");
	return status ? status : CMD_FAILED;
}

static int unknown(const char *name)
{
	const char *near = cmd_nearest(name);

	cmd_say(NULL, name, "no such command");
	if (near)
		fprintf(stderr, "did you mean: tenon %s\n", near);
	else
		fputs("try: tenon --help\n", stderr);
	return CMD_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct cmd_row *command;
	struct cmd_args args;
	int status;

	if (!name) {
		cmd_usage(stderr);
		return CMD_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return finish(NULL, cmd_usage(stdout));
	if (strcmp(name, "--dump-options") == 0)
		return finish(NULL, cmd_dump_options());
	command = cmd_row_of(strcmp(name, "--version") == 0 ? "version" : name);
	if (!command)
		return unknown(name);
	if (cmd_args_parse(&args, command, argc - 2, argv + 2, &status))
		status = command->run(&args);
	cmd_args_free(&args);
	return finish(command->name, status);
}
