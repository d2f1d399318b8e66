/*
 * Flat directories. A list in the order of making: who has thousands of files is another server (#ram).
 */
#include "core/flat.h"

#include "core/chan.h"
#include "core/mem.h"

/* ---- entries ---- */

void tn_flat_init(struct tn_flat *flat, const struct tn_flat_kind *kind)
{
	*flat = (struct tn_flat){ .kind = kind, .mtime_ns = tn_time_ns() };
	flat->last = &flat->first;
}

static void changed(struct tn_flat *flat)
{
	flat->version++;
	flat->mtime_ns = tn_time_ns();
}

struct tn_entry *tn_flat_find(const struct tn_flat *flat, struct tn_str name)
{
	struct tn_entry *e = flat->first;

	while (e && (e->name_len != name.len || memcmp(e->name, name.s, name.len) != 0))
		e = e->next;
	return e;
}

static enum tn_err check_new(const struct tn_flat *flat, struct tn_str name)
{
	enum tn_err err = tn_new_name_check(name);

	if (err == TN_OK && tn_flat_find(flat, name))
		err = TN_EEXIST;
	if (err == TN_OK && flat->n >= flat->kind->files_max)
		err = TN_ELIMIT_FILES;
	return err;
}

enum tn_err tn_flat_add(struct tn_flat *flat, struct tn_str name, struct tn_entry **out)
{
	enum tn_err err = check_new(flat, name);
	struct tn_entry *e;

	if (err != TN_OK)
		return err;
	e = tn_alloc(flat->kind->entry_size + name.len);
	if (!e)
		return TN_ENOMEM;
	e->refs = 1;
	e->path = ++flat->path;
	e->mtime_ns = tn_time_ns();
	e->is_listed = true;
	e->name = (char *)e + flat->kind->entry_size;
	e->name_len = (uint8_t)name.len;
	memcpy(e->name, name.s, name.len);
	*flat->last = e;
	flat->last = &e->next;
	flat->n++;
	changed(flat);
	*out = e;
	return TN_OK;
}

void tn_flat_put(struct tn_flat *flat, struct tn_entry *e)
{
	if (!e || --e->refs > 0)
		return;
	flat->kind->drop(flat, e);
	tn_free(e);
}

bool tn_flat_take_out(struct tn_flat *flat, struct tn_entry *e)
{
	struct tn_entry **at = &flat->first;

	if (!e->is_listed)
		return false;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	if (!*at)
		flat->last = at;
	e->next = NULL;
	e->is_listed = false;
	flat->n--;
	changed(flat);
	tn_flat_put(flat, e);
	return true;
}

void tn_flat_clear(struct tn_flat *flat)
{
	while (flat->first)
		tn_flat_take_out(flat, flat->first);
}

struct tn_qid tn_flat_qid(const struct tn_flat *flat, const struct tn_entry *e)
{
	if (!e)
		return (struct tn_qid){ .version = flat->version, .type = TN_QTDIR };
	return (struct tn_qid){ .path = e->path, .version = e->version };
}

void tn_flat_place(const struct tn_flat *flat, struct tn_chan *c, struct tn_entry *e)
{
	if (e)
		e->refs++;
	c->aux.p = e;
	c->qid = tn_flat_qid(flat, e);
}

/* ---- operations ---- */

static struct tn_flat *flat_of(const struct tn_req *r)
{
	return r->server->data;
}

enum tn_status tn_flat_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	tn_flat_place(flat_of(r), r->u.attach.newchan, NULL);
	return TN_DONE;
}

/* From *at (an entry, or NULL) to what `name` is there. */
static enum tn_err walk_one(const struct tn_flat *flat, struct tn_entry **at, struct tn_str name)
{
	struct tn_entry *to;

	if (*at)
		return TN_ENOTDIR;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		return TN_OK; /* above the root is the root */
	to = tn_flat_find(flat, name);
	if (!to)
		return TN_ENOENT;
	*at = to;
	return TN_OK;
}

/* walk(5): as far as it goes. Only when all names were walked newchan becomes anything. */
enum tn_status tn_flat_walk(struct tn_req *r)
{
	struct tn_entry *at = tn_flat_at(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	while (n < r->u.walk.n_names) {
		err = walk_one(flat_of(r), &at, r->u.walk.names[n]);
		if (err != TN_OK)
			break;
		r->u.walk.qids[n++] = tn_flat_qid(flat_of(r), at);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK)
		return n > 0 ? TN_DONE : tn_fail(r, err);
	tn_flat_place(flat_of(r), r->u.walk.newchan, at);
	return TN_DONE;
}

static void fill(const struct tn_flat *flat, const struct tn_entry *e, const struct tn_user *user,
    struct tn_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = tn_flat_qid(flat, e);
	st->mode = e ? 0666 : TN_DMDIR | 0777;
	st->name = e ? tn_entry_name(e) : TN_STR("/");
	st->atime_ns = st->mtime_ns = e ? e->mtime_ns : flat->mtime_ns;
	st->uid = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
	flat->kind->fill(flat, e, st);
}

enum tn_status tn_flat_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill(flat_of(r), tn_flat_at(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

enum tn_status tn_flat_readdir(struct tn_req *r)
{
	if (tn_flat_at(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	for (const struct tn_entry *e = flat_of(r)->first; e; e = e->next) {
		struct tn_stat st;

		if (e->path <= r->u.readdir.offset)
			continue;
		fill(flat_of(r), e, r->chan->user, &st);
		if (!r->owner->entry(r, &st, e->path))
			break;
	}
	return TN_DONE;
}

enum tn_status tn_flat_clunk(struct tn_req *r)
{
	tn_flat_put(flat_of(r), tn_flat_at(r->chan));
	return TN_DONE;
}
