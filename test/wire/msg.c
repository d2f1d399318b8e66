/*
 * Messages one at a time: limits, dialects, and those that no program was recorded to send.
 */
#include "tenon/9p.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set_size(uint8_t *frame, size_t len)
{
	for (size_t i = 0; i < 4; i++)
		frame[i] = (uint8_t)(len >> 8 * i);
}

static bool text_is(struct tn_str s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.s, text, s.len);
}

/* Decodes a frame that has exactly the length that it has, and expects the same bytes of encoding the result. */
static struct tn_msg both_ways(enum tn_dialect dialect, const uint8_t *bytes, size_t len)
{
	uint8_t *frame = malloc(len), *out = malloc(len);
	struct tn_msg m = { 0 };
	size_t used = 0;

	assert_non_null(frame);
	assert_non_null(out);
	memcpy(frame, bytes, len);
	assert_int_equal(tn_msg_decode(&m, dialect, frame, len), TN_CODEC_OK);
	assert_int_equal(tn_msg_encode(&m, dialect, out, len, &used), TN_CODEC_OK);
	assert_int_equal(used, len);
	assert_memory_equal(out, bytes, len);
	free(frame);
	free(out);
	assert_int_equal(tn_msg_decode(&m, dialect, bytes, len), TN_CODEC_OK);
	return m;
}

/* ---- what ../shared/vectors does not have, written from the pages ---- */

/* The draft of 9P2000.u: size[4] Tauth tag[2] afid[4] uname[s] aname[s] n_uname[4]. */
static void tauth_of_9p2000u_has_the_users_number(void **state)
{
	static const uint8_t frame[] = { 23, 0, 0, 0, 102, 1, 0, 5, 0, 0, 0, 2, 0, 'm', 'e', 2, 0,
		'/', 'x', 0xe8, 3, 0, 0 };
	struct tn_msg m;

	(void)state;
	m = both_ways(TN_9P2000_U, frame, sizeof(frame));
	assert_int_equal(m.type, TN_TAUTH);
	assert_int_equal(m.afid, 5);
	assert_true(text_is(m.uname, "me"));
	assert_true(text_is(m.aname, "/x"));
	assert_int_equal(m.n_uname, 1000);
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), TN_CODEC_LONG);
}

static void rauth_is_the_same_in_all_dialects(void **state)
{
	static const uint8_t frame[] = { 20, 0, 0, 0, 103, 1, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0,
		0x80 };

	(void)state;
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++) {
		struct tn_msg m = both_ways(d, frame, sizeof(frame));

		assert_int_equal(m.qid.type, TN_QTAUTH);
		assert_int_equal(m.qid.version, 2);
		assert_true(m.qid.path == 0x8000000000000003u);
	}
}

/* flush(5) */
static void tflush_and_rflush_are_the_same_in_all_dialects(void **state)
{
	static const uint8_t t[] = { 9, 0, 0, 0, 108, 1, 0, 2, 3 };
	static const uint8_t r[] = { 7, 0, 0, 0, 109, 0xff, 0xfe };

	(void)state;
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++) {
		struct tn_msg m = both_ways(d, t, sizeof(t));

		assert_int_equal(m.tag, 1);
		assert_int_equal(m.oldtag, 0x302);
		m = both_ways(d, r, sizeof(r));
		assert_int_equal(m.tag, 0xfeff);
	}
}

/* diod's protocol.md: Rgetlock type[1] start[8] length[8] proc_id[4] client_id[s]. */
static void rgetlock_has_no_flags(void **state)
{
	static const uint8_t frame[] = { 34, 0, 0, 0, 55, 1, 0, 2, 0x88, 0x77, 0x66, 0x55, 0x44,
		0x33, 0x22, 0x11, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4, 0, 'h', 'o', 's', 't' };
	struct tn_msg m;

	(void)state;
	m = both_ways(TN_9P2000_L, frame, sizeof(frame));
	assert_int_equal(m.lock_type, 2);
	assert_true(m.start == 0x1122334455667788u);
	assert_true(m.length == 9);
	assert_int_equal(m.proc_id, 7);
	assert_true(text_is(m.client_id, "host"));
}

