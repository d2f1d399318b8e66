/* tenon version: what this program is and speaks. */
#include "tenon/9p.h"

#include "cmd/command.h"
#include "cmd/facts.h"
#include "core/proc.h"

int cmd_version(const struct cmd_args *a)
{
	const char *plain = tn_dialect_name(TN_9P2000), *u = tn_dialect_name(TN_9P2000_U);
	const char *l = tn_dialect_name(TN_9P2000_L);

	if (!cmd_has(a, OPT_JSON)) {
		printf("tenon %s\ndialects: %s %s %s\n", TN_VERSION, plain, u, l);
		return CMD_OK;
	}
	cmd_print_json(
	    json_pack("{s:s, s:[s, s, s]}", "version", TN_VERSION, "dialects", plain, u, l));
	return CMD_OK;
}
