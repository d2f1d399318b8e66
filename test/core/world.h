/*
 * For tests of names: a loop, a node with a root device, and a tree server that does as told: answers at once or later,
 * walks as many names at a time as it is allowed to, is down, refuses. It counts requests by type.
 */
#ifndef TEST_CORE_WORLD_H
#define TEST_CORE_WORLD_H

#include "core/chan.h"
#include "core/err.h"
#include "core/loop.h"
#include "core/name.h"
#include "core/server.h"
#include "host/posix/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 64 };

struct node {
	const char *name;
	int parent;
	uint32_t mode;
	enum tn_err walk_err; /* of walking from it */
	enum tn_err open_err;
	const char *target; /* a symbolic link's */
};

struct tree {
	struct tn_server s; /* first */
	struct node node[NODES_MAX];
	int n;
	unsigned count[TN_REQ_TYPES];
	bool late;         /* keeps each request and answers it from the loop */
	bool deaf;         /* late, and a flush changes nothing */
	bool stuck;        /* keeps and answers only what is flushed */
	unsigned walk_max; /* names walked in one request; 0: all */
	uint64_t stride;   /* of offsets in a directory; 0: 1 */
	enum tn_err down;  /* of every request but clunk */
	enum tn_err stat_err;
	bool race; /* the next create finds that somebody made it */
	struct tn_req *kept;
	struct tn_task task;
	unsigned n_kept;
};

static struct tn_loop loop;
static struct tn_server *root_server;
static struct tn_node node;

static inline enum tn_err root_instance(struct tn_proc *p, struct tn_str spec,
    struct tn_server **out)
{
	(void)p;
	(void)spec;
	*out = tn_server_get(root_server);
	return TN_OK;
}

/* A device with letter 't' whose instance is this one; set by the test. */
static struct tn_server *device_server;

static inline enum tn_err test_instance(struct tn_proc *p, struct tn_str spec,
    struct tn_server **out)
{
	(void)p;
	(void)spec;
	*out = device_server ? tn_server_get(device_server) : NULL;
	return device_server ? TN_OK : TN_ENOMEM;
}

static const struct tn_device no_files = { "root", NULL, 0 };
static const struct tn_device_row device_rows[] = {
	{ "root", '/', false, root_instance },
	{ "test", 't', false, test_instance },
	{ "pipe", '|', true, test_instance },
};

static inline void settle(void)
{
	while (tn_loop_next_ns(&loop) == 0)
		tn_loop_run(&loop);
}

static inline void world_init(void)
{
	tn_loop_init(&loop, NULL, NULL);
	node = (struct tn_node){ .loop = &loop,
		.devices = device_rows,
		.n_devices = TN_COUNT(device_rows) };
	root_server = tn_device_server(&no_files, &loop, NULL, NULL);
}

static inline void world_fini(void)
{
	settle();
	tn_server_put(root_server);
	settle();
	tn_loop_fini(&loop);
}

static inline struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

/* ---- the tree server ---- */

static inline struct tree *tree_of(const struct tn_server *s)
{
	return (struct tree *)(uintptr_t)s;
}

static inline struct tn_qid tree_qid(const struct tree *t, int i)
{
	return (struct tn_qid){ .path = (uint64_t)i, .type = (uint8_t)(t->node[i].mode >> 24) };
}

static inline int tree_child(const struct tree *t, int dir, struct tn_str name)
{
	if (name.len == 2 && memcmp(name.s, "..", 2) == 0)
		return t->node[dir].parent;
	if (name.len == 4 && memcmp(name.s, "self", 4) == 0)
		return dir; /* a tree without end */
	for (int i = 1; i < t->n; i++) {
		if (t->node[i].name && t->node[i].parent == dir &&
		    strlen(t->node[i].name) == name.len &&
		    memcmp(t->node[i].name, name.s, name.len) == 0)
			return i;
	}
	return -1;
}

/* Adds "a/b/c"; what is above it must be there. A name that ends in a slash is a directory. */
static inline int tree_add(struct tree *t, const char *path)
{
	int dir = 0;
	const char *slash;

	while ((slash = strchr(path, '/')) != NULL && slash[1]) {
		dir = tree_child(t, dir, (struct tn_str){ path, (uint32_t)(slash - path) });
		path = slash + 1;
	}
	t->node[t->n] = (struct node){ .name = strndup(path, strcspn(path, "/")),
		.parent = dir,
		.mode = slash ? TN_DMDIR | 0775 : 0664 };
	return t->n++;
}

