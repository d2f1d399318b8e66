/*
 * What the requests of a view have in common: numbers of files, fids and ops, names and mount points, and passing on.
 */
#include "core/mem.h"
#include "core/union.h"
#include "core/view_in.h"

enum { SPARE_MAX = 32 };

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

struct tn_qid tn_view_unique(const struct view *v, struct tn_chan *c)
{
	c = tn_chan_behind(c);
	return tn_view_qid(v, c->server, c->qid);
}

/* ---- fids and ops ---- */

struct fid *tn_view_fid_new(struct view *v)
{
	struct fid *f = v->fids;

	if (!f)
		return tn_alloc(sizeof(*f));
	v->fids = f->next;
	v->n_fids--;
	memset(f, 0, sizeof(*f));
	return f;
}

void tn_view_fid_free(struct view *v, struct fid *f)
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

struct op *tn_view_op_new(struct view *v, struct tn_req *r)
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
	o->fid = r->chan ? tn_view_fid(r->chan) : NULL;
	r->keeper = o;
	return o;
}

void tn_view_op_free(struct op *o)
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

/* The op goes on after a wait. */
void tn_view_resume(struct op *o)
{
	struct tn_req *outer = o->outer;

	if (!o->answered && o->then(o) == TN_LATER)
		return;
	tn_view_op_free(o);
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
	n->user = tn_view_asker(o);
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
		return tn_view_refuse(o, TN_EINTR);
	o->then = then;
	return tn_name_start(&o->name);
}

enum tn_status tn_view_look_up(struct op *o, enum tn_status (*then)(struct op *o))
{
	if (tn_view_resolve(o, then) == TN_LATER)
		return TN_LATER;
	return o->outer->err == TN_OK ? then(o) : TN_DONE;
}

/* The error of the resolution becomes outer's. */
enum tn_status tn_view_refuse_as_name(struct op *o)
{
	tn_fail(o->outer, o->name.err);
	o->outer->words = o->name.words;
	o->name.words = NULL;
	return TN_DONE;
}

/* ---- what is mounted ---- */

bool tn_view_is_mount(const struct op *o, const struct tn_chan *c)
{
	struct tn_members *list = tn_ns_find(o->v->proc->ns, c, NULL);

	tn_members_put(list);
	return list != NULL;
}

/* What the fid shows now: what was opened, or what is mounted there, or its file. Counted. */
struct tn_chan *tn_view_shown(const struct op *o, const struct fid *f)
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

/* Where in the directory of f files are made: namespace-semantics.md 7. Counted; NULL: *err. */
struct tn_chan *tn_view_maker(const struct op *o, const struct fid *f, enum tn_err *err)
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

/* To o->held, and held2. */
enum tn_status tn_view_pass(struct op *o)
{
	struct tn_pass *p = &o->pass;
	enum tn_status status;

	if (tn_req_flushed(o->outer))
		return tn_view_refuse(o, TN_EINTR);
	p->done = pass_done;
	p->kept = o->kept;
	p->user = tn_view_asker(o);
	status = tn_pass_on(p, o->outer, o->held, o->held2);
	o->kept = p->kept;
	if (status == TN_DONE)
		fix_answer(o);
	return status;
}
