/*
 * #root. Nodes come and never go, so a Chan needs nothing but its qid: the path is the node's number, 0 the root, and
 * children have rising numbers, which are their offsets in listings.
 */
#include "fs/root.h"

#include "core/chan.h"
#include "core/mem.h"

enum { NAME_MAX_BYTES = 255, NONE = 0 };

struct node {
	uint32_t up, first, last,
	    next; /* numbers: parent, children, the next child of the parent; 0: none */
	bool is_dir;
	uint8_t len;
	char name[];
};

struct root {
	struct tn_server s; /* first: a server is its root */
	struct node **nodes;
	uint32_t n, size;
	int64_t made_ns;
};

static struct root *root_of(const struct tn_server *s)
{
	return (struct root *)s;
}

static uint32_t number_of(const struct tn_chan *c)
{
	return (uint32_t)c->qid.path;
}

static struct tn_qid qid_of(const struct root *t, uint32_t i)
{
	return (struct tn_qid){ .path = i, .type = t->nodes[i]->is_dir ? TN_QTDIR : TN_QTFILE };
}

/* The child of that name, or NONE. */
static uint32_t find(const struct root *t, uint32_t dir, struct tn_str name)
{
	uint32_t i = t->nodes[dir]->first;

	while (i != NONE &&
	       (t->nodes[i]->len != name.len || memcmp(t->nodes[i]->name, name.s, name.len) != 0))
		i = t->nodes[i]->next;
	return i;
}

/* ---- the operations ---- */

static enum tn_status root_attach(struct tn_req *r)
{
	if (r->u.attach.aname.len > 1 ||
	    (r->u.attach.aname.len == 1 && r->u.attach.aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	r->u.attach.newchan->qid = qid_of(root_of(r->server), 0);
	return TN_DONE;
}

static bool walk_one(const struct root *t, uint32_t *at, struct tn_str name)
{
	uint32_t to;

	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.') {
		*at = t->nodes[*at]->up;
		return true;
	}
	to = find(t, *at, name);
	if (to == NONE)
		return false;
	*at = to;
	return true;
}

static enum tn_status root_walk(struct tn_req *r)
{
	const struct root *t = root_of(r->server);
	uint32_t at = number_of(r->chan);
	uint16_t n = 0;

	while (
	    n < r->u.walk.n_names && t->nodes[at]->is_dir && walk_one(t, &at, r->u.walk.names[n]))
		r->u.walk.qids[n++] = qid_of(t, at);
	r->u.walk.n_walked = n;
	if (n < r->u.walk.n_names)
		return n > 0 ? TN_DONE : tn_fail(r, t->nodes[at]->is_dir ? TN_ENOENT : TN_ENOTDIR);
	r->u.walk.newchan->qid = qid_of(t, at);
	return TN_DONE;
}

static enum tn_status root_open(struct tn_req *r)
{
	uint32_t access = r->flags & TN_OF_ACCESS;
	bool is_dir = r->chan->qid.type & TN_QTDIR;

