/* tenon version: what this program is and speaks. */
#include "tenon/9p.h"

#include "cmd/command.h"
#include "cmd/facts.h"
#include "core/proc.h"

int cmd_version(const struct cmd_args *a)
{
	/* conn and mnt speak this one; the codec knows the others too. */
	const char *dialect = tn_dialect_name(TN_9P2000);

	if (!cmd_has(a, OPT_JSON)) {
		printf("tenon %s\ndialects: %s\n", TN_VERSION, dialect);
		return CMD_OK;
	}
	cmd_print_json(json_pack("{s:s, s:[s]}", "version", TN_VERSION, "dialects", dialect));
	return CMD_OK;
}
