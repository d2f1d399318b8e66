/*
 * The child that raises what others did: it has the bare file system as a mount of its own, each followed directory open,
 * and does to names what it is told. It waits for the kernel, which waits for S; S never waits for it.
 */
#include "launch/raise_in.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct child {
	int sock, root;
	int dirs[RAISE_SLOTS];
};

static int clone_root(bool read_only)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	int root = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (root >= 0 && read_only)
		syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	return root;
}

/*
 * The child stands in the host's name space, and the names on the way are a server's: one of them may be a symbolic link by
 * now, which leads to the host's own files. None is followed, and nothing but our file system is entered.
 */
static int open_slot(struct child *c, const struct launch_command *m)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	const char *path = m->path[0] ? m->path : ".";
	int fd = (int)syscall(SYS_openat2, c->root, path, &how, sizeof(how));

	if (fd < 0)
		return errno;
	c->dirs[m->slot] = fd;
	return 0;
}

static int touch_self(int fd)
{
	char name[40];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return utimensat(AT_FDCWD, name, NULL, 0);
}

static int carry_out(const struct child *c, const struct launch_command *m)
{
	static const struct timespec mtime[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_nsec = UTIME_NOW } };
	int fd = c->dirs[m->slot];

	switch ((enum launch_raise)m->what) {
	case RAISE_MADE:
		return m->is_dir ? mkdirat(fd, m->name, 0700)
				 : mknodat(fd, m->name, S_IFREG | 0600, 0);
	case RAISE_GONE: return unlinkat(fd, m->name, m->is_dir ? AT_REMOVEDIR : 0);
	case RAISE_WRITTEN: return utimensat(fd, m->name, mtime, AT_SYMLINK_NOFOLLOW);
	case RAISE_STATUS:
		return m->name[0] ? utimensat(fd, m->name, NULL, AT_SYMLINK_NOFOLLOW)
				  : touch_self(fd);
	case RAISE_MOVED: return renameat(fd, m->name, c->dirs[m->slot2], m->name2);
	default: return -1;
	}
}

static int obey(struct child *c, const struct launch_command *m)
{
	if (m->what == RAISE_OPEN)
		return open_slot(c, m);
	if (m->what == RAISE_CLOSE)
		return close(c->dirs[m->slot]) < 0 ? errno : 0;
	return carry_out(c, m) < 0 ? errno : 0;
}

/* Nothing of S's may stay open here: peers would not see that it hangs up. */
static void keep_only(int *sock, int *mntns)
{
	int a = fcntl(*sock, F_DUPFD_CLOEXEC, 16), b = fcntl(*mntns, F_DUPFD_CLOEXEC, 16);

	if (a < 0 || b < 0 || dup3(a, 3, O_CLOEXEC) < 0 || dup3(b, 4, O_CLOEXEC) < 0)
		_exit(1);
	syscall(SYS_close_range, 5u, ~0u, 0u);
	*sock = 3;
	*mntns = 4;
}

_Noreturn void launch_raise_child(int sock, int mntns, const struct tn_live_place *place)
{
	static struct launch_command m;
	static struct child whole;
	struct child *c = &whole;
	struct stat st;
	int home, error;

	c->sock = sock;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep_only(&c->sock, &mntns);
	umask(0);
	home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(mntns, CLONE_NEWNS) < 0)
		_exit(1);
	c->root = clone_root(place->read_only);
	if (setns(home, CLONE_NEWNS) < 0 || c->root < 0)
		_exit(1);
	/* The root may have been changed. */
	if (fstat(c->root, &st) < 0 || st.st_dev != place->device)
		_exit(1);
	close(home);
	close(mntns);
	while (recv(c->sock, &m, sizeof(m), 0) > 0) {
		error = obey(c, &m);
		if (send(c->sock, &error, sizeof(error), MSG_NOSIGNAL) != sizeof(error))
			break;
	}
	_exit(0);
}
