/*
 * The table of errors, and what other servers call the same things. Texts are Plan 9's where Plan 9 has one, and those
 * that Linux's client maps by exact match; namespace-semantics.md 10.
 */
#include "core/err.h"

#include "core/mem.h"

/* Linux's numbers, on the wire of 9P2000.L whatever this host's are. */
enum {
	L_EPERM = 1,
	L_ENOENT = 2,
	L_ESRCH = 3,
	L_EINTR = 4,
	L_EIO = 5,
	L_ENXIO = 6,
	L_E2BIG = 7,
	L_EBADF = 9,
	L_ECHILD = 10,
	L_EAGAIN = 11,
	L_ENOMEM = 12,
	L_EACCES = 13,
	L_EBUSY = 16,
	L_EEXIST = 17,
	L_EXDEV = 18,
	L_ENODEV = 19,
	L_ENOTDIR = 20,
	L_EISDIR = 21,
	L_EINVAL = 22,
	L_ENFILE = 23,
	L_EMFILE = 24,
	L_ETXTBSY = 26,
	L_EFBIG = 27,
	L_ENOSPC = 28,
	L_ESPIPE = 29,
	L_EROFS = 30,
	L_EMLINK = 31,
	L_EPIPE = 32,
	L_ERANGE = 34,
	L_EDEADLK = 35,
	L_ENAMETOOLONG = 36,
	L_ENOLCK = 37,
	L_ENOSYS = 38,
	L_ENOTEMPTY = 39,
	L_ELOOP = 40,
	L_ENODATA = 61,
	L_EPROTO = 71,
	L_EOVERFLOW = 75,
	L_EUSERS = 87,
	L_EMSGSIZE = 90,
	L_EPROTONOSUPPORT = 93,
	L_EOPNOTSUPP = 95,
	L_EADDRINUSE = 98,
	L_ECONNRESET = 104,
	L_ETIMEDOUT = 110,
	L_ECONNREFUSED = 111,
	L_EHOSTUNREACH = 113,
	L_ESTALE = 116,
	L_EDQUOT = 122
};

struct err_row {
	const char *name;
	const char *text;
	uint8_t number; /* Linux's; all that are used fit */
};

