/*
 * Requests being served and the messages they wait for. A tag belongs to one rpc until its answer has come and, if it
 * was flushed, Rflush behind it: flush(5). An rpc whose op has ended meanwhile keeps its tag and its fids, and its late
 * answer is seen to.
 */
#include "link/client.h"

enum { RPCS_FIRST = 16, UNUSED_TAG = 0xfffe };

/* ---- queues of ops ---- */

static void unwait(struct tn_op *op)
{
	if (!op->queue)
		return;
	if (op->q_prev)
		op->q_prev->q_next = op->q_next;
	else
		op->queue->first = op->q_next;
	if (op->q_next)
		op->q_next->q_prev = op->q_prev;
	else
		op->queue->last = op->q_prev;
	op->q_next = op->q_prev = NULL;
	op->queue = NULL;
}

void tn_op_wait(struct tn_op *op, struct tn_opq *queue)
{
	unwait(op);
	op->queue = queue;
	op->q_prev = queue->last;
	if (queue->last)
		queue->last->q_next = op;
	else
		queue->first = op;
	queue->last = op;
}

void tn_op_wake_all(struct tn_client *client, struct tn_opq *queue)
{
	struct tn_op *op;

	while ((op = queue->first) != NULL)
		tn_op_wait(op, &client->runnable);
	if (client->runnable.first)
		tn_loop_defer(client->loop, &client->task);
}

void tn_op_run_all(struct tn_client *client)
{
	struct tn_op *op;

	while ((op = client->runnable.first) != NULL) {
		unwait(op);
		tn_op_go(op);
	}
}

/* ---- rpcs ---- */

static bool grow_rpcs(struct tn_client *client)
{
	uint32_t size = client->rpcs_size ? client->rpcs_size * 2 : RPCS_FIRST;
	struct tn_rpc **rpcs;

	if (client->n_rpcs < client->rpcs_size)
		return true;
	rpcs = tn_realloc(client->rpcs, client->rpcs_size * sizeof(struct tn_rpc *),
	    size * sizeof(struct tn_rpc *));
	if (!rpcs)
		return false;
	if (client->rpcs_size == 0) {
		rpcs[0] = &client->probe; /* tag 0 */
		client->n_rpcs = 1;
	}
	client->rpcs = rpcs;
	client->rpcs_size = size;
	return true;
}

static struct tn_rpc *take_rpc(struct tn_client *client)
{
	struct tn_rpc *rpc = client->free_rpcs;

	if (rpc) {
		client->free_rpcs = rpc->next;
		return rpc;
	}
	if (!grow_rpcs(client))
		return NULL;
	rpc = tn_alloc(sizeof(*rpc));
	if (!rpc)
		return NULL;
	rpc->tag = (uint16_t)client->n_rpcs;
	client->rpcs[client->n_rpcs++] = rpc;
	return rpc;
}

struct tn_rpc *tn_rpc_new(struct tn_client *client, struct tn_op *op, const struct tn_step *step,
    struct tn_mfid *fid, struct tn_mfid *newfid, enum tn_err *err)
{
	struct tn_rpc *rpc;
	uint16_t tag;

	*err = op && op->flushed ? TN_EINTR : TN_ELIMIT_REQS;
	if ((op && op->flushed) || client->rpcs_used >= (op ? TN_OP_RPCS_MAX : TN_RPCS_MAX))
		return NULL;
	*err = TN_ENOMEM;
	rpc = take_rpc(client);
	if (!rpc)
		return NULL;
	tag = rpc->tag;
	memset(rpc, 0, sizeof(*rpc));
	rpc->tag = tag;
	rpc->step = step;
	rpc->fid = fid ? tn_mfid_get(fid) : NULL;
	rpc->newfid = newfid ? tn_mfid_get(newfid) : NULL;
	rpc->op = op;
	if (op) {
		rpc->op_next = op->rpcs;
		op->rpcs = rpc;
	}
	client->rpcs_used++;
	return rpc;
}

/* The op waits for it no more. */
static void leave_op(struct tn_rpc *rpc)
{
	struct tn_rpc **at;

	if (!rpc->op)
		return;
	for (at = &rpc->op->rpcs; *at != rpc; at = &(*at)->op_next)
		continue;
	*at = rpc->op_next;
	rpc->op = NULL;
	rpc->op_next = NULL;
}

/* The tag is free. The fids that the rpc names become the caller's to put. */
static void free_tag(struct tn_client *client, struct tn_rpc *rpc)
{
	rpc->state = TN_RPC_FREE;
	rpc->fid = rpc->newfid = NULL;
	rpc->victim = NULL;
	rpc->next = client->free_rpcs;
	client->free_rpcs = rpc;
	client->rpcs_used--;
	if (client->crowd.first && client->rpcs_used < TN_STARTS_MAX) {
		tn_op_wait(client->crowd.first, &client->runnable);
		tn_loop_defer(client->loop, &client->task);
	}
}

