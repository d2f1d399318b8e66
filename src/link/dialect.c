/*
 * The tables of dialects: which messages each has and how they are spelled, which versions are answered, what peers are
 * told of files. How a message becomes a request is in the files of spell.h.
 */
#include "link/dialect.h"

#include "core/mem.h"
#include "link/linux.h"
#include "link/spell.h"

#define DM_2000 (TN_DMDIR | TN_DMAPPEND | TN_DMEXCL | TN_DMMOUNT | TN_DMAUTH | TN_DMTMP | 0777u)
#define DM_U                                                                               \
	(DM_2000 | TN_DMSYMLINK | TN_DMLINK | TN_DMDEVICE | TN_DMNAMEDPIPE | TN_DMSOCKET | \
	    TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX)
enum { RGETATTR_SIZE = 160 };

/* A server takes it there for "knows Unix's bits only". */
#define NOFOLLOW_U (UINT32_MAX & ~(1u << TN_WSTAT))

/* clang-format off */
/*
 * Tversion and Tflush are about the connection, not about files: conn.c. 9P2000.L.tenon is 9P2000.L but for what stands in
 * its column.
 */
static const struct tn_spelling *const spellings[TN_MSG_TYPES][TN_DIALECTS] = {
	/*                    9P2000               9P2000.u             9P2000.L */
	[TN_TAUTH]        = { &tn_spell_auth,      &tn_spell_auth,      &tn_spell_auth },
	[TN_TATTACH]      = { &tn_spell_attach,    &tn_spell_attach,    &tn_spell_attach },
	[TN_TWALK]        = { &tn_spell_walk,      &tn_spell_walk,      &tn_spell_walk },
	[TN_TOPEN]        = { &tn_spell_open,      &tn_spell_open,      NULL },
	[TN_TCREATE]      = { &tn_spell_create,    &tn_spellu_create,   NULL },
	[TN_TREAD]        = { &tn_spell_read,      &tn_spell_read,      &tn_spell_read },
	[TN_TWRITE]       = { &tn_spell_write,     &tn_spell_write,     &tn_spell_write },
	[TN_TCLUNK]       = { &tn_spell_clunk,     &tn_spell_clunk,     &tn_spelll_clunk },
	[TN_TREMOVE]      = { &tn_spell_remove,    &tn_spell_remove,    &tn_spelll_remove },
	[TN_TSTAT]        = { &tn_spell_stat,      &tn_spellu_stat,     NULL },
	[TN_TWSTAT]       = { &tn_spell_wstat,     &tn_spell_wstat,     NULL },
	[TN_TSTATFS]      = { NULL,                NULL,                &tn_spelll_statfs },
	[TN_TLOPEN]       = { NULL,                NULL,                &tn_spelll_lopen },
	[TN_TLCREATE]     = { NULL,                NULL,                &tn_spelll_lcreate },
	[TN_TSYMLINK]     = { NULL,                NULL,                &tn_spelll_symlink },
	[TN_TMKNOD]       = { NULL,                NULL,                &tn_spelll_mknod },
	[TN_TRENAME]      = { NULL,                NULL,                &tn_spelll_rename },
	[TN_TREADLINK]    = { NULL,                NULL,                &tn_spelll_readlink },
	[TN_TGETATTR]     = { NULL,                NULL,                &tn_spell_stat },
	[TN_TSETATTR]     = { NULL,                NULL,                &tn_spelll_setattr },
	[TN_TXATTRWALK]   = { NULL,                NULL,                &tn_spelll_xattrwalk },
	[TN_TXATTRCREATE] = { NULL,                NULL,                &tn_spelll_xattrcreate },
	[TN_TREADDIR]     = { NULL,                NULL,                &tn_spelll_readdir },
	[TN_TFSYNC]       = { NULL,                NULL,                &tn_spelll_fsync },
	[TN_TLOCK]        = { NULL,                NULL,                &tn_spelll_lock },
	[TN_TGETLOCK]     = { NULL,                NULL,                &tn_spelll_getlock },
	[TN_TLINK]        = { NULL,                NULL,                &tn_spelll_link },
	[TN_TMKDIR]       = { NULL,                NULL,                &tn_spelll_mkdir },
	[TN_TRENAMEAT]    = { NULL,                NULL,                &tn_spelll_renameat },
	[TN_TUNLINKAT]    = { NULL,                NULL,                &tn_spelll_unlinkat },
	/*                    9P2000.L.tenon */
	[TN_TALLOCATE]    = { [TN_9P2000_TENON] = &tn_spellt_allocate },
	[TN_TSEEK]        = { [TN_9P2000_TENON] = &tn_spellt_seek },
	[TN_TCOPY]        = { [TN_9P2000_TENON] = &tn_spellt_copy },
	[TN_TRENAMEAT2]   = { [TN_9P2000_TENON] = &tn_spelll_renameat },
};

