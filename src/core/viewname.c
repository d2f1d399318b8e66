/*
 * Changes of a view's files and names: wstat, remove, rename, and what makes names beside create.
 */
#include "core/mem.h"
#include "core/view_in.h"

enum tn_status tn_view_wstat(struct op *o)
{
	const struct tn_stat *st = o->outer->u.wstat.st;

	if (st->valid == 0)
		return tn_view_do_shown(o);
	if (o->v->options.read_only)
		return tn_view_refuse(o, TN_EROFS);
	if (!(st->valid & TN_ST_NAME))
		return tn_view_do_shown(o);
	if (tn_view_is_root(o->fid) && !o->fid->link)
		return tn_view_refuse(o, TN_EACCES);
	if (tn_view_is_mount(o, o->fid->link ? o->fid->link : o->fid->at))
		return tn_view_refuse(o, TN_EISMOUNT);
	if (!o->fid->link)
		return tn_view_do_shown(o);
	if (st->valid != TN_ST_NAME)
		return tn_view_refuse(o,
		    TN_ENOTSUP); /* the name is the link's, the rest is not: one or the other */
	o->held = tn_chan_get(o->fid->link);
	return tn_view_pass(o);
}

static enum tn_status removing(struct op *o)
{
	if (o->name.err != TN_OK)
		return tn_view_refuse_as_name(o);
	o->held = tn_view_take_chan(&o->name);
	return tn_view_pass(o);
}

enum tn_status tn_view_remove(struct op *o)
{
	struct fid *f = o->fid;

	if (tn_view_is_root(f) && !f->link)
		return tn_view_refuse(o, TN_EACCES);
	if (f->at != f->open) {
		tn_view_name(o, f->link ? f->link : f->at, TN_FOR_REMOVE);
		return tn_view_look_up(o, removing);
	}
	/* It was created here: there is no other Chan of it. */
	if (tn_view_is_mount(o, f->at))
		return tn_view_refuse(o, TN_EISMOUNT);
	o->held = tn_chan_get(f->open);
	return tn_view_pass(o);
}

/* ---- two directories ---- */

static bool is_name(struct tn_str name)
{
	return !(name.len == 2 && name.s[0] == '.' && name.s[1] == '.');
}

/* Both Chans are known; a server does it alone or not at all. */
enum tn_status tn_view_pass_both(struct op *o)
{
	if (o->held2 && o->held2->server != o->held->server)
		return tn_view_refuse(o, TN_EXDEV);
	return tn_view_pass(o);
}

/* The new name was looked for: it goes to where it is, or to where files are made. */
static enum tn_status found_newname(struct op *o)
{
	struct fid *to = tn_view_fid(o->outer->chan2);
	enum tn_err err = TN_OK;

	if (o->name.err == TN_OK && tn_view_is_mount(o, o->name.chan))
		return tn_view_refuse(o, TN_EISMOUNT);
	if (o->name.err == TN_OK && o->name.dir)
		o->held2 = tn_chan_get(o->name.dir);
	else if (tn_chan_same(to->at, o->fid->at))
		o->held2 = tn_chan_get(o->held);
	else
		o->held2 = tn_view_maker(o, to, &err);
	return err == TN_OK ? tn_view_pass_both(o) : tn_view_refuse(o, err);
}

static enum tn_status found_name(struct op *o)
{
	struct fid *to = tn_view_fid(o->outer->chan2);

	if (o->name.err != TN_OK)
		return tn_view_refuse_as_name(o);
	if (tn_view_is_mount(o, o->name.chan))
		return tn_view_refuse(o, TN_EISMOUNT);
	o->held = o->name.dir;
	o->name.dir = NULL;
	tn_view_name(o, to->at, TN_FOR_TARGET);
	return tn_view_look_up(o, found_newname);
}

static bool same_path(const struct tn_path *a, const struct tn_path *b)
{
	while (a && b && a != b) {
		if (a->len != b->len || memcmp(a->name, b->name, a->len) != 0)
			return false;
		a = a->up;
		b = b->up;
	}
	return a == b;
}

/*
 * Where in the directory of `to` the file o->held, which stays with its server, can get a name: where files are made; in
 * the directory that it is in, in any member of that server. Counted; NULL: *err.
 */
static struct tn_chan *place_for(const struct op *o, const struct fid *to, enum tn_err *err)
{
	struct tn_members *list = tn_ns_find(o->v->proc->ns, to->at, NULL);
	bool stays = same_path(o->held->path->up, to->at->path);
	struct tn_chan *c = NULL;

	for (uint32_t i = 0; list && i < list->n && !c; i++) {
		if (list->m[i].to->server == o->held->server &&
		    (stays || list->m[i].flags & TN_CREATE_HERE))
			c = tn_chan_get(list->m[i].to);
	}
	tn_members_put(list);
	*err = TN_OK;
	return c ? c : tn_view_maker(o, to, err);
}

static enum tn_status found_place(struct op *o)
{
	enum tn_err err = TN_OK;

	if (o->name.err == TN_OK && tn_view_is_mount(o, o->name.chan))
		return tn_view_refuse(o, TN_EISMOUNT);
	if (o->name.err == TN_OK && o->name.dir)
		o->held2 = tn_chan_get(o->name.dir);
	else
		o->held2 = place_for(o, tn_view_fid(o->outer->chan2), &err);
	return err == TN_OK ? tn_view_pass_both(o) : tn_view_refuse(o, err);
}

/* The file of the fid itself gets another name. */
static enum tn_status rename_itself(struct op *o)
{
	struct fid *f = o->fid;

	if (tn_view_is_root(f) && !f->link)
		return tn_view_refuse(o, TN_EACCES);
	if (tn_view_is_mount(o, f->link ? f->link : f->at))
		return tn_view_refuse(o, TN_EISMOUNT);
	o->held = tn_chan_get(f->link ? f->link : f->at);
	tn_view_name(o, tn_view_fid(o->outer->chan2)->at, TN_FOR_TARGET);
	return tn_view_look_up(o, found_place);
}

enum tn_status tn_view_rename(struct op *o)
{
	struct tn_req *r = o->outer;

	if (!r->chan2 || r->chan2->server != r->server)
		return tn_view_refuse(o, TN_EXDEV);
	if (r->u.rename.name.len == 0 && is_name(r->u.rename.newname))
		return rename_itself(o);
	if (!is_name(r->u.rename.name) || !is_name(r->u.rename.newname))
		return tn_view_refuse(o, TN_EBADARG);
	tn_view_name(o, o->fid->at, TN_FOR_TARGET);
	return tn_view_look_up(o, found_name);
}

static enum tn_status making(struct op *o)
{
	struct tn_req *r = o->outer;
	enum tn_err err;

	if (o->name.err == TN_OK)
		return tn_view_refuse(o, TN_EEXIST);
	if (o->name.err != TN_ENOENT)
		return tn_view_refuse_as_name(o);
	o->held = tn_view_maker(o, o->fid, &err);
	if (!o->held)
		return tn_view_refuse(o, err);
	if (r->type == TN_LINK)
		o->held2 = tn_view_shown(o, tn_view_fid(r->chan2));
	return tn_view_pass_both(o);
}

/* A name in a directory, made by another request than create. */
enum tn_status tn_view_make(struct op *o)
{
	struct tn_req *r = o->outer;

	if (r->type == TN_LINK && (!r->chan2 || r->chan2->server != r->server))
		return tn_view_refuse(o, TN_EXDEV);
	tn_view_name(o, o->fid->at, TN_FOR_TARGET);
	return tn_view_look_up(o, making);
}
