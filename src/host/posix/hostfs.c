/*
 * #host as a file server: requests on Chans that name files become acts. This file has the server, the way of an act
 * (here or to a worker and back), and attach, walk, stat, open, create, clunk; hostio.c has data, hostset.c changes.
 */
#include "host/posix/hostfs.h"

#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DROP_AT_ONCE 64 /* descriptors given back when the system has none left */

struct hf *hf_of(const struct tn_req *r)
{
	return (struct hf *)r->server;
}

struct hf_file *hf_file_of(const struct tn_chan *c)
{
	return c->aux.p;
}

/* ---- the state of Chans ---- */

struct hf_file *hf_file_new(struct hf *hf, struct hf_place *place)
{
	struct hf_file *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	f->hf = hf;
	f->place = hf_place_get(place);
	f->fd = -1;
	return f;
}

bool hf_is_open(const struct hf_file *f)
{
	return f->fd >= 0 || f->dir;
}

static void close_on_worker(struct hf *hf, int fd)
{
	struct hf_act a;

	hf_act_init(&a, hf, NULL);
	a.fd = fd;
	a.act = hf_act_close;
	if (!hf_start(&a, NULL))
		close(fd);
}

void hf_file_put(struct hf_file *f)
{
	struct hf *hf = f->hf;

	if (--f->refs > 0)
		return;
	if (hf_is_open(f))
		hf->n_open--;
	if (f->opened)
		f->opened->n_open--;
	if (f->fd >= 0 && f->slow)
		close_on_worker(hf, f->fd);
	else if (f->fd >= 0)
		close(f->fd);
	hf_dir_free(f->dir);
	hf_inode_put(hf, f->opened);
	hf_place_put(hf, f->place);
	tn_free(f);
}

/* ---- the way of an act ---- */

void hf_act_init(struct hf_act *a, struct hf *hf, struct tn_req *r)
{
	memset(a, 0, offsetof(struct hf_act, text));
	a->text[0] = 0;
	a->walk.n = a->walk.done = 0;
	a->hf = hf;
	a->r = r;
	a->fd = a->fd2 = a->root_fd = a->new_fd = -1;
}

enum tn_err hf_err(int number)
{
	static const struct {
		int number;
		enum tn_err err;
	} rows[] = {
		{ EMFILE, TN_ELIMIT_OPEN },
		{ ENFILE, TN_ELIMIT_OPEN },
		{ EBADF, TN_EBADUSE },
		{ EXDEV, TN_EXDEV },
		{ ESTALE, TN_ESTALE },
	};

	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		if (rows[i].number == number)
			return rows[i].err;
	}
	return tn_err_of_linux((uint32_t)number);
}

/* Pins p for the act and gives its descriptor. */
enum tn_err hf_act_pin(struct hf_act *a, struct hf_place *p, int *fd)
{
	enum tn_err err = hf_place_pin(a->hf, p);

	if (err)
		return err;
	for (size_t i = 0; i < TN_COUNT(a->pinned); i++) {
		if (!a->pinned[i]) {
			a->pinned[i] = hf_place_get(p);
			*fd = p->fd;
			return TN_OK;
		}
	}
	tn_panic("an act pins three places at most", __FILE__, __LINE__);
}

/* The file that the act is about, by its own descriptor. */
enum tn_err hf_act_on(struct hf_act *a, struct hf_file *f)
{
	a->file = f;
	a->id = f->place->inode->id;
	a->kind = f->place->kind;
	a->slow = f->place->slow;
	a->handles = f->place->handles;
	if (f->fd >= 0) {
		a->fd = f->fd;
		return TN_OK;
	}
	return hf_act_pin(a, f->place, &a->fd);
}

void hf_act_unpin(struct hf_act *a)
{
	for (size_t i = 0; i < TN_COUNT(a->pinned); i++) {
		struct hf_place *p = a->pinned[i];

		if (!p)
			continue;
		a->pinned[i] = NULL;
		hf_place_unpin(a->hf, p);
		hf_place_put(a->hf, p);
	}
}

/* What a walk has found and nobody has taken. */
static void drop_found(struct hf_act *a)
{
	for (; a->walk.done > 0; a->walk.done--)
		close(a->walk.found[a->walk.done - 1].fd);
}

