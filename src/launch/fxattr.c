/*
 * Extended attributes of the FUSE door: getxattr(2), setxattr(2), listxattr(2), removexattr(2). What a server has goes
 * through; a server that has none says EOPNOTSUPP each time. Classes that belong to the kernel of the machine on which a
 * program runs are answered here, whatever the server has: it asks for security.capability at nearly each write, and a
 * message for each would double them. launcher.md 5.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a file of a disk without such attributes says to who may not set them. xattr(7) */
static const struct {
	const char *class;
	int get, set;
} kept_here[] = {
	{ "security.", ENODATA, EOPNOTSUPP },
	{ "system.posix_acl_", EOPNOTSUPP, EOPNOTSUPP }, /* no access control lists: acl(5) */
};

static bool is_kept_here(const char *name, int *get, int *set)
{
	for (size_t i = 0; i < TN_COUNT(kept_here); i++) {
		if (strncmp(name, kept_here[i].class, strlen(kept_here[i].class)) == 0) {
			*get = kept_here[i].get;
			*set = kept_here[i].set;
			return true;
		}
	}
	return false;
}

/* ---- asking ---- */

static void ask(struct launch_op *op, enum tn_req_type type, launch_step next)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, type, op->chan, &launch_owner);
	op->r.u.xattr.name = (struct tn_str){ op->text, (uint32_t)strlen(op->text) };
	op->r.u.xattr.data = op->data;
	op->r.u.xattr.size = (uint32_t)op->size;
	op->r.u.xattr.how = (uint32_t)op->flags;
	launch_submit(op, next);
}

/* An operation on the attribute `name` with `size` bytes in op->data. NULL: it was refused. */
static struct launch_op *op_on(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

	if (!op)
		return NULL;
	op->text = strdup(name);
	if (!op->text) {
		launch_op_errno(op, ENOMEM);
		return NULL;
	}
	op->size = size;
	return launch_op_data(op, size) ? op : NULL;
}

/* ---- getxattr(2) ---- */

/* `size` is the program's room; 0: it asks how much it needs. */
static void answer(struct launch_op *op, size_t size, size_t len)
{
	fuse_req_t req = launch_answering(op);

	if (req && size == 0)
		fuse_reply_xattr(req, len);
	else if (req && len > size)
		fuse_reply_err(req, ERANGE);
	else if (req)
		fuse_reply_buf(req, (char *)op->data, len);
	launch_op_end(op);
}

static void answer_get(struct launch_op *op)
{
	answer(op, op->size, op->r.u.xattr.len);
}

static void get_shown(struct launch_op *op)
{
	ask(op, TN_XATTRGET, answer_get);
}

static void get_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, get_shown);
}

void launch_do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct launch_op *op;
	int get, set;

	if (is_kept_here(name, &get, &set)) {
		fuse_reply_err(req, get);
		return;
	}
	op = op_on(req, ino, name, size < TN_XATTR_MAX ? size : TN_XATTR_MAX);
	if (op)
		launch_op_run(op, get_start);
}

/* ---- listxattr(2) ---- */

/* Names whose values are not to be had are not told either: what copies attributes asks for each. */
static size_t cut_list(char *names, size_t len)
{
	char *to = names, *end = names + len;
	int get, set;

	for (char *from = names; from < end;) {
		size_t n = strnlen(from, (size_t)(end - from)) + 1;

		if (n > (size_t)(end - from))
			break; /* no NUL behind it */
		if (!is_kept_here(from, &get, &set)) {
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	return (size_t)(to - names);
}

static void answer_list(struct launch_op *op)
{
	size_t len = op->r.u.xattr.len < op->size ? op->r.u.xattr.len : op->size;

	answer(op, (size_t)op->off, cut_list((char *)op->data, len));
}

static void list_shown(struct launch_op *op)
{
	ask(op, TN_XATTRGET, answer_list);
}

static void list_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, list_shown);
}

/* The whole list is got in any case: how long it is is known when it was cut. */
void launch_do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct launch_op *op = op_on(req, ino, "", TN_XATTR_MAX);

	if (!op)
		return;
	op->off = (off_t)size;
	launch_op_run(op, list_start);
}

/* ---- setxattr(2), removexattr(2) ---- */

static void set_shown(struct launch_op *op)
{
	ask(op, TN_XATTRSET, launch_op_ok);
}

static void set_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, set_shown);
}

static void set(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
    int how)
{
	struct launch_op *op;
	int get, refused;

	if (is_kept_here(name, &get, &refused)) {
		fuse_reply_err(req, refused);
		return;
	}
	if (size > TN_XATTR_MAX) {
		fuse_reply_err(req, E2BIG);
		return;
	}
	op = op_on(req, ino, name, size);
	if (!op)
		return;
	if (size > 0)
		memcpy(op->data, value, size);
	op->flags = how;
	launch_op_run(op, set_start);
}

/* The bits of setxattr(2) are TN_XATTR's. */
void launch_do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags)
{
	if (flags & ~(TN_XATTR_CREATE | TN_XATTR_REPLACE))
		fuse_reply_err(req, EINVAL);
	else
		set(req, ino, name, value, size, flags);
}

void launch_do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	set(req, ino, name, NULL, 0, TN_XATTR_REMOVE);
}
