/*
 * 9P2000.L.tenon: requests on open files that 9P2000.L has no message for. Layouts: docs/architecture.md. What a server can
 * do of them is its own: EOPNOTSUPP for what it cannot. Trenameat2 is in spellname.c, what is said of attributes in spellx.c.
 */
#include "link/spell.h"

/* whence of Tseek: lseek(2). */
enum { SEEK_TO_DATA = 3, SEEK_TO_HOLE = 4 };

/* A file that was opened. */
static enum tn_err check_file(const struct tn_fid *fid)
{
	if (!fid->is_open)
		return TN_ENOTOPEN;
	return tn_chan_is_dir(fid->chan) ? TN_EISDIR : TN_OK;
}

static enum tn_err check_written(const struct tn_fid *fid)
{
	enum tn_err err = check_file(fid);

	if (!err && fid->mode != TN_OWRITE && fid->mode != TN_ORDWR)
		err = TN_EBADUSE;
	return err;
}

/* ---- Tallocate: fallocate(2) ---- */

static enum tn_status allocate_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_written(tn_call_fid(call));

	if (!err && m->length == 0)
		err = TN_EINVAL;
	if (!err && (m->offset > TN_OFFSET_MAX || m->length > TN_OFFSET_MAX - m->offset))
		err = TN_EFBIG;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_FALLOCATE, tn_call_fid(call)->chan);
	call->r.u.range.how = m->flags;
	call->r.u.range.offset = m->offset;
	call->r.u.range.length = m->length;
	return tn_submit(&call->r);
}

/* ---- Tseek: where data or a hole is next. lseek(2) ---- */

static enum tn_status seek_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_file(tn_call_fid(call));

	if (!err && m->flags != SEEK_TO_DATA && m->flags != SEEK_TO_HOLE)
		err = TN_EINVAL;
	if (!err && m->offset > TN_OFFSET_MAX)
		err = TN_ENXIO;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_SEEKHOLE, tn_call_fid(call)->chan);
	call->r.u.range.how = m->flags;
	call->r.u.range.offset = m->offset;
	return tn_submit(&call->r);
}

static void seek_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RSEEK;
	m->offset = call->r.u.range.offset;
}

/* ---- Tcopy: from newfid to fid, as much as the server likes at once. copy_file_range(2) ---- */

static enum tn_err check_copy(const struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_fid *to = tn_call_fid(call), *from = tn_call_fid2(call);
	enum tn_err err = check_written(to);

	if (!err)
		err = check_file(from);
	if (!err && (from->mode == TN_OWRITE || to->chan->flags & TN_OF_APPEND))
		err = TN_EBADUSE;
	if (!err && (m->offset > TN_OFFSET_MAX || m->start > TN_OFFSET_MAX))
		err = TN_EFBIG;
	return err;
}

static enum tn_status copy_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_copy(call, m);
	uint64_t max = TN_OFFSET_MAX - (m->offset > m->start ? m->offset : m->start);

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_COPYRANGE, tn_call_fid(call)->chan);
	call->r.chan2 = tn_call_fid2(call)->chan;
	call->r.u.range.offset = m->offset;
	call->r.u.range.offset2 = m->start;
	call->r.u.range.length = m->length < max ? m->length : max;
	return tn_submit(&call->r);
}

static void copy_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RCOPY;
	m->length = call->r.u.range.length;
}

/* clang-format off */
const struct tn_spelling
	tn_spellt_allocate = { .fid = TN_USE_SHARE, .ask = allocate_ask, .answer = tn_spell_only },
	tn_spellt_seek = { .fid = TN_USE_SHARE, .ask = seek_ask, .answer = seek_answer },
	tn_spellt_copy = { .fid = TN_USE_SHARE, .newfid = TN_USE_SHARE, .ask = copy_ask, .answer = copy_answer };
/* clang-format on */