static void act_free(struct hf_act *a)
{
	drop_found(a);
	tn_free(a->data);
	tn_free(a->entries);
	tn_free(a);
}

/* The act is over; its request, if there still is one, has its answer in it. */
static void act_over(struct hf_act *a)
{
	struct hf *hf = a->hf;
	struct tn_req *r = a->r;
	struct hf_file *file = a->file, *file2 = a->file2;

	hf_act_unpin(a);
	if (a->at)
		hf_place_put(hf, a->at);
	act_free(a);
	if (file)
		hf_file_put(file);
	if (file2)
		hf_file_put(file2);
	if (r) {
		r->keeper = NULL;
		tn_respond(r);
	}
	tn_server_put(&hf->server);
}

static void on_worker(struct tn_job *job)
{
	struct hf_act *a = (struct hf_act *)job;

	a->act(a);
}

static void back_from_worker(struct tn_job *job)
{
	struct hf_act *a = (struct hf_act *)job;

	if (a->settle)
		a->settle(a);
	if (!a->again) {
		act_over(a);
		return;
	}
	a->again = false;
	if (tn_work_start(a->hf->work, a->job.lane, &a->job))
		return;
	if (a->r)
		tn_fail(a->r, TN_ENOMEM);
	act_over(a);
}

/* Copies the act and starts it; the request has been kept. false: no memory, and the act is still the caller's. */
bool hf_start(struct hf_act *a, struct tn_lane *lane)
{
	struct hf *hf = a->hf;
	struct hf_act *k;

	if (!hf->work) {
		struct tn_work_limits limits = { .threads_max = hf->o.workers_max };

		hf->work = tn_work_new(hf->server.home, &limits);
	}
	k = hf->work ? tn_alloc(sizeof(*k)) : NULL;
	if (!k)
		return false;
	*k = *a;
	k->on_worker = true;
	k->job.run = on_worker;
	k->job.done = back_from_worker;
	k->job.drop = back_from_worker; /* does not happen: each act holds the server */
	if (!tn_work_start(hf->work, lane, &k->job)) {
		tn_free(k);
		return false;
	}
	if (k->file)
		k->file->refs++;
	if (k->file2)
		k->file2->refs++;
	if (k->r)
		k->r->keeper = k;
	tn_server_get(&hf->server);
	hf->stats.worker_calls++;
	return true;
}

/* Keeps the act's request and hands it to a worker. */
enum tn_status hf_act_later(struct hf_act *a)
{
	struct tn_req *r = a->r;

	if (!tn_keep(r) || !hf_start(a, a->file ? &a->file->lane : NULL)) {
		drop_found(a);
		tn_free(a->data);
		tn_free(a->entries);
		hf_act_unpin(a);
		if (a->at)
			hf_place_put(a->hf, a->at);
		return tn_fail(r, TN_ENOMEM);
	}
	return TN_LATER;
}

/* Here, if it ends soon; a lane that is busy is not overtaken. */
enum tn_status hf_act_run(struct hf_act *a)
{
	if (a->slow || (a->file && a->file->lane.running))
		return hf_act_later(a);
	a->hf->stats.inline_calls++;
	a->act(a);
	if ((a->err == EMFILE || a->err == ENFILE) && hf_place_drop(a->hf, DROP_AT_ONCE))
		a->act(a);
	a->settle(a);
	hf_act_unpin(a);
	return TN_DONE;
}

/* For the beginning of operations: what failed before anything was asked of the kernel. */
enum tn_status hf_act_refuse(struct hf_act *a, enum tn_err err)
{
	hf_act_unpin(a);
	return tn_fail(a->r, err);
}

void hf_fail(struct hf_act *a)
{
	if (a->r)
		tn_fail(a->r, hf_err(a->err));
}

/* The answer comes now; what the worker brings back later is dropped. */
static enum tn_status host_flush(struct tn_req *r)
{
	struct hf_act *a = r->keeper;

	if (!a)
		return TN_DONE;
	a->hf->stats.flushed++;
	tn_fail(r, TN_EINTR);
	if (tn_work_cancel(a->hf->work, &a->job)) {
		act_over(a);
		return TN_DONE;
	}
	__atomic_store_n(&a->cancelled, 1, __ATOMIC_RELAXED);
	a->r = NULL;
	r->keeper = NULL;
	tn_respond(r);
	return TN_DONE;
}

