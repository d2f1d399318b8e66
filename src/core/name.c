/*
 * Resolving names. A resolution is a row of steps, each a function that looks at the last answer and either goes on,
 * sends the next request, or ends; `run` turns them in a loop, from tn_name_start and again from each answer that came
 * later. It holds: cur, where it is, and path, the name of that. After crossing, list is what is mounted there and
 * cur what lies under it; the next element is looked for in the members of list and in nothing else (crossing happens
 * once). A Chan that this resolution made has no path until it is given out: so one sees that it is nobody else's.
 */
#include "core/name.h"

#include "core/name_in.h"

bool tn_err_is_down(enum tn_err err)
{
	switch (err) {
	case TN_ECONNLOST:
	case TN_ETIMEDOUT:
	case TN_ECONNREFUSED:
	case TN_EHOSTUNREACH:
	case TN_EBADDIAL:
	case TN_ENOHOST:
	case TN_EGONE: return true;
	default: return false;
	}
}

/* ---- ends ---- */

enum next tn_name_fail(struct tn_name *n, enum tn_err err)
{
	n->err = err;
	return END;
}

/* The last request's error, with the server's words. */
enum next tn_name_fail_as_said(struct tn_name *n)
{
	n->err = (enum tn_err)n->req.err;
	n->words = n->req.words;
	n->req.words = NULL;
	return END;
}

enum next tn_name_go(struct tn_name *n, enum step step)
{
	n->w.step = (uint8_t)step;
	return GO;
}

void tn_name_set_chan(struct tn_chan **at, struct tn_chan *c)
{
	struct tn_chan *old = *at;

	*at = c;
	tn_chan_put(old);
}

void tn_name_set_path(struct tn_name *n, struct tn_path *path)
{
	struct tn_path *old = n->w.path;

	n->w.path = path;
	tn_path_put(old);
}

void tn_name_set_list(struct tn_name *n, struct tn_members *list)
{
	struct tn_members *old = n->w.list;

	n->w.list = list;
	tn_members_put(old);
}

/* The answer: c, taken, under the name w.path. */
enum next tn_name_give(struct tn_name *n, struct tn_chan *c)
{
	if (!c->path)
		c->path = tn_path_get(n->w.path);
	n->chan = c;
	n->path = tn_path_get(n->w.path);
	return END;
}

static void drop(struct tn_name *n)
{
	tn_name_set_chan(&n->w.cur, NULL);
	tn_name_set_chan(&n->w.next, NULL);
	tn_name_set_path(n, NULL);
	tn_name_set_chan(&n->w.top, NULL);
	tn_name_set_list(n, NULL);
	tn_free(n->w.text);
	tn_free(n->w.target);
	n->w.text = n->w.target = NULL;
	tn_ns_put(n->w.ns);
	n->w.ns = NULL;
	tn_req_reset(&n->req);
}

/* ---- requests ---- */

static const struct tn_owner name_owner;

void tn_name_request(struct tn_name *n, enum tn_req_type type, struct tn_chan *c)
{
	tn_req_reset(&n->req);
	tn_req_init(&n->req, type, c, &name_owner);
	if (n->user || n->proc->user)
		n->req.user = n->user ? n->user : n->proc->user;
	n->req.flags = n->flags & TN_OF_NOFOLLOW;
	n->req.deadline_ns = n->deadline_ns;
	n->req.pid = n->pid;
}

enum next tn_name_send(struct tn_name *n, enum step then)
{
	n->w.step = (uint8_t)then;
	if (n->w.flushed)
		return tn_name_fail(n, TN_EINTR);
	return tn_submit(&n->req) == TN_DONE ? GO : WAIT;
}

/* Walks w.names from base to w.next. */
enum next tn_name_walk(struct tn_name *n, struct tn_chan *base, uint16_t n_names, enum step then)
{
	tn_name_set_chan(&n->w.next, tn_chan_new(base->server, base->user));
	if (!n->w.next)
		return tn_name_fail(n, TN_ENOMEM);
	tn_name_request(n, TN_WALK, base);
	if (n->follow)
		n->req.flags |= TN_OF_NOFOLLOW; /* links are followed here, by the name space */
	n->req.u.walk.names = n->w.names;
	n->req.u.walk.qids = n->w.qids;
	n->req.u.walk.newchan = n->w.next;
	n->req.u.walk.n_names = n_names;
	return tn_name_send(n, then);
}

bool tn_name_is_private(const struct tn_chan *c)
{
	return c->path == NULL;
}

/* ---- paths ---- */

/* w.path with k names of the run behind it; NULL, and *err says why. Counted. */
struct tn_path *tn_name_path_behind(struct tn_name *n, uint32_t k, enum tn_err *err)
{
	struct tn_path *path = tn_path_get(n->w.path), *next;

	*err = TN_OK;
	for (uint32_t i = 0; i < k; i++) {
		struct tn_str e = n->w.names[i];

		if (e.len > UINT16_MAX)
			*err = TN_ENAMETOOLONG;
		else if (path->depth == UINT16_MAX || path->text_len + e.len >= TN_PATH_BYTES_MAX)
			*err = TN_ELIMIT_PATH;
		next = *err == TN_OK ? tn_path_add(path, e) : NULL;
		if (!next && *err == TN_OK)
			*err = TN_ENOMEM;
		tn_path_put(path);
		path = next;
		if (!path)
			break;
	}
	return path;
}

