/*
 * What a program can do to files, operation by operation. launcher.md 5; namespace-semantics.md 4-7. Names of Plan 9's
 * rules on the left of the door, POSIX's errors on the right: nothing else is decided here.
 */
#include "launch/door.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define PINNED_S 3600.0 /* seconds that the kernel keeps a name on the way to a mount */

static struct launch_fuse *door(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ---- answers ---- */

/* The kernel's request, for the one answer; NULL: it was interrupted and has its answer. */
static fuse_req_t answering(struct launch_op *op)
{
	fuse_req_t req = op->req;

	if (req)
		fuse_req_interrupt_func(req, NULL, NULL);
	op->req = NULL;
	return req;
}

static void answer_attr(struct launch_op *op)
{
	fuse_req_t req = answering(op);

	if (req)
		fuse_reply_attr(req, &op->attr,
		    op->node->pin && op->node->pin->count ? PINNED_S : 0);
	launch_op_end(op);
}

static void fill_entry(struct launch_op *op, struct launch_node *node, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	node->direct = op->attr_direct;
	e->ino = launch_ino_of(op->f, node);
	e->generation = node->generation;
	e->attr = op->attr;
	e->entry_timeout = e->attr_timeout = node->pin && node->pin->count ? PINNED_S : 0;
}

/* An entry that could not be told is not the kernel's: its lookup is taken back. */
static void answer_entry(struct launch_op *op, struct launch_node *node)
{
	struct fuse_entry_param e;
	fuse_req_t req = answering(op);

	fill_entry(op, node, &e);
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

/*
 * A name on the way to a kernel mount keeps its node, though its server has lost it: another answer would take the mount
 * away. What a program sees there is what covers it.
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
	memset(&op->attr, 0, sizeof(op->attr));
	op->attr.st_mode = node->is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	op->attr.st_ino = launch_ino_number(node->instance, node->qid_path);
	op->attr.st_nlink = 1;
	op->attr.st_uid = op->f->o.uid;
	op->attr.st_gid = op->f->o.gid;
	op->attr_direct = node->direct;
	answer_entry(op, node);
}

/* The name in op->text, in the directory op->node, and the answer. */
static void look_up(struct launch_op *op)
{
	op->failed = pinned_anyway;
	if (!look_up_hidden(op))
		launch_node_chan(op, op->node, look_up_name);
}

static struct launch_op *op_with_name(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct launch_op *op = launch_op_new(door(req), req, ino);

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
	struct launch_op *op = op_with_name(req, parent, name);

	if (op)
		launch_op_run(op, look_up);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	launch_node_forget(&door(req)->nodes, launch_node_of(door(req), ino), n);
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list)
{
	struct launch_fuse *f = door(req);

	for (size_t i = 0; i < count; i++)
		launch_node_forget(&f->nodes, launch_node_of(f, list[i].ino), list[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes ---- */

static void stat_shown(struct launch_op *op)
{
	launch_stat(op, answer_attr);
}

static struct launch_handle *handle_of(const struct fuse_file_info *fi)
{
	return fi ? (struct launch_handle *)(uintptr_t)fi->fh : NULL;
}

static void take_handle(struct launch_op *op, const struct fuse_file_info *fi)
{
	op->handle = handle_of(fi);
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

static void getattr_start(struct launch_op *op)
{
	with_file(op, stat_shown);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return;
	take_handle(op, fi);
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

static uint32_t dm_of(mode_t mode)
{
	uint32_t dm = mode & 0777;

	dm |= mode & S_ISUID ? TN_DMSETUID : 0;
	dm |= mode & S_ISGID ? TN_DMSETGID : 0;
	dm |= mode & S_ISVTX ? TN_DMSETVTX : 0;
	return dm;
}

/* What is asked for, as a change of Plan 9's. The owner that is shown already need not be set. */
static void fill_change(struct launch_op *op)
{
	struct tn_stat *st = &op->change;
	int set = op->to_set;

	memset(st, 0, sizeof(*st));
	if (set & FUSE_SET_ATTR_MODE) {
		st->valid |= TN_ST_MODE;
		st->mode = dm_of(op->want.st_mode) | op->dm_bits;
	}
	if (set & FUSE_SET_ATTR_SIZE) {
		st->valid |= TN_ST_LENGTH;
		st->length = (uint64_t)op->want.st_size;
	}
	if (set & FUSE_SET_ATTR_UID && op->want.st_uid != op->attr.st_uid) {
		st->valid |= TN_ST_NUID;
		st->n_uid = op->want.st_uid;
	}
	if (set & FUSE_SET_ATTR_GID && op->want.st_gid != op->attr.st_gid) {
		st->valid |= TN_ST_NGID;
		st->n_gid = op->want.st_gid;
	}
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

/* 9P2000 cannot set an access time: a change that is refused goes without it. stat(5). */
static void change_without_atime(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why == TN_ECONNLOST || why == TN_EINTR) {
		launch_op_fail(op, why);
		return;
	}
	op->change.valid &= ~(uint32_t)TN_ST_ATIME;
	send_change(op);
}

static void send_change(struct launch_op *op)
{
	if (op->change.valid == 0) {
		launch_op_run(op, stat_again);
		return;
	}
	op->failed = op->change.valid & TN_ST_ATIME ? change_without_atime : NULL;
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
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return;
	take_handle(op, fi);
	op->want = *attr;
	op->to_set = to_set;
	launch_op_run(op, setattr_start);
}

/* ---- symbolic links ---- */

static void answer_readlink(struct launch_op *op)
{
	fuse_req_t req = answering(op);

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
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return;
	op->size = 4097;
	op->data = malloc(op->size);
	if (!op->data)
		launch_op_errno(op, ENOMEM);
	else
		launch_op_run(op, readlink_start);
}

/* ---- making ---- */

/* op->chan becomes where the directory lets things be made: namespace-semantics.md 7, the first member with MCREATE. */
static void choose_maker(struct launch_op *op)
{
	for (uint32_t i = 0; op->members && i < op->members->n; i++) {
		if (op->members->m[i].flags & TN_CREATE_HERE) {
			launch_chan_take(op, tn_chan_get(op->members->m[i].to));
			launch_op_run(op, op->made_in);
			return;
		}
	}
	if (op->members)
		launch_op_fail(op, TN_ENOCREATE);
	else
		launch_op_run(op, op->made_in);
}

static void in_maker(struct launch_op *op, launch_step next)
{
	op->made_in = next;
	launch_node_shown(op, op->node, choose_maker);
}

static void special_made(struct launch_op *op)
{
	if (op->text2)
		op->r.u.create.target = (struct tn_str){ op->text2, (uint32_t)strlen(op->text2) };
	launch_submit(op, look_up);
}

static void make_special(struct launch_op *op)
{
	static const struct {
		mode_t type;
		uint32_t dm;
	} kinds[] = { { S_IFIFO, TN_DMNAMEDPIPE }, { S_IFSOCK, TN_DMSOCKET },
		{ S_IFCHR, TN_DMDEVICE }, { S_IFBLK, TN_DMDEVICE } };
	uint32_t perm = dm_of(op->mode);

	for (size_t i = 0; i < TN_COUNT(kinds); i++)
		perm |= (op->mode & S_IFMT) == kinds[i].type ? kinds[i].dm : 0;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, op->text2 ? TN_SYMLINK : TN_MKNOD, op->chan, &launch_owner);
	op->r.u.create.name = (struct tn_str){ op->text, (uint32_t)strlen(op->text) };
	op->r.u.create.perm = perm;
	op->r.u.create.gid = TN_NONUNAME;
	special_made(op);
}

static void special_start(struct launch_op *op)
{
	in_maker(op, make_special);
}

static void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->text2 = strdup(target);
	op->mode = 0777;
	if (!op->text2)
		launch_op_errno(op, ENOMEM);
	else
		launch_op_run(op, special_start);
}

/* The Chan that a create has opened is not kept: the answer is a lookup of the new name. */
static void created_and_closed(struct launch_op *op)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	launch_op_run(op, look_up);
}

static void create_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, TN_OREAD | TN_OF_EXCL, op->perm,
	    created_and_closed);
}

static void create_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_here);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->perm = TN_DMDIR | dm_of(mode);
	launch_op_run(op, create_start);
}

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->perm = dm_of(mode);
	op->mode = mode;
	op->rdev = rdev;
	launch_op_run(op, S_ISREG(mode) || (mode & S_IFMT) == 0 ? create_start : special_start);
}

