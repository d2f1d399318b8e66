/*
 * Places and files of the FUSE door: hashes that grow, counts, the LRU of Chans, pins.
 */
#include "launch/node.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 256 };

/* Which file: what a place must show for its node to be the one. */
struct ident {
	uint64_t instance, path;
	bool is_dir;
};

static struct ident ident_of(const struct tn_chan *c)
{
	return (struct ident){ c->server->instance, c->qid.path, tn_chan_is_dir(c) };
}

/* ---- the hashes ---- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ (x >> 33);
}

static size_t place_bucket(const struct launch_nodes *t, const struct launch_node *parent,
    struct tn_str name)
{
	uint64_t h = (uint64_t)(uintptr_t)parent;

	for (uint32_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 0x100000001b3u;
	return mix(h) & (t->n_buckets - 1);
}

static size_t file_bucket(const struct launch_nodes *t, uint64_t instance, uint64_t path)
{
	return mix(mix(instance) ^ path) & (t->n_buckets - 1);
}

static struct tn_str name_of(const struct launch_node *node)
{
	return (struct tn_str){ node->name, node->name_len };
}

static bool is_named(const struct launch_node *node, struct tn_str name)
{
	return node->name_len == name.len && memcmp(node->name, name.s, name.len) == 0;
}

static struct launch_node *at_place(const struct launch_nodes *t, const struct launch_node *parent,
    struct tn_str name)
{
	struct launch_node *node = t->places[place_bucket(t, parent, name)];

	while (node && (node->parent != parent || !is_named(node, name)))
		node = node->next_place;
	return node;
}

static struct launch_node *of_file(const struct launch_nodes *t, uint64_t instance, uint64_t path)
{
	struct launch_node *node = t->files[file_bucket(t, instance, path)];

	while (node && (node->instance != instance || node->qid_path != path))
		node = node->next_file;
	return node;
}

static void link_place(struct launch_nodes *t, struct launch_node *node)
{
	struct launch_node **bucket = &t->places[place_bucket(t, node->parent, name_of(node))];

	node->next_place = *bucket;
	*bucket = node;
	node->in_place = true;
}

static void link_file(struct launch_nodes *t, struct launch_node *node)
{
	struct launch_node **bucket = &t->files[file_bucket(t, node->instance, node->qid_path)];

	node->next_file = *bucket;
	*bucket = node;
	node->in_files = true;
}

static void unlink_place(struct launch_nodes *t, struct launch_node *node)
{
	struct launch_node **at;

	if (!node->in_place)
		return;
	for (at = &t->places[place_bucket(t, node->parent, name_of(node))]; *at != node;
	     at = &(*at)->next_place)
		;
	*at = node->next_place;
	node->in_place = false;
}

static void unlink_file(struct launch_nodes *t, struct launch_node *node)
{
	struct launch_node **at;

	if (!node->in_files)
		return;
	for (at = &t->files[file_bucket(t, node->instance, node->qid_path)]; *at != node;
	     at = &(*at)->next_file)
		;
	*at = node->next_file;
	node->in_files = false;
}

static bool buckets_make(struct launch_nodes *t, size_t n)
{
	t->places = calloc(n, sizeof(struct launch_node *));
	t->files = calloc(n, sizeof(struct launch_node *));
	t->n_buckets = n;
	return t->places && t->files;
}

/* Twice the buckets when there are more nodes than buckets. Without memory the chains grow longer instead. */
static void buckets_grow(struct launch_nodes *t)
{
	struct launch_nodes old = *t;
	struct launch_node *node, *next;

	if (t->n_nodes <= t->n_buckets)
		return;
	if (!buckets_make(t, old.n_buckets * 2)) {
		free(t->places);
		free(t->files);
		*t = old;
		return;
	}
	for (size_t i = 0; i < old.n_buckets; i++) {
		for (node = old.places[i]; node; node = next) {
			next = node->next_place;
			link_place(t, node);
		}
		for (node = old.files[i]; node; node = next) {
			next = node->next_file;
			link_file(t, node);
		}
	}
	free(old.places);
	free(old.files);
}

/* ---- the LRU ---- */

static void lru_remove(struct launch_nodes *t, struct launch_node *node)
{
	if (!node->in_lru)
		return;
	if (node->older)
		node->older->newer = node->newer;
	else
		t->oldest = node->newer;
	if (node->newer)
		node->newer->older = node->older;
	else
		t->newest = node->older;
	node->older = node->newer = NULL;
	node->in_lru = false;
	t->n_chans--;
}

