/*
 * Changes of #host's names and attributes: wstat, rename, link, symbolic links, mknod. What the kernel cannot refuse
 * (bits that are not Unix's, the root, owners by name) is refused here, before anything is done.
 */
#include "core/chan.h"
#include "host/posix/hostfs_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- wstat ---- */

static void settle_wstat(struct hf_act *a)
{
	struct hf_place *p = a->file->place;

	p->inode->bump++;
	if (a->err) {
		hf_fail(a);
		return;
	}
	if (a->change.valid & TN_ST_MODE && p->kind == S_IFREG) {
		p->inode->extra = a->extra;
		p->inode->remembered = a->extra && a->lost_extra;
	}
	if (a->renamed) {
		p->parent->inode->bump++;
		hf_place_move(a->hf, p, p->parent, a->name2);
	}
}

static enum tn_err want_name(struct hf_act *a, const struct tn_stat *st)
{
	struct hf_place *p = a->file->place;
	enum tn_err err;

	if (!p->parent) {
		/* The root's own name is none of the host's; only to leave it alone is allowed. */
		return st->name.len == 1 && st->name.s[0] == '/' ? TN_OK : TN_EPERM;
	}
	err = hf_copy_name(a->name2, st->name);
	if (err || strcmp(a->name2, p->name) == 0)
		return err;
	if (p->gone)
		return p->removed ? TN_EGONE : TN_ESTALE;
	memcpy(a->name, p->name, strlen(p->name) + 1);
	a->any_id = p->followed;
	a->change.valid |= TN_ST_NAME;
	return hf_act_pin(a, p->parent, &a->fd2);
}

static enum tn_err want_mode(struct hf_act *a, const struct tn_stat *st, bool unix_peer)
{
	const struct hf_place *p = a->file->place;
	const struct hf_inode *i = p->inode;

	if (((st->mode & TN_DMDIR) != 0) != (p->kind == S_IFDIR))
		return TN_EPERM;
	a->perm = st->mode & (0777 | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX);
	a->exact = true;
	a->extra = a->old_extra = i->extra;
	a->lost_extra = i->remembered;
	if (p->kind == S_IFREG &&
	    !unix_peer) /* who knows Unix's bits only cannot mean to clear these */
		a->extra = st->mode & HF_EXTRA;
	a->change.valid |= TN_ST_MODE;
	return TN_OK;
}

static enum tn_err want_length(struct hf_act *a, const struct tn_stat *st)
{
	const struct hf_place *p = a->file->place;

	if (p->kind == S_IFDIR)
		return st->length ? TN_EISDIR : TN_OK;
	if (p->kind != S_IFREG)
		return st->length ? TN_EINVAL : TN_OK;
	if (st->length > INT64_MAX)
		return TN_EFBIG;
	a->change.length = st->length;
	a->change.valid |= TN_ST_LENGTH;
	return TN_OK;
}

/* stat(5): nobody changes the owner. As a number (.L, FUSE) the kernel decides; as a name it must be as it is. */
static enum tn_err want_owner(struct hf_act *a, const struct tn_stat *st)
{
	if (st->valid & TN_ST_UID || st->valid & TN_ST_MUID) {
		uint32_t uid;

		if (!hf_user_number(st->valid & TN_ST_UID ? st->uid : st->muid, &uid))
			return TN_EPERM;
		a->owner = uid;
		a->owner_fixed = true;
	}
	if (st->valid & TN_ST_GID) {
		if (!hf_group_number(st->gid, &a->change.n_gid))
			return TN_EUSERS;
		a->change.valid |= TN_ST_NGID;
	}
	a->owner_given = st->valid & (TN_ST_NGID | TN_ST_NUID);
	if (st->valid & TN_ST_NGID) {
		a->change.n_gid = st->n_gid;
		a->change.valid |= TN_ST_NGID;
	}
	if (st->valid & TN_ST_NUID) {
		a->change.n_uid = st->n_uid;
		a->change.valid |= TN_ST_NUID;
	}
	return TN_OK;
}

static enum tn_err want_all(struct hf_act *a, const struct tn_stat *st, bool unix_peer)
{
	const uint32_t times = TN_ST_ATIME | TN_ST_MTIME | TN_ST_ATIME_NOW | TN_ST_MTIME_NOW;
	enum tn_err err = TN_OK;

