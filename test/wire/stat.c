/*
 * Stats and dirents: what is not known is "don't touch" on the wire and the other way round; sizes; damage.
 */
#include "tenon/9p.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EMPTY = 49, EMPTY_U = 63, ROOM = 400 };

static const enum tn_dialect with_stats[] = { TN_9P2000, TN_9P2000_U };

#define S INT64_C(1000000000)

/* A stat with one field known. Times are whole seconds: the wire has no more. */
static const struct tn_stat single[] = {
	{ .valid = TN_ST_QID, .qid = { 0x1122334455667788u, 0x99aabbccu, TN_QTDIR } },
	{ .valid = TN_ST_QID, .qid = { 0, 0, 0 } },
	{ .valid = TN_ST_MODE, .mode = TN_DMDIR | 0755 },
	{ .valid = TN_ST_MODE, .mode = 0 },
	{ .valid = TN_ST_LENGTH, .length = 0x8000000000000001u },
	{ .valid = TN_ST_LENGTH, .length = 0 },
	{ .valid = TN_ST_ATIME, .atime_ns = 1795265254 * S },
	{ .valid = TN_ST_MTIME, .mtime_ns = 0xfffffffe * S },
	{ .valid = TN_ST_MTIME, .mtime_ns = 0 },
	{ .valid = TN_ST_NAME, .name = { "name", 4 } },
	{ .valid = TN_ST_UID, .uid = { "glenda", 6 } },
	{ .valid = TN_ST_GID, .gid = { "sys", 3 } },
	{ .valid = TN_ST_MUID, .muid = { "bootes", 6 } },
	{ .valid = TN_ST_DEV, .type = 'M', .dev = 7 },
	{ .valid = TN_ST_DEV, .type = 0, .dev = 0 },
	{ .valid = TN_ST_DEV, .type = UINT16_MAX, .dev = 1 },
	{ .valid = TN_ST_DEV, .type = 1, .dev = UINT32_MAX },
};

static const struct tn_stat single_u[] = {
	{ .valid = TN_ST_EXTENSION, .extension = { "c 1 3", 5 } },
	{ .valid = TN_ST_NUID, .n_uid = 1000 },
	{ .valid = TN_ST_NGID, .n_gid = 0 },
	{ .valid = TN_ST_NMUID, .n_muid = 0xfffffffe },
};

static const struct tn_stat full = {
	.valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		 TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_DEV,
	.mode = 0644,
	.qid = { 1, 2, 0 },
	.length = 3,
	.atime_ns = 4 * S,
	.mtime_ns = 5 * S,
	.name = { "a file", 6 },
	.uid = { "u", 1 },
	.gid = { "gg", 2 },
	.muid = { "mmm", 3 },
	.type = 6,
	.dev = 7,
};

static bool same_text(struct tn_str a, struct tn_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.s, b.s, a.len));
}

static void assert_same(const struct tn_stat *a, const struct tn_stat *b)
{
	assert_int_equal(a->valid, b->valid);
	assert_int_equal(a->mode, b->mode);
	assert_true(a->qid.path == b->qid.path && a->qid.version == b->qid.version);
	assert_int_equal(a->qid.type, b->qid.type);
	assert_true(
	    a->length == b->length && a->atime_ns == b->atime_ns && a->mtime_ns == b->mtime_ns);
	assert_true(same_text(a->name, b->name) && same_text(a->extension, b->extension));
	assert_true(
	    same_text(a->uid, b->uid) && same_text(a->gid, b->gid) && same_text(a->muid, b->muid));
	assert_true(a->n_uid == b->n_uid && a->n_gid == b->n_gid && a->n_muid == b->n_muid);
	assert_true(a->dev == b->dev && a->type == b->type);
}

