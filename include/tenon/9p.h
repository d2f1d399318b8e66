/*
 * 9P messages: 9P2000, 9P2000.u, 9P2000.L and 9P2000.L.tenon as C structs, and the codec between them and bytes.
 *
 * The codec alone: no allocation, no input or output, no state; usable in a kernel. Strings and data of a decoded
 * message point into the frame it was decoded from and live as long as that. intro(5) and the pages it names;
 * 9P2000.u: the "9p2000.u" internet draft; 9P2000.L: diod's protocol.md and Linux's net/9p; 9P2000.L.tenon:
 * docs/architecture.md.
 */
#ifndef TENON_9P_H
#define TENON_9P_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define TN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For the last member of a struct that Tenon alone allocates: C++ has no arrays without a length. */
#ifdef __cplusplus
#define TN_FLEXIBLE 1
#else
#define TN_FLEXIBLE
#endif

/* Each says more than those before it. The last is spoken between two Tenons: 9P2000.L, and what is added to it. */
enum tn_dialect { TN_9P2000, TN_9P2000_U, TN_9P2000_L, TN_9P2000_TENON, TN_DIALECTS };

#define TN_NOTAG     UINT16_MAX /* the tag of Tversion */
#define TN_NOFID     UINT32_MAX /* "no fid": afid of an attach without authentication */
#define TN_NONUNAME  UINT32_MAX /* "no number given for the user" (.u, .L) */
#define TN_WNAME_MAX 16         /* names in one Twalk, walk(5) */
#define TN_HDR_SIZE  7u         /* size[4] type[1] tag[2] */
#define TN_IOHDR_SIZE 24u       /* room that msize leaves beside the data of a read or write: IOHDRSZ */
#define TN_PORT      564

enum tn_msg_type {
	TN_RLERROR = 7, /* .L and .L.tenon only, as are all below 100; there is no Tlerror */
	TN_TSTATFS = 8, TN_RSTATFS, TN_TLOPEN = 12, TN_RLOPEN, TN_TLCREATE = 14, TN_RLCREATE,
	TN_TSYMLINK = 16, TN_RSYMLINK, TN_TMKNOD = 18, TN_RMKNOD, TN_TRENAME = 20, TN_RRENAME,
	TN_TREADLINK = 22, TN_RREADLINK, TN_TGETATTR = 24, TN_RGETATTR, TN_TSETATTR = 26, TN_RSETATTR,
	TN_TXATTRWALK = 30, TN_RXATTRWALK, TN_TXATTRCREATE = 32, TN_RXATTRCREATE,
	TN_TREADDIR = 40, TN_RREADDIR, TN_TFSYNC = 50, TN_RFSYNC, TN_TLOCK = 52, TN_RLOCK,
	TN_TGETLOCK = 54, TN_RGETLOCK, TN_TLINK = 70, TN_RLINK, TN_TMKDIR = 72, TN_RMKDIR,
	TN_TRENAMEAT = 74, TN_RRENAMEAT, TN_TUNLINKAT = 76, TN_RUNLINKAT,
	/* 9P2000.L.tenon only: numbers that no other dialect was found to have */
	TN_TALLOCATE = 84, TN_RALLOCATE, TN_TSEEK = 86, TN_RSEEK, TN_TCOPY = 88, TN_RCOPY,
	TN_TRENAMEAT2 = 90, TN_RRENAMEAT2,
	TN_TVERSION = 100, TN_RVERSION, TN_TAUTH, TN_RAUTH, TN_TATTACH, TN_RATTACH,
	TN_RERROR = 107, /* there is no Terror */
	TN_TFLUSH = 108, TN_RFLUSH, TN_TWALK, TN_RWALK, TN_TOPEN, TN_ROPEN, TN_TCREATE, TN_RCREATE,
	TN_TREAD, TN_RREAD, TN_TWRITE, TN_RWRITE, TN_TCLUNK, TN_RCLUNK, TN_TREMOVE, TN_RREMOVE,
	TN_TSTAT, TN_RSTAT, TN_TWSTAT, TN_RWSTAT, TN_MSG_TYPES
};

/* open(5): the mode of Topen and Tcreate. */
enum {
	TN_OREAD = 0, TN_OWRITE = 1, TN_ORDWR = 2, TN_OEXEC = 3,
	TN_OTRUNC = 0x10, TN_ORCLOSE = 0x40
};

/* intro(5): the type byte of a qid; the same bits, shifted by 24, head the mode of a stat. */
enum {
	TN_QTDIR = 0x80, TN_QTAPPEND = 0x40, TN_QTEXCL = 0x20, TN_QTMOUNT = 0x10, TN_QTAUTH = 0x08, TN_QTTMP = 0x04,
	TN_QTSYMLINK = 0x02, TN_QTLINK = 0x01, TN_QTFILE = 0
};

