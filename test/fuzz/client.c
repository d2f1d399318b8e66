#include "client.h"

#include "link/dialect.h"

struct fuzz_client fuzz_client;

static struct fuzz_client *const c = &fuzz_client;

/* What has come from the client and was not looked at yet. */
static uint8_t heard[1 << 20];
static size_t at, end;

/* ---- transport and dialer ---- */

static void ready(struct tn_stream *s)
{
	(void)s;
}

static void detached(struct tn_stream *s)
{
	must(s == c->stream);
	c->stream = NULL;
}

static const struct tn_transport_ops transport = { ready, detached };

static void dial(struct tn_dialer *d, struct tn_client *client, struct tn_stream *s)
{
	(void)d;
	must(!c->stream);
	at = end = 0;
	c->stream = s;
	s->transport = &transport;
	tn_client_connected(client);
}

static void nothing(struct tn_dialer *d)
{
	(void)d;
}

static struct tn_dialer dialer = { dial, nothing, nothing, false };

void fuzz_client_hang_up(void)
{
	struct tn_stream *s = c->stream;

	c->stream = NULL;
	if (s)
		tn_stream_hangup(s, TN_OK);
	fuzz_client_turn();
}

/* ---- bytes ---- */

static void pull(void)
{
	struct tn_vec vec[4];
	size_t n;

	while (c->stream && (n = tn_stream_output(c->stream, vec, 4)) > 0) {
		size_t all = 0;

		for (size_t i = 0; i < n; i++) {
			must(vec[i].len <= sizeof(heard));
			if (end + vec[i].len > sizeof(heard))
				at = end = 0; /* nobody listened */
			memcpy(heard + end, vec[i].data, vec[i].len);
			end += vec[i].len;
			all += vec[i].len;
		}
		tn_stream_sent(c->stream, all);
	}
}

void fuzz_client_turn(void)
{
	do
		tn_loop_run(&c->loop);
	while (tn_loop_next_ns(&c->loop) <= fuzz_now);
	pull();
}

void fuzz_client_send(const uint8_t *bytes, size_t len)
{
	fuzz_arrive(&c->stream, bytes, len);
	fuzz_client_turn();
}

void fuzz_client_reply(const struct tn_msg *m)
{
	static uint8_t frame[65536];
	size_t len;

	if (tn_msg_encode(m, c->dialect, frame, sizeof(frame), &len) == TN_CODEC_OK)
		fuzz_client_send(frame, len);
}

/* What it says is well said, whatever it was told before. */
bool fuzz_client_says(struct tn_msg *m)
{
	int32_t len;

	fuzz_client_turn();
	len = tn_frame_len(heard + at, end - at, 1 << 20);
	must(len >= 0);
	if (len == 0) {
		must(at == end);
		return false;
	}
	must(heard[at + 4] == TN_TVERSION ||
	     tn_msg_decode(m, c->dialect, heard + at, (size_t)len) == TN_CODEC_OK);
	if (heard[at + 4] == TN_TVERSION)
		must(tn_msg_decode(m, TN_9P2000, heard + at, (size_t)len) == TN_CODEC_OK);
	at += (size_t)len;
	return true;
}

/* ---- requests ---- */

static void done(struct tn_req *r)
{
	((struct fuzz_ask *)r)->done++;
}

static bool entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	(void)next;
	must(st->name.len > 0);
	return ++((struct fuzz_ask *)r)->data[0] < 5;
}

static void stat(struct tn_req *r, const struct tn_stat *st)
{
	((struct fuzz_ask *)r)->data[0] = st->name.len > 0;
}

static void change(struct tn_req *r, const struct tn_change *what)
{
	must(((struct fuzz_ask *)r)->done == 0);
	must(what->what < TN_CHANGES && what->name.len < 256);
}

static const struct tn_owner owner = { .done = done,
	.entry = entry,
	.stat = stat,
	.change = change };

static void give_back(struct fuzz_ask *a)
{
	must(a->done == 1);
	tn_req_reset(&a->r);
	tn_chan_put(a->chan);
	a->chan = NULL;
}

static struct fuzz_ask *new_ask(void)
{
	for (int i = 0; i < c->n_asks; i++) {
		if (c->asks[i].done) {
			give_back(&c->asks[i]);
			return &c->asks[i];
		}
	}
	return c->n_asks < FUZZ_ASKS ? &c->asks[c->n_asks++] : NULL;
}

