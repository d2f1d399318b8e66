/*
 * From element to element of a name: runs of them in one walk, cut where something is mounted, and symbolic links.
 */
#include "core/name_in.h"

static const struct tn_str dot_dot = { "..", 2 };

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
		return tn_name_fail(n, TN_ENODEV);
	if (tn_ns_forbids(n->w.ns) && !row->allowed)
		return tn_name_fail(n, TN_ENOATTACH);
	err = row->instance(n->proc, spec, &server);
	if (err != TN_OK)
		return tn_name_fail(n, err);
	n->no_cross = true;
	n->w.at = dev.len + 1;
	n->w.spec_at = n->w.at - spec.len;
	n->w.path = tn_path_root((struct tn_str){ n->name.s, dev.len + 1 });
	n->w.next = tn_chan_new(server, n->proc->user);
	tn_server_put(server);
	if (!n->w.path || !n->w.next)
		return tn_name_fail(n, TN_ENOMEM);
	tn_name_request(n, TN_ATTACH, NULL);
	n->req.server = server;
	n->req.u.attach.newchan = n->w.next;
	n->req.u.attach.aname = spec;
	n->req.u.attach.n_uname = n->proc->user ? n->proc->user->uid : TN_NONUNAME;
	if (n->proc->user)
		n->req.u.attach.uname = (struct tn_str){ n->proc->user->name, n->proc->user->len };
	return tn_name_send(n, ATTACHED);
}

enum next tn_name_do_start(struct tn_name *n)
{
	enum tn_err err = tn_name_check(n);
	struct tn_chan *c = n->from;

	if (err != TN_OK)
		return tn_name_fail(n, err);
	n->w.must_dir = !n->elems && tn_ends_as_dir(n->name);
	if (n->want == TN_FOR_CREATE && n->w.must_dir && !(n->perm & TN_DMDIR))
		return tn_name_fail(n, TN_ENEEDDIR);
	if (!c && n->name.s[0] == '#')
		return start_device(n);
	if (!c)
		c = n->name.s[0] == '/' ? n->proc->slash : n->proc->dot;
	n->w.top = tn_chan_get(!n->from ? n->proc->slash : n->root ? n->root : n->from);
	n->w.cur = tn_chan_get(c);
	n->w.path = tn_path_get(c->path);
	return tn_name_go(n, NEXT);
}

enum next tn_name_do_attached(struct tn_name *n)
{
	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	n->w.cur = n->w.next;
	n->w.cur->path = tn_path_get(n->w.path);
	n->w.top = tn_chan_get(n->w.cur);
	n->w.next = NULL;
	return tn_name_go(n, NEXT);
}

/* An element of the name was walked, not one of a link's target: what stands at cur now is seen. */
static void count(struct tn_name *n)
{
	struct tn_members *list;

	if (n->seen) {
		list = tn_name_mounted_at(n, n->w.cur->server, n->w.cur->qid.path, NULL);
		tn_name_saw(n, n->n_good, n->w.cur->server, &n->w.cur->qid, list);
		tn_members_put(list);
	}
	n->n_good++;
}

/* Stands at cur under the name `path`, both taken; the element at `at` was a "..". */
static enum next stand(struct tn_name *n, struct tn_chan *cur, struct tn_path *path, uint32_t at)
{
	n->w.at = at;
	tn_name_set_chan(&n->w.cur, cur);
	tn_name_set_path(n, path);
	if (n->w.link_len == 0)
		count(n);
	return tn_name_go(n, NEXT);
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
			return tn_name_fail(n, TN_ENOMEM);
		return stand(n, tn_chan_get(path->up->under), bare, at);
	}
	n->w.run_at = n->w.at;
	n->w.at = at;
	n->w.names[0] = dot_dot;
	return tn_name_walk(n, n->w.cur, 1, WENT_UP);
}

enum next tn_name_do_went_up(struct tn_name *n)
{
	struct tn_chan *c = n->w.next;

	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	n->w.next = NULL;
	return stand(n, c, tn_path_get(n->w.path->up), n->w.at);
}

enum next tn_name_do_next(struct tn_name *n)
{
	uint32_t at = n->w.at;
	struct tn_str e;

	if (n->w.link_len > 0 && tn_name_link_done(n)) {
		n->w.link_len = 0;
		count(n);
	}
	if (!tn_name_take(n, &at, &e))
		return tn_name_go(n, LAST);
	if (!tn_chan_is_dir(tn_name_shown(n)))
		return tn_name_fail(n, TN_ENOTDIR);
	if (tn_is_dot_dot(e))
		return go_up(n, at);
	if (!tn_name_cross_here(n))
		return tn_name_fail(n, TN_ENOMEM);
	n->w.looking = n->want == TN_FOR_CREATE && !tn_name_has_more(n, at);
	n->w.run_at = n->w.at;
	n->w.n_names = tn_name_gather(n, TN_WNAME_MAX);
	n->w.member = 0;
	n->w.missed = TN_OK;
	return tn_name_go(n, TRY);
}

static struct tn_chan *tried(const struct tn_name *n)
{
	return n->w.list ? n->w.list->m[n->w.member].to : n->w.cur;
}

