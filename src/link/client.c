/*
 * The connection of mnt: dialling, the version, frames in and out, and the bound on waiting. product.md 5: whatever a
 * server does, an operation ends within the bound. One timer does it: it looks at all ops when the soonest bound may
 * have come, which in a healthy connection is once in half a bound, however many requests go by.
 */
#include "link/client.h"

#include "link/mnt.h"

enum {
	BUF_FIRST = 4096,  /* bytes of a buffer that is idle */
	BUF_BUSY = 65536,  /* to which reads that fill the whole buffer make it grow */
	LABEL_SHOWN = 160, /* bytes of a label in a message */
	VERSION_SHOWN = 32,
	OPS_IDLE = 8, /* spare ops that an idle client keeps */
	DIAL_DOUBLINGS = 4
};

static const uint64_t second_ns = 1000000000u;
static const uint64_t dial_again_ns = 100000000u;

static void turn(struct tn_task *task);
static void tick(struct tn_timer *timer);
static const struct tn_stream_ops stream_ops;

/* ---- words ---- */

struct words {
	char s[320];
	size_t len;
};

static void say_bytes(struct words *w, const char *s, size_t len)
{
	if (len > sizeof(w->s) - w->len)
		len = sizeof(w->s) - w->len;
	memcpy(w->s + w->len, s, len);
	w->len += len;
}

static void say(struct words *w, const char *s)
{
	say_bytes(w, s, tn_strlen(s));
}

static void say_label(struct words *w, const struct tn_client *client)
{
	size_t len = tn_strlen(client->label);

	say_bytes(w, client->label, len < LABEL_SHOWN ? len : LABEL_SHOWN);
}

/* What a peer said, so that it cannot draw on a terminal. */
static void say_foreign(struct words *w, struct tn_str s)
{
	for (uint32_t i = 0; i < s.len && i < VERSION_SHOWN; i++) {
		char c = s.s[i] >= ' ' && s.s[i] <= '~' ? s.s[i] : '?';

		say_bytes(w, &c, 1);
	}
}

static void say_lost(struct words *w, const struct tn_client *client, const char *why)
{
	w->len = 0;
	say(w, "connection lost: ");
	say_label(w, client);
	if (why) {
		say(w, ": ");
		say(w, why);
	}
}

static void fail_words(struct tn_op *op, enum tn_err err, const struct words *w)
{
	tn_fail_words(op->r, err, w->s, w->len);
	tn_op_done(op);
}

void tn_op_fail_lost(struct tn_op *op, const char *why)
{
	struct words w;

	say_lost(&w, op->client, why);
	fail_words(op, TN_ECONNLOST, &w);
}

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

static void buf_shrink(struct tn_buf *buf, size_t size)
{
	if (buf->size <= size || buf->at != buf->end)
		return;
	buf_reset(buf);
	buf_resize(buf, size);
}

/* ---- the transport ---- */

static void tell_transport(struct tn_client *client)
{
	if (client->stream.transport)
		client->stream.transport->ready(&client->stream);
}

/* We let go of the transport: not from where we stand, it may be what has called us. */
static void drop_transport(struct tn_client *client)
{
	if (!client->stream.transport)
		return;
	client->dropping = true;
	client->stream.closing = true;
	tell_transport(client);
	tn_loop_defer(client->loop, &client->task);
}

static void drop_now(struct tn_client *client)
{
	const struct tn_transport_ops *transport = client->stream.transport;

	client->dropping = false;
	client->stream.closing = false;
	client->stream.transport = NULL;
	if (transport)
		transport->detached(&client->stream);
}

/* ---- the end of a connection, or of the attempt to get one ---- */

static void doom_all(struct tn_client *client)
{
	for (struct tn_op *op = client->ops; op; op = op->next)
		tn_op_wait(op, &client->doomed);
}

/*
 * No connection any more: every op fails, whether it was sent or not. Nothing is sent twice. Ops that the owners start
 * meanwhile are not among the doomed and wait for the next connection.
 */
static void down(struct tn_client *client, enum tn_err err, const struct words *w)
{
	struct tn_op *op;

	client->state = TN_CLIENT_DOWN;
	client->generation++;
	client->dial_fails = client->good ? 0 : client->dial_fails + 1;
	client->dial_at_ns = 0;
	if (client->dial_fails > 0) {
		uint32_t n = client->dial_fails - 1;

		client->dial_at_ns = tn_now_ns() +
				     (dial_again_ns << (n < DIAL_DOUBLINGS ? n : DIAL_DOUBLINGS));
	}
	client->good = false;
	doom_all(client);
	tn_rpcs_forget(client);
	buf_reset(&client->in);
	buf_reset(&client->out);
	drop_transport(client);
	while ((op = client->doomed.first) != NULL)
		fail_words(op, err, w);
	tn_loop_defer(client->loop, &client->task);
}

