/*
 * Reads and writes through mnt. One that is larger than a message goes in parts. For a file that is known to be a
 * regular one (it was just created, or its stat has a length) up to TN_PARTS_MAX parts are outstanding together, and
 * the first short one ends it. For what may be a device or a pipe one part is sent at a time, and a read is one part
 * only: a second could wait for ever, or take what comes later away. A large read asks once, beside its first part, for
 * the stat.
 */
#include "link/client.h"

enum { NOTHING = UINT32_MAX };

uint32_t tn_mnt_io_max(const struct tn_op *op)
{
	uint32_t max = op->client->msize - TN_IOHDR_SIZE;

	return op->fid->iounit > 0 && op->fid->iounit < max ? op->fid->iounit : max;
}

/* A type in a stat is the letter of a device, which makes its bytes up; M is Plan 9's for what it mounts itself. */
void tn_mnt_learn(struct tn_mfid *f, const struct tn_stat *st)
{
	const uint32_t special = TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMAUTH | TN_DMDEVICE |
				 TN_DMNAMEDPIPE;

	f->flags |= TN_MFID_ASKED;
	if (f->flags & TN_MFID_APPEND)
		return;
	if ((st->valid & TN_ST_LENGTH) == 0 || st->length == 0 || (st->mode & special) != 0)
		return;
	if (st->type == 0 || st->type == 'M' || st->type == UINT16_MAX)
		f->flags |= TN_MFID_REGULAR;
}

static void fill(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->offset = rpc->offset;
	m->count = rpc->count;
	m->data = rpc->op->r->u.io.data + (rpc->offset - rpc->op->r->u.io.offset);
}

void tn_mnt_io_part_done(struct tn_op *op)
{
	if (!op->rpcs)
		tn_mnt_io_settle(op);
}

static const char *was_read(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_req *r = rpc->op->r;

	if (m->count > rpc->count)
		return "Rread with more than was asked for";
	if (m->count > 0)
		memcpy(r->u.io.data + (rpc->offset - r->u.io.offset), m->data, m->count);
	rpc->op->got[rpc->first] = m->count;
	tn_mnt_io_part_done(rpc->op);
	return NULL;
}

static const char *was_written(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->count > rpc->count)
		return "Rwrite with more than was sent";
	rpc->op->got[rpc->first] = m->count;
	tn_mnt_io_part_done(rpc->op);
	return NULL;
}

/* An error counts only when nothing came before it: then it is the first part's. */
static void refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (rpc->first == 0 && rpc->op->base == 0)
		tn_op_note(rpc->op, m);
	tn_mnt_io_part_done(rpc->op);
}

static const struct tn_step read_step = { .type = TN_TREAD,
	.fill = fill,
	.answer = was_read,
	.refused = refused };
static const struct tn_step write_step = { .type = TN_TWRITE,
	.fill = fill,
	.answer = was_written,
	.refused = refused };

/* ---- is it a regular file? ---- */

static const char *stated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	tn_mnt_learn(rpc->op->fid, &m->stat);
	tn_mnt_io_part_done(rpc->op);
	return NULL;
}

static void stat_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_mnt_io_part_done(rpc->op);
}

static const struct tn_step stat_step = { .type = TN_TSTAT,
	.answer = stated,
	.refused = stat_refused };

/* If it cannot be sent the read is none the worse. */
static void ask(struct tn_op *op)
{
	enum tn_err err;
	struct tn_rpc *rpc;

	op->fid->flags |= TN_MFID_ASKED;
	rpc = tn_rpc_new(op->client, op,
	    tn_dialect_is_l(op->client->dialect) ? &tn_mnt_learn_step : &stat_step, op->fid, NULL,
	    &err);
	if (rpc)
		tn_rpc_send(op->client, rpc, &err);
}

/* ---- rounds of parts ---- */

static bool send_part(struct tn_op *op, uint16_t part, uint32_t max, enum tn_err *err)
{
	const struct tn_req *r = op->r;
	uint64_t at = op->base + (uint64_t)part * max;
	const struct tn_step *step = r->type == TN_READ ? &read_step : &write_step;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, op->fid, NULL, err);

	if (!rpc)
		return false;
	rpc->first = part;
	rpc->offset = r->u.io.offset + at;
	rpc->count = r->u.io.count - at < max ? (uint32_t)(r->u.io.count - at) : max;
	return tn_rpc_send(op->client, rpc, err);
}

void tn_mnt_io(struct tn_op *op)
{
	uint32_t max = tn_mnt_io_max(op);
	uint64_t left = op->r->u.io.count - op->base;
	uint64_t n = left <= max ? 1 : (left + max - 1) / max;
	enum tn_err err = TN_OK;

	if (n > TN_PARTS_MAX)
		n = TN_PARTS_MAX;
	if (!(op->fid->flags & TN_MFID_REGULAR))
		n = 1;
	for (op->n_parts = 0; op->n_parts < n; op->n_parts++) {
		op->got[op->n_parts] = NOTHING;
		if (!send_part(op, op->n_parts, max, &err))
			break;
	}
	if (op->n_parts == 0) {
		if (op->base == 0)
			tn_fail(op->r, err);
		tn_mnt_io_settle(op);
		return;
	}
	if (op->r->type == TN_READ && left > max && !(op->fid->flags & TN_MFID_ASKED))
		ask(op);
}

/* What the parts of this round gave, up to the first that was short; true: none was. */
static bool add_up(struct tn_op *op)
{
	uint32_t max = tn_mnt_io_max(op);

	for (unsigned i = 0; i < op->n_parts; i++) {
		if (op->got[i] == NOTHING)
			return false;
		op->base += op->got[i];
		if (op->got[i] < max)
			return false;
	}
	return op->n_parts > 0;
}

/* All parts of a round are answered, refused or cancelled. */
void tn_mnt_io_settle(struct tn_op *op)
{
	struct tn_req *r = op->r;
	uint64_t before = op->base;
	bool all = add_up(op);
	bool nothing = op->base == before && (op->n_parts == 0 || op->got[0] == NOTHING);

	op->n_parts = 0;
	if (all && !op->flushed && op->base < r->u.io.count &&
	    (r->type == TN_WRITE || op->fid->flags & TN_MFID_REGULAR)) {
		tn_mnt_io(op);
		return;
	}
	if (nothing && before == 0) {
		if (r->err == TN_OK)
			tn_fail(r, TN_EINTR);
	} else {
		tn_fail(r, TN_OK);
		r->u.io.count = (uint32_t)op->base;
	}
	tn_op_done(op);
}