	a->change.valid = st->valid & times;
	a->change.atime_ns = st->atime_ns;
	a->change.mtime_ns = st->mtime_ns;
	if (st->valid & TN_ST_MODE)
		err = want_mode(a, st, unix_peer);
	if (!err && st->valid & TN_ST_LENGTH)
		err = want_length(a, st);
	if (!err)
		err = want_owner(a, st);
	if (!err && st->valid & TN_ST_NAME)
		err = want_name(a, st);
	return err;
}

enum tn_status hf_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	struct hf_act a;
	enum tn_err err;

	if (st->valid == 0)
		return hf_sync_of(r, false); /* stat(5) */
	hf_act_init(&a, hf_of(r), r);
	err = a.hf->o.read_only ? TN_EROFS : hf_act_on(&a, hf_file_of(r->chan));
	if (!err)
		err = want_all(&a, st, (r->flags & TN_OF_NOFOLLOW) != 0);
	if (err)
		return hf_act_refuse(&a, err);
	a.act = hf_act_wstat;
	a.settle = settle_wstat;
	return hf_act_run(&a);
}

/* ---- in directories ---- */

/* A change in the directory `c`; its descriptor in *fd. */
static enum tn_err in_dir(struct hf_act *a, const struct tn_chan *c, int *fd)
{
	struct hf_file *f = hf_file_of(c);

	if (f->place->kind != S_IFDIR)
		return TN_ENOTDIR;
	if (a->hf->o.read_only)
		return TN_EROFS;
	a->slow = a->slow || f->place->slow;
	return hf_act_pin(a, f->place, fd);
}

static enum tn_err begin(struct hf_act *a, struct tn_req *r, struct tn_str name)
{
	struct hf_file *f = hf_file_of(r->chan);

	hf_act_init(a, hf_of(r), r);
	a->file = f;
	a->id = f->place->inode->id;
	a->gen_by = f->place->gen_by;
	a->any_id = true;
	a->exact = true;
	return hf_copy_name(a->name, name);
}

static void moved(struct hf_act *a, struct hf_place *from, struct hf_place *to)
{
	struct hf_place *one = hf_place_find(a->hf, from, a->name),
			*other = hf_place_find(a->hf, to, a->name2);

	if (one == other)
		return; /* neither is known, or nothing has moved */
	if (a->how == RENAME_EXCHANGE) {
		/* Names change hands: each is walked to anew, who has a Chan of one keeps the file. */
		if (one)
			hf_place_lose(a->hf, one, false);
		if (other)
			hf_place_lose(a->hf, other, false);
	} else if (one) {
		hf_place_move(a->hf, one, to, a->name2);
	} else {
		hf_place_lose(a->hf, other, true);
	}
}

static void settle_rename(struct hf_act *a)
{
	struct hf_place *from = a->pinned[0], *to = a->pinned[1];

	if (a->err) {
		hf_fail(a);
		return;
	}
	from->inode->bump++;
	to->inode->bump++;
	moved(a, from, to);
}

/* The name that the file of the Chan itself has. */
static enum tn_err by_chan(struct hf_act *a, struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_place *p = f->place;

	hf_act_init(a, hf_of(r), r);
	a->file = f;
	a->id = p->inode->id;
	a->any_id = p->followed; /* the name is the link's */
	a->slow = p->slow;
	memcpy(a->name, p->name, strlen(p->name) + 1);
	if (!p->parent)
		return TN_EPERM;
	return p->gone ? (p->removed ? TN_EGONE : TN_ESTALE) : TN_OK;
}

/* The directory where the name is that goes. */
static enum tn_err in_old_dir(struct hf_act *a, struct tn_req *r)
{
	struct hf_place *p = a->file->place;

	if (r->u.rename.name.len > 0)
		return in_dir(a, r->chan, &a->fd);
	if (a->hf->o.read_only)
		return TN_EROFS;
	a->slow = a->slow || p->parent->slow;
	return hf_act_pin(a, p->parent, &a->fd);
}

