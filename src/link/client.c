/*
 * The life of a client: dialling, the loss of a connection, dialling again. What waits for a connection is failed with
 * its end, whether it was sent or not; nothing is sent twice. The version is agreed on in offer.c.
 */
#include "link/client.h"

#include "link/mnt.h"

enum {
	LABEL_SHOWN = 160, /* bytes of a label in a message */
	VERSION_SHOWN = 64,
	DIAL_DOUBLINGS = 4
};

static const uint64_t second_ns = 1000000000u;
static const uint64_t dial_again_ns = 100000000u;
/* What is believed for less than that costs more than asking anew. */
static const uint64_t believe_min_ns = 20000000u;

static void turn(struct tn_task *task);

/* ---- words ---- */

static void say_bytes(struct tn_loss *w, const char *s, size_t len)
{
	if (len > sizeof(w->s) - w->len)
		len = sizeof(w->s) - w->len;
	memcpy(w->s + w->len, s, len);
	w->len += len;
}

static void say(struct tn_loss *w, const char *s)
{
	say_bytes(w, s, tn_strlen(s));
}

static void say_label(struct tn_loss *w, const struct tn_client *client)
{
	size_t len = tn_strlen(client->label);

	say_bytes(w, client->label, len < LABEL_SHOWN ? len : LABEL_SHOWN);
}

/* What a peer said, so that it cannot draw on a terminal. */
static void say_foreign(struct tn_loss *w, struct tn_str s)
{
	for (uint32_t i = 0; i < s.len && i < VERSION_SHOWN; i++) {
		char c = s.s[i] >= ' ' && s.s[i] <= '~' ? s.s[i] : '?';

		say_bytes(w, &c, 1);
	}
}

static void say_lost(struct tn_loss *w, const struct tn_client *client, const char *why)
{
	w->len = 0;
	say(w, "connection lost: ");
	say_label(w, client);
	if (why) {
		say(w, ": ");
		say(w, why);
	}
}

static void fail_words(struct tn_op *op, enum tn_err err, const struct tn_loss *w)
{
	tn_fail_words(op->r, err, w->s, w->len);
	tn_op_done(op);
}

void tn_op_fail_lost(struct tn_op *op, const char *why)
{
	struct tn_loss w;

	say_lost(&w, op->client, why);
	fail_words(op, TN_ECONNLOST, &w);
}

void tn_op_fail_late(struct tn_op *op)
{
	struct tn_loss w = { .len = 0 };

	say(&w, "no answer: ");
	say_label(&w, op->client);
	fail_words(op, TN_ETIMEDOUT, &w);
}

/* ---- the transport ---- */

void tn_client_tell(struct tn_client *client)
{
	if (client->stream.transport)
		client->stream.transport->ready(&client->stream);
}

/* We let go of the transport: not from where we stand, it may be what has called us. */
static void drop_transport(struct tn_client *client)
{
	if (!client->stream.transport)
		return;
	client->dropping = true;
	client->stream.closing = true;
	tn_client_tell(client);
	tn_loop_defer(client->loop, &client->task);
}

static void drop_now(struct tn_client *client)
{
	const struct tn_transport_ops *transport = client->stream.transport;

	client->dropping = false;
	client->stream.closing = false;
	client->stream.transport = NULL;
	if (transport)
		transport->detached(&client->stream);
}

/* ---- the end of a connection, or of the attempt to get one ---- */

static void doom_all(struct tn_client *client)
{
	for (struct tn_op *op = client->ops; op; op = op->next)
		tn_op_wait(op, &client->doomed);
}

/*
 * What took long to find out of a peer that is not there is believed for a while: who asks meanwhile has the same answer
 * at once. The kernel asks twice for a name that it knew, and lets those who want the same name or directory ask one after
 * the other: were each to find out for itself, the last would wait for many bounds. A refusal comes at once and is never
 * believed: the next use finds the server that has come in the meantime. Whoever waits without a bound waits for the next
 * dial, and the longer the more have failed.
 */
