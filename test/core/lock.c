/*
 * The table of locks: what fcntl(2) says of ranges, against a model that knows bytes only; who waits for whom; limits,
 * and memory that is not there.
 */
#include "core/lock.h"

#include "core/chan.h"
#include "host/posix/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define READ   TN_LK_READ
#define WRITE  TN_LK_WRITE
#define UNLOCK TN_LK_UNLOCK

enum { OWNERS = 3, CHANS = 3, BYTES = 24, FILES = 2 };

static struct tn_locks table;
static struct tn_chan chans[CHANS]; /* names for who set what */
static uint64_t now_ns = 1;
static int allocations_left;

static uint64_t now(void)
{
	return now_ns;
}

static bool allow(size_t size)
{
	(void)size;
	return allocations_left-- > 0;
}

static int start(void **state)
{
	(void)state;
	tn_now_hook = now;
	tn_locks_init(&table, NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tn_alloc_hook = NULL;
	tn_now_hook = NULL;
	tn_locks_fini(&table);
	assert_int_equal(table.n_ranges, 0);
	assert_int_equal(table.n_waits, 0);
	return 0;
}

static struct tn_lock_key key_of(unsigned file)
{
	return (struct tn_lock_key){ 1000, file };
}

static enum tn_err set_by(unsigned file, uint64_t owner, uint8_t type, uint64_t first,
    uint64_t last, unsigned chan)
{
	struct tn_lock l = { first, last, owner, (uint32_t)owner + 100, type, &chans[chan] };

	return tn_locks_set(&table, key_of(file), &l, false);
}

static enum tn_err set(uint64_t owner, uint8_t type, uint64_t first, uint64_t last)
{
	return set_by(0, owner, type, first, last, 0);
}

/* As F_SETLKW's first try. */
static enum tn_err wait_for(unsigned file, uint64_t owner, uint8_t type, uint64_t first,
    uint64_t last)
{
	struct tn_lock l = { first, last, owner, 0, type, &chans[0] };

	return tn_locks_set(&table, key_of(file), &l, true);
}

/* What stands in the way of owner 99: "R 3-5 of 1". */
static const char *in_the_way(unsigned file, uint8_t type, uint64_t first, uint64_t last)
{
	static char text[80];
	struct tn_lock l = { first, last, 99, 0, type, NULL };
	const struct tn_lock *found = tn_locks_conflict(&table, key_of(file), &l);

	if (!found)
		return "nothing";
	if (found->last == TN_LOCK_END)
		snprintf(text, sizeof(text), "%c %u- of %u", found->type == WRITE ? 'W' : 'R',
		    (unsigned)found->first, (unsigned)found->owner);
	else
		snprintf(text, sizeof(text), "%c %u-%u of %u", found->type == WRITE ? 'W' : 'R',
		    (unsigned)found->first, (unsigned)found->last, (unsigned)found->owner);
	return text;
}

/* ---- against a model ---- */

/* Byte BYTES - 1 stands for itself and all behind it. */
static struct byte {
	uint8_t type; /* 0: none; READ + 1, WRITE + 1 */
	uint8_t chan;
} model[FILES][OWNERS][BYTES];

static bool model_excludes(unsigned file, unsigned owner, uint8_t type, unsigned byte)
{
	for (unsigned o = 0; o < OWNERS; o++) {
		uint8_t has = model[file][o][byte].type;

		if (o != owner && has && (has == WRITE + 1 || type == WRITE))
			return true;
	}
	return false;
}

static enum tn_err model_set(unsigned file, unsigned owner, uint8_t type, unsigned first,
    unsigned last, unsigned chan)
{
	for (unsigned b = first; b <= last && type != UNLOCK; b++) {
		if (model_excludes(file, owner, type, b))
			return TN_EAGAIN;
	}
	for (unsigned b = first; b <= last; b++)
		model[file][owner][b] = type == UNLOCK ? (struct byte){ 0, 0 }
						       : (struct byte){ type + 1, (uint8_t)chan };
	return TN_OK;
}

static void model_drop(unsigned file, unsigned chan)
{
	for (unsigned o = 0; o < OWNERS; o++) {
		for (unsigned b = 0; b < BYTES; b++) {
			struct byte *at = &model[file][o][b];

			if (at->type && at->chan == chan)
				*at = (struct byte){ 0, 0 };
		}
	}
}

/* Runs of bytes that are alike: as few ranges as can be. */
static unsigned model_ranges(void)
{
	unsigned n = 0;

	for (unsigned f = 0; f < FILES; f++) {
		for (unsigned o = 0; o < OWNERS; o++) {
			struct byte before = { 0, 0 };

			for (unsigned b = 0; b < BYTES; b++) {
				struct byte is = model[f][o][b];

				n += is.type && (is.type != before.type || is.chan != before.chan);
				before = is;
			}
		}
	}
	return n;
}

static bool nobody_has(unsigned file, unsigned byte)
{
	for (unsigned o = 0; o < OWNERS; o++) {
		if (model[file][o][byte].type)
			return false;
	}
	return true;
}

static void gaps_are_those_of_the_model(unsigned file)
{
	struct tn_lock gap = { .first = 0, .last = BYTES - 1 };
	unsigned b = 0;

	while (tn_locks_gap(&table, key_of(file), &gap)) {
		for (; b < gap.first; b++)
			assert_false(nobody_has(file, b));
		for (; b <= gap.last; b++)
			assert_true(nobody_has(file, b));
		gap = (struct tn_lock){ .first = b, .last = BYTES - 1 };
	}
	for (; b < BYTES; b++)
		assert_false(nobody_has(file, b));
}

static void every_byte_is_as_in_the_model(void)
{
	for (unsigned f = 0; f < FILES; f++) {
		for (unsigned o = 0; o < OWNERS; o++) {
			for (unsigned b = 0; b < BYTES * 2; b++) {
				unsigned byte = b % BYTES;
				struct tn_lock l = { byte, byte, o, 0, b < BYTES ? READ : WRITE,
					NULL };

				assert_int_equal(tn_locks_conflict(&table, key_of(f), &l) != NULL,
				    model_excludes(f, o, l.type, byte));
			}
		}
		gaps_are_those_of_the_model(f);
	}
	assert_int_equal(table.n_ranges, model_ranges());
}

/* fcntl(2): ranges replace, split and join; a lock is refused as a whole. */
static void random_changes_end_as_those_of_single_bytes(void **state)
{
	(void)state;
	srand(1);
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < 6000; i++) {
		unsigned file = (unsigned)rand() % FILES, owner = (unsigned)rand() % OWNERS,
			 chan = (unsigned)rand() % CHANS, a = (unsigned)rand() % BYTES,
			 b = (unsigned)rand() % BYTES, first = a < b ? a : b, last = a < b ? b : a;
		uint8_t type = (uint8_t)(rand() % 3);
		struct tn_lock span;

		if (rand() % 12 == 0) {
			model_drop(file, chan);
			tn_locks_drop(&table, key_of(file), &chans[chan], &span);
		} else {
			assert_int_equal(set_by(file, owner, type, first,
					     last == BYTES - 1 ? TN_LOCK_END : last, chan),
			    model_set(file, owner, type, first, last, chan));
		}
		every_byte_is_as_in_the_model();
	}
}

