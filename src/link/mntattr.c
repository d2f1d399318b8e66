/*
 * What files are like, in 9P2000.L: Tgetattr and Tsetattr. Owners are numbers there; names of users cannot be said, nor
 * can what makes a file append-only or exclusive. A new name is a message of its own, behind the others.
 */
#include "link/client.h"
#include "link/extension.h"
#include "link/linux.h"

/* ---- Rgetattr ---- */

static uint32_t dm_of(uint32_t mode)
{
	uint32_t kind = tn_linux_kind(mode);

	return tn_linux_perm(mode) | (kind == UINT32_MAX ? 0 : kind);
}

/* Seconds before 1970 are negative; what no 64 bits of nanoseconds can say is the nearest that they can. */
static int64_t time_of(uint64_t sec, uint64_t nsec)
{
	const int64_t per_s = 1000000000, most = INT64_MAX / per_s - 1;
	int64_t s = sec <= INT64_MAX ? (int64_t)sec : -(int64_t)(UINT64_MAX - sec) - 1;

	if (s > most)
		s = most;
	if (s < -most)
		s = -most;
	return s * per_s + (nsec < (uint64_t)per_s ? (int64_t)nsec : per_s - 1);
}

static void take_times(struct tn_stat *st, const struct tn_msg *m)
{
	const struct {
		uint32_t get;
		uint32_t bit;
		uint64_t sec, nsec;
		int64_t *to;
	} times[] = {
		{ TN_GET_ATIME, TN_ST_ATIME, m->atime_sec, m->atime_nsec, &st->atime_ns },
		{ TN_GET_MTIME, TN_ST_MTIME, m->mtime_sec, m->mtime_nsec, &st->mtime_ns },
		{ TN_GET_CTIME, TN_ST_CTIME, m->ctime_sec, m->ctime_nsec, &st->ctime_ns },
		{ TN_GET_BTIME, TN_ST_BTIME, m->btime_sec, m->btime_nsec, &st->btime_ns },
	};

	for (size_t i = 0; i < TN_COUNT(times); i++) {
		if (!(m->valid & times[i].get))
			continue;
		st->valid |= times[i].bit;
		*times[i].to = time_of(times[i].sec, times[i].nsec);
	}
}

static void take_numbers(struct tn_stat *st, const struct tn_msg *m)
{
	const struct {
		uint32_t get;
		uint32_t bit;
		uint64_t from;
		uint64_t *to;
	} numbers[] = {
		{ TN_GET_NLINK, TN_ST_NLINK, m->nlink, &st->nlink },
		{ TN_GET_RDEV, TN_ST_RDEV, m->rdev, &st->rdev },
		{ TN_GET_SIZE, TN_ST_LENGTH, m->length, &st->length },
		{ TN_GET_BLOCKS, TN_ST_BLOCKS, m->blocks, &st->blocks },
		{ TN_GET_GEN, TN_ST_GEN, m->gen, &st->gen },
		{ TN_GET_DATA_VERSION, TN_ST_DATA_VERSION, m->data_version, &st->data_version },
	};

	for (size_t i = 0; i < TN_COUNT(numbers); i++) {
		if (!(m->valid & numbers[i].get))
			continue;
		st->valid |= numbers[i].bit;
		*numbers[i].to = numbers[i].from;
	}
	st->blksize = m->blksize < UINT32_MAX ? (uint32_t)m->blksize : UINT32_MAX;
	if (m->valid & TN_GET_UID && m->uid != TN_NONUNAME) {
		st->valid |= TN_ST_NUID;
		st->n_uid = m->uid;
	}
	if (m->valid & TN_GET_GID && m->gid != TN_NONUNAME) {
		st->valid |= TN_ST_NGID;
		st->n_gid = m->gid;
	}
}

/* "c MAJOR MINOR", as .u says it: that is how it is told inside whether it is one of blocks. */
static void take_device(struct tn_stat *st, bool is_block, char text[TN_DEVICE_CHARS])
{
	uint64_t dev = st->rdev;
	char *at = text;

	*at++ = is_block ? 'b' : 'c';
	*at++ = ' ';
	at = tn_extension_put(at, (dev >> 8 & 0xfff) | (dev >> 32 & 0xfffff000));
	*at++ = ' ';
	at = tn_extension_put(at, (dev & 0xff) | (dev >> 12 & 0xffffff00));
	st->valid |= TN_ST_EXTENSION;
	st->extension = (struct tn_str){ text, (uint32_t)(at - text) };
}