/* clang-format off */
#define ROW(symbol, text, number) [symbol] = { #symbol, text, number }
static const struct err_row rows[TN_ERRS] = {
	ROW(TN_OK, "no error", 0),
	ROW(TN_ENOENT, "file does not exist", L_ENOENT),
	ROW(TN_EACCES, "permission denied", L_EACCES),
	ROW(TN_EEXIST, "file already exists", L_EEXIST),
	ROW(TN_ENOTDIR, "not a directory", L_ENOTDIR),
	ROW(TN_EISDIR, "file is a directory", L_EISDIR),
	ROW(TN_EMOUNT, "inconsistent mount", L_EINVAL),
	ROW(TN_ENOTMOUNTED, "not mounted", L_EINVAL),
	ROW(TN_ENOTUNION, "not in union", L_EINVAL),
	ROW(TN_ENOCREATE, "mounted directory forbids creation", L_EACCES),
	ROW(TN_EISMOUNT, "is a mount point", L_EBUSY),
	ROW(TN_ENOATTACH, "mount/attach disallowed", L_EPERM),
	ROW(TN_EBADARG, "bad arg in system call", L_EINVAL),
	ROW(TN_EBADFD, "fd out of range or not open", L_EBADF),
	ROW(TN_EBADUSE, "inappropriate use of fd", L_EBADF),
	ROW(TN_ENODEV, "unknown device in # filename", L_ENODEV),
	ROW(TN_EEMPTYNAME, "empty file name", L_ENOENT),
	ROW(TN_EBADCHAR, "bad character in file name", L_EINVAL),
	ROW(TN_ENEEDDIR, "create without DMDIR", L_EISDIR),
	ROW(TN_ENOTEMPTY, "directory is not empty", L_ENOTEMPTY),
	ROW(TN_EBADATTACH, "bad attach specifier", L_ENOENT),
	ROW(TN_EEXECDIR, "cannot exec directory", L_EACCES),
	ROW(TN_EPERM, "operation not permitted", L_EPERM),
	ROW(TN_EROFS, "read only file system", L_EROFS),
	ROW(TN_EINTR, "interrupted", L_EINTR),
	ROW(TN_EIO, "i/o error", L_EIO),
	ROW(TN_ENOMEM, "out of memory", L_ENOMEM),
	ROW(TN_ENOSPC, "file system full", L_ENOSPC),
	ROW(TN_EFBIG, "file too large", L_EFBIG),
	ROW(TN_ENAMETOOLONG, "file name too long", L_ENAMETOOLONG),
	ROW(TN_EEXCL, "exclusive use file already open", L_EAGAIN),
	ROW(TN_ESTALE, "stale file: it is not what it was", L_ESTALE),
	ROW(TN_EXDEV, "cannot rename or link between file systems", L_EXDEV),
	ROW(TN_ENOTSUP, "operation not supported", L_EOPNOTSUPP),
	ROW(TN_EBADMSG, "malformed message", L_EPROTO),
	ROW(TN_EBADFID, "fid unknown or out of range", L_EBADF),
	ROW(TN_EFIDINUSE, "fid already in use", L_EBADF),
	ROW(TN_EBADTAG, "tag already in use", L_EPROTO),
	ROW(TN_EBADOFFSET, "bad offset in directory read", L_ESPIPE),
	ROW(TN_EBADCOUNT, "bad count", L_EINVAL),
	ROW(TN_ENOTOPEN, "file is not open", L_EBADF),
	ROW(TN_EISOPEN, "file already open for I/O", L_EBADF),
	ROW(TN_EBADVERSION, "9P version not supported", L_EPROTONOSUPPORT),
	/* diod's tools ask for authentication always, and go on without it where they are told ENOENT. */
	ROW(TN_ENOAUTH, "authentication not required", L_ENOENT),
	ROW(TN_ENEEDAUTH, "not authenticated", L_EPERM),
	ROW(TN_EBADAUTH, "authentication failed", L_ECONNREFUSED),
	ROW(TN_EREMOTE, "error at the server", L_EIO),
	ROW(TN_EGONE, "file has been removed", L_ENOENT),
	ROW(TN_EBUSY, "device or resource busy", L_EBUSY),
	ROW(TN_ELOOP, "too many symbolic links", L_ELOOP),
	ROW(TN_ESYMLINK, "file is a symbolic link", L_ELOOP),
	ROW(TN_EINVAL, "invalid argument", L_EINVAL),
	ROW(TN_ERANGE, "result too large", L_ERANGE),
	ROW(TN_EOVERFLOW, "value too large", L_EOVERFLOW),
	ROW(TN_ENODATA, "no such attribute", L_ENODATA),
	ROW(TN_EAGAIN, "resource temporarily unavailable", L_EAGAIN),
	ROW(TN_ECHILD, "no such child", L_ECHILD),
	ROW(TN_ETXTBSY, "file in use", L_ETXTBSY),
	ROW(TN_EMLINK, "too many links", L_EMLINK),
	ROW(TN_EDQUOT, "quota exceeded", L_EDQUOT),
	ROW(TN_ENXIO, "no such device or address", L_ENXIO),
	ROW(TN_EPIPE, "write on closed pipe", L_EPIPE),
	ROW(TN_EDEADLK, "lock would deadlock", L_EDEADLK),
	ROW(TN_ESRCH, "process does not exist", L_ESRCH),
	ROW(TN_EUSERS, "unknown user", L_EUSERS),
	ROW(TN_E2BIG, "attribute too long", L_E2BIG),
	ROW(TN_ECONNLOST, "connection lost", L_ECONNRESET),
	ROW(TN_ETIMEDOUT, "connection timed out", L_ETIMEDOUT),
	ROW(TN_ECONNREFUSED, "connection refused", L_ECONNREFUSED),
	ROW(TN_EHOSTUNREACH, "host is unreachable", L_EHOSTUNREACH),
	ROW(TN_EBADDIAL, "bad dial string", L_EINVAL),
	ROW(TN_EADDRINUSE, "address in use", L_EADDRINUSE),
	ROW(TN_ENOHOST, "unknown host", L_EHOSTUNREACH),
	ROW(TN_ELIMIT_MOUNTS, "limit reached: mounts in this name space", L_ENOSPC),
	ROW(TN_ELIMIT_UNION, "limit reached: members of this union", L_ENOSPC),
	ROW(TN_ELIMIT_PATH, "limit reached: length of a path", L_ENAMETOOLONG),
	ROW(TN_ELIMIT_OPEN, "limit reached: open files", L_EMFILE),
	ROW(TN_ELIMIT_FIDS, "limit reached: fids on this connection", L_EMFILE),
	ROW(TN_ELIMIT_REQS, "limit reached: outstanding requests", L_EBUSY),
	ROW(TN_ELIMIT_CONNS, "limit reached: connections", L_EUSERS),
	ROW(TN_ELIMIT_MEMORY, "limit reached: memory of this connection", L_ENOMEM),
	ROW(TN_ELIMIT_DEPTH, "limit reached: depth of this tree", L_ELOOP),
	ROW(TN_ELIMIT_ATTRS, "limit reached: attributes of this connection", L_ENOSPC),
	ROW(TN_ELIMIT_FILES, "limit reached: files in this file system", L_ENOSPC),
	ROW(TN_ELIMIT_LOCKS, "limit reached: locks of files", L_ENOLCK),
	ROW(TN_ELIMIT_ALL, "limit reached: memory of all connections", L_ENOMEM),
	ROW(TN_ELIMIT_PEER, "limit reached: connections from this address", L_EUSERS),
	ROW(TN_ELIMIT_SLOW, "limit reached: time for a message", L_ETIMEDOUT),
	ROW(TN_ELIMIT_IDLE, "limit reached: time without a message", L_ETIMEDOUT),
};
#undef ROW

