/*
 * For tests of mnt: a client on a loop whose clock the test moves, requests that note their answers, and the peer, which
 * is the test itself: it takes the client's messages one by one and answers what it likes, or has peer_serve answer as
 * an ordinary small server would. No descriptor, no thread, no sleep.
 */
#ifndef TEST_LINK_PEER_H
#define TEST_LINK_PEER_H

#include "core/chan.h"
#include "core/loop.h"
#include "core/server.h"
#include "host/posix/host.h"
#include "link/dialect.h"
#include "link/mnt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000u

enum { PEER_MSIZE = 8192 + TN_IOHDR_SIZE, PEER_FIDS = 256, PEER_BUF = 1 << 20 };

struct peer {
	struct tn_loop loop;
	struct tn_client *client;
	struct tn_server *server;
	struct tn_stream *stream; /* NULL: no connection */
	struct tn_dialer dialer;
	bool refuse; /* dials fail */
	bool slow;   /* dials stay without an answer */
	unsigned dials, cancels, detached, freed;
	uint8_t in[PEER_BUF]; /* from the client */
	size_t at, end;
	uint8_t frame[PEER_BUF]; /* the one that is looked at */
	struct tn_msg m;
	unsigned counts[TN_MSG_TYPES]; /* of messages that came */
	enum tn_dialect dialect;       /* agreed */
	enum tn_dialect best;          /* that peer_answer agrees on */
	enum peer_at_more {
		PEER_SAYS_LESS,
		PEER_SAYS_UNKNOWN,
		PEER_SAYS_ERROR,
		PEER_SAYS_LERROR,
		PEER_SAYS_NUMBER, /* of ENOENT, as Rerror */
		PEER_HANGS_UP,
		PEER_SAYS_ERROR_AND_HANGS_UP
	} at_more; /* what it does when more is offered */
	/* what peer_serve serves: a name beginning with d is a directory; `no` is not there */
	uint64_t salt;    /* changes all qid.paths but those of names with a digit */
	uint32_t version; /* of all files */
	uint64_t root_path;
	uint32_t msize;
	struct peer_fid {
		bool used, open;
		struct tn_qid qid;
		char name[64];
		uint64_t dir_off;
	} fids[PEER_FIDS];
	char content[65536];
	uint32_t content_len;
	bool no_stat;
	uint16_t stat_type; /* the letter of a device */
};

static struct peer peer;
static uint64_t peer_now = 1000 * (uint64_t)SECOND;
static char peer_log[512];

/* ---- the clock and the loop ---- */

static inline uint64_t peer_clock(void)
{
	return peer_now;
}

static inline void peer_logged(const char *text, size_t len)
{
	snprintf(peer_log, sizeof(peer_log), "%.*s", (int)len, text);
}

static inline void run(void)
{
	do {
		tn_loop_run(&peer.loop);
	} while (tn_loop_next_ns(&peer.loop) <= peer_now);
}

static inline void pass(uint64_t ns)
{
	peer_now += ns;
	run();
}

/* ---- the transport ---- */

static inline void peer_ready(struct tn_stream *s)
{
	(void)s;
}

static inline void peer_detached(struct tn_stream *s)
{
	assert_ptr_equal(s, peer.stream);
	peer.stream = NULL;
	peer.detached++;
}

static const struct tn_transport_ops peer_transport = { peer_ready, peer_detached };

static inline void peer_dial(struct tn_dialer *d, struct tn_client *client,
    struct tn_stream *stream)
{
	(void)d;
	peer.dials++;
	if (peer.slow)
		return;
	if (peer.refuse) {
		tn_client_failed(client, TN_ECONNREFUSED, "tcp!test!564: connection refused");
		return;
	}
	assert_null(peer.stream);
	memset(peer.fids, 0, sizeof(peer.fids));
	peer.at = peer.end = 0;
	peer.dialect = TN_9P2000;
	peer.stream = stream;
	stream->transport = &peer_transport;
	tn_client_connected(client);
}

static inline void peer_cancel(struct tn_dialer *d)
{
	(void)d;
	peer.cancels++;
}