/* ---- what the model does not say ---- */

static void the_end_is_open_and_its_last_byte_is_one(void **state)
{
	(void)state;
	assert_int_equal(set(1, WRITE, TN_LOCK_END, TN_LOCK_END), TN_OK);
	assert_int_equal(set(1, WRITE, 5, TN_LOCK_END - 1), TN_OK);
	assert_int_equal(table.n_ranges, 1);
	assert_string_equal(in_the_way(0, READ, TN_LOCK_END, TN_LOCK_END), "W 5- of 1");
	assert_string_equal(in_the_way(0, READ, 4, 4), "nothing");
	assert_int_equal(set(1, UNLOCK, 6, TN_LOCK_END), TN_OK);
	assert_string_equal(in_the_way(0, READ, 0, TN_LOCK_END), "W 5-5 of 1");
}

static void what_stands_in_the_way_first_is_told(void **state)
{
	(void)state;
	assert_int_equal(set(1, READ, 20, 29), TN_OK);
	assert_int_equal(set(2, READ, 10, 24), TN_OK);
	assert_string_equal(in_the_way(0, WRITE, 0, 99), "R 10-24 of 2");
	assert_string_equal(in_the_way(0, WRITE, 25, 99), "R 20-29 of 1");
	assert_string_equal(in_the_way(0, READ, 0, 99), "nothing");
	assert_string_equal(in_the_way(1, WRITE, 0, 99), "nothing");
}

