#include "gate.h"

#include <stdlib.h>
#include <string.h>

struct gate {
	struct tn_req *first; /* waits; linked by next */
	unsigned n;           /* atomic */
};

static unsigned n_gates;

static enum tn_status text_read(struct tn_req *r)
{
	return tn_reply_text(r, GATE_TEXT, sizeof(GATE_TEXT) - 1);
}

static enum tn_status gate_read(struct tn_req *r)
{
	struct gate *g = r->server->data;

	if (!tn_keep(r))
		return TN_DONE;
	r->next = g->first;
	g->first = r;
	__atomic_add_fetch(&g->n, 1, __ATOMIC_SEQ_CST);
	return TN_LATER;
}

static enum tn_status gate_flush(struct tn_req *r)
{
	struct gate *g = r->server->data;

	for (struct tn_req **at = &g->first; *at; at = &(*at)->next) {
		if (*at != r)
			continue;
		*at = r->next;
		__atomic_sub_fetch(&g->n, 1, __ATOMIC_SEQ_CST);
		tn_fail(r, TN_EINTR);
		tn_respond(r);
		break;
	}
	return TN_DONE;
}

static enum tn_status key_write(struct tn_req *w)
{
	struct gate *g = w->server->data;
	struct tn_req *r;

	while ((r = g->first) != NULL) {
		g->first = r->next;
		__atomic_sub_fetch(&g->n, 1, __ATOMIC_SEQ_CST);
		if (r->u.io.count > w->u.io.count)
			r->u.io.count = w->u.io.count;
		memcpy(r->u.io.data, w->u.io.data, r->u.io.count);
		tn_respond(r);
	}
	return TN_DONE;
}

/* Any call would do. */
static enum tn_status inside_read(struct tn_req *r)
{
	const char *name = tn_err_name(tn_loop_turn(0) == 0 ? TN_OK : tn_errno());

	if (tn_open("/text", TN_OREAD) >= 0 || tn_errno() != TN_EDEADLK || tn_end() == 0)
		name = "a call was made";
	return tn_reply_text(r, name, strlen(name));
}

static void gate_free(void *data)
{
	free(data);
	__atomic_sub_fetch(&n_gates, 1, __ATOMIC_SEQ_CST);
}

static const struct tn_file files[] = {
	{ .name = "text", .perm = 0444, .read = text_read },
	{ .name = "gate", .perm = 0444, .read = gate_read, .flush = gate_flush },
	{ .name = "key", .perm = 0222, .write = key_write },
	{ .name = "inside", .perm = 0444, .read = inside_read },
};

static const struct tn_device device = { "gate", files, TN_COUNT(files) };

struct tn_server *gate_new(void)
{
	struct gate *g = calloc(1, sizeof(*g));

	__atomic_add_fetch(&n_gates, 1, __ATOMIC_SEQ_CST);
	return tn_device_server(&device, tn_home(), g, gate_free);
}

unsigned gate_waits(const struct tn_server *s)
{
	const struct gate *g = s->data;

	return __atomic_load_n(&g->n, __ATOMIC_SEQ_CST);
}

unsigned gates(void)
{
	return __atomic_load_n(&n_gates, __ATOMIC_SEQ_CST);
}
