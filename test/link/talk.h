/*
 * What the tests of conn share: a peer that speaks in frames to a conn in memory, and a file server that keeps
 * whatever it is asked until the test says otherwise. Its names are what they say: "d..." is a directory, "l..." a
 * symbolic link, "x..." does not exist, all others are files. What it does is written down in `history`.
 */
#ifndef TEST_LINK_TALK_H
#define TEST_LINK_TALK_H

#include "core/chan.h"
#include "core/loop.h"
#include "core/server.h"
#include "host/posix/host.h"
#include "link/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the file server ---- */

enum on_flush { FLUSH_ENDS, FLUSH_ANSWERS, FLUSH_IGNORED };

struct fake {
	struct tn_server s;
	uint32_t late;          /* 1 << type: requests of it are kept */
	enum on_flush on_flush; /* what a flush of a kept request does */
	struct tn_req *held[64];
	unsigned n_held;
	enum tn_err fail;              /* the next answers are this error */
	const char *words;             /* and have these words */
	uint32_t n_chans;              /* used and not clunked */
	uint64_t end;                  /* of the last read, as it was asked for */
	uint32_t name_len;             /* of the names that stat tells; 0: "name" */
	uint32_t n_entries;            /* of each directory */
	uint32_t target_len;           /* of symbolic links; 0: "target" */
	bool is_there;                 /* what is created is there already */
	const uint8_t *value;          /* of every attribute */
	uint32_t value_len, grown_len; /* and what it is when it is read; 0: the same */
	/* the last request, with what it pointed at */
	struct tn_req last;
	struct tn_stat last_stat;
	char name[600], newname[600], target[600], client[16];
	uint8_t set[70000];
	uint32_t set_size, set_how;
	uint32_t uid;
	struct tn_stat stat; /* what a stat tells, if valid is not 0 */
	char history[4096];
};

static struct tn_loop loop;
static struct fake fake;

static const char *const type_names[] = { "attach", "walk", "open", "create", "read", "readdir",
	"write", "clunk", "remove", "stat", "wstat", "flush", "rename", "link", "symlink",
	"readlink", "mknod", "xattrget", "xattrset", "lock", "getlock", "fsync", "fallocate",
	"seekhole", "copyrange", "statfs", "watch" };

static void note(const char *what)
{
	size_t len = strlen(fake.history);

	snprintf(fake.history + len, sizeof(fake.history) - len, "%s%s", len ? " " : "", what);
}

/* Compares what was done since the last call. */
static inline void assert_history(const char *want)
{
	assert_string_equal(fake.history, want);
	fake.history[0] = '\0';
}

static struct tn_qid qid_of_name(struct tn_str name)
{
	struct tn_qid q = { .path = 5381,
		.type = name.s[0] == 'd' || name.s[0] == '.' ? TN_QTDIR
			: name.s[0] == 'l'                   ? TN_QTSYMLINK
							     : TN_QTFILE };

	for (uint32_t i = 0; i < name.len; i++)
		q.path = q.path * 33 + (uint8_t)name.s[i];
	return q;
}

static const struct tn_qid root_qid = { .path = 1, .type = TN_QTDIR };

static void fake_walk(struct tn_req *r)
{
	struct tn_qid at = r->chan->qid;
	uint16_t i;

	for (i = 0; i < r->u.walk.n_names; i++) {
		struct tn_str name = r->u.walk.names[i];

		if (name.s[0] == 'x' || !(at.type & TN_QTDIR))
			break;
		at = r->u.walk.qids[i] = qid_of_name(name);
	}
	r->u.walk.n_walked = i;
	if (i == r->u.walk.n_names) {
		r->u.walk.newchan->qid = at;
		fake.n_chans++;
	} else if (i == 0) {
		tn_fail(r, TN_ENOENT);
	}
}

static void fake_stat(struct tn_req *r)
{
	struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_MODE | TN_ST_QID,
		.qid = r->chan->qid,
		.mode = (uint32_t)r->chan->qid.type << 24 | 0644,
		.name = TN_STR("name"),
		.type = 7,
		.dev = 8,
		.length = 9 };

	static char name[65536];

	if (fake.stat.valid) {
		r->owner->stat(r, &fake.stat);
		return;
	}
	memset(name, 'n', sizeof(name));
	if (fake.name_len > 0)
		st.name = (struct tn_str){ name, fake.name_len };
	r->owner->stat(r, &st);
}

