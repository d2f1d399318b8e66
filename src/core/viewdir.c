/*
 * Listings of a view: entries with the view's own numbers; without duplicates, and with mount points that no directory
 * has an entry for, where the options say so. Those come behind the entries, at offsets with the high bit.
 */
#include "core/mem.h"
#include "core/union.h"
#include "core/view_in.h"

enum step { READ, HAVE_READ, NEXT_MOUNT, HAVE_STAT };

#define MOUNTS (UINT64_C(1) << 63)

static bool plain_entry(struct tn_pass *p, const struct tn_stat *st, uint64_t next)
{
	struct op *o = tn_view_op_of(p);
	struct tn_stat shown = *st;

	shown.qid = tn_view_qid(o->v, tn_entry_server(&p->req), st->qid);
	return o->outer->owner->entry(o->outer, &shown, next);
}

/* As plain_entry, but of a name that was given the first entry only. */
static bool first_entry(struct tn_pass *p, const struct tn_stat *st, uint64_t next)
{
	struct op *o = tn_view_op_of(p);
	enum tn_nameset_answer is = tn_nameset_add(&o->fid->given, st->name, next);

	o->n_entries++;
	if (is == TN_NAME_TAKEN && o->v->options.no_duplicates) {
		o->go_on_at = next; /* if nothing else comes */
		return true;
	}
	if (is != TN_NAME_NOMEM && plain_entry(p, st, next)) {
		o->n_given++;
		return true;
	}
	if (is == TN_NAME_NEW)
		tn_nameset_undo(&o->fid->given, st->name);
	if (is == TN_NAME_NOMEM && o->n_given == 0)
		tn_fail(o->outer, TN_ENOMEM);
	o->full = true;
	return false;
}

/* ---- mount points ---- */

/* Is it the name of a place in the directory? By names: who mounts does not change the directory. */
static bool lies_in(const struct tn_path *place, const struct tn_path *dir)
{
	const struct tn_path *a = place->up, *b = dir;

	for (; a && b && a != b; a = a->up, b = b->up) {
		if (a->depth != b->depth || a->len != b->len ||
		    memcmp(a->name, b->name, a->len) != 0)
			return false;
	}
	return a == b;
}

static void give_mount(struct op *o, struct tn_stat *st)
{
	st->name = tn_path_last(o->held2->path);
	st->valid |= TN_ST_NAME;
	st->qid = tn_view_qid(o->v, o->pass.req.chan->server, st->qid);
	o->full = !o->outer->owner->entry(o->outer, st, MOUNTS | o->serial);
	o->n_given += !o->full;
}

static void mount_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct tn_stat shown = *st;

	give_mount((struct op *)r, &shown);
}

static void mount_done(struct tn_req *r)
{
	tn_view_resume((struct op *)r);
}

static bool mount_keep(struct tn_req *r)
{
	struct op *o = (struct op *)r;

	if (!o->kept && !tn_keep(o->outer))
		return false;
	o->kept = true;
	return true;
}

static const struct tn_owner mount_owner = {
	.done = mount_done,
	.keep = mount_keep,
	.stat = mount_stat,
};

/* Finds the next mount point in the directory that has no entry: held2 is what it covers. NULL: there are no more. */
static struct tn_chan *find_mount(struct op *o)
{
	struct tn_ns *ns = o->v->proc->ns;
	struct tn_members *list;
	struct tn_chan *under, *to;

	while ((list = tn_ns_head_after(ns, &o->serial, &under)) != NULL) {
		to = tn_chan_get(list->m[0].to);
		tn_members_put(list);
		if (lies_in(under->path, o->fid->at->path) &&
		    !tn_nameset_has(&o->fid->given, tn_path_last(under->path))) {
			tn_chan_put(o->held2);
			o->held2 = tn_chan_get(under);
			return to;
		}
		tn_chan_put(to);
	}
	return NULL;
}

/* ---- the listing ---- */

static enum tn_status list(struct op *o);

static enum tn_status ask_mount(struct op *o)
{
	struct tn_req *r = &o->pass.req;
	struct tn_chan *to = find_mount(o);

	if (!to)
		return TN_DONE;
	tn_req_init(r, TN_STAT, to, &mount_owner);
	r->user = o->v->proc->user;
	r->deadline_ns = o->outer->deadline_ns;
	o->step = HAVE_STAT;
	o->then = list;
	return tn_submit(r);
}

/* A mount whose server does not answer is there all the same. */
static void have_stat(struct op *o)
{
	struct tn_req *r = &o->pass.req;
	struct tn_stat st = { .valid = TN_ST_QID | TN_ST_MODE, .qid = r->chan->qid };

	st.mode = (uint32_t)st.qid.type << 24 | (st.qid.type & TN_QTDIR ? 0555 : 0444);
	if (r->err != TN_OK)
		give_mount(o, &st);
	tn_req_reset(r);
	tn_chan_put(r->chan);
	r->chan = NULL;
	o->step = NEXT_MOUNT;
}

/* Whether the listing goes on behind a read: not if the owner got something, for then it asks again. */
static bool goes_on(struct op *o)
{
	if (o->outer->err != TN_OK || o->full || o->n_given > 0)
		return false;
	o->step = READ; /* nothing but duplicates came */
	o->outer->u.readdir.offset = o->go_on_at;
	if (o->n_entries == 0)
		o->step = NEXT_MOUNT;
	o->serial = 0;
	return o->n_entries > 0 || o->v->options.show_mounts;
}

static enum tn_status list(struct op *o)
{
	for (;;) {
		enum tn_status status = TN_DONE;

		switch (o->step) {
		case READ:
			o->n_entries = 0;
			o->step = HAVE_READ;
			status = tn_view_pass(o);
			break;
		case HAVE_READ:
			if (!goes_on(o))
				return TN_DONE;
			break;
		case NEXT_MOUNT:
			if (o->full || tn_req_flushed(o->outer))
				return TN_DONE;
			status = ask_mount(o);
			if (o->step == NEXT_MOUNT)
				return status;
			break;
		case HAVE_STAT: have_stat(o); break;
		}
		if (status == TN_LATER)
			return TN_LATER;
	}
}

enum tn_status tn_view_readdir(struct op *o)
{
	struct tn_req *r = o->outer;
	const struct tn_view_options *options = &o->v->options;
	bool mounts = options->show_mounts && (r->u.readdir.offset & MOUNTS);

	if (!o->fid->open)
		return tn_fail(r, TN_ENOTOPEN);
	o->held = tn_chan_get(o->fid->open);
	o->pass.entry = plain_entry;
	if (!options->no_duplicates && !options->show_mounts)
		return tn_view_pass(o);
	if (r->u.readdir.offset == 0)
		tn_nameset_clear(&o->fid->given);
	o->pass.entry = first_entry;
	o->passed = list;
	o->step = mounts ? NEXT_MOUNT : READ;
	o->serial = r->u.readdir.offset & ~MOUNTS;
	return list(o);
}
