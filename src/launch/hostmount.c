/*
 * An ordinary FUSE mount of the host. The caller waits for one message of the server process: mounted, or why not. Who
 * may not call mount(2) asks fusermount3, whose last line on standard error is then the cause. Which mount is ours is
 * told by its number in the kernel: asking the file system itself could wait for a server that is gone.
 */
#include "launch/hostmount.h"

#include "host/posix/node.h"
#include "launch/doctor.h"
#include "launch/notify.h"
#include "lib/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_HELPER = 127 /* as a shell says it */ };

static bool fail(struct tn_host_mount *m, const char *what, const char *cause)
{
	m->what = what;
	snprintf(m->error, sizeof(m->error), "%s", cause);
	return false;
}

/* The machine lacks something: cause and fix. */
static bool lack(struct tn_host_mount *m, const char *what, const char *cause, const char *fix)
{
	m->what = what;
	m->lacking = true;
	snprintf(m->error, sizeof(m->error), "%.300s: %s", cause, fix);
	return false;
}

/* ---- which mount is ours ---- */

/* The line of the mount with this number says that it is of our type, and its device (NULL: is not asked for). */
static bool find_mount(int mount_id, dev_t *device)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	unsigned high, low;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = atoi(line) == mount_id && strstr(line, " - fuse.tenon ") &&
			sscanf(line, "%*d %*d %u:%u", &high, &low) == 2;
	free(line);
	if (f)
		fclose(f);
	if (found && device)
		*device = makedev(high, low);
	return found;
}

static bool is_of_tenon(int mount_id)
{
	return find_mount(mount_id, NULL);
}

/* The number of the mount that dir is in; -1: errno. Asks nothing of the file system that is mounted there. */
static int mount_id_of(const char *dir)
{
	int fd = open(dir, O_PATH | O_CLOEXEC), id = -1;
	char name[64], line[128];
	FILE *f;

	if (fd < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "mnt_id: %d", &id);
	if (f)
		fclose(f);
	close(fd);
	errno = ENOENT;
	return id;
}

/* ---- fusermount3 ---- */

/* The descriptor of /dev/fuse comes over the socket that the environment named. */
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

