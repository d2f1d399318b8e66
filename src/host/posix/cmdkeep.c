/*
 * The keeper is a subreaper in a session of its own. Descriptors get fixed places first, so that nothing else stays open in
 * what it runs.
 */
#include "host/posix/cmdkeep.h"

#include "host/posix/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where the descriptors are in the keeper; those from LIFE on are closed in the command. */
enum { LIFE = 3, REPORT, CHILDREN, SIGNALS, PLACES };

struct keeper {
	pid_t pid; /* the command; 0: it has ended */
	int64_t begun_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint32_t ms_of(struct timeval t)
{
	return (uint32_t)(t.tv_sec * 1000 + t.tv_usec / 1000);
}

/* First all out of the way, or one would be put upon another. */
static void place_fds(const struct cmd_keep *k)
{
	int fds[] = { k->in, k->out, k->err, k->life, k->report };
	const int n = (int)(sizeof(fds) / sizeof(fds[0]));

	for (int i = 0; i < n; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, 64);
	for (int i = 0; i < n; i++)
		dup2(fds[i], i);
	syscall(SYS_close_range, (unsigned)n, ~0u, 0u);
	fcntl(LIFE, F_SETFD, FD_CLOEXEC);
	fcntl(REPORT, F_SETFD, FD_CLOEXEC);
}

/* Signals as they are at the beginning of a program; CHLD to be read. */
static void place_signals(void)
{
	sigset_t child;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigfillset(&child);
	sigprocmask(SIG_SETMASK, &child, NULL); /* what is sent to it is nobody's affair */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK) != SIGNALS)
		_exit(1);
}

static void report(enum cmd_report_kind kind, int value, const struct keeper *kp,
    const struct rusage *used)
{
	struct cmd_report r = { .kind = kind, .value = value, .pid = kp->pid };

	if (used) {
		r.user_ms = ms_of(used->ru_utime);
		r.system_ms = ms_of(used->ru_stime);
		r.real_ms = (uint32_t)(now_ms() - kp->begun_ms);
	}
	if (write(REPORT, &r, sizeof(r)) < 0)
		return; /* nobody is left to hear it; what was begun must be ended all the same */
}

_Noreturn static void run(const struct cmd_keep *k, int failed)
{
	sigset_t none;
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the keeper may be killed */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (k->nice)
		nice(k->nice);
	if (k->dir[0] == '\0' || chdir(k->dir) == 0)
		execvp(k->argv[0], (char *const *)(uintptr_t)k->argv);
	error = errno;
	if (write(failed, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

/* Forks the command and follows it to its exec. */
static void begin(const struct cmd_keep *k, struct keeper *kp)
{
	int ends[2], error = 0;

	kp->begun_ms = now_ms();
	if (pipe2(ends, O_CLOEXEC) < 0 || (kp->pid = fork()) < 0) {
		report(CMD_FAILED, errno, kp, NULL);
		_exit(0);
	}
	if (kp->pid == 0)
		run(k, ends[1]);
	close(ends[1]);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	if (read(ends[0], &error, sizeof(error)) == sizeof(error)) {
		report(CMD_FAILED, error, kp, NULL);
		_exit(0);
	}
	close(ends[0]);
	report(CMD_STARTED, 0, kp, NULL);
}

/* false: there is no child left. */
static bool reap(struct keeper *kp)
{
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
		if (pid != kp->pid)
			continue;
		report(CMD_ENDED, status, kp, &used);
		kp->pid = 0;
	}
	return pid == 0;
}

/* Until none is left: who was forked meanwhile comes to us when its parent is dead. */
static void kill_all(struct keeper *kp)
{
	struct pollfd p = { .fd = SIGNALS, .events = POLLIN };
	struct signalfd_siginfo info;

	while (reap(kp)) {
		tn_children_kill(CHILDREN);
		poll(&p, 1, 10);
		while (read(SIGNALS, &info, sizeof(info)) > 0) {
		}
	}
}

void cmd_keep(const struct cmd_keep *k)
{
	struct pollfd polls[2] = { { .fd = LIFE, .events = POLLIN },
		{ .fd = SIGNALS, .events = POLLIN } };
	struct signalfd_siginfo info;
	struct keeper kp = { 0 };
	char byte;

	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	place_fds(k);
	if (tn_children_open() != CHILDREN)
		_exit(1);
	place_signals();
	begin(k, &kp);
	for (;;) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		while (read(SIGNALS, &info, sizeof(info)) > 0) {
		}
		reap(&kp);
		if (!polls[0].revents)
			continue;
		kill_all(&kp);
		if (read(LIFE, &byte, 1) <= 0)
			_exit(0);
	}
}