static void lost(struct tn_client *client, const char *why)
{
	struct words w;

	client->stats.losses++;
	say_lost(&w, client, why);
	if (why)
		tn_log(w.s, w.len);
	down(client, TN_ECONNLOST, &w);
}

static void refuse_version(struct tn_client *client, const char *what, struct tn_str said)
{
	struct words w = { .len = 0 };

	say_label(&w, client);
	say(&w, ": ");
	say(&w, what);
	if (said.len > 0) {
		say(&w, ": ");
		say_foreign(&w, said);
	}
	down(client, TN_EBADVERSION, &w);
}

/* ---- dialling ---- */

static void dial(struct tn_client *client)
{
	uint64_t now = tn_now_ns();

	if (now < client->dial_at_ns) {
		tn_client_arm(client, client->dial_at_ns);
		return;
	}
	if (client->unspoken) {
		refuse_version(client, "this dialect of 9P is not spoken yet",
		    (struct tn_str){ NULL, 0 });
		return;
	}
	client->state = TN_CLIENT_DIALING;
	client->dial_by_ns = tn_add_ns(now, client->soft_ns);
	tn_client_arm(client, client->dial_by_ns);
	client->stats.dials++;
	client->dialer->connect(client->dialer, client, &client->stream);
}

void tn_client_failed(struct tn_client *client, enum tn_err err, const char *words)
{
	struct words w = { .len = 0 };

	if (client->state != TN_CLIENT_DIALING)
		return;
	if (client->ever) {
		say_lost(&w, client, words ? words : tn_err_text(err));
		down(client, TN_ECONNLOST, &w);
		return;
	}
	say(&w, words ? words : tn_err_text(err));
	if (!words) {
		say(&w, ": ");
		say_label(&w, client);
	}
	down(client, err, &w);
}

static void send_version(struct tn_client *client)
{
	struct tn_msg m;

	m.type = TN_TVERSION;
	m.tag = TN_NOTAG;
	m.msize = client->offer;
	m.version.s = tn_dialect_name(client->best);
	m.version.len = (uint32_t)tn_strlen(m.version.s);
	tn_client_put_msg(client, &m); /* the empty buffer has room for it */
}

void tn_client_connected(struct tn_client *client)
{
	if (client->state != TN_CLIENT_DIALING) {
		drop_transport(client); /* too late */
		return;
	}
	if (!client->stream.transport) {
		lost(client, NULL); /* it has hung up already */
		return;
	}
	client->state = TN_CLIENT_VERSION;
	client->msize = client->offer;
	client->dialect = TN_9P2000;
	client->stuck = client->probing = false;
	send_version(client);
}

/* ---- the version ---- */

static bool same(struct tn_str a, const char *b, size_t len)
{
	return a.len == len && memcmp(a.s, b, len) == 0;
}

/*
 * version(5): the answer is what was offered or something lower. A suffix that no dialect here has is part of 9P2000;
 * one that a dialect has would change the messages' form, so it must have been offered.
 */
static bool take_version(struct tn_client *client, struct tn_str version)
{
	const char *plain = tn_dialect_name(TN_9P2000);
	uint32_t len = (uint32_t)tn_strlen(plain);

	for (int d = TN_9P2000; d < TN_DIALECTS; d++) {
		const char *name = tn_dialect_name((enum tn_dialect)d);

		if (!same(version, name, tn_strlen(name)))
			continue;
		client->dialect = (enum tn_dialect)d;
		return d == TN_9P2000 || d == (int)client->best;
	}
	client->dialect = TN_9P2000;
	return version.len > len && memcmp(version.s, plain, len) == 0 && version.s[len] == '.';
}

static void version_answer(struct tn_client *client, const struct tn_msg *m)
{
	if (m->tag != TN_NOTAG || (m->type != TN_RVERSION && m->type != TN_RERROR)) {
		refuse_version(client, "not a 9P server", (struct tn_str){ NULL, 0 });
	} else if (m->type == TN_RERROR) {
		refuse_version(client, "version refused", m->ename);
	} else if (!take_version(client, m->version)) {
		refuse_version(client, "9P version not supported", m->version);
	} else if (m->msize > client->offer || m->msize < TN_MSIZE_MIN) {
		refuse_version(client, "msize out of range in Rversion",
		    (struct tn_str){ NULL, 0 });
	} else {
		client->msize = m->msize;
		client->state = TN_CLIENT_READY;
		client->ever = true;
		client->quiet_ns = tn_now_ns();
		tn_op_wake_all(client, &client->waiting);
	}
}

