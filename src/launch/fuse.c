/*
 * The session of the FUSE door: reading requests in our own loop, the beginning and the end.
 */
#include "launch/fuse.h"

#include "host/posix/hostfs.h"
#include "launch/door.h"
#include "launch/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { BATCH = 64 }; /* requests read before the loop's other work has its turn */

int launch_fuse_mount(const char *dir, int fd, const char *type)
{
	char options[160];

	/* The kernel decides by the modes that we show, for everybody. A device that we show would be one of this machine. */
	snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40755,user_id=%u,group_id=%u,default_permissions,allow_other", fd,
	    geteuid(), getegid());
	return mount("tenon", dir, type, MS_NOSUID | MS_NODEV, options) < 0 ? errno : 0;
}

struct launch_fuse *launch_fuse_new(struct tn_host_loop *hl, struct tn_proc *proc,
    const struct launch_fuse_options *options)
{
	char *argv[] = { "tenon", options->debug ? "-d" : NULL, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(options->debug ? 2 : 1, argv);
	struct launch_fuse *f = calloc(1, sizeof(*f));
	char where[32];

	if (!f)
		return NULL;
	f->hl = hl;
	f->o = *options;
	f->uid = geteuid();
	f->gid = getegid();
	f->true_owners = tn_hostfs_has_others();
	tn_random(&f->lock_salt, sizeof(f->lock_salt));
	tn_locks_init(&f->locks, NULL);
	tn_locks_init(&f->flocks, NULL);
	if (!launch_nodes_init(&f->nodes, tn_chan_get(proc->slash),
		options->chans_max ? options->chans_max : 128))
		goto free_door;
	f->se = fuse_session_new(&args, &launch_fops, sizeof(launch_fops), f);
	fuse_opt_free_args(&args);
	if (!f->se)
		goto free_nodes;
	/* A name of this form tells libfuse that the descriptor is there and somebody else mounts. */
	snprintf(where, sizeof(where), "/dev/fd/%d", options->fd);
	if (fuse_session_mount(f->se, where) != 0)
		goto free_session;
	f->proc = tn_proc_get(proc);
	return f;

free_session:
	fuse_session_destroy(f->se);
free_nodes:
	launch_nodes_fini(&f->nodes);
free_door:
	free(f);
	errno = ENOMEM;
	return NULL;
}

static void stop_polling(struct launch_fuse *f)
{
	if (!f->poll)
		return;
	uv_close((uv_handle_t *)f->poll, (uv_close_cb)free);
	f->poll = NULL;
}

/* The last mount is gone: no request comes any more. */
static void end(struct launch_fuse *f)
{
	if (f->has_ended)
		return;
	f->has_ended = true;
	stop_polling(f);
	if (f->o.ended && !f->freeing)
		f->o.ended(f->o.arg);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct launch_fuse *f = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < BATCH && f->poll; i++) {
		int n = fuse_session_receive_buf(f->se, &f->buf);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n <= 0 || fuse_session_exited(f->se)) { /* libfuse says 0 for ENODEV */
			end(f);
			return;
		}
		fuse_session_process_buf(f->se, &f->buf);
	}
}

int launch_fuse_start(struct launch_fuse *f)
{
	int err;

	f->poll = calloc(1, sizeof(*f->poll));
	if (!f->poll)
		return -ENOMEM;
	err = uv_poll_init(tn_host_loop_uv(f->hl), f->poll, fuse_session_fd(f->se));
	if (err) {
		free(f->poll);
		f->poll = NULL;
		return err;
	}
	f->poll->data = f;
	return uv_poll_start(f->poll, UV_READABLE, on_readable);
}

/* ---- pins ---- */

int launch_fuse_pin(struct launch_fuse *f, const char *path)
{
	return launch_pin(&f->nodes, path) ? 0 : -ENOMEM;
}

/* ---- hidden names ---- */

int launch_fuse_show(struct launch_fuse *f, const char *name, struct tn_chan *c)
{
	struct launch_hidden *hidden = calloc(1, sizeof(*hidden) + strlen(name) + 1);

	if (!hidden)
		return -ENOMEM;
	strcpy(hidden->name, name);
	hidden->chan = tn_chan_get(c);
	hidden->next = f->hidden;
	f->hidden = hidden;
	return 0;
}