static uint8_t *exactly(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

static void assert_both_ways(const struct tn_stat *st, enum tn_dialect d)
{
	uint8_t out[ROOM];
	size_t len = tn_stat_encode(st, d, out, sizeof(out)), used = 0;
	uint8_t *entry = exactly(out, len);
	struct tn_stat again;

	assert_int_not_equal(len, 0);
	assert_int_equal(tn_stat_size(st, d), len);
	memset(&again, 0xa5, sizeof(again));
	assert_int_equal(tn_stat_decode(&again, d, entry, len, &used), TN_CODEC_OK);
	assert_int_equal(used, len);
	assert_same(&again, st);
	free(entry);
}

static void each_field_goes_both_ways_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(single); i++)
		for (size_t d = 0; d < TN_COUNT(with_stats); d++)
			assert_both_ways(&single[i], with_stats[d]);
	for (size_t i = 0; i < TN_COUNT(single_u); i++)
		assert_both_ways(&single_u[i], TN_9P2000_U);
	assert_both_ways(&full, TN_9P2000);
	assert_both_ways(&full, TN_9P2000_U);
}

/* stat(5): "zero-length strings and the maximum unsigned value indicate don't touch". Bytes as devwstat makes them. */
static void what_is_not_known_is_dont_touch(void **state)
{
	static const size_t empty[TN_DIALECTS] = { EMPTY, EMPTY_U };
	static const struct tn_stat nothing;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(with_stats); i++) {
		enum tn_dialect d = with_stats[i];
		uint8_t out[ROOM], want[ROOM];

		memset(want, 0xff, sizeof(want));
		want[0] = (uint8_t)(empty[d] - 2);
		want[1] = 0;
		memset(want + 41, 0, 8); /* name uid gid muid */
		if (d == TN_9P2000_U)
			memset(want + 49, 0, 2); /* extension */
		assert_int_equal(tn_stat_encode(&nothing, d, out, sizeof(out)), empty[d]);
		assert_memory_equal(out, want, empty[d]);
		assert_both_ways(&nothing, d);
	}
}

/* What a caller left in a field does not count when the field's bit is clear. */
static void fields_without_their_bit_are_not_sent(void **state)
{
	static const struct tn_stat nothing;
	struct tn_stat st = full;
	uint8_t out[ROOM], want[ROOM];

	(void)state;
	st.valid = 0;
	assert_int_equal(tn_stat_encode(&nothing, TN_9P2000, want, sizeof(want)), EMPTY);
	assert_int_equal(tn_stat_encode(&st, TN_9P2000, out, sizeof(out)), EMPTY);
	assert_memory_equal(out, want, EMPTY);
}

static const struct {
	const char *what;
	int64_t ns;
	uint32_t s;
} times[] = {
	{ "1970", 0, 0 },
	{ "the last nanosecond of a second", 2 * S - 1, 1 },
	{ "before 1970", -1, 0 },
	{ "long before 1970", INT64_MIN, 0 },
	{ "the last second that is not \"don't touch\"", 0xfffffffe * S, 0xfffffffe },
	{ "\"don't touch\" is not sent for a time that is known", 0xffffffff * S, 0xfffffffe },
	{ "later than 32 bits", INT64_MAX, 0xfffffffe },
};

static void a_time_is_whole_seconds_as_near_as_the_wire_can_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(times); i++) {
		struct tn_stat st = { .valid = TN_ST_MTIME, .mtime_ns = times[i].ns }, again;
		uint8_t out[ROOM];
		size_t len = tn_stat_encode(&st, TN_9P2000, out, sizeof(out)), used;

		assert_int_equal(tn_stat_decode(&again, TN_9P2000, out, len, &used), TN_CODEC_OK);
		if (again.valid != TN_ST_MTIME || again.mtime_ns != times[i].s * S)
			fail_msg("%s", times[i].what);
	}
}

