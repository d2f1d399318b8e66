/*
 * The spelling of 9P2000, its second part: data and stats. read(5), stat(5).
 */
#include "link/spell.h"

/* ---- read(5) ---- */

static void read_point(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.type == TN_READ)
		call->r.u.io.data = call->room + TN_DATA_HDR;
}

/* read(5): a directory is read from 0, or from where the last read ended. */
static enum tn_status dir_ask(struct tn_call *call, const struct tn_msg *m, uint32_t count)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (m->offset == 0)
		fid->dir_off = fid->dir_next = 0;
	if (m->offset != fid->dir_off)
		return tn_call_refuse(call, TN_EBADOFFSET);
	call->dir_off = call->dir_next = fid->dir_next;
	tn_call_request(call, TN_READDIR, fid->chan);
	call->r.flags |= TN_OF_STATS; /* an entry is a stat */
	call->r.u.readdir.offset = fid->dir_next;
	call->r.u.readdir.count = count;
	return tn_submit(&call->r);
}

/* An attribute's value is here. */
static enum tn_status attr_read(struct tn_call *call, const struct tn_msg *m, uint32_t count)
{
	const struct tn_attr *attr = tn_call_fid(call)->attr;

	if (attr->is_set)
		return tn_call_refuse(call, TN_EBADUSE);
	if (!tn_call_room(call, TN_DATA_HDR, count))
		return tn_call_refuse(call, TN_ENOMEM);
	call->data_len = tn_attr_read(attr, m->offset, call->room + TN_DATA_HDR, count);
	tn_call_request(call, TN_XATTRGET, NULL); /* what it is, for the answer; nobody is asked */
	return tn_call_refuse(call, TN_OK);
}

static enum tn_status read_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint32_t max = tn_call_msize(call) - TN_DATA_HDR;
	uint32_t count = m->count < max ? m->count : max;

	if (fid->attr)
		return attr_read(call, m, count);
	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (fid->mode == TN_OWRITE)
		return tn_call_refuse(call, TN_EBADUSE);
	if (m->offset > TN_OFFSET_MAX)
		return tn_call_refuse(call, TN_EBADOFFSET);
	if (count > TN_OFFSET_MAX - m->offset)
		count = (uint32_t)(TN_OFFSET_MAX - m->offset);
	/* .L has Treaddir */
	if (tn_chan_is_dir(fid->chan) && tn_dialect_is_l(tn_call_dialect(call)))
		return tn_call_refuse(call, TN_EISDIR);
	if (!tn_call_room(call, TN_DATA_HDR, count))
		return tn_call_refuse(call, TN_ENOMEM);
	if (tn_chan_is_dir(fid->chan))
		return dir_ask(call, m, count);
	tn_call_request(call, TN_READ, fid->chan);
	call->r.u.io.offset = m->offset;
	call->r.u.io.count = count;
	read_point(call, m);
	return tn_submit(&call->r);
}

/* An entry that does not even fit alone: nothing would mean the end of the directory. */
bool tn_spell_read_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_OK && call->r.type == TN_READDIR && call->is_full &&
	    call->data_len == 0 && call->data_max > 0)
		tn_fail(&call->r, TN_EBADCOUNT);
	return false;
}

static void read_answer(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	m->type = TN_RREAD;
	m->data = call->room + TN_DATA_HDR;
	if (call->r.type == TN_READ) {
		m->count = call->r.u.io.count < call->data_max ? call->r.u.io.count
							       : call->data_max;
		return;
	}
	m->count = call->data_len;
	if (call->r.type != TN_READDIR)
		return;
	fid->dir_off += call->data_len;
	fid->dir_next = call->dir_next;
}

static void write_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.io.data = (uint8_t *)m->data;
}

static enum tn_status attr_write(struct tn_call *call, const struct tn_msg *m)
{
	struct tn_attr *attr = tn_call_fid(call)->attr;
	enum tn_err err = TN_EBADUSE;

	if (attr->is_set)
		err = tn_attr_write(attr, m->offset, m->data, m->count);
	tn_call_request(call, TN_XATTRSET, NULL); /* as for a read */
	call->data_max = m->count;
	return tn_call_refuse(call, err);
}

