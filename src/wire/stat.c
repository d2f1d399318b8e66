/*
 * Entries of directories: the stat of 9P2000 and 9P2000.u, and the dirent of 9P2000.L. One row a field of stat(5);
 * 9P2000.u goes on where 9P2000 ends. A value that says "don't touch" (all ones, an empty string) is a field that
 * is not known: its bit of `valid` is clear and the rest of the struct is 0, so both directions agree to the byte.
 */
#include "tenon/9p.h"

#include "wire/bytes.h"

enum kind { KERNEL, QID, U32, U64, SECONDS, STR };

/* Bytes of a kind; of a string the len[2]. */
static const uint8_t width[] = {
	[KERNEL] = 2 + 4,
	[QID] = QID_SIZE,
	[U32] = 4,
	[U64] = 8,
	[SECONDS] = 4,
	[STR] = 2,
};

struct stat_row {
	uint32_t bit; /* of valid */
	uint16_t off; /* of the field in struct tn_stat */
	uint8_t kind;
};

#define NS_PER_S INT64_C(1000000000)

#define ROW(kind, field, bit)                                  \
	{                                                      \
		(bit), offsetof(struct tn_stat, field), (kind) \
	}

/* clang-format off */
static const struct stat_row rows[] = {
	/* stat(5), behind size[2] */
	ROW(KERNEL,  type,      TN_ST_DEV),   /* type[2] dev[4]: one bit for the two */
	ROW(QID,     qid,       TN_ST_QID),
	ROW(U32,     mode,      TN_ST_MODE),
	ROW(SECONDS, atime_ns,  TN_ST_ATIME),
	ROW(SECONDS, mtime_ns,  TN_ST_MTIME),
	ROW(U64,     length,    TN_ST_LENGTH),
	ROW(STR,     name,      TN_ST_NAME),
	ROW(STR,     uid,       TN_ST_UID),
	ROW(STR,     gid,       TN_ST_GID),
	ROW(STR,     muid,      TN_ST_MUID),
	/* 9P2000.u */
	ROW(STR,     extension, TN_ST_EXTENSION),
	ROW(U32,     n_uid,     TN_ST_NUID),
	ROW(U32,     n_gid,     TN_ST_NGID),
	ROW(U32,     n_muid,    TN_ST_NMUID),
};
/* clang-format on */

/* How many rows a dialect has, and the bytes of an entry without the texts of its strings. 9P2000.L and .L.tenon have no stat. */
static const struct {
	uint8_t n_rows, empty_size;
} shapes[TN_DIALECTS] = {
	[TN_9P2000] = { 10, 2 + 6 + QID_SIZE + 4 + 4 + 4 + 8 + 4 * 2 },
	[TN_9P2000_U] = { 14, 2 + 6 + QID_SIZE + 4 + 4 + 4 + 8 + 5 * 2 + 3 * 4 },
};

static const struct stat_row *end_of(enum tn_dialect dialect)
{
	return rows + shapes[dialect].n_rows;
}

static bool is_ones(const uint8_t *p, size_t n)
{
	while (n)
		if (p[--n] != 0xff)
			return false;
	return true;
}

/* Stores a known value of any kind but STR. */
static void load(struct tn_stat *st, const struct stat_row *row, const uint8_t *p)
{
	void *field = (char *)st + row->off;

	switch ((enum kind)row->kind) {
	case KERNEL:
		st->type = get16(p);
		st->dev = get32(p + 2);
		break;
	case QID: *(struct tn_qid *)field = get_qid(p); break;
	case U32: *(uint32_t *)field = get32(p); break;
	case U64: *(uint64_t *)field = get64(p); break;
	case SECONDS: *(int64_t *)field = get32(p) * NS_PER_S; break;
	case STR: break;
	}
}

static enum tn_codec_err take_row(struct tn_stat *st, const struct stat_row *row, struct cursor *c)
{
	const uint8_t *p = take(c, width[row->kind]);

	if (!p)
		return TN_CODEC_SHORT;
	if (row->kind == STR) {
		uint16_t len = get16(p);

		if (!len)
			return TN_CODEC_OK;
		st->valid |= row->bit;
		return take_text(c, len, (void *)((char *)st + row->off));
	}
	if (!is_ones(p, width[row->kind])) {
		st->valid |= row->bit;
		load(st, row, p);
	}
	return TN_CODEC_OK;
}

