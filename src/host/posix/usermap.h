/*
 * Whom peers are taken for: a file of lines `PEER LOCAL`. PEER is a name or a number that a peer attaches with, or `*`
 * for all others; LOCAL the name or number of a user of the host. The first line that fits counts; who fits none is
 * unknown. `#` begins a comment.
 */
#ifndef TN_POSIX_USERMAP_H
#define TN_POSIX_USERMAP_H

#include "tenon/server.h"

struct tn_usermap;

/* Reads the file, all of it or nothing. NULL: *line is the number of the line that is none, else 0: errno. */
struct tn_usermap *tn_usermap_read(const char *path, unsigned *line);
void tn_usermap_free(struct tn_usermap *map); /* takes NULL */

/* Whom u is taken for; borrowed from the map. NULL: nobody. */
const struct tn_user *tn_usermap_find(const struct tn_usermap *map, const struct tn_user *u);

#endif
