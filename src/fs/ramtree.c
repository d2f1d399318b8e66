/*
 * One hash table for all names of the tree, keyed by (directory, name) with a secret, so that nobody chooses names that
 * collide; each directory has its lines in the order of their serials, found by halving.
 */
#include "fs/ramtree.h"

#include "core/chan.h"
#include "core/mem.h"
#include "fs/hash.h"

enum { BUCKETS_FIRST = 16, PLACES_FIRST = 16, LINES_FIRST = 4 };

/* ---- the table of names ---- */

static struct tn_str name_of(const struct ram_entry *e)
{
	return (struct tn_str){ e->name, e->len };
}

static uint32_t *bucket(const struct ram_tree *t, uint32_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

uint32_t ram_find(const struct ram_tree *t, uint32_t up, struct tn_str name)
{
	uint32_t hash = tn_hash(t->seed, up, name.s, name.len);

	for (uint32_t id = *bucket(t, hash); id != 0; id = ram_entry(t, id)->next) {
		const struct ram_entry *e = ram_entry(t, id);

		if (e->hash == hash && e->up == up && e->len == name.len &&
		    memcmp(e->name, name.s, name.len) == 0)
			return id;
	}
	return 0;
}

/* With more names than buckets: twice as many. Without memory for it chains grow, that is all. */
static void more_buckets(struct ram_tree *t)
{
	uint32_t *old = t->buckets, n_old = t->n_buckets;
	uint32_t *new = tn_alloc((size_t)n_old * 2 * sizeof(*new));

	if (!new)
		return;
	t->buckets = new;
	t->n_buckets = n_old * 2;
	for (uint32_t i = 0; i < n_old; i++) {
		for (uint32_t id = old[i], next; id != 0; id = next) {
			struct ram_entry *e = ram_entry(t, id);
			uint32_t *b = bucket(t, e->hash);

			next = e->next;
			e->next = *b;
			*b = id;
		}
	}
	tn_free(old);
}

static void hash_in(struct ram_tree *t, uint32_t id)
{
	struct ram_entry *e = ram_entry(t, id);
	uint32_t *b;

	if (t->n_hashed >= t->n_buckets && t->n_buckets < UINT32_MAX / 2)
		more_buckets(t);
	e->hash = tn_hash(t->seed, e->up, e->name, e->len);
	b = bucket(t, e->hash);
	e->next = *b;
	*b = id;
	t->n_hashed++;
}

static void hash_out(struct ram_tree *t, uint32_t id)
{
	uint32_t *at = bucket(t, ram_entry(t, id)->hash);

	while (*at != id)
		at = &ram_entry(t, *at)->next;
	*at = ram_entry(t, id)->next;
	t->n_hashed--;
}

/* ---- directories ---- */

/* The index of the first line whose serial is above `serial`. */
static uint32_t line_behind(const struct ram_dir *d, uint64_t serial)
{
	uint32_t low = 0, high = d->used;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (d->lines[mid].serial > serial)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct ram_line *line_of(const struct ram_dir *d, const struct ram_entry *e)
{
	return &d->lines[line_behind(d, e->serial) - 1];
}

/* Makes sure that one more line can be added. */
static bool line_room(struct ram_dir *d)
{
	uint32_t size = d->size ? d->size * 2 : LINES_FIRST;
	struct ram_line *lines;

	if (d->used < d->size)
		return true;
	if (size <= d->size)
		return false;
	lines = tn_realloc(d->lines, d->size * sizeof(*lines), (size_t)size * sizeof(*lines));
	if (!lines)
		return false;
	d->lines = lines;
	d->size = size;
	return true;
}

static void line_add(struct ram_dir *d, uint32_t id, struct ram_entry *e)
{
	e->serial = ++d->serial;
	d->lines[d->used++] = (struct ram_line){ e->serial, id };
	d->live++;
	d->dirs += ram_is_dir(e->node);
}

static void line_remove(struct ram_dir *d, const struct ram_entry *e)
{
	uint32_t kept = 0;

	line_of(d, e)->id = 0;
	d->live--;
	d->dirs -= ram_is_dir(e->node);
	if (d->live >= d->used / 2)
		return;
	for (uint32_t i = 0; i < d->used; i++) {
		if (d->lines[i].id != 0)
			d->lines[kept++] = d->lines[i];
	}
	d->used = kept;
}

uint32_t ram_next(const struct ram_node *node, uint64_t serial)
{
	const struct ram_dir *d = &node->u.dir;

	for (uint32_t i = line_behind(d, serial); i < d->used; i++) {
		if (d->lines[i].id != 0)
			return d->lines[i].id;
	}
	return 0;
}

/* ---- nodes and entries ---- */

static struct ram_dir *dir_of(const struct ram_tree *t, uint32_t id)
{
	return &ram_entry(t, id)->node->u.dir;
}

static void node_put(struct ram_tree *t, struct ram_node *n)
{
	if (--n->refs > 0)
		return;
	if (ram_is_dir(n))
		tn_free(n->u.dir.lines);
	else
		ram_data_resize(&n->u.data, &t->budget, 0);
	ram_xattrs_free(n, &t->budget);
	tn_user_put(n->owner);
	tn_user_put(n->group);
	tn_user_put(n->muid);
	tn_free(n);
}

static struct ram_node *node_new(struct ram_tree *t, uint32_t mode, struct tn_user *owner,
    struct tn_user *group)
{
	struct ram_node *n = tn_alloc(sizeof(*n));

	if (!n)
		return NULL;
	n->mode = mode;
	n->path = ++t->path;
	n->atime_ns = n->mtime_ns = n->ctime_ns = n->btime_ns = tn_time_ns();
	n->owner = tn_user_get(owner);
	n->group = tn_user_get(group);
	n->muid = tn_user_get(owner);
	return n;
}

/* Makes sure that there is a free number. */
static bool place_room(struct ram_tree *t)
{
	uint32_t n = t->n_places ? t->n_places * 2 : PLACES_FIRST;
	struct ram_place *places;

	if (t->first_free != 0)
		return true;
	if (n <= t->n_places)
		return false;
	places = tn_realloc(t->places, t->n_places * sizeof(*places), (size_t)n * sizeof(*places));
	if (!places)
		return false;
	for (uint32_t id = n - 1; id >= t->n_places && id > 0; id--) {
		places[id].next_free = t->first_free;
		t->first_free = id;
	}
	t->places = places;
	t->n_places = n;
	return true;
}

static struct ram_entry *entry_named(struct tn_str name)
{
	struct ram_entry *e = tn_alloc(sizeof(*e) + name.len);

	if (!e)
		return NULL;
	e->len = (uint8_t)name.len;
	memcpy(e->name, name.s, name.len);
	return e;
}

/* A copy of an entry by another name. */
static struct ram_entry *entry_renamed(const struct ram_entry *old, struct tn_str name)
{
	struct ram_entry *e = entry_named(name);

	if (!e)
		return NULL;
	e->refs = old->refs;
	e->up = old->up;
	e->serial = old->serial;
	e->node = old->node;
	e->linked = old->linked;
	return e;
}

static uint32_t place_take(struct ram_tree *t, struct ram_entry *e)
{
	uint32_t id = t->first_free;

	t->first_free = t->places[id].next_free;
	t->places[id].entry = e;
	t->files++;
	return id;
}

enum tn_err ram_link(struct ram_tree *t, uint32_t up, struct tn_str name, struct ram_node *node,
    uint32_t *id)
{
	struct ram_entry *e;

	if (t->files >= t->files_max)
		return TN_ELIMIT_FILES;
	if (node->nlink == UINT32_MAX)
		return TN_EMLINK;
	if (!place_room(t) || !line_room(dir_of(t, up)))
		return TN_ENOMEM;
	e = entry_named(name);
	if (!e)
		return TN_ENOMEM;

	e->refs = 1;
	e->up = up;
	e->node = node;
	e->linked = true;
	node->refs++;
	node->nlink++;
	*id = place_take(t, e);
	ram_hold(t, up);
	line_add(dir_of(t, up), *id, e);
	hash_in(t, *id);
	return TN_OK;
}

enum tn_err ram_make(struct ram_tree *t, uint32_t up, struct tn_str name, uint32_t mode,
    struct tn_user *owner, uint32_t *id)
{
	struct ram_node *n;
	enum tn_err err;

	if (t->files >= t->files_max)
		return TN_ELIMIT_FILES;
	n = node_new(t, mode, owner, ram_entry(t, up)->node->group);
	if (!n)
		return TN_ENOMEM;
	n->refs = 1;
	err = ram_link(t, up, name, n, id);
	node_put(t, n);
	return err;
}

void ram_hold(struct ram_tree *t, uint32_t id)
{
	ram_entry(t, id)->refs++;
}

void ram_drop(struct ram_tree *t, uint32_t id)
{
	struct ram_entry *e;

	/* The root is linked for ever: there it ends. */
	while (--(e = ram_entry(t, id))->refs == 0) {
		uint32_t up = e->up;

		node_put(t, e->node);
		tn_free(e);
		t->places[id] = (struct ram_place){ NULL, t->first_free };
		t->first_free = id;
		t->files--;
		id = up; /* it held its directory */
	}
}

void ram_unlink(struct ram_tree *t, uint32_t id)
{
	struct ram_entry *e = ram_entry(t, id);

	line_remove(dir_of(t, e->up), e);
	hash_out(t, id);
	e->linked = false;
	e->node->nlink--;
	ram_drop(t, id);
}

static void replace(struct ram_tree *t, uint32_t id, struct ram_entry *new)
{
	tn_free(t->places[id].entry);
	t->places[id].entry = new;
}

enum tn_err ram_move(struct ram_tree *t, uint32_t id, uint32_t up, struct tn_str name)
{
	uint32_t old_up = ram_entry(t, id)->up;
	struct ram_entry *e;

	if (up != old_up && !line_room(dir_of(t, up)))
		return TN_ENOMEM;
	e = entry_renamed(ram_entry(t, id), name);
	if (!e)
		return TN_ENOMEM;

	hash_out(t, id);
	replace(t, id, e);
	if (up != old_up) {
		line_remove(dir_of(t, old_up), e);
		line_add(dir_of(t, up), id, e);
		e->up = up;
		ram_hold(t, up);
	}
	hash_in(t, id);
	if (up != old_up)
		ram_drop(t, old_up);
	return TN_OK;
}

enum tn_err ram_exchange(struct ram_tree *t, uint32_t a, uint32_t b)
{
	struct ram_entry *old_a = ram_entry(t, a), *old_b = ram_entry(t, b);
	struct ram_entry *new_a = entry_renamed(old_a, name_of(old_b));
	struct ram_entry *new_b = entry_renamed(old_b, name_of(old_a));

	if (!new_a || !new_b) {
		tn_free(new_a);
		tn_free(new_b);
		return TN_ENOMEM;
	}

	hash_out(t, a);
	hash_out(t, b);
	line_of(dir_of(t, old_a->up), old_a)->id = b;
	line_of(dir_of(t, old_b->up), old_b)->id = a;
	dir_of(t, old_a->up)->dirs += (uint32_t)ram_is_dir(old_b->node) - ram_is_dir(old_a->node);
	dir_of(t, old_b->up)->dirs += (uint32_t)ram_is_dir(old_a->node) - ram_is_dir(old_b->node);
	new_a->up = old_b->up;
	new_b->up = old_a->up;
	new_a->serial = old_b->serial;
	new_b->serial = old_a->serial;
	replace(t, a, new_a);
	replace(t, b, new_b);
	hash_in(t, a);
	hash_in(t, b);
	return TN_OK;
}

bool ram_is_below(const struct ram_tree *t, uint32_t id, uint32_t top)
{
	while (id != top && id != RAM_ROOT)
		id = ram_entry(t, id)->up;
	return id == top;
}

/* ---- the tree ---- */

enum tn_err ram_tree_init(struct ram_tree *t, struct tn_user *owner, uint32_t mode)
{
	struct ram_entry *e = entry_named(TN_STR("/"));
	struct ram_node *n = e ? node_new(t, TN_DMDIR | mode, owner, owner) : NULL;

	t->buckets = n ? tn_alloc(BUCKETS_FIRST * sizeof(*t->buckets)) : NULL;
	if (!t->buckets || !place_room(t)) {
		tn_free(t->buckets);
		tn_free(e);
		if (n) {
			n->refs = 1;
			node_put(t, n);
		}
		return TN_ENOMEM;
	}

	tn_random(t->seed, sizeof(t->seed));
	t->n_buckets = BUCKETS_FIRST;
	n->refs = n->nlink = 1;
	e->refs = 1;
	e->node = n;
	e->linked = true;
	e->up = place_take(t, e);
	tn_assert(e->up == RAM_ROOT);
	t->files = 0; /* the root is nobody's */
	return TN_OK;
}

void ram_tree_fini(struct ram_tree *t)
{
	for (uint32_t id = 1; id < t->n_places; id++) {
		if (t->places[id].entry) {
			node_put(t, t->places[id].entry->node);
			tn_free(t->places[id].entry);
		}
	}
	tn_free(t->places);
	tn_free(t->buckets);
}
