/*
 * Chains of answers. Invariant: every piece before the last holds something to send; the last may be empty: room that
 * nobody has filled.
 */
#include "link/out.h"

#include "core/mem.h"

enum { COPY_MAX = 4096 };

/* ---- budgets ---- */

static bool fits(uint64_t used, uint64_t max, size_t size)
{
	return used <= max && size <= max - used;
}

bool tn_budget_take(struct tn_budget *b, size_t size)
{
	b->refused = TN_OK;
	if (!fits(b->used, b->max, size))
		b->refused = TN_ELIMIT_MEMORY;
	else if (b->store && !fits(b->store->used, b->store->max, size))
		b->refused = TN_ELIMIT_ALL;
	else
		tn_budget_force(b, size);
	return b->refused == TN_OK;
}

void tn_budget_force(struct tn_budget *b, size_t size)
{
	b->used += size;
	if (b->store)
		b->store->used += size;
}

void tn_budget_give(struct tn_budget *b, size_t size)
{
	tn_assert(b->used >= size);
	b->used -= size;
	if (b->store)
		b->store->used -= size;
}

void *tn_budget_alloc(struct tn_budget *b, size_t size)
{
	void *p;

	if (!tn_budget_take(b, size))
		return NULL;
	p = tn_alloc(size);
	if (!p)
		tn_budget_give(b, size);
	return p;
}

void tn_budget_free(struct tn_budget *b, void *p, size_t size)
{
	if (!p)
		return;
	tn_budget_give(b, size);
	tn_free(p);
}

/* ---- pieces ---- */

struct tn_piece *tn_piece_new(struct tn_budget *b, size_t size)
{
	struct tn_piece *p;

	if (size > UINT32_MAX)
		return NULL;
	p = tn_budget_alloc(b, sizeof(*p) + size);
	if (!p)
		return NULL;
	p->size = (uint32_t)size;
	p->data = (uint8_t *)(p + 1);
	return p;
}

struct tn_piece *tn_piece_lend(struct tn_budget *b)
{
	struct tn_store *store = b->store;
	struct tn_piece *p = store ? store->spare : NULL;

	if (!p)
		return tn_piece_new(b, TN_PIECE_LENT);
	if (!tn_budget_take(b, sizeof(*p) + p->size))
		return NULL;
	store->spare = p->next;
	store->n_spare--;
	p->next = NULL;
	p->start = p->len = 0;
	return p;
}

void tn_piece_free(struct tn_budget *b, struct tn_piece *p)
{
	struct tn_store *store = b->store;

	if (!p)
		return;
	if (!store || p->size != TN_PIECE_LENT || store->n_spare >= TN_PIECES_SPARE) {
		tn_budget_free(b, p, sizeof(*p) + p->size);
		return;
	}
	tn_budget_give(b, sizeof(*p) + p->size);
	p->next = store->spare;
	store->spare = p;
	store->n_spare++;
}

void tn_store_fini(struct tn_store *store)
{
	struct tn_piece *p;

	tn_assert(store->used == 0);
	while ((p = store->spare) != NULL) {
		store->spare = p->next;
		tn_free(p);
	}
}

/* ---- chains ---- */

void tn_out_init(struct tn_out *out, struct tn_budget *budget)
{
	out->budget = budget;
	out->base.data = out->base_data;
	out->base.size = TN_OUT_BASE;
	out->first = out->last = &out->base;
	out->grow = TN_PIECE_LENT;
}

/* p is out of the chain and empty: kept for the next need if it is worth it and nobody else's. */
static void drop(struct tn_out *out, struct tn_piece *p)
{
	p->start = p->len = 0;
	p->next = NULL;
	if (p == &out->base) {
		out->base_idle = true;
		return;
	}
	if (p->size != TN_PIECE_LENT && (!out->spare || out->spare->size < p->size)) {
		struct tn_piece *smaller = out->spare;

		out->spare = p;
		p = smaller;
	}
	tn_piece_free(out->budget, p);
}

