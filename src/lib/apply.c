/*
 * Applying a composition to a process's part: binds, mounts and the lines of name space files, in a name space of its own
 * until all is well.
 */
#include "core/union.h"
#include "core/view.h"
#include "fs/root.h"
#include "host/posix/dial.h"
#include "lib/call.h"
#include "lib/compose_in.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files may include files; they are read one after the other, from a stack of this depth. */
#define INCLUDE_DEPTH_MAX 16

struct apply {
	struct tn_compose *c;
	struct tn_proc *p; /* in a name space of its own until all is well */
	bool in_file;      /* the line of a name space file is being carried out */
};

static bool fail_call(struct apply *a, const char *what)
{
	tn_compose_fail(a->c, what, tn_call_text());
	a->c->err = tn_call_err();
	return false;
}

struct tn_server *tn_mount_dial(struct tn_loop *loop, const char *dial,
    const struct tn_mount_options *o, enum tn_err *err, char words[TN_COMPOSE_ERROR_SIZE])
{
	struct tn_client_options options = { .label = dial,
		.soft_ns = o->soft_ns,
		.dialect = o->dialect,
		.qids_by_name = o->qids_by_name,
		.skip_down = o->skip_down };
	char dial_words[TN_WORDS_SIZE] = "";
	struct tn_dialer *dialer = tn_dialer_new(tn_host_loop_of(loop), dial, 0, err, dial_words);
	struct tn_client *client;
	struct tn_server *server;

	if (!dialer) {
		snprintf(words, TN_COMPOSE_ERROR_SIZE, "%s",
		    dial_words[0] ? dial_words : tn_err_text(*err));
		return NULL;
	}
	client = tn_client_new(loop, dialer, &options);
	server = client ? tn_mnt_server(client) : NULL;
	if (client)
		tn_client_put(client); /* the server holds it */
	if (!server) {
		*err = TN_ENOMEM;
		snprintf(words, TN_COMPOSE_ERROR_SIZE, "%s", tn_err_text(TN_ENOMEM));
	}
	return server;
}

/* A user of this name: with the number that he has here, if any, for servers that go by numbers (.u, .L). */
static struct tn_user *user_called(const char *name)
{
	struct tn_str text = { name, (uint32_t)strlen(name) };
	struct passwd entry, *known = NULL;
	char buf[16384];

	getpwnam_r(name, &entry, buf, sizeof(buf), &known);
	return known ? tn_user_new(text, known->pw_uid, known->pw_gid)
		     : tn_user_new(text, TN_NONUNAME, TN_NONUNAME);
}

/* The process's part, as user `name` if there is one. Counted. */
static struct tn_proc *as_user(struct apply *a, const char *name)
{
	struct tn_proc *q = tn_proc_copy(a->p);

	if (q && name) {
		struct tn_user *user = user_called(name);

		if (!user) {
			tn_proc_put(q);
			q = NULL;
		} else {
			tn_user_put(q->user);
			q->user = user;
		}
	}
	if (!q)
		tn_compose_fail(a->c, name ? name : "", tn_err_text(TN_ENOMEM));
	return q;
}

/* Is the root device among what is shown at `name`? */
static bool shows_root(struct tn_proc *p, const char *name, const struct tn_server *root,
    bool *is_there)
{
	struct tn_name n = { .proc = p,
		.want = TN_FOR_ACCESS,
		.name = { name, (uint32_t)strlen(name) } };
	bool shows = false;

	*is_there = tn_call_name(&n) == 0;
	if (*is_there && !n.members)
		shows = n.chan->server == root;
	for (uint32_t i = 0; *is_there && n.members && i < n.members->n; i++)
		shows = shows || n.members->m[i].to->server == root;
	tn_name_fini(&n);
	return shows;
}

