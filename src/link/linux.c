/*
 * Linux's numbers and ours. A mode of ours is TN_DM bits and rwxrwxrwx, one of Linux's a kind (S_IFMT) and twelve bits.
 */
#include "link/linux.h"

#define NS_PER_S INT64_C(1000000000)

enum {
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
	{ TN_L_EXCL, TN_OF_EXCL },
	{ 01000, TN_OF_TRUNC },
	{ 02000, TN_OF_APPEND },
	{ 010000, TN_OF_SYNC },      /* O_DSYNC */
	{ 04000000, TN_OF_SYNC },
	{ TN_L_DIRECTORY, TN_OF_DIRECTORY },
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

uint32_t tn_linux_flags(uint32_t of)
{
	uint32_t flags = (of & TN_OF_ACCESS) == TN_OEXEC ? (uint32_t)TN_OREAD : of & TN_OF_ACCESS;

	for (size_t i = 0; i < TN_COUNT(flags_of); i++)
		if (of & flags_of[i].of)
			flags |= flags_of[i].flag;
	return flags;
}

uint32_t tn_linux_perm(uint32_t mode)
{
	uint32_t dm = mode & 0777;

	for (size_t i = 0; i < TN_COUNT(bits); i++)
		if (mode & bits[i].bit)
			dm |= bits[i].dm;
	return dm;
}

uint32_t tn_linux_mode(uint32_t dm)
{
	uint32_t mode = dm & 0777;

	for (size_t i = 0; i < TN_COUNT(bits); i++)
		if (dm & bits[i].dm)
			mode |= bits[i].bit;
	return mode;
}

uint32_t tn_linux_kind(uint32_t mode)
{
	if ((mode & TN_L_KIND) == 0)
		return 0;
	for (size_t i = 0; i < TN_COUNT(kinds); i++)
		if ((mode & TN_L_KIND) == kinds[i].kind)
			return kinds[i].dm;
	return UINT32_MAX;
}

struct tn_str tn_linux_device(uint32_t mode)
{
	return (mode & TN_L_KIND) == S_BLOCK ? TN_STR("b") : TN_STR("c");
}

uint32_t tn_linux_kind_of(uint32_t dm, struct tn_str extension)
{
	size_t i = 0;

	while (kinds[i].dm && !(dm & kinds[i].dm))
		i++;
	if (kinds[i].kind == S_CHAR && extension.len > 0 && extension.s[0] == 'b')
		return S_BLOCK;
	return kinds[i].kind;
}

static uint32_t kind_of(const struct tn_stat *st)
{
	const struct tn_str none = { NULL, 0 };

	return tn_linux_kind_of(st->mode | (uint32_t)st->qid.type << 24,
	    st->valid & TN_ST_EXTENSION ? st->extension : none);
}

uint8_t tn_linux_dtype(const struct tn_stat *st)
{
	uint32_t kind = kind_of(st);

	if (kind == S_CHAR && !(st->valid & TN_ST_EXTENSION))
		return 0;
	return (uint8_t)(kind >> 12);
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
	m->valid = TN_GET_BASIC | (knows(st, TN_ST_BTIME) ? TN_GET_BTIME : 0) |
		   (knows(st, TN_ST_GEN) ? TN_GET_GEN : 0) |
		   (knows(st, TN_ST_DATA_VERSION) ? TN_GET_DATA_VERSION : 0);
	m->qid = st->qid;
	m->perm = tn_linux_mode(st->mode) | kind_of(st);
	m->uid = knows(st, TN_ST_NUID) ? st->n_uid : TN_L_NOBODY;
	m->gid = knows(st, TN_ST_NGID) ? st->n_gid : TN_L_NOBODY;
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

	if ((m->valid & TN_SET_ATIME) && (m->valid & TN_SET_ATIME_GIVEN)) {
		st->valid |= TN_ST_ATIME;
		err = take_time(m->atime_sec, m->atime_nsec, &st->atime_ns);
	} else if (m->valid & TN_SET_ATIME) {
		st->valid |= TN_ST_ATIME_NOW;
	}
	if (!err && (m->valid & TN_SET_MTIME) && (m->valid & TN_SET_MTIME_GIVEN)) {
		st->valid |= TN_ST_MTIME;
		err = take_time(m->mtime_sec, m->mtime_nsec, &st->mtime_ns);
	} else if (m->valid & TN_SET_MTIME) {
		st->valid |= TN_ST_MTIME_NOW;
	}
	return err;
}

static enum tn_err take_owners(struct tn_stat *st, const struct tn_msg *m)
{
	if (m->valid & TN_SET_UID) {
		st->valid |= TN_ST_NUID;
		st->n_uid = m->uid;
	}
	if (m->valid & TN_SET_GID) {
		st->valid |= TN_ST_NGID;
		st->n_gid = m->gid;
	}
	return ((m->valid & TN_SET_UID) && m->uid == TN_NONUNAME) ||
		       ((m->valid & TN_SET_GID) && m->gid == TN_NONUNAME)
		   ? TN_EINVAL
		   : TN_OK;
}

enum tn_err tn_linux_setattr(struct tn_stat *st, const struct tn_msg *m, struct tn_qid is)
{
	enum tn_err err;

	*st = (struct tn_stat){ 0 };
	if (m->valid & TN_SET_MODE) {
		/* The bits that Linux has no word for stay as they are. */
		st->valid |= TN_ST_MODE;
		st->mode = tn_linux_perm(m->perm) | (uint32_t)is.type << 24;
	}
	if (m->valid & TN_SET_SIZE) {
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