/* ---- opening ---- */

static struct launch_handle *handle_new(struct launch_op *op, struct launch_node *node,
    struct tn_chan *c)
{
	struct launch_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->node = launch_node_get(node);
	h->chan = c;
	h->refs = 1;
	h->next = node->handles;
	if (h->next)
		h->next->prev = h;
	node->handles = h;
	op->f->stats.open++;
	return h;
}

void launch_handle_put(struct launch_fuse *f, struct launch_handle *h)
{
	if (!h || --h->refs > 0)
		return;
	if (h->names)
		launch_names_clear(h->names);
	free(h->names);
	tn_chan_put(h->chan);
	launch_node_put(&f->nodes, h->node);
	free(h);
}

void launch_handle_close(struct launch_fuse *f, struct launch_handle *h)
{
	if (h->prev)
		h->prev->next = h->next;
	else
		h->node->handles = h->next;
	if (h->next)
		h->next->prev = h->prev;
	f->stats.open--;
	launch_handle_put(f, h);
}

static uint32_t open_flags(int flags)
{
	static const uint32_t access[4] = { TN_OREAD, TN_OWRITE, TN_ORDWR, TN_ORDWR };
	uint32_t out = access[flags & O_ACCMODE];

	out |= flags & O_TRUNC ? TN_OF_TRUNC : 0;
	out |= flags & O_APPEND ? TN_OF_APPEND : 0;
	out |= flags & O_DIRECTORY ? TN_OF_DIRECTORY : 0;
	out |= flags & (O_SYNC | O_DSYNC) ? TN_OF_SYNC : 0;
	return out;
}

