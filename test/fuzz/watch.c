/*
 * Changes as lines. The first byte says: a line of anybody's, which is what it says again when it is understood; or what is
 * written to a watch file, while files change below it and the file is read, in an order out of the input.
 */
#include "fs/watch.h"

#include "core/change.h"
#include "world.h"

enum { READERS = 4, STEPS = 60 };

static struct fuzz_world world;
static struct tn_chan *file, *dir;
static struct reader {
	struct tn_req r; /* first */
	bool waits;
	uint8_t data[2048];
} readers[READERS];

/* ---- lines ---- */

static void line(struct tn_str text)
{
	struct tn_change change;
	char name[256], again[TN_CHANGE_LINE_MAX];
	uint32_t number, len;

	if (!tn_change_parse(text, &number, &change, name))
		return;
	must(change.what <= TN_CHANGE_END && change.name.len <= sizeof(name));
	if (change.what == TN_CHANGE_END)
		return;
	len = tn_change_line(again, number, &change);
	/* A number may have had zeros before it, or a pair that the change has not. */
	must(len > 0 && tn_change_parse((struct tn_str){ again, len - 1 }, &number, &change, name));
}

/* ---- the watch file ---- */

/* What is read is whole lines that we understand ourselves. */
static void done(struct tn_req *r)
{
	struct reader *reader = (struct reader *)r;
	const char *at = (const char *)reader->data, *end = at + r->u.io.count, *nl;
	struct tn_change change;
	char name[256];
	uint32_t number;

	reader->waits = false;
	if (r->err)
		return;
	must(r->u.io.count <= sizeof(reader->data));
	for (; at < end; at = nl + 1) {
		nl = memchr(at, '\n', (size_t)(end - at));
		must(nl && tn_change_parse((struct tn_str){ at, (uint32_t)(nl - at) }, &number,
			       &change, name));
	}
}

static const struct tn_owner owner = { .done = done };

static void read_some(void)
{
	for (size_t i = 0; i < READERS; i++) {
		struct reader *reader = &readers[i];

		if (reader->waits)
			continue;
		tn_req_init(&reader->r, TN_READ, file, &owner);
		reader->r.u.io.data = reader->data;
		reader->r.u.io.count = sizeof(reader->data);
		reader->waits = true;
		if (tn_submit(&reader->r) == TN_DONE)
			done(&reader->r);
		return;
	}
	for (size_t i = 0; i < READERS; i++)
		tn_flush(&readers[i].r);
}

static void ask(struct tn_req *r)
{
	must(tn_submit(r) == TN_DONE);
	tn_req_reset(r);
}

static void write_some(struct fuzz_in *in)
{
	struct tn_str text = fuzz_bytes(in, fuzz_byte(in));
	struct tn_req r;

	tn_req_init(&r, TN_WRITE, file, NULL);
	r.u.io.data = (uint8_t *)(uintptr_t)text.s;
	r.u.io.count = text.len;
	ask(&r);
}

static void rename_one(struct fuzz_in *in)
{
	struct tn_req r;

	tn_req_init(&r, TN_RENAME, dir, NULL);
	r.chan2 = dir;
	r.u.rename.name = fuzz_name(in);
	r.u.rename.newname = fuzz_name(in);
	ask(&r);
}

static void make_one(struct fuzz_in *in)
{
	struct tn_req r;

	tn_req_init(&r, TN_SYMLINK, dir, NULL);
	r.u.create.name = fuzz_name(in);
	r.u.create.target = TN_STR("x");
	r.u.create.gid = TN_NONUNAME;
	ask(&r);
}

static struct tn_chan *attach(struct tn_server *s, const char *aname)
{
	struct tn_chan *c = tn_chan_new(s, world.user);
	struct tn_req r;

	must(c);
	tn_req_init(&r, TN_ATTACH, NULL, NULL);
	r.server = s;
	r.u.attach.newchan = c;
	r.u.attach.aname = (struct tn_str){ aname, (uint32_t)strlen(aname) };
	must(tn_submit(&r) == TN_DONE && r.err == TN_OK);
	return c;
}

static void begin(void)
{
	struct tn_server *s;
	struct tn_req r;

	fuzz_world_begin(&world, NULL);
	s = tn_watch_new(world.ram);
	must(s);
	dir = attach(world.ram, "");
	file = attach(s, TN_WATCH_ANAME);
	tn_server_put(s);
	tn_req_init(&r, TN_OPEN, file, NULL);
	r.flags = TN_ORDWR;
	ask(&r);
	memset(readers, 0, sizeof(readers));
}

static void end(void)
{
	for (size_t i = 0; i < READERS; i++) {
		if (readers[i].waits)
			tn_flush(&readers[i].r);
	}
	fuzz_turn(world.loop);
	for (size_t i = 0; i < READERS; i++) {
		must(!readers[i].waits);
		tn_req_reset(&readers[i].r);
	}
	tn_chan_put(file);
	tn_chan_put(dir);
	fuzz_world_end(&world);
}

static void step(struct fuzz_in *in)
{
	switch (fuzz_byte(in) % 5) {
	case 0:
	case 1: write_some(in); break;
	case 2: rename_one(in); break;
	case 3: make_one(in); break;
	default: read_some(); break;
	}
	fuzz_turn(world.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };

	fuzz_begin();
	if (fuzz_byte(&in) & 1) {
		line(fuzz_bytes(&in, in.left));
		return 0;
	}
	begin();
	for (int i = 0; i < STEPS && in.left > 0; i++)
		step(&in);
	end();
	return 0;
}
