/*
 * Requests about a file in 9P2000 and .u that are one message, or two: open, create, stat, wstat and what is said by it,
 * remove. .u says more with the same messages. Twstat renames within a directory only, and never over what is there.
 */
#include "link/client.h"
#include "link/extension.h"
#include "link/linux.h"

/* ---- open, create ---- */

static uint8_t mode_of(uint32_t flags)
{
	return (uint8_t)(flags & (TN_OF_ACCESS | TN_OF_TRUNC | TN_OF_RCLOSE));
}

static uint32_t iounit_for(const struct tn_op *op, uint32_t iounit)
{
	uint32_t max = op->client->msize - TN_IOHDR_SIZE;

	return iounit > 0 && iounit < max ? iounit : max;
}

void tn_mnt_now_open(struct tn_op *op, struct tn_qid qid, uint32_t iounit)
{
	struct tn_mfid *f = op->fid;

	f->flags |= TN_MFID_OPEN;
	f->qid = tn_op_qid(op, f, f->name, qid);
	f->iounit = iounit;
	op->r->chan->qid = f->qid;
	if (op->r->type == TN_CREATE)
		op->r->u.create.iounit = iounit_for(op, iounit);
	else
		op->r->u.open.iounit = iounit_for(op, iounit);
}

const char *tn_mnt_ended(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_op_done(rpc->op);
	return NULL;
}

static void fill_open(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->mode = mode_of(rpc->op->r->flags);
}

static const char *opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	tn_mnt_now_open(op, m->qid, m->iounit);
	tn_op_done(op);
	return NULL;
}

static const struct tn_step open_step = { .type = TN_TOPEN,
	.unsure = true,
	.fill = fill_open,
	.answer = opened };

void tn_mnt_open(struct tn_op *op)
{
	tn_op_send(op, &open_step, op->fid, NULL);
}

static void fill_create(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.create.name;
	m->perm = r->u.create.perm;
	m->mode = mode_of(r->flags);
	m->extension.len = 0;
}

static const char *created(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_mfid *f = op->fid;
	const uint32_t special = TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMAUTH;

	tn_mfid_bind(op->client, f, f->root, op->name);
	op->name = NULL;
	tn_mnt_now_open(op, m->qid, m->iounit);
	if ((op->r->u.create.perm & special) == 0 && m->qid.type == TN_QTFILE)
		f->flags |= TN_MFID_REGULAR | TN_MFID_ASKED;
	tn_op_done(op);
	return NULL;
}

static const struct tn_step create_step = { .type = TN_TCREATE,
	.unsure = true,
	.fill = fill_create,
	.answer = created };

void tn_mnt_create(struct tn_op *op)
{
	op->name = tn_elem_add(op->client, op->fid->name, op->r->u.create.name);
	if (op->name)
		tn_op_send(op, &create_step, op->fid, NULL);
	else
		tn_op_fail(op, TN_ENOMEM);
}

/* ---- stat ---- */

static bool has_words(struct tn_str s, const char *words)
{
	size_t n = tn_strlen(words);

	for (size_t i = 0; i + n <= s.len; i++) {
		size_t k = 0;

		while (k < n && (s.s[i + k] | 0x20) == (words[k] | 0x20))
			k++;
		if (k == n)
			return true;
	}
	return false;
}

/* How servers say that they have no such message. */
static bool is_unknown_message(struct tn_str ename)
{
	static const char *const texts[] = {
		"not supported",
		"not implemented",
		"unsupported",
		"unimplemented",
		"unknown message",
		"unknown 9p",
		"unknown type",
		"unknown request",
		"bad message",
		"bad type",
		"bad fcall",
		"illegal message",
		"illegal 9p",
		"no such message",
		"malformed message",
	};

	for (size_t i = 0; i < TN_COUNT(texts); i++) {
		if (has_words(ename, texts[i]))
			return true;
	}
	return false;
}

struct tn_str tn_mfid_last_name(const struct tn_mfid *f)
{
	return f->name ? (struct tn_str){ f->name->name, f->name->len } : TN_STR("/");
}

/* A server that has no Tstat: what the qid tells. That it is no more is told by `valid`. */
void tn_mnt_make_up_stat(struct tn_op *op)
{
	const struct tn_mfid *f = op->fid;
	struct tn_stat st;

	memset(&st, 0, sizeof(st));
	st.valid = TN_ST_QID | TN_ST_MODE | TN_ST_NAME;
	st.qid = f->qid;
	st.mode = (uint32_t)f->qid.type << 24 | (f->qid.type & TN_QTDIR ? 0777 : 0666);
	st.name = tn_mfid_last_name(f);
	tn_reply_stat(op->r, &st);
	tn_op_done(op);
}

static const char *stated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_stat st = m->stat;

	tn_extension_take_links(&st);
	tn_mnt_learn(op->fid, &st);
	st.qid = tn_op_qid(op, op->fid, op->fid->name, st.qid);
	tn_reply_stat(op->r, &st);
	tn_op_done(op);
	return NULL;
}

static void stat_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (is_unknown_message(m->ename))
		tn_mnt_make_up_stat(rpc->op);
	else
		tn_op_refused(rpc->op, m);
}

static const struct tn_step stat_step = { .type = TN_TSTAT,
	.answer = stated,
	.refused = stat_refused };

void tn_mnt_stat(struct tn_op *op)
{
	tn_op_send(op, &stat_step, op->fid, NULL);
}

