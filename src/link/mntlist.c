/*
 * Directories in 9P2000.L. Treaddir gives names, kinds and qids, each with the offset behind it, which may be any number
 * but 0. What the owner of a request had no room for stays in the fid. Where stats are wanted too they are asked for, of
 * as many entries at once as the owner may have room for: a walk and a Tgetattr each, from a fid of the directory that
 * is not open. What cannot be had is left out.
 */
#include "link/client.h"

enum {
	ASK_MIN = 16384, /* bytes: small requests of the owner are served from one larger message */
	LOOKS_MAX = 64,  /* entries whose stats are asked for at once */
	ENTRY_BYTES = 128 /* that an owner needs for an entry and its stat, about */
};

/* What became known of the entries from dir.at on. */
struct tn_looks {
	uint32_t n;
	struct look {
		bool known;
		struct tn_stat st;
		char device[TN_DEVICE_CHARS];
	} a[];
};

static void ask(struct tn_op *op);
static void go_on(struct tn_op *op);

/* ---- entries ---- */

static bool is_dots(struct tn_str s)
{
	return (s.len == 1 && s.s[0] == '.') || tn_is_dotdot(s);
}

/* The next entry in the fid's buffer that is a name in the directory; false: there is none left, *d is the last. */
static bool next_entry(const struct tn_dir *dir, uint32_t *at, struct tn_dirent *d)
{
	size_t used;

	while (*at < dir->len) {
		tn_dirent_decode(d, dir->buf + *at, dir->len - *at, &used);
		*at += (uint32_t)used;
		if (!is_dots(d->name))
			return true;
	}
	return false;
}

static void went_to(struct tn_dir *dir, uint32_t at, const struct tn_dirent *d)
{
	dir->at = at;
	dir->off = d->offset;
}

/* Linux's DT_ numbers. What the qid says of directories and links counts more. */
static uint32_t kind_of(const struct tn_dirent *d)
{
	static const uint32_t kinds[16] = { [1] = TN_DMNAMEDPIPE,
		[2] = TN_DMDEVICE,
		[6] = TN_DMDEVICE,
		[12] = TN_DMSOCKET };
	uint32_t from_qid = (uint32_t)d->qid.type << 24;

	if (from_qid & (TN_DMDIR | TN_DMSYMLINK))
		return from_qid;
	return from_qid | (d->type < TN_COUNT(kinds) ? kinds[d->type] : 0);
}

/* Gives an entry to the owner. false: it had no room. */
static bool give(struct tn_op *op, const struct tn_dirent *d, const struct look *look)
{
	struct tn_mfid *f = op->fid;
	uint64_t hash = tn_name_hash(tn_elem_hash(op->client, f->name), d->name);
	struct tn_stat st;

	if (look && look->known) {
		st = look->st;
	} else {
		memset(&st, 0, sizeof(st));
		st.valid = TN_ST_QID;
		st.mode = kind_of(d);
		st.qid = d->qid;
	}
	st.valid |= TN_ST_NAME;
	st.name = d->name;
	st.qid = tn_mfid_qid(op->client, f->root, hash, st.qid);
	return op->r->owner->entry(op->r, &st, d->offset);
}

/* Gives what is in the buffer, no more than `most`. */
static void give_all(struct tn_op *op, uint32_t most)
{
	struct tn_dir *dir = &op->fid->dir;
	const struct tn_looks *looks = op->looks;
	struct tn_dirent d = { .offset = dir->off };
	uint32_t at = dir->at;

	for (uint32_t i = 0; i < most; i++) {
		if (!next_entry(dir, &at, &d)) {
			went_to(dir, at, &d);
			return;
		}
		if (!give(op, &d, looks && i < looks->n ? &looks->a[i] : NULL)) {
			op->is_full = true;
			return;
		}
		op->n_done = 1;
		went_to(dir, at, &d);
	}
}

/* ---- stats ---- */

/* All that was asked for is answered, refused or cancelled. */
static void looked(struct tn_op *op)
{
	if (op->rpcs)
		return;
	if (op->flushed) {
		tn_op_fail(op, TN_EINTR);
		return;
	}
	give_all(op, op->looks->n);
	tn_op_done(op);
}

static const char *look_told(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct look *look = &rpc->op->looks->a[rpc->first];

	/* Whatever it is now: the name may have been given to another file meanwhile. */
	look->known = tn_mnt_attr(m, m->qid, &look->st, look->device) == TN_OK;
	looked(rpc->op);
	return NULL;
}

