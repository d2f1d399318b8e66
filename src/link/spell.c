/*
 * The spelling of 9P2000: section 5 of Plan 9's manual, a few functions a message; spellio.c has data and stats. What
 * conn.c has done before: the frame is wholly checked, its fids are in use (or free, where one is to be made) and
 * nobody else changes them. What a server need not check because it is done here: open modes, names, offsets, what a
 * wstat may not touch.
 */
#include "link/spell.h"

#include "core/mem.h"

#define MODE_BITS (TN_OEXEC | TN_OTRUNC | TN_ORCLOSE)
#define OAPPEND_U 0x80 /* what Linux's client adds in 9P2000.u: writes go to the end */
/* What open(5) makes by a create. */
#define CREATE_DM                                                                                  \
	(TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMTMP | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | \
	    0777u)

/* ---- checks ---- */

static bool is_dots(struct tn_str name)
{
	return (name.len == 1 && name.s[0] == '.') ||
	       (name.len == 2 && name.s[0] == '.' && name.s[1] == '.');
}

static bool has_slash(struct tn_str name)
{
	for (uint32_t i = 0; i < name.len; i++)
		if (name.s[i] == '/')
			return true;
	return false;
}

enum tn_err tn_spell_new_name(const struct tn_call *call, struct tn_str name)
{
	if (name.len == 0)
		return TN_EEMPTYNAME;
	if (is_dots(name))
		return TN_EEXIST;
	if (name.len > tn_dialect_name_max(tn_call_dialect(call)))
		return TN_ENAMETOOLONG;
	return has_slash(name) ? TN_EBADCHAR : TN_OK;
}

/* A name that a walk may have: ".." is one, "." and "" are not, and a slash is in no name. */
static enum tn_err check_walk(const struct tn_call *call, struct tn_str name)
{
	if (name.len > tn_dialect_name_max(tn_call_dialect(call)))
		return TN_ENAMETOOLONG;
	return name.len == 0 || (name.len == 1 && name.s[0] == '.') || has_slash(name) ? TN_ENOENT
										       : TN_OK;
}

/* The TN_OF bits of an open mode. */
static uint32_t flags_of(const struct tn_call *call, uint8_t mode)
{
	if (tn_call_dialect(call) == TN_9P2000_U && (mode & OAPPEND_U))
		return (uint32_t)(mode & ~OAPPEND_U) | TN_OF_APPEND;
	return mode;
}

static enum tn_err check_mode(uint32_t mode, bool is_dir)
{
	mode &= ~(uint32_t)TN_OF_APPEND;
	if (mode & ~MODE_BITS)
		return TN_EBADARG;
	/* open(5): illegal to write a directory, truncate it, or attempt to remove it on close. */
	if (is_dir && (mode & (TN_OTRUNC | TN_ORCLOSE)))
		return TN_EISDIR;
	if (is_dir && ((mode & 3) == TN_OWRITE || (mode & 3) == TN_ORDWR))
		return TN_EISDIR;
	return TN_OK;
}

/* ---- what answers share ---- */

static uint32_t iounit_of(const struct tn_call *call, uint32_t iounit)
{
	uint32_t max = tn_call_msize(call) - TN_IOHDR_SIZE;

	return iounit < max ? iounit : max;
}

void tn_spell_opened(struct tn_call *call, struct tn_msg *m, uint32_t iounit)
{
	struct tn_fid *fid = tn_call_fid(call);

	fid->is_open = true;
	fid->mode = (uint8_t)(call->r.flags & TN_OF_ACCESS);
	fid->dir_off = fid->dir_next = 0;
	tn_spell_only(call, m);
	m->qid = tn_dialect_qid(fid->chan->qid, tn_call_dialect(call));
	m->iounit = iounit_of(call, iounit);
}

void tn_spell_move(struct tn_call *call, struct tn_fid *fid)
{
	tn_chan_put(fid->chan);
	fid->chan = call->newchan;
	fid->is_open = false;
	call->newchan = NULL;
}

void tn_spell_only(struct tn_call *call, struct tn_msg *m)
{
	m->type = (uint8_t)(call->type + 1);
}

/* ---- attach(5) ---- */

/* No server of this node asks for authentication yet; the afid that one would make is made here. */
static enum tn_status auth_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	return tn_call_refuse(call, TN_ENOAUTH);
}

static void attach_point(struct tn_call *call, struct tn_msg *m)
{
	/* What the peer said, whoever that is here: a server elsewhere has users of its own. */
	call->r.u.attach.uname = m->uname;
	call->r.u.attach.aname = m->aname;
}