/*
 * Recorded frames of these have fields that are equal: here the first field is 1, the second 2 and so on. Shapes: a digit
 * is a number of so many bytes, s a string of one letter ("a" is 1), q a qid with that path.
 */
static const struct in_order {
	const char *shape;
	struct tn_msg m;
} in_order[] = {
	{ "4ss4",
	    { .type = TN_TSYMLINK, .fid = 1, .name = { "b", 1 }, .target = { "c", 1 }, .gid = 4 } },
	{ "4s4444", { .type = TN_TMKNOD,
			.fid = 1,
			.name = { "b", 1 },
			.perm = 3,
			.major = 4,
			.minor = 5,
			.gid = 6 } },
	{ "4s44", { .type = TN_TMKDIR, .fid = 1, .name = { "b", 1 }, .perm = 3, .gid = 4 } },
	{ "41884s", { .type = TN_TGETLOCK,
			.fid = 1,
			.lock_type = 2,
			.start = 3,
			.length = 4,
			.proc_id = 5,
			.client_id = { "f", 1 } } },
	{ "4444488888", { .type = TN_TSETATTR,
			    .fid = 1,
			    .valid = 2,
			    .perm = 3,
			    .uid = 4,
			    .gid = 5,
			    .length = 6,
			    .atime_sec = 7,
			    .atime_nsec = 8,
			    .mtime_sec = 9,
			    .mtime_nsec = 10 } },
	{ "8q444888888888888888", { .type = TN_RGETATTR,
				      .valid = 1,
				      .qid = { .path = 2 },
				      .perm = 3,
				      .uid = 4,
				      .gid = 5,
				      .nlink = 6,
				      .rdev = 7,
				      .length = 8,
				      .blksize = 9,
				      .blocks = 10,
				      .atime_sec = 11,
				      .atime_nsec = 12,
				      .mtime_sec = 13,
				      .mtime_nsec = 14,
				      .ctime_sec = 15,
				      .ctime_nsec = 16,
				      .btime_sec = 17,
				      .btime_nsec = 18,
				      .gen = 19,
				      .data_version = 20 } },
};

/* 9P2000.L.tenon: docs/architecture.md. */
static const struct in_order tenon_in_order[] = {
	{ "4488", { .type = TN_TALLOCATE, .fid = 1, .flags = 2, .offset = 3, .length = 4 } },
	{ "", { .type = TN_RALLOCATE } },
	{ "448", { .type = TN_TSEEK, .fid = 1, .flags = 2, .offset = 3 } },
	{ "8", { .type = TN_RSEEK, .offset = 1 } },
	{ "48488",
	    { .type = TN_TCOPY, .fid = 1, .offset = 2, .newfid = 3, .start = 4, .length = 5 } },
	{ "8", { .type = TN_RCOPY, .length = 1 } },
	{ "4s4s4", { .type = TN_TRENAMEAT2,
		       .fid = 1,
		       .name = { "b", 1 },
		       .newfid = 3,
		       .newname = { "d", 1 },
		       .flags = 5 } },
	{ "", { .type = TN_RRENAMEAT2 } },
	{ "s4", { .type = TN_RERROR, .ename = { "a", 1 }, .error = 2 } },
	{ "4", { .type = TN_RLERROR, .error = 1 } },
};

/* Writes the frame of a shape; returns its length. */
static size_t frame_in_order(uint8_t type, const char *shape, uint8_t *frame)
{
	size_t len = TN_HDR_SIZE;

	for (size_t i = 0; shape[i]; i++)
		switch (shape[i]) {
		case 's':
			frame[len] = 1;
			frame[len + 2] = (uint8_t)('a' + i);
			len += 3;
			break;
		case 'q':
			frame[len + 5] = (uint8_t)(i + 1);
			len += 13;
			break;
		default: frame[len] = (uint8_t)(i + 1); len += (size_t)(shape[i] - '0');
		}
	set_size(frame, len);
	frame[4] = type;
	return len;
}

static void is_in_order(enum tn_dialect dialect, const struct in_order *row)
{
	uint8_t frame[256] = { 0 }, out[256];
	size_t len = frame_in_order(row->m.type, row->shape, frame), used;

	assert_int_equal(tn_msg_encode(&row->m, dialect, out, sizeof(out), &used), TN_CODEC_OK);
	assert_int_equal(used, len);
	if (memcmp(out, frame, len) != 0)
		fail_msg("%s", tn_msg_name(row->m.type));
	both_ways(dialect, frame, len);
}

