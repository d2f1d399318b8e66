/*
 * Which directories are followed, by what watchers.c has found; and what their servers tell of them, until raise.c takes
 * it. What is followed holds its node, and a request at each member's server.
 */
#include "launch/notify.h"

#include "launch/notify_in.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_NS   UINT64_C(2000000000)
#define REFUSED_NS UINT64_C(60000000000) /* behind a server's no */
#define PAIR_NS    UINT64_C(10000000)    /* within which the second half of a rename comes */

enum { PAIR_BACK = 64 };

struct launch_target {
	struct tn_req r; /* first */
	struct launch_target *next;
	struct launch_follow *follow; /* counted */
	struct tn_chan *chan;         /* counted */
	bool flushed;
};

/* ---- marks ---- */

static int by_ino(const void *a, const void *b)
{
	const struct launch_mark *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* The root has its number for ever; others' may have been another node's. */
static bool is_marked(const struct launch_notify *n, const struct launch_node *node)
{
	struct launch_mark key = { .ino = launch_ino_of(n->f, node) };
	const struct launch_mark *found = n->n_marks ? bsearch(&key, n->marks, n->n_marks,
							   sizeof(key), by_ino)
						     : NULL;

	return found &&
	       (key.ino == FUSE_ROOT_ID || found->generation == (uint32_t)node->generation);
}

/* ---- what is followed ---- */

void launch_follow_put(struct launch_follow *w)
{
	if (!w || --w->refs > 0)
		return;
	launch_node_put(&w->n->f->nodes, w->node);
	free(w);
}

static struct launch_follow *find(const struct launch_notify *n, const struct launch_node *node)
{
	struct launch_follow *w = n->follows;

	while (w && w->node != node)
		w = w->next;
	return w;
}

/* The servers are asked no more. */
static void unwatch(struct launch_follow *w)
{
	struct launch_target *t;

	w->refs++;
	for (t = w->targets; t;) {
		if (t->flushed) {
			t = t->next;
			continue;
		}
		t->flushed = true;
		tn_flush(&t->r); /* which may take it, and others, out of the list */
		t = w->targets;
	}
	launch_follow_put(w);
}

static void target_end(struct launch_target *t)
{
	struct launch_follow *w = t->follow;
	struct launch_target **at = &w->targets;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!t->flushed)
		w->again_ns = tn_now_ns() + (t->r.err == TN_ENOTSUP ? REFUSED_NS : AGAIN_NS);
	tn_req_reset(&t->r);
	tn_chan_put(t->chan);
	free(t);
	launch_follow_put(w);
}

static void target_done(struct tn_req *r)
{
	target_end((struct launch_target *)r);
}

static void take_change(struct launch_follow *w, const void *source, const struct tn_change *c);

static void target_change(struct tn_req *r, const struct tn_change *c)
{
	struct launch_target *t = (struct launch_target *)r;

	if (!t->flushed && !t->follow->ended)
		take_change(t->follow, r->chan->server, c);
}

static const struct tn_owner target_owner = { .done = target_done, .change = target_change };

/* What is served in here changes only by what programs in here do. */
static void watch(struct launch_follow *w, struct tn_chan *c)
{
	bool by_others = c->server->flags & (TN_SF_SHARED | TN_SF_REMOTE);
	struct launch_target *t = by_others ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return;
	t->chan = tn_chan_get(c);
	t->follow = w;
	w->refs++;
	t->next = w->targets;
	w->targets = t;
	tn_req_init(&t->r, TN_WATCH, t->chan, &target_owner);
	if (tn_submit(&t->r) == TN_DONE)
		target_end(t);
}

/* The directory as it is shown: op->chan, or the members of the union; op->attr. */
static void directory_known(struct launch_op *op)
{
	struct launch_follow *w = op->follow;

	w->attr = op->attr;
	for (uint32_t i = 0; !w->ended && i < (op->members ? op->members->n : 1); i++)
		watch(w, op->members ? op->members->m[i].to : op->chan);
	if (!w->targets)
		w->again_ns = tn_now_ns() + REFUSED_NS;
	launch_op_end(op);
}

static void stat_directory(struct launch_op *op)
{
	launch_stat(op, directory_known);
}

static void know_directory(struct launch_op *op)
{
	launch_node_shown(op, op->node, stat_directory);
}

void launch_follow_known(struct launch_follow *w)
{
	w->resolving = false;
	launch_follow_put(w);
}

static void begin(struct launch_follow *w)
{
	struct launch_fuse *f = w->n->f;
	struct launch_op *op = launch_op_new(f, NULL, launch_ino_of(f, w->node));

	w->again_ns = tn_now_ns() + AGAIN_NS;
	w->ns_version = tn_ns_version(f->proc->ns);
	if (!op)
		return;
	op->follow = w;
	w->refs++;
	w->resolving = true;
	launch_op_run(op, know_directory);
}

