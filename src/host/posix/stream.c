/*
 * Bytes between descriptors and a stream's engine. One function, `crank`, does what can be done now: reads while the
 * engine gives room, writes while it has output; what it could not do decides what is polled for.
 *
 * The states are few: reading until end of file or an error; then, or when the engine wants to close, only writing is
 * left, for a bounded time; then the engine is told and everything is closed. The engine may vanish inside any call to
 * it (`detached`), so `engine` is looked at after each.
 */
#include "host/posix/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define VECS_MAX  16                   /* pieces in one gathered write */
#define READS_MAX 16                   /* reads before others on the loop have their turn, */
#define BYTES_MAX (1u << 20)           /* or so many bytes */
#define LINGER_NS UINT64_C(5000000000) /* for the last output of a stream that ends */

struct side {
	int fd;
	int old_flags;  /* of fcntl, to be restored; -1: nothing was changed */
	bool is_socket; /* sendmsg, which raises no signal */
	bool always;    /* epoll does not take it (a plain file, /dev/null): always ready */
	uv_poll_t poll;
	int polled_for; /* events uv_poll waits for now */
};

struct tn_transport {
	struct tn_host_loop *h;
	struct tn_stream *engine; /* NULL: gone */
	struct side in, *out;     /* out NULL: `in` is for both */
	struct tn_task soon;
	struct tn_timer linger;
	void (*closed)(void *arg, enum tn_err why);
	void *arg;
	enum tn_err why;
	bool input_over;  /* end of file or an error of the reading side */
	bool output_over; /* an error of the writing side */
	bool blocked;     /* the descriptor takes no more for now */
	bool no_room;     /* the engine took no input when it was asked last */
	size_t taken;     /* bytes, in this crank */
	bool moved;       /* something was sent since the linger timer was set */
	bool cranking;    /* `crank` is at work: `ready` need not wake it */
	bool again;       /* `ready` came meanwhile */
	bool ended;
	unsigned n_open; /* handles of libuv that are not closed yet */
};

static void crank(struct tn_transport *t, bool more);

static struct side *out_side(struct tn_transport *t)
{
	return t->out ? t->out : &t->in;
}

/* ---- the end ---- */

static void side_give_back(struct side *side)
{
	if (!side || side->fd < 0)
		return;
	if (side->old_flags >= 0)
		fcntl(side->fd, F_SETFL,
		    side->old_flags); /* others may have the same file open: a shell its terminal */
	close(side->fd);
}

static void all_closed(struct tn_transport *t)
{
	side_give_back(&t->in);
	side_give_back(t->out);
	if (t->closed)
		t->closed(t->arg, t->why);
	tn_free(t->out);
	tn_free(t);
}

static void handle_closed(uv_handle_t *handle)
{
	struct tn_transport *t = handle->data;

	/* A task that is still queued points into t: it comes last then. */
	if (--t->n_open == 0 && !t->soon.queued)
		all_closed(t);
}

static void run_soon(struct tn_task *task)
{
	struct tn_transport *t = (struct tn_transport *)((char *)task -
							 offsetof(struct tn_transport, soon));

	if (t->ended) {
		if (t->n_open == 0)
			all_closed(t);
		return;
	}
	crank(t,
	    t->in.always); /* else uv_poll says when there is input: a read for nothing is saved */
}

/* Lets go of the engine, telling it unless it is gone; closes. The last close callback frees t. */
static void end(struct tn_transport *t, enum tn_err why)
{
	struct tn_stream *engine = t->engine;

	if (t->ended)
		return;
	t->ended = true;
	t->why = why;
	tn_timer_stop(tn_host_loop_core(t->h), &t->linger);
	t->engine = NULL;
	if (engine) {
		engine->transport = NULL;
		engine->host = NULL;
		tn_stream_hangup(engine, why);
	}
	if (t->n_open == 0) {
		tn_loop_defer(tn_host_loop_core(t->h), &t->soon);
		return;
	}
	if (!t->in.always)
		uv_close((uv_handle_t *)&t->in.poll, handle_closed);
	if (t->out && !t->out->always)
		uv_close((uv_handle_t *)&t->out->poll, handle_closed);
}

static void linger_over(struct tn_timer *timer)
{
	struct tn_transport *t = (struct tn_transport *)((char *)timer -
							 offsetof(struct tn_transport, linger));

	end(t, t->why ? t->why : TN_ETIMEDOUT);
}

