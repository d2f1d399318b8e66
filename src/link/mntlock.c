/*
 * Locks of byte ranges in 9P2000.L. Nobody waits at the peer: whoever wants a lock that another has asks again. An owner
 * is told apart from all others by client_id: this client's random number, then the owner's own; proc_id is for people.
 */
#include "link/client.h"

/* Of Rlock. */
enum { LOCK_SUCCESS, LOCK_BLOCKED, LOCK_ERROR, LOCK_GRACE };

/* Of Tlock: who asks will ask again. The answer comes at once all the same; a server that knows so may see a deadlock. */
enum { LOCK_FLAG_BLOCK = 1 };

static char *put_hex(char *to, uint64_t number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[number >> shift & 15];
	return to;
}

static void fill(const struct tn_rpc *rpc, struct tn_msg *m)
{
	static const char who[] = "tenon-";
	struct tn_op *op = rpc->op;
	const struct tn_req *r = op->r;
	char *at = op->text + sizeof(who) - 1;

	_Static_assert(sizeof(who) + 16 + 1 + 16 <= sizeof(op->text), "a client_id fits");
	memcpy(op->text, who, sizeof(who) - 1);
	at = put_hex(at, op->client->locker);
	*at++ = '-';
	at = put_hex(at, r->u.lock.owner);
	m->client_id = (struct tn_str){ op->text, (uint32_t)(at - op->text) };
	m->proc_id = r->u.lock.pid ? r->u.lock.pid : (uint32_t)r->u.lock.owner;
	m->lock_type = r->u.lock.type;
	m->flags = r->type == TN_LOCK && r->u.lock.waits ? LOCK_FLAG_BLOCK : 0;
	m->start = r->u.lock.start;
	m->length = r->u.lock.length;
	if (tn_client_has(op->client, TN_QUIRK_LOCKS_OF_HOST))
		tn_mnt_locker_of_host(op, m);
}

static const char *locked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	static const enum tn_err errs[] = {
		[LOCK_SUCCESS] = TN_OK,
		[LOCK_BLOCKED] = TN_EAGAIN,
		[LOCK_ERROR] = TN_EIO,
		[LOCK_GRACE] = TN_EAGAIN, /* the server was started anew: soon */
	};
	enum tn_err err = m->status < TN_COUNT(errs) ? errs[m->status] : TN_EBADMSG;

	if (err == TN_OK)
		tn_op_done(rpc->op);
	else
		tn_op_fail(rpc->op, err);
	return NULL;
}

static const char *lock_told(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_req *r = rpc->op->r;

	if (m->lock_type > TN_LK_UNLOCK) {
		tn_op_fail(rpc->op, TN_EBADMSG);
		return NULL;
	}
	r->u.lock.type = m->lock_type;
	r->u.lock.start = m->start;
	r->u.lock.length = m->length;
	r->u.lock.pid = m->proc_id;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step lock_step = { .type = TN_TLOCK, .fill = fill, .answer = locked };
static const struct tn_step getlock_step = { .type = TN_TGETLOCK,
	.fill = fill,
	.answer = lock_told };

void tn_mnt_lock(struct tn_op *op)
{
	tn_op_send(op, &lock_step, op->fid, NULL);
}

void tn_mnt_getlock(struct tn_op *op)
{
	tn_op_send(op, &getlock_step, op->fid, NULL);
}