/* What is made for `name` would be seen: the nearest directory above it that is there shows the root device. */
static bool is_below_root(struct tn_proc *p, const char *name, const struct tn_server *root)
{
	char *above = strdup(name);
	bool is_there = false, shows = false;

	for (char *end; above && !is_there && (end = strrchr(above, '/'));) {
		end[end == above ? 1 : 0] = '\0';
		shows = shows_root(p, above, root, &is_there);
		*end = '\0';
	}
	free(above);
	return shows;
}

/* The tree that mount points appear in: the name space's own root, if it is one; else the root device. Counted. */
static enum tn_err root_tree(struct tn_proc *p, struct tn_server **out)
{
	struct tn_str spec;
	const struct tn_device_row *row = tn_device_find(p->node, TN_STR("/"), &spec);

	if (!tn_rootfs_is(p->slash->server))
		return row ? row->instance(p, spec, out) : TN_ENODEV;
	*out = tn_server_get(p->slash->server);
	return TN_OK;
}

enum tn_err tn_compose_place(struct tn_proc *p, const char *name, bool is_dir)
{
	struct tn_str path = { name, (uint32_t)strlen(name) };
	struct tn_server *root;
	enum tn_err err = root_tree(p, &root);

	if (err == TN_OK) {
		if (is_below_root(p, name, root))
			err = tn_rootfs_add(root, path, is_dir);
		tn_server_put(root);
	}
	return err;
}

/* In a clean name space mount points appear as they are named, as far as nothing covers the root. */
static bool make_place(struct apply *a, const char *name, bool is_dir)
{
	enum tn_err err = tn_compose_place(a->p, name, is_dir);

	return err == TN_OK || tn_compose_fail(a->c, name, tn_err_text(err));
}

/* Checks that the place is there, or makes it. */
static bool find_place(struct apply *a, const char *name, bool is_dir)
{
	struct tn_chan *there = tn_call_walk(a->p, name, TN_FOR_TARGET);

	if (!there && tn_call_err() == TN_ENOENT && a->c->clean) {
		if (!make_place(a, name, is_dir))
			return false;
		there = tn_call_walk(a->p, name, TN_FOR_TARGET);
	}
	if (!there && tn_call_err() == TN_ENOENT)
		return tn_compose_fail(a->c, name, "file does not exist, and none is made for it");
	if (!there)
		return fail_call(a, name);
	tn_chan_put(there);
	return true;
}

/* A view of `root` in q's name space through which nothing can be changed, at `name`. */
static bool mount_view(struct apply *a, struct tn_proc *q, struct tn_chan *root, const char *name,
    uint32_t flags)
{
	struct tn_view_options options = { .read_only = true };
	struct tn_server *view = tn_view_new(q, root, &options);
	bool ok = view && tn_call_mount(a->p, view, name, flags, "") == 0;

	if (!view)
		tn_compose_fail(a->c, name, tn_err_text(TN_ENOMEM));
	else if (!ok)
		fail_call(a, name);
	tn_server_put(view);
	return ok;
}

/* The server mounted on the root of a process's part of its own; what of it is seen at `name` is a view. */
static bool mount_read_only(struct apply *a, struct tn_proc *q, struct tn_server *server,
    const char *aname, const struct tn_compose_op *op)
{
	struct tn_proc *alone = tn_proc_new(a->p->node, q->user);
	struct tn_chan *root = NULL;
	bool ok = false;

	if (!alone)
		return tn_compose_fail(a->c, op->name, tn_err_text(TN_ENOMEM));
	if (tn_call_mount(alone, server, "/", TN_REPL, aname) == 0)
		root = tn_call_walk(alone, "/", TN_FOR_TARGET);
	if (root)
		ok = mount_view(a, alone, root, op->name, op->with.flags);
	else
		fail_call(a, op->src);
	tn_chan_put(root);
	tn_proc_put(alone);
	return ok;
}

