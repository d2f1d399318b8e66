/*
 * The spelling of 9P2000: section 5 of Plan 9's manual, a few functions a message. What conn.c has done before: the
 * frame is wholly checked, its fids are in use (or free, where one is to be made) and nobody else changes them. What a
 * server need not check because it is done here: open modes, names, offsets, what a wstat may not touch.
 */
#include "link/dialect.h"

#include "core/mem.h"
#include "link/call.h"

#define MODE_BITS  (TN_OEXEC | TN_OTRUNC | TN_ORCLOSE)
#define KNOWN_DM   (TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMMOUNT | TN_DMAUTH | TN_DMTMP | 0777u)
#define CREATE_DM  (TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMTMP | 0777u)
#define OFFSET_MAX ((uint64_t)INT64_MAX)

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

/* A name that a file may get, by create or wstat. */
static enum tn_err check_new_name(struct tn_str name)
{
	if (name.len == 0)
		return TN_EEMPTYNAME;
	if (is_dots(name))
		return TN_EEXIST;
	return has_slash(name) ? TN_EBADCHAR : TN_OK;
}

/* A name that a walk may have: ".." is one, "." and "" are not, and a slash is in no name. */
static bool may_walk(struct tn_str name)
{
	return name.len > 0 && !(name.len == 1 && name.s[0] == '.') && !has_slash(name);
}

static enum tn_err check_mode(uint8_t mode, bool is_dir)
{
	if (mode & ~MODE_BITS)
		return TN_EBADARG;
	/* open(5): illegal to write a directory, truncate it, or attempt to remove it on close. */
	if (is_dir && (mode & (TN_OTRUNC | TN_ORCLOSE)))
		return TN_EISDIR;
	if (is_dir && ((mode & 3) == TN_OWRITE || (mode & 3) == TN_ORDWR))
		return TN_EISDIR;
	return TN_OK;
}

/* ---- what all answers share ---- */

static uint32_t iounit_of(const struct tn_call *call, uint32_t iounit)
{
	uint32_t max = tn_call_msize(call) - TN_IOHDR_SIZE;

	return iounit < max ? iounit : max;
}

static void fid_opened(struct tn_call *call, struct tn_msg *m, uint8_t rtype, uint32_t iounit)
{
	struct tn_fid *fid = tn_call_fid(call);

	fid->is_open = true;
	fid->mode = (uint8_t)(call->r.flags & TN_OF_ACCESS);
	fid->dir_off = fid->dir_next = 0;
	m->type = rtype;
	m->qid = tn_dialect_qid(fid->chan->qid, tn_call_dialect(call));
	m->iounit = iounit_of(call, iounit);
}

/* The fid stands for the Chan that was made for the call. */
static void fid_moves(struct tn_call *call, struct tn_fid *fid)
{
	tn_chan_put(fid->chan);
	fid->chan = call->newchan;
	fid->is_open = false;
	call->newchan = NULL;
}

static void only(struct tn_call *call, struct tn_msg *m)
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
	call->r.u.attach.uname = m->uname;
	call->r.u.attach.aname = m->aname;
}

static enum tn_status attach_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *afid = call->n_tickets > 1 ? call->tickets[1].fid : NULL;
	struct tn_user *user;

	if (afid && !(afid->chan->flags & TN_CF_AUTH))
		return tn_call_refuse(call, TN_EBADAUTH);
	user = tn_user_new(m->uname, TN_NONUNAME, TN_NONUNAME);
	if (!user)
		return tn_call_refuse(call, TN_ENOMEM);
	call->newchan = tn_chan_new(tn_call_server(call), user);
	tn_user_put(user);
	if (!call->newchan)
		return tn_call_refuse(call, TN_ENOMEM);
	tn_req_init(&call->r, TN_ATTACH, NULL, &tn_conn_owner);
	call->r.server = tn_call_server(call);
	call->r.user = user; /* the Chan holds it */
	call->r.u.attach.newchan = call->newchan;
	call->r.u.attach.auth = afid ? afid->chan : NULL;
	call->r.u.attach.n_uname = TN_NONUNAME;
	attach_point(call, m);
	return tn_submit(&call->r);
}