static void release(struct tn_client *client, struct tn_rpc *rpc)
{
	struct tn_mfid *fid = rpc->fid, *newfid = rpc->newfid;

	leave_op(rpc);
	free_tag(client, rpc);
	tn_mfid_put(client, newfid);
	tn_mfid_put(client, fid);
}

/* ---- sending ---- */

static void enqueue(struct tn_client *client, struct tn_rpc *rpc)
{
	rpc->state = TN_RPC_QUEUED;
	rpc->next = NULL;
	rpc->prev = client->queue_last;
	if (client->queue_last)
		client->queue_last->next = rpc;
	else
		client->queue = rpc;
	client->queue_last = rpc;
}

static void dequeue(struct tn_client *client, struct tn_rpc *rpc)
{
	if (rpc->prev)
		rpc->prev->next = rpc->next;
	else
		client->queue = rpc->next;
	if (rpc->next)
		rpc->next->prev = rpc->prev;
	else
		client->queue_last = rpc->prev;
	rpc->next = rpc->prev = NULL;
}

static enum tn_put put(struct tn_client *client, struct tn_rpc *rpc)
{
	struct tn_msg m;

	m.type = rpc->step->type;
	m.tag = rpc->tag;
	if (rpc->fid)
		m.fid = rpc->fid->number;
	if (rpc->newfid)
		m.newfid = rpc->newfid->number;
	if (rpc->step->fill)
		rpc->step->fill(rpc, &m);
	return tn_client_put_msg(client, &m);
}

static enum tn_err put_err(enum tn_put how)
{
	return how == TN_PUT_NEVER ? TN_ENAMETOOLONG : TN_ENOMEM;
}

bool tn_rpc_send(struct tn_client *client, struct tn_rpc *rpc, enum tn_err *err)
{
	enum tn_put how = client->queue ? TN_PUT_LATER : put(client, rpc);

	if (how == TN_PUT_LATER) {
		enqueue(client, rpc);
		return true;
	}
	if (how == TN_PUT_OK) {
		rpc->state = TN_RPC_SENT;
		return true;
	}
	*err = put_err(how);
	release(client, rpc);
	return false;
}

void tn_op_send(struct tn_op *op, const struct tn_step *step, struct tn_mfid *fid,
    struct tn_mfid *newfid)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(op->client, op, step, fid, newfid, &err);

	if (!rpc || !tn_rpc_send(op->client, rpc, &err))
		tn_op_fail(op, err);
}

void tn_rpcs_pump(struct tn_client *client)
{
	struct tn_rpc *rpc;

	while ((rpc = client->queue) != NULL) {
		enum tn_put how = put(client, rpc);
		struct tn_op *op = rpc->op;

		if (how == TN_PUT_LATER)
			return;
		dequeue(client, rpc);
		rpc->state = TN_RPC_SENT;
		if (how == TN_PUT_OK)
			continue;
		release(client, rpc);
		if (op)
			tn_op_fail(op, put_err(how));
	}
}

/* ---- flushing ---- */

static void fill_flush(const struct tn_rpc *rpc, struct tn_msg *m)
{
	m->oldtag = rpc->victim ? rpc->victim->tag : UNUSED_TAG;
}

static const struct tn_step flush_step = { .type = TN_TFLUSH, .fill = fill_flush };

/* Without a tag or memory for it the rpc just stays outstanding. */
static void send_flush(struct tn_client *client, struct tn_rpc *victim)
{
	enum tn_err err;
	struct tn_rpc *rpc = tn_rpc_new(client, NULL, &flush_step, NULL, NULL, &err);

	if (!rpc)
		return;
	rpc->victim = victim;
	if (!tn_rpc_send(client, rpc, &err))
		return;
	victim->state = TN_RPC_FLUSHING;
	client->stats.flushes++;
}

/* flush(5): Rflush came without an answer before it: the request was never carried out. */
static void cancelled(struct tn_client *client, struct tn_rpc *rpc)
{
	struct tn_op *op = rpc->op;

	release(client, rpc);
	if (op && !op->rpcs)
		tn_mnt_drained(op);
}

static void flushed(struct tn_client *client, struct tn_rpc *victim)
{
	if (!victim)
		return;
	if (victim->state == TN_RPC_ANSWERED)
		release(client, victim);
	else
		cancelled(client, victim);
}

void tn_rpcs_probe(struct tn_client *client)
{
	client->probe.step = &flush_step;
	if (put(client, &client->probe) != TN_PUT_OK)
		return; /* no room: output does not leave, and silence says the rest */
	client->probe.state = TN_RPC_SENT;
	client->probing = true;
}

