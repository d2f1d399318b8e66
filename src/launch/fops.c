/*
 * What a program can do to files, operation by operation: here names, attributes and the table; the others in fmake.c,
 * fopen.c, flist.c and fmove.c. launcher.md 5; namespace-semantics.md 4-7. Names of Plan 9's
 * rules on the left of the door, POSIX's errors on the right: nothing else is decided here.
 */
#include "launch/door.h"
#include "launch/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define PINNED_S 3600.0 /* seconds that the kernel keeps a name on the way to a mount */

struct launch_fuse *launch_door_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ---- answers ---- */

/* The kernel's request, for the one answer; NULL: it was interrupted and has its answer. */
fuse_req_t launch_answering(struct launch_op *op)
{
	fuse_req_t req = op->req;

	if (req)
		fuse_req_interrupt_func(req, NULL, NULL);
	op->req = NULL;
	return req;
}

/* What the kernel is told of the node, in op->attr; returns for how long it may keep it. */
static double note_attr(struct launch_op *op, struct launch_node *node)
{
	node->length = (uint64_t)op->attr.st_size;
	node->plain |= node->length > 0;
	if (launch_node_is_pinned(node))
		return op->is_made_up ? 0 : PINNED_S;
	return op->is_remote && !op->attr_direct ? LAUNCH_FRESH_S : 0;
}

static void answer_attr(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);

	if (req)
		fuse_reply_attr(req, &op->attr, note_attr(op, op->node));
	launch_op_end(op);
}

void launch_fill_entry(struct launch_op *op, struct launch_node *node, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	node->direct = op->attr_direct;
	e->ino = launch_ino_of(op->f, node);
	e->generation = node->generation;
	e->attr = op->attr;
	e->attr_timeout = note_attr(op, node);
	e->entry_timeout = launch_node_is_pinned(node) ? PINNED_S : 0;
}

/* An entry that could not be told is not the kernel's: its lookup is taken back. */
static void answer_entry(struct launch_op *op, struct launch_node *node)
{
	struct fuse_entry_param e;
	fuse_req_t req = launch_answering(op);

	launch_fill_entry(op, node, &e);
	if (!req || fuse_reply_entry(req, &e) != 0)
		launch_node_forget(&op->f->nodes, node, 1);
	launch_op_end(op);
}

/* ---- lookup ---- */

/* op->chan is what the name shows, op->chan2 what the node is to hold: a directory before its mount point. */
static void looked_up(struct launch_op *op)
{
	struct launch_node *node = launch_node_found(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) }, op->chan2);

	op->chan2 = NULL;
	if (!node)
		launch_op_fail(op, TN_ENOMEM);
	else
		answer_entry(op, node);
}

static void name_found(struct launch_op *op)
{
	struct tn_name *n = &op->name;
	bool before = n->is_mount && tn_chan_is_dir(n->chan) && n->path && n->path->under;

	tn_chan_put(op->chan2);
	op->chan2 = tn_chan_get(before ? n->path->under : n->chan);
	launch_chan_take(op, n->chan);
	n->chan = NULL;
	launch_stat(op, looked_up);
}

static void look_up_name(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, name_found);
}

static void hidden_found(struct launch_op *op)
{
	struct tn_chan *shown = op->name.chan;

	op->name.chan = NULL;
	op->chan2 = tn_chan_is_dir(shown) ? op->chan : tn_chan_get(shown);
	if (op->chan2 == op->chan)
		op->chan = NULL;
	launch_chan_take(op, shown);
	launch_stat(op, looked_up);
}

/* A name that only the launcher knows. false: it is none. */
static bool look_up_hidden(struct launch_op *op)
{
	const struct launch_hidden *hidden = op->f->hidden;

	if (op->node != op->f->nodes.root ||
	    strncmp(op->text, LAUNCH_HIDDEN, strlen(LAUNCH_HIDDEN)) != 0)
		return false;
	while (hidden && strcmp(hidden->name, op->text) != 0)
		hidden = hidden->next;
	if (!hidden)
		return false;
	launch_chan_take(op, tn_chan_get(hidden->chan));
	launch_resolve(op, op->chan, "", TN_FOR_ACCESS, 0, 0, hidden_found);
	return true;
}

