/*
 * A peer that answers mnt with any bytes. The first byte says how honest it begins: with an agreed version (of which
 * dialect say the next two bits), an attach and one Chan of each kind, or with nothing; the rest comes in pieces while one request of each kind is outstanding,
 * and some are flushed. Every request ends once, and nothing is left when the client goes.
 */
#include "link/mnt.h"

#include "core/chan.h"
#include "core/server.h"
#include "link/dialect.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ASKS = 24, SECOND = 1000000000 };

static struct tn_loop loop;
static struct tn_client *client;
static struct tn_server *server;
static struct tn_stream *stream;
static uint64_t now_ns;
static enum tn_dialect dialect;

static struct ask {
	struct tn_req r;
	unsigned done;
	struct tn_chan *chan;
	struct tn_qid qids[TN_WNAME_MAX];
	uint8_t data[70000];
} asks[ASKS];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t clock_ns(void)
{
	return now_ns;
}

extern uint64_t (*tn_now_hook)(void);
extern void (*tn_log_hook)(const char *text, size_t len);

static void no_log(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

/* ---- transport and dialer ---- */

static void ready(struct tn_stream *s)
{
	(void)s;
}

static void detached(struct tn_stream *s)
{
	(void)s;
	stream = NULL;
}

static const struct tn_transport_ops transport = { ready, detached };

static void dial(struct tn_dialer *d, struct tn_client *c, struct tn_stream *s)
{
	(void)d;
	stream = s;
	s->transport = &transport;
	tn_client_connected(c);
}

static void nothing(struct tn_dialer *d)
{
	(void)d;
}

static struct tn_dialer dialer = { dial, nothing, nothing, false };

/* What the client says goes nowhere, but for the tag of its last message. */
static uint16_t turn(void)
{
	struct tn_vec vec;
	uint16_t tag = TN_NOTAG;

	do
		tn_loop_run(&loop);
	while (tn_loop_next_ns(&loop) <= now_ns);
	while (stream && tn_stream_output(stream, &vec, 1) > 0) {
		for (size_t at = 0; at + 7 <= vec.len;) {
			const uint8_t *p = vec.data + at;

			tag = (uint16_t)(p[5] | p[6] << 8);
			at += (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
		}
		tn_stream_sent(stream, vec.len);
	}
	return tag;
}

static void send(const uint8_t *bytes, size_t len)
{
	while (len > 0 && stream) {
		size_t room;
		uint8_t *buf = tn_stream_input(stream, &room);

		if (!buf)
			return;
		must(room > 0);
		if (room > len)
			room = len;
		memcpy(buf, bytes, room);
		bytes += room;
		len -= room;
		tn_stream_arrived(stream, room);
	}
}

static void reply(struct tn_msg *m)
{
	uint8_t buf[512];
	size_t len;

	must(tn_msg_encode(m, dialect, buf, sizeof(buf), &len) == TN_CODEC_OK);
	send(buf, len);
	turn();
}

/* ---- requests ---- */

static void done(struct tn_req *r)
{
	((struct ask *)r)->done++;
}

static bool entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)next;
	must(st->name.len > 0);
	return ++((struct ask *)r)->data[0] < 5;
}

static void stat(struct tn_req *r, const struct tn_stat *st)
{
	((struct ask *)r)->data[0] = st->name.len > 0;
}

static const struct tn_owner owner = { .done = done, .entry = entry, .stat = stat };

static struct ask *ask(int i, enum tn_req_type type, struct tn_chan *c)
{
	tn_req_init(&asks[i].r, type, c, &owner);
	asks[i].done = 0;
	asks[i].chan = NULL;
	asks[i].data[0] = 0;
	return &asks[i];
}

static void go(struct ask *a)
{
	if (tn_submit(&a->r) == TN_DONE)
		a->done++;
}

static void ask_attach(int i)
{
	struct ask *a = ask(i, TN_ATTACH, NULL);

	a->r.server = server;
	a->r.u.attach.newchan = a->chan = tn_chan_new(server, NULL);
	go(a);
}

static void ask_walk(int i, struct tn_chan *c)
{
	static const struct tn_str names[] = { { "a", 1 }, { "..", 2 }, { "b", 1 } };
	struct ask *a = ask(i, TN_WALK, c);

	a->r.u.walk.names = names;
	a->r.u.walk.qids = a->qids;
	a->r.u.walk.n_names = 3;
	a->r.u.walk.newchan = a->chan = tn_chan_clone(c);
	go(a);
}

static void ask_io(int i, enum tn_req_type type, struct tn_chan *c)
{
	struct ask *a = ask(i, type, c);

	a->r.u.io.data = a->data;
	a->r.u.io.count = sizeof(a->data);
	go(a);
}

/* A walk and an open that an honest peer answers; type: of the qid. */
static struct tn_chan *opened(struct tn_chan *root, uint8_t type)
{
	struct tn_msg walk = { .type = TN_RWALK, .nwqid = 3 };
	struct tn_msg open = { .type = tn_dialect_is_l(dialect) ? TN_RLOPEN : TN_ROPEN };
	struct tn_chan *c;

	ask_walk(0, root);
	walk.wqid[2].type = open.qid.type = type;
	walk.tag = turn();
	reply(&walk);
	must(asks[0].done == 1 && asks[0].r.err == TN_OK);
	c = asks[0].chan;
	go(ask(0, TN_OPEN, c));
	open.tag = turn();
	reply(&open);
	must(asks[0].done == 1 && asks[0].r.err == TN_OK);
	return c;
}

