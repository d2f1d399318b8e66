/*
 * S in order: the model (a process's part whose `/` is the host's root and #root, or #root alone), the composition, the
 * door; then the front is told, and CMD does what S says: binds of the host's top level entries, pivot, and S's own
 * child the rest. All that may wait is done by the outermost loop here; callbacks only make notes.
 */
#include "launch/run.h"

#include "host/posix/node.h"
#include "launch/change.h"
#include "launch/front.h"
#include "launch/keep.h"
#include "launch/notify.h"
#include "launch/state.h"
#include "launch/sweep.h"
#include "lib/call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SWEEP_S = 5, YIELD_MS = 200 /* for each try, while nobody else waits for S */ };

/* What the front and CMD have said, to be acted on by the outermost loop. */
enum note { NOTE_MOUNTED = 1, NOTE_SHARED = 2, NOTE_YIELD = 4, NOTE_END = 8 };

struct server {
	const struct tn_run *run;
	struct tn_serve *serve;
	struct tn_host_loop *hl;
	struct tn_node *node;
	struct tn_proc *proc;
	struct launch_fuse *door;
	struct tn_shadow *shadow;
	struct tn_changes *changes;
	struct tn_control *control, *kept; /* by M1's number, and by the name */
	uv_poll_t front;
	unsigned notes; /* enum note */
	struct tn_talk mounted;
	pid_t inside;               /* who said MOUNTED */
	struct tn_live_place place; /* M1, from MOUNTED on */
	bool is_host_root;          /* not --clean */
	bool front_gone, front_died, fuse_ended;
	bool is_built; /* M1 can be entered */
};

/* #ns is asked for by name, from inside a table that knows no S: there is one in a process. */
static struct server *the_server;

static enum tn_err ns_instance(struct tn_proc *p, struct tn_server **out)
{
	(void)p;
	*out = tn_changes_device(the_server->changes);
	return *out ? TN_OK : TN_ENOMEM;
}

/* ---- the model ---- */

/* Failing to compose: one line for the front, and the end. */
static int refuse(const struct server *s, const char *what, const char *cause)
{
	struct tn_talk m = tn_talk_of(TN_TALK_FAILED);

	m.step = TN_STEP_COMPOSE;
	m.status = 1;
	snprintf(m.text, sizeof(m.text), "%.240s: %.240s", what, cause);
	tn_talk_send(s->serve->front, &m, NULL, 0);
	return 1;
}

static bool make_root_place(const struct server *s, const char *name)
{
	struct tn_str spec, text = { name, (uint32_t)strlen(name) };
	const struct tn_device_row *row = tn_device_find(s->node, TN_STR("/"), &spec);
	struct tn_server *root;
	enum tn_err err = row ? row->instance(s->proc, spec, &root) : TN_ENODEV;

	if (err == TN_OK) {
		err = tn_rootfs_add(root, text, true);
		tn_server_put(root);
	}
	return err == TN_OK;
}

/*
 * What every name space begins with. The host's root stands before #root, so that a name of the host is the host's;
 * what is missing there appears in #root.
 */
static const struct {
	const char *src, *place;
	uint32_t flags;
	bool of_host;
} beginning[] = {
	{ "#host", "/", TN_BEFORE | TN_CREATE_HERE, true },
	{ "#mntgen", "/n", TN_REPL, false },
	{ "#ns", "/n/ns", TN_REPL, false },
	{ "#srv", "/n/srv", TN_REPL | TN_CREATE_HERE, false },
};

static int begin(struct server *s)
{
	if (!make_root_place(s, "/n"))
		return refuse(s, "/n", "cannot be made");
	for (size_t i = 0; i < sizeof(beginning) / sizeof(beginning[0]); i++) {
		if (beginning[i].of_host && s->run->compose->clean)
			continue;
		if (tn_call_bind(s->proc, beginning[i].src, beginning[i].place,
			beginning[i].flags) < 0)
			return refuse(s, beginning[i].src, tn_call_text());
	}
	return 0;
}

/* A name that is missing where the root is ours appears: that is what `clean` means to the composition. */
static int compose(struct server *s)
{
	struct tn_compose *c = s->run->compose;

	c->clean = true;
	if (!tn_compose_apply(c, s->proc))
		return refuse(s, c->what, c->error);
	if (s->run->no_mount)
		tn_ns_forbid(s->proc->ns);
	return 0;
}

