/*
 * The table of fids. A number below n_dense is in the array or nowhere; the others are hashed. The array grows as long
 * as a good part of it is used, so that a hostile peer cannot make it large with one number.
 */
#include "link/fid.h"

#include "core/mem.h"

enum { DENSE_SLACK = 4 /* slots for each fid */, HASH_BITS_FIRST = 1, HASH_BITS_MAX = 20 };

_Static_assert(1 << HASH_BITS_FIRST == TN_FIDS_HASHED, "the first chains are in the table");

void tn_fids_init(struct tn_fids *t, uint32_t max)
{
	t->dense = t->first_dense;
	t->n_dense = TN_FIDS_DENSE;
	t->hashed = t->first_hashed;
	t->hash_bits = HASH_BITS_FIRST;
	t->max = max;
	tn_random(&t->key, sizeof(t->key));
	t->key |= 1;
}

static struct tn_fid **chain_of(const struct tn_fids *t, uint32_t number)
{
	return &t->hashed[(number * t->key) >> (32 - t->hash_bits)];
}

struct tn_fid *tn_fid_find(const struct tn_fids *t, uint32_t number)
{
	struct tn_fid *fid;

	if (number < t->n_dense)
		return t->dense[number];
	for (fid = *chain_of(t, number); fid && fid->number != number; fid = fid->next)
		;
	return fid;
}

static void put_hashed(struct tn_fids *t, struct tn_fid *fid)
{
	struct tn_fid **chain = chain_of(t, fid->number);

	fid->next = *chain;
	*chain = fid;
	t->n_hashed++;
}

static struct tn_fid *take_hashed(struct tn_fids *t, struct tn_fid **at)
{
	struct tn_fid *fid = *at;

	*at = fid->next;
	fid->next = NULL;
	t->n_hashed--;
	return fid;
}

/* What was hashed and is below the array's new end moves into it. */
static void move_to_dense(struct tn_fids *t)
{
	for (uint32_t i = 0; i < 1u << t->hash_bits && t->n_hashed > 0; i++) {
		struct tn_fid **at = &t->hashed[i];

		while (*at) {
			if ((*at)->number >= t->n_dense) {
				at = &(*at)->next;
				continue;
			}
			struct tn_fid *fid = take_hashed(t, at);

			t->dense[fid->number] = fid;
		}
	}
}

/* Makes the array hold `number` if that is worth it. Without memory it stays, and the number is hashed. */
static void grow_dense(struct tn_fids *t, uint32_t number)
{
	uint32_t size = t->n_dense;
	struct tn_fid **dense;

	if (number / DENSE_SLACK > t->n)
		return;
	while (size <= number)
		size *= 2;
	dense = tn_alloc(size * sizeof(dense[0]));
	if (!dense)
		return;
	memcpy(dense, t->dense, t->n_dense * sizeof(dense[0]));
	if (t->dense != t->first_dense)
		tn_free(t->dense);
	t->dense = dense;
	t->n_dense = size;
	move_to_dense(t);
}

/* Twice the chains. Without memory they get longer. */
static void grow_hashed(struct tn_fids *t)
{
	uint32_t n_old = 1u << t->hash_bits;
	struct tn_fid **old = t->hashed, **chains;

	if (t->hash_bits >= HASH_BITS_MAX)
		return;
	chains = tn_alloc(2 * n_old * sizeof(chains[0]));
	if (!chains)
		return;
	t->hashed = chains;
	t->hash_bits++;
	for (uint32_t i = 0; i < n_old; i++)
		while (old[i])
			put_hashed(t, take_hashed(t, &old[i]));
	if (old != t->first_hashed)
		tn_free(old);
}

static struct tn_fid *fid_new(struct tn_fids *t, enum tn_err *err)
{
	struct tn_fid *fid = t->spare;

	*err = TN_ELIMIT_FIDS;
	if (t->n >= t->max)
		return NULL;
	if (t->budget && !tn_budget_take(t->budget, TN_FID_BYTES)) {
		*err = tn_budget_err(t->budget);
		return NULL;
	}
	*err = TN_ENOMEM;
	if (!fid) {
		fid = tn_alloc(sizeof(*fid));
		if (!fid && t->budget)
			tn_budget_give(t->budget, TN_FID_BYTES);
		return fid;
	}
	t->spare = fid->next;
	t->n_spare--;
	memset(fid, 0, sizeof(*fid));
	return fid;
}

struct tn_fid *tn_fid_make(struct tn_fids *t, uint32_t number, enum tn_err *err)
{
	struct tn_fid *fid = fid_new(t, err);

	if (!fid)
		return NULL;
	fid->number = number;
	if (number >= t->n_dense)
		grow_dense(t, number);
	if (number < t->n_dense) {
		t->dense[number] = fid;
	} else {
		if (t->n_hashed >= 2u << t->hash_bits)
			grow_hashed(t);
		put_hashed(t, fid);
	}
	t->n++;
	*err = TN_OK;
	return fid;
}

static void take_out(struct tn_fids *t, struct tn_fid *fid)
{
	struct tn_fid **at;

	if (fid->number < t->n_dense) {
		t->dense[fid->number] = NULL;
		return;
	}
	for (at = chain_of(t, fid->number); *at != fid; at = &(*at)->next)
		;
	take_hashed(t, at);
}

void tn_fid_drop(struct tn_fids *t, struct tn_fid *fid)
{
	tn_assert(
	    tn_fid_is_free(fid) && !fid->holder && !fid->shared && !fid->first && !fid->is_stirred);
	take_out(t, fid);
	t->n--;
	if (t->budget)
		tn_budget_give(t->budget, TN_FID_BYTES);
	if (t->n_spare >= TN_FIDS_SPARE) {
		tn_free(fid);
		return;
	}
	fid->next = t->spare;
	t->spare = fid;
	t->n_spare++;
}

struct tn_fid *tn_fids_next(const struct tn_fids *t, uint32_t *cursor)
{
	for (; *cursor < t->n_dense; ++*cursor)
		if (t->dense[*cursor])
			return t->dense[*cursor];
	for (; *cursor - t->n_dense < 1u << t->hash_bits; ++*cursor)
		if (t->hashed[*cursor - t->n_dense])
			return t->hashed[*cursor - t->n_dense];
	return NULL;
}

void tn_fids_shrink(struct tn_fids *t)
{
	struct tn_fid *fid;

	while ((fid = t->spare) != NULL) {
		t->spare = fid->next;
		tn_free(fid);
	}
	t->n_spare = 0;
	if (t->n > 0)
		return;
	if (t->dense != t->first_dense)
		tn_free(t->dense);
	if (t->hashed != t->first_hashed)
		tn_free(t->hashed);
	t->dense = t->first_dense;
	t->n_dense = TN_FIDS_DENSE;
	t->hashed = t->first_hashed;
	t->hash_bits = HASH_BITS_FIRST;
}

void tn_fids_fini(struct tn_fids *t)
{
	tn_assert(t->n == 0);
	tn_fids_shrink(t);
}
