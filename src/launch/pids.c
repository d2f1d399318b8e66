/*
 * The keeper and pid 1. Pid 1 cannot stop itself, so stops go to the front as messages like ends do, and the front
 * answers with signals to pass on. Both life sockets' other ends are held by the front and by S alone: the end of file
 * of either is their death.
 */
#include "launch/pids.h"

#include "launch/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SWEEP_MS = 5000 };

void tn_pids_become_first(const struct tn_command *c)
{
	sigset_t all, before;
	pid_t pid;
	int status = 0;

	/* What the terminal or a kill sends to the whole job is CMD's affair: the keeper must neither stop nor end by it. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (unshare(CLONE_NEWPID) < 0)
		tn_talk_die(c->report, TN_STEP_PIDNS, errno);
	pid = fork();
	if (pid < 0)
		tn_talk_die(c->report, TN_STEP_FORK, errno);
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	/* Nothing of the front's may stay open here: its end of file says how far CMD has come. */
	close(c->report);
	close(c->front_life);
	close(c->server_life);
	close(c->server);
	close(c->fuse);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
}

struct cmd {
	pid_t pid;
	uint64_t stops; /* how often it has stopped */
	bool is_stopped, has_ended, was_killed;
};

static void take_state(const struct tn_command *c, struct cmd *cmd, int status)
{
	struct tn_talk m = tn_talk_of(TN_TALK_PIDS);

	cmd->is_stopped = WIFSTOPPED(status);
	cmd->stops += cmd->is_stopped;
	cmd->has_ended = WIFEXITED(status) || WIFSIGNALED(status);
	cmd->was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	m.error = status;
	if (!WIFCONTINUED(status))
		tn_talk_send(c->front_life, &m, NULL, 0);
}

/* Passes states of CMD on, and reaps whoever was left to pid 1. */
static void reap(const struct tn_command *c, struct cmd *cmd)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid == cmd->pid)
			take_state(c, cmd, status);
	}
}

/*
 * What the front asks for. Its SIGCONT is for the last stop that it knows of, unless somebody else has seen to that: it
 * would take back a ^Z that has come since. Returns false when the front is gone.
 */
static bool obey_front(const struct tn_command *c, const struct cmd *cmd)
{
	struct tn_talk m;

	if (tn_talk_receive(c->front_life, &m, NULL, NULL) <= 0)
		return false;
	if (m.kind != TN_TALK_SIGNAL)
		return true;
	if (m.error != SIGCONT || (cmd->is_stopped && m.number == cmd->stops))
		kill(cmd->pid, m.error);
	return true;
}

/* Of pid 1 the kernel ends everybody inside with it; a keeper does so itself, unless CMD's was an ordinary end. */
_Noreturn static void end(const struct tn_command *c, const struct cmd *cmd)
{
	if (c->children >= 0 && (!cmd->has_ended || cmd->was_killed))
		tn_sweep_children(c->children, SWEEP_MS);
	_exit(0);
}

void tn_pids_exec_below(const struct tn_command *c)
{
	struct pollfd polls[3] = { { .events = POLLIN }, { .events = POLLIN },
		{ .events = POLLIN } };
	sigset_t child, all, before;
	struct cmd cmd = { 0 };

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigfillset(&all); /* what is sent to the job is CMD's affair */
	sigprocmask(SIG_BLOCK, &all, &before);
	polls[0].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	polls[1].fd = c->front_life;
	polls[2].fd = c->server_life;
	cmd.pid = fork();
	if (cmd.pid < 0 || polls[0].fd < 0)
		tn_talk_die(c->report, TN_STEP_FORK, errno);
	if (cmd.pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		tn_enter_exec(c);
	}
	close(c->report);
	close(c->server);
	for (;;) {
		struct signalfd_siginfo info;

		if (poll(polls, 3, -1) < 0 && errno != EINTR)
			_exit(125);
		while (read(polls[0].fd, &info, sizeof(info)) > 0) {
		}
		reap(c, &cmd);
		if (cmd.has_ended || (polls[1].revents && !obey_front(c, &cmd)))
			end(c, &cmd);
		if (polls[2].revents)
			tn_talk_die(c->front_life, TN_STEP_SERVER, EPIPE);
	}
}
