/*
 * A peer that answers mnt with any bytes. The first byte says how honest it begins: with an agreed version (of which
 * dialect say the next two bits), an attach and one Chan of each kind, or with nothing; the rest comes in pieces while one
 * request of each kind is outstanding, and some are flushed. Every request ends once, and nothing is left when the
 * client goes.
 */
#include "client.h"

static void feed(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t part = 1 + bytes[at] % 61;
		struct fuzz_ask *a = &fuzz_client.asks[bytes[at] % fuzz_client.n_asks];

		if (bytes[at] % 16 == 7 && a->done == 0)
			tn_flush(&a->r);
		if (part > len - at)
			part = len - at;
		fuzz_client_send(bytes + at, part);
		at += part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	fuzz_client_begin();
	if (bytes[0] & 1) {
		fuzz_client_meet((enum tn_dialect)((bytes[0] >> 1 & 3) % TN_DIALECTS));
		fuzz_client_ask_all();
	}
	feed(bytes + 1, len - 1);
	fuzz_client_end();
	return 0;
}
