/*
 * Names in 9P2000.L: renaming, links, symbolic links, special files. A rename replaces what has the name; where that is
 * not wanted the name is looked for before, since no message says it.
 */
#include "link/client.h"
#include "link/linux.h"

/* ---- is a name free? ---- */

static void fill_lookup(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->nwname = 1;
	m->wname[0] = r->type == TN_WSTAT ? r->u.wstat.st->name : r->u.rename.newname;
}

static void go_on(struct tn_op *op)
{
	void (*then)(struct tn_op *) = op->then;

	op->then = NULL;
	then(op);
}

static const char *is_there(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid > 1)
		return "more qids than names were walked";
	if (m->nwqid == 0) {
		go_on(rpc->op);
		return NULL;
	}
	rpc->newfid->generation = rpc->op->client->generation;
	tn_op_fail(rpc->op, TN_EEXIST);
	return NULL;
}

static void is_not_there(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (tn_client_err(rpc->op->client, m) == TN_ENOENT)
		go_on(rpc->op);
	else
		tn_op_refused(rpc->op, m);
}

static const struct tn_step lookup_step = { .type = TN_TWALK,
	.fill = fill_lookup,
	.answer = is_there,
	.refused = is_not_there,
	.late = tn_mnt_newfid_late };

/* The fid that is made if there is something has no owner but the message: it is clunked behind the answer. */
void tn_op_must_lack(struct tn_op *op, struct tn_mfid *dir, void (*then)(struct tn_op *op))
{
	enum tn_err err;
	struct tn_mfid *f = tn_mfid_new(op->client, &err);
	struct tn_rpc *rpc = f ? tn_rpc_new(op->client, op, &lookup_step, dir, f, &err) : NULL;

	op->then = then;
	tn_mfid_put(op->client, f);
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

/* ---- rename ---- */

/* The file of the op's fid goes to the directory in the rpc's newfid. */
static void fill_rename(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->type == TN_WSTAT ? r->u.wstat.st->name : r->u.rename.newname;
}

static const char *renamed(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	(void)m;
	tn_mfid_rename(op, op->name);
	op->name = NULL;
	tn_op_done(op);
	return NULL;
}

const struct tn_step tn_mnt_rename_step = { .type = TN_TRENAME,
	.fill = fill_rename,
	.answer = renamed };

static void rename_self(struct tn_op *op)
{
	op->name = tn_elem_add(op->client, op->fid2->name, op->r->u.rename.newname);
	if (op->name)
		tn_op_send(op, &tn_mnt_rename_step, op->fid, op->fid2);
	else
		tn_op_fail(op, TN_ENOMEM);
}

/* A server without Trenameat: newfid becomes the file, which then goes by Trename. */
static const struct tn_step rename_found_step = { .type = TN_TRENAME,
	.fill = fill_rename,
	.answer = tn_mnt_ended };

static void rename_found(struct tn_op *op)
{
	tn_op_send(op, &rename_found_step, op->newfid, op->fid2);
}

static void fill_renameat(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.rename.name;
	m->newname = r->u.rename.newname;
}

static void renameat_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (tn_client_err(op->client, m) != TN_ENOTSUP) {
		tn_op_refused(op, m);
		return;
	}
	op->client->no_renameat = true;
	tn_op_find(op, rename_found);
}

static const struct tn_step renameat_step = { .type = TN_TRENAMEAT,
	.fill = fill_renameat,
	.answer = tn_mnt_ended,
	.refused = renameat_refused };

static void rename_now(struct tn_op *op)
{
	if (op->r->u.rename.name.len == 0)
		rename_self(op);
	else if (op->client->no_renameat)
		tn_op_find(op, rename_found);
	else
		tn_op_send(op, &renameat_step, op->fid, op->fid2);
}

void tn_mnt_renameat(struct tn_op *op)
{
	if (op->r->u.rename.how & TN_L_EXCHANGE)
		tn_op_fail(op, TN_EINVAL); /* renameat2(2): the file system has no such flag */
	else if (op->r->u.rename.how & TN_L_NOREPLACE)
		tn_op_must_lack(op, op->fid2, rename_now);
	else
		rename_now(op);
}

/* ---- link ---- */

static void fill_link(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->name = rpc->op->r->u.rename.name;
}

static const struct tn_step link_step = { .type = TN_TLINK,
	.fill = fill_link,
	.answer = tn_mnt_ended };

void tn_mnt_link(struct tn_op *op)
{
	tn_op_send(op, &link_step, op->fid, op->fid2);
}

/* ---- symlink, mknod ---- */

static void fill_symlink(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.create.name;
	m->target = r->u.create.target;
	m->gid = tn_mnt_gid(rpc);
}

static void fill_mknod(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.create.name;
	m->perm = tn_linux_mode(r->u.create.perm) |
		  tn_linux_kind_of(r->u.create.perm, r->u.create.target);
	m->major = r->u.create.rdev_major;
	m->minor = r->u.create.rdev_minor;
	m->gid = tn_mnt_gid(rpc);
}

/* The number by which the new file is shown is that of its name. */
static const char *made(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	uint64_t hash = tn_name_hash(tn_elem_hash(op->client, op->fid->name), op->r->u.create.name);

	if (m->qid.type & TN_QTDIR) {
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	op->r->u.create.qid = tn_mfid_qid(op->client, op->fid->root, hash, m->qid);
	tn_op_done(op);
	return NULL;
}

static const struct tn_step symlink_step = { .type = TN_TSYMLINK,
	.fill = fill_symlink,
	.answer = made };
static const struct tn_step mknod_step = { .type = TN_TMKNOD, .fill = fill_mknod, .answer = made };

void tn_mnt_symlink(struct tn_op *op)
{
	tn_op_send(op, &symlink_step, op->fid, NULL);
}

void tn_mnt_mknod(struct tn_op *op)
{
	tn_op_send(op, &mknod_step, op->fid, NULL);
}

/* ---- readlink ---- */

/* Half a target would be the name of another file. */
void tn_mnt_answer_link(struct tn_op *op, struct tn_str target)
{
	struct tn_req *r = op->r;

	if (target.len == 0) {
		tn_op_fail(op, TN_EBADMSG);
	} else if (target.len > r->u.readlink.size) {
		tn_op_fail(op, TN_ENAMETOOLONG);
	} else {
		memcpy(r->u.readlink.buf, target.s, target.len);
		r->u.readlink.len = target.len;
		tn_op_done(op);
	}
}

static const char *link_read(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	tn_mnt_answer_link(rpc->op, m->target);
	return NULL;
}

static const struct tn_step readlink_step = { .type = TN_TREADLINK, .answer = link_read };

void tn_mnt_readlink(struct tn_op *op)
{
	tn_op_send(op, &readlink_step, op->fid, NULL);
}
