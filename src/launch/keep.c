/* The holder shares S's memory until it ends: it may be traced by nobody, and it has no capability in M1. */
#include "launch/keep.h"

#include "launch/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_ns(pid_t pid, const char *which)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/ns/%s", (int)pid, which);
	return open(name, O_RDONLY | O_CLOEXEC);
}

_Noreturn static void hold(int mounts, int ready, pid_t server)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	sigset_t all;
	int error = 0;

	if (setns(mounts, CLONE_NEWNS) < 0 || syscall(SYS_capset, &head, none) < 0)
		error = errno;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* behind what clears it */
	if (error || getppid() != server || write(ready, "", 1) != 1)
		_exit(1);
	syscall(SYS_close_range, 0u, ~0u, 0u);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (;;)
		pause();
}

int tn_keep_hold(struct tn_live_place *place)
{
	pid_t by, server = getpid(), pid;
	int mounts = tn_live_open(place, &by), ends[2];
	char one;

	if (mounts < 0)
		return ESRCH;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		close(mounts);
		return errno;
	}
	pid = fork();
	if (pid == 0)
		hold(mounts, ends[1], server);
	close(ends[1]);
	if (pid < 0 || read(ends[0], &one, 1) != 1) {
		close(ends[0]);
		close(mounts);
		return EPERM;
	}
	close(ends[0]);
	place->held = mounts;
	place->holder = pid;
	return 0;
}

pid_t tn_keep_someone(const struct tn_live_place *place)
{
	pid_t found = tn_mntns_of(place->pids[0]) == place->mntns ? place->pids[0] : 0;
	DIR *proc = found || !place->mntns ? NULL : opendir("/proc");
	struct dirent *e;

	while (!found && proc && (e = readdir(proc))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 0 && pid != place->holder && tn_mntns_of(pid) == place->mntns)
			found = pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

int tn_keep_doors(const struct tn_live_place *place, bool with_pids, int fds[TN_DOORS])
{
	int error = ESRCH;
	pid_t by;

	fds[TN_DOOR_PIDS] = -1;
	fds[TN_DOOR_MOUNTS] = tn_live_open(place, &by);
	fds[TN_DOOR_USER] = fds[TN_DOOR_MOUNTS] < 0 ? -1 : open_ns(getpid(), "user");
	if (fds[TN_DOOR_USER] >= 0 && with_pids)
		fds[TN_DOOR_PIDS] = open_ns(by, "pid");
	if (fds[TN_DOOR_USER] >= 0 && (fds[TN_DOOR_PIDS] >= 0 || !with_pids))
		return 0;
	error = fds[TN_DOOR_MOUNTS] < 0 ? error : errno;
	for (int i = 0; i < TN_DOORS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return error;
}
