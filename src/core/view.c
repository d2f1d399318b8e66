/*
 * Views. A fid holds its file as TN_FOR_TARGET gives it, in front of the mount point, so that each request crosses by the
 * table as it is at that moment; an open one holds what was opened beside it.
 *
 * A view may show another view, and that one the first, in one process and without a wait between them: how many views
 * a fid may lead through is limited, and with it the stack.
 */
#include "core/view.h"

#include "core/mem.h"
#include "core/union.h"
#include "core/view.h"
#include "core/view_in.h"

enum { DEPTH_MAX = 32 };

static const struct tn_ops view_ops;

static void set_chan(struct tn_chan **at, struct tn_chan *c)
{
	struct tn_chan *old = *at;

	*at = c;
	tn_chan_put(old);
}

/* ---- attach, walk ---- */

static uint8_t depth_of(const struct tn_chan *c)
{
	return c->server->ops == &view_ops ? tn_view_fid(c)->depth : 0;
}

/*
 * newchan stands for what the name led to; root: of its attach, NULL: itself. Without memory, or too deep, outer has
 * failed.
 */
static struct fid *set_fid(struct op *o, struct tn_chan *newchan, struct tn_chan *root)
{
	struct fid *f;

	if (depth_of(o->name.chan) == DEPTH_MAX) {
		tn_view_refuse(o, TN_ELIMIT_DEPTH);
		return NULL;
	}
	f = tn_view_fid_new(o->v);
	if (!f) {
		tn_view_refuse(o, TN_ENOMEM);
		return NULL;
	}
	f->depth = (uint8_t)(depth_of(o->name.chan) + 1);
	f->at = tn_view_take_chan(&o->name);
	f->root = tn_chan_get(root ? root : f->at);
	f->link = o->name.link;
	o->name.link = NULL;
	newchan->aux.p = f;
	return f;
}

static enum tn_status attached(struct op *o)
{
	struct tn_chan *newchan = o->outer->u.attach.newchan, *c;
	enum tn_err err = o->name.err;
	struct fid *f;

	if (err == TN_ENOENT || err == TN_ENOTDIR)
		return tn_view_refuse(o, TN_EBADATTACH);
	if (err != TN_OK)
		return tn_view_refuse_as_name(o);
	f = set_fid(o, newchan, NULL);
	if (!f)
		return TN_DONE;
	c = tn_view_shown(o, f);
	newchan->qid = tn_view_unique(o->v, c);
	tn_chan_put(c);
	return TN_DONE;
}

static enum tn_status do_attach(struct op *o)
{
	tn_view_name(o, o->v->root, TN_FOR_TARGET);
	return tn_view_look_up(o, attached);
}

static void walk_seen(struct tn_name *n, uint32_t i, struct tn_server *server,
    const struct tn_qid *qid)
{
	struct op *o = n->arg;

	o->outer->u.walk.qids[i] = tn_view_qid(o->v, server, *qid);
}

static enum tn_status walked(struct op *o)
{
	struct tn_req *r = o->outer;

	r->u.walk.n_walked = (uint16_t)o->name.n_good;
	if (o->name.err != TN_OK)
		return r->u.walk.n_walked > 0 ? TN_DONE : tn_view_refuse_as_name(o);
	r->u.walk.newchan->qid = r->u.walk.n_names > 0 ? r->u.walk.qids[r->u.walk.n_names - 1]
						       : r->chan->qid;
	if (!set_fid(o, r->u.walk.newchan, o->fid->root))
		r->u.walk.n_walked = 0;
	return TN_DONE;
}

static enum tn_status do_walk(struct op *o)
{
	tn_view_name(o, o->fid->at, TN_FOR_TARGET)->seen = walk_seen;
	if (o->outer->u.walk.n_names == 0)
		o->name.elems = NULL;
	if (o->outer->u.walk.n_names == 0 && o->fid->link)
		o->name.link = tn_chan_get(o->fid->link);
	return tn_view_look_up(o, walked);
}

/* ---- open, create ---- */

static enum tn_status opened(struct op *o)
{
	struct tn_req *r = o->outer;

	if (o->name.err != TN_OK)
		return tn_view_refuse_as_name(o);
	if (r->type == TN_CREATE) {
		set_chan(&o->fid->at, tn_chan_get(o->name.chan));
		r->u.create.iounit = o->name.iounit;
	} else {
		r->u.open.iounit = o->name.iounit;
	}
	o->fid->open = tn_view_take_chan(&o->name);
	r->chan->qid = tn_view_unique(o->v, o->fid->open);
	return TN_DONE;
}

static enum tn_status do_open(struct op *o)
{
	uint32_t flags = o->outer->flags, access = flags & TN_OF_ACCESS;
	bool changes = access == TN_OWRITE || access == TN_ORDWR ||
		       (flags & (TN_OF_TRUNC | TN_OF_RCLOSE));

