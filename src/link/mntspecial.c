/*
 * What 9P2000.u adds to 9P2000: files that are more than their bytes. They are made by a Tcreate with an extension, from
 * a fid of the op's own, for it becomes the new file; and told by the extension of a stat.
 */
#include "link/client.h"
#include "link/extension.h"

enum { DEVICE_CHARS = 2 + 10 + 1 + 10 };

/* "b MAJOR MINOR" or "c MAJOR MINOR". */
static struct tn_str device_of(const struct tn_req *r, char text[DEVICE_CHARS])
{
	struct tn_str target = r->u.create.target;
	char *at = text;

	*at++ = target.len > 0 && target.s[0] == 'b' ? 'b' : 'c';
	*at++ = ' ';
	at = tn_extension_put(at, r->u.create.rdev_major);
	*at++ = ' ';
	at = tn_extension_put(at, r->u.create.rdev_minor);
	return (struct tn_str){ text, (uint32_t)(at - text) };
}

/* The extension lies in op->text until the message has been filled, which is soon: nothing of it is kept. */
static void fill_create(const struct tn_rpc *rpc, struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	const struct tn_req *r = op->r;

	m->mode = TN_OREAD;
	m->name = r->type == TN_LINK ? r->u.rename.name : r->u.create.name;
	m->perm = r->u.create.perm;
	m->extension = (struct tn_str){ op->text, 0 };
	if (r->type == TN_SYMLINK) {
		m->perm = TN_DMSYMLINK | 0777;
		m->extension = r->u.create.target;
	} else if (r->type == TN_LINK) {
		m->perm = TN_DMLINK;
		m->extension.len = (uint32_t)(tn_extension_put(op->text, op->fid2->number) -
					      op->text);
	} else if (m->perm & TN_DMDEVICE) {
		m->extension = device_of(r, op->text);
	}
}

static const char *made(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	uint64_t hash;

	if (op->r->type == TN_LINK) {
		tn_op_done(op);
		return NULL;
	}
	if (m->qid.type & TN_QTDIR) {
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	hash = tn_name_hash(tn_elem_hash(op->client, op->fid->name), op->r->u.create.name);
	op->r->u.create.qid = tn_mfid_qid(op->client, op->fid->root, hash, m->qid);
	tn_op_done(op);
	return NULL;
}

static const struct tn_step create_step = { .type = TN_TCREATE,
	.fill = fill_create,
	.answer = made };

static void create_from_twin(struct tn_op *op)
{
	tn_op_send(op, &create_step, op->newfid, NULL);
}

void tn_mnt_special(struct tn_op *op)
{
	tn_op_twin(op, create_from_twin);
}

/* ---- readlink ---- */

static const char *stated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->stat.mode & TN_DMSYMLINK)
		tn_mnt_answer_link(rpc->op, m->stat.extension);
	else
		tn_op_fail(rpc->op, TN_EINVAL);
	return NULL;
}

static const struct tn_step stat_step = { .type = TN_TSTAT, .answer = stated };

void tn_mnt_extension(struct tn_op *op)
{
	tn_op_send(op, &stat_step, op->fid, NULL);
}
