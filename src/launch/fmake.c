/*
 * What makes names: directories, links, special files, and files that are made to be opened. namespace-semantics.md 7.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* ---- making ---- */

/*
 * An operation that makes `name`. What it makes is the caller's where others than the door's own user have files: its
 * group is asked for at once (the server may know better, below a directory with the setgid bit), its owner is told behind
 * it, for to the server all of us are one.
 */
static struct launch_op *op_making(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

	if (!op)
		return NULL;
	op->maker_uid = fuse_req_ctx(req)->uid;
	op->maker_gid = fuse_req_ctx(req)->gid;
	op->is_making = op->f->true_owners;
	op->is_others = op->is_making && op->maker_uid != op->f->uid;
	return op;
}

/* Bits that a file gets behind its owner: till then they would lend the door's own rights to who is about to write it. */
static uint32_t held_back(const struct launch_op *op)
{
	bool is_file = !(op->perm & TN_DMDIR);

	return op->is_others && is_file ? op->perm & (TN_DMSETUID | TN_DMSETGID) : 0;
}

static uint32_t first_perm(const struct launch_op *op)
{
	return op->perm & ~held_back(op);
}

/* op->chan becomes where the directory lets things be made: namespace-semantics.md 7, the first member with MCREATE. */
void launch_choose_maker(struct launch_op *op)
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

void launch_in_maker(struct launch_op *op, launch_step next)
{
	op->made_in = next;
	launch_node_shown(op, op->node, launch_choose_maker);
}

static void permit(struct launch_op *op);

/*
 * Nobody holds what was made: its name may be another file's by now, and that is not given away.
 */
static void special_found(struct launch_op *op)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	if (op->chan->server != op->made_by || op->chan->qid.path != op->one_qid.path) {
		launch_op_run(op, launch_look_up);
		return;
	}
	op->permitted = launch_look_up;
	launch_stat(op, permit);
}

static void special_made(struct launch_op *op)
{
	op->failed = NULL;
	if (!op->is_others) {
		launch_op_run(op, launch_look_up);
		return;
	}
	op->made_by = op->chan->server;
	op->one_qid = op->r.u.create.qid;
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, special_found);
}

/* clang-format off */
static const struct {
	mode_t type;
	uint32_t dm;
	const char *device; /* as the extension of 9P2000.u begins */
} kinds[] = {
	{ S_IFIFO,  TN_DMNAMEDPIPE, ""  },
	{ S_IFSOCK, TN_DMSOCKET,    ""  },
	{ S_IFCHR,  TN_DMDEVICE,    "c" },
	{ S_IFBLK,  TN_DMDEVICE,    "b" },
};
/* clang-format on */

static void fill_special(struct launch_op *op)
{
	struct tn_req *r = &op->r;

	tn_req_init(r, op->text2 ? TN_SYMLINK : TN_MKNOD, op->chan, &launch_owner);
	r->u.create.name = (struct tn_str){ op->text, (uint32_t)strlen(op->text) };
	r->u.create.perm = first_perm(op);
	r->u.create.gid = op->is_making ? op->maker_gid : TN_NONUNAME;
	r->u.create.rdev_major = major(op->rdev);
	r->u.create.rdev_minor = minor(op->rdev);
	if (op->text2)
		r->u.create.target = (struct tn_str){ op->text2, (uint32_t)strlen(op->text2) };
	for (size_t i = 0; !op->text2 && i < TN_COUNT(kinds); i++) {
		if ((op->mode & S_IFMT) != kinds[i].type)
			continue;
		r->u.create.perm |= kinds[i].dm;
		r->u.create.target = (struct tn_str){ kinds[i].device,
			(uint32_t)strlen(kinds[i].device) };
	}
}

/* mknod(2): EPERM says that a file system has no such files. */
static void device_refused(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	launch_op_fail(op, why == TN_ENOTSUP ? TN_EPERM : why);
}

static void make_special(struct launch_op *op)
{
	bool is_device = S_ISCHR(op->mode) || S_ISBLK(op->mode);

	/* It would be shown as a file, and the kernel wants to see what it has made. */
	if (is_device && op->chan->server->flags & TN_SF_OPENS_DEVICES) {
		launch_op_fail(op, TN_EPERM);
		return;
	}
	op->failed = is_device ? device_refused : NULL;
	tn_req_reset(&op->r);
	fill_special(op);
	launch_submit(op, special_made);
}

static void special_start(struct launch_op *op)
{
	launch_in_maker(op, make_special);
}

