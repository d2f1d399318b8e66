/*
 * Two tables: probes, each a function that does a thing in a child and gives the step and errno of its failure; and
 * fixes, by step and errno. Sysctls are never read: what counts is whether it works.
 */
#define FUSE_USE_VERSION 314
#include "launch/doctor.h"

#include "launch/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the fixes ---- */

#define CONTAINER_SECCOMP                                                                                          \
	"in Docker: --security-opt seccomp=PROFILE with a profile that allows unshare, setns, mount, pivot_root, " \
	"open_tree, move_mount and mount_setattr"
#define APPARMOR                                                                                                        \
	"install the AppArmor profile of the package (/etc/apparmor.d/tenon, then apparmor_parser -r); second choice: " \
	"sysctl kernel.apparmor_restrict_unprivileged_userns=0; in Docker: --security-opt apparmor=unconfined; with "   \
	"SELinux: --security-opt label=disable"

/* error 0: any. The first row that fits is taken. */
static const struct {
	enum tn_step step;
	int error;
	const char *message, *fix;
} fixes[] = {
	{ TN_STEP_OPEN_FUSE, ENOENT, "no FUSE in this kernel",
	    "modprobe fuse; in Docker or Podman: --device /dev/fuse" },
	{ TN_STEP_OPEN_FUSE, ENODEV, "no FUSE in this kernel",
	    "modprobe fuse; in Docker or Podman: --device /dev/fuse" },
	{ TN_STEP_OPEN_FUSE, ENXIO, "no FUSE in this kernel",
	    "modprobe fuse; in Docker or Podman: --device /dev/fuse" },
	{ TN_STEP_OPEN_FUSE, 0, "no right to /dev/fuse",
	    "give it mode 0666 by a udev rule (chmod 0666 /dev/fuse until the next boot); in Docker or Podman: "
	    "--device /dev/fuse" },
	{ TN_STEP_USERNS, ENOSPC, "no user name space is left",
	    "sysctl user.max_user_namespaces=15000 (it is 0 or used up)" },
	{ TN_STEP_USERNS, EUSERS, "no user name space is left",
	    "sysctl user.max_user_namespaces=15000 (it is 0 or used up)" },
	{ TN_STEP_USERNS, ENOSYS, "this kernel has no user name spaces",
	    "a kernel with CONFIG_USER_NS" },
	{ TN_STEP_USERNS, EINVAL, "this kernel has no user name spaces",
	    "a kernel with CONFIG_USER_NS" },
	{ TN_STEP_USERNS, 0, "user name spaces are forbidden here",
	    "not in a chroot; sysctl kernel.unprivileged_userns_clone=1 (Debian to 10); " CONTAINER_SECCOMP },
	{ TN_STEP_SETGROUPS, 0, "AppArmor forbids it (Ubuntu 23.10 and later)", APPARMOR },
	{ TN_STEP_UID_MAP, 0, "AppArmor forbids it (Ubuntu 23.10 and later)", APPARMOR },
	{ TN_STEP_GID_MAP, 0, "AppArmor forbids it (Ubuntu 23.10 and later)", APPARMOR },
	{ TN_STEP_MNTNS, ENOSPC, "no mount name space is left",
	    "sysctl user.max_mnt_namespaces=15000 (it is 0 or used up)" },
	{ TN_STEP_MNTNS, 0, "mount name spaces are forbidden here", APPARMOR },
	{ TN_STEP_SLAVE, 0, "mounting is forbidden here", APPARMOR },
	{ TN_STEP_MOUNT_FUSE, EINVAL, "this kernel lets no user mount FUSE",
	    "a kernel of 4.18 or later" },
	{ TN_STEP_MOUNT_FUSE, 0, "mounting FUSE is forbidden here", APPARMOR },
	{ TN_STEP_SESSION, EADDRINUSE,
	    "another process listens at the name of this name space's control socket",
	    "end it (ss -xlp shows @tenon/...)" },
	{ TN_STEP_SESSION, 0, "the kernel and libfuse do not agree", "a kernel of 4.18 or later" },
	{ TN_STEP_BIND, 0, "binding directories is forbidden here", CONTAINER_SECCOMP },
	{ TN_STEP_PIVOT, EINVAL,
	    "/ is an initramfs or a shared mount, on which pivot_root never works",
	    "run it in a chroot made by chroot(1), or boot with a root file system" },
	{ TN_STEP_PIVOT, 0, "pivot_root is forbidden here", CONTAINER_SECCOMP },
	{ TN_STEP_JOIN, EPERM, "who is in a name space of his own may not enter another",
	    "run it from outside" },
	{ TN_STEP_OPEN_TREE, ENOSYS, "no live changes", "a kernel of 5.2 or later" },
	{ TN_STEP_OPEN_TREE, 0, "no live changes", CONTAINER_SECCOMP },
	{ TN_STEP_MOVE_MOUNT, 0, "no live changes", CONTAINER_SECCOMP },
	{ TN_STEP_READ_ONLY, ENOSYS, "no --ro", "a kernel of 5.12 or later" },
	{ TN_STEP_READ_ONLY, 0, "no --ro", CONTAINER_SECCOMP },
	{ TN_STEP_PIDNS, 0, "no pid name spaces", "run without --pids; " CONTAINER_SECCOMP },
	{ TN_STEP_MOUNT_PROC, 0, "/proc is partly covered here, so no new one may be mounted",
	    "run without --pids; in Docker or Podman: --security-opt systempaths=unconfined" },
};