/* The kernel did not hear of the open file, so nobody will close it. */
static void answer_open(struct launch_op *op, struct launch_handle *h)
{
	fuse_req_t req = answering(op);

	op->fi.fh = (uint64_t)(uintptr_t)h;
	op->fi.direct_io = op->node->direct;
	if (!req || fuse_reply_open(req, &op->fi) != 0)
		launch_handle_close(op->f, h);
	launch_op_end(op);
}

static void opened(struct launch_op *op)
{
	struct launch_handle *h = handle_new(op, op->node, op->chan);

	if (!h) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL; /* the handle's now */
	answer_open(op, h);
}

static void open_clone(struct launch_op *op)
{
	launch_chan_take(op, op->chan2);
	op->chan2 = NULL;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_OPEN, op->chan, &launch_owner);
	op->r.flags = open_flags(op->flags) | TN_OF_NOFOLLOW;
	launch_submit(op, opened);
}

/* op->chan2 becomes a Chan of the same file as op->chan that is nobody else's: to be opened, removed, renamed. */
static void clone_chan(struct launch_op *op, launch_step next)
{
	tn_chan_put(op->chan2);
	op->chan2 = tn_chan_clone(op->chan);
	if (!op->chan2) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WALK, op->chan, &launch_owner);
	op->r.u.walk.names = &op->one_name;
	op->r.u.walk.qids = &op->one_qid;
	op->r.u.walk.newchan = op->chan2;
	launch_submit(op, next);
}

static void open_shown(struct launch_op *op)
{
	clone_chan(op, open_clone);
}

static void open_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, open_shown);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	launch_op_run(op, open_start);
}

/* ---- creating a file that stays open ---- */

static void answer_create(struct launch_op *op)
{
	struct launch_node *node = launch_node_created(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) }, op->chan);
	struct launch_handle *h = node ? handle_new(op, node, op->chan) : NULL;
	struct fuse_entry_param e;
	fuse_req_t req;

	if (!h) {
		if (node)
			launch_node_forget(&op->f->nodes, node, 1);
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL;
	fill_entry(op, node, &e);
	op->fi.fh = (uint64_t)(uintptr_t)h;
	op->fi.direct_io = node->direct;
	req = answering(op);
	if (!req || fuse_reply_create(req, &e, &op->fi) != 0) {
		launch_handle_close(op->f, h);
		launch_node_forget(&op->f->nodes, node, 1);
	}
	launch_op_end(op);
}

static void created(struct launch_op *op)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	launch_stat(op, answer_create);
}

/*
 * Somebody else has made it since the kernel looked: without O_EXCL it is opened, and cut only if that was asked for.
 * Plan 9's create would always cut it.
 */
static void create_lost(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why != TN_EEXIST || op->flags & O_EXCL) {
		launch_op_fail(op, why);
		return;
	}
	launch_resolve(op, op->chan, op->text, TN_FOR_OPEN, open_flags(op->flags), 0, created);
}

