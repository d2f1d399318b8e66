/*
 * mnt: a file server whose operations are messages to a peer. How each request is spelled in which dialect is the table
 * `spellings`: what must hold before anything is sent, and the function that sends the first message. What a message is
 * made of and what its answer does is a tn_step, in mntwalk.c, mntfile.c, mntio.c, mntdir.c.
 */
#include "link/mnt.h"

#include "link/client.h"

/* ---- what needs no message to be refused ---- */

static enum tn_err check_walk(const struct tn_req *r)
{
	if (r->u.walk.n_names > TN_WNAME_MAX)
		return TN_EBADARG;
	return r->u.walk.n_names > 0 && !tn_is_name(r->u.walk.names[0]) ? TN_ENOENT : TN_OK;
}

static enum tn_err check_open(const struct tn_req *r)
{
	return r->flags & TN_OF_DIRECTORY && !tn_chan_is_dir(r->chan) ? TN_ENOTDIR : TN_OK;
}

static enum tn_err check_create(const struct tn_req *r)
{
	if (!tn_chan_is_dir(r->chan))
		return TN_ENOTDIR;
	return tn_is_name(r->u.create.name) && !tn_is_dotdot(r->u.create.name) ? TN_OK
									       : TN_EBADCHAR;
}

static enum tn_err check_wstat(const struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;

	if (st->valid & TN_ST_NAME && (!tn_is_name(st->name) || tn_is_dotdot(st->name)))
		return TN_EBADCHAR;
	return st->valid & ~(TN_WSTAT_SAYABLE | TN_ST_ATIME_NOW | TN_ST_MTIME_NOW) ? TN_ENOTSUP
										   : TN_OK;
}

static enum tn_err check_rename(const struct tn_req *r)
{
	enum { NOREPLACE = 1 };
	struct tn_str a = r->u.rename.name, b = r->u.rename.newname;

	if (r->chan2 && !tn_chan_same(r->chan, r->chan2))
		return TN_EXDEV;
	if (r->u.rename.how & ~(uint32_t)NOREPLACE)
		return TN_EINVAL;
	return tn_is_name(a) && tn_is_name(b) && !tn_is_dotdot(a) && !tn_is_dotdot(b) ? TN_OK
										      : TN_EBADCHAR;
}

static enum tn_err check_read(const struct tn_req *r)
{
	return tn_chan_is_dir(r->chan) ? TN_EISDIR : TN_OK;
}

static enum tn_err check_readdir(const struct tn_req *r)
{
	return tn_chan_is_dir(r->chan) ? TN_OK : TN_ENOTDIR;
}

/* How a request is spelled: the function that sends its first message, for each dialect that is spoken. */
static const struct spelling {
	enum tn_err (*check)(
	    const struct tn_req *r); /* what needs no message to be refused; or NULL */
	bool may_block;              /* it may rightly take long */
	void (*start[TN_DIALECTS])(struct tn_op *op);
} spellings[TN_REQ_TYPES] = {
	/* clang-format off */
	[TN_ATTACH]  = { NULL,          false, { [TN_9P2000] = tn_mnt_attach } },
	[TN_WALK]    = { check_walk,    false, { [TN_9P2000] = tn_mnt_walk } },
	[TN_OPEN]    = { check_open,    true,  { [TN_9P2000] = tn_mnt_open } },
	[TN_CREATE]  = { check_create,  false, { [TN_9P2000] = tn_mnt_create } },
	[TN_READ]    = { check_read,    true,  { [TN_9P2000] = tn_mnt_io } },
	[TN_READDIR] = { check_readdir, true,  { [TN_9P2000] = tn_mnt_readdir } },
	[TN_WRITE]   = { NULL,          true,  { [TN_9P2000] = tn_mnt_io } },
	[TN_REMOVE]  = { NULL,          false, { [TN_9P2000] = tn_mnt_remove } },
	[TN_STAT]    = { NULL,          false, { [TN_9P2000] = tn_mnt_stat } },
	[TN_WSTAT]   = { check_wstat,   false, { [TN_9P2000] = tn_mnt_wstat } },
	[TN_RENAME]  = { check_rename,  false, { [TN_9P2000] = tn_mnt_rename } },
	[TN_FSYNC]   = { NULL,          false, { [TN_9P2000] = tn_mnt_fsync } },
	/* clang-format on */
};

