/*
 * #fd. Names are numbers, asked of the host each time: nothing is kept but the number in a Chan's qid, whose path is the
 * descriptor and one.
 */
#include "fs/fd.h"

#include "core/chan.h"
#include "core/mem.h"

enum { DIGITS = 10 };

struct fd {
	struct tn_server s; /* first: a server is its fd */
	struct tn_fd_host host;
	int64_t made_ns;
};

static const struct tn_fd_host *host_of(const struct tn_req *r)
{
	return &((const struct fd *)r->server)->host;
}

static bool is_dir(const struct tn_chan *c)
{
	return c->qid.path == 0;
}

static uint32_t number_of(const struct tn_chan *c)
{
	return (uint32_t)(c->qid.path - 1);
}

static struct tn_qid qid_of(int64_t fd)
{
	return (struct tn_qid){ .path = (uint64_t)(fd + 1),
		.type = (uint8_t)(fd < 0 ? TN_QTDIR : TN_QTFILE) };
}

/* The number that a name is, written as it is listed: no sign, no zeros in front. -1: it is none. */
static int64_t number_named(struct tn_str name)
{
	int64_t n = 0;

	if (name.len == 0 || name.len > DIGITS || (name.s[0] == '0' && name.len > 1))
		return -1;
	for (uint32_t i = 0; i < name.len; i++) {
		if (name.s[i] < '0' || name.s[i] > '9')
			return -1;
		n = n * 10 + (name.s[i] - '0');
	}
	return n <= INT32_MAX ? n : -1;
}

/* The number as text at the end of buf. */
static struct tn_str name_of(uint32_t fd, char buf[DIGITS])
{
	unsigned at = DIGITS;

	do {
		buf[--at] = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd > 0);
	return (struct tn_str){ buf + at, DIGITS - at };
}

/* ---- the operations ---- */

static enum tn_status fd_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	r->u.attach.newchan->qid = qid_of(-1);
	return TN_DONE;
}

/* From *at (-1: the directory) to the descriptor `name`. */
static enum tn_err walk_one(const struct tn_req *r, int64_t *at, struct tn_str name)
{
	int64_t fd;

	if (*at >= 0)
		return TN_ENOTDIR;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		return TN_OK;
	fd = number_named(name);
	if (fd < 0 || host_of(r)->next(host_of(r)->arg, r, (uint32_t)fd) != fd)
		return TN_ENOENT;
	*at = fd;
	return TN_OK;
}

static enum tn_status fd_walk(struct tn_req *r)
{
	int64_t at = is_dir(r->chan) ? -1 : (int64_t)number_of(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	while (n < r->u.walk.n_names) {
		err = walk_one(r, &at, r->u.walk.names[n]);
		if (err != TN_OK)
			break;
		r->u.walk.qids[n++] = qid_of(at);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK)
		return n > 0 ? TN_DONE : tn_fail(r, err);
	r->u.walk.newchan->qid = qid_of(at);
	return TN_DONE;
}

static enum tn_status fd_open(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);
	uint32_t access = r->flags & TN_OF_ACCESS;

	if (is_dir(r->chan)) {
		bool writes = access == TN_OWRITE || access == TN_ORDWR || (r->flags & TN_OF_TRUNC);

		return writes ? tn_fail(r, TN_EISDIR) : TN_DONE;
	}
	return h->open ? h->open(h->arg, r, number_of(r->chan)) : TN_DONE;
}

static enum tn_status fd_read(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);

	if (is_dir(r->chan))
		return tn_fail(r, TN_EISDIR);
	if (h->read)
		return h->read(h->arg, r, number_of(r->chan));
	r->u.io.count = 0;
	return TN_DONE;
}

static enum tn_status fd_write(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);

	if (is_dir(r->chan))
		return tn_fail(r, TN_EISDIR);
	return h->write ? h->write(h->arg, r, number_of(r->chan)) : tn_fail(r, TN_EACCES);
}

static enum tn_status fd_flush(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);

	if (h->flush && r->chan && !is_dir(r->chan))
		h->flush(h->arg, r, number_of(r->chan));
	return TN_DONE;
}

static enum tn_status fd_clunk(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);

	if (h->clunk && !is_dir(r->chan) && (r->chan->flags & TN_CF_OPEN))
		h->clunk(h->arg, r, number_of(r->chan));
	return TN_DONE;
}

/* -1: the directory. `buf` holds the name. */
static void fill(const struct tn_req *r, int64_t fd, char buf[DIGITS], struct tn_stat *st)
{
	const struct tn_fd_host *h = host_of(r);
	const struct tn_user *user = r->chan->user;

	memset(st, 0, sizeof(*st));
	st->atime_ns = st->mtime_ns = ((const struct fd *)r->server)->made_ns;
	st->mode = fd < 0 ? TN_DMDIR | 0555 : 0666;
	if (h->info && fd >= 0)
		h->info(h->arg, r, (uint32_t)fd, st);
	st->valid |= TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME |
		     TN_ST_MTIME | TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(fd);
	st->name = fd < 0 ? TN_STR("/") : name_of((uint32_t)fd, buf);
	st->uid = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
}

static enum tn_status fd_stat(struct tn_req *r)
{
	char buf[DIGITS];
	struct tn_stat st;

	fill(r, is_dir(r->chan) ? -1 : (int64_t)number_of(r->chan), buf, &st);
	return tn_reply_stat(r, &st);
}

/* An offset is the descriptor and one. */
static enum tn_status fd_readdir(struct tn_req *r)
{
	const struct tn_fd_host *h = host_of(r);
	uint64_t from = r->u.readdir.offset;

	if (!is_dir(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	while (from <= INT32_MAX) {
		int64_t fd = h->next(h->arg, r, (uint32_t)from);
		char buf[DIGITS];
		struct tn_stat st;

		if (fd < 0)
			break;
		from = (uint64_t)fd + 1;
		fill(r, fd, buf, &st);
		if (!r->owner->entry(r, &st, from))
			break;
	}
	return TN_DONE;
}

/* `echo x >/fd/1` cuts what cannot be cut; nothing else of a descriptor changes. */
static enum tn_status fd_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	bool truncates = st->valid == TN_ST_LENGTH && st->length == 0 && !is_dir(r->chan);

	return st->valid == 0 || truncates ? TN_DONE : tn_fail(r, TN_EACCES);
}

static void fd_free(struct tn_server *s)
{
	tn_free(s);
}

static const struct tn_ops fd_ops = {
	.name = "#fd",
	.op = {
		[TN_ATTACH] = fd_attach,
		[TN_WALK] = fd_walk,
		[TN_OPEN] = fd_open,
		[TN_READ] = fd_read,
		[TN_READDIR] = fd_readdir,
		[TN_WRITE] = fd_write,
		[TN_CLUNK] = fd_clunk,
		[TN_STAT] = fd_stat,
		[TN_WSTAT] = fd_wstat,
		[TN_FLUSH] = fd_flush,
	},
	.free = fd_free,
};

struct tn_server *tn_fd_new(struct tn_loop *home, const struct tn_fd_host *host)
{
	struct fd *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	tn_server_init(&f->s, &fd_ops, home, f);
	f->s.flags |= TN_SF_BLOCKS | TN_SF_DEVICE;
	f->host = *host;
	f->made_ns = tn_time_ns();
	return &f->s;
}
