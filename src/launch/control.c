/*
 * The control socket, S's side (ask.c has the commands'). It never waits: a client that is slow or says nothing holds one
 * of a few places until its time is over.
 */
#include "launch/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 64,
	DOORS_MAX = 3,
	SILENCE_MS = 10000 /* for a client to send its line, and to take its answer */
};

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
	int fds[DOORS_MAX], n_fds; /* to go along with the first byte of out */
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
	for (int i = 0; i < ask->n_fds; i++)
		close(ask->fds[i]);
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

static ssize_t send_piece(const struct tn_control_ask *ask)
{
	char room[CMSG_SPACE(sizeof(int) * DOORS_MAX)] = { 0 };
	struct iovec vec = { ask->out + ask->out_sent, ask->out_len - ask->out_sent };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (ask->n_fds && ask->out_sent == 0) {
		msg.msg_control = room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)ask->n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)ask->n_fds);
		memcpy(CMSG_DATA(c), ask->fds, sizeof(int) * (size_t)ask->n_fds);
	}
	return sendmsg(ask->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* false: there is no room for the rest now. */
static bool send_some(struct tn_control_ask *ask)
{
	ssize_t n;

	while (ask->out_sent < ask->out_len) {
		n = send_piece(ask);
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

void tn_control_answer_fds(struct tn_control_ask *ask, const char *text, const int *fds, int n_fds)
{
	for (int i = 0; i < n_fds && fds[i] >= 0; i++) {
		ask->fds[ask->n_fds] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (ask->fds[ask->n_fds] < 0) {
			tn_control_answer(ask, strerror(errno), NULL);
			return;
		}
		ask->n_fds++;
	}
	tn_control_answer(ask, NULL, text);
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

struct tn_control *tn_control_listen(struct tn_host_loop *hl, const struct tn_control_at *at,
    void (*handler)(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid), void *arg)
{
	struct tn_control *c = calloc(1, sizeof(*c));
	struct sockaddr_un a;
	socklen_t len = tn_control_address(&a, at);

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
