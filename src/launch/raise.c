/*
 * Raising in this kernel what has happened elsewhere. A child of S takes a mount of the file system out of the name space
 * of the programs, the bare one, without what is mounted in it, and goes back to the host's. It has each followed
 * directory open, and carries out one command after the other. What the kernel then asks for its names is answered from
 * what the command is about, never by the server: a name that is made is not there before, one that is removed was.
 *
 * Names that the kernel knows keep their node, with attributes that are true or, of what is gone, as they were; all
 * others get a node of nobody's for the moment. An entry is asked for anew each time, so nothing of that is seen.
 */
#include "launch/raise_in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAIN_NS UINT64_C(2000000000) /* a child that cannot begin is not tried again before */

static void step(struct launch_raiser *r);

/* ---- the end of one ---- */

static void poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void reap_dying(struct launch_notify *n)
{
	for (size_t i = 0; i < DYING_MAX; i++) {
		if (n->dying[i] && waitpid(n->dying[i], NULL, WNOHANG) != 0)
			n->dying[i] = 0;
	}
}

/* It may wait for an answer of ours: it is reaped later. */
static void let_die(struct launch_notify *n, pid_t pid)
{
	kill(pid, SIGKILL);
	reap_dying(n);
	for (size_t i = 0; i < DYING_MAX; i++) {
		if (!n->dying[i]) {
			n->dying[i] = pid;
			break;
		}
	}
	reap_dying(n);
}

static void forget_event(struct launch_raiser *r)
{
	struct launch_nodes *nodes = &r->n->f->nodes;

	if (r->now)
		launch_event_free(r->now);
	launch_node_put(nodes, r->entry);
	r->now = NULL;
	r->entry = NULL;
	r->ready = false;
	memset(r->names, 0, sizeof(r->names));
}

static void raiser_free(struct launch_raiser *r)
{
	struct launch_notify *n = r->n;

	r->ended = true;
	uv_poll_stop(&r->poll); /* the socket's end would be reported until it is closed */
	if (r->asking)
		return; /* the answer comes back here */
	for (struct launch_follow *w = n->follows; w; w = w->next)
		w->slot = SLOT_NONE;
	forget_event(r);
	launch_node_put(&n->f->nodes, r->aside);
	if (n->raiser == r)
		n->raiser = NULL;
	if (!r->has_obeyed)
		n->again_ns = tn_now_ns() + AGAIN_NS;
	uv_close((uv_handle_t *)&r->poll, poll_closed);
	close(r->sock);
	let_die(n, r->pid);
}

void launch_raise_rest(struct launch_notify *n)
{
	reap_dying(n);
	if (n->raiser)
		raiser_free(n->raiser);
}

void launch_raiser_reap(struct launch_notify *n)
{
	for (size_t i = 0; i < DYING_MAX; i++) {
		while (n->dying[i] && waitpid(n->dying[i], NULL, 0) < 0 && errno == EINTR) {
		}
	}
}

void launch_raise_closed(struct launch_follow *w)
{
	struct launch_raiser *r = w->n->raiser;

	if (w->slot == SLOT_NONE || !r)
		return;
	r->slots[w->slot] = NULL;
	r->closing[w->slot] = true;
	w->slot = SLOT_NONE;
}

/* ---- commands ---- */

