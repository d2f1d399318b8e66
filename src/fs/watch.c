/*
 * `watch`. A feed is an open file: watches, each a TN_WATCH on a Chan that was walked to for it with the rights of who
 * attached, and the lines that wait to be read. A watch lives until its request has been answered; a feed until its Chan
 * and its watches have let go of it.
 */
#include "fs/watch.h"

#include "core/chan.h"
#include "core/change.h"
#include "core/mem.h"

enum {
	FEEDS_MAX = 1024,
	WATCHES_MAX = 4096,
	WATCHES_ALL_MAX = 16384,
	BYTES_MAX = 256 * 1024,
	BYTES_FIRST = 1024,
	NAME_MAX = 4096
};

struct feed;

struct watch {
	struct tn_req r; /* first: of the walk, then the TN_WATCH */
	struct watch *next;
	struct feed *feed;       /* counted */
	struct tn_chan *at, *to; /* counted; what is watched, and what a walk is to fill */
	uint32_t number;
	uint32_t done; /* bytes of name that were walked */
	uint32_t len;
	bool is_ending; /* asked for: nobody is told */
	struct tn_str names[TN_WNAME_MAX];
	struct tn_qid qids[TN_WNAME_MAX];
	char name[];
};

struct feed {
	struct tn_task task; /* first. Lines have come for who reads */
	uint32_t refs;
	struct tn_server *server; /* of the watch file; its loop */
	struct tn_chan
	    *root; /* counted; of the server that is watched; NULL: it is being attached */
	struct watch *watches;
	uint32_t n_watches;
	bool is_open, is_closed, has_lost;
	struct tn_req *readers, **last; /* by r->next */
	char *lines;
	uint32_t at, end, size; /* of lines: [at, end) are there */
	/* while it is attached */
	struct tn_req attach;
	struct tn_req *outer;
};

struct server {
	struct tn_server s;        /* first */
	struct tn_server *watched; /* counted */
	uint32_t n_open, n_watches;
};

static struct server *server_of(struct tn_server *s)
{
	return (struct server *)s;
}

static struct feed *feed_of(const struct tn_chan *c)
{
	return c->aux.p;
}

/* ---- feeds ---- */

static void feed_run(struct tn_task *task);

static struct feed *feed_new(struct tn_server *server, struct tn_chan *root)
{
	struct feed *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->task.fn = feed_run;
	f->refs = 1;
	f->server = tn_server_get(server);
	f->root = root ? tn_chan_get(root) : NULL;
	f->last = &f->readers;
	return f;
}

static void feed_put(struct feed *f)
{
	struct tn_server *server = f->server;

	if (--f->refs > 0)
		return;
	tn_loop_forget(server->home, &f->task);
	tn_chan_put(f->root);
	tn_free(f->lines);
	tn_free(f);
	tn_server_put(server);
}

/* ---- lines ---- */

static bool make_room(struct feed *f, uint32_t n)
{
	uint32_t have = f->end - f->at, size = f->size ? f->size : BYTES_FIRST;
	char *lines;

	if (f->at > 0) {
		memmove(f->lines, f->lines + f->at, have);
		f->at = 0;
		f->end = have;
	}
	while (size - have < n)
		size *= 2;
	if (size == f->size)
		return true;
	lines = size <= BYTES_MAX ? tn_realloc(f->lines, f->size, size) : NULL;
	if (!lines)
		return false;
	f->lines = lines;
	f->size = size;
	return true;
}

/* The line once more, as when a file is written to again and again: once is enough. */
static bool is_last(const struct feed *f, const char *line, uint32_t n)
{
	return f->end - f->at >= n && memcmp(f->lines + f->end - n, line, n) == 0;
}

static void put_line(struct feed *f, const char *line, uint32_t n)
{
	static const char lost[] = "lost 0 f 0 \n";

	if (f->is_closed || n == 0 || is_last(f, line, n))
		return;
	if (f->size - f->end < n && !make_room(f, n)) {
		f->at = f->end = 0;
		line = lost;
		n = sizeof(lost) - 1;
		if (f->size < n)
			return; /* no memory for anything: nobody has been told of a watch yet */
	}
	memcpy(f->lines + f->end, line, n);
	f->end += n;
	if (f->readers)
		tn_loop_defer(f->server->home, &f->task);
}