static inline int tree_add_link(struct tree *t, const char *path, const char *target)
{
	int i = tree_add(t, path);

	t->node[i].mode = TN_DMSYMLINK | 0777;
	t->node[i].target = target;
	return i;
}

static inline enum tn_status tree_readlink(struct tn_req *r)
{
	const char *target = tree_of(r->server)->node[r->chan->qid.path].target;

	if (!target)
		return tn_fail(r, TN_EINVAL);
	r->u.readlink.len = (uint32_t)strlen(target);
	memcpy(r->u.readlink.buf, target, strlen(target));
	return TN_DONE;
}

static inline enum tn_status tree_walk(struct tn_req *r)
{
	struct tree *t = tree_of(r->server);
	int at = (int)r->chan->qid.path;
	uint16_t n = 0;

	r->u.walk.n_walked = 0;
	if (t->node[at].walk_err && r->u.walk.n_names > 0)
		return tn_fail(r, t->node[at].walk_err);
	while (n < r->u.walk.n_names && (t->walk_max == 0 || n < t->walk_max)) {
		int next = t->node[at].walk_err || !(t->node[at].mode & TN_DMDIR)
			       ? -1
			       : tree_child(t, at, r->u.walk.names[n]);

		if (next < 0)
			break;
		at = next;
		r->u.walk.qids[n++] = tree_qid(t, at);
	}
	r->u.walk.n_walked = n;
	if (n < r->u.walk.n_names)
		return n > 0 ? TN_DONE : tn_fail(r, TN_ENOENT);
	r->u.walk.newchan->qid = tree_qid(t, at);
	return TN_DONE;
}

static inline enum tn_status tree_create(struct tn_req *r)
{
	struct tree *t = tree_of(r->server);
	char name[64];
	int i;

	snprintf(name, sizeof(name), "%.*s", (int)r->u.create.name.len, r->u.create.name.s);
	if (tree_child(t, (int)r->chan->qid.path, r->u.create.name) >= 0)
		return tn_fail(r, TN_EEXIST);
	t->node[t->n] = (struct node){ .name = strdup(name),
		.parent = (int)r->chan->qid.path,
		.mode = r->u.create.perm };
	i = t->n++;
	if (t->race) {
		t->race = false;
		return tn_fail(r, TN_EEXIST);
	}
	r->chan->qid = tree_qid(t, i);
	return TN_DONE;
}

static inline void tree_fill(struct tree *t, int i, struct tn_stat *st)
{
	*st = (struct tn_stat){ .valid = TN_ST_QID | TN_ST_MODE | TN_ST_NAME | TN_ST_LENGTH,
		.mode = t->node[i].mode,
		.qid = tree_qid(t, i),
		.length = (uint64_t)i,
		.name = str(t->node[i].name ? t->node[i].name : "/") };
}

static inline enum tn_status tree_readdir(struct tn_req *r)
{
	struct tree *t = tree_of(r->server);
	uint64_t stride = t->stride ? t->stride : 1;
	struct tn_stat st;

	for (int i = (int)(r->u.readdir.offset / stride) + 1; i < t->n; i++) {
		if (t->node[i].parent != (int)r->chan->qid.path || !t->node[i].name)
			continue;
		tree_fill(t, i, &st);
		if (!r->owner->entry(r, &st, (uint64_t)i * stride))
			break;
	}
	return TN_DONE;
}

static inline enum tn_status tree_do(struct tn_req *r)
{
	struct tree *t = tree_of(r->server);
	int at = r->chan ? (int)r->chan->qid.path : 0;
	struct tn_stat st;

	if (t->down && r->type != TN_CLUNK)
		return tn_fail(r, t->down);
	switch (r->type) {
	case TN_ATTACH: r->u.attach.newchan->qid = tree_qid(t, 0); return TN_DONE;
	case TN_WALK: return tree_walk(r);
	case TN_OPEN: return t->node[at].open_err ? tn_fail(r, t->node[at].open_err) : TN_DONE;
	case TN_CREATE: return tree_create(r);
	case TN_READDIR: return tree_readdir(r);
	case TN_READLINK: return tree_readlink(r);
	case TN_READ: return tn_reply_text(r, t->node[at].name, strlen(t->node[at].name));
	case TN_STAT:
		if (t->stat_err)
			return tn_fail(r, t->stat_err);
		tree_fill(t, at, &st);
		return tn_reply_stat(r, &st);
	default: return TN_DONE;
	}
}

