/*
 * Extended attributes of 9P2000.L, whole: a fid that Txattrwalk made reads a value which was asked for then, one that
 * Txattrcreate turned collects a value which is set when it is clunked.
 */
#ifndef TN_LINK_ATTR_H
#define TN_LINK_ATTR_H

#include "tenon/server.h"

struct tn_conn;

struct tn_attr {
	uint32_t room; /* bytes of data that there is memory for */
	uint32_t size; /* of the value */
	uint32_t len;  /* of one that is being set: what was written */
	uint32_t name_len;
	uint8_t how;    /* TN_XATTR bits */
	bool is_set;    /* collects; else it is read */
	uint8_t data[]; /* the value, and behind its room the name */
};

/* Zeroed. name: copied. NULL: *err says why: no memory, or the conn's attrs_max. */
struct tn_attr *tn_attr_new(struct tn_conn *conn, uint32_t size, struct tn_str name,
    enum tn_err *err);
void tn_attr_free(struct tn_conn *conn, struct tn_attr *attr); /* takes NULL */

struct tn_str tn_attr_name(const struct tn_attr *attr);

/* Copies what there is of the value at offset. Returns how many bytes. */
uint32_t tn_attr_read(const struct tn_attr *attr, uint64_t offset, uint8_t *to, uint32_t count);

/* All of it or nothing: a value has no holes, and is not longer than was announced. */
enum tn_err tn_attr_write(struct tn_attr *attr, uint64_t offset, const uint8_t *data,
    uint32_t count);

#endif