/* diod's protocol.md has the order. */
static void fields_of_9p2000l_lie_in_the_order_of_the_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(in_order); i++) {
		is_in_order(TN_9P2000_L, &in_order[i]);
		is_in_order(TN_9P2000_TENON, &in_order[i]);
	}
}

static void fields_of_9p2000l_tenon_lie_in_the_order_of_the_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(tenon_in_order); i++)
		is_in_order(TN_9P2000_TENON, &tenon_in_order[i]);
}

/* A frame as the page has it, byte for byte. */
static const struct {
	const char *what;
	uint8_t frame[40];
} tenon_frames[] = {
	{ "Tallocate tag 1 fid 5 mode 3 offset 0x100002000 length 0x1000",
	    { 31, 0, 0, 0, 84, 1, 0, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0x20, 0, 0, 1, 0, 0, 0, 0, 0x10, 0,
		0, 0, 0, 0, 0 } },
	{ "Rallocate tag 1", { 7, 0, 0, 0, 85, 1, 0 } },
	{ "Tseek tag 2 fid 5 whence 4 offset 7",
	    { 23, 0, 0, 0, 86, 2, 0, 5, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0 } },
	{ "Rseek tag 2 offset 4096", { 15, 0, 0, 0, 87, 2, 0, 0, 0x10, 0, 0, 0, 0, 0, 0 } },
	{ "Tcopy tag 3 fid 5 offset 1 fromfid 6 fromoffset 2 count 3",
	    { 39, 0, 0, 0, 88, 3, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 0,
		0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0 } },
	{ "Rcopy tag 3 count 3", { 15, 0, 0, 0, 89, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0 } },
	{ "Trenameat2 tag 4 olddirfid 5 a newdirfid 6 bc flags 2",
	    { 26, 0, 0, 0, 90, 4, 0, 5, 0, 0, 0, 1, 0, 'a', 6, 0, 0, 0, 2, 0, 'b', 'c', 2, 0, 0,
		0 } },
	{ "Rrenameat2 tag 4", { 7, 0, 0, 0, 91, 4, 0 } },
	{ "Rerror tag 5 \"no\" 95", { 15, 0, 0, 0, 107, 5, 0, 2, 0, 'n', 'o', 95, 0, 0, 0 } },
};

/* Cut as a stream may be, cut with a size that agrees, and with a byte more. */
static void a_frame_of_9p2000l_tenon_is_whole_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(tenon_frames); i++) {
		size_t len = tenon_frames[i].frame[0];
		struct tn_msg m;

		print_message("%s\n", tenon_frames[i].what);
		both_ways(TN_9P2000_TENON, tenon_frames[i].frame, len);
		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = malloc(n ? n : 1);

			memcpy(cut, tenon_frames[i].frame, n);
			assert_int_equal(tn_msg_decode(&m, TN_9P2000_TENON, cut, n),
			    TN_CODEC_SHORT);
			if (n >= TN_HDR_SIZE) {
				set_size(cut, n);
				assert_int_not_equal(tn_msg_decode(&m, TN_9P2000_TENON, cut, n),
				    TN_CODEC_OK);
			}
			free(cut);
		}
		for (int sized = 0; sized < 2; sized++) {
			uint8_t *more = calloc(1, len + 1);

			memcpy(more, tenon_frames[i].frame, len);
			if (sized)
				set_size(more, len + 1);
			assert_int_equal(tn_msg_decode(&m, TN_9P2000_TENON, more, len + 1),
			    TN_CODEC_LONG);
			free(more);
		}
		if (tenon_frames[i].frame[4] != TN_RERROR)
			assert_int_equal(tn_msg_decode(&m, TN_9P2000_L, tenon_frames[i].frame, len),
			    TN_CODEC_TYPE);
	}
}

