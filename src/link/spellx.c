/*
 * 9P2000.L: extended attributes, and what messages of files mean on the fids that stand for one. The server is asked for
 * whole values and given whole ones; between that a value is in the fid (attr.h).
 */
#include "link/spell.h"

/* ---- Txattrwalk: newfid reads the value of the attribute, or with an empty name the list of names ---- */

enum walk_stage { ASK_SIZE, ASK_VALUE, ASK_ALL };

static void xattrwalk_point(struct tn_call *call, struct tn_msg *m)
{
	call->r.u.xattr.name = m->name;
}

static enum tn_status xattrwalk_ask(struct tn_call *call, struct tn_msg *m)
{
	if (tn_call_fid2(call) == tn_call_fid(call))
		return tn_call_refuse(call, TN_EFIDINUSE);
	if (m->name.len > TN_XATTR_NAME_MAX)
		return tn_call_refuse(call, TN_ERANGE);
	tn_call_request(call, TN_XATTRGET, tn_call_fid(call)->chan);
	xattrwalk_point(call, m);
	return tn_submit(&call->r);
}

/* Makes call->r ask for the value into as many bytes. */
static bool ask_value(struct tn_call *call, struct tn_msg *m, uint32_t size)
{
	tn_call_attr_free(call);
	if (!tn_call_attr_new(call, size, TN_STR("")))
		return false;
	tn_call_request(call, TN_XATTRGET, tn_call_fid(call)->chan);
	call->r.u.xattr.data = call->attr->data;
	call->r.u.xattr.size = size;
	xattrwalk_point(call, m);
	return true;
}

/* A value may grow between the two; once more there is room for any. */
static bool xattrwalk_then(struct tn_call *call, struct tn_msg *m)
{
	uint32_t len = call->r.u.xattr.len;
	bool has_grown = call->stage == ASK_VALUE && call->r.err == TN_ERANGE;

	if ((call->r.err && !has_grown) || tn_spell_is_over(call))
		return false;
	if (!has_grown && len > TN_XATTR_MAX) {
		tn_fail(&call->r, TN_EOVERFLOW);
		return false;
	}
	if (call->stage == ASK_SIZE && len == 0) {
		tn_call_attr_new(call, 0, TN_STR(""));
		return false;
	}
	if (call->stage++ == ASK_SIZE)
		return ask_value(call, m, len);
	if (has_grown)
		return ask_value(call, m, TN_XATTR_MAX);
	if (len > call->attr->room)
		tn_fail(&call->r, TN_EIO); /* a server that says what cannot be */
	else
		call->attr->size = len;
	return false;
}

static void xattrwalk_answer(struct tn_call *call, struct tn_msg *m)
{
	m->type = TN_RXATTRWALK;
	m->length = call->attr->size;
	tn_call_fid2(call)->attr = call->attr;
	call->attr = NULL;
}

/* ---- Txattrcreate: the fid collects a value, which is set when it is clunked ---- */

/* 9P2000.L has no flag for it: how_of. */
static bool has_remove(const struct tn_call *call)
{
	return tn_call_dialect(call) == TN_9P2000_TENON;
}

/* Removing says nothing else. */
static bool is_how(const struct tn_call *call, const struct tn_msg *m)
{
	if (has_remove(call) && m->flags & TN_XATTR_REMOVE)
		return m->flags == TN_XATTR_REMOVE && m->length == 0;
	return !(m->flags & ~(uint32_t)(TN_XATTR_CREATE | TN_XATTR_REPLACE));
}

static enum tn_err check_create(const struct tn_call *call, const struct tn_msg *m)
{
	if (tn_call_fid(call)->is_open)
		return TN_EISOPEN;
	if (m->name.len == 0 || !is_how(call, m))
		return TN_EINVAL;
	if (m->name.len > TN_XATTR_NAME_MAX)
		return TN_ERANGE;
	return m->length > TN_XATTR_MAX ? TN_EOVERFLOW : TN_OK;
}

/* In 9P2000.L to replace what is there by no byte at all removes it: removexattr(2), as Linux's client says it. */
static uint8_t how_of(const struct tn_call *call, const struct tn_msg *m)
{
	bool removes = !has_remove(call) && m->length == 0 && (m->flags & TN_XATTR_REPLACE);

	return removes ? TN_XATTR_REMOVE : (uint8_t)m->flags;
}

static enum tn_status xattrcreate_ask(struct tn_call *call, struct tn_msg *m)
{
	enum tn_err err = check_create(call, m);

	if (err)
		return tn_call_refuse(call, err);
	if (!tn_call_attr_new(call, (uint32_t)m->length, m->name))
		return tn_call_refuse(call, (enum tn_err)call->r.err);
	call->attr->is_set = true;
	call->attr->how = how_of(call, m);
	return tn_call_refuse(call, TN_OK);
}

static void xattrcreate_answer(struct tn_call *call, struct tn_msg *m)
{
	tn_spell_only(call, m);
	tn_call_fid(call)->attr = call->attr;
	call->attr = NULL;
}

/* ---- the end of such a fid ---- */

static void set_value(struct tn_call *call)
{
	struct tn_attr *attr = call->attr;

	tn_call_request(call, TN_XATTRSET, tn_call_fid(call)->chan);
	call->r.u.xattr.name = tn_attr_name(attr);
	call->r.u.xattr.data = attr->data;
	call->r.u.xattr.size = attr->size;
	call->r.u.xattr.how = attr->how;
}

/* The fid is gone; the peer hears of err, or of the clunk. */
static enum tn_status end_attr(struct tn_call *call, enum tn_err err)
{
	if (!tn_call_fid(call)->chan)
		return tn_call_refuse(call, err);
	call->r.err = (uint16_t)err;
	tn_spell_last(call);
	return tn_chan_close(&call->r);
}

static enum tn_status clunk_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (!fid->attr)
		return tn_spell_clunk_ask(call, m);
	call->attr = fid->attr;
	fid->attr = NULL;
	if (!call->attr->is_set)
		return end_attr(call, TN_OK);
	if (call->attr->len != call->attr->size)
		return end_attr(call, TN_EINVAL);
	set_value(call);
	return tn_submit(&call->r);
}

/* It is no file: nothing is removed but the fid. */
static enum tn_status remove_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (!fid->attr)
		return tn_spell_remove_ask(call, m);
	call->attr = fid->attr;
	fid->attr = NULL;
	return end_attr(call, TN_EBADUSE);
}

/* clang-format off */
const struct tn_spelling
	tn_spelll_xattrwalk = { .fid = TN_USE_SHARE, .newfid = TN_USE_MAKE, .keeps_frame = true, .ask = xattrwalk_ask,
		.point = xattrwalk_point, .then = xattrwalk_then, .answer = xattrwalk_answer },
	tn_spelll_xattrcreate = { .fid = TN_USE_ALONE, .ask = xattrcreate_ask, .answer = xattrcreate_answer },
	tn_spelll_clunk = { .fid = TN_USE_LAST, .takes_attr = true, .ask = clunk_ask, .then = tn_spell_last_then,
		.answer = tn_spell_only },
	tn_spelll_remove = { .fid = TN_USE_LAST, .takes_attr = true, .ask = remove_ask, .then = tn_spell_last_then,
		.answer = tn_spell_only };
/* clang-format on */
