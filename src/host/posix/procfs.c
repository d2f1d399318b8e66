/*
 * Processes as files. A process is its number and the time it started: another one under the number is not taken for
 * it. Texts are made when a file is opened, on a worker: reading a process's memory (its arguments) waits for whatever
 * that process itself waits for.
 */
#include "host/posix/procfs.h"

#include "core/chan.h"
#include "core/nsfile.h"
#include "host/posix/hostfs_in.h"
#include "host/posix/work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX  (1u << 20) /* bytes of a file here; longer ones are cut */
#define PATH_SIZE 64
#define PIDS_STEP 256

enum what { ROOT, DIRECTORY, ARGS, CTL, FD, NS, STATUS, WHATS };

struct procfs {
	struct tn_server server; /* first */
	struct tn_procfs_options o;
	struct tn_work *work;
	struct hf_owners *owners;
};

/* Which process. start: in ticks since the machine started. */
struct process {
	uint32_t pid;
	uint64_t start;
};

struct text {
	char *s;
	size_t len, size;
	bool failed; /* no memory */
};

struct file {
	enum what what;
	struct process process;
	bool open;
	char *text;
	size_t len;
};

/* What makes an open file's text. Its own, for the worker. */
struct snap {
	struct tn_job job; /* first */
	struct procfs *fs;
	struct tn_req *r; /* NULL: flushed */
	enum what what;
	struct process process;
	struct text text;
	enum tn_err err;
};

static struct procfs *fs_of(const struct tn_req *r)
{
	return (struct procfs *)r->server;
}

static struct file *file_of(const struct tn_chan *c)
{
	return c->aux.p;
}

/* ---- reading /proc ---- */

static const char *path_of(uint32_t pid, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "/proc/%u/%s", (unsigned)pid, name);
	return path;
}

static bool text_room(struct text *t, size_t more)
{
	size_t size = t->size ? t->size : 4096;
	char *moved;

	while (size < t->len + more + 1)
		size *= 2;
	if (size == t->size)
		return true;
	moved = tn_realloc(t->s, t->size, size);
	if (!moved) {
		t->failed = true;
		return false;
	}
	t->s = moved;
	t->size = size;
	return true;
}

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n > 0 && t->len < TEXT_MAX && text_room(t, (size_t)n)) {
		vsnprintf(t->s + t->len, (size_t)n + 1, format, again);
		t->len += (size_t)n;
	}
	va_end(again);
}