static void a_drop_takes_what_was_set_by_that_chan_and_says_where(void **state)
{
	struct tn_lock span;

	(void)state;
	assert_int_equal(set_by(0, 1, READ, 10, 19, 0), TN_OK);
	assert_int_equal(set_by(0, 1, READ, 20, 29, 1),
	    TN_OK); /* does not join: it has another end */
	assert_int_equal(set_by(0, 2, READ, 5, 12, 0), TN_OK);
	assert_int_equal(table.n_ranges, 3);
	assert_true(tn_locks_drop(&table, key_of(0), &chans[0], &span));
	assert_int_equal(span.first, 5);
	assert_int_equal(span.last, 19);
	assert_string_equal(in_the_way(0, WRITE, 0, 99), "R 20-29 of 1");
	assert_false(tn_locks_drop(&table, key_of(0), &chans[0], &span));
	assert_false(tn_locks_drop(&table, key_of(7), &chans[0], &span));
}

/* ---- who waits ---- */

/* fcntl(2), EDEADLK: over two owners and two files. */
static void a_circle_of_two_is_seen(void **state)
{
	(void)state;
	assert_int_equal(set_by(0, 1, WRITE, 0, 9, 0), TN_OK);
	assert_int_equal(set_by(1, 2, WRITE, 0, 9, 0), TN_OK);
	assert_int_equal(wait_for(1, 1, WRITE, 0, 0), TN_EAGAIN);
	assert_int_equal(wait_for(0, 2, READ, 0, 0), TN_EDEADLK);
	assert_int_equal(table.n_waits, 1); /* who is refused so does not wait */
}

static void a_circle_of_many_is_seen_whoever_closes_it(void **state)
{
	enum { N = 9 };

	(void)state;
	for (unsigned last = 0; last < N; last++) {
		tn_locks_fini(&table);
		for (unsigned o = 0; o < N; o++)
			assert_int_equal(set_by(0, o, WRITE, o * 10, o * 10 + 9, 0), TN_OK);
		for (unsigned o = 0; o < N; o++) {
			unsigned next = (o + 1) % N;

			if (o != last)
				assert_int_equal(wait_for(0, o, READ, next * 10, next * 10),
				    TN_EAGAIN);
		}
		assert_int_equal(wait_for(0, last, READ, (last + 1) % N * 10, (last + 1) % N * 10),
		    TN_EDEADLK);
	}
}

/* Two readers have it; the second one waits for whoever asks. */
static void a_circle_through_any_of_those_who_have_it_is_seen(void **state)
{
	(void)state;
	assert_int_equal(set_by(0, 1, READ, 0, 9, 0), TN_OK);
	assert_int_equal(set_by(0, 2, READ, 0, 9, 0), TN_OK);
	assert_int_equal(set_by(1, 3, WRITE, 0, 9, 0), TN_OK);
	assert_int_equal(wait_for(1, 1, READ, 0, 0), TN_EAGAIN);
	assert_int_equal(wait_for(0, 3, WRITE, 0, 0), TN_EDEADLK);
	assert_int_equal(wait_for(1, 1, UNLOCK, 0, 9), TN_OK);
	assert_int_equal(wait_for(1, 2, READ, 0, 0), TN_EAGAIN);
	assert_int_equal(wait_for(0, 3, WRITE, 0, 0), TN_EDEADLK);
}

static void waiting_for_each_other_for_a_queue_is_no_circle(void **state)
{
	(void)state;
	assert_int_equal(set(1, WRITE, 0, 9), TN_OK);
	for (unsigned o = 2; o < 6; o++)
		assert_int_equal(wait_for(0, o, WRITE, 0, 9), TN_EAGAIN);
	assert_int_equal(set(1, UNLOCK, 0, 9), TN_OK);
	assert_int_equal(wait_for(0, 4, WRITE, 0, 9), TN_OK);
	assert_int_equal(wait_for(0, 2, WRITE, 0, 9), TN_EAGAIN);
}

static const struct {
	const char *what;
	enum { GETS, UNLOCKS, LATER, ASKS_ONCE, OTHER_LETS_GO, NOTHING } then;
	enum tn_err want;
} ends[] = {
	{ "it has got it", GETS, TN_EAGAIN },
	{ "it unlocks something", UNLOCKS, TN_EAGAIN },
	{ "it has not asked again for 5 s", LATER, TN_EAGAIN },
	{ "it has asked without waiting", ASKS_ONCE, TN_EAGAIN },
	{ "what it waits for is gone", OTHER_LETS_GO, TN_EAGAIN },
	{ "nothing", NOTHING, TN_EDEADLK },
};

