/*
 * A hash with a secret, so that nobody who chooses names can make them collide: HalfSipHash-1-3, after Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF" (2012) and their 32-bit variant.
 */
#ifndef TN_FS_HASH_H
#define TN_FS_HASH_H

#include "core/host.h"

static inline uint32_t tn_hash_turn(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

static inline void tn_hash_mix(uint32_t v[4])
{
	v[0] += v[1];
	v[1] = tn_hash_turn(v[1], 5) ^ v[0];
	v[0] = tn_hash_turn(v[0], 16);
	v[2] += v[3];
	v[3] = tn_hash_turn(v[3], 8) ^ v[2];
	v[0] += v[3];
	v[3] = tn_hash_turn(v[3], 7) ^ v[0];
	v[2] += v[1];
	v[1] = tn_hash_turn(v[1], 13) ^ v[2];
	v[2] = tn_hash_turn(v[2], 16);
}

static inline void tn_hash_word(uint32_t v[4], uint32_t word)
{
	v[3] ^= word;
	tn_hash_mix(v);
	v[0] ^= word;
}

/* Of a number and `len` bytes. The seed is random and nobody else's. */
static inline uint32_t tn_hash(const uint32_t seed[2], uint32_t number, const char *s, uint32_t len)
{
	uint32_t v[4] = { seed[0], seed[1], seed[0] ^ 0x6c796765u, seed[1] ^ 0x74656462u };
	uint32_t word = 0;

	tn_hash_word(v, number);
	for (uint32_t i = 0; i < len; i++) {
		word |= (uint32_t)(uint8_t)s[i] << (i % 4 * 8);
		if (i % 4 == 3) {
			tn_hash_word(v, word);
			word = 0;
		}
	}
	tn_hash_word(v, word | len << 24);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		tn_hash_mix(v);
	return v[1] ^ v[3];
}

#endif
