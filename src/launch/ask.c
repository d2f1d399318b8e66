/*
 * The control socket, the commands' side: one line, its whole answer, within a bound, from a server of the same user.
 */
#include "launch/control.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/net.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { FDS_MAX = 3 };

socklen_t tn_control_address(struct sockaddr_un *a, const struct tn_control_at *at)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (at->keep)
		snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "tenon/%u/%s",
		    (unsigned)getuid(), at->keep);
	else
		snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "tenon/%u/%" PRIu64,
		    (unsigned)getuid(), at->mntns);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1));
}

bool tn_control_name_ok(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len < 64 && strchr(letters, name[0]) && strspn(name, others) == len;
}

uint64_t tn_control_mntns(pid_t pid)
{
	char name[64];
	struct stat st;

	if (pid == 0)
		snprintf(name, sizeof(name), "/proc/self/ns/mnt");
	else
		snprintf(name, sizeof(name), "/proc/%d/ns/mnt", (int)pid);
	return stat(name, &st) == 0 ? st.st_ino : 0;
}

static bool wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, timeout_ms) == 1;
}

static bool send_line(int fd, const char *line, int timeout_ms)
{
	size_t len = strlen(line) + 1, done = 0;
	char *copy = malloc(len + 1);
	ssize_t n = -1;

	if (!copy)
		return false;
	memcpy(copy, line, len);
	copy[len - 1] = '\n';
	while (done < len && wait_for(fd, POLLOUT, timeout_ms)) {
		n = send(fd, copy + done, len - done, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(copy);
	return done == len;
}

static void take_fds(struct cmsghdr *c, int fds[FDS_MAX])
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool is_first = fds[0] < 0;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (is_first && i < FDS_MAX)
			fds[i] = fd;
		else
			close(fd);
	}
}

/* As recv; descriptors that come along go into fds, those that are too many, or not wanted, are closed. */
static ssize_t receive(int fd, char *buf, size_t size, int fds[FDS_MAX])
{
	char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct iovec vec = { buf, size };
	struct msghdr msg = { .msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = fds ? room : NULL,
		.msg_controllen = fds ? sizeof(room) : 0 };
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	for (; c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_fds(c, fds);
	}
	return n;
}

/* The whole answer, terminated; NULL: it did not come. fds: of FDS_MAX, all -1; or NULL. */
static char *receive_all(int fd, int timeout_ms, int *fds)
{
	size_t size = 4096, len = 0;
	char *buf = malloc(size), *bigger;
	ssize_t n;

	while (buf && wait_for(fd, POLLIN, timeout_ms)) {
		n = receive(fd, buf + len, size - len - 1, fds);
		if (n < 0)
			break;
		if (n == 0) {
			buf[len] = '\0';
			return buf;
		}
		len += (size_t)n;
		if (size - len > 1)
			continue;
		bigger = realloc(buf, size *= 2);
		if (!bigger)
			break;
		buf = bigger;
	}
	free(buf);
	return NULL;
}

/* Who listens there; -1: it is not this user's. */
static pid_t server_of(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return -1;
	errno = EPERM;
	return who.uid == getuid() ? who.pid : -1;
}

/* A connection, made within the bound: a server that stands still has a queue that is soon full. -1: errno. */
static int connect_to(const struct tn_control_at *at, int timeout_ms, pid_t *server)
{
	struct timeval bound = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	socklen_t len = tn_control_address(&a, at);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
	if (connect(fd, (struct sockaddr *)&a, len) == 0 && (*server = server_of(fd)) > 0)
		return fd;
	close(fd);
	return -1;
}

/* ---- one name space ---- */

static int say(char **answer, const char *what, const char *cause)
{
	if (asprintf(answer, cause ? "%s: %s" : "%s", what, cause) < 0)
		*answer = NULL;
	return -1;
}

/* "ok\nTEXT" or "error\nTEXT". */
static int take_answer(char *all, char **answer)
{
	int status = strncmp(all, "ok\n", 3) == 0 ? 0 : 1;
	const char *text = strchr(all, '\n');

	if (!text || (status == 1 && strncmp(all, "error\n", 6) != 0)) {
		free(all);
		return say(answer, "the server of the name space hung up", NULL);
	}
	*answer = strdup(text + 1);
	free(all);
	return status;
}

static int ask(int fd, const char *line, int timeout_ms, int *fds, char **answer)
{
	char *all = send_line(fd, line, timeout_ms) ? receive_all(fd, timeout_ms, fds) : NULL;

	if (!all)
		return say(answer, "no answer from the server of the name space", NULL);
	return take_answer(all, answer);
}