static void hidden_free(struct launch_hidden **at)
{
	struct launch_hidden *hidden = *at;

	*at = hidden->next;
	tn_chan_put(hidden->chan);
	free(hidden);
}

void launch_fuse_hide(struct launch_fuse *f, const char *name)
{
	for (struct launch_hidden **at = &f->hidden; *at; at = &(*at)->next) {
		if (strcmp((*at)->name, name) == 0) {
			hidden_free(at);
			return;
		}
	}
}

/* ---- telling the kernel ---- */

struct forgetting {
	uv_work_t work;
	struct launch_fuse *f;
	struct launch_node *parent;
	char name[256];
	uint32_t len;
};

static void tell_kernel(uv_work_t *work)
{
	struct forgetting *forget = work->data;

	fuse_lowlevel_notify_inval_entry(forget->f->se, launch_ino_of(forget->f, forget->parent),
	    forget->name, forget->len);
}

static void kernel_told(uv_work_t *work, int status)
{
	struct forgetting *forget = work->data;

	(void)status;
	launch_node_put(&forget->f->nodes, forget->parent);
	forget->f->telling--;
	free(forget);
}

/* The kernel takes the directory's lock for this, which a lookup may hold that waits for us: not on the loop. */
void launch_fuse_unpin(struct launch_fuse *f, const char *path)
{
	struct launch_node *parent;
	struct forgetting *forget;
	struct tn_str name;

	launch_unpin(&f->nodes, path, &parent, &name);
	if (!parent)
		return;
	forget = calloc(1, sizeof(*forget));
	if (!forget || name.len >= sizeof(forget->name) || f->has_ended) {
		free(forget);
		launch_node_put(&f->nodes, parent);
		return;
	}
	forget->work.data = forget;
	forget->f = f;
	forget->parent = parent;
	forget->len = name.len;
	memcpy(forget->name, name.s, name.len);
	f->telling++;
	if (uv_queue_work(tn_host_loop_uv(f->hl), &forget->work, tell_kernel, kernel_told) != 0)
		kernel_told(&forget->work, 0);
}

bool launch_fuse_is_telling(const struct launch_fuse *f)
{
	return f->telling > 0;
}

void launch_fuse_notify(struct launch_fuse *f, const struct launch_bare *bare)
{
	launch_notify_start(f, bare);
}

void launch_fuse_quiet(struct launch_fuse *f)
{
	launch_notify_stop(f);
}

void launch_fuse_stats(const struct launch_fuse *f, struct launch_fuse_stats *out)
{
	*out = f->stats;
	out->nodes = (uint32_t)f->nodes.n_nodes;
	out->chans = f->nodes.n_chans;
	launch_notify_stats(f, out);
}

/* ---- the end ---- */

/* Whoever waits is answered; what the servers still hold is flushed, and waited for by the loop. */
static void flush_all(struct launch_fuse *f)
{
	struct launch_op *op, *next;

	for (op = f->ops; op; op = next) {
		next = op->next;
		launch_op_flush(op);
	}
}

static void close_handles(struct launch_fuse *f)
{
	struct launch_node *node, *next;

	for (node = f->nodes.all; node; node = node->next_all)
		launch_node_get(node); /* each is held until its turn: a put may free parents */
	for (node = f->nodes.all; node; node = next) {
		while (node->handles)
			launch_handle_close(f, node->handles);
		next = node->next_all;
		launch_node_put(&f->nodes, node);
	}
}

void launch_fuse_free(struct launch_fuse *f)
{
	if (!f)
		return;
	f->freeing = true;
	end(f);
	launch_notify_stop(f);
	flush_all(f);
	while (f->ops || f->telling)
		tn_host_loop_turn(tn_host_loop_core(f->hl));
	close_handles(f);
	while (f->hidden)
		hidden_free(&f->hidden);
	launch_nodes_fini(&f->nodes);
	tn_locks_fini(&f->locks);
	tn_locks_fini(&f->flocks);
	fuse_session_unmount(f->se);
	fuse_session_destroy(f->se);
	launch_notify_free(f);
	free(f->buf.mem);
	tn_proc_put(f->proc);
	free(f);
}
