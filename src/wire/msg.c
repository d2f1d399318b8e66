/*
 * Messages of 9P: one row each, as the manual pages write them, and two walkers of rows: bytes to struct tn_msg and
 * back. What all dialects have is in the row's fields; what one appends is in that dialect's column. A new message
 * is a new row and nothing else. Where a frame ends is frame.c's, what is in a stat stat.c's.
 */
#include "tenon/9p.h"

#include "wire/bytes.h"

enum kind { END, U8, U16, U32, U64, WIDE, STR, QID, NAMES, QIDS, DATA, STAT };

/* Bytes of a kind; of one that varies, the bytes of its count. */
static const uint8_t width[] = {
	[U8] = 1,
	[U16] = 2,
	[U32] = 4,
	[U64] = 8,
	[WIDE] = 4,
	[STR] = 2,
	[QID] = QID_SIZE,
	[NAMES] = 2,
	[QIDS] = 2,
	[DATA] = 4,
	[STAT] = 2,
};

/* A field: its kind in the high four bits, its place in struct tn_msg in the low twelve. */
typedef uint16_t field;

#define PLACE 0xfffu

_Static_assert(sizeof(struct tn_msg) <= PLACE, "a place takes twelve bits");

struct msg_row {
	const char *name;
	const field *fields;     /* behind size[4] type[1] tag[2], up to END */
	field more[TN_DIALECTS]; /* what a dialect has behind them, or END */
	uint8_t dialects;        /* bits, by enum tn_dialect */
};

/* The sizeof makes a field of another type than its kind says an error of the compiler. */
#define AT(kind, c_type, member)                           \
	((kind) << 12 | offsetof(struct tn_msg, member)) + \
	    0 * sizeof(_Generic(((struct tn_msg *)0)->member, c_type : 0))

/* clang-format off */
#define U8(member)    AT(U8, uint8_t, member)
#define U16(member)   AT(U16, uint16_t, member)
#define U32(member)   AT(U32, uint32_t, member)
#define U64(member)   AT(U64, uint64_t, member)
#define WIDE(member)  AT(WIDE, uint64_t, member) /* 32 bits on the wire, 64 in the struct */
#define STR(member)   AT(STR, struct tn_str, member)
#define QID(member)   AT(QID, struct tn_qid, member)
#define STAT(member)  AT(STAT, struct tn_stat, member)
#define NAMES(member) AT(NAMES, struct tn_str *, member) /* nwname of them */
#define QIDS(member)  AT(QIDS, struct tn_qid *, member)  /* nwqid of them */
#define DATA(member)  AT(DATA, const uint8_t *, member)  /* count bytes; the last field */

#define F(...) (const field[]){ __VA_ARGS__, END }
#define NONE   (const field[]){ END }

#define D_OLD   (1 << TN_9P2000 | 1 << TN_9P2000_U)
#define D_TENON (1 << TN_9P2000_TENON)
#define D_L     (1 << TN_9P2000_L | D_TENON)
#define D_ALL   (D_OLD | D_L)

/* The column of what a dialect has behind the fields of all. */
#define SAME  { END, END, END, END }
#define U(f)  { END, f, END, END }
#define UL(f) { END, f, f, f }
#define UT(f) { END, f, END, f }

_Static_assert(TN_9P2000 == 0 && TN_9P2000_U == 1 && TN_9P2000_L == 2 && TN_9P2000_TENON == 3,
	"the order of that column");

