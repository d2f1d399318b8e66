/*
 * The elements of the name that a tn_name asks for: of its text or its array, and, behind a symbolic link, of the link's
 * target with the rest of the name behind it. For name.c.
 */
#ifndef TN_CORE_ELEMENT_H
#define TN_CORE_ELEMENT_H

#include "core/name.h"

#define TN_LINK_BYTES_MAX 4096u /* of a symbolic link's target */
#define TN_LINKS_MAX      40u   /* in one resolution; beyond it TN_ELOOP */

bool tn_is_dot_dot(struct tn_str e);

/* Does the name end in a slash or in "."? Then it must lead to a directory. */
bool tn_ends_as_dir(struct tn_str name);

/* May the question's name be resolved at all? TN_EEMPTYNAME, TN_EBADCHAR, TN_ENOENT. */
enum tn_err tn_name_check(const struct tn_name *n);

/* Takes the element at *at. false: there are no more. Empty ones and "." vanish from a text. */
bool tn_name_take(const struct tn_name *n, uint32_t *at, struct tn_str *e);

bool tn_name_has_more(const struct tn_name *n, uint32_t at);

/* Fills w.names with the run that begins at run_at, `max` elements at most: up to "..", and not beyond a link's end. */
uint16_t tn_name_gather(struct tn_name *n, uint16_t max);

/* k elements of the run are done: w.at is behind them. */
void tn_name_advance(struct tn_name *n, uint32_t k);

/* Inside of a link's target: are its elements done? */
bool tn_name_link_done(const struct tn_name *n);

/* The element at run_at is a link to `target`: from here on the name is that, and the rest. TN_ELOOP, TN_ELIMIT_PATH... */
enum tn_err tn_name_splice(struct tn_name *n, struct tn_str target);

#endif
