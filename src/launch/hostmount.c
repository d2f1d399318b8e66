/*
 * An ordinary FUSE mount of the host. The caller waits for one message of the server process: mounted, or why not.
 */
#include "launch/hostmount.h"

#include "host/posix/node.h"
#include "launch/fuse.h"
#include "lib/call.h"
#include "lib/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool fail(struct tn_host_mount *m, const char *what, const char *cause)
{
	m->what = what;
	snprintf(m->error, sizeof(m->error), "%s", cause);
	return false;
}

/* ---- getting a mounted descriptor ---- */

/* fusermount3 sends the descriptor of /dev/fuse over the socket that the environment names. */
static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static pid_t start_fusermount(const char *dir, int socket)
{
	char number[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	fcntl(socket, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", socket);
	setenv("_FUSE_COMMFD", number, 1);
	execlp("fusermount3", "fusermount3", "-o", "fsname=tenon,subtype=tenon,default_permissions",
	    "--", dir, (char *)NULL);
	_exit(127);
}

static int mount_by_helper(struct tn_host_mount *m)
{
	int pair[2], status = 0, fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return fail(m, m->dir, strerror(errno)), -1;
	pid = start_fusermount(m->dir, pair[0]);
	close(pair[0]);
	fd = pid > 0 ? receive_fd(pair[1]) : -1;
	close(pair[1]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (fd >= 0)
		return fd;
	m->lacking = WIFEXITED(status) && WEXITSTATUS(status) == 127;
	fail(m, m->dir,
	    m->lacking ? "fusermount3 is missing: apt-get install fuse3"
		       : "fusermount3 refused; it said why");
	return -1;
}

static int mount_as_root(struct tn_host_mount *m)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[160];

	if (fd < 0) {
		m->lacking = true;
		return fail(m, "/dev/fuse", strerror(errno)), -1;
	}
	snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40755,user_id=0,group_id=0,default_permissions,allow_other", fd);
	if (mount("tenon", m->dir, "fuse.tenon", MS_NOSUID | MS_NODEV, options) == 0)
		return fd;
	fail(m, m->dir, strerror(errno));
	close(fd);
	return -1;
}

/* ---- the server process ---- */

struct serving {
	struct tn_host_mount *m;
	struct tn_host_loop *hl;
	struct tn_node *node;
	struct tn_proc *proc;
	struct launch_fuse *door;
};

static void ended(void *arg)
{
	tn_host_loop_stop(((struct serving *)arg)->hl);
}

static bool compose(struct serving *s)
{
	struct tn_mount_options o = { .dialect = TN_DIALECTS };
	char words[TN_COMPOSE_ERROR_SIZE], *text = s->m->options ? strdup(s->m->options) : NULL;
	const char *bad, *cause;
	enum tn_err err;
	struct tn_server *server;
	int r;

	if (text && !tn_mount_options_parse(&o, text, &bad, &cause))
		return fail(s->m, s->m->options, cause);
	server = tn_mount_dial(s->node->loop, s->m->dial, &o, &err, words);
	free(text);
	if (!server)
		return fail(s->m, s->m->dial, words);
	r = tn_call_mount(s->proc, server, "/", TN_REPL | TN_CREATE_HERE, s->m->aname);
	tn_server_put(server);
	return r == 0 || fail(s->m, s->m->dial, tn_call_text());
}

static bool open_door(struct serving *s)
{
	struct launch_fuse_options o = { .uid = getuid(),
		.gid = getgid(),
		.ended = ended,
		.arg = s };

	o.fd = getuid() == 0 ? mount_as_root(s->m) : mount_by_helper(s->m);
	if (o.fd < 0)
		return false;
	fcntl(o.fd, F_SETFL, fcntl(o.fd, F_GETFL) | O_NONBLOCK);
	s->door = launch_fuse_new(s->hl, s->proc, &o);
	if (s->door && launch_fuse_start(s->door) == 0)
		return true;
	tn_host_unmount(s->m);
	return fail(s->m, s->m->dir, "no memory for the FUSE session");
}

/* The caller's terminal is not this process's: it goes on when that is gone. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
}

static void tell(int report, const struct tn_host_mount *m, bool is_good)
{
	struct {
		bool is_good, lacking;
		char what[256], error[sizeof(m->error)];
	} message = { .is_good = is_good, .lacking = m->lacking };

	snprintf(message.what, sizeof(message.what), "%s", m->what ? m->what : "");
	snprintf(message.error, sizeof(message.error), "%s", m->error);
	(void)!write(report, &message, sizeof(message));
	close(report);
}

static void serve(struct tn_host_mount *m, int report)
{
	struct serving s = { .m = m };
	bool is_good;

	tn_call_turn = tn_host_loop_turn;
	s.hl = tn_host_loop_new();
	s.node = tn_host_node_new(s.hl);
	s.proc = s.node ? tn_host_proc_clean(s.node) : NULL;
	is_good = (s.proc || fail(m, m->dial, "no memory")) && compose(&s) && open_door(&s);
	if (is_good)
		leave_terminal();
	tell(report, m, is_good);
	if (is_good)
		tn_host_loop_run(s.hl);
	launch_fuse_free(s.door);
	/* What is left goes with the process. */
	_exit(is_good ? 0 : 1);
}

static bool take_report(struct tn_host_mount *m, int report)
{
	static char what[256];
	struct {
		bool is_good, lacking;
		char what[256], error[sizeof(m->error)];
	} message;

	if (read(report, &message, sizeof(message)) != (ssize_t)sizeof(message))
		return fail(m, m->dir, "the server process died");
	if (message.is_good)
		return true;
	memcpy(what, message.what, sizeof(what));
	m->lacking = message.lacking;
	return fail(m, what, message.error);
}

bool tn_host_mount(struct tn_host_mount *m)
{
	int pipes[2];
	bool is_good;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return fail(m, m->dir, strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(pipes[0]);
		serve(m, pipes[1]);
	}
	close(pipes[1]);
	is_good = pid > 0 ? take_report(m, pipes[0]) : fail(m, m->dir, strerror(errno));
	close(pipes[0]);
	if (!is_good && pid > 0)
		waitpid(pid, NULL, 0);
	return is_good;
}

bool tn_host_unmount(struct tn_host_mount *m)
{
	int status = 0;
	pid_t pid;

	if (umount2(m->dir, UMOUNT_NOFOLLOW) == 0)
		return true;
	if (errno != EPERM)
		return fail(m, m->dir, errno == EINVAL ? "not mounted" : strerror(errno));
	pid = fork();
	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-u", "--", m->dir, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return fail(m, m->dir, strerror(errno));
	return status == 0 || fail(m, m->dir, "fusermount3 refused; it said why");
}
