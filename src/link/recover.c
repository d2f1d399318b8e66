/*
 * Walking by the names below an attach: how a Chan of a lost connection is found again, and how an op gets a fid of its
 * own of a file, whatever the fids that there are may be used for. Both begin at the attach's top, which is attached to
 * when it is first needed: a fid that no Chan has.
 */
#include "link/client.h"

void tn_op_release(struct tn_op *op)
{
	struct tn_mfid *f = op->busy;

	if (f) {
		op->busy = NULL;
		f->flags &= ~(uint32_t)(TN_MFID_WALKING | TN_MFID_LISTING);
		tn_op_wake_all(op->client, &f->waiting);
	}
	if (op->holds_root) {
		op->holds_root = false;
		op->lost->root->busy = false;
		tn_op_wake_all(op->client, &op->lost->root->waiting);
	}
}

static void fill_attach(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_root *root = rpc->op->lost->root;

	m->afid = TN_NOFID;
	m->uname = (struct tn_str){ root->text, root->uname_len };
	m->aname = (struct tn_str){ root->text + root->uname_len, root->aname_len };
	m->n_uname = root->n_uname;
}

static const char *attached(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_root *root = op->lost->root;
	struct tn_mfid *old = root->top;

	rpc->fid->generation = op->client->generation;
	if ((m->qid.type & TN_QTDIR) != (root->type & TN_QTDIR)) {
		tn_op_fail(op, TN_ESTALE);
		return NULL;
	}
	root->top = op->newfid;
	op->newfid = NULL;
	root->path = m->qid.path;
	tn_mfid_put(op->client, old);
	tn_op_release(op);
	tn_op_go(op);
	return NULL;
}

/* Who waits for the same attach gets the same answer. */
static void attach_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_client *client = rpc->op->client;
	struct tn_opq *waiting = &rpc->op->lost->root->waiting;
	struct tn_op *op;

	while ((op = waiting->first) != NULL)
		tn_op_wait(op, &client->doomed);
	tn_op_refused(rpc->op, m);
	while ((op = client->doomed.first) != NULL)
		tn_op_refused(op, m);
}

static void attached_late(struct tn_client *client, const struct tn_rpc *rpc,
    const struct tn_msg *m)
{
	(void)m;
	rpc->fid->generation = client->generation;
}

static const struct tn_step attach_again = { .type = TN_TATTACH,
	.fill = fill_attach,
	.answer = attached,
	.refused = attach_refused,
	.late = attached_late };

/* ---- walking by name, some names a message ---- */

/* Names [first, first + n) of f's name below the attach. */
static void fill_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_mfid *f = rpc->fid;

	m->fid = rpc->first == 0 ? rpc->newfid->number : f->number;
	m->newfid = f->number;
	m->nwname = rpc->n;
	for (struct tn_elem *e = f->name; e && e->depth > rpc->first; e = e->up) {
		if (e->depth <= rpc->first + rpc->n)
			m->wname[e->depth - 1 - rpc->first] = (struct tn_str){ e->name, e->len };
	}
}

static void walked_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == rpc->n)
		rpc->fid->generation = client->generation;
}

/* As many names of f from `first` on as one message takes. */
static uint16_t names_that_fit(const struct tn_client *client, const struct tn_mfid *f,
    uint16_t first)
{
	const struct tn_elem *e = f->name;
	size_t len = 0, room = client->msize - TN_HDR_SIZE - 10;
	uint32_t last = first + TN_WNAME_MAX;

	if (!e)
		return 0;
	if (last > e->depth)
		last = e->depth;
	for (; e && e->depth > first; e = e->up) {
		if (e->depth <= last)
			len += 2u + e->len;
	}
	for (e = f->name; e && e->depth > first + 1 && len > room; e = e->up) {
		if (e->depth > last)
			continue;
		len -= 2u + e->len;
		last--;
	}
	return (uint16_t)(last - first);
}

/* Walks f, which has its name and the attach that it is of, some names on from `first`, beginning at the attach. */
static void walk_by_name(struct tn_op *op, const struct tn_step *step, struct tn_mfid *f,
    uint16_t first)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, f, f->root->top, &err);

	if (rpc) {
		rpc->first = first;
		rpc->n = names_that_fit(op->client, f, first);
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

/* Walks on from an answer; when all names are, `there` is told what is there. */
static const char *walked_some(const struct tn_rpc *rpc, const struct tn_msg *m,
    void (*missing)(struct tn_op *op), void (*there)(struct tn_op *op, struct tn_qid qid))
{
	struct tn_client *client = rpc->op->client;
	struct tn_mfid *f = rpc->fid;
	uint32_t depth = f->name ? f->name->depth : 0, next = (uint32_t)rpc->first + rpc->n;

	if (m->nwqid > rpc->n)
		return "more qids than names were walked";
	if (m->nwqid < rpc->n) {
		missing(rpc->op);
		return NULL;
	}
	f->generation = client->generation;
	if (next < depth)
		walk_by_name(rpc->op, rpc->step, f, (uint16_t)next);
	else if (depth == 0)
		there(rpc->op, f->qid);
	else
		there(rpc->op, tn_mfid_qid(client, f->root, f->name->hash, m->wqid[rpc->n - 1]));
	return NULL;
}

/* ---- a Chan of a lost connection ---- */

static void gone(struct tn_op *op)
{
	tn_op_fail(op, TN_ESTALE);
}

static void found_again(struct tn_op *op, struct tn_qid qid)
{
	struct tn_mfid *f = op->lost;

	if (qid.path != f->qid.path || qid.type != f->qid.type) {
		gone(op);
		return;
	}
	f->flags &= ~(uint32_t)TN_MFID_STALE;
	tn_op_release(op);
	tn_op_go(op);
}

static const char *walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	/* Until it is known to be the same file it is stale: then its clunk is all that may be sent. */
	if (m->nwqid == rpc->n)
		rpc->fid->flags |= TN_MFID_STALE;
	return walked_some(rpc, m, gone, found_again);
}

