/*
 * TN_WATCH at a peer: its file `watch` (fs/watch.h says what is written and read), attached beside the mount on the same
 * connection, is open as long as somebody watches something of the mount. The peer tells by it what the user may know who
 * attached; so what is attached by different users has a file each. A peer that has no such file refuses the attach name;
 * one that passes names over gives a directory, which is no such file either, and is asked for nothing. When the connection
 * is lost it is asked again for everything, every RETRY_NS, and the watchers are told that something may have been missed.
 *
 * The file is a Chan of an instance of its own, read and written by ordinary requests: nothing here knows of messages.
 */
#include "core/change.h"
#include "core/name.h"
#include "link/client.h"

#define RETRY_NS UINT64_C(2000000000)

enum { READ_BYTES = 8192, NAME_BYTES = 8192, LINE_BYTES = NAME_BYTES + 32 };

/* r->keeper. One that was flushed (r NULL) stays until the peer has been told. */
struct watch {
	struct watch *next;
	struct tn_feed *feed; /* it is in the list of */
	struct tn_req *r;     /* kept */
	uint32_t number;
	bool sent, begun;
};

struct tn_feed {
	struct tn_req r; /* first: attach, open, read */
	struct tn_req w; /* write */
	struct tn_timer timer;
	struct tn_feed *next; /* of the mount's */
	struct tn_mnt *mnt;   /* NULL: nobody watches any more, it ends when nothing is under way */
	struct tn_client *client;
	struct tn_server *server; /* counted */
	struct tn_chan *chan;     /* counted, or NULL */
	struct tn_user *user;     /* counted, or NULL */
	struct tn_root *root;     /* counted: the attach that is watched */
	struct watch *watches;
	struct watch *writing; /* whose line is under way */
	uint32_t holds;        /* calls that go on with it */
	uint32_t last_number;
	bool asking, is_open; /* r is under way; the file is open */
	bool writing_end;
	uint64_t offset;
	uint32_t len; /* of a line's beginning in text */
	char text[READ_BYTES + TN_CHANGE_LINE_MAX];
	char line[LINE_BYTES];
};

static void go_on(struct tn_feed *f);

static bool is_lost(enum tn_err err)
{
	return tn_err_is_down(err) || err == TN_ESTALE;
}

/* ---- the end ---- */

static void let_go(struct tn_feed *f)
{
	struct watch *w;

	if (--f->holds > 0 || f->mnt || f->asking || f->writing)
		return;
	while ((w = f->watches) != NULL) {
		f->watches = w->next;
		tn_free(w);
	}
	tn_timer_stop(f->client->loop, &f->timer);
	tn_req_reset(&f->r);
	tn_req_reset(&f->w);
	tn_chan_put(f->chan);
	tn_user_put(f->user);
	tn_root_put(f->client, f->root);
	tn_server_put(f->server);
	tn_client_put(f->client);
	tn_free(f);
}

static bool is_watched(const struct tn_feed *f)
{
	for (const struct watch *w = f->watches; w; w = w->next) {
		if (w->r)
			return true;
	}
	return false;
}

/* Nobody watches: what is under way is flushed. */
static void end_if_idle(struct tn_feed *f)
{
	struct tn_feed **at;

	if (!f->mnt || is_watched(f))
		return;
	for (at = &f->mnt->feeds; *at != f; at = &(*at)->next)
		;
	*at = f->next;
	f->mnt = NULL;
	f->holds++;
	if (f->asking)
		tn_flush(&f->r);
	if (f->writing)
		tn_flush(&f->w);
	let_go(f);
}

static void answer(struct watch *w, enum tn_err err)
{
	struct tn_req *r = w->r;

	w->r = NULL;
	r->keeper = NULL;
	tn_fail(r, err);
	tn_respond(r);
}

static void drop(struct tn_feed *f, struct watch *w)
{
	struct watch **at = &f->watches;

	if (f->writing == w)
		return; /* behind its line */
	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return; /* who was answered has let go of others, and of this one with them */
	*at = w->next;
	tn_free(w);
}