/* The attributes of a pinned node that leads nowhere. */
static void make_up_attr(struct launch_op *op, const struct launch_node *node)
{
	memset(&op->attr, 0, sizeof(op->attr));
	op->attr.st_mode = node->is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	op->attr.st_ino = launch_ino_number(node->instance, node->qid_path);
	op->attr.st_nlink = 1;
	op->attr.st_uid = op->f->uid;
	op->attr.st_gid = op->f->gid;
	op->attr_direct = node->direct;
	op->is_made_up = true;
}

/*
 * A name on the way to a kernel mount keeps its node, though its server has lost it: another answer would take the mount
 * away, or leave no way to it. What a program sees there is what covers it.
 */
static void pinned_anyway(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);
	struct launch_node *node = why == TN_EINTR ? NULL
						   : launch_node_pinned(&op->f->nodes, op->node,
							 (struct tn_str){ op->text,
							     (uint32_t)strlen(op->text) });

	if (!node) {
		launch_op_fail(op, why);
		return;
	}
	make_up_attr(op, node);
	answer_entry(op, node);
}

/* The name in op->text, in the directory op->node, and the answer. */
void launch_look_up(struct launch_op *op)
{
	op->failed = pinned_anyway;
	if (!look_up_hidden(op))
		launch_node_chan(op, op->node, look_up_name);
}

