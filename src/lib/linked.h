/*
 * What is known of the connection behind a server of a name space: for those who show it, and may not know links.
 */
#ifndef TN_LIB_LINKED_H
#define TN_LIB_LINKED_H

#include "core/server.h"

struct tn_linked {
	const void *client;  /* which: servers of one connection have the same */
	const char *state;   /* "connected", "lost", "not yet connected" */
	const char *dialect; /* of this connection or the last; NULL: there was none */
	uint64_t messages;   /* sent */
	uint64_t losses;     /* how often it was lost */
};

/* false: s is no mount of a connection. */
bool tn_linked(const struct tn_server *s, struct tn_linked *out);

#endif