/* What .u, .L and .L.tenon have besides. Where a dialect has no such request it is answered at once. */
static int ask_more(int n, struct tn_chan *root, struct tn_chan *file, struct tn_chan *dir)
{
	static const enum tn_req_type types[] = { TN_CREATE, TN_CREATE, TN_RENAME, TN_LINK,
		TN_SYMLINK, TN_MKNOD, TN_READLINK, TN_XATTRGET, TN_XATTRSET, TN_LOCK, TN_GETLOCK,
		TN_FSYNC, TN_STATFS, TN_READDIR, TN_FALLOCATE, TN_SEEKHOLE, TN_COPYRANGE };
	static struct tn_statfs statfs;

	for (size_t i = 0; i < TN_COUNT(types); i++, n++) {
		bool of_file = types[i] == TN_LOCK || types[i] == TN_GETLOCK ||
			       types[i] == TN_FSYNC || types[i] >= TN_FALLOCATE;
		struct ask *a = ask(n, types[i], of_file ? file : root);
		struct tn_req *r = &a->r;

		switch (types[i]) {
		case TN_CREATE:
		case TN_SYMLINK:
		case TN_MKNOD:
			r->u.create.name = TN_STR("new");
			r->u.create.perm = i == 0 ? TN_DMDIR | 0755 : 0644;
			r->u.create.gid = TN_NONUNAME;
			r->u.create.target = TN_STR("x");
			break;
		case TN_RENAME:
		case TN_LINK:
			r->chan2 = types[i] == TN_LINK ? file : root;
			r->u.rename.name = TN_STR("a");
			r->u.rename.newname = TN_STR("b");
			r->u.rename.how = 1;
			break;
		case TN_READLINK:
			r->u.readlink.buf = (char *)a->data;
			r->u.readlink.size = 4096;
			break;
		case TN_XATTRGET:
		case TN_XATTRSET:
			r->u.xattr.name = TN_STR("user.a");
			r->u.xattr.data = a->data;
			r->u.xattr.size = types[i] == TN_XATTRSET ? 10000 : 65536;
			break;
		case TN_STATFS: r->u.statfs.out = &statfs; break;
		case TN_FALLOCATE:
		case TN_SEEKHOLE:
		case TN_COPYRANGE:
			r->chan2 = file;
			r->u.range.how = 3;
			r->u.range.offset = 100;
			r->u.range.length = 1000;
			break;
		case TN_READDIR:
			r->chan = dir;
			r->flags = TN_OF_STATS;
			r->u.readdir.count = 4096;
			break;
		default: break;
		}
		go(a);
	}
	return n;
}

static int ask_all(struct tn_chan *root, struct tn_chan *file, struct tn_chan *dir)
{
	static const struct tn_stat st = { .valid = TN_ST_NAME, .name = { "n", 1 } };
	int n = 0;

	if (!root)
		return 0;
	ask_walk(n++, root);
	ask_io(n++, TN_READ, file);
	ask_io(n++, TN_WRITE, file);
	go(ask(n++, TN_READDIR, dir));
	go(ask(n++, TN_STAT, root));
	go(ask(n++, TN_OPEN, root));
	ask(n, TN_WSTAT, root)->r.u.wstat.st = &st;
	go(&asks[n++]);
	return ask_more(n, root, file, dir);
}

static void feed(const uint8_t *bytes, size_t len, int n)
{
	for (size_t at = 0; at < len;) {
		size_t part = 1 + bytes[at] % 61;

		if (bytes[at] % 16 == 7 && n > 0 && asks[bytes[at] % n].done == 0)
			tn_flush(&asks[bytes[at] % n].r);
		if (part > len - at)
			part = len - at;
		send(bytes + at, part);
		at += part;
		turn();
	}
}

static void end(int n)
{
	for (int k = 0; k < 4; k++) {
		now_ns += 5 * (uint64_t)SECOND;
		turn();
	}
	for (int i = 0; i < n; i++) {
		must(asks[i].done == 1);
		tn_req_reset(&asks[i].r);
		tn_chan_put(asks[i].chan);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct tn_client_options o = { .label = "fuzz",
		.dialect = TN_DIALECTS,
		.msize = 9000 };
	struct tn_msg version = { .type = TN_RVERSION, .tag = TN_NOTAG, .msize = 9000 };
	struct tn_msg attach = { .type = TN_RATTACH, .qid = { .type = TN_QTDIR, .path = 1 } };
	struct tn_chan *root = NULL, *file = NULL, *dir = NULL;
	int n;

	if (len == 0)
		return 0;
	dialect = (enum tn_dialect)((bytes[0] >> 1 & 3) % TN_DIALECTS);
	version.version.s = tn_dialect_name(dialect);
	version.version.len = (uint32_t)strlen(version.version.s);
	now_ns = SECOND;
	tn_now_hook = clock_ns;
	tn_log_hook = no_log;
	tn_loop_init(&loop, NULL, NULL);
	client = tn_client_new(&loop, &dialer, &o);
	server = tn_mnt_server(client);
	ask_attach(0);
	n = 1;
	turn();
	if (bytes[0] & 1) {
		/* What is less than 9P2000.L is no answer to what is offered first. */
		for (int i = dialect < TN_9P2000_L ? 0 : 1; i < 2; i++) {
			reply(&version);
			turn();
		}
		attach.tag = 1;
		reply(&attach);
		must(asks[0].done == 1);
		root = asks[0].chan;
		file = opened(root, 0);
		dir = opened(root, TN_QTDIR);
		n = ask_all(root, file, dir);
		turn();
	}
	feed(bytes + 1, len - 1, n);
	end(n);
	tn_chan_put(file);
	tn_chan_put(dir);
	tn_chan_put(root);
	turn();
	tn_server_put(server);
	tn_client_put(client);
	end(0);
	must(!stream);
	tn_loop_fini(&loop);
	return 0;
}
