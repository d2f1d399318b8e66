/*
 * Listings of a view: entries with the view's own numbers. Where the options say so: without duplicates; symbolic links
 * as what they lead to; and with mount points that no directory has an entry for, behind the entries and at offsets
 * with the high bit.
 */
#include "core/mem.h"
#include "core/union.h"
#include "core/view_in.h"

enum step { READ, HAVE_READ, AT_LINK, HAVE_LINK, HAVE_TARGET, NEXT_MOUNT, HAVE_STAT };

#define MOUNTS (UINT64_C(1) << 63)

static bool plain_entry(struct tn_pass *p, const struct tn_stat *st, uint64_t next)
{
	struct op *o = tn_view_op_of(p);
	struct tn_stat shown = *st;

	shown.qid = tn_view_qid(o->v, tn_entry_server(&p->req), st->qid);
	return o->outer->owner->entry(o->outer, &shown, next);
}

static bool no_memory(struct op *o)
{
	if (o->n_given == 0)
		tn_fail(o->outer, TN_ENOMEM);
	o->full = true;
	return false;
}

/* May this be the first entry of its name? *added: the name was put in for it. */
static bool is_first(struct op *o, const struct tn_stat *st, uint64_t next, bool *added)
{
	const struct tn_view_options *options = &o->v->options;
	enum tn_nameset_answer is;

	if (!options->no_duplicates && !options->show_mounts)
		return true;
	is = tn_nameset_add(&o->fid->given, st->name, next);
	*added = is == TN_NAME_NEW;
	if (is == TN_NAME_NOMEM)
		return no_memory(o);
	return is != TN_NAME_TAKEN || !options->no_duplicates;
}

/* The reading stops at a link, to go on when it is known where that leads. */
static bool stop_at_link(struct op *o, const struct tn_stat *st, uint64_t next)
{
	char *name = tn_alloc(st->name.len + 1);

	if (!name)
		return no_memory(o);
	memcpy(name, st->name.s, st->name.len);
	tn_free((void *)(uintptr_t)o->link.s);
	o->link = (struct tn_str){ name, st->name.len };
	o->link_next = next;
	o->at_link = true;
	return false;
}

static bool follows(const struct op *o)
{
	return o->v->options.follow && !(o->outer->flags & TN_OF_NOFOLLOW);
}

static bool list_entry(struct tn_pass *p, const struct tn_stat *st, uint64_t next)
{
	struct op *o = tn_view_op_of(p);
	bool added = false;

	if (!is_first(o, st, next, &added)) {
		o->n_entries++;
		o->read_at = next;
		return !o->full;
	}
	if (follows(o) && (st->qid.type & TN_QTSYMLINK) && next != o->raw_next)
		return stop_at_link(o, st, next);
	if (!plain_entry(p, st, next)) {
		if (added)
			tn_nameset_undo(&o->fid->given, st->name);
		o->full = true;
		return false;
	}
	o->n_entries++;
	o->n_given++;
	o->read_at = next;
	return true;
}

/* ---- symbolic links ---- */

static enum tn_status list(struct op *o);

/* The entry is a link: what it leads to, by the names of the view. */
static enum tn_status find_target(struct op *o)
{
	struct tn_name *n = tn_view_name(o, o->fid->at, TN_FOR_ACCESS);

	n->elems = &o->link;
	n->n_elems = 1;
	o->at_link = false;
	o->step = HAVE_LINK;
	return tn_view_resolve(o, list);
}

static void give_target(struct tn_req *r, const struct tn_stat *st)
{
	struct op *o = (struct op *)r;
	struct tn_stat shown = *st;

	shown.name = o->link;
	shown.valid |= TN_ST_NAME;
	shown.qid = tn_view_qid(o->v, r->chan->server, st->qid);
	o->full = !o->outer->owner->entry(o->outer, &shown, o->link_next);
	if (o->full)
		return;
	o->n_given++;
	o->read_at = o->link_next;
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

static const struct tn_owner target_owner = {
	.done = mount_done,
	.keep = mount_keep,
	.stat = give_target,
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

static enum tn_status ask(struct op *o, struct tn_chan *c, const struct tn_owner *owner,
    enum step then)
{
	struct tn_req *r = &o->pass.req;

	tn_req_init(r, TN_STAT, c, owner);
	r->user = tn_view_asker(o);
	r->deadline_ns = o->outer->deadline_ns;
	r->flags = TN_OF_NOFOLLOW;
	o->step = (uint8_t)then;
	o->then = list;
	return tn_submit(r);
}

static enum tn_status ask_mount(struct op *o)
{
	struct tn_chan *to = find_mount(o);

	tn_chan_put(o->asked);
	o->asked = to;
	return to ? ask(o, to, &mount_owner, HAVE_STAT) : TN_DONE;
}

/* A link that leads nowhere is read again, and given as it is. */
static enum tn_status ask_target(struct op *o)
{
	if (o->name.err == TN_OK)
		return ask(o, o->name.chan, &target_owner, HAVE_TARGET);
	o->raw_next = o->link_next;
	o->step = READ;
	return TN_DONE;
}

static void have_target(struct op *o)
{
	if (o->pass.req.err != TN_OK)
		o->raw_next = o->link_next;
	tn_req_reset(&o->pass.req);
	o->step = READ;
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
	o->step = NEXT_MOUNT;
}

/* Whether the listing goes on behind a read: not if the owner got something, for then it asks again. */
static bool goes_on(struct op *o)
{
	if (o->outer->err != TN_OK || o->full)
		return false;
	o->step = AT_LINK;
	if (o->at_link)
		return true;
	if (o->n_given > 0)
		return false;
	o->step = o->n_entries > 0 ? READ : NEXT_MOUNT; /* READ: nothing but duplicates came */
	o->serial = 0;
	return o->n_entries > 0 || o->v->options.show_mounts;
}

static enum tn_status read_on(struct op *o)
{
	o->n_entries = 0;
	o->outer->u.readdir.offset = o->read_at;
	o->pass.entry = list_entry;
	o->passed = list;
	o->step = HAVE_READ;
	return tn_view_pass(o);
}

static enum tn_status list(struct op *o)
{
	enum tn_status status = TN_DONE;

	while (status == TN_DONE) {
		if (o->full || o->outer->err != TN_OK)
			return TN_DONE;
		switch (o->step) {
		case READ: status = read_on(o); break;
		case HAVE_READ:
			if (!goes_on(o))
				return TN_DONE;
			break;
		case AT_LINK: status = find_target(o); break;
		case HAVE_LINK: status = ask_target(o); break;
		case HAVE_TARGET: have_target(o); break;
		case NEXT_MOUNT:
			status = ask_mount(o);
			if (o->step == NEXT_MOUNT)
				return TN_DONE;
			break;
		case HAVE_STAT: have_stat(o); break;
		}
	}
	return TN_LATER;
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
	if (!options->no_duplicates && !options->show_mounts && !follows(o))
		return tn_view_pass(o);
	if (r->u.readdir.offset == 0)
		tn_nameset_clear(&o->fid->given);
	o->step = mounts ? NEXT_MOUNT : READ;
	o->serial = r->u.readdir.offset & ~MOUNTS;
	o->read_at = r->u.readdir.offset;
	return list(o);
}
