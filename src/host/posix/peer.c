/*
 * Peers as users of this host. Linux's client attaches by name when it is mounted, and by number for each user that comes
 * later; a server whose users are names has to see one person in both.
 *
 * A server that is an attach and no more stands before the one that is meant: it waits for the name service (LDAP, say),
 * so that others need not.
 */
#include "host/posix/peer.h"

#include "core/chan.h"
#include "core/server.h"
#include "host/posix/work.h"

#include <pwd.h>
#include <string.h>

#define NAME_SIZE 256   /* no user of a host has a longer one */
#define TEXT_SIZE 16384 /* of a line of passwd(5) */

struct tn_user *tn_peer_user(struct tn_str name, uint32_t uid)
{
	bool by_name = uid == TN_NONUNAME && name.len > 0 && name.len < NAME_SIZE;
	struct passwd entry, *found = NULL;
	char text[TEXT_SIZE], said[NAME_SIZE];

	if (by_name && !memchr(name.s, 0, name.len)) {
		memcpy(said, name.s, name.len);
		said[name.len] = 0;
		getpwnam_r(said, &entry, text, sizeof(text), &found);
	} else if (uid != TN_NONUNAME && name.len == 0) {
		getpwuid_r(uid, &entry, text, sizeof(text), &found);
	}
	if (!found)
		return tn_user_new(name, uid, TN_NONUNAME);
	name = (struct tn_str){ found->pw_name, (uint32_t)strlen(found->pw_name) };
	return tn_user_new(name, found->pw_uid, found->pw_gid);
}

/* ---- asked on a worker ---- */

struct peers {
	struct tn_server server; /* first: a server is its peers */
	struct tn_work *work;
	struct tn_user *(*user_of)(struct tn_str name, uint32_t uid);
};

/* A question. On the worker it is all that there is: whoever asked may be gone. */
struct question {
	struct tn_job job; /* first: a job is its question */
	struct tn_req *r;  /* the loop's; NULL: it was flushed */
	struct tn_user *(*user_of)(struct tn_str name, uint32_t uid);
	struct tn_user *user; /* the answer, counted */
	uint32_t uid, len;
	char name[NAME_SIZE];
};

static void drop(struct tn_job *job)
{
	struct question *q = (struct question *)job;

	tn_user_put(q->user);
	tn_free(q);
}

static void ask(struct tn_job *job)
{
	struct question *q = (struct question *)job;

	q->user = q->user_of((struct tn_str){ q->name, q->len }, q->uid);
}

/* The request is for the server that was meant, from now on. */
static void hand_on(struct tn_req *r)
{
	r->keeper = NULL;
	r->server = r->u.attach.newchan->server;
}

static void answered(struct tn_job *job)
{
	struct question *q = (struct question *)job;
	struct tn_req *r = q->r;

	if (!r) {
		drop(job);
	} else if (!q->user) {
		drop(job);
		r->keeper = NULL;
		tn_fail(r, TN_ENOMEM);
		tn_respond(r);
	} else {
		struct tn_chan *c = r->u.attach.newchan;

		tn_user_put(c->user);
		c->user = r->user = q->user; /* the Chan holds it */
		q->user = NULL;
		drop(job);
		hand_on(r);
		if (tn_submit(r) == TN_DONE)
			r->owner->done(r);
	}
}

/* He says who he is by name or by number, and not by both; no host has a longer name. */
static bool is_half(struct tn_str name, uint32_t uid)
{
	return (name.len == 0) != (uid == TN_NONUNAME) && name.len < NAME_SIZE;
}

static enum tn_status peers_attach(struct tn_req *r)
{
	struct peers *p = (struct peers *)r->server;
	struct tn_str name = r->u.attach.uname;
	struct question *q;

	if (!is_half(name, r->u.attach.n_uname)) {
		hand_on(r);
		return tn_server_call(r);
	}
	if (!p->work)
		p->work = tn_work_new(p->server.home, NULL);
	q = p->work ? tn_alloc(sizeof(*q)) : NULL;
	if (!q)
		return tn_fail(r, TN_ENOMEM);
	*q = (struct question){ .r = r,
		.user_of = p->user_of,
		.uid = r->u.attach.n_uname,
		.len = name.len };
	memcpy(q->name, name.s, name.len);
	q->job.run = ask;
	q->job.done = answered;
	q->job.drop = drop;
	if (!tn_keep(r) || !tn_work_start(p->work, NULL, &q->job)) {
		drop(&q->job);
		return tn_fail(r, TN_ENOMEM);
	}
	r->keeper = q;
	return TN_LATER;
}

static enum tn_status peers_flush(struct tn_req *r)
{
	struct peers *p = (struct peers *)r->server;
	struct question *q = r->keeper;

	r->keeper = NULL;
	q->r = NULL;
	if (tn_work_cancel(p->work, &q->job))
		drop(&q->job);
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

static void peers_free(struct tn_server *s)
{
	struct peers *p = (struct peers *)s;

	tn_work_free(p->work); /* no question waits: who asked would be there */
	tn_free(p);
}

static const struct tn_ops peers_ops = {
	.name = "peers",
	.op = { [TN_ATTACH] = peers_attach, [TN_FLUSH] = peers_flush },
	.free = peers_free,
};

struct tn_server *tn_peers_new(struct tn_loop *home,
    struct tn_user *(*user_of)(struct tn_str name, uint32_t uid))
{
	struct peers *p = tn_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->user_of = user_of;
	tn_server_init(&p->server, &peers_ops, home, p);
	return &p->server;
}
