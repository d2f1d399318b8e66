/*
 * A hash table with open addressing; the names lie in one block.
 */
#include "core/nameset.h"

#include "core/host.h"
#include "core/mem.h"

enum { SLOTS_MIN = 64, TEXT_MIN = 1024 };

struct tn_nameset_slot {
	size_t at; /* in text */
	uint64_t mark;
	uint32_t len;
	bool used;
};

static uint32_t hash(struct tn_str name)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < name.len; i++)
		h = (h ^ (uint8_t)name.s[i]) * 16777619u;
	return h ^ h >> 15;
}

/* Where the name is, or where it belongs. */
static struct tn_nameset_slot *slot_of(const struct tn_nameset *set, struct tn_str name)
{
	uint32_t i = hash(name) & (set->size - 1);
	struct tn_nameset_slot *s;

	for (;; i = (i + 1) & (set->size - 1)) {
		s = &set->slot[i];
		if (!s->used ||
		    (s->len == name.len && memcmp(set->text + s->at, name.s, name.len) == 0))
			return s;
	}
}

static bool grow_slots(struct tn_nameset *set)
{
	struct tn_nameset bigger = *set;

	if (set->size > 0 && (set->n + 1) * 4 <= set->size * 3)
		return true;
	bigger.size = set->size ? 2 * set->size : SLOTS_MIN;
	bigger.slot = tn_alloc(bigger.size * sizeof(bigger.slot[0]));
	if (!bigger.slot)
		return false;
	for (uint32_t i = 0; i < set->size; i++) {
		const struct tn_nameset_slot *s = &set->slot[i];

		if (s->used)
			*slot_of(&bigger, (struct tn_str){ set->text + s->at, s->len }) = *s;
	}
	tn_free(set->slot);
	*set = bigger;
	return true;
}

static bool grow_text(struct tn_nameset *set, uint32_t len)
{
	size_t size = set->text_size ? set->text_size : TEXT_MIN;
	char *text;

	while (size - set->text_len < len)
		size *= 2;
	if (size == set->text_size)
		return true;
	text = tn_realloc(set->text, set->text_size, size);
	if (!text)
		return false;
	set->text = text;
	set->text_size = size;
	return true;
}

enum tn_nameset_answer tn_nameset_add(struct tn_nameset *set, struct tn_str name, uint64_t mark)
{
	struct tn_nameset_slot *s;

	if (!grow_slots(set) || !grow_text(set, name.len))
		return TN_NAME_NOMEM;
	s = slot_of(set, name);
	if (s->used)
		return s->mark == mark ? TN_NAME_SAME : TN_NAME_TAKEN;
	*s = (struct tn_nameset_slot){ set->text_len, mark, name.len, true };
	if (name.len > 0)
		memcpy(set->text + set->text_len, name.s, name.len);
	set->text_len += name.len;
	set->n++;
	return TN_NAME_NEW;
}

bool tn_nameset_has(const struct tn_nameset *set, struct tn_str name)
{
	return set->size > 0 && slot_of(set, name)->used;
}

/* What was put in last stands in nobody's way: no other name was placed behind it. */
void tn_nameset_undo(struct tn_nameset *set, struct tn_str name)
{
	struct tn_nameset_slot *s = slot_of(set, name);

	tn_assert(s->used && s->at + s->len == set->text_len);
	set->text_len = s->at;
	s->used = false;
	set->n--;
}

void tn_nameset_clear(struct tn_nameset *set)
{
	tn_free(set->slot);
	tn_free(set->text);
	*set = (struct tn_nameset){ 0 };
}
