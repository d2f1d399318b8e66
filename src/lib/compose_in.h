/*
 * What collecting a composition (compose.c) and applying it (apply.c) share.
 */
#ifndef TN_LIB_COMPOSE_IN_H
#define TN_LIB_COMPOSE_IN_H

#include "lib/compose.h"

#define TN_COMPOSE_FILE_MAX (1u << 20) /* bytes of a name space file */

/* Notes what is wrong with what. Always false. */
bool tn_compose_fail(struct tn_compose *c, const char *what, const char *cause);
bool tn_compose_fail_where(struct tn_compose *c, const struct tn_ns_where *w);

/* A variable's value for the lines of a file: the environment, and user and home as newns sets them. */
const char *tn_compose_variable(void *arg, struct tn_str name);

#endif
