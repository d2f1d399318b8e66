/* What is known of a file, as text and as JSON: for ls and stat; how any command prints JSON. */
#ifndef TN_CMD_FACTS_H
#define TN_CMD_FACTS_H

#include "tenon/9p.h"

#include <jansson.h>
#include <stdio.h>

/* "drwxr-xr-x": what it is (d directory, l link, a append-only, p s D fifo, socket, device), permissions. */
void cmd_mode_text(const struct tn_stat *st, char text[11]);

/* "file", "directory" ...: the word for what it is. */
const char *cmd_kind(const struct tn_stat *st);

/* A line of ls -l, without the name. */
void cmd_print_long(FILE *to, const struct tn_stat *st);

/* All that is known, a line a fact. */
void cmd_print_facts(FILE *to, const char *name, const struct tn_stat *st);

/* The same as an object; one reference. A name that is no UTF-8: null, and "nameBytes" has them in hex. */
json_t *cmd_facts_json(const char *name, const struct tn_stat *st);

/* What a command prints with --json; takes the reference. */
void cmd_print_json(json_t *json);

#endif
