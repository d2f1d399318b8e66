/*
 * The life of a call: made for a message, listed when it outlives its frame, found by its tag; and what it is to its
 * request: the owner, which keeps names and data where they stay and takes entries and stats.
 */
#include "link/call.h"

#include "core/mem.h"
#include "link/conn_in.h"
#include "link/extension.h"

enum {
	TAGS_FROM = 8,  /* calls that are looked through for a tag */
	STAT_ROOM = 512 /* bytes made ready for the Rstat of a kept request */
};

/* ---- lists and tags ---- */

static struct tn_call **tag_chain(struct tn_conn *conn, uint16_t tag)
{
	return &conn->tags[tag % TN_TAG_CHAINS];
}

struct tn_call *tn_conn_find_tag(struct tn_conn *conn, uint16_t tag)
{
	struct tn_call *call;

	if (conn->n_calls == 0)
		return NULL;
	if (conn->tags)
		for (call = *tag_chain(conn, tag); call && call->tag != tag; call = call->tag_next)
			;
	else
		for (call = conn->calls; call && (call->tag != tag || call->is_silent);
		     call = call->next)
			;
	return call;
}

static void tag_enter(struct tn_call *call)
{
	struct tn_call **chain = tag_chain(call->conn, call->tag);

	call->tag_next = *chain;
	*chain = call;
}

/* They are many now. Without memory for a table they are looked through all the same. */
static void make_tags(struct tn_conn *conn)
{
	conn->tags = tn_budget_alloc(&conn->budget, TN_TAG_CHAINS * sizeof(conn->tags[0]));
	for (struct tn_call *call = conn->calls; call && conn->tags; call = call->next)
		if (!call->is_silent)
			tag_enter(call);
}

static void tag_forget(struct tn_call *call)
{
	struct tn_call **at;

	if (!call->conn->tags)
		return;
	at = tag_chain(call->conn, call->tag);
	while (*at && *at != call)
		at = &(*at)->tag_next;
	if (*at)
		*at = call->tag_next;
}

/* From now on the call outlives its frame. */
void tn_conn_list_call(struct tn_call *call)
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
	tn_budget_force(&conn->budget, sizeof(*call)); /* reqs_max bounds them */
	if (!conn->tags && conn->n_calls > TAGS_FROM)
		make_tags(conn);
	else if (conn->tags && !call->is_silent)
		tag_enter(call);
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
	tn_budget_give(&conn->budget, sizeof(*call));
}

struct tn_call *tn_conn_call_new(struct tn_conn *conn, uint8_t type, uint16_t tag)
{
	struct tn_call *call = tn_conns_call(conn->all);

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
void tn_conn_call_free(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	unlist_call(call);
	tn_req_reset(&call->r);
	tn_chan_put(call->newchan);
	call->newchan = NULL;
	kept_free(call);
	piece_free(call);
	tn_free(call->large);
	tn_budget_free(&conn->budget, call->text, TN_TARGET_MAX + 1);
	call->text = NULL;
	tn_call_attr_free(call);
	tn_free(call->first_words);
	call->state = TN_CALL_FREE;
	tn_conns_uncall(conn->all, call);
}

/* ---- what spellings use ---- */

void tn_call_fail(struct tn_call *call, enum tn_err err)
{
	if (err == TN_ENOMEM)
		err = tn_budget_err(&call->conn->budget);
	tn_fail(&call->r, err);
}

enum tn_status tn_call_refuse(struct tn_call *call, enum tn_err err)
{
	tn_call_fail(call, err);
	call->is_unasked = true;
	return TN_DONE;
}

void tn_call_request(struct tn_call *call, enum tn_req_type type, struct tn_chan *c)
{
	tn_req_reset(&call->r);
	tn_req_init(&call->r, type, c, &tn_conn_owner);
	call->r.flags = tn_dialect_flags(tn_call_dialect(call), type);
}

bool tn_call_room(struct tn_call *call, uint32_t head, uint32_t max)
{
	size_t need = (size_t)head + max;

	/* An error finds room here as well. */
	call->room = tn_out_room(&call->conn->out, need > TN_ANSWER_MAX ? need : TN_ANSWER_MAX);
	call->data_max = max;
	return call->room != NULL;
}

bool tn_call_readlink(struct tn_call *call, struct tn_chan *c)
{
	call->text = tn_budget_alloc(&call->conn->budget, TN_TARGET_MAX + 1);
	if (!call->text)
		return false;
	tn_call_request(call, TN_READLINK, c);
	call->r.u.readlink.buf = call->text;
	call->r.u.readlink.size = TN_TARGET_MAX + 1;
	return true;
}

bool tn_call_target(struct tn_call *call)
{
	call->text_len = call->r.err == TN_OK ? call->r.u.readlink.len : 0;
	return call->text_len <= TN_TARGET_MAX;
}

bool tn_call_attr_new(struct tn_call *call, uint32_t size, struct tn_str name)
{
	enum tn_err err;

	call->attr = tn_attr_new(call->conn, size, name, &err);
	if (!call->attr)
		tn_call_fail(call, err);
	return call->attr != NULL;
}

void tn_call_attr_free(struct tn_call *call)
{
	tn_attr_free(call->conn, call->attr);
	call->attr = NULL;
}

uint64_t tn_call_lock_key(struct tn_call *call)
{
	struct tn_conn *conn = call->conn;

	if (conn->lock_key == 0)
		tn_random(&conn->lock_key, sizeof(conn->lock_key));
	return conn->lock_key;
}

struct tn_server *tn_call_server(const struct tn_call *call, struct tn_str aname)
{
	const struct tn_conn *conn = call->conn;
	size_t len = conn->beside ? tn_strlen(conn->aname) : 0;