static uint64_t believe_ns(const struct tn_client *client, uint64_t now)
{
	uint32_t n = client->dial_fails - 1;
	uint64_t took = now - client->asked_ns;

	if (client->soft_ns == UINT64_MAX)
		return dial_again_ns << (n < DIAL_DOUBLINGS ? n : DIAL_DOUBLINGS);
	if (took / 4 > second_ns)
		return second_ns;
	return took / 4 > believe_min_ns ? took / 4 : 0;
}

static void fail_waiting(struct tn_client *client)
{
	struct tn_op *op;

	while ((op = client->waiting.first) != NULL)
		tn_op_wait(op, &client->doomed);
	while ((op = client->doomed.first) != NULL)
		fail_words(op, client->why_err, &client->why);
}

/*
 * No connection any more: every op fails, whether it was sent or not. Nothing is sent twice. Ops that the owners start
 * meanwhile are not among the doomed and wait for the next connection.
 */
static void down(struct tn_client *client, enum tn_err err, const struct tn_loss *w)
{
	struct tn_op *op;
	uint64_t now = tn_now_ns();

	client->state = TN_CLIENT_DOWN;
	client->generation++;
	client->dial_fails = client->good ? 0 : client->dial_fails + 1;
	client->dial_at_ns = client->dial_fails > 0 ? now + believe_ns(client, now) : 0;
	client->good = false;
	client->why = *w;
	client->why_err = err;
	doom_all(client);
	tn_rpcs_forget(client);
	tn_client_reset(client);
	drop_transport(client);
	while ((op = client->doomed.first) != NULL)
		fail_words(op, err, w);
	tn_loop_defer(client->loop, &client->task);
}

void tn_client_lost(struct tn_client *client, const char *why)
{
	struct tn_loss w;

	client->stats.losses++;
	say_lost(&w, client, why);
	if (why)
		tn_log(w.s, w.len);
	down(client, TN_ECONNLOST, &w);
}

void tn_client_refuse(struct tn_client *client, const char *what, struct tn_str said)
{
	struct tn_loss w = { .len = 0 };

	say_label(&w, client);
	say(&w, ": ");
	say(&w, what);
	if (said.len > 0) {
		say(&w, ": ");
		say_foreign(&w, said);
	}
	down(client, TN_EBADVERSION, &w);
}

void tn_client_redial(struct tn_client *client)
{
	client->state = TN_CLIENT_DOWN;
	client->generation++;
	client->offer_less = true;
	tn_client_reset(client);
	tn_loop_defer(client->loop, &client->task);
}

/* ---- dialling ---- */

static void dial(struct tn_client *client)
{
	uint64_t now = tn_now_ns();

	if (now < client->dial_at_ns) {
		if (client->soft_ns == UINT64_MAX)
			tn_client_arm(client, client->dial_at_ns);
		else
			fail_waiting(client);
		return;
	}
	client->state = TN_CLIENT_DIALING;
	client->asked_ns = now;
	if (!client->offer_less || now >= client->dial_by_ns) {
		tn_client_offer_first(client);
		client->dial_by_ns = tn_add_ns(now, client->soft_ns);
	}
	client->offer_less = false;
	tn_client_arm(client, client->dial_by_ns);
	client->stats.dials++;
	client->dialer->connect(client->dialer, client, &client->stream);
}

void tn_client_failed(struct tn_client *client, enum tn_err err, const char *words)
{
	struct tn_loss w = { .len = 0 };

	if (client->state != TN_CLIENT_DIALING)
		return;
	if (client->ever) {
		say_lost(&w, client, words ? words : tn_err_text(err));
		down(client, TN_ECONNLOST, &w);
		return;
	}
	say(&w, words ? words : tn_err_text(err));
	if (!words) {
		say(&w, ": ");
		say_label(&w, client);
	}
	down(client, err, &w);
}

void tn_client_connected(struct tn_client *client)
{
	if (client->state != TN_CLIENT_DIALING) {
		drop_transport(client); /* too late */
		return;
	}
	if (!client->stream.transport) {
		tn_client_lost(client, NULL); /* it has hung up already */
		return;
	}
	client->state = TN_CLIENT_VERSION;
	client->msize = client->offer;
	client->stuck = client->probing = false;
	client->offer_is_late = client->no_renameat = false;
	tn_client_send_version(client);
}

