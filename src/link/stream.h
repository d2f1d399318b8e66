/*
 * A byte stream's engine: conn and mnt are two. An engine does no input or output; a transport (a socket, a pipe, two
 * engines back to back in memory) turns the crank:
 *
 *     buf = tn_stream_input(s, &room); n = read(fd, buf, room); tn_stream_arrived(s, n);
 *     k = tn_stream_output(s, vec, max); n = writev(fd, vec, k); tn_stream_sent(s, n);
 *
 * All on the engine's home loop. The engine calls `ready` when something has changed for the transport: output is
 * there, room is there again, or it wants the stream closed. `ready` must only make a note (it may be called from
 * inside arrived); `detached` says that the engine is gone and must not be called again.
 */
#ifndef TN_LINK_STREAM_H
#define TN_LINK_STREAM_H

#include "core/req.h"

struct tn_stream;

struct tn_vec {
	const uint8_t *data;
	size_t len;
};

struct tn_stream_ops {
	/* NULL: no room until answers have left. The room is lent: until arrived or output is called */
	uint8_t *(*input)(struct tn_stream *s, size_t *room);
	void (*arrived)(struct tn_stream *s, size_t n);
	size_t (*output)(struct tn_stream *s, struct tn_vec *vec, size_t max); /* pieces filled; 0: nothing to send */
	void (*sent)(struct tn_stream *s, size_t n);
	void (*hangup)(struct tn_stream *s, enum tn_err why); /* the transport is gone: TN_OK: end of file */
};

struct tn_transport_ops {
	void (*ready)(struct tn_stream *s);
	void (*detached)(struct tn_stream *s);
};

struct tn_stream {
	const struct tn_stream_ops *ops;
	const struct tn_transport_ops *transport; /* NULL: none yet, or gone */
	void *host;                               /* the transport's own */
	bool closing;                             /* the engine wants the transport to close when all output is sent */
};

static inline uint8_t *tn_stream_input(struct tn_stream *s, size_t *room)
{
	return s->ops->input(s, room);
}

static inline void tn_stream_arrived(struct tn_stream *s, size_t n)
{
	s->ops->arrived(s, n);
}

static inline size_t tn_stream_output(struct tn_stream *s, struct tn_vec *vec, size_t max)
{
	return s->ops->output(s, vec, max);
}

static inline void tn_stream_sent(struct tn_stream *s, size_t n)
{
	s->ops->sent(s, n);
}

static inline void tn_stream_hangup(struct tn_stream *s, enum tn_err why)
{
	s->ops->hangup(s, why);
}

/*
 * Two engines back to back in memory: what one sends arrives at the other, by tasks on `loop`. Returns false without
 * memory. It ends by itself when both have let go. For tests, `#srv` of the same node, and in-process mounts.
 */
bool tn_pair_connect(struct tn_loop *loop, struct tn_stream *a, struct tn_stream *b);

#endif
