/*
 * conn: the engine behind conn.h. Here are the stream and the order of work. in.c is the in buffer, call.c the
 * life of a message that is a request, line.c who waits for whom on a fid, answer.c the way out, session.c Tflush, Tversion and
 * the end; what the other messages mean is in the spellings.
 *
 * The inline path: a frame in the in buffer is decoded on the stack, its names and data point into the buffer, the
 * server answers, and the answer is encoded into the out buffer; nothing is allocated, locked or counted. A call that
 * must wait, or that the server keeps, gets memory of its own and is listed. All that is not inline (answers that come
 * while a server is being asked, lines that may move on, input that was held back) is a queue that `work` empties in
 * a loop; so nothing recurses, however servers answer.
 */
#include "link/conn.h"

#include "core/mem.h"
#include "core/server.h"
#include "link/conn_in.h"

enum {
	MSIZE_FIRST = 8192, /* before Tversion */
	LINGER_TICKS = 5,   /* for the transport to send what is left behind a broken frame */
	QUOTA = 512         /* messages, or fids to be clunked, before others have their turn */
};

#define CLUNK_GRACE_NS \
	UINT64_C(1000000000) /* what a clunk or remove gives the requests before it */

static const struct tn_conn_limits default_limits = {
	.msize_max = (1u << 20) + TN_IOHDR_SIZE,
	.fids_max = 65536,
	.reqs_max = 1024,
	.out_max = 4u << 20,
	.attrs_max = 4u << 20,
	.memory_max = 64u << 20,
	.message_ns = UINT64_C(60000000000),
	.idle_ns = UINT64_MAX,
};

/* ---- notes to others ---- */

static void tell_transport(struct tn_conn *conn)
{
	struct tn_stream *s = &conn->stream;

	if (s->transport && s->transport->ready)
		s->transport->ready(s);
}

void tn_conn_work_later(struct tn_conn *conn)
{
	tn_loop_defer(conn->loop, &conn->task);
}

void tn_conn_want_ticks(struct tn_conn *conn)
{
	if (conn->tick_link.at)
		return;
	conn->begun_ns = tn_now_ns(); /* nothing was waited for before */
	tn_conns_tick(conn->all, conn);
}

/* ---- serving ---- */

/* Asks what is left to ask. TN_DONE: nothing is. */
static enum tn_status go_on(struct tn_call *call, struct tn_msg *m)
{
	while (call->how->then && call->how->then(call, m)) {
		bool is_clunk = call->r.type == TN_CLUNK;

		if ((is_clunk ? tn_chan_close(&call->r) : tn_submit(&call->r)) == TN_LATER)
			return TN_LATER;
	}
	return TN_DONE;
}

/* Its fids are free for it. *m lies on the stack, or in call->kept when it has waited. */
static void run(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = tn_line_check(call);
	enum tn_status status;

	call->state = TN_CALL_SERVING;
	status = err ? tn_call_refuse(call, err) : call->how->ask(call, m);
	if (status == TN_DONE && !call->is_unasked)
		status = go_on(call, m);
	if (status == TN_DONE) {
		tn_conn_finish(call, m);
		return;
	}
	call->state = TN_CALL_KEPT;
	call->conn->stats.kept++;
	tn_line_hold(call);
	tn_conn_list_call(call);
}

static void wait_in_line(struct tn_call *call)
{
	if (!tn_conn_keep_frame(call)) {
		struct tn_msg m;

		tn_call_refuse(call, TN_ENOMEM);
		tn_conn_finish(call, &m);
		return;
	}
	call->state = TN_CALL_WAITING;
	tn_line_join(call);
	tn_conn_list_call(call);
}

static void take_request(struct tn_conn *conn, struct tn_msg *m, const struct tn_spelling *how,
    const uint8_t *frame, uint32_t len)
{
	struct tn_call *call = tn_conn_call_new(conn, m->type, m->tag);
	enum tn_err err;

	if (!call) {
		tn_conn_refuse_tag(conn, m->tag, TN_ENOMEM);
		return;
	}
	call->how = how;
	call->frame = frame;
	call->frame_len = len;
	if (how->lead)
		how->lead(m);
	err = tn_line_enter(call, m);
	if (err) {
		tn_call_refuse(call, err);
		tn_conn_finish(call, m);
		return;
	}
	if (tn_line_must_wait(call))
		wait_in_line(call);
	else
		run(call, m);
}