static void attach_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RATTACH;
	m->qid = tn_dialect_qid(call->newchan->qid, tn_call_dialect(call));
	fid_moves(call, tn_call_fid(call));
}

/* ---- walk(5) ---- */

/* A walk may have come through one server before it waits for the next: the qids that are there go with it. */
static void walk_point(struct tn_call *call, struct tn_msg *m)
{
	const struct tn_qid *qids = call->r.u.walk.qids;

	if (qids && qids != m->wqid)
		memcpy(m->wqid, qids, call->r.u.walk.n_names * sizeof(m->wqid[0]));
	call->r.u.walk.names = m->wname;
	call->r.u.walk.qids = m->wqid;
}

/* How many names can be walked at all. */
static uint16_t names_before_bad(const struct tn_msg *m)
{
	uint16_t n = 0;

	while (n < m->nwname && may_walk(m->wname[n]))
		n++;
	return n;
}

static enum tn_status walk_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint16_t n = names_before_bad(m);

	call->n_names = m->nwname;
	if (fid->is_open)
		return tn_call_refuse(call, TN_EISOPEN);
	if (m->nwname > 0 && !tn_chan_is_dir(fid->chan))
		return tn_call_refuse(call, TN_ENOTDIR);
	if (m->nwname > 0 && n == 0)
		return tn_call_refuse(call, TN_ENOENT);
	call->newchan = tn_chan_clone(fid->chan);
	if (!call->newchan)
		return tn_call_refuse(call, TN_ENOMEM);
	tn_req_init(&call->r, TN_WALK, fid->chan, &tn_conn_owner);
	call->r.u.walk.n_names = n;
	call->r.u.walk.newchan = call->newchan;
	walk_point(call, m);
	return tn_submit(&call->r);
}

static enum tn_status walk_then(struct tn_call *call)
{
	if (call->r.err == TN_OK && call->n_names > 0 && call->r.u.walk.n_walked == 0)
		return tn_fail(&call->r, TN_ENOENT);
	return TN_DONE;
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
		fid_moves(call, call->tickets[call->n_tickets - 1].fid);
}

/* ---- open(5) ---- */

static enum tn_status open_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	enum tn_err err = check_mode(m->mode, tn_chan_is_dir(fid->chan));

	if (fid->is_open)
		return tn_call_refuse(call, TN_EISOPEN);
	if (err)
		return tn_call_refuse(call, err);
	tn_req_init(&call->r, TN_OPEN, fid->chan, &tn_conn_owner);
	call->r.flags = m->mode;
	return tn_submit(&call->r);
}

static void open_answer(struct tn_call *call, struct tn_msg *m)
{
	fid_opened(call, m, TN_ROPEN, call->r.u.open.iounit);
}

static void create_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.create.name = m->name;
}

static enum tn_err check_create(const struct tn_fid *fid, const struct tn_msg *m)
{
	enum tn_err err = check_mode(m->mode, m->perm & TN_DMDIR);

	if (fid->is_open)
		return TN_EISOPEN;
	if (!tn_chan_is_dir(fid->chan))
		return TN_ENOTDIR;
	if (err)
		return err;
	return m->perm & ~CREATE_DM ? TN_EBADARG : check_new_name(m->name);
}

static enum tn_status create_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	enum tn_err err = check_create(fid, m);

	if (err)
		return tn_call_refuse(call, err);
	tn_req_init(&call->r, TN_CREATE, fid->chan, &tn_conn_owner);
	call->r.flags = m->mode | TN_OF_EXCL | TN_OF_INHERIT;
	call->r.u.create.perm = m->perm;
	call->r.u.create.gid = TN_NONUNAME;
	create_point(call, m);
	return tn_submit(&call->r);
}

