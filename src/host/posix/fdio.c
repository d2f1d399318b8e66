/*
 * Waiting for descriptors. Whether one is non-blocking is not ours to change: others have the same file open. So a worker
 * asks poll first, looks now and then whether anybody still waits, and then makes one call.
 *
 * A descriptor of another process may be a file of a file system that this very program serves: nothing here opens,
 * closes or asks about one on the loop.
 */
#include "host/posix/fdio.h"

#include "core/chan.h"
#include "fs/fd.h"
#include "host/posix/loop.h"
#include "host/posix/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_MS   500 /* between looks whether anybody still waits */
#define PATH_SIZE 64

struct tn_fdio {
	struct tn_loop *loop;
	struct tn_work *work;
	uint32_t n_calls; /* with workers, flushed ones too */
	bool gone;        /* the last of them frees it */
};

/* An open descriptor of #fd. Counted: calls on their way hold it. On the loop but for fd. */
struct held {
	uint32_t refs;
	int fd;
	struct tn_lane reads, writes; /* a read that waits is no reason for a write to wait */
};

enum call { OPEN, READ, WRITE, CLOSE };

struct io {
	struct tn_job job; /* first */
	struct tn_fdio *f;
	struct tn_req *r;  /* NULL: flushed, or nobody's */
	struct held *held; /* counted, or NULL */
	enum call call;
	int fd;
	bool own;           /* fd is closed behind the call */
	uint32_t cancelled; /* atomic */
	uint32_t pid, number;
	int flags;
	uint8_t *data;
	uint32_t count;
	uint64_t offset;
	ssize_t n;
	int err;
};

/* ---- on workers ---- */

static bool wait_ready(struct io *io, short events)
{
	struct pollfd ready = { .fd = io->fd, .events = events };

	while (tn_count_read(&io->cancelled) == 0) {
		int n = poll(&ready, 1, LOOK_MS);

		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
	return false;
}

static void move_bytes(struct io *io, bool reads)
{
	struct stat st;
	bool has_offset = fstat(io->fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));

	do {
		io->n = -1;
		errno = EINTR;
		if (has_offset)
			io->n = reads ? pread(io->fd, io->data, io->count, (off_t)io->offset)
				      : pwrite(io->fd, io->data, io->count, (off_t)io->offset);
		else if (wait_ready(io, reads ? POLLIN : POLLOUT))
			io->n = reads ? read(io->fd, io->data, io->count)
				      : write(io->fd, io->data, io->count);
	} while (
	    io->n < 0 && (errno == EAGAIN || errno == EINTR) && tn_count_read(&io->cancelled) == 0);
	io->err = io->n < 0 ? errno : 0;
}

