/*
 * A peer that says any bytes to a conn over a name space. The first byte says how it begins: with a session in some dialect,
 * or with nothing; and what view it has. The rest comes in frames whose size is put right if the first byte says so, or as
 * it is; in pieces of any length. Whatever comes, the conn ends when the peer does, and nothing is left.
 */
#include "served.h"

/* Pieces as long as their own first byte says: most often a part of a frame or several. */
static void in_pieces(struct fuzz_in *in)
{
	while (in->left > 0) {
		struct tn_str piece = fuzz_bytes(in, 1u + in->at[0] % 97);

		if (!fuzz_served_send((const uint8_t *)piece.s, piece.len))
			return;
		fuzz_served_drop();
	}
}

/* A length of one byte, type, tag and body: the fuzzer need not guess the size. */
static void in_frames(struct fuzz_in *in)
{
	uint8_t frame[4 + 255];

	while (in->left > 0) {
		struct tn_str body = fuzz_bytes(in, fuzz_byte(in));

		if (body.len < 3)
			continue;
		frame[0] = (uint8_t)(body.len + 4);
		frame[1] = (uint8_t)((body.len + 4) >> 8);
		frame[2] = frame[3] = 0;
		memcpy(frame + 4, body.s, body.len);
		if (!fuzz_served_send(frame, body.len + 4))
			return;
		fuzz_served_drop();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };
	uint8_t how = fuzz_byte(&in);
	struct tn_view_options o = { .read_only = how & 8,
		.follow = how & 16,
		.as_asker = how & 32 };

	fuzz_served_begin((enum tn_dialect)((how & 7) % (TN_DIALECTS + 1)), &o);
	if (how & 64)
		in_frames(&in);
	else
		in_pieces(&in);
	fuzz_served_end();
	return 0;
}