static inline void tree_late(struct tn_task *task)
{
	struct tree *t = (struct tree *)((char *)task - offsetof(struct tree, task));
	struct tn_req *r = t->kept, *next;

	t->kept = NULL;
	for (; r; r = next) {
		next = r->next;
		if (tn_req_flushed(r) && !t->deaf)
			tn_fail(r, TN_EINTR);
		else
			tree_do(r);
		tn_respond(r);
	}
}

static inline enum tn_status tree_op(struct tn_req *r)
{
	struct tree *t = tree_of(r->server);

	t->count[r->type]++;
	if ((!t->late && !t->stuck) || r->type == TN_CLUNK)
		return tree_do(r);
	if (!tn_keep(r))
		return TN_DONE;
	t->n_kept++;
	r->next = t->kept;
	t->kept = r;
	if (!t->stuck)
		tn_loop_defer(&loop, &t->task);
	return TN_LATER;
}

static inline enum tn_status tree_flush(struct tn_req *r)
{
	tree_of(r->server)->count[TN_FLUSH]++;
	tn_loop_defer(&loop, &tree_of(r->server)->task);
	return TN_DONE;
}

static inline void tree_free(struct tn_server *s)
{
	for (int i = 0; i < tree_of(s)->n; i++)
		free((void *)(uintptr_t)tree_of(s)->node[i].name);
	free(s);
}

static const struct tn_ops tree_ops = {
	.name = "tree",
	.op = { [TN_ATTACH] = tree_op,
	    [TN_WALK] = tree_op,
	    [TN_OPEN] = tree_op,
	    [TN_CREATE] = tree_op,
	    [TN_READ] = tree_op,
	    [TN_READDIR] = tree_op,
	    [TN_WRITE] = tree_op,
	    [TN_CLUNK] = tree_op,
	    [TN_REMOVE] = tree_op,
	    [TN_STAT] = tree_op,
	    [TN_WSTAT] = tree_op,
	    [TN_READLINK] = tree_op,
	    [TN_FLUSH] = tree_flush },
	.free = tree_free,
};

static inline struct tree *tree_new(void)
{
	struct tree *t = calloc(1, sizeof(*t));

	tn_server_init(&t->s, &tree_ops, &loop, NULL);
	t->node[0] = (struct node){ .mode = TN_DMDIR | 0775 };
	t->n = 1;
	t->task.fn = tree_late;
	return t;
}

static inline void tree_forget(struct tree *t)
{
	memset(t->count, 0, sizeof(t->count));
}

/* A Chan at a node, with a path of one name. Not clunked. */
static inline struct tn_chan *tree_chan(struct tree *t, int i, const char *path)
{
	struct tn_chan *c = tn_chan_new(&t->s, NULL);

	c->qid = tree_qid(t, i);
	c->path = tn_path_root(str(path));
	return c;
}

/* ---- resolving ---- */

static inline void name_finished(struct tn_name *n)
{
	*(bool *)n->arg = true;
}

/* Resolves n, whose question is filled, turning the loop as long as it takes. */
static inline enum tn_err resolve(struct tn_name *n)
{
	bool done = false;

	n->done = name_finished;
	n->arg = &done;
	if (tn_name_start(n) == TN_LATER) {
		while (!done)
			tn_loop_run(&loop);
	}
	return n->err;
}

static inline struct tn_name question(struct tn_proc *p, const char *name, enum tn_name_for want)
{
	return (struct tn_name){ .proc = p, .name = str(name), .want = want };
}

/* Mounts the tree's node on a name. */
static inline enum tn_err put_at(struct tn_proc *p, struct tree *t, int i, const char *place,
    uint32_t flags)
{
	struct tn_name n = question(p, place, TN_FOR_TARGET);
	struct tn_chan *c = tree_chan(t, i, "#tree");
	enum tn_err err = resolve(&n);

	if (err == TN_OK)
		err = tn_ns_mount(p->ns, c, NULL, n.chan, flags, NULL);
	tn_name_fini(&n);
	tn_chan_put(c);
	return err;
}

/* ---- memory that runs out ---- */

static int allocs_left = -1;

static inline bool alloc_or_not(size_t size)
{
	(void)size;
	return allocs_left < 0 || allocs_left-- > 0;
}

#endif
