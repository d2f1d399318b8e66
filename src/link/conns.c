/*
 * What conns have in common: memory, a clock, turns.
 */
#include "link/conns.h"

#include "core/mem.h"
#include "link/conn_in.h"

enum { SPARE_CALLS = 32 };

#define TICK_NS    UINT64_C(1000000000)
#define MEMORY_MAX (UINT64_C(1) << 30)

/* ---- lists ---- */

static struct tn_conn_link *tick_link(struct tn_conn *conn)
{
	return &conn->tick_link;
}

static struct tn_conn_link *turn_link(struct tn_conn *conn)
{
	return &conn->turn_link;
}

static void put(struct tn_conn **at, struct tn_conn *conn,
    struct tn_conn_link *(*link)(struct tn_conn *))
{
	struct tn_conn_link *l = link(conn);

	l->at = at;
	l->next = *at;
	if (l->next)
		link(l->next)->at = &l->next;
	*at = conn;
}

static void take(struct tn_conn *conn, struct tn_conn_link *(*link)(struct tn_conn *))
{
	struct tn_conn_link *l = link(conn);

	if (!l->at)
		return;
	*l->at = l->next;
	if (l->next)
		link(l->next)->at = l->at;
	*l = (struct tn_conn_link){ 0 };
}

/* Moves the whole list to *to, whence it can be taken one by one whatever happens meanwhile. */
static void move(struct tn_conn **from, struct tn_conn **to,
    struct tn_conn_link *(*link)(struct tn_conn *))
{
	*to = *from;
	*from = NULL;
	if (*to)
		link(*to)->at = to;
}

/* ---- the clock ---- */

static void tick_all(struct tn_timer *timer)
{
	struct tn_conns *all = (struct tn_conns *)((char *)timer -
						   offsetof(struct tn_conns, clock));
	struct tn_conn *conn;
	uint64_t now = tn_now_ns();

	move(&all->ticking, &all->due, tick_link);
	while ((conn = all->due) != NULL) {
		take(conn, tick_link);
		if (tn_conn_tick(conn, now))
			tn_conns_tick(all, conn);
		tn_conn_work(conn);
	}
}

void tn_conns_tick(struct tn_conns *all, struct tn_conn *conn)
{
	if (conn->tick_link.at)
		return;
	put(&all->ticking, conn, tick_link);
	if (!all->clock.at_ns)
		tn_timer_set(all->loop, &all->clock, tn_now_ns() + TICK_NS);
}

/* ---- turns ---- */

static void next_turn(struct tn_timer *timer)
{
	struct tn_conns *all = (struct tn_conns *)((char *)timer - offsetof(struct tn_conns, turn));
	struct tn_conn *conn;

	move(&all->hungry, &all->fed, turn_link);
	all->hungry_last = &all->hungry;
	while ((conn = all->fed) != NULL) {
		take(conn, turn_link);
		tn_conn_work(conn);
	}
}

void tn_conns_hunger(struct tn_conns *all, struct tn_conn *conn)
{
	if (conn->turn_link.at)
		return;
	put(all->hungry_last, conn, turn_link);
	all->hungry_last = &conn->turn_link.next;
	/* A timer and not a task: those run again and again before descriptors are looked at. */
	if (!all->turn.at_ns)
		tn_timer_set(all->loop, &all->turn, tn_now_ns());
}

void tn_conns_forget(struct tn_conns *all, struct tn_conn *conn)
{
	if (all->hungry_last == &conn->turn_link.next)
		all->hungry_last = conn->turn_link.at;
	take(conn, turn_link);
	take(conn, tick_link);
}

/* ---- calls ---- */

struct tn_call *tn_conns_call(struct tn_conns *all)
{
	struct tn_call *call = all->spare;

	if (!call)
		return tn_alloc(sizeof(*call));
	all->spare = call->queue_next;
	all->n_spare--;
	memset((char *)call + sizeof(call->r), 0, sizeof(*call) - sizeof(call->r));
	return call;
}

void tn_conns_uncall(struct tn_conns *all, struct tn_call *call)
{
	if (all->n_spare >= SPARE_CALLS) {
		tn_free(call);
		return;
	}
	call->queue_next = all->spare;
	all->spare = call;
	all->n_spare++;
}

/* ---- the beginning and the end ---- */

struct tn_conns *tn_conns_new(struct tn_loop *loop, uint64_t memory_max)
{
	struct tn_conns *all = tn_alloc(sizeof(*all));

	if (!all)
		return NULL;
	all->loop = loop;
	all->refs = 1;
	all->store.max = memory_max ? memory_max : MEMORY_MAX;
	all->hungry_last = &all->hungry;
	all->clock.fn = tick_all;
	all->turn.fn = next_turn;
	return all;
}

struct tn_conns *tn_conns_get(struct tn_conns *all)
{
	all->refs++;
	return all;
}

void tn_conns_put(struct tn_conns *all)
{
	struct tn_call *call;

	if (!all || --all->refs > 0)
		return;
	while ((call = all->spare) != NULL) {
		all->spare = call->queue_next;
		tn_free(call);
	}
	tn_timer_stop(all->loop, &all->clock);
	tn_timer_stop(all->loop, &all->turn);
	tn_store_fini(&all->store);
	tn_free(all);
}