bool tn_doctor_fix(enum tn_step step, int error, const char **message, const char **fix)
{
	for (size_t i = 0; i < sizeof(fixes) / sizeof(fixes[0]); i++) {
		if (fixes[i].step != step || (fixes[i].error && fixes[i].error != error))
			continue;
		*message = fixes[i].message;
		*fix = fixes[i].fix;
		return true;
	}
	return false;
}

/* ---- the probes; each runs in a child and may leave it as it likes ---- */

struct outcome {
	enum tn_step step;
	int error;
};

static struct outcome outcome_of(enum tn_step step, int error)
{
	return (struct outcome){ error ? step : TN_STEP_NONE, error };
}

static struct outcome probe_device(void)
{
	return outcome_of(TN_STEP_OPEN_FUSE, open("/dev/fuse", O_RDWR | O_CLOEXEC) < 0 ? errno : 0);
}

/* Everything but /dev/fuse, which has a probe of its own. */
static struct outcome enter(struct tn_entered *e)
{
	if (tn_enter_server(e) || e->step == TN_STEP_OPEN_FUSE)
		return outcome_of(TN_STEP_NONE, 0);
	return outcome_of(e->step, e->error);
}

static struct outcome probe_spaces(void)
{
	struct tn_entered e;

	return enter(&e);
}

static void root_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = { .st_ino = 1, .st_mode = S_IFDIR | 0755, .st_nlink = 2 };

	(void)fi;
	if (ino == FUSE_ROOT_ID)
		fuse_reply_attr(req, &st, 0);
	else
		fuse_reply_err(req, ENOENT);
}

/* Serves until `pid` has ended, whose exit status it gives; -1: the session failed. */
static int serve_until(struct fuse_session *se, pid_t pid)
{
	struct fuse_buf buf = { .mem = NULL };
	struct pollfd p = { .fd = fuse_session_fd(se), .events = POLLIN };
	int status;

	for (int i = 0; i < 500; i++) {
		if (poll(&p, 1, 10) > 0 && fuse_session_receive_buf(se, &buf) > 0)
			fuse_session_process_buf(se, &buf);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	kill(pid, SIGKILL);
	return -1;
}

/* A FUSE mount whose root answers a stat. The mount is made first: before it the descriptor only says EPERM. */
static struct outcome probe_fuse(void)
{
	static const struct fuse_lowlevel_ops ops = { .getattr = root_getattr };
	char *words[] = { "tenon", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, words);
	struct fuse_session *se;
	struct tn_entered e;
	char name[32];
	pid_t pid;
	int status;

	if (!tn_enter_server(&e))
		return outcome_of(e.step, e.error);
	status = tn_enter_mount_fuse("/tmp", e.fuse);
	if (status)
		return outcome_of(TN_STEP_MOUNT_FUSE, status);
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	snprintf(name, sizeof(name), "/dev/fd/%d", e.fuse);
	if (!se || fuse_session_mount(se, name) < 0)
		return outcome_of(TN_STEP_SESSION, EIO);
	pid = fork();
	if (pid == 0) {
		struct stat st;

		_exit(stat("/tmp", &st) < 0 ? errno : 0);
	}
	status = serve_until(se, pid);
	return outcome_of(TN_STEP_SESSION, status < 0 ? ETIMEDOUT : status);
}

static struct outcome probe_pivot(void)
{
	struct tn_entered e;
	struct outcome o = enter(&e);
	int error;

	if (o.error)
		return o;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return outcome_of(TN_STEP_PRIVATE, errno);
	if (mount("tenon", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL) < 0 ||
	    mkdir("/tmp/usr", 0755) < 0)
		return outcome_of(TN_STEP_BIND, errno);
	if (mount("/usr", "/tmp/usr", NULL, MS_BIND | MS_REC, NULL) < 0)
		return outcome_of(TN_STEP_BIND, errno);
	error = tn_enter_pivot("/tmp");
	return outcome_of(TN_STEP_PIVOT, error);
}

/* A tree of /usr cloned; where to is a descriptor's affair. */
static struct outcome clone_usr(int *tree)
{
	struct tn_entered e;
	struct outcome o = enter(&e);

	if (o.error)
		return o;
	*tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/usr",
	    OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
	return outcome_of(TN_STEP_OPEN_TREE, *tree < 0 ? errno : 0);
}

static struct outcome probe_live(void)
{
	int tree;
	struct outcome o = clone_usr(&tree);

	if (o.error)
		return o;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return outcome_of(TN_STEP_MOVE_MOUNT, errno);
	return outcome_of(TN_STEP_NONE, 0);
}

static struct outcome probe_read_only(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int tree;
	struct outcome o = clone_usr(&tree);

	if (o.error)
		return o;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
		sizeof(attr)) < 0)
		return outcome_of(TN_STEP_READ_ONLY, errno);
	return outcome_of(TN_STEP_NONE, 0);
}

