/*
 * Connecting an engine to where a dial string leads, without waiting. tcp: look up, then one address after the other,
 * each with a fair part of the time that is left; unix: one address; exec, fd: at once. A lookup runs on a worker of
 * libuv, which cannot be stopped: its request is a thing of its own that outlives who gave up waiting for it.
 */
#include "host/posix/dial.h"
#include "host/posix/exec.h"
#include "host/posix/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUSY_RETRY_NS \
	20000000 /* a unix socket whose queue is full says EAGAIN: tried again after so long */

struct lookup {
	uv_getaddrinfo_t req;
	struct tn_connect *c; /* NULL: nobody waits any more */
};

/* One socket being connected. Its memory is libuv's until the handle is closed. */
struct attempt {
	uv_poll_t poll;
	int fd; /* -1: given away */
	struct tn_connect *c;
};

struct tn_connect {
	struct tn_host_loop *h;
	struct tn_dial dial;
	struct tn_stream *engine;
	tn_connected_fn *done;
	void *arg;
	uint64_t deadline_ns;
	struct lookup *lookup;
	struct addrinfo *addresses, *at; /* from getaddrinfo; the one being tried */
	struct attempt *attempt;
	struct tn_timer timer;
	struct tn_task start;
	bool cancelled; /* the start task, still queued, frees it */
	char words[TN_WORDS_SIZE];
};

static void try_address(struct tn_connect *c);

static struct tn_loop *core_of(struct tn_connect *c)
{
	return tn_host_loop_core(c->h);
}

/* ---- the end ---- */

static void attempt_closed(uv_handle_t *handle)
{
	struct attempt *a = handle->data;

	if (a->fd >= 0)
		close(a->fd);
	tn_free(a);
}

static void attempt_end(struct tn_connect *c)
{
	struct attempt *a = c->attempt;

	c->attempt = NULL;
	if (a)
		uv_close((uv_handle_t *)&a->poll, attempt_closed);
}

static void release(struct tn_connect *c)
{
	attempt_end(c);
	tn_timer_stop(core_of(c), &c->timer);
	if (c->lookup) {
		c->lookup->c = NULL;
		uv_cancel((uv_req_t *)&c->lookup->req);
	}
	if (c->addresses)
		freeaddrinfo(c->addresses);
	tn_dial_fini(&c->dial);
	tn_free(c);
}

/* Tells whoever waits, when c is gone: he may connect again from inside. */
static void finish(struct tn_connect *c, enum tn_err err)
{
	tn_connected_fn *done = c->done;
	void *arg = c->arg;
	char words[TN_WORDS_SIZE];

	memcpy(words, c->words, sizeof(words));
	release(c);
	done(arg, err, err ? words : "");
}

static void finish_errno(struct tn_connect *c, int number)
{
	finish(c, tn_dial_failed("connect to", &c->dial, number, c->words));
}

void tn_connect_cancel(struct tn_connect *c)
{
	if (c->start.queued) {
		c->cancelled = true;
		return;
	}
	release(c);
}

/* ---- sockets ---- */

static void joined(struct tn_connect *c, int fd)
{
	enum tn_err err;

	tn_socket_tune(fd);
	err = tn_transport_join(c->h, c->engine, fd, fd, NULL, NULL);
	finish(c, err);
}

/* The address did not do: the next one, or the end with the last one's cause. */
static void address_failed(struct tn_connect *c, int number)
{
	attempt_end(c);
	if (c->at)
		c->at = c->at->ai_next;
	if (c->at)
		try_address(c);
	else
		finish_errno(c, number);
}

static void polled(uv_poll_t *poll, int status, int events)
{
	struct attempt *a = poll->data;
	struct tn_connect *c = a->c;
	int number = 0, fd = a->fd;
	socklen_t len = sizeof(number);

	(void)status; /* libuv says EBADF for every EPOLLERR: the socket knows more */
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len))
		number = errno;
	if (number) {
		address_failed(c, number);
		return;
	}
	a->fd = -1;
	attempt_end(c);
	joined(c, fd);
}