/* The very descriptor, if the kernel lets us have it (ptrace(2)'s rule); else the file anew. */
static void open_number(struct io *io)
{
	char path[PATH_SIZE];
	int process = -1;

	if (io->pid == (uint32_t)getpid()) {
		io->fd = fcntl((int)io->number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	} else {
		process = (int)syscall(SYS_pidfd_open, io->pid, 0);
		if (process >= 0)
			io->fd = (int)syscall(SYS_pidfd_getfd, process, io->number, 0);
		if (io->fd < 0) {
			snprintf(path, sizeof(path), "/proc/%u/fd/%u", (unsigned)io->pid,
			    (unsigned)io->number);
			io->fd = open(path, io->flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		}
	}
	io->err = io->fd < 0 ? errno : 0;
	if (process >= 0)
		close(process);
	if (!io->err && (io->flags & O_ACCMODE) != O_RDWR) {
		int mode = fcntl(io->fd, F_GETFL) & O_ACCMODE;

		if (mode != O_RDWR && mode != (io->flags & O_ACCMODE))
			io->err = EACCES; /* dup(3): opened as the descriptor was */
	}
	if (io->err && io->fd >= 0) {
		close(io->fd);
		io->fd = -1;
	}
}

static void io_run(struct tn_job *job)
{
	struct io *io = (struct io *)job;

	if (io->call == OPEN)
		open_number(io);
	else if (io->call != CLOSE)
		move_bytes(io, io->call == READ);
	if (io->own)
		close(io->fd);
}

/* ---- on the loop ---- */

static bool start(struct tn_fdio *f, struct io *io, struct tn_lane *lane);

static void close_later(struct tn_fdio *f, int fd)
{
	struct io *io = tn_alloc(sizeof(*io));

	if (io) {
		*io = (struct io){ .f = f, .call = CLOSE, .fd = fd, .own = true };
		if (start(f, io, NULL))
			return;
		tn_free(io);
	}
	close(fd);
}

static void held_put(struct tn_fdio *f, struct held *h)
{
	if (!h || --h->refs > 0)
		return;
	close_later(f, h->fd);
	tn_free(h);
}

static void io_free(struct io *io)
{
	held_put(io->f, io->held);
	tn_free(io->data);
	tn_free(io);
}

static void settle_open(struct io *io)
{
	struct held *h = io->r && !io->err ? tn_alloc(sizeof(*h)) : NULL;

	if (h) {
		h->refs = 1;
		h->fd = io->fd;
		io->r->chan->aux.p = h;
		return;
	}
	if (io->fd >= 0)
		close_later(io->f, io->fd);
	if (io->r)
		tn_fail(io->r, io->err ? tn_err_of_linux((uint32_t)io->err) : TN_ENOMEM);
}

static void settle_bytes(struct io *io)
{
	if (!io->r)
		return;
	if (io->err) {
		tn_fail(io->r, tn_err_of_linux((uint32_t)io->err));
		return;
	}
	if (io->call == READ)
		memcpy(io->r->u.io.data, io->data, (size_t)io->n);
	io->r->u.io.count = (uint32_t)io->n;
}

static void call_over(struct tn_fdio *f)
{
	f->n_calls--;
	if (f->gone && f->n_calls == 0) {
		tn_work_free(f->work);
		tn_free(f);
	}
}

static void io_done(struct tn_job *job)
{
	struct io *io = (struct io *)job;
	struct tn_fdio *f = io->f;
	struct tn_req *r = io->r;

	if (io->call == OPEN)
		settle_open(io);
	else if (io->call != CLOSE)
		settle_bytes(io);
	io_free(io);
	if (r) {
		r->keeper = NULL;
		tn_respond(r);
	}
	call_over(f);
}

static bool start(struct tn_fdio *f, struct io *io, struct tn_lane *lane)
{
	if (!f->work)
		f->work = tn_work_new(f->loop, NULL);
	io->job.run = io_run;
	io->job.done = io->job.drop = io_done;
	if (!f->work || !tn_work_start(f->work, lane, &io->job))
		return false;
	f->n_calls++;
	return true;
}

static struct tn_lane *lane_of(struct io *io)
{
	if (!io->held)
		return NULL;
	return io->call == READ ? &io->held->reads : &io->held->writes;
}

/* Takes io, which may be NULL (no memory). */
static enum tn_status start_for(struct tn_req *r, struct tn_fdio *f, struct io *io)
{
	if (!io || !tn_keep(r))
		goto no_memory;
	io->r = r;
	if (!start(f, io, lane_of(io)))
		goto no_memory;
	r->keeper = io;
	return TN_LATER;

no_memory:
	if (io && io->own)
		close(io->fd);
	if (io)
		io_free(io);
	return tn_fail(r, TN_ENOMEM);
}

static struct io *bytes_of(struct tn_fdio *f, struct tn_req *r, enum call call, int fd)
{
	struct io *io = tn_alloc(sizeof(*io));

	if (!io)
		return NULL;
	*io = (struct io){ .f = f,
		.call = call,
		.fd = fd,
		.count = r->u.io.count,
		.offset = r->u.io.offset };
	io->data = tn_alloc(io->count);
	if (!io->data) {
		tn_free(io);
		return NULL;
	}
	if (call == WRITE)
		memcpy(io->data, r->u.io.data, io->count);
	return io;
}

/* By a descriptor of its own: whose it is may close it while a worker waits. */
static enum tn_status on_copy(struct tn_fdio *f, struct tn_req *r, enum call call, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	struct io *io;

	if (copy < 0)
		return tn_fail(r, tn_err_of_linux((uint32_t)errno));
	io = bytes_of(f, r, call, copy);
	if (io)
		io->own = true;
	else
		close(copy);
	return start_for(r, f, io);
}

enum tn_status tn_fdio_read(struct tn_fdio *f, struct tn_req *r, int fd)
{
	return on_copy(f, r, READ, fd);
}

enum tn_status tn_fdio_write(struct tn_fdio *f, struct tn_req *r, int fd)
{
	return on_copy(f, r, WRITE, fd);
}

void tn_fdio_flush(struct tn_fdio *f, struct tn_req *r)
{
	struct io *io = r->keeper;

	if (!io)
		return;
	r->keeper = NULL;
	io->r = NULL;
	tn_count_up(&io->cancelled);
	if (tn_work_cancel(f->work, &io->job)) {
		if (io->own)
			close(io->fd);
		io_free(io);
		f->n_calls--;
	}
	tn_fail(r, TN_EINTR);
	tn_respond(r);
}

struct tn_fdio *tn_fdio_new(struct tn_loop *loop)
{
	struct tn_fdio *f = tn_alloc(sizeof(*f));

	if (f)
		f->loop = loop;
	return f;
}

void tn_fdio_free(struct tn_fdio *f)
{
	if (!f)
		return;
	f->gone = true;
	f->n_calls++;
	call_over(f);
}

/* ---- #fd ---- */

static bool is_foreign(const struct tn_req *r)
{
	return r->pid != 0 && r->pid != (uint32_t)getpid();
}

static int64_t next_own(uint32_t from)
{
	for (uint32_t fd = from; fd <= STDERR_FILENO; fd++) {
		if (fcntl((int)fd, F_GETFD) >= 0)
			return fd;
	}
	return -1;
}

/* Names in /proc are looked at, and where they lead is not. */
static int64_t fd_next(void *arg, const struct tn_req *r, uint32_t from)
{
	int64_t best = -1;
	struct dirent *entry;
	char path[PATH_SIZE];
	DIR *dir;

	(void)arg;
	if (!is_foreign(r))
		return next_own(from);
	snprintf(path, sizeof(path), "/proc/%u/fd", (unsigned)r->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		int64_t fd = entry->d_name[0] == '.' ? -1 : strtoll(entry->d_name, NULL, 10);

		if (fd >= (int64_t)from && (best < 0 || fd < best))
			best = fd;
	}
	if (dir)
		closedir(dir);
	return best;
}

/* proc(5): the owner's bits of the link are how the descriptor was opened. */
static void fd_info(void *arg, const struct tn_req *r, uint32_t fd, struct tn_stat *st)
{
	uint32_t pid = is_foreign(r) ? r->pid : (uint32_t)getpid();
	char path[PATH_SIZE];
	struct stat link;

	(void)arg;
	snprintf(path, sizeof(path), "/proc/%u/fd/%u", (unsigned)pid, (unsigned)fd);
	if (lstat(path, &link) == 0)
		st->mode = link.st_mode & 0600;
}

static enum tn_status fd_open(void *arg, struct tn_req *r, uint32_t fd)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY };
	struct io *io;

	if ((r->flags & TN_OF_ACCESS) == TN_OEXEC || r->flags & TN_OF_RCLOSE)
		return tn_fail(r, TN_EACCES);
	if (!is_foreign(r) && fd > STDERR_FILENO)
		return tn_fail(r, TN_ENOENT);
	io = tn_alloc(sizeof(*io));
	if (io) {
		*io = (struct io){ .f = arg, .call = OPEN, .fd = -1, .number = fd };
		io->pid = is_foreign(r) ? r->pid : (uint32_t)getpid();
		io->flags = flags[r->flags & TN_OF_ACCESS];
	}
	return start_for(r, arg, io);
}