static void end(struct tn_conn *conn)
{
	conn->is_reading = false;
	conn->stream.closing = true;
	if (conn->state >= TN_CONN_ENDING)
		return;
	conn->state = TN_CONN_ENDING;
	conn->must_cut = true;
}

/* What is sent already, errors about it among them, may still leave. The log hears why. */
static void break_off(struct tn_conn *conn, const char *why)
{
	static const char behind[] = ": hung up";
	char line[2 * TN_PEER_MAX + sizeof(behind)];
	const char *parts[] = { conn->peer, ": ", why, behind };
	size_t at = 0;

	for (size_t i = 0; i < TN_COUNT(parts); i++) {
		size_t len = tn_strlen(parts[i]), left = sizeof(line) - at;

		len = len < left ? len : left;
		memcpy(line + at, parts[i], len);
		at += len;
	}
	tn_log(line, at);
	conn->linger = LINGER_TICKS;
	end(conn);
	tn_conn_want_ticks(conn);
}

/* ---- from the in buffer ---- */

static void serve(struct tn_conn *conn, const uint8_t *frame, uint32_t len)
{
	struct tn_msg m;
	enum tn_codec_err bad = tn_msg_decode(&m, (enum tn_dialect)conn->dialect, frame, len);
	const struct tn_spelling *how;

	conn->stats.messages_in++;
	if (bad) {
		tn_conn_refuse_tag(conn, m.tag, TN_EBADMSG);
		return;
	}
	if (m.type == TN_TVERSION) {
		tn_conn_take_version(conn, &m);
		return;
	}
	how = tn_dialect_spelling((enum tn_dialect)conn->dialect, m.type);
	if (!how && m.type != TN_TFLUSH)
		tn_conn_refuse_tag(conn, m.tag, TN_EBADMSG);
	else if (conn->state != TN_CONN_OPEN)
		tn_conn_refuse_tag(conn, m.tag, TN_EBADVERSION);
	else if (m.tag == TN_NOTAG || tn_conn_find_tag(conn, m.tag))
		tn_conn_refuse_tag(conn, m.tag, TN_EBADTAG);
	else if (m.type == TN_TFLUSH)
		tn_conn_take_flush(conn, &m);
	else
		take_request(conn, &m, how, frame, len);
}

bool tn_conn_is_pushed_back(const struct tn_conn *conn)
{
	return conn->state > TN_CONN_OPEN || conn->unsent.first ||
	       conn->out.bytes > conn->limits.out_max;
}

bool tn_conn_may_serve(struct tn_conn *conn)
{
	return !tn_conn_is_pushed_back(conn) && tn_out_room(&conn->out, TN_ANSWER_MAX);
}

/* One thing more may be done in this turn of the loop. false: it will be in the next. */
static bool has_turn(struct tn_conn *conn)
{
	if (conn->turn != conn->loop->turns) {
		conn->turn = conn->loop->turns;
		conn->quota = QUOTA;
	}
	if (conn->quota == 0) {
		tn_conns_hunger(conn->all, conn);
		return false;
	}
	conn->quota--;
	return true;
}

static bool serve_next(struct tn_conn *conn)
{
	const uint8_t *frame = conn->in + conn->in_start;
	int32_t len;

	if (!conn->is_reading)
		return false;
	if (conn->n_calls >= conn->limits.reqs_max)
		return !tn_conn_is_pushed_back(conn) && tn_conn_scan_flushes(conn);
	if (!tn_conn_may_serve(conn))
		return false;
	len = tn_frame_len(frame, conn->in_len, conn->msize);
	if (len == 0) {
		conn->is_reading = false;
		return false;
	}
	if (len < 0) {
		break_off(conn, "9P: a frame that cannot be");
		return true;
	}
	if (!has_turn(conn))
		return false;
	serve(conn, frame, (uint32_t)len);
	conn->in_start += (uint32_t)len;
	conn->in_len -= (uint32_t)len;
	conn->scanned -= conn->scanned < (uint32_t)len ? conn->scanned : (uint32_t)len;
	if (conn->in_len == 0) {
		conn->in_start = 0;
		conn->is_reading = false;
	}
	return true;
}

/* ---- work ---- */