static void a_frame_of_9p2000l_tenon_is_not_written_into_less_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(tenon_frames); i++) {
		size_t len = tenon_frames[i].frame[0];
		struct tn_msg m;

		assert_int_equal(tn_msg_decode(&m, TN_9P2000_TENON, tenon_frames[i].frame, len),
		    TN_CODEC_OK);
		for (size_t room = 0; room < len; room++) {
			uint8_t *out = malloc(room ? room : 1);
			size_t used = 12345;

			assert_int_equal(tn_msg_encode(&m, TN_9P2000_TENON, out, room, &used),
			    TN_CODEC_ROOM);
			assert_int_equal(used, 12345);
			free(out);
		}
	}
}

/* ---- which dialect has what ---- */

/* Written from the pages, not from the rows: the even number of each pair. */
static const uint8_t l_only[] = { 8, 12, 14, 16, 18, 20, 22, 24, 26, 30, 32, 40, 50, 52, 54, 70, 72,
	74, 76 };
static const uint8_t tenon_only[] = { 84, 86, 88, 90 };
static const uint8_t in_all[] = { 100, 102, 104, 108, 110, 116, 118, 120, 122 };
static const uint8_t old_only[] = { 112, 114, 124, 126 };

static bool is_in(unsigned type, const uint8_t *list, size_t n)
{
	return memchr(list, (int)(type & ~1u), n) != NULL;
}

static bool should_have(enum tn_dialect d, unsigned type)
{
	if (type == TN_RLERROR)
		return d >= TN_9P2000_L;
	if (type == TN_RERROR)
		return d != TN_9P2000_L;
	if (d == TN_9P2000_TENON && is_in(type, tenon_only, sizeof(tenon_only)))
		return true;
	return is_in(type, in_all, sizeof(in_all)) ||
	       (d >= TN_9P2000_L ? is_in(type, l_only, sizeof(l_only))
				 : is_in(type, old_only, sizeof(old_only)));
}

static void a_message_of_another_dialect_is_refused_both_ways(void **state)
{
	uint8_t out[512];

	(void)state;
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++)
		for (unsigned type = 0; type < 256; type++) {
			uint8_t frame[] = { TN_HDR_SIZE, 0, 0, 0, (uint8_t)type, 0, 0 };
			struct tn_msg m = { 0 };
			size_t len;

			if (should_have(d, type) ==
			    (tn_msg_decode(&m, d, frame, sizeof(frame)) == TN_CODEC_TYPE))
				fail_msg("%s decodes %u", tn_dialect_name(d), type);
			m = (struct tn_msg){ .type = (uint8_t)type };
			if (should_have(d, type) !=
			    (tn_msg_encode(&m, d, out, sizeof(out), &len) == TN_CODEC_OK))
				fail_msg("%s encodes %u", tn_dialect_name(d), type);
		}
}

static void each_message_has_a_name_and_nothing_else_has(void **state)
{
	char answer[32];

	(void)state;
	assert_string_equal(tn_msg_name(TN_TWALK), "Twalk");
	assert_string_equal(tn_msg_name(TN_RLERROR), "Rlerror");
	assert_string_equal(tn_msg_name(TN_RERROR), "Rerror");
	assert_string_equal(tn_msg_name(TN_TXATTRCREATE), "Txattrcreate");
	for (unsigned type = 0; type < 1000; type++) {
		bool known = false;

		for (enum tn_dialect d = 0; d < TN_DIALECTS; d++)
			known |= type < 256 && should_have(d, type);
		if (known == !strcmp(tn_msg_name(type), "unknown"))
			fail_msg("%u is %s", type, tn_msg_name(type));
		if (!known || type == TN_RLERROR || type == TN_RERROR || type & 1)
			continue;
		snprintf(answer, sizeof(answer), "R%s", tn_msg_name(type) + 1);
		assert_string_equal(tn_msg_name(type + 1), answer);
	}
}

static void each_dialect_has_the_name_that_version_says(void **state)
{
	(void)state;
	assert_string_equal(tn_dialect_name(TN_9P2000), "9P2000");
	assert_string_equal(tn_dialect_name(TN_9P2000_U), "9P2000.u");
	assert_string_equal(tn_dialect_name(TN_9P2000_L), "9P2000.L");
	assert_string_equal(tn_dialect_name(TN_9P2000_TENON), "9P2000.L.tenon");
	assert_string_equal(tn_dialect_name(TN_DIALECTS), "unknown");
}

/* ---- limits ---- */

