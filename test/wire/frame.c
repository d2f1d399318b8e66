/*
 * Where a frame ends in a stream.
 */
#include "tenon/9p.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *what;
	uint32_t size; /* in the frame's first four bytes */
	size_t have;   /* bytes that have come */
	uint32_t msize;
	int32_t want; /* the frame's length; 0: more is needed; -1: hang up */
} frames[] = {
	{ "nothing", 19, 0, 8192, 0 },
	{ "three bytes of the size", 19, 3, 8192, 0 },
	{ "the size alone", 19, 4, 8192, 0 },
	{ "one byte missing", 19, 18, 8192, 0 },
	{ "all of it", 19, 19, 8192, 19 },
	{ "a piece of the next behind it", 19, 23, 8192, 19 },
	{ "a header alone", 7, 7, 8192, 7 },
	{ "shorter than a header", 6, 19, 8192, -1 },
	{ "shorter than a header, and only its size is here", 6, 4, 8192, -1 },
	{ "empty", 0, 4, 8192, -1 },
	{ "negative as an int", UINT32_MAX, 19, 8192, -1 },
	{ "msize and no more", 8192, 8, 8192, 0 },
	{ "msize and no more, all of it", 8192, 8192, 8192, 8192 },
	{ "msize and one", 8193, 8, 8192, -1 },
	{ "the largest, when any msize will do", INT32_MAX, 8, UINT32_MAX, 0 },
	{ "one more than an int says, when any msize will do", 0x80000000u, 8, UINT32_MAX, -1 },
};

/* `have` bytes and not one more. */
static uint8_t *frame_of(uint32_t size, size_t have)
{
	uint8_t *buf = calloc(1, have ? have : 1);

	assert_non_null(buf);
	for (size_t i = 0; i < 4 && i < have; i++)
		buf[i] = (uint8_t)(size >> 8 * i);
	return buf;
}

/* intro(5): size[4] counts itself; version(5): no message is longer than msize. */
static void a_frame_is_as_long_as_it_says_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(frames); i++) {
		uint8_t *buf = frame_of(frames[i].size, frames[i].have);
		int32_t len = tn_frame_len(buf, frames[i].have, frames[i].msize);

		if (len != frames[i].want)
			fail_msg("%s: %d, not %d", frames[i].what, len, frames[i].want);
		free(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_as_long_as_it_says_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
