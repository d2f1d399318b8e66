/*
 * The stream of a client: bytes that come become messages, messages that go become bytes. Both buffers grow by need up to
 * the msize and shrink when nobody waits for anything.
 */
#include "link/client.h"

enum {
	BUF_FIRST = 4096, /* bytes of a buffer that is idle */
	BUF_BUSY = 65536  /* to which reads that fill the whole buffer make it grow */
};

/* ---- buffers ---- */

static void buf_reset(struct tn_buf *buf)
{
	buf->at = buf->end = 0;
}

/* What is there moves to the front. */
static void buf_pack(struct tn_buf *buf)
{
	if (buf->at == 0)
		return;
	memmove(buf->p, buf->p + buf->at, buf->end - buf->at);
	buf->end -= buf->at;
	buf->at = 0;
}

static bool buf_resize(struct tn_buf *buf, size_t size)
{
	uint8_t *p = tn_realloc(buf->p, buf->size, size);

	if (!p)
		return false;
	buf->p = p;
	buf->size = size;
	return true;
}

static void buf_shrink(struct tn_buf *buf)
{
	if (buf->size <= BUF_FIRST || buf->at != buf->end)
		return;
	buf_reset(buf);
	buf_resize(buf, BUF_FIRST);
}

bool tn_client_bufs(struct tn_client *client)
{
	size_t size = client->offer < BUF_FIRST ? client->offer : BUF_FIRST;

	return buf_resize(&client->in, size) && buf_resize(&client->out, size);
}

void tn_client_shrink(struct tn_client *client)
{
	buf_shrink(&client->in);
	buf_shrink(&client->out);
}

void tn_client_reset(struct tn_client *client)
{
	buf_reset(&client->in);
	buf_reset(&client->out);
}

/* ---- frames in ---- */

/* One whole frame. Returns NULL, or why the connection must end. */
static const char *frame(struct tn_client *client, const uint8_t *p, size_t len)
{
	struct tn_msg m;
	const char *wrong;

	client->stats.messages_in++;
	if (client->state == TN_CLIENT_VERSION)
		return tn_client_version(client, p, len);
	if (!tn_client_decode(client, &m, client->dialect, p, len))
		return "malformed message";
	wrong = tn_rpcs_answer(client, &m);
	if (!wrong)
		client->good = true;
	return wrong;
}

static uint8_t *input(struct tn_stream *s, size_t *room)
{
	struct tn_client *client = (struct tn_client *)s;

	if (client->state < TN_CLIENT_VERSION) {
		*room = 0;
		return NULL;
	}
	*room = client->in.size - client->in.end;
	return client->in.p + client->in.end;
}

/* After frames were taken: room for the rest of the next one, so that input always has some. */
static bool make_room(struct tn_client *client, bool was_full)
{
	struct tn_buf *in = &client->in;
	size_t want = in->size, len = 0;

	buf_pack(in);
	if (in->end >= 4)
		len = (size_t)in->p[0] | (size_t)in->p[1] << 8 | (size_t)in->p[2] << 16 |
		      (size_t)in->p[3] << 24;
	if (was_full && want < BUF_BUSY)
		want *= 2;
	if (want < len)
		want = len;
	if (want > client->msize)
		want = client->msize;
	if (want <= in->size || buf_resize(in, want))
		return true;
	return len <= in->size; /* without memory as it is, if the frame fits */
}

static void arrived(struct tn_stream *s, size_t n)
{
	struct tn_client *client = (struct tn_client *)s;
	struct tn_buf *in = &client->in;
	bool was_full;

	if (client->state < TN_CLIENT_VERSION)
		return;
	in->end += n;
	was_full = in->end == in->size;
	client->stats.bytes_in += n;
	client->quiet_ns = tn_now_ns();
	for (;;) {
		int32_t len = tn_frame_len(in->p + in->at, in->end - in->at, client->msize);
		uint32_t generation = client->generation;
		const char *wrong = len < 0 ? "bad size of a message" : NULL;

		if (len == 0)
			break;
		if (!wrong) {
			const uint8_t *p = in->p + in->at;

			in->at += (size_t)len;
			wrong = frame(client, p, (size_t)len);
		}
		if (client->generation != generation)
			return;
		if (wrong) {
			tn_client_lost(client, wrong);
			return;
		}
	}
	if (!make_room(client, was_full)) {
		tn_client_lost(client, "out of memory");
		return;
	}
	tn_op_run_all(client);
	if (client->ending)
		tn_loop_defer(client->loop, &client->task);
}

static void hangup(struct tn_stream *s, enum tn_err why)
{
	struct tn_client *client = (struct tn_client *)s;

	(void)why;
	s->transport = NULL;
	s->closing = false;
	client->dropping = false;
	if (client->state >= TN_CLIENT_VERSION && !tn_client_offer_again(client))
		tn_client_lost(client, NULL);
	tn_loop_defer(client->loop, &client->task);
}

/* ---- frames out ---- */

static bool more_room(struct tn_client *client)
{
	struct tn_buf *out = &client->out;
	size_t size = out->size * 2;

	if (out->at > 0) {
		buf_pack(out);
		return true;
	}
	if (size > client->msize)
		size = client->msize;
	return size > out->size && buf_resize(out, size);
}

enum tn_put tn_client_put_msg(struct tn_client *client, const struct tn_msg *m)
{
	struct tn_buf *out = &client->out;
	enum tn_codec_err err;
	size_t len;

	do {
		err = tn_msg_encode(m, client->dialect, out->p + out->end, out->size - out->end,
		    &len);
	} while (err == TN_CODEC_ROOM && more_room(client));
	if (err == TN_CODEC_OK && len > client->msize)
		return TN_PUT_NEVER;
	if (err == TN_CODEC_OK) {
		out->end += len;
		client->stats.messages_out++;
		tn_client_tell(client);
		return TN_PUT_OK;
	}
	if (err != TN_CODEC_ROOM)
		return TN_PUT_NEVER;
	if (out->at < out->end)
		return TN_PUT_LATER;
	return out->size < client->msize ? TN_PUT_NOMEM : TN_PUT_NEVER;
}

static size_t output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	struct tn_buf *out = &((struct tn_client *)s)->out;

	if (max == 0 || out->at == out->end)
		return 0;
	vec[0].data = out->p + out->at;
	vec[0].len = out->end - out->at;
	return 1;
}

/*
 * A transport that could not take all and now takes more is a sign of life: a long message on a slow line. One that
 * takes everything at once is none: the host's buffers do that too when the peer is dead.
 */
static void sent(struct tn_stream *s, size_t n)
{
	struct tn_client *client = (struct tn_client *)s;
	struct tn_buf *out = &client->out;

	if (client->state < TN_CLIENT_VERSION)
		return;
	out->at += n;
	client->stats.bytes_out += n;
	if (client->stuck && n > 0)
		client->quiet_ns = tn_now_ns();
	client->stuck = out->at < out->end;
	if (!client->stuck)
		buf_reset(out);
	tn_rpcs_pump(client);
	if (client->ending)
		tn_loop_defer(client->loop, &client->task);
}

const struct tn_stream_ops tn_client_stream = { .input = input,
	.arrived = arrived,
	.output = output,
	.sent = sent,
	.hangup = hangup };
