/*
 * #pipe. A way is one direction: messages that were written, in order, and behind them, while it is full, the writes
 * that wait to become messages; while it is empty, the reads that wait. Who waits is served from the loop, never from
 * inside somebody else's request: the answer to a read may well make its owner write.
 */
#include "fs/pipe.h"

#include "core/mem.h"

struct message {
	struct message *next;
	uint32_t len, at; /* bytes; of them, read */
	uint8_t data[];
};

struct queue { /* of kept requests, by r->next */
	struct tn_req *first, **last;
};

struct way {
	struct message *first, **last;
	uint32_t bytes, messages;
	struct queue readers, writers;
};

struct pipe {
	struct tn_task task; /* first: a task is its pipe */
	struct tn_server *server;
	struct way ways[2]; /* by the end that is read: data, data1 */
};

static void put(struct queue *q, struct tn_req *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

/* Takes r, which is in it, out of the queue. */
static void take(struct queue *q, struct tn_req *r)
{
	struct tn_req **at = &q->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!*at)
		q->last = at;
}

static struct pipe *pipe_of(const struct tn_req *r)
{
	return r->server->data;
}

/* The way that r reads from or writes to. */
static struct way *way_of(const struct tn_req *r)
{
	intptr_t end = tn_file_of(r->chan)->what;

	return &pipe_of(r)->ways[r->type == TN_READ ? end : !end];
}

/* ---- messages ---- */

static bool has_room(const struct way *w, uint32_t len)
{
	if (w->messages == 0)
		return true;
	return w->messages < TN_PIPE_MESSAGES_MAX && w->bytes < TN_PIPE_BYTES_MAX &&
	       len <= TN_PIPE_BYTES_MAX - w->bytes;
}

static enum tn_err add(struct way *w, const struct tn_req *r)
{
	struct message *m = tn_alloc(sizeof(*m) + r->u.io.count);

	if (!m)
		return TN_ENOMEM;
	m->len = r->u.io.count;
	if (m->len > 0)
		memcpy(m->data, r->u.io.data, m->len);
	*w->last = m;
	w->last = &m->next;
	w->bytes += m->len;
	w->messages++;
	return TN_OK;
}

static void drop_first(struct way *w)
{
	struct message *m = w->first;

	w->first = m->next;
	if (!w->first)
		w->last = &w->first;
	w->messages--;
	tn_free(m);
}

/* Answers a read with the first message, or as much of it as there is room for. */
static void give(struct way *w, struct tn_req *r)
{
	struct message *m = w->first;

	if (r->u.io.count > m->len - m->at)
		r->u.io.count = m->len - m->at;
	if (r->u.io.count > 0)
		memcpy(r->u.io.data, m->data + m->at, r->u.io.count);
	m->at += r->u.io.count;
	w->bytes -= r->u.io.count;
	if (m->at == m->len)
		drop_first(w);
}

/* ---- who waits ---- */

/* Serves one of those who wait; false: none of them can go on. Nothing of the pipe is held across tn_respond. */
static bool serve_one(struct way *w)
{
	struct tn_req *r;

	if (w->readers.first && w->first) {
		r = w->readers.first;
		take(&w->readers, r);
		give(w, r);
	} else if (w->writers.first && has_room(w, w->writers.first->u.io.count)) {
		enum tn_err err;

		r = w->writers.first;
		take(&w->writers, r);
		err = add(w, r);
		if (err != TN_OK)
			tn_fail(r, err);
	} else {
		return false;
	}
	tn_respond(r);
	return true;
}

static void serve_waiting(struct tn_task *task)
{
	struct pipe *p = (struct pipe *)task;
	struct tn_server *s = tn_server_get(
	    p->server); /* who is answered may let go of the last Chan */

	while (serve_one(&p->ways[0]) || serve_one(&p->ways[1]))
		;
	tn_server_put(s);
}

static void wake(struct pipe *p, const struct way *w)
{
	if (w->readers.first || w->writers.first)
		tn_loop_defer(p->server->home, &p->task);
}

static enum tn_status keep(struct queue *q, struct tn_req *r)
{
	if (!tn_keep(r))
		return TN_DONE;
	put(q, r);
	return TN_LATER;
}

/* ---- the files ---- */

static enum tn_status data_read(struct tn_req *r)
{
	struct way *w = way_of(r);

	if (r->u.io.count == 0)
		return TN_DONE;
	if (w->readers.first || !w->first)
		return keep(&w->readers, r);
	give(w, r);
	wake(pipe_of(r), w);
	return TN_DONE;
}

static enum tn_status data_write(struct tn_req *r)
{
	struct way *w = way_of(r);
	enum tn_err err;

	if (w->writers.first || !has_room(w, r->u.io.count))
		return keep(&w->writers, r);
	err = add(w, r);
	if (err != TN_OK)
		return tn_fail(r, err);
	wake(pipe_of(r), w);
	return TN_DONE;
}

static enum tn_status data_flush(struct tn_req *r)
{
	struct way *w = way_of(r);

	take(r->type == TN_READ ? &w->readers : &w->writers, r);
	tn_fail(r, TN_EINTR);
	wake(pipe_of(r), w); /* a shorter write behind it may fit */
	tn_respond(r);
	return TN_DONE;
}

/* clang-format off */
static const struct tn_file pipe_files[] = {
	{ .name = "data",  .perm = 0666, .what = 0, .read = data_read, .write = data_write, .flush = data_flush },
	{ .name = "data1", .perm = 0666, .what = 1, .read = data_read, .write = data_write, .flush = data_flush },
};
/* clang-format on */

static const struct tn_device pipe_device = { "#pipe", pipe_files, TN_COUNT(pipe_files) };

/* Nobody waits any more: who waits holds a Chan, and a Chan the server. */
static void pipe_free(void *data)
{
	struct pipe *p = data;

	tn_loop_forget(p->server->home, &p->task);
	for (int i = 0; i < 2; i++) {
		while (p->ways[i].first)
			drop_first(&p->ways[i]);
	}
	tn_free(p);
}

struct tn_server *tn_pipe_new(struct tn_loop *home)
{
	struct pipe *p = tn_alloc(sizeof(*p));
	struct tn_server *s;

	if (!p)
		return NULL;
	p->task.fn = serve_waiting;
	for (int i = 0; i < 2; i++) {
		p->ways[i].last = &p->ways[i].first;
		p->ways[i].readers.last = &p->ways[i].readers.first;
		p->ways[i].writers.last = &p->ways[i].writers.first;
	}
	s = tn_device_server(&pipe_device, home, p, pipe_free);
	if (!s) {
		tn_free(p);
		return NULL;
	}
	s->flags |= TN_SF_BLOCKS;
	p->server = s;
	return s;
}
