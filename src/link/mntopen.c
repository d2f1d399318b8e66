/*
 * Opening, creating and syncing in 9P2000.L. Directories are made by one message and opened by two more. What .L cannot
 * say: ORCLOSE is carried out by this side, with a Tremove in the place of the Tclunk; append-only and exclusive files
 * cannot be made.
 */
#include "link/client.h"
#include "link/linux.h"

/* What the fid remembers of how it was opened. */
static void note_flags(struct tn_mfid *f, uint32_t flags)
{
	if (flags & TN_OF_APPEND)
		f->flags |= TN_MFID_APPEND;
	if (flags & TN_OF_RCLOSE)
		f->flags |= TN_MFID_RCLOSE;
}

static bool is_other_kind(struct tn_qid a, struct tn_qid b)
{
	return (a.type ^ b.type) & (TN_QTDIR | TN_QTSYMLINK);
}

/* ---- Tlopen ---- */

static void fill_open(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->flags = tn_linux_flags(rpc->op->r->flags);
}

static const char *opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (is_other_kind(m->qid, op->fid->qid)) {
		op->fid->flags |= TN_MFID_STALE; /* open, and nobody knows what */
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	note_flags(op->fid, op->r->flags);
	tn_mnt_now_open(op, m->qid, m->iounit);
	tn_op_done(op);
	return NULL;
}

static const struct tn_step open_step = { .type = TN_TLOPEN,
	.unsure = true,
	.fill = fill_open,
	.answer = opened };

static void fill_mode(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	m->valid = 1;
}

/* No message opens for execution: a file that nobody may execute is refused here, open(5); the rest is the peer's. */
static const char *may_execute(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if ((m->perm & 0111) == 0 && (m->valid & 1))
		tn_op_fail(op, TN_EACCES);
	else
		tn_op_send(op, &open_step, op->fid, NULL);
	return NULL;
}

static const struct tn_step execute_step = { .type = TN_TGETATTR,
	.fill = fill_mode,
	.answer = may_execute };

/* The peer's kernel would follow a symbolic link in a name of its own. */
void tn_mnt_lopen(struct tn_op *op)
{
	bool is_exec = (op->r->flags & TN_OF_ACCESS) == TN_OEXEC;

	if (op->fid->qid.type & TN_QTSYMLINK)
		tn_op_fail(op, TN_ESYMLINK);
	else
		tn_op_send(op, is_exec ? &execute_step : &open_step, op->fid, NULL);
}

/* ---- Tlcreate ---- */

static void fill_made(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.create.name;
	m->perm = tn_linux_mode(rpc->op->perm);
	m->gid = tn_mnt_gid(rpc);
}

static void fill_create(const struct tn_rpc *rpc, struct tn_msg *m)
{
	fill_made(rpc, m);
	m->flags = tn_linux_flags(rpc->op->r->flags) | TN_L_CREAT | TN_L_EXCL;
}

static void name_moves(struct tn_op *op)
{
	tn_mfid_bind(op->client, op->fid, op->fid->root, op->name);
	op->name = NULL;
}

static const char *created(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->qid.type & (TN_QTDIR | TN_QTSYMLINK)) {
		op->fid->flags |= TN_MFID_STALE;
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	name_moves(op);
	note_flags(op->fid, op->r->flags);
	tn_mnt_now_open(op, m->qid, m->iounit);
	if (m->qid.type == TN_QTFILE && !(op->r->flags & TN_OF_APPEND))
		op->fid->flags |= TN_MFID_REGULAR | TN_MFID_ASKED;
	tn_op_done(op);
	return NULL;
}

static const struct tn_step create_step = { .type = TN_TLCREATE,
	.unsure = true,
	.fill = fill_create,
	.answer = created };

/* ---- Tmkdir, Twalk, Tlopen ---- */

static void send_in_place(struct tn_op *op, const struct tn_step *step, struct tn_mfid *newfid)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, op->fid, newfid, &err);

	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

static void fill_open_made(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	m->flags = TN_L_DIRECTORY;
}

static void made_is_open(struct tn_op *op, uint32_t iounit)
{
	op->fid->flags &= ~(uint32_t)TN_MFID_STALE;
	name_moves(op);
	tn_mnt_now_open(op, op->made, iounit);
	tn_op_done(op);
}

static const char *made_opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	made_is_open(rpc->op, m->iounit);
	return NULL;
}

/* It was made, with permissions that do not let one read it: that is no error of making it. Reading it will be one. */
static void made_not_opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	made_is_open(rpc->op, 0);
}