static inline void peer_dialer_free(struct tn_dialer *d)
{
	(void)d;
	peer.freed++;
}

static inline void peer_hangup(void)
{
	struct tn_stream *s = peer.stream;

	peer.stream = NULL;
	tn_stream_hangup(s, TN_OK);
	run();
}

/* ---- messages ---- */

/* Bytes to the client, in one piece or as many as its room asks for. */
static inline void peer_bytes(const uint8_t *p, size_t len)
{
	while (len > 0 && peer.stream) {
		size_t room;
		uint8_t *buf = tn_stream_input(peer.stream, &room);

		if (!buf)
			return; /* it listens no more */
		if (room > len)
			room = len;
		assert_true(room > 0);
		memcpy(buf, p, room);
		p += room;
		len -= room;
		tn_stream_arrived(peer.stream, room);
	}
}

static inline void peer_pull(void)
{
	struct tn_vec vec[4];
	size_t n;

	while (peer.stream && (n = tn_stream_output(peer.stream, vec, 4)) > 0) {
		size_t all = 0;

		for (size_t i = 0; i < n; i++) {
			assert_true(peer.end + vec[i].len <= sizeof(peer.in));
			memcpy(peer.in + peer.end, vec[i].data, vec[i].len);
			peer.end += vec[i].len;
			all += vec[i].len;
		}
		tn_stream_sent(peer.stream, all);
	}
}

/* The client's next message, or NULL. Valid until the next call. */
static inline const struct tn_msg *peer_take(void)
{
	int32_t len;

	run();
	peer_pull();
	len = tn_frame_len(peer.in + peer.at, peer.end - peer.at, PEER_BUF);
	assert_true(len >= 0);
	if (len == 0) {
		peer.at = peer.end = 0;
		return NULL;
	}
	memcpy(peer.frame, peer.in + peer.at, (size_t)len);
	peer.at += (size_t)len;
	assert_int_equal(tn_msg_decode(&peer.m, peer.dialect, peer.frame, (size_t)len),
	    TN_CODEC_OK);
	peer.counts[peer.m.type]++;
	return &peer.m;
}

static inline const struct tn_msg *peer_expect(uint8_t type)
{
	const struct tn_msg *m = peer_take();

	assert_non_null(m);
	assert_string_equal(tn_msg_name(m->type), tn_msg_name(type));
	return m;
}

static inline void peer_send(const struct tn_msg *m)
{
	static uint8_t buf[PEER_BUF];
	size_t len;

	assert_int_equal(tn_msg_encode(m, peer.dialect, buf, sizeof(buf), &len), TN_CODEC_OK);
	peer_bytes(buf, len);
}

static inline void peer_reply(uint8_t type, uint16_t tag)
{
	struct tn_msg m = { .type = type, .tag = tag };

	peer_send(&m);
}

/* In .L, which has numbers only, that of the text. */
static inline void peer_error(uint16_t tag, const char *text)
{
	struct tn_msg m = { .type = peer.dialect == TN_9P2000_L ? TN_RLERROR : TN_RERROR,
		.tag = tag,
		.ename = { text, (uint32_t)strlen(text) } };

	m.error = tn_err_linux(tn_err_of_text(m.ename));
	peer_send(&m);
}

static inline void peer_lerror(uint16_t tag, uint32_t number)
{
	struct tn_msg m = { .type = TN_RLERROR, .tag = tag, .error = number };

	peer_send(&m);
}

/* ---- an ordinary small server ---- */

static inline struct tn_qid peer_qid(struct tn_str name)
{
	struct tn_qid qid = { .path = 5381,
		.version = peer.version,
		.type = name.s[0] == 'd' ? TN_QTDIR : 0 };

	for (uint32_t i = 0; i < name.len; i++)
		qid.path = qid.path * 33 + (uint8_t)name.s[i];
	qid.path = (qid.path << 8) + peer.salt;
	return qid;
}

