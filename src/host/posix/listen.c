/*
 * Listening sockets. Everything that can fail is tried before the listener is there; accepting cannot fail for good: out
 * of descriptors, it rests for a moment (the kernel's queue holds who waits) instead of spinning.
 */
#include "host/posix/listen.h"

#include "host/posix/host.h"
#include "host/posix/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESS_SIZE 160
#define ACCEPTS_MAX  64 /* before others on the loop have their turn */
#define REST_NS      UINT64_C(100000000)

struct tn_listener {
	struct tn_host_loop *h;
	tn_accepted_fn *accepted;
	void *arg;
	int fd;
	uv_poll_t poll;
	struct tn_timer rest;
	bool freed;
	char address[ADDRESS_SIZE];
	char *path; /* of a unix socket's file that we made; NULL: none */
	dev_t dev;  /* which file that was */
	ino_t ino;
};

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_storage room;
};

/* ---- accepting ---- */

static void polled(uv_poll_t *poll, int status, int events);

static void rested(struct tn_timer *timer)
{
	struct tn_listener *l = (struct tn_listener *)((char *)timer -
						       offsetof(struct tn_listener, rest));

	uv_poll_start(&l->poll, UV_READABLE, polled);
}

static void rest(struct tn_listener *l, int number)
{
	tn_logf("%s: cannot accept now: %s", l->address, strerror(number));
	uv_poll_stop(&l->poll);
	tn_timer_set(tn_host_loop_core(l->h), &l->rest, tn_now_ns() + REST_NS);
}

static void polled(uv_poll_t *poll, int status, int events)
{
	struct tn_listener *l = poll->data;
	char peer[ADDRESS_SIZE];

	(void)status;
	(void)events;
	for (unsigned i = 0; i < ACCEPTS_MAX && !l->freed; i++) {
		union address from;
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			rest(l, errno);
			return;
		}
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			continue; /* accept(2): that one connection has failed before it was there */
		tn_socket_tune(fd);
		tn_dial_of_address(&from.any, len, peer, sizeof(peer));
		l->accepted(l->arg, fd, peer);
	}
}

/* ---- opening ---- */

/* unix(7): a file that nobody listens at refuses; whoever made it is gone. */
static bool is_stale(const union address *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, &address->any, len) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

/* A socket that listens at the address; -1: errno. */
static int listen_at(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1,
	    off = 0;
	int number;

	if (fd < 0)
		return -1;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* `*` is for both */
	if (bind(fd, address, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	number = errno;
	close(fd);
	errno = number;
	return -1;
}

static int listen_unix(struct tn_listener *l, const struct tn_dial *d, enum tn_err *err,
    char words[TN_WORDS_SIZE])
{
	union address address;
	socklen_t len = tn_dial_unix_address(d, &address.un);
	int fd = listen_at(&address.any, len);
	struct stat st;

	if (fd < 0 && errno == EADDRINUSE && d->host[0] == '/') {
		if (lstat(d->host, &st) == 0 && S_ISSOCK(st.st_mode) && is_stale(&address, len) &&
		    unlink(d->host) == 0)
			fd = listen_at(&address.any, len);
		else
			errno = EADDRINUSE;
	}
	if (fd < 0) {
		*err = tn_dial_failed("listen at", d, errno, words);
		return -1;
	}
	if (d->host[0] == '/' && lstat(d->host, &st) == 0) {
		l->path = strdup(d->host);
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return fd;
}

/* Everywhere: IPv6 with IPv4 inside, or IPv4 where the system has no IPv6. */
static int listen_everywhere(uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = in6addr_any };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = listen_at((struct sockaddr *)&six, sizeof(six));

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = listen_at((struct sockaddr *)&four, sizeof(four));
	return fd;
}

static int listen_tcp(struct tn_listener *l, const struct tn_dial *d, enum tn_err *err,
    char words[TN_WORDS_SIZE])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *addresses = NULL;
	uint16_t port;
	char text[8];
	int fd = -1, code;

	(void)l;
	*err = tn_dial_port(d, &port, words);
	if (*err)
		return -1;
	if (strcmp(d->host, "*") == 0) {
		fd = listen_everywhere(port);
	} else {
		snprintf(text, sizeof(text), "%u", (unsigned)port);
		code = getaddrinfo(d->host, text, &hints, &addresses);
		if (code) {
			*err = tn_dial_unresolved(gai_strerror(code), d, words);
			return -1;
		}
		for (struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next)
			fd = listen_at(at->ai_addr, at->ai_addrlen);
	}
	if (fd < 0)
		*err = tn_dial_failed("listen at", d, errno, words);
	if (addresses)
		freeaddrinfo(addresses);
	return fd;
}

static int listen_never(struct tn_listener *l, const struct tn_dial *d, enum tn_err *err,
    char words[TN_WORDS_SIZE])
{
	(void)l;
	snprintf(words, TN_WORDS_SIZE, "cannot listen at %s: only at tcp! and unix!", d->text);
	*err = TN_EBADDIAL;
	return -1;
}

static int (*const listens[TN_NETS])(struct tn_listener *l, const struct tn_dial *d,
    enum tn_err *err, char words[TN_WORDS_SIZE]) = {
	[TN_NET_TCP] = listen_tcp,
	[TN_NET_UNIX] = listen_unix,
	[TN_NET_EXEC] = listen_never,
	[TN_NET_FD] = listen_never,
};

static void handle_closed(uv_handle_t *handle)
{
	struct tn_listener *l = handle->data;

	close(l->fd);
	free(l->path);
	tn_free(l);
}

/* fd is open and l knows the file it made; both are gone when this fails. */
static struct tn_listener *start(struct tn_listener *l, int fd, enum tn_err *err)
{
	union address address;
	socklen_t len = sizeof(address);

	l->fd = fd;
	l->rest.fn = rested;
	if (getsockname(fd, &address.any, &len))
		len = 0;
	tn_dial_of_address(&address.any, len, l->address, sizeof(l->address));
	if (uv_poll_init(tn_host_loop_uv(l->h), &l->poll, fd)) {
		if (l->path)
			unlink(l->path);
		free(l->path);
		close(fd);
		tn_free(l);
		*err = TN_EBADFD;
		return NULL;
	}
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, polled);
	*err = TN_OK;
	return l;
}