/* ---- answers ---- */

/* The rpc's part in the answer: its tag is free or reserved, its fids are the copy's. */
static struct tn_rpc take_answered(struct tn_client *client, struct tn_rpc *rpc)
{
	struct tn_rpc was = *rpc;

	leave_op(rpc);
	if (rpc->state == TN_RPC_FLUSHING) {
		rpc->state = TN_RPC_ANSWERED;
		rpc->fid = rpc->newfid = NULL;
	} else {
		free_tag(client, rpc);
	}
	return was;
}

static const char *hand_over(struct tn_client *client, const struct tn_rpc *was,
    const struct tn_msg *m)
{
	const struct tn_step *step = was->step;

	if (step == &flush_step) {
		flushed(client, was->victim);
		return NULL;
	}
	if (!was->op) {
		if (step->late && !tn_is_error(m))
			step->late(client, was, m);
		return NULL;
	}
	if (!tn_is_error(m))
		return step->answer(was, m);
	if (step->refused)
		step->refused(was, m);
	else
		tn_op_refused(was->op, m);
	return NULL;
}

const char *tn_rpcs_answer(struct tn_client *client, const struct tn_msg *m)
{
	struct tn_rpc *rpc = m->tag < client->n_rpcs ? client->rpcs[m->tag] : NULL;
	struct tn_rpc was;
	const char *wrong;

	if (!rpc || (rpc->state != TN_RPC_SENT && rpc->state != TN_RPC_FLUSHING))
		return "answer with an unknown tag";
	if (!tn_is_error(m) && m->type != rpc->step->type + 1)
		return "answer of the wrong type";
	if (tn_is_error(m))
		client->stats.errors++;
	if (rpc == &client->probe) {
		rpc->state = TN_RPC_FREE;
		client->probing = false;
		return NULL;
	}
	was = take_answered(client, rpc);
	wrong = hand_over(client, &was, m);
	tn_mfid_put(client, was.newfid);
	tn_mfid_put(client, was.fid);
	if (client->unclunked)
		tn_mfids_clunk(client);
	return wrong;
}

void tn_rpcs_forget(struct tn_client *client)
{
	client->queue = client->queue_last = NULL;
	client->probe.state = TN_RPC_FREE;
	client->probing = false;
	for (uint32_t i = 1; i < client->n_rpcs; i++) {
		if (client->rpcs[i]->state != TN_RPC_FREE)
			release(client, client->rpcs[i]);
	}
	tn_mfids_clunk(client);
}

void tn_rpcs_free(struct tn_client *client)
{
	for (uint32_t i = 1; i < client->n_rpcs; i++)
		tn_free(client->rpcs[i]);
	tn_free(client->rpcs);
}

/* ---- ops ---- */

struct tn_op *tn_op_new(struct tn_client *client, struct tn_req *r, enum tn_err *err)
{
	struct tn_op *op = client->free_ops;
	uint64_t now = tn_now_ns();

	*err = TN_ENOMEM;
	if (op) {
		client->free_ops = op->next;
		client->n_free_ops--;
		memset(op, 0, sizeof(*op));
	} else {
		op = tn_alloc(sizeof(*op));
	}
	if (!op)
		return NULL;
	op->client = client;
	op->r = r;
	op->deadline_ns = tn_add_ns(now, client->soft_ns);
	if (r->deadline_ns != 0 && r->deadline_ns < op->deadline_ns)
		op->deadline_ns = r->deadline_ns;
	if (!client->ops)
		client->quiet_ns = now;
	op->next = client->ops;
	if (client->ops)
		client->ops->prev = op;
	client->ops = op;
	tn_client_arm(client, op->deadline_ns);
	tn_client_arm(client, tn_add_ns(client->quiet_ns, client->soft_ns / 2));
	return op;
}

/* Off every list; what it holds is let go; the struct is spare. */
void tn_op_drop(struct tn_op *op)
{
	struct tn_client *client = op->client;
	struct tn_mfid *newfid = op->newfid;
	struct tn_root *root = op->root;
	struct tn_elem *name = op->name;

	unwait(op);
	tn_op_release(op);
	tn_free(op->looks);
	if (op->prev)
		op->prev->next = op->next;
	else
		client->ops = op->next;
	if (op->next)
		op->next->prev = op->prev;
	op->next = client->free_ops;
	client->free_ops = op;
	client->n_free_ops++;
	tn_mfid_put(client, newfid);
	tn_root_put(client, root);
	tn_elem_put(client, name);
}

void tn_op_free_spare(struct tn_client *client, uint32_t n_left)
{
	while (client->n_free_ops > n_left) {
		struct tn_op *op = client->free_ops;

		client->free_ops = op->next;
		client->n_free_ops--;
		tn_free(op);
	}
}

