/*
 * Who watches what. The kernel tells FUSE nothing of inotify, but /proc does: a line of a process's fdinfo names the file
 * system and, as its handle, our own node. A process that begins to watch has just asked us for the name; so only those
 * that ask are looked at, LOOK_NS behind that and AGAIN_NS behind the last look at the earliest, and all together take
 * one part in SHARE of the time at most. Those that watch are looked at every WATCHERS_NS as well, for what they let go.
 */
#include "launch/notify_in.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOOK_NS     UINT64_C(20000000)
#define AGAIN_NS    UINT64_C(100000000)
#define WATCHERS_NS UINT64_C(1000000000)

enum { ASKERS_MAX = 64, SHARE = 50, MARKS_MAX = 8192 };

struct asker {
	pid_t pid;
	bool dirty;
	uint64_t seen_ns, looked_ns; /* looked_ns 0: never */
	struct launch_mark *marks;
	size_t n_marks;
};

struct launch_watchers {
	struct launch_notify *n;
	dev_t device;
	struct tn_timer timer;
	uint64_t not_before_ns;
	pid_t last;
	struct asker askers[ASKERS_MAX];
};

/* ---- /proc ---- */

static bool hex_byte(const char *s, uint8_t *byte)
{
	unsigned value;
	int n = 0;

	if (sscanf(s, "%2x%n", &value, &n) != 1 || n != 2)
		return false;
	*byte = (uint8_t)value;
	return true;
}

/* Three words of the machine's order: the halves of the node's number, its generation. */
bool launch_mark_parse(const char *line, dev_t device, struct launch_mark *mark)
{
	const char *handle = strstr(line, " f_handle:");
	unsigned long dev;
	uint32_t words[3];
	uint8_t bytes[12];

	if (strncmp(line, "inotify ", 8) != 0 || !handle ||
	    sscanf(line, "inotify wd:%*x ino:%*x sdev:%lx", &dev) != 1)
		return false;
	if (dev >> 20 != major(device) || (dev & 0xfffff) != minor(device))
		return false;
	handle += strlen(" f_handle:");
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (!hex_byte(handle + 2 * i, &bytes[i]))
			return false;
	}
	memcpy(words, bytes, sizeof(words));
	mark->ino = (uint64_t)words[0] << 32 | words[1];
	mark->generation = words[2];
	return true;
}

static void add_mark(struct asker *a, const struct launch_mark *mark)
{
	struct launch_mark *marks;

	if (a->n_marks == MARKS_MAX)
		return;
	if ((a->n_marks & (a->n_marks - 1)) == 0) {
		marks = realloc(a->marks, (a->n_marks ? a->n_marks * 2 : 1) * sizeof(*marks));
		if (!marks)
			return;
		a->marks = marks;
	}
	a->marks[a->n_marks++] = *mark;
}

static void read_marks(struct launch_watchers *w, struct asker *a, const char *fd)
{
	struct launch_mark mark;
	char name[64], *line = NULL;
	size_t size = 0;
	FILE *info;

	snprintf(name, sizeof(name), "/proc/%d/fdinfo/%.20s", (int)a->pid, fd);
	info = fopen(name, "re");
	while (info && getline(&line, &size, info) > 0) {
		if (launch_mark_parse(line, w->device, &mark))
			add_mark(a, &mark);
	}
	free(line);
	if (info)
		fclose(info);
}

/* true: other marks than before. */
static bool look_at(struct launch_watchers *w, struct asker *a)
{
	static const char inotify[] = "anon_inode:inotify";
	struct asker was = *a;
	char name[64], link[64];
	struct dirent *e;
	DIR *fds;
	bool same;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)a->pid);
	a->marks = NULL;
	a->n_marks = 0;
	a->dirty = false;
	fds = opendir(name);
	while (fds && (e = readdir(fds))) {
		ssize_t len = readlinkat(dirfd(fds), e->d_name, link, sizeof(link));

		if (len >= (ssize_t)sizeof(inotify) - 1 &&
		    memcmp(link, inotify, sizeof(inotify) - 1) == 0)
			read_marks(w, a, e->d_name);
	}
	if (fds)
		closedir(fds);
	same = a->n_marks == was.n_marks &&
	       (a->n_marks == 0 ||
		   memcmp(a->marks, was.marks, a->n_marks * sizeof(*a->marks)) == 0);
	free(was.marks);
	a->looked_ns = tn_now_ns();
	return !same;
}

