/*
 * Blocking calls: submit, turn the loop until it is answered, keep the error for tn_call_err. A descriptor is a number
 * of an open file; the file is counted, for processes share it with its offset.
 */
#include "lib/call.h"

#include "core/server.h"

#include <string.h>

static void turn_bare(struct tn_loop *loop)
{
	tn_assert(tn_loop_next_ns(loop) != UINT64_MAX);
	tn_loop_run(loop);
}

void (*tn_call_turn)(struct tn_loop *loop) = turn_bare;
uint64_t tn_call_bound_ns;

/* ---- errors ---- */

static struct {
	enum tn_err err;
	char *words;
} last;

enum tn_err tn_call_err(void)
{
	return last.err;
}

const char *tn_call_text(void)
{
	return last.words ? last.words : tn_err_text(last.err);
}

/* words are taken; NULL: none. */
static int set_error(enum tn_err err, char *words)
{
	tn_free(last.words);
	last.err = err;
	last.words = words;
	return err == TN_OK ? 0 : -1;
}

static int fail(enum tn_err err)
{
	return set_error(err, NULL);
}

/* ---- waiting ---- */

static uint64_t deadline(void)
{
	return tn_call_bound_ns ? tn_now_ns() + tn_call_bound_ns : 0;
}

/* What was dropped meanwhile is clunked now, even by a program that never has to wait. */
static void sweep(struct tn_loop *loop)
{
	if (tn_loop_next_ns(loop) == 0)
		tn_loop_run(loop);
}

void tn_call_wait_req(struct tn_loop *loop, struct tn_req *r)
{
	while (tn_req_pending(r))
		tn_call_turn(loop);
}

static void answered(struct tn_req *r)
{
	(void)r; /* tn_call_wait_req sees it */
}

const struct tn_owner tn_call_owner = { .done = answered };

/* Takes the request's error. */
static int take_error(struct tn_req *r)
{
	char *words = r->words;

	r->words = NULL;
	return set_error((enum tn_err)r->err, words);
}

int tn_call_req(struct tn_req *r)
{
	struct tn_loop *loop = r->server->home;

	if (tn_submit(r) == TN_LATER)
		tn_call_wait_req(loop, r);
	sweep(loop);
	return take_error(r);
}

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static void name_done(struct tn_name *n)
{
	*(bool *)n->arg = true;
}

int tn_call_name(struct tn_name *n)
{
	struct tn_loop *loop = n->proc->node->loop;
	bool done = false;

	n->done = name_done;
	n->arg = &done;
	n->deadline_ns = deadline();
	n->pid = n->proc->pid;
	n->follow = !(n->flags & TN_OF_NOFOLLOW);
	if (tn_name_start(n) == TN_LATER) {
		while (!done)
			tn_call_turn(loop);
	}
	sweep(loop);
	if (n->err == TN_OK)
		return fail(TN_OK);
	set_error(n->err, n->words);
	n->words = NULL;
	tn_name_fini(n);
	return -1;
}

static int resolve(struct tn_name *n, struct tn_proc *p, const char *name, enum tn_name_for want)
{
	memset(n, 0, sizeof(*n));
	n->proc = p;
	n->name = str(name);
	n->want = want;
	return tn_call_name(n);
}

struct tn_chan *tn_call_walk(struct tn_proc *p, const char *name, enum tn_name_for want)
{
	struct tn_name n;
	struct tn_chan *c;

	if (resolve(&n, p, name, want) < 0)
		return NULL;
	c = n.chan;
	n.chan = NULL;
	tn_name_fini(&n);
	return c;
}

/* ---- the name space ---- */

static void mount_done(struct tn_mount *m)
{
	*(bool *)m->arg = true;
}