/* 1 has file 0 and waits for 2, who has file 1; then something happens, and 2 asks for file 0. */
static void who_does_not_wait_any_more_closes_no_circle(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(ends); i++) {
		print_message("%s\n", ends[i].what);
		tn_locks_fini(&table);
		assert_int_equal(set_by(0, 1, WRITE, 0, 9, 0), TN_OK);
		assert_int_equal(set_by(1, 2, WRITE, 0, 9, 0), TN_OK);
		assert_int_equal(wait_for(1, 1, WRITE, 0, 0), TN_EAGAIN);
		if (ends[i].then == GETS || ends[i].then == OTHER_LETS_GO)
			assert_int_equal(set_by(1, 2, UNLOCK, 0, 9, 0), TN_OK);
		if (ends[i].then == GETS)
			assert_int_equal(wait_for(1, 1, WRITE, 0, 0), TN_OK);
		if (ends[i].then == UNLOCKS)
			assert_int_equal(wait_for(3, 1, UNLOCK, 0, 9), TN_OK);
		if (ends[i].then == ASKS_ONCE)
			assert_int_equal(set_by(1, 1, READ, 3, 3, 0), TN_EAGAIN);
		if (ends[i].then == LATER)
			now_ns += table.limits.wait_ns;
		assert_int_equal(wait_for(0, 2, WRITE, 0, 0), ends[i].want);
	}
}

static void who_asked_longest_ago_is_forgotten_at_the_limit(void **state)
{
	struct tn_locks_limits limits = { .waits_max = 2 };

	(void)state;
	for (unsigned n = 1; n <= 3; n++) { /* who wait behind owner 1 */
		tn_locks_fini(&table);
		tn_locks_init(&table, &limits);
		assert_int_equal(set_by(0, 1, WRITE, 0, 9, 0), TN_OK);
		assert_int_equal(set_by(1, 2, WRITE, 0, 9, 0), TN_OK);
		assert_int_equal(wait_for(1, 1, WRITE, 0, 0), TN_EAGAIN);
		for (unsigned o = 1; o < n; o++)
			assert_int_equal(wait_for(0, 10 + o, WRITE, 0, 0), TN_EAGAIN);
		assert_int_equal(table.n_waits, n < 2 ? n : 2);
		assert_int_equal(wait_for(0, 2, WRITE, 0, 0), n <= 2 ? TN_EDEADLK : TN_EAGAIN);
	}
}

/* ---- limits, memory, the last word ---- */

static void each_limit_is_reached_and_not_passed(void **state)
{
	static const struct tn_locks_limits rows[] = { { .file_max = 4 }, { .all_max = 4 } };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		tn_locks_init(&table, &rows[i]);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(set(1, READ, k * 10, k * 10 + 5), TN_OK);
		assert_int_equal(set(1, READ, 40, 45), TN_ELIMIT_LOCKS);
		assert_int_equal(set(2, READ, 0, 5), TN_ELIMIT_LOCKS);
		assert_int_equal(set(1, UNLOCK, 2, 3), TN_ELIMIT_LOCKS); /* would be one more */
		assert_int_equal(set(1, WRITE, 2, 3), TN_ELIMIT_LOCKS);
		assert_int_equal(set_by(1, 1, READ, 0, 0, 0), i == 0 ? TN_OK : TN_ELIMIT_LOCKS);
		assert_int_equal(set(1, READ, 6, 9), TN_OK); /* makes one of two */
		assert_int_equal(set(1, UNLOCK, 2, 3), TN_OK);
		assert_int_equal(set(1, UNLOCK, 0, TN_LOCK_END), TN_OK);
		tn_locks_fini(&table);
	}
}

