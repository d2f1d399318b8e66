/*
 * #srv. One directory whose files are names of the registry. A file that was created has nothing posted until its first
 * write; when it is clunked without one it goes again.
 */
#include "fs/srv.h"

#include "core/chan.h"
#include "core/mem.h"

enum { NAME_MAX_BYTES = 255 };

struct entry {
	struct entry *next; /* by path: in the order of posting */
	uint32_t refs;      /* the registry, as long as it is there; Chans */
	uint64_t path;
	int64_t made_ns;
	struct tn_post *post;        /* counted; NULL: nothing yet */
	struct tn_user *owner;       /* counted; NULL: nobody */
	const struct tn_chan *maker; /* whose create made it, until its clunk */
	bool listed;
	uint8_t len;
	char name[];
};

struct tn_srv {
	uint32_t refs;
	uint32_t n;
	uint64_t path;    /* the last one given; 0 is the directory's */
	uint32_t version; /* of the directory */
	struct entry *first, **last;
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

static enum tn_err check_name(struct tn_str name)
{
	if (name.len == 0)
		return TN_EEMPTYNAME;
	if (name.len > NAME_MAX_BYTES)
		return TN_ENAMETOOLONG;
	if (name.s[0] == '.' && (name.len == 1 || (name.len == 2 && name.s[1] == '.')))
		return TN_EEXIST;
	for (uint32_t i = 0; i < name.len; i++) {
		if (name.s[i] == '/' || name.s[i] == '\0')
			return TN_EBADCHAR;
	}
	return TN_OK;
}

static struct entry *find(const struct tn_srv *srv, struct tn_str name)
{
	struct entry *e = srv->first;

	while (e && (e->len != name.len || memcmp(e->name, name.s, name.len) != 0))
		e = e->next;
	return e;
}

/* A new entry; post and owner are counted anew, and may be NULL. */
static enum tn_err add(struct tn_srv *srv, struct tn_str name, struct tn_user *owner,
    struct tn_post *post, struct entry **out)
{
	enum tn_err err = check_name(name);
	struct entry *e;

	if (err != TN_OK)
		return err;
	if (find(srv, name))
		return TN_EEXIST;
	if (srv->n >= TN_SRV_MAX)
		return TN_ELIMIT_FILES;
	e = tn_alloc(sizeof(*e) + name.len);
	if (!e)
		return TN_ENOMEM;
	e->refs = 1;
	e->path = ++srv->path;
	e->made_ns = tn_time_ns();
	e->post = post ? tn_post_get(post) : NULL;
	e->owner = owner ? tn_user_get(owner) : NULL;
	e->listed = true;
	e->len = (uint8_t)name.len;
	memcpy(e->name, name.s, name.len);
	*srv->last = e;
	srv->last = &e->next;
	srv->n++;
	srv->version++;
	*out = e;
	return TN_OK;
}

static void put(struct entry *e)
{
	if (!e || --e->refs > 0)
		return;
	tn_post_put(e->post);
	tn_user_put(e->owner);
	tn_free(e);
}

static void take_out(struct tn_srv *srv, struct entry *e)
{
	struct entry **at = &srv->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	if (!*at)
		srv->last = at;
	e->next = NULL;
	e->listed = false;
	srv->n--;
	srv->version++;
	put(e);
}

/* ---- the operations ---- */

static struct tn_srv *srv_of(const struct tn_req *r)
{
	return r->server->data;
}

/* Where a Chan is: an entry, or NULL, the directory. */
static struct entry *entry_of(const struct tn_chan *c)
{
	return c->aux.p;
}

static struct tn_user *who_of(const struct tn_req *r)
{
	return r->user ? r->user : r->chan->user;
}

static bool is_owner(const struct entry *e, const struct tn_user *who)
{
	return e->owner && who && e->owner->len == who->len &&
	       memcmp(e->owner->name, who->name, who->len) == 0;
}

static struct tn_qid qid_of(const struct tn_srv *srv, const struct entry *e)
{
	if (!e)
		return (struct tn_qid){ .version = srv->version, .type = TN_QTDIR };
	return (struct tn_qid){ .path = e->path };
}

static void place(const struct tn_srv *srv, struct tn_chan *c, struct entry *e)
{
	if (e)
		e->refs++;
	c->aux.p = e;
	c->qid = qid_of(srv, e);
}

static enum tn_status srv_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	place(srv_of(r), r->u.attach.newchan, NULL);
	return TN_DONE;
}

static enum tn_err walk_one(const struct tn_srv *srv, struct entry **at, struct tn_str name)
{
	struct entry *to;

	if (*at)
		return TN_ENOTDIR;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		return TN_OK;
	to = find(srv, name);
	if (!to)
		return TN_ENOENT;
	*at = to;
	return TN_OK;
}

static enum tn_status srv_walk(struct tn_req *r)
{
	struct entry *at = entry_of(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	while (n < r->u.walk.n_names) {
		err = walk_one(srv_of(r), &at, r->u.walk.names[n]);
		if (err != TN_OK)
			break;
		r->u.walk.qids[n++] = qid_of(srv_of(r), at);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK)
		return n > 0 ? TN_DONE : tn_fail(r, err);
	place(srv_of(r), r->u.walk.newchan, at);
	return TN_DONE;
}

/* mount(2) opens for reading and writing; what is written where something is posted is refused by the write. */
static enum tn_status srv_open(struct tn_req *r)
{
	const struct entry *e = entry_of(r->chan);
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
	struct entry *e;
	enum tn_err err;

