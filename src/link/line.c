/*
 * The lines of fids: who may go on, who waits behind whom. A call enters the lines of all fids that it names at once, in
 * the order in which messages came, so nobody waits in a circle.
 */
#include "link/conn_in.h"

/* What must not be outstanding on a fid. A use of an open fid that can only fail need not wait for its reads. */
static bool may_go(const struct tn_ticket *t)
{
	const struct tn_fid *fid = t->fid;

	if (!fid)
		return true;
	if (fid->holder)
		return false;
	switch ((enum tn_use)t->use) {
	case TN_USE_ALONE: return fid->shared == 0 || fid->is_open;
	case TN_USE_LAST: return fid->shared == 0;
	default: return true;
	}
}

static bool is_head(const struct tn_ticket *t)
{
	return !t->fid || !t->fid->first || t->fid->first == t;
}

bool tn_line_is_its_turn(const struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++)
		if (!is_head(&call->tickets[i]) || !may_go(&call->tickets[i]))
			return false;
	return true;
}

bool tn_line_must_wait(const struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		const struct tn_ticket *t = &call->tickets[i];

		if (!t->fid)
			return false; /* nobody knows it: there is nothing to wait for */
		if (t->fid->first || !may_go(t))
			return true;
	}
	return false;
}

static void stir(struct tn_conn *conn, struct tn_fid *fid)
{
	if (fid->is_stirred)
		return;
	fid->is_stirred = true;
	fid->stirred_next = conn->stirred;
	conn->stirred = fid;
}

/* A fid without Chan is only as good as those who wait to make it. */
void tn_line_settle(struct tn_conn *conn, struct tn_fid *fid)
{
	if (fid->first)
		stir(conn, fid);
	else if (tn_fid_is_free(fid) && !fid->holder && !fid->shared && !fid->is_stirred)
		tn_fid_drop(&conn->fids, fid);
}

static enum tn_err enter_fid(struct tn_call *call, uint8_t use, uint32_t number)
{
	struct tn_ticket *t = &call->tickets[call->n_tickets++];
	enum tn_err err = TN_OK;

	t->call = call;
	t->use = use;
	t->fid = tn_fid_find(&call->conn->fids, number);
	if (!t->fid && use == TN_USE_MAKE && number != TN_NOFID)
		t->fid = tn_fid_make(&call->conn->fids, number, &err);
	return err;
}

/* One fid has one place in its line, also when the message names it twice. */
static enum tn_err enter_newfid(struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_spelling *how = call->how;

	if (how->lead && m->newfid == TN_NOFID)
		return TN_OK;
	if (m->newfid != m->fid)
		return enter_fid(call, how->newfid, m->newfid);
	if (how->newfid == TN_USE_MAKE)
		call->tickets[0].use = TN_USE_ALONE; /* a walk onto itself */
	return TN_OK;
}

/* What is only made by this message has proven nothing; and a fid has one place in its line. */
static enum tn_err enter_afid(struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_spelling *how = call->how;

	if (how->afid != TN_USE_MAKE && m->afid == TN_NOFID)
		return TN_OK;
	if (how->fid && m->afid == m->fid)
		return tn_fid_is_free(call->tickets[0].fid) ? TN_EBADFID : TN_EFIDINUSE;
	return enter_fid(call, how->afid, m->afid);
}

/* The fids that the message names. Placeholders are made for those that it is to make. */
enum tn_err tn_line_enter(struct tn_call *call, const struct tn_msg *m)
{
	const struct tn_spelling *how = call->how;
	enum tn_err err = TN_OK;

	if (how->fid)
		err = enter_fid(call, how->fid, m->fid);
	if (!err && how->newfid)
		err = enter_newfid(call, m);
	if (!err && how->afid)
		err = enter_afid(call, m);
	return err;
}

enum tn_err tn_line_check(const struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		const struct tn_ticket *t = &call->tickets[i];

		if (!t->fid || (t->use != TN_USE_MAKE && tn_fid_is_free(t->fid)))
			return TN_EBADFID;
		if (t->use == TN_USE_MAKE && !tn_fid_is_free(t->fid))
			return TN_EFIDINUSE;
		if (t->fid->attr && !call->how->takes_attr)
			return TN_EBADUSE;
	}
	return TN_OK;
}

enum { HOLDS_NOTHING, HOLDS_SHARE, HOLDS_ALL };

/* The server keeps the request: others on its fids may or must not go on meanwhile. */
void tn_line_hold(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];
		bool is_share = t->use == TN_USE_SHARE ||
				(t->use == TN_USE_READ && !tn_chan_is_dir(t->fid->chan));

		t->holds = is_share ? HOLDS_SHARE : HOLDS_ALL;
		if (is_share)
			t->fid->shared++;
		else
			t->fid->holder = call;
	}
}

void tn_line_leave(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];

		if (!t->fid)
			continue;
		if (t->holds == HOLDS_SHARE)
			t->fid->shared--;
		else if (t->holds == HOLDS_ALL)
			t->fid->holder = NULL;
		t->holds = HOLDS_NOTHING;
		tn_line_settle(call->conn, t->fid);
	}
	call->n_tickets = 0;
}

void tn_line_join(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++) {
		struct tn_ticket *t = &call->tickets[i];

		if (!t->fid)
			continue;
		t->next = NULL;
		if (t->fid->last)
			t->fid->last->next = t;
		else
			t->fid->first = t;
		t->fid->last = t;
		stir(call->conn, t->fid);
	}
}

static void quit_line(struct tn_ticket *t)
{
	struct tn_ticket **at = &t->fid->first, *before = NULL;

	while (*at != t) {
		before = *at;
		at = &before->next;
	}
	*at = t->next;
	if (t->fid->last == t)
		t->fid->last = before;
}

void tn_line_quit(struct tn_call *call)
{
	for (int i = 0; i < call->n_tickets; i++)
		if (call->tickets[i].fid)
			quit_line(&call->tickets[i]);
}
