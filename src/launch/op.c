/*
 * The steps that operations share. An operation is a chain of steps: each starts one thing (a resolution, a request)
 * and names the step behind it. What finishes at once is carried on by the loop in launch_op_run, so that nothing
 * recurses; what is kept comes back through a callback and starts that loop again.
 */
#include "launch/door.h"
#include "launch/notify_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS UINT64_C(500000000)

/* ---- the life of an operation ---- */

struct launch_node *launch_node_of(struct launch_fuse *f, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? f->nodes.root : (struct launch_node *)ino;
}

fuse_ino_t launch_ino_of(struct launch_fuse *f, const struct launch_node *node)
{
	return node == f->nodes.root ? FUSE_ROOT_ID : (fuse_ino_t)node;
}

static void give_up(struct tn_timer *timer)
{
	struct launch_op *op = (struct launch_op *)((char *)timer -
						    offsetof(struct launch_op, patience));
	fuse_req_t req = launch_answering(op);

	if (req)
		fuse_reply_err(req, EINTR);
	launch_op_flush(op);
}

/*
 * FUSE's interrupt: the caller is answered EINTR, a late answer is dropped; launcher.md 5. At once where one may wait for
 * somebody, a pipe or a device or a lock. But files of a disk never say EINTR on Linux, and FUSE interrupts for any signal, a
 * timer's of git as for ^C: elsewhere the answer has PATIENCE_NS to come.
 */
static void interrupted(fuse_req_t req, void *arg)
{
	struct launch_op *op = arg;

	(void)req;
	if (!op->req || op->patience.at_ns)
		return;
	op->f->stats.interrupted++;
	op->patience.fn = give_up;
	tn_timer_set(tn_host_loop_core(op->f->hl), &op->patience,
	    launch_lock_waits(op) || (op->node && op->node->direct) ? 1
								    : tn_now_ns() + PATIENCE_NS);
}

struct launch_op *launch_op_new(struct launch_fuse *f, fuse_req_t req, fuse_ino_t ino)
{
	struct launch_op *op = calloc(1, sizeof(*op));

	f->stats.requests += req != NULL;
	if (!op) {
		if (req) {
			launch_notify_over(f, launch_notify_take(f), ENOMEM);
			fuse_reply_err(req, ENOMEM);
		}
		return NULL;
	}
	if (req) {
		op->echo = launch_notify_take(f);
		launch_notify_asked(f, fuse_req_ctx(req)->pid);
	}
	op->f = f;
	op->req = req;
	op->node = ino ? launch_node_get(launch_node_of(f, ino)) : NULL;
	op->next = f->ops;
	if (f->ops)
		f->ops->prev = op;
	f->ops = op;
	if (req)
		fuse_req_interrupt_func(req, interrupted, op);
	return op;
}

static void op_free(struct launch_op *op)
{
	struct launch_fuse *f = op->f;
	struct launch_op *next_lister = launch_list_leave(op);

	launch_notify_over(f, op->echo, op->error);
	if (op->follow)
		launch_follow_known(op->follow);
	if (op->suspect)
		launch_suspect_known(op);
	if (op->raiser)
		launch_raise_known(op);

	if (op->prev)
		op->prev->next = op->next;
	else
		f->ops = op->next;
	if (op->next)
		op->next->prev = op->prev;
	tn_timer_stop(tn_host_loop_core(f->hl), &op->patience);
	launch_lock_leave(op);
	tn_name_fini(&op->name);
	tn_req_reset(&op->r);
	for (uint32_t i = 0; i < op->n_told; i++)
		launch_node_forget(&f->nodes, op->told[i], 1);
	free(op->told);
	launch_handle_put(f, op->handle);
	tn_chan_put(op->chan);
	tn_chan_put(op->chan2);
	tn_members_put(op->members);
	launch_node_put(&f->nodes, op->node);
	launch_node_put(&f->nodes, op->node2);
	launch_node_put(&f->nodes, op->node3);
	tn_chan_put(op->dir);
	tn_chan_put(op->todir);
	free(op->text);
	free(op->text2);
	free(op->walk_text);
	free(op->data);
	free(op);
	if (next_lister && !f->freeing) /* else it is ended where it waits */
		launch_op_run(next_lister, launch_list);
}

void launch_op_end(struct launch_op *op)
{
	if (op->req) {
		/* Each answer frees fuse's request and clears op->req by the macros of fops.c; none is left behind. */
		fuse_reply_err(op->req, EIO);
		op->req = NULL;
	}
	op->over = true;
	if (!op->in_step)
		op_free(op);
}