/* ---- attach ---- */

static void attach_to(struct hf_act *a, struct hf_place *place)
{
	struct hf_file *f = hf_file_new(a->hf, place);

	if (!f) {
		tn_fail(a->r, TN_ENOMEM);
		return;
	}
	a->r->u.attach.newchan->aux.p = f;
	a->r->u.attach.newchan->qid = hf_qid(a->hf, place->inode, &a->meta);
}

static void settle_attach_root(struct hf_act *a)
{
	if (a->err)
		hf_fail(a);
	else if (a->r)
		attach_to(a, a->hf->root);
}

static void settle_attach(struct hf_act *a)
{
	struct hf_found *found = &a->walk.found[0];
	struct hf_place *root;

	if (a->err) {
		if (a->r)
			tn_fail(a->r,
			    a->err == ENOENT || a->err == ENOTDIR ? TN_EBADATTACH : hf_err(a->err));
		return;
	}
	if (!a->r) {
		close(found->fd);
		return;
	}
	a->meta = found->meta;
	root = hf_place_root(a->hf, found);
	if (!root) {
		tn_fail(a->r, TN_ENOMEM);
		return;
	}
	attach_to(a, root);
	hf_place_put(a->hf, root);
}

static enum tn_status host_attach(struct tn_req *r)
{
	struct hf *hf = hf_of(r);
	struct tn_str aname = r->u.attach.aname;
	struct hf_act a;

	hf_act_init(&a, hf, r);
	a.id = hf->root->inode->id;
	a.slow = hf->root->slow;
	a.handles = hf->root->handles;
	hf_act_pin(&a, hf->root, &a.fd); /* a root has its descriptor */
	while (aname.len > 0 && aname.s[0] == '/') {
		aname.s++;
		aname.len--;
	}
	if (aname.len >= sizeof(a.text) || memchr(aname.s ? aname.s : "", 0, aname.len))
		return hf_act_refuse(&a, TN_EBADATTACH);
	if (aname.len == 0) {
		a.act = hf_act_look;
		a.settle = settle_attach_root;
	} else {
		memcpy(a.text, aname.s, aname.len);
		a.text[aname.len] = 0;
		a.act = hf_act_attach;
		a.settle = settle_attach;
	}
	return hf_act_run(&a);
}

/* ---- walk ---- */

/* A name that can be asked for: the kernel never sees another. */
enum tn_err hf_copy_name(char to[HF_NAME_SIZE], struct tn_str name)
{
	if (name.len >= HF_NAME_SIZE)
		return TN_ENAMETOOLONG;
	if (name.len == 0 || memchr(name.s, '/', name.len) || memchr(name.s, 0, name.len))
		return TN_EBADCHAR;
	memcpy(to, name.s, name.len);
	to[name.len] = 0;
	return strcmp(to, ".") == 0 || strcmp(to, "..") == 0 ? TN_EBADCHAR : TN_OK;
}

static bool is_up(struct tn_str name)
{
	return name.len == 2 && name.s[0] == '.' && name.s[1] == '.';
}

/* The names from where the walk is to the next "..", 16 at most, or to one that no file can have. */
static void fill_run(struct hf_act *a, const struct tn_req *r)
{
	a->walk.n = a->walk.done = 0;
	a->bad_name = TN_OK;
	for (uint32_t i = a->n_walked; i < r->u.walk.n_names && a->walk.n < TN_WNAME_MAX; i++) {
		enum tn_err err;

		if (is_up(r->u.walk.names[i]))
			return;
		err = hf_copy_name(a->walk.names[a->walk.n], r->u.walk.names[i]);
		if (err) {
			a->bad_name = err == TN_ENAMETOOLONG ? err : TN_ENOENT;
			return;
		}
		a->walk.n++;
	}
}

static void walk_to(struct hf_act *a, struct hf_place *place)
{
	hf_place_put(a->hf, a->at);
	a->at = place;
}

/* Places for what was found, and their qids. */
static enum tn_err take_found(struct hf_act *a)
{
	enum tn_err err = TN_OK;

	for (uint16_t i = 0; i < a->walk.done; i++) {
		struct hf_found *found = &a->walk.found[i];
		struct hf_place *place;

		if (!a->r || err) {
			close(found->fd);
			continue;
		}
		place = hf_place_take(a->hf, a->at, a->walk.names[i], found);
		if (!place) {
			err = TN_ENOMEM;
			continue;
		}
		a->r->u.walk.qids[a->n_walked++] = hf_qid(a->hf, place->inode, &found->meta);
		walk_to(a, place);
	}
	a->walk.done = 0;
	return err;
}

