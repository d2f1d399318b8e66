/*
 * Open union directories. A listing is a row of steps, as a resolution is (name.c): pick the member by the present list,
 * open it, read from it, stat what is mounted on an entry, read on. One listing of a directory is under way at a time;
 * others wait in line, so that their state can be the directory's.
 *
 * A worker may call `entry` while the loop goes on: it looks into a table that was fixed when the listing began.
 */
#include "core/union.h"

#include "core/mem.h"
#include "core/name.h"
#include "core/pass.h"
#include "core/server.h"

enum next { GO, WAIT, END };
enum step { PICK, CLONED, OPENED, READ, HAVE_READ, HAVE_STAT };

/*
 * Offsets: the member's index in the high byte and its own offset below, where that fits; else a number in the ring of
 * the places that were given last. Of a directory that is no union: its own. The highest bit is never used (view.h).
 */
enum { INDEX_SHIFT = 56, FAR = 0x7f, RING = 4096 };
#define OFFSET_MASK ((UINT64_C(1) << INDEX_SHIFT) - 1)

/* What is mounted may be far away and slow; a listing of the directory around it does not wait long. */
#define FIX_NS UINT64_C(2000000000)

struct place {
	uint64_t number;
	uint64_t off;
	uint32_t index;
};

struct dir {
	struct tn_server s; /* first: a server is its dir */
	struct tn_ns *ns;
	struct tn_chan *first; /* opened */
	struct tn_chan *under; /* what the union's mount point covers; NULL: no union */
	uint64_t serial;       /* of the head */
	bool fix_entries;
	struct place *ring;
	uint64_t n_far;

	struct tn_chan *member; /* opened; the member `member_index` if that is not the first one */
	uint32_t member_index;
	struct tn_chan *opening;

	/* the listing under way */
	struct tn_req *outer;   /* NULL: none */
	struct tn_req *waiting; /* others, oldest first */
	bool kept, flushed;
	bool full; /* outer's owner has no more room */
	uint8_t step;
	uint16_t err;
	uint32_t index;     /* of the member */
	uint64_t off;       /* in it */
	uint32_t n_read;    /* entries that came with the last TN_READDIR */
	uint32_t n_given;   /* to outer's owner, in all */
	struct tn_chan *at; /* what is read: first or member */
	struct tn_ns_table *table;
	struct tn_server *giving; /* whose file the entry is that is being given */
	struct tn_chan *fix; /* what is mounted on the entry that stopped the reading; counted */
	char *fix_name;
	uint32_t fix_name_len;
	uint64_t fix_next;
	uint64_t raw_next; /* an entry whose mount could not be asked: it is given as it is */
	struct tn_req req;
};

static const struct tn_ops dir_ops;
static const struct tn_owner list_owner;

static struct dir *dir_of(const struct tn_server *s)
{
	return (struct dir *)(uintptr_t)s;
}

static struct dir *dir_of_req(struct tn_req *r)
{
	return (struct dir *)((char *)r - offsetof(struct dir, req));
}

static void set_chan(struct tn_chan **at, struct tn_chan *c)
{
	struct tn_chan *old = *at;

	*at = c;
	tn_chan_put(old);
}

/* ---- offsets ---- */

static uint64_t far_offset(struct dir *d, uint64_t off)
{
	struct place *p;

	if (!d->ring)
		d->ring = tn_alloc(RING * sizeof(d->ring[0]));
	if (!d->ring)
		return 0;
	p = &d->ring[d->n_far % RING];
	*p = (struct place){ .number = d->n_far++, .off = off, .index = d->index };
	return (uint64_t)FAR << INDEX_SHIFT | p->number;
}

/* The offset behind an entry of the member that is being read; 0: no memory. */
static uint64_t offset_of(struct dir *d, uint64_t off)
{
	if (!d->under && off >> INDEX_SHIFT < FAR)
		return off;
	if (d->under && d->index < FAR && off <= OFFSET_MASK)
		return (uint64_t)d->index << INDEX_SHIFT | off;
	return far_offset(d, off);
}

static bool find_place(struct dir *d, uint64_t offset)
{
	uint64_t number = offset & OFFSET_MASK;

	if (offset >> INDEX_SHIFT < FAR) {
		d->index = d->under ? (uint32_t)(offset >> INDEX_SHIFT) : 0;
		d->off = d->under ? number : offset;
		return true;
	}
	if (offset >> INDEX_SHIFT > FAR || !d->ring || number >= d->n_far ||
	    d->ring[number % RING].number != number)
		return false;
	d->index = d->ring[number % RING].index;
	d->off = d->ring[number % RING].off;
	return true;
}

