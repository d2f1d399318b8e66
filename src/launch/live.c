/*
 * The child first clones what comes from the host, because inside M1 the host's tree is out of sight; then it enters, and
 * only then names are resolved. It is killed when S dies and ends by an alarm if a name does not answer.
 */
#include "launch/live.h"

#include "launch/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MOVE_MOUNT_BENEATH /* Linux 6.5 */
#define MOVE_MOUNT_BENEATH 0x200
#endif

enum { CHILD_SECONDS = 20 };

/* What the child says at the end: of each op, whether it was done, or where it failed. error: none could be. */
struct report {
	int error;
	uint32_t step;
	struct {
		int16_t error;
		uint8_t step, is_done;
	} ops[TN_LIVE_OPS_MAX];
};

/* ---- the child ---- */

struct child {
	const struct tn_live_place *place;
	struct tn_live_op *ops;
	size_t n;
	int trees[TN_LIVE_OPS_MAX];
	struct report report;
	int pipe;
};

_Noreturn static void finish(struct child *c, enum tn_step step, int error)
{
	char whole[sizeof(c->report)];

	c->report.error = error;
	c->report.step = step;
	memcpy(whole, &c->report, sizeof(whole));
	_exit(write(c->pipe, whole, sizeof(whole)) == sizeof(whole) ? 0 : 1);
}

static void fail(struct child *c, size_t i, enum tn_step step, int error)
{
	c->report.ops[i].error = (int16_t)error;
	c->report.ops[i].step = (uint8_t)step;
}

static int clone_tree(int dir, const char *name)
{
	const unsigned flags = OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC |
			       (name[0] ? 0 : AT_EMPTY_PATH);

	return (int)syscall(SYS_open_tree, dir, name, flags);
}

static void clone_from_host(struct child *c)
{
	for (size_t i = 0; i < c->n; i++) {
		c->trees[i] = c->ops[i].what == TN_LIVE_HOST ? clone_tree(c->ops[i].fd, "") : -1;
		if (c->ops[i].what == TN_LIVE_HOST && c->trees[i] < 0)
			fail(c, i, TN_STEP_OPEN_TREE, errno);
	}
}

/* Does fd lie in the mount `top`? Kernels before 5.8 do not say: then it is believed. */
static bool is_in_mount(int fd, uint32_t top)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &x) < 0)
		return false;
	return !(x.stx_mask & STATX_MNT_ID) || x.stx_mnt_id == top;
}

/*
 * What is mounted below a tree's directories is S's to say, name by name: so the tree is nobody's peer in here. But who
 * makes a mount name space of his own in here (a nested tenon run) sees later mounts, as he would on the host.
 */
static bool make_own_group(int tree)
{
	struct mount_attr private = { .propagation = MS_PRIVATE },
			  shared = { .propagation = MS_SHARED };
	const unsigned flags = AT_EMPTY_PATH | AT_RECURSIVE;

	return syscall(SYS_mount_setattr, tree, "", flags, &private, sizeof(private)) == 0 &&
	       syscall(SYS_mount_setattr, tree, "", flags, &shared, sizeof(shared)) == 0;
}

static int move_tree(int tree, int to, unsigned flags)
{
	return (int)syscall(SYS_move_mount, tree, "", to, "",
	    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | flags);
}

/*
 * The tree goes beneath what is there, which goes then: nobody finds the name without a mount. On top it would go with
 * that one's directory when the host removes it; kernels before 6.5 know no better (EINVAL).
 */