static void fill_walk(struct fuzz_ask *a)
{
	static const struct tn_str names[] = { { "a", 1 }, { "..", 2 }, { "b", 1 } };

	a->r.u.walk.names = names;
	a->r.u.walk.qids = a->qids;
	a->r.u.walk.n_names = 3;
	a->r.u.walk.newchan = a->chan = tn_chan_clone(a->r.chan);
}

static void fill_create(struct fuzz_ask *a)
{
	a->r.u.create.name = TN_STR("new");
	a->r.u.create.perm = c->n_asks & 1 ? TN_DMDIR | 0755 : 0644;
	a->r.u.create.gid = TN_NONUNAME;
	a->r.u.create.target = TN_STR("x");
}

static void fill_names(struct fuzz_ask *a)
{
	a->r.chan2 = a->r.type == TN_LINK ? c->file : c->root;
	a->r.u.rename.name = TN_STR("a");
	a->r.u.rename.newname = TN_STR("b");
	a->r.u.rename.how = 1;
}

static void fill_xattr(struct fuzz_ask *a)
{
	a->r.u.xattr.name = TN_STR("user.a");
	a->r.u.xattr.data = a->data;
	a->r.u.xattr.size = a->r.type == TN_XATTRSET ? 10000 : 65536;
}

static void fill_range(struct fuzz_ask *a)
{
	a->r.chan2 = c->file;
	a->r.u.range.how = 3;
	a->r.u.range.offset = 100;
	a->r.u.range.length = 1000;
}

static void fill(struct fuzz_ask *a)
{
	static const struct tn_stat st = { .valid = TN_ST_NAME, .name = { "n", 1 } };
	struct tn_req *r = &a->r;

	switch (r->type) {
	case TN_WALK: fill_walk(a); break;
	case TN_CREATE:
	case TN_SYMLINK:
	case TN_MKNOD: fill_create(a); break;
	case TN_RENAME:
	case TN_LINK: fill_names(a); break;
	case TN_XATTRGET:
	case TN_XATTRSET: fill_xattr(a); break;
	case TN_FALLOCATE:
	case TN_SEEKHOLE:
	case TN_COPYRANGE: fill_range(a); break;
	case TN_STATFS: r->u.statfs.out = &a->statfs; break;
	case TN_WSTAT: r->u.wstat.st = &st; break;
	case TN_READ:
	case TN_WRITE:
		r->u.io.data = a->data;
		r->u.io.count = sizeof(a->data);
		break;
	case TN_READLINK:
		r->u.readlink.buf = (char *)a->data;
		r->u.readlink.size = 4096;
		break;
	case TN_READDIR:
		r->flags = c->n_asks & 1 ? TN_OF_STATS : 0;
		r->u.readdir.count = 4096;
		break;
	default: break;
	}
}

struct fuzz_ask *fuzz_client_ask(enum tn_req_type type, struct tn_chan *chan)
{
	struct fuzz_ask *a = new_ask();

	if (!a)
		return NULL;
	tn_req_init(&a->r, type, chan, &owner);
	a->done = 0;
	a->data[0] = 0;
	if (type == TN_ATTACH) {
		a->r.server = c->server;
		a->r.u.attach.newchan = a->chan = tn_chan_new(c->server, NULL);
	}
	fill(a);
	if (tn_submit(&a->r) == TN_DONE)
		a->done++;
	return a;
}

void fuzz_client_ask_all(void)
{
	static const struct {
		enum tn_req_type type;
		struct tn_chan **on;
	} all[] = {
		{ TN_WALK, &fuzz_client.root },
		{ TN_READ, &fuzz_client.file },
		{ TN_WRITE, &fuzz_client.file },
		{ TN_READDIR, &fuzz_client.dir },
		{ TN_STAT, &fuzz_client.root },
		{ TN_OPEN, &fuzz_client.root },
		{ TN_WSTAT, &fuzz_client.root },
		{ TN_CREATE, &fuzz_client.root },
		{ TN_CREATE, &fuzz_client.root },
		{ TN_RENAME, &fuzz_client.root },
		{ TN_LINK, &fuzz_client.root },
		{ TN_SYMLINK, &fuzz_client.root },
		{ TN_MKNOD, &fuzz_client.root },
		{ TN_READLINK, &fuzz_client.root },
		{ TN_XATTRGET, &fuzz_client.root },
		{ TN_XATTRSET, &fuzz_client.root },
		{ TN_LOCK, &fuzz_client.file },
		{ TN_GETLOCK, &fuzz_client.file },
		{ TN_FSYNC, &fuzz_client.file },
		{ TN_STATFS, &fuzz_client.root },
		{ TN_READDIR, &fuzz_client.dir },
		{ TN_FALLOCATE, &fuzz_client.file },
		{ TN_SEEKHOLE, &fuzz_client.file },
		{ TN_COPYRANGE, &fuzz_client.file },
	};

	for (size_t i = 0; i < TN_COUNT(all); i++)
		fuzz_client_ask(all[i].type, *all[i].on);
	fuzz_client_turn();
}

