/*
 * Names and files of #host, on the loop only. A place is a name in a place; it holds an O_PATH descriptor, which is the
 * file itself whatever becomes of its name. Descriptors are few: those of local files that nobody uses just now are
 * dropped, oldest first, and walked again when needed; another file under the name is then stale, never taken for it.
 */
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LINGERING_MAX 1024

/* ---- hashes ---- */

static uint64_t mix(uint64_t h, uint64_t value)
{
	h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 29);
}

static uint64_t hash_of_ident(const struct hf_ident *id)
{
	return mix(mix(mix(UINT64_C(0x74656e6f6e), id->dev), id->ino), id->gen);
}

static bool same_ident(const struct hf_ident *a, const struct hf_ident *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->gen == b->gen;
}

static struct hf_place **place_bucket(struct hf *hf, const struct hf_place *parent,
    const char *name)
{
	uint64_t h = (uintptr_t)parent;

	for (; *name; name++)
		h = mix(h, (uint8_t)*name);
	return &hf->places[mix(h, 0) % HF_BUCKETS];
}

/* ---- inodes ---- */

struct hf_inode *hf_inode_find(struct hf *hf, const struct hf_ident *id)
{
	struct hf_inode *i = hf->inodes[hash_of_ident(id) % HF_BUCKETS];

	while (i && !same_ident(&i->id, id))
		i = i->next;
	return i;
}

/* The identity's number: its hash, or the first one behind it that no other file we know has. */
static uint64_t number_of(struct hf *hf, const struct hf_ident *id)
{
	uint64_t path = hash_of_ident(id);

	for (;; path++) {
		const struct hf_inode *i = hf->paths[path % HF_BUCKETS];

		while (i && i->qid_path != path)
			i = i->path_next;
		if (!i || same_ident(&i->id, id))
			return path;
	}
}

static void linger_remove(struct hf *hf, struct hf_inode *i)
{
	struct hf_inode **at = &hf->linger_first, *before = NULL;

	while (*at != i) {
		before = *at;
		at = &before->linger_next;
	}
	*at = i->linger_next;
	if (hf->linger_last == i)
		hf->linger_last = before;
	i->lingers = false;
	i->linger_next = NULL;
	hf->n_lingering--;
}

struct hf_inode *hf_inode_get(struct hf_inode *i)
{
	i->refs++;
	return i;
}

struct hf_inode *hf_inode_take(struct hf *hf, const struct hf_meta *m)
{
	struct hf_inode *i = hf_inode_find(hf, &m->id), **bucket;

	if (i) {
		if (i->lingers)
			linger_remove(hf, i);
		return hf_inode_get(i);
	}
	i = tn_alloc(sizeof(*i));
	if (!i)
		return NULL;
	i->id = m->id;
	i->qid_path = number_of(hf, &m->id);
	i->ctime_ns = m->x.stx_ctime.tv_sec * INT64_C(1000000000) + m->x.stx_ctime.tv_nsec;
	i->extra = m->extra;
	i->refs = 1;
	bucket = &hf->inodes[hash_of_ident(&i->id) % HF_BUCKETS];
	i->next = *bucket;
	*bucket = i;
	bucket = &hf->paths[i->qid_path % HF_BUCKETS];
	i->path_next = *bucket;
	*bucket = i;
	hf->n_inodes++;
	return i;
}

static void inode_free(struct hf *hf, struct hf_inode *i)
{
	struct hf_inode **at;

	for (at = &hf->inodes[hash_of_ident(&i->id) % HF_BUCKETS]; *at != i; at = &(*at)->next)
		;
	*at = i->next;
	for (at = &hf->paths[i->qid_path % HF_BUCKETS]; *at != i; at = &(*at)->path_next)
		;
	*at = i->path_next;
	hf->n_inodes--;
	tn_free(i);
}

/* Versions made by `bump` would come again with another content if it were forgotten: the last ones are kept. */
void hf_inode_put(struct hf *hf, struct hf_inode *i)
{
	if (!i || --i->refs > 0)
		return;
	if (i->remembered)
		return;
	if (i->bump == 0) {
		inode_free(hf, i);
		return;
	}
	i->lingers = true;
	if (hf->linger_last)
		hf->linger_last->linger_next = i;
	else
		hf->linger_first = i;
	hf->linger_last = i;
	if (++hf->n_lingering > LINGERING_MAX) {
		struct hf_inode *oldest = hf->linger_first;

		linger_remove(hf, oldest);
		inode_free(hf, oldest);
	}
}

static uint8_t qid_type(uint32_t extra, uint32_t kind)
{
	uint8_t type = (uint8_t)(extra >> 24);

	if (kind == S_IFDIR)
		type |= TN_QTDIR;
	if (kind == S_IFLNK)
		type |= TN_QTSYMLINK;
	return type;
}

struct tn_qid hf_brief_qid(struct hf *hf, const struct hf_meta *m)
{
	const struct hf_inode *i = hf_inode_find(hf, &m->id);