static void lru_add(struct launch_nodes *t, struct launch_node *node)
{
	node->older = t->newest;
	if (t->newest)
		t->newest->newer = node;
	else
		t->oldest = node;
	t->newest = node;
	node->in_lru = true;
	t->n_chans++;
}

static void drop_chan(struct launch_nodes *t, struct launch_node *node)
{
	lru_remove(t, node);
	tn_chan_put(node->chan);
	node->chan = NULL;
}

void launch_node_used(struct launch_nodes *t, struct launch_node *node)
{
	if (!node->in_lru || t->newest == node)
		return;
	lru_remove(t, node);
	lru_add(t, node);
}

void launch_node_set_chan(struct launch_nodes *t, struct launch_node *node, struct tn_chan *c)
{
	drop_chan(t, node);
	node->chan = c;
	/* Only a peer counts what one holds there; a local server's Chan is a few bytes of ours. */
	if (!node->parent || !(c->server->flags & TN_SF_REMOTE))
		return;
	lru_add(t, node);
	while (t->n_chans > t->chans_max && t->oldest != node)
		drop_chan(t, t->oldest);
}

/* ---- counting ---- */

struct launch_node *launch_node_get(struct launch_node *node)
{
	node->refs++;
	return node;
}

/* A chain of parents may be as deep as somebody's tree: a loop. */
void launch_node_put(struct launch_nodes *t, struct launch_node *node)
{
	struct launch_node *parent;

	for (; node && --node->refs == 0; node = parent) {
		parent = node->parent;
		unlink_place(t, node);
		unlink_file(t, node);
		drop_chan(t, node);
		if (node->prev_all)
			node->prev_all->next_all = node->next_all;
		else
			t->all = node->next_all;
		if (node->next_all)
			node->next_all->prev_all = node->prev_all;
		free(node->name);
		free(node);
		t->n_nodes--;
	}
}

void launch_node_forget(struct launch_nodes *t, struct launch_node *node, uint64_t n)
{
	if (node == t->root || node->lookups == 0)
		return;
	node->lookups = n < node->lookups ? node->lookups - n : 0;
	if (node->lookups == 0)
		launch_node_put(t, node);
}

static void count_lookup(struct launch_node *node)
{
	if (node->lookups++ == 0)
		launch_node_get(node);
}

/* ---- making ---- */

static struct launch_pin *pin_below(const struct launch_pin *pin, struct tn_str name)
{
	struct launch_pin *p = pin ? pin->below : NULL;

	while (p && (strlen(p->name) != name.len || memcmp(p->name, name.s, name.len) != 0))
		p = p->next;
	return p;
}

static struct launch_node *node_new(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, struct ident id)
{
	struct launch_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = malloc(name.len + 1u);
	if (!node->name) {
		free(node);
		return NULL;
	}
	memcpy(node->name, name.s, name.len);
	node->name[name.len] = '\0';
	node->name_len = (uint16_t)name.len;
	node->parent = parent ? launch_node_get(parent) : NULL;
	node->is_dir = id.is_dir;
	node->instance = id.instance;
	node->qid_path = id.path;
	node->generation = ++t->generation;
	node->pin = parent ? pin_below(parent->pin, name) : NULL;
	node->refs = 1;
	node->next_all = t->all;
	if (t->all)
		t->all->prev_all = node;
	t->all = node;
	t->n_nodes++;
	if (parent) {
		link_place(t, node);
		if (!node->is_dir)
			link_file(t, node);
		buckets_grow(t);
	}
	return node;
}

bool launch_nodes_init(struct launch_nodes *t, struct tn_chan *root, uint32_t chans_max)
{
	memset(t, 0, sizeof(*t));
	t->chans_max = chans_max;
	t->pins = calloc(1, sizeof(*t->pins) + 1);
	if (!t->pins || !buckets_make(t, BUCKETS_FIRST))
		goto free_all;
	t->root = node_new(t, NULL, (struct tn_str){ "", 0 }, ident_of(root));
	if (!t->root)
		goto free_all;
	t->root->pin = t->pins;
	t->root->chan = root;
	return true;

free_all:
	free(t->pins);
	free(t->places);
	free(t->files);
	tn_chan_put(root);
	return false;
}

