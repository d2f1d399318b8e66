/*
 * Data of #host: what the page cache holds is read here at once, by RWF_NOWAIT; what must come from a disk is read by a
 * worker into memory of its own, so that a read that hangs can be flushed. Writes to local files go to the page cache.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct tn_req *settled(struct hf_act *a)
{
	if (a->err)
		hf_fail(a);
	return a->err ? NULL : a->r;
}

/* What reads and writes of an open file begin with. */
static enum tn_err begin_io(struct hf_act *a, struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);

	hf_act_init(a, hf_of(r), r);
	if (f->place->kind == S_IFDIR)
		return TN_EISDIR;
	if (f->fd < 0)
		return TN_ENOTOPEN;
	a->file = f;
	a->fd = f->fd;
	a->slow = f->slow || f->waits;
	a->waits = f->waits;
	return TN_OK;
}

/* ---- read ---- */

static void settle_read(struct hf_act *a)
{
	struct tn_req *r = settled(a);

	if (!r)
		return;
	memcpy(r->u.io.data, a->data, a->n);
	r->u.io.count = a->n;
}

/* The whole read, by a worker: what was read here before is not kept when the request is (tenon/server.h). */
static enum tn_status read_later(struct hf_act *a)
{
	struct tn_req *r = a->r;

	a->count = r->u.io.count;
	a->offset = r->u.io.offset;
	a->data = tn_alloc(a->count);
	if (!a->data)
		return tn_fail(r, TN_ENOMEM);
	a->act = hf_act_read;
	a->settle = settle_read;
	return hf_act_later(a);
}

/* A file system that knows no waiting (tmpfs of old, overlays, proc) is asked once a file whether it does. */
static ssize_t read_now(const struct hf_act *a, const struct iovec *to, off_t offset)
{
	if (!a->file->knows_no_waiting) {
		ssize_t n = preadv2(a->fd, to, 1, offset, RWF_NOWAIT);

		if (n >= 0 || errno != EOPNOTSUPP)
			return n;
		a->file->knows_no_waiting = true;
	}
	return preadv(a->fd, to, 1, offset);
}

enum tn_status hf_read(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin_io(&a, r);
	uint32_t had = 0, count = r->u.io.count;

	if (err)
		return tn_fail(r, err);
	if (count == 0 || r->u.io.offset > (uint64_t)INT64_MAX - count) {
		r->u.io.count = 0; /* no file has anything there */
		return TN_DONE;
	}
	if (a.slow || a.file->lane.running)
		return read_later(&a);
	while (had < count) {
		struct iovec to = { r->u.io.data + had, count - had };
		ssize_t n = read_now(&a, &to, (off_t)(r->u.io.offset + had));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return read_later(&a);
		if (n < 0 && had == 0)
			return tn_fail(r, hf_err(errno));
		if (n <= 0)
			break;
		had += (uint32_t)n;
	}
	r->u.io.count = had;
	return TN_DONE;
}

/* ---- write ---- */

static void settle_write(struct hf_act *a)
{
	struct tn_req *r = settled(a);

	a->file->opened->bump++;
	if (r)
		r->u.io.count = a->n;
}

enum tn_status hf_write(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin_io(&a, r);

	if (!err && a.hf->o.read_only)
		err = TN_EROFS;
	if (!err && r->u.io.count > 0 && r->u.io.offset > (uint64_t)INT64_MAX - r->u.io.count)
		err = TN_EFBIG;
	if (err)
		return tn_fail(r, err);
	if (r->u.io.count == 0)
		return TN_DONE;
	a.offset = r->u.io.offset;
	a.count = r->u.io.count;
	a.act = hf_act_write;
	a.settle = settle_write;
	if (!a.slow && !a.file->lane.running && !(r->chan->flags & TN_OF_SYNC)) {
		a.data = r->u.io.data;
		return hf_act_run(&a);
	}
	a.data = tn_alloc(a.count);
	if (!a.data)
		return tn_fail(r, TN_ENOMEM);
	memcpy(a.data, r->u.io.data, a.count);
	return hf_act_later(&a);
}

/* ---- directories ---- */

static bool give(struct hf_act *a, const struct hf_entry *e)
{
	struct tn_str name = { e->name, e->name_len };
	struct tn_stat st;

	if (a->brief)
		hf_fill_brief(a->hf, &e->meta, name, &st);
	else
		hf_fill_stat(a->hf, NULL, &e->meta, name, &st);
	return a->r->owner->entry(a->r, &st, e->next);
}

static void settle_readdir(struct hf_act *a)
{
	if (!settled(a))
		return;
	for (uint32_t i = 0; i < a->n && give(a, &a->entries[i]); i++)
		;
}

/* On a worker: as many as probably fit, and not more than memory is meant for. */
static enum tn_status readdir_later(struct hf_act *a)
{
	uint32_t wanted = a->r->u.readdir.count / 48 + 1;