static void create_answer(struct tn_call *call, struct tn_msg *m)
{
	fid_opened(call, m, TN_RCREATE, call->r.u.create.iounit);
}

/* ---- read(5) ---- */

static void read_point(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	if (call->r.type == TN_READ)
		call->r.u.io.data = call->room + TN_RREAD_HDR;
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
	tn_req_init(&call->r, TN_READDIR, fid->chan, &tn_conn_owner);
	call->r.u.readdir.offset = fid->dir_next;
	call->r.u.readdir.count = count;
	return tn_submit(&call->r);
}

static enum tn_status read_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	uint32_t max = tn_call_msize(call) - TN_RREAD_HDR;
	uint32_t count = m->count < max ? m->count : max;

	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (fid->mode == TN_OWRITE)
		return tn_call_refuse(call, TN_EBADUSE);
	if (m->offset > OFFSET_MAX)
		return tn_call_refuse(call, TN_EBADOFFSET);
	if (count > OFFSET_MAX - m->offset)
		count = (uint32_t)(OFFSET_MAX - m->offset);
	if (!tn_call_room(call, TN_RREAD_HDR, count))
		return tn_call_refuse(call, TN_ENOMEM);
	if (tn_chan_is_dir(fid->chan))
		return dir_ask(call, m, count);
	tn_req_init(&call->r, TN_READ, fid->chan, &tn_conn_owner);
	call->r.u.io.offset = m->offset;
	call->r.u.io.count = count;
	read_point(call, m);
	return tn_submit(&call->r);
}

/* An entry that does not even fit alone: nothing would mean the end of the directory. */
static enum tn_status read_then(struct tn_call *call)
{
	if (call->r.err == TN_OK && call->r.type == TN_READDIR && call->is_full &&
	    call->data_len == 0 && call->data_max > 0)
		return tn_fail(&call->r, TN_EBADCOUNT);
	return TN_DONE;
}

static void read_answer(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	m->type = TN_RREAD;
	m->data = call->room + TN_RREAD_HDR;
	if (call->r.type == TN_READ) {
		m->count = call->r.u.io.count < call->data_max ? call->r.u.io.count
							       : call->data_max;
		return;
	}
	m->count = call->data_len;
	fid->dir_off += call->data_len;
	fid->dir_next = call->dir_next;
}

static void write_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.io.data = (uint8_t *)m->data;
}

static enum tn_status write_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (!fid->is_open)
		return tn_call_refuse(call, TN_ENOTOPEN);
	if (fid->mode != TN_OWRITE && fid->mode != TN_ORDWR)
		return tn_call_refuse(call, TN_EBADUSE);
	if (m->offset > OFFSET_MAX || m->count > OFFSET_MAX - m->offset)
		return tn_call_refuse(call, TN_EFBIG);
	tn_req_init(&call->r, TN_WRITE, fid->chan, &tn_conn_owner);
	call->r.u.io.offset = m->offset;
	call->r.u.io.count = call->data_max = m->count;
	write_point(call, m);
	return tn_submit(&call->r);
}

static void write_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RWRITE;
	m->count = call->r.u.io.count < call->data_max ? call->r.u.io.count : call->data_max;
}

/* ---- clunk(5), remove(5) ---- */

/* The fid is gone from here on; its Chan goes with the request. */
static enum tn_status close_chan(struct tn_call *call, struct tn_chan *c)
{
	tn_req_init(&call->r, TN_CLUNK, c, &tn_conn_owner);
	return tn_chan_close(&call->r);
}

static enum tn_status clunk_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);
	struct tn_chan *c = fid->chan;

	(void)m;
	fid->chan = NULL;
	return close_chan(call, c);
}

enum { REMOVING, REMOVE_CLUNKS };

static enum tn_status remove_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	tn_req_init(&call->r, TN_REMOVE, tn_call_fid(call)->chan, &tn_conn_owner);
	return tn_submit(&call->r);
}