/* walk(5): a maximum of sixteen name elements. The bytes of all that are counted are there. */
static void sixteen_names_are_taken_and_seventeen_refused(void **state)
{
	(void)state;
	for (uint16_t n = 0; n < 40; n++) {
		size_t len = 17 + 3u * n, used;
		uint8_t *frame = calloc(1, len);
		enum tn_codec_err want = n <= 16 ? TN_CODEC_OK : TN_CODEC_COUNT;
		struct tn_msg m = { .type = TN_TWALK, .nwname = n };
		uint8_t out[128];

		assert_non_null(frame);
		set_size(frame, len);
		frame[4] = TN_TWALK;
		frame[15] = (uint8_t)n;
		for (size_t i = 0; i < n; i++) {
			frame[17 + 3 * i] = 1;
			frame[17 + 3 * i + 2] = (uint8_t)('a' + i);
		}
		for (size_t i = 0; i < n && i < TN_WNAME_MAX; i++)
			m.wname[i] = TN_STR("x");
		assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &used), want);
		assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, len), want);
		for (size_t i = 0; want == TN_CODEC_OK && i < n; i++)
			assert_true(m.wname[i].len == 1 && m.wname[i].s[0] == (char)('a' + i));
		free(frame);
	}
}

static void sixteen_qids_are_taken_and_seventeen_refused(void **state)
{
	(void)state;
	for (uint16_t n = 0; n < 40; n++) {
		size_t len = 9 + 13u * n, used;
		uint8_t *frame = calloc(1, len);
		enum tn_codec_err want = n <= 16 ? TN_CODEC_OK : TN_CODEC_COUNT;
		struct tn_msg m = { .type = TN_RWALK, .nwqid = n };
		uint8_t out[256];

		assert_non_null(frame);
		set_size(frame, len);
		frame[4] = TN_RWALK;
		frame[7] = (uint8_t)n;
		for (size_t i = 0; i < n; i++)
			frame[9 + 13 * i + 5] = (uint8_t)(i + 1);
		assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &used), want);
		assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, len), want);
		for (size_t i = 0; want == TN_CODEC_OK && i < n; i++)
			assert_int_equal(m.wqid[i].path, i + 1);
		free(frame);
	}
}

static void a_string_may_have_65535_bytes_and_no_more(void **state)
{
	size_t room = 70000, len;
	char *text = malloc(65536);
	uint8_t *out = malloc(room);
	struct tn_msg m = { .type = TN_RERROR, .ename = { text, 65535 } }, again;

	(void)state;
	assert_non_null(text);
	assert_non_null(out);
	memset(text, 'x', 65536);
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, room, &len), TN_CODEC_OK);
	assert_int_equal(len, 7 + 2 + 65535);
	assert_int_equal(tn_msg_decode(&again, TN_9P2000, out, len), TN_CODEC_OK);
	assert_int_equal(again.ename.len, 65535);
	m.ename.len = 65536;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, room, &len), TN_CODEC_ROOM);
	free(text);
	free(out);
}

/* stat(5): stat[n] has a length of its own of 16 bits. */
static void a_stat_in_a_message_may_have_65535_bytes_and_no_more(void **state)
{
	enum { EMPTY = 49 }; /* bytes of a stat without its texts */
	size_t room = 70000, len;
	char *text = malloc(65536);
	uint8_t *out = malloc(room);
	struct tn_msg m = { .type = TN_RSTAT }, again;

	(void)state;
	assert_non_null(text);
	assert_non_null(out);
	memset(text, 'x', 65536);
	m.stat = (struct tn_stat){ .valid = TN_ST_NAME, .name = { text, UINT16_MAX - EMPTY } };
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, room, &len), TN_CODEC_OK);
	assert_int_equal(len, 7 + 2 + 65535);
	assert_int_equal(tn_msg_decode(&again, TN_9P2000, out, len), TN_CODEC_OK);
	assert_int_equal(again.stat.name.len, UINT16_MAX - EMPTY);
	m.stat.name.len++;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, room, &len), TN_CODEC_ROOM);
	free(text);
	free(out);
}

