/*
 * The system calls of #host that are about a file's data: as act.c's, any thread, nothing but the act.
 */
#include "host/posix/hostfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define COPY_MAX       (UINT64_C(64) << 20) /* bytes in one copy: others may want the worker */
#define CANCEL_LOOK_MS 500

/*
 * A device or fifo has no offsets and gives what there is. It is asked again until it is ready, or nobody waits any
 * more: `cancelled` is all that the loop and a worker share of an act.
 */
static void wait_and_do(struct hf_act *a, short events)
{
	struct pollfd ready = { .fd = a->fd, .events = events };
	ssize_t n;

	a->n = 0;
	do {
		n = events == POLLIN ? read(a->fd, a->data, a->count)
				     : write(a->fd, a->data, a->count);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
		poll(&ready, 1, CANCEL_LOOK_MS);
	} while (tn_count_read(&a->cancelled) == 0);
	if (hf_act_errno(a, n >= 0))
		a->n = (uint32_t)n;
}

static ssize_t get_at(int fd, uint8_t *data, size_t n, off_t offset)
{
	return pread(fd, data, n, offset);
}

static ssize_t put_at(int fd, uint8_t *data, size_t n, off_t offset)
{
	return pwrite(fd, data, n, offset);
}

/* All of it if it can be had. What was moved before an error counts, and the next call has the error. */
static void move_all(struct hf_act *a, ssize_t (*move)(int, uint8_t *, size_t, off_t))
{
	a->n = 0;
	a->err = 0;
	do {
		ssize_t n = move(a->fd, a->data + a->n, a->count - a->n, (off_t)(a->offset + a->n));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && a->n == 0)
			a->err = errno;
		if (n <= 0)
			return;
		a->n += (uint32_t)n;
	} while (a->n < a->count);
}

/* Fewer bytes only at the end of the file. */
void hf_act_read(struct hf_act *a)
{
	if (a->waits)
		wait_and_do(a, POLLIN);
	else
		move_all(a, get_at);
}

/* Fewer bytes when a disk fills up in the middle. */
void hf_act_write(struct hf_act *a)
{
	if (a->waits)
		wait_and_do(a, POLLOUT);
	else
		move_all(a, put_at);
}

void hf_act_readdir(struct hf_act *a)
{
	int got = 1;

	hf_dir_seek(a->dir, a->offset);
	a->n = 0;
	while (a->n < a->count && (got = hf_dir_next(a->dir, a->brief, &a->entries[a->n])) > 0)
		a->n++;
	a->err = got < 0 && a->n == 0 ? errno : 0;
}

void hf_act_sync(struct hf_act *a)
{
	char path[HF_FD_PATH_SIZE];
	int fd = a->fd;

	if (a->how) /* O_PATH: nothing was written through it, but stat(5) asks for the file's contents to be safe */
		fd = open(hf_fd_path(a->fd, path), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		a->err = errno == EACCES ? 0 : errno;
		return;
	}
	hf_act_errno(a, a->length ? fdatasync(fd) == 0 : fsync(fd) == 0);
	if (a->err == EINVAL || a->err == EROFS)
		a->err = 0; /* a file of which nothing is kept anywhere */
	if (fd != a->fd)
		close(fd);
}

void hf_act_fallocate(struct hf_act *a)
{
	hf_act_errno(a, fallocate(a->fd, (int)a->how, (off_t)a->offset, (off_t)a->length) == 0);
}

void hf_act_seekhole(struct hf_act *a)
{
	off_t to = lseek(a->fd, (off_t)a->offset, (int)a->how);

	if (hf_act_errno(a, to >= 0))
		a->offset = (uint64_t)to;
}

void hf_act_copy(struct hf_act *a)
{
	off_t to = (off_t)a->offset, from = (off_t)a->offset2;
	uint64_t left = a->length < COPY_MAX ? a->length : COPY_MAX;

	a->length = 0;
	a->err = 0;
	while (left > 0) {
		ssize_t n = copy_file_range(a->fd2, &from, a->fd, &to, left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && a->length == 0)
			a->err = errno;
		if (n <= 0)
			return;
		a->length += (uint64_t)n;
		left -= (uint64_t)n;
	}
}

void hf_act_statfs(struct hf_act *a)
{
	struct statfs fs;

	if (!hf_act_errno(a, fstatfs(a->fd, &fs) == 0))
		return;
	a->statfs = (struct tn_statfs){
		.type = (uint32_t)fs.f_type,
		.bsize = (uint32_t)fs.f_bsize,
		.namelen = (uint32_t)fs.f_namelen,
		.blocks = fs.f_blocks,
		.bfree = fs.f_bfree,
		.bavail = fs.f_bavail,
		.files = fs.f_files,
		.ffree = fs.f_ffree,
	};
	memcpy(&a->statfs.fsid, &fs.f_fsid, sizeof(a->statfs.fsid));
}

/* close(2) of a file on a dead server hangs like everything else. */
void hf_act_close(struct hf_act *a)
{
	a->err = 0;
	close(a->fd);
}
