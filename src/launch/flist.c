/*
 * Directories of the FUSE door: opening and listing. namespace-semantics.md 6: a name of a union is listed once.
 */
#include "core/union.h"
#include "launch/door.h"

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

/* ---- what was given, for seekdir and for unions ---- */

/* Behind this cookie comes entry `number`. Without memory a later seekdir reads from the start. */
static void mark(struct launch_handle *h)
{
	uint64_t i = h->number - 2, *marks;

	if (i > h->n_marks || i >= UINT32_MAX / 2)
		return;
	if (i == h->marks_size) {
		marks = realloc(h->marks, (i ? i * 2 : 64) * sizeof(*marks));
		if (!marks)
			return;
		h->marks = marks;
		h->marks_size = (uint32_t)(i ? i * 2 : 64);
	}
	h->marks[i] = h->cookie;
	if (i == h->n_marks)
		h->n_marks++;
}

static void rewind_handle(struct launch_handle *h)
{
	h->number = h->cookie = 0;
	if (h->names)
		launch_names_clear(h->names);
}

/*
 * Offsets are the door's own: the number of the entry. Where that is not where the last answer ended (seekdir), it is
 * gone to by what was marked; in a union, which must know all the names before it, and where the server cannot, by
 * reading from the start and passing over as many.
 */
static void seek_handle(struct launch_handle *h, uint64_t number)
{
	if (number == h->number)
		return;
	if (number < 2 || h->is_union || number - 2 >= h->n_marks) {
		rewind_handle(h);
		return;
	}
	h->number = number;
	h->cookie = h->marks[number - 2];
}

/* ---- entries ---- */

/* A name that is no name of Linux's cannot be shown; the server is told of no error for it. */
static bool is_showable(struct tn_str name)
{
	return name.len > 0 && name.len <= 255 && !memchr(name.s, '/', name.len) &&
	       !memchr(name.s, '\0', name.len);
}

/* In a union the first of a name wins. false: no memory to know. */
static bool is_first(struct launch_op *op, struct tn_str name, bool *first)
{
	struct launch_handle *h = op->handle;

	*first = true;
	if (!h->is_union)
		return true;
	if (!h->names)
		h->names = calloc(1, sizeof(*h->names));
	if (h->names && launch_names_add(h->names, name, first))
		return true;
	op->list_err = TN_ENOMEM;
	return false;
}

static size_t pack(struct launch_op *op, uint8_t *to, size_t room, const char *name,
    const struct fuse_entry_param *e)
{
	off_t next = (off_t)op->handle->number + 1;

	if (op->plus)
		return fuse_add_direntry_plus(op->req, (char *)to, room, name, e, next);
	return fuse_add_direntry(op->req, (char *)to, room, name, &e->attr, next);
}

static bool has_room(struct launch_op *op, const char *name)
{
	struct fuse_entry_param none = { .ino = 0 };

	op->full = pack(op, NULL, 0, name, &none) > op->size - op->done;
	return !op->full;
}

/*
 * May the kernel take the stat of this entry for a lookup's? Only when a lookup would cost a message, when the stat is
 * whole, and when it is that of the place: a directory may be a mount point, and is then shown as what covers it.
 */
static bool tells_all(struct launch_op *op, struct tn_req *r, const struct tn_stat *st)
{
	const uint32_t need = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_MTIME;
	const struct tn_server *server = tn_entry_server(r);
	bool is_bare = tn_chan_behind(r->chan) == r->chan;

	return op->plus && (server->flags & TN_SF_REMOTE) && (st->valid & need) == need &&
	       (is_bare || !(st->qid.type & TN_QTDIR)) && !launch_is_direct(server, st);
}

static bool keep_told(struct launch_op *op)
{
	struct launch_node **told;

	if (op->n_told < op->told_size)
		return true;
	told = realloc(op->told, (op->told_size + 64) * sizeof(struct launch_node *));
	if (!told)
		return false;
	op->told = told;
	op->told_size += 64;
	return true;
}

/* Makes the entry one that the kernel counts as a lookup. Without memory it stays a bare name. */
static void tell_all(struct launch_op *op, struct tn_req *r, const struct tn_stat *st,
    struct fuse_entry_param *e)
{
	struct launch_node *node;
	uint64_t instance = tn_entry_server(r)->instance;

	if (!keep_told(op))
		return;
	node = launch_node_listed(&op->f->nodes, op->node, st->name, instance, st->qid);
	if (!node)
		return;
	op->told[op->n_told++] = node;
	op->attr = e->attr;
	op->attr_direct = false;
	op->is_remote = true;
	launch_fill_entry(op, node, e);
	if (e->entry_timeout < LAUNCH_FRESH_S)
		e->entry_timeout = LAUNCH_FRESH_S;
}

static void put_entry(struct launch_op *op, const char *name, const struct fuse_entry_param *e)
{
	op->done += pack(op, op->data + op->done, op->size - op->done, name, e);
	op->handle->number++;
}