/* Once more: other members may stand there now, or a server that said no may say yes. */
static void keep_up(struct launch_follow *w)
{
	bool moved = w->ns_version != tn_ns_version(w->n->f->proc->ns);

	if (w->resolving || (!moved && (w->targets || tn_now_ns() < w->again_ns)))
		return;
	unwatch(w);
	begin(w);
}

static void want(struct launch_notify *n, struct launch_node *node, bool direct)
{
	struct launch_follow *w = find(n, node);

	if (!node->is_dir || (node->parent && !node->in_place))
		return;
	if (!w && n->n_follows < FOLLOWS_MAX && (w = calloc(1, sizeof(*w)))) {
		w->refs = 1;
		w->n = n;
		w->slot = SLOT_NONE;
		w->node = launch_node_get(node);
		node->followed = true;
		w->next = n->follows;
		n->follows = w;
		n->n_follows++;
	}
	if (!w)
		return;
	w->wanted = true;
	w->direct |= direct;
}

static void end(struct launch_follow *w)
{
	w->ended = true;
	w->node->followed = false;
	w->n->n_follows--;
	unwatch(w);
	launch_raise_closed(w);
	launch_follow_put(w);
}

static void end_unwanted(struct launch_notify *n)
{
	struct launch_follow **at = &n->follows, *w;

	while ((w = *at) != NULL) {
		if (w->wanted) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		end(w);
		at = &n->follows;
	}
}

static bool set_marks(struct launch_notify *n, const struct launch_mark *marks, size_t count)
{
	struct launch_mark *copy = malloc((count + 1) * sizeof(*copy));

	if (!copy)
		return false;
	if (count)
		memcpy(copy, marks, count * sizeof(*copy));
	qsort(copy, count, sizeof(*copy), by_ino);
	free(n->marks);
	n->marks = copy;
	n->n_marks = count;
	return true;
}

/* A watched file is heard of by its directory, and so is what happens to a watched directory itself. */
void launch_notify_wanted(struct launch_notify *n, const struct launch_mark *marks, size_t count)
{
	struct launch_follow *w;

	if (n->stopped || !set_marks(n, marks, count))
		return;
	for (w = n->follows; w; w = w->next)
		w->wanted = w->direct = false;
	for (struct launch_node *node = count ? n->f->nodes.all : NULL; node;
	     node = node->next_all) {
		if (!is_marked(n, node))
			continue;
		want(n, node, true);
		if (node->parent && node->in_place)
			want(n, node->parent, false);
	}
	end_unwanted(n);
	for (w = n->follows; w; w = w->next) {
		w->refs++;
		keep_up(w);
		launch_follow_put(w); /* it is in the list still: only this function takes out */
	}
	if (!n->follows)
		launch_raise_rest(n);
}

/* ---- changes ---- */

void launch_event_free(struct launch_event *e)
{
	launch_follow_put(e->follow);
	launch_follow_put(e->to);
	free(e->newname);
	free(e);
}

static bool is_named(const char *name, struct tn_str str)
{
	return strlen(name) == str.len && memcmp(name, str.s, str.len) == 0;
}

/* It waits already to be told. */
static bool is_last(const struct launch_notify *n, const struct launch_follow *w,
    const struct tn_change *c)
{
	const struct launch_event *e = n->last;

	return e && e->follow == w && e->what == c->what && !e->newname &&
	       (c->what == TN_CHANGE_WRITTEN || c->what == TN_CHANGE_STATUS) &&
	       is_named(e->name, c->name);
}

/* The other half of a rename waits: c completes it. */
static bool complete(struct launch_notify *n, struct launch_follow *w, const void *source,
    const struct tn_change *c)
{
	struct launch_event *e = n->last;

	for (int i = 0; e && i < PAIR_BACK; i++, e = e->prev) {
		if (e->what == TN_CHANGE_LEFT && e->pair == c->pair && e->source == source &&
		    !e->newname)
			break;
	}
	if (!e || c->what != TN_CHANGE_CAME || c->pair == 0 || e->pair != c->pair || e->newname)
		return false;
	e->newname = strndup(c->name.s, c->name.len);
	if (!e->newname)
		return false;
	e->to = w;
	w->refs++;
	return true;
}

static void put(struct launch_notify *n, struct launch_follow *w, const void *source,
    const struct tn_change *c)
{
	struct launch_event *e;

	if (n->n_events >= EVENTS_MAX) {
		n->stats.lost += !w->lost;
		w->lost = true;
		return;
	}
	e = calloc(1, sizeof(*e) + c->name.len + 1);
	if (!e)
		return;
	e->follow = w;
	w->refs++;
	e->source = source;
	e->at_ns = tn_now_ns();
	e->pair = c->pair;
	e->what = c->what;
	e->is_dir = c->is_dir;
	if (c->name.len)
		memcpy(e->name, c->name.s, c->name.len);
	e->prev = n->last;
	if (n->last)
		n->last->next = e;
	else
		n->first = e;
	n->last = e;
	n->n_events++;
}

