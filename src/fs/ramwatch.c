/*
 * Who changes a directory of #ram: each operation tells those that watch, while it is carried out. A tree that nobody
 * watches looks at one pointer for it.
 */
#include "core/mem.h"
#include "fs/ramops.h"

/* r->keeper. The Chan of r holds the directory. */
struct ram_watch {
	struct ram_watch *next;
	struct tn_req *r; /* kept; NULL: answered */
};

static void tell(struct ram *ram, const struct ram_node *dir, const struct tn_change *change)
{
	struct ram_watch *next;

	for (struct ram_watch *w = ram->watches; w; w = next) {
		next = w->next;
		if (ram_node_of(w->r->chan) == dir && w->r->owner->change)
			w->r->owner->change(w->r, change);
	}
}

static void answer(struct ram *ram, struct ram_watch *w, enum tn_err err)
{
	struct ram_watch **at = &ram->watches;
	struct tn_req *r = w->r;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	tn_free(w);
	r->keeper = NULL;
	tn_fail(r, err);
	tn_respond(r);
}

/* The directory was removed: those that watch it are told. */
static void end_at(struct ram *ram, const struct ram_node *dir)
{
	struct ram_watch *w = ram->watches;

	while (w) {
		if (ram_node_of(w->r->chan) == dir) {
			answer(ram, w, TN_ENOENT);
			w = ram->watches;
		} else {
			w = w->next;
		}
	}
}

void ram_tell(struct ram *ram, uint32_t id, enum tn_change_what what)
{
	struct ram_entry *e = ram->watches ? ram_entry(&ram->tree, id) : NULL;
	struct tn_change change = { .what = (uint8_t)what };

	if (!e || !e->linked)
		return;
	change.is_dir = ram_is_dir(e->node);
	if (change.is_dir && what == TN_CHANGE_STATUS)
		tell(ram, e->node, &change);
	if (id == RAM_ROOT)
		return;
	change.name = (struct tn_str){ e->name, e->len };
	if (what == TN_CHANGE_LEFT || what == TN_CHANGE_CAME)
		change.pair = ram->pair;
	tell(ram, ram_entry(&ram->tree, e->up)->node, &change);
	if (what == TN_CHANGE_GONE && change.is_dir)
		end_at(ram, e->node);
}

void ram_next_pair(struct ram *ram)
{
	if (++ram->pair == 0)
		ram->pair = 1;
}

enum tn_status ram_watch(struct tn_req *r)
{
	static const struct tn_change begun = { .what = TN_CHANGE_BEGUN };
	struct ram *ram = ram_of(r->server);
	struct ram_node *n = ram_node_of(r->chan);
	struct ram_watch *w;

	if (!ram_is_dir(n))
		return tn_fail(r, TN_ENOTDIR);
	if (!ram_may(ram, n, ram_user(r), RAM_READ))
		return tn_fail(r, TN_EACCES);
	w = tn_alloc(sizeof(*w));
	if (!w)
		return tn_fail(r, TN_ENOMEM);
	if (!tn_keep(r)) {
		tn_free(w);
		return TN_DONE;
	}
	w->r = r;
	w->next = ram->watches;
	ram->watches = w;
	r->keeper = w;
	if (r->owner->change)
		r->owner->change(r, &begun);
	return TN_LATER;
}

enum tn_status ram_flush(struct tn_req *r)
{
	if (r->keeper)
		answer(ram_of(r->server), r->keeper, TN_EINTR);
	return TN_DONE;
}