static void show_entry(struct launch_op *op, struct tn_req *r, const struct tn_stat *st,
    const char *name)
{
	struct fuse_entry_param e = { .ino = 0 };

	launch_attr(op->f, tn_entry_server(r), st, &e.attr);
	if (st->mode & TN_DMDEVICE) /* a listing need not say which kind, readdir(3): DT_UNKNOWN */
		e.attr.st_mode &= ~(mode_t)S_IFMT;
	if (tells_all(op, r, st))
		tell_all(op, r, st, &e);
	put_entry(op, name, &e);
}

/* false: no room for it. Entries before the one that was asked for are counted only. */
static bool take_entry(struct launch_op *op, struct tn_req *r, const struct tn_stat *st)
{
	bool passed = op->handle->number < (uint64_t)op->off, first;
	char name[256];

	if (!is_showable(st->name))
		return true;
	memcpy(name, st->name.s, st->name.len);
	name[st->name.len] = '\0';
	if (!passed && !has_room(op, name))
		return false;
	if (!is_first(op, st->name, &first))
		return false;
	if (first && passed)
		op->handle->number++;
	else if (first)
		show_entry(op, r, st, name);
	return true;
}

static bool dir_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct launch_op *op = (struct launch_op *)((char *)r - offsetof(struct launch_op, r));

	if (!op->req || op->full || op->list_err || !take_entry(op, r, st))
		return false;
	op->handle->cookie = next;
	mark(op->handle);
	op->any = true;
	return true;
}

/* ---- the listing ---- */

static void dir_done(struct tn_req *r)
{
	launch_owner.done(r);
}

static const struct tn_owner dir_owner = { .done = dir_done, .entry = dir_entry };

static void answer_readdir(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);

	if (req && fuse_reply_buf(req, (char *)op->data, op->done) == 0)
		op->n_told = 0; /* the kernel has counted them */
	launch_op_end(op);
}

static void readdir_more(struct launch_op *op);

static void readdir_failed(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (op->done > 0) {
		answer_readdir(op);
	} else if (why == TN_EBADOFFSET && !op->tried) {
		op->tried = true;
		rewind_handle(op->handle);
		op->handle->number = 2;
		readdir_more(op);
	} else {
		launch_op_fail(op, why);
	}
}

static void readdir_some(struct launch_op *op)
{
	op->failed = NULL;
	if (op->list_err && op->done == 0)
		launch_op_fail(op, op->list_err);
	else if (op->full || op->list_err || !op->any || !op->req)
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
	op->r.flags = op->plus ? TN_OF_STATS : 0;
	op->r.u.readdir.offset = op->handle->cookie;
	op->r.u.readdir.count = (uint32_t)(op->size - op->done);
	launch_submit(op, readdir_some);
}

/* "." and "..", which no server lists. What lies above is not asked for: the number is that of the node's place. */
static void put_dots(struct launch_op *op)
{
	static const char *const names[] = { ".", ".." };
	struct launch_handle *h = op->handle;
	const struct launch_node *above = h->node->parent ? h->node->parent : h->node;
	const struct tn_chan *c = tn_chan_behind(h->chan);
	const uint64_t numbers[] = { launch_ino_number(c->server->instance, c->qid.path),
		launch_ino_number(above->instance, above->qid_path) };

	while (h->number < 2 && !op->full) {
		struct fuse_entry_param e = { .ino = 0 };
		unsigned i = (unsigned)h->number;

		e.attr.st_mode = S_IFDIR;
		e.attr.st_ino = numbers[i];
		if (h->number < (uint64_t)op->off)
			h->number++;
		else if (has_room(op, names[i]))
			put_entry(op, names[i], &e);
	}
	if (h->number == 2)
		mark(h);
}

void launch_list(struct launch_op *op)
{
	op->has_begun = true;
	seek_handle(op->handle, (uint64_t)op->off);
	if (op->handle->number < 2)
		put_dots(op);
	if (op->full)
		answer_readdir(op);
	else
		readdir_more(op);
}

/*
 * A server lists a Chan one request at a time. The kernel sees to that, but for a program that was interrupted: it may
 * come again before the server has let go of the listing that was flushed.
 */
static void list_in_turn(struct launch_op *op)
{
	struct launch_op **at = &op->handle->listers;

	while (*at)
		at = &(*at)->next_lister;
	*at = op;
	op->is_listing = true;
	if (op->handle->listers == op)
		launch_op_run(op, launch_list);
}

bool launch_list_waits(const struct launch_op *op)
{
	return op->is_listing && !op->has_begun;
}

struct launch_op *launch_list_leave(struct launch_op *op)
{
	struct launch_op **at;

	if (!op->is_listing)
		return NULL;
	for (at = &op->handle->listers; *at != op; at = &(*at)->next_lister)
		continue;
	*at = op->next_lister;
	return op->has_begun ? op->handle->listers : NULL;
}

static void readdir_as(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi, bool plus)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op || !launch_op_data(op, size))
		return;
	op->size = size;
	op->off = off;
	op->plus = plus;
	list_in_turn(op);
}

void launch_do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	readdir_as(req, ino, size, off, fi, false);
}

void launch_do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	readdir_as(req, ino, size, off, fi, true);
}
