/*
 * Directories through mnt: read(5) of a directory gives stats, one behind the other, and can only be read on or from
 * the beginning. An offset that we give out is a place in that stream of bytes. What the owner of a request had no room
 * for stays in the fid. An offset that is neither there nor where the peer stands is reached by reading from the
 * beginning, as entries(2) of a directory that somebody seeks in.
 */
#include "link/client.h"

enum {
	ASK_MIN = 16384
}; /* bytes: small requests of the owner are served from one larger message */

static void read_on(struct tn_op *op);
static void read_further(struct tn_op *op);

void tn_mnt_dir_free(struct tn_mfid *f)
{
	tn_free(f->dir.buf);
	f->dir.buf = NULL;
	f->dir.size = f->dir.at = f->dir.len = 0;
}

static void forget(struct tn_dir *dir)
{
	dir->at = dir->len = 0;
}

/* No directory holds these; a server that lists them names the directory itself and the one above. */
static bool is_dot(struct tn_str s)
{
	return (s.len == 1 && s.s[0] == '.') || (s.len == 2 && s.s[0] == '.' && s.s[1] == '.');
}

static bool is_name(struct tn_str s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == '/')
			return false;
	}
	return s.len > 0;
}

/* Whole entries, each with a name that a file can have: before any of them is shown to the owner. */
static bool are_entries(const struct tn_op *op, const uint8_t *p, uint32_t len)
{
	struct tn_stat st;
	size_t used;

	for (uint32_t at = 0; at < len; at += (uint32_t)used) {
		if (tn_stat_decode(&st, op->client->dialect, p + at, len - at, &used) !=
		    TN_CODEC_OK)
			return false;
		if (!is_name(st.name))
			return false;
	}
	return true;
}

/*
 * Hands entries over, from `off` in the stream on, until the owner has no more room; those before the offset that was
 * asked for are passed over. Returns the bytes used; op->n_done counts what was taken.
 */
static uint32_t hand_over(struct tn_op *op, const uint8_t *p, uint32_t len, uint64_t off)
{
	struct tn_req *r = op->r;
	struct tn_mfid *f = op->fid;
	uint32_t at = 0;

	while (at < len) {
		struct tn_stat st;
		size_t used;

		tn_stat_decode(&st, op->client->dialect, p + at, len - at, &used);
		if (off + at >= r->u.readdir.offset && !is_dot(st.name)) {
			uint64_t hash = tn_name_hash(tn_elem_hash(op->client, f->name), st.name);

			st.qid = tn_mfid_qid(op->client, f->root, hash, st.qid);
			if (!r->owner->entry(r, &st, off + at + used))
				break;
			op->n_done = 1;
		}
		at += (uint32_t)used;
	}
	return at;
}

/* Entries that were not taken stay for the next request. Without memory they are read again. */
static void keep_rest(struct tn_mfid *f, const uint8_t *p, uint32_t len, uint64_t off)
{
	struct tn_dir *dir = &f->dir;

	forget(dir);
	dir->off = off;
	if (len == 0)
		return;
	if (dir->size < len) {
		uint8_t *buf = tn_realloc(dir->buf, dir->size, len);

		if (!buf) {
			dir->peer_off = UINT64_MAX;
			return;
		}
		dir->buf = buf;
		dir->size = len;
	}
	memcpy(dir->buf, p, len);
	dir->len = len;
}

static void fill_read(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->offset = rpc->offset;
	m->count = rpc->count;
}

static const char *was_read(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	struct tn_op *op = rpc->op;
	struct tn_mfid *f = op->fid;
	uint32_t used;

	if (m->count > rpc->count)
		return "Rread with more than was asked for";
	f->dir.peer_off = rpc->offset + m->count;
	if (!are_entries(op, m->data, m->count)) {
		f->dir.peer_off = UINT64_MAX;
		tn_op_fail(op, TN_EBADMSG);
		return NULL;
	}
	used = hand_over(op, m->data, m->count, rpc->offset);
	keep_rest(f, m->data + used, m->count - used, rpc->offset + used);
	if (op->n_done > 0 || m->count == 0 || used < m->count)
		tn_op_done(op);
	else
		read_further(op);
	return NULL;
}

static void refused(const struct tn_rpc *rpc, const struct tn_msg *m)
{
	rpc->op->fid->dir.peer_off = UINT64_MAX;
	tn_op_refused(rpc->op, m);
}

static const struct tn_step read_step = { .type = TN_TREAD,
	.fill = fill_read,
	.answer = was_read,
	.refused = refused };

/* The first answer may take long; one that must go on to find its place has the bound of any other request. */
static void read_further(struct tn_op *op)
{
	if (op->deadline_ns == UINT64_MAX) {
		op->deadline_ns = tn_add_ns(tn_now_ns(), op->client->soft_ns);
		tn_client_arm(op->client, op->deadline_ns);
	}
	read_on(op);
}

static void read_on(struct tn_op *op)
{
	struct tn_dir *dir = &op->fid->dir;
	uint32_t max = tn_mnt_io_max(op);
	uint32_t count = op->r->u.readdir.count > ASK_MIN ? op->r->u.readdir.count : ASK_MIN;
	struct tn_rpc *rpc;
	enum tn_err err;

	rpc = tn_rpc_new(op->client, op, &read_step, op->fid, NULL, &err);
	if (rpc) {
		rpc->offset = dir->peer_off;
		rpc->count = count < max ? count : max;
		dir->peer_off = UINT64_MAX; /* until the answer says it */
	}
	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

/* From what is kept, if that is where the owner goes on. */
static bool serve_kept(struct tn_op *op)
{
	struct tn_dir *dir = &op->fid->dir;
	uint32_t used;

	if (dir->at == dir->len || op->r->u.readdir.offset != dir->off)
		return false;
	used = hand_over(op, dir->buf + dir->at, dir->len - dir->at, dir->off);
	dir->at += used;
	dir->off += used;
	return op->n_done > 0 || dir->at < dir->len;
}

void tn_mnt_readdir(struct tn_op *op)
{
	struct tn_mfid *f = op->fid;
	uint64_t offset = op->r->u.readdir.offset;

	if (f->flags & TN_MFID_LISTING) {
		tn_op_wait(op, &f->waiting);
		return;
	}
	op->busy = f;
	f->flags |= TN_MFID_LISTING;
	if (offset > 0 && serve_kept(op)) {
		tn_op_done(op);
		return;
	}
	if (offset == 0 || offset != f->dir.peer_off)
		f->dir.peer_off = 0;
	forget(&f->dir);
	read_on(op);
}