static const struct {
	uint32_t dm;       /* what it can say of a file's kind and mode */
	uint32_t nofollow; /* 1 << type: requests of a peer that follows symbolic links itself */
	uint32_t name_max; /* bytes of a file's name; UINT16_MAX: the server's business */
	bool is_answered;  /* a peer that offers it is answered in it */
} dialects[TN_DIALECTS] = {
	[TN_9P2000]   = { DM_2000, 0, UINT16_MAX, true },
	[TN_9P2000_U] = { DM_U, NOFOLLOW_U, UINT16_MAX, true },
	[TN_9P2000_L] = { DM_U, UINT32_MAX, 255, true },
	[TN_9P2000_TENON] = { DM_U, UINT32_MAX, 255, true },
};
/* clang-format on */

const struct tn_spelling *tn_dialect_spelling(enum tn_dialect dialect, unsigned type)
{
	const struct tn_spelling *how = type < TN_MSG_TYPES ? spellings[type][dialect] : NULL;

	if (type < TN_MSG_TYPES && !how && dialect == TN_9P2000_TENON)
		how = spellings[type][TN_9P2000_L];
	return how;
}

uint32_t tn_dialect_dm(enum tn_dialect dialect)
{
	return dialects[dialect].dm;
}

uint32_t tn_dialect_flags(enum tn_dialect dialect, enum tn_req_type type)
{
	return dialects[dialect].nofollow >> type & 1 ? TN_OF_NOFOLLOW : 0;
}

uint32_t tn_dialect_name_max(enum tn_dialect dialect)
{
	return dialects[dialect].name_max;
}

/* ---- version(5) ---- */

static bool is_text(struct tn_str str, const char *text)
{
	return tn_strlen(text) == str.len && memcmp(text, str.s, str.len) == 0;
}

/* "9P2000" and later numbers: 2000 is the highest that we know, and the answer to them. */
static bool is_9p2000_or_later(struct tn_str version)
{
	uint32_t number = 0;

	if (version.len < 3 || version.len > 10 || version.s[0] != '9' || version.s[1] != 'P')
		return false;
	for (uint32_t i = 2; i < version.len; i++) {
		if (version.s[i] < '0' || version.s[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(version.s[i] - '0');
	}
	return number >= 2000;
}

enum tn_dialect tn_dialect_offered(struct tn_str version)
{
	struct tn_str base = { version.s, 0 };

	for (int d = 0; d < TN_DIALECTS; d++)
		if (dialects[d].is_answered &&
		    is_text(version, tn_dialect_name((enum tn_dialect)d)))
			return (enum tn_dialect)d;
	/* version(5): the period and what is behind it are an unknown suffix, to be left out. */
	while (base.len < version.len && version.s[base.len] != '.')
		base.len++;
	return is_9p2000_or_later(base) ? TN_9P2000 : TN_DIALECTS;
}

/* ---- what peers are told of files ---- */

struct tn_qid tn_dialect_qid(struct tn_qid qid, enum tn_dialect dialect)
{
	qid.type &= (uint8_t)(dialects[dialect].dm >> 24);
	return qid;
}

/* Linux's client takes all ones for an owner that it may not act upon: it lets nobody make files in such a directory. */
static void tell_owners(struct tn_stat *st)
{
	if (!(st->valid & TN_ST_NUID))
		st->n_uid = TN_L_NOBODY;
	if (!(st->valid & TN_ST_NGID))
		st->n_gid = TN_L_NOBODY;
	st->valid |= TN_ST_NUID | TN_ST_NGID;
}

static void tell_stat(struct tn_stat *out, const struct tn_stat *st, enum tn_dialect dialect)
{
	*out = *st;
	out->valid |= TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_ATIME | TN_ST_MTIME | TN_ST_DEV;
	out->dev = 0; /* for the kernel that mounts us to fill in */
	out->qid = tn_dialect_qid(st->qid, dialect);
	out->mode = (st->mode & dialects[dialect].dm & 0x00ffffffu) | (uint32_t)out->qid.type << 24;
	if (out->qid.type & TN_QTDIR)
		out->length = 0; /* stat(5): by convention */
	if (dialect == TN_9P2000_U)
		tell_owners(out);
}

size_t tn_dialect_rstat(struct tn_msg *m, const struct tn_stat *st, struct tn_str extension,
    enum tn_dialect dialect)
{
	size_t size;

	if (tn_dialect_is_l(dialect)) {
		tn_linux_getattr(m, st);
		return RGETATTR_SIZE;
	}
	m->type = TN_RSTAT;
	tell_stat(&m->stat, st, dialect);
	if (extension.len > 0) {
		m->stat.extension = extension;
		m->stat.valid |= TN_ST_EXTENSION;
	}
	size = tn_stat_size(&m->stat, dialect);
	return size ? TN_HDR_SIZE + 2 + size : 0;
}

static size_t put_dirent(uint8_t *to, size_t size, const struct tn_stat *st, uint64_t next)
{
	struct tn_dirent d = { .qid = st->qid,
		.offset = next,
		.type = tn_linux_dtype(st),
		.name = st->name };

	return tn_dirent_encode(&d, to, size);
}

size_t tn_dialect_entry(uint8_t *to, size_t size, const struct tn_stat *st, uint64_t next,
    enum tn_dialect dialect)
{
	struct tn_stat said;

	if (tn_dialect_is_l(dialect))
		return put_dirent(to, size, st, next);
	/* The peer counts bytes. */
	tell_stat(&said, st, dialect);
	return tn_stat_encode(&said, dialect, to, size);
}
