/*
 * #srv. One directory whose files are names of the registry. A file that was created has nothing posted until its first
 * write; when it is clunked without one it goes again.
 */
#include "fs/srv.h"

#include "core/chan.h"
#include "core/flat.h"
#include "core/mem.h"

struct service {
	struct tn_entry entry;       /* first: an entry is its service */
	struct tn_post *post;        /* counted; NULL: nothing yet */
	struct tn_user *owner;       /* counted; NULL: nobody */
	const struct tn_chan *maker; /* whose create made it, until its clunk */
};

struct tn_srv {
	struct tn_flat flat; /* first: the server's data is its directory */
	uint32_t refs;
	enum tn_err (
	    *make)(void *arg, struct tn_user *who, struct tn_str dial, struct tn_post **out);
	void *arg;
};

/* ---- what is posted ---- */

struct tn_post *tn_post_get(struct tn_post *p)
{
	tn_count_up(&p->refs);
	return p;
}

void tn_post_put(struct tn_post *p)
{
	if (p && tn_count_down(&p->refs) == 0)
		p->ops->free(p);
}

/* ---- names ---- */

static struct service *service_of_entry(const struct tn_entry *e)
{
	return (struct service *)(uintptr_t)e;
}

/* A new entry; post and owner are counted anew, and may be NULL. */
static enum tn_err add(struct tn_srv *srv, struct tn_str name, struct tn_user *owner,
    struct tn_post *post, struct service **out)
{
	struct tn_entry *e;
	enum tn_err err = tn_flat_add(&srv->flat, name, &e);
	struct service *s;

	if (err != TN_OK)
		return err;
	s = service_of_entry(e);
	s->post = post ? tn_post_get(post) : NULL;
	s->owner = owner ? tn_user_get(owner) : NULL;
	*out = s;
	return TN_OK;
}

static void drop(struct tn_flat *flat, struct tn_entry *e)
{
	(void)flat;
	tn_post_put(service_of_entry(e)->post);
	tn_user_put(service_of_entry(e)->owner);
}

/* ---- the operations ---- */

static struct tn_srv *srv_of(const struct tn_req *r)
{
	return r->server->data;
}

/* Where a Chan is: a service, or NULL, the directory. */
static struct service *service_of(const struct tn_chan *c)
{
	return service_of_entry(tn_flat_at(c));
}

static struct tn_user *who_of(const struct tn_req *r)
{
	return r->user ? r->user : r->chan->user;
}

static bool is_owner(const struct service *e, const struct tn_user *who)
{
	return e->owner && who && e->owner->len == who->len &&
	       memcmp(e->owner->name, who->name, who->len) == 0;
}

/* mount(2) opens for reading and writing; what is written where something is posted is refused by the write. */
static enum tn_status srv_open(struct tn_req *r)
{
	const struct service *e = service_of(r->chan);
	uint32_t access = r->flags & TN_OF_ACCESS;

	if (!e && access != TN_OREAD && access != TN_OEXEC)
		return tn_fail(r, TN_EISDIR);
	if ((e && access == TN_OEXEC) || (!e && (r->flags & TN_OF_TRUNC)))
		return tn_fail(r, TN_EACCES);
	return TN_DONE;
}

static enum tn_status srv_create(struct tn_req *r)
{
	struct tn_srv *srv = srv_of(r);
	struct service *e;
	enum tn_err err;

	if (service_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	if (!srv->make || (r->u.create.perm & TN_DMDIR))
		return tn_fail(r, TN_EACCES);
	err = add(srv, r->u.create.name, who_of(r), NULL, &e);
	if (err != TN_OK)
		return tn_fail(r, err);
	e->maker = r->chan;
	tn_flat_place(&srv->flat, r->chan, &e->entry);
	return TN_DONE;
}

static enum tn_status srv_read(struct tn_req *r)
{
	const struct service *e = service_of(r->chan);
	char text[TN_SRV_TEXT_MAX + 1];
	size_t len;

	if (!e)
		return tn_fail(r, TN_EISDIR);
	len = e->post ? e->post->ops->text(e->post, text, TN_SRV_TEXT_MAX) : 0;
	if (len > TN_SRV_TEXT_MAX)
		len = TN_SRV_TEXT_MAX;
	if (len > 0)
		text[len++] = '\n';
	return tn_reply_text(r, text, len);
}

static enum tn_status srv_write(struct tn_req *r)
{
	struct tn_srv *srv = srv_of(r);
	struct service *e = service_of(r->chan);
	struct tn_str dial = { (const char *)r->u.io.data, r->u.io.count };
	enum tn_err err;

	if (!e)
		return tn_fail(r, TN_EISDIR);
	if (e->post || !srv->make)
		return tn_fail(r, TN_EACCES);
	while (dial.len > 0 && dial.s[dial.len - 1] == '\n')
		dial.len--;
	if (dial.len == 0)
		return TN_DONE;
	err = srv->make(srv->arg, who_of(r), dial, &e->post);
	return err == TN_OK ? TN_DONE : tn_fail(r, err);
}

static enum tn_status srv_remove(struct tn_req *r)
{
	struct service *e = service_of(r->chan);

