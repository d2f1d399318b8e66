/*
 * What 9P2000.L has of its own: files that are opened, made, looked at and changed as Linux does it. diod's protocol.md
 * and Linux's net/9p and fs/9p. spellname.c has names of directories, spellx.c attributes, spelllock.c locks.
 */
#include "link/linux.h"
#include "link/spell.h"

#define V9FS_MAGIC 0x01021997u

/* ---- Tlopen ---- */

static enum tn_err check_open(struct tn_qid qid, uint32_t flags)
{
	uint32_t access = flags & TN_OF_ACCESS;

	if (access == TN_OEXEC)
		return TN_EINVAL;
	if (qid.type & TN_QTSYMLINK)
		return TN_ESYMLINK;
	if ((qid.type & TN_QTDIR) && (access != TN_OREAD || (flags & TN_OF_TRUNC)))
		return TN_EISDIR;
	return (flags & TN_OF_DIRECTORY) && !(qid.type & TN_QTDIR) ? TN_ENOTDIR : TN_OK;
}

/* O_EXCL is about what a create finds. */
static enum tn_status lopen_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint32_t flags = tn_linux_open(m->flags) & ~(uint32_t)TN_OF_EXCL;
	enum tn_err err = fid->is_open ? TN_EISOPEN : check_open(fid->chan->qid, flags);

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_OPEN, fid->chan);
	call->r.flags |= flags;
	return tn_submit(&call->r);
}

static void lopen_answer(struct tn_call *call, struct tn_msg *m)
{
	tn_spell_opened(call, m, call->r.u.open.iounit);
}

/* ---- Tlcreate: open(2) with O_CREAT ---- */

static enum tn_err check_create(const struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_fid *fid = tn_call_fid(call);
	uint32_t flags = tn_linux_open(m->flags);

	if (fid->is_open)
		return TN_EISOPEN;
	if (!tn_chan_is_dir(fid->chan))
		return TN_ENOTDIR;
	if ((flags & TN_OF_ACCESS) == TN_OEXEC || (flags & TN_OF_DIRECTORY) ||
	    tn_linux_kind(m->perm) != 0)
		return TN_EINVAL;
	return tn_spell_new_name(call, m->name);
}

static void lcreate_point(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.type == TN_CREATE)
		call->r.u.create.name = m->name;
	else
		tn_spell_name_point(call, m);
}

static enum tn_status lcreate_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_create(call, m);

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_CREATE, tn_call_fid(call)->chan);
	call->r.flags |= tn_linux_open(m->flags);
	call->r.u.create.perm = tn_linux_perm(m->perm);
	call->r.u.create.gid = m->gid;
	lcreate_point(call, m);
	return tn_submit(&call->r);
}

/* The name was there: what it leads to is opened, if its server did not do so itself. */
static bool lcreate_then(struct tn_call *call, struct tn_msg *m)
{
	struct tn_req *r = &call->r;
	uint32_t flags = tn_linux_open(m->flags);
	enum tn_err err;

	if (r->type == TN_CREATE && r->err == TN_EEXIST && !(flags & TN_OF_EXCL))
		return !tn_spell_is_over(call) && tn_spell_walk_name(call, m);
	if (r->type != TN_WALK || !tn_spell_walked(call) || tn_spell_is_over(call))
		return false;
	err = check_open(call->newchan->qid, flags);
	if (err) {
		tn_fail(r, err);
		return false;
	}
	tn_call_request(call, TN_OPEN, call->newchan);
	r->flags |= flags;
	return true;
}

static void lcreate_answer(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.type == TN_CREATE) {
		tn_spell_opened(call, m, call->r.u.create.iounit);
		return;
	}
	tn_spell_move(call, tn_call_fid(call));
	tn_spell_opened(call, m, call->r.u.open.iounit);
}

/* ---- Tgetattr is Tstat; Tsetattr ---- */

