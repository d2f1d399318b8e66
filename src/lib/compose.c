#include "lib/compose.h"

#include "core/view.h"
#include "fs/root.h"
#include "host/posix/dial.h"
#include "lib/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1u << 20) /* of a name space file */

void tn_compose_init(struct tn_compose *c)
{
	memset(c, 0, sizeof(*c));
	c->next.dialect = TN_DIALECTS;
}

void tn_compose_fini(struct tn_compose *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->ops[i].is_file)
			tn_ns_script_free(&c->ops[i].script);
	}
	for (size_t i = 0; i < c->n_texts; i++)
		free(c->texts[i]);
	free(c->texts);
	free(c->ops);
	tn_compose_init(c);
}

/* ---- what went wrong ---- */

static bool fail(struct tn_compose *c, const char *what, const char *cause)
{
	snprintf(c->what, sizeof(c->what), "%s", what);
	snprintf(c->error, sizeof(c->error), "%s", cause);
	return false;
}

/* A copy of text that lives as long as c. NULL: no memory, told. */
static char *keep_text(struct tn_compose *c, const char *text)
{
	char **more = realloc(c->texts, (c->n_texts + 1) * sizeof(*more));
	char *copy = more ? strdup(text) : NULL;

	if (more)
		c->texts = more;
	if (!copy) {
		fail(c, text, "no memory");
		return NULL;
	}
	return c->texts[c->n_texts++] = copy;
}

static struct tn_compose_op *add_op(struct tn_compose *c, const char *name)
{
	struct tn_compose_op *more = realloc(c->ops, (c->n + 1) * sizeof(*more));

	if (!more) {
		fail(c, name, "no memory");
		return NULL;
	}
	c->ops = more;
	memset(&c->ops[c->n], 0, sizeof(*more));
	c->ops[c->n].name = name;
	return &c->ops[c->n++];
}

/* ---- -o ---- */

static bool take_flag(struct tn_mount_options *o, uint32_t flag, const char **cause)
{
	if ((flag & TN_ORDER) && o->has_order) {
		*cause = "there is one order already";
		return false;
	}
	o->has_order = o->has_order || (flag & TN_ORDER);
	o->flags |= flag;
	return true;
}

static bool take_soft(struct tn_mount_options *o, const char *value, const char **cause)
{
	char *end;
	unsigned long long seconds;

	errno = 0;
	seconds = strtoull(value, &end, 10);
	if (errno || end == value || *end || value[0] == '-' || seconds == 0 || seconds > 86400) {
		*cause = "wants seconds, 1 to 86400";
		return false;
	}
	o->soft_ns = seconds * UINT64_C(1000000000);
	return true;
}

static bool take_dialect(struct tn_mount_options *o, const char *value, const char **cause)
{
	for (int d = 0; d < TN_DIALECTS; d++) {
		if (strcmp(value, tn_dialect_name((enum tn_dialect)d)) == 0) {
			o->dialect = (enum tn_dialect)d;
			return true;
		}
	}
	*cause = "no such dialect";
	return false;
}

enum with {
	WITH_FLAG,
	WITH_RO,
	WITH_SKIP,
	WITH_HARD,
	WITH_ANAME,
	WITH_USER,
	WITH_SOFT,
	WITH_QIDS,
	WITH_DIALECT
};

/* clang-format off */
static const struct with_row {
	const char *name; /* with "=" at the end: takes a value */
	enum with what;
	uint32_t flag;
} with_rows[] = {
	{ "create",    WITH_FLAG, TN_CREATE_HERE },
	{ "before",    WITH_FLAG, TN_BEFORE },
	{ "after",     WITH_FLAG, TN_AFTER },
	{ "ro",        WITH_RO,   0 },
	{ "skip-down", WITH_SKIP, 0 },
	{ "hard",      WITH_HARD, 0 },
	{ "aname=",    WITH_ANAME, 0 },
	{ "user=",     WITH_USER, 0 },
	{ "soft=",     WITH_SOFT, 0 },
	{ "qids=",     WITH_QIDS, 0 },
	{ "dialect=",  WITH_DIALECT, 0 },
};
/* clang-format on */

static bool take_with(struct tn_mount_options *o, const struct with_row *row, const char *value,
    const char **cause)
{
	switch (row->what) {
	case WITH_FLAG: return take_flag(o, row->flag, cause);
	case WITH_RO: return o->read_only = true;
	case WITH_SKIP: return o->skip_down = true;
	case WITH_HARD: o->soft_ns = UINT64_MAX; return true;
	case WITH_ANAME: o->aname = value; return true;
	case WITH_USER: o->user = value; return true;
	case WITH_SOFT: return take_soft(o, value, cause);
	case WITH_QIDS:
		*cause = "only qids=names is known";
		return o->qids_by_name = strcmp(value, "names") == 0;
	case WITH_DIALECT: return take_dialect(o, value, cause);
	}
	return false;
}

