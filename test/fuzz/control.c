/*
 * Lines that ask and change a running name space: over the control socket, whose bytes come in any pieces from several
 * clients at a time, and over the files ctl and whence of #ns. The socket's server is the house's own, on a loop that calls
 * it when the input says; mounts of the kernel are made by nobody, and nobody is dialled.
 */
#include "fs/root.h"
#include "launch/change.h"
#include "lib/call.h"
#include "world.h"

#include <errno.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the socket's bytes, and a loop that waits for nothing ---- */

static struct tn_str piece; /* what comes next; NULL: an end, or nothing yet */
static bool is_full;

static ssize_t fuzz_recv(int fd, void *buf, size_t size, int flags)
{
	size_t n = piece.len < size ? piece.len : size;

	(void)fd, (void)flags;
	if (n)
		memcpy(buf, piece.s, n);
	piece.s += n;
	piece.len -= (uint32_t)n;
	return (ssize_t)n;
}

static ssize_t fuzz_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	size_t n = msg->msg_iov[0].iov_len;

	(void)fd, (void)flags;
	must(msg->msg_iovlen == 1 && n > 0);
	if (is_full) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)(n > 64 ? 64 : n);
}

static int fuzz_peer(struct ucred *who)
{
	who->pid = 7;
	who->uid = getuid();
	return 0;
}

static void fuzz_closed(uv_handle_t *handle, uv_close_cb done)
{
	done(handle);
}

#define recv                                   fuzz_recv
#define sendmsg                                fuzz_sendmsg
#define getsockopt(fd, level, name, who, size) ((void)(fd), (void)*(size), fuzz_peer(who))
#define close(fd)                              ((void)(fd))
#define uv_close                               fuzz_closed
#define uv_poll_init(loop, poll, fd)           ((void)(poll), 0)
#define uv_poll_start(poll, events, done)      ((void)(poll), (void)(done))
#define uv_poll_stop(poll)                     ((void)(poll))
#define uv_timer_init(loop, timer)             ((void)(timer))
#define uv_timer_start(timer, done, ms, again) ((void)(done))
#define uv_timer_stop(timer)                   ((void)(timer))
#include "launch/control.c"
#undef close

/* ---- what is below ---- */

struct tn_dialer *__wrap_tn_dialer_new(struct tn_host_loop *h, const char *text,
    uint64_t timeout_ns, enum tn_err *err, char words[256]);
int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buf, size_t size,
    struct passwd **found);
int __wrap_tn_shadow_apply(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step);
void __wrap_tn_shadow_prune(struct tn_shadow *s);
size_t __wrap_tn_shadow_count(const struct tn_shadow *s);

static bool cannot_mount;

struct tn_dialer *__wrap_tn_dialer_new(struct tn_host_loop *h, const char *text,
    uint64_t timeout_ns, enum tn_err *err, char words[256])
{
	(void)h, (void)text, (void)timeout_ns;
	words[0] = '\0';
	*err = TN_ECONNREFUSED;
	return NULL;
}

int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buf, size_t size,
    struct passwd **found)
{
	(void)name, (void)entry, (void)buf, (void)size;
	*found = NULL;
	return 0;
}

int __wrap_tn_shadow_apply(struct tn_shadow *s, const char *const *names, size_t n_names,
    enum tn_step *step)
{
	(void)s;
	for (size_t i = 0; i < n_names; i++)
		must(names[i]);
	*step = TN_STEP_MOVE_MOUNT;
	return cannot_mount && names ? EINVAL : 0;
}

void __wrap_tn_shadow_prune(struct tn_shadow *s)
{
	(void)s;
}

size_t __wrap_tn_shadow_count(const struct tn_shadow *s)
{
	(void)s;
	return 0;
}

/* ---- the target ---- */

enum { CLIENTS = 4, STEPS = 40 };

static struct fuzz_world world;
static struct tn_changes *changes;
static struct tn_control control;

static struct tn_control_ask *client(unsigned n)
{
	struct tn_control_ask *ask = control.asks;

	while (control.n_clients < CLIENTS)
		accept_ask(&control, -1);
	for (ask = control.asks; n % CLIENTS > 0; n--)
		ask = ask->next;
	return ask;
}

