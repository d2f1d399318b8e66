/*
 * The extension of 9P2000.u: a text that says what a file is beside its bytes. Its numbers, and the count of a plain
 * file's names: Linux's client (v9fs_stat2inode) and QEMU's server know it as "HARDLINKCOUNT 2". The draft has no such text.
 */
#ifndef TN_LINK_EXTENSION_H
#define TN_LINK_EXTENSION_H

#include "core/req.h"

enum { TN_NUMBER_CHARS = 20, TN_LINKS_CHARS = 14 + 10 };

/* Appends a decimal number. -> behind it */
char *tn_extension_put(char *to, uint64_t number);

/* Takes a decimal number of 32 bits off the front. false: there is none. */
bool tn_extension_take(struct tn_str *text, uint32_t *out);

/* What tells the count of *st's names; empty for one name, and for all that has an extension of another meaning. */
struct tn_str tn_extension_links(const struct tn_stat *st, char text[TN_LINKS_CHARS]);

/* The other way: an extension that is such a count becomes one. */
void tn_extension_take_links(struct tn_stat *st);

#endif
