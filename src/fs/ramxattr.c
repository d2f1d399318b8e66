/*
 * Extended attributes of #ram: xattr(7). user.* on files and directories, which who may read or write the file may read
 * or write, as on tmpfs; the other classes are for kernels and their administrators, of which there are none here.
 * Attributes are few: a list, in the order in which they came. Their memory is the tree's budget's.
 */
#include "core/mem.h"
#include "fs/ramops.h"

struct ram_xattr {
	struct ram_xattr *next;
	uint32_t size;   /* of the value */
	uint32_t len;    /* of the name */
	uint8_t bytes[]; /* the name, the value */
};

static uint64_t bytes_of(const struct ram_xattr *x)
{
	return sizeof(*x) + x->len + x->size;
}

static void free_one(struct ram_xattr *x, struct ram_budget *budget)
{
	budget->bytes -= bytes_of(x);
	tn_free(x);
}

void ram_xattrs_free(struct ram_node *n, struct ram_budget *budget)
{
	while (n->xattrs) {
		struct ram_xattr *x = n->xattrs;

		n->xattrs = x->next;
		free_one(x, budget);
	}
}

static struct ram_xattr **find(struct ram_node *n, struct tn_str name)
{
	struct ram_xattr **at = &n->xattrs;

	while (*at && ((*at)->len != name.len || memcmp((*at)->bytes, name.s, name.len) != 0))
		at = &(*at)->next;
	return at;
}

/* setxattr(2): a name ends, and has something behind its class. */
static enum tn_err check_name(struct tn_str name)
{
	static const char class[] = "user.";
	const uint32_t len = sizeof(class) - 1;

	if (name.len == 0 || name.len > TN_XATTR_NAME_MAX)
		return TN_ERANGE;
	for (uint32_t i = 0; i < name.len; i++) {
		if (name.s[i] == '\0')
			return TN_EINVAL;
	}
	if (name.len < len || memcmp(name.s, class, len) != 0)
		return TN_ENOTSUP;
	return name.len == len ? TN_EINVAL : TN_OK;
}

static bool has_attributes(const struct ram_node *n)
{
	return !(n->mode & (TN_DMSYMLINK | TN_DMNAMEDPIPE | TN_DMSOCKET));
}

/* ---- getxattr(2), listxattr(2) ---- */

static uint32_t list_size(const struct ram_node *n)
{
	uint32_t size = 0;

	for (const struct ram_xattr *x = n->xattrs; x; x = x->next)
		size += x->len + 1;
	return size;
}

static enum tn_status list(struct tn_req *r, const struct ram_node *n)
{
	uint8_t *to = r->u.xattr.data;

	r->u.xattr.len = list_size(n);
	if (r->u.xattr.size == 0)
		return TN_DONE;
	if (r->u.xattr.len > r->u.xattr.size)
		return tn_fail(r, TN_ERANGE);
	for (const struct ram_xattr *x = n->xattrs; x; x = x->next) {
		memcpy(to, x->bytes, x->len);
		to += x->len;
		*to++ = '\0';
	}
	return TN_DONE;
}

enum tn_status ram_xattrget(struct tn_req *r)
{
	struct ram_node *n = ram_node_of(r->chan);
	const struct ram_xattr *x;
	enum tn_err err;

	if (r->u.xattr.name.len == 0)
		return list(r, n);
	err = check_name(r->u.xattr.name);
	if (err != TN_OK)
		return tn_fail(r, err);
	if (!has_attributes(n))
		return tn_fail(r, TN_ENODATA); /* xattr(7) */
	if (!ram_may(ram_of(r->server), n, ram_user(r), RAM_READ))
		return tn_fail(r, TN_EACCES);
	x = *find(n, r->u.xattr.name);
	if (!x)
		return tn_fail(r, TN_ENODATA);
	r->u.xattr.len = x->size;
	if (r->u.xattr.size == 0)
		return TN_DONE;
	if (x->size > r->u.xattr.size)
		return tn_fail(r, TN_ERANGE);
	memcpy(r->u.xattr.data, x->bytes + x->len, x->size);
	return TN_DONE;
}

/* ---- setxattr(2), removexattr(2) ---- */

static enum tn_err check_how(const struct tn_req *r, bool is_there)
{
	uint32_t how = r->u.xattr.how;

	if (how & ~(uint32_t)(TN_XATTR_CREATE | TN_XATTR_REPLACE | TN_XATTR_REMOVE) ||
	    (how & TN_XATTR_REMOVE && how != TN_XATTR_REMOVE))
		return TN_EINVAL;
	if (how & TN_XATTR_CREATE && is_there)
		return TN_EEXIST;
	return how & (TN_XATTR_REPLACE | TN_XATTR_REMOVE) && !is_there ? TN_ENODATA : TN_OK;
}

static enum tn_err check_set(const struct tn_req *r, struct ram_node *n)
{
	enum tn_err err = check_name(r->u.xattr.name);

	if (err != TN_OK)
		return err;
	if (r->u.xattr.size > TN_XATTR_MAX)
		return TN_E2BIG;
	if (!has_attributes(n))
		return TN_EPERM; /* xattr(7) */
	if (!ram_may(ram_of(r->server), n, ram_user(r), RAM_WRITE))
		return TN_EACCES;
	return check_how(r, *find(n, r->u.xattr.name) != NULL);
}

/* The list of names must be one that listxattr(2) can give; the memory one that the tree has. */
static enum tn_err check_room(const struct tn_req *r, const struct ram_node *n,
    const struct ram_budget *budget, const struct ram_xattr *old)
{
	uint64_t more = sizeof(*old) + r->u.xattr.name.len + r->u.xattr.size;
	uint64_t has = budget->bytes - (old ? bytes_of(old) : 0);

	if (!old && list_size(n) + r->u.xattr.name.len + 1 > TN_XATTR_MAX)
		return TN_ENOSPC;
	return more > budget->bytes_max || has > budget->bytes_max - more ? TN_ENOSPC : TN_OK;
}

/* Puts the value in its place; or takes the attribute away. */
static enum tn_err set(const struct tn_req *r, struct ram_node *n, struct ram_budget *budget)
{
	struct tn_str name = r->u.xattr.name;
	struct ram_xattr **at = find(n, name), *old = *at, *new = NULL;

	if (!(r->u.xattr.how & TN_XATTR_REMOVE)) {
		enum tn_err err = check_room(r, n, budget, old);

		if (err != TN_OK)
			return err;
		new = tn_alloc(sizeof(*new) + name.len + r->u.xattr.size);
		if (!new)
			return TN_ENOMEM;
		new->len = name.len;
		new->size = r->u.xattr.size;
		memcpy(new->bytes, name.s, name.len);
		if (new->size > 0)
			memcpy(new->bytes + name.len, r->u.xattr.data, new->size);
		new->next = old ? old->next : NULL;
		budget->bytes += bytes_of(new);
	}
	*at = new ? new : old->next;
	if (old)
		free_one(old, budget);
	return TN_OK;
}

enum tn_status ram_xattrset(struct tn_req *r)
{
	struct ram_node *n = ram_node_of(r->chan);
	enum tn_err err = check_set(r, n);

	if (err == TN_OK)
		err = set(r, n, &ram_of(r->server)->tree.budget);
	if (err != TN_OK)
		return tn_fail(r, err);
	n->ctime_ns = tn_time_ns();
	ram_tell(ram_of(r->server), ram_id(r->chan), TN_CHANGE_STATUS);
	return TN_DONE;
}