static void without_memory_nothing_has_changed(void **state)
{
	enum tn_err err;
	int n = 0;

	(void)state;
	do {
		tn_locks_fini(&table);
		assert_int_equal(set(1, WRITE, 0, 99), TN_OK);
		allocations_left = n++;
		tn_alloc_hook = allow;
		err = set(1, READ, 10, 19); /* the lock, and what is behind it */
		tn_alloc_hook = NULL;
		assert_int_equal(table.n_ranges, err ? 1 : 3);
		assert_string_equal(in_the_way(0, READ, 10, 19), err ? "W 0-99 of 1" : "nothing");
	} while (err == TN_ENOMEM && n < 10);
	assert_int_equal(err, TN_OK);
	assert_int_equal(n, 3);
	for (n = 0; n < 2; n++) { /* the file, the lock */
		allocations_left = n;
		tn_alloc_hook = allow;
		assert_int_equal(set_by(1, 1, READ, 0, 9, 0), TN_ENOMEM);
		tn_alloc_hook = NULL;
		assert_string_equal(in_the_way(1, WRITE, 0, 99), "nothing");
	}
	allocations_left = 0; /* that it waits is not remembered; it is refused all the same */
	tn_alloc_hook = allow;
	assert_int_equal(wait_for(0, 5, WRITE, 0, 0), TN_EAGAIN);
	tn_alloc_hook = NULL;
	assert_int_equal(table.n_waits, 0);
}

static enum tn_err last_word;
static unsigned n_asked;

static enum tn_err outside(struct tn_locks *t, struct tn_lock_key key, const struct tn_lock *l)
{
	assert_ptr_equal(t, &table);
	assert_int_equal(key.b, 0);
	assert_int_equal(l->owner, 1);
	n_asked++;
	return last_word;
}

static void others_are_asked_last_and_only_for_what_would_be_granted(void **state)
{
	(void)state;
	assert_int_equal(set(2, READ, 0, 9), TN_OK);
	table.outside = outside;
	n_asked = 0;
	last_word = TN_EAGAIN;
	assert_int_equal(set(1, WRITE, 0, 9), TN_EAGAIN);
	assert_int_equal(n_asked, 0);
	assert_int_equal(set(1, READ, 0, 9), TN_EAGAIN);
	assert_int_equal(n_asked, 1);
	assert_int_equal(table.n_ranges, 1);
	last_word = TN_OK;
	assert_int_equal(set(1, READ, 0, 9), TN_OK);
	assert_int_equal(set(1, UNLOCK, 0, 9), TN_OK);
	assert_int_equal(n_asked, 2);
	allocations_left = 0;
	tn_alloc_hook = allow;
	assert_int_equal(set(1, READ, 0, 9), TN_ENOMEM);
	tn_alloc_hook = NULL;
	assert_int_equal(n_asked, 2);
	table.outside = NULL;
}

/* ---- requests ---- */

#define MAX TN_LOCK_END

static const struct {
	const char *what;
	enum tn_req_type type;
	uint32_t open; /* flags of the Chan */
	uint8_t lock;
	uint64_t start, length;
	enum tn_err err;
	uint64_t last;
} asks[] = {
	{ "ten bytes", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, 5, 10, TN_OK, 14 },
	{ "to the end", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, 5, 0, TN_OK, MAX },
	{ "up to the last byte", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, 5, MAX - 4, TN_OK, MAX },
	{ "one byte more", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, 5, MAX - 3, TN_EOVERFLOW, 0 },
	{ "a length that wraps", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, 5, UINT64_MAX, TN_EOVERFLOW,
	    0 },
	{ "the last byte", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, MAX, 1, TN_OK, MAX },
	{ "behind it", TN_LOCK, TN_CF_OPEN | TN_ORDWR, WRITE, MAX + 1, 1, TN_EINVAL, 0 },
	{ "no such type", TN_LOCK, TN_CF_OPEN | TN_ORDWR, 3, 0, 1, TN_EINVAL, 0 },
	{ "a test for nothing", TN_GETLOCK, TN_CF_OPEN | TN_ORDWR, UNLOCK, 0, 1, TN_EINVAL, 0 },
	{ "not open", TN_LOCK, TN_ORDWR, READ, 0, 1, TN_ENOTOPEN, 0 },
	{ "reading, open for it", TN_LOCK, TN_CF_OPEN | TN_OREAD, READ, 0, 1, TN_OK, 0 },
	{ "reading, open for execution", TN_LOCK, TN_CF_OPEN | TN_OEXEC, READ, 0, 1, TN_OK, 0 },
	{ "reading, open for writing", TN_LOCK, TN_CF_OPEN | TN_OWRITE, READ, 0, 1, TN_EBADUSE, 0 },
	{ "writing, open for reading", TN_LOCK, TN_CF_OPEN | TN_OREAD, WRITE, 0, 1, TN_EBADUSE, 0 },
	{ "writing, open for it", TN_LOCK, TN_CF_OPEN | TN_OWRITE, WRITE, 0, 1, TN_OK, 0 },
	{ "unlocking, open for reading", TN_LOCK, TN_CF_OPEN | TN_OREAD, UNLOCK, 0, 1, TN_OK, 0 },
	{ "a test is for all", TN_GETLOCK, TN_CF_OPEN | TN_OREAD, WRITE, 0, 1, TN_OK, 0 },
};

