/*
 * Lines for the server of a running name space; launch/control.h.
 */
#include "cmd/live.h"

#include "cmd/say.h"
#include "core/nsfile.h"
#include "host/posix/dial.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 60000 /* a mount may dial, resolve and wait for its bound */

void cmd_line_start(struct cmd_line *line, const char *verb)
{
	line->text = strdup(verb);
	line->no_memory = line->text == NULL;
	line->has_newline = false;
}

void cmd_line_word(struct cmd_line *line, const char *word)
{
	size_t need = tn_quote(word, NULL, 0), had = line->text ? strlen(line->text) : 0;
	char *longer = line->text ? realloc(line->text, had + need + 2) : NULL;

	if (!longer) {
		line->no_memory = true;
		return;
	}
	line->has_newline = line->has_newline || strchr(word, '\n');
	line->text = longer;
	longer[had] = ' ';
	tn_quote(word, longer + had + 1, need + 1);
}

void cmd_line_name(struct cmd_line *line, const char *name)
{
	char cwd[PATH_MAX], *whole = NULL;

	if (name[0] == '/' || name[0] == '#' || name[0] == '\0' || tn_is_dial(name)) {
		cmd_line_word(line, name);
		return;
	}
	/* A directory that has no name any more: the server says what it makes of the rest. */
	if (!getcwd(cwd, sizeof(cwd)) || cwd[0] != '/') {
		cmd_line_word(line, name);
		return;
	}
	if (asprintf(&whole, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, name) < 0) {
		line->no_memory = true;
		return;
	}
	cmd_line_word(line, whole);
	free(whole);
}

bool cmd_space_of(const struct cmd_args *a, const char *text, struct tn_control_at *at, int *status)
{
	char *end, *why;
	long pid = 0;

	*at = (struct tn_control_at){ .keep = text };
	if (text && tn_control_name_ok(text))
		return true;
	errno = 0;
	if (text)
		pid = strtol(text, &end, 10);
	if (text && (*end || end == text || errno || pid <= 0 || pid > INT_MAX)) {
		*status = cmd_usage_error(a->command, text,
		    "neither a process number nor a name that a name space can be kept by");
		return false;
	}
	if (tn_control_of((pid_t)pid, at, &why))
		return true;
	cmd_say(a->command->name, text, why ? why : "no memory");
	free(why);
	*status = CMD_FAILED;
	return false;
}

bool cmd_is_inside(const struct cmd_args *a)
{
	char *answer = NULL;
	int status;

	if (cmd_has(a, OPT_PID))
		return true;
	status = tn_control_call(0, "version", 2000, &answer);
	free(answer);
	return status >= 0;
}

int cmd_line_ask(struct cmd_line *line, const struct cmd_args *a, const char *what, char **answer)
{
	const char *where = cmd_value(a, OPT_PID);
	struct tn_control_at at;
	int status;

	*answer = NULL;
	if (!cmd_space_of(a, where, &at, &status)) {
		free(line->text);
		return status;
	}
	if (line->no_memory || line->has_newline) {
		free(line->text);
		cmd_say(a->command->name, what,
		    line->no_memory ? "no memory" : "a newline fits in no line");
		return CMD_FAILED;
	}
	status = tn_control_ask_at(&at, line->text, ANSWER_MS, answer);
	free(line->text);
	if (status == 0)
		return CMD_OK;
	cmd_say(a->command->name, status < 0 ? where : what, *answer ? *answer : "no memory");
	free(*answer);
	*answer = NULL;
	return CMD_FAILED;
}

int cmd_line_send(struct cmd_line *line, const struct cmd_args *a, const char *what)
{
	char *answer;
	int status = cmd_line_ask(line, a, what, &answer);

	if (answer)
		fputs(answer, stdout);
	free(answer);
	return status;
}
