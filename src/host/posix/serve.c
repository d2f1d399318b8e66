/*
 * Connections of a service. A conn lives from `admit` to `conn_closed`; the transport below it frees itself. Who comes
 * when there are too many is told so, by an engine of its own that says one thing.
 */
#include "host/posix/serve.h"

#include "core/server.h"
#include "host/posix/callers.h"
#include "host/posix/host.h"
#include "host/posix/listen.h"
#include "host/posix/stream.h"
#include "link/conns.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNS_MAX    1024
#define PEER_MAX     256
#define REFUSALS_MAX 64 /* at a time; beyond that a connection is closed without a word */
#define REFUSAL_NS   UINT64_C(1000000000)

struct member {
	struct member *next, *prev;
	struct tn_service *s;
	struct tn_conn *conn;
	struct tn_caller *caller; /* NULL: no memory to count it */
};

struct listening {
	struct listening *next;
	struct tn_listener *l;
};

struct tn_service {
	struct tn_host_loop *h;
	struct tn_server *server;
	struct tn_service_options o;
	struct listening *listeners;
	struct member *members;
	struct tn_callers *callers;
	uint32_t n_members, n_refusals;
	struct tn_service_stats gone; /* sums of those that have ended */
	struct tn_task end;
	bool ending;
	void (*ended)(void *arg);
	void *ended_arg;
};

/* ---- the end ---- */

static void service_free(struct tn_service *s)
{
	tn_callers_free(s->callers);
	tn_conns_put(s->o.conn.conns);
	tn_free(s);
}

static void end_now(struct tn_task *task)
{
	struct tn_service *s = (struct tn_service *)((char *)task -
						     offsetof(struct tn_service, end));
	void (*ended)(void *arg) = s->ended;
	void *arg = s->ended_arg;

	tn_server_put(s->server);
	tn_server_put(s->o.beside);
	tn_server_put(s->o.users);
	service_free(s);
	if (ended)
		ended(arg);
}

static void end_if_empty(struct tn_service *s)
{
	if (s->ending && s->n_members == 0 && s->n_refusals == 0)
		tn_loop_defer(tn_host_loop_core(s->h), &s->end);
}

/* ---- one too many ---- */

struct refusal {
	struct tn_stream stream;
	struct tn_service *s;
	struct tn_timer timer;
	size_t len, at;
	uint8_t frame[TN_HDR_SIZE + 2 + 64];
	uint8_t trash[512];
};

static uint8_t *refusal_input(struct tn_stream *stream, size_t *room)
{
	struct refusal *r = (struct refusal *)stream;

	*room = sizeof(r->trash);
	return r->trash;
}

/* The peer has asked, and the answer is on its way: closed sooner, the kernel would throw it away (a reset). */
static void refusal_arrived(struct tn_stream *stream, size_t n)
{
	(void)n;
	stream->closing = true;
}

static size_t refusal_output(struct tn_stream *stream, struct tn_vec *vec, size_t max)
{
	struct refusal *r = (struct refusal *)stream;

	(void)max;
	vec[0] = (struct tn_vec){ r->frame + r->at, r->len - r->at };
	return r->at < r->len;
}

static void refusal_sent(struct tn_stream *stream, size_t n)
{
	struct refusal *r = (struct refusal *)stream;

	r->at += n;
}

static void refusal_end(struct refusal *r)
{
	struct tn_service *s = r->s;

	tn_timer_stop(tn_host_loop_core(s->h), &r->timer);
	s->n_refusals--;
	tn_free(r);
	end_if_empty(s);
}

static void refusal_hangup(struct tn_stream *stream, enum tn_err why)
{
	(void)why;
	refusal_end((struct refusal *)stream);
}

static const struct tn_stream_ops refusal_ops = {
	refusal_input,
	refusal_arrived,
	refusal_output,
	refusal_sent,
	refusal_hangup,
};

static void refusal_late(struct tn_timer *timer)
{
	struct refusal *r = (struct refusal *)((char *)timer - offsetof(struct refusal, timer));

	r->stream.closing = true;
	r->stream.transport->ready(&r->stream);
}