enum tn_status hf_rename(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = r->u.rename.name.len > 0 ? begin(&a, r, r->u.rename.name)
						   : by_chan(&a, r);

	if (!err)
		err = hf_copy_name(a.name2, r->u.rename.newname);
	if (!err && (!r->chan2 || r->chan2->server != r->server))
		err = TN_EXDEV;
	if (!err && r->u.rename.how & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		err = TN_EINVAL;
	if (!err)
		err = in_old_dir(&a, r);
	if (!err)
		err = in_dir(&a, r->chan2, &a.fd2);
	if (err)
		return hf_act_refuse(&a, err);
	a.file2 = hf_file_of(r->chan2);
	a.how = r->u.rename.how;
	a.act = hf_act_rename;
	a.settle = settle_rename;
	return hf_act_run(&a);
}

static void settle_link(struct hf_act *a)
{
	a->file->place->inode->bump++;
	if (a->err)
		hf_fail(a);
}

enum tn_status hf_link(struct tn_req *r)
{
	struct hf_act a;
	enum tn_err err = begin(&a, r, r->u.rename.name);

	if (!err && (!r->chan2 || r->chan2->server != r->server))
		err = TN_EXDEV;
	if (!err)
		err = in_dir(&a, r->chan, &a.fd);
	if (!err)
		err = hf_act_pin(&a, hf_file_of(r->chan2)->place, &a.fd2);
	if (err)
		return hf_act_refuse(&a, err);
	a.file2 = hf_file_of(r->chan2);
	a.act = hf_act_link;
	a.settle = settle_link;
	return hf_act_run(&a);
}

/* ---- what is neither a file nor a directory ---- */

static void settle_make(struct hf_act *a)
{
	a->file->place->inode->bump++;
	if (a->err || !a->r)
		hf_fail(a);
	else
		a->r->u.create.qid = hf_qid(a->hf, NULL, &a->meta);
}

static enum tn_status make(struct hf_act *a, enum tn_err err)
{
	struct tn_req *r = a->r;

	if (!err)
		err = in_dir(a, r->chan, &a->fd);
	if (err)
		return hf_act_refuse(a, err);
	a->gid = r->u.create.gid;
	a->act = hf_act_make;
	a->settle = settle_make;
	return hf_act_run(a);
}

enum tn_status hf_symlink(struct tn_req *r)
{
	struct tn_str target = r->u.create.target;
	struct hf_act a;
	enum tn_err err = begin(&a, r, r->u.create.name);

	if (!err && target.len >= sizeof(a.text))
		err = TN_ENAMETOOLONG;
	if (!err && (target.len == 0 || memchr(target.s, 0, target.len)))
		err = TN_EINVAL;
	if (!err) {
		memcpy(a.text, target.s, target.len);
		a.text[target.len] = 0;
	}
	a.kind = S_IFLNK;
	return make(&a, err);
}

enum tn_status hf_mknod(struct tn_req *r)
{
	static const struct {
		uint32_t bit, kind;
	} kinds[] = {
		{ TN_DMNAMEDPIPE, S_IFIFO },
		{ TN_DMSOCKET, S_IFSOCK },
		{ TN_DMDEVICE, S_IFCHR },
	};
	struct tn_str target = r->u.create.target;
	struct hf_act a;
	enum tn_err err = begin(&a, r, r->u.create.name);

	a.kind = S_IFREG;
	for (size_t i = 0; i < TN_COUNT(kinds); i++) {
		if (r->u.create.perm & kinds[i].bit)
			a.kind = kinds[i].kind;
	}
	if (a.kind == S_IFCHR && target.len > 0 && target.s[0] == 'b') /* .u: "b MAJOR MINOR" */
		a.kind = S_IFBLK;
	a.perm = r->u.create.perm & ~TN_DMDIR;
	a.rdev = makedev(r->u.create.rdev_major, r->u.create.rdev_minor);
	return make(&a, err);
}

static void settle_readlink(struct hf_act *a)
{
	uint32_t n = a->n;

	if (a->err || !a->r) {
		hf_fail(a);
		return;
	}
	if (n > a->r->u.readlink.size)
		n = a->r->u.readlink.size;
	memcpy(a->r->u.readlink.buf, a->text, n);
	a->r->u.readlink.len = n;
}

enum tn_status hf_readlink(struct tn_req *r)
{
	struct hf_file *f = hf_file_of(r->chan);
	struct hf_act a;
	enum tn_err err;

	hf_act_init(&a, hf_of(r), r);
	err = f->place->kind == S_IFLNK ? hf_act_on(&a, f) : TN_EINVAL;
	if (err)
		return hf_act_refuse(&a, err);
	a.act = hf_act_readlink;
	a.settle = settle_readlink;
	return hf_act_run(&a);
}
