/*
 * The mount table: identity of a file -> head, in a hash table with open addressing. Heads and the arrays of their
 * members never change; a change puts another head in the slot. Tables are counted and shared by forks: whoever wants
 * to change one that others hold too makes a copy of the pointers first.
 */
#include "core/ns.h"

#include "core/mem.h"
#include "core/server.h"

enum { MOUNTS_MAX = 4096, UNION_MAX = 256, SLOTS_MIN = 8 };

/* Mounted upon one file. Immutable, counted. */
struct head {
	uint32_t refs;
	uint64_t serial; /* the same for as long as something is mounted here */
	struct tn_chan *from;
	struct tn_members *members; /* at least one */
};

struct tn_ns_table {
	uint32_t refs;
	uint32_t n_heads, n_members;
	uint32_t size; /* of slot: a power of two, at most 3/4 full */
	struct head *slot[];
};

struct tn_ns {
	uint32_t refs;
	bool forbids;
	struct tn_ns_limits limits;
	struct tn_ns_table *table; /* NULL: empty */
	uint64_t last_id, last_serial, version;
};

/* An attach name, shared by the members that show it. */
struct spec {
	uint32_t refs;
	char text[];
};

/* ---- attach names ---- */

static struct spec *spec_of(const char *text)
{
	return (struct spec *)(uintptr_t)(text - offsetof(struct spec, text));
}

static const char *spec_new(const char *text)
{
	size_t len = tn_strlen(text);
	struct spec *s = tn_alloc(sizeof(*s) + len + 1);

	if (!s)
		return NULL;
	s->refs = 1;
	memcpy(s->text, text, len);
	return s->text;
}

static const char *spec_get(const char *text)
{
	if (text)
		tn_count_up(&spec_of(text)->refs);
	return text;
}

static void spec_put(const char *text)
{
	if (text && tn_count_down(&spec_of(text)->refs) == 0)
		tn_free(spec_of(text));
}

/* ---- members and heads ---- */

static struct tn_members *members_new(uint32_t n)
{
	struct tn_members *list = tn_alloc(sizeof(*list) + n * sizeof(list->m[0]));

	if (!list)
		return NULL;
	list->refs = 1;
	list->n = n;
	return list;
}

struct tn_members *tn_members_get(struct tn_members *list)
{
	tn_count_up(&list->refs);
	return list;
}

void tn_members_put(struct tn_members *list)
{
	if (!list || tn_count_down(&list->refs) > 0)
		return;
	for (uint32_t i = 0; i < list->n; i++) {
		tn_chan_put(list->m[i].to);
		spec_put(list->m[i].spec);
	}
	tn_free(list);
}

static void member_copy(struct tn_member *to, const struct tn_member *from)
{
	*to = *from;
	tn_chan_get(to->to);
	spec_get(to->spec);
}

/* Takes the members. NULL: no memory, they are the caller's still. */
static struct head *head_new(struct tn_chan *from, uint64_t serial, struct tn_members *members)
{
	struct head *h = tn_alloc(sizeof(*h));

	if (!h)
		return NULL;
	h->refs = 1;
	h->serial = serial;
	h->from = tn_chan_get(from);
	h->members = members;
	return h;
}

static void head_put(struct head *h)
{
	if (!h || tn_count_down(&h->refs) > 0)
		return;
	tn_chan_put(h->from);
	tn_members_put(h->members);
	tn_free(h);
}

/* ---- the table ---- */

static struct tn_ns_table *table_new(uint32_t size)
{
	struct tn_ns_table *t = tn_alloc(sizeof(*t) + size * sizeof(struct head *));

	if (!t)
		return NULL;
	t->refs = 1;
	t->size = size;
	return t;
}

void tn_ns_table_put(struct tn_ns_table *t)
{
	if (!t || tn_count_down(&t->refs) > 0)
		return;
	for (uint32_t i = 0; i < t->size; i++)
		head_put(t->slot[i]);
	tn_free(t);
}

