/*
 * #mntgen. A name lives while Chans are at it; its qid.path is a hash of it with a secret of the instance, so that who
 * comes back finds the same file without anything having been kept for him.
 */
#include "fs/mntgen.h"

#include "core/chan.h"
#include "core/mem.h"
#include "fs/hash.h"

enum { NAME_MAX_BYTES = 255 };

struct name {
	struct name *next;
	uint64_t serial; /* ever rising: the offset in a listing */
	uint64_t path;
	uint32_t refs; /* Chans */
	uint8_t len;
	char text[];
};

struct mntgen {
	struct tn_server s;         /* first: a server is its mntgen */
	struct name *first, **last; /* by serial */
	uint32_t n, seed[4];
	uint64_t serial;
	int64_t made_ns;
};

static struct mntgen *mntgen_of(const struct tn_server *s)
{
	return (struct mntgen *)s;
}

/* Where a Chan is: a name, or NULL, the root. */
static struct name *name_of(const struct tn_chan *c)
{
	return c->aux.p;
}

static struct tn_qid qid_of(const struct name *n)
{
	return (struct tn_qid){ .path = n ? n->path : 0, .type = TN_QTDIR };
}

/* ---- names that come and go ---- */

static uint64_t path_of(const struct mntgen *m, struct tn_str text)
{
	uint64_t high = tn_hash(m->seed, 0, text.s, text.len);

	return high << 32 | tn_hash(m->seed + 2, 1, text.s, text.len) | 1; /* the root is 0 */
}

static bool is_name(struct tn_str s)
{
	if (s.len == 0 || s.len > NAME_MAX_BYTES || (s.len == 1 && s.s[0] == '.'))
		return false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] == '/')
			return false;
	}
	return true;
}

static struct name *find(const struct mntgen *m, struct tn_str text, uint64_t path)
{
	struct name *n = m->first;

	while (n && (n->path != path || n->len != text.len || memcmp(n->text, text.s, n->len) != 0))
		n = n->next;
	return n;
}

/* The name, made if it is not there, one more reference to it. */
static enum tn_err get(struct mntgen *m, struct tn_str text, struct name **out)
{
	uint64_t path = path_of(m, text);
	struct name *n = find(m, text, path);

	if (!n) {
		if (m->n >= TN_MNTGEN_MAX)
			return TN_ELIMIT_FILES;
		n = tn_alloc(sizeof(*n) + text.len);
		if (!n)
			return TN_ENOMEM;
		n->serial = ++m->serial;
		n->path = path;
		n->len = (uint8_t)text.len;
		memcpy(n->text, text.s, text.len);
		*m->last = n;
		m->last = &n->next;
		m->n++;
	}
	n->refs++;
	*out = n;
	return TN_OK;
}

static void put(struct mntgen *m, struct name *n)
{
	struct name **at = &m->first;

	if (!n || --n->refs > 0)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	if (!*at)
		m->last = at;
	m->n--;
	tn_free(n);
}

/* ---- the operations ---- */

static enum tn_status mntgen_attach(struct tn_req *r)
{
	if (r->u.attach.aname.len > 1 ||
	    (r->u.attach.aname.len == 1 && r->u.attach.aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	r->u.attach.newchan->qid = qid_of(NULL);
	return TN_DONE;
}

/* From *at, whose reference is given up for one to where it leads; on an error it stays. */
static enum tn_err walk_one(struct mntgen *m, struct name **at, struct tn_str text)
{
	struct name *to = NULL;
	enum tn_err err = TN_OK;

	if (text.len != 2 || text.s[0] != '.' || text.s[1] != '.')
		err = *at || !is_name(text) ? TN_ENOENT : get(m, text, &to);
	if (err != TN_OK)
		return err;
	put(m, *at);
	*at = to;
	return TN_OK;
}

static enum tn_status mntgen_walk(struct tn_req *r)
{
	struct mntgen *m = mntgen_of(r->server);
	struct name *at = name_of(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	if (at)
		at->refs++;
	while (n < r->u.walk.n_names && err == TN_OK) {
		err = walk_one(m, &at, r->u.walk.names[n]);
		if (err == TN_OK)
			r->u.walk.qids[n++] = qid_of(at);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK) {
		put(m, at);
		return n > 0 ? TN_DONE : tn_fail(r, err);
	}
	r->u.walk.newchan->aux.p = at;
	r->u.walk.newchan->qid = qid_of(at);
	return TN_DONE;
}

static enum tn_status mntgen_open(struct tn_req *r)
{
	uint32_t access = r->flags & TN_OF_ACCESS;

	if (access == TN_OWRITE || access == TN_ORDWR || (r->flags & (TN_OF_TRUNC | TN_OF_RCLOSE)))
		return tn_fail(r, TN_EACCES);
	return TN_DONE;
}

static enum tn_status mntgen_clunk(struct tn_req *r)
{
	put(mntgen_of(r->server), name_of(r->chan));
	return TN_DONE;
}

static void fill(const struct mntgen *m, const struct name *n, const struct tn_user *user,
    struct tn_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(n);
	st->mode = TN_DMDIR | 0555;
	st->atime_ns = st->mtime_ns = m->made_ns;
	st->name = n ? (struct tn_str){ n->text, n->len } : TN_STR("/");
	st->uid = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
}

static enum tn_status mntgen_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill(mntgen_of(r->server), name_of(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

static enum tn_status mntgen_readdir(struct tn_req *r)
{
	const struct mntgen *m = mntgen_of(r->server);

	for (struct name *n = name_of(r->chan) ? NULL : m->first; n; n = n->next) {
		struct tn_stat st;

		if (n->serial <= r->u.readdir.offset)
			continue;
		fill(m, n, r->chan->user, &st);
		if (!r->owner->entry(r, &st, n->serial))
			break;
	}
	return TN_DONE;
}

static enum tn_status mntgen_read(struct tn_req *r)
{
	return tn_fail(r, TN_EISDIR);
}

/* No Chan is left, so no name is. */
static void mntgen_free(struct tn_server *s)
{
	tn_free(s);
}

static const struct tn_ops mntgen_ops = {
	.name = "#mntgen",
	.op = {
		[TN_ATTACH] = mntgen_attach,
		[TN_WALK] = mntgen_walk,
		[TN_OPEN] = mntgen_open,
		[TN_READ] = mntgen_read,
		[TN_READDIR] = mntgen_readdir,
		[TN_CLUNK] = mntgen_clunk,
		[TN_STAT] = mntgen_stat,
	},
	.free = mntgen_free,
};

struct tn_server *tn_mntgen_new(struct tn_loop *home)
{
	struct mntgen *m = tn_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->last = &m->first;
	m->made_ns = tn_time_ns();
	tn_random(m->seed, sizeof(m->seed));
	tn_server_init(&m->s, &mntgen_ops, home, m);
	return &m->s;
}