/* What u9fs, lib9p, exportfs, go9p and C libraries say for the same. */
static const struct {
	const char *text;
	enum tn_err err;
} aliases[] = {
	{ "No such file or directory", TN_ENOENT }, { "file not found", TN_ENOENT },
	{ "directory entry not found", TN_ENOENT }, { "no such file", TN_ENOENT },
	{ "Permission denied", TN_EACCES }, { "not owner", TN_EACCES }, { "access permission denied", TN_EACCES },
	{ "File exists", TN_EEXIST }, { "file exists", TN_EEXIST }, { "create -- file exists", TN_EEXIST },
	{ "create/wstat -- file exists", TN_EEXIST },
	{ "file or directory already exists", TN_EEXIST }, { "Not a directory", TN_ENOTDIR },
	{ "walk in non-directory", TN_ENOTDIR }, { "create in non-directory", TN_ENOTDIR },
	{ "Is a directory", TN_EISDIR }, { "is a directory", TN_EISDIR },
	{ "Directory not empty", TN_ENOTEMPTY }, { "directory not empty", TN_ENOTEMPTY },
	{ "remove -- directory not empty", TN_ENOTEMPTY },
	{ "Operation not permitted", TN_EPERM }, { "wstat prohibited", TN_EPERM },
	{ "Read-only file system", TN_EROFS }, { "file system read only", TN_EROFS },
	{ "Interrupted system call", TN_EINTR }, { "Interrupted", TN_EINTR },
	{ "Input/output error", TN_EIO }, { "I/O error", TN_EIO },
	{ "Cannot allocate memory", TN_ENOMEM }, { "Out of memory", TN_ENOMEM },
	{ "No space left on device", TN_ENOSPC }, { "disk full", TN_ENOSPC }, { "File too large", TN_EFBIG },
	{ "File name too long", TN_ENAMETOOLONG }, { "file name syntax", TN_EBADCHAR },
	{ "exclusive lock", TN_EEXCL }, { "exclusive access", TN_EEXCL },
	{ "open/create -- file is locked", TN_EEXCL }, { "Stale file handle", TN_ESTALE },
	{ "Invalid cross-device link", TN_EXDEV }, { "Operation not supported", TN_ENOTSUP },
	{ "Function not implemented", TN_ENOTSUP }, { "unknown fid", TN_EBADFID },
	{ "Bad file descriptor", TN_EBADFD }, { "fid unknown", TN_EBADFID },
	{ "duplicate fid", TN_EFIDINUSE }, { "fid in use", TN_EFIDINUSE },
	{ "bad offset in directory", TN_EBADOFFSET }, { "bad fd", TN_EBADFD },
	{ "file has been removed", TN_EGONE }, { "Device or resource busy", TN_EBUSY },
	{ "Too many levels of symbolic links", TN_ELOOP }, { "Invalid argument", TN_EINVAL },
	{ "Text file busy", TN_ETXTBSY }, { "Too many links", TN_EMLINK }, { "Disk quota exceeded", TN_EDQUOT },
	{ "Broken pipe", TN_EPIPE }, { "Too many open files", TN_ELIMIT_OPEN },
	{ "Resource temporarily unavailable", TN_EAGAIN }, { "No such process", TN_ESRCH },
	{ "bad attach", TN_EBADATTACH }, { "unknown or bad attach specifier", TN_EBADATTACH },
	{ "authentication required", TN_ENEEDAUTH }, { "Connection timed out", TN_ETIMEDOUT },
	{ "Connection refused", TN_ECONNREFUSED }, { "Connection reset by peer", TN_ECONNLOST },
	{ "No data available", TN_ENODATA }, { "Numerical result out of range", TN_ERANGE },
};

