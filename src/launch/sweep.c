/*
 * Kills by pidfd, so that a number that was given anew is never hit: the mounts are looked at again behind the
 * pidfd_open. Between two rounds it waits for a victim's end, not for time. /proc/PID/mountinfo is text of the kernel:
 * reading it asks no file system, least of all the one whose server may be dead.
 */
#include "launch/sweep.h"

#include "host/posix/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TREES_MAX = 32 };

uint64_t tn_mntns_of(pid_t pid)
{
	char name[64];
	struct stat st;

	if (pid)
		snprintf(name, sizeof(name), "/proc/%d/ns/mnt", (int)pid);
	else
		snprintf(name, sizeof(name), "/proc/self/ns/mnt");
	return stat(name, &st) == 0 ? st.st_ino : 0;
}

int tn_mntns_open(pid_t pid)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", (int)pid);
	return open(name, O_RDONLY | O_CLOEXEC);
}

/* A line of mountinfo: is it a file system of ours? Its device, and where it is mounted. */
static bool is_ours(const char *line, dev_t *device, char place[4096])
{
	unsigned major_number, minor_number;

	if (!strstr(line, " - fuse tenon "))
		return false;
	if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &major_number, &minor_number, place) != 3)
		return false;
	*device = makedev(major_number, minor_number);
	return true;
}

/* The last line about `dir` (NULL: any) and about `device` (0: any) in a process's mountinfo; 0: there is none. */
static dev_t find_mount(const char *file, const char *dir, dev_t device)
{
	FILE *f = fopen(file, "re");
	char *line = NULL, place[4096];
	size_t size = 0;
	dev_t found = 0, d;

	while (f && getline(&line, &size, f) > 0) {
		if (!is_ours(line, &d, place) || (dir && strcmp(dir, place) != 0))
			continue;
		if (!device || device == d)
			found = d;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

bool tn_sees(pid_t pid, dev_t device)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)pid);
	return find_mount(name, NULL, device) == device;
}

dev_t tn_fuse_device(const char *dir)
{
	return find_mount("/proc/self/mountinfo", dir, 0);
}

/*
 * What is swept: the tree that was asked for, and the trees that were begun inside of it. Those who are in one of these
 * may see nothing of the first, and who would sweep them, its front and its server, are victims too. Kept from one call to
 * the next: S sweeps round by round.
 */
static struct {
	dev_t device[TREES_MAX];
	size_t n;
} trees;

static bool is_swept(dev_t device)
{
	for (size_t i = 0; i < trees.n; i++) {
		if (trees.device[i] == device)
			return true;
	}
	return false;
}

/* The server's descriptor says that the file system has gone. */
static bool has_gone(int fuse)
{
	struct pollfd p = { .fd = fuse };

	return fuse >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL));
}

/* In the first tree as long as that is there: behind its end its number may be another's. The others are held. */
static bool is_inside(pid_t pid, int fuse)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)pid);
	for (size_t i = 0; i < trees.n; i++) {
		if (find_mount(name, NULL, trees.device[i]) == trees.device[i] &&
		    (i > 0 || !has_gone(fuse)))
			return true;
	}
	return false;
}

static bool is_tenon(pid_t pid)
{
	char name[64], comm[32] = "";
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/comm", (int)pid);
	f = fopen(name, "re");
	if (f && !fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	if (f)
		fclose(f);
	return strncmp(comm, "tenon", 5) == 0;
}

/*
 * The victim may be the front of a tree of its own: then its child has that as its root. What we are in ourselves stays.
 * The name space stays open until we end, which is soon, and with it the device keeps its number.
 */
static void adopt_tree(pid_t child)
{
	char name[64];
	dev_t device;

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)child);
	device = find_mount(name, "/", 0);
	if (!device || is_swept(device) || trees.n == TREES_MAX ||
	    find_mount("/proc/self/mountinfo", NULL, device) == device)
		return;
	if (tn_mntns_open(child) >= 0)
		trees.device[trees.n++] = device;
}

static void adopt_trees(pid_t victim)
{
	char name[64];
	int child;
	FILE *f;

	if (!is_tenon(victim))
		return;
	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)victim, (int)victim);
	f = fopen(name, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		adopt_tree((pid_t)child);
	if (f)
		fclose(f);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int adopt_if_inside(pid_t pid, int fuse)
{
	if (is_inside(pid, fuse))
		adopt_trees(pid);
	return -1;
}

/* Kills pid if it is inside. Returns a pidfd of a victim, or -1. */
static int kill_if_inside(pid_t pid, int fuse)
{
	int fd;

	if (!is_inside(pid, fuse))
		return -1;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -1;
	if (is_inside(pid, fuse) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Once over /proc. Returns the victims; a pidfd of one of them in *one. */
static int scan(int (*visit)(pid_t pid, int fuse), int fuse, int *one)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (proc && (e = readdir(proc))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		int fd = pid > 0 && pid != getpid() ? visit(pid, fuse) : -1;

		if (fd < 0)
			continue;
		n++;
		if (*one >= 0)
			close(*one);
		*one = fd;
	}
	if (proc)
		closedir(proc);
	return n;
}

/* One round. All trees are known before anybody is killed: who sweeps an inner one may be killed while it does. */
static int round_of(int fuse, int *one)
{
	size_t n_trees;

	*one = -1;
	do {
		n_trees = trees.n;
		scan(adopt_if_inside, fuse, one);
	} while (trees.n > n_trees);
	return scan(kill_if_inside, fuse, one);
}

int tn_sweep(dev_t device, int fuse, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	int left = 0;

	if (device && !is_swept(device))
		trees.device[trees.n++] = device;
	while (device) {
		struct pollfd p = { .events = POLLIN };

		left = round_of(fuse, &p.fd);
		if (!left || now_ms() >= end)
			break;
		poll(&p, 1, 100);
		close(p.fd);
	}
	return left;
}

/* ---- one's own children ---- */

void tn_sweep_children(int children, int timeout_ms)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	int64_t end = now_ms() + timeout_ms;
	pid_t pid = 0;

	while (pid >= 0 && now_ms() < end) {
		tn_children_kill(children);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		}
		if (pid == 0)
			nanosleep(&moment, NULL);
	}
}
