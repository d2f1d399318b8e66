/*
 * conn: the engine behind conn.h. Here are the stream, the tags, the lines of fids, Tversion and Tflush, the limits and
 * the end; what the other messages mean is in dialect.c.
 *
 * The inline path: a frame in the in buffer is decoded on the stack, its names and data point into the buffer, the
 * server answers, and the answer is encoded into the out buffer; nothing is allocated, locked or counted. A call that
 * must wait, or that the server keeps, gets memory of its own and is listed. All that is not inline (answers that come
 * while a server is being asked, lines that may move on, input that was held back) is a queue that `work` empties in
 * a loop; so nothing recurses, however servers answer.
 */
#include "link/conn.h"

#include "core/chan.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/server.h"
#include "link/call.h"

enum {
	IN_BASE = 1024, /* bytes of the in buffer that is always there */
	IN_GROW = 4,    /* times, when a read has filled it */
	TAG_CHAINS = 32,
	SPARE_CALLS = 32,
	STAT_ROOM = 512, /* bytes made ready for the Rstat of a kept request */
	ANSWER_MAX =
	    512, /* bytes of an answer but its data or stat: the longest is Rerror, which is cut */
	MSIZE_MIN = 256,    /* Rwalk with 16 qids, and some words of an error */
	MSIZE_FIRST = 8192, /* before Tversion */
	CLUNKS_MAX = 64,    /* at once, when all fids are given up */
	LINGER_TICKS = 5,   /* for the transport to send what is left behind a broken frame */
	PEER_MAX = 128
};

#define TICK_NS UINT64_C(1000000000)
#define CLUNK_GRACE_NS \
	UINT64_C(1000000000) /* what a clunk or remove gives the requests before it */

enum conn_state {
	CONN_NEW, /* no version agreed */
	CONN_OPEN,
	CONN_RESET, /* Tversion came: what is outstanding ends, then Rversion */
	CONN_ENDING,
	CONN_CLOSED /* `closed` is on its way, or was called */
};

struct conn_queue {
	struct tn_call *first, *last;
};

struct tn_conn {
	struct tn_stream stream; /* first: a stream is its conn */
	struct tn_server *server;
	struct tn_loop *loop;
	struct tn_conn_limits limits;
	uint8_t state;   /* enum conn_state */
	uint8_t dialect; /* enum tn_dialect */
	bool is_working;
	bool must_cut;     /* all calls are to be ended silently */
	bool must_discard; /* what is in the out buffer will not be sent */
	bool is_clearing;  /* no call is left of what was cut: the fids go */
	bool was_refused;  /* input said NULL: the transport wants to hear when that changes */
	bool is_greedy;    /* the last read filled the in buffer */
	bool is_reading;   /* whole frames may be in the in buffer */
	uint8_t linger;    /* ticks */
	uint32_t msize;
	uint32_t cursor; /* of clearing */
	/* the in buffer: in_len bytes from in_start are not served */
	uint8_t *in;
	uint32_t in_size, in_start, in_len;
	uint32_t skip;    /* bytes of a frame that there was no memory for */
	uint32_t scanned; /* behind in_start: looked through for Tflush */
	struct tn_budget budget;
	struct tn_fids fids;
	struct tn_call *tags[TAG_CHAINS];
	struct tn_call *calls; /* all that outlive their frame */
	struct tn_call *spare;
	uint32_t n_calls, n_spare;
	struct conn_queue finished; /* answered by the server */
	struct conn_queue unsent;   /* and there was no memory for the answer */
	struct tn_fid *stirred;     /* lines to look at */
	/* Rversion, to be sent at the end of CONN_RESET */
	uint16_t version_tag;
	uint8_t version_dialect; /* TN_DIALECTS: "unknown" */
	uint32_t version_msize;
	struct tn_task task;   /* work, or at the end `closed` */
	struct tn_timer timer; /* ticks while there is something to grow old */
	uint64_t ticked_in;    /* messages_in at the last tick */
	void (*closed)(struct tn_conn *conn, void *arg);
	void *arg;
	struct tn_conn_stats stats;
	struct tn_out out;
	uint8_t in_base[IN_BASE];
	char peer[PEER_MAX];
};

static const struct tn_conn_limits default_limits = {
	.msize_max = (1u << 20) + TN_IOHDR_SIZE,
	.fids_max = 65536,
	.reqs_max = 1024,
	.out_max = 4u << 20,
	.memory_max = 64u << 20,
};

static void work(struct tn_conn *conn);

/* ---- notes to others ---- */

static void tell_transport(struct tn_conn *conn)
{
	struct tn_stream *s = &conn->stream;

	if (s->transport && s->transport->ready)
		s->transport->ready(s);
}

static void work_later(struct tn_conn *conn)
{
	tn_loop_defer(conn->loop, &conn->task);
}

/* Time matters from now on: a large buffer, a clunk that waits. */
static void want_ticks(struct tn_conn *conn)
{
	if (!conn->timer.at_ns)
		tn_timer_set(conn->loop, &conn->timer, tn_now_ns() + TICK_NS);
}

/* ---- queues, lists, tags of calls ---- */

static void queue_put(struct conn_queue *q, struct tn_call *call)
{
	call->queue_next = NULL;
	if (q->last)
		q->last->queue_next = call;
	else
		q->first = call;
	q->last = call;
}

static struct tn_call *queue_take(struct conn_queue *q)
{
	struct tn_call *call = q->first;

	if (!call)
		return NULL;
	q->first = call->queue_next;
	if (!q->first)
		q->last = NULL;
	call->queue_next = NULL;
	return call;
}

