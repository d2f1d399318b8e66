/*
 * The tree server: makes a tn_device, a table of files, a file server. A file's qid.path is its row plus one, the
 * root's 0; nothing is kept for a Chan, so chan->aux is the files' own.
 */
#include "core/chan.h"
#include "core/mem.h"
#include "core/server.h"

struct dev {
	struct tn_server s; /* first: a server is its dev */
	const struct tn_device *device;
	void (*free_data)(void *data);
	int64_t made_ns;
};

enum { ROOT = -1 };

static struct dev *dev_of(const struct tn_server *s)
{
	return (struct dev *)s;
}

static int row_of(const struct tn_chan *c)
{
	return (int)c->qid.path - 1;
}

static const struct tn_file *file_at(const struct dev *d, int row)
{
	return row == ROOT ? NULL : &d->device->files[row];
}

const struct tn_file *tn_file_of(const struct tn_chan *c)
{
	return file_at(dev_of(c->server), row_of(c));
}

static unsigned depth_of(const struct dev *d, int row)
{
	if (row == ROOT)
		return 0;
	return d->device->files[row].depth ? d->device->files[row].depth : 1;
}

/* The first row at or behind `row` that is a child of `dir`; the number of rows when there is none. */
static int child_from(const struct dev *d, int dir, int row)
{
	int n = (int)d->device->n_files;

	for (; row < n && depth_of(d, row) > depth_of(d, dir); row++) {
		if (depth_of(d, row) == depth_of(d, dir) + 1)
			return row;
	}
	return n;
}

static int parent_of(const struct dev *d, int row)
{
	int up = row;

	while (up > ROOT && depth_of(d, up) >= depth_of(d, row))
		up--;
	return up;
}

static uint32_t mode_of(const struct dev *d, int row)
{
	return row == ROOT ? TN_DMDIR | 0555 : file_at(d, row)->perm;
}

static struct tn_qid qid_of(const struct dev *d, int row)
{
	return (
	    struct tn_qid){ .path = (uint64_t)(row + 1), .type = (uint8_t)(mode_of(d, row) >> 24) };
}

static bool is_named(const struct tn_file *f, struct tn_str name)
{
	return tn_strlen(f->name) == name.len && memcmp(f->name, name.s, name.len) == 0;
}

/* The row that `name` leads to, or the number of rows. */
static int walk_one(const struct dev *d, int dir, struct tn_str name)
{
	int n = (int)d->device->n_files;

	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		return parent_of(d, dir);
	for (int row = child_from(d, dir, dir + 1); row < n; row = child_from(d, dir, row + 1)) {
		if (is_named(file_at(d, row), name))
			return row;
	}
	return n;
}

static enum tn_status dev_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	r->u.attach.newchan->qid = qid_of(dev_of(r->server), ROOT);
	return TN_DONE;
}

static enum tn_status dev_walk(struct tn_req *r)
{
	const struct dev *d = dev_of(r->server);
	int row = row_of(r->chan);
	uint16_t i;

	r->u.walk.n_walked = 0;
	for (i = 0; i < r->u.walk.n_names; i++) {
		int next = mode_of(d, row) & TN_DMDIR ? walk_one(d, row, r->u.walk.names[i])
						      : (int)d->device->n_files;

		if (next == (int)d->device->n_files)
			break;
		row = next;
		r->u.walk.qids[i] = qid_of(d, row);
		r->u.walk.n_walked++;
	}
	if (i < r->u.walk.n_names)
		return i > 0 ? TN_DONE
			     : tn_fail(r, mode_of(d, row) & TN_DMDIR ? TN_ENOENT : TN_ENOTDIR);
	r->u.walk.newchan->qid = qid_of(d, row);
	return TN_DONE;
}

/* The files are the node's own: whoever can name them has what the table gives to anybody. */
static bool may_open(uint32_t mode, uint32_t flags)
{
	static const uint32_t need[4] = { 0444, 0222, 0666, 0111 };
	uint32_t want = need[flags & TN_OF_ACCESS];
	bool reads = want & 0444, writes = (want & 0222) || (flags & TN_OF_TRUNC);

	if ((flags & TN_OF_ACCESS) == TN_OEXEC)
		return mode & 0111;
	return (!reads || (mode & 0444)) && (!writes || (mode & 0222));
}

static enum tn_status dev_open(struct tn_req *r)
{
	const struct tn_file *f = tn_file_of(r->chan);

