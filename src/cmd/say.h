/*
 * What commands say: errors as `tenon: WHAT: NAME: CAUSE` on standard error, names so that a shell reads them back.
 */
#ifndef TN_CMD_SAY_H
#define TN_CMD_SAY_H

#include "core/err.h"

#include <stdio.h>

/* Prints `tenon: WHAT: NAME: CAUSE`. what, name may be NULL. Bytes that a terminal would obey are shown quoted. */
void cmd_say(const char *what, const char *name, const char *cause);

/* Called before anything is said on standard error; NULL: nobody has drawn there. */
extern void (*cmd_before_say)(void);

/* The same with errno's cause. Returns CMD_FAILED, for `return`. */
int cmd_say_errno(const char *what, const char *name);

/*
 * Prints a name as a word of the shell: plain where that is safe, in quotes where not, bytes that are no text as $'\377'.
 */
void cmd_print_name(FILE *to, struct tn_str name);

/* Prints a text as it is, but for what a terminal would obey: that becomes a question mark. */
void cmd_print_text(FILE *to, const char *text);

/* A terminated string as a tn_str. */
struct tn_str cmd_str(const char *s);

#endif