static bool work_finished(struct tn_conn *conn)
{
	struct tn_call *call = tn_calls_take(&conn->finished);
	struct tn_msg m;

	if (!call)
		return false;
	if (go_on(call, call->kept ? &call->kept->m : NULL) == TN_LATER)
		call->state = TN_CALL_KEPT;
	else
		tn_conn_finish(call, &m);
	return true;
}

static bool work_unsent(struct tn_conn *conn)
{
	struct tn_msg m;

	if (!conn->unsent.first || !tn_conn_send(conn->unsent.first, &m))
		return false;
	tn_conn_end_call(tn_calls_take(&conn->unsent));
	return true;
}

/* Those in the line of a fid whose turn it is. */
static bool work_line(struct tn_conn *conn)
{
	struct tn_fid *fid = conn->stirred;
	struct tn_call *call;

	if (!fid || conn->unsent.first)
		return false;
	if (fid->first && tn_line_is_its_turn(fid->first->call)) {
		call = fid->first->call;
		tn_line_quit(call);
		run(call, &call->kept->m); /* leaves and stirs its fids when it is over */
		return true;
	}
	conn->stirred = fid->stirred_next;
	fid->is_stirred = false;
	if (!fid->first) {
		tn_line_settle(conn, fid);
		return true;
	}
	call = fid->first->call;
	if (fid->first->use == TN_USE_LAST && !call->blocked_ns) {
		call->blocked_ns = tn_now_ns();
		tn_conn_want_ticks(conn);
	}
	return true;
}

static bool step(struct tn_conn *conn)
{
	if (conn->must_discard) {
		conn->must_discard = false;
		tn_out_discard(&conn->out);
	}
	if (conn->must_cut) {
		tn_conn_cut_calls(conn);
		return true;
	}
	if (work_finished(conn) || work_unsent(conn) || work_line(conn))
		return true;
	if (conn->state <= TN_CONN_OPEN)
		return serve_next(conn);
	return has_turn(conn) && tn_conn_clear(conn);
}

/* Nothing is held that an idle conn does not need. */
static bool is_small(const struct tn_conn *conn)
{
	return !conn->in_piece && tn_out_is_small(&conn->out) && tn_fids_are_small(&conn->fids) &&
	       !conn->tags;
}

/* It has not ended what it has begun, and nobody keeps it from that. */
static bool is_due(const struct tn_conn *conn)
{
	if (conn->state == TN_CONN_NEW)
		return true;
	return (conn->in_len > 0 || conn->skip > 0) && !conn->is_reading &&
	       !tn_conn_is_pushed_back(conn);
}

/* Time changes something for it. */
static bool has_time(const struct tn_conn *conn)
{
	return !is_small(conn) || is_due(conn) || conn->limits.idle_ns != UINT64_MAX;
}

void tn_conn_work(struct tn_conn *conn)
{
	if (conn->is_working)
		return;
	conn->is_working = true;
	while (step(conn))
		;
	conn->is_working = false;
	tn_conn_release_in(conn);
	if (conn->out.bytes > 0 || conn->was_refused || conn->stream.closing)
		tell_transport(conn);
	conn->was_refused = false;
	if (conn->state != TN_CONN_CLOSED && has_time(conn))
		tn_conn_want_ticks(conn);
}

static void task_run(struct tn_task *task)
{
	struct tn_conn *conn = (struct tn_conn *)((char *)task - offsetof(struct tn_conn, task));

	void (*closed)(struct tn_conn *, void *) = conn->closed;

	if (conn->state != TN_CONN_CLOSED) {
		tn_conn_work(conn);
		return;
	}
	conn->closed = NULL;
	if (closed)
		closed(conn, conn->arg); /* which may free it */
}

/* ---- time ---- */

static void shrink(struct tn_conn *conn)
{
	tn_out_shrink(&conn->out);
	tn_fids_shrink(&conn->fids);
	tn_conn_shrink_in(conn);
	if (conn->tags && conn->n_calls == 0) {
		tn_budget_free(&conn->budget, conn->tags, TN_TAG_CHAINS * sizeof(conn->tags[0]));
		conn->tags = NULL;
	}
}

/* Ends what a clunk or remove has waited for long enough: the peer has given the fid up. */
static bool hurry_clunk(struct tn_conn *conn, const struct tn_call *clunk)
{
	const struct tn_fid *fid = clunk->tickets[0].fid;

	if (clunk->state != TN_CALL_WAITING || !clunk->blocked_ns)
		return false;
	if (tn_now_ns() - clunk->blocked_ns < CLUNK_GRACE_NS)
		return true;
	for (struct tn_call *call = conn->calls; call; call = call->next)
		for (int i = 0; i < call->n_tickets; i++)
			if (call->state == TN_CALL_KEPT && call->tickets[i].fid == fid)
				tn_conn_cut_short(call);
	return true;
}