static int make_model(struct server *s)
{
	int status;

	static const struct tn_hostfs_options files = { .devices = true };

	s->node = tn_host_node_new(s->hl);
	if (s->node)
		tn_host_node_files_with(s->node, &files);
	if (s->node && s->run->commands)
		tn_host_node_cmd(s->node);
	s->proc = s->node ? tn_host_proc_clean(s->node) : NULL;
	s->shadow = s->proc ? tn_shadow_new(s->hl, s->proc) : NULL;
	s->changes = s->shadow ? tn_changes_new(s->proc, s->shadow) : NULL;
	if (!s->changes)
		return refuse(s, "name space", "no memory");
	tn_host_node_ns(s->node, ns_instance);
	status = begin(s);
	return status ? status : compose(s);
}

/* ---- the door ---- */

static void fuse_ended(void *arg)
{
	((struct server *)arg)->fuse_ended = true;
}

static bool make_door(struct server *s)
{
	struct launch_fuse_options o = { .ended = fuse_ended, .arg = s };

	o.fd = fcntl(s->serve->entered.fuse, F_DUPFD_CLOEXEC, 3);
	if (o.fd < 0 || fcntl(o.fd, F_SETFL, O_NONBLOCK) < 0)
		return false;
	s->door = launch_fuse_new(s->hl, s->proc, &o);
	if (!s->door)
		return false;
	tn_shadow_door(s->shadow, s->door);
	tn_changes_door(s->changes, s->door);
	return true;
}

/* ---- what the front and CMD say ---- */

/* The program has ended as it wanted to, or the front has died: then nothing of the name space may be left. */
static void front_is_gone(struct server *s, bool died)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (s->front_gone)
		return;
	s->front_gone = true;
	s->front_died = died;
	uv_poll_stop(&s->front);
	if (null >=
	    0) { /* whoever waits for the end of our standard error need not wait for the jobs */
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static void hear_front(uv_poll_t *poll, int status, int events)
{
	struct server *s = poll->data;
	struct tn_talk m;
	pid_t pid;
	int n = tn_talk_receive(s->serve->front, &m, NULL, &pid);

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EBADMSG))
		return;
	if (n <= 0) {
		front_is_gone(s, true);
	} else if (m.kind == TN_TALK_BYE) {
		front_is_gone(s, false);
	} else if (m.kind == TN_TALK_MOUNTED) {
		s->mounted = m;
		s->inside = pid;
		s->notes |= NOTE_MOUNTED;
	} else if (m.kind == TN_TALK_SHARED) {
		s->notes |= NOTE_SHARED;
	}
}

static bool watch_front(struct server *s)
{
	s->front.data = s;
	fcntl(s->serve->front, F_SETFL, O_NONBLOCK);
	return uv_poll_init(tn_host_loop_uv(s->hl), &s->front, s->serve->front) == 0 &&
	       uv_poll_start(&s->front, UV_READABLE, hear_front) == 0;
}

/* To CMD, who reads as fast as it binds: the socket may be full meanwhile. */
static bool tell_command(struct server *s, const struct tn_talk *m)
{
	while (!tn_talk_send(s->serve->front, m, NULL, 0)) {
		if (errno != EAGAIN || s->front_gone)
			return false;
		tn_host_loop_turn(tn_host_loop_core(s->hl));
	}
	return true;
}

static void fail_command(struct server *s, enum tn_step step, int error)
{
	struct tn_talk m = tn_talk_failed(step, error);

	tell_command(s, &m);
}

static bool tell_root(void *arg, const char *name)
{
	struct tn_talk m = tn_talk_of(TN_TALK_ROOT);

	snprintf(m.text, sizeof(m.text), "%s", name);
	return tell_command(arg, &m);
}

/* Whether M1 is dead, and its number free or another name space's: nobody has both it and our file system. */
static bool has_lost_number(const struct server *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	bool found = !proc || s->place.holder;

	while (!found && (e = readdir(proc))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		found = pid > 0 && tn_mntns_of(pid) == s->mounted.number &&
			tn_sees(pid, (dev_t)s->mounted.device);
	}
	if (proc)
		closedir(proc);
	return !found;
}