	if (o->fid->open)
		return tn_view_refuse(o, TN_EISOPEN);
	if (changes && o->v->options.read_only)
		return tn_view_refuse(o, TN_EROFS);
	tn_view_name(o, o->fid->at, TN_FOR_OPEN)->flags |= flags;
	o->name.wrap_listing = o->v->options.no_duplicates || o->v->options.show_mounts;
	return tn_view_look_up(o, opened);
}

static enum tn_status do_create(struct op *o)
{
	struct tn_req *r = o->outer;
	struct tn_name *n;

	if (o->fid->open)
		return tn_view_refuse(o, TN_EISOPEN);
	n = tn_view_name(o, o->fid->at, TN_FOR_CREATE);
	n->flags |= r->flags | TN_OF_EXCL;
	n->perm = r->u.create.perm;
	n->has_gid = r->u.create.gid != TN_NONUNAME;
	n->gid = r->u.create.gid;
	return tn_view_look_up(o, opened);
}

/* ---- open files ---- */

static enum tn_status do_io(struct op *o)
{
	if (!o->fid->open)
		return tn_view_refuse(o, TN_ENOTOPEN);
	o->held = tn_chan_get(o->fid->open);
	return tn_view_pass(o);
}

/* ---- what needs no open file ---- */

enum tn_status tn_view_do_shown(struct op *o)
{
	o->held = tn_view_shown(o, o->fid);
	return tn_view_pass(o);
}

static void view_stat(struct tn_pass *p, const struct tn_stat *st)
{
	struct op *o = tn_view_op_of(p);
	struct tn_chan *behind = tn_chan_behind(o->held);
	struct tn_stat shown_st = *st;

	shown_st.qid = tn_view_qid(o->v, behind->server, st->qid);
	if (o->fid->link)
		shown_st.name = tn_path_last(o->fid->link->path);
	else if (tn_view_is_root(o->fid))
		shown_st.name = TN_STR("/");
	else if (!tn_chan_same(behind, o->fid->at))
		shown_st.name = tn_path_last(o->fid->at->path);
	shown_st.valid |= TN_ST_NAME;
	o->outer->owner->stat(o->outer, &shown_st);
}

static enum tn_status do_stat(struct op *o)
{
	o->pass.stat = view_stat;
	return tn_view_do_shown(o);
}

/* ---- clunk ---- */

static void clunk_done(struct tn_req *r)
{
	struct op *o = (struct op *)r; /* pass.req is first */

	tn_req_take_error(o->outer, r);
	o->answered = true;
	tn_view_resume(o);
}

static bool clunk_keep(struct tn_req *r)
{
	struct op *o = (struct op *)r;

	if (!o->kept && !tn_keep(o->outer))
		return false;
	o->kept = true;
	return true;
}

static const struct tn_owner clunk_owner = { .done = clunk_done, .keep = clunk_keep };

/* What was opened is closed now, and how that went is the answer. */
static enum tn_status do_clunk(struct op *o)
{
	struct tn_req *r = &o->pass.req;
	struct tn_chan *open;

	if (!o->fid)
		return TN_DONE;
	open = o->fid->open;
	o->fid->open = NULL;
	o->outer->chan->aux.p = NULL;
	tn_view_fid_free(o->v, o->fid);
	if (!open)
		return TN_DONE;
	tn_req_init(r, TN_CLUNK, open, &clunk_owner);
	r->deadline_ns = o->outer->deadline_ns;
	if (tn_chan_close(r) == TN_LATER)
		return TN_LATER;
	tn_req_take_error(o->outer, r);
	return TN_DONE;
}

static enum tn_status do_copy(struct op *o)
{
	struct tn_req *r = o->outer;

	if (!r->chan2 || r->chan2->server != r->server || !tn_view_fid(r->chan2)->open)
		return tn_view_refuse(o, TN_EXDEV);
	if (!o->fid->open)
		return tn_view_refuse(o, TN_ENOTOPEN);
	o->held = tn_chan_get(o->fid->open);
	o->held2 = tn_chan_get(tn_view_fid(r->chan2)->open);
	return tn_view_pass_both(o);
}

/* ---- the table ---- */

