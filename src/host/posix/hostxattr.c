/*
 * Extended attributes of #host: user.* alone, xattr(7), so that nobody at a distance meets what a kernel or its
 * administrator has put beside a file. The attribute in which #host keeps bits of its own is none to its peers. A link
 * is never followed: attributes are asked for by descriptor.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#define CLASS "user."

static bool is_ours(const char *name)
{
	return strcmp(name, HF_XATTR) == 0;
}

/* ---- the calls ---- */

static bool set_errno(struct hf_act *a, ssize_t n)
{
	a->err = n < 0 ? errno : 0;
	a->n = n < 0 ? 0 : (uint32_t)n;
	return n >= 0;
}

/* Takes the names that are nobody's business out of the list. */
static void cut_list(struct hf_act *a)
{
	char *to = (char *)a->data, *from = to, *end = to + a->n;

	while (from < end) {
		size_t size = strlen(from) + 1;

		if (strncmp(from, CLASS, strlen(CLASS)) == 0 && !is_ours(from)) {
			memmove(to, from, size);
			to += size;
		}
		from += size;
	}
	a->n = (uint32_t)(to - (char *)a->data);
}

static void act_list(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	if (set_errno(a, listxattr(hf_fd_path(a->fd, path), (char *)a->data, TN_XATTR_MAX)))
		cut_list(a);
	else if (a->err == EOPNOTSUPP)
		a->err = 0; /* listxattr(2) of what can have none: no names */
}

static void act_get(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	set_errno(a, getxattr(hf_fd_path(a->fd, path), a->name, a->data, a->count));
}

static void act_set(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	hf_fd_path(a->fd, path);
	set_errno(a, a->how & TN_XATTR_REMOVE
			 ? removexattr(path, a->name)
			 : setxattr(path, a->name, a->data, a->count, (int)a->how));
}

/* ---- requests ---- */

static enum tn_err copy_name(struct hf_act *a, struct tn_str name)
{
	if (name.len == 0 || name.len > TN_XATTR_NAME_MAX)
		return TN_ERANGE;
	if (memchr(name.s, 0, name.len))
		return TN_EINVAL;
	memcpy(a->name, name.s, name.len);
	a->name[name.len] = 0;
	return strncmp(a->name, CLASS, strlen(CLASS)) == 0 ? TN_OK : TN_ENOTSUP;
}

/* The act has memory of its own, on a worker or not. */
static enum tn_status run(struct hf_act *a)
{
	enum tn_status status = hf_act_run(a);

	if (status == TN_DONE)
		tn_free(a->data);
	return status;
}

static enum tn_status refuse(struct hf_act *a, enum tn_err err)
{
	tn_free(a->data);
	return hf_act_refuse(a, err);
}

static void settle_get(struct hf_act *a)
{
	struct tn_req *r = a->r;

	if (a->err || !r) {
		hf_fail(a);
		return;
	}
	r->u.xattr.len = a->n;
	if (r->u.xattr.size == 0)
		return;
	if (a->n > r->u.xattr.size)
		tn_fail(r, TN_ERANGE);
	else
		memcpy(r->u.xattr.data, a->data, a->n);
}

enum tn_status hf_xattrget(struct tn_req *r)
{
	bool all = r->u.xattr.name.len == 0;
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = all ? TN_OK : copy_name(&a, r->u.xattr.name);
	if (!err && !all && is_ours(a.name))
		err = TN_ENODATA;
	if (!err)
		err = hf_act_on(&a, hf_file_of(r->chan));
	if (err)
		return refuse(&a, err);
	a.count = r->u.xattr.size < TN_XATTR_MAX ? r->u.xattr.size : TN_XATTR_MAX;
	a.data = all || a.count > 0 ? tn_alloc(all ? TN_XATTR_MAX : a.count) : NULL;
	if (!a.data && (all || a.count > 0))
		return refuse(&a, TN_ENOMEM);
	a.act = all ? act_list : act_get;
	a.settle = settle_get;
	return run(&a);
}

static void settle_set(struct hf_act *a)
{
	a->file->place->inode->bump++;
	if (a->err)
		hf_fail(a);
}

static enum tn_err check_how(uint32_t how)
{
	if (how & TN_XATTR_REMOVE)
		return how == TN_XATTR_REMOVE ? TN_OK : TN_EINVAL;
	return how & ~(uint32_t)(TN_XATTR_CREATE | TN_XATTR_REPLACE) ? TN_EINVAL : TN_OK;
}

enum tn_status hf_xattrset(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = a.hf->o.read_only ? TN_EROFS : copy_name(&a, r->u.xattr.name);
	if (!err)
		err = check_how(r->u.xattr.how);
	if (!err && r->u.xattr.size > TN_XATTR_MAX)
		err = TN_E2BIG;
	if (!err && is_ours(a.name))
		err = TN_EPERM;
	if (!err)
		err = hf_act_on(&a, hf_file_of(r->chan));
	if (err)
		return refuse(&a, err);
	a.count = r->u.xattr.size;
	a.data = a.count > 0 ? tn_alloc(a.count) : NULL;
	if (!a.data && a.count > 0)
		return refuse(&a, TN_ENOMEM);
	if (a.count > 0)
		memcpy(a.data, r->u.xattr.data, a.count);
	a.how = r->u.xattr.how;
	a.act = act_set;
	a.settle = settle_set;
	return run(&a);
}