static inline void peer_walk(const struct tn_msg *m)
{
	struct tn_msg a = { .type = TN_RWALK, .tag = m->tag };
	struct peer_fid *from = &peer.fids[m->fid], to;

	assert_true(from->used);
	assert_true(m->newfid == m->fid || !peer.fids[m->newfid].used);
	to = *from;
	for (uint16_t i = 0; i < m->nwname; i++) {
		struct tn_str name = m->wname[i];

		if ((name.len == 2 && memcmp(name.s, "no", 2) == 0) || !(to.qid.type & TN_QTDIR))
			break;
		to.qid = peer_qid(name);
		snprintf(to.name, sizeof(to.name), "%.*s", (int)name.len, name.s);
		if (name.len == 2 && memcmp(name.s, "..", 2) == 0)
			to.qid = (struct tn_qid){ .path = peer.root_path, .type = TN_QTDIR };
		a.wqid[a.nwqid++] = to.qid;
	}
	if (a.nwqid == 0 && m->nwname > 0) {
		peer_error(m->tag, "file does not exist");
		return;
	}
	if (a.nwqid == m->nwname)
		peer.fids[m->newfid] = to;
	peer_send(&a);
}

static inline struct tn_stat peer_stat(const struct peer_fid *f)
{
	return (struct tn_stat){ .valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME |
					  TN_ST_ATIME | TN_ST_MTIME | TN_ST_UID | TN_ST_GID |
					  TN_ST_MUID | TN_ST_DEV,
		.qid = f->qid,
		.mode = (uint32_t)f->qid.type << 24 | 0644,
		.type = peer.stat_type,
		.length = f->qid.type & TN_QTDIR ? 0 : peer.content_len,
		.name = { f->name, (uint32_t)strlen(f->name) },
		.uid = TN_STR("glenda"),
		.gid = TN_STR("glenda"),
		.muid = TN_STR("glenda") };
}

/* A directory holds f0 ... f9. */
static inline size_t peer_entries(uint8_t *buf, size_t size, uint64_t off)
{
	size_t len = 0;
	uint64_t at = 0;

	for (int i = 0; i < 10; i++) {
		struct peer_fid f = { .qid = { .path = (uint64_t)i + 100 } };
		struct tn_stat st;
		size_t n;

		snprintf(f.name, sizeof(f.name), "f%d", i);
		st = peer_stat(&f);
		n = tn_stat_size(&st, peer.dialect);
		if (at >= off) {
			if (len + n > size)
				break;
			len += tn_stat_encode(&st, peer.dialect, buf + len, size - len);
		}
		at += n;
	}
	return len;
}

static inline void peer_read(const struct tn_msg *m)
{
	static uint8_t buf[65536];
	struct peer_fid *f = &peer.fids[m->fid];
	struct tn_msg a = { .type = TN_RREAD, .tag = m->tag };

	assert_true(f->used && f->open);
	assert_true(m->count <= peer.msize - TN_IOHDR_SIZE);
	if (f->qid.type & TN_QTDIR) {
		assert_true(m->offset == 0 || m->offset == f->dir_off); /* read(5) */
		a.data = buf;
		a.count = (uint32_t)peer_entries(buf, m->count, m->offset);
		f->dir_off = m->offset + a.count;
	} else if (m->offset < peer.content_len) {
		a.data = (uint8_t *)peer.content + m->offset;
		a.count = peer.content_len - (uint32_t)m->offset;
		a.count = a.count < m->count ? a.count : m->count;
	} else {
		a.data = buf;
	}
	peer_send(&a);
}

static inline void peer_write(const struct tn_msg *m)
{
	struct tn_msg a = { .type = TN_RWRITE, .tag = m->tag, .count = m->count };

	assert_true(m->offset + m->count <= sizeof(peer.content));
	memcpy(peer.content + m->offset, m->data, m->count);
	if (peer.content_len < m->offset + m->count)
		peer.content_len = (uint32_t)(m->offset + m->count);
	peer_send(&a);
}

