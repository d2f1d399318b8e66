#include "asker.h"

#include <stdio.h>
#include <string.h>

struct ask ask;
struct tn_loop *ask_loop;
uint32_t ask_flags;

static void answered(struct tn_req *r)
{
	((struct ask *)r)->done = true;
}

static void copy(char *to, size_t size, struct tn_str s)
{
	snprintf(to, size, "%.*s", (int)s.len, s.len ? s.s : "");
}

static void take_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct ask *a = (struct ask *)r;

	a->st = *st;
	copy(a->name, sizeof(a->name), st->name);
	copy(a->uid, sizeof(a->uid), st->uid);
	copy(a->extension, sizeof(a->extension), st->extension);
}

static bool take_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct ask *a = (struct ask *)r;
	struct ask_entry e = { .qid = st->qid, .mode = st->mode, .next = next };

	if (a->n_entries >= a->entries_max)
		return false;
	copy(e.name, sizeof(e.name), st->name);
	a->n_entries++;
	a->next = next;
	if (a->each)
		a->each(a->arg, &e);
	return true;
}

static const struct tn_owner owner = { .done = answered, .entry = take_entry, .stat = take_stat };

struct tn_str ask_str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

void ask_begin(enum tn_req_type type, struct tn_chan *c)
{
	tn_req_reset(&ask.r);
	memset(&ask, 0, sizeof(ask));
	tn_req_init(&ask.r, type, c, &owner);
	ask.r.flags = ask_flags;
}

bool ask_start(void)
{
	if (tn_submit(&ask.r) == TN_LATER)
		return true;
	ask.done = true;
	return false;
}

enum tn_err ask_wait(void)
{
	while (!ask.done)
		tn_host_loop_turn(ask_loop);
	return (enum tn_err)ask.r.err;
}

enum tn_err ask_send(void)
{
	ask_start();
	return ask_wait();
}

void ask_put(struct tn_chan *c)
{
	tn_chan_put(c);
	tn_host_loop_poll(ask_loop);
}

struct tn_chan *ask_attach(struct tn_server *s, const char *aname)
{
	struct tn_chan *c = tn_chan_new(s, NULL);

	ask_begin(TN_ATTACH, NULL);
	ask.r.server = s;
	ask.r.u.attach.aname = ask_str(aname);
	ask.r.u.attach.newchan = c;
	if (ask_send() == TN_OK)
		return c;
	tn_chan_put(c);
	return NULL;
}

struct tn_chan *ask_walk(struct tn_chan *c, const char *path)
{
	struct tn_chan *new = tn_chan_clone(c);
	static struct tn_str names[ASK_NAMES_MAX];
	static char text[8192];
	uint16_t n = 0;

	if (!new)
		return NULL;
	snprintf(text, sizeof(text), "%s", path);
	for (char *at = strtok(text, "/"); at; at = strtok(NULL, "/"))
		names[n++] = ask_str(at);
	ask_begin(TN_WALK, c);
	ask.r.u.walk.names = names;
	ask.r.u.walk.n_names = n;
	ask.r.u.walk.qids = ask.qids;
	ask.r.u.walk.newchan = new;
	ask_send();
	ask.n_qids = ask.r.u.walk.n_walked;
	if (ask.r.err == TN_OK && ask.n_qids == n)
		return new;
	tn_chan_put(new);
	return NULL;
}

enum tn_err ask_open(struct tn_chan *c, uint32_t flags)
{
	ask_begin(TN_OPEN, c);
	ask.r.flags |= flags;
	return ask_send();
}

enum tn_err ask_create(struct tn_chan *c, const char *name, uint32_t perm, uint32_t flags)
{
	ask_begin(TN_CREATE, c);
	ask.r.flags |= flags;
	ask.r.u.create.name = ask_str(name);
	ask.r.u.create.perm = perm;
	ask.r.u.create.gid = TN_NONUNAME;
	return ask_send();
}

static int64_t io(enum tn_req_type type, struct tn_chan *c, uint8_t *data, uint32_t count,
    uint64_t offset)
{
	ask_begin(type, c);
	ask.r.u.io.data = data;
	ask.r.u.io.count = count;
	ask.r.u.io.offset = offset;
	if (ask_send())
		return -(int64_t)ask.r.err;
	return ask.r.u.io.count;
}

int64_t ask_read(struct tn_chan *c, void *buf, uint32_t count, uint64_t offset)
{
	return io(TN_READ, c, buf, count, offset);
}

int64_t ask_write(struct tn_chan *c, const void *buf, uint32_t count, uint64_t offset)
{
	return io(TN_WRITE, c, (uint8_t *)(uintptr_t)buf, count, offset);
}

enum tn_err ask_stat(struct tn_chan *c)
{
	ask_begin(TN_STAT, c);
	return ask_send();
}

enum tn_err ask_wstat(struct tn_chan *c, const struct tn_stat *st)
{
	ask_begin(TN_WSTAT, c);
	ask.r.u.wstat.st = st;
	return ask_send();
}

enum tn_err ask_remove(struct tn_chan *c)
{
	ask_begin(TN_REMOVE, c);
	return ask_send();
}

static enum tn_err list(struct tn_chan *c, uint32_t flags, uint64_t offset, unsigned max,
    void (*each)(void *arg, const struct ask_entry *e), void *arg)
{
	ask_begin(TN_READDIR, c);
	ask.r.flags |= flags;
	ask.entries_max = max;
	ask.each = each;
	ask.arg = arg;
	ask.next = offset;
	ask.r.u.readdir.offset = offset;
	ask.r.u.readdir.count = 8192;
	return ask_send();
}

enum tn_err ask_list(struct tn_chan *c, uint64_t offset, unsigned max,
    void (*each)(void *arg, const struct ask_entry *e), void *arg)
{
	return list(c, TN_OF_STATS, offset, max, each, arg);
}

enum tn_err ask_names(struct tn_chan *c, unsigned max,
    void (*each)(void *arg, const struct ask_entry *e), void *arg)
{
	return list(c, 0, 0, max, each, arg);
}

const char *ask_cat(struct tn_chan *from, const char *path)
{
	static char text[4096];
	struct tn_chan *c = ask_walk(from, path);
	int64_t n = -1;

	if (!c) {
		snprintf(text, sizeof(text), "!walked %u: %s", ask.n_qids,
		    tn_err_name((enum tn_err)ask.r.err));
		return text;
	}
	if (ask_open(c, TN_OREAD)) {
		snprintf(text, sizeof(text), "!%s", tn_err_name((enum tn_err)ask.r.err));
	} else {
		n = ask_read(c, text, sizeof(text) - 1, 0);
		if (n < 0)
			snprintf(text, sizeof(text), "!%s", tn_err_name((enum tn_err) - n));
		else
			text[n] = 0;
	}
	ask_put(c);
	return text;
}
