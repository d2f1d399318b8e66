/*
 * The system calls of #host. Nothing here knows requests, Chans or places: what an act needs is in it, what it found is
 * left in it. Any thread. What must be done as a whole is checked first and then done in an order that can be undone.
 */
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *hf_fd_path(int fd, char path[HF_FD_PATH_SIZE])
{
	snprintf(path, HF_FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return path;
}

bool hf_act_errno(struct hf_act *a, bool good)
{
	a->err = good ? 0 : errno;
	return good;
}

/* The kind of file system that a->id lies on. */
static struct hf_meta near_of(const struct hf_act *a)
{
	return (struct hf_meta){ .id = a->id, .slow = a->slow, .gen_by = a->gen_by };
}

/* The name still leads to the file that it is taken for. */
static bool still_there(struct hf_act *a, int fd, const char *name)
{
	struct stat st;

	if (!hf_act_errno(a, fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0))
		return false;
	if (a->any_id ||
	    (st.st_ino == a->id.ino &&
		st.st_dev == makedev((unsigned)(a->id.dev >> 32), (unsigned)a->id.dev)))
		return true;
	a->err = ESTALE;
	return false;
}

/* ---- walk, stat ---- */

static bool walk_one(struct hf_act *a, int fd, const struct hf_meta *near, uint16_t i)
{
	struct hf_found *found = &a->walk.found[i], behind;
	size_t len = strlen(a->text);
	int n;

	if (!hf_find(fd, a->walk.names[i], near, a->on_worker, found))
		return false;
	if (!a->follow)
		return true;
	n = snprintf(a->text + len, sizeof(a->text) - len, "/%s", a->walk.names[i]);
	a->follow = n >= 0 &&
		    (size_t)n < sizeof(a->text) - len; /* so deep down links are what they are */
	if (!a->follow || !S_ISLNK(found->meta.x.stx_mode))
		return true;
	if (hf_follow(a->root_fd, a->text, near, a->on_worker, &behind)) {
		close(found->fd);
		*found = behind;
		return true;
	}
	if (errno != EXDEV || a->on_worker)
		return true; /* a link to nowhere is the link itself: it can be removed */
	close(found->fd);
	errno = EXDEV;
	return false;
}

void hf_act_walk(struct hf_act *a)
{
	struct hf_meta near = near_of(a);
	int fd = a->fd;

	a->err = 0;
	a->xdev = false;
	for (; a->walk.done < a->walk.n; a->walk.done++) {
		if (a->walk.done > 0) { /* it may have begun elsewhere */
			near = a->walk.found[a->walk.done - 1].meta;
			fd = a->walk.found[a->walk.done - 1].fd;
		}
		if (walk_one(a, fd, &near, a->walk.done))
			continue;
		a->err = errno;
		a->xdev = a->err == EXDEV && !a->on_worker;
		return;
	}
}

static void read_link(struct hf_act *a)
{
	ssize_t n = readlinkat(a->fd, "", a->text, sizeof(a->text));

	if (hf_act_errno(a, n >= 0))
		a->n = (uint32_t)n;
}

/* aname: a path below the root, as the host resolves it there. */
void hf_act_attach(struct hf_act *a)
{
	struct hf_meta near = near_of(a);

	hf_act_errno(a, hf_follow(a->fd, a->text, &near, true, &a->walk.found[0]));
}

void hf_act_look(struct hf_act *a)
{
	if (hf_act_errno(a, hf_look_again(a->fd, &a->id, &a->meta)) && S_ISLNK(a->meta.x.stx_mode))
		read_link(a);
}

void hf_act_readlink(struct hf_act *a)
{
	read_link(a);
}

/* ---- open, create ---- */

static const int access_flags[] = { [TN_OREAD] = O_RDONLY,
	[TN_OWRITE] = O_WRONLY,
	[TN_ORDWR] = O_RDWR,
	[TN_OEXEC] = O_RDONLY };

static int open_flags(const struct hf_act *a)
{
	int flags = access_flags[a->flags & TN_OF_ACCESS] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	if (a->flags & TN_OF_APPEND || a->extra & TN_DMAPPEND)
		flags |= O_APPEND;
	if (a->flags & TN_OF_SYNC)
		flags |= O_SYNC;
	if (a->flags & TN_OF_TRUNC && !(a->extra & TN_DMAPPEND)) /* open(5) */
		flags |= O_TRUNC;
	return flags;
}

/* ORCLOSE wants the right to remove: open(5). */
static bool may_remove(struct hf_act *a)
{
	return hf_act_errno(a, faccessat(a->fd2, ".", W_OK, AT_EACCESS) == 0);
}

static void open_dir(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	/* Not by ".": what may be read but not searched can be opened. */
	a->new_fd = open(hf_fd_path(a->fd, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	hf_act_errno(a, a->new_fd >= 0);
}

void hf_act_open(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	if ((a->flags & TN_OF_ACCESS) == TN_OEXEC && a->kind != S_IFDIR &&
	    !hf_act_errno(a, faccessat(a->fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0))
		return;
	if (a->flags & TN_OF_RCLOSE && !may_remove(a))
		return;
	if (a->kind == S_IFDIR) {
		open_dir(a);
	} else {
		a->new_fd = open(hf_fd_path(a->fd, path), open_flags(a));
		hf_act_errno(a, a->new_fd >= 0);
	}
	if (a->err)
		return;
	if (!hf_act_errno(a, hf_look_again(a->new_fd, &a->id, &a->meta))) {
		close(a->new_fd);
		a->new_fd = -1;
	}
}

/* open(5): what is not in the directory's permissions is not in the file's, whatever umask(2) says. */
static mode_t new_mode(const struct hf_act *a, mode_t dir_mode, mode_t mask)
{
	mode_t mode = a->perm & 0777;

	if (!a->exact)
		mode &= ~mask | (dir_mode & mask);
	if (a->perm & TN_DMSETUID)
		mode |= S_ISUID;
	if (a->perm & TN_DMSETGID)
		mode |= S_ISGID;
	if (a->perm & TN_DMSETVTX)
		mode |= S_ISVTX;
	return mode;
}

/*
 * open(5): the group of a new file is the directory's; so it is for all where that has the setgid bit, inode(7). chown(2)
 * may refuse an ordinary user another group than his own, and then it is that.
 */
static gid_t new_group(const struct hf_act *a, const struct stat *dir)
{
	return a->gid == TN_NONUNAME || dir->st_mode & S_ISGID ? dir->st_gid : a->gid;
}

static void give_group(int fd, const struct hf_act *a, const struct stat *dir,
    const struct stat *st)
{
	gid_t gid = new_group(a, dir);

	if (gid != st->st_gid && fchown(fd, (uid_t)-1, gid))
		return;
}

/* The bits of HF_EXTRA as an attribute, and the mode that says that there is one. */
static bool write_extra(struct hf_act *a, int fd, mode_t mode)
{
	char path[HF_FD_PATH_SIZE], text[16];
	int n = snprintf(text, sizeof(text), "%x", a->extra);

	hf_fd_path(fd, path);
	if (!a->extra) {
		removexattr(path, HF_XATTR);
		return chmod(path, mode) == 0;
	}
	a->lost_extra = setxattr(path, HF_XATTR, text, (size_t)n, 0) != 0;
	return chmod(path, a->lost_extra ? mode : mode | S_ISVTX) == 0;
}

static bool finish_new(struct hf_act *a, const struct stat *dir)
{
	mode_t mode = new_mode(a, dir->st_mode, a->perm & TN_DMDIR ? 0777 : 0666);
	struct hf_found *found = &a->walk.found[0];
	struct hf_meta near = near_of(a);
	char path[HF_FD_PATH_SIZE];
	struct stat st;

	if (fstat(a->new_fd, &st))
		return false;
	if (a->perm & TN_DMDIR)
		mode |= st.st_mode & S_ISGID; /* inherited: mkdir(2) */
	give_group(a->new_fd, a, dir, &st);
	if (a->extra && !write_extra(a, a->new_fd, mode))
		return false;
	if (!a->extra && (st.st_mode & 07777) != mode && fchmod(a->new_fd, mode))
		return false;
	/* Not by its name, which may be another's by now. */
	found->fd = open(hf_fd_path(a->new_fd, path), O_PATH | O_CLOEXEC);
	found->followed = false;
	if (found->fd < 0 || !hf_look(a->new_fd, &near, &a->meta))
		return false;
	found->meta = a->meta;
	return true;
}

/* Removes what was made, and is of no use. */
static void unmake(struct hf_act *a)
{
	int number = errno;

	unlinkat(a->fd, a->name, a->perm & TN_DMDIR ? AT_REMOVEDIR : 0);
	if (a->new_fd >= 0)
		close(a->new_fd);
	if (a->walk.found[0].fd >= 0)
		close(a->walk.found[0].fd);
	a->new_fd = a->walk.found[0].fd = -1;
	a->err = number;
}

/*
 * A mode as it is meant is mkdir(2)'s at once: to who is not in the group that a setgid directory gives, a chmod(2) later
 * would cost that bit. umask(2) is shared by the threads that have not parted; the loop's is only away during the call.
 */
static bool make_dir(const struct hf_act *a)
{
	static __thread bool parted;
	mode_t mode = a->exact ? new_mode(a, 0, 0) & 01777 : 0700, mask;
	bool made;

	if (a->on_worker && !parted)
		parted = unshare(CLONE_FS) == 0;
	if (!a->exact || (a->on_worker && !parted))
		return mkdirat(a->fd, a->name, mode) == 0;
	mask = umask(0);
	made = mkdirat(a->fd, a->name, mode) == 0;
	umask(mask);
	return made;
}

/* umask(2), or who makes it, may have taken the owner's own bits. */
static int open_new_dir(const struct hf_act *a)
{
	int held = openat(a->fd, a->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;
	char path[HF_FD_PATH_SIZE];

	if (held < 0)
		return -1;
	hf_fd_path(held, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && chmod(path, 0700) == 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(held);
	return fd;
}

void hf_act_create(struct hf_act *a)
{
	struct stat dir;
	bool made;

	a->walk.found[0].fd = -1;
	if (!hf_act_errno(a, fstat(a->fd, &dir) == 0))
		return;
	if (a->perm & TN_DMDIR) {
		made = make_dir(a);
		a->new_fd = made ? open_new_dir(a) : -1;
	} else {
		/* Nobody else may open it before it has its mode. open(5): the mode is not checked against perm. */
		a->new_fd = openat(a->fd, a->name,
		    (open_flags(a) & ~O_TRUNC) | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		made = a->new_fd >= 0;
	}
	if (!hf_act_errno(a, made))
		return;
	if (a->new_fd < 0 || !finish_new(a, &dir))
		unmake(a);
}

void hf_act_make(struct hf_act *a)
{
	struct hf_meta near = near_of(a);
	struct hf_found *found = &a->walk.found[0];
	struct stat dir;
	int made;

	found->fd = -1;
	if (!hf_act_errno(a, fstat(a->fd, &dir) == 0))
		return;
	if (a->kind == S_IFLNK)
		made = symlinkat(a->text, a->fd, a->name);
	else
		made = mknodat(a->fd, a->name, a->kind | 0600, (dev_t)a->rdev);
	if (!hf_act_errno(a, made == 0) ||
	    !hf_act_errno(a, hf_find(a->fd, a->name, &near, true, found)))
		return;
	if (a->kind != S_IFLNK) {
		char path[HF_FD_PATH_SIZE];

		/* By way of /proc: the name may be another's by now, the descriptor is what was made. */
		if (chmod(hf_fd_path(found->fd, path), new_mode(a, dir.st_mode, 0666)))
			a->err = errno;
	}
	fchownat(found->fd, "", (uid_t)-1, new_group(a, &dir), AT_EMPTY_PATH);
	if (!a->err)
		hf_act_errno(a, hf_look(found->fd, &near, &a->meta));
	if (a->err)
		unlinkat(a->fd, a->name, 0);
	close(found->fd);
	found->fd = -1;
}

/* ---- names ---- */

void hf_act_remove(struct hf_act *a)
{
	if (still_there(a, a->fd, a->name))
		hf_act_errno(a,
		    unlinkat(a->fd, a->name, a->kind == S_IFDIR ? AT_REMOVEDIR : 0) == 0);
}

/* RENAME_NOREPLACE where the file system knows it; elsewhere a look before, which another process may outrun. */
static bool rename_how(int from, const char *name, int to, const char *name2, unsigned how)
{
	struct stat st;

	if (renameat2(from, name, to, name2, how) == 0)
		return true;
	if (errno != EINVAL || how != RENAME_NOREPLACE)
		return false;
	if (fstatat(to, name2, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return false;
	}
	return errno == ENOENT && renameat(from, name, to, name2) == 0;
}

void hf_act_rename(struct hf_act *a)
{
	if (still_there(a, a->fd, a->name))
		hf_act_errno(a, rename_how(a->fd, a->name, a->fd2, a->name2, a->how));
}

void hf_act_link(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];

	hf_act_errno(a,
	    linkat(AT_FDCWD, hf_fd_path(a->fd2, path), a->fd, a->name, AT_SYMLINK_FOLLOW) == 0);
}

/* ---- wstat: all of it or nothing, stat(5) ---- */

struct undo {
	struct stat was;
	bool mode, owner, name;
	int write_fd;
};

static bool is_owner(const struct stat *st)
{
	return hf_acting_uid() == 0 || hf_acting_uid() == st->st_uid;
}

/* What the kernel would refuse later, while nothing has changed. */
static bool may_change(struct hf_act *a, struct undo *u)
{
	const struct tn_stat *st = &a->change;
	bool owners = st->valid & (TN_ST_MODE | TN_ST_NUID | TN_ST_NGID) ||
		      (st->valid & (TN_ST_MTIME | TN_ST_ATIME) &&
			  !(st->valid & (TN_ST_MTIME_NOW | TN_ST_ATIME_NOW)));
	char path[HF_FD_PATH_SIZE];

	if (!hf_act_errno(a, fstat(a->fd, &u->was) == 0))
		return false;
	if ((owners && !is_owner(&u->was)) || (a->owner_fixed && u->was.st_uid != a->owner)) {
		a->err = EPERM;
		return false;
	}
	if (st->valid & TN_ST_NAME && !still_there(a, a->fd2, a->name))
		return false;
	if (!(st->valid & TN_ST_LENGTH))
		return true;
	/* ftruncate(2): what is open for writing is cut whatever the permissions are now. */
	if ((fcntl(a->fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		u->write_fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
	else
		u->write_fd = open(hf_fd_path(a->fd, path),
		    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return hf_act_errno(a, u->write_fd >= 0);
}

static bool set_mode(int fd, mode_t mode)
{
	char path[HF_FD_PATH_SIZE];

	return chmod(hf_fd_path(fd, path), mode) == 0;
}

static bool change_mode(struct hf_act *a, mode_t mode)
{
	if (a->extra != a->old_extra)
		return write_extra(a, a->fd, mode);
	return set_mode(a->fd, a->extra && !a->lost_extra ? mode | S_ISVTX : mode);
}

static bool change_owner(struct hf_act *a, uint32_t uid, uint32_t gid)
{
	return fchownat(a->fd, "", uid, gid, AT_EMPTY_PATH) == 0;
}

static bool change_times(struct hf_act *a)
{
	const struct tn_stat *st = &a->change;
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	const struct {
		uint32_t set, now;
		int64_t ns;
	} rows[2] = { { TN_ST_ATIME, TN_ST_ATIME_NOW, st->atime_ns },
		{ TN_ST_MTIME, TN_ST_MTIME_NOW, st->mtime_ns } };
	char path[HF_FD_PATH_SIZE];

	for (size_t i = 0; i < 2; i++) {
		if (st->valid & rows[i].now) {
			t[i].tv_nsec = UTIME_NOW;
		} else if (st->valid & rows[i].set) {
			int64_t ns = rows[i].ns % 1000000000;

			t[i].tv_sec = rows[i].ns / 1000000000 - (ns < 0);
			t[i].tv_nsec = ns < 0 ? ns + 1000000000 : ns;
		}
	}
	if (t[0].tv_nsec == UTIME_OMIT && t[1].tv_nsec == UTIME_OMIT)
		return true;
	if (a->kind == S_IFLNK)
		return utimensat(a->fd, "", t, AT_EMPTY_PATH) == 0;
	return utimensat(AT_FDCWD, hf_fd_path(a->fd, path), t, 0) == 0;
}

/* Length comes behind all that can be undone, times behind it: a truncation sets them. */
static bool change_all(struct hf_act *a, struct undo *u)
{
	const struct tn_stat *st = &a->change;

	if (a->owner_given || (st->valid & TN_ST_NGID && st->n_gid != u->was.st_gid)) {
		u->owner = change_owner(a, st->valid & TN_ST_NUID ? st->n_uid : (uid_t)-1,
		    st->valid & TN_ST_NGID ? st->n_gid : (gid_t)-1);
		if (!u->owner)
			return false;
	}
	if (st->valid & TN_ST_MODE) {
		u->mode = true; /* also if only half of it was done */
		if (!change_mode(a, new_mode(a, 0, 0)))
			return false;
	}
	if (st->valid & TN_ST_NAME) {
		u->name = rename_how(a->fd2, a->name, a->fd2, a->name2, RENAME_NOREPLACE);
		if (!u->name)
			return false;
	}
	if (st->valid & TN_ST_LENGTH && ftruncate(u->write_fd, (off_t)st->length))
		return false;
	return change_times(a) || u->write_fd >= 0; /* behind a truncation there is no way back */
}

static void undo_all(struct hf_act *a, const struct undo *u)
{
	int number = errno;

	if (u->name)
		rename_how(a->fd2, a->name2, a->fd2, a->name, RENAME_NOREPLACE);
	if (u->owner)
		change_owner(a, u->was.st_uid, u->was.st_gid);
	if (u->mode) {
		uint32_t wanted = a->extra;

		a->extra = a->old_extra;
		a->old_extra = wanted;
		change_mode(a, u->was.st_mode & 07777);
		a->old_extra = a->extra;
	}
	a->err = number;
}

void hf_act_wstat(struct hf_act *a)
{
	struct undo u = { .write_fd = -1 };

	a->err = 0;
	if (may_change(a, &u)) {
		if (change_all(a, &u))
			a->renamed = u.name;
		else
			undo_all(a, &u);
	}
	if (u.write_fd >= 0)
		close(u.write_fd);
}