static void look_failed(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	(void)m;
	looked(rpc->op);
}

static const struct tn_step look_step = { .type = TN_TGETATTR,
	.fill = tn_mnt_fill_getattr,
	.answer = look_told,
	.refused = look_failed };

static void fill_look_walk(const struct tn_rpc *rpc, struct tn_msg *m)
{
	const struct tn_dir *dir = &rpc->op->fid->dir;

	m->nwname = 1;
	m->wname[0].s = (const char *)dir->buf + rpc->offset;
	m->wname[0].len = rpc->count;
}

static const char *look_walked(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_rpc *next;
	enum tn_err err;

	if (m->nwqid > 1)
		return "more qids than names were walked";
	if (m->nwqid == 1) {
		rpc->newfid->generation = op->client->generation;
		next = tn_rpc_new(op->client, op, &look_step, rpc->newfid, NULL, &err);
		if (next) {
			next->first = rpc->first;
			tn_rpc_send(op->client, next, &err);
		}
	}
	looked(op);
	return NULL;
}

static void look_walked_late(struct tn_client *client, const struct tn_rpc *rpc,
    const struct tn_msg *m)
{
	if (m->nwqid == 1)
		rpc->newfid->generation = client->generation;
}

static const struct tn_step look_walk_step = { .type = TN_TWALK,
	.fill = fill_look_walk,
	.answer = look_walked,
	.refused = look_failed,
	.late = look_walked_late };

/* Without a fid or a tag for it there is no stat. */
static void look_at(struct tn_op *op, struct tn_str name, uint32_t i)
{
	enum tn_err err;
	struct tn_mfid *f = tn_mfid_new(op->client, &err);
	struct tn_rpc *rpc = f ? tn_rpc_new(op->client, op, &look_walk_step, op->fid->dir.near, f,
				     &err)
			       : NULL;

	if (rpc) {
		rpc->offset = (uint64_t)(name.s - (const char *)op->fid->dir.buf);
		rpc->count = name.len;
		rpc->first = (uint16_t)i;
		tn_rpc_send(op->client, rpc, &err);
	}
	tn_mfid_put(op->client, f);
}

static void look(struct tn_op *op)
{
	struct tn_dir *dir = &op->fid->dir;
	uint32_t most = op->r->u.readdir.count / ENTRY_BYTES, n = 0, at = dir->at;
	struct tn_dirent d = { .offset = dir->off };

	most = most < 1 ? 1 : most > LOOKS_MAX ? LOOKS_MAX : most;
	if (!op->looks)
		op->looks = tn_alloc(sizeof(*op->looks) + LOOKS_MAX * sizeof(struct look));
	if (!op->looks) {
		tn_op_fail(op, TN_ENOMEM);
		return;
	}
	while (n < most && next_entry(dir, &at, &d)) {
		op->looks->a[n].known = false;
		look_at(op, d.name, n++);
	}
	op->looks->n = n;
	if (n > 0) {
		looked(op);
		return;
	}
	went_to(dir, at, &d); /* there were dots only */
	go_on(op);
}

/* The directory is there no more under its name, or another is: then its entries have no stats. */
static void near_found(struct tn_op *op)
{
	struct tn_mfid *f = op->fid, *near = op->newfid;

	op->newfid = NULL;
	if (near && (!f->name || near->qid.path == f->qid.path)) {
		f->dir.near = near;
		near = NULL;
	}
	tn_mfid_put(op->client, near);
	go_on(op);
}

/* ---- Treaddir ---- */

/*
 * Whole entries, each with a name that a file can have and an offset that one can go on from: before any of them is
 * shown to the owner. The top bit is for those who make offsets of their own of these.
 */
static bool are_entries(const uint8_t *p, uint32_t len, uint64_t from, uint64_t *last)
{
	struct tn_dirent d;
	size_t used;

	for (uint32_t at = 0; at < len; at += (uint32_t)used) {
		if (tn_dirent_decode(&d, p + at, len - at, &used) != TN_CODEC_OK)
			return false;
		if (d.offset == 0 || d.offset == from || d.offset > INT64_MAX)
			return false;
		if (!is_dots(d.name) && !tn_is_name(d.name))
			return false;
		*last = d.offset;
	}
	return true;
}