static const struct msg_row rows[TN_MSG_TYPES] = {
	/* 9P2000: section 5 of the manual. 9P2000.u appends to four of them, and to stat. */
	[TN_TVERSION] = { "Tversion", F(U32(msize), STR(version)), SAME, D_ALL },
	[TN_RVERSION] = { "Rversion", F(U32(msize), STR(version)), SAME, D_ALL },
	[TN_TAUTH]    = { "Tauth", F(U32(afid), STR(uname), STR(aname)), UL(U32(n_uname)), D_ALL },
	[TN_RAUTH]    = { "Rauth", F(QID(qid)), SAME, D_ALL },
	[TN_TATTACH]  = { "Tattach", F(U32(fid), U32(afid), STR(uname), STR(aname)), UL(U32(n_uname)), D_ALL },
	[TN_RATTACH]  = { "Rattach", F(QID(qid)), SAME, D_ALL },
	[TN_RERROR]   = { "Rerror", F(STR(ename)), UT(U32(error)), D_OLD | D_TENON },
	[TN_TFLUSH]   = { "Tflush", F(U16(oldtag)), SAME, D_ALL },
	[TN_RFLUSH]   = { "Rflush", NONE, SAME, D_ALL },
	[TN_TWALK]    = { "Twalk", F(U32(fid), U32(newfid), NAMES(wname)), SAME, D_ALL },
	[TN_RWALK]    = { "Rwalk", F(QIDS(wqid)), SAME, D_ALL },
	[TN_TOPEN]    = { "Topen", F(U32(fid), U8(mode)), SAME, D_OLD },
	[TN_ROPEN]    = { "Ropen", F(QID(qid), U32(iounit)), SAME, D_OLD },
	[TN_TCREATE]  = { "Tcreate", F(U32(fid), STR(name), U32(perm), U8(mode)), U(STR(extension)), D_OLD },
	[TN_RCREATE]  = { "Rcreate", F(QID(qid), U32(iounit)), SAME, D_OLD },
	[TN_TREAD]    = { "Tread", F(U32(fid), U64(offset), U32(count)), SAME, D_ALL },
	[TN_RREAD]    = { "Rread", F(DATA(data)), SAME, D_ALL },
	[TN_TWRITE]   = { "Twrite", F(U32(fid), U64(offset), DATA(data)), SAME, D_ALL },
	[TN_RWRITE]   = { "Rwrite", F(U32(count)), SAME, D_ALL },
	[TN_TCLUNK]   = { "Tclunk", F(U32(fid)), SAME, D_ALL },
	[TN_RCLUNK]   = { "Rclunk", NONE, SAME, D_ALL },
	[TN_TREMOVE]  = { "Tremove", F(U32(fid)), SAME, D_ALL },
	[TN_RREMOVE]  = { "Rremove", NONE, SAME, D_ALL },
	[TN_TSTAT]    = { "Tstat", F(U32(fid)), SAME, D_OLD },
	[TN_RSTAT]    = { "Rstat", F(STAT(stat)), SAME, D_OLD },
	[TN_TWSTAT]   = { "Twstat", F(U32(fid), STAT(stat)), SAME, D_OLD },
	[TN_RWSTAT]   = { "Rwstat", NONE, SAME, D_OLD },

	/* 9P2000.L: diod's protocol.md. */
	[TN_RLERROR]      = { "Rlerror", F(U32(error)), SAME, D_L },
	[TN_TSTATFS]      = { "Tstatfs", F(U32(fid)), SAME, D_L },
	[TN_RSTATFS]      = { "Rstatfs", F(U32(statfs.type), U32(statfs.bsize), U64(statfs.blocks), U64(statfs.bfree),
	                      U64(statfs.bavail), U64(statfs.files), U64(statfs.ffree), U64(statfs.fsid),
	                      U32(statfs.namelen)), SAME, D_L },
	[TN_TLOPEN]       = { "Tlopen", F(U32(fid), U32(flags)), SAME, D_L },
	[TN_RLOPEN]       = { "Rlopen", F(QID(qid), U32(iounit)), SAME, D_L },
	[TN_TLCREATE]     = { "Tlcreate", F(U32(fid), STR(name), U32(flags), U32(perm), U32(gid)), SAME, D_L },
	[TN_RLCREATE]     = { "Rlcreate", F(QID(qid), U32(iounit)), SAME, D_L },
	[TN_TSYMLINK]     = { "Tsymlink", F(U32(fid), STR(name), STR(target), U32(gid)), SAME, D_L },
	[TN_RSYMLINK]     = { "Rsymlink", F(QID(qid)), SAME, D_L },
	[TN_TMKNOD]       = { "Tmknod", F(U32(fid), STR(name), U32(perm), U32(major), U32(minor), U32(gid)), SAME, D_L },
	[TN_RMKNOD]       = { "Rmknod", F(QID(qid)), SAME, D_L },
	[TN_TRENAME]      = { "Trename", F(U32(fid), U32(newfid), STR(name)), SAME, D_L },
	[TN_RRENAME]      = { "Rrename", NONE, SAME, D_L },
	[TN_TREADLINK]    = { "Treadlink", F(U32(fid)), SAME, D_L },
	[TN_RREADLINK]    = { "Rreadlink", F(STR(target)), SAME, D_L },
	[TN_TGETATTR]     = { "Tgetattr", F(U32(fid), U64(valid)), SAME, D_L },
	[TN_RGETATTR]     = { "Rgetattr", F(U64(valid), QID(qid), U32(perm), U32(uid), U32(gid), U64(nlink), U64(rdev),
	                      U64(length), U64(blksize), U64(blocks), U64(atime_sec), U64(atime_nsec), U64(mtime_sec),
	                      U64(mtime_nsec), U64(ctime_sec), U64(ctime_nsec), U64(btime_sec), U64(btime_nsec), U64(gen),
	                      U64(data_version)), SAME, D_L },
	[TN_TSETATTR]     = { "Tsetattr", F(U32(fid), WIDE(valid), U32(perm), U32(uid), U32(gid), U64(length),
	                      U64(atime_sec), U64(atime_nsec), U64(mtime_sec), U64(mtime_nsec)), SAME, D_L },
	[TN_RSETATTR]     = { "Rsetattr", NONE, SAME, D_L },
	[TN_TXATTRWALK]   = { "Txattrwalk", F(U32(fid), U32(newfid), STR(name)), SAME, D_L },
	[TN_RXATTRWALK]   = { "Rxattrwalk", F(U64(length)), SAME, D_L },
	[TN_TXATTRCREATE] = { "Txattrcreate", F(U32(fid), STR(name), U64(length), U32(flags)), SAME, D_L },
	[TN_RXATTRCREATE] = { "Rxattrcreate", NONE, SAME, D_L },
	[TN_TREADDIR]     = { "Treaddir", F(U32(fid), U64(offset), U32(count)), SAME, D_L },
	[TN_RREADDIR]     = { "Rreaddir", F(DATA(data)), SAME, D_L },
	[TN_TFSYNC]       = { "Tfsync", F(U32(fid), U32(flags)), SAME, D_L },
	[TN_RFSYNC]       = { "Rfsync", NONE, SAME, D_L },
	[TN_TLOCK]        = { "Tlock", F(U32(fid), U8(lock_type), U32(flags), U64(start), U64(length), U32(proc_id),
	                      STR(client_id)), SAME, D_L },
	[TN_RLOCK]        = { "Rlock", F(U8(status)), SAME, D_L },
	[TN_TGETLOCK]     = { "Tgetlock", F(U32(fid), U8(lock_type), U64(start), U64(length), U32(proc_id), STR(client_id)),
	                      SAME, D_L },
	[TN_RGETLOCK]     = { "Rgetlock", F(U8(lock_type), U64(start), U64(length), U32(proc_id), STR(client_id)), SAME, D_L },
	[TN_TLINK]        = { "Tlink", F(U32(fid), U32(newfid), STR(name)), SAME, D_L },
	[TN_RLINK]        = { "Rlink", NONE, SAME, D_L },
	[TN_TMKDIR]       = { "Tmkdir", F(U32(fid), STR(name), U32(perm), U32(gid)), SAME, D_L },
	[TN_RMKDIR]       = { "Rmkdir", F(QID(qid)), SAME, D_L },
	[TN_TRENAMEAT]    = { "Trenameat", F(U32(fid), STR(name), U32(newfid), STR(newname)), SAME, D_L },
	[TN_RRENAMEAT]    = { "Rrenameat", NONE, SAME, D_L },
	[TN_TUNLINKAT]    = { "Tunlinkat", F(U32(fid), STR(name), U32(flags)), SAME, D_L },
	[TN_RUNLINKAT]    = { "Runlinkat", NONE, SAME, D_L },

	/* 9P2000.L.tenon: docs/architecture.md. */
	[TN_TALLOCATE]    = { "Tallocate", F(U32(fid), U32(flags), U64(offset), U64(length)), SAME, D_TENON },
	[TN_RALLOCATE]    = { "Rallocate", NONE, SAME, D_TENON },
	[TN_TSEEK]        = { "Tseek", F(U32(fid), U32(flags), U64(offset)), SAME, D_TENON },
	[TN_RSEEK]        = { "Rseek", F(U64(offset)), SAME, D_TENON },
	[TN_TCOPY]        = { "Tcopy", F(U32(fid), U64(offset), U32(newfid), U64(start), U64(length)), SAME, D_TENON },
	[TN_RCOPY]        = { "Rcopy", F(U64(length)), SAME, D_TENON },
	[TN_TRENAMEAT2]   = { "Trenameat2", F(U32(fid), STR(name), U32(newfid), STR(newname), U32(flags)), SAME, D_TENON },
	[TN_RRENAMEAT2]   = { "Rrenameat2", NONE, SAME, D_TENON },
};
/* clang-format on */