/* open(5)'s first sentence of walk: how far it came is the answer, unless that is nowhere. */
static void walk_stop(struct hf_act *a, enum tn_err err)
{
	a->r->u.walk.n_walked = (uint16_t)a->n_walked;
	if (a->n_walked == 0)
		tn_fail(a->r, err);
}

static void walk_end(struct hf_act *a)
{
	struct tn_req *r = a->r;
	struct hf_file *f = hf_file_new(a->hf, a->at);

	if (!f) {
		tn_fail(r, TN_ENOMEM);
		return;
	}
	r->u.walk.n_walked = r->u.walk.n_names;
	r->u.walk.newchan->aux.p = f;
	r->u.walk.newchan->qid = r->u.walk.n_names ? r->u.walk.qids[r->u.walk.n_names - 1]
						   : r->chan->qid;
}

/* Prepares the next run. false: the walk is over, and answered. */
static bool next_run(struct hf_act *a)
{
	struct tn_req *r = a->r;
	enum tn_err err;

	hf_act_unpin(a);
	if (a->n_walked == r->u.walk.n_names) {
		walk_end(a);
		return false;
	}
	a->up = is_up(r->u.walk.names[a->n_walked]);
	if (a->up && a->at->parent)
		walk_to(a, hf_place_get(a->at->parent));
	else if (!a->up)
		fill_run(a, r);
	if (!a->up && a->walk.n == 0) {
		walk_stop(a, a->at->kind == S_IFDIR ? a->bad_name : TN_ENOTDIR);
		return false;
	}
	a->act = a->up ? hf_act_look : hf_act_walk;
	a->id = a->at->inode->id;
	a->slow = a->at->slow;
	a->handles = a->at->handles;
	err = hf_act_pin(a, a->at, &a->fd);
	a->follow = !(r->flags & TN_OF_NOFOLLOW);
	a->root_fd = hf_place_top(a->at)->fd;
	if (!err && a->follow && hf_place_path(a->at, a->text, sizeof(a->text)) == 0)
		a->follow = false;
	if (err)
		walk_stop(a, err);
	return !err;
}

/* What a run found. false: the walk is over, and answered if somebody waits for it. */
static bool run_done(struct hf_act *a)
{
	struct tn_req *r = a->r;
	enum tn_err err;

	if (a->up) {
		if (r && a->err)
			walk_stop(a, hf_err(a->err));
		else if (r)
			r->u.walk.qids[a->n_walked++] = hf_qid(a->hf, a->at->inode, &a->meta);
		return r && !a->err;
	}
	err = take_found(a);
	if (!r)
		return false;
	if (!err && a->err)
		err = hf_err(a->err);
	if (!err && a->bad_name)
		err = a->bad_name;
	if (err)
		walk_stop(a, err);
	return !err;
}

static void settle_walk(struct hf_act *a)
{
	a->again = run_done(a) && next_run(a);
}

static enum tn_status host_walk(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;

	hf_act_init(&a, hf_of(r), r);
	a.settle = settle_walk;
	a.file = f;
	a.at = hf_place_get(f->place);
	while (next_run(&a)) {
		if (a.slow)
			return hf_act_later(&a);
		a.hf->stats.inline_calls++;
		a.act(&a);
		if ((a.err == EMFILE || a.err == ENFILE) && hf_place_drop(a.hf, DROP_AT_ONCE))
			a.act(&a);
		if (a.xdev)
			return hf_act_later(&a); /* what it has found so far stays in it */
		if (!run_done(&a))
			break;
	}
	hf_act_unpin(&a);
	hf_place_put(a.hf, a.at);
	return TN_DONE;
}

/* ---- stat ---- */