static struct tn_call **tag_chain(struct tn_conn *conn, uint16_t tag)
{
	return &conn->tags[tag % TAG_CHAINS];
}

static struct tn_call *tag_find(struct tn_conn *conn, uint16_t tag)
{
	struct tn_call *call;

	if (conn->n_calls == 0)
		return NULL;
	for (call = *tag_chain(conn, tag); call && call->tag != tag; call = call->tag_next)
		;
	return call;
}

static void tag_forget(struct tn_call *call)
{
	struct tn_call **at = tag_chain(call->conn, call->tag);

	while (*at && *at != call)
		at = &(*at)->tag_next;
	if (*at)
		*at = call->tag_next;
}

/* From now on the call outlives its frame. */
static void list_call(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	if (call->is_listed)
		return;
	call->is_listed = true;
	call->prev = NULL;
	call->next = conn->calls;
	if (call->next)
		call->next->prev = call;
	conn->calls = call;
	conn->n_calls++;
	if (!call->is_silent) {
		call->tag_next = *tag_chain(conn, call->tag);
		*tag_chain(conn, call->tag) = call;
	}
}

static void unlist_call(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	if (!call->is_listed)
		return;
	call->is_listed = false;
	tag_forget(call);
	if (call->prev)
		call->prev->next = call->next;
	else
		conn->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	conn->n_calls--;
}

static struct tn_call *call_new(struct tn_conn *conn, uint8_t type, uint16_t tag)
{
	struct tn_call *call = conn->spare;

	if (call) {
		conn->spare = call->queue_next;
		conn->n_spare--;
		memset((char *)call + sizeof(call->r), 0, sizeof(*call) - sizeof(call->r));
	} else {
		call = tn_budget_alloc(&conn->budget, sizeof(*call));
	}
	if (!call)
		return NULL;
	call->conn = conn;
	call->type = type;
	call->tag = tag;
	call->r.err = TN_OK;
	call->r.words = NULL;
	call->state = TN_CALL_SERVING;
	return call;
}

static void kept_free(struct tn_call *call)
{
	struct tn_kept_msg *kept = call->kept;

	call->kept = NULL;
	if (kept)
		tn_budget_free(&call->conn->budget, kept, sizeof(*kept) + kept->size);
}

static void piece_free(struct tn_call *call)
{
	tn_piece_free(&call->conn->budget, call->piece);
	call->piece = NULL;
}

/* The call has no place in a line and no fid any more. */
static void call_free(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	unlist_call(call);
	tn_req_reset(&call->r);
	tn_chan_put(call->newchan);
	call->newchan = NULL;
	kept_free(call);
	piece_free(call);
	tn_free(call->large);
	tn_free(call->first_words);
	call->state = TN_CALL_FREE;
	if (conn->n_spare >= SPARE_CALLS) {
		tn_budget_free(&conn->budget, call, sizeof(*call));
		return;
	}
	call->queue_next = conn->spare;
	conn->spare = call;
	conn->n_spare++;
}

/* ---- what spellings use ---- */

enum tn_status tn_call_refuse(struct tn_call *call, enum tn_err err)
{
	if (err == TN_ENOMEM && call->conn->budget.refused)
		call->is_over = true;
	call->conn->budget.refused = false;
	call->r.err = (uint16_t)err;
	return TN_DONE;
}

bool tn_call_room(struct tn_call *call, uint32_t head, uint32_t max)
{
	size_t need = (size_t)head + max;

	/* An error finds room here as well. */
	call->room = tn_out_room(&call->conn->out, need > ANSWER_MAX ? need : ANSWER_MAX);
	call->data_max = max;
	return call->room != NULL;
}

struct tn_server *tn_call_server(const struct tn_call *call)
{
	return call->conn->server;
}

uint32_t tn_call_msize(const struct tn_call *call)
{
	return call->conn->msize;
}

enum tn_dialect tn_call_dialect(const struct tn_call *call)
{
	return (enum tn_dialect)call->conn->dialect;
}

/* ---- the owner of requests ---- */

/* Copies the frame and decodes it again; then names and data stay where they are. */
static bool keep_frame(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;
	struct tn_kept_msg *kept;

	if (call->kept)
		return true;
	kept = tn_budget_alloc(&conn->budget, sizeof(*kept) + call->frame_len);
	if (!kept)
		return false;
	kept->size = call->frame_len;
	memcpy(kept->frame, call->frame, call->frame_len);
	call->kept = kept;
	/* It was decoded before, from the same bytes. */
	return !tn_msg_decode(&kept->m, (enum tn_dialect)conn->dialect, kept->frame, kept->size);
}

/* What is in the out buffer already moves to a piece. */
static bool keep_room(struct tn_call *call, size_t filled, size_t size)
{
	if (call->piece)
		return true;
	call->piece = tn_piece_new(&call->conn->budget, size);
	if (!call->piece)
		return false;
	if (filled > 0)
		memcpy(call->piece->data, call->room, filled);
	call->room = call->piece->data;
	return true;
}

static bool keep_all(struct tn_call *call)
{
	size_t stat_size = call->answer_len > STAT_ROOM ? call->answer_len : STAT_ROOM;

	if (call->how->keeps_frame && !keep_frame(call))
		return false;
	if (call->r.type == TN_STAT)
		return keep_room(call, call->answer_len, stat_size);
	if (call->r.type == TN_READ || call->r.type == TN_READDIR)
		return keep_room(call, TN_RREAD_HDR + call->data_len,
		    TN_RREAD_HDR + call->data_max);
	return true;
}