/* stat(5), and those of 9P2000.u. */
#define TN_DMDIR       0x80000000u
#define TN_DMAPPEND    0x40000000u
#define TN_DMEXCL      0x20000000u
#define TN_DMMOUNT     0x10000000u
#define TN_DMAUTH      0x08000000u
#define TN_DMTMP       0x04000000u
#define TN_DMSYMLINK   0x02000000u
#define TN_DMLINK      0x01000000u
#define TN_DMDEVICE    0x00800000u
#define TN_DMNAMEDPIPE 0x00200000u
#define TN_DMSOCKET    0x00100000u
#define TN_DMSETUID    0x00080000u
#define TN_DMSETGID    0x00040000u
#define TN_DMSETVTX    0x00010000u

/* A string of the wire: not terminated, no NUL in it. Borrowed from a frame or from whoever filled it. */
struct tn_str {
	const char *s;
	uint32_t len; /* bytes */
};

#ifdef __cplusplus
#define TN_STR(literal) (tn_str{ (literal), sizeof(literal) - 1 })
#else
#define TN_STR(literal) ((struct tn_str){ (literal), sizeof(literal) - 1 })
#endif

/* A file's identity at its server. Two files of one server have different paths as long as both exist. intro(5). */
struct tn_qid {
	uint64_t path;
	uint32_t version; /* moves when the content does; never part of the identity */
	uint8_t type;     /* TN_QT bits */
};

/* Which fields of a tn_stat are known; on a change: which are to be set. */
enum tn_stat_field {
	TN_ST_QID = 1 << 0, TN_ST_MODE = 1 << 1, TN_ST_LENGTH = 1 << 2, TN_ST_NAME = 1 << 3,
	TN_ST_ATIME = 1 << 4, TN_ST_MTIME = 1 << 5, TN_ST_CTIME = 1 << 6, TN_ST_BTIME = 1 << 7,
	TN_ST_UID = 1 << 8, TN_ST_GID = 1 << 9, TN_ST_MUID = 1 << 10, /* as names */
	TN_ST_NUID = 1 << 11, TN_ST_NGID = 1 << 12, TN_ST_NMUID = 1 << 13, /* as numbers */
	TN_ST_NLINK = 1 << 14, TN_ST_RDEV = 1 << 15, TN_ST_BLOCKS = 1 << 16, TN_ST_GEN = 1 << 17,
	TN_ST_DATA_VERSION = 1 << 18, TN_ST_EXTENSION = 1 << 19, TN_ST_DEV = 1 << 20, TN_ST_TRUE_OWNER = 1 << 21,
	TN_ST_ATIME_NOW = 1 << 22, TN_ST_MTIME_NOW = 1 << 23 /* a change only: the server's own time */
};

/* What any dialect can say of a file. Strings are borrowed. Unknown fields are 0 and their bit is clear. */
struct tn_stat {
	uint32_t valid; /* TN_ST bits */
	uint32_t mode;  /* TN_DM bits and rwxrwxrwx */
	struct tn_qid qid;
	uint64_t length; /* bytes; 0 for directories and devices */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns; /* nanoseconds since 1970 */
	struct tn_str name, uid, gid, muid;
	struct tn_str extension; /* .u: target of a symbolic link, or "c MAJOR MINOR", "b MAJOR MINOR" */
	uint32_t n_uid, n_gid, n_muid;
	uint32_t true_uid, true_gid; /* when n_uid, n_gid are shown instead of them */
	uint32_t blksize;            /* with TN_ST_BLOCKS: bytes, best size of a read or write */
	uint64_t blocks;             /* of 512 bytes */
	uint64_t nlink, rdev, gen, data_version;
	uint32_t dev;  /* stat(5): "for kernel use" */
	uint16_t type; /* stat(5): "for kernel use" */
};

/* A message of any dialect. A message uses the fields that its row in wire/msg.c names; the others are left alone. */
struct tn_msg {
	uint8_t type; /* enum tn_msg_type */
	uint16_t tag;
	uint16_t oldtag;
	uint8_t mode;         /* Topen, Tcreate */
	uint8_t lock_type;    /* Tlock, Tgetlock, Rgetlock */
	uint8_t status;       /* Rlock */
	uint32_t fid;         /* also dfid of Tsymlink Tmknod Tlink Tmkdir, olddirfid, dirfid of Tunlinkat */
	uint32_t newfid;      /* also dfid of Trename, fid of Tlink, newdirfid, fromfid of Tcopy */
	uint32_t afid;
	uint32_t msize;
	uint32_t iounit;
	uint32_t count;       /* of Tread, Treaddir; with data: its length */
	uint32_t perm;        /* Tcreate; mode of Tlcreate Tmknod Tmkdir Tsetattr Rgetattr: Unix's */
	uint32_t flags;       /* Tlopen Tlcreate Txattrcreate Tlock Tunlinkat Trenameat2; datasync; mode; whence */
	uint32_t n_uname;
	uint32_t error;       /* Rlerror; Rerror of .u: Linux's numbers */
	uint32_t uid, gid;    /* Tsetattr, Rgetattr; gid of the creating ones */
	uint32_t major, minor, proc_id;
	uint64_t offset;
	uint64_t valid;       /* request_mask, valid of Tgetattr Rgetattr Tsetattr */
	uint64_t start, length; /* locks; length also size of Tsetattr Rgetattr, attr_size, size of Rxattrwalk; Tcopy */
	uint64_t nlink, rdev, blksize, blocks;
	uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec, btime_sec, btime_nsec;
	uint64_t gen, data_version;
	struct { uint32_t type, bsize; uint64_t blocks, bfree, bavail, files, ffree, fsid; uint32_t namelen; } statfs;
	struct tn_str version, uname, aname, ename, name, newname, extension, target, client_id;
	struct tn_qid qid;
	uint16_t nwname, nwqid;
	struct tn_str wname[TN_WNAME_MAX];
	struct tn_qid wqid[TN_WNAME_MAX];
	const uint8_t *data;  /* Twrite, Rread, Rreaddir (entries, see tn_dirent_decode) */
	struct tn_stat stat;  /* Rstat, Twstat */
};