static bool attempt_start(struct tn_connect *c, int fd)
{
	struct attempt *a = tn_alloc(sizeof(*a));

	if (!a || uv_poll_init(tn_host_loop_uv(c->h), &a->poll, fd)) {
		tn_free(a);
		return false;
	}
	*a = (struct attempt){ .poll = a->poll, .fd = fd, .c = c };
	a->poll.data = a;
	c->attempt = a;
	uv_poll_start(&a->poll, UV_WRITABLE, polled);
	return true;
}

static unsigned addresses_left(const struct tn_connect *c)
{
	unsigned n = 0;

	for (const struct addrinfo *at = c->at; at; at = at->ai_next)
		n++;
	return n ? n : 1;
}

static void attempt_late(struct tn_timer *timer)
{
	struct tn_connect *c = (struct tn_connect *)((char *)timer -
						     offsetof(struct tn_connect, timer));

	if (c->lookup) {
		finish(c, tn_dial_unresolved("nobody answered in time", &c->dial, c->words));
		return;
	}
	address_failed(c, ETIMEDOUT);
}

static void busy_over(struct tn_timer *timer)
{
	struct tn_connect *c = (struct tn_connect *)((char *)timer -
						     offsetof(struct tn_connect, timer));

	try_address(c);
}

/* A fair part of what is left for this address. */
static void bound_attempt(struct tn_connect *c)
{
	uint64_t now = tn_now_ns(), left = c->deadline_ns > now ? c->deadline_ns - now : 0;

	c->timer.fn = attempt_late;
	tn_timer_set(core_of(c), &c->timer, now + left / addresses_left(c));
}

static void try_socket(struct tn_connect *c, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int number;

	if (fd < 0) {
		address_failed(c, errno);
		return;
	}
	if (connect(fd, address, len) == 0) {
		joined(c, fd);
		return;
	}
	number = errno;
	if (number == EINPROGRESS && attempt_start(c, fd)) {
		bound_attempt(c);
		return;
	}
	close(fd);
	if (number == EAGAIN && tn_now_ns() < c->deadline_ns) {
		c->timer.fn = busy_over;
		tn_timer_set(core_of(c), &c->timer, tn_now_ns() + BUSY_RETRY_NS);
		return;
	}
	address_failed(c, number == EINPROGRESS ? ENOMEM : number == EAGAIN ? ETIMEDOUT : number);
}

static void try_address(struct tn_connect *c)
{
	struct sockaddr_un address;

	if (c->dial.net == TN_NET_UNIX)
		try_socket(c, (const struct sockaddr *)&address,
		    tn_dial_unix_address(&c->dial, &address));
	else
		try_socket(c, c->at->ai_addr, c->at->ai_addrlen);
}

/* ---- names ---- */

static void found(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
	struct lookup *lookup = req->data;
	struct tn_connect *c = lookup->c;

	tn_free(lookup);
	if (!c) {
		if (addresses)
			freeaddrinfo(addresses);
		return;
	}
	c->lookup = NULL;
	if (status < 0) {
		finish(c, tn_dial_unresolved(uv_strerror(status), &c->dial, c->words));
		return;
	}
	c->addresses = c->at = addresses;
	try_address(c);
}

static void look_up(struct tn_connect *c, const char *port, const struct addrinfo *hints)
{
	struct lookup *lookup = tn_alloc(sizeof(*lookup));

	if (!lookup) {
		finish(c, TN_ENOMEM);
		return;
	}
	lookup->c = c;
	lookup->req.data = lookup;
	if (uv_getaddrinfo(tn_host_loop_uv(c->h), &lookup->req, found, c->dial.host, port, hints)) {
		tn_free(lookup);
		finish(c, TN_ENOMEM);
		return;
	}
	c->lookup = lookup;
	c->timer.fn = attempt_late;
	tn_timer_set(core_of(c), &c->timer, c->deadline_ns);
}

/* ---- by net ---- */

static void start_unix(struct tn_connect *c)
{
	try_address(c);
}