/* The peer tells nobody of changes. */
static void fail_all(struct tn_feed *f, enum tn_err err)
{
	struct watch *w = f->watches;

	f->holds++;
	if (f->mnt)
		f->mnt->no_feed = f->client->generation;
	while (w) {
		if (w->r) {
			answer(w, err);
			w = f->watches;
		} else {
			w = w->next;
		}
	}
	end_if_idle(f);
	let_go(f);
}

/* ---- what is said to the peer ---- */

static uint32_t put(char *to, uint32_t at, struct tn_str text)
{
	uint32_t n = tn_change_quote(text, to + at, LINE_BYTES - at);

	return n || text.len == 0 ? at + n : LINE_BYTES;
}

/* The name from the root of the peer's tree down: the mount's attach name, then the file's. Its length, or 0: too long. */
static uint32_t put_name(const struct tn_feed *f, const struct tn_mfid *file, char *to, uint32_t at)
{
	struct tn_str aname = { f->root->text + f->root->uname_len, f->root->aname_len };
	const struct tn_elem *stack[256];
	uint32_t n = 0;

	for (const struct tn_elem *e = file->name; e; e = e->up) {
		if (n == TN_COUNT(stack))
			return 0;
		stack[n++] = e;
	}
	at = put(to, at, aname);
	while (n > 0 && at < LINE_BYTES - 2) {
		const struct tn_elem *e = stack[--n];

		to[at++] = '/';
		at = put(to, at, (struct tn_str){ e->name, e->len });
	}
	return at < LINE_BYTES - 2 ? at : 0;
}

static uint32_t put_word(char *to, const char *word, uint32_t number)
{
	char digits[10];
	uint32_t at = 0;
	int n = 0;

	while (*word)
		to[at++] = *word++;
	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		to[at++] = digits[--n];
	return at;
}

/* The line that w needs to have written, in f->line; 0: none, or it cannot be. */
static uint32_t line_for(struct tn_feed *f, const struct watch *w)
{
	uint32_t at;

	if (!w->r) {
		at = put_word(f->line, "end ", w->number);
	} else {
		at = put_word(f->line, "watch ", w->number);
		f->line[at++] = ' ';
		at = put_name(f, tn_mfid_of(w->r->chan), f->line, at);
	}
	if (at > 0)
		f->line[at++] = '\n';
	return at;
}

static void feed_done(struct tn_req *r);
static const struct tn_owner feed_owner = { .done = feed_done };

static void write_over(struct tn_feed *f)
{
	struct watch *w = f->writing;
	enum tn_err err = (enum tn_err)f->w.err;

	f->writing = NULL;
	if (f->writing_end) {
		drop(f, w);
	} else if (err != TN_OK && !is_lost(err) && w->r) {
		answer(w, err);
		drop(f, w);
	}
}

/* The next line; false: there is none, or one is under way. */
static bool write_next(struct tn_feed *f)
{
	struct watch *w = f->watches;
	uint32_t len;

	while (w && (w->r ? w->sent : false))
		w = w->next;
	if (!w || f->writing || !f->is_open || !f->mnt)
		return false;
	if (!w->r && !w->sent) {
		drop(f, w);
		return true;
	}
	f->writing_end = !w->r;
	w->sent = true;
	len = line_for(f, w);
	if (len == 0) {
		w->sent = false; /* dropped next */
		answer(w, TN_ENAMETOOLONG);
		return true;
	}
	f->writing = w;
	tn_req_reset(&f->w);
	tn_req_init(&f->w, TN_WRITE, f->chan, &feed_owner);
	f->w.u.io.data = (uint8_t *)f->line;
	f->w.u.io.count = len;
	if (tn_submit(&f->w) == TN_DONE)
		write_over(f);
	return true;
}

/* ---- what the peer says ---- */

static struct watch *find(struct tn_feed *f, uint32_t number)
{
	struct watch *w = f->watches;

	while (w && w->number != number)
		w = w->next;
	return w;
}

static void tell(struct watch *w, const struct tn_change *change)
{
	if (w && w->r && w->r->owner->change)
		w->r->owner->change(w->r, change);
}