/* ---- life ---- */

static void client_free(struct tn_client *client)
{
	tn_loop_forget(client->loop, &client->task);
	tn_timer_stop(client->loop, &client->timer);
	if (client->dialer)
		client->dialer->free(client->dialer);
	tn_rpcs_free(client);
	tn_op_free_spare(client, 0);
	tn_mfids_free(client);
	tn_free(client->in.p);
	tn_free(client->out.p);
	tn_free(client->label);
	tn_free(client);
}

/* The last clunks are answered, or have had their time. */
static bool may_end(const struct tn_client *client)
{
	if (client->state != TN_CLIENT_READY || client->dropping)
		return true;
	return client->rpcs_used == 0 || tn_now_ns() >= client->end_by_ns;
}

static void end(struct tn_client *client)
{
	if (client->state == TN_CLIENT_DIALING)
		client->dialer->cancel(client->dialer);
	client->state = TN_CLIENT_DOWN;
	client->generation++;
	tn_rpcs_forget(client);
	drop_now(client);
	client_free(client);
}

/* What must not be done from where it was found to be needed. */
static void turn(struct tn_task *task)
{
	struct tn_client *client = (struct tn_client *)((char *)task -
							offsetof(struct tn_client, task));

	if (client->dropping)
		drop_now(client);
	tn_op_run_all(client);
	tn_mfids_clunk(client);
	if (client->ending && may_end(client)) {
		end(client);
		return;
	}
	if (client->state == TN_CLIENT_DOWN && client->waiting.first)
		dial(client);
}

static char *copy_text(const char *s)
{
	size_t len = tn_strlen(s);
	char *copy = tn_alloc(len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

static void take_options(struct tn_client *client, const struct tn_client_options *o)
{
	client->offer = o->msize ? o->msize : (128u << 10) + TN_IOHDR_SIZE;
	if (client->offer < TN_MSIZE_MIN)
		client->offer = TN_MSIZE_MIN;
	client->msize = client->offer;
	client->fids_max = o->fids_max ? o->fids_max : 65536;
	client->soft_ns = o->soft_ns ? o->soft_ns : 10 * second_ns;
	client->asked = o->dialect;
	client->spoke = TN_DIALECTS;
	client->qids_by_name = o->qids_by_name;
	client->skip_down = o->skip_down;
}

struct tn_client *tn_client_new(struct tn_loop *loop, struct tn_dialer *dialer,
    const struct tn_client_options *o)
{
	struct tn_client *client = tn_alloc(sizeof(*client));

	if (!client) {
		dialer->free(dialer);
		return NULL;
	}
	take_options(client, o);
	client->stream.ops = &tn_client_stream;
	client->refs = 1;
	client->loop = loop;
	client->dialer = dialer;
	client->task.fn = turn;
	client->timer.fn = tn_client_tick;
	client->generation = 1;
	tn_random(&client->seed, sizeof(client->seed));
	tn_random(&client->locker, sizeof(client->locker));
	client->label = copy_text(o->label);
	if (client->label && tn_client_bufs(client))
		return client;
	client_free(client);
	return NULL;
}

struct tn_client *tn_client_get(struct tn_client *client)
{
	tn_count_up(&client->refs);
	return client;
}

void tn_client_put(struct tn_client *client)
{
	uint64_t wait_ns;

	if (!client || tn_count_down(&client->refs) > 0)
		return;
	wait_ns = client->soft_ns == UINT64_MAX ? 10 * second_ns : client->soft_ns;
	client->ending = true;
	client->end_by_ns = tn_add_ns(tn_now_ns(), wait_ns);
	tn_client_arm(client, client->end_by_ns);
	tn_loop_defer(client->loop, &client->task);
}

void tn_client_stats(const struct tn_client *client, struct tn_client_stats *out)
{
	*out = client->stats;
	out->fids = client->fids_used;
	out->msize = client->msize;
	out->dialect = client->spoke;
	out->connected = client->state == TN_CLIENT_READY;
	out->reqs = 0;
	for (const struct tn_op *op = client->ops; op; op = op->next)
		out->reqs++;
}