static void an_entry_is_not_written_into_less_room_than_it_needs(void **state)
{
	uint8_t out[ROOM];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(with_stats); i++)
		for (size_t room = 0; room < tn_stat_size(&full, with_stats[i]); room++) {
			memset(out, 0xa5, sizeof(out));
			assert_int_equal(tn_stat_encode(&full, with_stats[i], out, room), 0);
			for (size_t k = room; k < sizeof(out); k++)
				assert_int_equal(out[k], 0xa5);
		}
}

static void an_entry_is_taken_from_the_front_and_cut_ones_are_refused(void **state)
{
	uint8_t out[ROOM];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(with_stats); i++) {
		enum tn_dialect d = with_stats[i];
		size_t len = tn_stat_encode(&full, d, out, sizeof(out)), used;
		struct tn_stat st;

		assert_int_equal(tn_stat_decode(&st, d, out, sizeof(out), &used), TN_CODEC_OK);
		assert_int_equal(used, len);
		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = exactly(out, n);

			assert_int_equal(tn_stat_decode(&st, d, cut, n, &used), TN_CODEC_SHORT);
			if (n >= 2) { /* and with a size that agrees */
				cut[0] = (uint8_t)(n - 2);
				assert_int_equal(tn_stat_decode(&st, d, cut, n, &used),
				    TN_CODEC_SHORT);
			}
			free(cut);
		}
	}
}

static void bytes_in_an_entry_behind_its_last_field_are_refused(void **state)
{
	uint8_t out[ROOM] = { 0 };
	size_t len = tn_stat_encode(&full, TN_9P2000, out, sizeof(out)), used;
	struct tn_stat st;

	(void)state;
	out[0]++;
	assert_int_equal(tn_stat_decode(&st, TN_9P2000, out, len + 1, &used), TN_CODEC_COUNT);
	/* a stat of .u where one of 9P2000 should be */
	len = tn_stat_encode(&full, TN_9P2000_U, out, sizeof(out));
	assert_int_equal(tn_stat_decode(&st, TN_9P2000, out, len, &used), TN_CODEC_COUNT);
}

static void a_nul_in_a_string_of_an_entry_is_refused(void **state)
{
	uint8_t out[ROOM], bad[ROOM];
	size_t len = tn_stat_encode(&full, TN_9P2000, out, sizeof(out)), used, seen = 0;
	struct tn_stat st;

	(void)state;
	for (size_t i = 43; i < len; i++) { /* from the first byte of the name */
		memcpy(bad, out, len);
		bad[i] = 0;
		if (out[i] < ' ')
			continue;
		assert_int_equal(tn_stat_decode(&st, TN_9P2000, bad, len, &used), TN_CODEC_STRING);
		seen++;
	}
	assert_int_equal(seen, 6 + 1 + 2 + 3);
}

static void an_entry_may_have_65535_bytes_and_no_more(void **state)
{
	char *text = malloc(70000);
	uint8_t *out = malloc(70000);
	struct tn_stat st = { .valid = TN_ST_NAME | TN_ST_UID };

	(void)state;
	assert_non_null(text);
	assert_non_null(out);
	memset(text, 'x', 70000);
	st.name = (struct tn_str){ text, 40000 };
	st.uid = (struct tn_str){ text, UINT16_MAX - EMPTY - 40000 };
	assert_int_equal(tn_stat_size(&st, TN_9P2000), UINT16_MAX);
	assert_int_equal(tn_stat_encode(&st, TN_9P2000, out, 70000), UINT16_MAX);
	st.uid.len++;
	assert_int_equal(tn_stat_size(&st, TN_9P2000), 0);
	assert_int_equal(tn_stat_encode(&st, TN_9P2000, out, 70000), 0);
	st.name.len = UINT32_MAX;
	st.uid.len = UINT32_MAX;
	assert_int_equal(tn_stat_size(&st, TN_9P2000), 0);
	free(text);
	free(out);
}

