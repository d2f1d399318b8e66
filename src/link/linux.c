/*
 * Linux's numbers and ours. A mode of ours is TN_DM bits and rwxrwxrwx, one of Linux's a kind (S_IFMT) and twelve bits.
 */
#include "link/linux.h"

#define NS_PER_S INT64_C(1000000000)
#define NOBODY   65534u /* an owner that is not known: Linux's overflowuid */

enum {
	S_KIND = 0170000,
	S_FIFO = 0010000,
	S_CHAR = 0020000,
	S_DIR = 0040000,
	S_BLOCK = 0060000,
	S_REGULAR = 0100000,
	S_LINK = 0120000,
	S_SOCKET = 0140000
};

/* clang-format off */
static const struct {
	uint32_t dm, kind;
} kinds[] = {
	{ TN_DMDIR, S_DIR },
	{ TN_DMSYMLINK, S_LINK },
	{ TN_DMNAMEDPIPE, S_FIFO },
	{ TN_DMSOCKET, S_SOCKET },
	{ TN_DMDEVICE, S_CHAR },
	{ TN_DMDEVICE, S_BLOCK },
	{ 0, S_REGULAR },
};

static const struct {
	uint32_t dm, bit;
} bits[] = {
	{ TN_DMSETUID, 04000 },
	{ TN_DMSETGID, 02000 },
	{ TN_DMSETVTX, 01000 },
};

static const struct {
	uint32_t flag, of;
} flags_of[] = {
	{ 0200, TN_OF_EXCL },
	{ 01000, TN_OF_TRUNC },
	{ 02000, TN_OF_APPEND },
	{ 010000, TN_OF_SYNC },      /* O_DSYNC */
	{ 04000000, TN_OF_SYNC },
	{ 0200000, TN_OF_DIRECTORY },
};

/* request_mask and valid of Tgetattr, Rgetattr */
enum {
	GET_BASIC = 0x7ff, /* mode nlink uid gid rdev atime mtime ctime ino size blocks */
	GET_BTIME = 0x800,
	GET_GEN = 0x1000,
	GET_DATA_VERSION = 0x2000
};

/* valid of Tsetattr */
enum {
	SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 0x10, SET_MTIME = 0x20,
	SET_ATIME_GIVEN = 0x80, SET_MTIME_GIVEN = 0x100
};
/* clang-format on */

uint32_t tn_linux_open(uint32_t flags)
{
	uint32_t of = flags & TN_OF_ACCESS;

	for (size_t i = 0; i < TN_COUNT(flags_of); i++)
		if (flags & flags_of[i].flag)
			of |= flags_of[i].of;
	return of;
}

uint32_t tn_linux_perm(uint32_t mode)
{
	uint32_t dm = mode & 0777;

	for (size_t i = 0; i < TN_COUNT(bits); i++)
		if (mode & bits[i].bit)
			dm |= bits[i].dm;
	return dm;
}

uint32_t tn_linux_kind(uint32_t mode)
{
	if ((mode & S_KIND) == 0)
		return 0;
	for (size_t i = 0; i < TN_COUNT(kinds); i++)
		if ((mode & S_KIND) == kinds[i].kind)
			return kinds[i].dm;
	return UINT32_MAX;
}

struct tn_str tn_linux_device(uint32_t mode)
{
	return (mode & S_KIND) == S_BLOCK ? TN_STR("b") : TN_STR("c");
}

/* Which kind of device it is only the extension tells. */
static uint32_t kind_of(const struct tn_stat *st)
{
	uint32_t mode = st->mode | (uint32_t)st->qid.type << 24;
	size_t i = 0;

	while (kinds[i].dm && !(mode & kinds[i].dm))
		i++;
	if (kinds[i].kind == S_CHAR && (st->valid & TN_ST_EXTENSION) && st->extension.len > 0 &&
	    st->extension.s[0] == 'b')
		return S_BLOCK;
	return kinds[i].kind;
}

uint8_t tn_linux_dtype(const struct tn_stat *st)
{
	uint32_t kind = kind_of(st);

	if (kind == S_CHAR && !(st->valid & TN_ST_EXTENSION))
		return 0;
	return (uint8_t)(kind >> 12);
}

static uint32_t mode_of(const struct tn_stat *st)
{
	uint32_t mode = (st->mode & 0777) | kind_of(st);

	for (size_t i = 0; i < TN_COUNT(bits); i++)
		if (st->mode & bits[i].dm)
			mode |= bits[i].bit;
	return mode;
}

/* ---- Rgetattr ---- */

static void put_time(int64_t ns, uint64_t *sec, uint64_t *nsec)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	*sec = (uint64_t)(rest < 0 ? s - 1 : s);
	*nsec = (uint64_t)(rest < 0 ? rest + NS_PER_S : rest);
}

static bool knows(const struct tn_stat *st, uint32_t field)
{
	return (st->valid & field) != 0;
}

