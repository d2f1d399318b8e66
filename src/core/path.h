/*
 * The name by which a Chan was reached, and the way back: for each element the Chan that lay under it when the element
 * crossed a mount point. Immutable, counted, prefixes shared: a path is a chain from the last element to the first.
 * namespace-semantics.md 1, 4, 5; "Getting Dot-Dot Right".
 */
#ifndef TN_CORE_PATH_H
#define TN_CORE_PATH_H

#include "tenon/server.h"

struct tn_path {
	uint32_t refs;         /* atomic */
	uint16_t depth;        /* elements behind the root: 0 for "/" and for "#x" */
	uint16_t len;          /* bytes of name */
	uint32_t text_len;     /* bytes of the whole name as tn_path_text prints it */
	struct tn_path *up;    /* counted; NULL at the root */
	struct tn_chan *under; /* counted; what this element's mount point covers, or NULL: nothing was crossed */
	char name[];           /* the element; at the root "/" or the device, "#s" */
};

/* The root of names: "/" or a device's name. NULL: no memory. */
struct tn_path *tn_path_root(struct tn_str name);

struct tn_path *tn_path_get(struct tn_path *p);
void tn_path_put(struct tn_path *p); /* takes NULL; frees in a loop, not by recursion */

/* p with one more element (its own reference; p is borrowed). NULL: no memory or longer than TN_PATH_BYTES_MAX. */
struct tn_path *tn_path_add(struct tn_path *p, struct tn_str name);

/* p with `under` (counted anew; NULL: nothing) as what its last element crossed. */
struct tn_path *tn_path_with_under(struct tn_path *p, struct tn_chan *under);

#define TN_PATH_BYTES_MAX 65536u

/* The whole name, terminated, cut at size. Returns its length, as if it had not been cut. */
size_t tn_path_text(const struct tn_path *p, char *buf, size_t size);

/* The last element; at the root an empty string. */
struct tn_str tn_path_last(const struct tn_path *p);

#endif
