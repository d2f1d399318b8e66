/*
 * A frame from anywhere, in every dialect: what decodes must encode to the same bytes, and so must the entries in its
 * data.
 */
#include "fuzz.h"

static void stats(const uint8_t *at, size_t left, enum tn_dialect dialect)
{
	struct tn_stat st;
	uint8_t out[UINT16_MAX];
	size_t used;

	for (; left && !tn_stat_decode(&st, dialect, at, left, &used); at += used, left -= used) {
		must(used >= 2 && used <= left);
		if (used > sizeof(out))
			continue;
		must(tn_stat_encode(&st, dialect, out, sizeof(out)) == used &&
		     !memcmp(out, at, used));
	}
}

static void dirents(const uint8_t *at, size_t left)
{
	struct tn_dirent d;
	static uint8_t out[UINT16_MAX + 24];
	size_t used;

	for (; left && !tn_dirent_decode(&d, at, left, &used); at += used, left -= used) {
		must(used >= 24 && used <= left);
		must(tn_dirent_encode(&d, out, sizeof(out)) == used && !memcmp(out, at, used));
	}
}

/* frame has len bytes and not one more; out has as many. */
static void one(enum tn_dialect dialect, const uint8_t *frame, size_t len, uint8_t *out)
{
	struct tn_msg m;
	size_t used = 0;

	if (tn_msg_decode(&m, dialect, frame, len))
		return;
	must(tn_msg_encode(&m, dialect, out, len, &used) == TN_CODEC_OK);
	must(used == len && !memcmp(out, frame, len));
	if (m.type == TN_RREAD)
		stats(m.data, m.count, dialect);
	if (m.type == TN_RREADDIR)
		dirents(m.data, m.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *frame = calloc(1, len ? len : 1), *out = malloc(len ? len : 1);
	int32_t n;

	must(frame && out);
	if (len)
		memcpy(frame, bytes, len);
	n = tn_frame_len(frame, len, 65536);
	must(n == -1 || n == 0 || ((size_t)n <= len && n >= (int32_t)TN_HDR_SIZE));
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++)
		one(d, frame, len, out);
	/* And with a size that agrees, which the fuzzer need not guess. */
	for (size_t i = 0; i < 4 && i < len; i++)
		frame[i] = (uint8_t)(len >> 8 * i);
	for (enum tn_dialect d = 0; d < TN_DIALECTS; d++)
		one(d, frame, len, out);
	free(frame);
	free(out);
	return 0;
}
