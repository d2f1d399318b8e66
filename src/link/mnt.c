/*
 * mnt: a file server whose operations are messages to a peer. How each request is spelled in which dialect is the table
 * `spellings`; what a message of it is made of and what its answer does is a tn_step beside it. Reads and writes are in
 * mntio.c, directories in mntdir.c.
 */
#include "link/mnt.h"

#include "link/client.h"

static const uint32_t sayable = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME |
				TN_ST_MTIME | TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_DEV;

static struct tn_mfid *fid_of(const struct tn_chan *c)
{
	return c->aux.p;
}

/* A name of a file in its directory, as walk(5) has it: nothing that a peer could take for a path. */
static bool is_name(struct tn_str s)
{
	if (s.len == 0 || (s.len == 1 && s.s[0] == '.'))
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == '/' || s.s[i] == '\0')
			return false;
	}
	return true;
}

static bool is_dotdot(struct tn_str s)
{
	return s.len == 2 && s.s[0] == '.' && s.s[1] == '.';
}

static struct tn_qid shown(const struct tn_op *op, const struct tn_mfid *f,
    const struct tn_elem *name, struct tn_qid qid)
{
	return tn_mfid_qid(op->client, f->root, tn_elem_hash(op->client, name), qid);
}

/* ---- attach ---- */

static void fill_attach(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;
	const struct tn_chan *auth = r->u.attach.auth;

	m->afid = auth && auth->server->ops == r->server->ops && auth->aux.p ? fid_of(auth)->number
									     : TN_NOFID;
	m->uname = r->u.attach.uname;
	m->aname = r->u.attach.aname;
	m->n_uname = r->u.attach.n_uname;
}

static const char *attached(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_chan *c = op->r->u.attach.newchan;
	struct tn_mfid *f = op->newfid;

	op->newfid = NULL;
	f->generation = op->client->generation;
	op->root->shown = op->root->path = m->qid.path;
	op->root->type = m->qid.type;
	tn_mfid_bind(op->client, f, op->root, NULL);
	c->qid = f->qid = shown(op, f, NULL, m->qid);
	c->aux.p = f;
	tn_op_done(op);
	return NULL;
}

static void fid_made_late(struct tn_client *client, const struct tn_rpc *rpc,
    const struct tn_msg *m)
{
	(void)m;
	rpc->fid->generation = client->generation;
}

static const struct tn_step attach_step = { .type = TN_TATTACH,
	.fill = fill_attach,
	.answer = attached,
	.late = fid_made_late };

static void start_attach(struct tn_op *op)
{
	const struct tn_req *r = op->r;
	enum tn_err err;

	op->root = tn_root_new(r->u.attach.uname, r->u.attach.aname, r->u.attach.n_uname);
	if (!op->root) {
		tn_op_fail(op, TN_ENOMEM);
		return;
	}
	op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	tn_op_send(op, &attach_step, op->newfid, NULL);
}

/* ---- walk ---- */

static void fill_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->nwname = rpc->n;
	memcpy(m->wname, r->u.walk.names + rpc->first, rpc->n * sizeof(m->wname[0]));
}

/* The names of the files on the way, as hashes: [0] is where the walk begins. ".." needs those behind. */
static void hash_walk(struct tn_op *op, uint64_t *hashes, uint16_t n)
{
	const struct tn_elem *base = op->fid->name;
	uint64_t stack[TN_WNAME_MAX + 1];
	uint16_t depth = 0;

	stack[0] = tn_elem_hash(op->client, base);
	for (uint16_t i = 0; i < n; i++) {
		struct tn_str name = op->r->u.walk.names[i];

		if (!is_dotdot(name)) {
			stack[depth + 1] = tn_name_hash(stack[depth], name);
			depth++;
		} else if (depth > 0) {
			depth--;
		} else {
			base = base ? base->up : NULL;
			stack[0] = tn_elem_hash(op->client, base);
		}
		hashes[i] = stack[depth];
	}
}

static void take_qids(struct tn_op *op, const struct tn_msg *m, uint16_t first)
{
	uint64_t hashes[TN_WNAME_MAX];
	uint16_t n = (uint16_t)(first + m->nwqid);

	if (op->client->qids_by_name)
		hash_walk(op, hashes, n);
	else
		memset(hashes, 0, sizeof(hashes));
	for (uint16_t i = first; i < n; i++)
		op->r->u.walk.qids[i] = tn_mfid_qid(op->client, op->fid->root, hashes[i],
		    m->wqid[i - first]);
}