static void put_end(struct watch *w)
{
	char line[TN_CHANGE_LINE_MAX];

	if (!w->is_ending)
		put_line(w->feed, line, tn_change_end_line(line, w->number, tn_req_text(&w->r)));
}

/* What there is, whole lines if the reader has room for one. */
static void give(struct feed *f, struct tn_req *r)
{
	uint32_t n = f->end - f->at;

	if (n > r->u.io.count) {
		n = r->u.io.count;
		while (n > 0 && f->lines[f->at + n - 1] != '\n')
			n--;
		if (n == 0)
			n = r->u.io.count;
	}
	memcpy(r->u.io.data, f->lines + f->at, n);
	r->u.io.count = n;
	f->at += n;
	if (f->at == f->end)
		f->at = f->end = 0;
}

static void take(struct feed *f, struct tn_req *r)
{
	struct tn_req **at = &f->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!*at)
		f->last = at;
}

static void feed_run(struct tn_task *task)
{
	struct feed *f = (struct feed *)task;
	struct tn_req *r;

	f->refs++;
	while (f->end > f->at && (r = f->readers) != NULL) {
		take(f, r);
		give(f, r);
		tn_respond(r);
	}
	feed_put(f);
}

/* ---- watches ---- */

/* Its request is over. */
static void watch_end(struct watch *w)
{
	struct feed *f = w->feed;
	struct watch **at = &f->watches;

	put_end(w);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	f->n_watches--;
	server_of(f->server)->n_watches--;
	tn_req_reset(&w->r);
	tn_chan_put(w->at);
	tn_chan_put(w->to);
	tn_free(w);
	feed_put(f);
}

static void watch_go(struct watch *w);

static void walk_over(struct watch *w)
{
	struct tn_req *r = &w->r;

	if (r->err == TN_OK && r->u.walk.n_walked < r->u.walk.n_names)
		tn_fail(r, TN_ENOENT);
	if (r->err != TN_OK)
		return;
	tn_chan_put(w->at);
	w->at = w->to;
	w->to = NULL;
}

static void watch_done(struct tn_req *r)
{
	struct watch *w = (struct watch *)r;

	if (r->type == TN_WALK) {
		walk_over(w);
		if (r->err == TN_OK && w->is_ending)
			tn_fail(r, TN_EINTR);
		if (r->err == TN_OK) {
			watch_go(w);
			return;
		}
	}
	watch_end(w);
}

static void watch_change(struct tn_req *r, const struct tn_change *change)
{
	struct watch *w = (struct watch *)r;
	char line[TN_CHANGE_LINE_MAX];

	if (!w->is_ending)
		put_line(w->feed, line, tn_change_line(line, w->number, change));
}

static const struct tn_owner watch_owner = { .done = watch_done, .change = watch_change };

/* The next names of the way; false: there are no more. */
static uint16_t next_names(struct watch *w)
{
	uint16_t n = 0;

	while (n < TN_WNAME_MAX && w->done < w->len) {
		uint32_t begin = w->done;

		while (w->done < w->len && w->name[w->done] != '/')
			w->done++;
		if (w->done > begin)
			w->names[n++] = (struct tn_str){ w->name + begin, w->done - begin };
		w->done += w->done < w->len;
	}
	return n;
}

/* false: no memory. */
static bool next_request(struct watch *w)
{
	uint16_t n = next_names(w);

	tn_req_reset(&w->r);
	if (n == 0) {
		tn_req_init(&w->r, TN_WATCH, w->at, &watch_owner);
		return true;
	}
	w->to = tn_chan_clone(w->at);
	tn_req_init(&w->r, TN_WALK, w->at, &watch_owner);
	w->r.u.walk.names = w->names;
	w->r.u.walk.qids = w->qids;
	w->r.u.walk.n_names = n;
	w->r.u.walk.newchan = w->to;
	return w->to != NULL;
}

/* From walk to walk, until one waits; the last request is the TN_WATCH, which always does. */
static void watch_go(struct watch *w)
{
	for (;;) {
		if (!next_request(w))
			tn_fail(&w->r, TN_ENOMEM);
		else if (tn_submit(&w->r) == TN_LATER)
			return;
		else if (w->r.type == TN_WALK)
			walk_over(w);
		if (w->r.err != TN_OK || w->r.type == TN_WATCH) {
			watch_end(w);
			return;
		}
	}
}

static struct watch *find(const struct feed *f, uint32_t number)
{
	struct watch *w = f->watches;