/* The mode and the qid, and both of them and the file till now, must agree on what is a directory. */
enum tn_err tn_mnt_attr(const struct tn_msg *m, struct tn_qid was, struct tn_stat *st,
    char device[TN_DEVICE_CHARS])
{
	const uint32_t from_qid = TN_QTAPPEND | TN_QTEXCL | TN_QTTMP | TN_QTAUTH | TN_QTMOUNT;
	const uint32_t kind = TN_DMDIR | TN_DMSYMLINK;
	uint32_t as_qid = (uint32_t)m->qid.type << 24;

	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE;
	st->qid = m->qid;
	take_numbers(st, m);
	take_times(st, m);
	st->mode = m->valid & TN_GET_MODE ? dm_of(m->perm) : as_qid & TN_DMDIR ? 0777 : 0666;
	if ((m->perm & TN_L_KIND) == 0 || !(m->valid & TN_GET_MODE))
		st->mode |= as_qid & kind;
	if ((st->mode ^ as_qid) & TN_DMDIR || (m->qid.type ^ was.type) & TN_QTDIR)
		return TN_EBADMSG;
	st->mode |= as_qid & from_qid << 24;
	if (st->mode & (TN_DMDIR | TN_DMDEVICE))
		st->length = 0;
	if (st->mode & TN_DMDEVICE && m->valid & TN_GET_RDEV)
		take_device(st, tn_linux_device(m->perm).s[0] == 'b', device);
	return TN_OK;
}

void tn_mnt_fill_getattr(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	m->valid = TN_GET_ALL;
}

static const char *told(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	char device[TN_DEVICE_CHARS];
	struct tn_stat st;
	enum tn_err err = tn_mnt_attr(m, op->fid->qid, &st, device);

	if (err != TN_OK) {
		tn_op_fail(op, err);
		return NULL;
	}
	tn_mnt_learn(op->fid, &st);
	st.qid = tn_op_qid(op, op->fid, op->fid->name, st.qid);
	st.name = tn_mfid_last_name(op->fid);
	st.valid |= TN_ST_NAME;
	tn_reply_stat(op->r, &st);
	tn_op_done(op);
	return NULL;
}

static void not_told(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (tn_client_err(rpc->op->client, m) == TN_ENOTSUP)
		tn_mnt_make_up_stat(rpc->op);
	else
		tn_op_refused(rpc->op, m);
}

static const struct tn_step getattr_step = { .type = TN_TGETATTR,
	.fill = tn_mnt_fill_getattr,
	.answer = told,
	.refused = not_told };

void tn_mnt_getattr(struct tn_op *op)
{
	tn_op_send(op, &getattr_step, op->fid, NULL);
}

/* What is learnt for reading: mntio.c. */
static const char *learnt(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	char device[TN_DEVICE_CHARS];
	struct tn_stat st;

	if (tn_mnt_attr(m, rpc->op->fid->qid, &st, device) == TN_OK)
		tn_mnt_learn(rpc->op->fid, &st);
	tn_mnt_io_part_done(rpc->op);
	return NULL;
}

static void not_learnt(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_mnt_io_part_done(rpc->op);
}

const struct tn_step tn_mnt_learn_step = { .type = TN_TGETATTR,
	.fill = tn_mnt_fill_getattr,
	.answer = learnt,
	.refused = not_learnt };

/* ---- Tsetattr ---- */

/* Seconds rounded down, so that the nanoseconds are never negative. */
static void give_time(int64_t ns, uint64_t *sec, uint64_t *nsec)
{
	const int64_t per_s = 1000000000;
	int64_t s = ns / per_s - (ns % per_s < 0);

	*sec = (uint64_t)s;
	*nsec = (uint64_t)(ns - s * per_s);
}

static uint64_t set_bits(const struct tn_stat *st)
{
	static const struct {
		uint32_t bit, set;
	} rows[] = {
		{ TN_ST_MODE, TN_SET_MODE },
		{ TN_ST_NUID, TN_SET_UID },
		{ TN_ST_NGID, TN_SET_GID },
		{ TN_ST_LENGTH, TN_SET_SIZE },
		{ TN_ST_ATIME, TN_SET_ATIME | TN_SET_ATIME_GIVEN },
		{ TN_ST_MTIME, TN_SET_MTIME | TN_SET_MTIME_GIVEN },
		{ TN_ST_ATIME_NOW, TN_SET_ATIME },
		{ TN_ST_MTIME_NOW, TN_SET_MTIME },
	};
	uint64_t set = 0;

	for (size_t i = 0; i < TN_COUNT(rows); i++)
		set |= st->valid & rows[i].bit ? rows[i].set : 0;
	/* The server's own time is asked for by saying none. */
	if (st->valid & TN_ST_ATIME_NOW)
		set &= ~(uint64_t)TN_SET_ATIME_GIVEN;
	if (st->valid & TN_ST_MTIME_NOW)
		set &= ~(uint64_t)TN_SET_MTIME_GIVEN;
	return set;
}