bool tn_mount_options_parse(struct tn_mount_options *o, char *text, const char **bad,
    const char **cause)
{
	char *rest = text;

	for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
		const struct with_row *row = NULL;

		for (size_t i = 0; i < TN_COUNT(with_rows) && !row; i++) {
			const char *name = with_rows[i].name;
			size_t len = strlen(name);

			if (name[len - 1] == '=' ? strncmp(word, name, len) == 0
						 : strcmp(word, name) == 0)
				row = &with_rows[i];
		}
		*bad = word;
		*cause = "unknown option of a mount";
		if (!row || !take_with(o, row, word + strlen(row->name), cause))
			return false;
	}
	return true;
}

bool tn_compose_with(struct tn_compose *c, const char *options)
{
	const char *bad, *cause;
	char *text = keep_text(c, options);

	if (!text)
		return false;
	c->has_next = true;
	return tn_mount_options_parse(&c->next, text, &bad, &cause) || fail(c, bad, cause);
}

bool tn_compose_end(struct tn_compose *c)
{
	return !c->has_next || fail(c, "-o", "no bind or mount stands behind it");
}

/* ---- -b -B -a -m ---- */

/* A source may be a mount: only then do the options of a mount mean something. */
static bool is_plain_bind(const struct tn_compose_op *op, const char **which)
{
	const struct tn_mount_options *w = &op->with;

	*which = w->aname                    ? "aname"
		 : w->user                   ? "user"
		 : w->soft_ns                ? "soft"
		 : w->skip_down              ? "skip-down"
		 : w->qids_by_name           ? "qids"
		 : w->dialect != TN_DIALECTS ? "dialect"
					     : NULL;
	return !tn_is_dial(op->src) && strncmp(op->src, "#srv/", 5) != 0 &&
	       strncmp(op->src, "#s/", 3) != 0;
}

static bool check_source(struct tn_compose *c, const struct tn_compose_op *op, bool is_mount)
{
	struct tn_dial d;
	char words[TN_WORDS_SIZE];
	const char *which;
	enum tn_err err;

	if (is_plain_bind(op, &which)) {
		if (is_mount)
			return fail(c, op->src,
			    "no dial string: it begins with no net (tcp! unix! exec! fd!)");
		if (which)
			return fail(c, op->src,
			    "is bound, not mounted: it takes only the options create, before, after, ro");
		return true;
	}
	if (!tn_is_dial(op->src))
		return true;
	err = tn_dial_parse(&d, op->src, words);
	if (err != TN_OK)
		return fail(c, op->src, words[0] ? words : tn_err_text(err));
	tn_dial_fini(&d);
	return true;
}

bool tn_compose_bind(struct tn_compose *c, const char *name_is_src, uint32_t flags, bool is_mount)
{
	char *name = keep_text(c, name_is_src);
	char *equals = name ? strchr(name, '=') : NULL;
	struct tn_compose_op *op;

	if (!name)
		return false;
	if (!equals || equals == name || !equals[1])
		return fail(c, name_is_src, "not of the form NAME=SRC");
	*equals = '\0';
	if (name[0] != '/')
		return fail(c, name, "the name must begin with /");
	op = add_op(c, name);
	if (!op)
		return false;
	op->src = equals + 1;
	op->with = c->next;
	if (op->with.has_order && (flags & TN_ORDER))
		return fail(c, name, "there are two orders: -B or -a, and before or after of -o");
	op->with.flags |= flags;
	op->may_create = !(op->with.flags & TN_ORDER);
	c->has_next = false;
	c->next = (struct tn_mount_options){ .dialect = TN_DIALECTS };
	return check_source(c, op, is_mount);
}

/* ---- -n ---- */

/* A variable's value for the lines of a file: the environment, and user and home as newns sets them. */
static const char *variable(void *arg, struct tn_str name)
{
	char text[256];

	(void)arg;
	if (name.len >= sizeof(text))
		return NULL;
	memcpy(text, name.s, name.len);
	text[name.len] = '\0';
	if (strcmp(text, "user") == 0)
		return getenv("USER");
	if (strcmp(text, "home") == 0)
		return getenv("HOME");
	return getenv(text);
}

/* The whole file, terminated; "-" is standard input. NULL: told. */
static char *read_file(struct tn_compose *c, const char *path, size_t *len)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = f ? malloc(FILE_BYTES_MAX + 2) : NULL;

	if (!text) {
		fail(c, path, strerror(errno));
	} else {
		*len = fread(text, 1, FILE_BYTES_MAX + 1, f);
		text[*len] = '\0';
		if (ferror(f) || *len > FILE_BYTES_MAX) {
			fail(c, path, ferror(f) ? strerror(errno) : "longer than 1 MiB");
			free(text);
			text = NULL;
		}
	}
	if (f && f != stdin)
		fclose(f);
	return text;
}

static bool fail_where(struct tn_compose *c, const struct tn_ns_where *w)
{
	snprintf(c->what, sizeof(c->what), "%s:%u:%u", w->file, w->line, w->column);
	snprintf(c->error, sizeof(c->error), "%s", w->what);
	return false;
}

