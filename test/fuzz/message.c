#include "message.h"

static uint8_t data[FUZZ_DATA];

uint8_t fuzz_type(struct fuzz_in *in, enum tn_dialect dialect, bool is_answer)
{
	uint8_t type = fuzz_byte(in);

	/* The next one that the dialect has: a frame with nothing in it is short, not of an unknown type. */
	for (int i = 0; i < 256; i++, type++) {
		uint8_t frame[TN_HDR_SIZE] = { TN_HDR_SIZE, 0, 0, 0, type, 0, 0 };
		struct tn_msg m;

		if ((type & 1) == is_answer && type < TN_MSG_TYPES &&
		    tn_msg_decode(&m, dialect, frame, sizeof(frame)) != TN_CODEC_TYPE)
			return type;
	}
	return is_answer ? TN_RVERSION : TN_TVERSION;
}

static uint32_t fid(struct fuzz_in *in)
{
	uint8_t n = fuzz_byte(in);

	return n == 255 ? TN_NOFID : n % FUZZ_FIDS;
}

static struct tn_qid qid(struct fuzz_in *in)
{
	static const uint8_t types[] = { TN_QTDIR, TN_QTFILE, TN_QTSYMLINK, TN_QTAPPEND, TN_QTDIR,
		TN_QTFILE, TN_QTDIR | TN_QTMOUNT, 255 };
	uint8_t how = fuzz_byte(in);

	return (struct tn_qid){ .type = types[how & 7],
		.path = how & 128 ? fuzz_size(in) : how >> 3,
		.version = how & 64 };
}

static uint32_t number(struct fuzz_in *in)
{
	return (uint32_t)fuzz_size(in);
}

static uint32_t perm(struct fuzz_in *in)
{
	static const uint32_t bits[] = { 0, TN_DMDIR, TN_DMAPPEND, TN_DMEXCL, TN_DMTMP,
		TN_DMSYMLINK, TN_DMLINK, TN_DMDEVICE, TN_DMNAMEDPIPE, TN_DMSOCKET, TN_DMSETUID,
		0xa000, 0x8000, 0x4000, 0x2000, 0xffffffff };
	uint8_t how = fuzz_byte(in);

	return bits[how & 15] | (how & 16 ? 0777 : how & 32 ? 0444 : 0644);
}

static void times(struct fuzz_in *in, struct tn_stat *st)
{
	st->atime_ns = (int64_t)fuzz_size(in);
	st->mtime_ns = (int64_t)fuzz_size(in);
}

static void stat_of(struct fuzz_in *in, enum tn_dialect dialect, struct tn_stat *st)
{
	uint8_t which = fuzz_byte(in);

	memset(st, 0, sizeof(*st));
	st->valid = which & 128 ? UINT32_MAX : (uint32_t)fuzz_number(in, 2);
	st->qid = qid(in);
	st->mode = perm(in);
	st->length = fuzz_size(in);
	times(in, st);
	st->name = fuzz_name(in);
	if (!(which & 1))
		return;
	st->uid = fuzz_name(in);
	st->gid = fuzz_name(in);
	st->muid = fuzz_name(in);
	if (dialect == TN_9P2000_U) {
		st->extension = which & 2 ? fuzz_bytes(in, 20) : TN_STR("c 1 3");
		st->n_uid = number(in);
		st->n_gid = number(in);
	}
}

static void names(struct fuzz_in *in, struct tn_msg *m)
{
	uint8_t n = fuzz_byte(in);

	m->nwname = n < 250 ? n % 5 : n % (TN_WNAME_MAX + 1);
	for (uint16_t i = 0; i < m->nwname; i++)
		m->wname[i] = fuzz_name(in);
	m->nwqid = m->nwname;
	for (uint16_t i = 0; i < m->nwqid; i++)
		m->wqid[i] = qid(in);
}

