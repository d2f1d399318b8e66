/*
 * Wants are collected from the mount table; for each head the difference to its stack becomes operations of a child
 * (live.h): pops down to a layer that fits, or one push. All operations of a change go to one child, in the order of the
 * mounts. A head that no name reaches now waits: it is covered in the kernel too, and is looked at at the next change.
 */
#include "launch/shadow.h"

#include "host/posix/hostfs.h"
#include "host/posix/node.h"
#include "lib/call.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { ABSENT, HOST, FUSE };

/* Of a place whose bind is replaced again and again: then all go, and for a moment the lowest is seen. */
enum { LAYERS_MAX = 16 };

/* Something the kernel has, or is to have, at a place. instance, path: HOST's identity. */
struct layer {
	enum kind kind;
	uint64_t instance, path;
};

struct head {
	struct head *next;
	struct tn_chan *under; /* counted: the file mounted upon; holds its number */
	char *place;           /* the name by which the head was made */
	char *pinned;          /* as FUSE knows the place while there are layers, or NULL */
	unsigned hidden;       /* number of its hidden name; 0: none */
	struct layer *layers;  /* from the lowest up */
	size_t n;
	bool base_is_fuse; /* below the lowest there is FUSE */

	/* while a change is applied */
	struct layer want;
	struct tn_chan *source; /* HOST: counted */
	const char *reach;      /* a name that leads there now, or NULL */
};

struct tn_shadow {
	struct tn_host_loop *hl;
	struct tn_proc *proc;
	struct launch_fuse *f;
	struct tn_live_place place;
	struct head *heads, **tail; /* in the order in which they were made */
	unsigned n_hidden;
	bool no_memory;
};

/* A change as it is handed to the child, and whose stack each operation belongs to. */
struct plan {
	struct tn_live_op ops[TN_LIVE_OPS_MAX];
	struct head *heads[TN_LIVE_OPS_MAX];
	char *texts[TN_LIVE_OPS_MAX];
	size_t n;
};

/* ---- heads ---- */

struct tn_shadow *tn_shadow_new(struct tn_host_loop *hl, struct tn_proc *proc)
{
	struct tn_shadow *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->hl = hl;
	s->proc = proc;
	s->tail = &s->heads;
	return s;
}

void tn_shadow_door(struct tn_shadow *s, struct launch_fuse *f)
{
	s->f = f;
}

static void head_free(struct head *h)
{
	tn_chan_put(h->under);
	tn_chan_put(h->source);
	free(h->place);
	free(h->pinned);
	free(h->layers);
	free(h);
}

void tn_shadow_free(struct tn_shadow *s)
{
	while (s && s->heads) {
		struct head *next = s->heads->next;

		head_free(s->heads);
		s->heads = next;
	}
	free(s);
}

void tn_shadow_place(struct tn_shadow *s, const struct tn_live_place *place)
{
	s->place = *place;
}

static char *path_text(const struct tn_path *path)
{
	size_t len = path ? tn_path_text(path, NULL, 0) : 0;
	char *text = path ? malloc(len + 1) : strdup("");

	if (path && text)
		tn_path_text(path, text, len + 1);
	return text;
}

static struct head *head_of(struct tn_shadow *s, struct tn_chan *under)
{
	struct head *h;

	for (h = s->heads; h; h = h->next) {
		if (tn_chan_same(h->under, under))
			return h;
	}
	h = calloc(1, sizeof(*h));
	if (h)
		h->place = path_text(under->path);
	if (!h || !h->place) {
		free(h);
		return NULL;
	}
	h->under = tn_chan_get(under);
	*s->tail = h;
	s->tail = &h->next;
	return h;
}

/* Heads of which nothing is left to do or to undo. */
static void forget_absent(struct tn_shadow *s)
{
	struct head **at = &s->heads;

	while (*at) {
		struct head *h = *at;

		if (h->n || h->want.kind != ABSENT) {
			at = &h->next;
			continue;
		}
		if (h->hidden) {
			char name[32];

			snprintf(name, sizeof(name), LAUNCH_HIDDEN "%u", h->hidden);
			launch_fuse_hide(s->f, name);
		}
		*at = h->next;
		head_free(h);
	}
	s->tail = at;
}

/* ---- what is wanted ---- */

static bool is_host(const struct tn_shadow *s, const struct tn_chan *c)
{
	return c->server == tn_host_node_files(s->proc->node);
}

/* The first member of a head; more of them make a union. */
static void want_member(void *arg, struct tn_chan *under, const struct tn_member *m)
{
	struct tn_shadow *s = arg;
	struct head *h = head_of(s, under);

	if (!h) {
		s->no_memory = true;
		return;
	}
	if (h->want.kind == ABSENT && is_host(s, m->to)) {
		h->want = (struct layer){ HOST, m->to->server->instance, m->to->qid.path };
		h->source = tn_chan_get(m->to);
		return;
	}
	h->want = (struct layer){ .kind = FUSE };
	tn_chan_put(h->source);
	h->source = NULL;
}