static uint32_t first_slot(const struct tn_ns_table *t, const struct tn_server *s, uint64_t path)
{
	uint64_t h = (path + s->instance * UINT64_C(0x9e3779b97f4a7c15)) *
		     UINT64_C(0xff51afd7ed558ccd);

	return (uint32_t)(h >> 32) & (t->size - 1);
}

/* Where the head of this file is, or the free slot where it belongs. */
static uint32_t slot_of(const struct tn_ns_table *t, const struct tn_server *s, uint64_t path)
{
	uint32_t i = first_slot(t, s, path);

	while (t->slot[i] && (t->slot[i]->from->server != s || t->slot[i]->from->qid.path != path))
		i = (i + 1) & (t->size - 1);
	return i;
}

static struct head *find(const struct tn_ns_table *t, const struct tn_server *s, uint64_t path)
{
	return t ? t->slot[slot_of(t, s, path)] : NULL;
}

static uint32_t home_slot(const struct tn_ns_table *t, uint32_t i)
{
	return first_slot(t, t->slot[i]->from->server, t->slot[i]->from->qid.path);
}

static struct tn_ns_table *table_copy(const struct tn_ns_table *old, uint32_t size)
{
	struct tn_ns_table *t = table_new(size);

	for (uint32_t i = 0; t && old && i < old->size; i++) {
		struct head *h = old->slot[i];

		if (!h)
			continue;
		tn_count_up(&h->refs);
		t->slot[slot_of(t, h->from->server, h->from->qid.path)] = h;
	}
	if (t && old) {
		t->n_heads = old->n_heads;
		t->n_members = old->n_members;
	}
	return t;
}

/* Makes the table the name space's own, with room for one more head. false: no memory, nothing has changed. */
static bool make_writable(struct tn_ns *ns)
{
	struct tn_ns_table *old = ns->table, *t;
	uint32_t size = old ? old->size : SLOTS_MIN;

	if (old && (old->n_heads + 1) * 4 > size * 3)
		size *= 2;
	if (old && size == old->size && tn_count_read(&old->refs) == 1)
		return true;
	t = table_copy(old, size);
	if (!t)
		return false;
	ns->table = t;
	tn_ns_table_put(old);
	return true;
}

/* Puts h, which is taken, in the place of the head of the same file. The table is writable. */
static void table_set(struct tn_ns_table *t, struct head *h)
{
	uint32_t i = slot_of(t, h->from->server, h->from->qid.path);
	struct head *old = t->slot[i];

	t->slot[i] = h;
	t->n_members += h->members->n;
	if (old) {
		t->n_members -= old->members->n;
		head_put(old);
	} else {
		t->n_heads++;
	}
}

/* Takes h out and moves up those behind it that would not be found any more. The table is writable. */
static void table_remove(struct tn_ns_table *t, struct head *h)
{
	uint32_t mask = t->size - 1;
	uint32_t hole = slot_of(t, h->from->server, h->from->qid.path);

	t->slot[hole] = NULL;
	t->n_heads--;
	t->n_members -= h->members->n;
	for (uint32_t i = (hole + 1) & mask; t->slot[i]; i = (i + 1) & mask) {
		if (((i - home_slot(t, i)) & mask) < ((i - hole) & mask))
			continue;
		t->slot[hole] = t->slot[i];
		t->slot[i] = NULL;
		hole = i;
	}
	head_put(h);
}

/* ---- name spaces ---- */

struct tn_ns *tn_ns_empty(const struct tn_ns_limits *limits)
{
	struct tn_ns *ns = tn_alloc(sizeof(*ns));

	if (!ns)
		return NULL;
	ns->refs = 1;
	if (limits)
		ns->limits = *limits;
	if (ns->limits.mounts_max == 0)
		ns->limits.mounts_max = MOUNTS_MAX;
	if (ns->limits.union_max == 0)
		ns->limits.union_max = UNION_MAX;
	return ns;
}

