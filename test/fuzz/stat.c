/*
 * A stat or an entry of a directory on its own, in the dialect that the first byte says, read to the byte: what decodes
 * encodes to the same bytes, and is as long as it is said to be.
 */
#include "fuzz.h"

static void one_stat(enum tn_dialect dialect, const uint8_t *at, size_t len, uint8_t *out)
{
	struct tn_stat st;
	size_t used;

	if (tn_stat_decode(&st, dialect, at, len, &used) != TN_CODEC_OK)
		return;
	must(used >= 2 && used <= len);
	must(tn_stat_size(&st, dialect) == used);
	must(tn_stat_encode(&st, dialect, out, used) == used && !memcmp(out, at, used));
	must(tn_stat_encode(&st, dialect, out, used - 1) == 0);
}

static void one_entry(const uint8_t *at, size_t len, uint8_t *out)
{
	struct tn_dirent d;
	size_t used;

	if (tn_dirent_decode(&d, at, len, &used) != TN_CODEC_OK)
		return;
	must(used >= 24 && used <= len);
	must(tn_dirent_encode(&d, out, used) == used && !memcmp(out, at, used));
	must(tn_dirent_encode(&d, out, used - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *at, *out;

	if (len == 0)
		return 0;
	/* Copies that end where the input does. */
	at = malloc(len > 1 ? len - 1 : 1);
	out = malloc(len);
	must(at && out);
	memcpy(at, bytes + 1, len - 1);
	if (bytes[0] & 4)
		one_entry(at, len - 1, out);
	else
		one_stat((enum tn_dialect)(bytes[0] & 3), at, len - 1, out);
	free(at);
	free(out);
	return 0;
}