static void fake_readdir(struct tn_req *r)
{
	for (uint64_t i = r->u.readdir.offset; i < fake.n_entries; i++) {
		char name[16];
		struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_QID, .qid = { .path = 100 + i } };

		st.name = (struct tn_str){ name,
			(uint32_t)snprintf(name, sizeof(name), "e%03u", (unsigned)i) };
		if (!r->owner->entry(r, &st, i + 1))
			return;
	}
}

/* Reads give the low bytes of their offsets, up to offset 1000. */
static void fake_read(struct tn_req *r)
{
	uint32_t n = 0;

	fake.end = r->u.io.offset + r->u.io.count;
	for (; n < r->u.io.count && r->u.io.offset + n < 1000; n++)
		r->u.io.data[n] = (uint8_t)(r->u.io.offset + n);
	r->u.io.count = n;
}

static void fake_create(struct tn_req *r)
{
	if (fake.is_there) {
		tn_fail(r, TN_EEXIST);
		return;
	}
	r->chan->qid = qid_of_name(r->u.create.name);
	r->chan->qid.type = (uint8_t)(r->u.create.perm >> 24);
}

static void fake_readlink(struct tn_req *r)
{
	uint32_t len = fake.target_len ? fake.target_len : 6;

	r->u.readlink.len = len < r->u.readlink.size ? len : r->u.readlink.size;
	memset(r->u.readlink.buf, 't', r->u.readlink.len);
	if (!fake.target_len)
		memcpy(r->u.readlink.buf, "target", 6);
}

static void fake_xattrget(struct tn_req *r)
{
	uint32_t len = fake.value_len;

	if (r->u.xattr.size > 0 && fake.grown_len)
		len = fake.grown_len;
	r->u.xattr.len = len;
	if (r->u.xattr.size > 0 && r->u.xattr.size < len)
		tn_fail(r, TN_ERANGE);
	else if (r->u.xattr.size > 0)
		memcpy(r->u.xattr.data, fake.value, len);
}

static inline void copy_text(char *to, size_t size, struct tn_str s)
{
	snprintf(to, size, "%.*s", (int)s.len, s.len ? s.s : "");
}

/* Writes down what the request says. */
static void remember(struct tn_req *r)
{
	fake.last = *r;
	fake.uid = r->user ? r->user->uid : 0;
	switch (r->type) {
	case TN_CREATE:
	case TN_SYMLINK:
	case TN_MKNOD:
		copy_text(fake.name, sizeof(fake.name), r->u.create.name);
		copy_text(fake.target, sizeof(fake.target), r->u.create.target);
		break;
	case TN_RENAME:
	case TN_LINK:
		copy_text(fake.name, sizeof(fake.name), r->u.rename.name);
		copy_text(fake.newname, sizeof(fake.newname), r->u.rename.newname);
		break;
	case TN_WSTAT: fake.last_stat = *r->u.wstat.st; break;
	case TN_XATTRGET: copy_text(fake.name, sizeof(fake.name), r->u.xattr.name); break;
	case TN_XATTRSET:
		copy_text(fake.name, sizeof(fake.name), r->u.xattr.name);
		memcpy(fake.set, r->u.xattr.data, r->u.xattr.size);
		fake.set_size = r->u.xattr.size;
		fake.set_how = r->u.xattr.how;
		break;
	default: break;
	}
}

static void fake_do(struct tn_req *r)
{
	enum tn_err err = fake.fail;

	note(type_names[r->type]);
	remember(r);
	if (r->type == TN_CLUNK)
		fake.n_chans--;
	if (err) {
		tn_fail(r, err);
		if (fake.words)
			tn_fail_words(r, err, fake.words, strlen(fake.words));
		return;
	}
	switch (r->type) {
	case TN_ATTACH:
		r->u.attach.newchan->qid = root_qid;
		fake.n_chans++;
		break;
	case TN_WALK: fake_walk(r); break;
	case TN_CREATE: fake_create(r); break;
	case TN_SYMLINK:
	case TN_MKNOD: r->u.create.qid = qid_of_name(r->u.create.name); break;
	case TN_READLINK: fake_readlink(r); break;
	case TN_XATTRGET: fake_xattrget(r); break;
	case TN_STATFS: *r->u.statfs.out = (struct tn_statfs){ 1, 2, 3, 4, 5, 6, 7, 8, 9 }; break;
	case TN_READ: fake_read(r); break;
	case TN_READDIR: fake_readdir(r); break;
	case TN_STAT: fake_stat(r); break;
	default: break;
	}
}

static enum tn_status fake_op(struct tn_req *r)
{
	if (!(fake.late & 1u << r->type)) {
		fake_do(r);
		return TN_DONE;
	}
	if (r->type == TN_WALK && r->u.walk.n_names > 0)
		r->u.walk.qids[0] = qid_of_name(r->u.walk.names[0]); /* before it waits */
	if (!tn_keep(r))
		return TN_DONE;
	assert_true(fake.n_held < TN_COUNT(fake.held));
	fake.held[fake.n_held++] = r;
	return TN_LATER;
}

