/*
 * Chains of answers against a flat model: what goes in comes out, whatever the sizes, however it is sent.
 */
#include "link/out.h"

#include "host/posix/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

enum { ALL = 1 << 20 };

static uint8_t model[ALL];
static size_t n_in, n_out;

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = model[n_in++] = (uint8_t)rnd(256);
}

static void send_some(struct tn_out *out, size_t max)
{
	struct tn_vec vec[3];
	size_t n = tn_out_vec(out, vec, 3), sent = 0;

	for (size_t i = 0; i < n; i++) {
		size_t part = vec[i].len < max - sent ? vec[i].len : max - sent;

		assert_true(vec[i].len > 0);
		assert_memory_equal(vec[i].data, model + n_out + sent, part);
		sent += part;
	}
	tn_out_sent(out, sent);
	n_out += sent;
}

static bool fail_some(size_t size)
{
	(void)size;
	return rnd(2);
}

static void what_goes_in_comes_out(void **state)
{
	(void)state;
	for (int failing = 0; failing < 2; failing++) {
		struct tn_budget budget = { .max = 300000 };
		struct tn_out out = { 0 };

		n_in = n_out = 0;
		seed = (uint32_t)failing;
		tn_out_init(&out, &budget);
		tn_alloc_hook = failing ? fail_some : NULL;
		while (n_in < ALL - 100000) {
			size_t need = rnd(4) ? rnd(600) : rnd(20000);
			uint8_t *room = tn_out_room(&out, need);

			if (room) {
				need = rnd((uint32_t)need + 1);
				fill(room, need);
				tn_out_fill(&out, need);
			}
			if (rnd(5) == 0) {
				struct tn_piece *p = tn_piece_new(&budget, 1 + rnd(9000));

				if (p) {
					p->len = 1 + rnd(p->size);
					fill(p->data, p->len);
					tn_out_take(&out, p);
				}
			}
			assert_int_equal(out.bytes, n_in - n_out);
			while (rnd(2))
				send_some(&out, 1 + rnd(12000));
			if (rnd(20) == 0)
				send_some(&out, SIZE_MAX);
			if (rnd(50) == 0)
				tn_out_shrink(&out);
		}
		tn_alloc_hook = NULL;
		while (out.bytes > 0)
			send_some(&out, SIZE_MAX);
		tn_out_shrink(&out);
		assert_true(tn_out_is_small(&out));
		tn_out_fini(&out);
		assert_int_equal(budget.used, 0);
	}
}

static bool never(size_t size)
{
	(void)size;
	return false;
}

/* What may_serve of conn.c builds on. */
static void once_all_is_sent_there_is_room_without_memory(void **state)
{
	struct tn_budget budget = { .max = 300000 };
	struct tn_out out = { 0 };

	(void)state;
	tn_out_init(&out, &budget);
	assert_non_null(tn_out_room(&out, TN_PIECE_LENT));
	tn_out_fill(&out, TN_PIECE_LENT);
	tn_alloc_hook = never;
	assert_non_null(tn_out_room(&out, TN_OUT_BASE)); /* the first piece, which is idle */
	tn_out_fill(&out, TN_OUT_BASE);
	assert_null(tn_out_room(&out, TN_OUT_BASE));
	tn_out_sent(&out, TN_PIECE_LENT + TN_OUT_BASE);
	assert_non_null(tn_out_room(&out, TN_OUT_BASE));
	tn_alloc_hook = NULL;
	tn_out_fini(&out);
	assert_int_equal(budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(once_all_is_sent_there_is_room_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
