/*
 * What 9P2000.L.tenon adds to 9P2000.L: room and holes of files, copies at the server, renames with flags. Where one of
 * these is refused for want of it is the server's to say; that the peer knows the messages was agreed on by the version.
 */
#include "link/client.h"

#define OFFSET_MAX ((uint64_t)INT64_MAX)

/* ---- Tallocate, Tseek, Tcopy ---- */

/* The rpc's fid is the file; of a copy newfid is where the bytes come from. */
static void fill_range(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->flags = r->u.range.how;
	m->offset = r->u.range.offset;
	m->start = r->u.range.offset2;
	m->length = r->u.range.length;
}

/* lseek(2): not before where it was asked for. */
static const char *sought(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->offset < op->r->u.range.offset || m->offset > OFFSET_MAX) {
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	op->r->u.range.offset = m->offset;
	tn_op_done(op);
	return NULL;
}

static const char *copied(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->length > op->r->u.range.length)
		return "Rcopy with more than was asked for";
	op->r->u.range.length = m->length;
	tn_op_done(op);
	return NULL;
}

static const struct tn_step allocate_step = { .type = TN_TALLOCATE,
	.fill = fill_range,
	.answer = tn_mnt_ended };
static const struct tn_step seek_step = { .type = TN_TSEEK, .fill = fill_range, .answer = sought };
static const struct tn_step copy_step = { .type = TN_TCOPY, .fill = fill_range, .answer = copied };

void tn_mnt_allocate(struct tn_op *op)
{
	tn_op_send(op, &allocate_step, op->fid, NULL);
}

void tn_mnt_seekhole(struct tn_op *op)
{
	tn_op_send(op, &seek_step, op->fid, NULL);
}

void tn_mnt_copy(struct tn_op *op)
{
	tn_op_send(op, &copy_step, op->fid, op->fid2);
}

/* ---- Trenameat2 ---- */

static void fill_renameat2(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.rename.name;
	m->newname = r->u.rename.newname;
	m->flags = r->u.rename.how;
}

static const struct tn_step renameat2_step = { .type = TN_TRENAMEAT2,
	.fill = fill_renameat2,
	.answer = tn_mnt_ended };

/* What 9P2000.L can say is said as there; so also of the Chan's own file, which has no name here. */
void tn_mnt_renameat2(struct tn_op *op)
{
	const struct tn_req *r = op->r;

	if (r->u.rename.how == 0 || r->u.rename.name.len == 0)
		tn_mnt_renameat(op);
	else
		tn_op_send(op, &renameat2_step, op->fid, op->fid2);
}
