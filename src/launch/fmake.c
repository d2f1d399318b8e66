/*
 * What makes names: directories, links, special files, and files that are made to be opened. namespace-semantics.md 7.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

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

static void special_made(struct launch_op *op)
{
	if (op->text2)
		op->r.u.create.target = (struct tn_str){ op->text2, (uint32_t)strlen(op->text2) };
	launch_submit(op, launch_look_up);
}

static void make_special(struct launch_op *op)
{
	static const struct {
		mode_t type;
		uint32_t dm;
	} kinds[] = { { S_IFIFO, TN_DMNAMEDPIPE }, { S_IFSOCK, TN_DMSOCKET },
		{ S_IFCHR, TN_DMDEVICE }, { S_IFBLK, TN_DMDEVICE } };
	uint32_t perm = launch_dm_of(op->mode);

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
	launch_in_maker(op, make_special);
}

void launch_do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

	if (!op)
		return;
	op->text2 = strdup(target);
	op->mode = 0777;
	if (!op->text2)
		launch_op_errno(op, ENOMEM);
	else
		launch_op_run(op, special_start);
}

static void stat_permitted(struct launch_op *op)
{
	launch_stat(op, op->permitted);
}

/*
 * open(2) and mkdir(2) give what was asked for; create(5) takes away from it what the directory does not permit. A server
 * that lets nobody change modes keeps its own.
 */
static void permit(struct launch_op *op)
{
	if (((op->attr.st_mode ^ op->perm) & 0777) == 0) {
		launch_op_run(op, op->permitted);
		return;
	}
	memset(&op->change, 0, sizeof(op->change));
	op->change.valid = TN_ST_MODE;
	op->change.mode = (op->perm & ~TN_DMDIR) | op->dm_bits;
	op->failed = op->permitted;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WSTAT, op->chan, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, stat_permitted);
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
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, TN_OREAD | TN_OF_EXCL, op->perm,
	    created_and_closed);
}

static void create_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_here);
}

void launch_do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

	if (!op)
		return;
	op->perm = TN_DMDIR | launch_dm_of(mode);
	launch_op_run(op, create_start);
}

void launch_do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

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
	launch_resolve(op, op->chan, op->text, TN_FOR_CREATE, flags | TN_OF_EXCL, op->perm,
	    created);
}

static void create_file_start(struct launch_op *op)
{
	launch_node_chan(op, op->node, create_file);
}

void launch_do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	op->perm = launch_dm_of(mode);
	launch_op_run(op, create_file_start);
}
