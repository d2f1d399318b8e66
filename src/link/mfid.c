/*
 * What mnt knows of files at the peer: fids, the names below the attach by which they were reached, and how a Chan of
 * a lost connection is found again. A fid's number is its struct's for good; whether the peer knows it is told by the
 * generation of the connection. Numbers are dense: a peer may keep them in an array.
 */
#include "link/client.h"

enum {
	ELEM_SIZE = 64, /* bytes of an element that comes from the free list and returns to it */
	ELEMS_SPARE_MAX = 1024
};

/* ---- names ---- */

/* FNV-1a, and a stir so that short names differ in all bits. */
uint64_t tn_name_hash(uint64_t up, struct tn_str name)
{
	uint64_t h = up ^ 0xcbf29ce484222325u;

	for (uint32_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

uint64_t tn_elem_hash(const struct tn_client *client, const struct tn_elem *e)
{
	return e ? e->hash : client->seed;
}

static size_t elem_size(size_t len)
{
	size_t size = sizeof(struct tn_elem) + len;

	return size < ELEM_SIZE ? ELEM_SIZE : size;
}

struct tn_elem *tn_elem_add(struct tn_client *client, struct tn_elem *up, struct tn_str name)
{
	struct tn_elem *e = NULL;
	size_t size = elem_size(name.len);

	if (name.len > UINT16_MAX || (up && up->depth == UINT16_MAX))
		return NULL;
	if (size == ELEM_SIZE && client->free_elems) {
		e = client->free_elems;
		client->free_elems = e->up;
		client->n_free_elems--;
	} else {
		e = tn_alloc(size);
	}
	if (!e)
		return NULL;
	e->refs = 1;
	e->up = tn_elem_get(up);
	e->depth = (uint16_t)(up ? up->depth + 1 : 1);
	e->len = (uint16_t)name.len;
	e->hash = tn_name_hash(tn_elem_hash(client, up), name);
	memcpy(e->name, name.s, name.len);
	return e;
}

struct tn_elem *tn_elem_get(struct tn_elem *e)
{
	if (e)
		e->refs++;
	return e;
}

void tn_elem_put(struct tn_client *client, struct tn_elem *e)
{
	struct tn_elem *up;

	for (; e && --e->refs == 0; e = up) {
		up = e->up;
		if (elem_size(e->len) > ELEM_SIZE || client->n_free_elems >= ELEMS_SPARE_MAX) {
			tn_free(e);
			continue;
		}
		e->up = client->free_elems;
		client->free_elems = e;
		client->n_free_elems++;
	}
}

/* ---- attaches ---- */

struct tn_root *tn_root_new(struct tn_str uname, struct tn_str aname, uint32_t n_uname)
{
	struct tn_root *root;

	if (uname.len > UINT16_MAX || aname.len > UINT16_MAX)
		return NULL;
	root = tn_alloc(sizeof(*root) + uname.len + aname.len);
	if (!root)
		return NULL;
	root->refs = 1;
	root->n_uname = n_uname;
	root->uname_len = (uint16_t)uname.len;
	root->aname_len = (uint16_t)aname.len;
	if (uname.len > 0)
		memcpy(root->text, uname.s, uname.len);
	if (aname.len > 0)
		memcpy(root->text + uname.len, aname.s, aname.len);
	return root;
}

void tn_root_put(struct tn_client *client, struct tn_root *root)
{
	if (!root || --root->refs > 0)
		return;
	tn_mfid_put(client, root->top);
	tn_free(root);
}

/*
 * A server in memory that was started anew may give its root another number: that is the same root, so the two numbers
 * change places, and what the name space has mounted upon the root stays there.
 */
struct tn_qid tn_mfid_qid(const struct tn_client *client, const struct tn_root *root, uint64_t hash,
    struct tn_qid qid)
{
	if (client->qids_by_name)
		qid.path = hash;
	else if (qid.path == root->path)
		qid.path = root->shown;
	else if (qid.path == root->shown)
		qid.path = root->path;
	return qid;
}

/* ---- fids ---- */

static const struct tn_step clunk_step = { .type = TN_TCLUNK };

bool tn_mfid_live(const struct tn_client *client, const struct tn_mfid *f)
{
	return f->generation == client->generation;
}

static struct tn_mfid *more_fids(struct tn_client *client)
{
	struct tn_mfid *f = tn_alloc(sizeof(*f));

	if (f)
		f->number = client->n_fids++;
	return f;
}

struct tn_mfid *tn_mfid_new(struct tn_client *client, enum tn_err *err)
{
	struct tn_mfid *f = client->free_fids;

	*err = TN_ELIMIT_FIDS;
	if (client->fids_used >= client->fids_max)
		return NULL;
	*err = TN_ENOMEM;
	if (f)
		client->free_fids = f->next;
	else
		f = more_fids(client);
	if (!f)
		return NULL;
	f->next = NULL;
	f->refs = 1;
	f->dir.peer_off = UINT64_MAX;
	client->fids_used++;
	return f;
}

struct tn_mfid *tn_mfid_get(struct tn_mfid *f)
{
	f->refs++;
	return f;
}

/* Nobody has it, the peer does not know it: the struct and its number are spare. */
static void recycle(struct tn_client *client, struct tn_mfid *f)
{
	struct tn_root *root = f->root;
	struct tn_elem *name = f->name;
	uint32_t number = f->number;

	tn_mnt_dir_free(f);
	memset(f, 0, sizeof(*f));
	f->number = number;
	f->next = client->free_fids;
	client->free_fids = f;
	client->fids_used--;
	tn_elem_put(client, name);
	tn_root_put(client, root);
}

/* The rpc's reference is the last: the answer to the clunk, or the end of the connection, recycles the fid. */
static bool clunk(struct tn_client *client, struct tn_mfid *f)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(client, NULL, &clunk_step, f, NULL, &err);

	if (!rpc)
		return false;
	f->generation = 0;
	tn_rpc_send(client, rpc, &err); /* it fits whenever a buffer is empty */
	return true;
}

void tn_mfid_put(struct tn_client *client, struct tn_mfid *f)
{
	if (!f || --f->refs > 0)
		return;
	if (!tn_mfid_live(client, f)) {
		recycle(client, f);
	} else if (!clunk(client, f)) {
		f->next = client->unclunked;
		client->unclunked = f;
	}
}

void tn_mfids_clunk(struct tn_client *client)
{
	struct tn_mfid *f;

	while ((f = client->unclunked) != NULL) {
		client->unclunked = f->next;
		f->next = NULL;
		f->refs = 1;
		tn_mfid_put(client, f);
		if (client->unclunked == f)
			return; /* no tag yet */
	}
}

void tn_mfid_bind(struct tn_client *client, struct tn_mfid *f, struct tn_root *root,
    struct tn_elem *name)
{
	struct tn_elem *old = f->name;

	if (!f->root) {
		f->root = root;
		root->refs++;
	}
	f->name = name;
	tn_elem_put(client, old);
}

void tn_mfids_free(struct tn_client *client)
{
	struct tn_mfid *f;
	struct tn_elem *e;

	while ((f = client->free_fids) != NULL) {
		client->free_fids = f->next;
		tn_free(f);
	}
	client->n_fids = 0;
	while ((e = client->free_elems) != NULL) {
		client->free_elems = e->up;
		tn_free(e);
	}
	client->n_free_elems = 0;
}

/* ---- after a new connection ---- */

void tn_op_release(struct tn_op *op)
{
	struct tn_mfid *f = op->fid;

	if (op->holds_fid) {
		op->holds_fid = false;
		f->flags &= ~(uint32_t)(TN_MFID_WALKING | TN_MFID_LISTING);
		tn_op_wake_all(op->client, &f->waiting);
	}
	if (op->holds_root) {
		op->holds_root = false;
		f->root->busy = false;
		tn_op_wake_all(op->client, &f->root->waiting);
	}
}

static void fill_attach(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_root *root = rpc->op->fid->root;

	m->afid = TN_NOFID;
	m->uname = (struct tn_str){ root->text, root->uname_len };
	m->aname = (struct tn_str){ root->text + root->uname_len, root->aname_len };
	m->n_uname = root->n_uname;
}

static const char *attached(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_root *root = op->fid->root;
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
	struct tn_opq *waiting = &rpc->op->fid->root->waiting;
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

static void walk_on(struct tn_op *op, uint16_t first);

static const char *walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_mfid *f = op->fid;
	struct tn_qid qid;
	uint32_t depth = f->name ? f->name->depth : 0;

	if (m->nwqid > rpc->n)
		return "more qids than names were walked";
	if (m->nwqid < rpc->n) {
		tn_op_fail(op, TN_ESTALE);
		return NULL;
	}
	/* Until it is known to be the same file it is stale: then its clunk is all that may be sent. */
	f->generation = op->client->generation;
	f->flags |= TN_MFID_STALE;
	if ((uint32_t)rpc->first + rpc->n < depth) {
		walk_on(op, (uint16_t)(rpc->first + rpc->n));
		return NULL;
	}
	if (depth > 0) {
		qid = tn_mfid_qid(op->client, f->root, f->name->hash, m->wqid[rpc->n - 1]);
		if (qid.path != f->qid.path || qid.type != f->qid.type) {
			tn_op_fail(op, TN_ESTALE);
			return NULL;
		}
	}
	f->flags &= ~(uint32_t)TN_MFID_STALE;
	tn_op_release(op);
	tn_op_go(op);
	return NULL;
}

/* That the name is gone means: the file that the Chan stood for is. */
static void walk_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	enum tn_err err = tn_err_of_text(m->ename);

	if (err == TN_ENOENT || err == TN_ENOTDIR)
		tn_op_fail(rpc->op, TN_ESTALE);
	else
		tn_op_refused(rpc->op, m);
}