static void a_frame_that_32_bits_cannot_count_is_refused(void **state)
{
	uint8_t out[64];
	struct tn_msg m = { .type = TN_RREAD, .count = UINT32_MAX - 11 };
	size_t len;

	(void)state;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &len), TN_CODEC_OK);
	assert_int_equal(len, 11);
	m.count++;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &len), TN_CODEC_ROOM);
	m.count = UINT32_MAX;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &len), TN_CODEC_ROOM);
	m.data = out;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000, out, sizeof(out), &len), TN_CODEC_ROOM);
}

/* ---- what a hostile peer says ---- */

/* intro(5): "The NUL character is illegal in all text strings in 9P". Each byte of each string of Tattach in turn. */
static void a_nul_in_a_string_is_refused_wherever_it_is(void **state)
{
	static const uint8_t frame[] = { 26, 0, 0, 0, 104, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
		3, 0, 'w', 'h', 'o', 4, 0, 't', 'r', 'e', 'e' };

	(void)state;
	both_ways(TN_9P2000, frame, sizeof(frame));
	for (size_t i = 0; i < sizeof(frame); i++) {
		uint8_t bad[sizeof(frame)];
		struct tn_msg m;

		memcpy(bad, frame, sizeof(frame));
		bad[i] = 0;
		if (frame[i] >= 'a' && frame[i] <= 'z' && i > TN_HDR_SIZE)
			assert_int_equal(tn_msg_decode(&m, TN_9P2000, bad, sizeof(bad)),
			    TN_CODEC_STRING);
	}
}

static const struct {
	const char *what;
	uint16_t outer, inner; /* n of stat[n]; size of the stat in it */
	size_t bytes;          /* of the stat that are there: 49 are a whole one */
	enum tn_codec_err want;
} sizes[] = {
	{ "both right", 49, 47, 49, TN_CODEC_OK },
	{ "inner one less", 49, 46, 49, TN_CODEC_COUNT },
	{ "inner one more", 49, 48, 49, TN_CODEC_COUNT },
	{ "outer one less", 48, 47, 49, TN_CODEC_COUNT },
	{ "outer one more", 50, 47, 49, TN_CODEC_SHORT },
	{ "both one less", 48, 46, 49, TN_CODEC_SHORT },
	{ "both one more, and the byte is there", 50, 48, 50, TN_CODEC_COUNT },
	{ "both right, a byte behind it", 49, 47, 50, TN_CODEC_LONG },
	{ "no room for the inner size", 1, 47, 49, TN_CODEC_COUNT },
	{ "nothing at all", 0, 47, 0, TN_CODEC_COUNT },
	{ "inner that wraps", 49, 0xffff, 49, TN_CODEC_COUNT },
	{ "both as large as can be", 0xffff, 0xfffd, 49, TN_CODEC_SHORT },
};

static void the_two_sizes_of_a_stat_must_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(sizes); i++) {
		size_t len = 9 + sizes[i].bytes;
		uint8_t *frame = calloc(1, len);
		enum tn_codec_err err;
		struct tn_msg m;

		assert_non_null(frame);
		set_size(frame, len);
		frame[4] = TN_RSTAT;
		frame[7] = (uint8_t)sizes[i].outer;
		frame[8] = (uint8_t)(sizes[i].outer >> 8);
		if (sizes[i].bytes) {
			frame[9] = (uint8_t)sizes[i].inner;
			frame[10] = (uint8_t)(sizes[i].inner >> 8);
		}
		err = tn_msg_decode(&m, TN_9P2000, frame, len);
		if (err != sizes[i].want)
			fail_msg("%s: %d, not %d", sizes[i].what, err, sizes[i].want);
		free(frame);
	}
}

static void data_is_as_long_as_the_frame_says(void **state)
{
	(void)state;
	for (uint32_t count = 0; count < 8; count++) {
		uint8_t frame[] = { 15, 0, 0, 0, TN_RREAD, 1, 0, (uint8_t)count, 0, 0, 0, 'a', 'b',
			'c', 'd' };
		enum tn_codec_err want = count < 4 ? TN_CODEC_LONG : TN_CODEC_SHORT;
		struct tn_msg m;

		if (count == 4)
			want = TN_CODEC_OK;
		assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), want);
		frame[10] = 0xff; /* a count that would wrap a pointer of 32 bits */
		assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)),
		    TN_CODEC_SHORT);
	}
}

