/*
 * The recorded frames of ../shared/vectors, and tn_msg by the names that the records use: written from the manual
 * pages and diod's protocol.md, not from the rows of src/wire/msg.c.
 */
#ifndef TEST_WIRE_VECTORS_H
#define TEST_WIRE_VECTORS_H

#include "tenon/9p.h"

#include <jansson.h>

struct vector {
	enum tn_dialect dialect;
	uint8_t *frame; /* as long as it is, to the byte */
	size_t len;
	const json_t *fields; /* NULL for an odd one */
	const char *what;     /* the type's name and who sent it */
};

struct vectors {
	struct vector *list;
	size_t n;
	struct vector *odd;
	size_t n_odd;
};

/* Reads all of them, from the folder that the environment names in TENON_VECTORS. false: it is not there. */
bool vectors_load(struct vectors *v);
void vectors_free(struct vectors *v);

/* Fills *m, which is all zero, with what `fields` says. Strings point into `fields`, data is written to `data`. */
void msg_of_fields(struct tn_msg *m, const json_t *fields, enum tn_dialect dialect, uint8_t *data,
    size_t size);

/* The name of the first member in which the two differ, or NULL. */
const char *msg_differs(const struct tn_msg *a, const struct tn_msg *b);

/* The name of the first member of a decoded *m that points outside its frame or counts too many, or NULL. */
const char *msg_points_outside(const struct tn_msg *m, const uint8_t *frame, size_t len);

/* A copy that is exactly `len` bytes long, so that a sanitizer sees the first byte read behind it. To be freed. */
uint8_t *exactly(const uint8_t *bytes, size_t len);

/* Writes size[4] at the head of a frame. */
void set_size(uint8_t *frame, size_t len);

#endif