/* fcntl(2): EBADF, EINVAL, EOVERFLOW. */
static void what_is_asked_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(asks); i++) {
		struct tn_chan c = { .flags = asks[i].open };
		struct tn_req r = { .type = (uint8_t)asks[i].type, .chan = &c };
		struct tn_lock l;

		print_message("%s\n", asks[i].what);
		r.u.lock.type = asks[i].lock;
		r.u.lock.start = asks[i].start;
		r.u.lock.length = asks[i].length;
		r.u.lock.owner = 7;
		assert_int_equal(tn_lock_of(&l, &r), asks[i].err);
		if (asks[i].err)
			continue;
		assert_int_equal(l.first, asks[i].start);
		assert_int_equal(l.last, asks[i].last);
		assert_int_equal(l.owner, 7);
		assert_ptr_equal(l.by, &c);
	}
}

static void a_test_tells_the_lock_as_it_was_set(void **state)
{
	struct tn_chan c = { .flags = TN_CF_OPEN | TN_ORDWR };
	struct tn_req r = { .type = TN_GETLOCK, .chan = &c };

	(void)state;
	assert_int_equal(set(1, WRITE, 7, TN_LOCK_END), TN_OK);
	r.u.lock.owner = 2;
	assert_int_equal(tn_locks_serve(&table, key_of(0), &r), TN_DONE);
	assert_int_equal(r.u.lock.type, WRITE);
	assert_int_equal(r.u.lock.start, 7);
	assert_int_equal(r.u.lock.length, 0);
	assert_int_equal(r.u.lock.pid, 101);
	assert_int_equal(r.u.lock.owner, 1);
	r.u.lock.owner = 1;
	r.u.lock.type = READ;
	assert_int_equal(tn_locks_serve(&table, key_of(0), &r), TN_DONE);
	assert_int_equal(r.u.lock.type, UNLOCK);
}

/* Who asks what is in the way waits for nothing: fcntl(2) tells it at once. */
static void who_only_tests_closes_no_circle_any_more(void **state)
{
	struct tn_chan chan = { .flags = TN_CF_OPEN | TN_ORDWR };
	struct tn_req r = { .type = TN_GETLOCK, .chan = &chan };

	(void)state;
	assert_int_equal(set_by(0, 1, WRITE, 0, 9, 0), TN_OK);
	assert_int_equal(set_by(1, 2, WRITE, 0, 9, 0), TN_OK);
	assert_int_equal(wait_for(1, 1, WRITE, 0, 0), TN_EAGAIN);
	r.u.lock.owner = 1;
	r.u.lock.type = WRITE;
	assert_int_equal(tn_locks_serve(&table, key_of(2), &r), TN_DONE);
	assert_int_equal(wait_for(0, 2, WRITE, 0, 0), TN_EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_changes_end_as_those_of_single_bytes),
		TEST(the_end_is_open_and_its_last_byte_is_one),
		TEST(what_stands_in_the_way_first_is_told),
		TEST(a_drop_takes_what_was_set_by_that_chan_and_says_where),
		TEST(a_circle_of_two_is_seen),
		TEST(a_circle_of_many_is_seen_whoever_closes_it),
		TEST(a_circle_through_any_of_those_who_have_it_is_seen),
		TEST(waiting_for_each_other_for_a_queue_is_no_circle),
		TEST(who_does_not_wait_any_more_closes_no_circle),
		TEST(who_asked_longest_ago_is_forgotten_at_the_limit),
		TEST(each_limit_is_reached_and_not_passed),
		TEST(without_memory_nothing_has_changed),
		TEST(others_are_asked_last_and_only_for_what_would_be_granted),
		TEST(what_is_asked_is_checked),
		TEST(a_test_tells_the_lock_as_it_was_set),
		TEST(who_only_tests_closes_no_circle_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