static void answer_yield(struct server *s, struct tn_control_ask *ask)
{
	if (!has_lost_number(s)) {
		tn_control_answer(ask, "the number is this name space's", NULL);
		return;
	}
	s->notes |= NOTE_YIELD;
	tn_control_answer(ask, NULL, NULL);
}

static void answer_state(struct server *s, struct tn_control_ask *ask)
{
	struct tn_state state = { .argv = s->run->argv, .keep = s->run->keep };
	char *text;

	state.pid = tn_keep_someone(&s->place);
	text = tn_state_text(s->proc, &state);
	tn_control_answer(ask, text ? NULL : "no memory", text);
	free(text);
}

/* What it takes to enter, to a command of the same user. */
static void answer_enter(struct server *s, struct tn_control_ask *ask)
{
	int fds[TN_DOORS],
	    error = s->is_built ? tn_keep_doors(&s->place, s->run->pids, fds) : EAGAIN;
	char text[64];

	if (error) {
		tn_control_answer(ask, error == EAGAIN ? "it is not ready yet" : strerror(error),
		    NULL);
		return;
	}
	snprintf(text, sizeof(text), "device %llu\n", (unsigned long long)s->mounted.device);
	tn_control_answer_fds(ask, text, fds, TN_DOORS);
	for (int i = 0; i < TN_DOORS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void answer_end(struct server *s, struct tn_control_ask *ask)
{
	s->notes |= NOTE_END;
	tn_control_answer(ask, NULL, NULL);
}

/* Lines that are not put behind the changes: `yield` from another S, what commands ask that is no change. */
static const struct {
	const char *line;
	void (*answer)(struct server *s, struct tn_control_ask *ask);
} at_once[] = { { "yield", answer_yield }, { "state", answer_state }, { "enter", answer_enter },
	{ "end", answer_end } };

static void hear_line(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid)
{
	for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
		if (strcmp(line, at_once[i].line) == 0) {
			at_once[i].answer(arg, ask);
			return;
		}
	}
	tn_changes_line(((struct server *)arg)->changes, ask, line, pid);
}

/* The server of a dead name space is asked to listen no more. */
static void ask_to_yield(const struct server *s)
{
	char *answer = NULL;

	tn_control_call(s->inside, "yield", YIELD_MS, &answer);
	free(answer);
}

/*
 * The number of a name space that has died may be this one's, and its server still listens: it ends in a moment, or goes
 * on for those who have left it for a mount name space of their own. Then it gives the number up.
 */
static int listen_for(struct server *s, uint64_t mntns)
{
	uint64_t end = tn_now_ns() + SWEEP_S * UINT64_C(1000000000);
	const struct timespec moment = { .tv_nsec = 2000000 };
	const struct tn_control_at at = { .mntns = mntns };

	while (!(s->control = tn_control_listen(s->hl, &at, hear_line, s))) {
		if (errno != EADDRINUSE || tn_now_ns() > end)
			return errno;
		ask_to_yield(s);
		nanosleep(&moment, NULL);
		tn_host_loop_poll(tn_host_loop_core(s->hl));
	}
	return 0;
}

/* CMD has mounted the FUSE file system: it is served from here on, and CMD is told what to bind. */
static void on_mounted(struct server *s)
{
	struct tn_talk go = tn_talk_of(TN_TALK_GO);
	int error = -launch_fuse_start(s->door);

	s->place = (struct tn_live_place){ .mntns = s->mounted.number,
		.pids = { s->inside, 0 },
		.device = (dev_t)s->mounted.device,
		.read_only = s->serve->read_only };
	tn_shadow_place(s->shadow, &s->place);
	launch_fuse_notify(s->door, &(struct launch_bare){ .in = s->place });
	if (!error)
		error = listen_for(s, s->place.mntns);
	if (!error && s->is_host_root)
		error = tn_shadow_roots(s->shadow, tell_root, s);
	if (error)
		fail_command(s, TN_STEP_SESSION, error);
	else
		tell_command(s, &go);
}

/* From here on M1 lives as long as S. */
static int hold(struct server *s, enum tn_step *step)
{
	int error = tn_keep_hold(&s->place);

	*step = TN_STEP_ENTER;
	tn_shadow_place(s->shadow, &s->place);
	return error;
}

/* CMD has the new root: what else the kernel has to mount, then it may begin, in the directory that was composed. */
static void on_shared(struct server *s)
{
	struct tn_talk go = tn_talk_of(TN_TALK_GO);
	enum tn_step step;
	int error = tn_shadow_apply(s->shadow, NULL, 0, &step);

	if (!error && s->run->keep)
		error = hold(s, &step);
	s->is_built = !error;
	if (s->proc->dot->path && s->proc->dot->path->depth)
		tn_path_text(s->proc->dot->path, go.text, sizeof(go.text));
	if (error)
		fail_command(s, step, error);
	else
		tell_command(s, &go);
}

/* ---- the outermost loop ---- */

/* What is killed may wait for an answer of ours, so the loop turns between the rounds. */
static void sweep(struct server *s)
{
	uint64_t end = tn_now_ns() + SWEEP_S * UINT64_C(1000000000);
	const struct timespec moment = { .tv_nsec = 2000000 };

	while (tn_now_ns() < end) {
		if (tn_sweep((dev_t)s->mounted.device, s->serve->entered.fuse, 0) == 0)
			break;
		nanosleep(&moment, NULL);
		tn_host_loop_poll(tn_host_loop_core(s->hl));
	}
}

/* Its number and its name may be another's from here on. What was asked is answered first. */
static void listen_no_more(struct server *s, bool by_name)
{
	if (s->control)
		tn_control_end(s->control);
	s->control = NULL;
	if (s->kept && by_name)
		tn_control_end(s->kept);
	s->kept = by_name ? NULL : s->kept;
}

/* Until the name space has died and the front has let go: who hears of S's end first takes it for a death. */
static void serve_on(struct server *s)
{
	bool is_ready = false;

	while (!s->front_gone || (is_ready && !s->fuse_ended)) {
		unsigned notes = s->notes;

		s->notes = 0;
		if (notes & NOTE_MOUNTED)
			on_mounted(s);
		is_ready = is_ready || (notes & NOTE_MOUNTED);
		if (notes & NOTE_SHARED)
			on_shared(s);
		tn_changes_run(s->changes);
		if (s->fuse_ended || (notes & (NOTE_YIELD | NOTE_END)))
			listen_no_more(s, s->fuse_ended || (notes & NOTE_END));
		if (s->front_died || (notes & NOTE_END)) {
			if (is_ready)
				sweep(s);
			return;
		}
		if (!s->notes)
			tn_host_loop_turn(tn_host_loop_core(s->hl));
	}
}

/* The name is taken before anything runs; who has it already listens. */
static int take_name(struct server *s)
{
	const struct tn_control_at at = { .keep = s->run->keep };

	if (!at.keep || (s->kept = tn_control_listen(s->hl, &at, hear_line, s)))
		return 0;
	return refuse(s, at.keep,
	    errno == EADDRINUSE ? "a name space is kept by this name already" : strerror(errno));
}

static int serve(void *arg, struct tn_serve *ends)
{
	struct server s = { .run = arg, .serve = ends };
	struct tn_talk failed = tn_talk_failed(TN_STEP_SESSION, ENOMEM);
	int status;

	the_server = &s;
	s.is_host_root = !s.run->compose->clean;
	s.hl = tn_host_loop_new();
	tn_call_turn = tn_host_loop_turn;
	if (!s.hl || !watch_front(&s)) {
		tn_talk_send(ends->front, &failed, NULL, 0);
		return 125;
	}
	status = make_model(&s);
	if (!status)
		status = take_name(&s);
	if (status)
		return status;
	if (!make_door(&s)) {
		tn_talk_send(ends->front, &failed, NULL, 0);
		return 125;
	}
	if (tn_front_ready(ends))
		serve_on(&s);
	return 0;
}

int tn_run(const struct tn_run *run)
{
	struct tn_front front = { .who = "tenon run",
		.argv = run->argv,
		.pids = run->pids,
		.read_only = run->compose->read_only,
		.kept = run->keep != NULL,
		.serve = serve,
		.arg = (void *)run };

	return tn_front_run(&front);
}