static struct refusal *refusal_new(struct tn_service *s, enum tn_err err)
{
	struct tn_msg m = { .type = TN_RERROR, .tag = TN_NOTAG };
	struct refusal *r = s->n_refusals < REFUSALS_MAX ? tn_alloc(sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	m.ename.s = tn_err_text(err);
	m.ename.len = (uint32_t)strlen(m.ename.s);
	if (tn_msg_encode(&m, TN_9P2000, r->frame, sizeof(r->frame), &r->len) != TN_CODEC_OK) {
		tn_free(r);
		return NULL;
	}
	r->stream.ops = &refusal_ops;
	r->s = s;
	r->timer.fn = refusal_late;
	return r;
}

static void refuse(struct tn_service *s, enum tn_err err, int read_fd, int write_fd)
{
	struct refusal *r = refusal_new(s, err);

	s->gone.refused++;
	if (!r) {
		close(read_fd);
		if (write_fd != read_fd)
			close(write_fd);
		return;
	}
	s->n_refusals++;
	if (tn_transport_join(s->h, &r->stream, read_fd, write_fd, NULL, NULL))
		refusal_end(r);
	else
		tn_timer_set(tn_host_loop_core(s->h), &r->timer, tn_now_ns() + REFUSAL_NS);
}

/* ---- connections ---- */

static void add_stats(struct tn_conn_stats *sum, const struct tn_conn_stats *one)
{
	sum->messages_in += one->messages_in;
	sum->messages_out += one->messages_out;
	sum->bytes_in += one->bytes_in;
	sum->bytes_out += one->bytes_out;
	sum->errors += one->errors;
	sum->kept += one->kept;
	sum->flushed += one->flushed;
	sum->refused += one->refused;
	sum->slow += one->slow;
	sum->idle += one->idle;
	sum->fids += one->fids;
	sum->reqs += one->reqs;
}

static void conn_closed(struct tn_conn *conn, void *arg)
{
	struct member *m = arg;
	struct tn_service *s = m->s;
	struct tn_conn_stats last;

	tn_conn_stats(conn, &last);
	last.fids = last.reqs = 0;
	add_stats(&s->gone.conn, &last);
	if (m->prev)
		m->prev->next = m->next;
	else
		s->members = m->next;
	if (m->next)
		m->next->prev = m->prev;
	s->n_members--;
	tn_conn_free(conn);
	tn_caller_leave(s->callers, m->caller);
	tn_free(m);
	if (s->n_members == 0 && !s->ending && s->o.idle)
		s->o.idle(s->o.arg);
	end_if_empty(s);
}

static struct member *member_new(struct tn_service *s, const char *peer, struct tn_caller *caller)
{
	struct member *m = tn_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->s = s;
	m->caller = caller;
	m->conn = tn_conn_new(s->server, &s->o.conn, peer, conn_closed, m);
	if (!m->conn) {
		tn_free(m);
		return NULL;
	}
	tn_conn_users(m->conn, s->o.users);
	if (s->o.beside)
		tn_conn_beside(m->conn, s->o.aname, s->o.beside);
	m->next = s->members;
	if (m->next)
		m->next->prev = m;
	s->members = m;
	s->n_members++;
	s->gone.accepted++;
	return m;
}

/* TN_OK, or the limit that one more from there would be beyond. */
static enum tn_err may_come(const struct tn_service *s, const struct tn_caller *caller)
{
	if (s->n_members >= s->o.conns_max)
		return TN_ELIMIT_CONNS;
	if (!caller)
		return TN_ENOMEM;
	return tn_caller_count(caller) > s->o.peer_max ? TN_ELIMIT_PEER : TN_OK;
}

/* Takes the descriptors. */
static enum tn_err admit(struct tn_service *s, int read_fd, int write_fd, const char *peer)
{
	struct tn_caller *caller = tn_caller_enter(s->callers, read_fd);
	enum tn_err err = may_come(s, caller);
	struct member *m = err ? NULL : member_new(s, peer, caller);