/* ---- wstat, and what is said by it ---- */

#define PLAIN_SAYABLE                                                                     \
	(TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME | \
	    TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_DEV)

/* What a Twstat can carry. */
static const uint32_t sayable[TN_DIALECTS] = {
	[TN_9P2000] = PLAIN_SAYABLE,
	[TN_9P2000_U] = PLAIN_SAYABLE | TN_ST_NUID | TN_ST_NGID | TN_ST_NMUID,
};

static void fill_wstat(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->stat = *r->u.wstat.st;
	/* The server's own time of the other dialects is ours here; the time of reading goes along by itself. */
	if (m->stat.valid & TN_ST_MTIME_NOW) {
		m->stat.mtime_ns = tn_time_ns();
		m->stat.valid |= TN_ST_MTIME;
	} else if (m->stat.valid & TN_ST_ATIME_NOW) {
		m->stat.atime_ns = tn_time_ns();
		m->stat.valid |= TN_ST_ATIME;
	}
	m->stat.valid &= sayable[rpc->op->client->dialect];
}

/* The Chan's name moves with the file. */
void tn_mfid_rename(struct tn_op *op, struct tn_elem *name)
{
	if (name)
		tn_mfid_bind(op->client, op->fid, op->fid->root, name);
}

static const char *wstated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_mfid_rename(rpc->op, rpc->op->name);
	rpc->op->name = NULL;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step wstat_step = { .type = TN_TWSTAT,
	.fill = fill_wstat,
	.answer = wstated };

void tn_mnt_wstat(struct tn_op *op)
{
	const struct tn_stat *st = op->r->u.wstat.st;
	struct tn_elem *old = op->fid->name;
	uint32_t now = TN_ST_ATIME_NOW | TN_ST_MTIME_NOW;

	if (st->valid & ~(sayable[op->client->dialect] | now)) {
		tn_op_fail(op, TN_ENOTSUP);
		return;
	}
	if (st->valid & TN_ST_NAME && old) {
		op->name = tn_elem_add(op->client, old->up, st->name);
		if (!op->name) {
			tn_op_fail(op, TN_ENOMEM);
			return;
		}
	}
	tn_op_send(op, &wstat_step, op->fid, NULL);
}

/* stat(5): a wstat that changes nothing asks that the file be on stable storage. */
static void fill_sync(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	memset(&m->stat, 0, sizeof(m->stat));
}

static const struct tn_step sync_step = { .type = TN_TWSTAT,
	.fill = fill_sync,
	.answer = tn_mnt_ended };

void tn_mnt_fsync(struct tn_op *op)
{
	tn_op_send(op, &sync_step, op->fid, NULL);
}

/* ---- rename: walk to it, wstat its name; its fid is clunked behind that ---- */

static void fill_rename(const struct tn_rpc *rpc, struct tn_msg *m)
{
	memset(&m->stat, 0, sizeof(m->stat));
	m->stat.valid = TN_ST_NAME;
	m->stat.name = rpc->op->r->u.rename.newname;
}

static const struct tn_step rename_step = { .type = TN_TWSTAT,
	.fill = fill_rename,
	.answer = tn_mnt_ended };

static const struct tn_step rename_self_step = { .type = TN_TWSTAT,
	.fill = fill_rename,
	.answer = wstated };

static void send_rename(struct tn_op *op)
{
	tn_op_send(op, &rename_step, op->newfid, NULL);
}

bool tn_mfid_is_in(const struct tn_mfid *f, const struct tn_mfid *dir)
{
	const struct tn_elem *up;

	if (!f->name || f->root != dir->root)
		return false;
	up = f->name->up;
	return up && dir->name ? up->hash == dir->name->hash : up == dir->name;
}

/* The file of the Chan itself. */
static void rename_self(struct tn_op *op)
{
	op->name = tn_elem_add(op->client, op->fid->name->up, op->r->u.rename.newname);
	if (op->name)
		tn_op_send(op, &rename_self_step, op->fid, NULL);
	else
		tn_op_fail(op, TN_ENOMEM);
}

void tn_mnt_rename(struct tn_op *op)
{
	const struct tn_req *r = op->r;
	bool is_self = r->u.rename.name.len == 0;

	if (r->u.rename.how & TN_L_EXCHANGE) {
		tn_op_fail(op, TN_EINVAL); /* renameat2(2): the file system has no such flag */
		return;
	}
	if (is_self ? !tn_mfid_is_in(op->fid, op->fid2) : !tn_chan_same(r->chan, r->chan2)) {
		tn_op_fail(op, TN_EXDEV);
		return;
	}
	if (is_self)
		rename_self(op);
	else
		tn_op_find(op, send_rename);
}

/* ---- remove ---- */

/* remove(5): the fid is gone, whatever the answer is. */
static const char *removed(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	(void)m;
	op->fid->generation = 0;
	op->fid->flags |= TN_MFID_STALE;
	tn_op_done(op);
	return NULL;
}

static void remove_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	rpc->op->fid->generation = 0;
	tn_op_refused(rpc->op, m);
}

static void removed_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)client;
	(void)m;
	rpc->fid->generation = 0;
}

static const struct tn_step remove_step = { .type = TN_TREMOVE,
	.unsure = true,
	.answer = removed,
	.refused = remove_refused,
	.late = removed_late };

void tn_mnt_remove(struct tn_op *op)
{
	tn_op_send(op, &remove_step, op->fid, NULL);
}