static void link_last(struct tn_out *out, struct tn_piece *p)
{
	struct tn_piece *old = out->last, **at;

	p->next = NULL;
	out->last = p;
	if (old->len > 0) {
		old->next = p;
		return;
	}
	for (at = &out->first; *at != old; at = &(*at)->next)
		continue;
	*at = p; /* in the place of the empty one */
	drop(out, old);
}

static struct tn_piece *piece_for(struct tn_out *out, size_t need)
{
	struct tn_piece *p = out->spare;

	if (p && p->size >= need) {
		out->spare = NULL;
		return p;
	}
	if (need <= TN_PIECE_LENT && out->grow <= TN_PIECE_LENT)
		p = tn_piece_lend(out->budget);
	else
		p = tn_piece_new(out->budget, need > out->grow ? need : out->grow);
	if (p && out->bytes > 0 && out->grow < TN_OUT_GROW_MAX)
		out->grow *= 2; /* they pile up */
	if (!p && need < out->grow)
		p = tn_piece_new(out->budget, need);
	if (!p && out->base_idle && need <= TN_OUT_BASE) {
		out->base_idle = false;
		p = &out->base;
	}
	return p;
}

uint8_t *tn_out_room(struct tn_out *out, size_t need)
{
	struct tn_piece *p = out->last;

	if (p->size - p->len >= need)
		return p->data + p->len;
	p = piece_for(out, need);
	if (!p)
		return NULL;
	link_last(out, p);
	return p->data;
}

void tn_out_fill(struct tn_out *out, size_t n)
{
	struct tn_piece *p = out->last;

	tn_assert(n <= p->size - p->len);
	p->len += (uint32_t)n;
	out->bytes += n;
}

void tn_out_take(struct tn_out *out, struct tn_piece *p)
{
	struct tn_piece *last = out->last;

	if (p->len <= COPY_MAX && last->size - last->len >= p->len) {
		memcpy(last->data + last->len, p->data, p->len);
		tn_out_fill(out, p->len);
		tn_piece_free(out->budget, p);
		return;
	}
	link_last(out, p);
	out->bytes += p->len;
}

size_t tn_out_vec(const struct tn_out *out, struct tn_vec *vec, size_t max)
{
	size_t n = 0;

	for (const struct tn_piece *p = out->first; p && n < max; p = p->next) {
		if (p->len > p->start)
			vec[n++] = (struct tn_vec){ p->data + p->start, p->len - p->start };
	}
	return n;
}

/* All is sent: a piece that is lent goes to the next. */
static void give_back(struct tn_out *out)
{
	if (out->last->size != TN_PIECE_LENT)
		return;
	tn_piece_free(out->budget, out->last);
	out->first = out->last = &out->base;
	out->base_idle = false;
}

void tn_out_sent(struct tn_out *out, size_t n)
{
	tn_assert(n <= out->bytes);
	out->bytes -= n;
	while (n > 0) {
		struct tn_piece *p = out->first;
		size_t part = p->len - p->start < n ? p->len - p->start : n;

		p->start += (uint32_t)part;
		n -= part;
		if (p->start < p->len)
			return;
		if (p == out->last) {
			p->start = p->len = 0;
			give_back(out);
			return;
		}
		out->first = p->next;
		drop(out, p);
	}
}

void tn_out_discard(struct tn_out *out)
{
	tn_out_sent(out, (size_t)out->bytes);
}

void tn_out_shrink(struct tn_out *out)
{
	tn_piece_free(out->budget, out->spare);
	out->spare = NULL;
	out->grow = TN_PIECE_LENT;
	if (out->bytes > 0 || out->last == &out->base)
		return;
	tn_piece_free(out->budget, out->last);
	out->first = out->last = &out->base;
	out->base_idle = false;
}

void tn_out_fini(struct tn_out *out)
{
	tn_out_discard(out);
	tn_out_shrink(out);
}