void launch_op_errno(struct launch_op *op, int number)
{
	op->error = number;
	if (op->req) {
		if (number)
			op->f->stats.errors++;
		fuse_req_interrupt_func(op->req, NULL, NULL);
		fuse_reply_err(op->req, number);
		op->req = NULL;
	}
	launch_op_end(op);
}

/* Never ENOSYS: the kernel would remember it for the whole connection. */
void launch_op_fail(struct launch_op *op, enum tn_err err)
{
	int number = (int)tn_err_linux(err);

	launch_op_errno(op, number == ENOSYS || number == 0 ? EIO : number);
}

void launch_op_ok(struct launch_op *op)
{
	launch_op_errno(op, 0);
}

void launch_op_flush(struct launch_op *op)
{
	if (op->resolving)
		tn_name_flush(&op->name);
	else if (tn_req_pending(&op->r))
		tn_flush(&op->r);
	else if (launch_list_waits(op))
		launch_op_end(op);
	else if (launch_lock_waits(op))
		launch_lock_stop(op);
}

/* ---- steps ---- */

void launch_op_run(struct launch_op *op, launch_step first)
{
	bool outermost = !op->in_step;

	op->step = first;
	if (!outermost)
		return; /* the loop below is running, further up the stack */
	op->in_step = true;
	while (op->step && !op->over) {
		launch_step step = op->step;

		op->step = NULL;
		step(op);
	}
	op->in_step = false;
	if (op->over)
		op_free(op);
}

enum tn_err launch_err_of(const struct launch_op *op)
{
	return op->err;
}

/*
 * An open file of a connection that was lost is stale from then on. The loss is its cause and stays what is said: the
 * kernel may have met it first, where no program looks (it reads ahead, it has room for a listing's dots).
 */
static enum tn_err cause_of(const struct launch_op *op, enum tn_err err)
{
	if (op->handle && err == TN_ECONNLOST)
		op->handle->lost = true;
	return op->handle && op->handle->lost && err == TN_ESTALE ? TN_ECONNLOST : err;
}

/* Behind a thing that has ended: the step that was meant to follow, or the way of failing. */
static void go_on(struct launch_op *op, enum tn_err err, launch_step next)
{
	err = cause_of(op, err);
	op->err = err;
	if (err == TN_OK) {
		launch_op_run(op, next);
		return;
	}
	if (op->failed) {
		next = op->failed;
		op->failed = NULL;
		launch_op_run(op, next);
		return;
	}
	launch_op_fail(op, err);
}

static void name_done(struct tn_name *n)
{
	struct launch_op *op = n->arg;

	op->resolving = false;
	go_on(op, n->err, op->then);
}

void launch_resolve(struct launch_op *op, struct tn_chan *from, const char *name,
    enum tn_name_for want, uint32_t flags, uint32_t perm, launch_step next)
{
	struct tn_name *n = &op->name;

	tn_name_fini(n);
	memset(n, 0, sizeof(*n));
	n->proc = op->f->proc;
	n->from = from;
	n->name = (struct tn_str){ name, (uint32_t)strlen(name) };
	n->want = want;
	n->flags = flags | TN_OF_NOFOLLOW; /* the kernel follows symbolic links */
	n->perm = perm;
	n->has_gid = op->is_making;
	n->gid = op->maker_gid;
	n->pid = op->req ? (uint32_t)fuse_req_ctx(op->req)->pid : 0;
	n->done = name_done;
	n->arg = op;
	op->then = next;
	op->resolving = true;
	if (tn_name_start(n) == TN_DONE)
		name_done(n);
}

static void req_done(struct tn_req *r)
{
	struct launch_op *op = (struct launch_op *)((char *)r - offsetof(struct launch_op, r));

	go_on(op, (enum tn_err)r->err, op->then);
}

/* Everything that a request points at is the operation's own already: names were copied, data lies in op->data. */
static void req_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct launch_op *op = (struct launch_op *)((char *)r - offsetof(struct launch_op, r));

	launch_attr(op->f, r->chan->server, st, &op->attr);
	op->is_remote = r->chan->server->flags & TN_SF_REMOTE;
	op->attr_direct = launch_is_direct(r->chan->server, st);
	op->dm_bits = st->mode & 0xff000000u;
	op->true_uid = st->valid & TN_ST_NUID ? st->n_uid : TN_NONUNAME;
	op->true_gid = st->valid & TN_ST_NGID ? st->n_gid : TN_NONUNAME;
}