static bool collect(struct tn_shadow *s)
{
	for (struct head *h = s->heads; h; h = h->next) {
		h->want = (struct layer){ .kind = ABSENT };
		tn_chan_put(h->source);
		h->source = NULL;
		h->reach = NULL;
	}
	s->no_memory = false;
	tn_ns_each(s->proc->ns, want_member, s);
	return !s->no_memory;
}

/* ---- where it is ---- */

static bool leads_to(struct tn_shadow *s, const char *name, const struct head *h)
{
	struct tn_chan *c = name[0] == '/' ? tn_call_walk(s->proc, name, TN_FOR_TARGET) : NULL;
	bool same = c && tn_chan_same(c, h->under);

	tn_chan_put(c);
	return same;
}

static bool find_name(struct tn_shadow *s, struct head *h, const char *const *names, size_t n_names)
{
	h->reach = leads_to(s, h->place, h) ? h->place : NULL;
	for (size_t i = 0; i < n_names && !h->reach; i++)
		h->reach = leads_to(s, names[i], h) ? names[i] : NULL;
	return h->reach != NULL;
}

/* The name that FUSE knows a place by: below a directory that is shown through a hidden name, that one. */
static char *fuse_name(const struct tn_shadow *s, const char *name)
{
	const struct head *best = NULL;
	size_t best_len = 0;
	char *text;

	for (const struct head *h = s->heads; h; h = h->next) {
		size_t len = strlen(h->place);

		if (h->n == 0 || h->layers[h->n - 1].kind != FUSE || len < best_len)
			continue;
		if (strncmp(h->place, name, len) == 0 && name[len] == '/') {
			best = h;
			best_len = len;
		}
	}
	if (!best)
		return strdup(name);
	return asprintf(&text, "/" LAUNCH_HIDDEN "%u%s", best->hidden, name + best_len) < 0 ? NULL
											    : text;
}

/* ---- the difference ---- */

static bool same_layer(const struct layer *a, const struct layer *b)
{
	return a->kind == b->kind && a->instance == b->instance && a->path == b->path;
}

/* How many layers stay: up to the uppermost that is what is wanted; 0: none is, -1: nothing is to be taken away. */
static long layers_to_keep(const struct head *h)
{
	if (h->want.kind == ABSENT || (h->want.kind == FUSE && h->base_is_fuse))
		return 0;
	for (size_t i = h->n; i > 0; i--) {
		if (same_layer(&h->layers[i - 1], &h->want))
			return (long)i;
	}
	return h->n < LAYERS_MAX ? -1 : 0;
}

/*
 * Only a file of the host can lie in a directory that the kernel serves. FUSE is asked for anew each time: what covered
 * its place may have gone.
 */
static bool wants_push(const struct tn_shadow *s, const struct head *h, long keep)
{
	if (h->want.kind == HOST)
		return keep <= 0;
	return h->want.kind == FUSE && keep <= 0 && !(h->n && h->base_is_fuse) &&
	       is_host(s, h->under);
}

static int plan_add(struct plan *p, struct head *h, struct tn_live_op op, char *text)
{
	if (p->n == TN_LIVE_OPS_MAX) {
		free(text);
		return ENOSPC;
	}
	p->texts[p->n] = text;
	p->heads[p->n] = h;
	p->ops[p->n++] = op;
	return 0;
}

static int plan_host(struct plan *p, struct head *h)
{
	char *from = path_text(h->source->path);
	int fd = from ? tn_hostfs_path_fd(h->source) : -1;
	struct tn_live_op op = { .what = TN_LIVE_HOST, .fd = fd, .to = h->reach };
	int error = fd < 0 ? (from ? errno : ENOMEM) : 0;

	if (!error) {
		op.from = from[0] == '/' ? from : NULL;
		error = plan_add(p, h, op, from);
		if (error)
			close(fd);
		return error;
	}
	free(from);
	return error;
}

static int plan_fuse(struct tn_shadow *s, struct plan *p, struct head *h)
{
	struct tn_live_op op = { .what = TN_LIVE_FUSE, .fd = -1, .to = h->reach };
	bool is_new = h->hidden == 0;
	char *from;

	if (is_new)
		h->hidden = ++s->n_hidden;
	if (asprintf(&from, "/" LAUNCH_HIDDEN "%u", h->hidden) < 0)
		return ENOMEM;
	if (is_new &&
	    (launch_fuse_show(s->f, from + 1, h->under) < 0 || launch_fuse_pin(s->f, from) < 0)) {
		free(from);
		return ENOMEM;
	}
	op.from = from;
	return plan_add(p, h, op, from);
}