/* Our own form of what is to be changed goes where a Twstat has it. */
static void setattr_point(struct tn_call *call, struct tn_msg *m)
{
	tn_linux_setattr(&m->stat, m, tn_call_fid(call)->chan->qid);
	call->r.u.wstat.st = &m->stat;
}

static enum tn_status setattr_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *c = tn_call_fid(call)->chan;
	enum tn_err err = tn_linux_setattr(&m->stat, m, c->qid);

	/* Nothing to be changed would be a sync: Tfsync is one. */
	if (err || m->stat.valid == 0)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_WSTAT, c);
	setattr_point(call, m);
	return tn_submit(&call->r);
}

/* ---- Treaddir ---- */

/* The offset is a cookie: what a server gave with an entry. What it makes of one that it never gave is its business. */
static enum tn_status readdir_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint32_t max = tn_call_msize(call) - TN_DATA_HDR;
	uint32_t count = m->count < max ? m->count : max;

	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (!tn_chan_is_dir(fid->chan))
		return tn_call_refuse(call, TN_ENOTDIR);
	if (!tn_call_room(call, TN_DATA_HDR, count))
		return tn_call_refuse(call, TN_ENOMEM);
	tn_call_request(call, TN_READDIR, fid->chan);
	call->r.u.readdir.offset = m->offset;
	call->r.u.readdir.count = count;
	return tn_submit(&call->r);
}

static void readdir_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RREADDIR;
	m->data = call->room + TN_DATA_HDR;
	m->count = call->data_len;
}

/* ---- Tfsync, Tstatfs ---- */

static enum tn_status fsync_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	tn_call_request(call, TN_FSYNC, fid->chan);
	call->r.u.range.how = m->flags != 0;
	return tn_submit(&call->r);
}

static enum tn_status statfs_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	tn_call_request(call, TN_STATFS, tn_call_fid(call)->chan);
	call->statfs = (struct tn_statfs){ 0 };
	call->r.u.statfs.out = &call->statfs;
	return tn_submit(&call->r);
}

/* What keeps nothing has no blocks: Linux says the same of /proc. Its client takes no error for an answer. */
static bool statfs_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_ENOTSUP) {
		tn_fail(&call->r, TN_OK);
		call->statfs = (struct tn_statfs){ .type = V9FS_MAGIC,
			.bsize = 4096,
			.namelen = 255 };
	}
	return false;
}

static void statfs_answer(struct tn_call *call, struct tn_msg *m)
{
	const struct tn_statfs *s = &call->statfs;

	m->type = TN_RSTATFS;
	m->statfs.type = s->type;
	m->statfs.bsize = s->bsize;
	m->statfs.blocks = s->blocks;
	m->statfs.bfree = s->bfree;
	m->statfs.bavail = s->bavail;
	m->statfs.files = s->files;
	m->statfs.ffree = s->ffree;
	m->statfs.fsid = s->fsid;
	m->statfs.namelen = s->namelen;
}

/* clang-format off */
const struct tn_spelling
	tn_spelll_lopen = { .fid = TN_USE_ALONE, .ask = lopen_ask, .answer = lopen_answer },
	tn_spelll_lcreate = { .fid = TN_USE_ALONE, .keeps_frame = true, .ask = lcreate_ask, .point = lcreate_point,
		.then = lcreate_then, .answer = lcreate_answer },
	tn_spelll_setattr = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = setattr_ask, .point = setattr_point,
		.answer = tn_spell_only },
	tn_spelll_readdir = { .fid = TN_USE_READ, .ask = readdir_ask, .then = tn_spell_read_then,
		.answer = readdir_answer },
	tn_spelll_fsync = { .fid = TN_USE_SHARE, .ask = fsync_ask, .answer = tn_spell_only },
	tn_spelll_statfs = { .fid = TN_USE_SHARE, .ask = statfs_ask, .then = statfs_then,
		.answer = statfs_answer };
/* clang-format on */