/* remove(5): the fid is clunked whether or not the remove succeeds; the peer hears of the remove. */
static enum tn_status remove_then(struct tn_call *call)
{
	struct tn_fid *fid = tn_call_fid(call);
	struct tn_chan *c = fid->chan;
	enum tn_status status;

	if (call->stage == REMOVING) {
		call->stage = REMOVE_CLUNKS;
		call->first_err = call->r.err;
		call->first_words = call->r.words;
		call->r.words = NULL;
		fid->chan = NULL;
		status = close_chan(call, c);
		if (status == TN_LATER)
			return TN_LATER;
	}
	tn_fail(&call->r, (enum tn_err)call->first_err); /* which may be TN_OK */
	call->r.words = call->first_words;
	call->first_words = NULL;
	return TN_DONE;
}

/* ---- stat(5) ---- */

static enum tn_status stat_ask(struct tn_call *call, struct tn_msg *m)
{
	(void)m;
	tn_req_init(&call->r, TN_STAT, tn_call_fid(call)->chan, &tn_conn_owner);
	return tn_submit(&call->r);
}

static enum tn_status stat_then(struct tn_call *call)
{
	if (call->r.err == TN_OK && !call->is_answered)
		return tn_fail(&call->r, TN_EIO); /* a server that says nothing */
	return TN_DONE;
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

static enum tn_err check_wstat(const struct tn_stat *st, struct tn_qid is)
{
	bool is_dir = is.type & TN_QTDIR;

	if (touches_identity(st, is))
		return TN_EPERM;
	if ((st->valid & TN_ST_MODE) &&
	    (!(st->mode & TN_DMDIR) != !is_dir || (st->mode & ~KNOWN_DM)))
		return TN_EPERM;
	if ((st->valid & TN_ST_LENGTH) && is_dir && st->length != 0)
		return TN_EISDIR;
	if ((st->valid & TN_ST_LENGTH) && st->length > OFFSET_MAX)
		return TN_EFBIG;
	return st->valid & TN_ST_NAME ? check_new_name(st->name) : TN_OK;
}

/* What only repeats what is so need not reach the server. */
static void wstat_point(struct tn_call *call, struct tn_msg *m)
{
	m->stat.valid &= ~(uint32_t)(TN_ST_DEV | TN_ST_QID);
	if (tn_chan_is_dir(tn_call_fid(call)->chan))
		m->stat.valid &= ~(uint32_t)TN_ST_LENGTH;
	call->r.u.wstat.st = &m->stat;
}

static enum tn_status wstat_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *c = tn_call_fid(call)->chan;
	enum tn_err err = check_wstat(&m->stat, tn_dialect_qid(c->qid, tn_call_dialect(call)));

	if (err)
		return tn_call_refuse(call, err);
	tn_req_init(&call->r, TN_WSTAT, c, &tn_conn_owner);
	wstat_point(call, m);
	return tn_submit(&call->r);
}

/* ---- the tables ---- */

/* clang-format off */
static const struct tn_spelling
	auth = { .afid = TN_USE_MAKE, .ask = auth_ask },
	attach = { .fid = TN_USE_MAKE, .afid = TN_USE_SHARE, .keeps_frame = true, .ask = attach_ask,
		.point = attach_point, .answer = attach_answer },
	walk = { .fid = TN_USE_SHARE, .newfid = TN_USE_MAKE, .keeps_frame = true, .ask = walk_ask, .point = walk_point,
		.then = walk_then, .answer = walk_answer },
	open = { .fid = TN_USE_ALONE, .ask = open_ask, .answer = open_answer },
	create = { .fid = TN_USE_ALONE, .keeps_frame = true, .ask = create_ask, .point = create_point,
		.answer = create_answer },
	reading = { .fid = TN_USE_READ, .ask = read_ask, .point = read_point, .then = read_then, .answer = read_answer },
	writing = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = write_ask, .point = write_point,
		.answer = write_answer },
	clunk = { .fid = TN_USE_LAST, .ask = clunk_ask, .answer = only },
	removing = { .fid = TN_USE_LAST, .ask = remove_ask, .then = remove_then, .answer = only },
	stat = { .fid = TN_USE_SHARE, .ask = stat_ask, .then = stat_then, .answer = only },
	wstat = { .fid = TN_USE_SHARE, .keeps_frame = true, .ask = wstat_ask, .point = wstat_point, .answer = only };

