/*
 * Blocks in a tree of forks: as high as the highest block needs, forks only above blocks that are there. Depth is at
 * most seven, so nothing needs to recurse: `step` finds the next block, and dropping goes block by block.
 */
#include "fs/ramdata.h"

#include "core/mem.h"

enum { FAN_BITS = 8, FAN = 1 << FAN_BITS, HEIGHT_MAX = 7, SMALL_FIRST = 64 };

struct fork {
	uint32_t used; /* slots that are not NULL */
	void *slot[FAN];
};

static unsigned digit(uint64_t block, unsigned height)
{
	return (unsigned)(block >> (height * FAN_BITS)) & (FAN - 1);
}

static bool reaches(const struct ram_data *d, uint64_t block)
{
	return block >> (d->height * FAN_BITS) == 0;
}

static uint32_t block_size(const struct ram_data *d)
{
	return d->height == 0 ? d->first_size : RAM_BLOCK;
}

/* ---- memory ---- */

static enum tn_err take(struct ram_data *d, struct ram_budget *b, size_t size, void **out)
{
	if (size > b->bytes_max || b->bytes > b->bytes_max - size)
		return TN_ENOSPC;
	*out = tn_alloc(size);
	if (!*out)
		return TN_ENOMEM;
	b->bytes += size;
	d->held += size;
	return TN_OK;
}

static void give(struct ram_data *d, struct ram_budget *b, void *p, size_t size)
{
	tn_free(p);
	b->bytes -= size;
	d->held -= size;
}

/* ---- finding ---- */

static uint8_t *find(const struct ram_data *d, uint64_t block)
{
	void *at = reaches(d, block) ? d->top : NULL;

	for (unsigned h = d->height; h > 0 && at; h--)
		at = ((struct fork *)at)->slot[digit(block, h - 1)];
	return at;
}

/* Moves *block to the first one at or behind it that is there. */
static bool step(const struct ram_data *d, uint64_t *block)
{
	uint64_t at = *block;

	while (d->top && reaches(d, at)) {
		void *p = d->top;
		unsigned h = d->height;

		while (h > 0 && p)
			p = ((struct fork *)p)->slot[digit(at, --h)];
		if (p) {
			*block = at;
			return true;
		}
		at = ((at >> (h * FAN_BITS)) + 1) << (h * FAN_BITS);
	}
	return false;
}

/* ---- making ---- */

/* Makes block 0, as long as it is the only one, at least `need` bytes long: by doubling. */
static enum tn_err grow_first(struct ram_data *d, struct ram_budget *b, uint32_t need)
{
	uint32_t size = d->first_size ? d->first_size : SMALL_FIRST;
	uint32_t more;
	void *p;

	while (size < need)
		size *= 2;
	more = size - d->first_size;
	if (more == 0)
		return TN_OK;
	if (more > b->bytes_max || b->bytes > b->bytes_max - more)
		return TN_ENOSPC;
	p = tn_realloc(d->top, d->first_size, size);
	if (!p)
		return TN_ENOMEM;
	d->top = p;
	d->first_size = size;
	b->bytes += more;
	d->held += more;
	return TN_OK;
}

/* Puts forks on top until `block` is within reach. */
static enum tn_err raise(struct ram_data *d, struct ram_budget *b, uint64_t block)
{
	enum tn_err err = TN_OK;
	void *fork = NULL;

	if (!reaches(d, block) && d->top && d->height == 0)
		err = grow_first(d, b, RAM_BLOCK);
	while (err == TN_OK && !reaches(d, block)) {
		if (d->top) {
			err = take(d, b, sizeof(struct fork), &fork);
			if (err != TN_OK)
				break;
			((struct fork *)fork)->slot[0] = d->top;
			((struct fork *)fork)->used = 1;
			d->top = fork;
		}
		d->height++;
		tn_assert(d->height <= HEIGHT_MAX);
	}
	return err;
}

/* A new block below `height` forks of its own, which hang on nothing yet; all of it or nothing. */
static enum tn_err make_branch(struct ram_data *d, struct ram_budget *b, uint64_t block,
    unsigned height, void **out)
{
	void *top = NULL, *fork;
	enum tn_err err = take(d, b, RAM_BLOCK, &top);
	unsigned h;

	if (err != TN_OK)
		return err;
	for (h = 0; h < height; h++) {
		err = take(d, b, sizeof(struct fork), &fork);
		if (err != TN_OK)
			goto give_back;
		((struct fork *)fork)->slot[digit(block, h)] = top;
		((struct fork *)fork)->used = 1;
		top = fork;
	}
	*out = top;
	return TN_OK;

give_back:
	while (h-- > 0) {
		fork = top;
		top = ((struct fork *)fork)->slot[digit(block, h)];
		give(d, b, fork, sizeof(struct fork));
	}
	give(d, b, top, RAM_BLOCK);
	return err;
}

/* The block, made if need be, with `need` bytes at least. */
static enum tn_err make(struct ram_data *d, struct ram_budget *b, uint64_t block, uint32_t need,
    uint8_t **out)
{
	struct fork *above = NULL;
	void **place = &d->top;
	enum tn_err err;
	unsigned h;

	if (!d->top)
		d->height = 0;
	err = d->height == 0 && block == 0 ? grow_first(d, b, need) : raise(d, b, block);
	if (err != TN_OK)
		return err;
	for (h = d->height; h > 0 && *place; h--) {
		above = *place;
		place = &above->slot[digit(block, h - 1)];
	}
	if (!*place) {
		void *branch = NULL;

		err = make_branch(d, b, block, h, &branch);
		if (err != TN_OK)
			return err;
		*place = branch;
		if (above)
			above->used++;
	}
	*out = find(d, block);
	return TN_OK;
}

