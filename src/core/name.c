/*
 * Resolving names. A resolution is a row of steps, each a function that looks at the last answer and either goes on,
 * sends the next request, or ends; `run` turns them in a loop, from tn_name_start and again from each answer that came
 * later. It holds: cur, where it is, and path, the name of that. After crossing, list is what is mounted there and
 * cur what lies under it; the next element is looked for in the members of list and in nothing else (crossing happens
 * once). A Chan that this resolution made has no path until it is given out: so one sees that it is nobody else's.
 */
#include "core/name.h"

#include "core/element.h"
#include "core/mem.h"
#include "core/server.h"
#include "core/union.h"

enum next { GO, WAIT, END };

enum step {
	START,    /* nothing done */
	ATTACHED, /* the device has answered */
	NEXT,     /* at cur; go on with the next elements */
	TRY,      /* walk the run in the member that is next to be tried */
	WALKED,   /* the answer to that */
	LINKED,   /* what the symbolic link says that was walked to */
	WENT_UP,  /* the answer to a walk of ".." */
	LAST,     /* at cur, and there are no more elements */
	CLONED,   /* the answer to a walk of no names for TARGET and REMOVE */
	OPEN,     /* the answer to the same for OPEN, or none was needed: next is to be opened */
	OPENED,
	MAKE, /* CREATE: it is not there */
	CREATE, /* the answer to a walk of no names for it, or none was needed: next is the directory */
	CREATED
};

static const struct tn_str dot_dot = { "..", 2 };

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

static enum next fail(struct tn_name *n, enum tn_err err)
{
	n->err = err;
	return END;
}

/* The last request's error, with the server's words. */
static enum next fail_as_said(struct tn_name *n)
{
	n->err = (enum tn_err)n->req.err;
	n->words = n->req.words;
	n->req.words = NULL;
	return END;
}

static enum next go(struct tn_name *n, enum step step)
{
	n->w.step = (uint8_t)step;
	return GO;
}

static void set_chan(struct tn_chan **at, struct tn_chan *c)
{
	struct tn_chan *old = *at;

	*at = c;
	tn_chan_put(old);
}

static void set_path(struct tn_name *n, struct tn_path *path)
{
	struct tn_path *old = n->w.path;

	n->w.path = path;
	tn_path_put(old);
}

static void set_list(struct tn_name *n, struct tn_members *list)
{
	struct tn_members *old = n->w.list;

	n->w.list = list;
	tn_members_put(old);
}

/* The answer: c, taken, under the name w.path. */
static enum next give(struct tn_name *n, struct tn_chan *c)
{
	if (!c->path)
		c->path = tn_path_get(n->w.path);
	n->chan = c;
	n->path = tn_path_get(n->w.path);
	return END;
}

static void drop(struct tn_name *n)
{
	set_chan(&n->w.cur, NULL);
	set_chan(&n->w.next, NULL);
	set_path(n, NULL);
	set_chan(&n->w.top, NULL);
	set_list(n, NULL);
	tn_free(n->w.text);
	tn_free(n->w.target);
	n->w.text = n->w.target = NULL;
	tn_ns_put(n->w.ns);
	n->w.ns = NULL;
	tn_req_reset(&n->req);
}

/* ---- requests ---- */

static const struct tn_owner name_owner;

static void request(struct tn_name *n, enum tn_req_type type, struct tn_chan *c)
{
	tn_req_reset(&n->req);
	tn_req_init(&n->req, type, c, &name_owner);
	if (n->user || n->proc->user)
		n->req.user = n->user ? n->user : n->proc->user;
	n->req.flags = n->flags & TN_OF_NOFOLLOW;
	n->req.deadline_ns = n->deadline_ns;
	n->req.pid = n->pid;
}

static enum next send(struct tn_name *n, enum step then)
{
	n->w.step = (uint8_t)then;
	if (n->w.flushed)
		return fail(n, TN_EINTR);
	return tn_submit(&n->req) == TN_DONE ? GO : WAIT;
}