/* socket -1: none. What it says goes to `words`. */
static pid_t start_helper(char *const argv[], int socket, int words)
{
	char number[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (socket >= 0) {
		fcntl(socket, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", socket);
		setenv("_FUSE_COMMFD", number, 1);
	}
	dup2(words, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(NO_HELPER);
}

/* Until the end; m->error becomes the last line without the program's own name. */
static void read_words(struct tn_host_mount *m, int from)
{
	char text[sizeof(m->error)], *line;
	size_t len = 0;
	ssize_t n;

	while (
	    len < sizeof(text) - 1 && (n = read(from, text + len, sizeof(text) - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	while (len > 0 && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (strncmp(line, "fusermount3: ", 13) == 0)
		line += 13;
	fail(m, m->dir, *line ? line : "fusermount3 failed without a word");
}

/* What fusermount3 says when it is the machine that does not let it. */
static const struct {
	const char *words, *fix;
} helper_lacks[] = {
	{ "Operation not permitted",
	    "fusermount3 must be setuid root, and outside of containers and of tenon run; inside, leave out --host" },
	{ "device not found", "in Docker or Podman: --device /dev/fuse" },
	{ "open /etc/mtab", "ln -s /proc/self/mounts /etc/mtab" },
	{ "/dev/fuse", "modprobe fuse; in Docker or Podman: --device /dev/fuse" },
};

static bool helper_failed(struct tn_host_mount *m, int status)
{
	char words[sizeof(m->error)];

	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_HELPER)
		return lack(m, m->dir, "fusermount3 is missing", "apt-get install fuse3");
	memcpy(words, m->error, sizeof(words));
	for (size_t i = 0; i < sizeof(helper_lacks) / sizeof(helper_lacks[0]); i++) {
		if (strstr(words, helper_lacks[i].words))
			return lack(m, m->dir, words, helper_lacks[i].fix);
	}
	return false;
}

/* Runs fusermount3. *fd (NULL: none is wanted) becomes the descriptor that it gives. */
static bool ask_helper(struct tn_host_mount *m, char *const argv[], int *fd)
{
	int words[2], pair[2] = { -1, -1 }, status = 0;
	bool ok = pipe2(words, O_CLOEXEC) == 0;
	pid_t pid;

	if (!ok || (fd && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0))
		return fail(m, m->dir, strerror(errno));
	pid = start_helper(argv, pair[1], words[1]);
	close(words[1]);
	if (fd) {
		close(pair[1]);
		*fd = pid > 0 ? receive_fd(pair[0]) : -1;
		close(pair[0]);
	}
	read_words(m, words[0]);
	close(words[0]);
	if (pid < 0)
		return fail(m, m->dir, strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (status != 0 || (fd && *fd < 0))
		return helper_failed(m, status);
	return true;
}

/* ---- mounting: a descriptor of /dev/fuse that is mounted, or -1 ---- */

static int mount_by_helper(struct tn_host_mount *m)
{
	char *argv[] = { "fusermount3", "-o", "fsname=tenon,subtype=tenon,default_permissions",
		"--", (char *)(uintptr_t)m->dir, NULL };
	int fd = -1;

	/* It may not even look at what another server has mounted there, and says no more than that. */
	if (!ask_helper(m, argv, &fd) && !m->lacking && is_of_tenon(mount_id_of(m->dir)))
		fail(m, m->dir, "a mount of tenon is there already");
	return fd;
}

static int mount_as_root(struct tn_host_mount *m)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	const char *cause, *fix;

	if (fd < 0) {
		if (tn_doctor_fix(TN_STEP_OPEN_FUSE, errno, &cause, &fix))
			lack(m, "/dev/fuse", cause, fix);
		return -1;
	}
	errno = launch_fuse_mount(m->dir, fd, "fuse.tenon");
	if (errno == 0)
		return fd;
	if (errno == EPERM)
		lack(m, m->dir, "mount(2) is forbidden here",
		    "in Docker or Podman: --cap-add SYS_ADMIN; or tenon run -m, which needs no right");
	else
		fail(m, m->dir, strerror(errno));
	close(fd);
	return -1;
}

/* ---- unmounting ---- */

bool tn_host_unmount(struct tn_host_mount *m)
{
	char *argv[] = { "fusermount3", "-u", "-z", "--", (char *)(uintptr_t)m->dir, NULL };
	int id = mount_id_of(m->dir);

	if (id < 0)
		return fail(m, m->dir, strerror(errno));
	if (!is_of_tenon(id))
		return fail(m, m->dir, "not a mount of tenon");
	if (umount2(m->dir, MNT_DETACH) == 0)
		return true;
	if (errno == EPERM)
		return ask_helper(m, argv, NULL);
	return fail(m, m->dir,
	    errno == EINVAL ? "is below a mount of tenon, not its top" : strerror(errno));
}

/* ---- the server process ---- */

struct serving {
	struct tn_host_mount *m;
	struct tn_host_loop *hl;
	struct tn_node *node;
	struct tn_proc *proc;
	struct launch_fuse *door;
	uv_signal_t term;
	uv_poll_t mounts; /* /proc/self/mountinfo changes */
	int mount_id;
};

static void ended(void *arg)
{
	tn_host_loop_stop(((struct serving *)arg)->hl);
}

/* Ends its mount, unless another one lies upon it: then that one's owner will have to. */
static void on_term(uv_signal_t *term, int number)
{
	struct serving *s = term->data;

	(void)number;
	if (mount_id_of(s->m->dir) == s->mount_id)
		tn_host_unmount(s->m);
	tn_host_loop_stop(s->hl);
}

static bool compose(struct serving *s)
{
	struct tn_compose *c = s->m->compose;

	c->clean = true; /* there is nothing but the server's tree */
	return tn_compose_apply(c, s->proc) || fail(s->m, c->what, c->error);
}

/* Who watches a file holds our mount as long as we raise what he watches, so its end has to be seen. */
static void mounts_changed(uv_poll_t *poll, int status, int events)
{
	struct serving *s = poll->data;

	(void)status, (void)events;
	if (is_of_tenon(s->mount_id))
		return;
	launch_fuse_quiet(s->door);
	uv_poll_stop(poll);
}

/* Without it the mount works all the same. */
static void notify(struct serving *s)
{
	struct launch_bare bare = { .dir = s->m->dir };
	int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (mounts < 0)
		return;
	if (!find_mount(s->mount_id, &bare.in.device)) {
		close(mounts);
		return;
	}
	s->mounts.data = s;
	if (uv_poll_init(tn_host_loop_uv(s->hl), &s->mounts, mounts) == 0 &&
	    uv_poll_start(&s->mounts, UV_PRIORITIZED, mounts_changed) == 0)
		launch_fuse_notify(s->door, &bare);
}

static bool open_door(struct serving *s)
{
	struct launch_fuse_options o = { .ended = ended, .arg = s };

	o.fd = geteuid() == 0 ? mount_as_root(s->m) : mount_by_helper(s->m);
	if (o.fd < 0)
		return false;
	s->mount_id = mount_id_of(s->m->dir);
	fcntl(o.fd, F_SETFL, fcntl(o.fd, F_GETFL) | O_NONBLOCK);
	s->door = launch_fuse_new(s->hl, s->proc, &o);
	if (s->door && launch_fuse_start(s->door) == 0) {
		notify(s);
		return true;
	}
	tn_host_unmount(s->m);
	return fail(s->m, s->m->dir, "no memory for the FUSE session");
}

/* A caller's descriptors would stay open as long as the mount; only the dial string may mean some of them. */
static void close_foreign(const struct tn_host_mount *m, int report)
{
	if (strncmp(m->compose->ops[0].src, "fd!", 3) == 0)
		return;
	close_range(3, (unsigned)report - 1, 0);
	close_range((unsigned)report + 1, ~0u, 0);
}

/* The caller's terminal is not this process's: it goes on when that is gone. The directory stays: exec! may name it. */
static void leave_terminal(struct serving *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	s->term.data = s;
	uv_signal_init(tn_host_loop_uv(s->hl), &s->term);
	uv_signal_start(&s->term, on_term, SIGTERM);
	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
}

/* What goes to the caller. */
struct report {
	bool is_good, lacking;
	char what[256], error[sizeof(((struct tn_host_mount *)NULL)->error)];
};

static bool tell(int to, const struct tn_host_mount *m, bool is_good)
{
	struct report r = { .is_good = is_good, .lacking = m->lacking };
	bool told;

	snprintf(r.what, sizeof(r.what), "%s", m->what ? m->what : "");
	snprintf(r.error, sizeof(r.error), "%s", m->error);
	told = write(to, &r, sizeof(r)) == (ssize_t)sizeof(r);
	close(to);
	return told;
}

_Noreturn static void serve(struct tn_host_mount *m, int to)
{
	struct serving s = { .m = m };
	bool is_good;

	close_foreign(m, to);
	tn_call_turn = tn_host_loop_turn;
	s.hl = tn_host_loop_new();
	s.node = s.hl ? tn_host_node_new(s.hl) : NULL;
	s.proc = s.node ? tn_host_proc_clean(s.node) : NULL;
	is_good = (s.proc || fail(m, m->dir, "no memory")) && compose(&s) && open_door(&s);
	if (is_good)
		leave_terminal(&s);
	if (tell(to, m, is_good) && is_good)
		tn_host_loop_run(s.hl);
	else if (is_good)
		tn_host_unmount(m); /* the caller was killed meanwhile */
	launch_fuse_free(s.door);
	/* What is left goes with the process. */
	_exit(is_good ? 0 : 1);
}

static bool take_report(struct tn_host_mount *m, int from)
{
	static char what[sizeof(((struct report *)NULL)->what)];
	struct report r;
	ssize_t n;

	while ((n = read(from, &r, sizeof(r))) < 0 && errno == EINTR) {
	}
	if (n != (ssize_t)sizeof(r))
		return fail(m, m->dir, "the server process died");
	if (r.is_good)
		return true;
	memcpy(what, r.what, sizeof(what));
	m->lacking = r.lacking;
	return fail(m, what, r.error);
}

bool tn_host_mount(struct tn_host_mount *m)
{
	struct stat st;
	int pipes[2];
	bool is_good;
	pid_t pid;

	/* Said here, for mount(2) and fusermount3 have words of their own, and would mount a tree on a file. */
	if (stat(m->dir, &st) != 0 || (!S_ISDIR(st.st_mode) && (errno = ENOTDIR)))
		return fail(m, m->dir, strerror(errno));
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
