/*
 * Where a frame ends in a stream of bytes. Only its first four bytes are looked at; what is in it is msg.c's.
 */
#include "tenon/9p.h"

#include "wire/bytes.h"

int32_t tn_frame_len(const uint8_t *buf, size_t have, uint32_t msize)
{
	uint32_t size;

	if (have < 4)
		return 0;
	size = get32(buf);
	if (size < TN_HDR_SIZE || size > msize || size > INT32_MAX)
		return -1;
	return have < size ? 0 : (int32_t)size;
}
