/*
 * Passing requests on. What the first request points at is borrowed by the second, so it moves when the second is kept.
 */
#include "core/pass.h"

static struct tn_pass *pass_of(struct tn_req *r)
{
	return (struct tn_pass *)r; /* req is first */
}

static void answer(struct tn_pass *p)
{
	p->outer->u = p->req.u;
	tn_req_take_error(p->outer, &p->req);
	tn_req_reset(&p->req);
}

static void pass_done(struct tn_req *r)
{
	struct tn_pass *p = pass_of(r);

	answer(p);
	p->done(p);
}

static bool pass_keep(struct tn_req *r)
{
	struct tn_pass *p = pass_of(r);

	if (!p->kept && !tn_keep(p->outer))
		return false;
	p->kept = true;
	r->u = p->outer->u;
	return true;
}

static bool pass_entry(struct tn_req *r, const struct tn_stat *st, uint64_t next)
{
	struct tn_pass *p = pass_of(r);

	return p->entry ? p->entry(p, st, next) : p->outer->owner->entry(p->outer, st, next);
}

static void pass_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct tn_pass *p = pass_of(r);

	if (p->stat)
		p->stat(p, st);
	else
		p->outer->owner->stat(p->outer, st);
}

static void pass_change(struct tn_req *r, const struct tn_change *change)
{
	struct tn_req *outer = pass_of(r)->outer;

	if (outer->owner->change)
		outer->owner->change(outer, change);
}

static const struct tn_owner pass_owner = {
	.done = pass_done,
	.keep = pass_keep,
	.entry = pass_entry,
	.stat = pass_stat,
	.change = pass_change,
};

enum tn_status tn_pass_on(struct tn_pass *p, struct tn_req *outer, struct tn_chan *to,
    struct tn_chan *to2)
{
	struct tn_req *r = &p->req;

	tn_req_init(r, (enum tn_req_type)outer->type, to, &pass_owner);
	p->outer = outer;
	r->flags = outer->flags;
	r->chan2 = to2;
	if (p->user || outer->user)
		r->user = p->user ? p->user : outer->user;
	r->deadline_ns = outer->deadline_ns;
	r->pid = outer->pid;
	r->u = outer->u;
	if (tn_submit(r) == TN_LATER)
		return TN_LATER;
	answer(p);
	return TN_DONE;
}

void tn_pass_flush(struct tn_pass *p)
{
	tn_flush(&p->req);
}