/* ---- dropping ---- */

/* Frees a block that is there, and the forks above it that have become empty. */
static void drop(struct ram_data *d, struct ram_budget *b, uint64_t block)
{
	struct fork *way[HEIGHT_MAX];
	void *p = d->top;
	unsigned h;

	for (h = d->height; h > 0; h--) {
		way[h - 1] = p;
		p = way[h - 1]->slot[digit(block, h - 1)];
	}
	give(d, b, p, block_size(d));
	for (h = 0; h < d->height; h++) {
		way[h]->slot[digit(block, h)] = NULL;
		if (--way[h]->used > 0)
			return;
		give(d, b, way[h], sizeof(struct fork));
	}
	d->top = NULL;
	d->height = 0;
	d->first_size = 0;
}

/* Zeroes [from, to) within one block, if it is there. */
static void wipe(struct ram_data *d, uint64_t block, uint32_t from, uint32_t to)
{
	uint8_t *p = find(d, block);

	if (p && to > block_size(d))
		to = block_size(d);
	if (p && from < to)
		memset(p + from, 0, to - from);
}

void ram_data_punch(struct ram_data *d, struct ram_budget *b, uint64_t off, uint64_t end)
{
	uint64_t first = off / RAM_BLOCK, last = end / RAM_BLOCK, at;

	if (off >= end)
		return;
	if (first == last) {
		wipe(d, first, (uint32_t)(off % RAM_BLOCK), (uint32_t)(end % RAM_BLOCK));
		return;
	}
	if (off % RAM_BLOCK > 0)
		wipe(d, first++, (uint32_t)(off % RAM_BLOCK), RAM_BLOCK);
	for (at = first; step(d, &at) && at < last; at++)
		drop(d, b, at);
	wipe(d, last, 0, (uint32_t)(end % RAM_BLOCK));
}

void ram_data_resize(struct ram_data *d, struct ram_budget *b, uint64_t length)
{
	if (length < d->length || length == 0) { /* 0: also what was reserved behind the end */
		uint64_t at = length / RAM_BLOCK + (length % RAM_BLOCK > 0);

		wipe(d, length / RAM_BLOCK, (uint32_t)(length % RAM_BLOCK), RAM_BLOCK);
		for (; step(d, &at); at++)
			drop(d, b, at);
	}
	d->length = length;
}

/* ---- using ---- */

/* How much of [off, off + left) lies in off's block. */
static uint32_t within(uint64_t off, uint64_t left)
{
	uint32_t room = RAM_BLOCK - (uint32_t)(off % RAM_BLOCK);

	return left < room ? (uint32_t)left : room;
}

static void copy_out(const struct ram_data *d, uint64_t off, uint8_t *to, uint32_t n)
{
	uint32_t in = (uint32_t)(off % RAM_BLOCK), have = 0;
	const uint8_t *block = find(d, off / RAM_BLOCK);

	if (block && in < block_size(d))
		have = block_size(d) - in < n ? block_size(d) - in : n;
	if (have > 0)
		memcpy(to, block + in, have);
	if (have < n)
		memset(to + have, 0, n - have);
}

uint32_t ram_data_read(const struct ram_data *d, uint64_t off, uint8_t *to, uint32_t count)
{
	uint32_t done = 0;

	if (off >= d->length)
		return 0;
	if (count > d->length - off)
		count = (uint32_t)(d->length - off);
	while (done < count) {
		uint32_t n = within(off + done, count - done);

		copy_out(d, off + done, to + done, n);
		done += n;
	}
	return count;
}

enum tn_err ram_data_write(struct ram_data *d, struct ram_budget *budget, uint64_t off,
    const uint8_t *from, uint32_t *count)
{
	uint32_t want = *count, done = 0;
	enum tn_err err = TN_OK;

	*count = 0;
	if (off > RAM_LENGTH_MAX || want > RAM_LENGTH_MAX - off)
		return TN_EFBIG;
	while (done < want) {
		uint64_t at = off + done;
		uint32_t in = (uint32_t)(at % RAM_BLOCK), n = within(at, want - done);
		uint8_t *block;

		err = make(d, budget, at / RAM_BLOCK, in + n, &block);
		if (err != TN_OK)
			break;
		memcpy(block + in, from + done, n);
		done += n;
	}
	if (done > 0 && off + done > d->length)
		d->length = off + done;
	*count = done;
	return done > 0 ? TN_OK : err;
}

enum tn_err ram_data_reserve(struct ram_data *d, struct ram_budget *b, uint64_t off, uint64_t end)
{
	/* Refused at once when it cannot be: not after having tried for all of an absurd range. */
	if (end > off && end - off > b->bytes_max)
		return TN_ENOSPC;
	while (off < end) {
		uint32_t n = within(off, end - off);
		uint8_t *block;
		enum tn_err err = make(d, b, off / RAM_BLOCK, (uint32_t)(off % RAM_BLOCK) + n,
		    &block);

		if (err != TN_OK)
			return err;
		off += n;
	}
	return TN_OK;
}

uint64_t ram_data_seek(const struct ram_data *d, uint64_t off, bool hole)
{
	uint64_t block = off / RAM_BLOCK, at = block;

	if (off >= d->length)
		return d->length;
	if (hole) {
		while (find(d, at))
			at++;
	} else if (!step(d, &at)) {
		return d->length;
	}
	if (at > block)
		off = at * RAM_BLOCK;
	return off < d->length ? off : d->length;
}