	a->count = wanted < HF_ENTRIES_MAX ? wanted : HF_ENTRIES_MAX;
	a->entries = tn_alloc(a->count * sizeof(*a->entries));
	if (!a->entries)
		return tn_fail(a->r, TN_ENOMEM);
	a->act = hf_act_readdir;
	a->settle = settle_readdir;
	return hf_act_later(a);
}

enum tn_status hf_readdir(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_entry e;
	struct hf_act a;
	int got, error;

	hf_act_init(&a, hf_of(r), r);
	if (f->place->kind != S_IFDIR)
		return tn_fail(r, TN_ENOTDIR);
	if (!f->dir)
		return tn_fail(r, TN_ENOTOPEN);
	if (r->u.readdir.offset > INT64_MAX)
		return tn_fail(r, TN_EBADOFFSET);
	a.file = f;
	a.dir = f->dir;
	a.offset = r->u.readdir.offset;
	a.brief = !(r->flags & TN_OF_STATS);
	if (f->slow || f->lane.running)
		return readdir_later(&a);
	if (a.stranger || !hf_act_as(a.who))
		return tn_fail(r, TN_EACCES);
	hf_dir_seek(f->dir, a.offset);
	while ((got = hf_dir_next(f->dir, a.brief, &e)) > 0 && give(&a, &e))
		;
	error = errno;
	hf_act_as(NULL);
	return got < 0 ? tn_fail(r, hf_err(error)) : TN_DONE;
}

/* ---- the rest ---- */

static void settle_plain(struct hf_act *a)
{
	settled(a);
}

/* fsync(2) takes as long as the disk does: never here. */
enum tn_status hf_sync_of(struct tn_req *r, bool data_only)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = hf_act_on(&a, f);
	if (err)
		return hf_act_refuse(&a, err);
	a.how = f->fd < 0;
	a.length = data_only;
	if (f->dir) {
		a.fd = f->dir->fd;
		a.how = 0;
	}
	if (f->place->kind != S_IFREG && f->place->kind != S_IFDIR) {
		hf_act_unpin(&a);
		return TN_DONE;
	}
	a.act = hf_act_sync;
	a.settle = settle_plain;
	return hf_act_later(&a);
}

enum tn_status hf_fsync(struct tn_req *r)
{
	return hf_sync_of(r, r->u.range.how != 0);
}

static void settle_change(struct hf_act *a)
{
	a->file->opened->bump++;
	settled(a);
}

enum tn_status hf_fallocate(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin_io(&a, r);

	if (!err && a.hf->o.read_only)
		err = TN_EROFS;
	if (!err &&
	    (r->u.range.offset > INT64_MAX || r->u.range.length > INT64_MAX - r->u.range.offset))
		err = TN_EFBIG;
	if (err)
		return tn_fail(r, err);
	a.how = r->u.range.how;
	a.offset = r->u.range.offset;
	a.length = r->u.range.length;
	a.act = hf_act_fallocate;
	a.settle = settle_change;
	return hf_act_later(&a);
}

static void settle_seekhole(struct hf_act *a)
{
	struct tn_req *r = settled(a);

	if (r)
		r->u.range.offset = a->offset;
}

enum tn_status hf_seekhole(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin_io(&a, r);

	if (!err && r->u.range.how != SEEK_DATA && r->u.range.how != SEEK_HOLE)
		err = TN_EINVAL;
	if (!err && r->u.range.offset > INT64_MAX)
		err = TN_ENXIO;
	if (err)
		return tn_fail(r, err);
	a.how = r->u.range.how;
	a.offset = r->u.range.offset;
	a.act = hf_act_seekhole;
	a.settle = settle_seekhole;
	return hf_act_run(&a);
}

static void settle_copy(struct hf_act *a)
{
	struct tn_req *r = settled(a);

	a->file->opened->bump++;
	if (r)
		r->u.range.length = a->length;
}

enum tn_status hf_copyrange(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin_io(&a, r);

	if (!err && a.hf->o.read_only)
		err = TN_EROFS;
	if (!err && (!r->chan2 || r->chan2->server != r->server))
		err = TN_EXDEV;
	if (!err && hf_file_of(r->chan2)->fd < 0)
		err = TN_ENOTOPEN;
	if (!err && (r->u.range.offset > INT64_MAX || r->u.range.offset2 > INT64_MAX))
		err = TN_EFBIG;
	if (err)
		return tn_fail(r, err);
	a.file2 = hf_file_of(r->chan2);
	a.fd2 = a.file2->fd;
	a.offset = r->u.range.offset;
	a.offset2 = r->u.range.offset2;
	a.length = r->u.range.length;
	a.act = hf_act_copy;
	a.settle = settle_copy;
	return hf_act_later(&a);
}

static void settle_statfs(struct hf_act *a)
{
	struct tn_req *r = settled(a);

	if (r)
		*r->u.statfs.out = a->statfs;
}

enum tn_status hf_statfs(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = hf_act_on(&a, hf_file_of(r->chan));
	if (err)
		return hf_act_refuse(&a, err);
	a.act = hf_act_statfs;
	a.settle = settle_statfs;
	return hf_act_run(&a);
}