static enum tn_status attach_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *afid = call->n_tickets > 1 ? call->tickets[1].fid : NULL;
	uint32_t n_uname = tn_call_dialect(call) == TN_9P2000 ? TN_NONUNAME : m->n_uname;
	struct tn_user *user;

	if (afid && !(afid->chan->flags & TN_CF_AUTH))
		return tn_call_refuse(call, TN_EBADAUTH);
	user = tn_user_new(m->uname, n_uname, TN_NONUNAME);
	if (!user)
		return tn_call_refuse(call, TN_ENOMEM);
	call->newchan = tn_chan_new(tn_call_server(call, m->aname), user);
	tn_user_put(user);
	if (!call->newchan)
		return tn_call_refuse(call, TN_ENOMEM);
	tn_call_request(call, TN_ATTACH, NULL);
	call->r.server = tn_call_door(call, call->newchan->server);
	call->r.user = user; /* the Chan holds it */
	call->r.u.attach.newchan = call->newchan;
	call->r.u.attach.auth = afid ? afid->chan : NULL;
	call->r.u.attach.n_uname = n_uname;
	attach_point(call, m);
	return tn_submit(&call->r);
}

static void attach_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RATTACH;
	m->qid = tn_dialect_qid(call->newchan->qid, tn_call_dialect(call));
	tn_spell_move(call, tn_call_fid(call));
}

/* ---- one name, for what has to walk before it acts ---- */

enum tn_err tn_spell_old_name(const struct tn_call *call, struct tn_str name)
{
	enum tn_err err = tn_spell_new_name(call, name);

	return err == TN_EEXIST ? TN_EINVAL : err;
}

/* A walk may have come through one server before it waits for the next: the qids that are there go with it. */
static void move_qids(struct tn_call *call, struct tn_msg *m)
{
	const struct tn_qid *qids = call->r.u.walk.qids;

	if (qids && qids != m->wqid)
		memcpy(m->wqid, qids, call->r.u.walk.n_names * sizeof(m->wqid[0]));
	call->r.u.walk.qids = m->wqid;
}

void tn_spell_name_point(struct tn_call *call, struct tn_msg *m)
{
	move_qids(call, m);
	call->r.u.walk.names = &m->name;
}

bool tn_spell_walk_name(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;

	call->newchan = tn_chan_clone(dir);
	if (!call->newchan) {
		tn_call_fail(call, TN_ENOMEM);
		return false;
	}
	tn_call_request(call, TN_WALK, dir);
	call->r.u.walk.n_names = 1;
	call->r.u.walk.newchan = call->newchan;
	tn_spell_name_point(call, m);
	return true;
}

bool tn_spell_walked(struct tn_call *call)
{
	if (call->r.err == TN_OK && call->r.u.walk.n_walked == 0)
		tn_fail(&call->r, TN_ENOENT);
	return call->r.err == TN_OK;
}

bool tn_spell_is_over(struct tn_call *call)
{
	if (!call->is_flushed && !call->is_silent)
		return false;
	tn_fail(&call->r, TN_EINTR);
	return true;
}

/* ---- walk(5) ---- */

static void walk_point(struct tn_call *call, struct tn_msg *m)
{
	move_qids(call, m);
	call->r.u.walk.names = m->wname;
}

/* How many names can be walked at all; what is wrong with the next. */
static uint16_t names_before_bad(const struct tn_call *call, const struct tn_msg *m,
    enum tn_err *err)
{
	uint16_t n = 0;

	*err = TN_OK;
	while (n < m->nwname && (*err = check_walk(call, m->wname[n])) == TN_OK)
		n++;
	return n;
}

/*
 * walk(5): not from an open fid. Linux's client has no other for a file without a name, or for a second name of one that is
 * open (v9fs_fid_find_inode): in its dialects such a fid may be cloned, and the clone is not open.
 */
static bool may_leave(const struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_fid *fid = tn_call_fid(call);

	return !fid->is_open ||
	       (m->nwname == 0 && tn_call_fid2(call) != fid && tn_call_dialect(call) != TN_9P2000);
}

static enum tn_status walk_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	enum tn_err err;
	uint16_t n = names_before_bad(call, m, &err);

	call->n_names = m->nwname;
	if (!may_leave(call, m))
		return tn_call_refuse(call, TN_EISOPEN);
	if (m->nwname > 0 && !tn_chan_is_dir(fid->chan))
		return tn_call_refuse(call, TN_ENOTDIR);
	if (m->nwname > 0 && n == 0)
		return tn_call_refuse(call, err);
	call->newchan = tn_chan_clone(fid->chan);
	if (!call->newchan)
		return tn_call_refuse(call, TN_ENOMEM);
	tn_call_request(call, TN_WALK, fid->chan);
	call->r.u.walk.n_names = n;
	call->r.u.walk.newchan = call->newchan;
	walk_point(call, m);
	return tn_submit(&call->r);
}

static bool walk_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.err == TN_OK && call->n_names > 0 && call->r.u.walk.n_walked == 0)
		tn_fail(&call->r, TN_ENOENT);
	return false;
}

static void walk_answer(struct tn_call *call, struct tn_msg *m)
{
	const struct tn_qid *qids = call->r.u.walk.qids; /* may be m->wqid */
	uint16_t n = call->r.u.walk.n_walked;

	tn_assert(n <= call->n_names);
	m->type = TN_RWALK;
	m->nwqid = n;
	for (uint16_t i = 0; i < n; i++)
		m->wqid[i] = tn_dialect_qid(qids[i], tn_call_dialect(call));
	/* newfid is made, and fid moves, only when all names were walked. */
	if (n == call->n_names)
		tn_spell_move(call, tn_call_fid2(call));
}