/* ---- what the engine says ---- */

static void ready(struct tn_stream *engine)
{
	struct tn_transport *t = engine->host;

	t->again = true;
	if (!t->cranking)
		tn_loop_defer(tn_host_loop_core(t->h), &t->soon);
}

static void detached(struct tn_stream *engine)
{
	struct tn_transport *t = engine->host;

	engine->transport = NULL;
	engine->host = NULL;
	t->engine = NULL;
	if (!t->cranking)
		end(t, TN_OK);
}

static const struct tn_transport_ops transport_ops = { ready, detached };

/* ---- bytes ---- */

static enum tn_err err_of_errno(int number)
{
	return number == ECONNRESET || number == EPIPE ? TN_ECONNLOST
						       : tn_err_of_linux((uint32_t)number);
}

static ssize_t write_some(struct side *side, const struct tn_vec *vec, size_t n)
{
	struct iovec iov[VECS_MAX];
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent;

	for (size_t i = 0; i < n; i++)
		iov[i] = (struct iovec){ (void *)(uintptr_t)vec[i].data, vec[i].len };
	do {
		sent = side->is_socket ? sendmsg(side->fd, &message, MSG_NOSIGNAL)
				       : writev(side->fd, iov, (int)n);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

/* Sends until the engine has nothing more or the descriptor takes nothing more. */
static void send_output(struct tn_transport *t)
{
	struct tn_vec vec[VECS_MAX];

	t->blocked = false;
	while (t->engine && !t->output_over) {
		size_t n = tn_stream_output(t->engine, vec, VECS_MAX);
		ssize_t sent;

		if (n == 0)
			return;
		sent = write_some(out_side(t), vec, n);
		if (sent < 0 && errno == EAGAIN) {
			t->blocked = true;
			return;
		}
		if (sent < 0) {
			t->why = err_of_errno(errno);
			t->output_over = true;
			return;
		}
		t->moved = true;
		tn_stream_sent(t->engine, (size_t)sent);
	}
}

/*
 * One read into the engine's room. false: nothing more is to be had now.
 * A short read means that the descriptor is empty: the read that would say so is saved.
 */
static bool take_input(struct tn_transport *t)
{
	size_t room = 0;
	uint8_t *buf = tn_stream_input(t->engine, &room);
	ssize_t n;

	t->no_room = !buf || room == 0;
	if (t->no_room)
		return false;
	do {
		n = read(t->in.fd, buf, room);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		t->taken += (size_t)n;
		tn_stream_arrived(t->engine, (size_t)n);
		return (size_t)n == room;
	}
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		t->why = err_of_errno(errno);
	t->input_over = true;
	return false;
}

static bool wants_input(const struct tn_transport *t)
{
	return t->engine && !t->input_over && !t->engine->closing;
}

/* ---- what to wait for ---- */

static void polled(uv_poll_t *poll, int status, int events);

static void side_poll(struct tn_transport *t, struct side *side, int events)
{
	if (side->always) {
		if (events)
			tn_loop_defer(tn_host_loop_core(t->h), &t->soon);
		return;
	}
	if (events == side->polled_for)
		return;
	side->polled_for = events;
	if (events)
		uv_poll_start(&side->poll, events, polled);
	else
		uv_poll_stop(&side->poll);
}

static void wait_for_more(struct tn_transport *t)
{
	int in = wants_input(t) && !t->no_room ? UV_READABLE : 0,
	    out = t->blocked ? UV_WRITABLE : 0;

	if (!t->out) {
		side_poll(t, &t->in, in | out);
		return;
	}
	side_poll(t, &t->in, in);
	side_poll(t, t->out, out);
}

/* The stream is over but for output: true when it is over altogether. */
static bool finished(struct tn_transport *t)
{
	if (!t->engine || t->output_over)
		return true;
	if (!t->input_over && !t->engine->closing)
		return false;
	if (!t->blocked)
		return true; /* all that the engine had is sent */
	if (t->linger.at_ns == 0 || t->moved)
		tn_timer_set(tn_host_loop_core(t->h), &t->linger, tn_now_ns() + LINGER_NS);
	t->moved = false;
	return false;
}

/* more: the descriptor may have input. */
static void crank(struct tn_transport *t, bool more)
{
	unsigned rounds = 0;

	t->cranking = true;
	t->taken = 0;
	do {
		more = (more || t->no_room) && wants_input(t) && take_input(t);
		t->again = false;
		send_output(t);
	} while (t->engine && !t->output_over && (more || t->again) && ++rounds < READS_MAX &&
		 t->taken < BYTES_MAX);
	t->cranking = false;
	if (finished(t)) {
		end(t, t->why);
		return;
	}
	wait_for_more(t);
	if (t->again)
		tn_loop_defer(tn_host_loop_core(t->h), &t->soon);
}

/* To try costs less than to tell events apart; hang-ups and errors show in the read or write. */
static void polled(uv_poll_t *poll, int status, int events)
{
	struct tn_transport *t = poll->data;

	(void)events;
	if (status < 0) /* libuv's way to say EPOLLERR: it has stopped to poll */
		(poll == &t->in.poll ? &t->in : t->out)->polled_for = 0;
	crank(t, true);
}

/* ---- the beginning ---- */

static bool can(int fd, int access)
{
	int mode = fcntl(fd, F_GETFL);

	if (mode < 0)
		return false;
	mode &= O_ACCMODE;
	return mode == O_RDWR || mode == access;
}

static enum tn_err side_open(struct tn_transport *t, struct side *side, int fd)
{
	int type, err;
	socklen_t len = sizeof(type);

	side->fd = fd;
	side->old_flags = fcntl(fd, F_GETFL);
	if (side->old_flags & O_NONBLOCK)
		side->old_flags = -1;
	side->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	err = uv_poll_init(tn_host_loop_uv(t->h), &side->poll, fd);
	if (err == UV_EPERM) {
		side->always = true;
		return TN_OK;
	}
	if (err)
		return err_of_errno(-err);
	side->poll.data = t;
	t->n_open++;
	return TN_OK;
}

static void abandoned(uv_handle_t *handle)
{
	struct tn_transport *t = handle->data;

	if (--t->n_open == 0) {
		side_give_back(&t->in);
		tn_free(t->out);
		tn_free(t);
	}
}

/* tn_transport_join failed half way: `in` is open. The handle's memory is libuv's until it is closed. */
static void abandon(struct tn_transport *t)
{
	if (t->n_open > 0) {
		uv_close((uv_handle_t *)&t->in.poll, abandoned);
		return;
	}
	side_give_back(&t->in);
	tn_free(t->out);
	tn_free(t);
}

static void close_both(int read_fd, int write_fd)
{
	close(read_fd);
	if (write_fd != read_fd)
		close(write_fd);
}

enum tn_err tn_transport_join(struct tn_host_loop *h, struct tn_stream *engine, int read_fd,
    int write_fd, void (*closed)(void *arg, enum tn_err why), void *arg)
{
	struct tn_transport *t;
	enum tn_err err;

	if (!can(read_fd, O_RDONLY) || !can(write_fd, O_WRONLY)) {
		close_both(read_fd, write_fd);
		return TN_EBADFD;
	}
	t = tn_alloc(sizeof(*t));
	if (!t) {
		close_both(read_fd, write_fd);
		return TN_ENOMEM;
	}
	*t = (struct tn_transport){ .h = h, .closed = closed, .arg = arg, .in.fd = -1 };
	t->soon.fn = run_soon;
	t->linger.fn = linger_over;
	err = side_open(t, &t->in, read_fd);
	if (!err && write_fd != read_fd) {
		t->out = tn_alloc(sizeof(*t->out));
		err = t->out ? side_open(t, t->out, write_fd) : TN_ENOMEM;
	}
	if (err) {
		if (write_fd != read_fd)
			close(write_fd);
		abandon(t);
		return err;
	}
	t->engine = engine;
	engine->host = t;
	engine->transport = &transport_ops;
	tn_loop_defer(tn_host_loop_core(h), &t->soon); /* output may be there already */
	return TN_OK;
}

/* ---- sockets ---- */

void tn_socket_tune(int fd)
{
	static const struct {
		int level, name, value;
	} rows[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 30 }, /* seconds */
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	/* A socket of another family refuses; it needs none of it. */
	for (size_t i = 0; i < TN_COUNT(rows); i++)
		setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value, sizeof(rows[i].value));
}
