/*
 * What the files of #ram are like, who may what, and changes of it: stat(5). A wstat checks all of it, then acts.
 */
#include "core/mem.h"
#include "fs/ramops.h"

/* Bits of the mode that a wstat may set; the others say what kind of file it is. */
#define SETTABLE \
	(TN_DMAPPEND | TN_DMEXCL | TN_DMTMP | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | 0777u)

/* The same person shares the node's word for him: names of users take no memory for each file. */
static void set_muid(struct ram_node *n, struct tn_user *who)
{
	struct tn_user *old = n->muid;

	if (ram_is_user(who, old))
		return;
	n->muid = tn_user_get(ram_is_user(who, n->owner) ? n->owner : who);
	tn_user_put(old);
}

void ram_changed(struct ram_node *n, struct tn_user *who)
{
	n->version++;
	n->mtime_ns = n->ctime_ns = tn_time_ns();
	set_muid(n, who);
}

void ram_was_read(struct ram_node *n)
{
	if (n->atime_ns <= n->mtime_ns)
		n->atime_ns = tn_time_ns();
}

/* ---- stat ---- */

static struct tn_str user_name(const struct tn_user *u)
{
	return (struct tn_str){ u->name, u->len };
}

static void fill_numbers(const struct ram_node *n, struct tn_stat *st)
{
	st->n_uid = n->owner->uid;
	st->n_gid = n->group->gid;
	st->n_muid = n->muid->uid;
	if (st->n_uid != TN_NONUNAME)
		st->valid |= TN_ST_NUID;
	if (st->n_gid != TN_NONUNAME)
		st->valid |= TN_ST_NGID;
	if (st->n_muid != TN_NONUNAME)
		st->valid |= TN_ST_NMUID;
}

enum { DEVICE_CHARS = 2 + 10 + 1 + 10 };

