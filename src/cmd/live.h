/*
 * Lines for the server of a running name space: put together word by word, sent, the answer told.
 */
#ifndef TN_CMD_LIVE_H
#define TN_CMD_LIVE_H

#include "cmd/option.h"
#include "launch/control.h"

#include <sys/types.h>

struct cmd_line {
	char *text;
	bool no_memory;
	bool has_newline; /* a word has one, and would end the line */
};

void cmd_line_start(struct cmd_line *line, const char *verb);
void cmd_line_word(struct cmd_line *line, const char *word); /* quoted as rc does */

/* The same for a name: made absolute from the current directory, unless it is a `#` name or a dial string. */
void cmd_line_name(struct cmd_line *line, const char *name);

/* Sends it to the name space that `a` is about, prints the answer's text. `what`: for the message. The exit status. */
int cmd_line_send(struct cmd_line *line, const struct cmd_args *a, const char *what);

/* The same, and the answer comes back in *answer (for free()) instead of being printed. */
int cmd_line_ask(struct cmd_line *line, const struct cmd_args *a, const char *what, char **answer);

/*
 * The name space that a user means: by a process's number, or the name that it is kept by; NULL: the one that this is in.
 * `text` is borrowed by *at. false: told, with the exit status.
 */
bool cmd_space_of(const struct cmd_args *a, const char *text, struct tn_control_at *at,
    int *status);

/* Whether there is a name space of tenon run to alter: -p was given, or this is inside of one. */
bool cmd_is_inside(const struct cmd_args *a);

#endif