/* Nobody will wait for the rpc: it is taken back if it was not sent, else flushed. */
static void abandon(struct tn_client *client, struct tn_rpc *rpc)
{
	if (rpc->state == TN_RPC_QUEUED) {
		dequeue(client, rpc);
		release(client, rpc);
		return;
	}
	leave_op(rpc);
	if (rpc->step->unsure && rpc->fid)
		rpc->fid->flags |= TN_MFID_STALE;
	if (rpc->state == TN_RPC_SENT && rpc->step->type != TN_TCLUNK)
		send_flush(client, rpc);
}

void tn_op_done(struct tn_op *op)
{
	struct tn_req *r = op->r;

	while (op->rpcs)
		abandon(op->client, op->rpcs);
	r->keeper = NULL;
	tn_op_drop(op);
	tn_respond(r);
}

void tn_op_fail(struct tn_op *op, enum tn_err err)
{
	tn_fail(op->r, err);
	tn_op_done(op);
}

/* A number that the table does not have is told as a number. */
static void note_number(struct tn_op *op, uint32_t number)
{
	static const char what[] = "error number ";
	char text[sizeof(what) + 10], *at = text + sizeof(text);

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	at -= sizeof(what) - 1;
	memcpy(at, what, sizeof(what) - 1);
	tn_fail_words(op->r, TN_EREMOTE, at, (size_t)(text + sizeof(text) - at));
}

void tn_op_note(struct tn_op *op, const struct tn_msg *m)
{
	enum tn_err err = tn_client_err(op->client, m);

	if (m->type == TN_RERROR && m->ename.len > 0)
		tn_fail_words(op->r, err, m->ename.s, m->ename.len);
	else if (m->type == TN_RLERROR && err == TN_EREMOTE)
		note_number(op, m->error);
	else
		tn_fail(op->r, err);
}

void tn_op_refused(struct tn_op *op, const struct tn_msg *m)
{
	tn_op_note(op, m);
	tn_op_done(op);
}

/* What was not sent is taken back, what was is flushed. A clunk is carried out. */
void tn_op_flush(struct tn_op *op)
{
	struct tn_client *client = op->client;
	uint64_t by_ns = tn_add_ns(tn_now_ns(), client->soft_ns);
	struct tn_rpc *rpc, *next;

	if (op->r->type == TN_CLUNK)
		return;
	op->flushed = true;
	if (by_ns < op->deadline_ns)
		op->deadline_ns = by_ns;
	tn_client_arm(client, op->deadline_ns);
	for (rpc = op->rpcs; rpc; rpc = next) {
		next = rpc->op_next;
		if (rpc->state == TN_RPC_QUEUED) {
			dequeue(client, rpc);
			release(client, rpc);
		} else if (rpc->state == TN_RPC_SENT && rpc->step->type != TN_TCLUNK) {
			send_flush(client, rpc);
		}
	}
	if (!op->rpcs)
		tn_mnt_drained(op);
}

/* Whether an op that needs f can go on, as far as f is concerned: it does not wait for f, and has not failed. */
static bool may_use(struct tn_op *op, struct tn_mfid *f)
{
	if (f->flags & TN_MFID_WALKING) {
		tn_op_wait(op, &f->waiting);
		return false;
	}
	if (f->flags & TN_MFID_STALE || (f->flags & TN_MFID_OPEN && !tn_mfid_live(op->client, f))) {
		tn_op_fail(op, TN_ESTALE);
		return false;
	}
	return true;
}

/* The first of the op's fids that the peer does not know, or NULL. */
static struct tn_mfid *lost_of(const struct tn_op *op)
{
	if (op->fid && !tn_mfid_live(op->client, op->fid))
		return op->fid;
	return op->fid2 && !tn_mfid_live(op->client, op->fid2) ? op->fid2 : NULL;
}

void tn_op_go(struct tn_op *op)
{
	struct tn_client *client = op->client;
	struct tn_req *r = op->r;

	if ((op->fid && !may_use(op, op->fid)) || (op->fid2 && !may_use(op, op->fid2)))
		return;
	if (client->state != TN_CLIENT_READY) {
		tn_op_wait(op, &client->waiting);
		tn_loop_defer(client->loop, &client->task);
		return;
	}
	op->lost = lost_of(op);
	if (op->lost) {
		tn_mfid_recover(op);
		return;
	}
	op->crowded = client->rpcs_used >= TN_STARTS_MAX;
	if (op->crowded) {
		tn_op_wait(op, &client->crowd);
		return;
	}
	op->started = true;
	if (tn_mnt_may_block(r->type))
		op->deadline_ns = r->deadline_ns ? r->deadline_ns : UINT64_MAX;
	tn_mnt_start(op);
}