/* A limit of time is reached: the peer is told, if it reads, and hung up on. */
static void give_up(struct tn_conn *conn, enum tn_err err)
{
	if (tn_conn_may_serve(conn))
		tn_conn_put_error(conn, TN_NOTAG, err, tn_err_text(err));
	break_off(conn, tn_err_text(err));
}

/* Since when it keeps us waiting is known to a tick: nobody reads a clock for each message. */
static void look_at_time(struct tn_conn *conn, uint64_t now)
{
	bool has_spoken = conn->stats.messages_in != conn->ticked_in;

	conn->ticked_in = conn->stats.messages_in;
	if (has_spoken || conn->n_calls > 0)
		conn->heard_ns = now;
	if (!is_due(conn) || (has_spoken && conn->state != TN_CONN_NEW))
		conn->begun_ns = now;
	if (conn->state > TN_CONN_OPEN)
		return;
	if (now - conn->begun_ns >= conn->limits.message_ns) {
		conn->stats.slow++;
		give_up(conn, TN_ELIMIT_SLOW);
	} else if (now - conn->heard_ns >= conn->limits.idle_ns) {
		conn->stats.idle++;
		give_up(conn, TN_ELIMIT_IDLE);
	}
}

bool tn_conn_tick(struct tn_conn *conn, uint64_t now)
{
	bool must_go_on;

	conn->is_working = true;
	if (conn->linger > 0)
		conn->linger--;
	if (conn->stats.messages_in == conn->ticked_in)
		shrink(conn);
	look_at_time(conn, now);
	must_go_on = conn->linger > 0 || has_time(conn);
	for (struct tn_call *call = conn->calls; call; call = call->next)
		must_go_on |= hurry_clunk(conn, call);
	conn->is_working = false;
	return must_go_on && conn->state != TN_CONN_CLOSED;
}

/* ---- the stream ---- */

static struct tn_conn *conn_of(struct tn_stream *s)
{
	return (struct tn_conn *)s;
}

static uint8_t *conn_input(struct tn_stream *s, size_t *room)
{
	struct tn_conn *conn = conn_of(s);
	uint8_t *to = NULL;

	*room = 0;
	if (!tn_conn_is_pushed_back(conn))
		to = tn_conn_make_room(conn, room);
	if (*room > 0 && conn->has_skipped)
		tell_transport(conn); /* of the error */
	conn->has_skipped = false;
	conn->was_refused = *room == 0;
	return to;
}

static void conn_arrived(struct tn_stream *s, size_t n)
{
	struct tn_conn *conn = conn_of(s);

	conn->stats.bytes_in += n;
	if (conn->state >= TN_CONN_ENDING)
		return;
	tn_assert(n <= conn->in_size - conn->in_start - conn->in_len);
	if (conn->skip > 0) {
		tn_assert(n <= conn->skip);
		conn->skip -= (uint32_t)n;
		return;
	}
	conn->in_len += (uint32_t)n;
	conn->is_greedy = conn->in_start + conn->in_len == conn->in_size;
	conn->is_reading = true;
	tn_conn_work(conn);
}

static size_t conn_output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	tn_conn_release_in(conn_of(s)); /* nothing has come */
	return tn_out_vec(&conn_of(s)->out, vec, max);
}

static void conn_sent(struct tn_stream *s, size_t n)
{
	struct tn_conn *conn = conn_of(s);

	tn_out_sent(&conn->out, n);
	conn->stats.bytes_out += n;
	tn_conn_work(conn);
}

static void conn_hangup(struct tn_stream *s, enum tn_err why)
{
	struct tn_conn *conn = conn_of(s);

	(void)why; /* whatever it was, the session is over */
	s->transport = NULL;
	conn->linger = 0;
	conn->must_discard = true;
	end(conn);
	tn_conn_work(conn);
}

static const struct tn_stream_ops conn_stream_ops = {
	.input = conn_input,
	.arrived = conn_arrived,
	.output = conn_output,
	.sent = conn_sent,
	.hangup = conn_hangup,
};

/* ---- conn.h ---- */

