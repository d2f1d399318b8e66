/* Order: U first, whose rights the others need; M1 last, because it hides the host's /proc. */
#include "launch/join.h"

#include "host/posix/children.h"
#include "launch/front.h"
#include "launch/keep.h"
#include "launch/pids.h"
#include "launch/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

/* Whether one stands in it already: to enter one's own again is an error of the kernel's. */
static bool is_own(int fd, const char *file)
{
	struct stat other, own;

	return fstat(fd, &other) == 0 && stat(file, &own) == 0 && other.st_ino == own.st_ino &&
	       other.st_dev == own.st_dev;
}

void tn_join_command(const struct tn_command *c)
{
	struct tn_talk inside = tn_talk_of(TN_TALK_INSIDE);
	char *cwd = getcwd(NULL, 0);
	struct tn_command below = *c;

	below.children = tn_children_open();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!is_own(c->user_ns, "/proc/self/ns/user") && setns(c->user_ns, CLONE_NEWUSER) < 0)
		tn_talk_die(c->report, TN_STEP_JOIN, errno);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* who is inside must not come by our rights */
	if (c->pid_ns >= 0 && !is_own(c->pid_ns, "/proc/self/ns/pid") &&
	    setns(c->pid_ns, CLONE_NEWPID) < 0)
		tn_talk_die(c->report, TN_STEP_JOIN, errno);
	if (setns(c->mnt_ns, CLONE_NEWNS) < 0)
		tn_talk_die(c->report, TN_STEP_JOIN, errno);
	tn_talk_send(c->report, &inside, NULL, 0);
	if ((!cwd || cwd[0] != '/' || chdir(cwd) < 0) && chdir("/") < 0)
		tn_talk_die(c->report, TN_STEP_JOIN, errno);
	free(cwd);
	tn_pids_exec_below(&below);
}

static int say(const char *name, const char *cause)
{
	fprintf(stderr, "tenon run: %s: %s\n", name, cause);
	return 1;
}

int tn_join(const struct tn_control_at *at, const char *name, char *const *argv)
{
	struct tn_front front = { .who = "tenon run", .argv = argv, .joins = true };
	int fds[TN_DOORS], server, status;
	char *answer = NULL;
	uint64_t device = 0;

	status = tn_control_doors(at, ANSWER_MS, fds, &server, &answer);
	if (status != 0) {
		status = say(name, answer ? answer : "no memory");
		free(answer);
		return status;
	}
	if (fds[TN_DOOR_USER] < 0 || fds[TN_DOOR_MOUNTS] < 0 ||
	    sscanf(answer, "device %" SCNu64, &device) != 1)
		return say(name, "the server of the name space is of another version");
	free(answer);
	front.pids = fds[TN_DOOR_PIDS] >= 0;
	return tn_front_join(&front, server, fds, (dev_t)device);
}