/* Takes the i-th of those held out, the oldest first. */
static struct tn_req *held_take(unsigned i)
{
	struct tn_req *r = fake.held[i];

	assert_true(i < fake.n_held);
	fake.n_held--;
	memmove(&fake.held[i], &fake.held[i + 1], (fake.n_held - i) * sizeof(fake.held[0]));
	return r;
}

static void answer(unsigned i)
{
	struct tn_req *r = held_take(i);

	fake_do(r);
	tn_respond(r);
}

static enum tn_status fake_flush(struct tn_req *r)
{
	for (unsigned i = 0; i < fake.n_held; i++) {
		if (fake.held[i] != r)
			continue;
		note("flush");
		if (fake.on_flush == FLUSH_ANSWERS)
			answer(i);
		if (fake.on_flush != FLUSH_ENDS)
			return TN_DONE;
		held_take(i);
		tn_fail(r, TN_EINTR);
		tn_respond(r);
		return TN_DONE;
	}
	fail_msg("a flush of what the server does not have");
	return TN_DONE;
}

static void fake_free(struct tn_server *s)
{
	(void)s;
	note("free");
}

static const struct tn_ops fake_ops = { "fake",
	{ fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op,
	    fake_op, fake_flush, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op,
	    fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op, fake_op },
	fake_free };

/* ---- the peer ---- */

static struct {
	struct tn_conn *conn;
	struct tn_stream *s;
	uint8_t *got; /* what came from the conn */
	size_t n_got, got_size, at;
	size_t split;            /* bytes in one arrival at most; 0: as many as there is room for */
	unsigned writes, pieces; /* outputs that were not empty */
	bool stuck;              /* takes nothing */
	bool is_ready;           /* the engine's note */
	bool is_closed;
	uint32_t msize;
	enum tn_dialect dialect;
} peer;

static void peer_ready(struct tn_stream *s)
{
	(void)s;
	peer.is_ready = true;
}

static void peer_detached(struct tn_stream *s)
{
	s->transport = NULL;
	peer.s = NULL;
}

static const struct tn_transport_ops peer_transport = { peer_ready, peer_detached };

static void peer_closed(struct tn_conn *conn, void *arg)
{
	assert_ptr_equal(conn, peer.conn);
	assert_ptr_equal(arg, &peer);
	assert_false(peer.is_closed);
	peer.is_closed = true;
}

/* The loop has something to do now: a conn's next turn is a timer. */
static bool is_due(void)
{
	uint64_t next = tn_loop_next_ns(&loop);

	return next == 0 || (next != UINT64_MAX && next <= tn_now_ns());
}

static void run_loop(void)
{
	for (int i = 0; i < 100 && is_due(); i++)
		tn_loop_run(&loop);
}

/* Takes what the conn has to say. */
static void drain(void)
{
	struct tn_vec vec[4];
	size_t n, bytes;

	while (peer.s && !peer.stuck && (n = tn_stream_output(peer.s, vec, 4)) > 0) {
		bytes = 0;
		for (size_t i = 0; i < n; i++) {
			assert_true(vec[i].len > 0);
			if (peer.n_got + vec[i].len > peer.got_size) {
				peer.got_size = 2 * (peer.n_got + vec[i].len);
				peer.got = realloc(peer.got, peer.got_size);
			}
			memcpy(peer.got + peer.n_got, vec[i].data, vec[i].len);
			peer.n_got += vec[i].len;
			bytes += vec[i].len;
		}
		peer.writes++;
		peer.pieces += (unsigned)n;
		tn_stream_sent(peer.s, bytes);
	}
}

/* As a transport that finds the engine closing. */
static void settle(void)
{
	struct tn_vec vec;

	do {
		run_loop();
		drain();
	} while (is_due());
	if (peer.s && peer.s->closing && !tn_stream_output(peer.s, &vec, 1)) {
		struct tn_stream *s = peer.s;

		peer.s = NULL;
		s->transport = NULL;
		tn_stream_hangup(s, TN_OK);
		run_loop();
	}
}

/* Bytes that arrive, as many as the conn takes. Returns how many it took. */
static size_t push(const void *data, size_t len)
{
	size_t done = 0, room;

	loop.turns++; /* of the loop's own: nobody else wants one */
	while (done < len && peer.s && !peer.s->closing) {
		uint8_t *buf = tn_stream_input(peer.s, &room);
		size_t n = len - done;

		if (!buf)
			break;
		assert_true(room > 0);
		if (n > room)
			n = room;
		if (peer.split && n > peer.split)
			n = peer.split;
		memcpy(buf, (const uint8_t *)data + done, n);
		tn_stream_arrived(peer.s, n);
		done += n;
		if (peer.split)
			settle();
	}
	return done;
}

