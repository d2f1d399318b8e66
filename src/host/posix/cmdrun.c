/*
 * The streams of a command are pipes, read and written when the loop says so. A process is there until its keeper has
 * ended, however early the device has forgotten it.
 */
#include "host/posix/cmdrun.h"

#include "core/err.h"
#include "host/posix/cmdkeep.h"
#include "host/posix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAMS = 3 };

struct queue { /* of kept requests, by next */
	struct tn_req *first, **last;
};

struct process {
	struct tn_host_loop *h;
	struct tn_cmd_run *run; /* NULL: the device has forgotten it */
	pid_t keeper;
	int life;         /* closing it ends all */
	int fds[STREAMS]; /* our ends; -1: closed */
	uv_poll_t polls[STREAMS], report;
	int report_fd, ending_in;
	struct queue queues[STREAMS];
	unsigned n_open; /* handles of libuv's */
	bool is_started, has_ended, keeper_gone;
};

/* ---- the end ---- */

static void closed(uv_handle_t *handle)
{
	struct process *p = handle->data;

	if (--p->n_open > 0)
		return;
	for (int i = 0; i < STREAMS; i++) {
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	}
	close(p->report_fd);
	tn_free(p);
}

/* The keeper has ended. */
static void finish(struct process *p)
{
	while (waitpid(p->keeper, NULL, 0) < 0 && errno == EINTR) {
	}
	for (int i = 0; i < STREAMS; i++) {
		if (p->fds[i] >= 0)
			uv_close((uv_handle_t *)&p->polls[i], closed);
	}
	uv_close((uv_handle_t *)&p->report, closed);
}

/* ---- what the keeper says ---- */