	if (access == TN_OWRITE || access == TN_ORDWR ||
	    (r->flags & (TN_OF_TRUNC | TN_OF_RCLOSE)) || (access == TN_OEXEC && !is_dir))
		return tn_fail(r, TN_EACCES);
	return TN_DONE;
}

static void fill(const struct root *t, uint32_t i, const struct tn_user *user, struct tn_stat *st)
{
	const struct node *n = t->nodes[i];

	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(t, i);
	st->mode = n->is_dir ? TN_DMDIR | 0555 : 0444;
	st->atime_ns = st->mtime_ns = t->made_ns;
	st->name = (struct tn_str){ n->name, n->len };
	st->uid = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
}

static enum tn_status root_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill(root_of(r->server), number_of(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

static enum tn_status root_readdir(struct tn_req *r)
{
	const struct root *t = root_of(r->server);

	for (uint32_t i = t->nodes[number_of(r->chan)]->first; i != NONE; i = t->nodes[i]->next) {
		struct tn_stat st;

		if (i <= r->u.readdir.offset)
			continue;
		fill(t, i, r->chan->user, &st);
		if (!r->owner->entry(r, &st, i))
			break;
	}
	return TN_DONE;
}

static enum tn_status root_read(struct tn_req *r)
{
	if (r->chan->qid.type & TN_QTDIR)
		return tn_fail(r, TN_EISDIR);
	r->u.io.count = 0;
	return TN_DONE;
}

static void root_free(struct tn_server *s)
{
	struct root *t = root_of(s);

	for (uint32_t i = 0; i < t->n; i++)
		tn_free(t->nodes[i]);
	tn_free(t->nodes);
	tn_free(t);
}

static const struct tn_ops root_ops = {
	.name = "#root",
	.op = {
		[TN_ATTACH] = root_attach,
		[TN_WALK] = root_walk,
		[TN_OPEN] = root_open,
		[TN_READ] = root_read,
		[TN_READDIR] = root_readdir,
		[TN_STAT] = root_stat,
	},
	.free = root_free,
};

/* ---- making ---- */

/* A node that is nobody's child yet; its number, or NONE without memory. The first is the root. */
static bool add_node(struct root *t, struct tn_str name, bool is_dir)
{
	struct node *n;

	if (t->n == t->size) {
		uint32_t size = t->size ? t->size * 2 : 8;
		struct node **nodes = tn_realloc(t->nodes, t->size * sizeof(struct node *),
		    size * sizeof(struct node *));

		if (!nodes)
			return false;
		t->nodes = nodes;
		t->size = size;
	}
	n = tn_alloc(sizeof(*n) + name.len);
	if (!n)
		return false;
	n->is_dir = is_dir;
	n->len = (uint8_t)name.len;
	memcpy(n->name, name.s, name.len);
	t->nodes[t->n++] = n;
	return true;
}

static enum tn_err add_child(struct root *t, uint32_t dir, struct tn_str name, bool is_dir)
{
	struct node *d;
	uint32_t i = t->n;

	if (t->n >= TN_ROOTFS_MAX)
		return TN_ELIMIT_FILES;
	if (!add_node(t, name, is_dir))
		return TN_ENOMEM;
	d = t->nodes[dir];
	t->nodes[i]->up = dir;
	if (d->last == NONE)
		d->first = i;
	else
		t->nodes[d->last]->next = i;
	d->last = i;
	return TN_OK;
}

/* The next element of a path, slashes passed over; of no length at the end. */
static struct tn_str next_element(struct tn_str *path)
{
	struct tn_str name;

	for (; path->len > 0 && path->s[0] == '/'; path->len--)
		path->s++;
	name = (struct tn_str){ path->s, 0 };
	for (; path->len > 0 && path->s[0] != '/'; path->len--, path->s++)
		name.len++;
	return name;
}

static enum tn_err check_path(struct tn_str path)
{
	struct tn_str name;

	while ((name = next_element(&path)).len > 0) {
		if (name.len > NAME_MAX_BYTES)
			return TN_ENAMETOOLONG;
		if (name.s[0] == '.' && (name.len == 1 || (name.len == 2 && name.s[1] == '.')))
			return TN_EEXIST;
	}
	return TN_OK;
}

bool tn_rootfs_is(const struct tn_server *s)
{
	return s->ops == &root_ops;
}

enum tn_err tn_rootfs_add(struct tn_server *s, struct tn_str path, bool is_dir)
{
	struct root *t = root_of(s);
	enum tn_err err = check_path(path);
	uint32_t at = 0;
	struct tn_str name;

	while (err == TN_OK && (name = next_element(&path)).len > 0) {
		struct tn_str rest = path;
		bool is_last = next_element(&rest).len == 0;
		uint32_t to;

		if (!t->nodes[at]->is_dir)
			return TN_ENOTDIR;
		to = find(t, at, name);
		if (to == NONE) {
			to = t->n;
			err = add_child(t, at, name, is_dir || !is_last);
		}
		at = to;
	}
	if (err == TN_OK && t->nodes[at]->is_dir != is_dir)
		return is_dir ? TN_ENOTDIR : TN_EISDIR;
	return err;
}

struct tn_server *tn_rootfs_new(struct tn_loop *home)
{
	struct root *t = tn_alloc(sizeof(*t));

	if (!t)
		return NULL;
	if (!add_node(t, TN_STR("/"), true)) {
		tn_free(t->nodes);
		tn_free(t);
		return NULL;
	}
	t->made_ns = tn_time_ns();
	tn_server_init(&t->s, &root_ops, home, t);
	return &t->s;
}