/* What was reached becomes newchan, if it is all that was asked for. */
static void end_walk(struct tn_op *op)
{
	struct tn_req *r = op->r;
	struct tn_chan *c = r->u.walk.newchan;
	struct tn_mfid *f = op->newfid;
	uint16_t n = op->n_done;

	r->u.walk.n_walked = n;
	if (n == 0 && r->u.walk.n_names > 0) {
		tn_op_fail(op, TN_ENOENT);
		return;
	}
	if (n == r->u.walk.n_names) {
		op->newfid = NULL;
		tn_mfid_bind(op->client, f, op->fid->root, op->name);
		op->name = NULL;
		f->qid = n > 0 ? r->u.walk.qids[n - 1] : op->fid->qid;
		c->qid = f->qid;
		c->aux.p = f;
	}
	tn_op_done(op);
}

static void walk_on(struct tn_op *op);

static const char *walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->nwqid > rpc->n)
		return "more qids than names were walked";
	take_qids(op, m, rpc->first);
	op->n_done = (uint16_t)(op->n_done + m->nwqid);
	if (m->nwqid == rpc->n)
		op->newfid->generation = op->client->generation;
	if (m->nwqid < rpc->n || op->n_done == op->n_good)
		end_walk(op);
	else
		walk_on(op);
	return NULL;
}

static void walk_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (rpc->op->n_done == 0)
		tn_op_refused(rpc->op, m);
	else
		end_walk(rpc->op);
}

