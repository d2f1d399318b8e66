/*
 * A head goes by its file, a mount of the kernel's by a name in another mount. So a head has a place wherever the file can
 * be named: in each mount of its file system that shows a directory above it, and on the root of a mount of the host's that
 * is the file itself; but not on the root of one that shows it because it is bound there, for crossing happens once. Where
 * FUSE serves the name there is one more place, by FUSE's name. At a place lies a layer, which is replaced so that the name
 * is never without one: the new one is put beneath it, or on kernels before 6.5 on top, and then there is a stack of them.
 */
#include "host/posix/hostfs.h"
#include "launch/shadow_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Of a place whose bind is replaced again and again (before 6.5): then all go, and for a moment what lies below is
	 * seen. */
	LAYERS_MAX = 16,
	/* Mounts of ours, before no more are made at the further names of a file. */
	MOUNTS_MAX = 4096
};

#define DELETED      " (deleted)" /* behind the name of a descriptor, proc(5) */
#define DELETED_ROOT "//deleted"  /* behind a root in mountinfo */

/* ---- spots ---- */

static void spot_free(struct shadow_spot *spot)
{
	free(spot->path);
	*spot = (struct shadow_spot){ 0 };
}

static bool mount_id(int fd, uint32_t *id)
{
	char name[64], line[128];
	bool found = false;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	f = fopen(name, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "mnt_id: %u", id) == 1;
	if (f)
		fclose(f);
	return found;
}

/* Cuts the mark off the name of a file that has lost it, unless that is its name. */
static bool cut_deleted(int fd, char *name)
{
	size_t len = strlen(name), mark = sizeof(DELETED) - 1;
	struct stat named, is;

	if (len < mark || strcmp(name + len - mark, DELETED) != 0)
		return false;
	if (lstat(name, &named) == 0 && fstat(fd, &is) == 0 && named.st_dev == is.st_dev &&
	    named.st_ino == is.st_ino)
		return false;
	name[len - mark] = '\0';
	return true;
}

static bool spot_of_fd(const struct tn_kmounts *outside, int fd, struct shadow_spot *spot)
{
	char link[64], name[4096];
	const struct tn_kmount *m;
	const char *below;
	uint32_t id;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name) - sizeof(DELETED_ROOT));
	if (len <= 0 || len >= (ssize_t)(sizeof(name) - sizeof(DELETED_ROOT)) || !mount_id(fd, &id))
		return false;
	name[len] = '\0';
	spot->is_removed = cut_deleted(fd, name);
	if (spot->is_removed)
		strcat(name, DELETED_ROOT);
	m = tn_kmounts_find(outside, id);
	below = m ? tn_name_below(name, m->at) : NULL;
	if (!below)
		return false;
	spot->dev = m->dev;
	spot->path = tn_name_join(m->root, below);
	return spot->path != NULL;
}

static bool spot_of(const struct tn_kmounts *outside, const struct tn_chan *c,
    struct shadow_spot *spot)
{
	int fd = tn_hostfs_path_fd(c);
	bool ok;

	*spot = (struct shadow_spot){ 0 };
	if (fd < 0)
		return false;
	ok = spot_of_fd(outside, fd, spot);
	close(fd);
	return ok;
}

char *shadow_hidden_name(unsigned number)
{
	char *name;

	return asprintf(&name, "/" LAUNCH_HIDDEN "%u", number) < 0 ? NULL : name;
}

char *shadow_fuse_name(const struct tn_shadow *s, const char *name)
{
	const struct tn_kmount *m = tn_kmounts_around(&s->inside, name), *on;

	if (!m || m->dev != s->place.device)
		return NULL;
	/* What the root was built with: the kernel's, though its name is FUSE's. */
	on = tn_kmounts_on(&s->inside, m, name);
	return on && !on->owner ? NULL : tn_name_join(m->root, tn_name_below(name, m->at));
}

/* ---- whose mounts ---- */

/* Is the file `below` in m the one at the spot? */
static bool is_at(const struct shadow_spot *spot, const struct tn_kmount *m, const char *below)
{
	const char *rest = spot->path && spot->dev == m->dev ? tn_name_below(spot->path, m->root)
							     : NULL;

	return rest && strcmp(rest, below) == 0;
}

