/*
 * The table of fids: whatever numbers a peer chooses.
 */
#include "link/fid.h"

#include "host/posix/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 5000 };

static const struct {
	const char *what;
	uint32_t first, step;
} numbers[] = {
	{ "from 0", 0, 1 },
	{ "from 1000", 1000, 1 },
	{ "every third", 0, 3 },
	{ "every tenth", 5, 10 },
	{ "a prime", 10000, 7919 },
	{ "downwards", UINT32_MAX - 1, UINT32_MAX },
	{ "multiples of 2^16", 0, 65536 },
	{ "multiples of 2^19", 1, 524288 },
};

static uint32_t number_of(size_t row, uint32_t i)
{
	return numbers[row].first + i * numbers[row].step;
}

static void every_number_is_found_and_no_other(void **state)
{
	(void)state;
	for (size_t row = 0; row < TN_COUNT(numbers); row++) {
		struct tn_fids t = { 0 };
		enum tn_err err;
		uint32_t cursor = 0;
		struct tn_fid *fid;

		print_message("%s\n", numbers[row].what);
		tn_fids_init(&t, COUNT);
		for (uint32_t i = 0; i < COUNT; i++) {
			assert_null(tn_fid_find(&t, number_of(row, i)));
			fid = tn_fid_make(&t, number_of(row, i), &err);
			assert_non_null(fid);
			assert_ptr_equal(tn_fid_find(&t, number_of(row, i)), fid);
		}
		assert_null(tn_fid_make(&t, number_of(row, COUNT), &err));
		assert_int_equal(err, TN_ELIMIT_FIDS);
		for (uint32_t i = 0; i < COUNT; i += 2)
			tn_fid_drop(&t, tn_fid_find(&t, number_of(row, i)));
		for (uint32_t i = 0; i < COUNT; i++) {
			fid = tn_fid_find(&t, number_of(row, i));
			assert_true(i % 2 ? fid && fid->number == number_of(row, i) : !fid);
		}
		assert_int_equal(t.n, COUNT / 2);
		while ((fid = tn_fids_next(&t, &cursor)) != NULL)
			tn_fid_drop(&t, fid);
		assert_int_equal(t.n, 0);
		tn_fids_fini(&t);
	}
}

static size_t most;

static bool see_most(size_t size)
{
	most = size > most ? size : most;
	return true;
}

static void a_single_large_number_costs_no_large_array(void **state)
{
	struct tn_fids t = { 0 };
	enum tn_err err;

	(void)state;
	tn_alloc_hook = see_most;
	tn_fids_init(&t, UINT32_MAX);
	tn_fid_make(&t, 65535, &err);
	tn_fid_make(&t, 1u << 31, &err);
	tn_fid_make(&t, UINT32_MAX - 1, &err);
	assert_true(most <= sizeof(struct tn_fid));
	tn_fid_drop(&t, tn_fid_find(&t, 65535));
	tn_fid_drop(&t, tn_fid_find(&t, 1u << 31));
	tn_fid_drop(&t, tn_fid_find(&t, UINT32_MAX - 1));
	tn_fids_fini(&t);
	tn_alloc_hook = NULL;
}

static bool small_only(size_t size)
{
	return size <= sizeof(struct tn_fid);
}

/* Without memory for the array or the chains they stay as they are, and every fid is found all the same. */
static void a_table_that_cannot_grow_works(void **state)
{
	(void)state;
	tn_alloc_hook = small_only;
	every_number_is_found_and_no_other(state);
	tn_alloc_hook = NULL;
}

static bool never(size_t size)
{
	(void)size;
	return false;
}

static void a_fid_without_memory_is_an_error(void **state)
{
	struct tn_fids t = { 0 };
	enum tn_err err;

	(void)state;
	tn_fids_init(&t, 10);
	tn_alloc_hook = never;
	assert_null(tn_fid_make(&t, 5, &err));
	assert_int_equal(err, TN_ENOMEM);
	assert_null(tn_fid_find(&t, 5));
	tn_alloc_hook = NULL;
	tn_fids_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_found_and_no_other),
		cmocka_unit_test(a_single_large_number_costs_no_large_array),
		cmocka_unit_test(a_table_that_cannot_grow_works),
		cmocka_unit_test(a_fid_without_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
