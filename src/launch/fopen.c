/*
 * Open files: handles, reading, writing, and what else goes to a descriptor.
 */
#include "launch/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

/*
 * A file elsewhere that was never seen to have a length may be made up when it is read: most servers do not say so.
 * architecture.md, rule 10. One that is made here is not, so that it can be mapped (sqlite).
 */
static bool is_direct(const struct launch_node *node, const struct tn_chan *c)
{
	return node->direct || (!node->is_dir && !node->plain && c->server->flags & TN_SF_REMOTE);
}

struct launch_handle *launch_handle_new(struct launch_op *op, struct launch_node *node,
    struct tn_chan *c)
{
	struct launch_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->node = launch_node_get(node);
	h->chan = c;
	h->direct = is_direct(node, c);
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
	free(h->marks);
	free(h->lockers);
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

uint32_t launch_open_flags(int flags)
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
void launch_answer_open(struct launch_op *op, struct launch_handle *h)
{
	fuse_req_t req = launch_answering(op);

	op->fi.fh = (uint64_t)(uintptr_t)h;
	op->fi.direct_io = h->direct;
	if (!req || fuse_reply_open(req, &op->fi) != 0)
		launch_handle_close(op->f, h);
	launch_op_end(op);
}

static void opened(struct launch_op *op)
{
	struct launch_handle *h = launch_handle_new(op, op->node, op->chan);

	if (!h) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->chan = NULL; /* the handle's now */
	launch_answer_open(op, h);
}

static void open_clone(struct launch_op *op)
{
	launch_chan_take(op, op->chan2);
	op->chan2 = NULL;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_OPEN, op->chan, &launch_owner);
	op->r.flags = launch_open_flags(op->flags) | TN_OF_NOFOLLOW;
	launch_submit(op, opened);
}

/* op->chan2 becomes a Chan of the same file as op->chan that is nobody else's: to be opened, removed, renamed. */
void launch_clone_chan(struct launch_op *op, launch_step next)
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
	launch_clone_chan(op, open_clone);
}

/* A walk cannot begin at an open Chan, walk(5): a file without one of its own is walked to by its name, if it has one. */
static void open_start(struct launch_op *op)
{
	struct launch_node *node = op->node;

	if (node->chan || node->in_place)
		launch_node_chan(op, node, open_shown);
	else
		launch_node_shown(op, node, open_shown);
}

void launch_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	launch_op_run(op, open_start);
}

/* ---- reading and writing ---- */

struct launch_op *launch_op_on_handle(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_new(launch_door_of(req), req, ino);

	if (!op)
		return NULL;
	launch_take_handle(op, fi);
	op->chan = tn_chan_get(op->handle->chan);
	op->fi = *fi;
	return op;
}

bool launch_op_data(struct launch_op *op, size_t size)
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
	fuse_req_t req = launch_answering(op);

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

/*
 * The page cache takes a short answer for the end of the file, so one before the end that the kernel knows is no answer
 * yet; a device's short answer is its answer.
 */
static void read_some(struct launch_op *op)
{
	op->failed = NULL;
	op->done += op->r.u.io.count;
	if (op->r.u.io.count == 0 || op->done >= op->size || op->handle->direct || !op->req ||
	    (uint64_t)op->off + op->done >= op->node->length)
		answer_read(op);
	else
		read_more(op);
}

static void read_more(struct launch_op *op)
{
	op->failed = read_failed;
	io(op, TN_READ, read_some);
}

void launch_do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op || !launch_op_data(op, size))
		return;
	op->size = size;
	op->off = off;
	launch_op_run(op, read_more);
}

static void answer_write(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);
	uint64_t end = (uint64_t)op->off + op->done;

	if (end > op->node->length)
		op->node->length = end; /* as the kernel has it now */
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

void launch_do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op || !launch_op_data(op, size))
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

void launch_do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

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

void launch_do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op)
		return;
	op->flags = mode;
	op->off = off;
	op->size = (size_t)length;
	launch_op_run(op, fallocate_start);
}

static void answer_lseek(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);

	if (req)
		fuse_reply_lseek(req, (off_t)op->r.u.range.offset);
	launch_op_end(op);
}

/* A server that knows no holes: all is data, and the hole is at the end. lseek(2). */
static void seek_by_size(struct launch_op *op)
{
	uint64_t off = (uint64_t)op->off, size = (uint64_t)op->attr.st_size;

	if (off >= size) {
		launch_op_errno(op, ENXIO);
		return;
	}
	op->r.u.range.offset = op->flags == SEEK_HOLE ? size : off;
	answer_lseek(op);
}

static void seek_failed(struct launch_op *op)
{
	if (launch_err_of(op) == TN_ENOTSUP)
		launch_stat(op, seek_by_size);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void lseek_start(struct launch_op *op)
{
	op->failed = seek_failed;
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_SEEKHOLE, op->chan, &launch_owner);
	op->r.u.range.how = (uint32_t)op->flags;
	op->r.u.range.offset = (uint64_t)op->off;
	launch_submit(op, answer_lseek);
}

void launch_do_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
    struct fuse_file_info *fi)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op)
		return;
	op->off = off;
	op->flags = whence;
	launch_op_run(op, lseek_start);
}

/* ---- copying ---- */

static void answer_copy(struct launch_op *op)
{
	uint64_t done = op->r.u.range.length;

	op->done = done < op->size ? (size_t)done : op->size;
	answer_write(op);
}

/* EXDEV, EOPNOTSUPP: the kernel then copies by reading and writing. */
static void copy_start(struct launch_op *op)
{
	if (op->chan->server != op->chan2->server) {
		launch_op_fail(op, TN_EXDEV);
		return;
	}
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_COPYRANGE, op->chan, &launch_owner);
	op->r.chan2 = op->chan2;
	op->r.u.range.offset = (uint64_t)op->off;
	op->r.u.range.offset2 = (uint64_t)op->from;
	op->r.u.range.length = op->size;
	launch_submit(op, answer_copy);
}

void launch_do_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
    struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
    size_t len, int flags)
{
	struct launch_op *op = launch_op_on_handle(req, out, fi_out);

	(void)in;
	(void)flags;
	if (!op)
		return;
	op->chan2 = tn_chan_get(launch_handle_of(fi_in)->chan);
	op->off = off_out;
	op->from = off_in;
	op->size = len;
	launch_op_run(op, copy_start);
}