static void put_times(struct tn_msg *m, const struct tn_stat *st)
{
	int64_t mtime = knows(st, TN_ST_MTIME) ? st->mtime_ns : 0;

	put_time(mtime, &m->mtime_sec, &m->mtime_nsec);
	put_time(knows(st, TN_ST_ATIME) ? st->atime_ns : mtime, &m->atime_sec, &m->atime_nsec);
	put_time(knows(st, TN_ST_CTIME) ? st->ctime_ns : mtime, &m->ctime_sec, &m->ctime_nsec);
	put_time(knows(st, TN_ST_BTIME) ? st->btime_ns : 0, &m->btime_sec, &m->btime_nsec);
}

void tn_linux_getattr(struct tn_msg *m, const struct tn_stat *st)
{
	m->type = TN_RGETATTR;
	m->valid = GET_BASIC | (knows(st, TN_ST_BTIME) ? GET_BTIME : 0) |
		   (knows(st, TN_ST_GEN) ? GET_GEN : 0) |
		   (knows(st, TN_ST_DATA_VERSION) ? GET_DATA_VERSION : 0);
	m->qid = st->qid;
	m->perm = mode_of(st);
	m->uid = knows(st, TN_ST_NUID) ? st->n_uid : NOBODY;
	m->gid = knows(st, TN_ST_NGID) ? st->n_gid : NOBODY;
	m->nlink = knows(st, TN_ST_NLINK) ? st->nlink : 1;
	m->rdev = knows(st, TN_ST_RDEV) ? st->rdev : 0;
	m->length = st->length;
	m->blksize = knows(st, TN_ST_BLOCKS) && st->blksize ? st->blksize : 4096;
	m->blocks = knows(st, TN_ST_BLOCKS) ? st->blocks
					    : st->length / 512 + (st->length % 512 != 0);
	m->gen = knows(st, TN_ST_GEN) ? st->gen : 0;
	m->data_version = knows(st, TN_ST_DATA_VERSION) ? st->data_version : 0;
	put_times(m, st);
}

/* ---- Tsetattr ---- */

/* Times from long before or after are the first or last that there is. */
static enum tn_err take_time(uint64_t sec, uint64_t nsec, int64_t *ns)
{
	int64_t s = (int64_t)sec;

	if (nsec >= (uint64_t)NS_PER_S)
		return TN_EINVAL;
	if (s >= INT64_MAX / NS_PER_S)
		*ns = INT64_MAX;
	else if (s <= INT64_MIN / NS_PER_S)
		*ns = INT64_MIN;
	else
		*ns = s * NS_PER_S + (int64_t)nsec;
	return TN_OK;
}

static enum tn_err take_times(struct tn_stat *st, const struct tn_msg *m)
{
	enum tn_err err = TN_OK;

	if ((m->valid & SET_ATIME) && (m->valid & SET_ATIME_GIVEN)) {
		st->valid |= TN_ST_ATIME;
		err = take_time(m->atime_sec, m->atime_nsec, &st->atime_ns);
	} else if (m->valid & SET_ATIME) {
		st->valid |= TN_ST_ATIME_NOW;
	}
	if (!err && (m->valid & SET_MTIME) && (m->valid & SET_MTIME_GIVEN)) {
		st->valid |= TN_ST_MTIME;
		err = take_time(m->mtime_sec, m->mtime_nsec, &st->mtime_ns);
	} else if (m->valid & SET_MTIME) {
		st->valid |= TN_ST_MTIME_NOW;
	}
	return err;
}

static enum tn_err take_owners(struct tn_stat *st, const struct tn_msg *m)
{
	if (m->valid & SET_UID) {
		st->valid |= TN_ST_NUID;
		st->n_uid = m->uid;
	}
	if (m->valid & SET_GID) {
		st->valid |= TN_ST_NGID;
		st->n_gid = m->gid;
	}
	return ((m->valid & SET_UID) && m->uid == TN_NONUNAME) ||
		       ((m->valid & SET_GID) && m->gid == TN_NONUNAME)
		   ? TN_EINVAL
		   : TN_OK;
}

enum tn_err tn_linux_setattr(struct tn_stat *st, const struct tn_msg *m, struct tn_qid is)
{
	enum tn_err err;

	*st = (struct tn_stat){ 0 };
	if (m->valid & SET_MODE) {
		/* The bits that Linux has no word for stay as they are. */
		st->valid |= TN_ST_MODE;
		st->mode = tn_linux_perm(m->perm) | (uint32_t)is.type << 24;
	}
	if (m->valid & SET_SIZE) {
		if (is.type & TN_QTDIR)
			return TN_EISDIR;
		if (m->length > INT64_MAX)
			return TN_EFBIG;
		st->valid |= TN_ST_LENGTH;
		st->length = m->length;
	}
	err = take_owners(st, m);
	return err ? err : take_times(st, m);
}