static void push_all(const void *data, size_t len)
{
	assert_int_equal(push(data, len), len);
}

/* Frames that are sent in one go. */
static struct {
	uint8_t bytes[65536];
	size_t len;
} batch;

static void add(const struct tn_msg *m)
{
	size_t len;

	assert_int_equal(tn_msg_encode(m, peer.dialect, batch.bytes + batch.len,
			     sizeof(batch.bytes) - batch.len, &len),
	    TN_CODEC_OK);
	batch.len += len;
}

static void send_batch(void)
{
	push_all(batch.bytes, batch.len);
	batch.len = 0;
	settle();
}

/* The next frame that came; false: none. */
static bool next_msg(struct tn_msg *m)
{
	int32_t len = tn_frame_len(peer.got + peer.at, peer.n_got - peer.at, 1u << 30);

	assert_true(len >= 0);
	if (len == 0) {
		assert_int_equal(peer.at, peer.n_got); /* no half frame */
		peer.at = peer.n_got = 0;
		return false;
	}
	if (peer.msize)
		assert_true((uint32_t)len <= peer.msize);
	assert_int_equal(tn_msg_decode(m, peer.dialect, peer.got + peer.at, (size_t)len),
	    TN_CODEC_OK);
	peer.at += (size_t)len;
	return true;
}

static char answers[8192];

/* All that came, as "Rwalk 1, Rerror 2 file does not exist": name, tag, and an error's text; of Rlerror the number. */
static inline const char *got(void)
{
	struct tn_msg m;
	size_t len = 0;

	answers[0] = '\0';
	settle();
	while (next_msg(&m)) {
		len += (size_t)snprintf(answers + len, sizeof(answers) - len, "%s%s %u",
		    len ? ", " : "", tn_msg_name(m.type), m.tag);
		if (m.type == TN_RERROR)
			len += (size_t)snprintf(answers + len, sizeof(answers) - len, " %.*s",
			    (int)m.ename.len, m.ename.s);
		if (m.type == TN_RLERROR)
			len += (size_t)snprintf(answers + len, sizeof(answers) - len, " %u",
			    m.error);
	}
	return answers;
}

#define assert_got(want) assert_string_equal(got(), want)

/* Sends a message; nothing is waited for. */
static inline void say(const struct tn_msg *m)
{
	add(m);
	send_batch();
}

/* Sends a message and gives back the one answer. */
static inline struct tn_msg ask(const struct tn_msg *m)
{
	struct tn_msg r, more;

	say(m);
	settle();
	if (!next_msg(&r))
		fail_msg("no answer to %s", tn_msg_name(m->type));
	assert_false(next_msg(&more));
	assert_int_equal(r.tag, m->tag);
	return r;
}

/* Messages. The tag is the first argument. */
static inline struct tn_msg t_version(uint32_t msize, const char *version)
{
	return (struct tn_msg){ .type = TN_TVERSION,
		.tag = TN_NOTAG,
		.msize = msize,
		.version = { version, (uint32_t)strlen(version) } };
}

static inline struct tn_msg t_attach(uint16_t tag, uint32_t fid, uint32_t afid)
{
	return (struct tn_msg){ .type = TN_TATTACH,
		.tag = tag,
		.fid = fid,
		.afid = afid,
		.uname = TN_STR("glenda"),
		.aname = TN_STR("") };
}

/* names: separated by blanks; "" is none, "''" an empty one. */
static inline struct tn_msg t_walk(uint16_t tag, uint32_t fid, uint32_t newfid, const char *names)
{
	struct tn_msg m = { .type = TN_TWALK, .tag = tag, .fid = fid, .newfid = newfid };

	while (*names) {
		size_t n = strcspn(names, " ");

		m.wname[m.nwname++] = n == 2 && names[0] == '\''
					  ? TN_STR("")
					  : (struct tn_str){ names, (uint32_t)n };
		names += n + (names[n] == ' ');
	}
	return m;
}

static inline struct tn_msg t_open(uint16_t tag, uint32_t fid, uint8_t mode)
{
	return (struct tn_msg){ .type = TN_TOPEN, .tag = tag, .fid = fid, .mode = mode };
}