static uint32_t mode_of(const struct statx *x, uint32_t extra)
{
	static const struct {
		uint32_t kind, bit;
	} kinds[] = {
		{ S_IFDIR, TN_DMDIR },
		{ S_IFLNK, TN_DMSYMLINK },
		{ S_IFIFO, TN_DMNAMEDPIPE },
		{ S_IFSOCK, TN_DMSOCKET },
		{ S_IFCHR, TN_DMDEVICE },
		{ S_IFBLK, TN_DMDEVICE },
	};
	uint32_t mode = (x->stx_mode & 0777u) | extra;

	for (size_t i = 0; i < TN_COUNT(kinds); i++) {
		if (kinds[i].kind == (x->stx_mode & S_IFMT))
			mode |= kinds[i].bit;
	}
	if (x->stx_mode & S_ISUID)
		mode |= TN_DMSETUID;
	if (x->stx_mode & S_ISGID)
		mode |= TN_DMSETGID;
	if (x->stx_mode & S_ISVTX && !extra)
		mode |= TN_DMSETVTX;
	return mode;
}

static int64_t ns_of(const struct statx_timestamp *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

void hf_fill_stat(struct hf *hf, struct hf_inode *i, const struct hf_meta *m, struct tn_str name,
    struct tn_stat *st)
{
	const struct statx *x = &m->x;

	*st = (struct tn_stat){ .name = name };
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_CTIME | TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_NUID | TN_ST_NGID |
		    TN_ST_NMUID | TN_ST_NLINK | TN_ST_RDEV | TN_ST_BLOCKS | TN_ST_GEN |
		    TN_ST_DATA_VERSION;
	st->qid = hf_qid(hf, i, m);
	st->mode = mode_of(x, (uint32_t)(st->qid.type & (HF_EXTRA >> 24)) << 24);
	st->length = S_ISREG(x->stx_mode) || S_ISLNK(x->stx_mode) ? x->stx_size : 0;
	st->atime_ns = ns_of(&x->stx_atime);
	st->mtime_ns = ns_of(&x->stx_mtime);
	st->ctime_ns = ns_of(&x->stx_ctime);
	if (x->stx_mask & STATX_BTIME) {
		st->btime_ns = ns_of(&x->stx_btime);
		st->valid |= TN_ST_BTIME;
	}
	hf_owners_trim(hf->owners);
	st->uid = st->muid = hf_user_name(hf->owners, x->stx_uid);
	st->gid = hf_group_name(hf->owners, x->stx_gid);
	st->n_uid = st->n_muid = x->stx_uid;
	st->n_gid = x->stx_gid;
	st->blksize = x->stx_blksize;
	st->blocks = x->stx_blocks;
	st->nlink = x->stx_nlink;
	st->rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor);
	st->gen = m->id.gen;
	st->data_version = st->qid.version;
}

static void settle_stat(struct hf_act *a)
{
	struct hf_place *p = a->file->place;
	const struct statx *x = &a->meta.x;
	struct tn_stat st;
	char device[40];

	if (a->err || !a->r) {
		hf_fail(a);
		return;
	}
	hf_fill_stat(a->hf, p->inode, &a->meta,
	    (struct tn_str){ p->name, (uint32_t)strlen(p->name) }, &st);
	if (S_ISLNK(x->stx_mode)) {
		st.extension = (struct tn_str){ a->text, a->n };
		st.valid |= TN_ST_EXTENSION;
	} else if (S_ISCHR(x->stx_mode) || S_ISBLK(x->stx_mode)) {
		st.extension.s = device;
		st.extension.len = (uint32_t)snprintf(device, sizeof(device), "%c %u %u",
		    S_ISCHR(x->stx_mode) ? 'c' : 'b', x->stx_rdev_major, x->stx_rdev_minor);
		st.valid |= TN_ST_EXTENSION;
	}
	tn_reply_stat(a->r, &st);
}

static enum tn_status host_stat(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = hf_act_on(&a, f);
	if (err)
		return hf_act_refuse(&a, err);
	a.act = hf_act_look;
	a.settle = settle_stat;
	return hf_act_run(&a);
}

/* ---- open ---- */

static enum tn_err may_open_dir(uint32_t flags)
{
	uint32_t access = flags & TN_OF_ACCESS;

	if (access == TN_OWRITE || access == TN_ORDWR || flags & TN_OF_TRUNC)
		return TN_EISDIR;
	if (access == TN_OEXEC)
		return TN_EEXECDIR;
	return flags & TN_OF_RCLOSE ? TN_EPERM : TN_OK;
}

