/*
 * mnt: a file server whose operations are messages to a peer. How each request is spelled in which dialect is the table
 * `spellings`: what must hold before anything is sent, and the function that sends the first message. What a message is
 * made of and what its answer does is a tn_step, in the files named after what they send.
 */
#include "link/mnt.h"

#include "link/client.h"
#include "link/linux.h"

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

/* A name that a file may get. */
static bool is_new_name(struct tn_str name)
{
	return tn_is_name(name) && !tn_is_dotdot(name);
}

static enum tn_err check_create(const struct tn_req *r)
{
	if (!tn_chan_is_dir(r->chan))
		return TN_ENOTDIR;
	return is_new_name(r->u.create.name) ? TN_OK : TN_EBADCHAR;
}

static enum tn_err check_wstat(const struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;

	return st->valid & TN_ST_NAME && !is_new_name(st->name) ? TN_EBADCHAR : TN_OK;
}

/* The Chan beside it is one of the same mount, and represents something. */
static enum tn_err check_chan2(const struct tn_req *r)
{
	if (!r->chan2 || r->chan2->server != r->server)
		return TN_EXDEV;
	return r->chan2->aux.p ? TN_OK : TN_EBADFID;
}

static enum tn_err check_rename(const struct tn_req *r)
{
	struct tn_str name = r->u.rename.name;

	if (r->u.rename.how > TN_L_EXCHANGE)
		return TN_EINVAL;
	if (!is_new_name(r->u.rename.newname) || (name.len > 0 && !is_new_name(name)))
		return TN_EBADCHAR;
	return check_chan2(r);
}

static enum tn_err check_link(const struct tn_req *r)
{
	if (!tn_chan_is_dir(r->chan))
		return TN_ENOTDIR;
	return is_new_name(r->u.rename.name) ? check_chan2(r) : TN_EBADCHAR;
}

static enum tn_err check_symlink(const struct tn_req *r)
{
	struct tn_str target = r->u.create.target;

	for (uint32_t i = 0; i < target.len; i++) {
		if (target.s[i] == '\0')
			return TN_EINVAL;
	}
	return target.len > 0 ? check_create(r) : TN_ENOENT;
}

static enum tn_err check_xattrset(const struct tn_req *r)
{
	if (r->u.xattr.name.len == 0 || r->u.xattr.name.len > TN_XATTR_NAME_MAX)
		return TN_ERANGE;
	return r->u.xattr.size > TN_XATTR_MAX ? TN_ERANGE : TN_OK;
}

static enum tn_err check_xattrget(const struct tn_req *r)
{
	return r->u.xattr.name.len > TN_XATTR_NAME_MAX ? TN_ERANGE : TN_OK;
}

static enum tn_err check_lock(const struct tn_req *r)
{
	return r->u.lock.type > TN_LK_UNLOCK ? TN_EINVAL : TN_OK;
}

static enum tn_err check_read(const struct tn_req *r)
{
	return tn_chan_is_dir(r->chan) ? TN_EISDIR : TN_OK;
}

static enum tn_err check_readdir(const struct tn_req *r)
{
	return tn_chan_is_dir(r->chan) ? TN_OK : TN_ENOTDIR;
}

/*
 * How a request is spelled: the function that sends its first message, for each dialect that is spoken. 9P2000.L.tenon is
 * 9P2000.L but for what stands in its column.
 */