static bool call_keep(struct tn_req *r)
{
	struct tn_call *call = (struct tn_call *)r;

	if (!keep_all(call)) {
		call->is_over = call->conn->budget.refused;
		call->conn->budget.refused = false;
		return false;
	}
	if (call->how->point)
		call->how->point(call, call->kept ? &call->kept->m : NULL);
	return true;
}

static bool put_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct tn_call *call = (struct tn_call *)r;
	enum tn_dialect dialect = tn_call_dialect(call);
	struct tn_stat said;
	size_t n;

	tn_dialect_stat(&said, st, dialect);
	n = tn_stat_encode(&said, dialect, call->room + TN_RREAD_HDR + call->data_len,
	    call->data_max - call->data_len);
	if (n == 0) {
		call->is_full = true;
		return false;
	}
	call->data_len += (uint32_t)n;
	call->dir_next = next;
	return true;
}

/* Room for a whole Rstat. On a worker only its own memory may be touched: adopt_large enters it into the budget. */
static uint8_t *stat_room(struct tn_call *call, size_t size)
{
	if (!call->piece)
		return tn_out_room(&call->conn->out, size > ANSWER_MAX ? size : ANSWER_MAX);
	if (size <= call->piece->size)
		return call->piece->data;
	call->large = tn_alloc(sizeof(*call->large) + size);
	if (!call->large)
		return NULL;
	call->large->size = (uint32_t)size;
	call->large->data = (uint8_t *)(call->large + 1);
	return call->large->data;
}

static void adopt_large(struct tn_call *call)
{
	if (!call->large)
		return;
	piece_free(call);
	call->piece = call->large;
	call->large = NULL;
	call->conn->budget.used += sizeof(*call->piece) + call->piece->size;
}

/* The answer is encoded at once, as long as *st is there. */
static void put_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct tn_call *call = (struct tn_call *)r;
	enum tn_dialect dialect = tn_call_dialect(call);
	struct tn_msg m;
	size_t size, len;

	m.type = TN_RSTAT;
	m.tag = call->tag;
	tn_dialect_stat(&m.stat, st, dialect);
	size = tn_stat_size(&m.stat, dialect);
	if (size == 0 || TN_HDR_SIZE + 2 + size > call->conn->msize || call->is_answered) {
		tn_fail(r, TN_EOVERFLOW);
		return;
	}
	size += TN_HDR_SIZE + 2;
	call->room = stat_room(call, size);
	if (!call->room || tn_msg_encode(&m, dialect, call->room, size, &len)) {
		tn_fail(r, TN_ENOMEM);
		return;
	}
	call->answer_len = (uint32_t)len;
	call->is_answered = true;
}

/* Whoever answers may be anywhere: inside its own lists, inside this conn's asking. So the call is only noted. */
static void call_done(struct tn_req *r)
{
	struct tn_call *call = (struct tn_call *)r;

	call->state = TN_CALL_DONE;
	queue_put(&call->conn->finished, call);
	if (!call->conn->is_working)
		work_later(call->conn);
}

const struct tn_owner tn_conn_owner = {
	.done = call_done,
	.keep = call_keep,
	.entry = put_entry,
	.stat = put_stat,
};

/* ---- lines ---- */

/* What must not be outstanding on a fid. A use of an open fid that can only fail need not wait for its reads. */
static bool may_go(const struct tn_ticket *t)
{
	const struct tn_fid *fid = t->fid;

	if (!fid)
		return true;
	if (fid->holder)
		return false;
	switch ((enum tn_use)t->use) {
	case TN_USE_ALONE: return fid->shared == 0 || fid->is_open;
	case TN_USE_LAST: return fid->shared == 0;
	default: return true;
	}
}

static bool is_head(const struct tn_ticket *t)
{
	return !t->fid || !t->fid->first || t->fid->first == t;
}

static bool is_its_turn(const struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++)
		if (!is_head(&call->tickets[i]) || !may_go(&call->tickets[i]))
			return false;
	return true;
}

static void stir(struct tn_conn *conn, struct tn_fid *fid)
{
	if (fid->is_stirred)
		return;
	fid->is_stirred = true;
	fid->stirred_next = conn->stirred;
	conn->stirred = fid;
}

/* A fid without Chan is only as good as those who wait to make it. */
static void settle(struct tn_conn *conn, struct tn_fid *fid)
{
	if (fid->first)
		stir(conn, fid);
	else if (!fid->chan && !fid->holder && !fid->shared && !fid->is_stirred)
		tn_fid_drop(&conn->fids, fid);
}

static enum tn_err enter_fid(struct tn_call *call, uint8_t use, uint32_t number)
{
	struct tn_ticket *t = &call->tickets[call->n_tickets++];
	enum tn_err err = TN_OK;

	t->call = call;
	t->use = use;
	t->fid = tn_fid_find(&call->conn->fids, number);
	if (!t->fid && use == TN_USE_MAKE && number != TN_NOFID)
		t->fid = tn_fid_make(&call->conn->fids, number, &err);
	return err;
}

/* The fids that the message names. Placeholders are made for those that it is to make. */
static enum tn_err enter_fids(struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_spelling *how = call->how;
	enum tn_err err = TN_OK;

	if (how->fid)
		err = enter_fid(call, how->fid, m->fid);
	if (!err && how->newfid == TN_USE_MAKE && m->newfid == m->fid)
		call->tickets[0].use = TN_USE_ALONE; /* a walk onto itself */
	else if (!err && how->newfid)
		err = enter_fid(call, how->newfid, m->newfid);
	if (!err && how->afid && (how->afid == TN_USE_MAKE || m->afid != TN_NOFID))
		err = enter_fid(call, how->afid, m->afid);
	return err;
}