/* ---- when ---- */

static uint64_t due_ns(const struct asker *a)
{
	uint64_t due = UINT64_MAX;

	if (a->dirty)
		due = a->looked_ns && a->looked_ns + AGAIN_NS > a->seen_ns + LOOK_NS
			  ? a->looked_ns + AGAIN_NS
			  : a->seen_ns + LOOK_NS;
	if (a->n_marks > 0 && a->looked_ns + WATCHERS_NS < due)
		due = a->looked_ns + WATCHERS_NS;
	return due;
}

static void arm(struct launch_watchers *w)
{
	struct tn_loop *loop = tn_host_loop_core(w->n->f->hl);
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < ASKERS_MAX; i++) {
		if (w->askers[i].pid && due_ns(&w->askers[i]) < at)
			at = due_ns(&w->askers[i]);
	}
	if (at == UINT64_MAX)
		return;
	tn_timer_set(loop, &w->timer, at > w->not_before_ns ? at : w->not_before_ns);
}

static void tell_all(struct launch_watchers *w)
{
	struct launch_mark *all;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < ASKERS_MAX; i++)
		n += w->askers[i].n_marks;
	all = malloc((n + 1) * sizeof(*all));
	if (!all)
		return;
	for (size_t i = 0; i < ASKERS_MAX; i++) {
		const struct asker *a = &w->askers[i];

		if (a->n_marks)
			memcpy(all + at, a->marks, a->n_marks * sizeof(*all));
		at += a->n_marks;
	}
	launch_notify_wanted(w->n, all, n);
	free(all);
}

static void look(struct tn_timer *timer)
{
	struct launch_watchers *w =
	    (struct launch_watchers *)((char *)timer - offsetof(struct launch_watchers, timer));
	uint64_t begin = tn_now_ns(), spent;
	bool changed = false, watched = false;

	for (size_t i = 0; i < ASKERS_MAX; i++) {
		struct asker *a = &w->askers[i];

		if (a->pid && due_ns(a) <= begin)
			changed |= look_at(w, a);
		watched |= a->n_marks > 0;
	}
	w->last = 0;
	if (changed || watched)
		tell_all(w);
	spent = tn_now_ns() - begin;
	w->not_before_ns = begin + spent * SHARE;
	arm(w);
}

/* ---- who ---- */

/* Its place, or that of who has not asked for longest and watches nothing. */
static struct asker *place_for(struct launch_watchers *w, pid_t pid)
{
	struct asker *best = NULL;

	for (size_t i = 0; i < ASKERS_MAX; i++) {
		struct asker *a = &w->askers[i];

		if (a->pid == pid)
			return a;
		if (a->n_marks == 0 && (!best || a->seen_ns < best->seen_ns))
			best = a;
	}
	if (best)
		*best = (struct asker){ .pid = pid };
	return best;
}

void launch_watchers_asked(struct launch_watchers *w, pid_t pid)
{
	struct asker *a;

	if (pid == w->last || pid <= 0)
		return;
	w->last = pid; /* until the next look: it is noted already */
	a = place_for(w, pid);
	if (!a || a->dirty)
		return;
	a->seen_ns = tn_now_ns();
	a->dirty = true;
	arm(w);
}

struct launch_watchers *launch_watchers_new(struct launch_notify *n, dev_t device)
{
	struct launch_watchers *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->n = n;
	w->device = device;
	w->timer.fn = look;
	return w;
}

void launch_watchers_free(struct launch_watchers *w)
{
	if (!w)
		return;
	tn_timer_stop(tn_host_loop_core(w->n->f->hl), &w->timer);
	for (size_t i = 0; i < ASKERS_MAX; i++)
		free(w->askers[i].marks);
	free(w);
}
