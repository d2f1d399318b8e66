#include "engine.h"

#include <stdlib.h>
#include <string.h>

static void tell(struct engine *e)
{
	if (e->stream.transport)
		e->stream.transport->ready(&e->stream);
}

static uint8_t *input(struct tn_stream *s, size_t *room)
{
	struct engine *e = (struct engine *)s;

	*room = e->in_size - e->in_len;
	return *room ? e->in + e->in_len : NULL;
}

static void arrived(struct tn_stream *s, size_t n)
{
	struct engine *e = (struct engine *)s;

	tn_assert(n > 0 && n <= e->in_size - e->in_len);
	e->in_len += n;
	if (e->echo) {
		engine_send(e, e->in, e->in_len);
		e->in_len = 0;
	}
}

static size_t output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	struct engine *e = (struct engine *)s;
	size_t n = 0, at = e->out_at;

	while (n < max && at < e->out_len) {
		size_t len = e->out_len - at;

		if (e->piece && len > e->piece)
			len = e->piece;
		vec[n++] = (struct tn_vec){ e->out + at, len };
		at += len;
	}
	return n;
}

static void sent(struct tn_stream *s, size_t n)
{
	struct engine *e = (struct engine *)s;

	tn_assert(n <= e->out_len - e->out_at);
	e->out_at += n;
	if (e->out_at == e->out_len)
		e->out_at = e->out_len = 0;
}

static void hangup(struct tn_stream *s, enum tn_err why)
{
	struct engine *e = (struct engine *)s;

	e->hung_up = true;
	e->why = why;
	e->hangups++;
}

static const struct tn_stream_ops ops = { input, arrived, output, sent, hangup };

void engine_init(struct engine *e, size_t in_size)
{
	memset(e, 0, sizeof(*e));
	e->stream.ops = &ops;
	e->in = malloc(in_size);
	e->in_size = in_size;
}

void engine_fini(struct engine *e)
{
	free(e->in);
	free(e->out);
}

void engine_send(struct engine *e, const void *data, size_t len)
{
	e->out = realloc(e->out, e->out_len + len);
	memcpy(e->out + e->out_len, data, len);
	e->out_len += len;
	tell(e);
}

void engine_drain(struct engine *e)
{
	e->in_len = 0;
	tell(e);
}

void engine_close(struct engine *e)
{
	e->stream.closing = true;
	tell(e);
}

void engine_detach(struct engine *e)
{
	if (e->stream.transport)
		e->stream.transport->detached(&e->stream);
}
