/*
 * What the targets share: the input taken apart, a clock that only the target moves, chance that is none, a log that goes
 * nowhere. A target is one function, which leaves nothing behind; what must hold and does not ends the program.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "tenon/9p.h"

#include <stdlib.h>
#include <string.h>

#define FUZZ_SECOND UINT64_C(1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* What tn_now_ns says. */
extern uint64_t fuzz_now;

/* The clock at its beginning, the log closed. First in each target. */
void fuzz_begin(void);

struct tn_stream;

/* Bytes come to a stream, as long as it takes them and *stream is one: what they do may end it. */
void fuzz_arrive(struct tn_stream *const *stream, const uint8_t *bytes, size_t len);

/* ---- the input ---- */

/* What is left of it. Behind its end everything is 0. */
struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

uint64_t fuzz_number(struct fuzz_in *in, size_t bytes); /* little endian; 8 bytes at most */

static inline uint8_t fuzz_byte(struct fuzz_in *in)
{
	return (uint8_t)fuzz_number(in, 1);
}

/* A number below n, of one byte. */
static inline uint8_t fuzz_below(struct fuzz_in *in, uint8_t n)
{
	return (uint8_t)(fuzz_byte(in) % n);
}

/* Mostly small, at times near an edge of 32 or 64 bits, at times anything. */
uint64_t fuzz_size(struct fuzz_in *in);

/* The next bytes, n at most. */
struct tn_str fuzz_bytes(struct fuzz_in *in, size_t n);

/* A name that files of the targets have, or the input's own. No NUL is in it. */
struct tn_str fuzz_name(struct fuzz_in *in);

/* The input as text with a NUL behind it, allocated to the byte; for free(). */
char *fuzz_text(const uint8_t *bytes, size_t len);

#endif