static inline struct tn_msg t_create(uint16_t tag, uint32_t fid, const char *name, uint32_t perm,
    uint8_t mode)
{
	return (struct tn_msg){ .type = TN_TCREATE,
		.tag = tag,
		.fid = fid,
		.perm = perm,
		.mode = mode,
		.name = { name, (uint32_t)strlen(name) } };
}

static inline struct tn_msg t_read(uint16_t tag, uint32_t fid, uint64_t offset, uint32_t count)
{
	return (struct tn_msg){ .type = TN_TREAD,
		.tag = tag,
		.fid = fid,
		.offset = offset,
		.count = count };
}

static inline struct tn_msg t_write(uint16_t tag, uint32_t fid, uint64_t offset, const char *text)
{
	return (struct tn_msg){ .type = TN_TWRITE,
		.tag = tag,
		.fid = fid,
		.offset = offset,
		.data = (const uint8_t *)text,
		.count = (uint32_t)strlen(text) };
}

/* Tclunk, Tremove, Tstat. */
static inline struct tn_msg t_fid(uint8_t type, uint16_t tag, uint32_t fid)
{
	return (struct tn_msg){ .type = type, .tag = tag, .fid = fid };
}

static inline struct tn_msg t_wstat(uint16_t tag, uint32_t fid, struct tn_stat st)
{
	return (struct tn_msg){ .type = TN_TWSTAT, .tag = tag, .fid = fid, .stat = st };
}

static inline struct tn_msg t_flush(uint16_t tag, uint16_t oldtag)
{
	return (struct tn_msg){ .type = TN_TFLUSH, .tag = tag, .oldtag = oldtag };
}

#define ADD(...) add(&(struct tn_msg[]){ __VA_ARGS__ }[0])
#define SAY(...) say(&(struct tn_msg[]){ __VA_ARGS__ }[0])
#define ASK(...) ask(&(struct tn_msg[]){ __VA_ARGS__ }[0])

/* ---- set up ---- */

static void silence(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

static void start(const struct tn_conn_limits *limits)
{
	memset(&fake, 0, sizeof(fake));
	memset(&peer, 0, sizeof(peer));
	batch.len = 0;
	tn_log_hook = silence;
	tn_loop_init(&loop, NULL, NULL);
	tn_server_init(&fake.s, &fake_ops, &loop, NULL);
	fake.n_entries = 40;
	peer.conn = tn_conn_new(&fake.s, limits, "test", peer_closed, &peer);
	assert_non_null(peer.conn);
	peer.s = tn_conn_stream(peer.conn);
	peer.s->transport = &peer_transport;
}

/* A session in a dialect, with msize 8192; fid 0 is the root. */
static inline void start_dialect(const struct tn_conn_limits *limits, enum tn_dialect dialect)
{
	start(limits);
	peer.msize = 8192;
	assert_int_equal(ASK(t_version(8192, tn_dialect_name(dialect))).type, TN_RVERSION);
	peer.dialect = dialect;
	assert_int_equal(ASK(t_attach(1, 0, TN_NOFID)).type, TN_RATTACH);
	fake.history[0] = '\0';
}

static void start_session(const struct tn_conn_limits *limits)
{
	start_dialect(limits, TN_9P2000);
	fake.history[0] = '\0';
}

/* The peer hangs up; whatever is held ends; nothing may be left. */
static void hang_up(void)
{
	struct tn_stream *s = peer.s;

	peer.s = NULL;
	if (s) {
		s->transport = NULL;
		tn_stream_hangup(s, TN_OK);
	}
	run_loop();
	fake.late = 0;
	while (fake.n_held > 0)
		answer(0);
	run_loop();
	assert_true(peer.is_closed);
	tn_conn_free(peer.conn);
	peer.conn = NULL;
	run_loop();
	assert_int_equal(fake.n_chans, 0);
	assert_int_equal(fake.s.refs, 1);
	tn_loop_fini(&loop);
	free(peer.got);
	peer.got = NULL;
}

static inline int setup(void **state)
{
	(void)state;
	start_session(NULL);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	if (peer.conn)
		hang_up();
	tn_alloc_hook = NULL;
	tn_now_hook = NULL;
	return 0;
}

#define SESSION(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BARE(f)    cmocka_unit_test_teardown(f, teardown)

/* Forty reads of 8000 bytes, tags from 0, of a file that is opened for it: the server answers none of them yet. */
static inline void ask_late_reads(void)
{
	ADD(t_walk(1, 0, 5, "f"));
	ADD(t_open(2, 5, TN_OREAD));
	send_batch();
	got();
	fake.late = 1u << TN_READ;
	for (uint16_t i = 0; i < 40; i++)
		SAY(t_read(i, 5, 0, 8000));
}

#endif