static uint32_t limit(uint32_t asked, uint32_t by_default)
{
	return asked ? asked : by_default;
}

static void set_limits(struct tn_conn *conn, const struct tn_conn_limits *limits)
{
	const struct tn_conn_limits none = { 0 }, *l = limits ? limits : &none;
	struct tn_conn_limits *to = &conn->limits;

	to->msize_max = limit(l->msize_max, default_limits.msize_max);
	if (to->msize_max < TN_MSIZE_MIN)
		to->msize_max = TN_MSIZE_MIN;
	if (to->msize_max > INT32_MAX / 2)
		to->msize_max = INT32_MAX / 2;
	to->fids_max = limit(l->fids_max, default_limits.fids_max);
	to->reqs_max = limit(l->reqs_max, default_limits.reqs_max);
	to->out_max = limit(l->out_max, default_limits.out_max);
	to->attrs_max = limit(l->attrs_max, default_limits.attrs_max);
	to->memory_max = l->memory_max ? l->memory_max : default_limits.memory_max;
	to->message_ns = l->message_ns ? l->message_ns : default_limits.message_ns;
	to->idle_ns = l->idle_ns ? l->idle_ns : default_limits.idle_ns;
	conn->budget.max = to->memory_max;
}

struct tn_conn *tn_conn_new(struct tn_server *server, const struct tn_conn_limits *limits,
    const char *peer, void (*closed)(struct tn_conn *conn, void *arg), void *arg)
{
	size_t len = peer ? tn_strlen(peer) : 0;
	struct tn_conns *all = limits && limits->conns ? tn_conns_get(limits->conns)
						       : tn_conns_new(server->home, 0);
	struct tn_conn *conn;

	if (len > TN_PEER_MAX)
		len = TN_PEER_MAX;
	conn = all ? tn_alloc(sizeof(*conn) + len + 1) : NULL;
	if (!conn) {
		tn_conns_put(all);
		return NULL;
	}
	conn->stream.ops = &conn_stream_ops;
	conn->server = tn_server_get(server);
	conn->loop = server->home;
	conn->all = all;
	conn->closed = closed;
	conn->arg = arg;
	conn->task.fn = task_run;
	conn->in = conn->in_base;
	conn->in_size = TN_IN_BASE;
	set_limits(conn, limits);
	conn->budget.store = &all->store;
	conn->msize = conn->limits.msize_max < MSIZE_FIRST ? conn->limits.msize_max : MSIZE_FIRST;
	tn_out_init(&conn->out, &conn->budget);
	tn_fids_init(&conn->fids, conn->limits.fids_max);
	conn->fids.budget = &conn->budget;
	if (len > 0)
		memcpy(conn->peer, peer, len);
	conn->turn = conn->loop->turns - 1;
	conn->heard_ns = tn_now_ns();
	tn_conn_want_ticks(conn);
	return conn;
}

void tn_conn_users(struct tn_conn *conn, struct tn_server *users)
{
	conn->users = users ? tn_server_get(users) : NULL;
}

void tn_conn_beside(struct tn_conn *conn, const char *aname, struct tn_server *server)
{
	conn->aname = aname;
	conn->beside = tn_server_get(server);
}

struct tn_stream *tn_conn_stream(struct tn_conn *conn)
{
	return &conn->stream;
}

void tn_conn_end(struct tn_conn *conn)
{
	conn->linger = 0;
	conn->must_discard = true;
	end(conn);
	/* From inside a server's answer the loop there goes on with it. */
	tn_conn_work(conn);
}

void tn_conn_free(struct tn_conn *conn)
{
	struct tn_stream *s = &conn->stream;

	tn_assert(conn->state == TN_CONN_CLOSED && conn->n_calls == 0);
	if (s->transport && s->transport->detached)
		s->transport->detached(s);
	tn_loop_forget(conn->loop, &conn->task);
	tn_conns_forget(conn->all, conn);
	conn->in_len = 0;
	shrink(conn);
	tn_out_fini(&conn->out);
	tn_fids_fini(&conn->fids);
	tn_server_put(conn->server);
	tn_server_put(conn->beside);
	tn_server_put(conn->users);
	tn_conns_put(conn->all);
	tn_free(conn);
}

void tn_conn_stats(const struct tn_conn *conn, struct tn_conn_stats *out)
{
	*out = conn->stats;
	out->fids = conn->fids.n;
	out->reqs = conn->n_calls;
}
