/*
 * What Linux calls things, by the numbers that 9P2000.L has on the wire whatever this host's are: flags of open(2), modes
 * and kinds of files, attributes. Both ends of a connection say them by the same tables.
 */
#ifndef TN_LINK_LINUX_H
#define TN_LINK_LINUX_H

#include "tenon/server.h"

enum {
	TN_L_REMOVEDIR = 0x200, /* AT_REMOVEDIR of unlinkat(2) */
	TN_L_NOREPLACE =
	    1,             /* RENAME_NOREPLACE of renameat2(2); u.rename.how has the same numbers */
	TN_L_EXCHANGE = 2, /* RENAME_EXCHANGE */
	TN_L_NOBODY = 65534 /* an owner that is not known: Linux's overflowuid */
};

/* Flags of open(2) that have no TN_OF bit, or are said alone. */
enum { TN_L_CREAT = 0100, TN_L_EXCL = 0200, TN_L_DIRECTORY = 0200000 };

enum { TN_L_KIND = 0170000 /* S_IFMT: the kind of file in a mode */ };

/* request_mask and valid of Tgetattr, Rgetattr */
enum {
	TN_GET_MODE = 0x1,
	TN_GET_NLINK = 0x2,
	TN_GET_UID = 0x4,
	TN_GET_GID = 0x8,
	TN_GET_RDEV = 0x10,
	TN_GET_ATIME = 0x20,
	TN_GET_MTIME = 0x40,
	TN_GET_CTIME = 0x80,
	TN_GET_SIZE = 0x200,
	TN_GET_BLOCKS = 0x400,
	TN_GET_BASIC = 0x7ff, /* those above and the inode's number */
	TN_GET_BTIME = 0x800,
	TN_GET_GEN = 0x1000,
	TN_GET_DATA_VERSION = 0x2000,
	TN_GET_ALL = 0x3fff
};

/* valid of Tsetattr. A time is set to now unless it is given. */
enum {
	TN_SET_MODE = 0x1,
	TN_SET_UID = 0x2,
	TN_SET_GID = 0x4,
	TN_SET_SIZE = 0x8,
	TN_SET_ATIME = 0x10,
	TN_SET_MTIME = 0x20,
	TN_SET_ATIME_GIVEN = 0x80,
	TN_SET_MTIME_GIVEN = 0x100
};

/* TN_OF bits for flags of open(2); those that mean nothing to a server are passed over. TN_OF_ACCESS 3: no access. */
uint32_t tn_linux_open(uint32_t flags);

/* The other way. To execute is to read: what else it takes is the caller's to see to. */
uint32_t tn_linux_flags(uint32_t of);

/* The permissions in a mode, with setuid and the like, as TN_DM bits; and the other way. */
uint32_t tn_linux_perm(uint32_t mode);
uint32_t tn_linux_mode(uint32_t dm);

/* The kind in a mode as TN_DM bits, 0 for a plain file. UINT32_MAX: there is none. */
uint32_t tn_linux_kind(uint32_t mode);

/* The other way; of a device by its extension, "b .." or "c ..". */
uint32_t tn_linux_kind_of(uint32_t dm, struct tn_str extension);

/* "b" or "c" for the mode of a device. */
struct tn_str tn_linux_device(uint32_t mode);

/* d_type of readdir(3); 0 when it is not known. */
uint8_t tn_linux_dtype(const struct tn_stat *st);

/* Fills what Rgetattr has. What the server does not know is what is least wrong: Linux's client wants all or nothing. */
void tn_linux_getattr(struct tn_msg *m, const struct tn_stat *st);

/* What a Tsetattr changes of the file `is`. TN_OK, or what is wrong with it. */
enum tn_err tn_linux_setattr(struct tn_stat *st, const struct tn_msg *m, struct tn_qid is);

#endif
