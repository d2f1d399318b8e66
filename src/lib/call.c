/*
 * Blocking calls: submit, turn the loop until it is answered, keep the error for tn_call_err. Names and name spaces;
 * callfile.c has the files.
 */
#include "lib/call.h"

#include "core/server.h"
#include "lib/call_in.h"

#include <string.h>

static void turn_bare(struct tn_loop *loop)
{
	tn_assert(tn_loop_next_ns(loop) != UINT64_MAX);
	tn_loop_run(loop);
}

void (*tn_call_turn)(struct tn_loop *loop) = turn_bare;

static void wait_turning(struct tn_loop *loop, bool (*over)(const void *what), const void *what)
{
	while (!over(what))
		tn_call_turn(loop);
}

void (*tn_call_wait)(struct tn_loop *loop, bool (*over)(const void *what),
    const void *what) = wait_turning;
uint64_t tn_call_bound_ns;

/* ---- errors ---- */

static struct {
	enum tn_err err;
	char *words;
} last;

enum tn_err tn_call_err(void)
{
	return last.err;
}

const char *tn_call_text(void)
{
	return last.words ? last.words : tn_err_text(last.err);
}

/* words are taken; NULL: none. */
static int set_error(enum tn_err err, char *words)
{
	tn_free(last.words);
	last.err = err;
	last.words = words;
	return err == TN_OK ? 0 : -1;
}

static int fail(enum tn_err err)
{
	return set_error(err, NULL);
}

int tn_call_set(enum tn_err err, const char *words)
{
	size_t size = words ? strlen(words) + 1 : 0;
	char *copy = size ? tn_alloc(size) : NULL;

	if (copy)
		memcpy(copy, words, size);
	return set_error(err, copy);
}

/* ---- waiting ---- */

uint64_t tn_call_deadline(void)
{
	return tn_call_bound_ns ? tn_now_ns() + tn_call_bound_ns : 0;
}

void tn_call_sweep(struct tn_loop *loop)
{
	if (tn_loop_next_ns(loop) == 0)
		tn_loop_run(loop);
}

static bool is_answered(const void *r)
{
	return !tn_req_pending(r);
}

static bool is_true(const void *done)
{
	return *(const bool *)done;
}

void tn_call_wait_req(struct tn_loop *loop, struct tn_req *r)
{
	tn_call_wait(loop, is_answered, r);
}

static void answered(struct tn_req *r)
{
	(void)r; /* tn_call_wait_req sees it */
}

const struct tn_owner tn_call_owner = { .done = answered };

int tn_call_take_error(struct tn_req *r)
{
	char *words = r->words;

	r->words = NULL;
	return set_error((enum tn_err)r->err, words);
}

int tn_call_req(struct tn_req *r)
{
	struct tn_loop *loop = r->server->home;

	if (tn_submit(r) == TN_LATER)
		tn_call_wait_req(loop, r);
	tn_call_sweep(loop);
	return tn_call_take_error(r);
}

static void name_done(struct tn_name *n)
{
	*(bool *)n->arg = true;
}

int tn_call_name(struct tn_name *n)
{
	struct tn_loop *loop = n->proc->node->loop;
	bool done = false;

	n->done = name_done;
	n->arg = &done;
	n->deadline_ns = tn_call_deadline();
	n->pid = n->proc->pid;
	n->follow = !(n->flags & TN_OF_NOFOLLOW);
	if (tn_name_start(n) == TN_LATER)
		tn_call_wait(loop, is_true, &done);
	tn_call_sweep(loop);
	if (n->err == TN_OK)
		return fail(TN_OK);
	set_error(n->err, n->words);
	n->words = NULL;
	tn_name_fini(n);
	return -1;
}

int tn_call_resolve(struct tn_name *n, struct tn_proc *p, const char *name, enum tn_name_for want)
{
	memset(n, 0, sizeof(*n));
	n->proc = p;
	n->name = tn_call_str(name);
	n->want = want;
	return tn_call_name(n);
}

struct tn_chan *tn_call_walk(struct tn_proc *p, const char *name, enum tn_name_for want)
{
	struct tn_name n;
	struct tn_chan *c;

	if (tn_call_resolve(&n, p, name, want) < 0)
		return NULL;
	c = n.chan;
	n.chan = NULL;
	tn_name_fini(&n);
	return c;
}

/* ---- the name space ---- */

static void mount_done(struct tn_mount *m)
{
	*(bool *)m->arg = true;
}

static int change(struct tn_mount *m)
{
	struct tn_loop *loop = m->proc->node->loop;
	bool done = false;

	m->done = mount_done;
	m->arg = &done;
	m->deadline_ns = tn_call_deadline();
	m->pid = m->proc->pid;
	if (tn_mount_start(m) == TN_LATER)
		tn_call_wait(loop, is_true, &done);
	tn_call_sweep(loop);
	set_error(m->err, m->words);
	m->words = NULL;
	tn_mount_fini(m);
	return m->err == TN_OK ? 0 : -1;
}

int tn_call_bind(struct tn_proc *p, const char *name, const char *old, uint32_t flags)
{
	struct tn_mount m = { .what = TN_DO_BIND, .proc = p, .flags = flags };

	m.source = tn_call_str(name);
	m.place = tn_call_str(old);
	return change(&m);
}

int tn_call_mount(struct tn_proc *p, struct tn_server *server, const char *old, uint32_t flags,
    const char *aname)
{
	struct tn_mount m = { .what = TN_DO_MOUNT, .proc = p, .flags = flags, .server = server };

	m.place = tn_call_str(old);
	m.aname = aname;
	return change(&m);
}

int tn_call_unmount(struct tn_proc *p, const char *name, const char *old)
{
	struct tn_mount m = { .what = TN_DO_UNMOUNT, .proc = p };

	if (name && !*name)
		return fail(TN_EEMPTYNAME);
	if (name)
		m.source = tn_call_str(name);
	m.place = tn_call_str(old);
	return change(&m);
}

int tn_call_unmount_where(struct tn_proc *p, const char *old,
    bool (*lives)(const struct tn_chan *to, void *arg), void *arg)
{
	struct tn_mount m = { .what = TN_DO_UNMOUNT, .proc = p, .lives = lives, .lives_arg = arg };

	m.place = tn_call_str(old);
	return change(&m);
}

int tn_call_chdir(struct tn_proc *p, const char *name)
{
	struct tn_mount m = { .what = TN_DO_CHDIR, .proc = p };

	m.place = tn_call_str(name);
	return change(&m);
}

int tn_call_rfork(struct tn_proc *p, uint32_t how)
{
	struct tn_ns *ns = tn_ns_get(p->ns);

	if (how & (TN_RF_NAMEG | TN_RF_CNAMEG)) {
		tn_ns_put(ns);
		ns = how & TN_RF_CNAMEG ? tn_ns_clean(p->ns) : tn_ns_copy(p->ns);
	}
	if (!ns)
		return fail(TN_ENOMEM);
	if (how & TN_RF_NOMNT)
		tn_ns_forbid(ns);
	tn_proc_set_ns(p, ns);
	return fail(TN_OK);
}
