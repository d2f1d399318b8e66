/*
 * Directories of the FUSE door: opening and listing. namespace-semantics.md 6: a name of a union is listed once.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- directories ---- */

static void opendir_done(struct launch_op *op)
{
	struct launch_handle *h;

	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	h = launch_handle_new(op, op->node, op->chan);
	if (!h) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL;
	h->is_union = op->is_union;
	launch_answer_open(op, h);
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

void launch_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

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
	fuse_req_t req = launch_answering(op);

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

void launch_do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op || !launch_op_data(op, size))
		return;
	op->size = size;
	op->off = off;
	launch_op_run(op, readdir_start);
}
