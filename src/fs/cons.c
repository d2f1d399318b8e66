/*
 * #cons. Most of it is a row of the table and a function of a few lines; what has a life of its own is the log. It is
 * written by any thread and read on the loops of its servers: a short lock guards it, and a line wakes the servers whose
 * readers wait by a task that is posted to their loops.
 *
 * Places in the log are counted from its first byte ever. An open of `console` notes where it began in the Chan's aux,
 * so that reads go by their offsets like those of any file, and one that was lost on the way can be made again.
 */
#include "fs/cons.h"

#include "core/chan.h"
#include "core/mem.h"
#include "fs/snapshot.h"

enum { NUMBER_CHARS = 12, LONG_CHARS = 22 }; /* cons(3): NUMSIZE, VLNUMSIZE */

struct cons {
	struct tn_task task; /* first: a task is its cons. Posted by the log when readers wait */
	struct tn_server *server;
	struct tn_cons_host host;
	struct tn_req *waiting, **last; /* reads of `console`, by r->next */
	/* guarded by the log's lock */
	struct cons *next; /* of those that wait for a line */
	bool waits;
};

struct tn_cons_log {
	uint32_t refs; /* atomic */
	uint32_t lock; /* guards all below */
	uint32_t
	    size; /* bytes of data: one more than are kept, to see whether a line begins at the first */
	uint64_t end; /* bytes ever written */
	struct cons *waiters;
	char data[];
};

static struct cons *cons_of(const struct tn_req *r)
{
	return r->server->data;
}

/* ---- the log ---- */

struct tn_cons_log *tn_cons_log_new(uint32_t bytes)
{
	uint32_t size = (bytes ? bytes : TN_CONS_LOG_BYTES) + 1;
	struct tn_cons_log *log = tn_alloc(sizeof(*log) + size);

	if (!log)
		return NULL;
	log->refs = 1;
	log->size = size;
	return log;
}

struct tn_cons_log *tn_cons_log_get(struct tn_cons_log *log)
{
	tn_count_up(&log->refs);
	return log;
}

void tn_cons_log_put(struct tn_cons_log *log)
{
	if (log && tn_count_down(&log->refs) == 0)
		tn_free(log);
}

/* Under the lock, as all that begins with log_. */
static uint64_t log_begin(const struct tn_cons_log *log)
{
	return log->end >= log->size ? log->end - (log->size - 1) : 0;
}

static void log_add(struct tn_cons_log *log, const char *text, size_t len)
{
	while (len > 0) {
		size_t at = (size_t)(log->end % log->size), n = log->size - at;

		if (n > len)
			n = len;
		memcpy(log->data + at, text, n);
		log->end += n;
		text += n;
		len -= n;
	}
}

static void log_copy(const struct tn_cons_log *log, uint64_t from, uint8_t *to, size_t len)
{
	while (len > 0) {
		size_t at = (size_t)(from % log->size), n = log->size - at;

		if (n > len)
			n = len;
		memcpy(to, log->data + at, n);
		from += n;
		to += n;
		len -= n;
	}
}

/* Where the oldest whole line begins. */
static uint64_t log_first_line(const struct tn_cons_log *log)
{
	uint64_t at = log_begin(log);

	if (at == 0)
		return 0;
	while (at < log->end && log->data[(at - 1) % log->size] != '\n')
		at++;
	return at;
}

void tn_cons_log_line(struct tn_cons_log *log, const char *text, size_t len)
{
	struct cons *waiters, *c;

	tn_lock(&log->lock);
	log_add(log, text, len);
	log_add(log, "\n", 1);
	waiters = log->waiters;
	log->waiters = NULL;
	tn_unlock(&log->lock);
	while ((c = waiters) != NULL) {
		waiters = c->next; /* c may run at once */
		tn_loop_post(c->server->home, &c->task);
	}
}

/* ---- console ---- */

/* What a reader who has fallen behind is told instead of the lines that are gone. */
static uint32_t tell_loss(struct tn_req *r, uint64_t *began, uint64_t first)
{
	static const char text[] = "... lines were lost\n";
	uint32_t n = sizeof(text) - 1 < r->u.io.count ? (uint32_t)sizeof(text) - 1 : r->u.io.count;

	memcpy(r->u.io.data, text, n);
	*began = first - r->u.io.offset -
		 n; /* the next read, behind these bytes, is at the first line */
	return n;
}

/* Asks for a wake at the next line. Who is in the list of waiters holds its server. */
static void enlist(struct tn_cons_log *log, struct cons *c)
{
	if (c->waits)
		return;
	c->waits = true;
	c->next = log->waiters;
	log->waiters = c;
	tn_server_get(c->server);
}