enum next tn_name_do_try(struct tn_name *n)
{
	return tn_name_walk(n, tried(n), n->w.n_names, WALKED);
}

/* The member has not the first name of the run, or cannot be walked. */
static enum next missed(struct tn_name *n)
{
	enum tn_err err = (enum tn_err)n->req.err;
	bool down = tn_err_is_down(err);

	if (err == TN_EINTR || err == TN_ENOMEM)
		return tn_name_fail_as_said(n);
	if (down && !(tried(n)->server->flags & TN_SF_DOWN_SKIP))
		return tn_name_fail_as_said(
		    n); /* another file under the same name would be a lie */
	if (!down)
		n->w.missed = (uint16_t)err;
	if (n->w.list && ++n->w.member < n->w.list->n)
		return tn_name_go(n, TRY);
	if (n->w.looking)
		return tn_name_go(n, MAKE);
	if (down && n->w.missed != TN_OK)
		return tn_name_fail(n, (enum tn_err)n->w.missed);
	return tn_name_fail_as_said(n);
}

/* Name i of the run, and not its last, is a mount point: what was walked behind it is another's. */
static enum next cut(struct tn_name *n, uint32_t i, struct tn_chan *under, struct tn_members *list)
{
	enum tn_err err;
	struct tn_path *path = tn_name_path_behind(n, i + 1, &err);

	if (!path) {
		tn_members_put(list);
		return tn_name_fail(n, err);
	}
	tn_name_set_chan(&n->w.next, NULL);
	if (!tn_name_cross(n, path, under, list))
		return tn_name_fail(n, TN_ENOMEM);
	tn_name_advance(n, i + 1);
	return tn_name_go(n, NEXT);
}

/* The whole run was walked. */
static enum next arrived(struct tn_name *n)
{
	enum tn_err err;
	struct tn_path *path = tn_name_path_behind(n, n->w.n_names, &err);

	if (!path)
		return tn_name_fail(n, err);
	tn_name_set_path(n, path);
	tn_name_set_chan(&n->dir, n->w.n_names == 1 ? tn_chan_get(tried(n)) : NULL);
	tn_name_set_chan(&n->w.cur, n->w.next);
	n->w.next = NULL;
	tn_name_set_list(n, NULL);
	tn_name_advance(n, n->w.n_names);
	return tn_name_go(n, NEXT);
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
		return tn_name_go(n, TRY);
	}
	if (!n->w.target)
		n->w.target = tn_alloc(TN_LINK_BYTES_MAX);
	if (!n->w.target)
		return tn_name_fail(n, TN_ENOMEM);
	tn_name_request(n, TN_READLINK, n->w.next);
	n->req.u.readlink.buf = n->w.target;
	n->req.u.readlink.size = TN_LINK_BYTES_MAX;
	return tn_name_send(n, LINKED);
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
	n->w.next->path = tn_name_path_behind(n, 1, &err);
	if (n->w.next->path)
		n->link = tn_chan_get(n->w.next);
	return err;
}

/* From the directory that the link is in, or from the top, the name goes on with the target. */
enum next tn_name_do_linked(struct tn_name *n)
{
	struct tn_str target = { n->w.target, n->req.u.readlink.len };
	enum tn_err err;

	if (n->req.err == TN_ENOTSUP)
		return arrived(
		    n); /* a server that has links and does not tell: then it is a file */
	if (n->req.err != TN_OK)
		return tn_name_fail_as_said(n);
	err = keep_link(n);
	if (err == TN_OK)
		err = tn_name_splice(n, target);
	if (err != TN_OK)
		return tn_name_fail(n, err);
	tn_name_set_chan(&n->w.next, NULL);
	if (target.s[0] == '/') {
		tn_name_set_list(n, NULL);
		tn_name_set_chan(&n->w.cur, tn_chan_get(n->w.top));
		tn_name_set_path(n, tn_path_get(n->w.top->path));
	}
	return tn_name_go(n, NEXT);
}

enum next tn_name_do_walked(struct tn_name *n)
{
	struct tn_server *server = tried(n)->server;
	uint16_t n_walked = n->req.u.walk.n_walked;
	struct tn_chan *under;

	if (n->req.err != TN_OK)
		return missed(n);
	if (n_walked == 0 || n_walked > n->w.n_names)
		return tn_name_fail(n, TN_EIO);
	for (uint16_t i = 0; i < n_walked; i++) {
		const struct tn_qid *qid = &n->w.qids[i];
		struct tn_members *list = tn_name_mounted_at(n, server, qid->path, &under);

		if (!list && is_link(n, i))
			return meet_link(n, i);
		if (n->w.link_len == 0)
			tn_name_saw(n, n->n_good + i, server, qid, list);
		if (list && i + 1 < n->w.n_names)
			return cut(n, i, under, list);
		tn_members_put(list);
	}
	if (n_walked == n->w.n_names)
		return arrived(n);
	if (!(n->w.qids[n_walked - 1].type & TN_QTDIR)) {
		n->n_good += n->w.link_len == 0 ? n_walked : 0;
		return tn_name_fail(n, TN_ENOTDIR);
	}
	/* A server says why only of the first name: stand before the one that failed and ask again. */
	n->w.n_names = n_walked;
	return tn_name_go(n, TRY);
}