static void create_file(struct launch_op *op)
{
	uint32_t flags = open_flags(op->flags) & ~(uint32_t)(TN_OF_TRUNC | TN_OF_DIRECTORY);

	op->failed = create_lost;
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, flags | TN_OF_EXCL, op->perm,
	    created);
}

static void create_file_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_file);
}

static void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	op->perm = dm_of(mode);
	launch_op_run(op, create_file_start);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	launch_handle_close(door(req), handle_of(fi));
	fuse_reply_err(req, 0);
}

static void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req,
	    0); /* a write was at the server before it was answered: nothing is held back here */
}

/* ---- reading and writing ---- */

static struct launch_op *op_on_handle(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return NULL;
	take_handle(op, fi);
	op->chan = tn_chan_get(op->handle->chan);
	op->fi = *fi;
	return op;
}

static bool op_data(struct launch_op *op, size_t size)
{
	op->data = malloc(size ? size : 1);
	if (op->data)
		return true;
	launch_op_errno(op, ENOMEM);
	return false;
}

static void io(struct launch_op *op, enum tn_req_type type, launch_step next)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, type, op->chan, &launch_owner);
	op->r.u.io.data = op->data + op->done;
	op->r.u.io.offset = (uint64_t)op->off + op->done;
	op->r.u.io.count = (uint32_t)(op->size - op->done);
	launch_submit(op, next);
}

static void answer_read(struct launch_op *op)
{
	fuse_req_t req = answering(op);

	if (req)
		fuse_reply_buf(req, (char *)op->data, op->done);
	launch_op_end(op);
}

static void read_more(struct launch_op *op);

/* What came before an error was read: the next read will meet the error again. */
static void read_failed(struct launch_op *op)
{
	if (op->done > 0)
		answer_read(op);
	else
		launch_op_fail(op, launch_err_of(op));
}

/* The page cache takes a short answer for the end of the file; a device's short answer is its answer. */
static void read_some(struct launch_op *op)
{
	op->failed = NULL;
	op->done += op->r.u.io.count;
	if (op->r.u.io.count == 0 || op->done >= op->size || op->handle->node->direct || !op->req)
		answer_read(op);
	else
		read_more(op);
}

static void read_more(struct launch_op *op)
{
	op->failed = read_failed;
	io(op, TN_READ, read_some);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op || !op_data(op, size))
		return;
	op->size = size;
	op->off = off;
	launch_op_run(op, read_more);
}

static void answer_write(struct launch_op *op)
{
	fuse_req_t req = answering(op);

	if (req)
		fuse_reply_write(req, op->done);
	launch_op_end(op);
}

static void write_failed(struct launch_op *op)
{
	if (op->done > 0)
		answer_write(op);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void write_more(struct launch_op *op);

static void written_some(struct launch_op *op)
{
	op->failed = NULL;
	op->done += op->r.u.io.count;
	if (op->r.u.io.count == 0 || op->done >= op->size)
		answer_write(op);
	else
		write_more(op);
}

static void write_more(struct launch_op *op)
{
	op->failed = write_failed;
	io(op, TN_WRITE, written_some);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op || !op_data(op, size))
		return;
	memcpy(op->data, buf, size);
	op->size = size;
	op->off = off;
	launch_op_run(op, write_more);
}

/* ---- what goes to an open file and is answered by 0 ---- */

static void sync_by_wstat(struct launch_op *op)
{
	if (launch_err_of(op) != TN_ENOTSUP) {
		launch_op_fail(op, launch_err_of(op));
		return;
	}
	memset(&op->change, 0,
	    sizeof(op->change)); /* stat(5): a wstat of nothing asks for a sync */
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WSTAT, op->chan, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, launch_op_ok);
}

static void fsync_start(struct launch_op *op)
{
	op->failed = sync_by_wstat;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_FSYNC, op->chan, &launch_owner);
	op->r.u.range.how = (uint32_t)op->flags;
	launch_submit(op, launch_op_ok);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op)
		return;
	op->flags = datasync;
	launch_op_run(op, fsync_start);
}

static void fallocate_start(struct launch_op *op)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_FALLOCATE, op->chan, &launch_owner);
	op->r.u.range.how = (uint32_t)op->flags;
	op->r.u.range.offset = (uint64_t)op->off;
	op->r.u.range.length = op->size;
	launch_submit(op, launch_op_ok);
}