static const char *const dialect_names[TN_DIALECTS] = {
	[TN_9P2000] = "9P2000",
	[TN_9P2000_U] = "9P2000.u",
	[TN_9P2000_L] = "9P2000.L",
	[TN_9P2000_TENON] = "9P2000.L.tenon",
};

/* NULL: the dialect has no such message. */
static const struct msg_row *row_of(unsigned type, enum tn_dialect dialect)
{
	const struct msg_row *row = &rows[type < TN_MSG_TYPES ? type : 0];

	return row->dialects >> dialect & 1 ? row : NULL;
}

/* ---- bytes to struct ---- */

/* walk(5): nwname[2] nwname*(wname[s]). */
static enum tn_codec_err take_names(struct tn_msg *m, uint16_t n, struct cursor *c)
{
	if (n > TN_WNAME_MAX)
		return TN_CODEC_COUNT;
	m->nwname = n;
	for (uint16_t i = 0; i < n; i++) {
		enum tn_codec_err err = take_str(c, &m->wname[i]);

		if (err)
			return err;
	}
	return TN_CODEC_OK;
}

/* walk(5): nwqid[2] nwqid*(wqid[13]). */
static enum tn_codec_err take_qids(struct tn_msg *m, uint16_t n, struct cursor *c)
{
	const uint8_t *p;