static enum tn_err check_fids(const struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		const struct tn_ticket *t = &call->tickets[i];

		if (!t->fid || (t->use != TN_USE_MAKE && !t->fid->chan))
			return TN_EBADFID;
		if (t->use == TN_USE_MAKE && t->fid->chan)
			return TN_EFIDINUSE;
	}
	return TN_OK;
}

enum { HOLDS_NOTHING, HOLDS_SHARE, HOLDS_ALL };

/* The server keeps the request: others on its fids may or must not go on meanwhile. */
static void hold_fids(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];
		bool is_share = t->use == TN_USE_SHARE ||
				(t->use == TN_USE_READ && !tn_chan_is_dir(t->fid->chan));

		t->holds = is_share ? HOLDS_SHARE : HOLDS_ALL;
		if (is_share)
			t->fid->shared++;
		else
			t->fid->holder = call;
	}
}

static void leave_fids(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];

		if (!t->fid)
			continue;
		if (t->holds == HOLDS_SHARE)
			t->fid->shared--;
		else if (t->holds == HOLDS_ALL)
			t->fid->holder = NULL;
		t->holds = HOLDS_NOTHING;
		settle(call->conn, t->fid);
	}
	call->n_tickets = 0;
}

static void join_lines(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];

		if (!t->fid)
			continue;
		t->next = NULL;
		if (t->fid->last)
			t->fid->last->next = t;
		else
			t->fid->first = t;
		t->fid->last = t;
		stir(call->conn, t->fid);
	}
}

static void quit_line(struct tn_ticket *t)
{
	struct tn_ticket **at = &t->fid->first, *before = NULL;

	while (*at != t) {
		before = *at;
		at = &before->next;
	}
	*at = t->next;
	if (t->fid->last == t)
		t->fid->last = before;
}

static void quit_lines(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++)
		if (call->tickets[i].fid)
			quit_line(&call->tickets[i]);
}

/* ---- answers ---- */

/* Bytes of text that fit in `max` without a part of a character of UTF-8 at the end. */
static uint32_t cut_text(const char *text, size_t max)
{
	size_t len = tn_strlen(text);

	if (len <= max)
		return (uint32_t)len;
	len = max;
	while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
		len--;
	return (uint32_t)len;
}

static bool put_msg(struct tn_conn *conn, const struct tn_msg *m)
{
	uint8_t *room = tn_out_room(&conn->out, ANSWER_MAX);
	size_t len;

	if (!room)
		return false;
	tn_assert(tn_msg_encode(m, (enum tn_dialect)conn->dialect, room, ANSWER_MAX, &len) ==
		  TN_CODEC_OK);
	tn_out_fill(&conn->out, len);
	conn->stats.messages_out++;
	return true;
}

static bool put_error(struct tn_conn *conn, uint16_t tag, const char *text)
{
	size_t max = conn->msize < ANSWER_MAX ? conn->msize : ANSWER_MAX;
	struct tn_msg m;

	m.type = TN_RERROR;
	m.tag = tag;
	m.error = 0;
	m.ename = (struct tn_str){ text, cut_text(text, max - TN_HDR_SIZE - 2) };
	if (!put_msg(conn, &m))
		return false;
	conn->stats.errors++;
	return true;
}

/* The frame that put_stat has made. */
static bool put_ready(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	conn->stats.messages_out++;
	if (!call->piece) {
		tn_out_fill(&conn->out, call->answer_len);
		return true;
	}
	call->piece->len = call->answer_len;
	tn_out_take(&conn->out, call->piece);
	call->piece = NULL;
	return true;
}

/* Into the room that was made for its data: in the out buffer, or a piece that becomes part of it. */
static bool put_data(struct tn_call *call, struct tn_msg *m)
{
	size_t size = (size_t)TN_RREAD_HDR + call->data_max, len;

	call->how->answer(call, m);
	m->tag = call->tag;
	tn_assert(tn_msg_encode(m, tn_call_dialect(call), call->room, size, &len) == TN_CODEC_OK);
	call->answer_len = (uint32_t)len;
	return put_ready(call);
}

static bool put_answer(struct tn_call *call, struct tn_msg *m)
{
	if (call->is_answered)
		return put_ready(call);
	if (call->room)
		return put_data(call, m);
	/* The answer changes fids: only when it can be sent. */
	if (!tn_out_room(&call->conn->out, ANSWER_MAX))
		return false;
	call->how->answer(call, m);
	m->tag = call->tag;
	return put_msg(call->conn, m);
}

/* false: no memory now, try again when something was sent. */
static bool send(struct tn_call *call, struct tn_msg *m)
{
	struct tn_conn *conn = call->conn;

	/* flush(5): a request that was cut short by its flush is answered by Rflush alone. */
	if (call->is_silent || (call->is_flushed && call->r.err == TN_EINTR)) {
		conn->stats.flushed++;
		return true;
	}
	if (call->r.err == TN_ENOMEM && call->is_over)
		call->r.err = TN_ELIMIT_MEMORY;
	if (call->r.err)
		return put_error(conn, call->tag, tn_req_text(&call->r));
	adopt_large(call);
	return put_answer(call, m);
}

/* The call is answered; those who waited for it come next, its flushes before all. */
static void end_call(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;
	struct tn_call *flush;

	leave_fids(call);
	while ((flush = call->flushes) != NULL) {
		call->flushes = flush->queue_next;
		flush->target = NULL;
		flush->state = TN_CALL_DONE;
		queue_put(&conn->finished, flush);
	}
	call_free(call);
}

