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

enum { CHILD_SECONDS = 20 };

/* What the child says at the end: op `failed` of n failed at `step`; done and was_fuse of each op behind it. */
struct report {
	int error;
	uint32_t step, failed;
	uint8_t done[TN_LIVE_OPS_MAX], was_fuse[TN_LIVE_OPS_MAX];
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

_Noreturn static void finish(struct child *c, enum tn_step step, size_t failed, int error)
{
	char whole[sizeof(c->report)];

	c->report.error = error;
	c->report.step = step;
	c->report.failed = (uint32_t)failed;
	memcpy(whole, &c->report, sizeof(whole));
	_exit(write(c->pipe, whole, sizeof(whole)) == sizeof(whole) ? 0 : 1);
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
			finish(c, TN_STEP_OPEN_TREE, i, errno);
	}
}

/* The name inside leads to the very file that fd is: then its clone is the better one. */
static void prefer_inside(struct child *c, size_t i)
{
	struct stat inside, host;
	int fd, tree;

	if (!c->ops[i].from)
		return;
	fd = open(c->ops[i].from, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &inside) == 0 && fstat(c->ops[i].fd, &host) == 0 &&
	    inside.st_dev == host.st_dev && inside.st_ino == host.st_ino) {
		tree = clone_tree(fd, "");
		if (tree >= 0) {
			close(c->trees[i]);
			c->trees[i] = tree;
		}
	}
	close(fd);
}

static void put_tree(struct child *c, size_t i, int to)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	if (c->place->read_only && syscall(SYS_mount_setattr, c->trees[i], "",
				       AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		finish(c, TN_STEP_READ_ONLY, i, errno);
	if (syscall(SYS_move_mount, c->trees[i], "", to, "", flags) < 0)
		finish(c, TN_STEP_MOVE_MOUNT, i, errno);
	c->report.done[i] = 1;
}

static void do_mount(struct child *c, size_t i)
{
	int to = open(c->ops[i].to, O_PATH | O_CLOEXEC);
	struct stat st;

	if (to < 0 || fstat(to, &st) < 0)
		finish(c, TN_STEP_MOVE_MOUNT, i, errno);
	c->report.was_fuse[i] = st.st_dev == c->place->device;
	if (c->ops[i].what == TN_LIVE_FUSE) {
		if (st.st_dev == c->place->device) {
			close(to);
			return;
		}
		c->trees[i] = clone_tree(AT_FDCWD, c->ops[i].from);
		if (c->trees[i] < 0)
			finish(c, TN_STEP_OPEN_TREE, i, errno);
	} else {
		prefer_inside(c, i);
	}
	put_tree(c, i, to);
	close(to);
}

_Noreturn static void child_main(struct child *c, int mntns)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	alarm(CHILD_SECONDS);
	clone_from_host(c);
	if (setns(mntns, CLONE_NEWNS) < 0)
		finish(c, TN_STEP_ENTER, c->n, errno);
	for (size_t i = 0; i < c->n; i++) {
		if (c->ops[i].what != TN_LIVE_UNMOUNT)
			do_mount(c, i);
		else if (umount2(c->ops[i].to, MNT_DETACH) < 0)
			finish(c, TN_STEP_UNMOUNT, i, errno);
		else
			c->report.done[i] = 1;
	}
	finish(c, TN_STEP_NONE, c->n, 0);
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

static int open_mntns(const struct tn_live_place *place)
{
	struct dirent *e;
	DIR *proc;
	int fd = open_by(place->pids[0], place->mntns);

	if (fd < 0)
		fd = open_by(place->pids[1], place->mntns);
	if (fd >= 0)
		return fd;
	proc = opendir("/proc");
	while (fd < 0 && proc && (e = readdir(proc)))
		fd = open_by((pid_t)atoi(e->d_name), place->mntns);
	if (proc)
		closedir(proc);
	return fd;
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

int tn_live_run(struct tn_host_loop *hl, const struct tn_live_place *place, struct tn_live_op *ops,
    size_t n, enum tn_step *step, size_t *failed)
{
	int ends[2], mntns = open_mntns(place), status;
	struct report report = { .error = EIO, .step = TN_STEP_ENTER };
	pid_t pid;

	*step = TN_STEP_ENTER;
	*failed = n;
	if (mntns < 0 || n > TN_LIVE_OPS_MAX)
		return mntns < 0 ? ESRCH : EMFILE;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(mntns);
		return errno;
	}
	pid = start_child(place, ops, n, mntns, ends);
	close(mntns);
	if (pid > 0 && !await_report(hl, ends[0], &report)) {
		report = (struct report){ .error = ETIMEDOUT,
			.step = TN_STEP_ENTER,
			.failed = (uint32_t)n };
		kill(pid, SIGKILL);
	}
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	for (size_t i = 0; i < n; i++) {
		ops[i].is_done = report.done[i];
		ops[i].was_fuse = report.was_fuse[i];
	}
	*step = (enum tn_step)report.step;
	*failed = report.failed;
	return report.error;
}
