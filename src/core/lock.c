/*
 * The table of locks. A range belongs to (file, owner, Chan by which it was set): ranges of one owner never overlap, and
 * those that touch and are alike are one. Everything that a change needs is got before anything is changed.
 *
 * Who waits for whom is worked out from what each wants and what the others have now: a lock that has gone meanwhile
 * closes no circle.
 */
#include "core/lock.h"

#define FILE_MAX    1024
#define ALL_MAX     16384
#define WAITS_MAX   256
#define WAIT_NS     UINT64_C(5000000000)
#define CIRCLE_LOOK 65536 /* ranges looked at for one circle: a peer shall not make this long */

struct range {
	struct range *next;
	struct tn_lock is;
};

struct tn_locked_file {
	struct tn_locked_file *next;
	struct tn_lock_key key;
	struct range *ranges;
	uint32_t n;
};

struct tn_lock_wait {
	struct tn_lock_wait *next;
	struct tn_lock_key key;
	struct tn_lock want;
	uint64_t until_ns;
	bool reached, followed; /* by the search for a circle */
};

void tn_locks_init(struct tn_locks *t, const struct tn_locks_limits *limits)
{
	*t = (struct tn_locks){ 0 };
	if (limits)
		t->limits = *limits;
	if (!t->limits.file_max)
		t->limits.file_max = FILE_MAX;
	if (!t->limits.all_max)
		t->limits.all_max = ALL_MAX;
	if (!t->limits.waits_max)
		t->limits.waits_max = WAITS_MAX;
	if (!t->limits.wait_ns)
		t->limits.wait_ns = WAIT_NS;
}

/* ---- files ---- */

static struct tn_locked_file **file_at(const struct tn_locks *t, struct tn_lock_key key)
{
	uint64_t hash = (key.a * UINT64_C(0x9e3779b97f4a7c15)) ^
			(key.b * UINT64_C(0xc2b2ae3d27d4eb4f));
	struct tn_locked_file *const *at = &t->files[hash >> 32 & (TN_LOCK_BUCKETS - 1)];

	while (*at && ((*at)->key.a != key.a || (*at)->key.b != key.b))
		at = &(*at)->next;
	return (struct tn_locked_file **)(uintptr_t)at;
}

/* The file is forgotten with its last lock. */
static void file_trim(struct tn_locks *t, struct tn_locked_file *f)
{
	if (f->n > 0)
		return;
	*file_at(t, f->key) = f->next;
	tn_free(f);
}

static void range_remove(struct tn_locks *t, struct tn_locked_file *f, struct range **at)
{
	struct range *g = *at;

	*at = g->next;
	tn_free(g);
	f->n--;
	t->n_ranges--;
}

static void range_add(struct tn_locks *t, struct tn_locked_file *f, struct range **at,
    struct range *g)
{
	g->next = *at;
	*at = g;
	f->n++;
	t->n_ranges++;
}

/* ---- ranges ---- */