/* The file's content behind what t has. false: errno. */
static bool slurp(struct text *t, uint32_t pid, const char *name)
{
	char path[PATH_SIZE];
	int fd = open(path_of(pid, name, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 1;

	if (fd < 0)
		return false;
	while (n > 0 && t->len < TEXT_MAX && text_room(t, 4096)) {
		n = read(fd, t->s + t->len, 4096);
		if (n > 0)
			t->len += (size_t)n;
	}
	if (t->s)
		t->s[t->len] = 0;
	close(fd);
	return n >= 0;
}

/* /proc/N/stat, proc(5): the name may have blanks and brackets in it; what is behind the last bracket has not. */
struct stat_line {
	char name[64];
	char state;
	uint64_t field[50]; /* numbered as in proc(5); 4 (ppid) is the first that is filled */
};

static bool read_stat(uint32_t pid, struct stat_line *line)
{
	struct text t = { 0 };
	char *begin, *end, *at;
	bool good = false;

	memset(line, 0, sizeof(*line));
	if (slurp(&t, pid, "stat") && t.s) {
		begin = strchr(t.s, '(');
		end = strrchr(t.s, ')');
		if (begin && end && end > begin && end[1] == ' ' && end[2]) {
			snprintf(line->name, sizeof(line->name), "%.*s", (int)(end - begin - 1),
			    begin + 1);
			line->state = end[2];
			at = end + 3;
			for (unsigned i = 4; i < TN_COUNT(line->field) && *at; i++)
				line->field[i] = strtoull(at, &at, 10);
			good = true;
		}
	}
	tn_free(t.s);
	return good;
}

static bool find_process(uint32_t pid, struct process *p)
{
	struct stat_line line;

	if (!read_stat(pid, &line))
		return false;
	*p = (struct process){ pid, line.field[22] };
	return true;
}

static bool is_there(const struct process *p)
{
	struct process now;

	return find_process(p->pid, &now) && now.start == p->start;
}

static bool owner_of(uint32_t pid, struct stat *st)
{
	char path[PATH_SIZE];

	return stat(path_of(pid, "", path), st) == 0;
}

static bool shows(const struct procfs *fs, uint32_t pid)
{
	struct stat st;

	if (fs->o.shows)
		return fs->o.shows(fs->o.arg, pid);
	return owner_of(pid, &st) && st.st_uid == geteuid();
}

/* ---- what the files say ---- */

/* proc(3): the state's names are Plan 9's where it has one. */
static const char *state_name(char state)
{
	static const struct {
		char letter;
		const char *name;
	} rows[] = {
		{ 'R', "Running" },
		{ 'S', "Sleeping" },
		{ 'D', "Wakeme" },
		{ 'T', "Stopped" },
		{ 't', "Stopped" },
		{ 'Z', "Broken" },
		{ 'X', "Dead" },
		{ 'I', "Idle" },
	};

	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		if (rows[i].letter == state)
			return rows[i].name;
	}
	return "Unknown";
}

/*
 * proc(3): name, user and state in 28, 28 and 12 columns, then nine numbers of 11 digits and a blank: milliseconds of the
 * process itself (user, system, since it started) and of its children, kilobytes, base priority, priority.
 */
static void put_status(struct snap *s)
{
	const uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec now;
	struct stat_line line;
	struct stat st;
	char user[64] = "none";
	uint64_t since;

	if (!read_stat(s->process.pid, &line) || !owner_of(s->process.pid, &st)) {
		s->err = TN_ESRCH;
		return;
	}
	clock_gettime(CLOCK_BOOTTIME, &now);
	since = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	since -= line.field[22] * 1000 / tick < since ? line.field[22] * 1000 / tick : since;
	hf_user_text(st.st_uid, user, sizeof(user));
	put(&s->text, "%-28.27s%-28.27s%-12.11s", line.name, user, state_name(line.state));
	put(&s->text, "%11llu %11llu %11llu ", (unsigned long long)(line.field[14] * 1000 / tick),
	    (unsigned long long)(line.field[15] * 1000 / tick), (unsigned long long)since);
	put(&s->text, "%11llu %11llu %11llu ", (unsigned long long)(line.field[16] * 1000 / tick),
	    (unsigned long long)(line.field[17] * 1000 / tick), 0ull);
	put(&s->text, "%11llu %11llu %11llu ", (unsigned long long)(line.field[23] / 1024),
	    (unsigned long long)line.field[18], (unsigned long long)line.field[18]);
}

/* One line, each argument as rc would have it quoted. */
static void put_args(struct snap *s)
{
	struct text raw = { 0 };
	struct stat_line line;

	if (!slurp(&raw, s->process.pid, "cmdline")) {
		s->err = hf_err(errno);
		tn_free(raw.s);
		return;
	}
	for (size_t at = 0; at < raw.len; at += strlen(raw.s + at) + 1) {
		size_t len = tn_quote(raw.s + at, NULL, 0);

		if (at > 0)
			put(&s->text, " ");
		if (s->text.len >= TEXT_MAX || !text_room(&s->text, len))
			break;
		tn_quote(raw.s + at, s->text.s + s->text.len, len + 1);
		s->text.len += len;
	}
	if (raw.len == 0 && read_stat(s->process.pid, &line))
		put(&s->text, "%s", line.name); /* a kernel's thread, or one that has ended */
	put(&s->text, "\n");
	tn_free(raw.s);
}

static void put_link(struct text *t, uint32_t pid, const char *name)
{
	char path[PATH_SIZE], target[PATH_MAX];
	ssize_t n = readlink(path_of(pid, name, path), target, sizeof(target));

	put(t, "%.*s\n", n < 0 ? 1 : (int)n, n < 0 ? "?" : target);
}

/* proc(3): FD MODE TYPE DEV (QID) IOUNIT OFFSET NAME. */
static void put_descriptor(struct text *t, uint32_t pid, const char *fd)
{
	static const char *const modes[] = { "r", "w", "rw", "?" };
	unsigned long long pos = 0;
	struct text info = { 0 };
	unsigned flags = 0;
	struct stat st;
	char name[32], path[PATH_SIZE];

	snprintf(name, sizeof(name), "fdinfo/%.10s", fd);
	if (slurp(&info, pid, name) && info.s)
		sscanf(info.s, "pos: %llu flags: %o", &pos, &flags);
	tn_free(info.s);
	snprintf(name, sizeof(name), "fd/%.10s", fd);
	if (stat(path_of(pid, name, path), &st))
		return; /* closed meanwhile */
	put(t, "%3s %-2s M %4u (%016llx %u %02x) %5u %8llu ", fd, modes[flags & O_ACCMODE],
	    (unsigned)st.st_dev, (unsigned long long)st.st_ino, 0u,
	    S_ISDIR(st.st_mode) ? TN_QTDIR : 0u, (unsigned)st.st_blksize, pos);
	put_link(t, pid, name);
}

static void put_fd(struct snap *s)
{
	char path[PATH_SIZE];
	struct hf_dir *d = hf_dir_new();
	const char *name;

	if (!d) {
		s->err = TN_ENOMEM;
		return;
	}
	d->fd = open(path_of(s->process.pid, "fd", path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		s->err = hf_err(errno);
	else
		put_link(&s->text, s->process.pid, "cwd");
	while (d->fd >= 0 && (name = hf_dir_name(d)) != NULL)
		put_descriptor(&s->text, s->process.pid, name);
	hf_dir_free(d);
}

static void put_ns(struct snap *s)
{
	if (!s->text.s && !slurp(&s->text, s->process.pid, "mountinfo"))
		s->err = hf_err(errno);
}

static void (*const puts_of[WHATS])(struct snap *s) = {
	[ARGS] = put_args,
	[FD] = put_fd,
	[NS] = put_ns,
	[STATUS] = put_status,
};

static const struct {
	const char *name;
	uint32_t perm;
} files[WHATS] = {
	[ROOT] = { "/", TN_DMDIR | 0555 },
	[DIRECTORY] = { NULL, TN_DMDIR | 0555 }, /* its number */
	[ARGS] = { "args", 0444 },
	[CTL] = { "ctl", 0200 },
	[FD] = { "fd", 0444 },
	[NS] = { "ns", 0444 },
	[STATUS] = { "status", 0444 },
};

/* ---- places ---- */

/* Numbers of processes come again after a while, with another start. */
static struct tn_qid qid_of(enum what what, const struct process *p)
{
	uint64_t path = what;

	if (what != ROOT)
		path |= (p->start * UINT64_C(0x9e3779b97f4a7c15) ^ p->pid) << 3;
	return (struct tn_qid){ .path = path, .type = (uint8_t)(files[what].perm >> 24) };
}

static struct file *file_new(enum what what, const struct process *p)
{
	struct file *f = tn_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->what = what;
	f->process = *p;
	return f;
}

static enum tn_status proc_attach(struct tn_req *r)
{
	static const struct process none;
	struct file *f = r->u.attach.aname.len ? NULL : file_new(ROOT, &none);

	if (!f)
		return tn_fail(r, r->u.attach.aname.len ? TN_EBADATTACH : TN_ENOMEM);
	r->u.attach.newchan->aux.p = f;
	r->u.attach.newchan->qid = qid_of(ROOT, &none);
	return TN_DONE;
}

/* A decimal number as it is listed. 0: it is none. */
static uint32_t number_named(struct tn_str name)
{
	uint64_t n = 0;

	if (name.len == 0 || name.len > 10 || name.s[0] == '0')
		return 0;
	for (uint32_t i = 0; i < name.len; i++) {
		if (name.s[i] < '0' || name.s[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(name.s[i] - '0');
	}
	return n <= INT32_MAX ? (uint32_t)n : 0;
}

static bool is_name(struct tn_str name, const char *text)
{
	return name.len == strlen(text) && memcmp(name.s, text, name.len) == 0;
}

/* From *what of *p to `name`. */
static enum tn_err step(const struct procfs *fs, struct tn_str name, enum what *what,
    struct process *p)
{
	uint32_t pid;

	if (*what > DIRECTORY)
		return TN_ENOTDIR;
	if (is_name(name, "..")) {
		*what = ROOT;
		return TN_OK;
	}
	if (*what == ROOT) {
		pid = number_named(name);
		if (!pid || !shows(fs, pid) || !find_process(pid, p))
			return TN_ENOENT;
		*what = DIRECTORY;
		return TN_OK;
	}
	for (unsigned i = ARGS; i < WHATS; i++) {
		if (is_name(name, files[i].name)) {
			*what = (enum what)i;
			return is_there(p) ? TN_OK : TN_ESRCH;
		}
	}
	return TN_ENOENT;
}

static enum tn_status proc_walk(struct tn_req *r)
{
	struct procfs *fs = fs_of(r);
	struct file *f = file_of(r->chan);
	struct process p = f->process;
	enum what what = f->what;
	enum tn_err err = TN_OK;
	uint16_t i = 0;

	for (; i < r->u.walk.n_names; i++) {
		/* ".." of a file is its directory, that of a directory the root. */
		if (what > DIRECTORY && is_name(r->u.walk.names[i], ".."))
			what = DIRECTORY;
		else
			err = step(fs, r->u.walk.names[i], &what, &p);
		if (err)
			break;
		r->u.walk.qids[i] = qid_of(what, &p);
	}
	r->u.walk.n_walked = i;
	if (i < r->u.walk.n_names)
		return i == 0 ? tn_fail(r, err) : TN_DONE;
	f = file_new(what, &p);
	if (!f)
		return tn_fail(r, TN_ENOMEM);
	r->u.walk.newchan->aux.p = f;
	r->u.walk.newchan->qid = qid_of(what, &p);
	return TN_DONE;
}

/* ---- stat and listings ---- */

static void fill_stat(struct procfs *fs, enum what what, const struct process *p, char number[16],
    struct tn_stat *st)
{
	struct stat owner = { .st_uid = geteuid(), .st_gid = getegid() };

	if (what != ROOT)
		owner_of(p->pid, &owner);
	snprintf(number, 16, "%u", (unsigned)p->pid);
	hf_owners_trim(fs->owners);
	*st = (struct tn_stat){ .qid = qid_of(what, p), .mode = files[what].perm };
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID | TN_ST_NUID | TN_ST_NGID | TN_ST_NLINK;
	st->name.s = what == DIRECTORY ? number : files[what].name;
	st->name.len = (uint32_t)strlen(st->name.s);
	st->atime_ns = st->mtime_ns = what == ROOT ? tn_time_ns()
						   : owner.st_mtim.tv_sec * INT64_C(1000000000);
	st->uid = st->muid = hf_user_name(fs->owners, owner.st_uid);
	st->gid = hf_group_name(fs->owners, owner.st_gid);
	st->n_uid = owner.st_uid;
	st->n_gid = owner.st_gid;
	st->nlink = 1;
}

static enum tn_status proc_stat(struct tn_req *r)
{
	struct file *f = file_of(r->chan);
	struct tn_stat st;
	char number[16];

	if (f->what != ROOT && !is_there(&f->process))
		return tn_fail(r, TN_ESRCH);
	fill_stat(fs_of(r), f->what, &f->process, number, &st);
	return tn_reply_stat(r, &st);
}

static int by_number(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return one < other ? -1 : one > other;
}

/* All processes above `from`, in order. *n of them; NULL: none, or no memory (errno). */
static uint32_t *pids_above(uint64_t from, size_t *n)
{
	struct hf_dir *d = hf_dir_new();
	uint32_t *pids = NULL;
	const char *name;
	size_t room = 0;

	*n = 0;
	errno = 0;
	if (d)
		d->fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (d && d->fd >= 0 && (name = hf_dir_name(d)) != NULL) {
		uint32_t pid = number_named((struct tn_str){ name, (uint32_t)strlen(name) });
		uint32_t *moved = pids;

		if (pid == 0 || pid <= from)
			continue;
		if (*n == room) {
			moved = tn_realloc(pids, room * sizeof(*pids),
			    (room + PIDS_STEP) * sizeof(*pids));
			if (!moved)
				break;
			room += PIDS_STEP;
		}
		pids = moved;
		pids[(*n)++] = pid;
	}
	hf_dir_free(d);
	if (pids)
		qsort(pids, *n, sizeof(*pids), by_number);
	return pids;
}

/* An offset is the last number that was listed: who ends or begins meanwhile moves nothing. */
static enum tn_status list_processes(struct tn_req *r)
{
	struct procfs *fs = fs_of(r);
	size_t n;
	uint32_t *pids = pids_above(r->u.readdir.offset, &n);
	bool room = true;

	for (size_t i = 0; i < n && room; i++) {
		struct process p;
		struct tn_stat st;
		char number[16];

		if (!shows(fs, pids[i]) || !find_process(pids[i], &p))
			continue;
		fill_stat(fs, DIRECTORY, &p, number, &st);
		room = r->owner->entry(r, &st, pids[i]);
	}
	tn_free(pids);
	return TN_DONE;
}

static enum tn_status proc_readdir(struct tn_req *r)
{
	struct file *f = file_of(r->chan);
	bool room = true;

	if (f->what == ROOT)
		return list_processes(r);
	if (f->what != DIRECTORY)
		return tn_fail(r, TN_ENOTDIR);
	if (!is_there(&f->process))
		return tn_fail(r, TN_ESRCH);
	for (uint64_t i = r->u.readdir.offset; i < WHATS - ARGS && room; i++) {
		struct tn_stat st;
		char number[16];

		fill_stat(fs_of(r), (enum what)(ARGS + i), &f->process, number, &st);
		room = r->owner->entry(r, &st, i + 1);
	}
	return TN_DONE;
}

/* ---- open: a text as it is now ---- */

static void snap_run(struct tn_job *job)
{
	struct snap *s = (struct snap *)job;

	puts_of[s->what](s);
	if (!s->err && s->text.failed)
		s->err = TN_ENOMEM;
	/* It was this process and no other all the while. */
	if (!is_there(&s->process))
		s->err = TN_ESRCH;
}

static void snap_free(struct snap *s)
{
	struct procfs *fs = s->fs;

	tn_free(s->text.s);
	tn_free(s);
	tn_server_put(&fs->server);
}

static void snap_done(struct tn_job *job)
{
	struct snap *s = (struct snap *)job;
	struct tn_req *r = s->r;
	struct file *f;

	if (r) {
		f = file_of(r->chan);
		r->keeper = NULL;
		if (s->err) {
			tn_fail(r, s->err);
		} else {
			f->text = s->text.s;
			f->len = s->text.len;
			f->open = true;
			s->text.s = NULL;
		}
	}
	snap_free(s);
	if (r)
		tn_respond(r);
}

static enum tn_status snap_start(struct tn_req *r, const struct file *f)
{
	struct procfs *fs = fs_of(r);
	struct snap *s;

	if (!fs->work)
		fs->work = tn_work_new(fs->server.home, NULL);
	s = fs->work ? tn_alloc(sizeof(*s)) : NULL;
	if (!s)
		return tn_fail(r, TN_ENOMEM);
	*s = (struct snap){ .fs = fs, .what = f->what, .process = f->process };
	s->job.run = snap_run;
	s->job.done = s->job.drop = snap_done;
	if (s->what == NS && fs->o.ns)
		s->text.s = fs->o.ns(fs->o.arg, s->process.pid, &s->text.len);
	tn_server_get(&fs->server);
	if (!tn_keep(r) || !tn_work_start(fs->work, NULL, &s->job)) {
		snap_free(s);
		return tn_fail(r, TN_ENOMEM);
	}
	s->r = r;
	r->keeper = s;
	return TN_LATER;
}

static enum tn_status proc_flush(struct tn_req *r)
{
	struct snap *s = r->keeper;

	if (!s)
		return TN_DONE;
	r->keeper = NULL;
	s->r = NULL;
	if (tn_work_cancel(s->fs->work, &s->job))
		snap_free(s);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

static enum tn_status proc_open(struct tn_req *r)
{
	struct file *f = file_of(r->chan);
	uint32_t access = r->flags & TN_OF_ACCESS;
	bool writes = access == TN_OWRITE || access == TN_ORDWR;

	if (f->what <= DIRECTORY && (writes || r->flags & TN_OF_TRUNC))
		return tn_fail(r, TN_EISDIR);
	if (r->flags & TN_OF_RCLOSE || access == TN_OEXEC)
		return tn_fail(r,
		    f->what <= DIRECTORY && access == TN_OEXEC ? TN_EEXECDIR : TN_EACCES);
	if (f->what != ROOT && !is_there(&f->process))
		return tn_fail(r, TN_ESRCH);
	if (f->what <= DIRECTORY)
		return TN_DONE;
	if (f->what == CTL)
		return access == TN_OWRITE ? TN_DONE : tn_fail(r, TN_EACCES);
	if (writes || r->flags & TN_OF_TRUNC)
		return tn_fail(r, TN_EACCES);
	return snap_start(r, f);
}

static enum tn_status proc_read(struct tn_req *r)
{
	struct file *f = file_of(r->chan);

	if (f->what <= DIRECTORY)
		return tn_fail(r, TN_EISDIR);
	if (!f->open)
		return tn_fail(r, TN_ENOTOPEN);
	return tn_reply_text(r, f->text ? f->text : "", f->len);
}

/* ---- ctl ---- */

/* By a descriptor of the process: a number that was given to another one meanwhile is none of it. */
static enum tn_err send_signal(const struct process *p, int signal)
{
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	enum tn_err err = TN_OK;

	if (fd < 0)
		return tn_err_of_linux((uint32_t)errno);
	if (!is_there(p))
		err = TN_ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0))
		err = tn_err_of_linux((uint32_t)errno);
	close(fd);
	return err;
}

static enum tn_status proc_write(struct tn_req *r)
{
	static const struct {
		const char *word;
		int signal;
	} words[] = { { "kill", SIGKILL }, { "stop", SIGSTOP }, { "start", SIGCONT } };
	static const char refusal[] = "bad process control request: kill, stop or start";
	struct file *f = file_of(r->chan);
	struct tn_str text = { (const char *)r->u.io.data, r->u.io.count };

	if (f->what != CTL)
		return tn_fail(r, TN_EACCES);
	while (text.len > 0 && text.s[text.len - 1] == '\n')
		text.len--;
	for (size_t i = 0; i < TN_COUNT(words); i++) {
		enum tn_err err;

		if (!is_name(text, words[i].word))
			continue;
		err = shows(fs_of(r), f->process.pid) ? send_signal(&f->process, words[i].signal)
						      : TN_ESRCH;
		return err ? tn_fail(r, err) : TN_DONE;
	}
	return tn_fail_words(r, TN_EBADARG, refusal, sizeof(refusal) - 1);
}

static enum tn_status proc_clunk(struct tn_req *r)
{
	struct file *f = file_of(r->chan);

	if (!f)
		return TN_DONE;
	r->chan->aux.p = NULL;
	tn_free(f->text);
	tn_free(f);
	return TN_DONE;
}

/* ---- the server ---- */

static void proc_free(struct tn_server *s)
{
	struct procfs *fs = (struct procfs *)s;

	tn_work_free(fs->work);
	hf_owners_free(fs->owners);
	tn_free(fs);
}

static const struct tn_ops proc_ops = {
	.name = "proc",
	.op = {
		[TN_ATTACH] = proc_attach,
		[TN_WALK] = proc_walk,
		[TN_OPEN] = proc_open,
		[TN_READ] = proc_read,
		[TN_READDIR] = proc_readdir,
		[TN_WRITE] = proc_write,
		[TN_CLUNK] = proc_clunk,
		[TN_STAT] = proc_stat,
		[TN_FLUSH] = proc_flush,
	},
	.free = proc_free,
};

struct tn_server *tn_procfs_new(struct tn_loop *loop, const struct tn_procfs_options *options)
{
	struct procfs *fs = tn_alloc(sizeof(*fs));

	if (!fs)
		return NULL;
	if (options)
		fs->o = *options;
	fs->owners = hf_owners_new();
	if (!fs->owners) {
		tn_free(fs);
		return NULL;
	}
	tn_server_init(&fs->server, &proc_ops, loop, fs);
	fs->server.flags |= TN_SF_DEVICE;
	fs->server.label = "#proc";
	return &fs->server;
}
