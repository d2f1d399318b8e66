/*
 * TN_WATCH of a directory of a view. Of a union all members are asked, and one that is not served does not keep the
 * others from telling. The members are those of the moment at which it begins.
 */
#include "core/mem.h"
#include "core/view_in.h"

struct branch {
	struct tn_req r; /* first */
	struct tn_view_fan *fan;
	struct tn_chan *chan; /* counted */
	bool over;
};

struct tn_view_fan {
	struct op *o;
	uint32_t n, n_open;
	bool has_begun, starting;
	enum tn_err err; /* of the last that ended */
	struct branch branches[];
};

static void end_branch(struct branch *b)
{
	if (b->r.err)
		b->fan->err = (enum tn_err)b->r.err;
	b->over = true;
	b->fan->n_open--;
	tn_req_reset(&b->r);
}

static void fan_free(struct tn_view_fan *fan)
{
	for (uint32_t i = 0; i < fan->n; i++)
		tn_chan_put(fan->branches[i].chan);
	fan->o->fan = NULL;
	tn_free(fan);
}

static void branch_done(struct tn_req *r)
{
	struct branch *b = (struct branch *)r;
	struct tn_view_fan *fan = b->fan;
	struct op *o = fan->o;

	end_branch(b);
	if (fan->n_open > 0 || fan->starting)
		return;
	tn_view_refuse(o, fan->err);
	fan_free(fan);
	o->answered = true;
	tn_view_resume(o);
}

static void branch_change(struct tn_req *r, const struct tn_change *change)
{
	struct tn_view_fan *fan = ((struct branch *)r)->fan;
	struct tn_req *outer = fan->o->outer;

	if (change->what == TN_CHANGE_BEGUN && fan->has_begun)
		return;
	fan->has_begun |= change->what == TN_CHANGE_BEGUN;
	if (outer->owner->change)
		outer->owner->change(outer, change);
}

static const struct tn_owner branch_owner = { .done = branch_done, .change = branch_change };

static void start(struct tn_view_fan *fan, struct branch *b, struct tn_chan *to)
{
	b->fan = fan;
	b->chan = tn_chan_get(to);
	tn_req_init(&b->r, TN_WATCH, b->chan, &branch_owner);
	if (tn_view_asker(fan->o))
		b->r.user = tn_view_asker(fan->o);
	fan->n_open++;
	if (tn_submit(&b->r) == TN_DONE)
		end_branch(b);
}

static enum tn_status watch_all(struct op *o, const struct tn_members *list)
{
	struct tn_view_fan *fan = tn_alloc(sizeof(*fan) + list->n * sizeof(fan->branches[0]));
	enum tn_err err;

	if (!fan)
		return tn_view_refuse(o, TN_ENOMEM);
	fan->o = o;
	o->fan = fan;
	if (!tn_keep(o->outer)) {
		fan_free(fan);
		return TN_DONE;
	}
	o->kept = true;
	fan->starting = true;
	for (; fan->n < list->n; fan->n++)
		start(fan, &fan->branches[fan->n], list->m[fan->n].to);
	fan->starting = false;
	if (fan->n_open > 0)
		return TN_LATER;
	err = fan->err;
	fan_free(fan);
	return tn_view_refuse(o, err ? err : TN_ENOTSUP);
}

enum tn_status tn_view_watch(struct op *o)
{
	struct tn_members *list = tn_ns_find(o->v->proc->ns, o->fid->at, NULL);
	enum tn_status status;

	if (!list)
		return tn_view_do_shown(o);
	status = watch_all(o, list);
	tn_members_put(list);
	return status;
}

/* Each branch answers, now or soon; the last one ends it all. */
void tn_view_watch_flush(struct op *o)
{
	struct tn_view_fan *fan = o->fan;

	fan->starting = true;
	for (uint32_t i = 0; i < fan->n; i++) {
		if (!fan->branches[i].over)
			tn_flush(&fan->branches[i].r);
	}
	fan->starting = false;
	if (fan->n_open > 0)
		return;
	tn_view_refuse(o, TN_EINTR);
	fan_free(fan);
	o->answered = true;
	tn_view_resume(o);
}