/* ---- frames in ---- */

/* One whole frame. Returns NULL, or why the connection must end. */
static const char *frame(struct tn_client *client, const uint8_t *p, size_t len)
{
	struct tn_msg m;
	const char *wrong;

	client->stats.messages_in++;
	if (tn_msg_decode(&m, client->dialect, p, len) != TN_CODEC_OK)
		return "malformed message";
	if (client->state == TN_CLIENT_VERSION) {
		version_answer(client, &m);
		return NULL;
	}
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
			lost(client, wrong);
			return;
		}
	}
	if (!make_room(client, was_full)) {
		lost(client, "out of memory");
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
	if (client->state >= TN_CLIENT_VERSION)
		lost(client, NULL);
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
		tell_transport(client);
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

static const struct tn_stream_ops stream_ops = { .input = input,
	.arrived = arrived,
	.output = output,
	.sent = sent,
	.hangup = hangup };

/* ---- the bound ---- */

void tn_client_arm(struct tn_client *client, uint64_t at_ns)
{
	if (at_ns == UINT64_MAX)
		return;
	if (client->timer.at_ns == 0 || at_ns < client->timer.at_ns)
		tn_timer_set(client->loop, &client->timer, at_ns);
}

static void expire(struct tn_op *op, uint64_t now)
{
	struct words w = { .len = 0 };

	if (op->flushed) {
		tn_op_fail(op, TN_EINTR);
		return;
	}
	if (op->crowded) {
		tn_op_fail(op, TN_ELIMIT_REQS);
		return;
	}
	op->client->stats.timeouts++;
	if (op->r->deadline_ns == 0 || op->r->deadline_ns > now) {
		tn_op_fail_lost(op, NULL);
		return;
	}
	say(&w, "no answer: ");
	say_label(&w, op->client);
	fail_words(op, TN_ETIMEDOUT, &w);
}

static void expire_ops(struct tn_client *client, uint64_t now)
{
	struct tn_op *op;

	for (op = client->ops; op; op = op->next) {
		if (op->deadline_ns <= now)
			tn_op_wait(op, &client->doomed);
	}
	while ((op = client->doomed.first) != NULL)
		expire(op, now);
}

/* Somebody waits on a connection: has it said anything? */
static void listen_for_life(struct tn_client *client, uint64_t now)
{
	if (client->state != TN_CLIENT_READY || !client->ops)
		return;
	if (now >= tn_add_ns(client->quiet_ns, client->soft_ns)) {
		client->stats.timeouts++;
		lost(client, NULL);
	} else if (!client->probing && now >= tn_add_ns(client->quiet_ns, client->soft_ns / 2)) {
		tn_rpcs_probe(client);
	}
}

static void end_dial(struct tn_client *client, uint64_t now)
{
	bool dialing = client->state == TN_CLIENT_DIALING;

	if (now < client->dial_by_ns || (!dialing && client->state != TN_CLIENT_VERSION))
		return;
	client->stats.timeouts++;
	if (dialing)
		client->dialer->cancel(client->dialer);
	lost(client, NULL);
}

static void rest(struct tn_client *client)
{
	buf_shrink(&client->in, client->buf_first);
	buf_shrink(&client->out, client->buf_first);
	tn_op_free_spare(client, OPS_IDLE);
	if (client->fids_used == 0)
		tn_mfids_free(client);
}

static void sooner(uint64_t *next, uint64_t at_ns, uint64_t now)
{
	if (at_ns > now && at_ns < *next)
		*next = at_ns;
}

/* When the timer must fire next. What is due already was done by this tick, or is by the task behind it. */
static uint64_t next_tick(const struct tn_client *client, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (const struct tn_op *op = client->ops; op; op = op->next)
		sooner(&next, op->deadline_ns, now);
	if (client->state == TN_CLIENT_READY && client->ops) {
		sooner(&next, tn_add_ns(client->quiet_ns, client->soft_ns / 2), now);
		sooner(&next, tn_add_ns(client->quiet_ns, client->soft_ns), now);
	}
	if (client->state == TN_CLIENT_DIALING || client->state == TN_CLIENT_VERSION)
		sooner(&next, client->dial_by_ns, now);
	if (client->waiting.first)
		sooner(&next, client->dial_at_ns, now);
	if (client->ending)
		sooner(&next, client->end_by_ns, now);
	return next;
}

static void tick(struct tn_timer *timer)
{
	struct tn_client *client = (struct tn_client *)((char *)timer -
							offsetof(struct tn_client, timer));
	uint64_t now = tn_now_ns();

	end_dial(client, now);
	listen_for_life(client, now);
	expire_ops(client, now);
	if (!client->ops && client->rpcs_used == 0)
		rest(client);
	tn_client_arm(client, next_tick(client, now));
	tn_loop_defer(client->loop, &client->task);
}

/* ---- life ---- */

static void client_free(struct tn_client *client)
{
	tn_loop_forget(client->loop, &client->task);
	tn_timer_stop(client->loop, &client->timer);
	if (client->dialer)
		client->dialer->free(client->dialer);
	tn_rpcs_free(client);
	tn_op_free_spare(client, 0);
	tn_mfids_free(client);
	tn_free(client->in.p);
	tn_free(client->out.p);
	tn_free(client->label);
	tn_free(client);
}

/* The last clunks are answered, or have had their time. */
static bool may_end(const struct tn_client *client)
{
	if (client->state != TN_CLIENT_READY || client->dropping)
		return true;
	return client->rpcs_used == 0 || tn_now_ns() >= client->end_by_ns;
}

static void end(struct tn_client *client)
{
	if (client->state == TN_CLIENT_DIALING)
		client->dialer->cancel(client->dialer);
	client->state = TN_CLIENT_DOWN;
	client->generation++;
	tn_rpcs_forget(client);
	drop_now(client);
	client_free(client);
}

/* What must not be done from where it was found to be needed. */
static void turn(struct tn_task *task)
{
	struct tn_client *client = (struct tn_client *)((char *)task -
							offsetof(struct tn_client, task));

	if (client->dropping)
		drop_now(client);
	tn_op_run_all(client);
	tn_mfids_clunk(client);
	if (client->ending && may_end(client)) {
		end(client);
		return;
	}
	if (client->state == TN_CLIENT_DOWN && client->waiting.first)
		dial(client);
}

static char *copy_text(const char *s)
{
	size_t len = tn_strlen(s);
	char *copy = tn_alloc(len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

static void take_options(struct tn_client *client, const struct tn_client_options *o)
{
	client->offer = o->msize ? o->msize : (128u << 10) + TN_IOHDR_SIZE;
	if (client->offer < TN_MSIZE_MIN)
		client->offer = TN_MSIZE_MIN;
	client->msize = client->offer;
	client->buf_first = client->offer < BUF_FIRST ? client->offer : BUF_FIRST;
	client->fids_max = o->fids_max ? o->fids_max : 65536;
	client->soft_ns = o->soft_ns ? o->soft_ns : 10 * second_ns;
	client->best = TN_9P2000;
	client->unspoken = o->dialect != TN_9P2000 && o->dialect != TN_DIALECTS;
	client->qids_by_name = o->qids_by_name;
	client->skip_down = o->skip_down;
}

struct tn_client *tn_client_new(struct tn_loop *loop, struct tn_dialer *dialer,
    const struct tn_client_options *o)
{
	struct tn_client *client = tn_alloc(sizeof(*client));

	if (!client) {
		dialer->free(dialer);
		return NULL;
	}
	take_options(client, o);
	client->stream.ops = &stream_ops;
	client->refs = 1;
	client->loop = loop;
	client->dialer = dialer;
	client->task.fn = turn;
	client->timer.fn = tick;
	client->generation = 1;
	tn_random(&client->seed, sizeof(client->seed));
	client->label = copy_text(o->label);
	if (client->label && buf_resize(&client->in, client->buf_first) &&
	    buf_resize(&client->out, client->buf_first))
		return client;
	client_free(client);
	return NULL;
}

struct tn_client *tn_client_get(struct tn_client *client)
{
	tn_count_up(&client->refs);
	return client;
}

void tn_client_put(struct tn_client *client)
{
	uint64_t wait_ns;

	if (!client || tn_count_down(&client->refs) > 0)
		return;
	wait_ns = client->soft_ns == UINT64_MAX ? 10 * second_ns : client->soft_ns;
	client->ending = true;
	client->end_by_ns = tn_add_ns(tn_now_ns(), wait_ns);
	tn_client_arm(client, client->end_by_ns);
	tn_loop_defer(client->loop, &client->task);
}

void tn_client_stats(const struct tn_client *client, struct tn_client_stats *out)
{
	*out = client->stats;
	out->fids = client->fids_used;
	out->msize = client->msize;
	out->connected = client->state == TN_CLIENT_READY;
	out->reqs = 0;
	for (const struct tn_op *op = client->ops; op; op = op->next)
		out->reqs++;
}
