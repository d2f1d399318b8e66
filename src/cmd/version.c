/* tenon version: what this program is and speaks. */
#include "tenon/9p.h"

#include "cmd/command.h"
#include "core/proc.h"

#include <jansson.h>

int cmd_version(const struct cmd_args *a)
{
	/* conn and mnt speak this one; the codec knows the others too. */
	const char *dialect = tn_dialect_name(TN_9P2000);

	if (!cmd_has(a, OPT_JSON)) {
		printf("tenon %s\ndialects: %s\n", TN_VERSION, dialect);
		return CMD_OK;
	}
	json_t *facts = json_pack("{s:s, s:[s]}", "version", TN_VERSION, "dialects", dialect);
	json_dumpf(facts, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(facts);
	return CMD_OK;
}