static void do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op)
		return;
	op->flags = mode;
	op->off = off;
	op->size = (size_t)length;
	launch_op_run(op, fallocate_start);
}

static void answer_lseek(struct launch_op *op)
{
	fuse_req_t req = answering(op);

	if (req)
		fuse_reply_lseek(req, (off_t)op->r.u.range.offset);
	launch_op_end(op);
}

static void lseek_start(struct launch_op *op)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_SEEKHOLE, op->chan, &launch_owner);
	op->r.u.range.how = (uint32_t)op->flags;
	op->r.u.range.offset = (uint64_t)op->off;
	launch_submit(op, answer_lseek);
}

static void do_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op)
		return;
	op->off = off;
	op->flags = whence;
	launch_op_run(op, lseek_start);
}

/* ---- directories ---- */

static void opendir_done(struct launch_op *op)
{
	struct launch_handle *h;

	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	h = handle_new(op, op->node, op->chan);
	if (!h) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL;
	h->is_union = op->is_union;
	answer_open(op, h);
}

/* The name was crossed to see whether it is a union; opening crosses it again, so it is done from before the mount. */
static void opendir_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, "", TN_FOR_OPEN, TN_OREAD, 0, opendir_done);
}

static void opendir_shown(struct launch_op *op)
{
	op->is_union = op->members && op->members->n > 1;
	launch_node_chan(op, op->node, opendir_here);
}

static void opendir_start(struct launch_op *op)
{
	launch_node_shown(op, op->node, opendir_shown);
}

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(door(req), req, ino);

	if (!op)
		return;
	op->fi = *fi;
	launch_op_run(op, opendir_start);
}

/* One entry into the answer's buffer, under the number that the next one will have. false: no room. */
static bool put_entry(struct launch_op *op, const char *name, mode_t type, uint64_t ino)
{
	struct stat st = { .st_ino = ino, .st_mode = type };
	size_t room = op->size - op->done;
	size_t need = fuse_add_direntry(op->req, (char *)op->data + op->done, room, name, &st,
	    (off_t)op->handle->number + 1);

	if (need > room)
		return false;
	op->done += need;
	op->handle->number++;
	return true;
}

/* A name that is no name of Linux's cannot be shown; the server is told of no error for it. */
static bool is_showable(struct tn_str name)
{
	return name.len > 0 && name.len <= 255 && !memchr(name.s, '/', name.len) &&
	       !memchr(name.s, '\0', name.len);
}

static bool is_again(struct launch_op *op, struct tn_str name)
{
	struct launch_handle *h = op->handle;
	bool is_new = true;

	if (!h->is_union)
		return false;
	if (!h->names)
		h->names = calloc(1, sizeof(*h->names));
	return h->names && launch_names_add(h->names, name, &is_new) && !is_new;
}

static bool dir_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct launch_op *op = (struct launch_op *)((char *)r - offsetof(struct launch_op, r));
	struct stat attr;
	char name[256];

	if (op->full)
		return false;
	if (is_showable(st->name) && op->req && op->skip == 0) {
		memcpy(name, st->name.s, st->name.len);
		name[st->name.len] = '\0';
		launch_attr(op->f, r->chan->server, st, &attr);
		if (op->size - op->done < fuse_add_direntry(op->req, NULL, 0, name, NULL, 0)) {
			op->full = true;
			return false;
		}
		if (!is_again(op, st->name))
			put_entry(op, name, attr.st_mode, attr.st_ino);
	} else if (op->skip > 0 && is_showable(st->name) && !is_again(op, st->name)) {
		op->skip--;
	}
	op->handle->cookie = next;
	op->any = true;
	return true;
}

static void dir_done(struct tn_req *r)
{
	launch_owner.done(r);
}

static const struct tn_owner dir_owner = { .done = dir_done, .entry = dir_entry };

static void answer_readdir(struct launch_op *op)
{
	fuse_req_t req = answering(op);

	if (req)
		fuse_reply_buf(req, (char *)op->data, op->done);
	launch_op_end(op);
}

static void readdir_more(struct launch_op *op);

