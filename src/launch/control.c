/*
 * The control socket, both sides. S's side never waits: a client that is slow or says nothing holds one of a few places
 * until its time is over.
 */
#include "launch/control.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 64,
	SILENCE_MS = 10000 /* for a client to send its line, and to take its answer */
};

static socklen_t name_of(struct sockaddr_un *a, uint64_t mntns)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "tenon/%u/%llu", (unsigned)getuid(),
	    (unsigned long long)mntns);
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

/* ---- S's side ---- */

struct tn_control_ask {
	struct tn_control *control; /* NULL: it has ended */
	struct tn_control_ask *next, *prev;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd, n_closing;
	pid_t pid;
	char *in; /* the line */
	size_t in_len;
	char *out;
	size_t out_len, out_sent;
	bool asked; /* the handler has it: it must be answered before this is freed */
	bool hung_up;
};

struct tn_control {
	struct tn_host_loop *hl;
	uv_poll_t poll;
	int fd;
	unsigned n_clients;
	struct tn_control_ask *asks;
	void (*handler)(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid);
	void *arg;
};

static void ask_closed(uv_handle_t *h)
{
	struct tn_control_ask *ask = h->data;

	if (--ask->n_closing > 0)
		return;
	close(ask->fd);
	free(ask->in);
	free(ask->out);
	free(ask);
}

static void ask_close(struct tn_control_ask *ask)
{
	struct tn_control *c = ask->control;

	if (c) {
		if (ask->prev)
			ask->prev->next = ask->next;
		else
			c->asks = ask->next;
		if (ask->next)
			ask->next->prev = ask->prev;
		c->n_clients--;
	}
	ask->control = NULL;
	ask->n_closing = 2;
	uv_close((uv_handle_t *)&ask->poll, ask_closed);
	uv_close((uv_handle_t *)&ask->timer, ask_closed);
}

/* The client is gone or out of time. While the handler still has the line, only the answer can end this. */
static void give_up(struct tn_control_ask *ask)
{
	ask->hung_up = true;
	uv_poll_stop(&ask->poll);
	uv_timer_stop(&ask->timer);
	if (!ask->asked)
		ask_close(ask);
}

static void out_of_time(uv_timer_t *timer)
{
	give_up(timer->data);
}

/* false: there is no room for the rest now. */
static bool send_some(struct tn_control_ask *ask)
{
	ssize_t n;

	while (ask->out_sent < ask->out_len) {
		n = send(ask->fd, ask->out + ask->out_sent, ask->out_len - ask->out_sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno != EAGAIN;
		ask->out_sent += (size_t)n;
	}
	return true;
}

static void send_answer(struct tn_control_ask *ask)
{
	if (send_some(ask))
		ask_close(ask); /* else on_ask comes again */
}

static void on_ask(uv_poll_t *poll, int status, int events);

void tn_control_answer(struct tn_control_ask *ask, const char *error, const char *text)
{
	const char *head = error ? "error\n" : "ok\n", *body = error ? error : text ? text : "";

	ask->asked = false;
	ask->out_len = strlen(head) + strlen(body);
	ask->out = ask->hung_up || !ask->control ? NULL : malloc(ask->out_len + 1);
	if (!ask->out) {
		ask_close(ask);
		return;
	}
	memcpy(ask->out, head, strlen(head));
	memcpy(ask->out + strlen(head), body, strlen(body));
	uv_timer_start(&ask->timer, out_of_time, SILENCE_MS, 0);
	uv_poll_start(&ask->poll, UV_WRITABLE, on_ask);
	/* Sent from the loop, so that nothing here ends under the handler's feet. */
}

static void read_line(struct tn_control_ask *ask)
{
	ssize_t n = recv(ask->fd, ask->in + ask->in_len, TN_CONTROL_LINE_MAX - ask->in_len,
	    MSG_DONTWAIT);
	char *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		give_up(ask);
		return;
	}
	ask->in_len += (size_t)n;
	ask->in[ask->in_len] = '\0';
	end = memchr(ask->in, '\n', ask->in_len);
	if (!end && ask->in_len < TN_CONTROL_LINE_MAX)
		return;
	uv_poll_stop(&ask->poll);
	uv_timer_stop(&ask->timer);
	ask->asked = true;
	if (!end) {
		tn_control_answer(ask, "line too long", NULL);
		return;
	}
	*end = '\0';
	ask->control->handler(ask->control->arg, ask, ask->in, ask->pid);
}

