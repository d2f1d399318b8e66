/*
 * Locks of the FUSE door: fcntl(2) F_GETLK, F_SETLK, F_SETLKW with those of open file descriptions, and flock(2).
 *
 * Locks of byte ranges are the server's. One that has none leaves them to the door, which has a table of its own: then the
 * programs of this name space exclude each other, and nobody else. So with flock(2), of which no server knows: on Linux
 * the two kinds are not in each other's way, and one made of the other would be.
 *
 * No server waits, so who wants to wait stands in a queue here. When a lock goes by way of this door, those who wait for
 * that file ask again at once; for what others have, after a pause, a longer one each time, that has a bound.
 *
 * The end of a lock: close(2) sends no unlock but a flush with the owner's number, and that drops what the owner has on
 * the file, by whichever descriptor. With the last close of an open file what was set by it goes, whoever the owner is.
 */
#include "launch/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define PAUSE_MIN_NS  UINT64_C(10000000)
#define PAUSE_MAX_NS  UINT64_C(200000000)
#define PAUSE_HERE_NS UINT64_C(2000000000) /* nobody but this door changes its own table */

/* The file, for the door's own tables: open files of one file have one node. */
static struct tn_lock_key key_of(const struct launch_node *node)
{
	return (struct tn_lock_key){ (uint64_t)(uintptr_t)node, 0 };
}

static struct tn_locks *table_of(struct launch_op *op)
{
	return op->lock.is_flock ? &op->f->flocks : &op->f->locks;
}

/* The kernel's numbers are unique for a mount; the session's makes them so for all doors of a machine. */
static uint64_t owner_of(const struct launch_fuse *f, const struct fuse_file_info *fi)
{
	return fi->lock_owner ^ f->lock_salt;
}

/* ---- owners that have locks at the server ---- */

static uint32_t owner_at(const struct launch_handle *h, uint64_t owner)
{
	uint32_t i = 0;

	while (i < h->n_lockers && h->lockers[i].owner != owner)
		i++;
	return i;
}

static bool note_owner(struct launch_handle *h, uint64_t owner, uint32_t pid)
{
	struct launch_locker *more;

	if (owner_at(h, owner) < h->n_lockers)
		return true;
	more = realloc(h->lockers, (h->n_lockers + 1) * sizeof(*more));
	if (!more)
		return false;
	h->lockers = more;
	h->lockers[h->n_lockers++] = (struct launch_locker){ owner, pid };
	return true;
}

/* As the server was told it; 0: the owner is not noted. */
static uint32_t pid_of(const struct launch_node *node, uint64_t owner)
{
	for (const struct launch_handle *h = node->handles; h; h = h->next) {
		uint32_t i = owner_at(h, owner);

		if (i < h->n_lockers)
			return h->lockers[i].pid;
	}
	return 0;
}

/* false: the owner was not noted for any open file of the node's. */
static bool forget_owner(struct launch_node *node, uint64_t owner)
{
	bool found = false;

	for (struct launch_handle *h = node->handles; h; h = h->next) {
		uint32_t i = owner_at(h, owner);

		if (i == h->n_lockers)
			continue;
		h->lockers[i] = h->lockers[--h->n_lockers];
		found = true;
	}
	return found;
}

/* ---- the queue ---- */

static void ask(struct launch_op *op);

bool launch_lock_waits(const struct launch_op *op)
{
	return op->lock.is_waiting;
}

static void ask_again(struct tn_timer *timer)
{
	struct launch_op *op = (struct launch_op *)((char *)timer -
						    offsetof(struct launch_op, lock.again));

	op->lock.is_waiting = false;
	launch_op_run(op, ask);
}

/* Who stands in the queue already keeps his place. */
static void stand(struct launch_op *op)
{
	struct launch_op **at = &op->f->lock_waiters;

	while (*at && *at != op)
		at = &(*at)->lock.next;
	*at = op;
	op->lock.is_waiting = true;
	op->lock.again.fn = ask_again;
	tn_timer_set(tn_host_loop_core(op->f->hl), &op->lock.again,
	    tn_now_ns() + op->lock.pause_ns);
	op->lock.pause_ns *= 2;
	if (op->lock.pause_ns > op->lock.pause_max_ns)
		op->lock.pause_ns = op->lock.pause_max_ns;
}

