/*
 * The order of set-up. S: name spaces, maps, M0 a slave of the host's mounts, /dev/fuse. CMD: into U and M0, M1 of its
 * own, the FUSE file system over a directory that every host has, the host's plain directories bound into it,
 * pivot_root, exec. What CMD learns from S comes over the socket; what fails goes to the front.
 */
#include "launch/enter.h"

#include "launch/fuse.h"
#include "launch/pids.h"
#include "launch/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int tn_enter_write(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

int tn_enter_map_self(uid_t uid, gid_t gid, enum tn_step *step)
{
	char uid_map[64], gid_map[64];
	const struct {
		enum tn_step step;
		const char *file, *text;
	} rows[] = {
		{ TN_STEP_SETGROUPS, "/proc/self/setgroups", "deny" }, /* or gid_map is refused */
		{ TN_STEP_UID_MAP, "/proc/self/uid_map", uid_map },
		{ TN_STEP_GID_MAP, "/proc/self/gid_map", gid_map },
	};

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", uid, uid);
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", gid, gid);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int error = tn_enter_write(rows[i].file, rows[i].text);

		*step = rows[i].step;
		if (error)
			return error;
	}
	return 0;
}

/*
 * In U the process has every capability over files of its own ids: it would open what their owner's mode forbids.
 * Live changes need three: setns wants SYS_ADMIN and SYS_CHROOT, /proc/PID/ns of a program that is not dumpable PTRACE.
 */
static int keep_three_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct set[2] = { 0 };

	set[0].permitted = (1u << CAP_SYS_ADMIN) | (1u << CAP_SYS_CHROOT) | (1u << CAP_SYS_PTRACE);
	set[0].effective = set[0].permitted;
	return syscall(SYS_capset, &head, set) < 0 ? errno : 0;
}

/* Root does without U; who may not make a mount name space alone makes both. */
static bool make_name_spaces(struct tn_entered *e, bool *has_user_ns)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	*has_user_ns = false;
	if (unshare(CLONE_NEWNS) == 0)
		return true;
	e->step = TN_STEP_MNTNS;
	e->error = errno;
	if (e->error != EPERM)
		return false;
	*has_user_ns = true;
	e->step = TN_STEP_USERNS;
	e->error = unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : 0;
	if (!e->error)
		e->error = tn_enter_map_self(uid, gid, &e->step);
	return e->error == 0;
}

bool tn_enter_server(struct tn_entered *e)
{
	bool has_user_ns;

	*e = (struct tn_entered){ -1, -1, -1, TN_STEP_NONE, 0 };
	if (!make_name_spaces(e, &has_user_ns))
		return false;
	e->step = TN_STEP_SLAVE;
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		goto failed;
	e->step = TN_STEP_OPEN_FUSE;
	e->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (e->fuse < 0)
		goto failed;
	e->step = TN_STEP_OPEN_NS;
	e->mnt_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (has_user_ns)
		e->user_ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (e->mnt_ns < 0 || (has_user_ns && e->user_ns < 0))
		goto failed;
	e->error = has_user_ns ? keep_three_capabilities() : 0;
	return e->error == 0;

failed:
	e->error = errno;
	return false;
}

int tn_enter_mount_fuse(const char *dir, int fuse)
{
	return launch_fuse_mount(dir, fuse, "fuse");
}

