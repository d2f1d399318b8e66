/*
 * What some servers of 9P2000.L want done otherwise: a row of the table for a server, with what it is known by and its
 * quirks. Who sends asks for the quirk, never for the server. Servers without a row never see what is sent here.
 */
#include "link/client.h"
#include "link/linux.h"

/* ---- who has which ---- */

/* clang-format off */
static const struct {
	enum tn_sign sign;
	uint32_t quirks; /* enum tn_quirk */
} servers[] = {
	/* nfs-ganesha (4.3), which was tried with Linux's client alone and minds what that client never does */
	{ TN_SIGN_RERROR_OF_NUMBER, TN_QUIRK_GROUP_OF_USER | TN_QUIRK_LOCKS_OF_HOST | TN_QUIRK_REMOVE_BY_UNLINKAT },
};
/* clang-format on */

void tn_client_shows(struct tn_client *client, enum tn_sign sign)
{
	for (size_t i = 0; i < TN_COUNT(servers); i++)
		if (servers[i].sign == sign)
			client->quirks |= servers[i].quirks;
}

/* ---- a file's group ---- */

/* "None" is taken for a group, and whoever makes a file is not in that. Linux's client tells the user's. */
uint32_t tn_mnt_gid(const struct tn_rpc *rpc)
{
	const struct tn_req *r = rpc->op->r;

	if (r->u.create.gid != TN_NONUNAME ||
	    !tn_client_has(rpc->op->client, TN_QUIRK_GROUP_OF_USER) || !r->user)
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
 * client_id is taken for the name of a host, and owners are told apart by that one's address and proc_id: both become
 * numbers of ours, the address in a form that needs nobody's answer.
 */
void tn_mnt_locker_of_host(struct tn_op *op, struct tn_msg *m)
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

/* A Tremove would end the server, and with it everybody's connection. */
void tn_mnt_unlink(struct tn_op *op)
{
	if (!tn_client_has(op->client, TN_QUIRK_REMOVE_BY_UNLINKAT))
		tn_mnt_remove(op);
	else if (!op->fid->name)
		tn_op_fail(op, TN_EPERM);
	else
		tn_op_seek(op, op->fid->name->up, unlink_there);
}
