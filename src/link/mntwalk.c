/*
 * Attach and walk through mnt: how Chans come to be fids of the peer.
 */
#include "link/client.h"

/* ---- attach ---- */

static void fill_attach(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;
	const struct tn_chan *auth = r->u.attach.auth;

	m->afid = auth && auth->server->ops == r->server->ops && auth->aux.p
		      ? tn_mfid_of(auth)->number
		      : TN_NOFID;
	m->uname = r->u.attach.uname;
	m->aname = r->u.attach.aname;
	m->n_uname = r->u.attach.n_uname;
}

static const char *attached(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_chan *c = op->r->u.attach.newchan;
	struct tn_mfid *f = op->newfid;

	op->newfid = NULL;
	f->generation = op->client->generation;
	op->root->shown = op->root->path = m->qid.path;
	op->root->type = m->qid.type;
	tn_mfid_bind(op->client, f, op->root, NULL);
	c->qid = f->qid = tn_op_qid(op, f, NULL, m->qid);
	c->aux.p = f;
	tn_op_done(op);
	return NULL;
}

/* .L's number says of an attach only that there is nothing of that name. */
static void attach_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->type == TN_RLERROR && tn_client_err(rpc->op->client, m) == TN_ENOENT)
		tn_op_fail(rpc->op, TN_EBADATTACH);
	else
		tn_op_refused(rpc->op, m);
}

static void fid_made_late(struct tn_client *client, const struct tn_rpc *rpc,
    const struct tn_msg *m)
{
	(void)m;
	rpc->fid->generation = client->generation;
}

static const struct tn_step attach_step = { .type = TN_TATTACH,
	.fill = fill_attach,
	.answer = attached,
	.refused = attach_refused,
	.late = fid_made_late };

void tn_mnt_attach(struct tn_op *op)
{
	const struct tn_req *r = op->r;
	enum tn_err err;

	op->root = tn_root_new(r->u.attach.uname, r->u.attach.aname, r->u.attach.n_uname);
	if (!op->root) {
		tn_op_fail(op, TN_ENOMEM);
		return;
	}
	op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	tn_op_send(op, &attach_step, op->newfid, NULL);
}

/* ---- walk ---- */

static void fill_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->nwname = rpc->n;
	memcpy(m->wname, r->u.walk.names + rpc->first, rpc->n * sizeof(m->wname[0]));
}

/* The names of the files on the way, as hashes: [0] is where the walk begins. ".." needs those behind. */
static void hash_walk(struct tn_op *op, uint64_t *hashes, uint16_t n)
{
	const struct tn_elem *base = op->fid->name;
	uint64_t stack[TN_WNAME_MAX + 1];
	uint16_t depth = 0;

	stack[0] = tn_elem_hash(op->client, base);
	for (uint16_t i = 0; i < n; i++) {
		struct tn_str name = op->r->u.walk.names[i];

		if (!tn_is_dotdot(name)) {
			stack[depth + 1] = tn_name_hash(stack[depth], name);
			depth++;
		} else if (depth > 0) {
			depth--;
		} else {
			base = base ? base->up : NULL;
			stack[0] = tn_elem_hash(op->client, base);
		}
		hashes[i] = stack[depth];
	}
}

static void take_qids(struct tn_op *op, const struct tn_msg *m, uint16_t first)
{
	uint64_t hashes[TN_WNAME_MAX];
	uint16_t n = (uint16_t)(first + m->nwqid);

	if (op->client->qids_by_name)
		hash_walk(op, hashes, n);
	else
		memset(hashes, 0, sizeof(hashes));
	for (uint16_t i = first; i < n; i++)
		op->r->u.walk.qids[i] = tn_mfid_qid(op->client, op->fid->root, hashes[i],
		    m->wqid[i - first]);
}

