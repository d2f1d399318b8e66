/*
 * Changes as lines of text: what a `watch` file gives to read and takes (fs/watch.h). A line is
 *
 *     WHAT NUMBER f|d PAIR NAME      a change (tenon/server.h), of what was asked for under NUMBER
 *     end NUMBER CAUSE               nothing more comes under that number
 *
 * with the words of `words` in change.c. In names a backslash and a newline are written \\ and \n.
 */
#ifndef TN_CORE_CHANGE_H
#define TN_CORE_CHANGE_H

#include "tenon/server.h"

/* The attach name by which a server has such a file. */
#define TN_WATCH_ANAME "#ns/watch"

enum { TN_CHANGE_LINE_MAX = 1200, TN_CHANGE_END = TN_CHANGES };

/* The line, with its newline, of a change; its length, or 0: the name is longer than a file's. */
uint32_t tn_change_line(char line[TN_CHANGE_LINE_MAX], uint32_t number,
    const struct tn_change *change);
uint32_t tn_change_end_line(char line[TN_CHANGE_LINE_MAX], uint32_t number, const char *cause);

/*
 * A line without its newline, which may be anybody's: its number and change, whose name lies in `name`; of an `end`
 * change->what is TN_CHANGE_END, and the name is the cause. false: it is none.
 */
bool tn_change_parse(struct tn_str line, uint32_t *number, struct tn_change *change,
    char name[256]);

/* A decimal number of 32 bits at the beginning of *at, which moves behind it and a blank. false: there is none. */
bool tn_change_number(struct tn_str *at, uint32_t *number);

/* A word that ends with a blank or the text. */
struct tn_str tn_change_word(struct tn_str *at);

/* Bytes of `from` with \\ and \n undone, at most `size`. false: longer, or a backslash before something else. */
bool tn_change_unquote(struct tn_str from, char *to, uint32_t size, uint32_t *len);
/* The other way; its length, or 0 when there is no room. */
uint32_t tn_change_quote(struct tn_str from, char *to, uint32_t size);

#endif