static struct shadow_spot fuse_spot(const struct tn_shadow *s, const struct shadow_head *h)
{
	return (struct shadow_spot){ .dev = s->place.device, .path = h->pinned };
}

static struct shadow_head *head_at(const struct tn_shadow *s, const struct tn_kmount *m,
    const char *name)
{
	const char *below = tn_name_below(name, m->at);

	for (struct shadow_head *h = s->heads; below && h; h = h->next) {
		struct shadow_spot fuse = fuse_spot(s, h);

		if (is_at(&h->under_spot, m, below) || is_at(&fuse, m, below))
			return h;
	}
	return NULL;
}

static void find_owners(struct tn_shadow *s)
{
	s->n_mounts = 0;
	for (size_t i = 0; i < s->inside.n; i++) {
		struct tn_kmount *m = &s->inside.m[i];
		struct shadow_head *h;

		if (!m->parent)
			continue;
		if (m->parent->owner && strcmp(m->parent->at, m->at) == 0)
			h = m->parent->owner; /* one more layer */
		else
			h = head_at(s, m->parent, m->at);
		m->owner = h;
		if (!h)
			continue;
		h->n_mounts++;
		h->n_pinned += m->parent->dev == s->place.device;
		s->n_mounts++;
	}
}

void shadow_look_away(struct tn_shadow *s)
{
	for (struct shadow_head *h = s->heads; h; h = h->next) {
		spot_free(&h->under_spot);
		spot_free(&h->source_spot);
		spot_free(&h->hidden_spot);
	}
	tn_kmounts_free(&s->outside);
	tn_kmounts_free(&s->inside);
}

int shadow_look(struct tn_shadow *s)
{
	pid_t pid = tn_live_someone(&s->place);
	int error = pid ? tn_kmounts_read(&s->inside, pid) : ESRCH;

	if (!error)
		error = tn_kmounts_read(&s->outside, 0);
	if (error)
		return error;
	for (struct shadow_head *h = s->heads; h; h = h->next) {
		h->n_mounts = h->n_pinned = 0;
		spot_of(&s->outside, h->under, &h->under_spot);
		if (h->want == SHADOW_HOST)
			spot_of(&s->outside, h->source, &h->source_spot);
		if (h->hidden)
			h->hidden_spot = (struct shadow_spot){ .dev = s->place.device,
				.path = shadow_hidden_name(h->hidden) };
	}
	find_owners(s);
	return 0;
}

/* ---- the difference at one place ---- */

static struct tn_live_op *add_op(struct shadow_plan *p, struct shadow_head *h,
    enum tn_live_what what, const char *to, uint32_t top)
{
	char *text;

	if (p->n == TN_LIVE_OPS_MAX) {
		p->is_full = true;
		return NULL;
	}
	text = strdup(to);
	if (!text) {
		p->no_memory = true;
		return NULL;
	}
	p->texts[p->n][0] = text;
	p->texts[p->n][1] = NULL;
	p->heads[p->n] = h;
	p->ops[p->n] = (struct tn_live_op){ .what = what, .fd = -1, .to = text, .top = top };
	return &p->ops[p->n++];
}

static void push_host(struct shadow_plan *p, struct shadow_head *h, const char *to,
    const struct tn_kmount *top, bool replace)
{
	struct tn_live_op *op = add_op(p, h, TN_LIVE_HOST, to, top->id);

	if (!op)
		return;
	op->fd = tn_hostfs_path_fd(h->source);
	op->replace = replace;
}

static void push_fuse(struct tn_shadow *s, struct shadow_plan *p, struct shadow_head *h,
    const char *to, const struct tn_kmount *top, bool replace)
{
	bool is_new = h->hidden == 0;
	unsigned number = is_new ? s->n_hidden + 1 : h->hidden;
	char *name = shadow_hidden_name(number);
	struct tn_live_op *op;

	if (name && is_new && launch_fuse_show(s->f, name + 1, h->under) == 0) {
		h->hidden = s->n_hidden = number;
		is_new = false;
		if (launch_fuse_pin(s->f, name) < 0)
			p->no_memory = true;
	}
	op = name && !is_new ? add_op(p, h, TN_LIVE_FUSE, to, top->id) : NULL;
	if (!op) {
		p->no_memory = p->no_memory || !p->is_full;
		free(name);
		return;
	}
	op->from = p->texts[p->n - 1][1] = name;
	op->replace = replace;
}

