/*
 * The content of a file of #ram: bytes in blocks that are there only where something was written. Holes take no memory;
 * a file shorter than a block has a block of its own size.
 */
#ifndef TN_FS_RAMDATA_H
#define TN_FS_RAMDATA_H

#include "core/err.h"
#include "core/host.h"

/* What all files of a tree may use together, and do. */
struct ram_budget {
	uint64_t bytes, bytes_max;
};

/* Zeroed it is an empty file. Invariant: what blocks hold behind `length` is zero. */
struct ram_data {
	uint64_t length;
	uint64_t held;       /* bytes of memory, taken from the budget */
	void *top;           /* height 0: block 0; else a fork; NULL: one great hole */
	uint32_t first_size; /* height 0: bytes of block 0 */
	uint8_t height;      /* forks between top and a block */
};

#define RAM_BLOCK      4096u
#define RAM_LENGTH_MAX ((uint64_t)INT64_MAX)

/* Gives up to `count` bytes at off; returns how many. */
uint32_t ram_data_read(const struct ram_data *d, uint64_t off, uint8_t *to, uint32_t count);

/*
 * Takes *count bytes at off, or as many as there is room for, and says so in *count. An error only when it took none:
 * TN_EFBIG, TN_ENOSPC (the budget), TN_ENOMEM.
 */
enum tn_err ram_data_write(struct ram_data *d, struct ram_budget *budget, uint64_t off,
    const uint8_t *from, uint32_t *count);

/* Cuts, or extends by a hole. Length at most RAM_LENGTH_MAX. Cannot fail. */
void ram_data_resize(struct ram_data *d, struct ram_budget *budget, uint64_t length);

/* Makes [off, end) a hole; the length stays. Cannot fail. */
void ram_data_punch(struct ram_data *d, struct ram_budget *budget, uint64_t off, uint64_t end);

/* Gets memory for [off, end), so that writes there need none. The length stays. TN_ENOSPC, TN_ENOMEM. */
enum tn_err ram_data_reserve(struct ram_data *d, struct ram_budget *budget, uint64_t off,
    uint64_t end);

/* The first place at or behind off, below the length, that is data (or a hole); the length if there is none. */
uint64_t ram_data_seek(const struct ram_data *d, uint64_t off, bool hole);

#endif
