/*
 * Instances of file servers, and what a server answers that has no function of its own for a request: the honest
 * default, which promises nothing and changes nothing.
 */
#include "core/server.h"

#include "core/chan.h"

enum { NAME_MAX_BYTES = 255 };

void tn_server_init(struct tn_server *s, const struct tn_ops *ops, struct tn_loop *home, void *data)
{
	static uint32_t lock, instances; /* never used anew; servers are made on any thread */

	s->refs = 1;
	s->flags = 0;
	s->ops = ops;
	s->data = data;
	s->home = home;
	tn_lock(&lock);
	s->instance = ++instances;
	tn_unlock(&lock);
	s->label = ops->name;
}

struct tn_server *tn_server_get(struct tn_server *s)
{
	tn_count_up(&s->refs);
	return s;
}

void tn_server_put(struct tn_server *s)
{
	if (s && tn_count_down(&s->refs) == 0)
		s->ops->free(s);
}

enum tn_err tn_new_name_check(struct tn_str name)
{
	if (name.len == 0)
		return TN_EEMPTYNAME;
	if (name.len > NAME_MAX_BYTES)
		return TN_ENAMETOOLONG;
	if (name.s[0] == '.' && (name.len == 1 || (name.len == 2 && name.s[1] == '.')))
		return TN_EEXIST;
	for (uint32_t i = 0; i < name.len; i++) {
		if (name.s[i] == '/' || name.s[i] == '\0')
			return TN_EBADCHAR;
	}
	return TN_OK;
}

static enum tn_status refuse(struct tn_req *r)
{
	return tn_fail(r, TN_ENOTSUP);
}

static enum tn_status forbid(struct tn_req *r)
{
	return tn_fail(r, TN_EACCES);
}

static enum tn_status nothing_there(struct tn_req *r)
{
	return tn_fail(r, TN_ENOENT);
}

static enum tn_status nothing_to_do(struct tn_req *r)
{
	(void)r;
	return TN_DONE;
}

static enum tn_status empty(struct tn_req *r)
{
	r->u.io.count = 0;
	return TN_DONE;
}

/* A rename that a server cannot do as one step is what EXDEV says: copy instead. */
static enum tn_status elsewhere(struct tn_req *r)
{
	return tn_fail(r, TN_EXDEV);
}

static enum tn_status (*const defaults[TN_REQ_TYPES])(struct tn_req *) = {
	[TN_ATTACH] = refuse,
	[TN_WALK] = nothing_there,
	[TN_OPEN] = nothing_to_do,
	[TN_CREATE] = forbid,
	[TN_READ] = empty,
	[TN_READDIR] = nothing_to_do,
	[TN_WRITE] = forbid,
	[TN_CLUNK] = nothing_to_do,
	[TN_REMOVE] = forbid,
	[TN_STAT] = refuse,
	[TN_WSTAT] = forbid,
	[TN_FLUSH] = nothing_to_do,
	[TN_RENAME] = elsewhere,
	[TN_LINK] = elsewhere,
	[TN_SYMLINK] = refuse,
	[TN_READLINK] = refuse,
	[TN_MKNOD] = refuse,
	[TN_XATTRGET] = refuse,
	[TN_XATTRSET] = refuse,
	[TN_LOCK] = refuse,
	[TN_GETLOCK] = refuse,
	[TN_FSYNC] = refuse,
	[TN_FALLOCATE] = refuse,
	[TN_SEEKHOLE] = refuse,
	[TN_COPYRANGE] = refuse,
	[TN_STATFS] = refuse,
	[TN_WATCH] = refuse,
};

enum tn_status tn_server_call(struct tn_req *r)
{
	enum tn_status (*op)(struct tn_req *) = r->server->ops->op[r->type];

	return op ? op(r) : defaults[r->type](r);
}