/*
 * What the kernel is to show at a place: what the head is to be; but FUSE shows by itself what it serves, and a source that
 * the host has removed can only be shown by FUSE, unless it is still mounted.
 */
static enum shadow_kind want_at(const struct tn_shadow *s, const struct shadow_head *h,
    const struct tn_kmount *m, bool is_there)
{
	bool is_lost = h->want == SHADOW_HOST && !is_there &&
		       (!h->source_spot.path || h->source_spot.is_removed);

	if (m->dev == s->place.device)
		return h->want == SHADOW_HOST && !is_lost && !h->has_moved ? SHADOW_HOST
									   : SHADOW_ABSENT;
	return is_lost ? SHADOW_FUSE : h->want;
}

static bool shows(const struct tn_kmount *layer, const struct shadow_spot *spot)
{
	return spot->path && layer->dev == spot->dev && strcmp(layer->root, spot->path) == 0;
}

/* How many of the layers, from the lowest up, there are up to the uppermost that shows the spot; 0: none does. */
static size_t shown_by(struct tn_kmount *const *layers, size_t n, const struct shadow_spot *spot)
{
	while (n > 0 && !shows(layers[n - 1], spot))
		n--;
	return n;
}

/* What is wanted is to be seen at `name` in m. */
static void plan_place(struct tn_shadow *s, struct shadow_plan *p, struct shadow_head *h,
    struct tn_kmount *m, const char *name)
{
	struct tn_kmount *layers[2 * LAYERS_MAX];
	enum shadow_kind want;
	size_t n = 0, keep = 0;

	for (struct tn_kmount *x = tn_kmounts_on(&s->inside, m, name); x && n < TN_COUNT(layers);
	     x = tn_kmounts_on(&s->inside, x, x->at))
		layers[n++] = x;
	want = want_at(s, h, m, shown_by(layers, n, &h->source_spot) > 0);
	if (want != SHADOW_ABSENT)
		keep = shown_by(layers, n, want == SHADOW_HOST ? &h->source_spot : &h->hidden_spot);
	if (want != SHADOW_ABSENT && keep == 0 && n < LAYERS_MAX) {
		if (s->n_mounts > MOUNTS_MAX && !h->is_changed)
			return;
		if (want == SHADOW_HOST)
			push_host(p, h, name, n ? layers[n - 1] : m, n > 0);
		else
			push_fuse(s, p, h, name, n ? layers[n - 1] : m, n > 0);
		return;
	}
	for (; n > keep; n--) /* without a push: what is below comes in the next round */
		add_op(p, h, TN_LIVE_UNMOUNT, name, layers[n - 1]->id);
}

/* ---- places ---- */

/* m is shown, or lies in what is shown, by a mount of the head's: its own file in there is not covered once more. */
static bool is_inside_own(const struct tn_kmount *m, const struct shadow_head *h)
{
	while (m && m->owner != h)
		m = m->parent;
	return m != NULL;
}

static void plan_spot(struct tn_shadow *s, struct shadow_plan *p, struct shadow_head *h,
    const struct shadow_spot *spot)
{
	for (size_t i = 0; spot->path && !spot->is_removed && i < s->inside.n; i++) {
		struct tn_kmount *m = &s->inside.m[i];
		const char *below = m->dev == spot->dev ? tn_name_below(spot->path, m->root) : NULL;
		char *name;

		if (!below || (!below[0] && m->owner) || is_inside_own(m, h))
			continue;
		name = tn_name_join(m->at, below);
		if (!name)
			p->no_memory = true;
		else if (strncmp(name, "/" LAUNCH_HIDDEN, sizeof(LAUNCH_HIDDEN)) != 0 &&
			 tn_kmounts_is_seen(&s->inside, m, name))
			plan_place(s, p, h, m, name);
		free(name);
	}
}

void shadow_plan(struct tn_shadow *s, struct shadow_plan *p)
{
	for (struct shadow_head *h = s->heads; h && !p->is_full; h = h->next) {
		struct shadow_spot fuse = fuse_spot(s, h);

		plan_spot(s, p, h, &h->under_spot);
		plan_spot(s, p, h, &fuse);
	}
}