static void words_of(int status, char *words, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(words, size, "signal: %s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(words, size, "exit: %d", WEXITSTATUS(status));
	else
		words[0] = '\0';
}

static void tell(struct process *p, const struct cmd_report *r)
{
	char words[128], text[256];
	int n;

	if (!p->run)
		return;
	switch (r->kind) {
	case CMD_STARTED: tn_cmd_started(p->run, TN_OK); return;
	case CMD_FAILED: tn_cmd_started(p->run, tn_err_of_linux((uint32_t)r->value)); return;
	default: break;
	}
	words_of(r->value, words, sizeof(words));
	n = snprintf(text, sizeof(text), "%d %u %u %u '%s'", (int)r->pid, r->user_ms, r->system_ms,
	    r->real_ms, words);
	tn_cmd_ended(p->run, text, (size_t)n);
}

/* It was killed, and has said no more. */
static void tell_death(struct process *p)
{
	static const char text[] = "0 0 0 0 'signal: Killed'";

	if (!p->run || p->has_ended)
		return;
	if (p->is_started)
		tn_cmd_ended(p->run, text, sizeof(text) - 1);
	else
		tn_cmd_started(p->run, TN_EIO);
}

/* Records are smaller than what a pipe moves at once. */
static void reported(uv_poll_t *poll, int status, int events)
{
	struct process *p = poll->data;
	struct cmd_report r;
	ssize_t n = read(p->report_fd, &r, sizeof(r));

	(void)status, (void)events;
	if (n == sizeof(r)) {
		p->is_started = p->is_started || r.kind == CMD_STARTED;
		p->has_ended = r.kind != CMD_STARTED;
		tell(p, &r);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	uv_poll_stop(&p->report);
	tell_death(p);
	p->keeper_gone = true;
	if (!p->run)
		finish(p);
}

/* ---- the streams ---- */

static void put(struct queue *q, struct tn_req *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

static bool take(struct queue *q, struct tn_req *r)
{
	struct tn_req **at = &q->first;

	while (*at && *at != r)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = r->next;
	if (!*at)
		q->last = at;
	return true;
}

/* false: not now. A broken pipe is an error of the write, an end of the output nothing read. */
static bool move(struct process *p, int stream, struct tn_req *r)
{
	int fd = p->fds[stream];
	ssize_t n;

	if (fd < 0) {
		tn_fail(r, TN_EPIPE);
		return true;
	}
	do {
		n = stream == TN_CMD_IN ? write(fd, r->u.io.data, r->u.io.count)
					: read(fd, r->u.io.data, r->u.io.count);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0)
		tn_fail(r, tn_err_of_linux((uint32_t)errno));
	else
		r->u.io.count = (uint32_t)n;
	return true;
}

static void ready(uv_poll_t *poll, int status, int events);

static void watch(struct process *p, int stream)
{
	if (p->queues[stream].first)
		uv_poll_start(&p->polls[stream], stream == TN_CMD_IN ? UV_WRITABLE : UV_READABLE,
		    ready);
	else
		uv_poll_stop(&p->polls[stream]);
}

/* One at a time: who is answered may let go of everything, which ends at the earliest in a later turn. */
static void ready(uv_poll_t *poll, int status, int events)
{
	struct process *p = poll->data;
	int stream = (int)(poll - p->polls);
	struct tn_req *r = p->queues[stream].first;

	(void)status, (void)events;
	if (r && !move(p, stream, r))
		return;
	if (r)
		take(&p->queues[stream], r);
	watch(p, stream);
	if (r)
		tn_respond(r);
}

static enum tn_status run_io(void *process, enum tn_cmd_stream stream, struct tn_req *r)
{
	struct process *p = process;

	if (r->u.io.count == 0 || (!p->queues[stream].first && move(p, stream, r)))
		return TN_DONE;
	if (!tn_keep(r))
		return TN_DONE;
	put(&p->queues[stream], r);
	watch(p, stream);
	return TN_LATER;
}

static void run_flush(void *process, struct tn_req *r)
{
	struct process *p = process;

	for (int i = 0; i < STREAMS; i++) {
		if (!take(&p->queues[i], r))
			continue;
		watch(p, i);
		tn_fail(r, TN_EINTR);
		tn_respond(r);
		return;
	}
}

static void in_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;

	close(p->ending_in);
	closed(handle);
}

/*
 * Nobody writes any more: a writer that waits has its file open. The descriptor goes behind its handle, which would
 * take the number out of the loop when another has it.
 */
static void run_close_in(void *process)
{
	struct process *p = process;

	if (p->fds[TN_CMD_IN] < 0 || p->keeper_gone)
		return;
	p->ending_in = p->fds[TN_CMD_IN];
	p->fds[TN_CMD_IN] = -1;
	uv_close((uv_handle_t *)&p->polls[TN_CMD_IN], in_closed);
}

static void run_kill(void *process)
{
	const struct process *p = process;

	if (p->life >= 0 && write(p->life, "", 1) < 0)
		tn_logf("#cmd: keeper %d: %s", (int)p->keeper, strerror(errno));
}

static void run_put(void *process)
{
	struct process *p = process;

	p->run = NULL;
	close(p->life);
	p->life = -1;
	if (p->keeper_gone)
		finish(p);
}

/* ---- the beginning ---- */

/* Ours of each pair: 0 of those that we read, 1 of those that we write. */
struct pipes {
	int pair[STREAMS + 2][2];
};
enum { P_LIFE = STREAMS, P_REPORT, PAIRS };

static bool is_ours(int pair, int end)
{
	return (pair == TN_CMD_IN || pair == P_LIFE) == (end == 1);
}

static void close_side(const struct pipes *s, bool ours)
{
	for (int i = 0; i < PAIRS; i++) {
		for (int end = 0; end < 2; end++) {
			if (s->pair[i][end] >= 0 && is_ours(i, end) == ours)
				close(s->pair[i][end]);
		}
	}
}

static int side(const struct pipes *s, int pair, bool ours)
{
	return s->pair[pair][is_ours(pair, 1) == ours];
}

static bool make_pipes(struct pipes *s)
{
	memset(s, -1, sizeof(*s));
	for (int i = 0; i < PAIRS; i++) {
		if (pipe2(s->pair[i], O_CLOEXEC) < 0)
			return false;
		fcntl(side(s, i, true), F_SETFL, O_NONBLOCK);
	}
	return true;
}

static pid_t fork_keeper(const struct pipes *s, const struct tn_cmd_what *what)
{
	const struct cmd_keep keep = { .in = side(s, TN_CMD_IN, false),
		.out = side(s, TN_CMD_OUT, false),
		.err = side(s, TN_CMD_ERR, false),
		.life = side(s, P_LIFE, false),
		.report = side(s, P_REPORT, false),
		.argv = what->argv,
		.dir = what->dir,
		.nice = what->nice };
	pid_t pid = fork();

	if (pid == 0)
		cmd_keep(&keep);
	return pid;
}

/* These cannot fail: the descriptors are pipes, and nothing watches them yet. */
static void watch_all(struct process *p)
{
	uv_loop_t *uv = tn_host_loop_uv(p->h);

	for (int i = 0; i < STREAMS; i++) {
		uv_poll_init(uv, &p->polls[i], p->fds[i]);
		p->polls[i].data = p;
		p->queues[i].last = &p->queues[i].first;
	}
	uv_poll_init(uv, &p->report, p->report_fd);
	p->report.data = p;
	p->n_open = STREAMS + 1;
	uv_poll_start(&p->report, UV_READABLE, reported);
}

/* What runs as root would give root to whoever may attach. */
static bool may_run(const struct tn_user *user)
{
	return geteuid() != 0 || !user || user->uid == 0;
}

static enum tn_err run_start(void *arg, struct tn_cmd_run *run, const struct tn_cmd_what *what,
    void **process)
{
	struct process *p;
	struct pipes s;

	if (!may_run(what->user))
		return TN_EPERM;
	p = tn_alloc(sizeof(*p));
	if (!p)
		return TN_ENOMEM;
	if (!make_pipes(&s) || (p->keeper = fork_keeper(&s, what)) < 0) {
		enum tn_err err = tn_err_of_linux((uint32_t)errno);

		close_side(&s, true);
		close_side(&s, false);
		tn_free(p);
		return err;
	}
	close_side(&s, false);
	p->h = arg;
	p->run = run;
	for (int i = 0; i < STREAMS; i++)
		p->fds[i] = side(&s, i, true);
	p->life = side(&s, P_LIFE, true);
	p->report_fd = side(&s, P_REPORT, true);
	watch_all(p);
	*process = p;
	return TN_OK;
}

struct tn_server *tn_cmdrun_new(struct tn_host_loop *h)
{
	const struct tn_cmd_host host = { .arg = h,
		.start = run_start,
		.io = run_io,
		.flush = run_flush,
		.close_in = run_close_in,
		.kill = run_kill,
		.put = run_put };

	return tn_cmd_new(tn_host_loop_core(h), &host);
}