static bool apply_mount(struct apply *a, const struct tn_compose_op *op)
{
	uint32_t flags = op->with.flags | (op->may_create ? TN_CREATE_HERE : 0);
	const char *aname = op->with.aname ? op->with.aname : "";
	struct tn_proc *q = as_user(a, op->with.user);
	struct tn_server *server;
	enum tn_err err;
	bool ok;

	if (!q)
		return false;
	server = tn_mount_dial(a->p->node->loop, op->src, &op->with, &err, a->c->error);
	if (!server) {
		snprintf(a->c->what, sizeof(a->c->what), "%s", op->src);
		a->c->err = err;
		ok = false;
	} else if (op->with.read_only) {
		ok = mount_read_only(a, q, server, aname, op);
	} else {
		ok = tn_call_mount(q, server, op->name, flags, aname) == 0 || fail_call(a, op->src);
	}
	tn_server_put(server);
	tn_proc_put(q);
	return ok;
}

static bool apply_bind(struct apply *a, const struct tn_compose_op *op)
{
	struct tn_chan *root;
	struct tn_proc *q;
	bool ok;

	if (!op->with.read_only) {
		/* A union, or what forbids creation itself, cannot be bound so that it allows it: then as it is. bind(2). */
		if (op->may_create &&
		    tn_call_bind(a->p, op->src, op->name, op->with.flags | TN_CREATE_HERE) == 0)
			return true;
		return tn_call_bind(a->p, op->src, op->name, op->with.flags) == 0 ||
		       fail_call(a, op->name);
	}
	/* The view goes on showing the source as it is now: in a name space that nobody changes any more. */
	q = tn_proc_copy(a->p);
	if (!q)
		return tn_compose_fail(a->c, op->name, tn_err_text(TN_ENOMEM));
	tn_call_rfork(q, TN_RF_NAMEG);
	root = tn_call_walk(q, op->src, TN_FOR_TARGET);
	ok = root ? mount_view(a, q, root, op->name, op->with.flags) : fail_call(a, op->src);
	tn_chan_put(root);
	tn_proc_put(q);
	return ok;
}

/* A clean name space does not show the host's files: whoever meant one of them is told how it is called. */
static bool fail_source(struct apply *a, const char *src)
{
	char hint[TN_COMPOSE_ERROR_SIZE];

	if (tn_call_err() != TN_ENOENT || !a->c->clean || a->in_file || src[0] != '/' ||
	    access(src, F_OK) != 0)
		return fail_call(a, src);
	snprintf(hint, sizeof(hint), "%s here; the host's is #host%s", tn_err_text(TN_ENOENT), src);
	return tn_compose_fail(a->c, src, hint);
}

static bool apply_op(struct apply *a, const struct tn_compose_op *op)
{
	struct tn_chan *source;
	bool is_dir = true;

	if (!tn_is_dial(op->src)) {
		source = tn_call_walk(a->p, op->src, TN_FOR_ACCESS);
		if (!source)
			return fail_source(a, op->src);
		is_dir = tn_chan_is_dir(source);
		tn_chan_put(source);
	}
	if (!find_place(a, op->name, is_dir))
		return false;
	return tn_is_dial(op->src) ? apply_mount(a, op) : apply_bind(a, op);
}

/* ---- the lines of a name space file ---- */

static bool line_mount(struct apply *a, const char *src, const struct tn_ns_line *l)
{
	struct tn_compose_op op = { .name = l->place,
		.src = src,
		.with = { .flags = l->flags, .aname = l->spec, .dialect = TN_DIALECTS } };

	return apply_op(a, &op);
}

static bool line_import(struct apply *a, const struct tn_ns_line *l)
{
	char dial[TN_WORDS_SIZE];

	if (tn_is_dial(l->src))
		return line_mount(a, l->src, l);
	if ((size_t)snprintf(dial, sizeof(dial), "tcp!%s!%d", l->src, TN_PORT) >= sizeof(dial))
		return tn_compose_fail(a->c, l->src, tn_err_text(TN_ENAMETOOLONG));
	return line_mount(a, dial, l);
}