static void walked_late(struct tn_client *client, const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (m->nwqid == rpc->n)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step walk_step = { .type = TN_TWALK,
	.fill = fill_walk,
	.answer = walked,
	.refused = walk_refused,
	.late = walked_late };

/* All names in one message, unless the msize is too small for them. */
static void walk_on(struct tn_op *op)
{
	const struct tn_str *names = op->r->u.walk.names;
	size_t len = TN_HDR_SIZE + 10;
	struct tn_mfid *from = op->n_done == 0 ? op->fid : op->newfid;
	struct tn_rpc *rpc;
	enum tn_err err;
	uint16_t i;

	for (i = op->n_done; i < op->n_good; i++) {
		len += 2u + names[i].len;
		if (len > op->client->msize && i > op->n_done)
			break;
	}
	rpc = tn_rpc_new(op->client, op, &walk_step, from, op->newfid, &err);
	if (rpc) {
		rpc->first = op->n_done;
		rpc->n = (uint16_t)(i - op->n_done);
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

/* The name below the attach that the walk leads to. false: no memory. */
static bool name_walk(struct tn_op *op)
{
	struct tn_elem *at = tn_elem_get(op->fid->name);

	for (uint16_t i = 0; i < op->n_good; i++) {
		struct tn_str name = op->r->u.walk.names[i];
		struct tn_elem *next;

		if (is_dotdot(name)) {
			next = at ? tn_elem_get(at->up) : NULL;
		} else {
			next = tn_elem_add(op->client, at, name);
			if (!next) {
				tn_elem_put(op->client, at);
				return false;
			}
		}
		tn_elem_put(op->client, at);
		at = next;
	}
	op->name = at;
	return true;
}

static void start_walk(struct tn_op *op)
{
	enum tn_err err = TN_ENOMEM;

	/* What is no name is not shown to the peer: the walk ends before it. */
	while (op->n_good < op->r->u.walk.n_names && is_name(op->r->u.walk.names[op->n_good]))
		op->n_good++;
	if (name_walk(op))
		op->newfid = tn_mfid_new(op->client, &err);
	if (!op->newfid) {
		tn_op_fail(op, err);
		return;
	}
	walk_on(op);
}

static enum tn_err check_walk(const struct tn_req *r)
{
	if (r->u.walk.n_names > TN_WNAME_MAX)
		return TN_EBADARG;
	return r->u.walk.n_names > 0 && !is_name(r->u.walk.names[0]) ? TN_ENOENT : TN_OK;
}

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

static void now_open(struct tn_op *op, struct tn_qid qid, uint32_t iounit)
{
	struct tn_mfid *f = op->fid;

	f->flags |= TN_MFID_OPEN;
	f->qid = shown(op, f, f->name, qid);
	f->iounit = iounit;
	op->r->chan->qid = f->qid;
}

static void fill_open(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->mode = mode_of(rpc->op->r->flags);
}

static const char *opened(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	now_open(op, m->qid, m->iounit);
	op->r->u.open.iounit = iounit_for(op, m->iounit);
	tn_op_done(op);
	return NULL;
}

static const struct tn_step open_step = { .type = TN_TOPEN,
	.unsure = true,
	.fill = fill_open,
	.answer = opened };

static void start_open(struct tn_op *op)
{
	tn_op_send(op, &open_step, op->fid, NULL);
}

static enum tn_err check_open(const struct tn_req *r)
{
	return r->flags & TN_OF_DIRECTORY && !tn_chan_is_dir(r->chan) ? TN_ENOTDIR : TN_OK;
}

static void fill_create(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_req *r = rpc->op->r;

	m->name = r->u.create.name;
	m->perm = r->u.create.perm;
	m->mode = mode_of(r->flags);
}

static const char *created(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_mfid *f = op->fid;
	const uint32_t special = TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMAUTH;

	tn_mfid_bind(op->client, f, f->root, op->name);
	op->name = NULL;
	now_open(op, m->qid, m->iounit);
	op->r->u.create.iounit = iounit_for(op, m->iounit);
	if ((op->r->u.create.perm & special) == 0 && m->qid.type == TN_QTFILE)
		f->flags |= TN_MFID_REGULAR | TN_MFID_ASKED;
	tn_op_done(op);
	return NULL;
}

static const struct tn_step create_step = { .type = TN_TCREATE,
	.unsure = true,
	.fill = fill_create,
	.answer = created };

static void start_create(struct tn_op *op)
{
	op->name = tn_elem_add(op->client, op->fid->name, op->r->u.create.name);
	if (op->name)
		tn_op_send(op, &create_step, op->fid, NULL);
	else
		tn_op_fail(op, TN_ENOMEM);
}

static enum tn_err check_create(const struct tn_req *r)
{
	if (!tn_chan_is_dir(r->chan))
		return TN_ENOTDIR;
	return is_name(r->u.create.name) && !is_dotdot(r->u.create.name) ? TN_OK : TN_EBADCHAR;
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

/* A server that has no Tstat: what the qid tells. That it is no more is told by `valid`. */
static void make_up_stat(struct tn_op *op)
{
	const struct tn_mfid *f = op->fid;
	struct tn_stat st;

	memset(&st, 0, sizeof(st));
	st.valid = TN_ST_QID | TN_ST_MODE | TN_ST_NAME;
	st.qid = f->qid;
	st.mode = (uint32_t)f->qid.type << 24 | (f->qid.type & TN_QTDIR ? 0777 : 0666);
	st.name = f->name ? (struct tn_str){ f->name->name, f->name->len } : TN_STR("/");
	tn_reply_stat(op->r, &st);
	tn_op_done(op);
}

static const char *stated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_stat st = m->stat;

	tn_mnt_learn(op->fid, &st);
	st.qid = shown(op, op->fid, op->fid->name, st.qid);
	tn_reply_stat(op->r, &st);
	tn_op_done(op);
	return NULL;
}

static void stat_refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	if (is_unknown_message(m->ename))
		make_up_stat(rpc->op);
	else
		tn_op_refused(rpc->op, m);
}

static const struct tn_step stat_step = { .type = TN_TSTAT,
	.answer = stated,
	.refused = stat_refused };

static void start_stat(struct tn_op *op)
{
	tn_op_send(op, &stat_step, op->fid, NULL);
}

/* ---- wstat, and what is said by it ---- */

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
	m->stat.valid &= sayable;
}

/* The Chan's name moves with the file. */
static void rename_fid(struct tn_op *op, struct tn_elem *name)
{
	if (name)
		tn_mfid_bind(op->client, op->fid, op->fid->root, name);
}

static const char *wstated(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	rename_fid(rpc->op, rpc->op->name);
	rpc->op->name = NULL;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step wstat_step = { .type = TN_TWSTAT,
	.fill = fill_wstat,
	.answer = wstated };

static void start_wstat(struct tn_op *op)
{
	const struct tn_stat *st = op->r->u.wstat.st;
	struct tn_elem *old = op->fid->name;

	if (st->valid & TN_ST_NAME && old) {
		op->name = tn_elem_add(op->client, old->up, st->name);
		if (!op->name) {
			tn_op_fail(op, TN_ENOMEM);
			return;
		}
	}
	tn_op_send(op, &wstat_step, op->fid, NULL);
}

static enum tn_err check_wstat(const struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;

	if (st->valid & TN_ST_NAME && (!is_name(st->name) || is_dotdot(st->name)))
		return TN_EBADCHAR;
	return st->valid & ~(sayable | TN_ST_ATIME_NOW | TN_ST_MTIME_NOW) ? TN_ENOTSUP : TN_OK;
}

/* stat(5): a wstat that changes nothing asks that the file be on stable storage. */
static void fill_sync(const struct tn_rpc *rpc, struct tn_msg *m)
{
	(void)rpc;
	memset(&m->stat, 0, sizeof(m->stat));
}

static const char *ended(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	tn_op_done(rpc->op);
	return NULL;
}

static const struct tn_step sync_step = { .type = TN_TWSTAT, .fill = fill_sync, .answer = ended };

static void start_fsync(struct tn_op *op)
{
	tn_op_send(op, &sync_step, op->fid, NULL);
}

/* ---- rename: walk to it, wstat its name; its fid is clunked behind that ---- */

static void fill_rename_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->nwname = 1;
	m->wname[0] = rpc->op->r->u.rename.name;
}

static void fill_rename(const struct tn_rpc *rpc, struct tn_msg *m)
{
	memset(&m->stat, 0, sizeof(m->stat));
	m->stat.valid = TN_ST_NAME;
	m->stat.name = rpc->op->r->u.rename.newname;
}

static const struct tn_step rename_step = { .type = TN_TWSTAT,
	.fill = fill_rename,
	.answer = ended };

static const char *rename_walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;

	if (m->nwqid > 1)
		return "more qids than names were walked";
	if (m->nwqid == 0) {
		tn_op_fail(op, TN_ENOENT);
		return NULL;
	}
	op->newfid->generation = op->client->generation;
	tn_op_send(op, &rename_step, op->newfid, NULL);
	return NULL;
}