/* What was reached becomes newchan, if it is all that was asked for. */
static void end_walk(struct tn_op *op)
{
	struct tn_req *r = op->r;
	struct tn_chan *c = r->u.walk.newchan;
	struct tn_mfid *f = op->newfid;
	uint16_t n = op->n_done;

	r->u.walk.n_walked = n;
	if (n == 0 && r->u.walk.n_names > 0) {
		tn_op_fail(op, TN_ENOENT);
		return;
	}
	if (n == r->u.walk.n_names) {
		op->newfid = NULL;
		tn_mfid_bind(op->client, f, op->fid->root, op->name);
		op->name = NULL;
		f->qid = n > 0 ? r->u.walk.qids[n - 1] : op->fid->qid;
		c->qid = f->qid;
		c->aux.p = f;
	}
	tn_op_done(op);
}

static void walk_on(struct tn_op *op);

static const char *walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->nwqid > rpc->n)
		return "more qids than names were walked";
	take_qids(op, m, rpc->first);
	op->n_done = (uint16_t)(op->n_done + m->nwqid);
	if (m->nwqid == rpc->n)
		op->newfid->generation = op->client->generation;
	if (m->nwqid < rpc->n || op->n_done == op->n_good)
		end_walk(op);
	else
		walk_on(op);
	return NULL;
}

static void walk_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (rpc->op->n_done == 0)
		tn_op_refused(rpc->op, m);
	else
		end_walk(rpc->op);
}

static void walked_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == rpc->n)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step walk_step = { .type = TN_TWALK,
	.fill = fill_walk,
	.answer = walked,
	.refused = walk_refused,
	.late = walked_late };

/* All names in one message, unless the msize is too small for them. */
static void walk_on(struct tn_op *op)
{
	const struct tn_str *names = op->r->u.walk.names;
	size_t len = TN_HDR_SIZE + 10;
	struct tn_mfid *from = op->n_done == 0 ? op->fid : op->newfid;
	struct tn_rpc *rpc;
	enum tn_err err;
	uint16_t i;

	for (i = op->n_done; i < op->n_good; i++) {
		len += 2u + names[i].len;
		if (len > op->client->msize && i > op->n_done)
			break;
	}
	rpc = tn_rpc_new(op->client, op, &walk_step, from, op->newfid, &err);
	if (rpc) {
		rpc->first = op->n_done;
		rpc->n = (uint16_t)(i - op->n_done);
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

/* The name below the attach that the walk leads to. false: no memory. */
static bool name_walk(struct tn_op *op)
{
	struct tn_elem *at = tn_elem_get(op->fid->name);

	for (uint16_t i = 0; i < op->n_good; i++) {
		struct tn_str name = op->r->u.walk.names[i];
		struct tn_elem *next;

		if (tn_is_dotdot(name)) {
			next = at ? tn_elem_get(at->up) : NULL;
		} else {
			next = tn_elem_add(op->client, at, name);
			if (!next) {
				tn_elem_put(op->client, at);
				return false;
			}
		}
		tn_elem_put(op->client, at);
		at = next;
	}
	op->name = at;
	return true;
}

void tn_mnt_walk(struct tn_op *op)
{
	enum tn_err err = TN_ENOMEM;

	/* What is no name is not shown to the peer: the walk ends before it. */
	while (op->n_good < op->r->u.walk.n_names && tn_is_name(op->r->u.walk.names[op->n_good]))
		op->n_good++;
	if (name_walk(op))
		op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	walk_on(op);
}

/* ---- the file that a rename is about ---- */

static void fill_find(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->nwname = 1;
	m->wname[0] = rpc->op->r->u.rename.name;
}

static const char *found(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	void (*then)(struct tn_op *) = op->then;

	if (m->nwqid > 1)
		return "more qids than names were walked";
	if (m->nwqid == 0) {
		tn_op_fail(op, TN_ENOENT);
		return NULL;
	}
	op->newfid->generation = op->client->generation;
	op->then = NULL;
	then(op);
	return NULL;
}

void tn_mnt_newfid_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == 1)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step find_step = { .type = TN_TWALK,
	.fill = fill_find,
	.answer = found,
	.late = tn_mnt_newfid_late };

void tn_op_find(struct tn_op *op, void (*then)(struct tn_op *op))
{
	enum tn_err err;

	op->newfid = tn_mfid_new(op->client, &err);
	op->then = then;
	if (op->newfid)
		tn_op_send(op, &find_step, op->fid, op->newfid);
	else
		tn_op_fail(op, err);
}