static void finish(struct tn_call *call, struct tn_msg *m)
{
	struct tn_conn *conn = call->conn;

	call->state = TN_CALL_DONE;
	if (!conn->unsent.first && send(call, m)) {
		end_call(call);
		return;
	}
	list_call(call);
	queue_put(&conn->unsent, call);
}

/* ---- serving ---- */

/* Its fids are free for it. *m lies on the stack, or in call->kept when it has waited. */
static void run(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_fids(call);
	enum tn_status status;

	call->state = TN_CALL_SERVING;
	status = err ? tn_call_refuse(call, err) : call->how->ask(call, m);
	if (status == TN_DONE && !err && call->how->then)
		status = call->how->then(call);
	if (status == TN_DONE) {
		finish(call, m);
		return;
	}
	call->state = TN_CALL_KEPT;
	call->conn->stats.kept++;
	hold_fids(call);
	list_call(call);
}

static void wait_in_line(struct tn_call *call)
{
	if (!keep_frame(call)) {
		struct tn_msg m;

		tn_call_refuse(call, TN_ENOMEM);
		finish(call, &m);
		return;
	}
	call->state = TN_CALL_WAITING;
	join_lines(call);
	list_call(call);
}

static void refuse_tag(struct tn_conn *conn, uint16_t tag, enum tn_err err)
{
	put_error(conn, tag, tn_err_text(err)); /* there is room: may_serve */
	conn->stats.refused++;
}

static void take_request(struct tn_conn *conn, struct tn_msg *m, const struct tn_spelling *how,
    const uint8_t *frame, uint32_t len)
{
	struct tn_call *call = call_new(conn, m->type, m->tag);
	enum tn_err err;

	if (!call) {
		refuse_tag(conn, m->tag, conn->budget.refused ? TN_ELIMIT_MEMORY : TN_ENOMEM);
		return;
	}
	call->how = how;
	call->frame = frame;
	call->frame_len = len;
	err = enter_fids(call, m);
	if (err) {
		tn_call_refuse(call, err);
		finish(call, m);
		return;
	}
	for (int i = 0; i < call->n_tickets; i++) {
		/* A fid that nobody knows: there is nothing to wait for. */
		const struct tn_fid *fid = call->tickets[i].fid;

		if (!fid)
			break;
		if (fid->first || !may_go(&call->tickets[i])) {
			wait_in_line(call);
			return;
		}
	}
	run(call, m);
}

/* ---- flush(5) ---- */

static void flush_answer(struct tn_call *call, struct tn_msg *m)
{
	(void)call;
	m->type = TN_RFLUSH;
}

static const struct tn_spelling flush_how = { .answer = flush_answer };

/* It has not begun: nobody will know that it was there. */
static void withdraw(struct tn_call *call)
{
	quit_lines(call);
	leave_fids(call);
	call_free(call);
}

/* Asks that a kept request end. A clunk ends by itself, and nothing could take it back. */
static bool cut_short(struct tn_call *call)
{
	if (call->state != TN_CALL_KEPT || call->r.type == TN_CLUNK || tn_req_flushed(&call->r))
		return false;
	tn_flush(&call->r);
	return true;
}

static void take_flush(struct tn_conn *conn, struct tn_msg *m)
{
	struct tn_call *old = tag_find(conn, m->oldtag), *call = call_new(conn, m->type, m->tag);

	if (!call) {
		refuse_tag(conn, m->tag, conn->budget.refused ? TN_ELIMIT_MEMORY : TN_ENOMEM);
		return;
	}
	call->how = &flush_how;
	if (old && old->state == TN_CALL_WAITING) {
		withdraw(old);
		conn->stats.flushed++;
		old = NULL;
	}
	if (!old) {
		finish(call, m);
		return;
	}
	/* Behind the answer of what it flushes; a flush of a flush, behind that of the first one's request. */
	call->target = old->target ? old->target : old;
	call->state = TN_CALL_FLUSH;
	list_call(call);
	old = call->target;
	old->is_flushed = true;
	if (old->flushes)
		old->flushes_last->queue_next = call;
	else
		old->flushes = call;
	old->flushes_last = call;
	cut_short(old);
}

/*
 * So many requests are outstanding that no more are taken; but a Tflush among what has come may be what ends one. It is
 * carried out now and answered in its turn.
 */
static bool scan_flushes(struct tn_conn *conn)
{
	bool did = false;
	int32_t n;

	while (conn->scanned < conn->in_len) {
		const uint8_t *frame = conn->in + conn->in_start + conn->scanned;
		struct tn_call *old;
		struct tn_msg m;

		n = tn_frame_len(frame, conn->in_len - conn->scanned, conn->msize);
		if (n <= 0)
			break;
		conn->scanned += (uint32_t)n;
		if (tn_msg_decode(&m, (enum tn_dialect)conn->dialect, frame, (size_t)n) ||
		    m.type != TN_TFLUSH)
			continue;
		old = tag_find(conn, m.oldtag);
		if (!old)
			continue;
		if (old->state == TN_CALL_WAITING) {
			withdraw(old);
			did = true;
			continue;
		}
		old->is_flushed = true;
		did = cut_short(old) || did;
	}
	return did;
}

/* ---- version(5) ---- */

static void take_version(struct tn_conn *conn, const struct tn_msg *m)
{
	if (m->msize < MSIZE_MIN) {
		put_error(conn, m->tag, "msize is too small");
		conn->stats.refused++;
		return;
	}
	conn->version_tag = m->tag;
	conn->version_dialect = (uint8_t)tn_dialect_offered(m->version);
	conn->version_msize = m->msize < conn->limits.msize_max ? m->msize : conn->limits.msize_max;
	conn->state = CONN_RESET;
	conn->must_cut = true;
}

