/*
 * CMD stays in front's process group and session, nobody calls setpgid: an inner shell moves itself and gives the
 * terminal back. S has a session of its own, or ^Z would stop it and with it everything inside. A death of S is swept
 * up by front (launch/sweep.h), a death of front by S; an ordinary end is told by BYE, so that jobs may outlive CMD.
 */
#include "launch/front.h"

#include "host/posix/children.h"
#include "launch/doctor.h"
#include "launch/join.h"
#include "launch/keep.h"
#include "launch/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_LACKING = 125, SWEEP_MS = 5000 };

struct front {
	const struct tn_front *spec;
	int server;            /* socket to S; joins: a pidfd of it */
	int life;              /* --pids: socket to pid 1; joins: to the keeper; else -1 */
	int server_life;       /* --pids: pid 1's socket to S, until CMD is forked; else -1 */
	int signals;           /* signalfd */
	pid_t server_pid, cmd; /* cmd: the keeper, with --pids or joins */
	int children;          /* joins: the list of our children, sweep.h; else -1 */
	dev_t device;          /* of the FUSE file system: what to sweep by */
	int pin; /* M1, so that nobody else gets that number; -1 before CMD is inside, and behind its end */
	int status;       /* CMD's wait status */
	uint64_t stops;   /* of CMD, as heard of */
	bool has_stopped; /* since the front last went on */
	bool has_ended;
	pid_t tty_group; /* --pids: who had the terminal when CMD stopped; 0: nobody */
	sigset_t mask;   /* as front was started with */
};

/* Passed on to CMD when they come from a kill. */
static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

/* The terminal sends them to CMD by itself. TTIN, TTOU: front gives the terminal back with --pids. */
static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };

/* ---- S ---- */

static bool socket_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
}

_Noreturn static void server_main(const struct tn_front *spec, int socket)
{
	struct tn_serve s = { .front = socket, .pids = spec->pids, .read_only = spec->read_only };
	const int on = 1;

	setsid();
	setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (!tn_enter_server(&s.entered))
		tn_talk_die(socket, s.entered.step, s.entered.error);
	_exit(spec->serve(spec->arg, &s));
}

bool tn_front_ready(struct tn_serve *s)
{
	struct tn_talk m = tn_talk_of(TN_TALK_READY);
	int fds[3] = { s->entered.mnt_ns, s->entered.fuse, s->entered.user_ns };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!tn_talk_send(s->front, &m, fds, s->entered.user_ns < 0 ? 2 : 3))
		return false;
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	close(s->entered.mnt_ns);
	if (s->entered.user_ns >= 0)
		close(s->entered.user_ns);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return true;
}

static bool start_server(struct front *f)
{
	int talk[2], life[2] = { -1, -1 };

	if (!socket_pair(talk) || (f->spec->pids && !socket_pair(life)))
		return false;
	f->server_pid = fork();
	if (f->server_pid < 0)
		return false;
	if (f->server_pid == 0) {
		close(talk[0]);
		if (life[0] >= 0)
			close(life[0]); /* life[1] stays open in S until it dies: that is its use */
		server_main(f->spec, talk[1]);
	}
	close(talk[1]);
	if (life[1] >= 0)
		close(life[1]);
	f->server = talk[0];
	f->server_life = life[0];
	return true;
}

/* ---- failures ---- */

/* One line and, if the machine lacks something, the fix. Returns the exit status. */
static int say_failure(const struct front *f, const struct tn_talk *m)
{
	if (m->step == TN_STEP_COMPOSE) {
		fprintf(stderr, "%s: %s\n", f->spec->who, m->text);
	} else if (m->step == TN_STEP_EXEC) {
		fprintf(stderr, "%s: %s: %s\n", f->spec->who, m->text, strerror(m->error));
	} else {
		fprintf(stderr, "%s: %s%s%s: %s\n", f->spec->who, tn_step_name(m->step),
		    m->text[0] ? " " : "", m->text, strerror(m->error));
		tn_doctor_explain(f->spec->who, f->spec->pids, f->spec->read_only, m->step,
		    m->error);
	}
	return m->status ? (int)m->status : STATUS_LACKING;
}