struct tn_ns *tn_ns_copy(struct tn_ns *ns)
{
	struct tn_ns *new = tn_alloc(sizeof(*new));

	if (!new)
		return NULL;
	*new = *ns;
	new->refs = 1;
	if (new->table)
		tn_count_up(&new->table->refs);
	return new;
}

struct tn_ns *tn_ns_clean(struct tn_ns *ns)
{
	struct tn_ns *new = tn_ns_empty(&ns->limits);

	if (new)
		new->forbids = ns->forbids;
	return new;
}

struct tn_ns *tn_ns_get(struct tn_ns *ns)
{
	tn_count_up(&ns->refs);
	return ns;
}

void tn_ns_put(struct tn_ns *ns)
{
	if (!ns || tn_count_down(&ns->refs) > 0)
		return;
	tn_ns_table_put(ns->table);
	tn_free(ns);
}

void tn_ns_clear(struct tn_ns *ns)
{
	struct tn_ns_table *old = ns->table;

	ns->table = NULL;
	ns->version++;
	tn_ns_table_put(old);
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void tn_ns_become(struct tn_ns *ns, const struct tn_ns *from)
{
	struct tn_ns_table *old = ns->table;

	if (from->table)
		tn_count_up(&from->table->refs);
	ns->table = from->table;
	ns->forbids |= from->forbids;
	/* Numbers that were given are not given anew, whatever `from` was made of. */
	ns->last_id = later_of(ns->last_id, from->last_id);
	ns->last_serial = later_of(ns->last_serial, from->last_serial);
	ns->version++;
	tn_ns_table_put(old);
}

void tn_ns_forbid(struct tn_ns *ns)
{
	ns->forbids = true;
}

bool tn_ns_forbids(const struct tn_ns *ns)
{
	return ns->forbids;
}

uint64_t tn_ns_version(const struct tn_ns *ns)
{
	return ns->version;
}

/* ---- looking up ---- */

struct tn_members *tn_ns_find_at(struct tn_ns *ns, const struct tn_server *server, uint64_t path,
    struct tn_chan **under, uint64_t *serial)
{
	struct head *h = find(ns->table, server, path);

	if (!h)
		return NULL;
	if (under)
		*under = h->from;
	if (serial)
		*serial = h->serial;
	return tn_members_get(h->members);
}

struct tn_members *tn_ns_find(struct tn_ns *ns, const struct tn_chan *c, struct tn_chan **under)
{
	return tn_ns_find_at(ns, c->server, c->qid.path, under, NULL);
}

struct tn_members *tn_ns_head_after(struct tn_ns *ns, uint64_t *serial, struct tn_chan **under)
{
	const struct tn_ns_table *t = ns->table;
	const struct head *best = NULL;

	for (uint32_t i = 0; t && i < t->size; i++) {
		const struct head *h = t->slot[i];

		if (h && h->serial > *serial && (!best || h->serial < best->serial))
			best = h;
	}
	if (!best)
		return NULL;
	*serial = best->serial;
	*under = best->from;
	return tn_members_get(best->members);
}

bool tn_ns_mounted_in(const struct tn_ns *ns, const struct tn_server *server)
{
	const struct tn_ns_table *t = ns->table;

	for (uint32_t i = 0; t && i < t->size; i++) {
		if (t->slot[i] && t->slot[i]->from->server == server)
			return true;
	}
	return false;
}

struct tn_ns_table *tn_ns_snapshot(struct tn_ns *ns)
{
	if (ns->table)
		tn_count_up(&ns->table->refs);
	return ns->table;
}

const struct tn_members *tn_ns_table_find(const struct tn_ns_table *t,
    const struct tn_server *server, uint64_t path)
{
	const struct head *h = find(t, server, path);

	return h ? h->members : NULL;
}

/* ---- mount ---- */

/* namespace-semantics.md 2, steps 3 and 5. */
static enum tn_err may_mount(const struct tn_ns *ns, const struct tn_chan *source,
    const struct tn_members *list, const struct tn_chan *target, uint32_t flags, bool is_mount)
{
	if (!tn_mount_flags_ok(flags))
		return TN_EBADARG;
	if (is_mount && ns->forbids)
		return TN_ENOATTACH;
	if (tn_chan_is_dir(source) != tn_chan_is_dir(target))
		return TN_EMOUNT;
	if (!tn_chan_is_dir(target) && (flags & TN_ORDER) != TN_REPL)
		return TN_EMOUNT;
	if ((flags & TN_CREATE_HERE) && list &&
	    (list->n > 1 || !(list->m[0].flags & TN_CREATE_HERE)))
		return TN_EMOUNT;
	return TN_OK;
}

static enum tn_err within_limits(const struct tn_ns *ns, const struct head *old, uint32_t n)
{
	uint32_t others = ns->table ? ns->table->n_members : 0;

	if (old)
		others -= old->members->n;
	if (n > ns->limits.union_max)
		return TN_ELIMIT_UNION;
	return others + n > ns->limits.mounts_max ? TN_ELIMIT_MOUNTS : TN_OK;
}

/* The members that a mount brings in: the source, and what else is mounted there. Step 4. */
static void fill_new(struct tn_member *m, uint64_t *id, struct tn_chan *source,
    const struct tn_members *list, uint32_t flags)
{
	uint32_t rest_flags = flags & TN_ORDER ? flags & TN_ORDER : TN_AFTER;

	m[0] = (struct tn_member){ .to = tn_chan_get(source), .flags = flags, .id = ++*id };
	if (list && list->m[0].spec) {
		m[0].spec = spec_get(list->m[0].spec);
		m[0].spec_of_source = true;
	}
	for (uint32_t i = 1; list && i < list->n; i++) {
		member_copy(&m[i], &list->m[i]);
		m[i].flags = rest_flags;
		m[i].id = ++*id;
	}
}

/* All members of the head as it will be; NULL: no memory. Steps 6 and 7: the original comes in first, with no flags. */
static struct tn_members *merged(const struct head *old, struct tn_chan *source,
    const struct tn_members *list, struct tn_chan *target, uint32_t flags, uint32_t n, uint64_t *id)
{
	uint32_t n_new = list ? list->n : 1, n_old = n - n_new;
	bool after = (flags & TN_ORDER) == TN_AFTER;
	struct tn_members *all = members_new(n);
	struct tn_member *m;

	if (!all)
		return NULL;
	m = &all->m[after ? 0 : n_new];
	if (n_old > 0 && !old)
		*m = (struct tn_member){ .to = tn_chan_get(target), .id = ++*id };
	for (uint32_t i = 0; old && i < n_old; i++)
		member_copy(&m[i], &old->members->m[i]);
	fill_new(&all->m[after ? n_old : 0], id, source, list, flags);
	return all;
}

static uint32_t n_kept(const struct head *old, uint32_t flags)
{
	if ((flags & TN_ORDER) == TN_REPL)
		return 0;
	return old ? old->members->n : 1;
}

enum tn_err tn_ns_mount(struct tn_ns *ns, struct tn_chan *source, struct tn_members *source_members,
    struct tn_chan *target, uint32_t flags, const char *spec)
{
	enum tn_err err = may_mount(ns, source, source_members, target, flags, spec != NULL);
	struct head *old = find(ns->table, target->server, target->qid.path), *new;
	uint32_t n = n_kept(old, flags) + (source_members ? source_members->n : 1);
	uint64_t id = ns->last_id;
	struct tn_members *all;
	struct tn_member *first;

	if (err == TN_OK)
		err = within_limits(ns, old, n);
	if (err != TN_OK)
		return err;
	all = merged(old, source, source_members, target, flags, n, &id);
	if (!all)
		return TN_ENOMEM;
	first = &all->m[(flags & TN_ORDER) == TN_AFTER ? n_kept(old, flags) : 0];
	if (spec && !(first->spec = spec_new(spec)))
		goto put_members;
	new = head_new(old ? old->from : target, old ? old->serial : ns->last_serial + 1, all);
	if (!new)
		goto put_members;
	if (!make_writable(ns))
		goto put_head;

	table_set(ns->table, new);
	ns->last_id = id;
	ns->last_serial += old ? 0 : 1;
	ns->version++;
	return TN_OK;

put_head:
	head_put(new);
	return TN_ENOMEM;
put_members:
	tn_members_put(all);
	return TN_ENOMEM;
}

/* ---- unmount ---- */

static enum tn_err unmount_all(struct tn_ns *ns, struct head *h)
{
	if (!make_writable(ns))
		return TN_ENOMEM;
	table_remove(ns->table, h);
	ns->version++;
	return TN_OK;
}

static enum tn_err unmount_one(struct tn_ns *ns, struct head *h, uint32_t which)
{
	struct tn_members *left;
	struct head *new;

	if (h->members->n == 1)
		return unmount_all(ns, h);
	left = members_new(h->members->n - 1);
	if (!left)
		return TN_ENOMEM;
	for (uint32_t i = 0; i < left->n; i++)
		member_copy(&left->m[i], &h->members->m[i < which ? i : i + 1]);
	new = head_new(h->from, h->serial, left);
	if (!new) {
		tn_members_put(left);
		return TN_ENOMEM;
	}
	if (!make_writable(ns)) {
		head_put(new);
		return TN_ENOMEM;
	}
	table_set(ns->table, new);
	ns->version++;
	return TN_OK;
}

enum tn_err tn_ns_unmount_where(struct tn_ns *ns, struct tn_chan *target,
    bool (*lives)(const struct tn_chan *to, void *arg), void *arg)
{
	struct head *h = find(ns->table, target->server, target->qid.path);

	if (!h)
		return TN_ENOTMOUNTED;
	for (uint32_t i = 0; i < h->members->n; i++) {
		if (lives(h->members->m[i].to, arg))
			return unmount_one(ns, h, i);
	}
	return TN_ENOTUNION;
}

static bool is_file(const struct tn_chan *to, void *arg)
{
	return tn_chan_same(to, arg);
}

enum tn_err tn_ns_unmount(struct tn_ns *ns, struct tn_chan *target, const struct tn_chan *member)
{
	struct head *h = find(ns->table, target->server, target->qid.path);

	if (!h)
		return TN_ENOTMOUNTED;
	if (!member)
		return unmount_all(ns, h);
	return tn_ns_unmount_where(ns, target, is_file, (void *)(uintptr_t)member);
}

/* ---- all of it ---- */

/* The member with the smallest id above `id`, and its head. */
static const struct tn_member *member_after(const struct tn_ns_table *t, uint64_t id,
    const struct head **head)
{
	const struct tn_member *best = NULL;

	for (uint32_t i = 0; i < t->size; i++) {
		const struct head *h = t->slot[i];

		for (uint32_t k = 0; h && k < h->members->n; k++) {
			const struct tn_member *m = &h->members->m[k];

			if (m->id <= id || (best && best->id < m->id))
				continue;
			best = m;
			*head = h;
		}
	}
	return best;
}

void tn_ns_each(struct tn_ns *ns,
    void (*each)(void *arg, struct tn_chan *under, const struct tn_member *m), void *arg)
{
	struct tn_ns_table *t = tn_ns_snapshot(ns);
	const struct tn_member *m;
	const struct head *h = NULL;
	uint64_t id = 0;

	while (t && (m = member_after(t, id, &h)) != NULL) {
		id = m->id;
		each(arg, h->from, m);
	}
	tn_ns_table_put(t);
}