/* An address as it is needs no lookup, and so no thread. */
static void start_tcp(struct tn_connect *c)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	uint16_t number;
	char port[8];
	enum tn_err err = tn_dial_port(&c->dial, &number, c->words);

	if (!err && number == 0) {
		snprintf(c->words, sizeof(c->words),
		    "cannot connect to %s: port 0 is only to listen", c->dial.text);
		err = TN_EBADDIAL;
	}
	if (!err && strcmp(c->dial.host, "*") == 0) {
		snprintf(c->words, sizeof(c->words), "cannot connect to %s: * is only to listen",
		    c->dial.text);
		err = TN_EBADDIAL;
	}
	if (err) {
		finish(c, err);
		return;
	}
	snprintf(port, sizeof(port), "%u", (unsigned)number);
	if (getaddrinfo(c->dial.host, port, &hints, &c->addresses) == 0) {
		c->at = c->addresses;
		try_address(c);
		return;
	}
	hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
	look_up(c, port, &hints);
}

static void command_over(void *arg, enum tn_err why)
{
	(void)why;
	tn_command_end(arg);
}

static void start_exec(struct tn_connect *c)
{
	int read_fd, write_fd;
	struct tn_command *command = tn_command_start(c->h, c->dial.host, &read_fd, &write_fd);
	enum tn_err err;

	if (!command) {
		finish(c, tn_dial_failed("start", &c->dial, errno, c->words));
		return;
	}
	err = tn_transport_join(c->h, c->engine, read_fd, write_fd, command_over, command);
	if (err)
		tn_command_end(command);
	finish(c, err);
}

/*
 * Standard input and output become a stream: whatever else writes there later must not get into it, so their numbers
 * lead to /dev/null from now on.
 */
static int take_fd(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), null;

	if (moved < 0)
		return -1;
	if (fd > STDERR_FILENO) {
		close(fd);
		return moved;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, fd);
		close(null);
	}
	return moved;
}

enum tn_err tn_dial_take_fds(struct tn_dial *d, int *read_fd, int *write_fd,
    char words[TN_WORDS_SIZE])
{
	*read_fd = take_fd(d->read_fd);
	if (*read_fd < 0)
		return tn_dial_failed("use", d, errno, words);
	*write_fd = d->write_fd == d->read_fd ? *read_fd : take_fd(d->write_fd);
	if (*write_fd < 0) {
		enum tn_err err = tn_dial_failed("use", d, errno, words);

		close(*read_fd);
		return err;
	}
	return TN_OK;
}

static void start_fd(struct tn_connect *c)
{
	int read_fd, write_fd;
	enum tn_err err = tn_dial_take_fds(&c->dial, &read_fd, &write_fd, c->words);

	if (!err)
		err = tn_transport_join(c->h, c->engine, read_fd, write_fd, NULL, NULL);
	if (err == TN_EBADFD)
		snprintf(c->words, sizeof(c->words), "%s: not open for reading and writing",
		    c->dial.text);
	finish(c, err);
}

static void (*const starts[TN_NETS])(struct tn_connect *c) = {
	[TN_NET_TCP] = start_tcp,
	[TN_NET_UNIX] = start_unix,
	[TN_NET_EXEC] = start_exec,
	[TN_NET_FD] = start_fd,
};

static void start(struct tn_task *task)
{
	struct tn_connect *c = (struct tn_connect *)((char *)task -
						     offsetof(struct tn_connect, start));

	if (c->cancelled)
		release(c);
	else
		starts[c->dial.net](c);
}

struct tn_connect *tn_connect_start(struct tn_host_loop *h, const struct tn_dial *d,
    struct tn_stream *engine, uint64_t timeout_ns, tn_connected_fn *done, void *arg)
{
	struct tn_connect *c = tn_alloc(sizeof(*c));

	if (!c)
		return NULL;
	if (tn_dial_parse(&c->dial, d->text, c->words)) {
		tn_free(c);
		return NULL;
	}
	c->h = h;
	c->engine = engine;
	c->done = done;
	c->arg = arg;
	c->deadline_ns = tn_now_ns() + (timeout_ns ? timeout_ns : TN_CONNECT_NS);
	c->start.fn = start;
	tn_loop_defer(core_of(c), &c->start);
	return c;
}