bool tn_name_is_same_path(const struct tn_path *a, const struct tn_path *b)
{
	for (; a != b; a = a->up, b = b->up) {
		if (!a || !b || a->depth != b->depth || a->under != b->under || a->len != b->len ||
		    memcmp(a->name, b->name, a->len) != 0)
			return false;
	}
	return true;
}

/* ---- mount points ---- */

struct tn_members *tn_name_mounted_at(struct tn_name *n, const struct tn_server *server,
    uint64_t path, struct tn_chan **under)
{
	if (n->no_cross)
		return NULL;
	return tn_ns_find_at(n->w.ns, server, path, under, &n->w.serial);
}

/* Stands at the mount point `path` (taken), under which `under` lies, with `list` (taken) on it. */
bool tn_name_cross(struct tn_name *n, struct tn_path *path, struct tn_chan *under,
    struct tn_members *list)
{
	struct tn_path *crossed = tn_path_with_under(path, under);

	tn_path_put(path);
	tn_name_set_list(n, list);
	if (!crossed)
		return false;
	tn_name_set_path(n, crossed);
	tn_name_set_chan(&n->w.cur, tn_chan_get(under));
	return true;
}

/* Crosses the mount point at cur, if it is one and was not just crossed. false: no memory. */
bool tn_name_cross_here(struct tn_name *n)
{
	struct tn_chan *cur = n->w.cur, *under;
	struct tn_members *list;

	if (n->w.list)
		return true;
	list = tn_name_mounted_at(n, cur->server, cur->qid.path, &under);
	return !list || tn_name_cross(n, tn_path_get(n->w.path), under, list);
}

/* What stands at cur for whoever looks: the first member, or the file itself. */
struct tn_chan *tn_name_shown(const struct tn_name *n)
{
	return n->w.list ? n->w.list->m[0].to : n->w.cur;
}

void tn_name_saw(struct tn_name *n, uint32_t i, struct tn_server *server, const struct tn_qid *qid,
    const struct tn_members *list)
{
	if (!n->seen)
		return;
	if (list) {
		server = list->m[0].to->server;
		qid = &list->m[0].to->qid;
	}
	n->seen(n, i, server, qid);
}

static enum next (*const steps[])(struct tn_name *) = {
	[START] = tn_name_do_start,
	[ATTACHED] = tn_name_do_attached,
	[NEXT] = tn_name_do_next,
	[TRY] = tn_name_do_try,
	[WALKED] = tn_name_do_walked,
	[LINKED] = tn_name_do_linked,
	[WENT_UP] = tn_name_do_went_up,
	[LAST] = tn_name_do_last,
	[CLONED] = tn_name_do_cloned,
	[OPEN] = tn_name_do_open,
	[OPENED] = tn_name_do_opened,
	[MAKE] = tn_name_do_make,
	[CREATE] = tn_name_do_create,
	[CREATED] = tn_name_do_created,
};

/* Whether the resolution has ended. */
static bool run(struct tn_name *n)
{
	enum next what;

	do {
		what = steps[n->w.step](n);
	} while (what == GO);
	if (what == WAIT)
		return false;
	drop(n);
	return true;
}

/* ---- the request's owner ---- */

static struct tn_name *name_of(struct tn_req *r)
{
	return (struct tn_name *)((char *)r - offsetof(struct tn_name, req));
}

static void name_done(struct tn_req *r)
{
	struct tn_name *n = name_of(r);

	if (run(n))
		n->done(n);
}

/* The server wants to wait: the name moves to where it stays, and what points into it follows. */
static bool name_keep(struct tn_req *r)
{
	struct tn_name *n = name_of(r);

	if (!n->keep || n->w.kept)
		return true;
	if (!n->keep(n))
		return false;
	n->w.kept = true;
	if (r->type == TN_WALK && n->w.step == WALKED)
		tn_name_gather(n, n->w.n_names);
	if (r->type == TN_ATTACH)
		r->u.attach.aname.s = n->name.s + n->w.spec_at;
	if (r->type == TN_CREATE) {
		tn_name_gather(n, 1);
		r->u.create.name = n->w.names[0];
	}
	return true;
}

static const struct tn_owner name_owner = { .done = name_done, .keep = name_keep };

/* ---- public ---- */

enum tn_status tn_name_start(struct tn_name *n)
{
	memset(&n->w, 0, sizeof(n->w));
	n->w.ns = tn_ns_get(n->proc->ns);
	return run(n) ? TN_DONE : TN_LATER;
}

void tn_name_flush(struct tn_name *n)
{
	n->w.flushed = true;
	tn_flush(&n->req);
}

void tn_name_fini(struct tn_name *n)
{
	tn_name_set_chan(&n->chan, NULL);
	tn_name_set_chan(&n->dir, NULL);
	tn_name_set_chan(&n->link, NULL);
	tn_path_put(n->path);
	tn_members_put(n->members);
	tn_free(n->words);
	n->path = NULL;
	n->members = NULL;
	n->words = NULL;
}
