/*
 * What 9P2000.u spells otherwise than 9P2000: creates of what is neither a file nor a directory, and stats of symbolic
 * links. The "9p2000.u" internet draft.
 */
#include "link/extension.h"
#include "link/spell.h"

#define KINDS   (TN_DMSYMLINK | TN_DMLINK | TN_DMDEVICE | TN_DMNAMEDPIPE | TN_DMSOCKET)
#define SPECIAL (KINDS | TN_DMSETUID | TN_DMSETGID | TN_DMSETVTX | 0777u)

/* ---- devices in the extension ---- */

static bool take_blank(struct tn_str *text)
{
	if (text->len == 0 || text->s[0] != ' ')
		return false;
	text->s++;
	text->len--;
	return true;
}

/* "c MAJOR MINOR", "b MAJOR MINOR" */
static bool take_device(struct tn_str text, uint32_t *major, uint32_t *minor)
{
	if (text.len == 0 || (text.s[0] != 'b' && text.s[0] != 'c'))
		return false;
	text.s++;
	text.len--;
	return take_blank(&text) && tn_extension_take(&text, major) && take_blank(&text) &&
	       tn_extension_take(&text, minor) && text.len == 0;
}

/* ---- Tcreate ---- */

/* A hard link names its file by the number of a fid, behind which Linux's client puts a newline. */
static void create_lead(struct tn_msg *m)
{
	struct tn_str text = m->extension;
	uint32_t number;

	m->newfid = TN_NOFID;
	if (!(m->perm & TN_DMLINK) || !tn_extension_take(&text, &number))
		return;
	if (text.len == 0 || (text.len == 1 && text.s[0] == '\n'))
		m->newfid = number;
}

static enum tn_req_type type_of(uint32_t perm)
{
	if (perm & TN_DMSYMLINK)
		return TN_SYMLINK;
	return perm & TN_DMLINK ? TN_LINK : TN_MKNOD;
}

/* One kind, and what it needs. */
static enum tn_err check_special(const struct tn_call *call, const struct tn_msg *m)
{
	uint32_t kind = m->perm & KINDS;
	enum tn_err err = tn_spell_check_create(call, m);

	if (err)
		return err;
	if ((kind & (kind - 1)) || (m->perm & ~SPECIAL))
		return TN_EBADARG;
	if (kind == TN_DMLINK && call->n_tickets < 2)
		return TN_EBADFID;
	return kind == TN_DMSYMLINK && m->extension.len == 0 ? TN_EBADARG : TN_OK;
}

static void create_point(struct tn_call *call, struct tn_msg *m)
{
	struct tn_req *r = &call->r;

	if (r->type == TN_WALK) {
		tn_spell_name_point(call, m);
	} else if (r->type == TN_LINK) {
		r->u.rename.name = m->name;
	} else {
		r->u.create.name = m->name;
		r->u.create.target = m->extension;
	}
}

static enum tn_status create_ask(struct tn_call *call, struct tn_msg *m)
{
	struct tn_chan *dir = tn_call_fid(call)->chan;
	struct tn_req *r = &call->r;
	uint32_t major = 0, minor = 0;
	enum tn_err err;

	if (!(m->perm & KINDS))
		return tn_spell_create_ask(call, m);
	err = check_special(call, m);
	if (!err && (m->perm & TN_DMDEVICE) && !take_device(m->extension, &major, &minor))
		err = TN_EBADARG;
	if (err)
		return tn_call_refuse(call, err);
	tn_call_request(call, type_of(m->perm), dir);
	create_point(call, m);
	if (r->type == TN_LINK) {
		r->chan2 = tn_call_fid2(call)->chan;
		return tn_submit(r);
	}
	r->u.create.perm = m->perm;
	r->u.create.gid = TN_NONUNAME;
	r->u.create.rdev_major = major;
	r->u.create.rdev_minor = minor;
	return tn_submit(r);
}

/* open(5): the fid stands for what was made. It is not open: there is nothing that this would mean. */
static bool create_then(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.err || call->r.type == TN_CREATE)
		return false;
	if (call->r.type == TN_WALK) {
		tn_spell_walked(call);
		return false;
	}
	return tn_spell_walk_name(call, m);
}

static void create_answer(struct tn_call *call, struct tn_msg *m)
{
	struct tn_fid *fid = tn_call_fid(call);

	if (call->r.type == TN_CREATE) {
		tn_spell_create_answer(call, m);
		return;
	}
	tn_spell_move(call, fid);
	tn_spell_only(call, m);
	m->qid = tn_dialect_qid(fid->chan->qid, TN_9P2000_U);
	m->iounit = 0;
}

/* ---- Tstat ---- */

static bool is_link(const struct tn_call *call)
{
	return tn_call_fid(call)->chan->qid.type & TN_QTSYMLINK;
}

/* The extension of a symbolic link is its target, whether its server says so in a stat or not. */
static enum tn_status stat_ask(struct tn_call *call, struct tn_msg *m)
{
	if (!is_link(call))
		return tn_spell_stat_ask(call, m);
	if (!tn_call_readlink(call, tn_call_fid(call)->chan))
		return tn_call_refuse(call, TN_ENOMEM);
	return tn_submit(&call->r);
}

static bool stat_then(struct tn_call *call, struct tn_msg *m)
{
	if (call->r.type == TN_STAT)
		return tn_spell_stat_then(call, m);
	if (call->r.err == TN_EINTR)
		return false;
	if (!tn_call_target(call)) {
		tn_fail(&call->r, TN_EOVERFLOW);
		return false;
	}
	tn_call_request(call, TN_STAT, tn_call_fid(call)->chan);
	return true;
}

/* clang-format off */
const struct tn_spelling
	tn_spellu_create = { .fid = TN_USE_ALONE, .newfid = TN_USE_SHARE, .keeps_frame = true, .lead = create_lead,
		.ask = create_ask, .point = create_point, .then = create_then, .answer = create_answer },
	tn_spellu_stat = { .fid = TN_USE_SHARE, .ask = stat_ask, .then = stat_then, .answer = tn_spell_only };
/* clang-format on */
