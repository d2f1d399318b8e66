/*
 * bind, mount, unmount and `.` of a thread's part. What has no options is done in one step; a dial string is composed, as
 * on a command line. In an empty root a mount point appears when it is named.
 */
#include "core/server.h"
#include "host/posix/dial.h"
#include "lib/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_there(struct tn_proc *p, const char *name)
{
	struct tn_chan *c = tn_call_walk(p, name, TN_FOR_TARGET);

	tn_chan_put(c);
	return c != NULL;
}

/* Makes sure that there is something at `old`, as far as it may appear. Nobody is attached to for a place that is not there. */
static int make_place(struct tn_proc *p, const char *old, bool is_dir)
{
	enum tn_err err;

	if (is_there(p, old))
		return 0;
	if (old[0] != '/' || tn_call_err() != TN_ENOENT)
		return -1;
	err = tn_compose_place(p, old, is_dir);
	if (err)
		return tn_call_set(err, NULL);
	return is_there(p, old) ? 0 : -1;
}

static int bind_name(struct tn_proc *p, const char *name, const char *old, unsigned flags)
{
	struct tn_chan *source = tn_call_walk(p, name, TN_FOR_ACCESS);
	bool is_dir;

	if (!source)
		return -1;
	is_dir = tn_chan_is_dir(source);
	tn_chan_put(source);
	if (make_place(p, old, is_dir) < 0)
		return -1;
	return tn_call_bind(p, name, old, flags);
}

int tn_bind(const char *name, const char *old, unsigned flags)
{
	struct tn_proc *p = tn_enter_ns(name && old && tn_mount_flags_ok(flags));
	int ret;

	if (!p)
		return -1;
	ret = tn_call_bind(p, name, old, flags);
	if (ret < 0 && tn_call_err() == TN_ENOENT)
		ret = bind_name(p, name, old, flags);
	return (int)tn_leave(ret);
}

/* ---- mounts ---- */

/* Options are cut up where they lie: in `text`. */
static int mount_dial(struct tn_proc *p, const char *dial, const char *old,
    struct tn_mount_options *with, char *text)
{
	struct tn_compose c;
	const char *bad, *cause;
	char words[TN_WORDS_SIZE];
	int ret;

	if (text && !tn_mount_options_parse(with, text, &bad, &cause)) {
		snprintf(words, sizeof(words), "%s: %s", bad, cause);
		return tn_call_set(TN_EBADARG, words);
	}
	if (!tn_is_dial(dial))
		return tn_call_set(TN_EBADDIAL,
		    "no dial string: it begins with no net (tcp! unix! exec! fd!)");
	tn_compose_init(&c);
	ret = tn_compose_add(&c, old, dial, with) ? tn_part_compose(p, &c)
						  : tn_part_compose_error(&c);
	tn_compose_fini(&c);
	return ret;
}

int tn_mount(const char *dial, const char *old, unsigned flags, const char *aname,
    const char *options)
{
	struct tn_mount_options with = { .flags = flags, .aname = aname, .dialect = TN_DIALECTS };
	struct tn_proc *p = tn_enter_ns(dial && old && tn_mount_flags_ok(flags));
	char *text;
	int ret;

	if (!p)
		return -1;
	text = options && *options ? strdup(options) : NULL;
	if (options && *options && !text)
		ret = tn_call_set(TN_ENOMEM, NULL);
	else
		ret = mount_dial(p, dial, old, &with, text);
	free(text);
	return (int)tn_leave(ret);
}

/* server is taken. */
static int mount_instance(struct tn_proc *p, struct tn_server *server, const char *old,
    unsigned flags, const char *aname)
{
	int ret = -1;

	if (make_place(p, old, true) == 0)
		ret = tn_call_mount(p, server, old, flags, aname ? aname : "");
	tn_server_put(server);
	return ret;
}

int tn_mount_server(struct tn_server *server, const char *old, unsigned flags, const char *aname)
{
	struct tn_proc *p = tn_enter_ns(server && old && tn_mount_flags_ok(flags));
	int ret;

	if (!p)
		return -1;
	if (server->home != p->node->loop)
		ret = tn_call_set(TN_EBADARG, "the server's home is not tn_home()");
	else
		ret = mount_instance(p, tn_server_get(server), old, flags, aname);
	return (int)tn_leave(ret);
}

/* A client over copies of the descriptors. NULL: told. */
static struct tn_server *server_at(int read_fd, int write_fd)
{
	char label[40];
	struct tn_client_options options = { .label = label, .dialect = TN_DIALECTS };
	int in = fcntl(read_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int out = read_fd == write_fd ? in : fcntl(write_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	struct tn_dialer *dialer = NULL;
	struct tn_client *client;
	struct tn_server *server;
	enum tn_err err = TN_EBADFD;

	snprintf(label, sizeof(label), "fd!%d,%d", read_fd, write_fd);
	if (in >= 0 && out >= 0)
		dialer = tn_dialer_of_fds(tn_program.loop, in, out, &err);
	else if (in >= 0)
		close(in);
	else if (out >= 0)
		close(out);
	client = dialer ? tn_client_new(tn_program.node->loop, dialer, &options) : NULL;
	server = client ? tn_mnt_server(client) : NULL;
	if (client)
		tn_client_put(client); /* the server holds it */
	if (!server)
		tn_call_set(dialer ? TN_ENOMEM : err, NULL);
	return server;
}

int tn_mount_fd(int read_fd, int write_fd, const char *old, unsigned flags, const char *aname)
{
	struct tn_proc *p = tn_enter_ns(old && tn_mount_flags_ok(flags));
	struct tn_server *server;

	if (!p)
		return -1;
	server = server_at(read_fd, write_fd);
	return (int)tn_leave(server ? mount_instance(p, server, old, flags, aname) : -1);
}

int tn_unmount(const char *name, const char *old)
{
	struct tn_proc *p = tn_enter_ns(old != NULL);

	return p ? (int)tn_leave(tn_call_unmount(p, name, old)) : -1;
}

/* ---- `.` ---- */

int tn_chdir(const char *name)
{
	struct tn_proc *p = tn_enter_ns(name != NULL);

	return p ? (int)tn_leave(tn_call_chdir(p, name)) : -1;
}

int tn_getwd(char *buf, size_t size)
{
	struct tn_proc *p = tn_enter_ns(buf != NULL);
	size_t len;

	if (!p)
		return -1;
	len = tn_path_text(p->dot->path, buf, size);
	return (int)tn_leave(len < size ? (int64_t)len : tn_call_set(TN_ERANGE, NULL));
}