/* ---- the steps ---- */

static enum next fail(struct dir *d, enum tn_err err)
{
	if (d->n_given == 0)
		d->err = (uint16_t)err; /* else it comes again when the owner reads on */
	return END;
}

static enum next go(struct dir *d, enum step step)
{
	d->step = (uint8_t)step;
	return GO;
}

static void request(struct dir *d, enum tn_req_type type, struct tn_chan *c)
{
	tn_req_reset(&d->req);
	tn_req_init(&d->req, type, c, &list_owner);
	if (d->outer->user)
		d->req.user = d->outer->user;
	d->req.deadline_ns = d->outer->deadline_ns;
	d->req.pid = d->outer->pid;
	d->req.flags = d->outer->flags & TN_OF_STATS;
}

static enum next send(struct dir *d, enum step then)
{
	d->step = (uint8_t)then;
	if (d->flushed)
		return fail(d, TN_EINTR);
	return tn_submit(&d->req) == TN_DONE ? GO : WAIT;
}

static enum next next_member(struct dir *d)
{
	if (!d->under)
		return END;
	d->index++;
	d->off = 0;
	return go(d, PICK);
}

static const struct tn_str no_name;

static enum next open_member(struct dir *d, struct tn_chan *to)
{
	set_chan(&d->opening, tn_chan_new(to->server, to->user));
	if (!d->opening)
		return fail(d, TN_ENOMEM);
	request(d, TN_WALK, to);
	d->req.u.walk.names = &no_name; /* of none, but servers may copy them */
	d->req.u.walk.newchan = d->opening;
	return send(d, CLONED);
}

/* The member by the present list; nothing more once the head is gone, even if there is a new one at its place. */
static enum next pick(struct dir *d)
{
	struct tn_members *list;
	uint64_t serial;
	enum next what = GO;

	d->at = d->first;
	if (!d->under)
		return go(d, READ);
	list = tn_ns_find_at(d->ns, d->under->server, d->under->qid.path, NULL, &serial);
	if (!list || serial != d->serial || d->index >= list->n) {
		what = END;
	} else if (d->member && d->member_index == d->index &&
		   (d->off > 0 || tn_chan_same(d->member, list->m[d->index].to))) {
		d->at = d->member;
		go(d, READ);
	} else if (tn_chan_same(d->first, list->m[d->index].to)) {
		go(d, READ);
	} else {
		what = open_member(d, list->m[d->index].to);
	}
	tn_members_put(list);
	return what;
}

/* Later members that refuse are passed over; one whose connection is down is not, for its names would be missing. */
static enum next refused(struct dir *d)
{
	enum tn_err err = (enum tn_err)d->req.err;

	if (err == TN_EINTR || err == TN_ENOMEM)
		return fail(d, err);
	if (tn_err_is_down(err) && !(d->opening->server->flags & TN_SF_DOWN_SKIP))
		return fail(d, err);
	return next_member(d);
}

static enum next cloned(struct dir *d)
{
	if (d->req.err != TN_OK)
		return refused(d);
	request(d, TN_OPEN, d->opening);
	return send(d, OPENED);
}

static enum next opened(struct dir *d)
{
	if (d->req.err != TN_OK)
		return refused(d);
	set_chan(&d->member, d->opening);
	d->opening = NULL;
	d->member_index = d->index;
	d->at = d->member;
	return go(d, READ);
}

static enum next read(struct dir *d)
{
	request(d, TN_READDIR, d->at);
	d->req.u.readdir.offset = d->off;
	d->req.u.readdir.count = d->outer->u.readdir.count;
	d->n_read = 0;
	return send(d, HAVE_READ);
}

static enum next have_read(struct dir *d)
{
	if (d->req.err != TN_OK)
		return fail(d, (enum tn_err)d->req.err);
	if (d->err != TN_OK || d->full)
		return END;
	if (d->fix) {
		request(d, TN_STAT, d->fix);
		if (d->req.deadline_ns == 0 || d->req.deadline_ns > tn_now_ns() + FIX_NS)
			d->req.deadline_ns = tn_now_ns() + FIX_NS;
		return send(d, HAVE_STAT);
	}
	/* Some came: whoever wants more asks again. None: that was the end of this member. */
	return d->n_read > 0 ? END : next_member(d);
}

static void drop_fix(struct dir *d)
{
	set_chan(&d->fix, NULL);
	tn_free(d->fix_name);
	d->fix_name = NULL;
}

