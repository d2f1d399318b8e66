/*
 * Commands as streams. libuv starts and reaps them; the descriptors are plain pipes, for stream.c.
 */
#include "host/posix/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define GRACE_MS 1000 /* between the end of its input and SIGTERM, and between that and SIGKILL */

struct tn_command {
	uv_process_t process;
	uv_timer_t timer;
	int next_signal;
	bool exited, ended;
	unsigned n_open;
};

static void closed(uv_handle_t *handle)
{
	struct tn_command *c = handle->data;

	if (--c->n_open == 0)
		tn_free(c);
}

static void close_all(struct tn_command *c)
{
	uv_close((uv_handle_t *)&c->process, closed);
	uv_close((uv_handle_t *)&c->timer, closed);
}

static void exited(uv_process_t *process, int64_t status, int signal)
{
	struct tn_command *c = process->data;

	(void)status;
	(void)signal;
	c->exited = true;
	if (c->ended)
		close_all(c);
}

static void grace_over(uv_timer_t *timer)
{
	struct tn_command *c = timer->data;

	uv_process_kill(&c->process, c->next_signal);
	c->next_signal = SIGKILL;
}

void tn_command_end(struct tn_command *c)
{
	c->ended = true;
	if (c->exited) {
		close_all(c);
		return;
	}
	c->next_signal = SIGTERM;
	uv_timer_start(&c->timer, grace_over, GRACE_MS, GRACE_MS);
}

static int spawn(struct tn_host_loop *h, struct tn_command *c, const char *command, int in, int out)
{
	char *argv[] = { "sh", "-c", (char *)(uintptr_t)command, NULL };
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_INHERIT_FD, .data.fd = in },
		{ .flags = UV_INHERIT_FD, .data.fd = out },
		{ .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO },
	};
	uv_process_options_t options = {
		.exit_cb = exited,
		.file = "/bin/sh",
		.args = argv,
		.stdio_count = 3,
		.stdio = stdio,
	};

	return uv_spawn(tn_host_loop_uv(h), &c->process, &options);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

struct tn_command *tn_command_start(struct tn_host_loop *h, const char *command, int *read_fd,
    int *write_fd)
{
	struct tn_command *c = tn_alloc(sizeof(*c));
	int to[2], from[2], err;

	if (!c) {
		errno = ENOMEM;
		return NULL;
	}
	if (pipe2(to, O_CLOEXEC))
		goto free_c;
	if (pipe2(from, O_CLOEXEC))
		goto close_to;
	c->process.data = c->timer.data = c;
	uv_timer_init(tn_host_loop_uv(h), &c->timer);
	err = spawn(h, c, command, to[0], from[1]);
	c->n_open = 2;
	if (err) {
		close_all(
		    c); /* both are known to libuv even so; their memory is its own until then */
		close_pair(from);
		close_pair(to);
		errno = -err;
		return NULL;
	}
	close(to[0]);
	close(from[1]);
	*read_fd = from[0];
	*write_fd = to[1];
	return c;

close_to:
	close_pair(to);
free_c:
	tn_free(c);
	return NULL;
}