static enum tn_status write_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (fid->attr)
		return attr_write(call, m);
	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (fid->mode != TN_OWRITE && fid->mode != TN_ORDWR)
		return tn_call_refuse(call, TN_EBADUSE);
	if (m->offset > TN_OFFSET_MAX || m->count > TN_OFFSET_MAX - m->offset)
		return tn_call_refuse(call, TN_EFBIG);
	tn_call_request(call, TN_WRITE, fid->chan);
	call->r.u.io.offset = m->offset;
	call->r.u.io.count = call->data_max = m->count;
	write_point(call, m);
	return tn_submit(&call->r);
}

static void write_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RWRITE;
	m->count = call->data_max;
	if (call->r.type == TN_WRITE && call->r.u.io.count < m->count)
		m->count = call->r.u.io.count;
}

/* ---- stat(5) ---- */

enum tn_status tn_spell_stat_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	tn_call_request(call, TN_STAT, tn_call_fid(call)->chan);
	return tn_submit(&call->r);
}

bool tn_spell_stat_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_OK && !call->is_answered)
		tn_fail(&call->r, TN_EIO); /* a server that says nothing */
	return false;
}

/* type, dev, qid: stat(5) lets nobody change them; each part is "don't touch" or what we said it is. */
static bool touches_identity(const struct tn_stat *st, struct tn_qid is)
{
	/* type is what a stat said, and is nobody's to change: whatever comes back is passed over. */
	if ((st->valid & TN_ST_DEV) && st->dev != 0 && st->dev != UINT32_MAX)
		return true;
	/* A version is never compared: it may have moved since the peer looked. */
	return (st->valid & TN_ST_QID) &&
	       ((st->qid.type != UINT8_MAX && st->qid.type != is.type) ||
		   (st->qid.path != UINT64_MAX && st->qid.path != is.path));
}

/* The kinds of files that a qid tells: nobody makes one of another. */
static bool changes_kind(const struct tn_stat *st, struct tn_qid is, uint32_t known)
{
	return ((st->mode ^ (uint32_t)is.type << 24) & known & (TN_DMDIR | TN_DMSYMLINK)) != 0;
}

static enum tn_err check_wstat(const struct tn_call *call, const struct tn_stat *st)
{
	struct tn_qid is = tn_dialect_qid(tn_call_fid(call)->chan->qid, tn_call_dialect(call));
	uint32_t known = tn_dialect_dm(tn_call_dialect(call));
	bool is_dir = is.type & TN_QTDIR;

	/* .u: the target of a link, or who changed it last: what no change can say. */
	if (touches_identity(st, is) || (st->valid & (TN_ST_EXTENSION | TN_ST_NMUID)))
		return TN_EPERM;
	if ((st->valid & TN_ST_MODE) && (changes_kind(st, is, known) || (st->mode & ~known)))
		return TN_EPERM;
	if ((st->valid & TN_ST_LENGTH) && is_dir && st->length != 0)
		return TN_EISDIR;
	if ((st->valid & TN_ST_LENGTH) && st->length > TN_OFFSET_MAX)
		return TN_EFBIG;
	return st->valid & TN_ST_NAME ? tn_spell_new_name(call, st->name) : TN_OK;
}

/* What only repeats what is so need not reach the server. */
static void wstat_point(struct tn_call *call, struct tn_msg *m)
{
	m->stat.valid &= ~(uint32_t)(TN_ST_DEV | TN_ST_QID);
	/* Linux's client says beside a new name whose session it is, whoever changed the file last. */
	if (m->stat.valid & TN_ST_NAME)
		m->stat.valid &= ~(uint32_t)TN_ST_MUID;
	if (tn_chan_is_dir(tn_call_fid(call)->chan))
		m->stat.valid &= ~(uint32_t)TN_ST_LENGTH;
	call->r.u.wstat.st = &m->stat;
}

static enum tn_status wstat_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_wstat(call, &m->stat);

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_WSTAT, tn_call_fid(call)->chan);
	wstat_point(call, m);
	return tn_submit(&call->r);
}

/* clang-format off */
const struct tn_spelling
	tn_spell_read = { .fid = TN_USE_READ, .takes_attr = true, .ask = read_ask, .point = read_point, .then = tn_spell_read_then,
		.answer = read_answer },
	tn_spell_write = { .fid = TN_USE_SHARE, .takes_attr = true, .keeps_frame = true, .ask = write_ask, .point = write_point,
		.answer = write_answer },
	tn_spell_stat = { .fid = TN_USE_SHARE, .ask = tn_spell_stat_ask, .then = tn_spell_stat_then, .answer = tn_spell_only },
	tn_spell_wstat = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = wstat_ask, .point = wstat_point,
		.answer = tn_spell_only };
/* clang-format on */