static void pins_free(struct launch_pin *pin)
{
	/* Depth is that of a mount point's name; a child is lifted to its parent's list, so nothing recurses. */
	while (pin) {
		struct launch_pin *next = pin->next, *last = pin->below;

		if (last) {
			while (last->next)
				last = last->next;
			last->next = next;
			next = pin->below;
		}
		free(pin);
		pin = next;
	}
}

void launch_nodes_fini(struct launch_nodes *t)
{
	struct launch_node *node, *next;

	/* The kernel sends no forget for what it still knew: take its counts away, each node held until its turn. */
	for (node = t->all; node; node = node->next_all)
		launch_node_get(node);
	for (node = t->all; node; node = node->next_all)
		launch_node_forget(t, node, UINT64_MAX);
	for (node = t->all; node; node = next) {
		next = node->next_all;
		launch_node_put(t, node);
	}
	launch_node_put(t, t->root);
	pins_free(t->pins);
	free(t->places);
	free(t->files);
}

/* A node leaves its place: another file is there now, or it has moved. It lives on while it is held. */
static void leave_place(struct launch_nodes *t, struct launch_node *node)
{
	unlink_place(t, node);
	node->pin = NULL;
}

static bool shows(const struct launch_node *node, struct ident id)
{
	return node->is_dir == id.is_dir && node->instance == id.instance &&
	       node->qid_path == id.path;
}

static bool enter_place(struct launch_nodes *t, struct launch_node *node,
    struct launch_node *parent, struct tn_str name)
{
	struct launch_node *old = node->parent;
	char *copy = malloc(name.len + 1u);

	if (!copy)
		return false;
	unlink_place(t, node);
	memcpy(copy, name.s, name.len);
	copy[name.len] = '\0';
	free(node->name);
	node->name = copy;
	node->name_len = (uint16_t)name.len;
	node->parent = launch_node_get(parent);
	node->pin = pin_below(parent->pin, name);
	link_place(t, node);
	launch_node_put(t, old);
	return true;
}

bool launch_node_is_pinned(const struct launch_node *node)
{
	return node->pin && node->pin->count > 0;
}

bool launch_node_must_walk(const struct launch_node *node)
{
	return launch_node_is_pinned(node) && node->is_dir && (!node->chan || node->in_lru);
}

/* A pinned directory's place shows another one now. It is in no hash of files. */
static void take_over(struct launch_nodes *t, struct launch_node *node, struct ident id)
{
	if (!launch_node_is_pinned(node) || !node->is_dir || !id.is_dir || shows(node, id))
		return;
	drop_chan(t, node);
	node->instance = id.instance;
	node->qid_path = id.path;
}

bool launch_node_walked(struct launch_nodes *t, struct launch_node *node, struct tn_chan *c)
{
	take_over(t, node, ident_of(c));
	if (!shows(node, ident_of(c))) {
		tn_chan_put(c);
		return false;
	}
	launch_node_set_chan(t, node, c);
	return true;
}

/* The node of what is at the place now, with one more lookup; its Chan may be absent. */
static struct launch_node *settle(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, struct ident id)
{
	struct launch_node *node = at_place(t, parent, name), *file;

	if (node &&
	    (shows(node, id) || (launch_node_is_pinned(node) && node->is_dir == id.is_dir))) {
		take_over(t, node, id);
		count_lookup(node);
		return node;
	}
	if (node)
		leave_place(t, node);
	file = id.is_dir ? NULL : of_file(t, id.instance, id.path);
	if (file) { /* a file known by another name: this is its place from now on */
		count_lookup(file);
		enter_place(t, file, parent, name); /* without memory it stays where it was */
		return file;
	}
	node = node_new(t, parent, name, id);
	if (!node)
		return NULL;
	count_lookup(node);
	launch_node_put(t, node); /* the kernel's count holds it now */
	return node;
}

struct launch_node *launch_node_found(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, struct tn_chan *c)
{
	struct launch_node *node = settle(t, parent, name, ident_of(c));

	if (!node || !shows(node, ident_of(c)))
		tn_chan_put(c); /* a pinned file shows what it showed */
	else
		launch_node_set_chan(t, node,
		    c); /* the newest has the newest way back in its path */
	return node;
}