static int change(struct tn_mount *m)
{
	struct tn_loop *loop = m->proc->node->loop;
	bool done = false;

	m->done = mount_done;
	m->arg = &done;
	m->deadline_ns = deadline();
	m->pid = m->proc->pid;
	if (tn_mount_start(m) == TN_LATER) {
		while (!done)
			tn_call_turn(loop);
	}
	sweep(loop);
	set_error(m->err, m->words);
	m->words = NULL;
	tn_mount_fini(m);
	return m->err == TN_OK ? 0 : -1;
}

int tn_call_bind(struct tn_proc *p, const char *name, const char *old, uint32_t flags)
{
	struct tn_mount m = { .what = TN_DO_BIND, .proc = p, .flags = flags };

	m.source = str(name);
	m.place = str(old);
	return change(&m);
}

int tn_call_mount(struct tn_proc *p, struct tn_server *server, const char *old, uint32_t flags,
    const char *aname)
{
	struct tn_mount m = { .what = TN_DO_MOUNT, .proc = p, .flags = flags, .server = server };

	m.place = str(old);
	m.aname = aname;
	return change(&m);
}

int tn_call_unmount(struct tn_proc *p, const char *name, const char *old)
{
	struct tn_mount m = { .what = TN_DO_UNMOUNT, .proc = p };

	if (name && !*name)
		return fail(TN_EEMPTYNAME);
	if (name)
		m.source = str(name);
	m.place = str(old);
	return change(&m);
}

int tn_call_unmount_where(struct tn_proc *p, const char *old,
    bool (*lives)(const struct tn_chan *to, void *arg), void *arg)
{
	struct tn_mount m = { .what = TN_DO_UNMOUNT, .proc = p, .lives = lives, .lives_arg = arg };

	m.place = str(old);
	return change(&m);
}

int tn_call_chdir(struct tn_proc *p, const char *name)
{
	struct tn_mount m = { .what = TN_DO_CHDIR, .proc = p };

	m.place = str(name);
	return change(&m);
}

int tn_call_rfork(struct tn_proc *p, uint32_t how)
{
	struct tn_ns *ns = tn_ns_get(p->ns);

	if (how & (TN_RF_NAMEG | TN_RF_CNAMEG)) {
		tn_ns_put(ns);
		ns = how & TN_RF_CNAMEG ? tn_ns_clean(p->ns) : tn_ns_fork(p->ns);
	}
	if (!ns)
		return fail(TN_ENOMEM);
	if (how & TN_RF_NOMNT)
		tn_ns_forbid(ns);
	tn_proc_set_ns(p, ns);
	return fail(TN_OK);
}

/* ---- descriptors ---- */

struct file {
	uint32_t refs;
	struct tn_chan *chan;
	uint64_t offset; /* of a directory: where the next TN_READDIR goes on */
};