static void readdir_failed(struct launch_op *op)
{
	if (op->done > 0)
		answer_readdir(op);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void readdir_some(struct launch_op *op)
{
	op->failed = NULL;
	if (op->full || !op->any || !op->req)
		answer_readdir(op);
	else
		readdir_more(op);
}

static void readdir_more(struct launch_op *op)
{
	op->any = false;
	op->failed = readdir_failed;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_READDIR, op->chan, &dir_owner);
	op->r.u.readdir.offset = op->handle->cookie;
	op->r.u.readdir.count = (uint32_t)(op->size - op->done);
	launch_submit(op, readdir_some);
}

static void rewind_handle(struct launch_handle *h)
{
	h->number = h->cookie = 0;
	if (h->names)
		launch_names_clear(h->names);
}

/*
 * Offsets are the door's own: the number of the entry. Where the kernel goes on is where it stopped, or 0; anything else
 * (seekdir) is found by reading from the start again.
 */
static void readdir_start(struct launch_op *op)
{
	struct launch_handle *h = op->handle;
	uint64_t dots = 0;

	if ((uint64_t)op->off != h->number) {
		rewind_handle(h);
		dots = op->off < 2 ? (uint64_t)op->off : 2;
		op->skip = (uint64_t)op->off - dots;
		h->number = (uint64_t)op->off;
	}
	if (h->number == 0 && !put_entry(op, ".", S_IFDIR, 1))
		op->full = true;
	if (h->number == 1 && !put_entry(op, "..", S_IFDIR, 1))
		op->full = true;
	if (op->full)
		answer_readdir(op);
	else
		readdir_more(op);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_on_handle(req, ino, fi);

	if (!op || !op_data(op, size))
		return;
	op->size = size;
	op->off = off;
	launch_op_run(op, readdir_start);
}

/* ---- removing ---- */

static void removed(struct launch_op *op)
{
	launch_node_gone(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) });
	launch_op_ok(op);
}

static void remove_clone(struct launch_op *op)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_REMOVE, op->chan2, &launch_owner);
	launch_submit(op, removed);
}

static void remove_found(struct launch_op *op)
{
	bool is_dir = tn_chan_is_dir(op->name.chan), wants_dir = op->flags & O_DIRECTORY;

	if (op->name.is_mount) {
		launch_op_fail(op, TN_EISMOUNT);
		return;
	}
	if (is_dir != wants_dir) {
		launch_op_fail(op, is_dir ? TN_EISDIR : TN_ENOTDIR);
		return;
	}
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	clone_chan(op, remove_clone);
}

static void remove_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, remove_found);
}

static void remove_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, remove_here);
}

static void remove_as(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->flags = flags;
	launch_op_run(op, remove_start);
}

static void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_as(req, parent, name, 0);
}

static void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_as(req, parent, name, O_DIRECTORY);
}

/* ---- renaming and linking ---- */

static void renamed(struct launch_op *op)
{
	launch_node_moved(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) }, op->node3,
	    (struct tn_str){ op->text2, (uint32_t)strlen(op->text2) });
	launch_op_ok(op);
}

static void send_rename(struct launch_op *op);

static void rename_now(struct launch_op *op)
{
	op->tried = true;
	send_rename(op);
}

static void remove_target_clone(struct launch_op *op)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_REMOVE, op->chan2, &launch_owner);
	launch_submit(op, rename_now);
}

static void target_found(struct launch_op *op)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	clone_chan(op, remove_target_clone);
}

static void find_target(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text2, TN_FOR_ACCESS, 0, 0, target_found);
}

/*
 * A server of plain 9P2000 does not rename over a file that is there. The best that the protocol can: the target is
 * removed first. Between the two others see neither; with .L, #ram and #host this is not needed.
 */
static void rename_refused(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why != TN_EEXIST || op->tried || op->flags != 0) {
		launch_op_fail(op, op->flags && why == TN_ENOTSUP ? TN_EINVAL : why);
		return;
	}
	launch_node_chan(op, op->node3, find_target);
}

static void send_rename(struct launch_op *op)
{
	op->failed = rename_refused;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_RENAME, op->dir, &launch_owner);
	op->r.chan2 = op->todir;
	op->r.u.rename.name = (struct tn_str){ op->text, (uint32_t)strlen(op->text) };
	op->r.u.rename.newname = (struct tn_str){ op->text2, (uint32_t)strlen(op->text2) };
	op->r.u.rename.how = (uint32_t)op->flags;
	launch_submit(op, renamed);
}

static void have_both(struct launch_op *op)
{
	if (op->dir->server != op->todir->server) {
		launch_op_fail(op, TN_EXDEV);
		return;
	}
	send_rename(op);
}