static void attributes(struct fuzz_in *in, struct tn_msg *m)
{
	uint8_t how = fuzz_byte(in);

	m->valid = how & 1 ? 0x7ff : fuzz_number(in, 2);
	m->uid = how & 2 ? number(in) : 1000;
	m->gid = how & 4 ? number(in) : 1000;
	m->nlink = how & 8 ? fuzz_size(in) : 1;
	m->blksize = how & 16 ? fuzz_size(in) : 4096;
	m->atime_sec = how & 32 ? fuzz_size(in) : 1;
	m->atime_nsec = how & 32 ? fuzz_size(in) : 2;
	m->mtime_sec = how & 64 ? fuzz_size(in) : 3;
	m->mtime_nsec = how & 64 ? fuzz_size(in) : 4;
	m->rdev = how & 128 ? fuzz_size(in) : 0;
}

static void lock_and_places(struct fuzz_in *in, struct tn_msg *m)
{
	m->offset = fuzz_size(in);
	m->start = fuzz_size(in);
	m->length = fuzz_size(in);
	m->lock_type = fuzz_below(in, 4);
	m->status = fuzz_below(in, 5);
	m->proc_id = fuzz_below(in, 3);
}

static void strings(struct fuzz_in *in, struct tn_msg *m)
{
	m->name = fuzz_name(in);
	m->newname = fuzz_name(in);
	m->target = m->extension = fuzz_name(in);
	m->aname = m->ename = fuzz_byte(in) & 1 ? TN_STR("") : fuzz_name(in);
	m->uname = TN_STR("glenda");
	m->client_id = TN_STR("host");
	m->version = TN_STR("9P2000.L.tenon");
}

static void contents(struct fuzz_in *in, enum tn_dialect dialect, struct tn_msg *m)
{
	struct tn_str s;

	m->data = data;
	if (m->type == TN_RREADDIR || (m->type == TN_RREAD && fuzz_byte(in) & 1)) {
		m->count = fuzz_entries(in, dialect, data, FUZZ_DATA);
		return;
	}
	s = fuzz_bytes(in, fuzz_byte(in));
	if (s.len)
		memcpy(data, s.s, s.len);
	m->count = s.len;
}

void fuzz_message(struct fuzz_in *in, enum tn_dialect dialect, struct tn_msg *m)
{
	uint8_t type = m->type;
	uint16_t tag = m->tag;

	memset(m, 0, sizeof(*m));
	m->type = type;
	m->tag = tag;
	m->fid = fid(in);
	m->newfid = fid(in);
	m->afid = TN_NOFID;
	m->mode = fuzz_byte(in);
	m->flags = number(in);
	m->perm = perm(in);
	m->msize = 8192 + number(in);
	m->iounit = number(in);
	m->count = number(in);
	m->error = fuzz_byte(in);
	m->n_uname = m->gid = 1000;
	m->qid = qid(in);
	strings(in, m);
	if (type == TN_TWALK || type == TN_RWALK)
		names(in, m);
	if (type == TN_TWSTAT || type == TN_RSTAT)
		stat_of(in, dialect, &m->stat);
	if (type == TN_TWRITE || type == TN_RREAD || type == TN_RREADDIR)
		contents(in, dialect, m);
	if (type == TN_TGETATTR || type == TN_RGETATTR || type == TN_TSETATTR)
		attributes(in, m);
	lock_and_places(in, m);
}

static size_t entry(struct fuzz_in *in, enum tn_dialect dialect, uint8_t *buf, size_t size)
{
	struct tn_stat st;
	struct tn_dirent d;

	if (dialect < TN_9P2000_L) {
		stat_of(in, dialect, &st);
		return tn_stat_encode(&st, dialect, buf, size);
	}
	d.qid = qid(in);
	d.offset = fuzz_size(in);
	d.type = fuzz_byte(in);
	d.name = fuzz_name(in);
	return tn_dirent_encode(&d, buf, size);
}

uint32_t fuzz_entries(struct fuzz_in *in, enum tn_dialect dialect, uint8_t *buf, size_t size)
{
	size_t len = 0;

	for (uint8_t n = fuzz_below(in, 12); n > 0; n--)
		len += entry(in, dialect, buf + len, size - len);
	return (uint32_t)len;
}
