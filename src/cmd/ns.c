/*
 * tenon ns, whence: a name space in the form that makes it again, and what a name in it leads to.
 */
#include "cmd/command.h"
#include "cmd/facts.h"
#include "cmd/live.h"
#include "cmd/say.h"

#include <stdlib.h>
#include <string.h>

/* The lines of a text as an array of JSON. */
static void print_lines_json(char *text)
{
	json_t *lines = json_array();
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line)
			json_array_append_new(lines, json_string(line));
	}
	cmd_print_json(lines);
}

static int ask_and_print(struct cmd_line *line, const struct cmd_args *a, const char *what)
{
	char *answer;
	int status = cmd_line_ask(line, a, what, &answer);

	if (!answer)
		return status;
	if (cmd_has(a, OPT_JSON))
		print_lines_json(answer);
	else
		fputs(answer, stdout);
	free(answer);
	return status;
}

int cmd_ns(const struct cmd_args *a)
{
	struct cmd_line line;

	cmd_line_start(&line, cmd_has(a, OPT_SPECS) ? "ns specs" : "ns");
	return ask_and_print(&line, a, NULL);
}

int cmd_whence(const struct cmd_args *a)
{
	int status = CMD_OK;

	for (int i = 0; i < a->n_words; i++) {
		struct cmd_line line;
		int s;

		cmd_line_start(&line, "whence");
		cmd_line_name(&line, a->words[i]);
		s = ask_and_print(&line, a, a->words[i]);
		status = s != CMD_OK ? s : status;
	}
	return status;
}
