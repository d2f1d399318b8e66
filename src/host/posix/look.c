/*
 * Finding a file and finding out about it: openat2, statx, handles, the kinds of file systems. Any thread.
 */
#include "host/posix/hostfs_in.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5: a handle to tell files apart, not to open them by */
#endif

/*
 * File systems whose calls end soon: they are made on the loop. Whatever is not here may hang, and goes to workers: NFS,
 * FUSE, what is new. By handle: it has the file's generation, and stays the same as long as the file exists. tmpfs counts
 * its files, and has a number of its own that is drawn when it is mounted (kernels without that: by handle); where it
 * counts with 32 bits (mounted without inode64), it counts anew behind 4 billion files, as a generation of 32 bits would
 * come again.
 */
static const struct fs_row {
	uint32_t type; /* statfs(2) */
	enum hf_gen gen_by;
} local_systems[] = {
	{ 0x0000ef53, HF_GEN_HANDLE }, /* ext2, 3, 4 */
	{ 0x58465342, HF_GEN_HANDLE }, /* xfs */
	{ 0x9123683e, HF_GEN_HANDLE }, /* btrfs */
	{ 0xf2f52010, HF_GEN_HANDLE }, /* f2fs */
	{ 0x01021994, HF_GEN_FS },     /* tmpfs */
	{ 0x2fc12fc1, HF_GEN_HANDLE }, /* zfs */
	{ 0xca451a4e, HF_GEN_HANDLE }, /* bcachefs */
	{ 0x794c7630, HF_GEN_BIRTH },  /* overlayfs: a handle may change when a file is copied up */
	{ 0x858458f6, HF_GEN_BIRTH },  /* ramfs */
	{ 0x00009fa0, HF_GEN_BIRTH },  /* proc */
	{ 0x62656572, HF_GEN_BIRTH },  /* sysfs */
	{ 0x0027e0eb, HF_GEN_BIRTH },  /* cgroup */
	{ 0x63677270, HF_GEN_BIRTH },  /* cgroup2 */
	{ 0x73717368, HF_GEN_BIRTH },  /* squashfs */
	{ 0xe0f5e1e2, HF_GEN_BIRTH },  /* erofs */
	{ 0x00009660, HF_GEN_BIRTH },  /* iso9660 */
	{ 0x00001cd1, HF_GEN_BIRTH },  /* devpts */
	{ 0x00004d44, HF_GEN_BIRTH },  /* vfat */
};

static uint64_t hash_bytes(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return h ^ (h >> 32);
}

/* What kind of file system fd lies on. */
static void classify(int fd, struct hf_meta *m)
{
	struct statfs fs;

	m->slow = true;
	m->gen_by = HF_GEN_BIRTH;
	if (fstatfs(fd, &fs))
		return;
	for (size_t i = 0; i < TN_COUNT(local_systems); i++) {
		if (local_systems[i].type != (uint32_t)fs.f_type)
			continue;
		m->slow = false;
		m->gen_by = local_systems[i].gen_by;
		break;
	}
	if (m->gen_by != HF_GEN_FS)
		return;
	memcpy(&m->id.gen, &fs.f_fsid, sizeof(m->id.gen));
	if (m->id.gen == 0)
		m->gen_by = HF_GEN_HANDLE;
}

/* A hash of the file's handle, and on which mount the name lies; 0: it has none. */
static uint64_t handle_of(int fd, const char *name, int *mount_id)
{
	union {
		struct file_handle handle;
		uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	int flags = *name ? 0 : AT_EMPTY_PATH;

	u.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, name, &u.handle, mount_id, flags) == 0)
		return hash_bytes(u.handle.f_handle, u.handle.handle_bytes);
	u.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, name, &u.handle, mount_id, flags | AT_HANDLE_FID) == 0)
		return hash_bytes(u.handle.f_handle, u.handle.handle_bytes);
	return 0;
}

/* Sets m->id.gen, and what else is the file system's. `near`: of something that lies there too; or NULL. */
static void tell_apart(int fd, const char *name, const struct hf_meta *near, struct hf_meta *m)
{
	int mount_id;

	if (near && near->id.dev == m->id.dev) {
		m->slow = near->slow;
		m->gen_by = near->gen_by;
		m->id.gen = near->id.gen;
	} else {
		classify(fd, m);
	}
	if (m->gen_by == HF_GEN_FS)
		return;
	m->id.gen = m->gen_by == HF_GEN_HANDLE ? handle_of(fd, name, &mount_id) : 0;
	if (m->id.gen == 0 && m->x.stx_mask & STATX_BTIME)
		m->id.gen = (uint64_t)m->x.stx_btime.tv_sec * 1000000000u + m->x.stx_btime.tv_nsec;
}