	if (!m) {
		err = err ? err : TN_ENOMEM;
		tn_caller_leave(s->callers, caller);
		refuse(s, err, read_fd, write_fd);
		return err;
	}
	err = tn_transport_join(s->h, tn_conn_stream(m->conn), read_fd, write_fd, NULL, NULL);
	if (err)
		tn_conn_end(m->conn);
	return err;
}

static void accepted(void *arg, int fd, const char *peer)
{
	struct tn_service *s = arg;
	enum tn_err err = admit(s, fd, fd, peer);

	if (err == TN_ELIMIT_CONNS || err == TN_ELIMIT_PEER)
		tn_logf("%s: refused: %s", peer, tn_err_text(err));
}

/* ---- for others ---- */

struct tn_service *tn_service_new(struct tn_host_loop *h, struct tn_server *server,
    const struct tn_service_options *options)
{
	struct tn_service *s = tn_alloc(sizeof(*s));

	if (!s)
		return NULL;
	if (options)
		s->o = *options;
	s->callers = tn_callers_new();
	s->o.conn.conns = tn_conns_new(tn_host_loop_core(h), s->o.memory_max);
	if (!s->callers || !s->o.conn.conns) {
		service_free(s);
		return NULL;
	}
	s->h = h;
	s->server = tn_server_get(server);
	if (s->o.beside)
		tn_server_get(s->o.beside);
	if (s->o.users)
		tn_server_get(s->o.users);
	if (!s->o.conns_max)
		s->o.conns_max = CONNS_MAX;
	if (!s->o.peer_max)
		s->o.peer_max = PEER_MAX;
	s->end.fn = end_now;
	return s;
}

/* Takes l, which may be NULL: then err says why. */
static enum tn_err add_listener(struct tn_service *s, struct tn_listener *l, enum tn_err err,
    const char **address)
{
	struct listening *entry;

	if (!l)
		return err;
	entry = tn_alloc(sizeof(*entry));
	if (!entry) {
		tn_listener_free(l);
		return TN_ENOMEM;
	}
	*entry = (struct listening){ s->listeners, l };
	s->listeners = entry;
	if (address)
		*address = tn_listener_address(l);
	return TN_OK;
}

enum tn_err tn_service_listen(struct tn_service *s, const char *dial, const char **address,
    char words[TN_WORDS_SIZE])
{
	enum tn_err err = TN_OK;
	struct tn_listener *l = tn_listener_new(s->h, dial, accepted, s, &err, words);

	return add_listener(s, l, err, address);
}

enum tn_err tn_service_fd(struct tn_service *s, int fd, char words[TN_WORDS_SIZE])
{
	enum tn_err err = TN_OK;
	struct tn_listener *l;
	char peer[160];

	words[0] = 0;
	if (tn_fd_listens(fd)) {
		l = tn_listener_of_fd(s->h, fd, accepted, s, &err, words);
		return add_listener(s, l, err, NULL);
	}
	tn_fd_peer(fd, peer, sizeof(peer));
	tn_socket_tune(fd);
	err = admit(s, fd, fd, peer);
	if (err)
		snprintf(words, TN_WORDS_SIZE, "cannot serve descriptor %d: %s", fd,
		    tn_err_text(err));
	return err;
}

enum tn_err tn_service_pair(struct tn_service *s, int read_fd, int write_fd,
    char words[TN_WORDS_SIZE])
{
	char name[40];
	struct tn_dial d = { .net = TN_NET_FD,
		.text = name,
		.read_fd = read_fd,
		.write_fd = write_fd };
	enum tn_err err;

	words[0] = 0;
	snprintf(name, sizeof(name), "fd!%d,%d", read_fd, write_fd);
	err = tn_dial_take_fds(&d, &read_fd, &write_fd, words);
	if (err)
		return err;
	err = admit(s, read_fd, write_fd, name);
	if (err)
		snprintf(words, TN_WORDS_SIZE, "cannot serve %s: %s", name, tn_err_text(err));
	return err;
}

void tn_service_end(struct tn_service *s, void (*ended)(void *arg), void *arg)
{
	struct member *m, *next;

	s->ended = ended;
	s->ended_arg = arg;
	while (s->listeners) {
		struct listening *first = s->listeners;

		s->listeners = first->next;
		tn_listener_free(first->l);
		tn_free(first);
	}
	s->n_members++; /* holds s while conns end, maybe inside tn_conn_end */
	s->ending = true;
	for (m = s->members; m; m = next) {
		next = m->next;
		tn_conn_end(m->conn);
	}
	s->n_members--;
	end_if_empty(s);
}

const char *tn_service_address(const struct tn_service *s)
{
	return s->listeners ? tn_listener_address(s->listeners->l) : "";
}

void tn_service_stats(const struct tn_service *s, struct tn_service_stats *out)
{
	*out = s->gone;
	out->conns = s->n_members;
	for (const struct member *m = s->members; m; m = m->next) {
		struct tn_conn_stats now;

		tn_conn_stats(m->conn, &now);
		add_stats(&out->conn, &now);
	}
}