void launch_lock_leave(struct launch_op *op)
{
	struct launch_op **at = &op->f->lock_waiters;

	op->lock.is_waiting = false;
	tn_timer_stop(tn_host_loop_core(op->f->hl), &op->lock.again);
	while (*at && *at != op)
		at = &(*at)->lock.next;
	if (*at)
		*at = op->lock.next;
}

/* A lock of the file's has gone, or is less than it was. Not from inside of who made it so: by the loop, in their order. */
static void wake(struct launch_fuse *f, const struct launch_node *node)
{
	for (struct launch_op *op = f->lock_waiters; op; op = op->lock.next) {
		if (op->node != node)
			continue;
		op->lock.pause_ns = PAUSE_MIN_NS; /* who is asking now may have come too early */
		if (op->lock.is_waiting)
			tn_timer_set(tn_host_loop_core(f->hl), &op->lock.again, 1);
	}
}

/* ---- asking ---- */

static void to_server(struct launch_op *op, enum tn_req_type type, uint8_t what, launch_step next)
{
	const struct tn_lock *want = &op->lock.want;
	uint32_t pid = pid_of(op->node, want->owner);

	tn_req_reset(&op->r);
	tn_req_init(&op->r, type, op->chan, &launch_owner);
	op->r.u.lock.start = want->first;
	op->r.u.lock.length = want->last == TN_LOCK_END ? 0 : want->last - want->first + 1;
	op->r.u.lock.owner = want->owner;
	op->r.u.lock.pid = pid ? pid : want->pid;
	op->r.u.lock.type = what;
	op->r.u.lock.waits = type == TN_LOCK && op->lock.sleeps;
	launch_submit(op, next);
}

static void undone(struct launch_op *op)
{
	wake(op->f, op->node);
	launch_op_end(op);
}

/* The caller had EINTR before the lock came: it must not stay. */
static void undo(struct launch_op *op)
{
	op->failed = undone;
	to_server(op, TN_LOCK, TN_LK_UNLOCK, undone);
}

static void granted(struct launch_op *op)
{
	op->failed = NULL;
	if (!op->req && op->lock.want.type != TN_LK_UNLOCK) {
		undo(op);
		return;
	}
	if (op->lock.want.type != TN_LK_WRITE)
		wake(op->f, op->node);
	launch_op_ok(op);
}

/*
 * Who was interrupted waits for nobody: the server is told, so that no circle is seen where there is none any more. Its
 * answer says nothing.
 */
static void stop_waiting(struct launch_op *op)
{
	fuse_req_t req = launch_answering(op);

	launch_lock_leave(op);
	if (req)
		fuse_reply_err(req, EINTR);
	if (op->lock.is_here || op->f->freeing) {
		tn_locks_waits_not(table_of(op), op->lock.want.owner);
		launch_op_end(op);
		return;
	}
	op->failed = launch_op_end;
	to_server(op, TN_GETLOCK, op->lock.want.type, launch_op_end);
}

void launch_lock_stop(struct launch_op *op)
{
	launch_op_run(op, stop_waiting);
}

/* flock(2): who has one kind and asks for the other gives up what he has, whether he gets it or not. */
static void give_up_old(struct launch_op *op)
{
	struct tn_lock none = op->lock.want;
	uint32_t had = op->f->flocks.n_ranges;

	none.type = TN_LK_UNLOCK;
	tn_locks_set(&op->f->flocks, key_of(op->node), &none, false);
	if (op->f->flocks.n_ranges < had) /* else two who wait would wake each other for ever */
		wake(op->f, op->node);
}

