/*
 * At the end of a name: what was wanted of the file is done. namespace-semantics.md 7 says where files are made.
 */
#include "core/name_in.h"

/* ---- at the end of the name ---- */

static enum next end_target(struct tn_name *n)
{
	struct tn_chan *c = n->w.cur;

	if (tn_name_is_private(c) || tn_name_is_same_path(c->path, n->w.path))
		return tn_name_give(n, tn_chan_get(c));
	return tn_name_walk(n, c, 0, CLONED);
}

static enum next end_access(struct tn_name *n)
{
	if (!tn_name_cross_here(n))
		return tn_name_fail(n, TN_ENOMEM);
	n->is_mount = n->w.list != NULL;
	if (n->w.list)
		n->members = tn_members_get(n->w.list);
	return tn_name_give(n, tn_chan_get(tn_name_shown(n)));
}

static enum next end_remove(struct tn_name *n)
{
	struct tn_chan *c = n->w.cur;
	struct tn_members *list = tn_name_mounted_at(n, c->server, c->qid.path, NULL);

	if (list) {
		tn_members_put(list);
		n->is_mount = true;
		return tn_name_fail(n, TN_EISMOUNT);
	}
	if (tn_name_is_private(c))
		return tn_name_give(n, tn_chan_get(c));
	return tn_name_walk(n, c, 0, CLONED);
}

enum next tn_name_do_cloned(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;

	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	n->w.next = NULL;
	return tn_name_give(n, c);
}

static enum next end_open(struct tn_name *n)
{
	if (!tn_name_cross_here(n))
		return tn_name_fail(n, TN_ENOMEM);
	if (tn_chan_is_dir(tn_name_shown(n)) && (n->flags & TN_OF_ACCESS) == TN_OEXEC)
		return tn_name_fail(n, TN_EEXECDIR);
	n->req.err = TN_OK;
	if (n->w.list || !tn_name_is_private(n->w.cur))
		return tn_name_walk(n, tn_name_shown(n), 0, OPEN);
	tn_name_set_chan(&n->w.next, tn_chan_get(n->w.cur));
	return tn_name_go(n, OPEN);
}

static enum next end_create(struct tn_name *n)
{
	if (n->n_good == 0 || (n->flags & TN_OF_EXCL))
		return tn_name_fail(n, TN_EEXIST);
	n->existed = true;
	return end_open(n);
}

enum next tn_name_do_last(struct tn_name *n)
{
	static enum next (*const end[])(struct tn_name *) = {
		[TN_FOR_TARGET] = end_target,
		[TN_FOR_ACCESS] = end_access,
		[TN_FOR_REMOVE] = end_remove,
		[TN_FOR_OPEN] = end_open,
		[TN_FOR_CREATE] = end_create,
	};

	if (n->w.must_dir && !tn_chan_is_dir(n->w.cur))
		return tn_name_fail(n, TN_ENOTDIR);
	return end[n->want](n);
}

enum next tn_name_do_open(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	tn_name_request(n, TN_OPEN, n->w.next);
	n->req.flags = n->flags & ~(uint32_t)TN_OF_EXCL;
	if (n->existed)
		n->req.flags |= TN_OF_TRUNC;
	return tn_name_send(n, OPENED);
}

enum next tn_name_do_opened(struct tn_name *n)
{
	struct tn_chan *c = n->w.next, *under = NULL;

	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	n->iounit = n->req.u.open.iounit;
	if (!c->path)
		c->path = tn_path_get(n->w.path);
	if (n->w.list && n->w.list->n > 1)
		under = n->w.cur;
	if (tn_union_wants(n->w.ns, c, under, n->plain_listing || n->no_cross) ||
	    (n->wrap_listing && tn_chan_is_dir(c))) {
		c = tn_union_open(n->w.ns, c, under, n->w.serial, !n->plain_listing);
		if (!c)
			return tn_name_fail(n, TN_ENOMEM);
		return tn_name_give(n, c);
	}
	n->w.next = NULL;
	return tn_name_give(n, c);
}

/* namespace-semantics.md 7: in the first member with MCREATE; that one's refusal is the answer. */
enum next tn_name_do_make(struct tn_name *n)
{
	const struct tn_members *list = n->w.list;
	uint32_t i = 0;

	n->req.err = TN_OK;
	if (!list && tn_name_is_private(n->w.cur)) {
		tn_name_set_chan(&n->w.next, tn_chan_get(n->w.cur));
		return tn_name_go(n, CREATE);
	}
	while (list && i < list->n && !(list->m[i].flags & TN_CREATE_HERE))
		i++;
	if (list && i == list->n)
		return tn_name_fail(n, TN_ENOCREATE);
	return tn_name_walk(n, list ? list->m[i].to : n->w.cur, 0, CREATE);
}

enum next tn_name_do_create(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	tn_name_gather(n, 1);
	tn_name_request(n, TN_CREATE, n->w.next);
	n->req.flags = n->flags;
	n->req.u.create.name = n->w.names[0];
	n->req.u.create.perm = n->perm;
	n->req.u.create.gid = n->has_gid ? n->gid : TN_NONUNAME;
	return tn_name_send(n, CREATED);
}

enum next tn_name_do_created(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;
	struct tn_path *path;
	enum tn_err err = (enum tn_err)n->req.err;

	/* Somebody else made it meanwhile: then it is there to be opened. Once. */
	if (err == TN_EEXIST && !(n->flags & TN_OF_EXCL) && !n->w.again) {
		n->w.again = true;
		n->w.member = 0;
		return tn_name_go(n, TRY);
	}
	if (err != TN_OK)
		return tn_name_fail_as_said(n);
	n->iounit = n->req.u.create.iounit;
	path = tn_name_path_behind(n, 1, &err);
	if (!path)
		return tn_name_fail(n, err);
	tn_name_set_path(n, path);
	n->n_good++;
	n->w.next = NULL;
	return tn_name_give(n, c);
}
