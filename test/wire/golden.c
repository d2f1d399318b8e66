/*
 * Frames that real programs sent (../shared/vectors), both ways, and everything that is nearly one of them.
 */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FRAME_MAX = 512 }; /* the vectors' README: none is over 430 bytes */

static struct vectors vectors;
static bool have_vectors;

#define NEED_VECTORS()             \
	do {                       \
		(void)state;       \
		if (!have_vectors) \
			skip();    \
	} while (0)

#define EACH(v) (const struct vector *v = vectors.list; v < vectors.list + vectors.n; v++)

static int load(void **state)
{
	(void)state;
	have_vectors = vectors_load(&vectors);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	if (have_vectors)
		vectors_free(&vectors);
	return 0;
}

static void each_recorded_frame_decodes_to_its_recorded_fields(void **state)
{
	uint8_t data[FRAME_MAX];

	NEED_VECTORS();
	assert_int_not_equal(vectors.n, 0);
	for
		EACH(v)
		{
			struct tn_msg want = { 0 }, m = { 0 };

			msg_of_fields(&want, v->fields, v->dialect, data, sizeof(data));
			if (tn_msg_decode(&m, v->dialect, v->frame, v->len) != TN_CODEC_OK)
				fail_msg("%s: refused", v->what);
			if (msg_differs(&want, &m))
				fail_msg("%s: %s differs", v->what, msg_differs(&want, &m));
			if (msg_points_outside(&m, v->frame, v->len))
				fail_msg("%s: %s", v->what,
				    msg_points_outside(&m, v->frame, v->len));
		}
}

static void the_recorded_fields_encode_to_the_recorded_frame(void **state)
{
	uint8_t data[FRAME_MAX], out[FRAME_MAX];

	NEED_VECTORS();
	for
		EACH(v)
		{
			struct tn_msg m = { 0 };
			size_t len = 0;

			msg_of_fields(&m, v->fields, v->dialect, data, sizeof(data));
			assert_int_equal(tn_msg_encode(&m, v->dialect, out, sizeof(out), &len),
			    TN_CODEC_OK);
			if (len != v->len || memcmp(out, v->frame, len) != 0)
				fail_msg("%s: other bytes", v->what);
		}
}

/* Cut as a stream may be, and cut with a size that agrees. */
static void each_frame_cut_anywhere_is_refused(void **state)
{
	NEED_VECTORS();
	for
		EACH(v)
	for (size_t n = 0; n < v->len; n++) {
		uint8_t *cut = exactly(v->frame, n);
		struct tn_msg m;

		if (tn_msg_decode(&m, v->dialect, cut, n) != TN_CODEC_SHORT)
			fail_msg("%s: %zu bytes of %zu", v->what, n, v->len);
		if (n >= TN_HDR_SIZE) {
			set_size(cut, n);
			assert_int_not_equal(tn_msg_decode(&m, v->dialect, cut, n), TN_CODEC_OK);
			assert_int_equal(m.type, v->frame[4]);
			assert_int_equal(m.tag, v->frame[5] | v->frame[6] << 8);
		}
		free(cut);
	}
}

static void each_frame_with_a_byte_more_is_refused(void **state)
{
	uint8_t longer[FRAME_MAX];

	NEED_VECTORS();
	for
		EACH(v)
		{
			uint8_t *frame;
			struct tn_msg m;

			memcpy(longer, v->frame, v->len);
			longer[v->len] = 0;
			frame = exactly(longer, v->len + 1);
			assert_int_equal(tn_msg_decode(&m, v->dialect, frame, v->len + 1),
			    TN_CODEC_LONG);
			set_size(frame, v->len + 1);
			if (tn_msg_decode(&m, v->dialect, frame, v->len + 1) != TN_CODEC_LONG)
				fail_msg("%s: a byte more", v->what);
			free(frame);
		}
}

/* "A strict decoder must refuse them without reading past the end": the vectors' README. */
static void odd_frames_are_refused_in_every_dialect(void **state)
{
	NEED_VECTORS();
	assert_int_not_equal(vectors.n_odd, 0);
	for (const struct vector *v = vectors.odd; v < vectors.odd + vectors.n_odd; v++) {
		struct tn_msg m;

		assert_int_equal(tn_msg_decode(&m, TN_9P2000_L, v->frame, v->len), TN_CODEC_TYPE);
		assert_int_equal(m.type, TN_RERROR);
		assert_int_not_equal(tn_msg_decode(&m, TN_9P2000, v->frame, v->len), TN_CODEC_OK);
		assert_int_not_equal(tn_msg_decode(&m, TN_9P2000_U, v->frame, v->len), TN_CODEC_OK);
	}
}

/* Room for every number of bytes below what is needed; what lies behind the room keeps its value. */
static void a_frame_is_not_written_into_less_room_than_it_needs(void **state)
{
	uint8_t data[FRAME_MAX], out[FRAME_MAX];

	NEED_VECTORS();
	for
		EACH(v)
		{
			struct tn_msg m = { 0 };

			msg_of_fields(&m, v->fields, v->dialect, data, sizeof(data));
			for (size_t room = 0; room < v->len; room++) {
				size_t len = 12345;

				memset(out, 0xa5, sizeof(out));
				if (tn_msg_encode(&m, v->dialect, out, room, &len) != TN_CODEC_ROOM)
					fail_msg("%s: into %zu of %zu bytes", v->what, room,
					    v->len);
				for (size_t i = room; i < sizeof(out); i++)
					assert_int_equal(out[i], 0xa5);
				assert_int_equal(len, 12345);
			}
		}
}

static bool is_data(const struct tn_msg *m)
{
	return m->type == TN_RREAD || m->type == TN_TWRITE || m->type == TN_RREADDIR;
}