/* The member lives on the connection that a dial string names. */
static bool lives_at(const struct tn_chan *to, void *dial)
{
	return to->server->label && strcmp(to->server->label, dial) == 0;
}

/* The head that was made at `name`, whatever that leads to now. Borrowed; NULL: there is none. */
static struct tn_chan *made_at(struct tn_ns *ns, const char *name)
{
	char text[TN_PATH_BYTES_MAX + 1];
	struct tn_chan *under;
	struct tn_members *list;
	uint64_t serial = 0;

	while ((list = tn_ns_head_after(ns, &serial, &under))) {
		tn_members_put(list);
		if (under->path && tn_path_text(under->path, text, sizeof(text)) < sizeof(text) &&
		    strcmp(text, name) == 0)
			return under;
	}
	return NULL;
}

/*
 * A file that is mounted upon may lose its name: its server has renamed or removed it. Then the name that ns shows is all
 * there is left to name it by.
 */
static bool unmount_lost(struct apply *a, const struct tn_ns_line *l)
{
	enum tn_err err = tn_call_err();
	struct tn_chan *under = NULL, *member = NULL;
	bool ok = false;

	if (err == TN_ENOENT || err == TN_ESTALE)
		under = made_at(a->p->ns, l->place);
	if (!under)
		return fail_call(a, l->place);
	if (l->src && !(member = tn_call_walk(a->p, l->src, TN_FOR_ACCESS)))
		return fail_call(a, l->src);
	err = tn_ns_unmount(a->p->ns, under, member);
	ok = err == TN_OK || tn_compose_fail(a->c, l->place, tn_err_text(err));
	tn_chan_put(member);
	return ok;
}

/* unmount(2): a connection as the member is its first one there, a mounted root or a bind of what is below one. */
static bool line_unmount(struct apply *a, const struct tn_ns_line *l)
{
	if (l->src && tn_is_dial(l->src))
		return tn_call_unmount_where(a->p, l->place, lives_at, (void *)(uintptr_t)l->src) ==
			   0 ||
		       fail_call(a, l->place);
	return tn_call_unmount(a->p, l->src, l->place) == 0 || unmount_lost(a, l);
}

static bool line_cd(struct apply *a, const struct tn_ns_line *l)
{
	return tn_call_chdir(a->p, l->place) == 0 || fail_call(a, l->place);
}

static bool line_clear(struct apply *a)
{
	return tn_call_rfork(a->p, TN_RF_CNAMEG) == 0 || fail_call(a, "clear");
}

static bool apply_line(struct apply *a, const struct tn_ns_line *l)
{
	switch (l->verb) {
	case TN_NS_BIND:
	case TN_NS_MOUNT: return line_mount(a, l->src, l);
	case TN_NS_IMPORT: return line_import(a, l);
	case TN_NS_UNMOUNT: return line_unmount(a, l);
	case TN_NS_CD: return line_cd(a, l);
	case TN_NS_CLEAR: return line_clear(a);
	case TN_NS_INCLUDE: break; /* apply_script's own */
	}
	return false;
}

/*
 * Opens what a line includes; -1: told. A pipe or a device is none: whoever changes the name space, and all who do so
 * behind him, would wait for somebody who writes to it.
 */
static int open_to_include(struct apply *a, const char *name)
{
	int fd = tn_call_open(a->p, name, TN_OREAD);

	if (fd < 0) {
		fail_call(a, name);
	} else if (tn_chan_behind(tn_call_chan(a->p, fd))->server->flags & TN_SF_BLOCKS) {
		tn_compose_fail(a->c, name, "a read of it may wait: not a file of lines");
		tn_call_close(a->p, fd);
		fd = -1;
	}
	return fd;
}