static struct tn_listener *listener_alloc(struct tn_host_loop *h, tn_accepted_fn *accepted,
    void *arg, enum tn_err *err)
{
	struct tn_listener *l = tn_alloc(sizeof(*l));

	if (!l) {
		*err = TN_ENOMEM;
		return NULL;
	}
	l->h = h;
	l->accepted = accepted;
	l->arg = arg;
	return l;
}

struct tn_listener *tn_listener_new(struct tn_host_loop *h, const char *dial,
    tn_accepted_fn *accepted, void *arg, enum tn_err *err, char words[TN_WORDS_SIZE])
{
	struct tn_listener *l = listener_alloc(h, accepted, arg, err);
	struct tn_dial d;
	int fd;

	words[0] = 0;
	if (!l)
		return NULL;
	*err = tn_dial_parse(&d, dial, words);
	if (*err) {
		tn_free(l);
		return NULL;
	}
	fd = listens[d.net](l, &d, err, words);
	tn_dial_fini(&d);
	if (fd < 0) {
		tn_free(l);
		return NULL;
	}
	return start(l, fd, err);
}

struct tn_listener *tn_listener_of_fd(struct tn_host_loop *h, int fd, tn_accepted_fn *accepted,
    void *arg, enum tn_err *err, char words[TN_WORDS_SIZE])
{
	struct tn_listener *l;

	words[0] = 0;
	if (!tn_fd_listens(fd)) {
		snprintf(words, TN_WORDS_SIZE, "descriptor %d is no socket that listens", fd);
		close(fd);
		*err = TN_EBADFD;
		return NULL;
	}
	l = listener_alloc(h, accepted, arg, err);
	if (!l) {
		close(fd);
		return NULL;
	}
	return start(l, fd, err);
}

void tn_listener_free(struct tn_listener *l)
{
	struct stat st;

	if (!l || l->freed)
		return;
	l->freed = true;
	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	tn_timer_stop(tn_host_loop_core(l->h), &l->rest);
	uv_close((uv_handle_t *)&l->poll, handle_closed);
}

const char *tn_listener_address(const struct tn_listener *l)
{
	return l->address;
}

/* ---- what others opened ---- */

static bool number_of(const char *name, long *value)
{
	const char *text = getenv(name);
	char *end;

	if (!text || !*text)
		return false;
	*value = strtol(text, &end, 10);
	return !*end;
}

int tn_listen_fds(void)
{
	long pid = 0, n = 0;
	bool mine = number_of("LISTEN_PID", &pid) && pid == (long)getpid() &&
		    number_of("LISTEN_FDS", &n) && n > 0 && n < 1024;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = 3; mine && fd < 3 + (int)n; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return mine ? (int)n : 0;
}

bool tn_fd_listens(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

void tn_fd_peer(int fd, char *buf, size_t size)
{
	union address address;
	socklen_t len = sizeof(address);

	if (getpeername(fd, &address.any, &len))
		len = 0;
	tn_dial_of_address(&address.any, len, buf, size);
}
