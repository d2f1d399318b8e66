/*
 * Values of extended attributes at fids, and the memory that they may take.
 */
#include "link/attr.h"

#include "core/mem.h"
#include "link/conn_in.h"

static uint32_t bytes_of(const struct tn_attr *attr)
{
	return (uint32_t)sizeof(*attr) + attr->room + attr->name_len;
}

struct tn_attr *tn_attr_new(struct tn_conn *conn, uint32_t size, struct tn_str name,
    enum tn_err *err)
{
	uint32_t bytes = (uint32_t)sizeof(struct tn_attr) + size + name.len;
	struct tn_attr *attr;

	tn_assert(size <= TN_XATTR_MAX && name.len <= TN_XATTR_NAME_MAX);
	*err = TN_ELIMIT_ATTRS;
	if (bytes > conn->limits.attrs_max - conn->attr_bytes)
		return NULL;
	*err = TN_ENOMEM;
	attr = tn_budget_alloc(&conn->budget, bytes);
	if (!attr)
		return NULL;
	conn->attr_bytes += bytes;
	attr->room = attr->size = size;
	attr->name_len = name.len;
	if (name.len > 0)
		memcpy(attr->data + size, name.s, name.len);
	return attr;
}

void tn_attr_free(struct tn_conn *conn, struct tn_attr *attr)
{
	if (!attr)
		return;
	conn->attr_bytes -= bytes_of(attr);
	tn_budget_free(&conn->budget, attr, bytes_of(attr));
}

struct tn_str tn_attr_name(const struct tn_attr *attr)
{
	return (struct tn_str){ (const char *)attr->data + attr->room, attr->name_len };
}

uint32_t tn_attr_read(const struct tn_attr *attr, uint64_t offset, uint8_t *to, uint32_t count)
{
	uint32_t left = offset < attr->size ? attr->size - (uint32_t)offset : 0;
	uint32_t n = count < left ? count : left;

	if (n > 0)
		memcpy(to, attr->data + offset, n);
	return n;
}

enum tn_err tn_attr_write(struct tn_attr *attr, uint64_t offset, const uint8_t *data,
    uint32_t count)
{
	if (offset > attr->len)
		return TN_EBADOFFSET;
	if (count > attr->size - offset)
		return TN_ENOSPC;
	if (count > 0)
		memcpy(attr->data + offset, data, count);
	if (offset + count > attr->len)
		attr->len = (uint32_t)offset + count;
	return TN_OK;
}