/* The text of a file in the name space as it is now, terminated; for free(). NULL: told. */
static char *read_in_name_space(struct apply *a, const char *name, size_t *len)
{
	int fd = open_to_include(a, name);
	char *text = fd >= 0 ? malloc(TN_COMPOSE_FILE_MAX + 1) : NULL;
	int64_t n = -1;

	*len = 0;
	if (fd < 0)
		return NULL;
	while (text && *len < TN_COMPOSE_FILE_MAX &&
	       (n = tn_call_read(a->p, fd, text + *len, TN_COMPOSE_FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	if (n != 0) {
		tn_compose_fail(a->c, name,
		    *len == TN_COMPOSE_FILE_MAX ? "longer than 1 MiB" : tn_call_text());
		free(text);
		text = NULL;
	}
	tn_call_close(a->p, fd);
	return text;
}

struct level {
	struct tn_ns_script script;
	size_t at;
};

/* Opens the file that line l includes as one more level. */
static bool include(struct apply *a, struct level *levels, size_t *depth,
    const struct tn_ns_line *l)
{
	struct tn_ns_where where = { 0 };
	struct level *next = &levels[*depth];
	enum tn_err err;
	size_t len;
	char *text;

	if (*depth == INCLUDE_DEPTH_MAX)
		return tn_compose_fail(a->c, l->src, "files include files more than 16 deep");
	text = read_in_name_space(a, l->src, &len);
	if (!text)
		return false;
	*next = (struct level){ 0 };
	err = tn_ns_parse(&next->script, l->src, text, len, tn_compose_variable, NULL, false, NULL,
	    &where);
	free(text);
	if (err == TN_OK) {
		++*depth;
		return true;
	}
	return where.line ? tn_compose_fail_where(a->c, &where)
			  : tn_compose_fail(a->c, l->src, tn_err_text(err));
}

/* Puts the line's place in front of what went wrong with it. */
static void name_line(struct tn_compose *c, const struct tn_ns_line *l)
{
	char both[2 * TN_COMPOSE_ERROR_SIZE + 2];

	snprintf(both, sizeof(both), "%s: %s", c->what, c->error);
	snprintf(c->what, sizeof(c->what), "%s:%u:%u", l->file, l->line, l->column);
	snprintf(c->error, sizeof(c->error), "%.*s", (int)sizeof(c->error) - 1, both);
}

static bool apply_script(struct apply *a, const struct tn_ns_script *script)
{
	struct level levels[INCLUDE_DEPTH_MAX] = { { .script = *script } };
	size_t depth = 1;
	bool ok = true;

	while (depth && ok) {
		struct level *top = &levels[depth - 1];
		const struct tn_ns_line *l;

		if (top->at == top->script.n) {
			if (--depth)
				tn_ns_script_free(&top->script);
			continue;
		}
		l = &top->script.lines[top->at++];
		ok = l->verb == TN_NS_INCLUDE ? include(a, levels, &depth, l) : apply_line(a, l);
		if (!ok)
			name_line(a->c, l);
	}
	while (depth > 1)
		tn_ns_script_free(&levels[--depth].script);
	return ok;
}

bool tn_compose_apply(struct tn_compose *c, struct tn_proc *p)
{
	struct apply a = { .c = c, .p = tn_proc_copy(p) };
	bool ok = a.p && tn_call_rfork(a.p, TN_RF_NAMEG) == 0;

	if (!ok)
		tn_compose_fail(c, "name space", tn_err_text(TN_ENOMEM));
	for (size_t i = 0; ok && i < c->n; i++) {
		a.in_file = c->ops[i].is_file;
		ok = a.in_file ? apply_script(&a, &c->ops[i].script) : apply_op(&a, &c->ops[i]);
	}
	if (ok) {
		tn_proc_set_ns(p, tn_ns_get(a.p->ns));
		tn_proc_set_dot(p, tn_chan_get(a.p->dot));
	}
	if (a.p)
		tn_proc_put(a.p);
	return ok;
}