/* A piece of a line; an empty one is the end of what the client says. */
static void say(struct fuzz_in *in)
{
	struct tn_control_ask *ask = client(fuzz_byte(in));

	piece = fuzz_bytes(in, fuzz_byte(in));
	if (!ask->out)
		on_ask(&ask->poll, 0, UV_READABLE);
	tn_changes_run(changes);
}

/* A whole line from a client of its own. */
static void say_line(struct fuzz_in *in)
{
	struct tn_control_ask *ask = client(0);
	size_t len = fuzz_byte(in);

	if (ask->out || ask->in_len)
		return;
	piece = fuzz_bytes(in, len);
	if (piece.len == 0)
		return;
	on_ask(&ask->poll, 0, UV_READABLE);
	if (control.asks == ask && !ask->out && !ask->asked) {
		piece = TN_STR("\n");
		on_ask(&ask->poll, 0, UV_READABLE);
	}
	tn_changes_run(changes);
}

static void take_answers(void)
{
	struct tn_control_ask *ask, *next;

	for (ask = control.asks; ask; ask = next) {
		next = ask->next;
		if (ask->out)
			on_ask(&ask->poll, 0, UV_WRITABLE);
	}
}

static void leave(struct fuzz_in *in)
{
	struct tn_control_ask *ask = client(fuzz_byte(in));

	if (!ask->asked)
		out_of_time(&ask->timer);
}

static bool is_done;

static void done(struct tn_req *r)
{
	(void)r;
	is_done = true;
}

static bool keep(struct tn_req *r)
{
	(void)r;
	return true;
}

/* A write to ctl or whence. */
static void write_file(struct fuzz_in *in)
{
	static const struct tn_owner owner = { .done = done, .keep = keep };
	int fd = tn_call_open(world.proc, fuzz_byte(in) & 1 ? "/m/ns/ctl" : "/m/ns/whence",
	    TN_OWRITE);
	struct tn_chan *c = fd < 0 ? NULL : tn_chan_get(tn_call_chan(world.proc, fd));
	struct tn_str text = fuzz_bytes(in, fuzz_byte(in));
	struct tn_req r;

	if (!c)
		return; /* a line has taken it away */
	tn_req_init(&r, TN_WRITE, c, &owner);
	r.u.io.data = (uint8_t *)(uintptr_t)text.s;
	r.u.io.count = text.len;
	is_done = tn_submit(&r) == TN_DONE;
	tn_changes_run(changes);
	fuzz_turn(world.loop);
	must(is_done);
	tn_req_reset(&r);
	tn_call_close(world.proc, fd);
	tn_chan_put(c);
}

static void step(struct fuzz_in *in)
{
	uint8_t what = fuzz_byte(in);

	cannot_mount = what & 64;
	is_full = what & 128;
	switch (what % 8) {
	case 0:
	case 1: say(in); break;
	case 2:
	case 3:
	case 4: say_line(in); break;
	case 5: take_answers(); break;
	case 6: write_file(in); break;
	default: leave(in); break;
	}
	fuzz_turn(world.loop);
}

/* What a call waits for comes with a task or with time; nothing else is under way. */
static void turn(struct tn_loop *l)
{
	uint64_t next = tn_loop_next_ns(l);

	must(next != UINT64_MAX);
	if (next > fuzz_now)
		fuzz_now = next;
	tn_loop_run(l);
}

static void begin(void)
{
	struct tn_server *files;

	fuzz_world_begin(&world, NULL);
	tn_call_turn = turn;
	changes = tn_changes_new(world.proc, NULL);
	must(changes);
	files = tn_changes_device(changes);
	must(files && tn_call_mount(world.proc, files, "/m/ns", TN_REPL, "") >= 0);
	tn_server_put(files);
	memset(&control, 0, sizeof(control));
	control.handler = tn_changes_line;
	control.arg = changes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };

	begin();
	for (int i = 0; i < STEPS && in.left > 0; i++)
		step(&in);
	while (control.asks)
		ask_close(control.asks);
	fuzz_world_end(&world);
	free(changes);
	return 0;
}