static void dialect_9p2000l_has_no_stats(void **state)
{
	uint8_t out[ROOM] = { EMPTY - 2 };
	struct tn_stat st;
	size_t used;

	(void)state;
	assert_int_equal(tn_stat_size(&full, TN_9P2000_L), 0);
	assert_int_equal(tn_stat_encode(&full, TN_9P2000_L, out, sizeof(out)), 0);
	assert_int_equal(tn_stat_decode(&st, TN_9P2000_L, out, sizeof(out), &used), TN_CODEC_TYPE);
}

/* ---- dirents ---- */

/* diod's protocol.md, Treaddir: qid[13] offset[8] type[1] name[s]. */
static void a_dirent_goes_both_ways(void **state)
{
	static const uint8_t want[] = { TN_QTDIR, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0,
		0, 0, 0, 0x7f, 4, 2, 0, 'h', 'i' };
	struct tn_dirent d = { { 0x0100000000000002u, 3, TN_QTDIR }, 0x7f000000000000ffu, 4,
		{ "hi", 2 } },
			 again;
	uint8_t out[64];
	size_t used;

	(void)state;
	for (size_t room = 0; room < sizeof(want); room++) {
		memset(out, 0xa5, sizeof(out));
		assert_int_equal(tn_dirent_encode(&d, out, room), 0);
		for (size_t i = room; i < sizeof(out); i++)
			assert_int_equal(out[i], 0xa5);
	}
	assert_int_equal(tn_dirent_encode(&d, out, sizeof(want)), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(tn_dirent_decode(&again, out, sizeof(out), &used), TN_CODEC_OK);
	assert_int_equal(used, sizeof(want));
	assert_true(
	    again.qid.path == d.qid.path && again.qid.version == 3 && again.qid.type == TN_QTDIR);
	assert_true(again.offset == d.offset && again.type == 4 && same_text(again.name, d.name));
}

static void a_dirent_with_a_nul_in_its_name_is_refused(void **state)
{
	struct tn_dirent d = { { 1, 0, 0 }, 1, 8, { "a\0b", 3 } };
	uint8_t out[64];
	size_t len = tn_dirent_encode(&d, out, sizeof(out)), used;

	(void)state;
	assert_int_equal(len, 27);
	assert_int_equal(tn_dirent_decode(&d, out, len, &used), TN_CODEC_STRING);
}

static void a_dirents_name_may_have_65535_bytes_and_no_more(void **state)
{
	char *text = malloc(65536);
	uint8_t *out = malloc(70000);
	struct tn_dirent d = { { 1, 0, 0 }, 1, 8, { text, 65535 } };

	(void)state;
	assert_non_null(text);
	assert_non_null(out);
	memset(text, 'x', 65536);
	assert_int_equal(tn_dirent_encode(&d, out, 70000), 24 + 65535);
	d.name.len++;
	assert_int_equal(tn_dirent_encode(&d, out, 70000), 0);
	free(text);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_goes_both_ways_alone),
		cmocka_unit_test(what_is_not_known_is_dont_touch),
		cmocka_unit_test(fields_without_their_bit_are_not_sent),
		cmocka_unit_test(a_time_is_whole_seconds_as_near_as_the_wire_can_say),
		cmocka_unit_test(an_entry_is_not_written_into_less_room_than_it_needs),
		cmocka_unit_test(an_entry_is_taken_from_the_front_and_cut_ones_are_refused),
		cmocka_unit_test(bytes_in_an_entry_behind_its_last_field_are_refused),
		cmocka_unit_test(a_nul_in_a_string_of_an_entry_is_refused),
		cmocka_unit_test(an_entry_may_have_65535_bytes_and_no_more),
		cmocka_unit_test(dialect_9p2000l_has_no_stats),
		cmocka_unit_test(a_dirent_goes_both_ways),
		cmocka_unit_test(a_dirent_with_a_nul_in_its_name_is_refused),
		cmocka_unit_test(a_dirents_name_may_have_65535_bytes_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