	if (!may_open(mode_of(dev_of(r->server), row_of(r->chan)), r->flags))
		return tn_fail(r, TN_EACCES);
	return f && f->open ? f->open(r) : TN_DONE;
}

static enum tn_status dev_read(struct tn_req *r)
{
	const struct tn_file *f = tn_file_of(r->chan);

	if (f && f->read)
		return f->read(r);
	r->u.io.count = 0;
	return TN_DONE;
}

static enum tn_status dev_write(struct tn_req *r)
{
	const struct tn_file *f = tn_file_of(r->chan);

	return f && f->write ? f->write(r) : tn_fail(r, TN_EACCES);
}

static enum tn_status dev_clunk(struct tn_req *r)
{
	const struct tn_file *f = tn_file_of(r->chan);

	return f && f->clunk ? f->clunk(r) : TN_DONE;
}

static enum tn_status dev_flush(struct tn_req *r)
{
	const struct tn_file *f = r->chan ? tn_file_of(r->chan) : NULL;

	return f && f->flush ? f->flush(r) : TN_DONE;
}

static void fill_stat(const struct dev *d, int row, struct tn_user *user, struct tn_stat *st)
{
	const struct tn_file *f = file_at(d, row);
	struct tn_str who = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");

	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(d, row);
	st->mode = mode_of(d, row);
	st->length = f && f->length ? f->length((struct tn_server *)&d->s) : 0;
	st->atime_ns = st->mtime_ns = d->made_ns;
	st->name = f ? (struct tn_str){ f->name, (uint32_t)tn_strlen(f->name) } : TN_STR("/");
	st->uid = st->gid = st->muid = who;
	if (user && user->uid != TN_NONUNAME) {
		st->n_uid = user->uid;
		st->n_gid = user->gid;
		st->valid |= TN_ST_NUID | TN_ST_NGID;
	}
}

static enum tn_status dev_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill_stat(dev_of(r->server), row_of(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

/* An offset is the row behind the last entry that was taken, plus one: rows do not move. */
static enum tn_status dev_readdir(struct tn_req *r)
{
	const struct dev *d = dev_of(r->server);
	int dir = row_of(r->chan), n = (int)d->device->n_files;
	uint64_t off = r->u.readdir.offset;
	struct tn_stat st;

	if (off > (uint64_t)n)
		return TN_DONE;
	if (off < (uint64_t)(dir + 1))
		off = (uint64_t)(dir + 1); /* whatever the offset, no other directory's children */
	for (int row = child_from(d, dir, (int)off); row < n; row = child_from(d, dir, row + 1)) {
		fill_stat(d, row, r->chan->user, &st);
		if (!r->owner->entry(r, &st, (uint64_t)row + 1))
			break;
	}
	return TN_DONE;
}

/* A sync asks for nothing; whatever else a change asks for, a device's files do not change. */
static enum tn_status dev_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	bool truncates = st->valid == TN_ST_LENGTH && st->length == 0;

	if (st->valid == 0)
		return TN_DONE;
	if (truncates && (mode_of(dev_of(r->server), row_of(r->chan)) & 0222) &&
	    tn_file_of(r->chan))
		return TN_DONE; /* `echo x > ctl` of a shell: there is nothing to cut */
	return tn_fail(r, TN_EACCES);
}

static void dev_free(struct tn_server *s)
{
	struct dev *d = dev_of(s);

	if (d->free_data)
		d->free_data(s->data);
	tn_free(d);
}

static const struct tn_ops dev_ops = {
	.name = "device",
	.op = {
		[TN_ATTACH] = dev_attach,
		[TN_WALK] = dev_walk,
		[TN_OPEN] = dev_open,
		[TN_READ] = dev_read,
		[TN_READDIR] = dev_readdir,
		[TN_WRITE] = dev_write,
		[TN_CLUNK] = dev_clunk,
		[TN_STAT] = dev_stat,
		[TN_WSTAT] = dev_wstat,
		[TN_FLUSH] = dev_flush,
	},
	.free = dev_free,
};

struct tn_server *tn_device_server(const struct tn_device *device, struct tn_loop *home, void *data,
    void (*free_data)(void *data))
{
	struct dev *d = tn_alloc(sizeof(*d));

	if (!d)
		return NULL;
	tn_server_init(&d->s, &dev_ops, home, data);
	d->s.label = device->name;
	d->s.flags = TN_SF_DEVICE;
	d->device = device;
	d->free_data = free_data;
	d->made_ns = tn_time_ns();
	return &d->s;
}