static int plan_head(struct tn_shadow *s, struct plan *p, struct head *h, const char *const *names,
    size_t n_names)
{
	long keep = layers_to_keep(h);
	bool push = wants_push(s, h, keep);
	int error = 0;

	if ((keep < 0 || (size_t)keep == h->n) && !push)
		return 0;
	if (!find_name(s, h, names, n_names))
		return 0;
	/* FUSE is pushed only where the kernel serves: no name of FUSE's is on the way. */
	if (push && h->want.kind == HOST && !h->pinned) {
		h->pinned = fuse_name(s, h->reach);
		error = h->pinned && launch_fuse_pin(s->f, h->pinned) == 0 ? 0 : ENOMEM;
	}
	for (size_t i = h->n; !error && keep >= 0 && i > (size_t)keep; i--)
		error = plan_add(p, h,
		    (struct tn_live_op){ .what = TN_LIVE_UNMOUNT, .fd = -1, .to = h->reach }, NULL);
	if (!error && push)
		error = h->want.kind == HOST ? plan_host(p, h) : plan_fuse(s, p, h);
	return error;
}

/* ---- what came of it ---- */

static void layer_push(struct head *h, bool was_fuse)
{
	struct layer *more = realloc(h->layers, (h->n + 1) * sizeof(*more));

	if (h->n == 0)
		h->base_is_fuse = was_fuse;
	if (!more)
		return; /* the mount is there and stays; it cannot be undone by a later change */
	h->layers = more;
	h->layers[h->n++] = h->want;
}

static void settle(struct tn_shadow *s, struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct head *h = p->heads[i];

		if (p->ops[i].fd >= 0)
			close(p->ops[i].fd);
		free(p->texts[i]);
		if (!p->ops[i].is_done)
			continue;
		if (p->ops[i].what == TN_LIVE_UNMOUNT)
			h->n--;
		else
			layer_push(h, p->ops[i].was_fuse);
	}
	/* Only now, when no mount lies there any more, may the kernel look at these names again. */
	for (struct head *h = s->heads; h; h = h->next) {
		if (h->n || !h->pinned)
			continue;
		launch_fuse_unpin(s->f, h->pinned);
		free(h->pinned);
		h->pinned = NULL;
	}
}

int tn_shadow_apply(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step)
{
	struct plan *p = calloc(1, sizeof(*p));
	int error = p && collect(s) ? 0 : ENOMEM;
	size_t failed;

	*step = TN_STEP_BIND;
	for (struct head *h = s->heads; !error && h; h = h->next) {
		/* "/" is FUSE's own root; a head below a `#` name has no place in the kernel. */
		if (h->place[0] == '/' && h->place[1])
			error = plan_head(s, p, h, names, n_names);
	}
	while (launch_fuse_is_telling(s->f))
		tn_host_loop_turn(tn_host_loop_core(s->hl));
	if (!error && p->n)
		error = tn_live_run(s->hl, &s->place, p->ops, p->n, step, &failed);
	if (p)
		settle(s, p);
	forget_absent(s);
	free(p);
	return error;
}

size_t tn_shadow_count(const struct tn_shadow *s)
{
	size_t n = 0;

	for (const struct head *h = s->heads; h; h = h->next)
		n += h->n;
	return n;
}

/* ---- the host's root ---- */

/* Directories and plain files; links are FUSE's to show. The name shows it in the name space too, and nothing covers it. */
static bool is_plain_root(struct tn_shadow *s, const char *name)
{
	struct tn_name n = { .proc = s->proc, .want = TN_FOR_ACCESS, .flags = TN_OF_NOFOLLOW };
	struct stat st;
	bool plain;

	if (lstat(name, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
		return false;
	n.name = (struct tn_str){ name, (uint32_t)strlen(name) };
	if (tn_call_name(&n) < 0)
		return false;
	plain = !n.is_mount && is_host(s, n.chan);
	tn_name_fini(&n);
	return plain;
}

int tn_shadow_roots(struct tn_shadow *s, bool (*each)(void *arg, const char *name), void *arg)
{
	DIR *root = opendir("/");
	struct dirent *e;
	int error = root ? 0 : errno;

	while (!error && (e = readdir(root))) {
		char name[NAME_MAX + 2];

		snprintf(name, sizeof(name), "/%s", e->d_name);
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    !is_plain_root(s, name))
			continue;
		if (launch_fuse_pin(s->f, name) < 0 || !each(arg, e->d_name))
			error = ENOMEM;
	}
	if (root)
		closedir(root);
	return error;
}