	return (struct tn_qid){ .path = i ? i->qid_path : number_of(hf, &m->id),
		.type = qid_type(i ? i->extra : 0, m->x.stx_mode & S_IFMT) };
}

struct tn_qid hf_qid(struct hf *hf, struct hf_inode *i, const struct hf_meta *m)
{
	int64_t ctime_ns = m->x.stx_ctime.tv_sec * INT64_C(1000000000) + m->x.stx_ctime.tv_nsec;
	uint32_t extra = m->extra;
	struct tn_qid qid = { .version = (uint32_t)mix(0, (uint64_t)ctime_ns) };

	if (!i)
		i = hf_inode_find(hf, &m->id);
	if (i) {
		if (i->ctime_ns != ctime_ns) {
			i->ctime_ns = ctime_ns;
			i->bump = 0;
		}
		qid.version += i->bump;
		extra = i->extra;
	}
	qid.path = i ? i->qid_path : number_of(hf, &m->id);
	qid.type = qid_type(extra, m->x.stx_mode & S_IFMT);
	return qid;
}

/* ---- descriptors ---- */

static void lru_remove(struct hf *hf, struct hf_place *p)
{
	if (!p->lru_prev && !p->lru_next && hf->lru_first != p)
		return;
	if (p->lru_prev)
		p->lru_prev->lru_next = p->lru_next;
	else
		hf->lru_first = p->lru_next;
	if (p->lru_next)
		p->lru_next->lru_prev = p->lru_prev;
	else
		hf->lru_last = p->lru_prev;
	p->lru_prev = p->lru_next = NULL;
}

/* The descriptor may be dropped from now on, if it can be had again. */
static void lru_add(struct hf *hf, struct hf_place *p)
{
	if (p->fd < 0 || p->pins > 0 || p->slow || p->gone || !p->parent)
		return;
	p->lru_prev = hf->lru_last;
	if (hf->lru_last)
		hf->lru_last->lru_next = p;
	else
		hf->lru_first = p;
	hf->lru_last = p;
}

static void fd_close(struct hf *hf, struct hf_place *p)
{
	if (p->fd < 0)
		return;
	close(p->fd);
	p->fd = -1;
	hf->n_held--;
}

bool hf_place_drop(struct hf *hf, unsigned n)
{
	bool any = false;

	for (; n > 0 && hf->lru_first; n--) {
		struct hf_place *p = hf->lru_first;

		lru_remove(hf, p);
		fd_close(hf, p);
		any = true;
	}
	return any;
}

/* Room for one more. */
static void fd_count(struct hf *hf)
{
	if (hf->n_held >= hf->o.held_max)
		hf_place_drop(hf, hf->n_held - hf->o.held_max + 1);
	hf->n_held++;
}

void hf_place_unpin(struct hf *hf, struct hf_place *p)
{
	if (p && --p->pins == 0)
		lru_add(hf, p);
}

static void pin(struct hf *hf, struct hf_place *p)
{
	lru_remove(hf, p);
	p->pins++;
}

/* p's descriptor from its parent's, which is pinned. */
static enum tn_err walk_again(struct hf *hf, struct hf_place *p)
{
	struct hf_meta near = { .id = p->parent->inode->id,
		.slow = p->parent->slow,
		.gen_by = p->parent->gen_by };
	struct hf_found found = { .fd = -1 };
	char path[PATH_MAX];
	bool good;

	if (p->gone)
		return p->removed ? TN_EGONE : TN_ESTALE;
	if (p->followed) {
		good = hf_place_path(p, path, sizeof(path)) > 0 &&
		       hf_follow(hf_place_top(p)->fd, path, &near, true, &found);
	} else {
		good = hf_find(p->parent->fd, p->name, &near, true, &found);
	}
	if (!good)
		return errno == ENOENT || errno == ENOTDIR ? TN_ESTALE
							   : tn_err_of_linux((uint32_t)errno);
	if (!same_ident(&found.meta.id, &p->inode->id)) {
		close(found.fd);
		return TN_ESTALE;
	}
	fd_count(hf);
	p->fd = found.fd;
	return TN_OK;
}

/* The places without a descriptor between p and the next one that has one are stacked up by lru_next, then opened. */
enum tn_err hf_place_pin(struct hf *hf, struct hf_place *p)
{
	struct hf_place *todo = NULL, *at, *held = NULL;
	enum tn_err err = TN_OK;

	if (p->fd >= 0) {
		pin(hf, p);
		return TN_OK;
	}
	for (at = p; at->fd < 0; at = at->parent) {
		at->lru_next = todo;
		todo = at;
	}
	held = at;
	pin(hf, held);
	while (todo) {
		at = todo;
		todo = at->lru_next;
		at->lru_next = NULL;
		if (err)
			continue; /* only the links are undone */
		err = walk_again(hf, at);
		if (err)
			continue;
		pin(hf, at);
		hf_place_unpin(hf, held);
		held = at;
	}
	if (err)
		hf_place_unpin(hf, held);
	return err;
}

