/*
 * Chains of answers. Invariant: every piece before the last holds something to send; the last may be empty: room that
 * nobody has filled.
 */
#include "link/out.h"

#include "core/mem.h"

enum { GROW_FIRST = 4096, COPY_MAX = 4096 };

void *tn_budget_alloc(struct tn_budget *b, size_t size)
{
	void *p;

	b->refused = size > b->max - b->used;
	if (b->refused)
		return NULL;
	p = tn_alloc(size);
	if (p)
		b->used += size;
	return p;
}

void tn_budget_free(struct tn_budget *b, void *p, size_t size)
{
	if (!p)
		return;
	tn_assert(b->used >= size);
	b->used -= size;
	tn_free(p);
}

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

void tn_piece_free(struct tn_budget *b, struct tn_piece *p)
{
	if (p)
		tn_budget_free(b, p, sizeof(*p) + p->size);
}

void tn_out_init(struct tn_out *out, struct tn_budget *budget)
{
	out->budget = budget;
	out->base.data = out->base_data;
	out->base.size = TN_OUT_BASE;
	out->first = out->last = &out->base;
	out->grow = GROW_FIRST;
}

/* p is out of the chain and empty: kept for the next need if it is worth it. */
static void drop(struct tn_out *out, struct tn_piece *p)
{
	p->start = p->len = 0;
	p->next = NULL;
	if (p == &out->base) {
		out->base_idle = true;
		return;
	}
	if (!out->spare || out->spare->size < p->size) {
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
	p = tn_piece_new(out->budget, need > out->grow ? need : out->grow);
	if (p && out->grow < TN_OUT_GROW_MAX)
		out->grow *= 2;
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
	out->grow = GROW_FIRST;
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