struct launch_node *launch_node_pinned(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name)
{
	struct launch_node *node = at_place(t, parent, name);

	if (!node || !launch_node_is_pinned(node))
		return NULL;
	count_lookup(node);
	return node;
}

struct launch_node *launch_node_known(const struct launch_nodes *t,
    const struct launch_node *parent, struct tn_str name)
{
	return at_place(t, parent, name);
}

struct launch_node *launch_node_nobody(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, bool is_dir)
{
	struct launch_node *node = node_new(t, parent, name,
	    (struct ident){ 0, t->generation + 1, is_dir }); /* no instance is 0 */

	if (node) {
		unlink_file(t, node);
		leave_place(t, node);
	}
	return node;
}

void launch_node_looked_up(struct launch_node *node)
{
	count_lookup(node);
}

struct launch_node *launch_node_created(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, const struct tn_chan *c)
{
	struct launch_node *node = settle(t, parent, name, ident_of(c));

	if (node)
		node->plain = true;
	return node;
}

struct launch_node *launch_node_listed(struct launch_nodes *t, struct launch_node *parent,
    struct tn_str name, uint64_t instance, struct tn_qid qid)
{
	return settle(t, parent, name, (struct ident){ instance, qid.path, qid.type & TN_QTDIR });
}

/* ---- what changes places ---- */

void launch_node_gone(struct launch_nodes *t, struct launch_node *parent, struct tn_str name)
{
	struct launch_node *node = at_place(t, parent, name);

	if (node)
		leave_place(t, node);
}

void launch_node_moved(struct launch_nodes *t, struct launch_node *from, struct tn_str name,
    struct launch_node *to, struct tn_str newname)
{
	struct launch_node *node = at_place(t, from, name);

	launch_node_gone(t, to, newname);
	if (node && !enter_place(t, node, to, newname))
		leave_place(t, node);
}

void launch_node_exchanged(struct launch_nodes *t, struct launch_node *from, struct tn_str name,
    struct launch_node *to, struct tn_str newname)
{
	struct launch_node *a = at_place(t, from, name), *b = at_place(t, to, newname);

	if (b)
		leave_place(t, b);
	if (a && !enter_place(t, a, to, newname))
		leave_place(t, a);
	if (b)
		enter_place(t, b, from, name); /* without memory nothing leads to it */
}

/* ---- pins ---- */

static struct tn_str next_element(const char **path)
{
	struct tn_str name;

	while (**path == '/')
		(*path)++;
	name.s = *path;
	while (**path && **path != '/')
		(*path)++;
	name.len = (uint32_t)(*path - name.s);
	return name;
}

static struct launch_pin *pin_make(struct launch_pin *above, struct tn_str name)
{
	struct launch_pin *pin = pin_below(above, name);

	if (pin)
		return pin;
	pin = calloc(1, sizeof(*pin) + name.len + 1);
	if (!pin)
		return NULL;
	memcpy(pin->name, name.s, name.len);
	pin->next = above->below;
	above->below = pin;
	return pin;
}

bool launch_pin(struct launch_nodes *t, const char *path)
{
	struct launch_pin *pin = t->pins;
	struct launch_node *node = t->root;
	const char *rest = path;
	struct tn_str name;

	while ((name = next_element(&rest)).len > 0) {
		pin = pin_make(pin, name);
		if (!pin)
			return false;
		node = node ? at_place(t, node, name) : NULL;
		if (node)
			node->pin = pin;
	}
	rest = path;
	t->pins->count++; /* every name's way leads over the root */
	for (pin = t->pins; (name = next_element(&rest)).len > 0; pin->count++)
		pin = pin_below(pin, name);
	return true;
}

void launch_unpin(struct launch_nodes *t, const char *path, struct launch_node **parent,
    struct tn_str *name)
{
	struct launch_pin *pin = t->pins;
	struct launch_node *node = t->root;
	struct tn_str element;

	*parent = NULL;
	if (t->pins->count > 0)
		t->pins->count--;
	while ((element = next_element(&path)).len > 0) {
		struct launch_node *above = node;

		pin = pin_below(pin, element);
		if (!pin || pin->count == 0)
			return;
		pin->count--;
		node = node ? at_place(t, node, element) : NULL;
		if (pin->count == 0 && above && !*parent) {
			*parent = launch_node_get(above);
			*name = element;
		}
	}
}