/* Walks w.names from base to w.next. */
static enum next walk(struct tn_name *n, struct tn_chan *base, uint16_t n_names, enum step then)
{
	set_chan(&n->w.next, tn_chan_new(base->server, base->user));
	if (!n->w.next)
		return fail(n, TN_ENOMEM);
	request(n, TN_WALK, base);
	if (n->follow)
		n->req.flags |= TN_OF_NOFOLLOW; /* links are followed here, by the name space */
	n->req.u.walk.names = n->w.names;
	n->req.u.walk.qids = n->w.qids;
	n->req.u.walk.newchan = n->w.next;
	n->req.u.walk.n_names = n_names;
	return send(n, then);
}

static bool is_private(const struct tn_chan *c)
{
	return c->path == NULL;
}

/* ---- paths ---- */

/* w.path with k names of the run behind it; NULL, and *err says why. Counted. */
static struct tn_path *path_behind(struct tn_name *n, uint32_t k, enum tn_err *err)
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

static bool is_same_path(const struct tn_path *a, const struct tn_path *b)
{
	for (; a != b; a = a->up, b = b->up) {
		if (!a || !b || a->depth != b->depth || a->under != b->under || a->len != b->len ||
		    memcmp(a->name, b->name, a->len) != 0)
			return false;
	}
	return true;
}

/* ---- mount points ---- */

static struct tn_members *mounted_at(struct tn_name *n, const struct tn_server *server,
    uint64_t path, struct tn_chan **under)
{
	if (n->no_cross)
		return NULL;
	return tn_ns_find_at(n->w.ns, server, path, under, &n->w.serial);
}

/* Stands at the mount point `path` (taken), under which `under` lies, with `list` (taken) on it. */
static bool cross(struct tn_name *n, struct tn_path *path, struct tn_chan *under,
    struct tn_members *list)
{
	struct tn_path *crossed = tn_path_with_under(path, under);

	tn_path_put(path);
	set_list(n, list);
	if (!crossed)
		return false;
	set_path(n, crossed);
	set_chan(&n->w.cur, tn_chan_get(under));
	return true;
}

/* Crosses the mount point at cur, if it is one and was not just crossed. false: no memory. */
static bool cross_here(struct tn_name *n)
{
	struct tn_chan *cur = n->w.cur, *under;
	struct tn_members *list;

	if (n->w.list)
		return true;
	list = mounted_at(n, cur->server, cur->qid.path, &under);
	return !list || cross(n, tn_path_get(n->w.path), under, list);
}

/* What stands at cur for whoever looks: the first member, or the file itself. */
static struct tn_chan *shown(const struct tn_name *n)
{
	return n->w.list ? n->w.list->m[0].to : n->w.cur;
}