bool tn_compose_file(struct tn_compose *c, const char *path)
{
	struct tn_ns_where where = { 0 };
	struct tn_compose_op *op;
	char *name = keep_text(c, path);
	size_t len;
	char *text = name ? read_file(c, name, &len) : NULL;
	enum tn_err err;

	if (c->has_next)
		fail(c, path, "-o stands in front of it, which is for binds and mounts");
	op = text && !c->has_next ? add_op(c, name) : NULL;
	if (!op) {
		free(text);
		return false;
	}
	op->is_file = true;
	err = tn_ns_parse(&op->script, name, text, len, variable, NULL, false, NULL, &where);
	free(text);
	if (err == TN_OK)
		return true;
	c->n--;
	return where.line ? fail_where(c, &where) : fail(c, name, tn_err_text(err));
}

/* ---- applying ---- */

/* Files may include files; they are read one after the other, from a stack of this depth. */
#define INCLUDE_DEPTH_MAX 16

struct apply {
	struct tn_compose *c;
	struct tn_proc *p; /* in a name space of its own until all is well */
	bool in_file;      /* the line of a name space file is being carried out */
};

static bool fail_call(struct apply *a, const char *what)
{
	return fail(a->c, what, tn_call_text());
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

/* The process's part, as user `name` if there is one. Counted. */
static struct tn_proc *as_user(struct apply *a, const char *name)
{
	struct tn_proc *q = tn_proc_copy(a->p);

	if (q && name) {
		struct tn_str text = { name, (uint32_t)strlen(name) };
		struct tn_user *user = tn_user_new(text, TN_NONUNAME, TN_NONUNAME);

		if (!user) {
			tn_proc_put(q);
			q = NULL;
		} else {
			tn_user_put(q->user);
			q->user = user;
		}
	}
	if (!q)
		fail(a->c, name ? name : "", tn_err_text(TN_ENOMEM));
	return q;
}

/* In a clean name space mount points appear as they are named: in the root device, as far as nothing covers that. */
static bool make_place(struct apply *a, const char *name, bool is_dir)
{
	struct tn_str spec, path = { name, (uint32_t)strlen(name) };
	const struct tn_device_row *row = tn_device_find(a->p->node, TN_STR("/"), &spec);
	struct tn_server *root;
	enum tn_err err = row ? row->instance(a->p, spec, &root) : TN_ENODEV;

	if (err == TN_OK) {
		err = tn_rootfs_add(root, path, is_dir);
		tn_server_put(root);
	}
	return err == TN_OK || fail(a->c, name, tn_err_text(err));
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
		return fail(a->c, name, "file does not exist, and none is made for it");
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
		fail(a->c, name, tn_err_text(TN_ENOMEM));
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
		return fail(a->c, op->name, tn_err_text(TN_ENOMEM));
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
		return fail(a->c, op->name, tn_err_text(TN_ENOMEM));
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
	return fail(a->c, src, hint);
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
		return fail(a->c, l->src, tn_err_text(TN_ENAMETOOLONG));
	return line_mount(a, dial, l);
}

/* The member lives on the connection that a dial string names. */
static bool lives_at(const struct tn_chan *to, void *dial)
{
	return to->server->label && strcmp(to->server->label, dial) == 0;
}

/* unmount(2): a connection as the member is its first one there, a mounted root or a bind of what is below one. */
static bool line_unmount(struct apply *a, const struct tn_ns_line *l)
{
	if (l->src && tn_is_dial(l->src))
		return tn_call_unmount_where(a->p, l->place, lives_at, (void *)(uintptr_t)l->src) ==
			   0 ||
		       fail_call(a, l->place);
	return tn_call_unmount(a->p, l->src, l->place) == 0 || fail_call(a, l->place);
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

/* The text of a file in the name space as it is now, terminated; for free(). NULL: told. */
static char *read_in_name_space(struct apply *a, const char *name, size_t *len)
{
	int fd = tn_call_open(a->p, name, TN_OREAD);
	char *text = fd >= 0 ? malloc(FILE_BYTES_MAX + 1) : NULL;
	int64_t n = -1;

	*len = 0;
	while (text && *len < FILE_BYTES_MAX &&
	       (n = tn_call_read(a->p, fd, text + *len, FILE_BYTES_MAX - *len)) > 0)
		*len += (size_t)n;
	if (n != 0) {
		fail(a->c, name, *len == FILE_BYTES_MAX ? "longer than 1 MiB" : tn_call_text());
		free(text);
		text = NULL;
	}
	if (fd >= 0)
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
		return fail(a->c, l->src, "files include files more than 16 deep");
	text = read_in_name_space(a, l->src, &len);
	if (!text)
		return false;
	*next = (struct level){ 0 };
	err = tn_ns_parse(&next->script, l->src, text, len, variable, NULL, false, NULL, &where);
	free(text);
	if (err == TN_OK) {
		++*depth;
		return true;
	}
	return where.line ? fail_where(a->c, &where) : fail(a->c, l->src, tn_err_text(err));
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
		fail(c, "name space", tn_err_text(TN_ENOMEM));
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