/* ---- sessions ---- */

/* The tag of its last message. */
static uint16_t last_tag(void)
{
	struct tn_msg m = { .tag = TN_NOTAG };

	while (fuzz_client_says(&m))
		;
	return m.tag;
}

static struct fuzz_ask *answered(struct fuzz_ask *a, struct tn_msg *m)
{
	m->tag = last_tag();
	fuzz_client_reply(m);
	must(a->done == 1 && a->r.err == TN_OK);
	return a;
}

/* A walk and an open that an honest peer answers; type: of the qid. */
static struct tn_chan *opened(uint8_t type)
{
	struct tn_msg walk = { .type = TN_RWALK, .nwqid = 3 };
	struct tn_msg open = { .type = tn_dialect_is_l(c->dialect) ? TN_RLOPEN : TN_ROPEN };
	struct tn_chan *chan;

	walk.wqid[2].type = open.qid.type = type;
	chan = tn_chan_get(answered(fuzz_client_ask(TN_WALK, c->root), &walk)->chan);
	answered(fuzz_client_ask(TN_OPEN, chan), &open);
	return chan;
}

void fuzz_client_meet(enum tn_dialect dialect)
{
	const char *name = tn_dialect_name(dialect);
	struct tn_msg version = { .type = TN_RVERSION,
		.tag = TN_NOTAG,
		.msize = FUZZ_CLIENT_MSIZE };
	struct tn_msg attach = { .type = TN_RATTACH, .qid = { .type = TN_QTDIR, .path = 1 } };

	version.version = (struct tn_str){ name, (uint32_t)strlen(name) };
	/* What is less than 9P2000.L is no answer to what is offered first. */
	for (int i = dialect < TN_9P2000_L ? 0 : 1; i < 2; i++)
		fuzz_client_reply(&version);
	c->dialect = dialect;
	c->root = tn_chan_get(answered(&c->asks[0], &attach)->chan);
	c->file = opened(0);
	c->dir = opened(TN_QTDIR);
}

void fuzz_client_begin(void)
{
	const struct tn_client_options o = { .label = "fuzz",
		.dialect = TN_DIALECTS,
		.msize = FUZZ_CLIENT_MSIZE };

	fuzz_begin();
	c->dialect = TN_9P2000;
	c->n_asks = 0;
	c->root = c->file = c->dir = NULL;
	at = end = 0;
	tn_loop_init(&c->loop, NULL, NULL);
	c->client = tn_client_new(&c->loop, &dialer, &o);
	c->server = tn_mnt_server(c->client);
	must(c->client && c->server);
	fuzz_client_ask(TN_ATTACH, NULL);
	fuzz_client_turn();
}

static void pass(void)
{
	for (int k = 0; k < 4; k++) {
		fuzz_now += 5 * FUZZ_SECOND;
		fuzz_client_turn();
	}
}

/* What only a flush ends. */
static void flush_watches(void)
{
	for (int i = 0; i < c->n_asks; i++) {
		if (c->asks[i].r.type == TN_WATCH && !c->asks[i].done)
			tn_flush(&c->asks[i].r);
	}
}

void fuzz_client_end(void)
{
	flush_watches();
	pass();
	for (int i = 0; i < c->n_asks; i++)
		give_back(&c->asks[i]);
	tn_chan_put(c->file);
	tn_chan_put(c->dir);
	tn_chan_put(c->root);
	fuzz_client_turn();
	tn_server_put(c->server);
	tn_client_put(c->client);
	pass();
	must(!c->stream);
	tn_loop_fini(&c->loop);
}
