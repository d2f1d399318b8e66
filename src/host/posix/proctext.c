/*
 * What the files of #proc say, from what the kernel says in /proc. On a worker, but for what tells processes apart.
 */
#include "core/nsfile.h"
#include "host/posix/procfs_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX  (1u << 20) /* bytes of a file here; longer ones are cut */
#define PATH_SIZE 64

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

bool pf_find(uint32_t pid, struct process *p)
{
	struct stat_line line;

	if (!read_stat(pid, &line))
		return false;
	*p = (struct process){ pid, line.field[22] };
	return true;
}

bool pf_is_there(const struct process *p)
{
	struct process now;

	return pf_find(p->pid, &now) && now.start == p->start;
}

bool pf_owner(uint32_t pid, struct stat *st)
{
	char path[PATH_SIZE];

	return stat(path_of(pid, "", path), st) == 0;
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

	if (!read_stat(s->process.pid, &line) || !pf_owner(s->process.pid, &st)) {
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

void pf_put(struct snap *s)
{
	puts_of[s->what](s);
}