static enum next have_stat(struct dir *d)
{
	if (d->req.err != TN_OK)
		d->raw_next = d->fix_next;
	drop_fix(d);
	if (d->full || d->err != TN_OK)
		return END;
	return go(d, READ);
}

static enum next (*const steps[])(struct dir *) = {
	[PICK] = pick,
	[CLONED] = cloned,
	[OPENED] = opened,
	[READ] = read,
	[HAVE_READ] = have_read,
	[HAVE_STAT] = have_stat,
};

/* ---- entries ---- */

static bool give(struct dir *d, struct tn_server *server, const struct tn_stat *st, uint64_t next)
{
	uint64_t offset = offset_of(d, next);

	if (offset == 0) {
		d->err = d->n_given ? TN_OK : TN_ENOMEM;
		d->full = true;
		return false;
	}
	d->giving = server;
	if (!d->outer->owner->entry(d->outer, st, offset)) {
		d->full = true;
		return false;
	}
	d->off = next;
	d->n_given++;
	return true;
}

/* What is to be shown instead of a file: the first member mounted on it, unless the original is among them. */
static struct tn_chan *mounted_on(struct dir *d, const struct tn_server *server, uint64_t path)
{
	const struct tn_members *list = tn_ns_table_find(d->table, server, path);

	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct tn_chan *to = list->m[i].to;

		if (to->server == server && to->qid.path == path)
			return NULL;
	}
	return list ? list->m[0].to : NULL;
}

static bool list_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct dir *d = dir_of_req(r);
	struct tn_chan *to = NULL;

	if (d->fix_entries && next != d->raw_next && (st->valid & TN_ST_QID))
		to = mounted_on(d, r->chan->server, st->qid.path);
	if (!to) {
		d->n_read++;
		return give(d, r->chan->server, st, next);
	}
	d->fix_name = tn_alloc(st->name.len + 1);
	if (!d->fix_name) {
		d->err = d->n_given ? TN_OK : TN_ENOMEM;
		d->full = true;
		return false;
	}
	memcpy(d->fix_name, st->name.s, st->name.len);
	d->fix_name_len = st->name.len;
	d->fix_next = next;
	d->fix = tn_chan_get(to);
	return false;
}

/* The entry as a listing shows it: what is mounted, under the name of the place. */
static void list_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct dir *d = dir_of_req(r);
	struct tn_stat fixed = *st;

	fixed.name = (struct tn_str){ d->fix_name, d->fix_name_len };
	fixed.valid |= TN_ST_NAME;
	give(d, d->fix->server, &fixed, d->fix_next);
}

/* ---- listings ---- */

/* Whether the listing has ended; then outer has its answer. */
static bool run(struct dir *d)
{
	enum next what;

	do {
		what = steps[d->step](d);
	} while (what == GO);
	if (what == WAIT)
		return false;
	set_chan(&d->opening, NULL);
	drop_fix(d);
	tn_ns_table_put(d->table);
	d->table = NULL;
	tn_req_reset(&d->req);
	return true;
}

/* Begins the listing for r; says whether it has ended already. */
static bool begin(struct dir *d, struct tn_req *r, bool kept)
{
	d->outer = r;
	d->kept = kept;
	d->flushed = d->full = false;
	d->err = TN_OK;
	d->n_given = 0;
	d->raw_next = 0;
	d->step = PICK;
	if (!find_place(d, r->u.readdir.offset)) {
		d->err = TN_EBADOFFSET;
		return true;
	}
	d->table = tn_ns_snapshot(d->ns);
	return run(d);
}

/* Takes the listing that has ended off the directory and gives it its error. */
static struct tn_req *end(struct dir *d)
{
	struct tn_req *r = d->outer;

	d->outer = NULL;
	if (d->err != TN_OK)
		tn_fail(r, (enum tn_err)d->err);
	return r;
}

static enum tn_status dir_readdir(struct tn_req *r)
{
	struct dir *d = dir_of(r->server);
	struct tn_req **last = &d->waiting;

	if (!d->outer) {
		if (!begin(d, r, false))
			return TN_LATER;
		end(d);
		return TN_DONE;
	}
	if (!tn_keep(r))
		return TN_DONE;
	while (*last)
		last = &(*last)->next;
	*last = r;
	r->next = NULL;
	return TN_LATER;
}

static void list_done(struct tn_req *req)
{
	struct dir *d = dir_of_req(req);
	struct tn_server *s = tn_server_get(&d->s); /* an owner may let go of the directory */
	bool ended = run(d);

	while (ended) {
		struct tn_req *r = end(d), *next = d->waiting;

		if (next)
			d->waiting = next->next;
		ended = next && begin(d, next, true);
		tn_respond(r);
	}
	tn_server_put(s);
}