/* Bits that Unix has no place for are in an attribute; the sticky bit, which means nothing on a file, says so. */
static uint32_t extra_of(const char *path, const struct statx *x)
{
	const struct hf_who *who = hf_acting();
	char text[16] = "";
	ssize_t n;

	if (!S_ISREG(x->stx_mode) || !(x->stx_mode & S_ISVTX))
		return 0;
	hf_act_as(NULL); /* they hold for all, be they read by one who may not read the file */
	n = getxattr(path, HF_XATTR, text, sizeof(text) - 1);
	tn_assert(hf_act_as(who)); /* it could before */
	if (n <= 0)
		return 0;
	return (uint32_t)strtoul(text, NULL, 16) & HF_EXTRA;
}

static bool stat_at(int fd, const char *name, struct hf_meta *m)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &m->x))
		return false;
	m->id.dev = (uint64_t)m->x.stx_dev_major << 32 | m->x.stx_dev_minor;
	m->id.ino = m->x.stx_ino;
	return true;
}

bool hf_look(int fd, const struct hf_meta *near, struct hf_meta *m)
{
	char path[40];

	if (!stat_at(fd, "", m))
		return false;
	tell_apart(fd, "", near, m);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	m->extra = extra_of(path, &m->x);
	return true;
}

bool hf_look_again(int fd, const struct hf_ident *id, struct hf_meta *m)
{
	if (!stat_at(fd, "", m))
		return false;
	m->id = *id;
	m->extra = 0;
	return true;
}

/* The same by name in a directory that lies on the same file system, without a descriptor. false: look closer. */
static bool look_at(int fd, const char *name, const struct hf_meta *near, struct hf_meta *m)
{
	if (!stat_at(fd, name, m) || m->id.dev != near->id.dev)
		return false;
	if (S_ISREG(m->x.stx_mode) && (m->x.stx_mode & S_ISVTX))
		return false;
	m->extra = 0;
	tell_apart(fd, name, near, m);
	return true;
}