	if (entry_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	if (!srv->make || (r->u.create.perm & TN_DMDIR))
		return tn_fail(r, TN_EACCES);
	err = add(srv, r->u.create.name, who_of(r), NULL, &e);
	if (err != TN_OK)
		return tn_fail(r, err);
	e->maker = r->chan;
	place(srv, r->chan, e);
	return TN_DONE;
}

static enum tn_status srv_read(struct tn_req *r)
{
	const struct entry *e = entry_of(r->chan);
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
	struct entry *e = entry_of(r->chan);
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
	struct entry *e = entry_of(r->chan);

	if (!e || !is_owner(e, who_of(r)))
		return tn_fail(r, TN_EACCES);
	if (!e->listed)
		return tn_fail(r, TN_ENOENT);
	take_out(srv_of(r), e);
	return TN_DONE;
}

static enum tn_status srv_clunk(struct tn_req *r)
{
	struct entry *e = entry_of(r->chan);
	bool is_maker = e && e->maker == r->chan;
	bool goes = (r->chan->flags & TN_CF_OPEN) && (r->chan->flags & TN_OF_RCLOSE);

	if (is_maker)
		e->maker = NULL;
	if (e && e->listed && ((is_maker && !e->post) || (goes && is_owner(e, who_of(r)))))
		take_out(srv_of(r), e);
	put(e);
	return TN_DONE;
}

static struct tn_str user_name(const struct tn_user *u)
{
	return u ? (struct tn_str){ u->name, u->len } : TN_STR("tenon");
}

static void fill(const struct tn_srv *srv, const struct entry *e, const struct tn_user *user,
    struct tn_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(srv, e);
	st->mode = e ? 0666 : TN_DMDIR | (srv->make ? 0777 : 0555);
	st->name = e ? (struct tn_str){ e->name, e->len } : TN_STR("/");
	st->atime_ns = st->mtime_ns = e ? e->made_ns : 0;
	st->uid = user_name(e ? e->owner : user);
	st->gid = st->muid = st->uid;
}

static enum tn_status srv_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill(srv_of(r), entry_of(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

static enum tn_status srv_readdir(struct tn_req *r)
{
	if (entry_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	for (const struct entry *e = srv_of(r)->first; e; e = e->next) {
		struct tn_stat st;

		if (e->path <= r->u.readdir.offset)
			continue;
		fill(srv_of(r), e, r->chan->user, &st);
		if (!r->owner->entry(r, &st, e->path))
			break;
	}
	return TN_DONE;
}

/* A shell's `>` cuts what it made; nothing else of a service changes. */
static enum tn_status srv_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	const struct entry *e = entry_of(r->chan);

	if (st->valid == 0 || (e && !e->post && st->valid == TN_ST_LENGTH && st->length == 0))
		return TN_DONE;
	return tn_fail(r, TN_EACCES);
}

static void srv_free(struct tn_server *s)
{
	tn_srv_put(s->data);
	tn_free(s);
}

static const struct tn_ops srv_ops = {
	.name = "#srv",
	.op = {
		[TN_ATTACH] = srv_attach,
		[TN_WALK] = srv_walk,
		[TN_OPEN] = srv_open,
		[TN_CREATE] = srv_create,
		[TN_READ] = srv_read,
		[TN_READDIR] = srv_readdir,
		[TN_WRITE] = srv_write,
		[TN_CLUNK] = srv_clunk,
		[TN_REMOVE] = srv_remove,
		[TN_STAT] = srv_stat,
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
	const struct entry *e;

	if (c->server->ops != &srv_ops)
		return NULL;
	e = entry_of(c);
	return e && e->post ? tn_post_get(e->post) : NULL;
}

/* ---- the registry ---- */

struct tn_srv *tn_srv_new(void)
{
	struct tn_srv *srv = tn_alloc(sizeof(*srv));

	if (!srv)
		return NULL;
	srv->refs = 1;
	srv->last = &srv->first;
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
	while (srv->first)
		take_out(srv, srv->first);
	tn_free(srv);
}

enum tn_err tn_srv_post(struct tn_srv *srv, struct tn_str name, struct tn_user *owner,
    struct tn_post *p)
{
	struct entry *e;

	return add(srv, name, owner, p, &e);
}

struct tn_post *tn_srv_find(const struct tn_srv *srv, struct tn_str name)
{
	const struct entry *e = find(srv, name);

	return e && e->post ? tn_post_get(e->post) : NULL;
}

bool tn_srv_remove(struct tn_srv *srv, struct tn_str name)
{
	struct entry *e = find(srv, name);

	if (e)
		take_out(srv, e);
	return e != NULL;
}

void tn_srv_each(const struct tn_srv *srv,
    void (*each)(void *arg, struct tn_str name, struct tn_post *p), void *arg)
{
	for (const struct entry *e = srv->first; e; e = e->next) {
		if (e->post)
			each(arg, (struct tn_str){ e->name, e->len }, e->post);
	}
}

void tn_srv_maker(struct tn_srv *srv,
    enum tn_err (*make)(void *arg, struct tn_user *who, struct tn_str dial, struct tn_post **out),
    void *arg)
{
	srv->make = make;
	srv->arg = arg;
}
