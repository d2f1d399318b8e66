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
#include <sys/time.h>
#include <unistd.h>

socklen_t tn_control_address(struct sockaddr_un *a, const struct tn_control_at *at)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "tenon/%u/%" PRIu64, (unsigned)getuid(),
	    at->mntns);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1));
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

/* The whole answer, terminated; NULL: it did not come. */
static char *receive_all(int fd, int timeout_ms)
{
	size_t size = 4096, len = 0;
	char *buf = malloc(size), *bigger;
	ssize_t n;

	while (buf && wait_for(fd, POLLIN, timeout_ms)) {
		n = recv(fd, buf + len, size - len - 1, 0);
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

static int ask(int fd, const char *line, int timeout_ms, char **answer)
{
	char *all = send_line(fd, line, timeout_ms) ? receive_all(fd, timeout_ms) : NULL;

	if (!all)
		return say(answer, "no answer from the server of the name space", NULL);
	return take_answer(all, answer);
}

int tn_control_call(pid_t pid, const char *line, int timeout_ms, char **answer)
{
	struct tn_control_at at = { .mntns = tn_control_mntns(pid) };
	pid_t server;
	int fd, status;

	*answer = NULL;
	if (at.mntns == 0)
		return say(answer, errno == ENOENT ? "no such process" : "not a process of yours",
		    NULL);
	fd = connect_to(&at, timeout_ms, &server);
	if (fd < 0)
		return say(answer,
		    pid ? "it runs in no name space of tenon run" : "not inside of tenon run",
		    NULL);
	status = ask(fd, line, timeout_ms, answer);
	close(fd);
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
	status = ask(fd, line, timeout_ms, &answer);
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