static int open_how(int fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

static bool take_found(int fd, const struct hf_meta *near, struct hf_found *found)
{
	int number;

	found->fd = fd;
	if (fd < 0)
		return false;
	if (hf_look(fd, near, &found->meta))
		return true;
	number = errno;
	close(fd);
	found->fd = -1;
	errno = number;
	return false;
}

/* One name leads nowhere but to a file in this directory; a kernel without openat2 does not change that. */
bool hf_find(int fd, const char *name, const struct hf_meta *near, bool slow_too,
    struct hf_found *found)
{
	uint64_t flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
			   (slow_too ? 0 : RESOLVE_NO_XDEV);
	int to = open_how(fd, name, flags, resolve);

	if (to < 0 && (errno == ENOSYS || errno == EPERM))
		to = openat(fd, name, (int)flags);
	found->followed = false;
	return take_found(to, near, found);
}

/* RESOLVE_IN_ROOT: absolute links and `..` stay below the root, whoever renames what meanwhile. */
bool hf_follow(int root_fd, const char *path, const struct hf_meta *near, bool slow_too,
    struct hf_found *found)
{
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
			   (slow_too ? 0 : RESOLVE_NO_XDEV);
	int to, tries = 0;

	do {
		to = open_how(root_fd, path, O_PATH | O_CLOEXEC, resolve);
	} while (
	    to < 0 && errno == EAGAIN && ++tries < 16); /* openat2(2): a rename came in between */
	found->followed = true;
	return take_found(to, near, found);
}

/* ---- directories ---- */

struct raw_entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct hf_dir *hf_dir_new(void)
{
	struct hf_dir *d = tn_alloc(sizeof(*d));

	if (d)
		d->fd = -1;
	return d;
}

void hf_dir_free(struct hf_dir *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	tn_free(d);
}

void hf_dir_seek(struct hf_dir *d, uint64_t offset)
{
	if (offset != 0 && offset == d->next)
		return; /* on with what is in the buffer */
	if (offset != 0 && offset == d->last_next && d->len > 0) {
		d->at = d->last_at;
		d->next = offset;
		return;
	}
	lseek(d->fd, (off_t)offset, SEEK_SET);
	d->next = offset;
	d->at = d->len = 0;
}

static const struct raw_entry *next_raw(struct hf_dir *d, int *error)
{
	const struct raw_entry *raw;

	*error = 0;
	if (d->at >= d->len) {
		long n = syscall(SYS_getdents64, d->fd, d->buf, sizeof(d->buf));

		d->at = d->len = 0;
		if (n <= 0) {
			*error = n < 0 ? errno : 0;
			return NULL;
		}
		d->len = (uint32_t)n;
	}
	d->last_at = d->at;
	d->last_next = d->next;
	raw = (const struct raw_entry *)(const void *)(d->buf + d->at);
	d->at += raw->reclen;
	d->next = (uint64_t)raw->off;
	return raw;
}

const char *hf_dir_name(struct hf_dir *d)
{
	const struct raw_entry *raw;
	int error;

	while ((raw = next_raw(d, &error)) != NULL) {
		if (strcmp(raw->name, ".") != 0 && strcmp(raw->name, "..") != 0)
			return raw->name;
	}
	return NULL;
}

static bool look_closer(struct hf_dir *d, const char *name, const struct hf_meta *near,
    struct hf_meta *m)
{
	struct hf_found found;

	if (!hf_find(d->fd, name, near, true, &found))
		return false;
	close(found.fd);
	*m = found.meta;
	return true;
}

/* What a link leads to, for a peer that does not follow links itself. A link to nowhere is shown as what it is. */
static void look_behind(struct hf_dir *d, const char *name, const struct hf_meta *near,
    struct hf_meta *m)
{
	char path[PATH_MAX];
	struct hf_found found;
	int n = snprintf(path, sizeof(path), "%s/%s", d->path, name);

	if (n < 0 || (size_t)n >= sizeof(path) || !hf_follow(d->root_fd, path, near, true, &found))
		return;
	close(found.fd);
	*m = found.meta;
}

static uint16_t mode_of_kind(const struct raw_entry *raw)
{
	return (uint16_t)((raw->type & 15) << 12); /* DT_ numbers are those of S_IFMT */
}

/* A directory that may be read but not searched tells names and kinds, and no more: opendir(3). */
static void guess(const struct raw_entry *raw, const struct hf_meta *near, struct hf_meta *m)
{
	memset(m, 0, sizeof(*m));
	m->id = (struct hf_ident){ near->id.dev, raw->ino,
		near->gen_by == HF_GEN_FS ? near->id.gen : 0 };
	m->x.stx_ino = raw->ino;
	m->x.stx_mode = mode_of_kind(raw);
}

/*
 * What the directory itself tells, and the handle, are enough for a file that lies where its name does. false: look
 * closer. A directory may be where another file system begins; so may a file, and the handle tells; without handles its
 * number is then that of the file beneath, as it is in readdir(3).
 */
static bool take_brief(struct hf_dir *d, const struct raw_entry *raw, struct hf_meta *m)
{
	bool must_follow = d->follow && raw->type == DT_LNK;
	int mount_id;

	if (raw->type == DT_UNKNOWN || raw->type == DT_DIR || must_follow ||
	    d->gen_by == HF_GEN_BIRTH)
		return false;
	m->id = (struct hf_ident){ d->id.dev, raw->ino, d->id.gen };
	m->x.stx_mode = mode_of_kind(raw);
	if (d->gen_by == HF_GEN_FS)
		return true;
	if (d->mount_id == 0)
		handle_of(d->fd, "", &d->mount_id);
	m->id.gen = handle_of(d->fd, raw->name, &mount_id);
	return m->id.gen != 0 && mount_id == d->mount_id;
}

/* Finds out about an entry. false: it was removed meanwhile. */
static bool look_into(struct hf_dir *d, const struct raw_entry *raw, struct hf_meta *m)
{
	struct hf_meta near = { .id = d->id, .slow = d->slow, .gen_by = d->gen_by };

	if (!look_at(d->fd, raw->name, &near, m) && !look_closer(d, raw->name, &near, m)) {
		if (errno == ENOENT)
			return false;
		guess(raw, &near, m);
	}
	if (d->follow && S_ISLNK(m->x.stx_mode))
		look_behind(d, raw->name, &near, m);
	return true;
}

int hf_dir_next(struct hf_dir *d, bool brief, struct hf_entry *e)
{
	const struct raw_entry *raw;
	int error;

	while ((raw = next_raw(d, &error)) != NULL) {
		const char *name = raw->name;
		size_t len = strlen(name);

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || len >= sizeof(e->name))
			continue;
		if (!(brief && take_brief(d, raw, &e->meta)) && !look_into(d, raw, &e->meta))
			continue;
		memcpy(e->name, name, len + 1);
		e->name_len = (uint16_t)len;
		e->next = (uint64_t)raw->off;
		return 1;
	}
	errno = error;
	return error ? -1 : 0;
}
