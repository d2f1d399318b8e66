/*
 * What is wanted is collected from the mount table. Then rounds: the kernel's tables are read, each head's places are held
 * against them (plan.c), and the difference goes to one child (live.h). What a round did may make places, or take away the
 * mounts of others: so there is another round until nothing is left to do. Nothing of the kernel's is believed to be as it
 * was: the host may have removed a directory, and with it what was mounted there.
 */
#include "launch/shadow.h"

#include "host/posix/hostfs.h"
#include "host/posix/node.h"
#include "launch/shadow_in.h"
#include "lib/call.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS_MAX = 16 };

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

static void head_free(struct shadow_head *h)
{
	tn_chan_put(h->under);
	tn_chan_put(h->source);
	free(h->place);
	free(h->pinned);
	free(h->at);
	free(h);
}

void tn_shadow_free(struct tn_shadow *s)
{
	while (s && s->heads) {
		struct shadow_head *next = s->heads->next;

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

static struct shadow_head *head_of(struct tn_shadow *s, struct tn_chan *under)
{
	struct shadow_head *h;

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

static void unpin(struct tn_shadow *s, struct shadow_head *h)
{
	if (!h->pinned)
		return;
	launch_fuse_unpin(s->f, h->pinned);
	free(h->pinned);
	free(h->at);
	h->pinned = h->at = NULL;
	h->has_moved = false;
}

/* The head is no more, and the kernel has no mount of it. */
static void head_end(struct tn_shadow *s, struct shadow_head *h)
{
	char *name = h->hidden ? shadow_hidden_name(h->hidden) : NULL;

	if (name) {
		launch_fuse_unpin(s->f, name);
		launch_fuse_hide(s->f, name + 1);
	}
	free(name);
	unpin(s, h);
	head_free(h);
}

/* Only when no mount lies there any more may the kernel look at these names again. */
static void forget_absent(struct tn_shadow *s)
{
	struct shadow_head **at = &s->heads;

	while (*at) {
		struct shadow_head *h = *at;

		if (h->n_pinned == 0 && (h->want != SHADOW_HOST || h->has_moved))
			unpin(s, h);
		if (h->n_mounts || h->want != SHADOW_ABSENT) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		head_end(s, h);
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
	struct shadow_head *h = head_of(s, under);

	if (!h) {
		s->no_memory = true;
		return;
	}
	if (h->want == SHADOW_ABSENT && is_host(s, m->to)) {
		h->want = SHADOW_HOST;
		h->source = tn_chan_get(m->to);
		return;
	}
	h->want = SHADOW_FUSE;
	tn_chan_put(h->source);
	h->source = NULL;
}

static bool is_same_want(enum shadow_kind kind, const struct tn_chan *source,
    const struct shadow_head *h)
{
	return kind == h->want && (kind != SHADOW_HOST || tn_chan_same(source, h->source));
}

struct wish {
	enum shadow_kind kind;
	struct tn_chan *source;
};

/* What each head is to be; is_changed says which are to be another thing than before. */
static bool collect(struct tn_shadow *s)
{
	struct shadow_head *h;
	struct wish *old;
	size_t n = 0, i = 0;

	for (h = s->heads; h; h = h->next)
		n++;
	old = calloc(n + 1, sizeof(*old));
	if (!old)
		return false;
	for (h = s->heads; h; h = h->next) {
		old[i++] = (struct wish){ h->want, h->source };
		h->want = SHADOW_ABSENT;
		h->source = NULL;
	}
	s->no_memory = false;
	tn_ns_each(s->proc->ns, want_member, s);
	i = 0;
	for (h = s->heads; h; h = h->next, i++) {
		h->is_changed = i >= n || !is_same_want(old[i].kind, old[i].source, h);
		if (i < n)
			tn_chan_put(old[i].source);
	}
	free(old);
	return !s->no_memory;
}

/* ---- what the host has removed ---- */

static bool is_removed(const struct tn_chan *c)
{
	int fd = tn_hostfs_path_fd(c);
	struct stat st;
	bool removed = fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;

	if (fd >= 0)
		close(fd);
	return removed;
}

void tn_shadow_prune(struct tn_shadow *s)
{
	struct tn_chan *under;
	struct tn_members *list;
	uint64_t serial = 0;

	while ((list = tn_ns_head_after(s->proc->ns, &serial, &under))) {
		if (is_host(s, under) && is_removed(under))
			tn_ns_unmount(s->proc->ns, under, NULL);
		tn_members_put(list);
	}
}

/* ---- where FUSE serves it ---- */

/* The name, free of symbolic links, if it leads to the head now; for free(). */
static char *leads_to(struct tn_shadow *s, const char *name, const struct shadow_head *h)
{
	struct tn_chan *c = name[0] == '/' ? tn_call_walk(s->proc, name, TN_FOR_TARGET) : NULL;
	char *text = c && tn_chan_same(c, h->under) ? path_text(c->path) : NULL;

	tn_chan_put(c);
	return text;
}

static char *find_name(struct tn_shadow *s, const struct shadow_head *h, const char *const *names,
    size_t n_names)
{
	char *found = leads_to(s, h->place, h);

	for (size_t i = 0; i < n_names && !found; i++)
		found = leads_to(s, names[i], h);
	return found;
}

/* Another head had the name, and its file another name by now: what is mounted there is this one's. */
static void take_name(struct tn_shadow *s, const char *pinned)
{
	for (struct shadow_head *h = s->heads; h; h = h->next) {
		if (h->pinned && strcmp(h->pinned, pinned) == 0)
			unpin(s, h);
	}
}

/* The name in FUSE by which a head that the kernel is to serve is mounted upon, while it is. */
static bool pin_heads(struct tn_shadow *s, const char *const *names, size_t n_names)
{
	for (struct shadow_head *h = s->heads; h; h = h->next) {
		char *name, *pinned;

		/* "/" is FUSE's own root; a head below a `#` name has no place in the kernel. */
		if (h->want != SHADOW_HOST || h->pinned || (h->n_mounts && !h->is_changed) ||
		    h->place[0] != '/' || !h->place[1])
			continue;
		name = find_name(s, h, names, n_names);
		pinned = name ? shadow_fuse_name(s, name) : NULL;
		if (!pinned) {
			free(name);
			continue;
		}
		if (launch_fuse_pin(s->f, pinned) < 0) {
			free(name);
			free(pinned);
			return false;
		}
		take_name(s, pinned);
		h->at = name;
		h->pinned = pinned;
	}
	return true;
}

/*
 * The host may have renamed a file that is mounted upon in a union: the kernel's mount there goes. Of a server elsewhere it
 * is not asked, for its answer may take long: there the mount stays at the old name until it is unmounted.
 */
static void find_moved(struct tn_shadow *s)
{
	for (struct shadow_head *h = s->heads; h; h = h->next) {
		char *name = h->pinned && is_host(s, h->under) ? leads_to(s, h->at, h) : NULL;

		h->has_moved = h->pinned && is_host(s, h->under) && !name;
		free(name);
	}
}

/* ---- rounds ---- */

/* The error of a head that the change was about; others are tried again at the next change. */
static int settle(struct shadow_plan *p, enum tn_step *step, bool *did)
{
	int error = p->no_memory ? ENOMEM : 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->ops[i].fd >= 0)
			close(p->ops[i].fd);
		free(p->texts[i][0]);
		free(p->texts[i][1]);
		*did = *did || p->ops[i].is_done;
		if (error || !p->ops[i].error || !p->heads[i]->is_changed)
			continue;
		error = p->ops[i].error;
		*step = p->ops[i].step;
	}
	return error;
}

/* What is to be done for the change and could not be is in *failed. */
static int apply_round(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step, bool *did, int *failed)
{
	struct shadow_plan *p = calloc(1, sizeof(*p));
	int error = p ? shadow_look(s) : ENOMEM;

	*did = false;
	*failed = 0;
	if (!error && !pin_heads(s, names, n_names))
		error = ENOMEM;
	if (!error)
		shadow_plan(s, p);
	while (launch_fuse_is_telling(s->f))
		tn_host_loop_turn(tn_host_loop_core(s->hl));
	if (!error && p->n)
		error = tn_live_run(s->hl, &s->place, p->ops, p->n, step);
	if (p)
		*failed = settle(p, step, did);
	shadow_look_away(s);
	free(p);
	return error;
}

/* A failure counts when the last round ends with it: what one operation did may be why another one was in vain. */
int tn_shadow_apply(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step)
{
	int error = collect(s) ? 0 : ENOMEM, failed = 0;
	bool did = true;

	*step = TN_STEP_BIND;
	find_moved(s);
	for (int i = 0; !error && did && i < ROUNDS_MAX; i++) {
		error = apply_round(s, names, n_names, step, &did, &failed);
		if (error == ESRCH && i > 0)
			return 0; /* the change was the last thing that somebody waited for inside */
	}
	if (!error)
		error = failed;
	if (!error)
		forget_absent(s);
	return error;
}

size_t tn_shadow_count(const struct tn_shadow *s)
{
	return s->n_mounts;
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
