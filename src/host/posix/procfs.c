/*
 * Processes as files. A process is its number and the time it started: another one under the number is not taken for
 * it. Texts are made when a file is opened, on a worker: reading a process's memory (its arguments) waits for whatever
 * that process itself waits for.
 */
#include "host/posix/procfs.h"

#include "core/chan.h"
#include "host/posix/procfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIDS_STEP 256

static struct procfs *fs_of(const struct tn_req *r)
{
	return (struct procfs *)r->server;
}

static struct file *file_of(const struct tn_chan *c)
{
	return c->aux.p;
}

static bool shows(const struct procfs *fs, uint32_t pid)
{
	struct stat st;

	if (fs->o.shows)
		return fs->o.shows(fs->o.arg, pid);
	return pf_owner(pid, &st) && st.st_uid == geteuid();
}

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
		if (!pid || !shows(fs, pid) || !pf_find(pid, p))
			return TN_ENOENT;
		*what = DIRECTORY;
		return TN_OK;
	}
	for (unsigned i = ARGS; i < WHATS; i++) {
		if (is_name(name, files[i].name)) {
			*what = (enum what)i;
			return pf_is_there(p) ? TN_OK : TN_ESRCH;
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
		pf_owner(p->pid, &owner);
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

	if (f->what != ROOT && !pf_is_there(&f->process))
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

		if (!shows(fs, pids[i]) || !pf_find(pids[i], &p))
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
	if (!pf_is_there(&f->process))
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

	pf_put(s);
	if (!s->err && s->text.failed)
		s->err = TN_ENOMEM;
	/* It was this process and no other all the while. */
	if (!pf_is_there(&s->process))
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
	if (f->what != ROOT && !pf_is_there(&f->process))
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
	if (!pf_is_there(p))
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