static bool overlaps(const struct tn_lock *a, const struct tn_lock *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static bool touches(const struct tn_lock *a, const struct tn_lock *b)
{
	return a->first <= b->last + 1 && b->first <= a->last + 1;
}

static bool excludes(const struct tn_lock *has, const struct tn_lock *want)
{
	return has->owner != want->owner && overlaps(has, want) &&
	       (has->type == TN_LK_WRITE || want->type == TN_LK_WRITE);
}

/* l and g become one. */
static bool joins(const struct tn_lock *g, const struct tn_lock *l)
{
	return g->type == l->type && g->by == l->by && touches(g, l);
}

const struct tn_lock *tn_locks_conflict(const struct tn_locks *t, struct tn_lock_key key,
    const struct tn_lock *l)
{
	const struct tn_locked_file *f = *file_at(t, key);
	const struct tn_lock *found = NULL;

	for (const struct range *g = f ? f->ranges : NULL; g; g = g->next) {
		if (excludes(&g->is, l) && (!found || g->is.first < found->first))
			found = &g->is;
	}
	return found;
}

/* ---- who waits ---- */

static void forget(struct tn_locks *t, struct tn_lock_wait **at)
{
	struct tn_lock_wait *w = *at;

	*at = w->next;
	tn_free(w);
	t->n_waits--;
}

void tn_locks_waits_not(struct tn_locks *t, uint64_t owner)
{
	uint64_t now = t->waits ? tn_now_ns() : 0;

	for (struct tn_lock_wait **at = &t->waits; *at;) {
		if ((*at)->want.owner == owner || (*at)->until_ns <= now)
			forget(t, at);
		else
			at = &(*at)->next;
	}
}

/* Without memory it is as if nobody waited: a circle through it is not seen. */
static void remember(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l)
{
	struct tn_lock_wait *w = tn_alloc(sizeof(*w)), **last = &t->waits;

	if (!w)
		return;
	*w = (struct tn_lock_wait){ .next = t->waits,
		.key = key,
		.want = *l,
		.until_ns = tn_now_ns() + t->limits.wait_ns };
	t->waits = w;
	if (t->n_waits++ < t->limits.waits_max)
		return;
	while ((*last)->next)
		last = &(*last)->next;
	forget(t, last);
}

/* Marks those who have what `want` waits for. true: `owner` is one of them. */
static bool reach(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *want,
    uint64_t owner, uint32_t *looks)
{
	const struct tn_locked_file *f = *file_at(t, key);

	for (const struct range *g = f ? f->ranges : NULL; g && *looks > 0; g = g->next) {
		--*looks;
		if (!excludes(&g->is, want))
			continue;
		if (g->is.owner == owner)
			return true;
		for (struct tn_lock_wait *w = t->waits; w && *looks > 0; w = w->next, --*looks)
			w->reached = w->reached || w->want.owner == g->is.owner;
	}
	return false;
}

static struct tn_lock_wait *next_reached(struct tn_locks *t)
{
	struct tn_lock_wait *w = t->waits;

	while (w && (!w->reached || w->followed))
		w = w->next;
	if (w)
		w->followed = true;
	return w;
}

static bool closes_circle(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l)
{
	uint32_t looks = CIRCLE_LOOK;
	struct tn_lock_wait *w;

	for (w = t->waits; w; w = w->next)
		w->reached = w->followed = false;
	reach(t, key, l, l->owner, &looks);
	while ((w = next_reached(t)) != NULL) {
		if (reach(t, w->key, &w->want, l->owner, &looks))
			return true;
	}
	return false;
}

static enum tn_err refuse(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l,
    bool waits)
{
	if (!waits)
		return TN_EAGAIN;
	if (closes_circle(t, key, l))
		return TN_EDEADLK;
	remember(t, key, l);
	return TN_EAGAIN;
}

/* ---- changes ---- */

/* What a change takes: memory for it, got before. */
struct change {
	struct tn_locked_file *new_file;
	struct range *made,
	    *rest; /* the lock itself; what is behind it of a range that it cuts in two */
};

/* How many ranges more there will be. *cuts: one is cut in two. */
static int32_t growth(const struct tn_locked_file *f, const struct tn_lock *l, bool *cuts)
{
	int32_t more = l->type != TN_LK_UNLOCK;

	*cuts = false;
	for (const struct range *g = f ? f->ranges : NULL; g; g = g->next) {
		bool left = g->is.first<l->first, right = g->is.last> l->last;

		if (g->is.owner != l->owner)
			continue;
		if (joins(&g->is, l) || (overlaps(&g->is, l) && !left && !right)) {
			more--;
		} else if (left && right) {
			*cuts = true;
			more++;
		}
	}
	return more;
}

static void change_free(struct change *c)
{
	tn_free(c->new_file);
	tn_free(c->made);
	tn_free(c->rest);
}

static enum tn_err prepare(struct tn_locks *t, const struct tn_locked_file *f,
    const struct tn_lock *l, struct change *c)
{
	bool cuts;
	int32_t more = growth(f, l, &cuts);
	uint32_t has = f ? f->n : 0;

	*c = (struct change){ 0 };
	if (more > 0 && (has + (uint32_t)more > t->limits.file_max ||
			    t->n_ranges + (uint32_t)more > t->limits.all_max))
		return TN_ELIMIT_LOCKS;
	if (!f)
		c->new_file = tn_alloc(sizeof(*c->new_file));
	if (l->type != TN_LK_UNLOCK)
		c->made = tn_alloc(sizeof(*c->made));
	if (cuts)
		c->rest = tn_alloc(sizeof(*c->rest));
	if ((f || c->new_file) && (c->made || l->type == TN_LK_UNLOCK) && (c->rest || !cuts))
		return TN_OK;
	change_free(c);
	return TN_ENOMEM;
}

/* Takes l's bytes away from *at, which has some of them. What is behind. */
static struct range **cut(struct tn_locks *t, struct tn_locked_file *f, struct range **at,
    const struct tn_lock *l, struct range **rest)
{
	struct range *g = *at;
	bool left = g->is.first<l->first, right = g->is.last> l->last;

	if (!left && !right) {
		range_remove(t, f, at);
		return at;
	}
	if (left && right) {
		struct range *behind = *rest;

		*rest = NULL;
		behind->is = g->is;
		behind->is.first = l->last + 1;
		range_add(t, f, at, behind);
	}
	if (left)
		g->is.last = l->first - 1;
	else
		g->is.first = l->last + 1;
	return &g->next;
}

static void act(struct tn_locks *t, struct tn_locked_file *f, const struct tn_lock *l,
    struct change *c)
{
	struct tn_lock all = *l;

	for (struct range **at = &f->ranges, *g; (g = *at) != NULL;) {
		if (g->is.owner != l->owner) {
			at = &g->next;
		} else if (joins(&g->is, l)) {
			all.first = g->is.first < all.first ? g->is.first : all.first;
			all.last = g->is.last > all.last ? g->is.last : all.last;
			range_remove(t, f, at);
		} else if (overlaps(&g->is, l)) {
			at = cut(t, f, at, l, &c->rest);
		} else {
			at = &g->next;
		}
	}
	if (c->made) {
		c->made->is = all;
		range_add(t, f, &f->ranges, c->made);
	}
	file_trim(t, f);
}

enum tn_err tn_locks_set(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l,
    bool waits)
{
	struct tn_locked_file **at = file_at(t, key);
	struct change c;
	enum tn_err err;

	tn_locks_waits_not(t, l->owner);
	if (l->type == TN_LK_UNLOCK && !*at)
		return TN_OK;
	if (l->type != TN_LK_UNLOCK && tn_locks_conflict(t, key, l))
		return refuse(t, key, l, waits);
	err = prepare(t, *at, l, &c);
	if (err == TN_OK && l->type != TN_LK_UNLOCK && t->outside) {
		err = t->outside(t, key, l);
		if (err != TN_OK)
			change_free(&c);
	}
	if (err != TN_OK)
		return err;

	if (c.new_file) {
		c.new_file->key = key;
		*at = c.new_file;
	}
	act(t, *at, l, &c);
	return TN_OK;
}

bool tn_locks_drop(struct tn_locks *t, struct tn_lock_key key, const struct tn_chan *by,
    struct tn_lock *span)
{
	struct tn_locked_file *f = t->n_ranges > 0 ? *file_at(t, key) : NULL;

	*span = (struct tn_lock){ .first = TN_LOCK_END, .by = by, .type = TN_LK_UNLOCK };
	if (!f)
		return false;
	for (struct range **at = &f->ranges, *g; (g = *at) != NULL;) {
		if (g->is.by != by) {
			at = &g->next;
			continue;
		}
		span->first = g->is.first < span->first ? g->is.first : span->first;
		span->last = g->is.last > span->last ? g->is.last : span->last;
		range_remove(t, f, at);
	}
	file_trim(t, f);
	return span->first <= span->last;
}

/* A range that has the byte; NULL: *end is the last byte of *end's stretch that nobody has. */
static const struct range *has_byte(const struct tn_locked_file *f, uint64_t byte, uint64_t *end)
{
	for (const struct range *g = f ? f->ranges : NULL; g; g = g->next) {
		if (g->is.first <= byte && byte <= g->is.last)
			return g;
		if (g->is.first > byte && g->is.first <= *end)
			*end = g->is.first - 1;
	}
	return NULL;
}

bool tn_locks_gap(const struct tn_locks *t, struct tn_lock_key key, struct tn_lock *gap)
{
	const struct tn_locked_file *f = *file_at(t, key);
	const struct range *g;
	uint64_t last = gap->last;

	while (gap->first <= last && (g = has_byte(f, gap->first, &gap->last)) != NULL) {
		gap->first = g->is.last + 1;
		gap->last = last;
	}
	return gap->first <= last;
}

void tn_locks_fini(struct tn_locks *t)
{
	while (t->waits)
		forget(t, &t->waits);
	for (size_t i = 0; i < TN_LOCK_BUCKETS; i++) {
		while (t->files[i]) {
			struct tn_locked_file *f = t->files[i];

			while (f->ranges)
				range_remove(t, f, &f->ranges);
			file_trim(t, f);
		}
	}
}

/* ---- requests ---- */

/* fcntl(2): a lock for reading needs a file open for reading. */
static bool may_lock(const struct tn_req *r)
{
	static const bool may[3][4] = {
		[TN_LK_READ] = { [TN_OREAD] = true, [TN_ORDWR] = true, [TN_OEXEC] = true },
		[TN_LK_WRITE] = { [TN_OWRITE] = true, [TN_ORDWR] = true },
		[TN_LK_UNLOCK] = { true, true, true, true },
	};

	return r->type == TN_GETLOCK || may[r->u.lock.type][r->chan->flags & TN_OF_ACCESS];
}

enum tn_err tn_lock_of(struct tn_lock *l, const struct tn_req *r)
{
	uint64_t start = r->u.lock.start, length = r->u.lock.length;

	if (!(r->chan->flags & TN_CF_OPEN))
		return TN_ENOTOPEN;
	if (r->u.lock.type > TN_LK_UNLOCK || start > TN_LOCK_END)
		return TN_EINVAL;
	if (r->type == TN_GETLOCK && r->u.lock.type == TN_LK_UNLOCK)
		return TN_EINVAL;
	if (length > 0 && length - 1 > TN_LOCK_END - start)
		return TN_EOVERFLOW;
	if (!may_lock(r))
		return TN_EBADUSE;
	*l = (struct tn_lock){ .first = start,
		.last = length > 0 ? start + length - 1 : TN_LOCK_END,
		.owner = r->u.lock.owner,
		.pid = r->u.lock.pid,
		.type = r->u.lock.type,
		.by = r->chan };
	return TN_OK;
}

enum tn_status tn_locks_tell(struct tn_req *r, const struct tn_lock *conflict)
{
	if (!conflict) {
		r->u.lock.type = TN_LK_UNLOCK;
		return TN_DONE;
	}
	r->u.lock.type = conflict->type;
	r->u.lock.start = conflict->first;
	r->u.lock.length = conflict->last == TN_LOCK_END ? 0 : conflict->last - conflict->first + 1;
	r->u.lock.owner = conflict->owner;
	r->u.lock.pid = conflict->pid;
	return TN_DONE;
}

enum tn_status tn_locks_serve(struct tn_locks *t, struct tn_lock_key key, struct tn_req *r)
{
	struct tn_lock l;
	enum tn_err err = tn_lock_of(&l, r);

	if (err != TN_OK)
		return tn_fail(r, err);
	if (r->type == TN_GETLOCK) {
		tn_locks_waits_not(t, l.owner);
		return tn_locks_tell(r, tn_locks_conflict(t, key, &l));
	}
	err = tn_locks_set(t, key, &l, r->u.lock.waits);
	return err == TN_OK ? TN_DONE : tn_fail(r, err);
}