static enum tn_status on_held(struct tn_fdio *f, struct tn_req *r, enum call call)
{
	struct held *h = r->chan->aux.p;
	struct io *io = h ? bytes_of(f, r, call, h->fd) : NULL;

	if (!h)
		return tn_fail(r, TN_ENOTOPEN);
	if (io) {
		io->held = h;
		h->refs++;
	}
	return start_for(r, f, io);
}

static enum tn_status fd_read(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)fd;
	return on_held(arg, r, READ);
}

static enum tn_status fd_write(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)fd;
	return on_held(arg, r, WRITE);
}

static void fd_flush(void *arg, struct tn_req *r, uint32_t fd)
{
	(void)fd;
	tn_fdio_flush(arg, r);
}

static void fd_clunk(void *arg, struct tn_req *r, uint32_t fd)
{
	struct held *h = r->chan->aux.p;

	(void)fd;
	r->chan->aux.p = NULL;
	held_put(arg, h);
}

struct tn_server *tn_descriptors_new(struct tn_loop *loop, struct tn_fdio *f)
{
	const struct tn_fd_host host = {
		.arg = f,
		.next = fd_next,
		.info = fd_info,
		.open = fd_open,
		.read = fd_read,
		.write = fd_write,
		.flush = fd_flush,
		.clunk = fd_clunk,
	};

	return tn_fd_new(loop, &host);
}