/*
 * Does the listing go round in a circle? Offsets may go up and down, but none comes twice: one is held against all that
 * follow, and replaced after 1, 2, 4, 8 .. of them. Brent's way: no memory, and no circle that it does not find.
 */
static bool goes_round(struct tn_dir *dir, uint64_t from, uint64_t last)
{
	if (from == 0 || from != dir->peer_off) {
		dir->held = 0;
		dir->span = dir->left = 1;
	}
	dir->peer_off = last;
	if (last == dir->held)
		return true;
	if (--dir->left == 0) {
		dir->held = last;
		dir->span *= dir->span < UINT32_MAX / 2 ? 2 : 1;
		dir->left = dir->span;
	}
	return false;
}

static enum tn_err keep(struct tn_dir *dir, const struct tn_msg *m, uint64_t from)
{
	dir->at = dir->len = 0;
	dir->off = from;
	if (dir->size < m->count) {
		uint8_t *buf = tn_realloc(dir->buf, dir->size, m->count);

		if (!buf)
			return TN_ENOMEM;
		dir->buf = buf;
		dir->size = m->count;
	}
	memcpy(dir->buf, m->data, m->count);
	dir->len = m->count;
	return TN_OK;
}

static void fill_readdir(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->offset = rpc->offset;
	m->count = rpc->count;
}

static const char *was_read(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	uint64_t last = 0;
	enum tn_err err;

	if (m->count > rpc->count)
		return "Rreaddir with more than was asked for";
	if (m->count == 0) {
		tn_op_done(op);
		return NULL;
	}
	if (!are_entries(m->data, m->count, rpc->offset, &last) ||
	    goes_round(&op->fid->dir, rpc->offset, last))
		err = TN_EBADMSG;
	else
		err = keep(&op->fid->dir, m, rpc->offset);
	if (err != TN_OK)
		tn_op_fail(op, err);
	else
		go_on(op);
	return NULL;
}

static const struct tn_step readdir_step = { .type = TN_TREADDIR,
	.fill = fill_readdir,
	.answer = was_read };

/* The first answer may take long; the others have the bound of any other request. */
static void bound(struct tn_op *op)
{
	if (op->deadline_ns != UINT64_MAX)
		return;
	op->deadline_ns = tn_add_ns(tn_now_ns(), op->client->soft_ns);
	tn_client_arm(op->client, op->deadline_ns);
}

static void ask(struct tn_op *op)
{
	uint32_t max = op->client->msize - TN_IOHDR_SIZE;
	uint32_t count = op->r->u.readdir.count > ASK_MIN ? op->r->u.readdir.count : ASK_MIN;
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, &readdir_step, op->fid, NULL, &err);

	if (rpc) {
		rpc->offset = op->fid->dir.off;
		rpc->count = count < max ? count : max;
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

static bool wants_near(const struct tn_op *op)
{
	const struct tn_dir *dir = &op->fid->dir;

	return op->r->flags & TN_OF_STATS && !dir->near && !dir->no_near;
}

/* From what is in the buffer, or with a message to get some. */
static void go_on(struct tn_op *op)
{
	struct tn_dir *dir = &op->fid->dir;
	bool has_some = dir->at < dir->len;

	if (has_some && op->r->flags & TN_OF_STATS && dir->near) {
		bound(op);
		look(op);
		return;
	}
	give_all(op, UINT32_MAX);
	if (op->n_done > 0 || op->is_full) {
		tn_op_done(op);
		return;
	}
	if (has_some)
		bound(op); /* dots only, again */
	ask(op);
}

void tn_mnt_list(struct tn_op *op)
{
	struct tn_mfid *f = op->fid;
	uint64_t offset = op->r->u.readdir.offset;

	if (f->flags & TN_MFID_LISTING && op->busy != f) {
		tn_op_wait(op, &f->waiting);
		return;
	}
	op->busy = f;
	f->flags |= TN_MFID_LISTING;
	if (offset == 0 || offset != f->dir.off) {
		f->dir.at = f->dir.len = 0;
		f->dir.off = offset;
	}
	if (!wants_near(op)) {
		go_on(op);
		return;
	}
	if (!tn_op_has_top(op))
		return;
	f->dir.no_near = true; /* asked for once */
	op->otherwise = near_found;
	tn_op_seek(op, f->name, near_found);
}