static void walked_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == rpc->n)
		rpc->fid->generation = client->generation;
}

static const struct tn_step walk_again = {
	.type = TN_TWALK,
	.unsure = true,
	.fill = fill_walk,
	.answer = walked,
	.refused = walk_refused,
	.late = walked_late,
};

/* As many names from `first` on as one message takes. */
static uint16_t names_that_fit(const struct tn_op *op, uint16_t first)
{
	const struct tn_elem *e = op->fid->name;
	size_t len = 0, room = op->client->msize - TN_HDR_SIZE - 10;
	uint32_t last = first + TN_WNAME_MAX;

	if (!e)
		return 0;
	if (last > e->depth)
		last = e->depth;
	for (; e && e->depth > first; e = e->up) {
		if (e->depth <= last)
			len += 2u + e->len;
	}
	for (e = op->fid->name; e && e->depth > first + 1 && len > room; e = e->up) {
		if (e->depth > last)
			continue;
		len -= 2u + e->len;
		last--;
	}
	return (uint16_t)(last - first);
}

static void walk_on(struct tn_op *op, uint16_t first)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, &walk_again, op->fid, op->fid->root->top,
	    &err);

	if (rpc) {
		rpc->first = first;
		rpc->n = names_that_fit(op, first);
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

static void attach_first(struct tn_op *op)
{
	struct tn_root *root = op->fid->root;
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

void tn_mfid_recover(struct tn_op *op)
{
	struct tn_mfid *f = op->fid;

	if (!f->root->top || !tn_mfid_live(op->client, f->root->top)) {
		attach_first(op);
		return;
	}
	op->holds_fid = true;
	f->flags |= TN_MFID_WALKING;
	walk_on(op, 0);
}