static bool changes(uint32_t flags)
{
	uint32_t access = flags & TN_OF_ACCESS;

	return access == TN_OWRITE || access == TN_ORDWR || flags & (TN_OF_TRUNC | TN_OF_RCLOSE);
}

/* What the kernel does not know or would wait for. Asked again when a worker comes back: others were faster. */
static enum tn_err may_open(const struct hf *hf, const struct hf_file *f, uint32_t flags)
{
	uint32_t kind = f->place->kind;

	if (hf_is_open(f))
		return TN_EISOPEN;
	if (kind == S_IFDIR)
		return may_open_dir(flags);
	if (flags & TN_OF_DIRECTORY)
		return TN_ENOTDIR;
	if (kind == S_IFLNK)
		return flags & TN_OF_NOFOLLOW ? TN_ESYMLINK : TN_ENOENT;
	if (kind == S_IFSOCK)
		return TN_ENXIO;
	if (kind != S_IFREG && !hf->o.devices)
		return TN_EPERM;
	if (hf->o.read_only && changes(flags))
		return TN_EROFS;
	if (f->place->inode->extra & TN_DMEXCL && f->place->inode->n_open > 0)
		return TN_EEXCL;
	return TN_OK;
}

static enum tn_err dir_opened(struct hf_act *a)
{
	struct hf_file *f = a->file;
	struct hf_dir *d = hf_dir_new();

	if (!d)
		return TN_ENOMEM;
	d->fd = a->new_fd;
	d->root_fd = hf_place_top(f->place)->fd;
	d->slow = f->place->slow;
	d->handles = f->place->handles;
	d->dev = a->meta.id.dev;
	d->follow = !f->nofollow && hf_place_path(f->place, d->path, sizeof(d->path)) > 0;
	f->dir = d;
	return TN_OK;
}

/* The act's new_fd becomes f's. On an error it is closed. */
static enum tn_err opened(struct hf_act *a)
{
	struct hf_file *f = a->file;
	enum tn_err err = TN_OK;

	f->nofollow = (a->flags & TN_OF_NOFOLLOW) != 0;
	if (f->place->kind == S_IFDIR)
		err = dir_opened(a);
	else
		f->fd = a->new_fd;
	if (err) {
		close(a->new_fd);
		return err;
	}
	f->slow = f->place->slow;
	f->waits = f->place->kind != S_IFREG && f->place->kind != S_IFDIR;
	f->remove_on_close = (a->flags & TN_OF_RCLOSE) != 0;
	f->opened = hf_inode_get(f->place->inode);
	f->opened->n_open++;
	a->hf->n_open++;
	return TN_OK;
}

static void settle_open(struct hf_act *a)
{
	struct hf_inode *i = a->file->place->inode;
	enum tn_err err;

	if (a->err) {
		hf_fail(a);
		return;
	}
	if (a->flags & TN_OF_TRUNC)
		i->bump++;
	err = a->r ? may_open(a->hf, a->file, a->flags) : TN_EINTR;
	if (err)
		close(a->new_fd);
	else
		err = opened(a);
	if (!a->r)
		return;
	if (err) {
		tn_fail(a->r, err);
		return;
	}
	a->r->chan->qid = hf_qid(a->hf, i, &a->meta);
	a->r->u.open.iounit = 0;
}

static enum tn_status host_open(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf *hf = hf_of(r);
	struct hf_act a;
	enum tn_err err = may_open(hf, f, r->flags);

	hf_act_init(&a, hf, r);
	if (!err && hf->n_open >= hf->o.open_max)
		err = TN_ELIMIT_OPEN;
	if (!err)
		err = hf_act_on(&a, f);
	if (!err && r->flags & TN_OF_RCLOSE)
		err = f->place->parent ? hf_act_pin(&a, f->place->parent, &a.fd2) : TN_EPERM;
	if (err)
		return hf_act_refuse(&a, err);
	a.flags = r->flags;
	a.extra = f->place->inode->extra;
	a.act = hf_act_open;
	a.settle = settle_open;
	return hf_act_run(&a);
}

/* ---- create ---- */