static const struct spelling {
	enum tn_err (*check)(
	    const struct tn_req *r); /* what needs no message to be refused; or NULL */
	bool may_block;              /* it may rightly take long */
	enum tn_err lacking;         /* the answer where a dialect has no spelling */
	void (*start[TN_DIALECTS])(struct tn_op *op);
} spellings[TN_REQ_TYPES] = {
	/* clang-format off */
	/*                                                   9P2000           9P2000.u          9P2000.L          .tenon */
	[TN_ATTACH]   = { NULL,           false, 0,          { tn_mnt_attach,  tn_mnt_attach,   tn_mnt_attach } },
	[TN_WALK]     = { check_walk,     false, 0,          { tn_mnt_walk,    tn_mnt_walk,     tn_mnt_walk } },
	[TN_OPEN]     = { check_open,     true,  0,          { tn_mnt_open,    tn_mnt_open,     tn_mnt_lopen } },
	[TN_CREATE]   = { check_create,   false, 0,          { tn_mnt_create,  tn_mnt_create,   tn_mnt_lcreate } },
	[TN_READ]     = { check_read,     true,  0,          { tn_mnt_io,      tn_mnt_io,       tn_mnt_io } },
	[TN_READDIR]  = { check_readdir,  true,  0,          { tn_mnt_readdir, tn_mnt_readdir,  tn_mnt_list } },
	[TN_WRITE]    = { NULL,           true,  0,          { tn_mnt_io,      tn_mnt_io,       tn_mnt_io } },
	[TN_REMOVE]   = { NULL,           false, 0,          { tn_mnt_remove,  tn_mnt_remove,   tn_mnt_unlink } },
	[TN_STAT]     = { NULL,           false, 0,          { tn_mnt_stat,    tn_mnt_stat,     tn_mnt_getattr } },
	[TN_WSTAT]    = { check_wstat,    false, 0,          { tn_mnt_wstat,   tn_mnt_wstat,    tn_mnt_setattr } },
	[TN_RENAME]   = { check_rename,   false, 0,          { tn_mnt_rename,  tn_mnt_rename,   tn_mnt_renameat,  tn_mnt_renameat2 } },
	[TN_LINK]     = { check_link,     false, TN_EXDEV,   { NULL,           tn_mnt_special,  tn_mnt_link } },
	[TN_SYMLINK]  = { check_symlink,  false, TN_ENOTSUP, { NULL,           tn_mnt_special,  tn_mnt_symlink } },
	[TN_READLINK] = { NULL,           false, TN_ENOTSUP, { NULL,           tn_mnt_extension, tn_mnt_readlink } },
	[TN_MKNOD]    = { check_create,   false, TN_ENOTSUP, { NULL,           tn_mnt_special,  tn_mnt_mknod } },
	[TN_XATTRGET] = { check_xattrget, false, TN_ENOTSUP, { NULL,           NULL,            tn_mnt_xattrget } },
	[TN_XATTRSET] = { check_xattrset, false, TN_ENOTSUP, { NULL,           NULL,            tn_mnt_xattrset } },
	[TN_LOCK]     = { check_lock,     false, TN_ENOTSUP, { NULL,           NULL,            tn_mnt_lock } },
	[TN_GETLOCK]  = { check_lock,     false, TN_ENOTSUP, { NULL,           NULL,            tn_mnt_getlock } },
	[TN_FSYNC]    = { NULL,           false, 0,          { tn_mnt_fsync,   tn_mnt_fsync,    tn_mnt_lfsync } },
	[TN_STATFS]   = { NULL,           false, TN_ENOTSUP, { NULL,           NULL,            tn_mnt_statfs } },
	[TN_FALLOCATE] = { NULL,          true,  TN_ENOTSUP, { [TN_9P2000_TENON] = tn_mnt_allocate } },
	[TN_SEEKHOLE] = { NULL,           false, TN_ENOTSUP, { [TN_9P2000_TENON] = tn_mnt_seekhole } },
	[TN_COPYRANGE] = { check_chan2,   true,  TN_ENOTSUP, { [TN_9P2000_TENON] = tn_mnt_copy } },
	/* clang-format on */
};

bool tn_mnt_may_block(uint8_t type)
{
	return spellings[type].may_block;
}

void tn_mnt_start(struct tn_op *op)
{
	const struct spelling *row = &spellings[op->r->type];
	void (*start)(struct tn_op *) = row->start[op->client->dialect];

	if (!start && op->client->dialect == TN_9P2000_TENON)
		start = row->start[TN_9P2000_L];
	if (start)
		start(op);
	else
		tn_op_fail(op, row->lacking);
}

void tn_mnt_drained(struct tn_op *op)
{
	if (op->started && (op->r->type == TN_READ || op->r->type == TN_WRITE))
		tn_mnt_io_settle(op);
	else
		tn_op_fail(op, TN_EINTR);
}

/* ---- as a file server ---- */

static bool has_chan2(uint8_t type)
{
	return type == TN_RENAME || type == TN_LINK || type == TN_COPYRANGE;
}

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
	op->fid2 = has_chan2(r->type) ? tn_mfid_of(r->chan2) : NULL;
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
static const struct tn_step remove_step = { .type = TN_TREMOVE, .answer = clunked };

/* The rpc has the last reference of the fid then: whatever becomes of the op, the fid ends with the answer. */
static bool send_clunk(struct tn_op *op, struct tn_mfid *f)
{
	enum tn_err err;
	const struct tn_step *step = f->flags & TN_MFID_RCLOSE ? &remove_step : &clunk_step;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, f, NULL, &err);

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
	if (r->type == TN_WATCH)
		tn_mnt_watch_flush(r);
	else if (r->keeper)
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
		[TN_LINK] = serve,
		[TN_SYMLINK] = serve,
		[TN_READLINK] = serve,
		[TN_MKNOD] = serve,
		[TN_XATTRGET] = serve,
		[TN_XATTRSET] = serve,
		[TN_LOCK] = serve,
		[TN_GETLOCK] = serve,
		[TN_FSYNC] = serve,
		[TN_FALLOCATE] = serve,
		[TN_SEEKHOLE] = serve,
		[TN_COPYRANGE] = serve,
		[TN_STATFS] = serve,
		[TN_WATCH] = tn_mnt_watch,
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