enum tn_codec_err tn_stat_decode(struct tn_stat *st, enum tn_dialect dialect, const uint8_t *buf,
    size_t len, size_t *used)
{
	struct cursor all = { buf, buf + len }, c;
	const uint8_t *size = take(&all, 2), *body;
	enum tn_codec_err err = TN_CODEC_OK;

	if (!shapes[dialect].n_rows)
		return TN_CODEC_TYPE;
	body = size ? take(&all, get16(size)) : NULL;
	if (!body)
		return TN_CODEC_SHORT;
	c = (struct cursor){ body, all.at };
	*st = (struct tn_stat){ 0 };
	for (const struct stat_row *row = rows; row < end_of(dialect) && !err; row++)
		err = take_row(st, row, &c);
	if (err)
		return err;
	if (c.at != c.end)
		return TN_CODEC_COUNT;
	*used = (size_t)(all.at - buf);
	return TN_CODEC_OK;
}

/* The time in seconds, as near as 32 bits can say it: before 1970 is 0, and all ones would mean "don't touch". */
static uint32_t seconds(int64_t ns)
{
	int64_t s = ns < 0 ? 0 : ns / NS_PER_S;

	return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX - 1;
}

/* Writes a known value of any kind but STR. */
static void store(const struct tn_stat *st, const struct stat_row *row, uint8_t *p)
{
	const void *field = (const char *)st + row->off;

	switch ((enum kind)row->kind) {
	case KERNEL:
		put16(p, st->type);
		put32(p + 2, st->dev);
		break;
	case QID: put_qid(p, *(const struct tn_qid *)field); break;
	case U32: put32(p, *(const uint32_t *)field); break;
	case U64: put64(p, *(const uint64_t *)field); break;
	case SECONDS: put32(p, seconds(*(const int64_t *)field)); break;
	case STR: break;
	}
}

/* The text that goes out: nothing when it is not known. */
static struct tn_str text_of(const struct tn_stat *st, const struct stat_row *row)
{
	if (!(st->valid & row->bit))
		return (struct tn_str){ NULL, 0 };
	return *(const struct tn_str *)(const void *)((const char *)st + row->off);
}

size_t tn_stat_size(const struct tn_stat *st, enum tn_dialect dialect)
{
	size_t size = shapes[dialect].empty_size;

	for (const struct stat_row *row = rows; row < end_of(dialect); row++) {
		struct tn_str text;

		if (row->kind != STR)
			continue;
		text = text_of(st, row);
		if (text.len > UINT16_MAX)
			return 0;
		size += text.len;
	}
	return size <= UINT16_MAX ? size : 0;
}

size_t tn_stat_encode(const struct tn_stat *st, enum tn_dialect dialect, uint8_t *buf, size_t size)
{
	size_t need = tn_stat_size(st, dialect);
	uint8_t *p = buf + 2;

	if (!need || need > size)
		return 0;
	put16(buf, (uint16_t)(need - 2));
	for (const struct stat_row *row = rows; row < end_of(dialect); row++) {
		if (row->kind == STR) {
			struct tn_str text = text_of(st, row);

			put16(p, (uint16_t)text.len);
			if (text.len)
				memcpy(p + 2, text.s, text.len);
			p += text.len;
		} else if (st->valid & row->bit) {
			store(st, row, p);
		} else {
			memset(p, 0xff, width[row->kind]);
		}
		p += width[row->kind];
	}
	return need;
}

enum { DIRENT_HEAD = QID_SIZE + 8 + 1 }; /* qid[13] offset[8] type[1], before name[s] */

enum tn_codec_err tn_dirent_decode(struct tn_dirent *d, const uint8_t *buf, size_t len,
    size_t *used)
{
	struct cursor c = { buf, buf + len };
	const uint8_t *p = take(&c, DIRENT_HEAD);
	enum tn_codec_err err;

	if (!p)
		return TN_CODEC_SHORT;
	d->qid = get_qid(p);
	d->offset = get64(p + QID_SIZE);
	d->type = p[QID_SIZE + 8];
	err = take_str(&c, &d->name);
	if (!err)
		*used = (size_t)(c.at - buf);
	return err;
}

size_t tn_dirent_encode(const struct tn_dirent *d, uint8_t *buf, size_t size)
{
	struct room o = { buf, buf + size, 0 };
	uint8_t *p = give(&o, DIRENT_HEAD);

	if (!p)
		return 0;
	put_qid(p, d->qid);
	put64(p + QID_SIZE, d->offset);
	p[QID_SIZE + 8] = d->type;
	return give_str(&o, d->name) ? 0 : (size_t)(o.at - buf);
}
