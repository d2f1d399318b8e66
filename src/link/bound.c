/*
 * The bound on waiting: product.md 5: whatever a server does, an operation ends within it. One timer does it: it looks at
 * all ops when the soonest bound may have come, which in a healthy connection is once in half a bound, however many
 * requests go by.
 */
#include "link/client.h"

enum { OPS_IDLE = 8 /* spare ops that an idle client keeps */ };

void tn_client_arm(struct tn_client *client, uint64_t at_ns)
{
	if (at_ns == UINT64_MAX)
		return;
	if (client->timer.at_ns == 0 || at_ns < client->timer.at_ns)
		tn_timer_set(client->loop, &client->timer, at_ns);
}

static void expire(struct tn_op *op, uint64_t now)
{
	if (op->flushed) {
		tn_op_fail(op, TN_EINTR);
		return;
	}
	if (op->crowded) {
		tn_op_fail(op, TN_ELIMIT_REQS);
		return;
	}
	op->client->stats.timeouts++;
	if (op->r->deadline_ns == 0 || op->r->deadline_ns > now) {
		tn_op_fail_lost(op, NULL);
		return;
	}
	tn_op_fail_late(op);
}

static void expire_ops(struct tn_client *client, uint64_t now)
{
	struct tn_op *op;

	for (op = client->ops; op; op = op->next) {
		if (op->deadline_ns <= now)
			tn_op_wait(op, &client->doomed);
	}
	while ((op = client->doomed.first) != NULL)
		expire(op, now);
}

/* Somebody waits on a connection: has it said anything? */
static void listen_for_life(struct tn_client *client, uint64_t now)
{
	if (client->state != TN_CLIENT_READY || !client->ops)
		return;
	if (now >= tn_add_ns(client->quiet_ns, client->soft_ns)) {
		client->stats.timeouts++;
		client->good = false;
		client->asked_ns = client->quiet_ns;
		tn_client_lost(client, NULL);
	} else if (!client->probing && now >= tn_add_ns(client->quiet_ns, client->soft_ns / 2)) {
		tn_rpcs_probe(client);
	}
}

static void end_dial(struct tn_client *client, uint64_t now)
{
	bool dialing = client->state == TN_CLIENT_DIALING;

	if (now < client->dial_by_ns || (!dialing && client->state != TN_CLIENT_VERSION))
		return;
	client->stats.timeouts++;
	if (dialing)
		client->dialer->cancel(client->dialer);
	tn_client_lost(client, NULL);
}

static void rest(struct tn_client *client)
{
	tn_client_shrink(client);
	tn_op_free_spare(client, OPS_IDLE);
	if (client->fids_used == 0)
		tn_mfids_free(client);
}

static void sooner(uint64_t *next, uint64_t at_ns, uint64_t now)
{
	if (at_ns > now && at_ns < *next)
		*next = at_ns;
}

/* When the timer must fire next. What is due already was done by this tick, or is by the task behind it. */
static uint64_t next_tick(const struct tn_client *client, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (const struct tn_op *op = client->ops; op; op = op->next)
		sooner(&next, op->deadline_ns, now);
	if (client->state == TN_CLIENT_READY && client->ops) {
		sooner(&next, tn_add_ns(client->quiet_ns, client->soft_ns / 2), now);
		sooner(&next, tn_add_ns(client->quiet_ns, client->soft_ns), now);
	}
	if (client->state == TN_CLIENT_DIALING || client->state == TN_CLIENT_VERSION)
		sooner(&next, client->dial_by_ns, now);
	if (client->waiting.first)
		sooner(&next, client->dial_at_ns, now);
	if (client->ending)
		sooner(&next, client->end_by_ns, now);
	return next;
}

void tn_client_tick(struct tn_timer *timer)
{
	struct tn_client *client = (struct tn_client *)((char *)timer -
							offsetof(struct tn_client, timer));
	uint64_t now = tn_now_ns();

	end_dial(client, now);
	listen_for_life(client, now);
	expire_ops(client, now);
	if (!client->ops && client->rpcs_used == 0)
		rest(client);
	tn_client_arm(client, next_tick(client, now));
	tn_loop_defer(client->loop, &client->task);
}