/* A feed that has begun anew, or one that was too slow: all may have missed something. */
static void tell_loss(struct tn_feed *f)
{
	const struct tn_change lost = { .what = TN_CHANGE_LOST };

	for (struct watch *w = f->watches; w; w = w->next)
		tell(w, &lost);
}

static void take_change(struct tn_feed *f, uint32_t number, const struct tn_change *change)
{
	const struct tn_change lost = { .what = TN_CHANGE_LOST };
	struct watch *w = find(f, number);

	if (change->what == TN_CHANGE_LOST) {
		tell_loss(f);
		return;
	}
	if (!w || !w->r)
		return;
	if (change->what == TN_CHANGE_END) {
		answer(w, w->begun ? TN_ENOENT : TN_ENOTSUP);
		drop(f, w);
		return;
	}
	tell(w, change);
	if (change->what == TN_CHANGE_BEGUN && w->begun)
		tell(w, &lost);
	w->begun |= change->what == TN_CHANGE_BEGUN;
}

/* false: that is no line of a feed. */
static bool take_lines(struct tn_feed *f)
{
	struct tn_change change;
	char name[256];
	uint32_t at = 0, number;

	for (uint32_t i = 0; i < f->len && f->mnt; i++) {
		if (f->text[i] != '\n')
			continue;
		if (!tn_change_parse((struct tn_str){ f->text + at, i - at }, &number, &change,
			name))
			return false;
		take_change(f, number, &change);
		at = i + 1;
	}
	f->len -= at;
	memmove(f->text, f->text + at, f->len);
	return f->len < TN_CHANGE_LINE_MAX;
}

/* ---- attach, open, read, and again ---- */

static void ask(struct tn_feed *f)
{
	f->asking = true;
	if (tn_submit(&f->r) == TN_DONE)
		feed_done(&f->r);
}

static void ask_attach(struct tn_feed *f)
{
	tn_chan_put(f->chan);
	f->chan = tn_chan_new(f->server, f->user);
	if (!f->chan) {
		fail_all(f, TN_ENOMEM);
		return;
	}
	tn_req_reset(&f->r);
	tn_req_init(&f->r, TN_ATTACH, NULL, &feed_owner);
	f->r.server = f->server;
	f->r.user = f->user;
	f->r.u.attach.newchan = f->chan;
	f->r.u.attach.uname = (struct tn_str){ f->root->text, f->root->uname_len };
	f->r.u.attach.n_uname = f->root->n_uname;
	f->r.u.attach.aname = TN_STR(TN_WATCH_ANAME);
	ask(f);
}

static void ask_open(struct tn_feed *f)
{
	tn_req_reset(&f->r);
	tn_req_init(&f->r, TN_OPEN, f->chan, &feed_owner);
	f->r.flags = TN_ORDWR;
	ask(f);
}

static void ask_read(struct tn_feed *f)
{
	tn_req_reset(&f->r);
	tn_req_init(&f->r, TN_READ, f->chan, &feed_owner);
	f->r.u.io.data = (uint8_t *)f->text + f->len;
	f->r.u.io.count = READ_BYTES;
	f->r.u.io.offset = f->offset;
	ask(f);
}

static void retry(struct tn_timer *timer)
{
	struct tn_feed *f = (struct tn_feed *)((char *)timer - offsetof(struct tn_feed, timer));

	f->holds++;
	if (f->mnt)
		ask_attach(f);
	let_go(f);
}

static void lost(struct tn_feed *f)
{
	f->is_open = false;
	f->len = 0;
	f->offset = 0;
	for (struct watch *w = f->watches; w; w = w->next)
		w->sent = false;
	f->timer.fn = retry;
	tn_timer_set(f->client->loop, &f->timer, tn_now_ns() + RETRY_NS);
}