static struct outcome probe_pids(void)
{
	struct tn_entered e;
	struct outcome o = enter(&e);
	int status = 0;
	pid_t pid;

	if (o.error)
		return o;
	if (unshare(CLONE_NEWPID) < 0)
		return outcome_of(TN_STEP_PIDNS, errno);
	pid = fork();
	if (pid == 0)
		_exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
			  ? errno
			  : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return outcome_of(TN_STEP_FORK, errno);
	return outcome_of(TN_STEP_MOUNT_PROC, WIFEXITED(status) ? WEXITSTATUS(status) : EIO);
}

/* `ends`: without it nothing behind it is worth trying. */
static const struct {
	const char *name, *serves;
	bool required, ends;
	struct outcome (*probe)(void);
} probes[TN_PROBES] = {
	{ "FUSE device", "run", true, false, probe_device },
	{ "user and mount name spaces", "run", true, true, probe_spaces },
	{ "FUSE mount", "run", true, false, probe_fuse },
	{ "bind and pivot_root", "run", true, false, probe_pivot },
	{ "open_tree and move_mount", "live changes", false, false, probe_live },
	{ "mount_setattr", "run --ro", false, false, probe_read_only },
	{ "pid name spaces", "run --pids", false, false, probe_pids },
};

/* Runs one in a child, which tells by a pipe. A child that dies without a word is a failure of its own. */
static struct outcome in_child(struct outcome (*probe)(void))
{
	struct outcome o = { TN_STEP_FORK, EIO };
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return outcome_of(TN_STEP_FORK, errno);
	pid = fork();
	if (pid == 0) {
		o = probe();
		_exit(write(ends[1], &o, sizeof(o)) == sizeof(o) ? 0 : 1);
	}
	close(ends[1]);
	if (pid < 0)
		o.error = errno;
	else if (read(ends[0], &o, sizeof(o)) != sizeof(o))
		o = outcome_of(TN_STEP_FORK, EIO);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return o;
}

void tn_doctor_probe(struct tn_probe_result results[TN_PROBES])
{
	bool over = false;

	for (size_t i = 0; i < TN_PROBES; i++) {
		struct tn_probe_result *r = &results[i];
		struct outcome o;

		*r = (struct tn_probe_result){ .name = probes[i].name,
			.serves = probes[i].serves,
			.required = probes[i].required };
		if (over)
			continue;
		o = in_child(probes[i].probe);
		r->tried = true;
		r->error = o.error;
		r->step = o.step;
		if (o.error && !tn_doctor_fix(o.step, o.error, &r->message, &r->fix)) {
			r->message = tn_step_name(o.step);
			r->fix = "none is known";
		}
		over = o.error && probes[i].ends;
	}
}

void tn_doctor_explain(const char *who, bool pids, bool read_only, enum tn_step step, int error)
{
	struct tn_probe_result results[TN_PROBES];
	const char *message, *fix;

	tn_doctor_probe(results);
	for (size_t i = 0; i < TN_PROBES; i++) {
		bool needed = results[i].required || (pids && probes[i].probe == probe_pids) ||
			      (read_only && probes[i].probe == probe_read_only);

		if (!needed || !results[i].error)
			continue;
		fprintf(stderr, "%s: %s: %s\n", who, results[i].message, results[i].fix);
		return;
	}
	if (tn_doctor_fix(step, error, &message, &fix))
		fprintf(stderr, "%s: %s: %s\n", who, message, fix);
}