enum tn_codec_err {
	TN_CODEC_OK,
	TN_CODEC_TYPE,   /* the dialect has no such message */
	TN_CODEC_SHORT,  /* it ends inside a field */
	TN_CODEC_LONG,   /* bytes behind the last field */
	TN_CODEC_STRING, /* a NUL in a string */
	TN_CODEC_COUNT,  /* more than 16 names or qids; sizes of a stat that disagree */
	TN_CODEC_ROOM    /* encode only: the buffer, or a 16-bit size, is too small */
};

/*
 * The length of the first frame in buf, of which `have` bytes have come.
 * Returns the frame's length in bytes, at least TN_HDR_SIZE, when all of it is there; 0 when more must come; -1 when
 * no frame can begin so (its size is below TN_HDR_SIZE or above msize): hang up.
 */
int32_t tn_frame_len(const uint8_t *buf, size_t have, uint32_t msize);

/*
 * Decodes one whole frame of `len` bytes (as tn_frame_len said) into *m, wholly checked: counts, sizes of stats, no NUL
 * in strings, at most 16 names, no byte left over. That strings are UTF-8 is not asked (names of Unix files need not
 * be). On an error m->type and m->tag are valid when len >= TN_HDR_SIZE, the rest is not.
 */
enum tn_codec_err tn_msg_decode(struct tn_msg *m, enum tn_dialect dialect, const uint8_t *frame, size_t len);

/*
 * Encodes *m into buf. Returns TN_CODEC_OK and the frame's length in *len, or TN_CODEC_TYPE, TN_CODEC_ROOM, and
 * TN_CODEC_COUNT for more than 16 names or qids; then *len is as it was and what is in buf means nothing. Data
 * (Rread, Twrite, Rreaddir) is copied unless m->data already lies at its place in buf, or is NULL: then the caller
 * sends m->count bytes behind the frame's head, and *len is the length of the head alone.
 */
enum tn_codec_err tn_msg_encode(const struct tn_msg *m, enum tn_dialect dialect, uint8_t *buf, size_t size, size_t *len);

/* The message's name, "Twalk"; "unknown" for a type that no dialect has. */
const char *tn_msg_name(unsigned type);

/* "9P2000", "9P2000.u", "9P2000.L", "9P2000.L.tenon". */
const char *tn_dialect_name(enum tn_dialect dialect);

/*
 * A stat entry as in a directory of 9P2000 or .u: size[2] and what it counts. decode takes an entry from the front of
 * buf, bytes used in *used. encode returns the bytes used, 0 when they do not fit in `size`. Fields that st->valid
 * does not have are encoded as the don't-touch values of stat(5); decoding a don't-touch value clears the bit. So who
 * answers Rstat or a listing sets the bits of all that the dialect has (TN_ST_DEV too, with type and dev 0), or the
 * peer reads all ones. Times are cut to whole seconds of 32 bits. 9P2000.L and .L.tenon have no stat:
 * TN_CODEC_TYPE, 0.
 */
enum tn_codec_err tn_stat_decode(
    struct tn_stat *st, enum tn_dialect dialect, const uint8_t *buf, size_t len, size_t *used);
size_t tn_stat_encode(const struct tn_stat *st, enum tn_dialect dialect, uint8_t *buf, size_t size);
size_t tn_stat_size(const struct tn_stat *st, enum tn_dialect dialect); /* what encode would use; 0: over 65535 */

/* An entry of Rreaddir: qid[13] offset[8] type[1] name[s]. */
struct tn_dirent {
	struct tn_qid qid;
	uint64_t offset; /* where the next Treaddir goes on behind this entry */
	uint8_t type;    /* Linux's DT_ numbers */
	struct tn_str name;
};

/*
 * decode takes an entry from the front of buf, bytes used in *used. encode returns the bytes used, 0 when they do not
 * fit in `size`.
 */
enum tn_codec_err tn_dirent_decode(struct tn_dirent *d, const uint8_t *buf, size_t len, size_t *used);
size_t tn_dirent_encode(const struct tn_dirent *d, uint8_t *buf, size_t size);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