void launch_do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct launch_op *op = op_making(req, parent, name);

	if (!op)
		return;
	op->text2 = strdup(target);
	op->perm = 0777;
	if (!op->text2)
		launch_op_errno(op, ENOMEM);
	else
		launch_op_run(op, special_start);
}

static void stat_permitted(struct launch_op *op)
{
	launch_stat(op, op->permitted);
}

/* Its owner is refused: then it stays whose the server made it, without the bits that were held back. */
static void permit_refused(struct launch_op *op)
{
	if (!(op->change.valid & TN_ST_NUID)) {
		launch_op_run(op, op->permitted);
		return;
	}
	op->perm = first_perm(op);
	op->is_others = false;
	permit(op);
}

static void send_permit(struct launch_op *op)
{
	op->failed = permit_refused;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WSTAT, op->chan, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, stat_permitted);
}

/*
 * open(2) and mkdir(2) give what was asked for; create(5) takes away from it what the directory does not permit. A server
 * that lets nobody change modes keeps its own.
 */
static void permit(struct launch_op *op)
{
	bool is_given = op->is_others && op->attr.st_uid != op->maker_uid;
	uint32_t kept = S_ISDIR(op->attr.st_mode) && op->attr.st_mode & S_ISGID ? TN_DMSETGID : 0;

	memset(&op->change, 0, sizeof(op->change));
	if (is_given) {
		op->change.valid = TN_ST_NUID;
		op->change.n_uid = op->maker_uid;
	}
	if ((op->attr.st_mode ^ op->perm) & 0777 || held_back(op)) {
		op->change.valid |= TN_ST_MODE;
		op->change.mode = (op->perm & ~TN_DMDIR) | kept | op->dm_bits;
	}
	if (op->change.valid == 0)
		launch_op_run(op, op->permitted);
	else
		send_permit(op);
}

/* What a create has just made and opened gets its permissions; then op->attr tells them. */
static void made(struct launch_op *op, launch_step next)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	op->failed = NULL;
	op->permitted = next;
	launch_stat(op, permit);
}

/* The Chan that a create has opened is not kept: the answer is a lookup of the new name. */
static void created_and_closed(struct launch_op *op)
{
	made(op, launch_look_up);
}

static void create_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, TN_OREAD | TN_OF_EXCL, first_perm(op),
	    created_and_closed);
}

static void create_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_here);
}

void launch_do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct launch_op *op = op_making(req, parent, name);

	if (!op)
		return;
	op->perm = TN_DMDIR | launch_dm_of(mode);
	launch_op_run(op, create_start);
}

void launch_do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct launch_op *op = op_making(req, parent, name);

	if (!op)
		return;
	op->perm = launch_dm_of(mode);
	op->mode = mode;
	op->rdev = rdev;
	launch_op_run(op, S_ISREG(mode) || (mode & S_IFMT) == 0 ? create_start : special_start);
}

/* ---- creating a file that stays open ---- */

static void answer_create(struct launch_op *op)
{
	struct launch_node *node = launch_node_created(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) }, op->chan);
	struct launch_handle *h;
	struct fuse_entry_param e;
	fuse_req_t req;

	if (node)
		node->direct = op->attr_direct;
	h = node ? launch_handle_new(op, node, op->chan) : NULL;
	if (!h) {
		if (node)
			launch_node_forget(&op->f->nodes, node, 1);
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL;
	launch_fill_entry(op, node, &e);
	op->fi.fh = (uint64_t)(uintptr_t)h;
	op->fi.direct_io = h->direct;
	req = launch_answering(op);
	if (!req || fuse_reply_create(req, &e, &op->fi) != 0) {
		launch_handle_close(op->f, h);
		launch_node_forget(&op->f->nodes, node, 1);
	}
	launch_op_end(op);
}

static void created(struct launch_op *op)
{
	made(op, answer_create);
}

static void opened_instead(struct launch_op *op)
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
	launch_resolve(op, op->chan, op->text, TN_FOR_OPEN, launch_open_flags(op->flags), 0,
	    opened_instead);
}

static void create_file(struct launch_op *op)
{
	uint32_t flags = launch_open_flags(op->flags) & ~(uint32_t)(TN_OF_TRUNC | TN_OF_DIRECTORY);

	op->failed = create_lost;
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, flags | TN_OF_EXCL, first_perm(op),
	    created);
}

static void create_file_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_file);
}

void launch_do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	struct launch_op *op = op_making(req, parent, name);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	op->perm = launch_dm_of(mode);
	launch_op_run(op, create_file_start);
}
