/* tenon stat: all that a server tells of files; owners are the true ones, whoever a kernel is shown. */
#include "cmd/command.h"
#include "cmd/facts.h"
#include "cmd/place.h"
#include "cmd/say.h"
#include "core/host.h"

int cmd_stat(const struct cmd_args *a)
{
	struct cmd_place place;
	json_t *json = cmd_has(a, OPT_JSON) ? json_array() : NULL;
	int status = CMD_OK;

	if (cmd_place_open(&place, a, 1, CMD_NAMES_MAX, &status)) {
		for (int i = 0; i < place.n_names; i++) {
			struct tn_call_stat got;

			if (tn_call_stat(place.proc, place.names[i], &got) < 0) {
				status = cmd_say_call("stat", place.names[i]);
				continue;
			}
			if (json)
				json_array_append_new(json,
				    cmd_facts_json(place.names[i], &got.st));
			else
				cmd_print_facts(stdout, place.names[i], &got.st);
			tn_free(got.text);
		}
		if (json)
			cmd_print_json(json);
	}
	cmd_place_close(&place);
	return status;
}