static void replace_tree(struct child *c, size_t i, int to)
{
	if (move_tree(c->trees[i], to, MOVE_MOUNT_BENEATH) == 0) {
		c->report.ops[i].is_done = 1;
		if (umount2(c->ops[i].to, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			fail(c, i, TN_STEP_UNMOUNT, errno);
		return;
	}
	if (errno == EINVAL && move_tree(c->trees[i], to, 0) == 0)
		c->report.ops[i].is_done = 1;
	else
		fail(c, i, TN_STEP_MOVE_MOUNT, errno);
}

static void put_tree(struct child *c, size_t i, int to)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (c->place->read_only && syscall(SYS_mount_setattr, c->trees[i], "",
				       AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		fail(c, i, TN_STEP_READ_ONLY, errno);
	else if (!make_own_group(c->trees[i]))
		fail(c, i, TN_STEP_SHARED, errno);
	else if (c->ops[i].replace)
		replace_tree(c, i, to);
	else if (move_tree(c->trees[i], to, 0) < 0)
		fail(c, i, TN_STEP_MOVE_MOUNT, errno);
	else
		c->report.ops[i].is_done = 1;
}

static void unmount(struct child *c, size_t i)
{
	if (umount2(c->ops[i].to, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		fail(c, i, TN_STEP_UNMOUNT, errno);
	else
		c->report.ops[i].is_done = 1;
}

static void do_op(struct child *c, size_t i)
{
	const struct tn_live_op *op = &c->ops[i];
	int to;

	if (c->report.ops[i].error)
		return;
	if (op->what == TN_LIVE_FUSE && (c->trees[i] = clone_tree(AT_FDCWD, op->from)) < 0) {
		fail(c, i, TN_STEP_OPEN_TREE, errno);
		return;
	}
	to = open(op->to, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (to >= 0 && is_in_mount(to, op->top)) {
		if (op->what == TN_LIVE_UNMOUNT)
			unmount(c, i);
		else
			put_tree(c, i, to);
	} else {
		fail(c, i, TN_STEP_MOVE_MOUNT, to < 0 ? errno : ESTALE);
	}
	if (to >= 0)
		close(to);
}

_Noreturn static void child_main(struct child *c, int mntns)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	alarm(CHILD_SECONDS);
	clone_from_host(c);
	if (setns(mntns, CLONE_NEWNS) < 0)
		finish(c, TN_STEP_ENTER, errno);
	for (size_t i = 0; i < c->n; i++)
		do_op(c, i);
	finish(c, TN_STEP_NONE, 0);
}

/* ---- S ---- */

/* The name space by way of a process in it, or -1. */
static int open_by(pid_t pid, uint64_t mntns)
{
	char name[64];
	struct stat st;
	int fd;

	if (pid <= 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", (int)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == mntns)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int tn_live_open(const struct tn_live_place *place, pid_t *by)
{
	struct dirent *e;
	DIR *proc;
	int fd = -1;

	for (size_t i = 0; i < 2 && fd < 0; i++) {
		*by = place->pids[i];
		fd = open_by(*by, place->mntns);
	}
	if (fd < 0 && place->holder) {
		*by = place->holder;
		fd = fcntl(place->held, F_DUPFD_CLOEXEC, 0);
	}
	if (fd >= 0)
		return fd;
	proc = opendir("/proc");
	while (fd < 0 && proc && (e = readdir(proc))) {
		*by = (pid_t)atoi(e->d_name);
		fd = open_by(*by, place->mntns);
	}
	if (proc)
		closedir(proc);
	return fd;
}

pid_t tn_live_someone(const struct tn_live_place *place)
{
	pid_t by = 0;
	int fd = tn_live_open(place, &by);

	if (fd < 0)
		return 0;
	close(fd);
	return by;
}

struct waiting {
	uv_poll_t poll; /* first */
	struct report report;
	size_t got;
	int fd;
	bool is_over, is_closed;
};

static void closed(uv_handle_t *handle)
{
	((struct waiting *)handle)->is_closed = true;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct waiting *w = (struct waiting *)poll;
	ssize_t n = read(w->fd, (char *)&w->report + w->got, sizeof(w->report) - w->got);

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	w->got += n > 0 ? (size_t)n : 0;
	w->is_over = n <= 0 || w->got == sizeof(w->report);
}

/* Turns the loop until the child's report or its end has come. */
static bool await_report(struct tn_host_loop *hl, int fd, struct report *report)
{
	struct waiting w = { .fd = fd };

	if (uv_poll_init(tn_host_loop_uv(hl), &w.poll, fd) != 0)
		return false;
	if (uv_poll_start(&w.poll, UV_READABLE, readable) != 0)
		w.is_over = true;
	while (!w.is_over)
		tn_host_loop_turn(tn_host_loop_core(hl));
	uv_close((uv_handle_t *)&w.poll, closed);
	while (!w.is_closed)
		tn_host_loop_turn(tn_host_loop_core(hl));
	*report = w.report;
	return w.got == sizeof(w.report);
}

static pid_t start_child(const struct tn_live_place *place, struct tn_live_op *ops, size_t n,
    int mntns, int ends[2])
{
	struct child c = { .place = place, .ops = ops, .n = n };
	pid_t pid = fork();

	if (pid == 0) {
		c.pipe = ends[1];
		child_main(&c, mntns);
	}
	close(ends[1]);
	return pid;
}

static void take_report(const struct report *report, struct tn_live_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ops[i].is_done = report->ops[i].is_done;
		ops[i].error = report->ops[i].error;
		ops[i].step = (enum tn_step)report->ops[i].step;
	}
}

int tn_live_run(struct tn_host_loop *hl, const struct tn_live_place *place, struct tn_live_op *ops,
    size_t n, enum tn_step *step)
{
	struct report report = { .error = EIO, .step = TN_STEP_ENTER };
	int ends[2], mntns, status;
	pid_t pid;

	*step = TN_STEP_ENTER;
	mntns = tn_live_open(place, &pid);
	if (mntns < 0 || n > TN_LIVE_OPS_MAX)
		return mntns < 0 ? ESRCH : EMFILE;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(mntns);
		return errno;
	}
	pid = start_child(place, ops, n, mntns, ends);
	close(mntns);
	if (pid > 0 && !await_report(hl, ends[0], &report)) {
		report = (struct report){ .error = ETIMEDOUT, .step = TN_STEP_ENTER };
		kill(pid, SIGKILL);
	}
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	take_report(&report, ops, n);
	*step = (enum tn_step)report.step;
	return report.error;
}
