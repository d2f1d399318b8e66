/*
 * From an answered call to bytes in the out buffer.
 */
#include "core/mem.h"
#include "link/conn_in.h"

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

/* A message of at most `max` bytes. */
static bool put(struct tn_conn *conn, const struct tn_msg *m, size_t max)
{
	enum tn_dialect dialect = (enum tn_dialect)conn->dialect;
	uint8_t *room = tn_out_room(&conn->out, max);
	size_t len;

	if (!room)
		return false;
	tn_assert(tn_msg_encode(m, dialect, room, max, &len) == TN_CODEC_OK);
	tn_out_fill(&conn->out, len);
	conn->stats.messages_out++;
	return true;
}

bool tn_conn_put_msg(struct tn_conn *conn, const struct tn_msg *m)
{
	return put(conn, m, TN_ANSWER_MAX);
}

bool tn_conn_put_error(struct tn_conn *conn, uint16_t tag, enum tn_err err, const char *text)
{
	size_t max = conn->msize < TN_ANSWER_MAX ? conn->msize : TN_ANSWER_MAX;
	struct tn_msg m;

	m.type = conn->dialect == TN_9P2000_L ? TN_RLERROR : TN_RERROR;
	m.tag = tag;
	m.error = tn_err_linux(err);
	m.ename = (struct tn_str){ text, cut_text(text, max - TN_HDR_SIZE - 2 - 4) };
	if (!put(conn, &m, TN_ANSWER_MAX))
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
	size_t size = (size_t)TN_DATA_HDR + call->data_max, len;

	call->how->answer(call, m);
	m->tag = call->tag;
	tn_assert(tn_msg_encode(m, tn_call_dialect(call), call->room, size, &len) == TN_CODEC_OK);
	call->answer_len = (uint32_t)len;
	return put_ready(call);
}

static bool put_answer(struct tn_call *call, struct tn_msg *m)
{
	size_t max = TN_ANSWER_MAX + (call->text ? TN_TARGET_MAX : 0);

	if (call->is_answered)
		return put_ready(call);
	if (call->room)
		return put_data(call, m);
	/* The answer changes fids: only when it can be sent. */
	if (!tn_out_room(&call->conn->out, max))
		return false;
	call->how->answer(call, m);
	m->tag = call->tag;
	return put(call->conn, m, max);
}

/* false: no memory now, try again when something was sent. */
bool tn_conn_send(struct tn_call *call, struct tn_msg *m)
{
	struct tn_conn *conn = call->conn;

	/* flush(5): a request that was cut short by its flush is answered by Rflush alone. */
	if (call->is_silent || (call->is_flushed && call->r.err == TN_EINTR)) {
		conn->stats.flushed++;
		return true;
	}
	if (call->r.err == TN_ENOMEM && call->over)
		call->r.err = (uint16_t)call->over;
	if (call->r.err)
		return tn_conn_put_error(conn, call->tag, (enum tn_err)call->r.err,
		    tn_req_text(&call->r));
	tn_conn_adopt_large(call);
	return put_answer(call, m);
}

/* The call is answered; those who waited for it come next, its flushes before all. */
void tn_conn_end_call(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;
	struct tn_call *flush;

	tn_line_leave(call);
	while ((flush = call->flushes) != NULL) {
		call->flushes = flush->queue_next;
		flush->target = NULL;
		flush->state = TN_CALL_DONE;
		tn_calls_put(&conn->finished, flush);
	}
	tn_conn_call_free(call);
}

void tn_conn_finish(struct tn_call *call, struct tn_msg *m)
{
	struct tn_conn *conn = call->conn;

	call->state = TN_CALL_DONE;
	if (!conn->unsent.first && tn_conn_send(call, m)) {
		tn_conn_end_call(call);
		return;
	}
	tn_conn_list_call(call);
	tn_calls_put(&conn->unsent, call);
}

void tn_conn_refuse_tag(struct tn_conn *conn, uint16_t tag, enum tn_err err)
{
	tn_conn_put_error(conn, tag, err,
	    tn_err_text(err)); /* there is room: may_serve in conn.c */
	conn->stats.refused++;
}