/* Gives r what there is at its place; false: nothing yet, and there will be a wake. */
static bool console_give(struct cons *c, struct tn_req *r)
{
	struct tn_cons_log *log = c->host.log;
	uint64_t *began = &r->chan->aux.u64, at;
	bool is_there = true;

	tn_lock(&log->lock);
	at = *began + r->u.io.offset;
	if (at < log_begin(log)) {
		r->u.io.count = tell_loss(r, began, log_first_line(log));
	} else if (at >= log->end) {
		is_there = false;
		enlist(log, c);
	} else {
		if (r->u.io.count > log->end - at)
			r->u.io.count = (uint32_t)(log->end - at);
		log_copy(log, at, r->u.io.data, r->u.io.count);
	}
	tn_unlock(&log->lock);
	return is_there;
}

/* Nobody waits any more: takes c from the list, unless its task is on its way. */
static void delist(struct cons *c)
{
	struct tn_cons_log *log = c->host.log;
	struct cons **at = &log->waiters;
	bool found;

	tn_lock(&log->lock);
	while (*at && *at != c)
		at = &(*at)->next;
	found = *at != NULL;
	if (found) {
		*at = c->next;
		c->waits = false;
	}
	tn_unlock(&log->lock);
	if (found)
		tn_server_put(c->server);
}

static void take(struct cons *c, struct tn_req *r)
{
	struct tn_req **at = &c->waiting;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!*at)
		c->last = at;
}

static bool serve_one(struct cons *c)
{
	struct tn_req *r = c->waiting;

	while (r && !console_give(c, r))
		r = r->next;
	if (!r)
		return false;
	take(c, r);
	tn_respond(r);
	return true;
}

/* A line has come. */
static void serve_waiting(struct tn_task *task)
{
	struct cons *c = (struct cons *)task;
	struct tn_server *s = c->server;

	tn_lock(&c->host.log->lock);
	c->waits = false;
	tn_unlock(&c->host.log->lock);
	while (serve_one(c))
		;
	tn_server_put(s); /* enlist counted it */
}

static enum tn_status console_open(struct tn_req *r)
{
	struct tn_cons_log *log = cons_of(r)->host.log;

	if (!log)
		return TN_DONE;
	tn_lock(&log->lock);
	r->chan->aux.u64 = log_first_line(log);
	tn_unlock(&log->lock);
	return TN_DONE;
}

static enum tn_status console_read(struct tn_req *r)
{
	struct cons *c = cons_of(r);

	if (!c->host.log)
		r->u.io.count = 0;
	if (r->u.io.count == 0 || console_give(c, r))
		return TN_DONE;
	if (!tn_keep(r)) {
		if (!c->waiting)
			delist(c);
		return TN_DONE;
	}
	r->next = NULL;
	*c->last = r;
	c->last = &r->next;
	return TN_LATER;
}

static enum tn_status console_flush(struct tn_req *r)
{
	struct cons *c = cons_of(r);

	take(c, r);
	if (!c->waiting)
		delist(c);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

/* As `console`, but only what is there when it is opened. */
static enum tn_status kmesg_open(struct tn_req *r)
{
	struct tn_cons_log *log = cons_of(r)->host.log;
	uint64_t first;
	char *text;
	size_t len;
	bool ok;

	if (!log)
		return TN_DONE;
	text = tn_alloc(log->size);
	if (!text)
		return tn_fail(r, TN_ENOMEM);
	tn_lock(&log->lock);
	first = log_first_line(log);
	len = (size_t)(log->end - first);
	log_copy(log, first, (uint8_t *)text, len);
	tn_unlock(&log->lock);
	ok = tn_snapshot_set(r->chan, text, len);
	tn_free(text);
	return ok ? TN_DONE : tn_fail(r, TN_ENOMEM);
}

/* ---- cons ---- */

static enum tn_status cons_read(struct tn_req *r)
{
	const struct tn_cons_host *h = &cons_of(r)->host;

	if (h->read)
		return h->read(h->arg, r);
	r->u.io.count = 0;
	return TN_DONE;
}

/* Lines for the log; what has no end yet is one too. */
static enum tn_status cons_write(struct tn_req *r)
{
	const struct tn_cons_host *h = &cons_of(r)->host;
	const char *text = (const char *)r->u.io.data, *end = text + r->u.io.count;

	if (h->write)
		return h->write(h->arg, r);
	for (const char *line = text; text < end; text++) {
		if (*text == '\n') {
			tn_log(line, (size_t)(text - line));
			line = text + 1;
		} else if (text + 1 == end) {
			tn_log(line, (size_t)(end - line));
		}
	}
	return TN_DONE;
}

static enum tn_status cons_flush(struct tn_req *r)
{
	const struct tn_cons_host *h = &cons_of(r)->host;

