/*
 * Removing, renaming and linking. A mount point is neither removed nor renamed: namespace-semantics.md 7.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- removing ---- */

static void removed(struct launch_op *op)
{
	launch_node_gone(&op->f->nodes, op->node,
	    (struct tn_str){ op->text, (uint32_t)strlen(op->text) });
	launch_op_ok(op);
}

static void remove_found(struct launch_op *op)
{
	bool is_dir = tn_chan_is_dir(op->name.chan), wants_dir = op->flags & O_DIRECTORY;

	if (is_dir != wants_dir) {
		launch_op_fail(op, is_dir ? TN_EISDIR : TN_ENOTDIR);
		return;
	}
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_REMOVE, op->chan, &launch_owner);
	launch_submit(op, removed);
}

static void remove_here(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_REMOVE, 0, 0, remove_found);
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

enum { NOREPLACE = 1, EXCHANGE = 2 }; /* renameat2(2) */

static struct tn_str str_of(const char *text)
{
	return (struct tn_str){ text, (uint32_t)strlen(text) };
}

static void tell_nodes(struct launch_op *op)
{
	(op->flags & EXCHANGE ? launch_node_exchanged : launch_node_moved)(&op->f->nodes, op->node,
	    str_of(op->text), op->node3, str_of(op->text2));
}

static void renamed(struct launch_op *op)
{
	op->failed = NULL;
	tell_nodes(op);
	launch_op_ok(op);
}

static void send_rename(struct launch_op *op, launch_step done, launch_step failed);

/*
 * A server of plain 9P2000 does not rename over a file that is there. The best that the protocol can: the target is
 * renamed out of the way, and removed when its name is taken. Between the two others see neither. An empty directory is
 * removed at once. With .L, #ram and #host this is not needed.
 */
static void end_aside(struct launch_op *op)
{
	launch_op_fail(op, op->list_err);
}

/* The first error is the one that is told. */
static void put_back(struct launch_op *op)
{
	op->list_err = launch_err_of(op);
	op->failed = end_aside;
	op->change.name = str_of(op->text2);
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_WSTAT, op->chan2, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, end_aside);
}

static void remove_aside(struct launch_op *op)
{
	tell_nodes(op);
	op->failed = launch_op_ok;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_REMOVE, op->chan2, &launch_owner);
	launch_submit(op, launch_op_ok);
}

static void is_aside(struct launch_op *op)
{
	send_rename(op, remove_aside, put_back);
}

static void target_removed(struct launch_op *op)
{
	send_rename(op, renamed, NULL);
}

static void target_found(struct launch_op *op)
{
	op->chan2 = op->name.chan;
	op->name.chan = NULL;
	tn_req_reset(&op->r);
	if (tn_chan_is_dir(op->chan2)) {
		tn_req_init(&op->r, TN_REMOVE, op->chan2, &launch_owner);
		launch_submit(op, target_removed);
		return;
	}
	snprintf(op->aside, sizeof(op->aside), ".tn%08x", (unsigned)(tn_now_ns() / 1000));
	memset(&op->change, 0, sizeof(op->change));
	op->change.valid = TN_ST_NAME;
	op->change.name = str_of(op->aside);
	tn_req_init(&op->r, TN_WSTAT, op->chan2, &launch_owner);
	op->r.u.wstat.st = &op->change;
	launch_submit(op, is_aside);
}

static void find_target(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text2, TN_FOR_REMOVE, 0, 0, target_found);
}

static void rename_refused(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why == TN_EEXIST && op->flags == 0)
		launch_node_chan(op, op->node3, find_target);
	else
		launch_op_fail(op, op->flags && why == TN_ENOTSUP ? TN_EINVAL : why);
}

static void send_rename(struct launch_op *op, launch_step done, launch_step failed)
{
	op->failed = failed;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_RENAME, op->dir, &launch_owner);
	op->r.chan2 = op->todir;
	op->r.u.rename.name = str_of(op->text);
	op->r.u.rename.newname = str_of(op->text2);
	op->r.u.rename.how = (uint32_t)op->flags;
	launch_submit(op, done);
}

/* Where member directory c stands in the union; its number of members if it does not. */
static uint32_t member_of(const struct tn_members *list, const struct tn_chan *c)
{
	uint32_t i = 0;

	while (list && i < list->n && !tn_chan_same(list->m[i].to, c))
		i++;
	return i;
}

/* A file of that name in an earlier member would hide the one that moved: as between two file systems, it is copied. */
static void target_seen(struct launch_op *op)
{
	const struct tn_name *n = &op->name;

	if (n->is_mount)
		launch_op_fail(op, TN_EISMOUNT);
	else if (op->flags & NOREPLACE)
		launch_op_fail(op, TN_EEXIST);
	else if (n->dir && member_of(op->members, n->dir) < member_of(op->members, op->todir))
		launch_op_fail(op, TN_EXDEV);
	else if (n->dir && op->flags & EXCHANGE && !tn_chan_same(n->dir, op->todir))
		launch_op_fail(op, TN_EXDEV);
	else
		send_rename(op, renamed, rename_refused);
}

static void target_unseen(struct launch_op *op)
{
	if (launch_err_of(op) == TN_ENOENT)
		send_rename(op, renamed, rename_refused);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void see_target(struct launch_op *op)
{
	op->failed = target_unseen;
	launch_resolve(op, op->chan, op->text2, TN_FOR_ACCESS, 0, 0, target_seen);
}

static void have_both(struct launch_op *op)
{
	bool is_union = op->members && op->members->n > 1;

	if (op->dir->server != op->todir->server)
		launch_op_fail(op, TN_EXDEV);
	else if (is_union || tn_ns_mounted_in(op->f->proc->ns, op->todir->server))
		launch_node_chan(op, op->node3, see_target);
	else
		send_rename(op, renamed, rename_refused);
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
	if (flags & ~(unsigned)(NOREPLACE | EXCHANGE) || flags == (NOREPLACE | EXCHANGE)) {
		launch_op_errno(op, EINVAL);
		return;
	}
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
