#include "served.h"

#include "core/change.h"
#include "fs/watch.h"

enum { MSIZE = 8192 + TN_IOHDR_SIZE, HEARD = 1 << 20, TAGS = 256 };

static struct fuzz_world world;
static struct tn_conn *conn;
static struct tn_stream *stream; /* NULL: the conn has let go of it */
static enum tn_dialect spoken;
static bool has_ended;
static uint8_t heard[HEARD];
static size_t n_heard;
static uint8_t asked[TAGS];    /* the type of the message with that tag; 0: none */
static uint16_t flushes[TAGS]; /* of a Tflush: the oldtag */

/* ---- the transport ---- */

static void ready(struct tn_stream *s)
{
	(void)s;
}

static void detached(struct tn_stream *s)
{
	must(s == stream);
	stream = NULL;
}

static const struct tn_transport_ops transport = { ready, detached };

static void closed(struct tn_conn *c, void *arg)
{
	(void)arg;
	must(c == conn && !has_ended);
	has_ended = true;
}

/* What a transport does: when all was sent, the one that is to be closed is. */
static void hang_up(void)
{
	struct tn_stream *s = stream;

	stream = NULL;
	if (s)
		tn_stream_hangup(s, TN_OK);
	fuzz_turn(world.loop);
}

static void pull(void)
{
	struct tn_vec vec[4];
	size_t n;

	fuzz_turn(world.loop);
	while (stream && (n = tn_stream_output(stream, vec, 4)) > 0) {
		size_t all = 0;

		for (size_t i = 0; i < n; i++) {
			must(n_heard + vec[i].len <= HEARD);
			memcpy(heard + n_heard, vec[i].data, vec[i].len);
			n_heard += vec[i].len;
			all += vec[i].len;
		}
		tn_stream_sent(stream, all);
	}
	if (stream && stream->closing)
		hang_up();
}

bool fuzz_served_send(const uint8_t *bytes, size_t len)
{
	fuzz_arrive(&stream, bytes, len);
	pull();
	return stream != NULL;
}

/* ---- messages ---- */

bool fuzz_served_waits(uint16_t tag)
{
	return tag < TAGS && asked[tag];
}

bool fuzz_served_say(const struct tn_msg *m)
{
	static uint8_t frame[MSIZE + 256];
	size_t len;

	if (tn_msg_encode(m, spoken, frame, MSIZE, &len) != TN_CODEC_OK || !stream)
		return false;
	if (m->tag < TAGS) {
		must(!asked[m->tag]);
		asked[m->tag] = m->type;
		flushes[m->tag] = m->oldtag;
	}
	return fuzz_served_send(frame, len);
}

static bool is_answer_to(const struct tn_msg *m, uint8_t type)
{
	return m->type == type + 1 || m->type == TN_RLERROR || m->type == TN_RERROR;
}

static void hear_frame(const uint8_t *frame, size_t len)
{
	struct tn_msg m;

	must(tn_msg_decode(&m, spoken, frame, len) == TN_CODEC_OK);
	must(m.tag < TAGS && asked[m.tag] && is_answer_to(&m, asked[m.tag]));
	/* flush(5): no answer to the old tag comes behind the Rflush. */
	if (m.type == TN_RFLUSH && flushes[m.tag] < TAGS && flushes[m.tag] != m.tag)
		asked[flushes[m.tag]] = 0;
	asked[m.tag] = 0;
}

void fuzz_served_hear(void)
{
	size_t at = 0;
	int32_t len;

	pull();
	while ((len = tn_frame_len(heard + at, n_heard - at, MSIZE)) > 0) {
		hear_frame(heard + at, (size_t)len);
		at += (size_t)len;
	}
	must(len == 0 && at == n_heard);
	n_heard = 0;
}

void fuzz_served_drop(void)
{
	pull();
	n_heard = 0;
}

/* ---- sessions ---- */

static void say(struct tn_msg m)
{
	must(fuzz_served_say(&m));
	fuzz_served_hear();
	must(!fuzz_served_waits(m.tag));
}

static void say_version(enum tn_dialect dialect)
{
	const char *name = tn_dialect_name(dialect);
	struct tn_msg m = { .type = TN_TVERSION, .tag = TN_NOTAG, .msize = MSIZE };

	m.version = (struct tn_str){ name, (uint32_t)strlen(name) };
	must(fuzz_served_say(&m));
	fuzz_served_drop();
	spoken = dialect;
}

static void begin_session(enum tn_dialect dialect)
{
	say_version(dialect);
	say((struct tn_msg){ .type = TN_TATTACH,
	    .afid = TN_NOFID,
	    .uname = TN_STR("glenda"),
	    .n_uname = 1000 });
	say((struct tn_msg){ .type = TN_TWALK,
	    .newfid = 1,
	    .nwname = 2,
	    .wname = { TN_STR("a"), TN_STR("f") } });
	say((
	    struct tn_msg){ .type = TN_TWALK, .newfid = 2, .nwname = 1, .wname = { TN_STR("u") } });
}

void fuzz_served_begin(enum tn_dialect dialect, const struct tn_view_options *o)
{
	struct tn_server *view, *watch;

	fuzz_world_begin(&world, NULL);
	view = fuzz_world_view(&world, o);
	watch = tn_watch_new(view);
	conn = tn_conn_new(view, &(struct tn_conn_limits){ .msize_max = MSIZE }, "fuzz", closed,
	    NULL);
	must(conn && watch);
	tn_conn_beside(conn, TN_WATCH_ANAME, watch);
	tn_server_put(watch);
	tn_server_put(view);
	has_ended = false;
	n_heard = 0;
	memset(asked, 0, sizeof(asked));
	spoken = TN_9P2000;
	stream = tn_conn_stream(conn);
	stream->transport = &transport;
	if (dialect < TN_DIALECTS)
		begin_session(dialect);
}

void fuzz_served_end(void)
{
	hang_up();
	fuzz_pass(world.loop, 60);
	must(has_ended);
	tn_conn_free(conn);
	fuzz_world_end(&world);
}