/* ---- open(5) ---- */

static enum tn_status open_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint32_t flags = flags_of(call, m->mode);
	enum tn_err err = check_mode(flags, tn_chan_is_dir(fid->chan));

	if (fid->is_open)
		return tn_call_refuse(call, TN_EISOPEN);
	if (err)
		return tn_call_refuse(call, err);
	if (tn_dialect_qid(fid->chan->qid, tn_call_dialect(call)).type & TN_QTSYMLINK)
		return tn_call_refuse(call, TN_ESYMLINK);
	tn_call_request(call, TN_OPEN, fid->chan);
	call->r.flags |= flags;
	return tn_submit(&call->r);
}

static void open_answer(struct tn_call *call, struct tn_msg *m)
{
	tn_spell_opened(call, m, call->r.u.open.iounit);
}

void tn_spell_create_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.create.name = m->name;
}

enum tn_err tn_spell_check_create(const struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_fid *fid = tn_call_fid(call);
	enum tn_err err = check_mode(flags_of(call, m->mode), m->perm & TN_DMDIR);

	if (fid->is_open)
		return TN_EISOPEN;
	if (!tn_chan_is_dir(fid->chan))
		return TN_ENOTDIR;
	return err ? err : tn_spell_new_name(call, m->name);
}

enum tn_status tn_spell_create_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = tn_spell_check_create(call, m);

	if (!err && (m->perm & ~(CREATE_DM & tn_dialect_dm(tn_call_dialect(call)))))
		err = TN_EBADARG;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, TN_CREATE, tn_call_fid(call)->chan);
	call->r.flags |= flags_of(call, m->mode) | TN_OF_EXCL | TN_OF_INHERIT;
	call->r.u.create.perm = m->perm;
	call->r.u.create.gid = TN_NONUNAME;
	tn_spell_create_point(call, m);
	return tn_submit(&call->r);
}

void tn_spell_create_answer(struct tn_call *call, struct tn_msg *m)
{
	tn_spell_opened(call, m, call->r.u.create.iounit);
}

/* ---- clunk(5), remove(5) ---- */

/* Another request is asked: what came of the first is what the peer hears. */
static void keep_answer(struct tn_call *call)
{
	call->first_err = call->r.err;
	call->first_words = call->r.words;
	call->r.words = NULL;
}

static void tell_answer(struct tn_call *call)
{
	tn_fail(&call->r, (enum tn_err)call->first_err); /* which may be TN_OK */
	call->r.words = call->first_words;
	call->first_words = NULL;
}

/* The fid is gone from here on; its Chan goes with the request. */
static void close_chan(struct tn_call *call)
{
	struct tn_fid *fid = tn_call_fid(call);

	tn_call_request(call, TN_CLUNK, fid->chan);
	fid->chan = NULL;
}

enum tn_status tn_spell_clunk_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	close_chan(call);
	return tn_chan_close(&call->r);
}

enum { FIRST, LAST };

enum tn_status tn_spell_remove_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	tn_call_request(call, TN_REMOVE, tn_call_fid(call)->chan);
	return tn_submit(&call->r);
}

void tn_spell_last(struct tn_call *call)
{
	call->stage = LAST;
	keep_answer(call);
	close_chan(call);
}

/* remove(5): the fid is clunked whether or not the remove succeeds; the peer hears of the remove. */
bool tn_spell_last_then(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->stage == FIRST && call->r.type != TN_CLUNK) {
		tn_spell_last(call);
		return true;
	}
	if (call->stage == LAST)
		tell_answer(call);
	return false;
}

/* clang-format off */
const struct tn_spelling
	tn_spell_auth = { .afid = TN_USE_MAKE, .ask = auth_ask },
	tn_spell_attach = { .fid = TN_USE_MAKE, .afid = TN_USE_SHARE, .keeps_frame = true, .ask = attach_ask,
		.point = attach_point, .answer = attach_answer },
	tn_spell_walk = { .fid = TN_USE_SHARE, .newfid = TN_USE_MAKE, .keeps_frame = true, .ask = walk_ask,
		.point = walk_point, .then = walk_then, .answer = walk_answer },
	tn_spell_open = { .fid = TN_USE_ALONE, .ask = open_ask, .answer = open_answer },
	tn_spell_create = { .fid = TN_USE_ALONE, .keeps_frame = true, .ask = tn_spell_create_ask,
		.point = tn_spell_create_point, .answer = tn_spell_create_answer },
	tn_spell_clunk = { .fid = TN_USE_LAST, .ask = tn_spell_clunk_ask, .answer = tn_spell_only },
	tn_spell_remove = { .fid = TN_USE_LAST, .ask = tn_spell_remove_ask, .then = tn_spell_last_then, .answer = tn_spell_only };
/* clang-format on */
