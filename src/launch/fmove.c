/*
 * Removing, renaming and linking. A mount point is neither removed nor renamed: namespace-semantics.md 7.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	launch_clone_chan(op, remove_clone);
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
	struct launch_op *op = launch_op_with_name(req, parent, name);

	if (!op)
		return;
	op->flags = flags;
	launch_op_run(op, remove_start);
}

void launch_do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_as(req, parent, name, 0);
}

void launch_do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
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
	launch_clone_chan(op, remove_target_clone);
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
	launch_choose_maker(op);
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

void launch_do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags)
{
	struct launch_op *op = launch_op_with_name(req, parent, name);

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
	launch_submit(op, launch_look_up);
}

static void link_file_shown(struct launch_op *op)
{
	op->dir = tn_chan_get(op->chan);
	launch_in_maker(op, link_now);
}

static void link_start(struct launch_op *op)
{
	launch_node_shown(op, op->node3, link_file_shown);
}

void launch_do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct launch_op *op = launch_op_with_name(req, newparent, newname);

	if (!op)
		return;
	op->node3 = launch_node_get(launch_node_of(op->f, ino));
	launch_op_run(op, link_start);
}