/* The same in .L, with dots; an entry's offset is its number. */
static inline void peer_list(const struct tn_msg *m)
{
	static uint8_t buf[65536];
	struct tn_msg a = { .type = TN_RREADDIR, .tag = m->tag, .data = buf };

	assert_true(peer.fids[m->fid].open);
	for (uint64_t i = m->offset; i < 12; i++) {
		char name[8];
		struct tn_dirent d = { .offset = i + 1, .type = 8 };

		snprintf(name, sizeof(name), "f%d", (int)i - 2);
		d.name = i == 0 ? TN_STR(".") : i == 1 ? TN_STR("..") : TN_STR("f0");
		d.name.s = i < 2 ? d.name.s : name;
		d.type = i < 2 ? 4 : 8;
		d.qid = (struct tn_qid){ .path = i + 98, .type = i < 2 ? TN_QTDIR : 0 };
		if (a.count + 26 > m->count)
			break;
		a.count += (uint32_t)tn_dirent_encode(&d, buf + a.count, sizeof(buf) - a.count);
	}
	peer_send(&a);
}

static inline void peer_attr(const struct tn_msg *m)
{
	const struct peer_fid *f = &peer.fids[m->fid];
	bool is_dir = f->qid.type & TN_QTDIR;
	struct tn_msg a = { .type = TN_RGETATTR,
		.tag = m->tag,
		.valid = 0x7ff,
		.qid = f->qid,
		.perm = is_dir ? 0040755 : 0100644,
		.uid = 1000,
		.gid = 100,
		.nlink = 1,
		.length = is_dir ? 4096 : peer.content_len,
		.blksize = 4096,
		.blocks = 8,
		.atime_sec = 1,
		.mtime_sec = 2,
		.mtime_nsec = 3,
		.ctime_sec = 4 };

	assert_true(f->used);
	peer_send(&a);
}

static inline void peer_version(const struct tn_msg *m)
{
	struct tn_msg a = { .type = TN_RVERSION, .tag = m->tag };
	enum tn_dialect d = TN_9P2000;

	while (
	    d < TN_DIALECTS && (strlen(tn_dialect_name(d)) != m->version.len ||
				   memcmp(tn_dialect_name(d), m->version.s, m->version.len) != 0))
		d++;
	a.msize = m->msize < peer.msize ? m->msize : peer.msize;
	a.version = m->version;
	if (d <= peer.best) {
		peer_send(&a);
		peer.dialect = d;
		return;
	}
	if (peer.at_more == PEER_SAYS_LESS || peer.at_more == PEER_SAYS_UNKNOWN) {
		const char *less = peer.at_more == PEER_SAYS_LESS ? tn_dialect_name(peer.best)
								  : "unknown";

		a.version = (struct tn_str){ less, (uint32_t)strlen(less) };
		peer_send(&a);
		peer.dialect = peer.at_more == PEER_SAYS_LESS ? peer.best : TN_9P2000;
		return;
	}
	peer.dialect = peer.at_more == PEER_SAYS_LERROR ? TN_9P2000_L : TN_9P2000;
	if (peer.at_more == PEER_SAYS_NUMBER)
		peer_bytes((const uint8_t[]){ 11, 0, 0, 0, TN_RERROR, 0xff, 0xff, 2, 0, 0, 0 }, 11);
	else if (peer.at_more != PEER_HANGS_UP)
		peer_error(m->tag, "i/o error");
	peer.dialect = TN_9P2000;
	if (peer.at_more >= PEER_HANGS_UP)
		peer_hangup();
}

static inline void peer_answer(const struct tn_msg *m)
{
	struct tn_msg a = { .type = (uint8_t)(m->type + 1), .tag = m->tag };
	struct peer_fid *f = m->type == TN_TVERSION ? NULL : &peer.fids[m->fid % PEER_FIDS];

	switch (m->type) {
	case TN_TVERSION: peer_version(m); return;
	case TN_TREADDIR: peer_list(m); return;
	case TN_TGETATTR: peer_attr(m); return;
	case TN_TATTACH:
		assert_false(f->used);
		*f = (struct peer_fid){ .used = true,
			.qid = { .path = peer.root_path, .type = TN_QTDIR },
			.name = "/" };
		a.qid = f->qid;
		break;
	case TN_TWALK: peer_walk(m); return;
	case TN_TLOPEN:
	case TN_TOPEN:
		assert_true(f->used && !f->open);
		f->open = true;
		a.qid = f->qid;
		break;
	case TN_TLCREATE:
	case TN_TCREATE:
		f->open = true;
		f->qid = a.qid = peer_qid(m->name);
		break;
	case TN_TREAD: peer_read(m); return;
	case TN_TWRITE: peer_write(m); return;
	case TN_TREMOVE:
	case TN_TCLUNK:
		assert_true(f->used);
		f->used = f->open = false;
		break;
	case TN_TSTAT:
		if (peer.no_stat) {
			peer_error(m->tag, "unknown message");
			return;
		}
		a.stat = peer_stat(f);
		break;
	default: break;
	}
	peer_send(&a);
}