static int say_errno(const struct front *f, enum tn_step step)
{
	struct tn_talk m = tn_talk_failed(step, errno);

	return say_failure(f, &m);
}

static int say_server_died(const struct front *f)
{
	int status = 0;

	if (!f->spec->joins && waitpid(f->server_pid, &status, 0) == f->server_pid &&
	    WIFSIGNALED(status))
		fprintf(stderr,
		    "%s: the server of the name space was killed (%s); all that ran in it was ended\n",
		    f->spec->who, strsignal(WTERMSIG(status)));
	else
		fprintf(stderr,
		    "%s: the server of the name space has ended; all that ran in it was ended\n",
		    f->spec->who);
	return STATUS_LACKING;
}

/* ---- CMD ---- */

static void block_signals(struct front *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_BLOCK, &set, &f->mask);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct tn_command command_of(const struct front *f, const int fds[TN_TALK_FDS])
{
	struct tn_command c = { .argv = f->spec->argv,
		.server = f->server,
		.server_life = f->server_life,
		.front_life = -1,
		.fuse = -1,
		.pid_ns = -1,
		.children = -1,
		.read_only = f->spec->read_only,
		.pids = f->spec->pids,
		.joins = f->spec->joins };

	c.mnt_ns = fds[c.joins ? TN_DOOR_MOUNTS : 0];
	c.user_ns = fds[c.joins ? TN_DOOR_USER : 2];
	if (c.joins)
		c.pid_ns = fds[TN_DOOR_PIDS];
	else
		c.fuse = fds[1];
	return c;
}

/* Forks CMD, or the keeper before it, which goes its way. Returns the socket on which it reports, or -1. */
static int start_command(struct front *f, const int fds[TN_TALK_FDS])
{
	struct tn_command c = command_of(f, fds);
	int report[2], life[2] = { -1, -1 };
	bool has_life = f->spec->pids || f->spec->joins;

	if (!socket_pair(report) || (has_life && !socket_pair(life)))
		return -1;
	block_signals(f);
	f->cmd = fork();
	if (f->cmd < 0)
		return -1;
	if (f->cmd == 0) {
		sigprocmask(SIG_SETMASK, &f->mask, NULL);
		close(report[0]);
		if (life[0] >= 0)
			close(life[0]); /* or pid 1 would hold its own other end open */
		c.report = report[1];
		c.front_life = life[1];
		if (c.joins)
			tn_join_command(&c);
		tn_enter_command(&c);
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	close(report[1]);
	if (life[1] >= 0)
		close(life[1]);
	if (f->server_life >= 0)
		close(f->server_life);
	f->life = life[0];
	return report[0];
}

/* Follows CMD to its exec. 0: it runs; else the exit status, said. */
static int await_exec(struct front *f, int report)
{
	struct tn_talk m;

	while (tn_talk_receive(report, &m, NULL, NULL) > 0) {
		if (m.kind == TN_TALK_INSIDE) {
			if (f->spec->joins)
				continue;
			f->device = m.device;
			f->pin = tn_mntns_open(f->cmd);
		}
		if (m.kind == TN_TALK_FAILED)
			return say_failure(f, &m);
	}
	return 0;
}

/* ---- the terminal, when CMD is in a pid name space: its shell cannot give the terminal back ---- */

/* Which of the three standard descriptors is the terminal; 0 if none is. */
static int terminal(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (isatty(fd))
			return fd;
	}
	return STDIN_FILENO;
}

/* 0: it is none, or not to be seen. */
static pid_t parent_of(pid_t pid)
{
	char name[32], line[512];
	const char *behind;
	int parent = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	f = fopen(name, "re");
	if (f && fgets(line, sizeof(line), f) && (behind = strrchr(line, ')')))
		sscanf(behind, ") %*c %d", &parent);
	if (f)
		fclose(f);
	return (pid_t)parent;
}