static bool answer_version(struct tn_conn *conn)
{
	bool is_known = conn->version_dialect != TN_DIALECTS;
	const char *text = is_known ? tn_dialect_name((enum tn_dialect)conn->version_dialect)
				    : "unknown";
	struct tn_msg m;

	m.type = TN_RVERSION;
	m.tag = conn->version_tag;
	m.msize = conn->version_msize;
	m.version = (struct tn_str){ text, (uint32_t)tn_strlen(text) };
	if (!put_msg(conn, &m))
		return false;
	conn->msize = conn->version_msize;
	conn->dialect = is_known ? conn->version_dialect : TN_9P2000;
	conn->state = is_known ? CONN_OPEN : CONN_NEW;
	return true;
}

/* ---- the end of a session: by Tversion, by hang-up ---- */

/* Nothing that is outstanding will be answered. */
static void cut_calls(struct tn_conn *conn)
{
	struct tn_call *call, *next;

	conn->must_cut = false;
	conn->is_clearing = false;
	for (call = conn->calls; call; call = next) {
		next = call->next;
		call->is_silent = true;
		if (call->state == TN_CALL_WAITING)
			withdraw(call);
		else
			cut_short(call);
	}
}

static void nothing(struct tn_call *call, struct tn_msg *m)
{
	(void)call;
	(void)m;
}

static const struct tn_spelling close_how = { .answer = nothing };

/* Clunks a fid. Without memory for waiting its Chan is put, which ends the same way a little later. */
static void give_up_fid(struct tn_conn *conn, struct tn_fid *fid)
{
	struct tn_call *call = call_new(conn, TN_TCLUNK, TN_NOTAG);
	struct tn_chan *c = fid->chan;

	fid->chan = NULL;
	settle(conn, fid);
	if (!call) {
		tn_chan_put(c);
		return;
	}
	call->how = &close_how;
	call->is_silent = true;
	tn_req_init(&call->r, TN_CLUNK, c, &tn_conn_owner);
	if (tn_chan_close(&call->r) == TN_DONE) {
		call_free(call);
		return;
	}
	call->state = TN_CALL_KEPT;
	list_call(call);
}

/* A step of the end: first the calls, then the fids. false: others must do something first. */
static bool clear(struct tn_conn *conn)
{
	struct tn_fid *fid;

	if (!conn->is_clearing) {
		if (conn->n_calls > 0)
			return false;
		conn->is_clearing = true;
		conn->cursor = 0;
	}
	if (conn->n_calls >= CLUNKS_MAX)
		return false;
	fid = tn_fids_next(&conn->fids, &conn->cursor);
	if (fid) {
		give_up_fid(conn, fid);
		return true;
	}
	if (conn->n_calls > 0)
		return false;
	if (conn->state == CONN_RESET)
		return answer_version(conn);
	if (conn->state == CONN_CLOSED || (conn->stream.transport && conn->linger > 0))
		return false;
	conn->state = CONN_CLOSED;
	tn_timer_stop(conn->loop, &conn->timer);
	work_later(conn);
	return false;
}

static void end(struct tn_conn *conn)
{
	conn->is_reading = false;
	conn->stream.closing = true;
	if (conn->state >= CONN_ENDING)
		return;
	conn->state = CONN_ENDING;
	conn->must_cut = true;
}

/* What is sent already, errors about it among them, may still leave. */
static void break_off(struct tn_conn *conn)
{
	static const char words[] = "9P: a frame that cannot be: hung up: ";
	char line[sizeof(words) + PEER_MAX];
	size_t len = tn_strlen(conn->peer);

	memcpy(line, words, sizeof(words) - 1);
	memcpy(line + sizeof(words) - 1, conn->peer, len);
	tn_log(line, sizeof(words) - 1 + len);
	conn->linger = LINGER_TICKS;
	end(conn);
	want_ticks(conn);
}

/* ---- from the in buffer ---- */

static void serve(struct tn_conn *conn, const uint8_t *frame, uint32_t len)
{
	struct tn_msg m;
	enum tn_codec_err bad = tn_msg_decode(&m, (enum tn_dialect)conn->dialect, frame, len);
	const struct tn_spelling *how;

	conn->stats.messages_in++;
	if (bad) {
		refuse_tag(conn, m.tag, TN_EBADMSG);
		return;
	}
	if (m.type == TN_TVERSION) {
		take_version(conn, &m);
		return;
	}
	how = tn_dialect_spelling((enum tn_dialect)conn->dialect, m.type);
	if (!how && m.type != TN_TFLUSH)
		refuse_tag(conn, m.tag, TN_EBADMSG);
	else if (conn->state != CONN_OPEN)
		refuse_tag(conn, m.tag, TN_EBADVERSION);
	else if (m.tag == TN_NOTAG || tag_find(conn, m.tag))
		refuse_tag(conn, m.tag, TN_EBADTAG);
	else if (m.type == TN_TFLUSH)
		take_flush(conn, &m);
	else
		take_request(conn, &m, how, frame, len);
}

static bool is_pushed_back(const struct tn_conn *conn)
{
	return conn->state > CONN_OPEN || conn->unsent.first ||
	       conn->out.bytes > conn->limits.out_max;
}

/* Whatever comes can be answered, at least by an error. */
static bool may_serve(struct tn_conn *conn)
{
	return !is_pushed_back(conn) && tn_out_room(&conn->out, ANSWER_MAX);
}