	while (w && (w->number != number || w->is_ending))
		w = w->next;
	return w;
}

/* A name of files and directories, from the root down. */
static bool is_way(const struct watch *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		bool begins = i == 0 || w->name[i - 1] == '/';
		uint32_t dots = 0;

		if (w->name[i] == '\0')
			return false;
		while (begins && i + dots < w->len && w->name[i + dots] == '.')
			dots++;
		if (dots > 0 && dots <= 2 && (i + dots == w->len || w->name[i + dots] == '/'))
			return false;
	}
	return true;
}

static enum tn_err watch_begin(struct feed *f, uint32_t number, struct tn_str name)
{
	struct watch *w;

	if (find(f, number))
		return TN_EEXIST;
	if (f->n_watches == WATCHES_MAX || server_of(f->server)->n_watches == WATCHES_ALL_MAX)
		return TN_ELIMIT_FILES;
	if (name.len > NAME_MAX)
		return TN_ENAMETOOLONG;
	w = tn_alloc(sizeof(*w) + name.len);
	if (!w)
		return TN_ENOMEM;
	if (!tn_change_unquote(name, w->name, name.len, &w->len) || !is_way(w)) {
		tn_free(w);
		return TN_EBADARG;
	}
	w->feed = f;
	w->number = number;
	w->at = tn_chan_get(f->root);
	w->next = f->watches;
	f->watches = w;
	f->n_watches++;
	server_of(f->server)->n_watches++;
	f->refs++;
	watch_go(w);
	return TN_OK;
}

static void watch_stop(struct watch *w)
{
	w->is_ending = true;
	tn_flush(&w->r);
}

static enum tn_err take_line(struct feed *f, struct tn_str line)
{
	struct tn_str word = tn_change_word(&line);
	struct watch *w;
	uint32_t number;

	if (!tn_change_number(&line, &number))
		return TN_EBADARG;
	if (word.len == 5 && memcmp(word.s, "watch", 5) == 0)
		return watch_begin(f, number, line);
	if (word.len != 3 || memcmp(word.s, "end", 3) != 0 || line.len > 0)
		return TN_EBADARG;
	w = find(f, number);
	if (w)
		watch_stop(
		    w); /* else it has ended by itself, and the line that says so is on its way */
	return TN_OK;
}

/* ---- as a file ---- */

static struct tn_qid qid_of(void)
{
	return (struct tn_qid){ .path = UINT64_MAX - 1 };
}

static void be(struct tn_chan *c, struct feed *f)
{
	c->qid = qid_of();
	c->aux.p = f;
}

/* The tree that is watched was attached, with the rights of who asks. */
static void attached(struct feed *f)
{
	struct tn_req *outer = f->outer;

	tn_req_take_error(outer, &f->attach);
	if (outer->err == TN_OK) {
		be(outer->u.attach.newchan, f);
		return;
	}
	tn_chan_put(f->root);
	f->root = NULL;
	feed_put(f);
}

static void attach_done(struct tn_req *r)
{
	struct feed *f = (struct feed *)((char *)r - offsetof(struct feed, attach));
	struct tn_req *outer = f->outer;

	outer->keeper = NULL;
	attached(f);
	tn_respond(outer);
}

static bool attach_keep(struct tn_req *r)
{
	struct feed *f = (struct feed *)((char *)r - offsetof(struct feed, attach));

	if (!tn_keep(f->outer))
		return false;
	r->u.attach.uname = f->outer->u.attach.uname;
	f->outer->keeper = f;
	return true;
}

static const struct tn_owner attach_owner = { .done = attach_done, .keep = attach_keep };

static enum tn_status watch_attach(struct tn_req *r)
{
	struct tn_server *s = server_of(r->server)->watched;
	struct feed *f = feed_new(r->server, NULL);

	if (!f)
		return tn_fail(r, TN_ENOMEM);
	f->root = tn_chan_new(s, r->u.attach.newchan->user);
	if (!f->root) {
		feed_put(f);
		return tn_fail(r, TN_ENOMEM);
	}
	f->outer = r;
	tn_req_init(&f->attach, TN_ATTACH, NULL, &attach_owner);
	f->attach.server = s;
	f->attach.user = r->user;
	f->attach.u.attach = r->u.attach;
	f->attach.u.attach.aname = TN_STR("");
	f->attach.u.attach.newchan = f->root;
	if (tn_submit(&f->attach) == TN_LATER)
		return TN_LATER;
	attached(f);
	return TN_DONE;
}