/* The group that has the terminal, if CMD's shell has given it to it: when the job is in the background another has it. */
static pid_t terminal_group_inside(const struct front *f)
{
	pid_t group = tcgetpgrp(terminal()), pid = group;

	while (pid > 1 && pid != f->cmd)
		pid = parent_of(pid);
	return pid == f->cmd ? group : 0;
}

static void terminal_take_back(void)
{
	pid_t group = tcgetpgrp(terminal());

	if (group > 0 && group != getpgrp() && kill(-group, 0) < 0 && errno == ESRCH)
		tcsetpgrp(terminal(), getpgrp());
}

static void terminal_give_again(struct front *f)
{
	pid_t own = getpgrp();

	if (f->tty_group > 0 && f->tty_group != own && tcgetpgrp(terminal()) == own) {
		tcsetpgrp(terminal(), f->tty_group);
		kill(-f->tty_group, SIGCONT);
	}
	f->tty_group = 0;
}

/* ---- the loop ---- */

static void signal_command(struct front *f, int signal)
{
	struct tn_talk m = tn_talk_of(TN_TALK_SIGNAL);

	m.error = signal;
	m.number = f->stops;
	if (f->life < 0)
		kill(f->cmd, signal);
	else
		tn_talk_send(f->life, &m, NULL, 0);
}

static void take_status(struct front *f, int status)
{
	if (WIFSTOPPED(status)) {
		f->stops++;
		f->has_stopped = true;
		return;
	}
	f->has_ended = !WIFCONTINUED(status);
	f->status = status;
}

/*
 * Who woke the job woke CMD, too, unless it has left the group. Then another SIGCONT would take back a ^Z that has come
 * since.
 */
