/*
 * tenon doctor: what this machine can do for tenon run.
 */
#include "launch/doctor.h"

#include "cmd/command.h"
#include "cmd/facts.h"

#include <string.h>

static const char *word_of(const struct tn_probe_result *r)
{
	if (!r->tried)
		return "untried";
	return r->error ? "missing" : "ok";
}

static json_t *json_of(const struct tn_probe_result *r)
{
	json_t *row = json_pack("{s:s, s:s, s:b, s:s}", "name", r->name, "for", r->serves,
	    "required", r->required, "state", word_of(r));

	if (r->error)
		json_object_update_new(row,
		    json_pack("{s:s, s:s, s:s, s:s}", "step", tn_step_name(r->step), "error",
			strerror(r->error), "message", r->message, "fix", r->fix));
	return row;
}

static void print_line(const struct tn_probe_result *r)
{
	printf("%-8s %-28s for %s\n", word_of(r), r->name, r->serves);
	if (r->error)
		printf("         %s: %s: %s\n         fix: %s\n", tn_step_name(r->step),
		    strerror(r->error), r->message, r->fix);
}

int cmd_doctor(const struct cmd_args *a)
{
	json_t *rows = cmd_has(a, OPT_JSON) ? json_array() : NULL;
	struct tn_probe_result results[TN_PROBES];
	bool lacks = false;

	tn_doctor_probe(results);
	for (size_t i = 0; i < TN_PROBES; i++) {
		const struct tn_probe_result *r = &results[i];

		if (rows)
			json_array_append_new(rows, json_of(r));
		else
			print_line(r);
		lacks = lacks || (r->required && (r->error || !r->tried));
	}
	if (rows)
		cmd_print_json(rows);
	return lacks ? CMD_LACKING : CMD_OK;
}
