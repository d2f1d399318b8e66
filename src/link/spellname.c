/*
 * 9P2000.L: names that are made, moved and taken away in directories. Each is one request of the server where that has
 * one; otherwise the name is walked first, never through a symbolic link.
 */
#include "link/linux.h"
#include "link/spell.h"

/* ---- Tmkdir ---- */

/* TN_CREATE makes a directory of the Chan that it is asked on: another one than that of dfid, which stays. */
static enum tn_status mkdir_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;
	enum tn_err err = tn_chan_is_dir(dir) ? tn_spell_new_name(call, m->name) : TN_ENOTDIR;

	if (err)
		return tn_call_refuse(call, err);
	call->newchan = tn_chan_clone(dir);
	if (!call->newchan)
		return tn_call_refuse(call, TN_ENOMEM);
	tn_call_request(call, TN_WALK, dir);
	call->r.u.walk.newchan = call->newchan;
	return tn_submit(&call->r);
}

static void make_point(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.type != TN_WALK)
		call->r.u.create.name = m->name;
}

static bool mkdir_then(struct tn_call *call, struct tn_msg *m)
{
	struct tn_req *r = &call->r;

	if (r->err || r->type == TN_CREATE || tn_spell_is_over(call))
		return false;
	tn_call_request(call, TN_CREATE, call->newchan);
	r->flags |= TN_OREAD | TN_OF_EXCL;
	r->u.create.perm = TN_DMDIR | tn_linux_perm(m->perm);
	r->u.create.gid = m->gid;
	make_point(call, m);
	return true;
}

static void mkdir_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RMKDIR;
	m->qid = call->newchan->qid;
}

/* ---- Tmknod, Tsymlink ---- */

static void make_answer(struct tn_call *call, struct tn_msg *m)
{
	tn_spell_only(call, m);
	m->qid = call->r.u.create.qid;
}

static enum tn_status mknod_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;
	enum tn_err err = tn_chan_is_dir(dir) ? tn_spell_new_name(call, m->name) : TN_ENOTDIR;
	uint32_t kind = tn_linux_kind(m->perm);

	if (!err && (kind & ~(TN_DMNAMEDPIPE | TN_DMSOCKET | TN_DMDEVICE)))
		err = TN_EINVAL;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_MKNOD, dir);
	call->r.u.create.perm = kind | tn_linux_perm(m->perm);
	call->r.u.create.gid = m->gid;
	call->r.u.create.rdev_major = m->major;
	call->r.u.create.rdev_minor = m->minor;
	call->r.u.create.target = tn_linux_device(m->perm);
	make_point(call, m);
	return tn_submit(&call->r);
}

static void symlink_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.create.name = m->name;
	call->r.u.create.target = m->target;
}

static enum tn_status symlink_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;
	enum tn_err err = tn_chan_is_dir(dir) ? tn_spell_new_name(call, m->name) : TN_ENOTDIR;

	if (!err && m->target.len == 0)
		err = TN_EEMPTYNAME;
	if (!err && m->target.len > TN_TARGET_MAX)
		err = TN_ENAMETOOLONG;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_SYMLINK, dir);
	call->r.u.create.gid = m->gid;
	symlink_point(call, m);
	return tn_submit(&call->r);
}

/* ---- Treadlink ---- */

static enum tn_status readlink_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *c = tn_call_fid(call)->chan;

	(void)m;
	if (!(c->qid.type & TN_QTSYMLINK))
		return tn_call_refuse(call, TN_EINVAL);
	if (!tn_call_readlink(call, c))
		return tn_call_refuse(call, TN_ENOMEM);
	return tn_submit(&call->r);
}

static bool readlink_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_OK &&
	    (!tn_call_target(call) || TN_HDR_SIZE + 2 + call->text_len > tn_call_msize(call)))
		tn_fail(&call->r, TN_EOVERFLOW);
	return false;
}

static void readlink_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RREADLINK;
	m->target = (struct tn_str){ call->text, call->text_len };
}

/* ---- Tlink, Trename, Trenameat, Trenameat2 of 9P2000.L.tenon ---- */

static void link_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.rename.name = m->name;
}