int tn_enter_pivot(const char *dir)
{
	if (chdir(dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return errno;
	/* The old root lies upon the new one now: "." is where it was. */
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return errno;
	return 0;
}

int tn_enter_read_only(const char *name)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (syscall(SYS_mount_setattr, AT_FDCWD, name, AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return errno;
	return 0;
}

/* A directory of every host to put the new root on, and its tree as it was before. */
struct new_root {
	const char *dir;
	int tree;     /* a clone, to be moved to its place; or, on kernels before 5.2, */
	bool is_path; /* the bare directory, to be bound */
};

/*
 * Without open_tree. The directory is bound upon itself, which tells whether it may be bound: in a user name space not
 * where another file system is mounted below it, for it would be uncovered.
 */
static int open_bare(const char *dir)
{
	if (mount(dir, dir, NULL, MS_BIND, NULL) < 0)
		return -1;
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool choose_new_root(struct new_root *r)
{
	static const char *const dirs[] = { "/tmp", "/mnt", "/usr", "/etc" };
	const unsigned flags = OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC |
			       AT_SYMLINK_NOFOLLOW;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct stat st;

		r->dir = dirs[i];
		if (lstat(r->dir, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		r->tree = (int)syscall(SYS_open_tree, AT_FDCWD, r->dir, flags);
		r->is_path = r->tree < 0;
		if (r->is_path)
			r->tree = open_bare(r->dir);
		if (r->tree >= 0)
			return true;
	}
	return false;
}

/* Puts the tree that the new root hides at its name below it. */
static int bind_hidden(const struct new_root *r, const char *to)
{
	char from[32];

	if (!r->is_path) {
		if (syscall(SYS_move_mount, r->tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return errno;
		return 0;
	}
	snprintf(from, sizeof(from), "/proc/self/fd/%d", r->tree);
	return mount(from, to, NULL, MS_BIND, NULL) < 0 ? errno : 0;
}

/*
 * Binds the host's top level entry `name` onto the new root. What went between S's look and ours is passed over: its
 * name is served by S then, and S will say that it is gone.
 */
static int bind_root_entry(const struct new_root *r, const char *name)
{
	char from[TN_TALK_TEXT + 32], to[TN_TALK_TEXT + 32];

	snprintf(to, sizeof(to), "%s/%s", r->dir, name);
	if (strcmp(r->dir + 1, name) == 0)
		return bind_hidden(r, to);
	snprintf(from, sizeof(from), "/%s", name);
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return errno == ENOENT ? 0 : errno;
	return 0;
}

/* Does what S says until it says GO; then `go` has its text. */
static void obey_server(const struct tn_command *c, const struct new_root *r, char go[TN_TALK_TEXT])
{
	struct tn_talk m;
	int error = 0;

	while (!error && tn_talk_receive(c->server, &m, NULL, NULL) > 0) {
		if (m.kind == TN_TALK_GO) {
			memcpy(go, m.text, TN_TALK_TEXT);
			return;
		}
		if (m.kind == TN_TALK_FAILED) {
			tn_talk_send(c->report, &m, NULL, 0);
			_exit((int)m.status);
		}
		if (m.kind == TN_TALK_ROOT && r)
			error = bind_root_entry(r, m.text);
	}
	tn_talk_die(c->report, error ? TN_STEP_BIND : TN_STEP_SERVER, error ? error : EPIPE);
}

/* Tells S where this is, and the front what to sweep by. */
static void tell_mounted(const struct tn_command *c, const char *dir)
{
	struct tn_talk m = tn_talk_of(TN_TALK_INSIDE);

	m.number = tn_mntns_of(0);
	m.device = tn_fuse_device(dir);
	tn_talk_send(c->report, &m, NULL, 0);
	m.kind = TN_TALK_MOUNTED;
	if (!tn_talk_send(c->server, &m, NULL, 0))
		tn_talk_die(c->report, TN_STEP_SERVER, errno);
}

/* Steps 6 to 10: M1, from the first mount to what S adds at the end. */
static void build_root(const struct tn_command *c, char dot[TN_TALK_TEXT])
{
	struct tn_talk shared = tn_talk_of(TN_TALK_SHARED);
	struct new_root r;
	int error;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) /* else pivot_root is refused */
		tn_talk_die(c->report, TN_STEP_PRIVATE, errno);
	error = choose_new_root(&r) ? tn_enter_mount_fuse(r.dir, c->fuse) : ENOENT;
	if (error)
		tn_talk_die(c->report, TN_STEP_MOUNT_FUSE, error);
	close(c->fuse);
	tell_mounted(c, r.dir);
	obey_server(c, &r, dot);
	close(r.tree);
	error = tn_enter_pivot(r.dir);
	if (error)
		tn_talk_die(c->report, TN_STEP_PIVOT, error);
	/* So that a mount below one name of a directory is seen below its other names (bound inside M1). */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		tn_talk_die(c->report, TN_STEP_SHARED, errno);
	/* A clean name space may have no /proc. */
	if (c->pids && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    errno != ENOENT)
		tn_talk_die(c->report, TN_STEP_MOUNT_PROC, errno);
	if (!tn_talk_send(c->server, &shared, NULL, 0))
		tn_talk_die(c->report, TN_STEP_SERVER, errno);
	obey_server(c, NULL, dot);
	error = c->read_only ? tn_enter_read_only("/") : 0;
	if (error)
		tn_talk_die(c->report, TN_STEP_READ_ONLY, error);
}

/* execvp says EACCES also when a directory of PATH may not be searched and nothing was found in the others. */
static bool is_in_path(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/') || !path)
		return true;
	for (const char *at = path; *at; at += strcspn(at, ":"), at += *at == ':') {
		size_t len = strcspn(at, ":");
		char file[4096];
		struct stat st;

		if (len + strlen(name) + 2 > sizeof(file))
			continue;
		memcpy(file, at, len);
		file[len] = '/';
		strcpy(file + len + 1, name);
		if (stat(file, &st) == 0)
			return true;
	}
	return false;
}

void tn_enter_exec(const struct tn_command *c)
{
	struct tn_talk m;

	execvp(c->argv[0], c->argv);
	m = tn_talk_failed(TN_STEP_EXEC, errno);
	if (m.error == EACCES && !is_in_path(c->argv[0]))
		m.error = ENOENT;
	m.status = m.error == ENOENT ? 127 : 126;
	snprintf(m.text, sizeof(m.text), "%s", c->argv[0]);
	tn_talk_send(c->report, &m, NULL, 0);
	_exit((int)m.status);
}

void tn_enter_command(const struct tn_command *c)
{
	char *cwd = getcwd(NULL, 0), dot[TN_TALK_TEXT];

	if (c->user_ns >= 0 && setns(c->user_ns, CLONE_NEWUSER) < 0)
		tn_talk_die(c->report, TN_STEP_SETNS, errno);
	if (setns(c->mnt_ns, CLONE_NEWNS) < 0)
		tn_talk_die(c->report, TN_STEP_SETNS, errno);
	if (unshare(CLONE_NEWNS) < 0)
		tn_talk_die(c->report, TN_STEP_MNTNS, errno);
	if (c->pids)
		tn_pids_become_first(c); /* from here on this is pid 1 of a pid name space */
	build_root(c, dot);
	if (dot[0]) {
		free(cwd);
		cwd = strdup(dot);
	}
	/* By name, for what is at the name is another directory now; "/" where it is not to be reached. */
	if ((!cwd || cwd[0] != '/' || chdir(cwd) < 0) && chdir("/") < 0)
		tn_talk_die(c->report, TN_STEP_PIVOT, errno);
	free(cwd);
	if (c->pids)
		tn_pids_exec_below(c);
	tn_enter_exec(c);
}