	if (n > TN_WNAME_MAX)
		return TN_CODEC_COUNT;
	p = take(c, (size_t)n * QID_SIZE);
	if (!p)
		return TN_CODEC_SHORT;
	m->nwqid = n;
	for (uint16_t i = 0; i < n; i++)
		m->wqid[i] = get_qid(p + (size_t)i * QID_SIZE);
	return TN_CODEC_OK;
}

static enum tn_codec_err take_data(struct tn_msg *m, uint32_t count, struct cursor *c)
{
	m->count = count;
	m->data = take(c, count);
	return m->data ? TN_CODEC_OK : TN_CODEC_SHORT;
}

/* stat(5): stat[n], where n[2] counts the size[2] that the stat begins with. */
static enum tn_codec_err take_stat(struct tn_stat *st, enum tn_dialect dialect, uint16_t n,
    struct cursor *c)
{
	const uint8_t *p = take(c, n);
	size_t used;

	if (!p)
		return TN_CODEC_SHORT;
	if (n < 2 || get16(p) != n - 2)
		return TN_CODEC_COUNT;
	return tn_stat_decode(st, dialect, p, n, &used);
}

static enum tn_codec_err take_field(struct tn_msg *m, enum tn_dialect dialect, field f,
    struct cursor *c)
{
	enum kind kind = f >> 12;
	void *to = (char *)m + (f & PLACE);
	const uint8_t *p = take(c, width[kind]);

	if (!p)
		return TN_CODEC_SHORT;
	switch (kind) {
	case END: break;
	case U8: *(uint8_t *)to = p[0]; break;
	case U16: *(uint16_t *)to = get16(p); break;
	case U32: *(uint32_t *)to = get32(p); break;
	case U64: *(uint64_t *)to = get64(p); break;
	case WIDE: *(uint64_t *)to = get32(p); break;
	case QID: *(struct tn_qid *)to = get_qid(p); break;
	case STR: return take_text(c, get16(p), to);
	case NAMES: return take_names(m, get16(p), c);
	case QIDS: return take_qids(m, get16(p), c);
	case DATA: return take_data(m, get32(p), c);
	case STAT: return take_stat(to, dialect, get16(p), c);
	}
	return TN_CODEC_OK;
}

enum tn_codec_err tn_msg_decode(struct tn_msg *m, enum tn_dialect dialect, const uint8_t *frame,
    size_t len)
{
	struct cursor c = { frame, frame + len };
	const uint8_t *head = take(&c, TN_HDR_SIZE);
	const struct msg_row *row;
	enum tn_codec_err err = TN_CODEC_OK;

	if (!head)
		return TN_CODEC_SHORT;
	m->type = head[4];
	m->tag = get16(head + 5);
	if (get32(head) != len)
		return get32(head) > len ? TN_CODEC_SHORT : TN_CODEC_LONG;
	row = row_of(m->type, dialect);
	if (!row)
		return TN_CODEC_TYPE;
	for (const field *f = row->fields; *f != END && !err; f++)
		err = take_field(m, dialect, *f, &c);
	if (!err && row->more[dialect] != END)
		err = take_field(m, dialect, row->more[dialect], &c);
	if (!err && c.at != c.end)
		err = TN_CODEC_LONG;
	return err;
}

/* ---- struct to bytes ---- */