/* Tversion and Tflush are about the connection, not about files: conn.c. */
static const struct tn_spelling *const spellings[TN_MSG_TYPES][TN_DIALECTS] = {
	/*               9P2000 */
	[TN_TAUTH]   = { &auth },
	[TN_TATTACH] = { &attach },
	[TN_TWALK]   = { &walk },
	[TN_TOPEN]   = { &open },
	[TN_TCREATE] = { &create },
	[TN_TREAD]   = { &reading },
	[TN_TWRITE]  = { &writing },
	[TN_TCLUNK]  = { &clunk },
	[TN_TREMOVE] = { &removing },
	[TN_TSTAT]   = { &stat },
	[TN_TWSTAT]  = { &wstat },
};

/* What each dialect can say of a file's kind, and whether a peer that offers it is answered in it. */
static const struct {
	uint32_t dm;
	bool is_answered;
} dialects[TN_DIALECTS] = {
	[TN_9P2000] = { KNOWN_DM, true },
	[TN_9P2000_U] = { UINT32_MAX, false },
	[TN_9P2000_L] = { UINT32_MAX, false },
};
/* clang-format on */

const struct tn_spelling *tn_dialect_spelling(enum tn_dialect dialect, unsigned type)
{
	return type < TN_MSG_TYPES ? spellings[type][dialect] : NULL;
}

/* ---- version(5) ---- */

static bool is_text(struct tn_str str, const char *text)
{
	return tn_strlen(text) == str.len && memcmp(text, str.s, str.len) == 0;
}

/* "9P2000" and later numbers: 2000 is the highest that we know, and the answer to them. */
static bool is_9p2000_or_later(struct tn_str version)
{
	uint32_t number = 0;

	if (version.len < 3 || version.len > 10 || version.s[0] != '9' || version.s[1] != 'P')
		return false;
	for (uint32_t i = 2; i < version.len; i++) {
		if (version.s[i] < '0' || version.s[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(version.s[i] - '0');
	}
	return number >= 2000;
}

enum tn_dialect tn_dialect_offered(struct tn_str version)
{
	struct tn_str base = { version.s, 0 };

	for (int d = 0; d < TN_DIALECTS; d++)
		if (dialects[d].is_answered &&
		    is_text(version, tn_dialect_name((enum tn_dialect)d)))
			return (enum tn_dialect)d;
	/* version(5): the period and what is behind it are an unknown suffix, to be left out. */
	while (base.len < version.len && version.s[base.len] != '.')
		base.len++;
	return is_9p2000_or_later(base) ? TN_9P2000 : TN_DIALECTS;
}

/* ---- what peers are told of files ---- */

struct tn_qid tn_dialect_qid(struct tn_qid qid, enum tn_dialect dialect)
{
	qid.type &= (uint8_t)(dialects[dialect].dm >> 24);
	return qid;
}

void tn_dialect_stat(struct tn_stat *out, const struct tn_stat *st, enum tn_dialect dialect)
{
	*out = *st;
	out->valid |= TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_ATIME | TN_ST_MTIME | TN_ST_DEV;
	out->dev = 0; /* for the kernel that mounts us to fill in */
	out->qid = tn_dialect_qid(st->qid, dialect);
	out->mode = (st->mode & dialects[dialect].dm & 0x00ffffffu) | (uint32_t)out->qid.type << 24;
	if (out->qid.type & TN_QTDIR)
		out->length = 0; /* stat(5): by convention */
}