struct launch_op *launch_op_with_name(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

	if (!op)
		return NULL;
	op->text = strdup(name);
	if (op->text && strlen(name) <= 255)
		return op;
	launch_op_errno(op, op->text ? ENAMETOOLONG : ENOMEM);
	return NULL;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct launch_op *op;

	if (launch_raised_lookup(req, parent, name))
		return;
	op = launch_op_with_name(req, parent, name);
	if (op)
		launch_op_run(op, launch_look_up);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	launch_node_forget(&launch_door_of(req)->nodes, launch_node_of(launch_door_of(req), ino),
	    n);
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list)
{
	struct launch_fuse *f = launch_door_of(req);

	for (size_t i = 0; i < count; i++)
		launch_node_forget(&f->nodes, launch_node_of(f, list[i].ino), list[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes ---- */

static void stat_shown(struct launch_op *op)
{
	launch_stat(op, answer_attr);
}

struct launch_handle *launch_handle_of(const struct fuse_file_info *fi)
{
	return fi ? (struct launch_handle *)(uintptr_t)fi->fh : NULL;
}

void launch_take_handle(struct launch_op *op, const struct fuse_file_info *fi)
{
	op->handle = launch_handle_of(fi);
	if (op->handle)
		op->handle->refs++;
}

/* op->chan: the open file if there is one, else what the node shows. */
static void with_file(struct launch_op *op, launch_step next)
{
	if (op->handle) {
		launch_chan_take(op, tn_chan_get(op->handle->chan));
		launch_op_run(op, next);
		return;
	}
	launch_node_shown(op, op->node, next);
}

/* The kernel asks for the attributes of the names on its way. */
static void pinned_attr_anyway(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why == TN_EINTR) {
		launch_op_fail(op, why);
		return;
	}
	make_up_attr(op, op->node);
	answer_attr(op);
}

static void getattr_start(struct launch_op *op)
{
	if (!op->handle && launch_node_is_pinned(op->node))
		op->failed = pinned_attr_anyway;
	with_file(op, stat_shown);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op;

	if (launch_raised_getattr(req, ino))
		return;
	op = launch_op_new(launch_door_of(req), req, ino);
	if (!op)
		return;
	launch_take_handle(op, fi);
	launch_op_run(op, getattr_start);
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static int64_t now_of_day(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(&t);
}

uint32_t launch_dm_of(mode_t mode)
{
	uint32_t dm = mode & 0777;

	dm |= mode & S_ISUID ? TN_DMSETUID : 0;
	dm |= mode & S_ISGID ? TN_DMSETGID : 0;
	dm |= mode & S_ISVTX ? TN_DMSETVTX : 0;
	return dm;
}

/*
 * An owner or group that is asked for. The one that is shown already may not be the true one, and who asks for it may not be
 * allowed to set any: it stays what it is, and if the server says what that is, it is told that chown(2) was called.
 */
static void fill_owner(struct launch_op *op, uint32_t want, uint32_t shown, uint32_t is,
    uint32_t bit, uint32_t *to)
{
	if (want == shown && is == TN_NONUNAME)
		return;
	op->change.valid |= bit;
	*to = want == shown ? is : want;
	op->keeps_owner &= want == shown;
}

/* What is asked for, as a change of Plan 9's. */
static void fill_change(struct launch_op *op)
{
	struct tn_stat *st = &op->change;
	int set = op->to_set;

	memset(st, 0, sizeof(*st));
	op->keeps_owner = true;
	if (set & FUSE_SET_ATTR_MODE) {
		st->valid |= TN_ST_MODE;
		st->mode = launch_dm_of(op->want.st_mode) | op->dm_bits;
	}
	if (set & FUSE_SET_ATTR_SIZE) {
		st->valid |= TN_ST_LENGTH;
		st->length = (uint64_t)op->want.st_size;
	}
	if (set & FUSE_SET_ATTR_UID)
		fill_owner(op, op->want.st_uid, op->attr.st_uid, op->true_uid, TN_ST_NUID,
		    &st->n_uid);
	if (set & FUSE_SET_ATTR_GID)
		fill_owner(op, op->want.st_gid, op->attr.st_gid, op->true_gid, TN_ST_NGID,
		    &st->n_gid);
	if (set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) {
		st->valid |= TN_ST_ATIME;
		st->atime_ns = set & FUSE_SET_ATTR_ATIME_NOW ? now_of_day()
							     : ns_of(&op->want.st_atim);
	}
	if (set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
		st->valid |= TN_ST_MTIME;
		st->mtime_ns = set & FUSE_SET_ATTR_MTIME_NOW ? now_of_day()
							     : ns_of(&op->want.st_mtim);
	}
}

static void stat_again(struct launch_op *op)
{
	launch_stat(op, answer_attr);
}

static void send_change(struct launch_op *op);

/*
 * 9P2000 cannot set an access time: a change that is refused goes without it, stat(5); nor an owner, be it the one it has.
 * To set another one is EPERM to who may not, chown(2), and that is what `cp -p` and tar pass over.
 */
static void change_refused(struct launch_op *op)
{
	const uint32_t owner = TN_ST_NUID | TN_ST_NGID;
	enum tn_err why = launch_err_of(op);
	uint32_t without = op->change.valid & (op->keeps_owner ? owner | TN_ST_ATIME : TN_ST_ATIME);

	if (!without || why == TN_ECONNLOST || why == TN_EINTR) {
		launch_op_fail(op, op->change.valid & owner && why == TN_ENOTSUP ? TN_EPERM : why);
		return;
	}
	op->change.valid &= ~without;
	send_change(op);
}

static void send_change(struct launch_op *op)
{
	if (op->change.valid == 0) {
		launch_op_run(op, stat_again);
		return;
	}
	op->failed = change_refused;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WSTAT, op->chan, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, stat_again);
}

static void change(struct launch_op *op)
{
	fill_change(op);
	send_change(op);
}

static void stat_before_change(struct launch_op *op)
{
	launch_stat(op, change);
}

static void setattr_start(struct launch_op *op)
{
	with_file(op, stat_before_change);
}

static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
    struct fuse_file_info *fi)
{
	struct launch_op *op;

	if (launch_raised_setattr(req, ino))
		return;
	launch_notify_touches(launch_door_of(req), ino);
	op = launch_op_new(launch_door_of(req), req, ino);
	if (!op)
		return;
	launch_take_handle(op, fi);
	op->want = *attr;
	op->to_set = to_set;
	launch_op_run(op, setattr_start);
}

/* ---- symbolic links ---- */

static void answer_readlink(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);

	op->data[op->r.u.readlink.len < op->size ? op->r.u.readlink.len : op->size - 1] = '\0';
	if (req)
		fuse_reply_readlink(req, (char *)op->data);
	launch_op_end(op);
}

