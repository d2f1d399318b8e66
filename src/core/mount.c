/*
 * Changes of a name space by name: a row of steps for each of the four, each of which looks at the last answer and sends
 * the next request.
 */
#include "core/mount.h"

#include "core/mem.h"
#include "core/server.h"
#include "core/union.h"

enum next { GO, WAIT, END };

static enum next fail(struct tn_mount *m, enum tn_err err)
{
	m->err = err;
	return END;
}

static enum next resolved(struct tn_mount *m)
{
	m->step++;
	if (m->name.err == TN_OK)
		return GO;
	m->words = m->name.words;
	m->name.words = NULL;
	return fail(m, m->name.err);
}

static void name_done(struct tn_name *n);

/* Resolves a name; the next step finds the answer in m->name. */
static enum next resolve(struct tn_mount *m, struct tn_str name, enum tn_name_for want)
{
	struct tn_name *n = &m->name;

	if (m->flushed)
		return fail(m, TN_EINTR);
	tn_name_fini(n);
	memset(n, 0, sizeof(*n));
	n->proc = m->proc;
	n->name = name;
	n->want = want;
	n->plain_listing = true;
	n->follow = true;
	n->deadline_ns = m->deadline_ns;
	n->pid = m->pid;
	n->done = name_done;
	n->arg = m;
	return tn_name_start(n) == TN_DONE ? resolved(m) : WAIT;
}

static struct tn_chan *take_chan(struct tn_name *n)
{
	struct tn_chan *c = n->chan;

	n->chan = NULL;
	return c;
}

/* ---- steps ---- */

static enum next check_flags(struct tn_mount *m)
{
	m->step++;
	return tn_mount_flags_ok(m->flags) ? GO : fail(m, TN_EBADARG);
}

static enum next find_source(struct tn_mount *m)
{
	m->err_source = true;
	return resolve(m, m->source, TN_FOR_ACCESS);
}

/* What is found there, not the name by which: at a mount point the first member itself, with its own path. */
static enum next take_source(struct tn_mount *m)
{
	m->to = take_chan(&m->name);
	m->list = m->name.members;
	m->name.members = NULL;
	m->err_source = false;
	m->step++;
	return GO;
}

static enum next find_place(struct tn_mount *m)
{
	return resolve(m, m->place, TN_FOR_TARGET);
}

static enum next take_place(struct tn_mount *m)
{
	m->target = take_chan(&m->name);
	m->step++;
	return GO;
}

static enum next put_in(struct tn_mount *m)
{
	return fail(m, tn_ns_mount(m->proc->ns, m->to, m->list, m->target, m->flags,
			   m->what == TN_DO_MOUNT ? m->aname : NULL));
}

static const struct tn_owner mount_owner;

static enum next attach(struct tn_mount *m)
{
	struct tn_user *user = m->proc->user;
	struct tn_req *r = &m->req;

	m->step++;
	if (tn_ns_forbids(m->proc->ns))
		return fail(m, TN_ENOATTACH);
	m->err_source = true;
	m->to = tn_chan_new(m->server, user);
	if (m->to)
		m->to->path = tn_path_root(
		    (struct tn_str){ m->server->label, (uint32_t)tn_strlen(m->server->label) });
	if (!m->to || !m->to->path)
		return fail(m, TN_ENOMEM);
	tn_req_init(r, TN_ATTACH, NULL, &mount_owner);
	r->server = m->server;
	r->user = user;
	r->deadline_ns = m->deadline_ns;
	r->pid = m->pid;
	r->u.attach.newchan = m->to;
	r->u.attach.aname = (struct tn_str){ m->aname, (uint32_t)tn_strlen(m->aname) };
	r->u.attach.n_uname = user ? user->uid : TN_NONUNAME;
	if (user)
		r->u.attach.uname = (struct tn_str){ user->name, user->len };
	return tn_submit(r) == TN_DONE ? GO : WAIT;
}

static enum next attached(struct tn_mount *m)
{
	m->step++;
	m->words = m->req.words;
	m->req.words = NULL;
	if (m->req.err != TN_OK)
		return fail(m, (enum tn_err)m->req.err);
	m->err_source = false;
	m->to->flags |= TN_CF_MOUNTED;
	return GO;
}

/* The member has to be there and to be readable, whether it is named at a mount point or not. */
static enum next open_member(struct tn_mount *m)
{
	if (m->source.len == 0 || m->lives) {
		m->step++;
		m->name.err = TN_OK;
		return GO;
	}
	m->err_source = true;
	return resolve(m, m->source, TN_FOR_OPEN);
}

static enum next take_out(struct tn_mount *m)
{
	struct tn_ns *ns = m->proc->ns;

	m->err_source = false;
	if (m->lives)
		return fail(m, tn_ns_unmount_where(ns, m->target, m->lives, m->lives_arg));
	return fail(m,
	    tn_ns_unmount(ns, m->target, m->name.chan ? tn_chan_behind(m->name.chan) : NULL));
}

static enum next change_dot(struct tn_mount *m)
{
	if (!tn_chan_is_dir(m->target))
		return fail(m, TN_ENOTDIR);
	tn_proc_set_dot(m->proc, m->target);
	m->target = NULL;
	return END;
}

#define STEPS_MAX 6

static enum next (*const steps[][STEPS_MAX])(struct tn_mount *) = {
	[TN_DO_BIND] = { check_flags, find_source, take_source, find_place, take_place, put_in },
	[TN_DO_MOUNT] = { check_flags, attach, attached, find_place, take_place, put_in },
	[TN_DO_UNMOUNT] = { find_place, take_place, open_member, take_out },
	[TN_DO_CHDIR] = { find_place, take_place, change_dot },
};

static bool finish(struct tn_mount *m)
{
	tn_name_fini(&m->name);
	tn_req_reset(&m->req);
	tn_chan_put(m->to);
	tn_chan_put(m->target);
	tn_members_put(m->list);
	return true;
}

/* Whether it has ended. */
static bool run(struct tn_mount *m, enum next what)
{
	while (what == GO)
		what = steps[m->what][m->step](m);
	return what == END && finish(m);
}

static void name_done(struct tn_name *n)
{
	struct tn_mount *m = n->arg;

	if (run(m, resolved(m)))
		m->done(m);
}

static void attach_done(struct tn_req *r)
{
	struct tn_mount *m = (struct tn_mount *)((char *)r - offsetof(struct tn_mount, req));

	if (run(m, GO))
		m->done(m);
}

static const struct tn_owner mount_owner = { .done = attach_done };

enum tn_status tn_mount_start(struct tn_mount *m)
{
	return run(m, GO) ? TN_DONE : TN_LATER;
}

void tn_mount_flush(struct tn_mount *m)
{
	m->flushed = true;
	tn_name_flush(&m->name);
	tn_flush(&m->req);
}

void tn_mount_fini(struct tn_mount *m)
{
	tn_free(m->words);
	m->words = NULL;
}