/* tn_frame_len cut the frame; should anyone cut it otherwise, it is refused and not half believed. */
static void the_size_in_the_frame_must_be_the_length_of_the_frame(void **state)
{
	uint8_t frame[] = { 11, 0, 0, 0, TN_TCLUNK, 2, 1, 5, 0, 0, 0 };
	struct tn_msg m = { 0 };

	(void)state;
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), TN_CODEC_OK);
	frame[0] = 10;
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), TN_CODEC_LONG);
	frame[0] = 12;
	m.tag = 0;
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), TN_CODEC_SHORT);
	assert_int_equal(m.type, TN_TCLUNK);
	assert_int_equal(m.tag, 0x102);
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, 6), TN_CODEC_SHORT);
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, 0), TN_CODEC_SHORT);
}

/* ---- what is not touched ---- */

/* 9p.h: "A message uses the fields that its row names; the others are left alone." */
static void fields_that_a_message_does_not_have_are_left_alone(void **state)
{
	static const uint8_t frame[] = { 11, 0, 0, 0, TN_TCLUNK, 1, 0, 5, 0, 0, 0 };
	struct tn_msg m, want;

	(void)state;
	memset(&m, 0xa5, sizeof(m));
	memset(&want, 0xa5, sizeof(want));
	want.type = TN_TCLUNK;
	want.tag = 1;
	want.fid = 5;
	assert_int_equal(tn_msg_decode(&m, TN_9P2000, frame, sizeof(frame)), TN_CODEC_OK);
	assert_memory_equal(&m, &want, sizeof(m));
}

/* net/9p: valid of Tsetattr has 32 bits, of Tgetattr and Rgetattr 64. */
static void valid_of_tsetattr_has_32_bits_on_the_wire(void **state)
{
	uint8_t out[128];
	struct tn_msg m = { .type = TN_TSETATTR, .valid = 0xfffffff1u, .length = 3 }, again;
	size_t len;

	(void)state;
	assert_int_equal(tn_msg_encode(&m, TN_9P2000_L, out, sizeof(out), &len), TN_CODEC_OK);
	assert_int_equal(len, 67);
	memset(&again, 0xa5, sizeof(again));
	assert_int_equal(tn_msg_decode(&again, TN_9P2000_L, out, len), TN_CODEC_OK);
	assert_true(again.valid == 0xfffffff1u);
	assert_true(again.length == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tauth_of_9p2000u_has_the_users_number),
		cmocka_unit_test(rauth_is_the_same_in_all_dialects),
		cmocka_unit_test(tflush_and_rflush_are_the_same_in_all_dialects),
		cmocka_unit_test(rgetlock_has_no_flags),
		cmocka_unit_test(fields_of_9p2000l_lie_in_the_order_of_the_page),
		cmocka_unit_test(fields_of_9p2000l_tenon_lie_in_the_order_of_the_page),
		cmocka_unit_test(a_frame_of_9p2000l_tenon_is_whole_or_refused),
		cmocka_unit_test(a_frame_of_9p2000l_tenon_is_not_written_into_less_room),
		cmocka_unit_test(a_message_of_another_dialect_is_refused_both_ways),
		cmocka_unit_test(each_message_has_a_name_and_nothing_else_has),
		cmocka_unit_test(each_dialect_has_the_name_that_version_says),
		cmocka_unit_test(sixteen_names_are_taken_and_seventeen_refused),
		cmocka_unit_test(sixteen_qids_are_taken_and_seventeen_refused),
		cmocka_unit_test(a_string_may_have_65535_bytes_and_no_more),
		cmocka_unit_test(a_stat_in_a_message_may_have_65535_bytes_and_no_more),
		cmocka_unit_test(a_frame_that_32_bits_cannot_count_is_refused),
		cmocka_unit_test(a_nul_in_a_string_is_refused_wherever_it_is),
		cmocka_unit_test(the_two_sizes_of_a_stat_must_agree),
		cmocka_unit_test(data_is_as_long_as_the_frame_says),
		cmocka_unit_test(the_size_in_the_frame_must_be_the_length_of_the_frame),
		cmocka_unit_test(fields_that_a_message_does_not_have_are_left_alone),
		cmocka_unit_test(valid_of_tsetattr_has_32_bits_on_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