static enum tn_status link_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;
	enum tn_err err = tn_chan_is_dir(dir) ? tn_spell_new_name(call, m->name) : TN_ENOTDIR;

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_LINK, dir);
	call->r.chan2 = tn_call_fid2(call)->chan;
	link_point(call, m);
	return tn_submit(&call->r);
}

/* The file of the fid, whatever its name is now, gets one in the directory. */
static void rename_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.rename.newname = m->name;
}

static enum tn_status rename_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid2(call)->chan;
	enum tn_err err = tn_chan_is_dir(dir) ? tn_spell_new_name(call, m->name) : TN_ENOTDIR;

	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_RENAME, tn_call_fid(call)->chan);
	call->r.chan2 = dir;
	rename_point(call, m);
	return tn_submit(&call->r);
}

static void renameat_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.rename.name = m->name;
	call->r.u.rename.newname = m->newname;
}

static enum tn_status renameat_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *from = tn_call_fid(call)->chan, *to = tn_call_fid2(call)->chan;
	uint32_t how = call->type == TN_TRENAMEAT2 ? m->flags : 0;
	enum tn_err err = tn_spell_old_name(call, m->name);

	if (!err)
		err = tn_spell_new_name(call, m->newname);
	if (!err && !(tn_chan_is_dir(from) && tn_chan_is_dir(to)))
		err = TN_ENOTDIR;
	if (!err && how > TN_L_EXCHANGE) /* both at once, or none of the two */
		err = TN_EINVAL;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_RENAME, from);
	call->r.chan2 = to;
	call->r.u.rename.how = how;
	renameat_point(call, m);
	return tn_submit(&call->r);
}

/* ---- Tunlinkat ---- */

static enum tn_status unlinkat_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = tn_spell_old_name(call, m->name);

	if (!err && !tn_chan_is_dir(tn_call_fid(call)->chan))
		err = TN_ENOTDIR;
	if (!err && (m->flags & ~(uint32_t)TN_L_REMOVEDIR))
		err = TN_EINVAL;
	if (err)
		return tn_call_refuse(call, err);
	return tn_spell_walk_name(call, m) ? tn_submit(&call->r) : tn_call_refuse(call, TN_ENOMEM);
}

/* The Chan that was walked to is put with the call, and thereby clunked. */
static bool unlinkat_then(struct tn_call *call, struct tn_msg *m)
{
	bool is_dir;

	if (call->r.type == TN_REMOVE || !tn_spell_walked(call) || tn_spell_is_over(call))
		return false;
	is_dir = tn_chan_is_dir(call->newchan);
	if (is_dir != ((m->flags & TN_L_REMOVEDIR) != 0)) {
		tn_fail(&call->r, is_dir ? TN_EISDIR : TN_ENOTDIR);
		return false;
	}
	tn_call_request(call, TN_REMOVE, call->newchan);
	return true;
}

static void unlinkat_point(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.type == TN_WALK)
		tn_spell_name_point(call, m);
}

/* clang-format off */
const struct tn_spelling
	tn_spelll_mkdir = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = mkdir_ask, .point = make_point,
		.then = mkdir_then, .answer = mkdir_answer },
	tn_spelll_mknod = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = mknod_ask, .point = make_point,
		.answer = make_answer },
	tn_spelll_symlink = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = symlink_ask, .point = symlink_point,
		.answer = make_answer },
	tn_spelll_readlink = { .fid = TN_USE_SHARE, .ask = readlink_ask, .then = readlink_then,
		.answer = readlink_answer },
	tn_spelll_link = { .fid = TN_USE_SHARE, .newfid = TN_USE_SHARE, .keeps_frame = true, .ask = link_ask,
		.point = link_point, .answer = tn_spell_only },
	tn_spelll_rename = { .fid = TN_USE_SHARE, .newfid = TN_USE_SHARE, .keeps_frame = true, .ask = rename_ask,
		.point = rename_point, .answer = tn_spell_only },
	tn_spelll_renameat = { .fid = TN_USE_SHARE, .newfid = TN_USE_SHARE, .keeps_frame = true, .ask = renameat_ask,
		.point = renameat_point, .answer = tn_spell_only },
	tn_spelll_unlinkat = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = unlinkat_ask, .point = unlinkat_point,
		.then = unlinkat_then, .answer = tn_spell_only };
/* clang-format on */