/* A directory has no length: to set it to 0 changes nothing. stat(5). */
static uint64_t bits_for(const struct tn_op *op)
{
	uint64_t set = set_bits(op->r->u.wstat.st);

	return op->fid->qid.type & TN_QTDIR ? set & ~(uint64_t)TN_SET_SIZE : set;
}

static void fill_setattr(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_stat *st = rpc->op->r->u.wstat.st;

	m->valid = bits_for(rpc->op);
	m->perm = tn_linux_mode(st->mode);
	m->uid = st->n_uid;
	m->gid = st->n_gid;
	m->length = st->length;
	give_time(st->atime_ns, &m->atime_sec, &m->atime_nsec);
	give_time(st->mtime_ns, &m->mtime_sec, &m->mtime_nsec);
}

/* What cannot be said, and what nobody can change but may be given as it is: stat(5). */
static enum tn_err check(const struct tn_op *op)
{
	const struct tn_stat *st = op->r->u.wstat.st;
	const uint32_t sayable = TN_ST_QID | TN_ST_DEV | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME |
				 TN_ST_ATIME | TN_ST_MTIME | TN_ST_NUID | TN_ST_NGID |
				 TN_ST_ATIME_NOW | TN_ST_MTIME_NOW;
	const uint32_t unsayable = TN_DMAPPEND | TN_DMEXCL | TN_DMTMP;
	struct tn_qid is = op->fid->qid;
	bool is_dir = is.type & TN_QTDIR;

	if (st->valid & ~sayable)
		return TN_ENOTSUP;
	if (st->valid & TN_ST_QID && (st->qid.path != is.path || st->qid.type != is.type))
		return TN_EPERM;
	if (st->valid & TN_ST_MODE && !(st->mode & TN_DMDIR) == is_dir)
		return TN_EPERM;
	/* Those that are so already may be repeated. */
	if (st->valid & TN_ST_MODE && st->mode & unsayable & ~((uint32_t)is.type << 24))
		return TN_ENOTSUP;
	return st->valid & TN_ST_LENGTH && is_dir && st->length > 0 ? TN_EISDIR : TN_OK;
}

static bool renames(const struct tn_op *op)
{
	const struct tn_stat *st = op->r->u.wstat.st;
	struct tn_str is = tn_mfid_last_name(op->fid);

	return st->valid & TN_ST_NAME &&
	       (st->name.len != is.len || memcmp(st->name.s, is.s, is.len) != 0);
}

static const char *set(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	if (renames(rpc->op))
		tn_op_send(rpc->op, &tn_mnt_rename_step, rpc->op->fid, rpc->op->newfid);
	else
		tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step setattr_step = { .type = TN_TSETATTR,
	.fill = fill_setattr,
	.answer = set };

static void set_or_rename(struct tn_op *op)
{
	if (bits_for(op) != 0)
		tn_op_send(op, &setattr_step, op->fid, NULL);
	else if (renames(op))
		tn_op_send(op, &tn_mnt_rename_step, op->fid, op->newfid);
	else
		tn_op_done(op);
}

/* newfid is its directory: a name that is taken is refused, where Trename would replace it. */
static void dir_found(struct tn_op *op)
{
	tn_op_must_lack(op, op->newfid, set_or_rename);
}

void tn_mnt_setattr(struct tn_op *op)
{
	struct tn_elem *old = op->fid->name;
	enum tn_err err = check(op);

	if (err == TN_OK && renames(op) && !old)
		err = TN_EPERM; /* the root */
	if (err != TN_OK) {
		tn_op_fail(op, err);
		return;
	}
	if (op->r->u.wstat.st->valid == 0) {
		tn_mnt_lfsync(op); /* stat(5) */
		return;
	}
	if (!renames(op)) {
		set_or_rename(op);
		return;
	}
	if (!tn_op_has_top(op))
		return;
	op->name = tn_elem_add(op->client, old->up, op->r->u.wstat.st->name);
	if (op->name)
		tn_op_seek(op, old->up, dir_found);
	else
		tn_op_fail(op, TN_ENOMEM);
}
