/*
 * Blocking calls on files. A descriptor is a number of an open file; the file is counted, for processes share it with its
 * offset, and a call holds it while it waits.
 */
#include "core/server.h"
#include "lib/call_in.h"

#include <string.h>

static void answered(struct tn_req *r)
{
	(void)r; /* tn_call_wait_req sees it */
}

/* ---- descriptors ---- */

struct file {
	uint32_t refs;
	struct tn_chan *chan;
	uint64_t offset; /* of a directory: where the next TN_READDIR goes on */
};

struct fds {
	int n;
	int low; /* no descriptor below it is free */
	struct file *file[];
};

static struct fds *fds_of(const struct tn_proc *p)
{
	return p->fds;
}

/* The last put drops the Chan: the caller has clunked it before if it wants to know how that went. */
static void file_put(struct file *f)
{
	if (!f || --f->refs > 0)
		return;
	tn_chan_put(f->chan);
	tn_free(f);
}

static void free_fds(struct tn_proc *p)
{
	struct fds *t = fds_of(p);

	for (int i = 0; i < t->n; i++)
		file_put(t->file[i]);
	tn_free(t);
	p->fds = NULL;
}

static struct fds *fds_sized(struct fds *old, int n)
{
	size_t had = old ? sizeof(*old) + (size_t)old->n * sizeof(old->file[0]) : 0;
	struct fds *t = tn_realloc(old, had, sizeof(*t) + (size_t)n * sizeof(t->file[0]));

	if (t)
		t->n = n;
	return t;
}

/* The free descriptor with the smallest number; -1: told. */
static int free_fd(struct tn_proc *p)
{
	struct fds *t = fds_of(p);
	int n = t ? t->n : 0, fd = t ? t->low : 0;

	while (fd < n && t->file[fd])
		fd++;
	if (t)
		t->low = fd;
	if (fd < n)
		return fd;
	if (n == TN_CALL_FDS_MAX)
		return tn_call_set(TN_ELIMIT_OPEN, NULL);
	t = fds_sized(t, n ? 2 * n : 8);
	if (!t)
		return tn_call_set(TN_ENOMEM, NULL);
	p->fds = t;
	p->free_fds = free_fds;
	return fd;
}

int tn_call_fd(struct tn_proc *p, struct tn_chan *c)
{
	struct file *f = tn_alloc(sizeof(*f));
	int fd = f ? free_fd(p) : tn_call_set(TN_ENOMEM, NULL);

	if (fd < 0) {
		tn_free(f);
		tn_chan_put(c);
		return -1;
	}
	f->refs = 1;
	f->chan = c;
	fds_of(p)->file[fd] = f;
	tn_call_set(TN_OK, NULL);
	return fd;
}

int tn_call_copy_fds(struct tn_proc *to, struct tn_proc *from)
{
	struct fds *old = fds_of(from), *t;

	if (!old)
		return tn_call_set(TN_OK, NULL);
	t = fds_sized(NULL, old->n);
	if (!t)
		return tn_call_set(TN_ENOMEM, NULL);
	for (int i = 0; i < old->n; i++) {
		t->file[i] = old->file[i];
		if (t->file[i])
			t->file[i]->refs++;
	}
	to->fds = t;
	to->free_fds = free_fds;
	return tn_call_set(TN_OK, NULL);
}

static struct file *file_at(const struct tn_proc *p, int fd)
{
	struct fds *t = fds_of(p);

	return t && fd >= 0 && fd < t->n ? t->file[fd] : NULL;
}

struct tn_chan *tn_call_chan(struct tn_proc *p, int fd)
{
	struct file *f = file_at(p, fd);

	return f ? f->chan : NULL;
}

/* The file behind fd if it was opened for that, counted: it may be closed meanwhile. NULL: the error is told. */
static struct file *file_for(const struct tn_proc *p, int fd, bool write)
{
	static const bool may[4][2] = { { true, false }, { false, true }, { true, true },
		{ true, false } };
	struct file *f = file_at(p, fd);

	if (!f) {
		tn_call_set(TN_EBADFD, NULL);
		return NULL;
	}
	if (!may[f->chan->flags & TN_OF_ACCESS][write]) {
		tn_call_set(TN_EBADUSE, NULL);
		return NULL;
	}
	f->refs++;
	return f;
}

/* ---- files ---- */

int tn_call_open_name(struct tn_name *n, struct tn_proc *into)
{
	struct tn_chan *c;

	if (tn_call_name(n) < 0)
		return -1;
	c = n->chan;
	n->chan = NULL;
	tn_name_fini(n);
	return tn_call_fd(into, c);
}

int tn_call_open(struct tn_proc *p, const char *name, uint32_t flags)
{
	struct tn_name n = { .proc = p, .want = TN_FOR_OPEN, .flags = flags };

	n.name = tn_call_str(name);
	return tn_call_open_name(&n, p);
}