	if (!e || !is_owner(e, who_of(r)))
		return tn_fail(r, TN_EACCES);
	if (!e->entry.is_listed)
		return tn_fail(r, TN_ENOENT);
	tn_flat_take_out(&srv_of(r)->flat, &e->entry);
	return TN_DONE;
}

static enum tn_status srv_clunk(struct tn_req *r)
{
	struct service *e = service_of(r->chan);
	bool is_maker = e && e->maker == r->chan;
	bool goes = (r->chan->flags & TN_CF_OPEN) && (r->chan->flags & TN_OF_RCLOSE);

	if (is_maker)
		e->maker = NULL;
	if (e && e->entry.is_listed && ((is_maker && !e->post) || (goes && is_owner(e, who_of(r)))))
		tn_flat_take_out(&srv_of(r)->flat, &e->entry);
	return tn_flat_clunk(r);
}

static void fill(const struct tn_flat *flat, const struct tn_entry *e, struct tn_stat *st)
{
	const struct tn_user *owner = e ? service_of_entry(e)->owner : NULL;

	if (!e && !((const struct tn_srv *)flat)->make)
		st->mode = TN_DMDIR | 0555;
	if (e)
		st->uid = owner ? (struct tn_str){ owner->name, owner->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
}

/* A shell's `>` cuts what it made; nothing else of a service changes. */
static enum tn_status srv_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	const struct service *e = service_of(r->chan);

	if (st->valid == 0 || (e && !e->post && st->valid == TN_ST_LENGTH && st->length == 0))
		return TN_DONE;
	return tn_fail(r, TN_EACCES);
}

static void srv_free(struct tn_server *s)
{
	tn_srv_put(s->data);
	tn_free(s);
}

static const struct tn_flat_kind kind = {
	.entry_size = sizeof(struct service),
	.files_max = TN_SRV_MAX,
	.fill = fill,
	.drop = drop,
};

static const struct tn_ops srv_ops = {
	.name = "#srv",
	.op = {
		[TN_ATTACH] = tn_flat_attach,
		[TN_WALK] = tn_flat_walk,
		[TN_OPEN] = srv_open,
		[TN_CREATE] = srv_create,
		[TN_READ] = srv_read,
		[TN_READDIR] = tn_flat_readdir,
		[TN_WRITE] = srv_write,
		[TN_CLUNK] = srv_clunk,
		[TN_REMOVE] = srv_remove,
		[TN_STAT] = tn_flat_stat,
		[TN_WSTAT] = srv_wstat,
	},
	.free = srv_free,
};

struct tn_server *tn_srv_server(struct tn_loop *home, struct tn_srv *srv)
{
	struct tn_server *s = tn_alloc(sizeof(*s));

	if (s)
		tn_server_init(s, &srv_ops, home, tn_srv_get(srv));
	return s;
}

struct tn_post *tn_srv_post_of(const struct tn_chan *c)
{
	const struct service *e;

	if (c->server->ops != &srv_ops)
		return NULL;
	e = service_of(c);
	return e && e->post ? tn_post_get(e->post) : NULL;
}

/* ---- the registry ---- */

struct tn_srv *tn_srv_new(void)
{
	struct tn_srv *srv = tn_alloc(sizeof(*srv));

	if (!srv)
		return NULL;
	srv->refs = 1;
	tn_flat_init(&srv->flat, &kind);
	return srv;
}

struct tn_srv *tn_srv_get(struct tn_srv *srv)
{
	tn_count_up(&srv->refs);
	return srv;
}

void tn_srv_put(struct tn_srv *srv)
{
	if (!srv || tn_count_down(&srv->refs) > 0)
		return;
	tn_flat_clear(&srv->flat);
	tn_free(srv);
}

enum tn_err tn_srv_post(struct tn_srv *srv, struct tn_str name, struct tn_user *owner,
    struct tn_post *p)
{
	struct service *e;

	return add(srv, name, owner, p, &e);
}

struct tn_post *tn_srv_find(const struct tn_srv *srv, struct tn_str name)
{
	const struct service *e = service_of_entry(tn_flat_find(&srv->flat, name));

	return e && e->post ? tn_post_get(e->post) : NULL;
}

bool tn_srv_remove(struct tn_srv *srv, struct tn_str name)
{
	struct tn_entry *e = tn_flat_find(&srv->flat, name);

	return e && tn_flat_take_out(&srv->flat, e);
}

void tn_srv_each(const struct tn_srv *srv,
    void (*each)(void *arg, struct tn_str name, struct tn_post *p), void *arg)
{
	for (const struct tn_entry *e = srv->flat.first; e; e = e->next) {
		if (service_of_entry(e)->post)
			each(arg, tn_entry_name(e), service_of_entry(e)->post);
	}
}

void tn_srv_maker(struct tn_srv *srv,
    enum tn_err (*make)(void *arg, struct tn_user *who, struct tn_str dial, struct tn_post **out),
    void *arg)
{
	srv->make = make;
	srv->arg = arg;
}
