/*
 * The names that a listing has given so far. For listings without duplicates (view.h, doors that fill directories of a
 * host): the first of a name wins. namespace-semantics.md 6.
 */
#ifndef TN_CORE_NAMESET_H
#define TN_CORE_NAMESET_H

#include "tenon/server.h"

/* In its owner's memory; zero at first. */
struct tn_nameset {
	struct tn_nameset_slot *slot;
	uint32_t n, size; /* of slot: a power of two */
	char *text;       /* all names, one behind the other */
	size_t text_len, text_size;
};

enum tn_nameset_answer {
	TN_NAME_NEW,   /* it was put in */
	TN_NAME_SAME,  /* the same entry is read again */
	TN_NAME_TAKEN, /* another entry had the name first */
	TN_NAME_NOMEM
};

/* `mark` is the entry's place in the listing: an entry that is read again has the same. */
enum tn_nameset_answer tn_nameset_add(struct tn_nameset *set, struct tn_str name, uint64_t mark);

bool tn_nameset_has(const struct tn_nameset *set, struct tn_str name);

/* Takes a name out again that was put in last (TN_NAME_NEW). */
void tn_nameset_undo(struct tn_nameset *set, struct tn_str name);

/* Empties it and frees what it holds. */
void tn_nameset_clear(struct tn_nameset *set);

#endif
