/*
 * What a Tflush, a Tversion or the end of the connection does to the calls and fids that are there.
 */
#include "core/mem.h"
#include "link/conn_in.h"

enum { CLUNKS_MAX = 64 /* at once, when all fids are given up */ };

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
	tn_line_quit(call);
	tn_line_leave(call);
	tn_conn_call_free(call);
}

/* Asks that a kept request end. A clunk ends by itself, and nothing could take it back. */
bool tn_conn_cut_short(struct tn_call *call)
{
	if (call->state != TN_CALL_KEPT || call->r.type == TN_CLUNK || tn_req_flushed(&call->r))
		return false;
	tn_flush(&call->r);
	return true;
}

void tn_conn_take_flush(struct tn_conn *conn, struct tn_msg *m)
{
	struct tn_call *old = tn_conn_find_tag(conn, m->oldtag),
		       *call = tn_conn_call_new(conn, m->type, m->tag);

	if (!call) {
		tn_conn_refuse_tag(conn, m->tag, TN_ENOMEM);
		return;
	}
	call->how = &flush_how;
	if (old && old->state == TN_CALL_WAITING) {
		withdraw(old);
		conn->stats.flushed++;
		old = NULL;
	}
	if (!old) {
		tn_conn_finish(call, m);
		return;
	}
	/* Behind the answer of what it flushes; a flush of a flush, behind that of the first one's request. */
	call->target = old->target ? old->target : old;
	call->state = TN_CALL_FLUSH;
	tn_conn_list_call(call);
	old = call->target;
	old->is_flushed = true;
	if (old->flushes)
		old->flushes_last->queue_next = call;
	else
		old->flushes = call;
	old->flushes_last = call;
	tn_conn_cut_short(old);
}

/*
 * So many requests are outstanding that no more are taken; but a Tflush among what has come may be what ends one. It is
 * carried out now and answered in its turn.
 */
bool tn_conn_scan_flushes(struct tn_conn *conn)
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
		old = tn_conn_find_tag(conn, m.oldtag);
		if (!old)
			continue;
		if (old->state == TN_CALL_WAITING) {
			withdraw(old);
			did = true;
			continue;
		}
		old->is_flushed = true;
		did = tn_conn_cut_short(old) || did;
	}
	return did;
}

/* ---- version(5) ---- */

void tn_conn_take_version(struct tn_conn *conn, const struct tn_msg *m)
{
	if (m->msize < TN_MSIZE_MIN) {
		tn_conn_put_error(conn, m->tag, TN_EBADVERSION, "msize is too small");
		conn->stats.refused++;
		return;
	}
	conn->version_tag = m->tag;
	conn->version_dialect = (uint8_t)tn_dialect_offered(m->version);
	conn->version_msize = m->msize < conn->limits.msize_max ? m->msize : conn->limits.msize_max;
	conn->state = TN_CONN_RESET;
	conn->must_cut = true;
}

static bool answer_version(struct tn_conn *conn)
{
	bool is_known = conn->version_dialect != TN_DIALECTS;
	/* TN_DIALECTS: "unknown" */
	const char *text = tn_dialect_name((enum tn_dialect)conn->version_dialect);
	struct tn_msg m;

	m.type = TN_RVERSION;
	m.tag = conn->version_tag;
	m.msize = conn->version_msize;
	m.version = (struct tn_str){ text, (uint32_t)tn_strlen(text) };
	if (!tn_conn_put_msg(conn, &m))
		return false;
	conn->msize = conn->version_msize;
	conn->dialect = is_known ? conn->version_dialect : TN_9P2000;
	conn->state = is_known ? TN_CONN_OPEN : TN_CONN_NEW;
	return true;
}

/* ---- the end of a session: by Tversion, by hang-up ---- */

/* Nothing that is outstanding will be answered. */
void tn_conn_cut_calls(struct tn_conn *conn)
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
			tn_conn_cut_short(call);
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
	struct tn_call *call = tn_conn_call_new(conn, TN_TCLUNK, TN_NOTAG);
	struct tn_chan *c = fid->chan;

	tn_attr_free(conn, fid->attr); /* not set: nobody said that it was whole */
	fid->attr = NULL;
	fid->chan = NULL;
	tn_line_settle(conn, fid);
	if (!c || !call) {
		if (call)
			tn_conn_call_free(call);
		tn_chan_put(c);
		return;
	}
	call->how = &close_how;
	call->is_silent = true;
	tn_req_init(&call->r, TN_CLUNK, c, &tn_conn_owner);
	if (tn_chan_close(&call->r) == TN_DONE) {
		tn_conn_call_free(call);
		return;
	}
	call->state = TN_CALL_KEPT;
	tn_conn_list_call(call);
}

/* A step of the end: first the calls, then the fids. false: others must do something first. */
bool tn_conn_clear(struct tn_conn *conn)
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
	if (conn->state == TN_CONN_RESET)
		return answer_version(conn);
	if (conn->state == TN_CONN_CLOSED || (conn->stream.transport && conn->linger > 0))
		return false;
	conn->state = TN_CONN_CLOSED;
	tn_conns_forget(conn->all, conn);
	tn_conn_work_later(conn);
	return false;
}
