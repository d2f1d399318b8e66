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
#include "core/view_in.h"

enum { DEPTH_MAX = 32, SPARE_MAX = 32 };

static const struct tn_ops view_ops;

static struct view *view_of(const struct tn_server *s)
{
	return (struct view *)(uintptr_t)s;
}

static struct fid *fid_of(const struct tn_chan *c)
{
	return c->aux.p;
}

static void set_chan(struct tn_chan **at, struct tn_chan *c)
{
	struct tn_chan *old = *at;

	*at = c;
	tn_chan_put(old);
}

/* ---- numbers ---- */

#define PATH_BITS     40
#define INSTANCE_BITS 23

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of two words: nobody who does not know the key can choose files that meet. */
static uint64_t sip(const uint64_t key[2], uint64_t a, uint64_t b)
{
	uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t words[] = { a, b, UINT64_C(16) << 56 };

	for (size_t i = 0; i < TN_COUNT(words); i++) {
		v[3] ^= words[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Small numbers go in as they are, so that they cannot meet; the others have the high bit, and are hashed. */
struct tn_qid tn_view_qid(const struct view *v, const struct tn_server *s, struct tn_qid qid)
{
	struct tn_node *node = v->proc->node;

	if (s->instance >> INSTANCE_BITS == 0 && qid.path >> PATH_BITS == 0) {
		qid.path |= s->instance << PATH_BITS;
		return qid;
	}
	if (node->view_key[0] == 0 && node->view_key[1] == 0)
		tn_random(node->view_key, sizeof(node->view_key));
	qid.path = sip(node->view_key, s->instance, qid.path) | UINT64_C(1) << 63;
	return qid;
}

static struct tn_qid unique_of(const struct view *v, struct tn_chan *c)
{
	c = tn_chan_behind(c);
	return tn_view_qid(v, c->server, c->qid);
}

/* ---- fids and ops ---- */

static struct fid *fid_new(struct view *v)
{
	struct fid *f = v->fids;

	if (!f)
		return tn_alloc(sizeof(*f));
	v->fids = f->next;
	v->n_fids--;
	memset(f, 0, sizeof(*f));
	return f;
}

static void fid_free(struct view *v, struct fid *f)
{
	tn_chan_put(f->at);
	tn_chan_put(f->open);
	tn_chan_put(f->root);
	tn_chan_put(f->link);
	tn_nameset_clear(&f->given);
	if (v->n_fids >= SPARE_MAX) {
		tn_free(f);
		return;
	}
	f->next = v->fids;
	v->fids = f;
	v->n_fids++;
}

static struct op *op_new(struct view *v, struct tn_req *r)
{
	struct op *o = v->ops;

	if (o) {
		v->ops = o->next;
		v->n_ops--;
		memset(o, 0, offsetof(struct op, name));
	} else {
		o = tn_alloc(sizeof(*o));
	}
	if (!o)
		return NULL;
	o->v = v;
	o->outer = r;
	o->fid = r->chan ? fid_of(r->chan) : NULL;
	r->keeper = o;
	return o;
}

static void op_free(struct op *o)
{
	struct view *v = o->v;

	if (o->by_name)
		tn_name_fini(&o->name);
	tn_chan_put(o->held);
	tn_chan_put(o->held2);
	tn_chan_put(o->asked);
	tn_req_reset(&o->pass.req);
	tn_free((void *)(uintptr_t)o->link.s);
	if (v->n_ops >= SPARE_MAX) {
		tn_free(o);
		return;
	}
	o->next = v->ops;
	v->ops = o;
	v->n_ops++;
}

static enum tn_status refuse(struct op *o, enum tn_err err)
{
	return tn_fail(o->outer, err);
}

/* The op goes on after a wait. */
void tn_view_resume(struct op *o)
{
	struct tn_req *outer = o->outer;

	if (!o->answered && o->then(o) == TN_LATER)
		return;
	op_free(o);
	tn_respond(outer);
}

/* ---- names ---- */

static void name_done(struct tn_name *n)
{
	tn_view_resume(n->arg);
}

/* The names that the op looks for: they are outer's, and move when that one is kept. */
static void point_at_names(struct op *o)
{
	struct tn_req *r = o->outer;

	switch (r->type) {
	case TN_ATTACH: o->name.name = r->u.attach.aname; break;
	case TN_WALK:
		o->name.elems = r->u.walk.names;
		o->name.n_elems = r->u.walk.n_names;
		break;
	case TN_CREATE:
	case TN_SYMLINK:
	case TN_MKNOD:
		o->name.elems = &r->u.create.name;
		o->name.n_elems = 1;
		break;
	case TN_RENAME:
	case TN_LINK:
		o->name.elems = o->held ? &r->u.rename.newname : &r->u.rename.name;
		o->name.n_elems = 1;
		break;
	default: break;
	}
}

static bool name_keep(struct tn_name *n)
{
	struct op *o = n->arg;

	if (!o->kept && !tn_keep(o->outer))
		return false;
	o->kept = true;
	point_at_names(o);
	return true;
}

/* Prepares the resolution of outer's names from `from`. */
struct tn_name *tn_view_name(struct op *o, struct tn_chan *from, enum tn_name_for want)
{
	struct tn_name *n = &o->name;

	if (o->by_name)
		tn_name_fini(n);
	memset(n, 0, sizeof(*n));
	o->by_name = true;
	n->proc = o->v->proc;
	n->from = from;
	n->root = o->fid ? o->fid->root : o->v->root;
	n->root_depth = n->root->path->depth;
	n->follow = o->v->options.follow && !(o->outer->flags & TN_OF_NOFOLLOW);
	n->want = want;
	n->flags = TN_OF_NOFOLLOW;
	n->deadline_ns = o->outer->deadline_ns;
	n->pid = o->outer->pid;
	n->done = name_done;
	n->keep = name_keep;
	n->arg = o;
	point_at_names(o);
	return n;
}

enum tn_status tn_view_resolve(struct op *o, enum tn_status (*then)(struct op *o))
{
	if (tn_req_flushed(o->outer))
		return refuse(o, TN_EINTR);
	o->then = then;
	return tn_name_start(&o->name);
}

static enum tn_status resolve(struct op *o, enum tn_status (*then)(struct op *o))
{
	if (tn_view_resolve(o, then) == TN_LATER)
		return TN_LATER;
	return o->outer->err == TN_OK ? then(o) : TN_DONE;
}

/* The error of the resolution becomes outer's. */
static enum tn_status refuse_as_name(struct op *o)
{
	tn_fail(o->outer, o->name.err);
	o->outer->words = o->name.words;
	o->name.words = NULL;
	return TN_DONE;
}

static struct tn_chan *take_chan(struct tn_name *n)
{
	struct tn_chan *c = n->chan;

	n->chan = NULL;
	return c;
}

/* ---- what is mounted ---- */

static bool is_mount(const struct op *o, const struct tn_chan *c)
{
	struct tn_members *list = tn_ns_find(o->v->proc->ns, c, NULL);

	tn_members_put(list);
	return list != NULL;
}

/* What the fid shows now: what was opened, or what is mounted there, or its file. Counted. */
static struct tn_chan *shown(const struct op *o, const struct fid *f)
{
	struct tn_members *list;
	struct tn_chan *c;

	if (f->open)
		return tn_chan_get(f->open);
	list = tn_ns_find(o->v->proc->ns, f->at, NULL);
	c = tn_chan_get(list ? list->m[0].to : f->at);
	tn_members_put(list);
	return c;
}

static bool is_root(const struct fid *f)
{
	return f->at->path->depth <= f->root->path->depth;
}

/* Where in the directory of f files are made: namespace-semantics.md 7. Counted; NULL: *err. */
static struct tn_chan *maker(const struct op *o, const struct fid *f, enum tn_err *err)
{
	struct tn_members *list = tn_ns_find(o->v->proc->ns, f->at, NULL);
	struct tn_chan *c = list ? NULL : tn_chan_get(f->at);

	for (uint32_t i = 0; list && i < list->n && !c; i++) {
		if (list->m[i].flags & TN_CREATE_HERE)
			c = tn_chan_get(list->m[i].to);
	}
	tn_members_put(list);
	*err = c ? TN_OK : TN_ENOCREATE;
	return c;
}

/* ---- passing on ---- */

/* What was made has a number of the server's. */
static void fix_answer(struct op *o)
{
	struct tn_req *r = o->outer;

	if ((r->type == TN_SYMLINK || r->type == TN_MKNOD) && r->err == TN_OK)
		r->u.create.qid = tn_view_qid(o->v, o->held->server, r->u.create.qid);
}

static void pass_done(struct tn_pass *p)
{
	struct op *o = tn_view_op_of(p);

	fix_answer(o);
	o->then = o->passed;
	o->answered = !o->passed;
	tn_view_resume(o);
}

/* To o->held, and held2. The view acts for whoever made it. */
enum tn_status tn_view_pass(struct op *o)
{
	struct tn_pass *p = &o->pass;
	enum tn_status status;

	if (tn_req_flushed(o->outer))
		return refuse(o, TN_EINTR);
	p->done = pass_done;
	p->kept = o->kept;
	p->user = o->v->proc->user;
	status = tn_pass_on(p, o->outer, o->held, o->held2);
	o->kept = p->kept;
	if (status == TN_DONE)
		fix_answer(o);
	return status;
}

/* ---- attach, walk ---- */

static uint8_t depth_of(const struct tn_chan *c)
{
	return c->server->ops == &view_ops ? fid_of(c)->depth : 0;
}

/*
 * newchan stands for what the name led to; root: of its attach, NULL: itself. Without memory, or too deep, outer has
 * failed.
 */
static struct fid *set_fid(struct op *o, struct tn_chan *newchan, struct tn_chan *root)
{
	struct fid *f;

	if (depth_of(o->name.chan) == DEPTH_MAX) {
		refuse(o, TN_ELIMIT_DEPTH);
		return NULL;
	}
	f = fid_new(o->v);
	if (!f) {
		refuse(o, TN_ENOMEM);
		return NULL;
	}
	f->depth = (uint8_t)(depth_of(o->name.chan) + 1);
	f->at = take_chan(&o->name);
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
		return refuse(o, TN_EBADATTACH);
	if (err != TN_OK)
		return refuse_as_name(o);
	f = set_fid(o, newchan, NULL);
	if (!f)
		return TN_DONE;
	c = shown(o, f);
	newchan->qid = unique_of(o->v, c);
	tn_chan_put(c);
	return TN_DONE;
}

static enum tn_status do_attach(struct op *o)
{
	tn_view_name(o, o->v->root, TN_FOR_TARGET);
	return resolve(o, attached);
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
		return r->u.walk.n_walked > 0 ? TN_DONE : refuse_as_name(o);
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
	return resolve(o, walked);
}

/* ---- open, create ---- */

static enum tn_status opened(struct op *o)
{
	struct tn_req *r = o->outer;

	if (o->name.err != TN_OK)
		return refuse_as_name(o);
	if (r->type == TN_CREATE) {
		set_chan(&o->fid->at, tn_chan_get(o->name.chan));
		r->u.create.iounit = o->name.iounit;
	} else {
		r->u.open.iounit = o->name.iounit;
	}
	o->fid->open = take_chan(&o->name);
	r->chan->qid = unique_of(o->v, o->fid->open);
	return TN_DONE;
}

static enum tn_status do_open(struct op *o)
{
	uint32_t flags = o->outer->flags, access = flags & TN_OF_ACCESS;
	bool changes = access == TN_OWRITE || access == TN_ORDWR ||
		       (flags & (TN_OF_TRUNC | TN_OF_RCLOSE));

	if (o->fid->open)
		return refuse(o, TN_EISOPEN);
	if (changes && o->v->options.read_only)
		return refuse(o, TN_EROFS);
	tn_view_name(o, o->fid->at, TN_FOR_OPEN)->flags |= flags;
	o->name.wrap_listing = o->v->options.no_duplicates || o->v->options.show_mounts;
	return resolve(o, opened);
}

static enum tn_status do_create(struct op *o)
{
	struct tn_req *r = o->outer;
	struct tn_name *n;

	if (o->fid->open)
		return refuse(o, TN_EISOPEN);
	n = tn_view_name(o, o->fid->at, TN_FOR_CREATE);
	n->flags |= r->flags | TN_OF_EXCL;
	n->perm = r->u.create.perm;
	n->has_gid = r->u.create.gid != TN_NONUNAME;
	n->gid = r->u.create.gid;
	return resolve(o, opened);
}

/* ---- open files ---- */

static enum tn_status do_io(struct op *o)
{
	if (!o->fid->open)
		return refuse(o, TN_ENOTOPEN);
	o->held = tn_chan_get(o->fid->open);
	return tn_view_pass(o);
}

/* ---- what needs no open file ---- */

static enum tn_status do_shown(struct op *o)
{
	o->held = shown(o, o->fid);
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
	else if (is_root(o->fid))
		shown_st.name = TN_STR("/");
	else if (!tn_chan_same(behind, o->fid->at))
		shown_st.name = tn_path_last(o->fid->at->path);
	shown_st.valid |= TN_ST_NAME;
	o->outer->owner->stat(o->outer, &shown_st);
}

static enum tn_status do_stat(struct op *o)
{
	o->pass.stat = view_stat;
	return do_shown(o);
}

static enum tn_status do_wstat(struct op *o)
{
	const struct tn_stat *st = o->outer->u.wstat.st;

	if (st->valid == 0)
		return do_shown(o);
	if (o->v->options.read_only)
		return refuse(o, TN_EROFS);
	if (!(st->valid & TN_ST_NAME))
		return do_shown(o);
	if (is_root(o->fid) && !o->fid->link)
		return refuse(o, TN_EACCES);
	if (is_mount(o, o->fid->link ? o->fid->link : o->fid->at))
		return refuse(o, TN_EISMOUNT);
	if (!o->fid->link)
		return do_shown(o);
	if (st->valid != TN_ST_NAME)
		return refuse(o,
		    TN_ENOTSUP); /* the name is the link's, the rest is not: one or the other */
	o->held = tn_chan_get(o->fid->link);
	return tn_view_pass(o);
}

static enum tn_status removing(struct op *o)
{
	if (o->name.err != TN_OK)
		return refuse_as_name(o);
	o->held = take_chan(&o->name);
	return tn_view_pass(o);
}

static enum tn_status do_remove(struct op *o)
{
	struct fid *f = o->fid;

	if (is_root(f) && !f->link)
		return refuse(o, TN_EACCES);
	if (f->at != f->open) {
		tn_view_name(o, f->link ? f->link : f->at, TN_FOR_REMOVE);
		return resolve(o, removing);
	}
	/* It was created here: there is no other Chan of it. */
	if (is_mount(o, f->at))
		return refuse(o, TN_EISMOUNT);
	o->held = tn_chan_get(f->open);
	return tn_view_pass(o);
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
	fid_free(o->v, o->fid);
	if (!open)
		return TN_DONE;
	tn_req_init(r, TN_CLUNK, open, &clunk_owner);
	r->deadline_ns = o->outer->deadline_ns;
	if (tn_chan_close(r) == TN_LATER)
		return TN_LATER;
	tn_req_take_error(o->outer, r);
	return TN_DONE;
}

/* ---- two directories ---- */

static bool is_name(struct tn_str name)
{
	return !(name.len == 2 && name.s[0] == '.' && name.s[1] == '.');
}

/* Both Chans are known; a server does it alone or not at all. */
static enum tn_status pass_both(struct op *o)
{
	if (o->held2 && o->held2->server != o->held->server)
		return refuse(o, TN_EXDEV);
	return tn_view_pass(o);
}

/* The new name was looked for: it goes to where it is, or to where files are made. */
static enum tn_status found_newname(struct op *o)
{
	struct fid *to = fid_of(o->outer->chan2);
	enum tn_err err = TN_OK;

	if (o->name.err == TN_OK && is_mount(o, o->name.chan))
		return refuse(o, TN_EISMOUNT);
	if (o->name.err == TN_OK && o->name.dir)
		o->held2 = tn_chan_get(o->name.dir);
	else if (tn_chan_same(to->at, o->fid->at))
		o->held2 = tn_chan_get(o->held);
	else
		o->held2 = maker(o, to, &err);
	return err == TN_OK ? pass_both(o) : refuse(o, err);
}

static enum tn_status found_name(struct op *o)
{
	struct fid *to = fid_of(o->outer->chan2);

	if (o->name.err != TN_OK)
		return refuse_as_name(o);
	if (is_mount(o, o->name.chan))
		return refuse(o, TN_EISMOUNT);
	o->held = o->name.dir;
	o->name.dir = NULL;
	tn_view_name(o, to->at, TN_FOR_TARGET);
	return resolve(o, found_newname);
}

static enum tn_status do_rename(struct op *o)
{
	struct tn_req *r = o->outer;

	if (!r->chan2 || r->chan2->server != r->server)
		return refuse(o, TN_EXDEV);
	if (!is_name(r->u.rename.name) || !is_name(r->u.rename.newname))
		return refuse(o, TN_EBADARG);
	tn_view_name(o, o->fid->at, TN_FOR_TARGET);
	return resolve(o, found_name);
}

static enum tn_status making(struct op *o)
{
	struct tn_req *r = o->outer;
	enum tn_err err;

	if (o->name.err == TN_OK)
		return refuse(o, TN_EEXIST);
	if (o->name.err != TN_ENOENT)
		return refuse_as_name(o);
	o->held = maker(o, o->fid, &err);
	if (!o->held)
		return refuse(o, err);
	if (r->type == TN_LINK)
		o->held2 = shown(o, fid_of(r->chan2));
	return pass_both(o);
}

/* A name in a directory, made by another request than create. */
static enum tn_status do_make(struct op *o)
{
	struct tn_req *r = o->outer;

	if (r->type == TN_LINK && (!r->chan2 || r->chan2->server != r->server))
		return refuse(o, TN_EXDEV);
	tn_view_name(o, o->fid->at, TN_FOR_TARGET);
	return resolve(o, making);
}

static enum tn_status do_copy(struct op *o)
{
	struct tn_req *r = o->outer;

	if (!r->chan2 || r->chan2->server != r->server || !fid_of(r->chan2)->open)
		return refuse(o, TN_EXDEV);
	if (!o->fid->open)
		return refuse(o, TN_ENOTOPEN);
	o->held = tn_chan_get(o->fid->open);
	o->held2 = tn_chan_get(fid_of(r->chan2)->open);
	return pass_both(o);
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
	[TN_REMOVE] = { do_remove, true },
	[TN_STAT] = { do_stat, false },
	[TN_WSTAT] = { do_wstat, false },
	[TN_RENAME] = { do_rename, true },
	[TN_LINK] = { do_make, true },
	[TN_SYMLINK] = { do_make, true },
	[TN_READLINK] = { do_shown, false },
	[TN_MKNOD] = { do_make, true },
	[TN_LOCK] = { do_io, false },
	[TN_GETLOCK] = { do_io, false },
	[TN_FSYNC] = { do_io, false },
	[TN_FALLOCATE] = { do_io, true },
	[TN_SEEKHOLE] = { do_io, false },
	[TN_COPYRANGE] = { do_copy, true },
	[TN_STATFS] = { do_shown, false },
	[TN_WATCH] = { do_shown, false },
};

/* No memory to serve r; but a clunk is the end of its fid all the same. */
static enum tn_status cannot(struct tn_req *r)
{
	if (r->type == TN_CLUNK && fid_of(r->chan))
		fid_free(view_of(r->server), fid_of(r->chan));
	return tn_fail(r, TN_ENOMEM);
}

static enum tn_status view_op(struct tn_req *r)
{
	struct view *v = view_of(r->server);
	enum tn_status status;
	struct op *o;

	if (serve[r->type].changes && v->options.read_only)
		return tn_fail(r, TN_EROFS);
	o = op_new(v, r);
	if (!o)
		return cannot(r);
	status = serve[r->type].serve(o);
	if (status == TN_DONE)
		op_free(o);
	return status;
}

static enum tn_status view_flush(struct tn_req *r)
{
	struct op *o = r->keeper;

	if (o->by_name)
		tn_name_flush(&o->name);
	tn_flush(&o->pass.req);
	return TN_DONE;
}

static void view_free(struct tn_server *s)
{
	struct view *v = view_of(s);

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