static bool serve_next(struct tn_conn *conn)
{
	const uint8_t *frame = conn->in + conn->in_start;
	int32_t len;

	if (!conn->is_reading)
		return false;
	if (conn->n_calls >= conn->limits.reqs_max)
		return !is_pushed_back(conn) && scan_flushes(conn);
	if (!may_serve(conn))
		return false;
	len = tn_frame_len(frame, conn->in_len, conn->msize);
	if (len == 0) {
		conn->is_reading = false;
		return false;
	}
	if (len < 0) {
		break_off(conn);
		return true;
	}
	serve(conn, frame, (uint32_t)len);
	conn->in_start += (uint32_t)len;
	conn->in_len -= (uint32_t)len;
	conn->scanned -= conn->scanned < (uint32_t)len ? conn->scanned : (uint32_t)len;
	if (conn->in_len == 0)
		conn->in_start = 0;
	return true;
}

/* ---- work ---- */

static bool work_finished(struct tn_conn *conn)
{
	struct tn_call *call = queue_take(&conn->finished);
	struct tn_msg m;

	if (!call)
		return false;
	if (call->how->then && call->how->then(call) == TN_LATER)
		call->state = TN_CALL_KEPT;
	else
		finish(call, &m);
	return true;
}

static bool work_unsent(struct tn_conn *conn)
{
	struct tn_msg m;

	if (!conn->unsent.first || !send(conn->unsent.first, &m))
		return false;
	end_call(queue_take(&conn->unsent));
	return true;
}

/* Those in the line of a fid whose turn it is. */
static bool work_line(struct tn_conn *conn)
{
	struct tn_fid *fid = conn->stirred;
	struct tn_call *call;

	if (!fid || conn->unsent.first)
		return false;
	if (fid->first && is_its_turn(fid->first->call)) {
		call = fid->first->call;
		quit_lines(call);
		run(call, &call->kept->m); /* leaves and stirs its fids when it is over */
		return true;
	}
	conn->stirred = fid->stirred_next;
	fid->is_stirred = false;
	if (!fid->first) {
		settle(conn, fid);
		return true;
	}
	call = fid->first->call;
	if (fid->first->use == TN_USE_LAST && !call->blocked_ns) {
		call->blocked_ns = tn_now_ns();
		want_ticks(conn);
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
		cut_calls(conn);
		return true;
	}
	if (work_finished(conn) || work_unsent(conn) || work_line(conn))
		return true;
	return conn->state > CONN_OPEN ? clear(conn) : serve_next(conn);
}

/* Nothing is held that an idle conn does not need. */
static bool is_small(const struct tn_conn *conn)
{
	return conn->in == conn->in_base && tn_out_is_small(&conn->out) &&
	       tn_fids_are_small(&conn->fids) && !conn->spare;
}

static void work(struct tn_conn *conn)
{
	if (conn->is_working)
		return;
	conn->is_working = true;
	while (step(conn))
		;
	conn->is_working = false;
	if (conn->out.bytes > 0 || conn->was_refused || conn->stream.closing)
		tell_transport(conn);
	conn->was_refused = false;
	if (conn->state != CONN_CLOSED && !is_small(conn))
		want_ticks(conn); /* to give back what was needed only now */
}

static void task_run(struct tn_task *task)
{
	struct tn_conn *conn = (struct tn_conn *)((char *)task - offsetof(struct tn_conn, task));

	void (*closed)(struct tn_conn *, void *) = conn->closed;

	if (conn->state != CONN_CLOSED) {
		work(conn);
		return;
	}
	conn->closed = NULL;
	if (closed)
		closed(conn, conn->arg); /* which may free it */
}

/* ---- time ---- */

static void shrink(struct tn_conn *conn)
{
	struct tn_call *call;

	while ((call = conn->spare) != NULL) {
		conn->spare = call->queue_next;
		tn_budget_free(&conn->budget, call, sizeof(*call));
	}
	conn->n_spare = 0;
	tn_out_shrink(&conn->out);
	tn_fids_shrink(&conn->fids);
	if (conn->in_len > 0 || conn->in == conn->in_base)
		return;
	tn_budget_free(&conn->budget, conn->in, conn->in_size);
	conn->in = conn->in_base;
	conn->in_size = IN_BASE;
	conn->in_start = 0;
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
				cut_short(call);
	return true;
}

static void tick(struct tn_timer *timer)
{
	struct tn_conn *conn = (struct tn_conn *)((char *)timer - offsetof(struct tn_conn, timer));
	bool must_go_on;

	conn->is_working = true;
	if (conn->linger > 0)
		conn->linger--;
	if (conn->stats.messages_in == conn->ticked_in)
		shrink(conn);
	conn->ticked_in = conn->stats.messages_in;
	must_go_on = conn->linger > 0 || !is_small(conn);
	for (struct tn_call *call = conn->calls; call; call = call->next)
		must_go_on |= hurry_clunk(conn, call);
	conn->is_working = false;
	if (must_go_on)
		want_ticks(conn);
	work(conn);
}

/* ---- the stream ---- */

static struct tn_conn *conn_of(struct tn_stream *s)
{
	return (struct tn_conn *)s;
}

static bool grow_in(struct tn_conn *conn, uint32_t size)
{
	uint8_t *in = tn_budget_alloc(&conn->budget, size);

	if (!in)
		return false;
	memcpy(in, conn->in + conn->in_start, conn->in_len);
	if (conn->in != conn->in_base)
		tn_budget_free(&conn->budget, conn->in, conn->in_size);
	conn->in = in;
	conn->in_size = size;
	conn->in_start = 0;
	conn->is_greedy = false;
	return true;
}