static const struct {
	enum tn_status (*serve)(struct op *o);
	bool changes; /* refused by a view that is read-only */
} serve[TN_REQ_TYPES] = {
	[TN_ATTACH] = { do_attach, false },
	[TN_WALK] = { do_walk, false },
	[TN_OPEN] = { do_open, false }, /* sees for itself, as wstat does */
	[TN_CREATE] = { do_create, true },
	[TN_READ] = { do_io, false },
	[TN_READDIR] = { tn_view_readdir, false },
	[TN_WRITE] = { do_io, true },
	[TN_CLUNK] = { do_clunk, false },
	[TN_REMOVE] = { tn_view_remove, true },
	[TN_STAT] = { do_stat, false },
	[TN_WSTAT] = { tn_view_wstat, false },
	[TN_RENAME] = { tn_view_rename, true },
	[TN_LINK] = { tn_view_make, true },
	[TN_SYMLINK] = { tn_view_make, true },
	[TN_READLINK] = { tn_view_do_shown, false },
	[TN_MKNOD] = { tn_view_make, true },
	[TN_XATTRGET] = { tn_view_do_shown, false },
	[TN_XATTRSET] = { tn_view_do_shown, true },
	[TN_LOCK] = { do_io, false },
	[TN_GETLOCK] = { do_io, false },
	[TN_FSYNC] = { do_io, false },
	[TN_FALLOCATE] = { do_io, true },
	[TN_SEEKHOLE] = { do_io, false },
	[TN_COPYRANGE] = { do_copy, true },
	[TN_STATFS] = { tn_view_do_shown, false },
	[TN_WATCH] = { tn_view_watch, false },
};

/* No memory to serve r; but a clunk is the end of its fid all the same. */
static enum tn_status cannot(struct tn_req *r)
{
	if (r->type == TN_CLUNK && tn_view_fid(r->chan))
		tn_view_fid_free(tn_view_of(r->server), tn_view_fid(r->chan));
	return tn_fail(r, TN_ENOMEM);
}

static enum tn_status view_op(struct tn_req *r)
{
	struct view *v = tn_view_of(r->server);
	enum tn_status status;
	struct op *o;

	if (serve[r->type].changes && v->options.read_only)
		return tn_fail(r, TN_EROFS);
	o = tn_view_op_new(v, r);
	if (!o)
		return cannot(r);
	if (v->options.as_asker && !tn_view_asker(o) && r->type != TN_CLUNK)
		status = tn_view_refuse(o, TN_EUSERS);
	else
		status = serve[r->type].serve(o);
	if (status == TN_DONE)
		tn_view_op_free(o);
	return status;
}

static enum tn_status view_flush(struct tn_req *r)
{
	struct op *o = r->keeper;

	if (o->fan) {
		tn_view_watch_flush(o);
		return TN_DONE;
	}
	if (o->by_name)
		tn_name_flush(&o->name);
	tn_flush(&o->pass.req);
	return TN_DONE;
}

static void view_free(struct tn_server *s)
{
	struct view *v = tn_view_of(s);

	for (struct fid *f = v->fids, *next; f; f = next) {
		next = f->next;
		tn_free(f);
	}
	for (struct op *o = v->ops, *next; o; o = next) {
		next = o->next;
		tn_free(o);
	}
	tn_chan_put(v->root);
	tn_proc_put(v->proc);
	tn_free(v);
}

static const struct tn_ops view_ops = {
	.name = "view",
	.op = {
		[TN_ATTACH] = view_op,
		[TN_WALK] = view_op,
		[TN_OPEN] = view_op,
		[TN_CREATE] = view_op,
		[TN_READ] = view_op,
		[TN_READDIR] = view_op,
		[TN_WRITE] = view_op,
		[TN_CLUNK] = view_op,
		[TN_REMOVE] = view_op,
		[TN_STAT] = view_op,
		[TN_WSTAT] = view_op,
		[TN_FLUSH] = view_flush,
		[TN_RENAME] = view_op,
		[TN_LINK] = view_op,
		[TN_SYMLINK] = view_op,
		[TN_READLINK] = view_op,
		[TN_MKNOD] = view_op,
		[TN_XATTRGET] = view_op,
		[TN_XATTRSET] = view_op,
		[TN_LOCK] = view_op,
		[TN_GETLOCK] = view_op,
		[TN_FSYNC] = view_op,
		[TN_FALLOCATE] = view_op,
		[TN_SEEKHOLE] = view_op,
		[TN_COPYRANGE] = view_op,
		[TN_STATFS] = view_op,
		[TN_WATCH] = view_op,
	},
	.free = view_free,
};

struct tn_server *tn_view_new(struct tn_proc *proc, struct tn_chan *root,
    const struct tn_view_options *o)
{
	struct view *v = tn_alloc(sizeof(*v));

	if (!v)
		return NULL;
	tn_server_init(&v->s, &view_ops, proc->node->loop, NULL);
	v->proc = tn_proc_copy(proc); /* the group that it has now, whatever it does later */
	if (!v->proc) {
		tn_free(v);
		return NULL;
	}
	v->root = tn_chan_get(root);
	v->options = *o;
	return &v->s;
}