bool tn_control_of(pid_t pid, struct tn_control_at *at, char **answer)
{
	*at = (struct tn_control_at){ .mntns = tn_control_mntns(pid), .is_own = pid == 0 };
	*answer = NULL;
	if (at->mntns == 0)
		say(answer, errno == ENOENT ? "no such process" : "not a process of yours", NULL);
	return at->mntns != 0;
}

static int say_nobody(const struct tn_control_at *at, char **answer)
{
	if (at->keep)
		return say(answer, "no name space is kept by this name", NULL);
	return say(answer,
	    at->is_own ? "not inside of tenon run" : "it runs in no name space of tenon run", NULL);
}

int tn_control_ask_at(const struct tn_control_at *at, const char *line, int timeout_ms,
    char **answer)
{
	pid_t server;
	int fd = connect_to(at, timeout_ms, &server), status;

	if (fd < 0)
		return say_nobody(at, answer);
	status = ask(fd, line, timeout_ms, NULL, answer);
	close(fd);
	return status;
}

int tn_control_call(pid_t pid, const char *line, int timeout_ms, char **answer)
{
	struct tn_control_at at;

	return tn_control_of(pid, &at, answer) ? tn_control_ask_at(&at, line, timeout_ms, answer)
					       : -1;
}

/* The pidfd is S's: it has answered since it was opened. */
int tn_control_doors(const struct tn_control_at *at, int timeout_ms, int fds[FDS_MAX], int *server,
    char **answer)
{
	int fd, status;
	pid_t pid;

	for (int i = 0; i < FDS_MAX; i++)
		fds[i] = -1;
	fd = connect_to(at, timeout_ms, &pid);
	if (fd < 0)
		return say_nobody(at, answer);
	*server = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*server < 0)
		status = say(answer, "pidfd_open", strerror(errno));
	else
		status = ask(fd, "enter", timeout_ms, fds, answer);
	close(fd);
	for (int i = 0; i < FDS_MAX && status != 0; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (status != 0 && *server >= 0)
		close(*server);
	return status;
}

/* ---- all of them ---- */

/*
 * A line of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path, of which only sockets that listen count, and
 * the path begins with "@". Returns M1's number, or 0.
 */
static uint64_t mntns_of_line(const char *line)
{
	unsigned flags, uid;
	uint64_t mntns;
	int end = 0;

	if (sscanf(line, "%*s %*x %*x %x %*x %*x %*u @tenon/%u/%" SCNu64 "%n", &flags, &uid, &mntns,
		&end) < 3 ||
	    (line[end] != '\n' && line[end] != '\0'))
		return 0;
	return (flags & __SO_ACCEPTCON) && uid == (unsigned)getuid() ? mntns : 0;
}

/* The numbers, and how many; they are few, and who begins or ends meanwhile may be missed or found dead. */
static uint64_t *list_all(size_t *n)
{
	FILE *f = fopen("/proc/net/unix", "re");
	uint64_t *all = f ? calloc(1, sizeof(*all)) : NULL, *more, mntns;
	char *line = NULL;
	size_t size = 0;

	*n = 0;
	while (all && getline(&line, &size, f) > 0) {
		mntns = mntns_of_line(line);
		if (!mntns)
			continue;
		more = realloc(all, (*n + 2) * sizeof(*all));
		if (!more)
			break;
		all = more;
		all[(*n)++] = mntns;
	}
	free(line);
	if (f)
		fclose(f);
	return all;
}

static void ask_one(const struct tn_control_at *at, const char *line, int timeout_ms,
    void (*each)(void *arg, pid_t server, int status, const char *answer), void *arg)
{
	char *answer = NULL;
	pid_t server = -1;
	int fd = connect_to(at, timeout_ms, &server), status;

	if (fd < 0 && errno == EAGAIN)
		each(arg, 0, -1, ""); /* nobody takes connections there */
	if (fd < 0)
		return; /* it has ended, or is somebody else's */
	status = ask(fd, line, timeout_ms, NULL, &answer);
	each(arg, server, status, answer ? answer : "");
	free(answer);
	close(fd);
}

static int in_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int tn_control_each(const char *line, int timeout_ms,
    void (*each)(void *arg, pid_t server, int status, const char *answer), void *arg)
{
	size_t n;
	uint64_t *all = list_all(&n);

	if (!all)
		return errno;
	qsort(all, n, sizeof(*all), in_order);
	for (size_t i = 0; i < n; i++) {
		struct tn_control_at at = { .mntns = all[i] };

		ask_one(&at, line, timeout_ms, each, arg);
	}
	free(all);
	return 0;
}