/* read(5): the head alone, or data that is in the buffer already. */
static void data_need_not_be_copied_into_the_frame(void **state)
{
	uint8_t out[FRAME_MAX];
	unsigned seen = 0;

	NEED_VECTORS();
	for
		EACH(v)
		{
			struct tn_msg m;
			size_t head, len;

			assert_int_equal(tn_msg_decode(&m, v->dialect, v->frame, v->len),
			    TN_CODEC_OK);
			if (!is_data(&m))
				continue;
			seen++;
			head = v->len - m.count;
			memset(out, 0xa5, sizeof(out));
			memcpy(out + head, m.data, m.count);
			m.data = NULL;
			assert_int_equal(tn_msg_encode(&m, v->dialect, out, head, &len),
			    TN_CODEC_OK);
			assert_int_equal(len, head);
			assert_memory_equal(out, v->frame, v->len);

			m.data = out + head;
			assert_int_equal(tn_msg_encode(&m, v->dialect, out, v->len, &len),
			    TN_CODEC_OK);
			assert_int_equal(len, v->len);
			assert_memory_equal(out, v->frame, v->len);
		}
	assert_true(seen > 10);
}

/* The entries of recorded listings, one by one, both ways, and cut anywhere. */
static void recorded_listings_of_9p2000l_are_read_and_written_entry_by_entry(void **state)
{
	unsigned seen = 0;

	NEED_VECTORS();
	for
		EACH(v)
		{
			struct tn_msg m;
			struct tn_dirent d;
			uint8_t out[FRAME_MAX];
			size_t used;

			assert_int_equal(tn_msg_decode(&m, v->dialect, v->frame, v->len),
			    TN_CODEC_OK);
			if (m.type != TN_RREADDIR)
				continue;
			for (size_t at = 0; at < m.count; at += used, seen++) {
				uint8_t *rest = exactly(m.data + at, m.count - at);

				assert_int_equal(tn_dirent_decode(&d, rest, m.count - at, &used),
				    TN_CODEC_OK);
				assert_int_equal(tn_dirent_encode(&d, out, sizeof(out)), used);
				assert_memory_equal(out, rest, used);
				for (size_t n = 0; n < used; n++) {
					uint8_t *cut = exactly(rest, n);
					size_t unused;

					assert_int_equal(tn_dirent_decode(&d, cut, n, &unused),
					    TN_CODEC_SHORT);
					free(cut);
				}
				free(rest);
			}
		}
	assert_true(seen > 10);
}

/* read(5): a directory's data are stats. Files' data are told from them by not decoding. */
static void recorded_listings_of_stats_are_read_and_written_entry_by_entry(void **state)
{
	unsigned seen = 0;

	NEED_VECTORS();
	for
		EACH(v)
		{
			struct tn_msg m;
			struct tn_stat st;
			uint8_t out[FRAME_MAX];
			size_t used;

			assert_int_equal(tn_msg_decode(&m, v->dialect, v->frame, v->len),
			    TN_CODEC_OK);
			if (m.type != TN_RREAD || v->dialect == TN_9P2000_L)
				continue;
			for (size_t at = 0; at < m.count; at += used, seen++) {
				uint8_t *rest = exactly(m.data + at, m.count - at);
				enum tn_codec_err err = tn_stat_decode(&st, v->dialect, rest,
				    m.count - at, &used);

				if (!err) {
					assert_int_equal(tn_stat_size(&st, v->dialect), used);
					assert_int_equal(
					    tn_stat_encode(&st, v->dialect, out, sizeof(out)),
					    used);
					assert_memory_equal(out, rest, used);
				}
				free(rest);
				if (err)
					break;
			}
		}
	assert_true(seen >= 6);
}

/* Of those that no program was seen to send there is a row in test/wire/msg.c. */
static void each_message_of_each_dialect_was_recorded_but_these(void **state)
{
	static const char *const missing[TN_DIALECTS] = {
		[TN_9P2000] = "",
		[TN_9P2000_U] = " Tauth Rauth Tflush Rflush",
		[TN_9P2000_L] = " Rgetlock Tflush Rflush",
	};

	NEED_VECTORS();
	for (enum tn_dialect d = 0; d <= TN_9P2000_L; d++) {
		bool seen[256] = { false };
		char list[256] = "";

		for
			EACH(v)
		seen[v->frame[4]] |= v->dialect == d;
		for (unsigned type = 0; type < 256; type++) {
			uint8_t frame[TN_HDR_SIZE] = { TN_HDR_SIZE, 0, 0, 0, (uint8_t)type };
			struct tn_msg m;

			if (!seen[type] &&
			    tn_msg_decode(&m, d, frame, sizeof(frame)) != TN_CODEC_TYPE) {
				strcat(list, " ");
				strcat(list, tn_msg_name(type));
			}
		}
		assert_string_equal(list, missing[d]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_recorded_frame_decodes_to_its_recorded_fields),
		cmocka_unit_test(the_recorded_fields_encode_to_the_recorded_frame),
		cmocka_unit_test(each_frame_cut_anywhere_is_refused),
		cmocka_unit_test(each_frame_with_a_byte_more_is_refused),
		cmocka_unit_test(odd_frames_are_refused_in_every_dialect),
		cmocka_unit_test(a_frame_is_not_written_into_less_room_than_it_needs),
		cmocka_unit_test(data_need_not_be_copied_into_the_frame),
		cmocka_unit_test(recorded_listings_of_9p2000l_are_read_and_written_entry_by_entry),
		cmocka_unit_test(recorded_listings_of_stats_are_read_and_written_entry_by_entry),
		cmocka_unit_test(each_message_of_each_dialect_was_recorded_but_these),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