static void settle_create(struct hf_act *a)
{
	struct hf_found *found = &a->walk.found[0];
	struct hf_file *f = a->file;
	struct hf_place *dir = f->place, *place;
	enum tn_err err;

	if (a->err) {
		hf_fail(a);
		return;
	}
	dir->inode->bump++;
	if (!a->r) {
		close(found->fd);
		close(a->new_fd);
		return;
	}
	place = hf_place_take(a->hf, dir, a->name, found);
	if (!place) {
		close(a->new_fd);
		tn_fail(a->r, TN_ENOMEM);
		return;
	}
	place->inode->extra = a->extra;
	place->inode->remembered = a->lost_extra;
	f->place = place;
	err = opened(a);
	if (err) {
		f->place = dir;
		hf_place_put(a->hf, place);
		tn_fail(a->r, err);
		return;
	}
	hf_place_put(a->hf, dir);
	a->r->chan->qid = hf_qid(a->hf, place->inode, &a->meta);
	a->r->u.create.iounit = 0;
}

static enum tn_err may_create(const struct hf *hf, const struct hf_file *f, const struct tn_req *r)
{
	const uint32_t other = TN_DMSYMLINK | TN_DMLINK | TN_DMDEVICE | TN_DMNAMEDPIPE |
			       TN_DMSOCKET | TN_DMAUTH | TN_DMMOUNT;

	if (f->place->kind != S_IFDIR)
		return TN_ENOTDIR;
	if (hf_is_open(f))
		return TN_EISOPEN;
	if (hf->o.read_only)
		return TN_EROFS;
	if (r->u.create.perm & other)
		return TN_ENOTSUP;
	if (hf->n_open >= hf->o.open_max)
		return TN_ELIMIT_OPEN;
	return r->u.create.perm & TN_DMDIR ? may_open_dir(r->flags) : TN_OK;
}

static enum tn_status host_create(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf *hf = hf_of(r);
	struct hf_act a;
	enum tn_err err = may_create(hf, f, r);

	hf_act_init(&a, hf, r);
	if (!err)
		err = hf_copy_name(a.name, r->u.create.name);
	if (!err)
		err = hf_act_on(&a, f);
	if (err)
		return hf_act_refuse(&a, err);
	a.flags = r->flags;
	a.perm = r->u.create.perm;
	a.gid = r->u.create.gid;
	a.exact = (r->flags & TN_OF_NOFOLLOW) !=
		  0; /* Unix's peers have applied a umask of their own */
	a.extra = a.perm & TN_DMDIR ? 0 : a.perm & HF_EXTRA;
	a.act = hf_act_create;
	a.settle = settle_create;
	return hf_act_run(&a);
}

/* ---- clunk, remove ---- */

static void settle_remove(struct hf_act *a)
{
	struct hf_place *p = a->file->place;

	if (a->err) {
		hf_fail(a);
		return;
	}
	p->parent->inode->bump++;
	p->inode->remembered = false;
	hf_place_lose(a->hf, p, true);
}

static enum tn_status remove_name(struct tn_req *r, struct hf_file *f)
{
	struct hf_place *p = f->place;
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, f->hf, r);
	if (!p->parent)
		return hf_act_refuse(&a, TN_EPERM);
	if (a.hf->o.read_only)
		return hf_act_refuse(&a, TN_EROFS);
	if (p->gone)
		return hf_act_refuse(&a, p->removed ? TN_EGONE : TN_ESTALE);
	err = hf_act_pin(&a, p->parent, &a.fd);
	if (err)
		return hf_act_refuse(&a, err);
	a.file = f;
	a.id = p->inode->id;
	a.slow = p->slow || p->parent->slow;
	a.any_id = p->followed; /* the name is the link's */
	a.kind = p->followed ? S_IFLNK : p->kind;
	memcpy(a.name, p->name, strlen(p->name) + 1);
	a.act = hf_act_remove;
	a.settle = settle_remove;
	return hf_act_run(&a);
}

static enum tn_status host_remove(struct tn_req *r)
{
	return remove_name(r, hf_file_of(r->chan));
}

static enum tn_status host_clunk(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	enum tn_status status = TN_DONE;

	if (!f)
		return TN_DONE;
	r->chan->aux.p = NULL;
	if (f->remove_on_close && !f->place->gone)
		status = remove_name(r, f);
	hf_file_put(f);
	return status;
}

/* ---- the server ---- */

/* As many descriptors as this process may have. */
static uint32_t raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t had = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			limit.rlim_cur = had;
	}
	return limit.rlim_cur > 1u << 20 ? 1u << 20 : (uint32_t)limit.rlim_cur;
}

