/*
 * Recorded frames, damaged at random with a fixed seed: nothing is read outside the frame (a sanitizer sees it: each is
 * as long as it is, to the byte), and what still decodes means the same after it was encoded again.
 */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FRAME_MAX = 1024, ROUNDS = 300000 };

static uint64_t seed = 0x9e3779b97f4a7c15u;

/* xorshift64* */
static uint32_t chance(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 33) % below;
}

static const uint32_t edges[] = { 0, 1, 2, 6, 7, 8, 15, 16, 17, 18, 0x7f, 0x80, 0xfe, 0xff, 0x7fff,
	0x8000, 0xfffe, 0xffff, 0x7fffffff, 0x80000000u, 0xfffffffeu, UINT32_MAX };

struct damage {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

static void flip_a_bit(struct damage *d)
{
	d->bytes[chance((uint32_t)d->len)] ^= (uint8_t)(1 << chance(8));
}

static void put_an_edge(struct damage *d)
{
	uint32_t v = edges[chance(TN_COUNT(edges))];
	size_t at = chance((uint32_t)d->len), width = (size_t)1 << chance(3);

	for (size_t i = 0; i < width && at + i < d->len; i++)
		d->bytes[at + i] = (uint8_t)(v >> 8 * i);
}

static void cut(struct damage *d)
{
	if (d->len > TN_HDR_SIZE)
		d->len -= chance((uint32_t)(d->len - TN_HDR_SIZE) + 1);
}

static void stretch(struct damage *d)
{
	size_t more = chance(40);

	if (d->len + more > FRAME_MAX)
		return;
	for (size_t i = 0; i < more; i++)
		d->bytes[d->len++] = (uint8_t)chance(256);
}

static void change_type(struct damage *d)
{
	d->bytes[4] = (uint8_t)chance(TN_MSG_TYPES + 2);
}

static void (*const damages[])(struct damage *) = {
	flip_a_bit,
	put_an_edge,
	put_an_edge,
	cut,
	stretch,
	change_type,
};

/* Returns whether the frame was taken. */
static bool try(enum tn_dialect dialect, const struct damage *d)
{
	uint8_t *frame = exactly(d->bytes, d->len), *out = exactly(d->bytes, d->len);
	struct tn_msg m = { 0 }, again = { 0 };
	bool taken = tn_msg_decode(&m, dialect, frame, d->len) == TN_CODEC_OK;
	size_t len;

	if (taken) {
		assert_null(msg_points_outside(&m, frame, d->len));
		memset(out, 0xa5, d->len);
		assert_int_equal(tn_msg_encode(&m, dialect, out, d->len, &len), TN_CODEC_OK);
		assert_int_equal(len, d->len);
		assert_int_equal(tn_msg_decode(&again, dialect, out, len), TN_CODEC_OK);
		assert_null(msg_differs(&m, &again));
		assert_memory_equal(out, frame, len);
	}
	free(frame);
	free(out);
	return taken;
}

static void a_damaged_frame_is_refused_or_means_what_it_says(void **state)
{
	struct vectors vectors;
	uint32_t taken = 0;

	(void)state;
	if (!vectors_load(&vectors))
		skip();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		const struct vector *v = &vectors.list[chance((uint32_t)vectors.n)];
		enum tn_dialect dialect = chance(4) ? v->dialect
						    : (enum tn_dialect)chance(TN_DIALECTS);
		struct damage d = { .len = v->len };

		memcpy(d.bytes, v->frame, v->len);
		for (uint32_t n = 1 + chance(3); n; n--)
			damages[chance(TN_COUNT(damages))](&d);
		if (chance(8))
			set_size(d.bytes, d.len);
		taken += try(dialect, &d);
	}
	print_message("%u of %u were taken\n", taken, (unsigned)ROUNDS);
	assert_in_range(taken, ROUNDS / 100, ROUNDS / 2);
	vectors_free(&vectors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_frame_is_refused_or_means_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