/* Answers until the client has nothing more to say. */
static inline void peer_serve(void)
{
	const struct tn_msg *m;

	while ((m = peer_take()) != NULL)
		peer_answer(m);
}

/* ---- requests ---- */

struct ask {
	struct tn_req r;
	unsigned done; /* how often it was answered: 1 at the end */
	struct tn_chan *newchan;
	struct tn_str names[16];
	struct tn_qid qids[16];
	char text[1024];
	uint8_t data[65536];
	struct tn_stat st;
	char st_name[64];
	char entries[256]; /* names, each with a blank behind it */
	uint64_t next;
	unsigned room; /* entries that will be taken */
};

static inline void ask_done(struct tn_req *r)
{
	((struct ask *)r)->done++;
}

static inline bool ask_keep(struct tn_req *r)
{
	(void)r;
	return !tn_alloc_hook || tn_alloc_hook(1);
}

static inline bool ask_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct ask *a = (struct ask *)r;
	size_t len = strlen(a->entries);

	if (a->room == 0)
		return false;
	a->room--;
	a->next = next;
	snprintf(a->entries + len, sizeof(a->entries) - len, "%.*s ", (int)st->name.len,
	    st->name.s);
	return true;
}

static inline void ask_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct ask *a = (struct ask *)r;

	a->st = *st;
	snprintf(a->st_name, sizeof(a->st_name), "%.*s", (int)st->name.len, st->name.s);
}

static const struct tn_owner ask_owner = { ask_done, ask_keep, ask_entry, ask_stat, NULL };

static inline struct ask *ask_new(enum tn_req_type type, struct tn_chan *c)
{
	struct ask *a = calloc(1, sizeof(*a));

	tn_req_init(&a->r, type, c, &ask_owner);
	a->room = 1000;
	return a;
}

static inline void ask_go(struct ask *a)
{
	if (tn_submit(&a->r) == TN_DONE)
		a->done++;
	assert_true(a->done <= 1);
}

/* newchan, if there is one, is the caller's when it has been taken out. */
static inline void ask_free(struct ask *a)
{
	assert_int_equal(a->done, 1);
	tn_chan_put(a->newchan);
	tn_req_reset(&a->r);
	free(a);
}

static inline struct ask *ask_attach(void)
{
	struct ask *a = ask_new(TN_ATTACH, NULL);

	a->r.server = peer.server;
	a->r.u.attach.uname = TN_STR("glenda");
	a->r.u.attach.newchan = a->newchan = tn_chan_new(peer.server, NULL);
	ask_go(a);
	return a;
}

/* "a/b/c"; "": the same file again. */
static inline struct ask *ask_walk(struct tn_chan *c, const char *path)
{
	struct ask *a = ask_new(TN_WALK, c);
	uint16_t n = 0;

	snprintf(a->text, sizeof(a->text), "%s", path);
	for (char *s = a->text; *s;) {
		size_t len = strcspn(s, "/");

		a->names[n++] = (struct tn_str){ s, (uint32_t)len };
		s += len + (s[len] == '/');
	}
	a->r.u.walk.names = a->names;
	a->r.u.walk.qids = a->qids;
	a->r.u.walk.n_names = n;
	a->r.u.walk.newchan = a->newchan = tn_chan_clone(c);
	ask_go(a);
	return a;
}

