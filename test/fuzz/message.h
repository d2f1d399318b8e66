/*
 * Messages out of the input, for targets that are past the codec: each field has a value that the other side may know, and
 * at times any. Fids are few, so that they meet.
 */
#ifndef TEST_FUZZ_MESSAGE_H
#define TEST_FUZZ_MESSAGE_H

#include "fuzz.h"

enum { FUZZ_FIDS = 8, FUZZ_DATA = 9000 };

/* A type of the dialect, requests or answers. */
uint8_t fuzz_type(struct fuzz_in *in, enum tn_dialect dialect, bool is_answer);

/* All fields but type and tag. What m points to stays until the next call. */
void fuzz_message(struct fuzz_in *in, enum tn_dialect dialect, struct tn_msg *m);

/* The data of an Rreaddir or of a directory that is read: entries. At most `size` bytes; its length. */
uint32_t fuzz_entries(struct fuzz_in *in, enum tn_dialect dialect, uint8_t *buf, size_t size);

#endif
