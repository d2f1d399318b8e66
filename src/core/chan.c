/*
 * Chans and users: counting, and the end of a Chan. The last put never calls a server from where it stands (it may be
 * deep in somebody's loop, and a Chan's path holds other Chans): it hands the Chan to the loop's reaper, which clunks
 * one after the other from the loop.
 */
#include "core/chan.h"

#include "core/loop.h"
#include "core/mem.h"
#include "core/server.h"

/* A clunk that nobody waits for. */
struct clunk {
	struct tn_req r; /* first: a request is its clunk */
	struct clunk *next;
	struct tn_reaper *reaper;
};

enum { SPARE_MAX = 256 };

struct tn_reaper {
	struct tn_task task;
	struct tn_timer again; /* when there was no memory for a clunk */
	struct tn_loop *loop;
	struct tn_chan *dead;
	struct tn_chan
	    *spare; /* freed Chans, to be used anew: a walk and a clunk allocate nothing */
	struct clunk *clunks; /* the same for clunks */
	uint32_t n_spare, n_clunks;
};

static const struct tn_owner clunk_owner;
static void reap(struct tn_task *task);

static void reap_again(struct tn_timer *timer)
{
	struct tn_reaper *reaper = (struct tn_reaper *)((char *)timer -
							offsetof(struct tn_reaper, again));

	reap(&reaper->task);
}

static struct tn_reaper *reaper_of(struct tn_loop *loop)
{
	struct tn_reaper *reaper = loop->reaper;

	if (reaper)
		return reaper;
	reaper = tn_alloc(sizeof(*reaper));
	if (!reaper)
		return NULL;
	reaper->task.fn = reap;
	reaper->again.fn = reap_again;
	reaper->loop = loop;
	loop->reaper = reaper;
	return reaper;
}

void tn_reaper_free(struct tn_reaper *reaper)
{
	struct tn_chan *c;
	struct clunk *k;

	if (!reaper)
		return;
	while ((c = reaper->spare) != NULL) {
		reaper->spare = c->next;
		tn_free(c);
	}
	while ((k = reaper->clunks) != NULL) {
		reaper->clunks = k->next;
		tn_free(k);
	}
	tn_timer_stop(reaper->loop, &reaper->again);
	tn_free(reaper);
}

/* ---- making ---- */

struct tn_chan *tn_chan_new(struct tn_server *server, struct tn_user *user)
{
	/* With a reaper from the start the end of a Chan needs no memory. */
	struct tn_reaper *reaper = reaper_of(server->home);
	struct tn_chan *c;

	if (!reaper)
		return NULL;
	c = reaper->spare;
	if (c) {
		reaper->spare = c->next;
		reaper->n_spare--;
		memset(c, 0, sizeof(*c));
	} else {
		c = tn_alloc(sizeof(*c));
	}
	if (!c)
		return NULL;
	c->refs = 1;
	c->server = tn_server_get(server);
	c->user = user ? tn_user_get(user) : NULL;
	return c;
}

struct tn_chan *tn_chan_clone(const struct tn_chan *c)
{
	struct tn_chan *new = tn_chan_new(c->server, c->user);

	if (new && c->path)
		new->path = tn_path_get(c->path);
	return new;
}

struct tn_chan *tn_chan_get(struct tn_chan *c)
{
	tn_count_up(&c->refs);
	return c;
}

void tn_chan_set_path(struct tn_chan *c, struct tn_path *path)
{
	struct tn_path *old = c->path;

	c->path = path;
	tn_path_put(old);
}

bool tn_chan_same(const struct tn_chan *a, const struct tn_chan *b)
{
	return a->server == b->server && a->qid.path == b->qid.path;
}

/* ---- the end ---- */

void tn_chan_destroy(struct tn_chan *c)
{
	struct tn_server *server = c->server;
	struct tn_reaper *reaper = server->home->reaper;

	tn_path_put(c->path);
	tn_user_put(c->user);
	if (reaper->n_spare < SPARE_MAX) {
		c->server = NULL;
		c->next = reaper->spare;
		reaper->spare = c;
		reaper->n_spare++;
	} else {
		tn_free(c);
	}
	tn_server_put(server);
}

