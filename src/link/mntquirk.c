/*
 * What is peculiar to nfs-ganesha (4.3), a server of 9P2000.L that was tried with Linux's client alone and minds what that
 * client never does. It is known by the form of its errors: offer.c. Others never see what is sent here.
 */
#include "link/client.h"
#include "link/linux.h"

/* ---- a file's group ---- */

/* It takes "none" for a group, and whoever makes a file is not in that. Linux's client tells the user's. */
uint32_t tn_mnt_gid(const struct tn_rpc *rpc)
{
	const struct tn_req *r = rpc->op->r;

	if (r->u.create.gid != TN_NONUNAME || !rpc->op->client->is_ganesha || !r->user)
		return r->u.create.gid;
	return r->user->gid;
}

/* ---- the owner of a lock ---- */

static char *put_byte(char *to, uint32_t byte)
{
	for (uint32_t d = 100; d > 0; d /= 10)
		if (byte >= d || d == 1)
			*to++ = (char)('0' + byte / d % 10);
	return to;
}

/*
 * It takes client_id for the name of a host, and tells owners apart by that one's address and proc_id: both become numbers
 * of ours, the address in a form that needs nobody's answer.
 */
void tn_ganesha_locker(struct tn_op *op, struct tn_msg *m)
{
	uint64_t owner = op->r->u.lock.owner;
	uint32_t address = (uint32_t)(op->client->locker ^ op->client->locker >> 32);
	char *at = op->text;

	for (int shift = 24; shift >= 0; shift -= 8) {
		at = put_byte(at, address >> shift & 255);
		*at++ = '.';
	}
	m->client_id = (struct tn_str){ op->text, (uint32_t)(at - 1 - op->text) };
	m->proc_id = (uint32_t)(owner ^ owner >> 32);
}

/* ---- remove ---- */

static void fill_unlink(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_mfid *f = rpc->op->fid;

	m->name = (struct tn_str){ f->name->name, f->name->len };
	m->flags = f->qid.type & TN_QTDIR ? TN_L_REMOVEDIR : 0;
}

static const char *unlinked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	rpc->op->fid->flags |= TN_MFID_STALE;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step unlink_step = { .type = TN_TUNLINKAT,
	.fill = fill_unlink,
	.answer = unlinked };

static void unlink_there(struct tn_op *op)
{
	tn_op_send(op, &unlink_step, op->newfid, NULL);
}

/* A Tremove ends the server, and with it everybody's connection. */
void tn_mnt_unlink(struct tn_op *op)
{
	if (!op->client->is_ganesha)
		tn_mnt_remove(op);
	else if (!op->fid->name)
		tn_op_fail(op, TN_EPERM);
	else
		tn_op_seek(op, op->fid->name->up, unlink_there);
}