/* Is it heard of by anybody: is the directory watched, or what has this name in it? */
static bool is_heard(struct launch_follow *w, struct tn_str name)
{
	struct launch_node *node;

	if (w->direct)
		return true;
	node = launch_node_known(&w->n->f->nodes, w->node, name);
	return node && is_marked(w->n, node);
}

static void take_change(struct launch_follow *w, const void *source, const struct tn_change *c)
{
	struct launch_notify *n = w->n;
	struct tn_change self = { .what = TN_CHANGE_STATUS, .is_dir = true };

	if (c->what == TN_CHANGE_BEGUN) {
		w->begun = true;
		return;
	}
	if (c->what == TN_CHANGE_LOST) {
		n->stats.lost++;
		c = &self;
	} else if (c->name.len == 0 &&
		   (c->what != TN_CHANGE_STATUS || (w->node->parent && find(n, w->node->parent)))) {
		return; /* the directory above tells it, with the name */
	}
	if (!is_heard(w, c->name))
		return;
	if (c != &self && launch_echo_is(n, w->node, c)) {
		n->stats.echoes++;
		if (c->what == TN_CHANGE_WRITTEN || c->what == TN_CHANGE_STATUS)
			launch_suspect(n, w, c);
		return;
	}
	if (!is_last(n, w, c) && !complete(n, w, source, c))
		put(n, w, source, c);
	launch_raise(n);
}

void launch_notify_put(struct launch_notify *n, struct launch_follow *w, const struct tn_change *c)
{
	put(n, w, NULL, c);
	launch_raise(n);
}

/* When there is room again: who watches hears that something was lost. */
static void tell_lost(struct launch_notify *n)
{
	const struct tn_change self = { .what = TN_CHANGE_STATUS, .is_dir = true };

	for (struct launch_follow *w = n->follows; w; w = w->next) {
		if (w->lost)
			put(n, w, NULL, &self);
		w->lost = false;
	}
}

static void pair_is_late(struct tn_timer *timer)
{
	launch_raise(
	    (struct launch_notify *)((char *)timer - offsetof(struct launch_notify, timer)));
}

struct launch_event *launch_notify_next(struct launch_notify *n)
{
	struct launch_event *e = n->first;

	if (!e) {
		tell_lost(n);
		e = n->first;
	}
	if (!e)
		return NULL;
	if (e->what == TN_CHANGE_LEFT && e->pair && !e->newname &&
	    tn_now_ns() - e->at_ns < PAIR_NS) {
		n->timer.fn = pair_is_late;
		tn_timer_set(tn_host_loop_core(n->f->hl), &n->timer, e->at_ns + PAIR_NS);
		return NULL;
	}
	n->first = e->next;
	if (n->first)
		n->first->prev = NULL;
	else
		n->last = NULL;
	n->n_events--;
	return e;
}

void launch_notify_drop(struct launch_notify *n)
{
	struct launch_event *e;

	while ((e = n->first) != NULL) {
		n->first = e->next;
		launch_event_free(e);
	}
	n->last = NULL;
	n->stats.not_raised += n->n_events;
	n->n_events = 0;
}

/* ---- the door ---- */

void launch_notify_start(struct launch_fuse *f, const struct launch_bare *bare)
{
	struct launch_notify *n = calloc(1, sizeof(*n));

	if (!n)
		return;
	n->f = f;
	n->bare = *bare;
	n->watchers = launch_watchers_new(n, bare->in.device);
	if (n->watchers)
		f->notify = n;
	else
		free(n);
}

void launch_notify_asked(struct launch_fuse *f, pid_t pid)
{
	if (f->notify && !f->notify->stopped)
		launch_watchers_asked(f->notify->watchers, pid);
}

void launch_notify_stop(struct launch_fuse *f)
{
	struct launch_notify *n = f->notify;

	if (!n || n->stopped)
		return;
	n->stopped = true;
	launch_watchers_free(n->watchers);
	n->watchers = NULL;
	for (struct launch_follow *w = n->follows; w; w = w->next)
		w->wanted = false;
	end_unwanted(n);
	launch_notify_drop(n);
	tn_timer_stop(tn_host_loop_core(f->hl), &n->timer);
	launch_echoes_free(n);
	launch_suspects_free(n);
	launch_raise_rest(n);
}

void launch_notify_free(struct launch_fuse *f)
{
	if (!f->notify)
		return;
	launch_raiser_reap(f->notify);
	free(f->notify->marks);
	free(f->notify);
	f->notify = NULL;
}

void launch_notify_stats(const struct launch_fuse *f, struct launch_fuse_stats *out)
{
	const struct launch_notify *n = f->notify;

	out->watched = 0;
	if (!n)
		return;
	for (const struct launch_follow *w = n->follows; w; w = w->next)
		out->watched += w->begun;
	out->raised = n->stats.raised;
	out->echoes = n->stats.echoes;
	out->lost = n->stats.lost;
	out->not_raised = n->stats.not_raised;
}