static bool list_keep(struct tn_req *req)
{
	struct dir *d = dir_of_req(req);

	if (!d->kept && !tn_keep(d->outer))
		return false;
	d->kept = true;
	return true;
}

static const struct tn_owner list_owner = {
	.done = list_done,
	.keep = list_keep,
	.entry = list_entry,
	.stat = list_stat,
};

/* ---- everything else goes to the first member ---- */

static void passed(struct tn_pass *p)
{
	struct tn_req *outer = p->outer;

	tn_free(p);
	tn_respond(outer);
}

static enum tn_status dir_pass(struct tn_req *r)
{
	struct tn_pass *p = tn_alloc(sizeof(*p));

	if (!p)
		return tn_fail(r, TN_ENOMEM);
	p->done = passed;
	r->keeper = p;
	if (tn_pass_on(p, r, dir_of(r->server)->first, NULL) == TN_LATER)
		return TN_LATER;
	tn_free(p);
	return TN_DONE;
}

static enum tn_status flush_listing(struct dir *d, struct tn_req *r)
{
	struct tn_req **at = &d->waiting;

	if (r == d->outer) {
		d->flushed = true;
		tn_flush(&d->req);
		return TN_DONE;
	}
	while (*at && *at != r)
		at = &(*at)->next;
	if (*at) {
		*at = r->next;
		tn_fail(r, TN_EINTR);
		tn_respond(r);
	}
	return TN_DONE;
}

static enum tn_status dir_flush(struct tn_req *r)
{
	if (r->type == TN_READDIR)
		return flush_listing(dir_of(r->server), r);
	tn_pass_flush(r->keeper);
	return TN_DONE;
}

static void dir_free(struct tn_server *s)
{
	struct dir *d = dir_of(s);

	tn_chan_put(d->first);
	tn_chan_put(d->member);
	tn_chan_put(d->under);
	tn_ns_put(d->ns);
	tn_free(d->ring);
	tn_free(d);
}

static const struct tn_ops dir_ops = {
	.name = "union",
	.op = {
		[TN_READ] = dir_pass,
		[TN_READDIR] = dir_readdir,
		[TN_WRITE] = dir_pass,
		[TN_REMOVE] = dir_pass,
		[TN_STAT] = dir_pass,
		[TN_WSTAT] = dir_pass,
		[TN_FLUSH] = dir_flush,
		[TN_XATTRGET] = dir_pass,
		[TN_XATTRSET] = dir_pass,
		[TN_LOCK] = dir_pass,
		[TN_GETLOCK] = dir_pass,
		[TN_FSYNC] = dir_pass,
		[TN_STATFS] = dir_pass,
		[TN_WATCH] = dir_pass,
	},
	.free = dir_free,
};

/* ---- public ---- */

bool tn_union_wants(const struct tn_ns *ns, const struct tn_chan *c, const struct tn_chan *under,
    bool plain)
{
	if (!tn_chan_is_dir(c))
		return false;
	return under || (!plain && tn_ns_mounted_in(ns, c->server));
}

struct tn_chan *tn_union_open(struct tn_ns *ns, struct tn_chan *first, struct tn_chan *under,
    uint64_t serial, bool fix_entries)
{
	struct dir *d = tn_alloc(sizeof(*d));
	struct tn_chan *c;

	if (!d)
		return NULL;
	/* Not an instance of its own: its files are those of the first member. */
	d->s = (struct tn_server){
		.refs = 1,
		.flags = first->server->flags,
		.ops = &dir_ops,
		.home = first->server->home,
		.instance = first->server->instance,
		.label = first->server->label,
	};
	d->ns = tn_ns_get(ns);
	d->first = tn_chan_get(first);
	d->under = under ? tn_chan_get(under) : NULL;
	d->serial = serial;
	d->fix_entries = fix_entries;
	c = tn_chan_new(&d->s, first->user);
	if (c) {
		c->qid = first->qid;
		c->path = tn_path_get(first->path);
		c->flags = TN_CF_USED | (first->flags & (TN_CF_OPEN | TN_OF_LASTING));
	}
	tn_server_put(&d->s);
	return c;
}

struct tn_chan *tn_chan_behind(struct tn_chan *c)
{
	return c->server->ops == &dir_ops ? dir_of(c->server)->first : c;
}

struct tn_server *tn_entry_server(const struct tn_req *r)
{
	struct tn_server *s = r->chan->server;

	return s->ops == &dir_ops ? dir_of(s)->giving : s;
}