static void asked(struct tn_feed *f)
{
	struct tn_req *r = &f->r;
	enum tn_err err = (enum tn_err)r->err;

	if (!f->mnt)
		return;
	if (err != TN_OK && (f->is_open || is_lost(err))) {
		lost(f);
	} else if (err != TN_OK || tn_chan_is_dir(f->chan)) {
		fail_all(f, TN_ENOTSUP);
	} else if (r->type == TN_ATTACH) {
		ask_open(f);
	} else if (r->type == TN_OPEN) {
		f->is_open = true;
		ask_read(f);
	} else {
		f->len += r->u.io.count;
		f->offset += r->u.io.count;
		if (r->u.io.count == 0 || !take_lines(f))
			fail_all(f, TN_ENOTSUP);
		else if (f->mnt)
			ask_read(f);
	}
}

static void go_on(struct tn_feed *f)
{
	f->holds++;
	while (write_next(f))
		;
	end_if_idle(f);
	let_go(f);
}

static void feed_done(struct tn_req *r)
{
	struct tn_feed *f = r->type == TN_WRITE
				? (struct tn_feed *)((char *)r - offsetof(struct tn_feed, w))
				: (struct tn_feed *)r;

	f->holds++;
	if (r->type == TN_WRITE) {
		write_over(f);
	} else {
		f->asking = false;
		asked(f);
	}
	go_on(f);
	let_go(f);
}

/* ---- the request ---- */

/* Whether the peer takes both for the same user, and the names below them for the same files. */
static bool is_same_attach(const struct tn_root *a, const struct tn_root *b)
{
	return a->n_uname == b->n_uname && a->uname_len == b->uname_len &&
	       a->aname_len == b->aname_len &&
	       memcmp(a->text, b->text, a->uname_len + (size_t)a->aname_len) == 0;
}

static struct tn_feed *feed_for(const struct tn_mnt *mnt, const struct tn_req *r)
{
	struct tn_feed *f = mnt->feeds;

	while (f && !is_same_attach(f->root, tn_mfid_of(r->chan)->root))
		f = f->next;
	return f;
}

static struct tn_feed *feed_new(struct tn_mnt *mnt, struct tn_req *r)
{
	struct tn_feed *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->server = tn_mnt_server(mnt->client);
	if (!f->server) {
		tn_free(f);
		return NULL;
	}
	f->client = tn_client_get(mnt->client);
	f->mnt = mnt;
	f->user = r->chan->user ? tn_user_get(r->chan->user) : NULL;
	f->root = tn_mfid_of(r->chan)->root;
	f->root->refs++;
	return f;
}

static struct watch *watch_new(struct tn_feed *f, struct tn_req *r)
{
	struct watch *w = tn_alloc(sizeof(*w));

	if (!w)
		return NULL;
	w->r = r;
	w->feed = f;
	w->number = ++f->last_number;
	w->next = f->watches;
	f->watches = w;
	return w;
}

enum tn_status tn_mnt_watch(struct tn_req *r)
{
	struct tn_mnt *mnt = (struct tn_mnt *)r->server;
	struct tn_feed *known, *f;
	struct watch *w;

	if (!r->chan->aux.p || !tn_chan_is_dir(r->chan))
		return tn_fail(r, r->chan->aux.p ? TN_ENOTDIR : TN_EBADFID);
	if (mnt->no_feed == mnt->client->generation && mnt->no_feed)
		return tn_fail(r, TN_ENOTSUP);
	if (!tn_keep(r))
		return TN_DONE;
	known = feed_for(mnt, r);
	f = known ? known : feed_new(mnt, r);
	w = f ? watch_new(f, r) : NULL;
	r->keeper = w;
	if (!w) {
		if (f && !known) {
			f->mnt = NULL;
			f->holds++;
			let_go(f);
		}
		return tn_fail(r, TN_ENOMEM);
	}
	f->holds++;
	if (!known) {
		f->next = mnt->feeds;
		mnt->feeds = f;
		ask_attach(f);
	}
	go_on(f);
	let_go(f);
	return TN_LATER;
}

void tn_mnt_watch_flush(struct tn_req *r)
{
	struct watch *w = r->keeper;
	struct tn_feed *f;

	if (!w)
		return;
	f = w->feed;
	f->holds++;
	answer(w, TN_EINTR);
	go_on(f);
	let_go(f);
}