static void wake_command(struct front *f)
{
	int status;

	if (f->life < 0 && waitpid(f->cmd, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0)
		take_status(f, status);
	else
		signal_command(f, SIGCONT);
}

/* CMD stopped: so does the job. With the default TSTP instead, a CMD that ignores ^Z would lose the terminal. */
static void stop_too(struct front *f)
{
	if (f->spec->pids)
		f->tty_group = terminal_group_inside(f);
	f->has_stopped = false;
	raise(SIGSTOP);
	if (f->spec->pids)
		terminal_give_again(f);
	wake_command(f);
}

/* What pid 1 says. Without a word it ends only when it is killed. false: S has died. */
static bool take_life(struct front *f)
{
	struct tn_talk m;
	int n = tn_talk_receive(f->life, &m, NULL, NULL);

	if (n > 0 && m.kind == TN_TALK_FAILED)
		return false;
	if (n > 0 && m.kind == TN_TALK_PIDS)
		take_status(f, m.error);
	if (n <= 0)
		take_status(f, SIGKILL);
	return true;
}

/* The keeper ends behind pid 1, whose last word may be unread yet; or it was killed. false: S has died. */
static bool take_keeper(struct front *f)
{
	struct pollfd life = { .fd = f->life, .events = POLLIN };

	while (!f->has_ended && poll(&life, 1, 0) > 0) {
		if (!take_life(f))
			return false;
	}
	if (!f->has_ended)
		take_status(f, SIGKILL);
	return true;
}

/* false: S has died. */
static bool take_signals(struct front *f)
{
	struct signalfd_siginfo info;
	int status;

	while (read(f->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
			signal_command(f, (int)info.ssi_signo);
	}
	if (f->life >= 0)
		return waitpid(f->cmd, &status, WNOHANG) <= 0 || take_keeper(f);
	while (!f->has_ended && waitpid(f->cmd, &status, WNOHANG | WUNTRACED) > 0)
		take_status(f, status);
	return true;
}

/*
 * Until CMD has ended (true) or S has died (false). S has died when it hangs up: what there is to be read from it was for
 * CMD, who was killed before it had done so, which is heard of a moment later.
 */
static bool watch(struct front *f)
{
	struct pollfd polls[3] = { { .fd = f->signals, .events = POLLIN },
		{ .fd = f->server, .events = f->spec->joins ? POLLIN : 0 },
		{ .fd = f->life, .events = POLLIN } };

	while (!f->has_ended) {
		if (poll(polls, 3, f->has_stopped ? 0 : -1) < 0)
			continue;
		if (polls[2].revents) {
			if (!take_life(f))
				return false;
		} else if (polls[0].revents) {
			if (!take_signals(f))
				return false;
		} else if (polls[1].revents) {
			return false;
		} else if (f->has_stopped) {
			stop_too(f); /* nobody has said more meanwhile */
		}
	}
	return true;
}

/* Ends as CMD ended. A second core would only hide the first. */
static int end_alike(const struct front *f)
{
	struct rlimit no_core = { 0, 0 };
	int signal_number;
	sigset_t set;

	if (!WIFSIGNALED(f->status))
		return WEXITSTATUS(f->status);
	signal_number = WTERMSIG(f->status);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(signal_number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	raise(signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + signal_number;
}

/* Lets go of S. Who kills CMD means all of it: S hears no BYE, sweeps, and ends. */
static void leave_server(struct front *f)
{
	struct tn_talk bye = tn_talk_of(TN_TALK_BYE);
	struct pollfd server = { .fd = f->server };
	bool was_killed = WIFSIGNALED(f->status) && WTERMSIG(f->status) == SIGKILL;

	if (f->spec->joins) {
		if (was_killed)
			tn_sweep_children(f->children, SWEEP_MS);
	} else if (was_killed && !f->spec->kept) {
		shutdown(f->server, SHUT_WR);
		poll(&server, 1, SWEEP_MS);
	} else {
		tn_talk_send(f->server, &bye, NULL, 0);
	}
	close(f->server);
}

static int watch_and_end(struct front *f)
{
	if (!watch(f)) {
		tn_sweep(f->device, -1, SWEEP_MS);
		if (f->spec->joins)
			tn_sweep_children(f->children, SWEEP_MS);
		return say_server_died(f);
	}
	if (f->pin >= 0)
		close(f->pin);
	if (f->spec->pids)
		terminal_take_back();
	leave_server(f);
	return end_alike(f);
}

/* Starts CMD with what is to be entered, which is taken, and stays with it to its end. */
static int run_command(struct front *f, const int fds[TN_TALK_FDS])
{
	int report = start_command(f, fds), status;

	if (report < 0)
		return say_errno(f, TN_STEP_FORK);
	for (int i = 0; i < TN_TALK_FDS; i++) {
		if (fds[i] >= 0 && fds[i] != f->pin)
			close(fds[i]);
	}
	status = await_exec(f, report);
	close(report);
	return status ? status : watch_and_end(f);
}

int tn_front_run(const struct tn_front *spec)
{
	struct front f = { .spec = spec,
		.life = -1,
		.server_life = -1,
		.signals = -1,
		.children = -1,
		.pin = -1 };
	int fds[TN_TALK_FDS];
	struct tn_talk m;

	if (!start_server(&f))
		return say_errno(&f, TN_STEP_SOCKET);
	if (tn_talk_receive(f.server, &m, fds, NULL) <= 0)
		return say_server_died(&f);
	if (m.kind != TN_TALK_READY)
		return say_failure(&f, &m);
	return run_command(&f, fds);
}

int tn_front_join(const struct tn_front *spec, int server, const int fds[TN_TALK_FDS], dev_t device)
{
	struct front f = { .spec = spec,
		.server = server,
		.life = -1,
		.server_life = -1,
		.signals = -1,
		.children = tn_children_open(),
		.pin = fds[TN_DOOR_MOUNTS],
		.device = device };

	prctl(PR_SET_CHILD_SUBREAPER, 1); /* the keeper may be killed, too */
	return run_command(&f, fds);
}
