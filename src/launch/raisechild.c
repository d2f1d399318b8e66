/*
 * The child that raises what others did: it has the bare file system as a mount of its own, each followed directory open,
 * and does to names what it is told. It waits for the kernel, which waits for S; S never waits for it.
 */
#include "launch/enter.h"
#include "launch/raise_in.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
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

static int clone_mount(const char *dir)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/* The root of the name space; the child stands in the host's again afterwards. */
static int root_of(int mntns, bool read_only)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	int home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), root;

	if (home < 0 || setns(mntns, CLONE_NEWNS) < 0)
		return -1;
	root = clone_mount("/");
	if (root >= 0 && read_only)
		syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	if (setns(home, CLONE_NEWNS) < 0)
		return -1;
	close(home);
	close(mntns);
	return root;
}

/* The host's mounts stay behind: nobody is to be kept from ending one of them. */
static bool leave_mounts(void)
{
	return mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL) == 0 &&
	       tn_enter_pivot("/tmp") == 0;
}

/* A mount of the host's. Who is not root may take one in a user name space of his own only, and gets all mounts with it. */
static int root_at(const char *dir)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	enum tn_step step;
	int root;

	if (uid == 0)
		return clone_mount(dir);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || tn_enter_map_self(uid, gid, &step) != 0)
		return -1;
	root = clone_mount(dir);
	return leave_mounts() ? root : -1;
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
		return utimensat(fd, m->name, NULL,
		    m->name[0] ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH);
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

	if (a < 0 || dup3(a, 3, O_CLOEXEC) < 0 || (*mntns >= 0 && dup3(b, 4, O_CLOEXEC) < 0))
		_exit(1);
	*sock = 3;
	if (*mntns >= 0)
		*mntns = 4;
	syscall(SYS_close_range, *mntns >= 0 ? 5u : 4u, ~0u, 0u);
}

_Noreturn void launch_raise_child(int sock, int mntns, const struct launch_bare *bare)
{
	static struct launch_command m;
	static struct child whole;
	struct child *c = &whole;
	struct stat st;
	int error;

	c->sock = sock;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep_only(&c->sock, &mntns);
	umask(0);
	c->root = bare->dir ? root_at(bare->dir) : root_of(mntns, bare->in.read_only);
	/* What is there may be another file system by now. */
	if (c->root < 0 || fstat(c->root, &st) < 0 || st.st_dev != bare->in.device)
		_exit(1);
	while (recv(c->sock, &m, sizeof(m), 0) > 0) {
		error = obey(c, &m);
		if (send(c->sock, &error, sizeof(error), MSG_NOSIGNAL) != sizeof(error))
			break;
	}
	_exit(0);
}