/* That the name is gone means: the file that the Chan stood for is. */
static void walk_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	enum tn_err err = tn_client_err(rpc->op->client, m);

	if (err == TN_ENOENT || err == TN_ENOTDIR)
		tn_op_fail(rpc->op, TN_ESTALE);
	else
		tn_op_refused(rpc->op, m);
}

static const struct tn_step walk_again = {
	.type = TN_TWALK,
	.unsure = true,
	.fill = fill_walk,
	.answer = walked,
	.refused = walk_refused,
	.late = walked_late,
};

static void attach_first(struct tn_op *op)
{
	struct tn_root *root = op->lost->root;
	enum tn_err err;

	if (root->busy) {
		tn_op_wait(op, &root->waiting);
		return;
	}
	op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	op->holds_root = root->busy = true;
	tn_op_send(op, &attach_again, op->newfid, NULL);
}

static bool has_top(const struct tn_client *client, const struct tn_root *root)
{
	return root->top && tn_mfid_live(client, root->top);
}

void tn_mfid_recover(struct tn_op *op)
{
	struct tn_mfid *f = op->lost;

	if (!has_top(op->client, f->root)) {
		attach_first(op);
		return;
	}
	op->busy = f;
	f->flags |= TN_MFID_WALKING;
	walk_by_name(op, &walk_again, f, 0);
}

bool tn_op_has_top(struct tn_op *op)
{
	if (has_top(op->client, op->fid->root))
		return true;
	op->lost = op->fid;
	attach_first(op);
	return false;
}

/* ---- a fid of the op's own ---- */

static void go_on(struct tn_op *op)
{
	void (*then)(struct tn_op *) = op->then;

	op->then = NULL;
	then(op);
}

/* The file is not there any more. */
static void not_found(struct tn_op *op)
{
	void (*otherwise)(struct tn_op *) = op->otherwise;
	struct tn_mfid *f = op->newfid;

	if (!otherwise) {
		gone(op);
		return;
	}
	op->otherwise = NULL;
	op->newfid = NULL;
	tn_mfid_put(op->client, f);
	otherwise(op);
}

static void seek_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (rpc->op->otherwise)
		not_found(rpc->op);
	else
		walk_refused(rpc, m);
}

static void arrived(struct tn_op *op, struct tn_qid qid)
{
	op->newfid->qid = qid;
	go_on(op);
}

static const char *sought(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	return walked_some(rpc, m, not_found, arrived);
}

static const struct tn_step seek_step = {
	.type = TN_TWALK,
	.fill = fill_walk,
	.answer = sought,
	.refused = seek_refused,
	.late = walked_late,
};

void tn_op_seek(struct tn_op *op, struct tn_elem *name, void (*then)(struct tn_op *op))
{
	enum tn_err err;

	if (!tn_op_has_top(op))
		return;
	op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	op->then = then;
	tn_mfid_bind(op->client, op->newfid, op->fid->root, tn_elem_get(name));
	walk_by_name(op, &seek_step, op->newfid, 0);
}

/* What is there under the name now must be the same file. */
static void twin_found(struct tn_op *op)
{
	const struct tn_qid *a = &op->newfid->qid, *b = &op->fid->qid;

	if (op->fid->name && (a->path != b->path || a->type != b->type))
		tn_op_fail(op, TN_ESTALE);
	else
		op->after(op);
}

static void fill_twin(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	m->nwname = 0;
}

static const char *twinned(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid > 0)
		return "more qids than names were walked";
	rpc->newfid->generation = rpc->op->client->generation;
	go_on(rpc->op);
	return NULL;
}

static void twinned_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == 0)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step twin_step = {
	.type = TN_TWALK,
	.fill = fill_twin,
	.answer = twinned,
	.late = twinned_late,
};

void tn_op_twin(struct tn_op *op, void (*then)(struct tn_op *op))
{
	enum tn_err err;

	if (op->fid->flags & TN_MFID_OPEN) {
		op->after = then;
		tn_op_seek(op, op->fid->name, twin_found);
		return;
	}
	op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	op->then = then;
	tn_op_send(op, &twin_step, op->fid, op->newfid);
}
