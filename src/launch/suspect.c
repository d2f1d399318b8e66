/*
 * A file that a program in here has just written to is told of by its server: that is an echo, but somebody else may have
 * written to it within the same moment. So it is looked at when the echo comes, and once more when SETTLE_NS have passed
 * without another operation in here; what differs then, others have done. A file is looked at ten times a second at most.
 */
#include "launch/notify_in.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_NS UINT64_C(100000000)

enum { SUSPECTS_MAX = 256 };

struct launch_suspect {
	struct launch_suspect *next;
	struct launch_follow *follow; /* counted */
	uint64_t due_ns, seen_ns;     /* seen_ns 0: `was` is not known */
	struct stat was;
	bool asking, is_there, is_dir;
	char name[];
};

static struct tn_str name_of(const struct launch_suspect *s)
{
	return (struct tn_str){ s->name, (uint32_t)strlen(s->name) };
}

static void drop(struct launch_notify *n, struct launch_suspect *s)
{
	struct launch_suspect **at = &n->suspects;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	n->n_suspects--;
	launch_follow_put(s->follow);
	free(s);
}

static void look(struct tn_timer *timer);

static void arm(struct launch_notify *n)
{
	uint64_t at = UINT64_MAX;

	for (const struct launch_suspect *s = n->suspects; s; s = s->next) {
		if (!s->asking && s->due_ns < at)
			at = s->due_ns;
	}
	n->suspect_timer.fn = look;
	if (at < UINT64_MAX)
		tn_timer_set(tn_host_loop_core(n->f->hl), &n->suspect_timer, at);
}

/* ---- looking ---- */

static void stat_known(struct launch_op *op)
{
	op->suspect->is_there = true;
	launch_op_end(op);
}

static void found(struct launch_op *op)
{
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	launch_stat(op, stat_known);
}

static void find(struct launch_op *op)
{
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, found);
}

static void start(struct launch_op *op)
{
	launch_node_chan(op, op->node, find);
}

static void ask(struct launch_notify *n, struct launch_suspect *s)
{
	struct launch_op *op = launch_op_new(n->f, NULL, launch_ino_of(n->f, s->follow->node));

	if (op)
		op->text = strdup(s->name);
	if (!op || !op->text) {
		if (op)
			launch_op_end(op);
		drop(n, s);
		return;
	}
	s->asking = true;
	s->is_there = false;
	op->suspect = s;
	launch_op_run(op, start);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Has a program in here done something to it since it was looked at? */
static bool was_touched(const struct launch_suspect *s)
{
	const struct launch_node *node = launch_node_known(&s->follow->n->f->nodes, s->follow->node,
	    name_of(s));

	return node && (node->touching || node->touched_ns >= s->seen_ns);
}

static void compare(struct launch_notify *n, struct launch_suspect *s, const struct stat *is)
{
	struct tn_change c = { .what = TN_CHANGE_WRITTEN, .is_dir = s->is_dir, .name = name_of(s) };

	if (is->st_ino != s->was.st_ino)
		return; /* another file: its coming is told for itself */
	if (same_time(&is->st_mtim, &s->was.st_mtim) && is->st_size == s->was.st_size) {
		if (is->st_mode == s->was.st_mode && is->st_uid == s->was.st_uid &&
		    is->st_gid == s->was.st_gid)
			return;
		c.what = TN_CHANGE_STATUS;
	}
	launch_notify_put(n, s->follow, &c);
}

/* The answer: the first, or one to be held against it. */
void launch_suspect_known(struct launch_op *op)
{
	struct launch_suspect *s = op->suspect;
	struct launch_notify *n = s->follow->n;

	s->asking = false;
	if (!s->is_there || s->follow->ended || n->stopped) {
		drop(n, s);
	} else if (!s->seen_ns || was_touched(s)) {
		s->was = op->attr;
		s->seen_ns = tn_now_ns();
		s->due_ns = s->seen_ns + SETTLE_NS;
	} else {
		compare(n, s, &op->attr);
		drop(n, s);
	}
	if (!n->stopped)
		arm(n);
}

static void look(struct tn_timer *timer)
{
	struct launch_notify *n =
	    (struct launch_notify *)((char *)timer - offsetof(struct launch_notify, suspect_timer));
	struct launch_suspect *s;
	uint64_t now = tn_now_ns();

	do { /* from the beginning again: what is asked may be answered at once */
		for (s = n->suspects; s && (s->asking || s->due_ns > now); s = s->next)
			;
		if (s)
			ask(n, s);
	} while (s);
	arm(n);
}

/* ---- for others ---- */

void launch_suspect(struct launch_notify *n, struct launch_follow *w, const struct tn_change *c)
{
	struct launch_suspect *s = n->suspects;

	while (s && (s->follow != w || strlen(s->name) != c->name.len ||
			memcmp(s->name, c->name.s, c->name.len) != 0))
		s = s->next;
	if (s || c->name.len == 0 || n->n_suspects == SUSPECTS_MAX)
		return;
	s = calloc(1, sizeof(*s) + c->name.len + 1);
	if (!s)
		return;
	memcpy(s->name, c->name.s, c->name.len);
	s->is_dir = c->is_dir;
	s->follow = w;
	w->refs++;
	s->next = n->suspects;
	n->suspects = s;
	n->n_suspects++;
	ask(n, s);
	arm(n);
}

void launch_suspects_free(struct launch_notify *n)
{
	struct launch_suspect *s, *next;

	tn_timer_stop(tn_host_loop_core(n->f->hl), &n->suspect_timer);
	for (s = n->suspects; s; s = next) {
		next = s->next;
		if (!s->asking) /* those go with their answers */
			drop(n, s);
	}
}