static inline struct ask *ask_open(struct tn_chan *c, uint32_t flags)
{
	struct ask *a = ask_new(TN_OPEN, c);

	a->r.flags = flags;
	ask_go(a);
	return a;
}

static inline struct ask *ask_io(enum tn_req_type type, struct tn_chan *c, uint32_t count,
    uint64_t offset)
{
	struct ask *a = ask_new(type, c);

	a->r.u.io.data = a->data;
	a->r.u.io.count = count;
	a->r.u.io.offset = offset;
	for (uint32_t i = 0; type == TN_WRITE && i < count; i++)
		a->data[i] = (uint8_t)(i * 7 + i / 256);
	ask_go(a);
	return a;
}

static inline struct ask *ask_readdir(struct tn_chan *c, uint64_t offset, unsigned room)
{
	struct ask *a = ask_new(TN_READDIR, c);

	a->r.u.readdir.offset = offset;
	a->room = room;
	ask_go(a);
	return a;
}

static inline struct ask *ask_simple(enum tn_req_type type, struct tn_chan *c)
{
	struct ask *a = ask_new(type, c);

	ask_go(a);
	return a;
}

static inline void must(struct ask *a, enum tn_err err)
{
	assert_int_equal(a->done, 1);
	assert_string_equal(tn_err_name((enum tn_err)a->r.err), tn_err_name(err));
	ask_free(a);
}

static inline void must_say(struct ask *a, enum tn_err err, const char *words)
{
	assert_string_equal(tn_req_text(&a->r), words);
	must(a, err);
}

/* A Chan by an ordinary peer. */
static inline struct tn_chan *got(struct ask *a)
{
	struct tn_chan *c = a->newchan;

	peer_serve();
	assert_int_equal(a->r.err, TN_OK);
	a->newchan = NULL;
	ask_free(a);
	return c;
}

static inline struct tn_chan *got_attach(void)
{
	return got(ask_attach());
}

static inline struct tn_chan *got_walk(struct tn_chan *c, const char *path)
{
	return got(ask_walk(c, path));
}

static inline struct tn_chan *got_open(struct tn_chan *from, const char *path)
{
	struct tn_chan *c = got_walk(from, path);
	struct ask *a = ask_open(c, TN_ORDWR);

	peer_serve();
	must(a, TN_OK);
	return c;
}

static inline void put(struct tn_chan *c)
{
	tn_chan_put(c);
	peer_serve();
}

/* ---- around each test ---- */

static inline void peer_start(const struct tn_client_options *options)
{
	struct tn_client_options o = { .label = "tcp!test!564", .dialect = TN_9P2000 };

	memset(&peer, 0, sizeof(peer));
	peer.msize = PEER_MSIZE;
	peer.root_path = 1;
	peer.content_len = 20000;
	for (uint32_t i = 0; i < sizeof(peer.content); i++)
		peer.content[i] = (char)(i * 31 + i / 251);
	peer_log[0] = '\0';
	tn_now_hook = peer_clock;
	tn_log_hook = peer_logged;
	tn_loop_init(&peer.loop, NULL, NULL);
	peer.dialer = (struct tn_dialer){ peer_dial, peer_cancel, peer_dialer_free, false };
	peer.client = tn_client_new(&peer.loop, &peer.dialer, options ? options : &o);
	assert_non_null(peer.client);
	peer.server = tn_mnt_server(peer.client);
	assert_non_null(peer.server);
}

/* Everything that was asked has been answered, every Chan put: nothing of the client is left. */
static inline void peer_end(void)
{
	tn_server_put(peer.server);
	tn_client_put(peer.client);
	peer_serve();
	run();
	assert_int_equal(peer.freed, 1);
	assert_null(peer.stream);
	tn_loop_fini(&peer.loop);
	tn_now_hook = NULL;
	tn_log_hook = NULL;
}

static inline int peer_setup(void **state)
{
	(void)state;
	peer_start(NULL);
	return 0;
}

static inline int peer_teardown(void **state)
{
	(void)state;
	peer_end();
	return 0;
}

#define PEER_TEST(f) cmocka_unit_test_setup_teardown(f, peer_setup, peer_teardown)

#endif