void tn_chan_put(struct tn_chan *c)
{
	struct tn_reaper *reaper;

	if (!c || tn_count_down(&c->refs) > 0)
		return;
	reaper = c->server->home->reaper;
	c->next = reaper->dead;
	reaper->dead = c;
	tn_loop_defer(reaper->loop, &reaper->task);
}

static struct clunk *clunk_new(struct tn_reaper *reaper)
{
	struct clunk *k = reaper->clunks;

	if (k) {
		reaper->clunks = k->next;
		reaper->n_clunks--;
	} else {
		k = tn_alloc(sizeof(*k));
	}
	if (k)
		k->reaper = reaper;
	return k;
}

static void clunk_free(struct clunk *k)
{
	struct tn_reaper *reaper = k->reaper;

	tn_req_reset(&k->r);
	if (reaper->n_clunks >= SPARE_MAX) {
		tn_free(k);
		return;
	}
	k->next = reaper->clunks;
	reaper->clunks = k;
	reaper->n_clunks++;
}

static void clunk_done(struct tn_req *r)
{
	clunk_free((struct clunk *)r);
}

static const struct tn_owner clunk_owner = { .done = clunk_done };

/* Somebody waits: his request, which tn_chan_close kept, now goes to the server. */
static void clunk_for_closer(struct tn_chan *c)
{
	struct tn_req *r = c->closer;

	c->closer = NULL;
	r->chan = c;
	if (c->flags & TN_CF_USED) {
		if (tn_submit(r) == TN_DONE)
			r->owner->done(r);
		return;
	}
	r->chan = NULL;
	tn_chan_destroy(c);
	tn_respond(r);
}

static bool clunk_one(struct tn_reaper *reaper, struct tn_chan *c)
{
	struct clunk *k;

	if (c->closer) {
		clunk_for_closer(c);
		return true;
	}
	if (!(c->flags & TN_CF_USED)) {
		tn_chan_destroy(c);
		return true;
	}
	k = clunk_new(reaper);
	if (!k)
		return false;
	tn_req_init(&k->r, TN_CLUNK, c, &clunk_owner);
	if (tn_submit(&k->r) == TN_DONE)
		clunk_free(k);
	return true;
}

static void reap(struct tn_task *task)
{
	struct tn_reaper *reaper = (struct tn_reaper *)task;
	struct tn_chan *list, *c;

	/* Oldest first, as they were dropped. */
	for (list = NULL; (c = reaper->dead) != NULL; list = c) {
		reaper->dead = c->next;
		c->next = list;
	}
	while ((c = list) != NULL) {
		list = c->next;
		c->next = NULL;
		if (clunk_one(reaper, c))
			continue;
		c->next = reaper->dead;
		reaper->dead = c;
		tn_timer_set(reaper->loop, &reaper->again, tn_now_ns() + 100000000u);
	}
}

enum tn_status tn_chan_close(struct tn_req *r)
{
	struct tn_chan *c = r->chan;

	if (tn_count_down(&c->refs) == 0) {
		if (c->flags & TN_CF_USED)
			return tn_submit(r);
		r->chan = NULL;
		tn_chan_destroy(c);
		return TN_DONE;
	}
	r->chan = NULL;
	if (c->closer)
		return TN_DONE;
	if (!tn_keep(r))
		return TN_DONE; /* nobody can wait; the last put clunks all the same */
	tn_req_wait(r);
	c->closer = r;
	return TN_LATER;
}

/* ---- users ---- */

struct tn_user *tn_user_new(struct tn_str name, uint32_t uid, uint32_t gid)
{
	struct tn_user *u = tn_alloc(sizeof(*u) + name.len);

	if (!u)
		return NULL;
	u->refs = 1;
	u->uid = uid;
	u->gid = gid;
	u->len = name.len;
	if (name.len > 0)
		memcpy(u->name, name.s, name.len);
	return u;
}

struct tn_user *tn_user_get(struct tn_user *u)
{
	tn_count_up(&u->refs);
	return u;
}

void tn_user_put(struct tn_user *u)
{
	if (u && tn_count_down(&u->refs) == 0)
		tn_free(u);
}