static const struct tn_step open_made_step = { .type = TN_TLOPEN,
	.unsure = true,
	.fill = fill_open_made,
	.answer = made_opened,
	.refused = made_not_opened };

static void fill_walk_made(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->nwname = 1;
	m->wname[0] = rpc->op->r->u.create.name;
}

/* From here on the fid is another's, and stale for the Chan until all is well. */
static const char *made_walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->nwqid > 1)
		return "more qids than names were walked";
	if (m->nwqid == 0) {
		tn_op_fail(op, TN_ENOENT);
		return NULL;
	}
	op->fid->flags |= TN_MFID_STALE;
	if (m->wqid[0].path != op->made.path || is_other_kind(m->wqid[0], op->made))
		tn_op_fail(op, TN_ESTALE);
	else
		send_in_place(op, &open_made_step, NULL);
	return NULL;
}

static const struct tn_step walk_made_step = { .type = TN_TWALK,
	.unsure = true,
	.fill = fill_walk_made,
	.answer = made_walked };

static const char *made(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	op->made = m->qid;
	if (m->qid.type & TN_QTDIR)
		send_in_place(op, &walk_made_step, op->fid);
	else
		tn_op_fail(op, TN_EBADMSG);
	return NULL;
}

static const struct tn_step mkdir_step = { .type = TN_TMKDIR, .fill = fill_made, .answer = made };

static void make(struct tn_op *op)
{
	tn_op_send(op, op->perm & TN_DMDIR ? &mkdir_step : &create_step, op->fid, NULL);
}

/* open(5): a new file has no permission that its directory does not give; for plain files x is as asked for. */
static const char *dir_stated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	uint32_t mask = op->perm & TN_DMDIR ? 0777 : 0666;

	op->perm &= ~mask | (m->perm & mask);
	make(op);
	return NULL;
}

static const struct tn_step dir_stat_step = { .type = TN_TGETATTR,
	.fill = fill_mode,
	.answer = dir_stated };

void tn_mnt_lcreate(struct tn_op *op)
{
	const uint32_t sayable = TN_DMDIR | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | 0777;
	const struct tn_req *r = op->r;

	op->perm = r->u.create.perm;
	if (op->perm & ~sayable) {
		tn_op_fail(op, TN_ENOTSUP);
		return;
	}
	op->name = tn_elem_add(op->client, op->fid->name, r->u.create.name);
	if (!op->name)
		tn_op_fail(op, TN_ENOMEM);
	else if (r->flags & TN_OF_INHERIT)
		tn_op_send(op, &dir_stat_step, op->fid, NULL);
	else
		make(op);
}

/* ---- Tfsync ---- */

static void fill_fsync(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->flags = rpc->op->r->type == TN_FSYNC && rpc->op->r->u.range.how ? 1 : 0;
}

static const struct tn_step fsync_step = { .type = TN_TFSYNC,
	.fill = fill_fsync,
	.answer = tn_mnt_ended };

static void fill_open_twin(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	m->flags = 0;
}

static const char *twin_opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_op_send(rpc->op, &fsync_step, rpc->op->newfid, NULL);
	return NULL;
}

static const struct tn_step open_twin_step = { .type = TN_TLOPEN,
	.fill = fill_open_twin,
	.answer = twin_opened };

static void open_twin(struct tn_op *op)
{
	tn_op_send(op, &open_twin_step, op->newfid, NULL);
}

/* Only what is open can be synced: a fid that is not gets one for this. */
void tn_mnt_lfsync(struct tn_op *op)
{
	if (op->fid->flags & TN_MFID_OPEN)
		tn_op_send(op, &fsync_step, op->fid, NULL);
	else
		tn_op_twin(op, open_twin);
}

/* ---- Tstatfs ---- */

static const char *statfs_told(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	*rpc->op->r->u.statfs.out = (struct tn_statfs){
		.type = m->statfs.type,
		.bsize = m->statfs.bsize,
		.namelen = m->statfs.namelen,
		.blocks = m->statfs.blocks,
		.bfree = m->statfs.bfree,
		.bavail = m->statfs.bavail,
		.files = m->statfs.files,
		.ffree = m->statfs.ffree,
		.fsid = m->statfs.fsid,
	};
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step statfs_step = { .type = TN_TSTATFS, .answer = statfs_told };

void tn_mnt_statfs(struct tn_op *op)
{
	tn_op_send(op, &statfs_step, op->fid, NULL);
}
