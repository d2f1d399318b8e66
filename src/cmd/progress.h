/*
 * How far a copy is, as a line on a terminal: standard error, and only if it is one. It is drawn over itself, goes when
 * something else is said, and nothing of it stays.
 */
#ifndef TN_CMD_PROGRESS_H
#define TN_CMD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd_progress {
	uint64_t bytes, bytes_all; /* copied; of all, as measured before */
	uint64_t files, files_all;
	uint64_t drawn_ms; /* when it was last drawn */
};

/* Whether standard error is a terminal that this process may write to in the foreground. */
bool cmd_progress_fits(void);

/* From here on it is drawn; until cmd_progress_end. One at a time. */
void cmd_progress_start(struct cmd_progress *p);

/* So much more has been copied. p may be NULL. Draws seldom. */
void cmd_progress_add(struct cmd_progress *p, uint64_t bytes, uint64_t files);

void cmd_progress_end(struct cmd_progress *p);

/* The line, at most `columns` wide and terminated. buf: columns + 1 bytes. Returns its length. */
size_t cmd_progress_line(const struct cmd_progress *p, size_t columns, char *buf);

#endif