/* ---- places ---- */

struct hf_place *hf_place_find(struct hf *hf, const struct hf_place *parent, const char *name)
{
	struct hf_place *p = *place_bucket(hf, parent, name);

	while (p && (p->parent != parent || strcmp(p->name, name) != 0))
		p = p->next;
	return p;
}

static void unhash(struct hf *hf, struct hf_place *p)
{
	struct hf_place **at;

	if (!p->hashed)
		return;
	for (at = place_bucket(hf, p->parent, p->name); *at != p; at = &(*at)->next)
		;
	*at = p->next;
	p->hashed = false;
}

static void hash(struct hf *hf, struct hf_place *p)
{
	struct hf_place **bucket = place_bucket(hf, p->parent, p->name);

	p->next = *bucket;
	*bucket = p;
	p->hashed = true;
}

struct hf_place *hf_place_get(struct hf_place *p)
{
	p->refs++;
	return p;
}

void hf_place_put(struct hf *hf, struct hf_place *p)
{
	while (p && --p->refs == 0) {
		struct hf_place *parent = p->parent;

		tn_assert(p->pins == 0);
		unhash(hf, p);
		lru_remove(hf, p);
		fd_close(hf, p);
		hf_inode_put(hf, p->inode);
		hf->n_places--;
		tn_free(p->name);
		tn_free(p);
		p = parent;
	}
}

void hf_place_lose(struct hf *hf, struct hf_place *p, bool removed)
{
	unhash(hf, p);
	lru_remove(hf, p); /* its descriptor is all there is of it now */
	p->gone = true;
	p->removed = removed;
}

static char *copy(const char *name)
{
	size_t size = strlen(name) + 1;
	char *p = tn_alloc(size);

	return p ? memcpy(p, name, size) : NULL;
}

void hf_place_move(struct hf *hf, struct hf_place *p, struct hf_place *parent, const char *name)
{
	struct hf_place *there = hf_place_find(hf, parent, name), *old = p->parent;
	char *new = copy(name);

	if (there && there != p)
		hf_place_lose(hf, there, true);
	if (!new) {
		hf_place_lose(hf, p, false);
		return;
	}
	unhash(hf, p);
	tn_free(p->name);
	p->name = new;
	p->parent = hf_place_get(parent);
	hf_place_put(hf, old);
	hash(hf, p);
}

static struct hf_place *place_new(struct hf *hf, const char *name, struct hf_found *found)
{
	struct hf_place *p = tn_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->name = copy(name);
	p->inode = p->name ? hf_inode_take(hf, &found->meta) : NULL;
	if (!p->inode) {
		tn_free(p->name);
		tn_free(p);
		return NULL;
	}
	p->refs = 1;
	p->kind = found->meta.x.stx_mode & S_IFMT;
	p->slow = found->meta.slow || hf->o.all_workers;
	p->gen_by = found->meta.gen_by;
	p->followed = found->followed;
	fd_count(hf);
	p->fd = found->fd;
	hf->n_places++;
	return p;
}

struct hf_place *hf_place_root(struct hf *hf, struct hf_found *found)
{
	struct hf_place *p = place_new(hf, "/", found);

	if (!p)
		close(found->fd);
	return p;
}

struct hf_place *hf_place_take(struct hf *hf, struct hf_place *parent, const char *name,
    struct hf_found *found)
{
	struct hf_place *p = hf_place_find(hf, parent, name);

	if (p && same_ident(&p->inode->id, &found->meta.id) && p->followed == found->followed) {
		if (p->fd >= 0) {
			close(found->fd);
		} else {
			fd_count(hf);
			p->fd = found->fd;
		}
		lru_remove(hf, p); /* to the end */
		lru_add(hf, p);
		return hf_place_get(p);
	}
	if (p)
		hf_place_lose(hf, p, false);
	p = place_new(hf, name, found);
	if (!p) {
		close(found->fd);
		return NULL;
	}
	p->slow = p->slow || parent->slow;
	p->parent = hf_place_get(parent);
	hash(hf, p);
	lru_add(hf, p);
	return p;
}

struct hf_place *hf_place_top(struct hf_place *p)
{
	while (p->parent)
		p = p->parent;
	return p;
}

size_t hf_place_path(const struct hf_place *p, char *buf, size_t size)
{
	size_t len = 0, at;

	if (!p->parent) {
		memcpy(buf, ".", 2);
		return 1;
	}
	for (const struct hf_place *q = p; q->parent; q = q->parent)
		len += strlen(q->name) + 1;
	if (len > size)
		return 0;
	at = len;
	for (const struct hf_place *q = p; q->parent; q = q->parent) {
		size_t n = strlen(q->name);

		buf[--at] = q == p ? 0 : '/';
		at -= n;
		memcpy(buf + at, q->name, n);
	}
	return len - 1;
}
