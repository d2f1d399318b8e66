/*
 * What is open in #host, from open and create to clunk and remove.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <string.h>
#include <unistd.h>

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
	d->gen_by = f->place->gen_by;
	d->id = f->place->inode->id;
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
	f->opener = a->who ? hf_who_get(a->who) : NULL;
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

enum tn_status hf_open(struct tn_req *r)
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

enum tn_status hf_create(struct tn_req *r)
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
	a.exact = !(r->flags & TN_OF_INHERIT);
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
	if (r->type == TN_CLUNK)
		hf_act_for(&a,
		    f->opener); /* whoever drops it: open(5) has asked for the right then */
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

enum tn_status hf_remove(struct tn_req *r)
{
	return remove_name(r, hf_file_of(r->chan));
}

enum tn_status hf_clunk(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	enum tn_status status = TN_DONE;

	if (!f)
		return TN_DONE;
	hf_locks_drop(r->chan);
	r->chan->aux.p = NULL;
	if (f->remove_on_close && !f->place->gone)
		status = remove_name(r, f);
	hf_file_put(f);
	return status;
}