static enum tn_codec_err give_names(const struct tn_msg *m, uint8_t *count, struct room *o)
{
	if (m->nwname > TN_WNAME_MAX)
		return TN_CODEC_COUNT;
	put16(count, m->nwname);
	for (uint16_t i = 0; i < m->nwname; i++) {
		enum tn_codec_err err = give_str(o, m->wname[i]);

		if (err)
			return err;
	}
	return TN_CODEC_OK;
}

static enum tn_codec_err give_qids(const struct tn_msg *m, uint8_t *count, struct room *o)
{
	uint8_t *p;

	if (m->nwqid > TN_WNAME_MAX)
		return TN_CODEC_COUNT;
	p = give(o, (size_t)m->nwqid * QID_SIZE);
	if (!p)
		return TN_CODEC_ROOM;
	put16(count, m->nwqid);
	for (uint16_t i = 0; i < m->nwqid; i++)
		put_qid(p + (size_t)i * QID_SIZE, m->wqid[i]);
	return TN_CODEC_OK;
}

/* Data that the caller sends itself (NULL) takes no room, and data that lies at its place is not moved. */
static enum tn_codec_err give_data(const struct tn_msg *m, uint8_t *count, struct room *o)
{
	uint8_t *p;

	put32(count, m->count);
	if (!m->data) {
		o->apart = m->count;
		return TN_CODEC_OK;
	}
	p = give(o, m->count);
	if (!p)
		return TN_CODEC_ROOM;
	if (p != m->data)
		memmove(p, m->data, m->count);
	return TN_CODEC_OK;
}

static enum tn_codec_err give_stat(const struct tn_stat *st, enum tn_dialect dialect,
    uint8_t *count, struct room *o)
{
	size_t n = tn_stat_encode(st, dialect, o->at, (size_t)(o->end - o->at));

	if (!n || !give(o, n))
		return TN_CODEC_ROOM;
	put16(count, (uint16_t)n);
	return TN_CODEC_OK;
}

static enum tn_codec_err give_field(const struct tn_msg *m, enum tn_dialect dialect, field f,
    struct room *o)
{
	enum kind kind = f >> 12;
	const void *from = (const char *)m + (f & PLACE);
	uint8_t *p = give(o, width[kind]);

	if (!p)
		return TN_CODEC_ROOM;
	switch (kind) {
	case END: break;
	case U8: p[0] = *(const uint8_t *)from; break;
	case U16: put16(p, *(const uint16_t *)from); break;
	case U32: put32(p, *(const uint32_t *)from); break;
	case U64: put64(p, *(const uint64_t *)from); break;
	case WIDE: put32(p, (uint32_t) * (const uint64_t *)from); break;
	case QID: put_qid(p, *(const struct tn_qid *)from); break;
	case STR: return give_text(o, p, *(const struct tn_str *)from);
	case NAMES: return give_names(m, p, o);
	case QIDS: return give_qids(m, p, o);
	case DATA: return give_data(m, p, o);
	case STAT: return give_stat(from, dialect, p, o);
	}
	return TN_CODEC_OK;
}

enum tn_codec_err tn_msg_encode(const struct tn_msg *m, enum tn_dialect dialect, uint8_t *buf,
    size_t size, size_t *len)
{
	const struct msg_row *row = row_of(m->type, dialect);
	struct room o = { buf, buf + size, 0 };
	enum tn_codec_err err = TN_CODEC_OK;
	size_t used;

	if (!row)
		return TN_CODEC_TYPE;
	if (!give(&o, TN_HDR_SIZE))
		return TN_CODEC_ROOM;
	for (const field *f = row->fields; *f != END && !err; f++)
		err = give_field(m, dialect, *f, &o);
	if (!err && row->more[dialect] != END)
		err = give_field(m, dialect, row->more[dialect], &o);
	if (err)
		return err;
	used = (size_t)(o.at - buf);
	if (used > UINT32_MAX - o.apart)
		return TN_CODEC_ROOM;
	put32(buf, (uint32_t)used + o.apart);
	buf[4] = m->type;
	put16(buf + 5, m->tag);
	*len = used;
	return TN_CODEC_OK;
}

/* ---- names ---- */

const char *tn_msg_name(unsigned type)
{
	const char *name = type < TN_MSG_TYPES ? rows[type].name : NULL;

	return name ? name : "unknown";
}

const char *tn_dialect_name(enum tn_dialect dialect)
{
	return dialect < TN_DIALECTS ? dialect_names[dialect] : "unknown";
}