static void rename_walked_late(struct tn_client *client, const struct tn_rpc *rpc,
    const struct tn_msg *m)
{
	if (m->nwqid == 1)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step rename_walk_step = { .type = TN_TWALK,
	.fill = fill_rename_walk,
	.answer = rename_walked,
	.late = rename_walked_late };

static void start_rename(struct tn_op *op)
{
	enum tn_err err;

	op->newfid = tn_mfid_new(op->client, &err);
	if (op->newfid)
		tn_op_send(op, &rename_walk_step, op->fid, op->newfid);
	else
		tn_op_fail(op, err);
}

static enum tn_err check_rename(const struct tn_req *r)
{
	enum { NOREPLACE = 1 };
	struct tn_str a = r->u.rename.name, b = r->u.rename.newname;

	if (r->chan2 && !tn_chan_same(r->chan, r->chan2))
		return TN_EXDEV;
	if (r->u.rename.how & ~(uint32_t)NOREPLACE)
		return TN_EINVAL;
	return is_name(a) && is_name(b) && !is_dotdot(a) && !is_dotdot(b) ? TN_OK : TN_EBADCHAR;
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

static void start_remove(struct tn_op *op)
{
	tn_op_send(op, &remove_step, op->fid, NULL);
}

/* ---- the table ---- */

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
	[TN_ATTACH]  = { NULL,          false, { [TN_9P2000] = start_attach } },
	[TN_WALK]    = { check_walk,    false, { [TN_9P2000] = start_walk } },
	[TN_OPEN]    = { check_open,    true,  { [TN_9P2000] = start_open } },
	[TN_CREATE]  = { check_create,  false, { [TN_9P2000] = start_create } },
	[TN_READ]    = { check_read,    true,  { [TN_9P2000] = tn_mnt_io } },
	[TN_READDIR] = { check_readdir, true,  { [TN_9P2000] = tn_mnt_readdir } },
	[TN_WRITE]   = { NULL,          true,  { [TN_9P2000] = tn_mnt_io } },
	[TN_REMOVE]  = { NULL,          false, { [TN_9P2000] = start_remove } },
	[TN_STAT]    = { NULL,          false, { [TN_9P2000] = start_stat } },
	[TN_WSTAT]   = { check_wstat,   false, { [TN_9P2000] = start_wstat } },
	[TN_RENAME]  = { check_rename,  false, { [TN_9P2000] = start_rename } },
	[TN_FSYNC]   = { NULL,          false, { [TN_9P2000] = start_fsync } },
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
	op->fid = r->chan ? fid_of(r->chan) : NULL;
	r->keeper = op;
	tn_op_go(op);
	return TN_LATER;
}

/* The rpc has the last reference of the fid: whatever becomes of it, the fid ends with its answer. */
static const struct tn_step clunk_step = { .type = TN_TCLUNK, .answer = ended };

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
	struct tn_mfid *f = fid_of(r->chan);
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