static void on_ask(uv_poll_t *poll, int status, int events)
{
	struct tn_control_ask *ask = poll->data;

	if (status < 0)
		give_up(ask);
	else if (events & UV_WRITABLE)
		send_answer(ask);
	else
		read_line(ask);
}

static bool is_same_user(int fd, pid_t *pid)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return false;
	*pid = who.pid;
	return who.uid == getuid();
}

static void accept_ask(struct tn_control *c, int fd)
{
	struct tn_control_ask *ask = calloc(1, sizeof(*ask));

	if (ask)
		ask->in = malloc(TN_CONTROL_LINE_MAX + 1);
	if (!ask || !ask->in || c->n_clients >= CLIENTS_MAX || !is_same_user(fd, &ask->pid) ||
	    uv_poll_init(tn_host_loop_uv(c->hl), &ask->poll, fd) != 0) {
		if (ask)
			free(ask->in);
		free(ask);
		close(fd);
		return;
	}
	ask->control = c;
	ask->fd = fd;
	ask->poll.data = ask->timer.data = ask;
	ask->next = c->asks;
	if (c->asks)
		c->asks->prev = ask;
	c->asks = ask;
	c->n_clients++;
	uv_timer_init(tn_host_loop_uv(c->hl), &ask->timer);
	uv_timer_start(&ask->timer, out_of_time, SILENCE_MS, 0);
	uv_poll_start(&ask->poll, UV_READABLE, on_ask);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
	struct tn_control *c = poll->data;
	int fd;

	(void)events;
	if (status < 0)
		return;
	fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		accept_ask(c, fd);
}

struct tn_control *tn_control_listen(struct tn_host_loop *hl, uint64_t mntns,
    void (*handler)(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid), void *arg)
{
	struct tn_control *c = calloc(1, sizeof(*c));
	struct sockaddr_un a;
	socklen_t len = name_of(&a, mntns);

	if (!c)
		return NULL;
	c->hl = hl;
	c->handler = handler;
	c->arg = arg;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		goto free_control;
	if (bind(c->fd, (struct sockaddr *)&a, len) != 0 || listen(c->fd, 16) != 0)
		goto close_fd;
	if (uv_poll_init(tn_host_loop_uv(hl), &c->poll, c->fd) != 0)
		goto close_fd;
	c->poll.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_connect);
	return c;

close_fd:
	close(c->fd);
free_control:
	free(c);
	return NULL;
}

static void control_closed(uv_handle_t *h)
{
	struct tn_control *c = h->data;

	close(c->fd);
	free(c);
}

void tn_control_end(struct tn_control *c)
{
	struct tn_control_ask *ask, *next;

	if (!c)
		return;
	for (ask = c->asks; ask; ask = next) {
		next = ask->next;
		if (ask->asked) {
			ask->control = NULL, uv_poll_stop(&ask->poll), ask->hung_up = true;
			continue;
		}
		/* The change that was asked for may be what ended all: its answer goes first. */
		if (ask->out)
			send_some(ask);
		ask_close(ask);
	}
	uv_close((uv_handle_t *)&c->poll, control_closed);
}

/* ---- the commands' side ---- */

static int say(char **answer, const char *what, const char *cause)
{
	if (asprintf(answer, cause ? "%s: %s" : "%s", what, cause) < 0)
		*answer = NULL;
	return -1;
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

int tn_control_call(pid_t pid, const char *line, int timeout_ms, char **answer)
{
	uint64_t mntns = tn_control_mntns(pid);
	struct sockaddr_un a;
	char *all = NULL;
	socklen_t len;
	int fd, status;

	*answer = NULL;
	if (mntns == 0)
		return say(answer, errno == ENOENT ? "no such process" : "not a process of yours",
		    NULL);
	len = name_of(&a, mntns);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return say(answer, "socket", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, len) != 0)
		status = say(answer,
		    pid ? "it runs in no name space of tenon run" : "not inside of tenon run",
		    NULL);
	else if (!send_line(fd, line, timeout_ms) || !(all = receive_all(fd, timeout_ms)))
		status = say(answer, "no answer from the server of the name space", NULL);
	else
		status = take_answer(all, answer);
	close(fd);
	return status;
}