static void refused(struct launch_op *op)
{
	enum tn_err why = launch_err_of(op);

	if (why == TN_ENOTSUP && !op->lock.is_here) {
		op->handle->locks_here = true;
		launch_op_run(op, ask);
		return;
	}
	if (op->lock.is_flock && why == TN_EAGAIN)
		give_up_old(op);
	if (!op->lock.sleeps || (why != TN_EAGAIN && why != TN_EINTR))
		launch_op_fail(op, why);
	else if (why == TN_EINTR || !op->req || op->patience.at_ns)
		stop_waiting(op);
	else
		stand(op);
}

static void ask_here(struct launch_op *op)
{
	op->lock.is_here = true;
	op->lock.pause_max_ns = PAUSE_HERE_NS;
	op->err = tn_locks_set(table_of(op), key_of(op->node), &op->lock.want,
	    op->lock.sleeps && !op->lock.is_flock);
	launch_op_run(op, op->err == TN_OK ? granted : refused);
}

static void ask(struct launch_op *op)
{
	const struct tn_lock *want = &op->lock.want;

	if (op->lock.is_flock || op->handle->locks_here) {
		ask_here(op);
		return;
	}
	if (want->type != TN_LK_UNLOCK && !note_owner(op->handle, want->owner, want->pid)) {
		launch_op_fail(op, TN_ENOMEM);
		return;
	}
	op->failed = refused;
	to_server(op, TN_LOCK, want->type, granted);
}

static struct launch_op *op_for(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
    uint8_t type)
{
	struct launch_op *op = launch_op_on_handle(req, ino, fi);

	if (!op)
		return NULL;
	op->lock.want = (struct tn_lock){ .last = TN_LOCK_END,
		.owner = owner_of(op->f, fi),
		.pid = (uint32_t)fuse_req_ctx(req)->pid,
		.type = type,
		.by = op->chan };
	op->lock.pause_ns = PAUSE_MIN_NS;
	op->lock.pause_max_ns = PAUSE_MAX_NS;
	return op;
}

/* ---- fcntl(2) ---- */

static uint8_t type_of(short type)
{
	return type == F_RDLCK ? TN_LK_READ : type == F_WRLCK ? TN_LK_WRITE : TN_LK_UNLOCK;
}

/* The kernel has made a start and a length of whatever the program said; length 0: to the end. */
static struct launch_op *op_for_range(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
    const struct flock *range)
{
	struct launch_op *op = op_for(req, ino, fi, type_of(range->l_type));

	if (!op)
		return NULL;
	op->lock.want.first = (uint64_t)range->l_start;
	if (range->l_len > 0)
		op->lock.want.last = (uint64_t)range->l_start + (uint64_t)range->l_len - 1;
	op->lock.want.pid = (uint32_t)range->l_pid;
	return op;
}

void launch_do_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *range,
    int sleep)
{
	struct launch_op *op = op_for_range(req, ino, fi, range);

	if (!op)
		return;
	op->lock.sleeps = sleep && op->lock.want.type != TN_LK_UNLOCK;
	launch_op_run(op, ask);
}

static void answer_getlk(struct launch_op *op)
{
	static const short
	    types[] = { [TN_LK_READ] = F_RDLCK, [TN_LK_WRITE] = F_WRLCK, [TN_LK_UNLOCK] = F_UNLCK };
	fuse_req_t req = launch_answering(op);
	struct flock found = { .l_type = types[op->r.u.lock.type % TN_COUNT(types)],
		.l_whence = SEEK_SET,
		.l_start = (off_t)op->r.u.lock.start,
		.l_len = (off_t)op->r.u.lock.length,
		.l_pid = (pid_t)op->r.u.lock.pid };

	if (req)
		fuse_reply_lock(req, &found);
	launch_op_end(op);
}

static void getlk_here(struct launch_op *op)
{
	tn_locks_tell(&op->r, tn_locks_conflict(&op->f->locks, key_of(op->node), &op->lock.want));
	answer_getlk(op);
}

static void getlk_refused(struct launch_op *op)
{
	if (launch_err_of(op) == TN_ENOTSUP)
		getlk_here(op);
	else
		launch_op_fail(op, launch_err_of(op));
}