static uint32_t put_number(char *to, uint32_t number)
{
	char digits[10];
	uint32_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	for (uint32_t i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

/* "c MAJOR MINOR", as .u says it, and Linux's number. */
static void fill_device(const struct ram_node *n, struct tn_stat *st, char text[DEVICE_CHARS])
{
	struct ram_device is = { 0 };
	uint32_t len = 2;

	ram_data_read(&n->u.data, 0, (uint8_t *)&is, sizeof(is));
	text[0] = is.is_block ? 'b' : 'c';
	text[1] = ' ';
	len += put_number(text + len, is.major);
	text[len++] = ' ';
	len += put_number(text + len, is.minor);
	st->valid |= TN_ST_EXTENSION;
	st->extension = (struct tn_str){ text, len };
	st->rdev = (is.minor & 0xff) | (uint64_t)(is.major & 0xfff) << 8 |
		   (uint64_t)(is.minor & ~0xffu) << 12 | (uint64_t)(is.major & ~0xfffu) << 32;
}

/* inode(7): a directory is linked by its name, by its "." and by the ".." of those in it. */
static uint32_t links(const struct ram_node *n)
{
	return ram_is_dir(n) && n->nlink > 0 ? 2 + n->u.dir.dirs : n->nlink;
}

static void fill(const struct ram_entry *e, struct tn_stat *st, char device[DEVICE_CHARS])
{
	const struct ram_node *n = e->node;

	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_CTIME | TN_ST_BTIME | TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_NLINK |
		    TN_ST_BLOCKS | TN_ST_RDEV | TN_ST_GEN | TN_ST_DATA_VERSION;
	st->qid = ram_qid(n);
	st->mode = n->mode;
	st->atime_ns = n->atime_ns;
	st->mtime_ns = n->mtime_ns;
	st->ctime_ns = n->ctime_ns;
	st->btime_ns = n->btime_ns;
	st->name = (struct tn_str){ e->name, e->len };
	st->uid = user_name(n->owner);
	st->gid = user_name(n->group);
	st->muid = user_name(n->muid);
	st->nlink = links(n);
	st->blksize = RAM_BLOCK;
	st->data_version = n->version; /* gen 0: no number is given twice */
	if (n->mode & TN_DMDEVICE) {
		fill_device(n, st, device);
	} else if (!ram_is_dir(n)) {
		st->length = n->u.data.length;
		st->blocks = (n->u.data.held + 511) / 512;
	}
	fill_numbers(n, st);
}

enum tn_status ram_stat(struct tn_req *r)
{
	char device[DEVICE_CHARS];
	struct tn_stat st;

	fill(ram_entry_of(r->chan), &st, device);
	return tn_reply_stat(r, &st);
}

/* In the order in which the entries came; an offset is the serial of the last one that was taken. */
enum tn_status ram_readdir(struct tn_req *r)
{
	const struct ram_tree *t = &ram_of(r->server)->tree;
	struct ram_node *dir = ram_node_of(r->chan);
	uint64_t at = r->u.readdir.offset;
	uint32_t id;

	if (!ram_is_dir(dir))
		return tn_fail(r, TN_ENOTDIR);
	while ((id = ram_next(dir, at)) != 0) {
		const struct ram_entry *e = ram_entry(t, id);
		char device[DEVICE_CHARS];
		struct tn_stat st;

		at = e->serial;
		fill(e, &st, device);
		if (!r->owner->entry(r, &st, at))
			break;
	}
	ram_was_read(dir);
	return TN_DONE;
}

enum tn_status ram_statfs(struct tn_req *r)
{
	const struct ram *ram = ram_of(r->server);
	const struct ram_tree *t = &ram->tree;
	uint64_t left = t->budget.bytes_max - t->budget.bytes;

	*r->u.statfs.out = (struct tn_statfs){
		.type = 0x01021997, /* Linux's V9FS_MAGIC */
		.bsize = RAM_BLOCK,
		.namelen = RAM_NAME_MAX,
		.blocks = t->budget.bytes_max / RAM_BLOCK,
		.bfree = left / RAM_BLOCK,
		.bavail = left / RAM_BLOCK,
		.files = t->files_max,
		.ffree = t->files_max - t->files,
		.fsid = ram->s.instance,
	};
	return TN_DONE;
}

/* ---- wstat ---- */

static bool same_text(struct tn_str a, struct tn_str b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

/* What nobody can change may be given as it is. stat(5): uid, muid, qid, type, dev. */
static enum tn_err check_fixed(const struct ram_node *n, const struct tn_stat *st)
{
	struct tn_qid q = ram_qid(n);

	if ((st->valid & TN_ST_QID) &&
	    (st->qid.path != q.path || st->qid.type != q.type || st->qid.version != q.version))
		return TN_EPERM;
	if ((st->valid & TN_ST_UID) && !same_text(st->uid, user_name(n->owner)))
		return TN_EPERM;
	if ((st->valid & TN_ST_MUID) && !same_text(st->muid, user_name(n->muid)))
		return TN_EPERM;
	return TN_OK;
}

/* Mode and times are the owner's to change. */
static enum tn_err check_owner(const struct ram *ram, const struct ram_node *n,
    const struct tn_stat *st, const struct tn_user *who)
{
	uint32_t times = TN_ST_ATIME | TN_ST_MTIME, now = TN_ST_ATIME_NOW | TN_ST_MTIME_NOW;
	bool is_owner = ram_is_owner(ram, n, who);

	if ((st->valid & (TN_ST_MODE | times)) && !is_owner)
		return TN_EPERM;
	if ((st->valid & now) && !is_owner && !ram_may(ram, n, who, RAM_WRITE))
		return TN_EACCES;
	return (st->valid & TN_ST_MODE) && ((st->mode ^ n->mode) & TN_DMDIR) ? TN_EPERM : TN_OK;
}

static enum tn_err check_length(const struct ram *ram, const struct tn_chan *c,
    const struct tn_stat *st, const struct tn_user *who)
{
	const struct ram_node *n = ram_node_of(c);
	unsigned access = c->flags & TN_OF_ACCESS;
	bool is_writer = (c->flags & TN_CF_OPEN) && (access == TN_OWRITE || access == TN_ORDWR);

	if (!(st->valid & TN_ST_LENGTH))
		return TN_OK;
	if (ram_is_dir(n))
		return st->length == 0 ? TN_OK : TN_EISDIR;
	if (n->mode & RAM_SPECIAL)
		return TN_EINVAL;
	if (!is_writer && !ram_may(ram, n, who, RAM_WRITE))
		return TN_EACCES;
	return st->length > RAM_LENGTH_MAX ? TN_EFBIG : TN_OK;
}

static bool renames(const struct tn_chan *c, const struct tn_stat *st)
{
	const struct ram_entry *e = ram_entry_of(c);

	return (st->valid & TN_ST_NAME) && !same_text(st->name, (struct tn_str){ e->name, e->len });
}

static enum tn_err check_name(const struct ram *ram, const struct tn_chan *c,
    const struct tn_stat *st, const struct tn_user *who)
{
	const struct ram_entry *e = ram_entry_of(c);
	enum tn_err err;

	if (!renames(c, st))
		return TN_OK;
	err = tn_new_name_check(st->name);
	if (err != TN_OK)
		return err;
	if (ram_id(c) == RAM_ROOT)
		return TN_EACCES;
	if (!e->linked)
		return TN_ENOENT;
	if (!ram_may(ram, ram_entry(&ram->tree, e->up)->node, who, RAM_WRITE))
		return TN_EACCES;
	return ram_find(&ram->tree, e->up, st->name) != 0 ? TN_EEXIST : TN_OK;
}

static void set_times(struct ram_node *n, const struct tn_stat *st)
{
	int64_t now = tn_time_ns();

	if (st->valid & (TN_ST_ATIME | TN_ST_ATIME_NOW))
		n->atime_ns = st->valid & TN_ST_ATIME_NOW ? now : st->atime_ns;
	if (st->valid & (TN_ST_MTIME | TN_ST_MTIME_NOW))
		n->mtime_ns = st->valid & TN_ST_MTIME_NOW ? now : st->mtime_ns;
	n->ctime_ns = now;
}

/* Who knows Unix's bits only cannot mean to clear the others. */
static uint32_t settable(const struct tn_req *r)
{
	const uint32_t plan9s = TN_DMAPPEND | TN_DMEXCL | TN_DMTMP;

	return r->flags & TN_OF_NOFOLLOW ? SETTABLE & ~plan9s : SETTABLE;
}

enum tn_status ram_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	struct ram *ram = ram_of(r->server);
	struct ram_node *n = ram_node_of(r->chan);
	struct tn_user *who = ram_user(r);
	struct ram_owners owners;
	enum tn_err err = TN_OK;

	if (st->valid == 0)
		return TN_DONE; /* stat(5): a sync; memory is always what it is */
	if ((err = check_fixed(n, st)) || (err = check_owner(ram, n, st, who)) ||
	    (err = check_length(ram, r->chan, st, who)) ||
	    (err = check_name(ram, r->chan, st, who)) ||
	    (err = ram_owners_of(&owners, ram, n, st, who)))
		return tn_fail(r, err);
	if (renames(r->chan, st)) {
		uint32_t up = ram_entry_of(r->chan)->up;

		ram_next_pair(ram);
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_LEFT);
		err = ram_move(&ram->tree, ram_id(r->chan), up, st->name);
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_CAME); /* if it could not: it is back */
		if (err != TN_OK) {
			ram_owners_put(&owners);
			return tn_fail(r, err);
		}
		ram_changed(ram_entry(&ram->tree, up)->node, who);
	}

	if ((st->valid & TN_ST_LENGTH) && !ram_is_dir(n)) {
		ram_data_resize(&n->u.data, &ram->tree.budget, st->length);
		ram_changed(n, who);
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_WRITTEN);
	}
	ram_owners_set(n, &owners, st);
	if (st->valid & ~(uint64_t)(TN_ST_NAME | TN_ST_LENGTH))
		ram_tell(ram, ram_id(r->chan), TN_CHANGE_STATUS);
	if (st->valid & TN_ST_MODE)
		n->mode = (n->mode & ~settable(r)) | (st->mode & settable(r));
	set_times(n, st);
	return TN_DONE;
}
