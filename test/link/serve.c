/*
 * Serves #ram over 9P for tests: link-serve DIAL (tcp! or unix!, "-" for one peer on standard input and output). It
 * prints the address that it listens at. In the root are the files blk, whose reads wait until something is written to
 * wake, and wake. --late: no answer comes before the loop has turned once more.
 */
#include "core/chan.h"
#include "core/loop.h"
#include "fs/ram.h"
#include "host/posix/listen.h"
#include "host/posix/loop.h"
#include "host/posix/stream.h"
#include "link/conn.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tn_host_loop *host;
static struct tn_server *ram;
static const struct tn_ops *ram_ops;
static struct tn_ops ops;            /* ram's, but for blk and wake */
static uint64_t blk_path, wake_path; /* of qids */
static struct tn_req *blocked;
static bool is_single;

/* ---- blk and wake ---- */

static enum tn_status answer_blocked(struct tn_req *r, struct tn_req **at, enum tn_err err)
{
	*at = r->next;
	tn_fail(r, err);
	if (!err)
		r->u.io.count = (uint32_t)snprintf((char *)r->u.io.data, r->u.io.count, "woken\n");
	tn_respond(r);
	return TN_DONE;
}

static enum tn_status serve_read(struct tn_req *r)
{
	struct tn_req **last = &blocked;

	if (r->chan->qid.path != blk_path)
		return ram_ops->op[TN_READ](r);
	if (!tn_req_pending(r) && !tn_keep(r))
		return TN_DONE;
	while (*last)
		last = &(*last)->next;
	r->next = NULL;
	*last = r;
	return TN_LATER;
}

static enum tn_status serve_write(struct tn_req *r)
{
	if (r->chan->qid.path == wake_path)
		while (blocked)
			answer_blocked(blocked, &blocked, TN_OK);
	return ram_ops->op[TN_WRITE](r);
}

static enum tn_status serve_flush(struct tn_req *r)
{
	for (struct tn_req **at = &blocked; *at; at = &(*at)->next)
		if (*at == r)
			return answer_blocked(r, at, TN_EINTR);
	return ram_ops->op[TN_FLUSH] ? ram_ops->op[TN_FLUSH](r) : TN_DONE;
}

/* ---- every answer late: what a server far away does ---- */

static struct tn_req *late;
static struct tn_task late_task;

static enum tn_status put_off(struct tn_req *r)
{
	struct tn_req **last = &late;

	if (!tn_keep(r))
		return TN_DONE;
	while (*last)
		last = &(*last)->next;
	r->next = NULL;
	*last = r;
	tn_loop_defer(tn_host_loop_core(host), &late_task);
	return TN_LATER;
}

static struct tn_ops now_ops;

static void late_run(struct tn_task *task)
{
	struct tn_req *list = late, *r;

	(void)task;
	late = NULL;
	while ((r = list) != NULL) {
		enum tn_status (*op)(struct tn_req *) = now_ops.op[r->type];

		list = r->next;
		r->next = NULL;
		if (tn_req_flushed(r))
			tn_fail(r, TN_EINTR);
		if (tn_req_flushed(r) || op == NULL || op(r) == TN_DONE)
			tn_respond(r);
	}
}

static void make_late(void)
{
	static const uint8_t types[] = { TN_ATTACH, TN_WALK, TN_OPEN, TN_CREATE, TN_READ,
		TN_READDIR, TN_WRITE, TN_CLUNK, TN_REMOVE, TN_STAT, TN_WSTAT };

	now_ops = ops;
	late_task.fn = late_run;
	for (size_t i = 0; i < sizeof(types); i++)
		ops.op[types[i]] = put_off;
}

/* ---- serving ---- */

static uint64_t add_file(const char *name)
{
	struct tn_str path = { name, (uint32_t)strlen(name) };
	struct tn_qid qid = { 0 };
	struct tn_req r;
	struct tn_chan *root = tn_chan_new(ram, NULL), *file;

	if (tn_ram_put_file(ram, path, 0666, TN_STR("")) != TN_OK || !root)
		return 0;
	tn_req_init(&r, TN_ATTACH, NULL, NULL);
	r.server = ram;
	r.u.attach.newchan = root;
	tn_submit(&r);
	file = tn_chan_clone(root);
	tn_req_init(&r, TN_WALK, root, NULL);
	r.u.walk.names = &path;
	r.u.walk.qids = &qid;
	r.u.walk.n_names = 1;
	r.u.walk.newchan = file;
	tn_submit(&r);
	tn_chan_put(file);
	tn_chan_put(root);
	return qid.path;
}

static void conn_closed(struct tn_conn *conn, void *arg)
{
	(void)arg;
	tn_conn_free(conn);
	if (is_single)
		tn_host_loop_stop(host);
}

static void serve(int in, int out, const char *peer)
{
	struct tn_conn *conn = tn_conn_new(ram, NULL, peer, conn_closed, NULL);

	if (conn)
		tn_transport_join(host, tn_conn_stream(conn), in, out, NULL, NULL);
}

static void accepted(void *arg, int fd, const char *peer)
{
	(void)arg;
	tn_socket_tune(fd);
	serve(fd, fd, peer);
}

static uv_signal_t term;

static void terminated(uv_signal_t *handle, int number)
{
	(void)number;
	uv_close((uv_handle_t *)handle, NULL);
	tn_host_loop_stop(host);
}

int main(int argc, char **argv)
{
	const char *dial = argc > 1 ? argv[argc - 1] : "-";
	struct tn_listener *listener = NULL;
	char words[TN_WORDS_SIZE];
	enum tn_err err;

	host = tn_host_loop_new();
	ram = host ? tn_ram_new(tn_host_loop_core(host), NULL) : NULL;
	if (!ram)
		return 1;
	blk_path = add_file("blk");
	wake_path = add_file("wake");
	ram_ops = ram->ops;
	ops = *ram_ops;
	ops.op[TN_READ] = serve_read;
	ops.op[TN_WRITE] = serve_write;
	ops.op[TN_FLUSH] = serve_flush;
	if (argc > 2 && strcmp(argv[1], "--late") == 0)
		make_late();
	ram->ops = &ops;
	is_single = strcmp(dial, "-") == 0;
	if (is_single) {
		serve(dup(0), dup(1), "stdin");
	} else {
		listener = tn_listener_new(host, dial, accepted, NULL, &err, words);
		if (!listener) {
			fprintf(stderr, "link-serve: %s\n", words);
			return 1;
		}
		printf("%s\n", tn_listener_address(listener));
		fflush(stdout);
		uv_signal_init(tn_host_loop_uv(host), &term);
		uv_signal_start(&term, terminated, SIGTERM);
	}
	tn_host_loop_run(host);
	return 0;
}