static bool no_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)r;
	(void)st;
	(void)next;
	return false;
}

const struct tn_owner launch_owner = { .done = req_done, .stat = req_stat, .entry = no_entry };

void launch_submit(struct launch_op *op, launch_step next)
{
	op->then = next;
	if (op->req)
		op->r.pid = (uint32_t)fuse_req_ctx(op->req)->pid;
	if (tn_submit(&op->r) == TN_DONE)
		req_done(&op->r);
}

void launch_chan_take(struct launch_op *op, struct tn_chan *c)
{
	struct tn_chan *old = op->chan;

	op->chan = c;
	tn_chan_put(old);
}

void launch_stat(struct launch_op *op, launch_step next)
{
	tn_req_reset(&op->r);
	tn_req_init(&op->r, TN_STAT, op->chan, &launch_owner);
	launch_submit(op, next);
}

/* ---- from a node to its Chan ---- */

static bool has_chan(const struct launch_node *node)
{
	return node->chan && !launch_node_must_walk(node);
}

/* The names from the nearest ancestor with a Chan down to the node: "a/b/c". */
static char *way_down(const struct launch_node *node, const struct launch_node **from)
{
	const struct launch_node *up;
	size_t len = 1, at;
	char *way;

	for (up = node; !has_chan(up); up = up->parent)
		len += up->name_len + 1u;
	*from = up;
	way = malloc(len);
	if (!way)
		return NULL;
	at = len - 1;
	way[at] = '\0';
	for (up = node; !has_chan(up); up = up->parent) {
		way[--at] = '/';
		at -= up->name_len;
		memcpy(way + at, up->name, up->name_len);
	}
	way[len - 2] = '\0'; /* the last one was put behind the node's own name */
	return way;
}

static void walked_again(struct launch_op *op)
{
	struct launch_node *node = op->node2;
	struct tn_chan *c = op->name.chan;
	bool is_it;

	op->name.chan = NULL;
	op->node2 = NULL;
	launch_chan_take(op, tn_chan_get(c));
	is_it = launch_node_walked(&op->f->nodes, node, c);
	launch_node_put(&op->f->nodes, node);
	if (is_it)
		launch_op_run(op, op->after);
	else
		launch_op_fail(op, TN_ESTALE);
}

void launch_node_chan(struct launch_op *op, struct launch_node *node, launch_step next)
{
	const struct launch_node *from;

	if (has_chan(node)) {
		launch_node_used(&op->f->nodes, node);
		launch_chan_take(op, tn_chan_get(node->chan));
		launch_op_run(op, next);
		return;
	}
	if (!node->in_place) { /* removed, or another file has taken its name: nothing leads to it any more */
		launch_op_fail(op, TN_ESTALE);
		return;
	}
	free(op->walk_text);
	op->walk_text = way_down(node, &from);
	if (!op->walk_text) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->f->stats.walked_again++;
	op->node2 = launch_node_get(node);
	op->after = next;
	launch_chan_take(op, tn_chan_get(from->chan));
	launch_resolve(op, op->chan, op->walk_text, node->is_dir ? TN_FOR_TARGET : TN_FOR_ACCESS, 0,
	    0, walked_again);
}

static void crossed(struct launch_op *op)
{
	tn_members_put(op->members);
	op->members = op->name.members;
	op->name.members = NULL;
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	launch_op_run(op, op->after);
}

static void cross(struct launch_op *op)
{
	op->after = op->shown;
	launch_resolve(op, op->chan, "", TN_FOR_ACCESS, 0, 0, crossed);
}

/* The Chan of one of the open files: what a file that was removed while open is known by. */
static struct tn_chan *open_chan(const struct launch_node *node)
{
	return node->handles ? node->handles->chan : NULL;
}

void launch_node_shown(struct launch_op *op, struct launch_node *node, launch_step next)
{
	tn_members_put(op->members);
	op->members = NULL;
	op->shown = next;
	if (node->is_dir) {
		launch_node_chan(op, node, cross);
		return;
	}
	if (!node->chan && open_chan(node)) {
		launch_chan_take(op, tn_chan_get(open_chan(node)));
		launch_op_run(op, next);
		return;
	}
	launch_node_chan(op, node, next);
}