bool tn_mnt_may_block(uint8_t type)
{
	return spellings[type].may_block;
}

void tn_mnt_start(struct tn_op *op)
{
	spellings[op->r->type].start[op->client->dialect](op);
}

void tn_mnt_drained(struct tn_op *op)
{
	if (op->started && (op->r->type == TN_READ || op->r->type == TN_WRITE))
		tn_mnt_io_settle(op);
	else
		tn_op_fail(op, TN_EINTR);
}

/* ---- as a file server ---- */

static enum tn_status serve(struct tn_req *r)
{
	const struct spelling *row = &spellings[r->type];
	struct tn_op *op;
	enum tn_err err = row->check ? row->check(r) : TN_OK;

	if (err == TN_OK && r->chan && !r->chan->aux.p)
		err = TN_EBADFID;
	if (err != TN_OK)
		return tn_fail(r, err);
	op = tn_op_new(tn_client_of(r), r, &err);
	if (!op)
		return tn_fail(r, err);
	if (!tn_keep(r)) {
		tn_op_drop(op);
		return TN_DONE;
	}
	op->fid = r->chan ? tn_mfid_of(r->chan) : NULL;
	r->keeper = op;
	tn_op_go(op);
	return TN_LATER;
}

static const char *clunked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step clunk_step = { .type = TN_TCLUNK, .answer = clunked };

/* The rpc has the last reference of the fid then: whatever becomes of the op, the fid ends with the answer. */
static bool send_clunk(struct tn_op *op, struct tn_mfid *f)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, &clunk_step, f, NULL, &err);

	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		return false;
	f->generation = 0;
	return true;
}

/* A Chan's end needs nobody's leave: without a tag or memory the fid is clunked later, and nobody hears of it. */
static enum tn_status serve_clunk(struct tn_req *r)
{
	struct tn_client *client = tn_client_of(r);
	struct tn_mfid *f = tn_mfid_of(r->chan);
	struct tn_op *op = NULL;
	enum tn_err err;

	r->chan->aux.p = NULL;
	if (!f)
		return TN_DONE;
	if (tn_mfid_live(client, f))
		op = tn_op_new(client, r, &err);
	if (op && !tn_keep(r)) {
		tn_op_drop(op);
		tn_fail(r, TN_OK);
		op = NULL;
	}
	if (op) {
		r->keeper = op;
		if (!send_clunk(op, f))
			tn_op_done(op);
	}
	tn_mfid_put(client, f);
	return op ? TN_LATER : TN_DONE;
}

static enum tn_status serve_flush(struct tn_req *r)
{
	if (r->keeper)
		tn_op_flush(r->keeper);
	return TN_DONE;
}

static void mnt_free(struct tn_server *s)
{
	struct tn_mnt *mnt = (struct tn_mnt *)s;

	tn_client_put(mnt->client);
	tn_free(mnt);
}

static const struct tn_ops ops = {
	.name = "mnt",
	.op = {
		[TN_ATTACH] = serve,
		[TN_WALK] = serve,
		[TN_OPEN] = serve,
		[TN_CREATE] = serve,
		[TN_READ] = serve,
		[TN_READDIR] = serve,
		[TN_WRITE] = serve,
		[TN_CLUNK] = serve_clunk,
		[TN_REMOVE] = serve,
		[TN_STAT] = serve,
		[TN_WSTAT] = serve,
		[TN_FLUSH] = serve_flush,
		[TN_RENAME] = serve,
		[TN_FSYNC] = serve,
	},
	.free = mnt_free,
};

struct tn_server *tn_mnt_server(struct tn_client *client)
{
	struct tn_mnt *mnt = tn_alloc(sizeof(*mnt));

	if (!mnt)
		return NULL;
	mnt->client = tn_client_get(client);
	tn_server_init(&mnt->s, &ops, client->loop, mnt);
	mnt->s.label = client->label;
	mnt->s.flags = TN_SF_REMOTE | (client->skip_down ? TN_SF_DOWN_SKIP : 0);
	return &mnt->s;
}

struct tn_client *tn_mnt_client(const struct tn_server *s)
{
	return s->ops == &ops ? ((const struct tn_mnt *)s)->client : NULL;
}
