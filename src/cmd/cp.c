/* tenon cp: copies files, with -r directories, between any names of one name space. */
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/say.h"
#include "cmd/tree.h"

#include <stdlib.h>

static int copy(struct cmd_place *p, const struct cmd_args *a, const char *from, const char *to)
{
	char *target = cmd_tree_target(p, from, to);
	int status = CMD_FAILED;

	if (target)
		status = cmd_tree_copy(p, "cp", from, target, cmd_has(a, OPT_RECURSIVE));
	else
		cmd_say("cp", to, "no memory");
	free(target);
	return status;
}

static int copy_all(struct cmd_place *p, const struct cmd_args *a, const char *to)
{
	struct cmd_progress progress = { 0 };
	int status = CMD_OK;

	if (cmd_has(a, OPT_RECURSIVE) && !cmd_has(a, OPT_QUIET) && cmd_progress_fits()) {
		p->progress = &progress;
		for (int i = 0; i < p->n_names - 1; i++)
			cmd_tree_measure(p, p->names[i]);
		cmd_progress_start(&progress);
	}
	for (int i = 0; i < p->n_names - 1; i++) {
		if (copy(p, a, p->names[i], to) != CMD_OK)
			status = CMD_FAILED;
	}
	if (p->progress)
		cmd_progress_end(p->progress);
	p->progress = NULL;
	return status;
}

int cmd_cp(const struct cmd_args *a)
{
	struct cmd_place place;
	int status = CMD_OK;

	if (cmd_place_open(&place, a, 2, CMD_NAMES_MAX, &status)) {
		char *to = place.names[place.n_names - 1];

		if (place.n_names > 2 && !cmd_is_directory(&place, to)) {
			cmd_say("cp", to, "several files go into a directory, which this is not");
			status = CMD_FAILED;
		} else {
			status = copy_all(&place, a, to);
		}
	}
	cmd_place_close(&place);
	return status;
}