/* The size that the in buffer ought to have: a whole frame at least, more while reads fill it. */
static uint32_t wanted_in_size(const struct tn_conn *conn)
{
	const uint8_t *p = conn->in + conn->in_start;
	uint32_t frame = 0, size = conn->in_size;

	if (conn->in_len >= 4)
		frame = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			(uint32_t)p[3] << 24;
	if (conn->is_greedy)
		size = size > conn->msize / IN_GROW ? conn->msize : size * IN_GROW;
	if (size < frame && frame <= conn->msize)
		size = frame;
	return size > conn->in_size ? size : conn->in_size;
}

/* There is no memory for the frame that has begun: it is answered by an error, and its rest passes by unseen. */
static bool skip_frame(struct tn_conn *conn)
{
	struct tn_msg m;

	if (!may_serve(conn) || tn_frame_len(conn->in, conn->in_len, conn->msize) != 0)
		return false;
	tn_msg_decode(&m, (enum tn_dialect)conn->dialect, conn->in, TN_HDR_SIZE); /* the tag only */
	conn->skip = wanted_in_size(conn) - conn->in_len;
	conn->in_len = 0;
	refuse_tag(conn, m.tag, conn->budget.refused ? TN_ELIMIT_MEMORY : TN_ENOMEM);
	conn->budget.refused = false;
	return true;
}

static void make_room(struct tn_conn *conn)
{
	uint32_t size = wanted_in_size(conn);

	if (size > conn->in_size && grow_in(conn, size))
		return;
	if (conn->in_start > 0 &&
	    conn->in_size - conn->in_start - conn->in_len < conn->in_size / 2) {
		memmove(conn->in, conn->in + conn->in_start, conn->in_len);
		conn->in_start = 0;
	}
}

static uint8_t *conn_input(struct tn_stream *s, size_t *room)
{
	struct tn_conn *conn = conn_of(s);

	*room = 0;
	if (!is_pushed_back(conn)) {
		make_room(conn);
		*room = conn->in_size - conn->in_start - conn->in_len;
		if (*room == 0 && skip_frame(conn)) {
			*room = conn->in_size;
			tell_transport(conn);
		}
		if (conn->skip > 0 && *room > conn->skip)
			*room = conn->skip;
	}
	conn->was_refused = *room == 0;
	return *room > 0 ? conn->in + conn->in_start + conn->in_len : NULL;
}

static void conn_arrived(struct tn_stream *s, size_t n)
{
	struct tn_conn *conn = conn_of(s);

	conn->stats.bytes_in += n;
	if (conn->state >= CONN_ENDING)
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
	work(conn);
}

static size_t conn_output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	return tn_out_vec(&conn_of(s)->out, vec, max);
}

static void conn_sent(struct tn_stream *s, size_t n)
{
	struct tn_conn *conn = conn_of(s);

	tn_out_sent(&conn->out, n);
	conn->stats.bytes_out += n;
	work(conn);
}

static void conn_hangup(struct tn_stream *s, enum tn_err why)
{
	struct tn_conn *conn = conn_of(s);

	(void)why; /* whatever it was, the session is over */
	s->transport = NULL;
	conn->linger = 0;
	conn->must_discard = true;
	end(conn);
	work(conn);
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
	if (to->msize_max < MSIZE_MIN)
		to->msize_max = MSIZE_MIN;
	if (to->msize_max > INT32_MAX / 2)
		to->msize_max = INT32_MAX / 2;
	to->fids_max = limit(l->fids_max, default_limits.fids_max);
	to->reqs_max = limit(l->reqs_max, default_limits.reqs_max);
	to->out_max = limit(l->out_max, default_limits.out_max);
	to->memory_max = l->memory_max ? l->memory_max : default_limits.memory_max;
	conn->budget.max = to->memory_max;
}

struct tn_conn *tn_conn_new(struct tn_server *server, const struct tn_conn_limits *limits,
    const char *peer, void (*closed)(struct tn_conn *conn, void *arg), void *arg)
{
	struct tn_conn *conn = tn_alloc(sizeof(*conn));
	size_t len = peer ? tn_strlen(peer) : 0;

	if (!conn)
		return NULL;
	conn->stream.ops = &conn_stream_ops;
	conn->server = tn_server_get(server);
	conn->loop = server->home;
	conn->closed = closed;
	conn->arg = arg;
	conn->task.fn = task_run;
	conn->timer.fn = tick;
	conn->in = conn->in_base;
	conn->in_size = IN_BASE;
	set_limits(conn, limits);
	conn->msize = conn->limits.msize_max < MSIZE_FIRST ? conn->limits.msize_max : MSIZE_FIRST;
	tn_out_init(&conn->out, &conn->budget);
	tn_fids_init(&conn->fids, conn->limits.fids_max);
	if (len > 0)
		memcpy(conn->peer, peer, len < PEER_MAX ? len : PEER_MAX - 1);
	return conn;
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
	work(conn);
}

void tn_conn_free(struct tn_conn *conn)
{
	struct tn_stream *s = &conn->stream;

	tn_assert(conn->state == CONN_CLOSED && conn->n_calls == 0);
	if (s->transport && s->transport->detached)
		s->transport->detached(s);
	tn_loop_forget(conn->loop, &conn->task);
	tn_timer_stop(conn->loop, &conn->timer);
	conn->in_len = 0;
	shrink(conn);
	tn_out_fini(&conn->out);
	tn_fids_fini(&conn->fids);
	tn_server_put(conn->server);
	tn_free(conn);
}

void tn_conn_stats(const struct tn_conn *conn, struct tn_conn_stats *out)
{
	*out = conn->stats;
	out->fids = conn->fids.n;
	out->reqs = conn->n_calls;
}