static void saw(struct tn_name *n, uint32_t i, struct tn_server *server, const struct tn_qid *qid,
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

/* ---- the steps ---- */

static enum next start_device(struct tn_name *n)
{
	const struct tn_device_row *row;
	struct tn_str dev = { n->name.s + 1, 0 }, spec;
	struct tn_server *server;
	enum tn_err err;

	/* A slash right behind the `#` belongs to the device. */
	while (dev.len + 1 < n->name.len && (dev.len == 0 || dev.s[dev.len] != '/'))
		dev.len++;
	row = tn_device_find(n->proc->node, dev, &spec);
	if (!row)
		return fail(n, TN_ENODEV);
	if (tn_ns_forbids(n->w.ns) && !row->allowed)
		return fail(n, TN_ENOATTACH);
	err = row->instance(n->proc, spec, &server);
	if (err != TN_OK)
		return fail(n, err);
	n->no_cross = true;
	n->w.at = dev.len + 1;
	n->w.spec_at = n->w.at - spec.len;
	n->w.path = tn_path_root((struct tn_str){ n->name.s, dev.len + 1 });
	n->w.next = tn_chan_new(server, n->proc->user);
	tn_server_put(server);
	if (!n->w.path || !n->w.next)
		return fail(n, TN_ENOMEM);
	request(n, TN_ATTACH, NULL);
	n->req.server = server;
	n->req.u.attach.newchan = n->w.next;
	n->req.u.attach.aname = spec;
	n->req.u.attach.n_uname = n->proc->user ? n->proc->user->uid : TN_NONUNAME;
	if (n->proc->user)
		n->req.u.attach.uname = (struct tn_str){ n->proc->user->name, n->proc->user->len };
	return send(n, ATTACHED);
}

static enum next start(struct tn_name *n)
{
	enum tn_err err = tn_name_check(n);
	struct tn_chan *c = n->from;

	if (err != TN_OK)
		return fail(n, err);
	n->w.must_dir = !n->elems && tn_ends_as_dir(n->name);
	if (n->want == TN_FOR_CREATE && n->w.must_dir && !(n->perm & TN_DMDIR))
		return fail(n, TN_ENEEDDIR);
	if (!c && n->name.s[0] == '#')
		return start_device(n);
	if (!c)
		c = n->name.s[0] == '/' ? n->proc->slash : n->proc->dot;
	n->w.top = tn_chan_get(!n->from ? n->proc->slash : n->root ? n->root : n->from);
	n->w.cur = tn_chan_get(c);
	n->w.path = tn_path_get(c->path);
	return go(n, NEXT);
}

static enum next attached(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return fail_as_said(n);
	n->w.cur = n->w.next;
	n->w.cur->path = tn_path_get(n->w.path);
	n->w.top = tn_chan_get(n->w.cur);
	n->w.next = NULL;
	return go(n, NEXT);
}

/* An element of the name was walked, not one of a link's target: what stands at cur now is seen. */
static void count(struct tn_name *n)
{
	struct tn_members *list;

	if (n->seen) {
		list = mounted_at(n, n->w.cur->server, n->w.cur->qid.path, NULL);
		saw(n, n->n_good, n->w.cur->server, &n->w.cur->qid, list);
		tn_members_put(list);
	}
	n->n_good++;
}

/* Stands at cur under the name `path`, both taken; the element at `at` was a "..". */
static enum next stand(struct tn_name *n, struct tn_chan *cur, struct tn_path *path, uint32_t at)
{
	n->w.at = at;
	set_chan(&n->w.cur, cur);
	set_path(n, path);
	if (n->w.link_len == 0)
		count(n);
	return go(n, NEXT);
}

/* namespace-semantics.md 5: by the way back if the element that is last then crossed a mount point, else at the server. */
static enum next go_up(struct tn_name *n, uint32_t at)
{
	struct tn_path *path = n->w.path, *bare;

	if (path->depth <= (n->from ? n->root_depth : 0))
		return stand(n, tn_chan_get(n->w.cur), tn_path_get(path), at);
	if (path->up->under && !n->no_cross) {
		bare = tn_path_with_under(path->up, NULL);
		if (!bare)
			return fail(n, TN_ENOMEM);
		return stand(n, tn_chan_get(path->up->under), bare, at);
	}
	n->w.run_at = n->w.at;
	n->w.at = at;
	n->w.names[0] = dot_dot;
	return walk(n, n->w.cur, 1, WENT_UP);
}

static enum next went_up(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;

	if (n->req.err != TN_OK)
		return fail_as_said(n);
	n->w.next = NULL;
	return stand(n, c, tn_path_get(n->w.path->up), n->w.at);
}

static enum next next(struct tn_name *n)
{
	uint32_t at = n->w.at;
	struct tn_str e;

	if (n->w.link_len > 0 && tn_name_link_done(n)) {
		n->w.link_len = 0;
		count(n);
	}
	if (!tn_name_take(n, &at, &e))
		return go(n, LAST);
	if (!tn_chan_is_dir(shown(n)))
		return fail(n, TN_ENOTDIR);
	if (tn_is_dot_dot(e))
		return go_up(n, at);
	if (!cross_here(n))
		return fail(n, TN_ENOMEM);
	n->w.looking = n->want == TN_FOR_CREATE && !tn_name_has_more(n, at);
	n->w.run_at = n->w.at;
	n->w.n_names = tn_name_gather(n, TN_WNAME_MAX);
	n->w.member = 0;
	n->w.missed = TN_OK;
	return go(n, TRY);
}

static struct tn_chan *tried(const struct tn_name *n)
{
	return n->w.list ? n->w.list->m[n->w.member].to : n->w.cur;
}

static enum next try(struct tn_name *n)
{
	return walk(n, tried(n), n->w.n_names, WALKED);
}

/* The member has not the first name of the run, or cannot be walked. */
static enum next missed(struct tn_name *n)
{
	enum tn_err err = (enum tn_err)n->req.err;
	bool down = tn_err_is_down(err);

	if (err == TN_EINTR || err == TN_ENOMEM)
		return fail_as_said(n);
	if (down && !(tried(n)->server->flags & TN_SF_DOWN_SKIP))
		return fail_as_said(n); /* another file under the same name would be a lie */
	if (!down)
		n->w.missed = (uint16_t)err;
	if (n->w.list && ++n->w.member < n->w.list->n)
		return go(n, TRY);
	if (n->w.looking)
		return go(n, MAKE);
	if (down && n->w.missed != TN_OK)
		return fail(n, (enum tn_err)n->w.missed);
	return fail_as_said(n);
}

/* Name i of the run, and not its last, is a mount point: what was walked behind it is another's. */
static enum next cut(struct tn_name *n, uint32_t i, struct tn_chan *under, struct tn_members *list)
{
	enum tn_err err;
	struct tn_path *path = path_behind(n, i + 1, &err);

	if (!path) {
		tn_members_put(list);
		return fail(n, err);
	}
	set_chan(&n->w.next, NULL);
	if (!cross(n, path, under, list))
		return fail(n, TN_ENOMEM);
	tn_name_advance(n, i + 1);
	return go(n, NEXT);
}

/* The whole run was walked. */
static enum next arrived(struct tn_name *n)
{
	enum tn_err err;
	struct tn_path *path = path_behind(n, n->w.n_names, &err);

	if (!path)
		return fail(n, err);
	set_path(n, path);
	set_chan(&n->dir, n->w.n_names == 1 ? tn_chan_get(tried(n)) : NULL);
	set_chan(&n->w.cur, n->w.next);
	n->w.next = NULL;
	set_list(n, NULL);
	tn_name_advance(n, n->w.n_names);
	return go(n, NEXT);
}

/* ---- symbolic links ---- */

/* Is name i of the run a link to be followed? The last of the name is not, if it is to be removed, or made anew. */
static bool is_link(const struct tn_name *n, uint16_t i)
{
	struct tn_str e;
	uint32_t at = n->w.run_at;

	if (!n->follow || !(n->w.qids[i].type & TN_QTSYMLINK))
		return false;
	for (uint16_t k = 0; k <= i; k++)
		tn_name_take(n, &at, &e);
	if (n->w.must_dir || tn_name_has_more(n, at))
		return true;
	return n->want != TN_FOR_REMOVE && !(n->want == TN_FOR_CREATE && (n->flags & TN_OF_EXCL));
}

/* Stands in the link's directory first, then at the link alone, then asks it where it leads. */
static enum next meet_link(struct tn_name *n, uint16_t i)
{
	if (i > 0 || n->w.n_names > 1) {
		n->w.n_names = i > 0 ? i : 1;
		return go(n, TRY);
	}
	if (!n->w.target)
		n->w.target = tn_alloc(TN_LINK_BYTES_MAX);
	if (!n->w.target)
		return fail(n, TN_ENOMEM);
	request(n, TN_READLINK, n->w.next);
	n->req.u.readlink.buf = n->w.target;
	n->req.u.readlink.size = TN_LINK_BYTES_MAX;
	return send(n, LINKED);
}

/* The link that is the whole name's last element, not one on the way from there. Its name is its own. */
static enum tn_err keep_link(struct tn_name *n)
{
	struct tn_str e;
	uint32_t at = n->w.run_at;
	enum tn_err err = TN_OK;

	tn_name_take(n, &at, &e);
	if (n->link || n->w.link_len > 0 || tn_name_has_more(n, at))
		return TN_OK;
	n->w.next->path = path_behind(n, 1, &err);
	if (n->w.next->path)
		n->link = tn_chan_get(n->w.next);
	return err;
}

/* From the directory that the link is in, or from the top, the name goes on with the target. */
static enum next linked(struct tn_name *n)
{
	struct tn_str target = { n->w.target, n->req.u.readlink.len };
	enum tn_err err;

	if (n->req.err == TN_ENOTSUP)
		return arrived(
		    n); /* a server that has links and does not tell: then it is a file */
	if (n->req.err != TN_OK)
		return fail_as_said(n);
	err = keep_link(n);
	if (err == TN_OK)
		err = tn_name_splice(n, target);
	if (err != TN_OK)
		return fail(n, err);
	set_chan(&n->w.next, NULL);
	if (target.s[0] == '/') {
		set_list(n, NULL);
		set_chan(&n->w.cur, tn_chan_get(n->w.top));
		set_path(n, tn_path_get(n->w.top->path));
	}
	return go(n, NEXT);
}

static enum next walked(struct tn_name *n)
{
	struct tn_server *server = tried(n)->server;
	uint16_t n_walked = n->req.u.walk.n_walked;
	struct tn_chan *under;

	if (n->req.err != TN_OK)
		return missed(n);
	if (n_walked == 0 || n_walked > n->w.n_names)
		return fail(n, TN_EIO);
	for (uint16_t i = 0; i < n_walked; i++) {
		const struct tn_qid *qid = &n->w.qids[i];
		struct tn_members *list = mounted_at(n, server, qid->path, &under);

		if (!list && is_link(n, i))
			return meet_link(n, i);
		if (n->w.link_len == 0)
			saw(n, n->n_good + i, server, qid, list);
		if (list && i + 1 < n->w.n_names)
			return cut(n, i, under, list);
		tn_members_put(list);
	}
	if (n_walked == n->w.n_names)
		return arrived(n);
	if (!(n->w.qids[n_walked - 1].type & TN_QTDIR)) {
		n->n_good += n->w.link_len == 0 ? n_walked : 0;
		return fail(n, TN_ENOTDIR);
	}
	/* A server says why only of the first name: stand before the one that failed and ask again. */
	n->w.n_names = n_walked;
	return go(n, TRY);
}

/* ---- at the end of the name ---- */

static enum next end_target(struct tn_name *n)
{
	struct tn_chan *c = n->w.cur;

	if (is_private(c) || is_same_path(c->path, n->w.path))
		return give(n, tn_chan_get(c));
	return walk(n, c, 0, CLONED);
}

static enum next end_access(struct tn_name *n)
{
	if (!cross_here(n))
		return fail(n, TN_ENOMEM);
	n->is_mount = n->w.list != NULL;
	if (n->w.list)
		n->members = tn_members_get(n->w.list);
	return give(n, tn_chan_get(shown(n)));
}

static enum next end_remove(struct tn_name *n)
{
	struct tn_chan *c = n->w.cur;
	struct tn_members *list = mounted_at(n, c->server, c->qid.path, NULL);

	if (list) {
		tn_members_put(list);
		n->is_mount = true;
		return fail(n, TN_EISMOUNT);
	}
	if (is_private(c))
		return give(n, tn_chan_get(c));
	return walk(n, c, 0, CLONED);
}

static enum next cloned(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;

	if (n->req.err != TN_OK)
		return fail_as_said(n);
	n->w.next = NULL;
	return give(n, c);
}

static enum next end_open(struct tn_name *n)
{
	if (!cross_here(n))
		return fail(n, TN_ENOMEM);
	if (tn_chan_is_dir(shown(n)) && (n->flags & TN_OF_ACCESS) == TN_OEXEC)
		return fail(n, TN_EEXECDIR);
	n->req.err = TN_OK;
	if (n->w.list || !is_private(n->w.cur))
		return walk(n, shown(n), 0, OPEN);
	set_chan(&n->w.next, tn_chan_get(n->w.cur));
	return go(n, OPEN);
}

static enum next end_create(struct tn_name *n)
{
	if (n->n_good == 0 || (n->flags & TN_OF_EXCL))
		return fail(n, TN_EEXIST);
	n->existed = true;
	return end_open(n);
}

static enum next last(struct tn_name *n)
{
	static enum next (*const end[])(struct tn_name *) = {
		[TN_FOR_TARGET] = end_target,
		[TN_FOR_ACCESS] = end_access,
		[TN_FOR_REMOVE] = end_remove,
		[TN_FOR_OPEN] = end_open,
		[TN_FOR_CREATE] = end_create,
	};

	if (n->w.must_dir && !tn_chan_is_dir(n->w.cur))
		return fail(n, TN_ENOTDIR);
	return end[n->want](n);
}

static enum next open(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return fail_as_said(n);
	request(n, TN_OPEN, n->w.next);
	n->req.flags = n->flags & ~(uint32_t)TN_OF_EXCL;
	if (n->existed)
		n->req.flags |= TN_OF_TRUNC;
	return send(n, OPENED);
}

static enum next opened(struct tn_name *n)
{
	struct tn_chan *c = n->w.next, *under = NULL;

	if (n->req.err != TN_OK)
		return fail_as_said(n);
	n->iounit = n->req.u.open.iounit;
	if (!c->path)
		c->path = tn_path_get(n->w.path);
	if (n->w.list && n->w.list->n > 1)
		under = n->w.cur;
	if (tn_union_wants(n->w.ns, c, under, n->plain_listing || n->no_cross) ||
	    (n->wrap_listing && tn_chan_is_dir(c))) {
		c = tn_union_open(n->w.ns, c, under, n->w.serial, !n->plain_listing);
		if (!c)
			return fail(n, TN_ENOMEM);
		return give(n, c);
	}
	n->w.next = NULL;
	return give(n, c);
}

/* namespace-semantics.md 7: in the first member with MCREATE; that one's refusal is the answer. */
static enum next make(struct tn_name *n)
{
	const struct tn_members *list = n->w.list;
	uint32_t i = 0;

	n->req.err = TN_OK;
	if (!list && is_private(n->w.cur)) {
		set_chan(&n->w.next, tn_chan_get(n->w.cur));
		return go(n, CREATE);
	}
	while (list && i < list->n && !(list->m[i].flags & TN_CREATE_HERE))
		i++;
	if (list && i == list->n)
		return fail(n, TN_ENOCREATE);
	return walk(n, list ? list->m[i].to : n->w.cur, 0, CREATE);
}

static enum next create(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return fail_as_said(n);
	tn_name_gather(n, 1);
	request(n, TN_CREATE, n->w.next);
	n->req.flags = n->flags;
	n->req.u.create.name = n->w.names[0];
	n->req.u.create.perm = n->perm;
	n->req.u.create.gid = n->has_gid ? n->gid : TN_NONUNAME;
	return send(n, CREATED);
}

static enum next created(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;
	struct tn_path *path;
	enum tn_err err = (enum tn_err)n->req.err;

	/* Somebody else made it meanwhile: then it is there to be opened. Once. */
	if (err == TN_EEXIST && !(n->flags & TN_OF_EXCL) && !n->w.again) {
		n->w.again = true;
		n->w.member = 0;
		return go(n, TRY);
	}
	if (err != TN_OK)
		return fail_as_said(n);
	n->iounit = n->req.u.create.iounit;
	path = path_behind(n, 1, &err);
	if (!path)
		return fail(n, err);
	set_path(n, path);
	n->n_good++;
	n->w.next = NULL;
	return give(n, c);
}

static enum next (*const steps[])(struct tn_name *) = {
	[START] = start,
	[ATTACHED] = attached,
	[NEXT] = next,
	[TRY] = try,
	[WALKED] = walked,
	[LINKED] = linked,
	[WENT_UP] = went_up,
	[LAST] = last,
	[CLONED] = cloned,
	[OPEN] = open,
	[OPENED] = opened,
	[MAKE] = make,
	[CREATE] = create,
	[CREATED] = created,
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
	set_chan(&n->chan, NULL);
	set_chan(&n->dir, NULL);
	set_chan(&n->link, NULL);
	tn_path_put(n->path);
	tn_members_put(n->members);
	tn_free(n->words);
	n->path = NULL;
	n->members = NULL;
	n->words = NULL;
}