struct fds {
	int n;
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

/* The free descriptor with the smallest number; -1: no memory. */
static int free_fd(struct tn_proc *p)
{
	struct fds *t = fds_of(p);
	int n = t ? t->n : 0, fd = 0;

	while (fd < n && t->file[fd])
		fd++;
	if (fd < n)
		return fd;
	t = fds_sized(t, n ? 2 * n : 8);
	if (!t)
		return -1;
	p->fds = t;
	p->free_fds = free_fds;
	return fd;
}

int tn_call_fd(struct tn_proc *p, struct tn_chan *c)
{
	struct file *f = tn_alloc(sizeof(*f));
	int fd = f ? free_fd(p) : -1;

	if (fd < 0) {
		tn_free(f);
		tn_chan_put(c);
		return fail(TN_ENOMEM);
	}
	f->refs = 1;
	f->chan = c;
	fds_of(p)->file[fd] = f;
	fail(TN_OK);
	return fd;
}

int tn_call_copy_fds(struct tn_proc *to, struct tn_proc *from)
{
	struct fds *old = fds_of(from), *t;

	if (!old)
		return fail(TN_OK);
	t = fds_sized(NULL, old->n);
	if (!t)
		return fail(TN_ENOMEM);
	for (int i = 0; i < old->n; i++) {
		t->file[i] = old->file[i];
		if (t->file[i])
			t->file[i]->refs++;
	}
	to->fds = t;
	to->free_fds = free_fds;
	return fail(TN_OK);
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

/* The file behind fd if it was opened for that; NULL: the error is told. */
static struct file *file_for(const struct tn_proc *p, int fd, bool write)
{
	static const bool may[4][2] = { { true, false }, { false, true }, { true, true },
		{ true, false } };
	struct file *f = file_at(p, fd);

	if (!f) {
		fail(TN_EBADFD);
		return NULL;
	}
	if (!may[f->chan->flags & TN_OF_ACCESS][write]) {
		fail(TN_EBADUSE);
		return NULL;
	}
	return f;
}

/* ---- files ---- */

static int open_named(struct tn_name *n)
{
	struct tn_chan *c;

	if (tn_call_name(n) < 0)
		return -1;
	c = n->chan;
	n->chan = NULL;
	tn_name_fini(n);
	return tn_call_fd(n->proc, c);
}

int tn_call_open(struct tn_proc *p, const char *name, uint32_t flags)
{
	struct tn_name n = { .proc = p, .want = TN_FOR_OPEN, .flags = flags };

	n.name = str(name);
	return open_named(&n);
}

int tn_call_create(struct tn_proc *p, const char *name, uint32_t flags, uint32_t perm)
{
	struct tn_name n = {
		.proc = p,
		.want = TN_FOR_CREATE,
		.flags = flags | TN_OF_INHERIT,
		.perm = perm,
	};

	n.name = str(name);
	return open_named(&n);
}

int tn_call_close(struct tn_proc *p, int fd)
{
	struct file *f = file_at(p, fd);
	struct tn_loop *loop = p->node->loop;
	struct tn_req r;

	if (!f)
		return fail(TN_EBADFD);
	fds_of(p)->file[fd] = NULL;
	/* Another process has the file, or something else holds the Chan: then nothing is clunked now. */
	if (f->refs > 1 || tn_count_read(&f->chan->refs) > 1) {
		file_put(f);
		return fail(TN_OK);
	}
	tn_req_init(&r, TN_CLUNK, f->chan, &tn_call_owner);
	r.deadline_ns = deadline();
	f->chan = NULL;
	file_put(f);
	if (tn_chan_close(&r) == TN_LATER)
		tn_call_wait_req(loop, &r);
	sweep(loop);
	return take_error(&r);
}

static void request(struct tn_req *r, struct tn_proc *p, enum tn_req_type type, struct tn_chan *c,
    const struct tn_owner *owner)
{
	tn_req_init(r, type, c, owner);
	if (p->user)
		r->user = p->user;
	r->deadline_ns = deadline();
	r->pid = p->pid;
}

static int64_t io(struct tn_proc *p, struct file *f, enum tn_req_type type, void *buf, size_t size,
    uint64_t offset)
{
	struct tn_req r;

	request(&r, p, type, f->chan, &tn_call_owner);
	r.u.io.data = buf;
	r.u.io.offset = offset;
	r.u.io.count = size > INT32_MAX ? INT32_MAX : (uint32_t)size;
	return tn_call_req(&r) < 0 ? -1 : (int64_t)r.u.io.count;
}

int64_t tn_call_pread(struct tn_proc *p, int fd, void *buf, size_t size, uint64_t offset)
{
	struct file *f = file_for(p, fd, false);

	return f ? io(p, f, TN_READ, buf, size, offset) : -1;
}

int64_t tn_call_pwrite(struct tn_proc *p, int fd, const void *buf, size_t size, uint64_t offset)
{
	struct file *f = file_for(p, fd, true);

	return f ? io(p, f, TN_WRITE, (void *)(uintptr_t)buf, size, offset) : -1;
}

int64_t tn_call_read(struct tn_proc *p, int fd, void *buf, size_t size)
{
	struct file *f = file_at(p, fd);
	int64_t n = tn_call_pread(p, fd, buf, size, f ? f->offset : 0);

	if (n > 0)
		f->offset += (uint64_t)n;
	return n;
}

int64_t tn_call_write(struct tn_proc *p, int fd, const void *buf, size_t size)
{
	struct file *f = file_at(p, fd);
	int64_t n = tn_call_pwrite(p, fd, buf, size, f ? f->offset : 0);

	if (n > 0)
		f->offset += (uint64_t)n;
	return n;
}

int64_t tn_call_seek(struct tn_proc *p, int fd, int64_t offset, int whence)
{
	struct file *f = file_at(p, fd);
	struct tn_call_stat end;
	int64_t from = 0;

	if (!f)
		return fail(TN_EBADFD);
	if (whence < 0 || whence > 2)
		return fail(TN_EBADARG);
	if (tn_chan_is_dir(f->chan) && (whence != 0 || offset != 0))
		return fail(TN_EISDIR);
	if (whence == 1)
		from = (int64_t)f->offset;
	if (whence == 2) {
		if (tn_call_fstat(p, fd, &end) < 0)
			return -1;
		from = (int64_t)end.st.length;
		tn_free(end.text);
	}
	if (__builtin_add_overflow(from, offset, &from) || from < 0)
		return fail(TN_EBADOFFSET);
	f->offset = (uint64_t)from;
	fail(TN_OK);
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
		return out->text ? 0 : fail(TN_ENOMEM);
	tn_free(out->text);
	out->text = NULL;
	return -1;
}

int tn_call_stat(struct tn_proc *p, const char *name, struct tn_call_stat *out)
{
	struct tn_name n;
	int ret;

	memset(out, 0, sizeof(*out));
	if (resolve(&n, p, name, TN_FOR_ACCESS) < 0)
		return -1;
	ret = stat_chan(p, n.chan, n.path, out);
	tn_name_fini(&n);
	return ret;
}

int tn_call_fstat(struct tn_proc *p, int fd, struct tn_call_stat *out)
{
	struct tn_chan *c = tn_call_chan(p, fd);

	return c ? stat_chan(p, c, c->path, out) : fail(TN_EBADFD);
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

	if (resolve(&n, p, name, st->valid & TN_ST_NAME ? TN_FOR_REMOVE : TN_FOR_ACCESS) < 0)
		return -1;
	ret = wstat_chan(p, n.chan, st);
	tn_name_fini(&n);
	return ret;
}

int tn_call_fwstat(struct tn_proc *p, int fd, const struct tn_stat *st)
{
	struct tn_chan *c = tn_call_chan(p, fd);

	return c ? wstat_chan(p, c, st) : fail(TN_EBADFD);
}

int tn_call_remove(struct tn_proc *p, const char *name)
{
	struct tn_name n;
	struct tn_req r;
	int ret;

	if (resolve(&n, p, name, TN_FOR_REMOVE) < 0)
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
	void (*each)(void *arg, const struct tn_stat *st);
	void *arg;
};

static bool take_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct dir_req *d = (struct dir_req *)r;

	d->each(d->arg, st);
	d->f->offset = next;
	d->n++;
	return true;
}

static const struct tn_owner dir_owner = { .done = answered, .entry = take_entry };

int tn_call_dirread(struct tn_proc *p, int fd, uint32_t flags,
    void (*each)(void *arg, const struct tn_stat *st), void *arg)
{
	struct file *f = file_for(p, fd, false);
	struct dir_req d = { .f = f, .each = each, .arg = arg };

	if (!f)
		return -1;
	if (!tn_chan_is_dir(f->chan))
		return fail(TN_ENOTDIR);
	request(&d.r, p, TN_READDIR, f->chan, &dir_owner);
	d.r.u.readdir.offset = f->offset;
	d.r.u.readdir.count = 65536;
	d.r.flags = flags;
	if (tn_call_req(&d.r) < 0 && d.n == 0)
		return -1;
	return d.n;
}
