/*
 * 9P2000.L: locks of byte ranges. An owner is a process of a machine of the peer; the server knows it by one number,
 * which is made from both with a key that only this connection has: nobody can choose to be somebody else.
 */
#include "core/mem.h"
#include "link/spell.h"

enum { LOCK_SUCCESS, LOCK_BLOCKED }; /* status of Rlock; errors are Rlerror's */

enum { LOCK_FLAG_BLOCK = 1 }; /* flags of Tlock */

static uint64_t mix(uint64_t h, uint8_t byte)
{
	return (h ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t owner_of(struct tn_call *call, const struct tn_msg *m)
{
	uint64_t h = tn_call_lock_key(call);

	for (uint32_t i = 0; i < 4; i++)
		h = mix(h, (uint8_t)(m->proc_id >> 8 * i));
	for (uint32_t i = 0; i < m->client_id.len; i++)
		h = mix(h, (uint8_t)m->client_id.s[i]);
	return h;
}

/* fcntl(2): a range has an end that an offset can say. */
static enum tn_err check_range(const struct tn_msg *m)
{
	if (m->start > TN_OFFSET_MAX)
		return TN_EINVAL;
	return m->length > 0 && m->length - 1 > TN_OFFSET_MAX - m->start ? TN_EOVERFLOW : TN_OK;
}

static enum tn_status ask(struct tn_call *call, const struct tn_msg *m, enum tn_req_type type)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint8_t last = type == TN_LOCK ? TN_LK_UNLOCK : TN_LK_WRITE;
	enum tn_err err = check_range(m);

	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (!err && m->lock_type > last)
		err = TN_EINVAL;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, type, fid->chan);
	call->r.u.lock.start = m->start;
	call->r.u.lock.length = m->length;
	call->r.u.lock.owner = owner_of(call, m);
	call->r.u.lock.pid = m->proc_id;
	call->r.u.lock.type = m->lock_type;
	call->r.u.lock.waits = type == TN_LOCK && (m->flags & LOCK_FLAG_BLOCK);
	return tn_submit(&call->r);
}

static enum tn_status lock_ask(struct tn_call *call, struct tn_msg *m)
{
	return ask(call, m, TN_LOCK);
}

/* The peer's kernel asks again. */
static bool lock_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_EAGAIN) {
		tn_fail(&call->r, TN_OK);
		call->stage = LOCK_BLOCKED;
	}
	return false;
}

static void lock_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RLOCK;
	m->status = call->stage;
}

/* Linux's client asks with the type "unlock" whatever it wants to know: who wants to write hears of every lock. */
static enum tn_status getlock_ask(struct tn_call *call, struct tn_msg *m)
{
	if (m->lock_type == TN_LK_UNLOCK)
		m->lock_type = TN_LK_WRITE;
	return ask(call, m, TN_GETLOCK);
}

/* Which machine of whose the process is, is not known. */
static void getlock_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RGETLOCK;
	m->lock_type = call->r.u.lock.type;
	m->start = call->r.u.lock.start;
	m->length = call->r.u.lock.length;
	m->proc_id = call->r.u.lock.pid;
	m->client_id = TN_STR("");
}

/* clang-format off */
const struct tn_spelling
	tn_spelll_lock = { .fid = TN_USE_SHARE, .ask = lock_ask, .then = lock_then, .answer = lock_answer },
	tn_spelll_getlock = { .fid = TN_USE_SHARE, .ask = getlock_ask, .answer = getlock_answer };
/* clang-format on */