int tn_call_create(struct tn_proc *p, const char *name, uint32_t flags, uint32_t perm)
{
	struct tn_name n = {
		.proc = p,
		.want = TN_FOR_CREATE,
		.flags = flags | TN_OF_INHERIT,
		.perm = perm,
	};

	n.name = tn_call_str(name);
	return tn_call_open_name(&n, p);
}

int tn_call_close(struct tn_proc *p, int fd)
{
	struct file *f = file_at(p, fd);
	struct tn_loop *loop = p->node->loop;
	struct tn_req r;

	if (!f)
		return tn_call_set(TN_EBADFD, NULL);
	fds_of(p)->file[fd] = NULL;
	if (fd < fds_of(p)->low)
		fds_of(p)->low = fd;
	/* Another process has the file, or something else holds the Chan: then nothing is clunked now. */
	if (f->refs > 1 || tn_count_read(&f->chan->refs) > 1) {
		file_put(f);
		return tn_call_set(TN_OK, NULL);
	}
	tn_req_init(&r, TN_CLUNK, f->chan, &tn_call_owner);
	r.deadline_ns = tn_call_deadline();
	f->chan = NULL;
	file_put(f);
	if (tn_chan_close(&r) == TN_LATER)
		tn_call_wait_req(loop, &r);
	tn_call_sweep(loop);
	return tn_call_take_error(&r);
}

static void request(struct tn_req *r, struct tn_proc *p, enum tn_req_type type, struct tn_chan *c,
    const struct tn_owner *owner)
{
	tn_req_init(r, type, c, owner);
	if (p->user)
		r->user = p->user;
	r->deadline_ns = tn_call_deadline();
	r->pid = p->pid;
}

/* at NULL: where the file's own offset is, which moves. Gives f back. */
static int64_t io(struct tn_proc *p, struct file *f, enum tn_req_type type, void *buf, size_t size,
    const uint64_t *at)
{
	struct tn_req r;
	int64_t n;

	if (!f)
		return -1;
	request(&r, p, type, f->chan, &tn_call_owner);
	r.u.io.data = buf;
	r.u.io.offset = at ? *at : f->offset;
	r.u.io.count = size > INT32_MAX ? INT32_MAX : (uint32_t)size;
	n = tn_call_req(&r) < 0 ? -1 : (int64_t)r.u.io.count;
	if (n > 0 && !at)
		f->offset += (uint64_t)n;
	file_put(f);
	return n;
}

int64_t tn_call_pread(struct tn_proc *p, int fd, void *buf, size_t size, uint64_t offset)
{
	return io(p, file_for(p, fd, false), TN_READ, buf, size, &offset);
}

int64_t tn_call_pwrite(struct tn_proc *p, int fd, const void *buf, size_t size, uint64_t offset)
{
	return io(p, file_for(p, fd, true), TN_WRITE, (void *)(uintptr_t)buf, size, &offset);
}

int64_t tn_call_read(struct tn_proc *p, int fd, void *buf, size_t size)
{
	return io(p, file_for(p, fd, false), TN_READ, buf, size, NULL);
}

int64_t tn_call_write(struct tn_proc *p, int fd, const void *buf, size_t size)
{
	return io(p, file_for(p, fd, true), TN_WRITE, (void *)(uintptr_t)buf, size, NULL);
}

/* Where a seek counts from; -1: the error is told. */
static int64_t seek_from(struct tn_proc *p, int fd, const struct file *f, int whence)
{
	struct tn_call_stat end;

	if (whence != 2)
		return whence == 1 ? (int64_t)f->offset : 0;
	if (tn_call_fstat(p, fd, &end) < 0)
		return -1;
	tn_free(end.text);
	return (int64_t)end.st.length;
}

int64_t tn_call_seek(struct tn_proc *p, int fd, int64_t offset, int whence)
{
	struct file *f = file_at(p, fd);
	int64_t from;

	if (!f)
		return tn_call_set(TN_EBADFD, NULL);
	if (whence < 0 || whence > 2)
		return tn_call_set(TN_EBADARG, NULL);
	if (tn_chan_is_dir(f->chan) && (whence != 0 || offset != 0))
		return tn_call_set(TN_EISDIR, NULL);
	f->refs++; /* it may be closed meanwhile */
	from = seek_from(p, fd, f, whence);
	if (from >= 0 && (__builtin_add_overflow(from, offset, &from) || from < 0))
		from = tn_call_set(TN_EBADOFFSET, NULL);
	if (from >= 0) {
		f->offset = (uint64_t)from;
		tn_call_set(TN_OK, NULL);
	}
	file_put(f);
	return from;
}

/* ---- stats ---- */

struct stat_req {
	struct tn_req r; /* first: a request is its stat_req */
	struct tn_call_stat *out;
	const struct tn_path *path;
};

/* The strings of a stat, which are borrowed, go into one block. */
static bool copy_stat(struct tn_call_stat *out, const struct tn_stat *st)
{
	struct tn_str *to[] = { &out->st.name, &out->st.uid, &out->st.gid, &out->st.muid,
		&out->st.extension };
	size_t size = 1;
	char *at;

	out->st = *st;
	for (size_t i = 0; i < TN_COUNT(to); i++)
		size += to[i]->len;
	out->text = at = tn_alloc(size);
	if (!at)
		return false;
	for (size_t i = 0; i < TN_COUNT(to); i++) {
		if (to[i]->len > 0)
			memcpy(at, to[i]->s, to[i]->len);
		to[i]->s = at;
		at += to[i]->len;
	}
	return true;
}