	if (conn->beside && aname.len == len && memcmp(aname.s, conn->aname, len) == 0)
		return conn->beside;
	return conn->server;
}

struct tn_server *tn_call_door(const struct tn_call *call, struct tn_server *server)
{
	return call->conn->users ? call->conn->users : server;
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
bool tn_conn_keep_frame(struct tn_call *call)
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

	if (call->how->keeps_frame && !tn_conn_keep_frame(call))
		return false;
	if (call->r.type == TN_STAT)
		return keep_room(call, call->answer_len, stat_size);
	if (call->r.type == TN_READ || call->r.type == TN_READDIR)
		return keep_room(call, TN_DATA_HDR + call->data_len, TN_DATA_HDR + call->data_max);
	return true;
}

static bool call_keep(struct tn_req *r)
{
	struct tn_call *call = (struct tn_call *)r;

	if (!keep_all(call)) {
		call->over = tn_budget_err(&call->conn->budget);
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
	size_t n = tn_dialect_entry(call->room + TN_DATA_HDR + call->data_len,
	    call->data_max - call->data_len, st, next, dialect);

	if (n == 0) {
		call->is_full = true;
		return false;
	}
	call->data_len += (uint32_t)n;
	call->dir_next = next;
	return true;
}

/* Room for a whole Rstat. On a worker only its own memory may be touched: tn_conn_adopt_large enters it into the budget. */
static uint8_t *stat_room(struct tn_call *call, size_t size)
{
	if (!call->piece)
		return tn_out_room(&call->conn->out, size > TN_ANSWER_MAX ? size : TN_ANSWER_MAX);
	if (size <= call->piece->size)
		return call->piece->data;
	call->large = tn_alloc(sizeof(*call->large) + size);
	if (!call->large)
		return NULL;
	call->large->size = (uint32_t)size;
	call->large->data = (uint8_t *)(call->large + 1);
	return call->large->data;
}

void tn_conn_adopt_large(struct tn_call *call)
{
	if (!call->large)
		return;
	piece_free(call);
	call->piece = call->large;
	call->large = NULL;
	tn_budget_force(&call->conn->budget, sizeof(*call->piece) + call->piece->size);
}

/* The answer is encoded at once, as long as *st is there. */
static void put_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct tn_call *call = (struct tn_call *)r;
	enum tn_dialect dialect = tn_call_dialect(call);
	struct tn_str extension = { call->text, call->text_len };
	char links[TN_LINKS_CHARS];
	struct tn_msg m;
	size_t size, len;

	if (extension.len == 0)
		extension = tn_extension_links(st, links);

	m.tag = call->tag;
	size = tn_dialect_rstat(&m, st, extension, dialect);
	if (size == 0 || size > call->conn->msize || call->is_answered) {
		tn_fail(r, TN_EOVERFLOW);
		return;
	}
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
	tn_calls_put(&call->conn->finished, call);
	if (!call->conn->is_working)
		tn_conn_work_later(call->conn);
}

const struct tn_owner tn_conn_owner = {
	.done = call_done,
	.keep = call_keep,
	.entry = put_entry,
	.stat = put_stat,
};