static void readlink_shown(struct launch_op *op)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_READLINK, op->chan, &launch_owner);
	op->r.u.readlink.buf = (char *)op->data;
	op->r.u.readlink.size = (uint32_t)op->size - 1;
	launch_submit(op, answer_readlink);
}

static void readlink_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, readlink_shown);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

	if (!op)
		return;
	op->size = 4097;
	op->data = malloc(op->size);
	if (!op->data)
		launch_op_errno(op, ENOMEM);
	else
		launch_op_run(op, readlink_start);
}

/* ---- the rest ---- */

static void answer_statfs(struct launch_op *op)
{
	const struct tn_statfs *s = &op->statfs;
	struct statvfs v = { .f_bsize = s->bsize ? s->bsize : 4096,
		.f_namemax = s->namelen ? s->namelen : 255 };
	fuse_req_t req = launch_answering(op);

	v.f_frsize = v.f_bsize;
	v.f_blocks = s->blocks;
	v.f_bfree = s->bfree;
	v.f_bavail = s->bavail;
	v.f_files = s->files;
	v.f_ffree = v.f_favail = s->ffree;
	if (req)
		fuse_reply_statfs(req, &v);
	launch_op_end(op);
}

/* 9P2000 has no such question: then only what is true everywhere is said. */
static void statfs_failed(struct launch_op *op)
{
	memset(&op->statfs, 0, sizeof(op->statfs));
	if (launch_err_of(op) == TN_ENOTSUP)
		answer_statfs(op);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void statfs_shown(struct launch_op *op)
{
	op->failed = statfs_failed;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_STATFS, op->chan, &launch_owner);
	op->r.u.statfs.out = &op->statfs;
	launch_submit(op, answer_statfs);
}

static void statfs_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, statfs_shown);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino ? ino : FUSE_ROOT_ID);

	if (op)
		launch_op_run(op, statfs_start);
}

static void do_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	(void)ino, (void)mask;
	fuse_reply_err(req,
	    0); /* default_permissions: the kernel has decided by the mode; the server will */
}

static void do_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
    struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	(void)ino, (void)cmd, (void)arg, (void)fi, (void)flags, (void)in, (void)in_size,
	    (void)out_size;
	fuse_reply_err(req, ENOTTY);
}

static void do_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
    struct fuse_pollhandle *ph)
{
	(void)ino, (void)fi;
	if (ph)
		fuse_pollhandle_destroy(ph);
	fuse_reply_poll(req,
	    0x145); /* POLLIN POLLOUT POLLRDNORM POLLWRNORM: as of any file of a disk */
}

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(
	    unsigned)FUSE_CAP_WRITEBACK_CACHE; /* it loses appends of others: launcher.md 5 */
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops launch_fops = {
	.init = do_init,
	.lookup = do_lookup,
	.forget = do_forget,
	.forget_multi = do_forget_multi,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.readlink = do_readlink,
	.mknod = launch_told_mknod,
	.mkdir = launch_told_mkdir,
	.unlink = launch_told_unlink,
	.rmdir = launch_told_rmdir,
	.symlink = launch_told_symlink,
	.rename = launch_told_rename,
	.link = launch_told_link,
	.open = launch_told_open,
	.read = launch_do_read,
	.write = launch_told_write,
	.flush = launch_do_flush,
	.release = launch_do_release,
	.fsync = launch_do_fsync,
	.opendir = launch_do_opendir,
	.readdir = launch_do_readdir,
	.readdirplus = launch_do_readdirplus,
	.releasedir = launch_do_release,
	.fsyncdir = launch_do_fsync,
	.statfs = do_statfs,
	.setxattr = launch_told_setxattr,
	.getxattr = launch_do_getxattr,
	.listxattr = launch_do_listxattr,
	.removexattr = launch_told_removexattr,
	.access = do_access,
	.getlk = launch_do_getlk,
	.setlk = launch_do_setlk,
	.flock = launch_do_flock,
	.create = launch_told_create,
	.ioctl = do_ioctl,
	.poll = do_poll,
	.fallocate = launch_told_fallocate,
	.copy_file_range = launch_told_copy_file_range,
	.lseek = launch_do_lseek,
};
