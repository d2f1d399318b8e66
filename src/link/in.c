/*
 * The in buffer of a conn. While a conn has nothing to say it is a few bytes; for a read it is a piece that all conns
 * lend each other, which goes back when everything in it is served; only what is larger than that is the conn's own for
 * a while. It grows as bytes come, not as a header promises.
 */
#include "core/mem.h"
#include "link/conn_in.h"

enum { GROW = 4 /* times, when a read has filled it, or a frame needs it */ };

static void use(struct tn_conn *conn, struct tn_piece *p)
{
	uint8_t *to = p ? p->data : conn->in_base;

	memcpy(to, conn->in + conn->in_start, conn->in_len);
	tn_piece_free(&conn->budget, conn->in_piece);
	conn->in_piece = p;
	conn->in = to;
	conn->in_size = p ? p->size : TN_IN_BASE;
	conn->in_start = 0;
	conn->is_greedy = false;
}

void tn_conn_release_in(struct tn_conn *conn)
{
	if (conn->in_piece && conn->in_size == TN_PIECE_LENT && conn->in_len <= TN_IN_BASE)
		use(conn, NULL);
}

void tn_conn_shrink_in(struct tn_conn *conn)
{
	if (conn->in_piece && conn->in_len <= TN_IN_BASE)
		use(conn, NULL);
}

static uint32_t frame_size(const struct tn_conn *conn)
{
	const uint8_t *p = conn->in + conn->in_start;

	if (conn->in_len < 4)
		return 0;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* What the buffer ought to hold: a frame of which a good part is there, more while reads fill it. */
static uint32_t wanted_size(const struct tn_conn *conn)
{
	uint32_t frame = frame_size(conn), size = conn->in_size;

	if (size < TN_PIECE_LENT)
		size = TN_PIECE_LENT;
	if (conn->is_greedy && !conn->turn_link.at)
		size = size > conn->msize / GROW ? conn->msize : size * GROW;
	if (frame > size && frame <= conn->msize && conn->in_len >= size / 2)
		size = frame > size * GROW ? size * GROW : frame;
	return size > conn->in_size ? size : conn->in_size;
}

/* There is no memory for the frame that has begun: it is answered by an error, and its rest passes by unseen. */
static bool skip_frame(struct tn_conn *conn)
{
	struct tn_msg m;

	if (!tn_conn_may_serve(conn) || tn_frame_len(conn->in, conn->in_len, conn->msize) != 0)
		return false;
	tn_msg_decode(&m, (enum tn_dialect)conn->dialect, conn->in, TN_HDR_SIZE); /* the tag only */
	conn->skip = frame_size(conn) - conn->in_len;
	conn->in_len = 0;
	conn->has_skipped = true;
	tn_conn_refuse_tag(conn, m.tag, conn->no_memory);
	return true;
}

static void grow(struct tn_conn *conn, uint32_t size)
{
	struct tn_piece *p = size == TN_PIECE_LENT ? tn_piece_lend(&conn->budget)
						   : tn_piece_new(&conn->budget, size);

	if (p)
		use(conn, p);
	else
		conn->no_memory = tn_budget_err(&conn->budget);
}

uint8_t *tn_conn_make_room(struct tn_conn *conn, size_t *room)
{
	uint32_t size = wanted_size(conn);

	if (size > conn->in_size)
		grow(conn, size);
	if (conn->in_start > 0 &&
	    conn->in_size - conn->in_start - conn->in_len < conn->in_size / 2) {
		memmove(conn->in, conn->in + conn->in_start, conn->in_len);
		conn->in_start = 0;
	}
	*room = conn->in_size - conn->in_start - conn->in_len;
	if (*room == 0 && skip_frame(conn))
		*room = conn->in_size;
	if (conn->skip > 0 && *room > conn->skip)
		*room = conn->skip;
	return *room > 0 ? conn->in + conn->in_start + conn->in_len : NULL;
}