static void send_command(struct launch_raiser *r)
{
	size_t len = offsetof(struct launch_command, path) + strlen(r->command.path) + 1;

	r->busy = true;
	if (send(r->sock, &r->command, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		raiser_free(r);
}

static void command(struct launch_raiser *r, enum launch_raise what, int slot)
{
	memset(&r->command, 0, offsetof(struct launch_command, path) + 1);
	r->command.what = (uint8_t)what;
	r->command.slot = (uint16_t)slot;
}

/* "a/b/c" from the root of the file system. false: it has no name, or too long a one. */
static bool way_to(const struct launch_node *node, char path[4096])
{
	const struct launch_node *up;
	size_t len = 0, at;

	for (up = node; up->parent; up = up->parent) {
		if (!up->in_place)
			return false;
		len += up->name_len + 1u;
	}
	if (len > 4095)
		return false;
	at = len ? len - 1 : 0;
	path[at] = '\0';
	for (up = node; up->parent; up = up->parent) {
		at -= up->name_len;
		memcpy(path + at, up->name, up->name_len);
		if (at > 0)
			path[--at] = '/';
	}
	return true;
}

static int free_slot(const struct launch_raiser *r)
{
	for (int i = 0; i < FOLLOWS_MAX; i++) {
		if (!r->slots[i] && !r->closing[i])
			return i;
	}
	return SLOT_NONE;
}

/* The child gets the directory. false: it does not. */
static bool open_directory(struct launch_raiser *r, struct launch_follow *w)
{
	int slot = free_slot(r);

	if (slot == SLOT_NONE)
		return false;
	command(r, RAISE_OPEN, slot);
	if (!way_to(w->node, r->command.path))
		return false;
	r->slots[slot] = w;
	w->slot = slot;
	send_command(r);
	return true;
}

static bool close_one(struct launch_raiser *r)
{
	for (int i = 0; i < FOLLOWS_MAX; i++) {
		if (!r->closing[i])
			continue;
		command(r, RAISE_CLOSE, i);
		send_command(r);
		return true;
	}
	return false;
}

static bool open_aside(struct launch_raiser *r)
{
	struct launch_fuse *f = r->n->f;

	if (r->has_aside)
		return false;
	if (!r->aside)
		r->aside = launch_node_nobody(&f->nodes, f->nodes.root, TN_STR(LAUNCH_ASIDE), true);
	command(r, RAISE_OPEN, RAISE_SLOT_ASIDE);
	strcpy(r->command.path, LAUNCH_ASIDE);
	send_command(r);
	return true;
}

/* ---- what a name's node is to be ---- */

static struct tn_str str_of(const char *text)
{
	return (struct tn_str){ text, (uint32_t)strlen(text) };
}

void launch_raise_attr(const struct launch_node *node, bool is_dir, struct stat *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->st_mode = is_dir ? S_IFDIR | 0700 : S_IFREG | 0600;
	attr->st_nlink = is_dir ? 2 : 1;
	attr->st_uid = getuid();
	attr->st_gid = getgid();
	attr->st_size = node ? (off_t)node->length : 0;
	attr->st_ino = node ? launch_ino_number(node->instance, node->qid_path) : 2;
}

static void entry_over(struct launch_op *op)
{
	struct launch_raiser *r = op->raiser;

	op->raiser = NULL;
	r->busy = r->asking = false;
	r->ready = true;
	if (r->ended)
		raiser_free(r);
}

/* The file has gone or changed meanwhile: then it is nobody's node that it happens to. */
static void no_entry(struct launch_op *op)
{
	struct launch_raiser *r = op->raiser;

	launch_node_put(&op->f->nodes, r->entry);
	r->entry = NULL;
	launch_op_end(op);
}

static void entry_known(struct launch_op *op)
{
	struct launch_raiser *r = op->raiser;

	if (op->chan->server->instance != r->entry->instance ||
	    op->chan->qid.path != r->entry->qid_path) {
		no_entry(op);
		return;
	}
	r->attr = op->attr;
	launch_op_end(op);
}

static void entry_found(struct launch_op *op)
{
	op->failed = no_entry;
	launch_chan_take(op, op->name.chan);
	op->name.chan = NULL;
	launch_stat(op, entry_known);
}

static void entry_look(struct launch_op *op)
{
	op->failed = no_entry;
	launch_resolve(op, op->chan, op->text, TN_FOR_ACCESS, 0, 0, entry_found);
}

static void entry_start(struct launch_op *op)
{
	op->failed = no_entry;
	launch_node_chan(op, op->node, entry_look);
}

void launch_raise_known(struct launch_op *op)
{
	struct launch_raiser *r = op->raiser;

	entry_over(op);
	if (!r->ended)
		step(r);
}

/* What the kernel is told of a node that it has must be true. */
static void ask_entry(struct launch_raiser *r)
{
	struct launch_fuse *f = r->n->f;
	struct launch_op *op = launch_op_new(f, NULL, launch_ino_of(f, r->now->follow->node));

	if (op)
		op->text = strdup(r->now->name);
	if (!op || !op->text) {
		if (op)
			launch_op_end(op);
		launch_node_put(&f->nodes, r->entry);
		r->entry = NULL;
		r->ready = true;
		return;
	}
	op->raiser = r;
	r->busy = r->asking = true;
	launch_op_run(op, entry_start);
}

/* ---- an event ---- */

static void set_name(struct launch_raiser *r, int i, struct launch_node *dir, const char *name,
    bool is_there)
{
	r->names[i] = (struct launch_raised_name){ dir, name, is_there };
}

static void find_entry(struct launch_raiser *r)
{
	const struct launch_event *e = r->now;
	struct launch_node *known = e->name[0] ? launch_node_known(&r->n->f->nodes, e->follow->node,
						     str_of(e->name))
					       : NULL;
	bool keeps = e->what == TN_CHANGE_GONE || (e->what == TN_CHANGE_LEFT && e->newname);
	bool true_one = e->what == TN_CHANGE_WRITTEN || e->what == TN_CHANGE_STATUS;

	r->ready = true;
	if (!known || !(keeps || true_one) || known->is_dir != e->is_dir) {
		launch_raise_attr(NULL, e->is_dir, &r->attr);
		return;
	}
	r->entry = launch_node_get(known);
	launch_raise_attr(known, e->is_dir, &r->attr);
	if (!true_one)
		return;
	r->ready = false;
	ask_entry(r);
}

/* A mount on the way would go with the name. */
static bool is_refused(const struct launch_raiser *r)
{
	const struct launch_event *e = r->now;
	const struct launch_nodes *t = &r->n->f->nodes;
	const struct launch_node *a = launch_node_known(t, e->follow->node, str_of(e->name)),
				 *b = NULL;

	if (e->newname)
		b = launch_node_known(t, e->to->node, str_of(e->newname));
	return e->follow->ended || e->follow->cannot ||
	       (e->to && (e->to->ended || e->to->cannot)) || (a && launch_node_is_pinned(a)) ||
	       (b && launch_node_is_pinned(b));
}

static void fill_move(struct launch_raiser *r, struct launch_follow *from, const char *name,
    struct launch_follow *to, const char *newname)
{
	command(r, RAISE_MOVED, from ? from->slot : RAISE_SLOT_ASIDE);
	r->command.slot2 = (uint16_t)(to ? to->slot : RAISE_SLOT_ASIDE);
	strcpy(r->command.name, name);
	strcpy(r->command.name2, newname);
	set_name(r, 0, from ? from->node : r->aside, r->command.name, true);
	set_name(r, 1, to ? to->node : r->aside, r->command.name2, false);
}

static void raise_event(struct launch_raiser *r)
{
	static const uint8_t whats[TN_CHANGES] = {
		[TN_CHANGE_MADE] = RAISE_MADE,
		[TN_CHANGE_GONE] = RAISE_GONE,
		[TN_CHANGE_WRITTEN] = RAISE_WRITTEN,
		[TN_CHANGE_STATUS] = RAISE_STATUS,
	};
	struct launch_event *e = r->now;

	if (e->what == TN_CHANGE_LEFT) {
		fill_move(r, e->follow, e->name, e->to, e->newname ? e->newname : "left");
	} else if (e->what == TN_CHANGE_CAME) {
		fill_move(r, NULL, "came", e->follow, e->name);
	} else {
		command(r, (enum launch_raise)whats[e->what], e->follow->slot);
		strcpy(r->command.name, e->name);
		set_name(r, 0, e->follow->node, r->command.name, e->what != TN_CHANGE_MADE);
	}
	r->command.is_dir = e->is_dir;
	send_command(r);
}

/* false: there is nothing to do, or something was begun. */
static bool one_step(struct launch_raiser *r)
{
	struct launch_event *e;

	if (close_one(r))
		return false;
	if (!r->now && !(r->now = launch_notify_next(r->n)))
		return false;
	e = r->now;
	if (is_refused(r)) {
		r->n->stats.not_raised++;
		forget_event(r);
		return true;
	}
	if (e->follow->slot == SLOT_NONE || (e->to && e->to->slot == SLOT_NONE)) {
		struct launch_follow *w = e->follow->slot == SLOT_NONE ? e->follow : e->to;

		w->cannot = !open_directory(r, w);
		return w->cannot;
	}
	if ((e->what == TN_CHANGE_LEFT || e->what == TN_CHANGE_CAME) && !e->newname &&
	    open_aside(r))
		return false;
	if (!r->ready)
		find_entry(r);
	if (r->ready && !r->busy)
		raise_event(r);
	return false;
}

static void step(struct launch_raiser *r)
{
	while (!r->busy && !r->ended && one_step(r)) {
	}
}

/* ---- answers of the child ---- */

/* What is true of the nodes now, as behind an operation of a program's. */
static void settle(struct launch_raiser *r)
{
	struct launch_event *e = r->now;
	struct launch_nodes *nodes = &r->n->f->nodes;

	if (!r->entry)
		return;
	if (e->what == TN_CHANGE_GONE)
		launch_node_gone(nodes, e->follow->node, str_of(e->name));
	else if (e->what == TN_CHANGE_LEFT && e->newname)
		launch_node_moved(nodes, e->follow->node, str_of(e->name), e->to->node,
		    str_of(e->newname));
}

static void obeyed(struct launch_raiser *r, int error)
{
	int slot = r->command.slot;

	r->busy = false;
	r->has_obeyed = true;
	if (r->command.what == RAISE_OPEN && slot == RAISE_SLOT_ASIDE) {
		r->has_aside = error == 0;
		if (error)
			raiser_free(r);
	} else if (r->command.what == RAISE_OPEN) {
		if (error && r->slots[slot]) {
			r->slots[slot]->cannot = true;
			r->slots[slot]->slot = SLOT_NONE;
			r->slots[slot] = NULL;
		}
		if (error)
			r->closing[slot] = false;
	} else if (r->command.what == RAISE_CLOSE) {
		r->closing[slot] = false;
	} else {
		if (error == 0)
			settle(r);
		r->n->stats.raised += error == 0;
		r->n->stats.not_raised += error != 0;
		forget_event(r);
	}
}

static void heard(uv_poll_t *poll, int status, int events)
{
	struct launch_raiser *r = (struct launch_raiser *)poll;
	int error;
	ssize_t n = recv(r->sock, &error, sizeof(error), MSG_DONTWAIT);

	(void)status, (void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(error)) {
		raiser_free(r);
		return;
	}
	obeyed(r, error);
	step(r);
}

/* ---- the beginning ---- */

static pid_t fork_child(const struct launch_notify *n, int sock, int mntns)
{
	pid_t pid = fork();

	if (pid == 0)
		launch_raise_child(sock, mntns, &n->bare);
	return pid;
}

static bool start_child(struct launch_raiser *r)
{
	const struct launch_bare *bare = &r->n->bare;
	int mntns = -1, ends[2];
	pid_t by;

	if (!bare->dir)
		mntns = tn_live_open(&bare->in, &by);
	if (mntns < 0 && !bare->dir)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
		r->pid = fork_child(r->n, ends[1], mntns);
		close(ends[1]);
		r->sock = ends[0];
		if (r->pid < 0)
			close(ends[0]);
	} else {
		r->pid = -1;
	}
	if (mntns >= 0)
		close(mntns);
	return r->pid > 0;
}

static struct launch_raiser *raiser_new(struct launch_notify *n)
{
	struct launch_raiser *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->n = n;
	if (!start_child(r)) {
		free(r);
		return NULL;
	}
	if (uv_poll_init(tn_host_loop_uv(n->f->hl), &r->poll, r->sock) != 0) {
		close(r->sock);
		let_die(n, r->pid);
		free(r);
		return NULL;
	}
	uv_poll_start(&r->poll, UV_READABLE, heard);
	return r;
}

void launch_raise(struct launch_notify *n)
{
	if (!n->raiser && tn_now_ns() >= n->again_ns) {
		n->raiser = raiser_new(n);
		n->again_ns = n->raiser ? 0 : tn_now_ns() + AGAIN_NS;
	}
	if (n->raiser)
		step(n->raiser);
	else
		launch_notify_drop(n);
}
