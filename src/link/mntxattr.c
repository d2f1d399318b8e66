/*
 * Extended attributes in 9P2000.L, where a value is read and written through a fid of its own. Inside they are whole: a
 * value is asked for to its end, and what the Tclunk behind the last Twrite answers is the answer to setting it.
 * 9P2000.L.tenon has a flag for a removal, so that an empty value is a value.
 */
#include "link/client.h"

/* ---- Txattrwalk, Tread .. ---- */

static void fill_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->name = rpc->op->r->u.xattr.name;
}

static void fill_read(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->offset = rpc->offset;
	m->count = rpc->count;
}

static void read_on(struct tn_op *op);

static const char *was_read(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_req *r = op->r;

	if (m->count > rpc->count)
		return "Rread with more than was asked for";
	if (m->count == 0) {
		tn_op_fail(op, TN_EBADMSG); /* it said that there was more */
		return NULL;
	}
	memcpy(r->u.xattr.data + op->base, m->data, m->count);
	op->base += m->count;
	if (op->base < r->u.xattr.len)
		read_on(op);
	else
		tn_op_done(op);
	return NULL;
}

static const struct tn_step read_step = { .type = TN_TREAD, .fill = fill_read, .answer = was_read };

/* The next part, from op->base on. */
static void send_part(struct tn_op *op, const struct tn_step *step, uint32_t size)
{
	uint32_t left = size - (uint32_t)op->base, max = op->client->msize - TN_IOHDR_SIZE;
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, op->newfid, NULL, &err);

	if (rpc) {
		rpc->offset = op->base;
		rpc->count = left < max ? left : max;
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

static void read_on(struct tn_op *op)
{
	send_part(op, &read_step, op->r->u.xattr.len);
}

static const char *walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_req *r = op->r;

	op->newfid->generation = op->client->generation;
	if (m->length > TN_XATTR_MAX) {
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	r->u.xattr.len = (uint32_t)m->length;
	if (r->u.xattr.len == 0 || r->u.xattr.size == 0)
		tn_op_done(op);
	else if (r->u.xattr.len > r->u.xattr.size)
		tn_op_fail(op, TN_ERANGE);
	else
		read_on(op);
	return NULL;
}

static void walked_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	rpc->newfid->generation = client->generation;
}

static const struct tn_step walk_step = { .type = TN_TXATTRWALK,
	.fill = fill_walk,
	.answer = walked,
	.late = walked_late };

void tn_mnt_xattrget(struct tn_op *op)
{
	enum tn_err err;

	op->newfid = tn_mfid_new(op->client, &err);
	if (op->newfid)
		tn_op_send(op, &walk_step, op->fid, op->newfid);
	else
		tn_op_fail(op, err);
}

/* ---- Txattrcreate, Twrite .., Tclunk ---- */

static uint32_t size_of(const struct tn_req *r)
{
	return r->u.xattr.how & TN_XATTR_REMOVE ? 0 : r->u.xattr.size;
}

static bool can_remove(const struct tn_op *op)
{
	return op->client->dialect == TN_9P2000_TENON;
}

/* In 9P2000.L removexattr(2) is to replace by nothing, as Linux's client says it. */
static void fill_create(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;
	bool removes = r->u.xattr.how & TN_XATTR_REMOVE;

	m->name = r->u.xattr.name;
	m->length = size_of(r);
	m->flags = r->u.xattr.how & (TN_XATTR_CREATE | TN_XATTR_REPLACE);
	if (removes)
		m->flags = can_remove(rpc->op) ? TN_XATTR_REMOVE : TN_XATTR_REPLACE;
}

static void fill_write(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->offset = rpc->offset;
	m->count = rpc->count;
	m->data = rpc->op->r->u.xattr.data + rpc->offset;
}

static const struct tn_step clunk_step = { .type = TN_TCLUNK, .answer = tn_mnt_ended };

/* As it is sent, the fid is gone: nobody clunks it again. */
static void clunk(struct tn_op *op)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, &clunk_step, op->newfid, NULL, &err);

	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
	else
		op->newfid->generation = 0;
}

static void write_on(struct tn_op *op);

static const char *was_written(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->count > rpc->count)
		return "Rwrite with more than was sent";
	if (m->count == 0) {
		tn_op_fail(rpc->op, TN_EIO);
		return NULL;
	}
	rpc->op->base += m->count;
	write_on(rpc->op);
	return NULL;
}

static const struct tn_step write_step = { .type = TN_TWRITE,
	.fill = fill_write,
	.answer = was_written };

static void write_on(struct tn_op *op)
{
	uint32_t size = size_of(op->r);

	if (op->base < size)
		send_part(op, &write_step, size);
	else
		clunk(op);
}

static const char *created(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	write_on(rpc->op);
	return NULL;
}

static const struct tn_step create_step = { .type = TN_TXATTRCREATE,
	.fill = fill_create,
	.answer = created };

static void create_on_twin(struct tn_op *op)
{
	tn_op_send(op, &create_step, op->newfid, NULL);
}

/* In 9P2000.L an empty value cannot be said: servers take it for a removal. */
void tn_mnt_xattrset(struct tn_op *op)
{
	const struct tn_req *r = op->r;

	if (r->u.xattr.size == 0 && !(r->u.xattr.how & TN_XATTR_REMOVE) && !can_remove(op))
		tn_op_fail(op, TN_ENOTSUP);
	else
		tn_op_twin(op, create_on_twin);
}