static void host_free(struct tn_server *s)
{
	struct hf *hf = (struct hf *)s;

	if (hf->root)
		hf_place_put(hf, hf->root);
	tn_work_free(hf->work);
	for (size_t i = 0; i < HF_BUCKETS; i++) {
		while (hf->inodes[i]) { /* those kept for their bits or versions */
			struct hf_inode *first = hf->inodes[i];

			hf->inodes[i] = first->next;
			tn_free(first);
		}
	}
	hf_owners_free(hf->owners);
	tn_free(hf);
}

static const struct tn_ops host_ops = {
	.name = "host",
	.op = {
		[TN_ATTACH] = host_attach,
		[TN_WALK] = host_walk,
		[TN_OPEN] = host_open,
		[TN_CREATE] = host_create,
		[TN_READ] = hf_read,
		[TN_READDIR] = hf_readdir,
		[TN_WRITE] = hf_write,
		[TN_CLUNK] = host_clunk,
		[TN_REMOVE] = host_remove,
		[TN_STAT] = host_stat,
		[TN_WSTAT] = hf_wstat,
		[TN_FLUSH] = host_flush,
		[TN_RENAME] = hf_rename,
		[TN_LINK] = hf_link,
		[TN_SYMLINK] = hf_symlink,
		[TN_READLINK] = hf_readlink,
		[TN_MKNOD] = hf_mknod,
		[TN_FSYNC] = hf_fsync,
		[TN_FALLOCATE] = hf_fallocate,
		[TN_SEEKHOLE] = hf_seekhole,
		[TN_COPYRANGE] = hf_copyrange,
		[TN_STATFS] = hf_statfs,
	},
	.free = host_free,
};

int tn_hostfs_path_fd(const struct tn_chan *c)
{
	struct hf_file *f;
	enum tn_err err;
	int fd;

	if (c->server->ops != &host_ops || !(c->flags & TN_CF_USED)) {
		errno = EINVAL;
		return -1;
	}
	f = hf_file_of(c);
	err = hf_place_pin(f->hf, f->place);
	if (err) {
		errno = (int)tn_err_linux(err);
		return -1;
	}
	fd = fcntl(f->place->fd, F_DUPFD_CLOEXEC, 0);
	hf_place_unpin(f->hf, f->place);
	return fd;
}

static enum tn_err open_root(struct hf *hf, const char *path)
{
	struct hf_found found = { .fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) };

	if (found.fd < 0)
		return tn_err_of_linux((uint32_t)errno);
	if (!hf_look(found.fd, NULL, &found.meta)) {
		close(found.fd);
		return tn_err_of_linux((uint32_t)errno);
	}
	hf->root = hf_place_root(hf, &found);
	return hf->root ? TN_OK : TN_ENOMEM;
}

struct tn_server *tn_hostfs_new(struct tn_loop *loop, const char *root_path,
    const struct tn_hostfs_options *options, enum tn_err *err)
{
	struct hf *hf = tn_alloc(sizeof(*hf));
	uint32_t limit;

	*err = TN_ENOMEM;
	if (!hf)
		return NULL;
	if (options)
		hf->o = *options;
	limit = raise_limit();
	if (!hf->o.open_max)
		hf->o.open_max = limit / 2;
	if (!hf->o.held_max)
		hf->o.held_max = limit / 3;
	hf->owners = hf_owners_new();
	tn_server_init(&hf->server, &host_ops, loop, hf);
	if (hf->owners)
		*err = open_root(hf, root_path);
	if (*err) {
		host_free(&hf->server);
		return NULL;
	}
	snprintf(hf->label, sizeof(hf->label), "#host%s%s", root_path[0] == '/' ? "" : "/",
	    root_path);
	hf->server.label = hf->label;
	if (hf->o.read_only)
		hf->server.flags |= TN_SF_READONLY;
	return &hf->server;
}

void tn_hostfs_stats(const struct tn_server *s, struct tn_hostfs_stats *out)
{
	const struct hf *hf = (const struct hf *)s;
	struct tn_work_stats work = { 0 };

	if (hf->work)
		tn_work_stats(hf->work, &work);
	*out = hf->stats;
	out->held = hf->n_held;
	out->open = hf->n_open;
	out->places = hf->n_places;
	out->inodes = hf->n_inodes;
	out->threads = work.threads;
}