static void target_dir_chosen(struct launch_op *op)
{
	op->todir = tn_chan_get(op->chan);
	have_both(op);
}

/* In a union the file stays in its member when it stays in the directory; else it goes where things are made. */
static void target_dir_shown(struct launch_op *op)
{
	if (op->node3 == op->node) {
		op->todir = tn_chan_get(op->dir);
		have_both(op);
		return;
	}
	op->made_in = target_dir_chosen;
	choose_maker(op);
}

static void rename_found(struct launch_op *op)
{
	if (op->name.is_mount) {
		launch_op_fail(op, TN_EISMOUNT);
		return;
	}
	if (!op->name.dir) {
		launch_op_fail(op, TN_EXDEV);
		return;
	}
	op->dir = op->name.dir;
	op->name.dir = NULL;
	launch_node_shown(op, op->node3, target_dir_shown);
}

static void rename_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, rename_found);
}

static void rename_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, rename_here);
}

static void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags)
{
	struct launch_op *op = op_with_name(req, parent, name);

	if (!op)
		return;
	op->node3 = launch_node_get(launch_node_of(op->f, newparent));
	op->text2 = strdup(newname);
	op->flags = (int)flags;
	if (!op->text2)
		launch_op_errno(op, ENOMEM);
	else if (strlen(newname) > 255)
		launch_op_errno(op, ENAMETOOLONG);
	else
		launch_op_run(op, rename_start);
}

static void link_now(struct launch_op *op)
{
	if (op->chan->server != op->dir->server) {
		launch_op_fail(op, TN_EXDEV);
		return;
	}
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_LINK, op->chan, &launch_owner);
	op->r.chan2 = op->dir; /* the file that gets another name */
	op->r.u.rename.name = (struct tn_str){ op->text, (uint32_t)strlen(op->text) };
	launch_submit(op, look_up);
}

static void link_file_shown(struct launch_op *op)
{
	op->dir = tn_chan_get(op->chan);
	in_maker(op, link_now);
}

static void link_start(struct launch_op *op)
{
	launch_node_shown(op, op->node3, link_file_shown);
}

static void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct launch_op *op = op_with_name(req, newparent, newname);

	if (!op)
		return;
	op->node3 = launch_node_get(launch_node_of(op->f, ino));
	launch_op_run(op, link_start);
}

/* ---- the rest ---- */

static void answer_statfs(struct launch_op *op)
{
	const struct tn_statfs *s = &op->statfs;
	struct statvfs v = { .f_bsize = s->bsize ? s->bsize : 4096,
		.f_namemax = s->namelen ? s->namelen : 255 };
	fuse_req_t req = answering(op);

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
	struct launch_op *op = launch_op_new(door(req), req, ino ? ino : FUSE_ROOT_ID);

	if (op)
		launch_op_run(op, statfs_start);
}

/* Extended attributes are not shown yet. EOPNOTSUPP, not ENOSYS: it is asked each time. launcher.md 5. */
static void do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	(void)ino, (void)name, (void)size;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)ino, (void)size;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	fuse_reply_err(req, EOPNOTSUPP);
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

static void do_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
    struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
    size_t len, int flags)
{
	(void)in, (void)off_in, (void)fi_in, (void)out, (void)off_out, (void)fi_out, (void)len,
	    (void)flags;
	fuse_reply_err(req, EOPNOTSUPP); /* the kernel then copies by reading and writing */
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
	.mknod = do_mknod,
	.mkdir = do_mkdir,
	.unlink = do_unlink,
	.rmdir = do_rmdir,
	.symlink = do_symlink,
	.rename = do_rename,
	.link = do_link,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.flush = do_flush,
	.release = do_release,
	.fsync = do_fsync,
	.opendir = do_opendir,
	.readdir = do_readdir,
	.releasedir = do_release,
	.fsyncdir = do_fsync,
	.statfs = do_statfs,
	.setxattr = do_setxattr,
	.getxattr = do_getxattr,
	.listxattr = do_listxattr,
	.removexattr = do_removexattr,
	.access = do_access,
	.create = do_create,
	.ioctl = do_ioctl,
	.poll = do_poll,
	.fallocate = do_fallocate,
	.copy_file_range = do_copy_file_range,
	.lseek = do_lseek,
};
