/*
 * doorway DIR: mounts (as root) a name space with a fresh #ram at `/` on DIR by the FUSE door, and serves it until DIR is
 * unmounted. What the door does is then tried from outside with plain file calls (door.py). `/u` is a union of `/a` and
 * `/b` in which `/b` takes what is created.
 */
#include "core/chan.h"
#include "fs/ram.h"
#include "fs/root.h"
#include "launch/fuse.h"
#include "lib/call.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static struct tn_host_loop *hl;
static struct tn_server *root;

static enum tn_err root_device(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p;
	(void)spec;
	*out = tn_server_get(root);
	return TN_OK;
}

static const struct tn_device_row devices[] = { { "root", '/', false, root_device } };

static void ended(void *arg)
{
	(void)arg;
	tn_host_loop_stop(hl);
}

static int complain(const char *what)
{
	fprintf(stderr, "doorway: %s: %s\n", what, tn_call_text());
	return 1;
}

static int compose(struct tn_proc *p)
{
	struct tn_ram_options ram = { .owner = p->user };
	struct tn_server *s = tn_ram_new(p->node->loop, &ram);
	int r = tn_call_mount(p, s, "/", TN_REPL | TN_CREATE_HERE, "");

	tn_server_put(s);
	if (r < 0)
		return complain("mount");
	for (const char *const *dir = (const char *const[]){ "/a", "/b", "/u", NULL }; *dir;
	     dir++) {
		int fd = tn_call_create(p, *dir, TN_OREAD, TN_DMDIR | 0777);

		if (fd < 0)
			return complain(*dir);
		tn_call_close(p, fd);
	}
	if (tn_call_bind(p, "/a", "/u", TN_REPL) < 0 ||
	    tn_call_bind(p, "/b", "/u", TN_AFTER | TN_CREATE_HERE) < 0)
		return complain("bind");
	return 0;
}

static int serve(struct tn_proc *p, const char *dir)
{
	struct launch_fuse_options o = { .uid = getuid(), .gid = getgid(), .ended = ended };
	struct launch_fuse *f;
	char options[128];

	o.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	f = o.fd < 0 ? NULL : launch_fuse_new(hl, p, &o);
	if (!f)
		return complain("/dev/fuse");
	snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40755,user_id=%u,group_id=%u,default_permissions,allow_other", o.fd,
	    o.uid, o.gid);
	if (mount("tenon", dir, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
		perror("doorway: mount");
		return 1;
	}
	if (launch_fuse_start(f) != 0)
		return complain("start");
	printf("ready\n");
	fflush(stdout);
	tn_host_loop_run(hl);
	launch_fuse_free(f);
	return 0;
}

int main(int argc, char **argv)
{
	struct tn_node node = { 0 };
	struct tn_user *user = tn_user_new(TN_STR("root"), 0, 0);
	struct tn_proc *p;
	int status;

	if (argc != 2 || !user)
		return 2;
	hl = tn_host_loop_new();
	tn_call_turn = tn_host_loop_turn;
	node.loop = tn_host_loop_core(hl);
	node.devices = devices;
	node.n_devices = TN_COUNT(devices);
	root = tn_rootfs_new(node.loop);
	p = tn_proc_new(&node, user);
	status = compose(p);
	if (status == 0)
		status = serve(p, argv[1]);
	tn_proc_put(p);
	tn_user_put(user);
	tn_server_put(root);
	while (tn_loop_next_ns(node.loop) == 0)
		tn_loop_run(node.loop);
	tn_host_loop_free(hl);
	return status;
}