/* namespace-semantics.md 6: the name is the last element of the path. */
static void take_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct stat_req *s = (struct stat_req *)r;
	struct tn_stat named = *st;

	if (s->path) {
		named.name = tn_path_last(s->path);
		named.valid |= TN_ST_NAME;
	}
	tn_free(s->out->text);
	s->out->text = NULL;
	copy_stat(s->out, &named);
}

static const struct tn_owner stat_owner = { .done = answered, .stat = take_stat };

static int stat_chan(struct tn_proc *p, struct tn_chan *c, const struct tn_path *path,
    struct tn_call_stat *out)
{
	struct stat_req s = { .out = out, .path = path };

	memset(out, 0, sizeof(*out));
	request(&s.r, p, TN_STAT, c, &stat_owner);
	if (tn_call_req(&s.r) == 0)
		return out->text ? 0 : tn_call_set(TN_ENOMEM, NULL);
	tn_free(out->text);
	out->text = NULL;
	return -1;
}

int tn_call_stat(struct tn_proc *p, const char *name, struct tn_call_stat *out)
{
	struct tn_name n;
	int ret;

	memset(out, 0, sizeof(*out));
	if (tn_call_resolve(&n, p, name, TN_FOR_ACCESS) < 0)
		return -1;
	ret = stat_chan(p, n.chan, n.path, out);
	tn_name_fini(&n);
	return ret;
}

int tn_call_fstat(struct tn_proc *p, int fd, struct tn_call_stat *out)
{
	struct tn_chan *c = tn_call_chan(p, fd);
	int ret;

	memset(out, 0, sizeof(*out));
	if (!c)
		return tn_call_set(TN_EBADFD, NULL);
	tn_chan_get(c);
	ret = stat_chan(p, c, c->path, out);
	tn_chan_put(c);
	return ret;
}

static int wstat_chan(struct tn_proc *p, struct tn_chan *c, const struct tn_stat *st)
{
	struct tn_req r;

	request(&r, p, TN_WSTAT, c, &tn_call_owner);
	r.u.wstat.st = st;
	return tn_call_req(&r);
}

/* A mount point is not renamed; other changes go to what is mounted there. */
int tn_call_wstat(struct tn_proc *p, const char *name, const struct tn_stat *st)
{
	struct tn_name n;
	int ret;

	if (tn_call_resolve(&n, p, name, st->valid & TN_ST_NAME ? TN_FOR_REMOVE : TN_FOR_ACCESS) <
	    0)
		return -1;
	ret = wstat_chan(p, n.chan, st);
	tn_name_fini(&n);
	return ret;
}

int tn_call_fwstat(struct tn_proc *p, int fd, const struct tn_stat *st)
{
	struct tn_chan *c = tn_call_chan(p, fd);
	int ret;

	if (!c)
		return tn_call_set(TN_EBADFD, NULL);
	tn_chan_get(c);
	ret = wstat_chan(p, c, st);
	tn_chan_put(c);
	return ret;
}

int tn_call_remove(struct tn_proc *p, const char *name)
{
	struct tn_name n;
	struct tn_req r;
	int ret;

	if (tn_call_resolve(&n, p, name, TN_FOR_REMOVE) < 0)
		return -1;
	request(&r, p, TN_REMOVE, n.chan, &tn_call_owner);
	ret = tn_call_req(&r);
	tn_name_fini(&n);
	return ret;
}

/* ---- directories ---- */

struct dir_req {
	struct tn_req r; /* first: a request is its dir_req */
	struct file *f;
	int n;
	bool (*each)(void *arg, const struct tn_stat *st);
	void *arg;
};

static bool take_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct dir_req *d = (struct dir_req *)r;

	if (!d->each(d->arg, st))
		return false;
	d->f->offset = next;
	d->n++;
	return true;
}

static const struct tn_owner dir_owner = { .done = answered, .entry = take_entry };

int tn_call_dirread(struct tn_proc *p, int fd, uint32_t flags,
    bool (*each)(void *arg, const struct tn_stat *st), void *arg)
{
	struct file *f = file_for(p, fd, false);
	struct dir_req d = { .f = f, .each = each, .arg = arg };
	int ret;

	if (!f)
		return -1;
	if (!tn_chan_is_dir(f->chan)) {
		file_put(f);
		return tn_call_set(TN_ENOTDIR, NULL);
	}
	request(&d.r, p, TN_READDIR, f->chan, &dir_owner);
	d.r.u.readdir.offset = f->offset;
	d.r.u.readdir.count = 65536;
	d.r.flags = flags;
	ret = tn_call_req(&d.r);
	file_put(f);
	return ret < 0 && d.n == 0 ? -1 : d.n;
}