static enum tn_status watch_walk(struct tn_req *r)
{
	struct feed *f;

	if (r->u.walk.n_names > 0)
		return tn_fail(r, TN_ENOTDIR);
	f = feed_new(r->server, feed_of(r->chan)->root);
	if (!f)
		return tn_fail(r, TN_ENOMEM);
	be(r->u.walk.newchan, f);
	return TN_DONE;
}

static enum tn_status watch_open(struct tn_req *r)
{
	struct server *server = server_of(r->server);

	if ((r->flags & TN_OF_ACCESS) == TN_OEXEC || r->flags & TN_OF_RCLOSE)
		return tn_fail(r, TN_EACCES);
	if (server->n_open == FEEDS_MAX)
		return tn_fail(r, TN_ELIMIT_OPEN);
	server->n_open++;
	feed_of(r->chan)->is_open = true;
	return TN_DONE;
}

static enum tn_status watch_read(struct tn_req *r)
{
	struct feed *f = feed_of(r->chan);

	if (r->u.io.count == 0)
		return TN_DONE;
	if (f->end > f->at && !f->readers) {
		give(f, r);
		return TN_DONE;
	}
	if (!tn_keep(r))
		return TN_DONE;
	r->next = NULL;
	*f->last = r;
	f->last = &r->next;
	return TN_LATER;
}

static enum tn_status watch_write(struct tn_req *r)
{
	const char *text = (const char *)r->u.io.data, *end = text + r->u.io.count;
	struct feed *f = feed_of(r->chan);

	f->refs++; /* a watch may end at once */
	while (text < end) {
		struct tn_str line = { text, 0 };
		enum tn_err err;

		while (text < end && *text != '\n')
			text++;
		line.len = (uint32_t)(text - line.s);
		text += text < end;
		err = line.len > 0 ? take_line(f, line) : TN_OK;
		if (err) {
			feed_put(f);
			return tn_fail(r, err);
		}
	}
	feed_put(f);
	return TN_DONE;
}

static enum tn_status watch_flush(struct tn_req *r)
{
	if (r->type == TN_ATTACH) {
		struct feed *f = r->keeper;

		if (f)
			tn_flush(&f->attach);
		return TN_DONE;
	}
	if (r->type != TN_READ)
		return TN_DONE;
	take(feed_of(r->chan), r);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

/* Nobody reads any more. The watches end when they can. */
static enum tn_status watch_clunk(struct tn_req *r)
{
	struct feed *f = feed_of(r->chan);

	if (!f)
		return TN_DONE;
	r->chan->aux.p = NULL;
	f->is_closed = true;
	server_of(f->server)->n_open -= f->is_open;
	for (;;) {
		struct watch *w = f->watches;

		while (w && w->is_ending)
			w = w->next;
		if (!w)
			break;
		watch_stop(w);
	}
	feed_put(f);
	return TN_DONE;
}

static enum tn_status watch_stat(struct tn_req *r)
{
	struct tn_stat st = {
		.valid = TN_ST_QID | TN_ST_MODE | TN_ST_NAME | TN_ST_LENGTH | TN_ST_UID | TN_ST_GID,
		.qid = qid_of(),
		.mode = 0666,
		.name = TN_STR("watch"),
		.uid = TN_STR("none"),
		.gid = TN_STR("none"),
	};

	return tn_reply_stat(r, &st);
}

static void watch_free(struct tn_server *s)
{
	tn_server_put(server_of(s)->watched);
	tn_free(s);
}

static const struct tn_ops watch_ops = {
	.name = TN_WATCH_ANAME,
	.op = {
		[TN_ATTACH] = watch_attach,
		[TN_WALK] = watch_walk,
		[TN_OPEN] = watch_open,
		[TN_READ] = watch_read,
		[TN_WRITE] = watch_write,
		[TN_CLUNK] = watch_clunk,
		[TN_STAT] = watch_stat,
		[TN_FLUSH] = watch_flush,
	},
	.free = watch_free,
};

struct tn_server *tn_watch_new(struct tn_server *server)
{
	struct server *w = tn_alloc(sizeof(*w));

	if (!w)
		return NULL;
	tn_server_init(&w->s, &watch_ops, server->home, w);
	w->s.flags |= TN_SF_BLOCKS | TN_SF_DEVICE;
	w->watched = tn_server_get(server);
	return &w->s;
}