static void getlk_start(struct launch_op *op)
{
	if (op->handle->locks_here) {
		getlk_here(op);
		return;
	}
	op->failed = getlk_refused;
	to_server(op, TN_GETLOCK, op->lock.want.type, answer_getlk);
}

void launch_do_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *range)
{
	struct launch_op *op = op_for_range(req, ino, fi, range);

	if (op)
		launch_op_run(op, getlk_start);
}

/* ---- flock(2) ---- */

void launch_do_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int how)
{
	uint8_t type = how & LOCK_SH ? TN_LK_READ : how & LOCK_EX ? TN_LK_WRITE : TN_LK_UNLOCK;
	struct launch_op *op = op_for(req, ino, fi, type);

	if (!op)
		return;
	op->lock.is_flock = true;
	op->lock.sleeps = !(how & LOCK_NB) && type != TN_LK_UNLOCK;
	launch_op_run(op, ask);
}

/* ---- close(2) ---- */

static void flushed(struct launch_op *op)
{
	wake(op->f, op->node);
	launch_op_ok(op);
}

/* What the server says to it is nothing that a close can fail of: a lost connection has no locks any more. */
static void flush_at_server(struct launch_op *op)
{
	op->failed = flushed;
	to_server(op, TN_LOCK, TN_LK_UNLOCK, flushed);
}

static void flush_here(struct launch_fuse *f, struct launch_node *node, uint64_t owner)
{
	struct tn_lock all = { .last = TN_LOCK_END, .owner = owner, .type = TN_LK_UNLOCK };

	if (f->locks.n_ranges == 0)
		return;
	tn_locks_set(&f->locks, key_of(node), &all, false);
	wake(f, node);
}

/* Data is nothing to flush: a write was at the server before it was answered. */
void launch_do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_fuse *f = launch_door_of(req);
	struct launch_node *node = launch_node_of(f, ino);
	uint32_t pid = pid_of(node, owner_of(f, fi));
	struct launch_op *op;

	flush_here(f, node, owner_of(f, fi));
	if (!forget_owner(node, owner_of(f, fi))) {
		fuse_reply_err(req, 0);
		return;
	}
	op = op_for(req, ino, fi, TN_LK_UNLOCK);
	if (!op)
		return;
	op->lock.want.pid = pid;
	launch_op_run(op, flush_at_server);
}

static void drop_here(struct launch_fuse *f, struct launch_handle *h)
{
	struct tn_lock_key key = key_of(h->node);
	bool had_range, had_flock;
	struct tn_lock span;

	had_range = tn_locks_drop(&f->locks, key, h->chan, &span);
	had_flock = tn_locks_drop(&f->flocks, key, h->chan, &span);
	if (had_range || had_flock)
		wake(f, h->node);
}

static void released(struct launch_op *op)
{
	wake(op->f, op->node);
	launch_handle_close(op->f, op->handle);
	launch_op_ok(op);
}

/* An owner after the other: the clunk would end their locks too, but nobody hears when it has come. */
static void release_owners(struct launch_op *op)
{
	struct launch_handle *h = op->handle;

	if (h->n_lockers == 0) {
		released(op);
		return;
	}
	op->lock.want.owner = h->lockers[--h->n_lockers].owner;
	op->lock.want.pid = h->lockers[h->n_lockers].pid;
	op->failed = release_owners;
	to_server(op, TN_LOCK, TN_LK_UNLOCK, release_owners);
}

void launch_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct launch_fuse *f = launch_door_of(req);
	struct launch_handle *h = launch_handle_of(fi);
	struct launch_op *op;

	drop_here(f, h);
	if (h->n_lockers == 0) {
		launch_handle_close(f, h);
		fuse_reply_err(req, 0);
		return;
	}
	op = op_for(req, ino, fi, TN_LK_UNLOCK);
	if (op)
		launch_op_run(op, release_owners);
	else
		launch_handle_close(f, h);
}
