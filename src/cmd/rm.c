/* tenon rm: removes files and empty directories; with -r directories with all that is in them. */
#include "cmd/command.h"
#include "cmd/tree.h"

int cmd_rm(const struct cmd_args *a)
{
	struct cmd_place place;
	int status = CMD_OK;

	if (cmd_place_open(&place, a, 1, CMD_NAMES_MAX, &status)) {
		for (int i = 0; i < place.n_names; i++) {
			if (cmd_tree_remove(&place, "rm", place.names[i],
				cmd_has(a, OPT_RECURSIVE)) != CMD_OK)
				status = CMD_FAILED;
		}
	}
	cmd_place_close(&place);
	return status;
}