/* Of several errors with one number, the one that the number means. Numbers of single rows need no entry. */
static const enum tn_err chosen[] = {
	TN_ENOENT, TN_EACCES, TN_EINVAL, TN_EPERM, TN_EIO, TN_EISDIR, TN_EBADFD, TN_ENOSPC, TN_ENAMETOOLONG, TN_EBUSY,
	TN_EAGAIN, TN_ELOOP, TN_ENOMEM, TN_ENOTSUP, TN_EBADMSG, TN_ELIMIT_OPEN, TN_ECONNREFUSED, TN_EUSERS, TN_EHOSTUNREACH,
};
/* clang-format on */

static const struct err_row *row_of(enum tn_err err)
{
	return (unsigned)err < TN_ERRS ? &rows[err] : &rows[TN_EIO];
}

const char *tn_err_text(enum tn_err err)
{
	return row_of(err)->text;
}

uint32_t tn_err_linux(enum tn_err err)
{
	return row_of(err)->number;
}

const char *tn_err_name(enum tn_err err)
{
	return row_of(err)->name;
}

static bool says(const char *text, struct tn_str s)
{
	return tn_strlen(text) == s.len && memcmp(text, s.s, s.len) == 0;
}

enum tn_err tn_err_of_text(struct tn_str text)
{
	for (unsigned i = 1; i < TN_ERRS; i++) {
		if (says(rows[i].text, text))
			return (enum tn_err)i;
	}
	for (size_t i = 0; i < TN_COUNT(aliases); i++) {
		if (says(aliases[i].text, text))
			return aliases[i].err;
	}
	return TN_EREMOTE;
}

enum tn_err tn_err_of_linux(uint32_t number)
{
	for (size_t i = 0; i < TN_COUNT(chosen); i++) {
		if (rows[chosen[i]].number == number)
			return chosen[i];
	}
	for (unsigned i = 0; i < TN_ERRS; i++) {
		if (rows[i].number == number)
			return (enum tn_err)i;
	}
	if (number == L_ENOSYS)
		return TN_ENOTSUP;
	return number == L_ENFILE ? TN_ELIMIT_OPEN : TN_EIO;
}