	if (h->flush)
		h->flush(h->arg, r);
	return TN_DONE;
}

/* ---- bytes without end ---- */

static enum tn_status take_all(struct tn_req *r)
{
	(void)r;
	return TN_DONE;
}

static enum tn_status give_zeros(struct tn_req *r)
{
	memset(r->u.io.data, 0, r->u.io.count);
	return TN_DONE;
}

static enum tn_status give_random(struct tn_req *r)
{
	tn_random(r->u.io.data, r->u.io.count);
	return TN_DONE;
}

static enum tn_status have_no_room(struct tn_req *r)
{
	return tn_fail(r, TN_ENOSPC);
}

/* ---- facts ---- */

/* A number to the right of a field and a blank behind it, as cons(3) prints them. */
static void put_number(char *field, unsigned chars, uint64_t number)
{
	unsigned at = chars - 1;

	field[at] = ' ';
	do {
		field[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 && at > 0);
	while (at > 0)
		field[--at] = ' ';
}

/* Seconds and nanoseconds since 1970, ticks of a clock that never goes back, and how many of those are a second. */
static enum tn_status time_read(struct tn_req *r)
{
	char text[NUMBER_CHARS + 3 * LONG_CHARS];
	uint64_t now = (uint64_t)tn_time_ns();

	put_number(text, NUMBER_CHARS, now / 1000000000u);
	put_number(text + NUMBER_CHARS, LONG_CHARS, now);
	put_number(text + NUMBER_CHARS + LONG_CHARS, LONG_CHARS, tn_now_ns());
	put_number(text + NUMBER_CHARS + 2 * LONG_CHARS, LONG_CHARS, 1000000000u);
	return tn_reply_text(r, text, sizeof(text));
}

static enum tn_status pid_read(struct tn_req *r)
{
	const struct tn_cons_host *h = &cons_of(r)->host;
	char text[NUMBER_CHARS];

	put_number(text, NUMBER_CHARS, r->pid ? r->pid : h->pid ? h->pid(h->arg) : 0);
	return tn_reply_text(r, text, sizeof(text));
}

static enum tn_status user_read(struct tn_req *r)
{
	const struct tn_user *who = r->user ? r->user : r->chan->user;

	return who ? tn_reply_text(r, who->name, who->len) : tn_reply_text(r, "none", 4);
}

static enum tn_status sysname_read(struct tn_req *r)
{
	const char *name = cons_of(r)->host.sysname;

	if (!name)
		name = "tenon";
	return tn_reply_text(r, name, tn_strlen(name));
}

/* ---- the device ---- */

/* clang-format off */
static const struct tn_file cons_files[] = {
	{ .name = "cons",    .perm = 0666, .read = cons_read, .write = cons_write, .flush = cons_flush },
	{ .name = "console", .perm = 0444, .open = console_open, .read = console_read, .flush = console_flush },
	{ .name = "null",    .perm = 0666, .write = take_all },
	{ .name = "zero",    .perm = 0666, .read = give_zeros, .write = take_all },
	{ .name = "full",    .perm = 0666, .read = give_zeros, .write = have_no_room },
	{ .name = "random",  .perm = 0444, .read = give_random },
	{ .name = "time",    .perm = 0444, .read = time_read },
	{ .name = "pid",     .perm = 0444, .read = pid_read },
	{ .name = "user",    .perm = 0444, .read = user_read },
	{ .name = "sysname", .perm = 0444, .read = sysname_read },
	{ .name = "kmesg",   .perm = 0444, .open = kmesg_open, .read = tn_snapshot_read, .clunk = tn_snapshot_clunk },
};
/* clang-format on */

static const struct tn_device cons_device = { "#cons", cons_files, TN_COUNT(cons_files) };

/* Nobody waits, so no task is on its way: both would hold the server. */
static void cons_free(void *data)
{
	struct cons *c = data;

	tn_cons_log_put(c->host.log);
	tn_free(c);
}

struct tn_server *tn_cons_new(struct tn_loop *home, const struct tn_cons_host *host)
{
	struct cons *c = tn_alloc(sizeof(*c));
	struct tn_server *s = c ? tn_device_server(&cons_device, home, c, cons_free) : NULL;

	if (!s) {
		tn_free(c);
		return NULL;
	}
	s->flags |= TN_SF_BLOCKS;
	c->task.fn = serve_waiting;
	c->server = s;
	c->last = &c->waiting;
	c->host = *host;
	if (host->log)
		tn_cons_log_get(host->log);
	return s;
}
