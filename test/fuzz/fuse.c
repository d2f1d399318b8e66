/*
 * What programs do to files, as the kernel asks it of the FUSE door: any call, on what was told before, with any name,
 * number and flag that the kernel lets through, many at once. Each has its one answer, also when it is interrupted.
 */
#include "host/posix/loop.h"
#include "kernel.h"
#include "world.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { STEPS = 80 };

static struct fuzz_world world;
static struct tn_host_loop *loop;
static struct kernel_ask ask;

/* ---- bodies ---- */

static void add(const void *bytes, size_t len)
{
	must(ask.len + len <= sizeof(ask.body));
	memcpy(ask.body + ask.len, bytes, len);
	ask.len += len;
}

/* One element, as the kernel's own walk leaves it. */
static void add_name(struct fuzz_in *in)
{
	struct tn_str s = fuzz_name(in);
	bool is_bad = s.len == 0 || s.len > 255 || s.s[0] == '.' || memchr(s.s, '/', s.len);

	add(is_bad ? "f" : s.s, is_bad ? 1 : s.len);
	add("", 1);
}

static uint64_t offset(struct fuzz_in *in)
{
	return fuzz_size(in) & INT64_MAX;
}

static void lookup(struct fuzz_in *in)
{
	add_name(in);
}

static void mknod_in(struct fuzz_in *in)
{
	static const uint32_t kinds[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	uint8_t how = fuzz_byte(in);
	struct fuse_mknod_in b = { .mode = kinds[how % 5] | (how & 64 ? 0644 : 07777),
		.rdev = fuzz_byte(in),
		.umask = 022 };

	add(&b, sizeof(b));
	add_name(in);
}

static void mkdir_in(struct fuzz_in *in)
{
	struct fuse_mkdir_in b = { .mode = (uint32_t)fuzz_number(in, 2) & 07777, .umask = 022 };

	add(&b, sizeof(b));
	add_name(in);
}

static void create_in(struct fuzz_in *in)
{
	uint8_t how = fuzz_byte(in);
	struct fuse_create_in b = { .flags = (uint32_t)O_CREAT | how % 3 | (how & 16 ? O_EXCL : 0) |
					     (how & 32 ? O_TRUNC : 0) | (how & 64 ? O_APPEND : 0),
		.mode = S_IFREG | 0644,
		.umask = 022 };

	ask.flags = b.flags;
	add(&b, sizeof(b));
	add_name(in);
}

static void symlink_in(struct fuzz_in *in)
{
	add_name(in);
	add_name(in);
}

static void link_in(struct fuzz_in *in)
{
	struct fuse_link_in b;

	ask.node2 = kernel_node(fuzz_byte(in));
	b.oldnodeid = ask.node2->ino;
	add(&b, sizeof(b));
	add_name(in);
}

static void rename_in(struct fuzz_in *in)
{
	struct fuse_rename2_in b = { .flags = fuzz_below(in, 3) };

	ask.node2 = kernel_dir(fuzz_byte(in));
	b.newdir = ask.node2->ino;
	add(&b, sizeof(b));
	add_name(in);
	add_name(in);
}

static void getattr_in(struct fuzz_in *in)
{
	struct fuse_getattr_in b = { 0 };

	(void)in;
	add(&b, sizeof(b));
}

static void setattr_in(struct fuzz_in *in)
{
	struct fuse_setattr_in b = { .valid = (uint32_t)fuzz_number(in, 2) & ~(unsigned)FATTR_FH &
					      0x5ff,
		.size = offset(in),
		.atime = fuzz_byte(in),
		.mtime = fuzz_byte(in),
		.mode = ask.node->mode & S_IFMT,
		.uid = fuzz_byte(in) & 1 ? 1000 : 0,
		.gid = 1000 };

	b.mode |= (uint32_t)fuzz_number(in, 2) & 07777;
	add(&b, sizeof(b));
}

static void open_in(struct fuzz_in *in)
{
	uint8_t how = fuzz_byte(in);
	struct fuse_open_in b = { .flags = (uint32_t)(how % 3) | (how & 32 ? O_TRUNC : 0) |
					   (how & 64 ? O_APPEND : 0) };

	ask.flags = b.flags;
	add(&b, sizeof(b));
}

static void opendir_in(struct fuzz_in *in)
{
	struct fuse_open_in b = { .flags = O_DIRECTORY };

	(void)in;
	add(&b, sizeof(b));
}

static void read_in(struct fuzz_in *in)
{
	struct fuse_read_in b = { .fh = ask.file->fh, .offset = offset(in), .size = 4096 };

	if (ask.opcode != FUSE_READ)
		b.offset = fuzz_byte(in), b.size = 64u + 16u * fuzz_byte(in);
	add(&b, sizeof(b));
}

static void write_in(struct fuzz_in *in)
{
	struct fuse_write_in b = { .fh = ask.file->fh, .offset = offset(in) };
	struct tn_str s = fuzz_bytes(in, fuzz_byte(in));

	b.size = s.len;
	add(&b, sizeof(b));
	if (s.len)
		add(s.s, s.len);
}

static void flush_in(struct fuzz_in *in)
{
	struct fuse_flush_in b = { .fh = ask.file->fh, .lock_owner = fuzz_below(in, 3) };

	add(&b, sizeof(b));
}

static void fsync_in(struct fuzz_in *in)
{
	struct fuse_fsync_in b = { .fh = ask.file->fh, .fsync_flags = fuzz_below(in, 2) };

	add(&b, sizeof(b));
}

static void lock_in(struct fuzz_in *in)
{
	static const uint32_t types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	struct fuse_lk_in b = { .fh = ask.file->fh,
		.owner = fuzz_below(in, 3),
		.lk = { .start = offset(in), .type = types[fuzz_below(in, 3)], .pid = 7 },
		.lk_flags = fuzz_byte(in) > 200 && ask.opcode != FUSE_GETLK ? FUSE_LK_FLOCK : 0 };

	b.lk.end = offset(in);
	if (b.lk.end < b.lk.start)
		b.lk.end = INT64_MAX;
	add(&b, sizeof(b));
}

static void fallocate_in(struct fuzz_in *in)
{
	struct fuse_fallocate_in b = { .fh = ask.file->fh,
		.offset = offset(in),
		.length = 1 + (offset(in) >> 1),
		.mode = fuzz_byte(in) };

	add(&b, sizeof(b));
}

static void lseek_in(struct fuzz_in *in)
{
	struct fuse_lseek_in b = { .fh = ask.file->fh,
		.offset = offset(in),
		.whence = 3u + fuzz_below(in, 2) };

	add(&b, sizeof(b));
}

static void copy_in(struct fuzz_in *in)
{
	struct fuse_copy_file_range_in b = { .fh_in = ask.file->fh,
		.off_in = offset(in),
		.off_out = offset(in),
		.len = offset(in) };

	ask.file2 = kernel_file(fuzz_byte(in), false);
	ask.node2 = ask.file2->node;
	b.fh_out = ask.file2->fh;
	b.nodeid_out = ask.node2->ino;
	add(&b, sizeof(b));
}

static void setxattr_in(struct fuzz_in *in)
{
	struct tn_str s = fuzz_bytes(in, fuzz_byte(in) & 63);
	struct fuse_setxattr_in b = { .size = s.len, .flags = fuzz_below(in, 3) };

	/* Without FUSE_SETXATTR_EXT the kernel sends the first half. */
	add(&b, FUSE_COMPAT_SETXATTR_IN_SIZE);
	add_name(in);
	if (s.len)
		add(s.s, s.len);
}

static void getxattr_in(struct fuzz_in *in)
{
	struct fuse_getxattr_in b = { .size = fuzz_byte(in) * 16u };

	add(&b, sizeof(b));
	if (ask.opcode == FUSE_GETXATTR)
		add_name(in);
}

static void nothing_in(struct fuzz_in *in)
{
	(void)in;
}

/* ---- the calls ---- */

enum on { IN_DIR, ON_ANY, ON_PLAIN, OPEN_FILE, OPEN_DIR };

static const struct {
	uint32_t opcode;
	enum on on;
	void (*fill)(struct fuzz_in *in);
} calls[] = {
	{ FUSE_LOOKUP, IN_DIR, lookup },
	{ FUSE_LOOKUP, IN_DIR, lookup },
	{ FUSE_LOOKUP, IN_DIR, lookup },
	{ FUSE_MKNOD, IN_DIR, mknod_in },
	{ FUSE_MKDIR, IN_DIR, mkdir_in },
	{ FUSE_CREATE, IN_DIR, create_in },
	{ FUSE_SYMLINK, IN_DIR, symlink_in },
	{ FUSE_LINK, IN_DIR, link_in },
	{ FUSE_UNLINK, IN_DIR, lookup },
	{ FUSE_RMDIR, IN_DIR, lookup },
	{ FUSE_RENAME2, IN_DIR, rename_in },
	{ FUSE_GETATTR, ON_ANY, getattr_in },
	{ FUSE_SETATTR, ON_ANY, setattr_in },
	{ FUSE_READLINK, ON_ANY, nothing_in },
	{ FUSE_STATFS, ON_ANY, nothing_in },
	{ FUSE_OPEN, ON_PLAIN, open_in },
	{ FUSE_OPEN, ON_PLAIN, open_in },
	{ FUSE_OPENDIR, IN_DIR, opendir_in },
	{ FUSE_READ, OPEN_FILE, read_in },
	{ FUSE_WRITE, OPEN_FILE, write_in },
	{ FUSE_FLUSH, OPEN_FILE, flush_in },
	{ FUSE_FSYNC, OPEN_FILE, fsync_in },
	{ FUSE_GETLK, OPEN_FILE, lock_in },
	{ FUSE_SETLK, OPEN_FILE, lock_in },
	{ FUSE_SETLKW, OPEN_FILE, lock_in },
	{ FUSE_FALLOCATE, OPEN_FILE, fallocate_in },
	{ FUSE_LSEEK, OPEN_FILE, lseek_in },
	{ FUSE_COPY_FILE_RANGE, OPEN_FILE, copy_in },
	{ FUSE_READDIR, OPEN_DIR, read_in },
	{ FUSE_READDIRPLUS, OPEN_DIR, read_in },
	{ FUSE_SETXATTR, ON_ANY, setxattr_in },
	{ FUSE_GETXATTR, ON_ANY, getxattr_in },
	{ FUSE_LISTXATTR, ON_ANY, getxattr_in },
	{ FUSE_REMOVEXATTR, ON_ANY, lookup },
};

/* false: there is nothing yet that it could be on. */
static bool choose(enum on on, uint8_t n)
{
	ask.file = on == OPEN_FILE || on == OPEN_DIR ? kernel_file(n, on == OPEN_DIR) : NULL;
	if (on == OPEN_FILE || on == OPEN_DIR) {
		ask.node = ask.file ? ask.file->node : NULL;
		return ask.file != NULL;
	}
	ask.node = on == IN_DIR ? kernel_dir(n) : kernel_node(n);
	return on != ON_PLAIN || S_ISREG(ask.node->mode);
}

static void call(struct fuzz_in *in, unsigned which)
{
	ask.opcode = calls[which].opcode;
	ask.node2 = NULL;
	ask.file2 = NULL;
	ask.len = 0;
	if (!choose(calls[which].on, fuzz_byte(in)))
		return;
	calls[which].fill(in);
	kernel_send(&ask);
}

static void close_one(unsigned n)
{
	struct kernel_file *file = kernel_file(n, n & 1);
	struct fuse_release_in b = { 0 };

	if (!file || file->uses)
		return;
	b.fh = file->fh;
	ask = (struct kernel_ask){ .opcode = n & 1 ? FUSE_RELEASEDIR : FUSE_RELEASE,
		.node = file->node };
	add(&b, sizeof(b));
	file->node->uses--;
	file->node = NULL;
	kernel_send(&ask);
}

static void step(struct fuzz_in *in)
{
	uint8_t what = fuzz_byte(in);

	if (what < 200)
		call(in, what % TN_COUNT(calls));
	else if (what < 215)
		close_one(fuzz_byte(in));
	else if (what < 230)
		kernel_forget(kernel_node(fuzz_byte(in)));
	else if (what < 240)
		kernel_interrupt(fuzz_byte(in));
	else
		fuzz_now += (what & 7) * FUZZ_SECOND / 16;
	if (what & 1)
		kernel_turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };

	fuzz_begin();
	if (!loop)
		loop = tn_host_loop_new();
	must(loop);
	fuzz_world_begin(&world, tn_host_loop_core(loop));
	kernel_begin(loop, world.proc);
	for (int i = 0; i < STEPS && in.left > 0; i++)
		step(&in);
	kernel_end();
	fuzz_world_end(&world);
	return 0;
}
