/*
 * Two engines back to back: what one sends arrives at the other. The bytes move in a task of the loop, never from
 * inside an engine's own calls.
 */
#include "core/loop.h"
#include "core/mem.h"
#include "link/stream.h"

enum { PIECES = 8, ROUNDS = 16 /* in one task; then others on the loop have their turn */ };

struct pair {
	struct tn_task task;
	struct tn_loop *loop;
	struct tn_stream *ends[2]; /* NULL: it has let go */
};

static void pair_ready(struct tn_stream *s)
{
	struct pair *pair = s->host;

	tn_loop_defer(pair->loop, &pair->task);
}

static void pair_detached(struct tn_stream *s)
{
	struct pair *pair = s->host;

	pair->ends[pair->ends[1] == s] = NULL;
	s->transport = NULL;
	tn_loop_defer(pair->loop, &pair->task);
}

static const struct tn_transport_ops pair_ops = {
	.ready = pair_ready,
	.detached = pair_detached,
};

/* As much as both can do at once. Returns the bytes moved. */
static size_t move_some(struct tn_stream *from, struct tn_stream *to)
{
	struct tn_vec vec[PIECES];
	size_t room, n = 0, pieces = tn_stream_output(from, vec, PIECES);
	uint8_t *buf = pieces > 0 ? tn_stream_input(to, &room) : NULL;

	if (!buf)
		return 0;
	for (size_t i = 0; i < pieces && n < room; i++) {
		size_t part = vec[i].len < room - n ? vec[i].len : room - n;

		memcpy(buf + n, vec[i].data, part);
		n += part;
	}
	/* First the sender forgets them: the receiver may make it say more. */
	tn_stream_sent(from, n);
	tn_stream_arrived(to, n);
	return n;
}

static bool wants_to_close(struct tn_stream *s)
{
	struct tn_vec vec;

	return s->closing && tn_stream_output(s, &vec, 1) == 0;
}

static bool is_over(struct pair *pair)
{
	for (int i = 0; i < 2; i++)
		if (!pair->ends[i] || wants_to_close(pair->ends[i]))
			return true;
	return false;
}

/* Both are told that the transport is gone. What one does then may be the end of the other, which says so. */
static void let_go(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		struct tn_stream *s = pair->ends[i];

		if (!s)
			continue;
		pair->ends[i] = NULL;
		s->transport = NULL;
		tn_stream_hangup(s, TN_OK);
	}
	tn_loop_forget(pair->loop, &pair->task);
	tn_free(pair);
}

static void pair_run(struct tn_task *task)
{
	struct pair *pair = (struct pair *)task;
	size_t moved = 1;

	for (int round = 0; round < ROUNDS && moved > 0 && !is_over(pair); round++) {
		moved = move_some(pair->ends[0], pair->ends[1]);
		if (pair->ends[0] && pair->ends[1])
			moved += move_some(pair->ends[1], pair->ends[0]);
	}
	if (is_over(pair))
		let_go(pair);
	else if (moved > 0)
		tn_loop_defer(pair->loop, &pair->task);
}

bool tn_pair_connect(struct tn_loop *loop, struct tn_stream *a, struct tn_stream *b)
{
	struct pair *pair = tn_alloc(sizeof(*pair));

	if (!pair)
		return false;
	pair->task.fn = pair_run;
	pair->loop = loop;
	pair->ends[0] = a;
	pair->ends[1] = b;
	a->host = b->host = pair;
	a->transport = b->transport = &pair_ops;
	tn_loop_defer(loop, &pair->task);
	return true;
}
