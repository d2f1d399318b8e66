/*
 * What programs in here do, by way of the door, the kernel raises itself; their server tells it as well, for it is asked
 * about whoever. Each operation in a directory that is followed leaves the echoes that it will have, from before it
 * begins until it has failed, or been heard, or ECHO_NS behind its end. Making, removing and renaming happen once, so an
 * echo is taken once. Writing and changing attributes may be told once for many, so these are one's own while such an
 * operation is under way at the file, and WINDOW_NS behind it.
 */
#include "launch/notify_in.h"

#include <stdlib.h>
#include <string.h>

#define ECHO_NS   UINT64_C(2000000000)
#define WINDOW_NS UINT64_C(100000000)

enum { ECHOES_MAX = 4096 };

struct launch_echo {
	struct launch_echo *next;
	struct launch_echo *more; /* of the same operation */
	struct launch_node *node; /* counted: the directory, or what is touched */
	uint64_t over_ns;         /* 0: the operation is under way */
	uint8_t what;             /* enum tn_change_what; TN_CHANGE_WRITTEN: touched */
	bool heard;
	char name[];
};

/* ---- the list ---- */

static void echo_free(struct launch_notify *n, struct launch_echo *e)
{
	launch_node_put(&n->f->nodes, e->node);
	free(e);
}

static bool is_old(const struct launch_echo *e, uint64_t now)
{
	uint64_t kept = e->what == TN_CHANGE_WRITTEN ? 0 : e->heard ? WINDOW_NS : ECHO_NS;

	return e->over_ns && e->over_ns + kept <= now;
}

static void drop_old(struct launch_notify *n)
{
	uint64_t now = tn_now_ns();
	struct launch_echo **at = &n->echoes, *e;

	while ((e = *at) != NULL) {
		if (!is_old(e, now)) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		n->n_echoes--;
		echo_free(n, e);
	}
}

void launch_echoes_free(struct launch_notify *n)
{
	for (struct launch_echo *e = n->echoes; e; e = e->next)
		e->over_ns = e->over_ns ? 1 : 0; /* operations still point at the others */
	drop_old(n);
}

/* Says that an operation will be about `name` of node. */
static void expect(struct launch_notify *n, struct launch_node *node, uint8_t what,
    const char *name)
{
	struct launch_echo *e;

	if (n->n_echoes >= ECHOES_MAX)
		drop_old(n);
	e = n->n_echoes < ECHOES_MAX ? calloc(1, sizeof(*e) + strlen(name) + 1) : NULL;
	if (!e)
		return;
	strcpy(e->name, name);
	e->what = what;
	e->node = launch_node_get(node);
	e->next = n->echoes;
	n->echoes = e;
	n->n_echoes++;
	e->more = n->taken;
	n->taken = e;
}

/* ---- operations ---- */

static struct launch_notify *notify_of(struct launch_fuse *f)
{
	struct launch_notify *n = f->notify;

	if (!n || n->stopped || !n->follows)
		return NULL;
	launch_notify_over(f, launch_notify_take(f), EINVAL); /* an operation that never began */
	return n;
}

static void expect_in(struct launch_notify *n, fuse_ino_t dir, uint8_t what, const char *name)
{
	struct launch_node *node = launch_node_of(n->f, dir);

	if (node->followed)
		expect(n, node, what, name);
}

void launch_notify_makes(struct launch_fuse *f, fuse_ino_t parent, const char *name)
{
	struct launch_notify *n = notify_of(f);

	if (n)
		expect_in(n, parent, TN_CHANGE_MADE, name);
}

void launch_notify_removes(struct launch_fuse *f, fuse_ino_t parent, const char *name)
{
	struct launch_notify *n = notify_of(f);

	if (n)
		expect_in(n, parent, TN_CHANGE_GONE, name);
}

void launch_notify_renames(struct launch_fuse *f, fuse_ino_t parent, const char *name,
    fuse_ino_t newparent, const char *newname, bool both)
{
	struct launch_notify *n = notify_of(f);

	if (!n)
		return;
	expect_in(n, parent, TN_CHANGE_LEFT, name);
	expect_in(n, newparent, TN_CHANGE_CAME, newname);
	if (both) {
		expect_in(n, newparent, TN_CHANGE_LEFT, newname);
		expect_in(n, parent, TN_CHANGE_CAME, name);
	}
}

void launch_notify_touches(struct launch_fuse *f, fuse_ino_t ino)
{
	struct launch_notify *n = notify_of(f);
	struct launch_node *node = launch_node_of(f, ino);

	if (!n || (!node->followed && !(node->parent && node->parent->followed)))
		return;
	expect(n, node, TN_CHANGE_WRITTEN, "");
	node->touching += n->taken != NULL;
}

struct launch_echo *launch_notify_take(struct launch_fuse *f)
{
	struct launch_echo *e = f->notify ? f->notify->taken : NULL;

	if (f->notify)
		f->notify->taken = NULL;
	return e;
}

/* Interrupted operations may have happened; what has failed has no echo. */
static void over(struct launch_notify *n, struct launch_echo *e, int error)
{
	struct launch_node *made;

	e->over_ns = n->stopped || (error && error != EINTR) ? 1 : tn_now_ns();
	if (e->what == TN_CHANGE_WRITTEN) {
		e->node->touching--;
		e->node->touched_ns = tn_now_ns();
	} else if (e->what == TN_CHANGE_MADE || e->what == TN_CHANGE_CAME) {
		made = launch_node_known(&n->f->nodes, e->node,
		    (struct tn_str){ e->name, (uint32_t)strlen(e->name) });
		if (made)
			made->touched_ns = tn_now_ns();
	}
}

void launch_notify_over(struct launch_fuse *f, struct launch_echo *e, int error)
{
	if (!e)
		return;
	for (; e; e = e->more)
		over(f->notify, e, error);
	drop_old(f->notify);
}

/* ---- is it one? ---- */

static bool is_about(const struct launch_echo *e, const struct launch_node *dir, struct tn_str name)
{
	return e->node == dir && strlen(e->name) == name.len &&
	       memcmp(e->name, name.s, name.len) == 0;
}

/* A file that is removed is touched by what is told before that is: its node may be gone by then. */
static bool covers(const struct launch_echo *e, uint64_t now)
{
	if (e->what == TN_CHANGE_GONE)
		return !e->heard;
	return !e->over_ns || e->over_ns + WINDOW_NS > now;
}

static bool is_touched(struct launch_notify *n, struct launch_node *dir, const struct tn_change *c)
{
	uint64_t now = tn_now_ns();
	struct launch_node *node = c->name.len ? launch_node_known(&n->f->nodes, dir, c->name)
					       : dir;

	if (node && (node->touching || node->touched_ns + WINDOW_NS > now))
		return true;
	for (const struct launch_echo *e = n->echoes; e; e = e->next) {
		if (e->what != TN_CHANGE_WRITTEN && is_about(e, dir, c->name) && covers(e, now))
			return true;
	}
	return false;
}

bool launch_echo_is(struct launch_notify *n, struct launch_node *dir, const struct tn_change *c)
{
	if (c->what == TN_CHANGE_WRITTEN || c->what == TN_CHANGE_STATUS)
		return is_touched(n, dir, c);
	for (struct launch_echo *e = n->echoes; e; e = e->next) {
		if (e->what == c->what && !e->heard && e->over_ns != 1 &&
		    is_about(e, dir, c->name)) {
			e->heard = true;
			return true;
		}
	}
	return false;
}
