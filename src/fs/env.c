/*
 * #env, and an example of a file server: one directory, whose files come and go, are read and written.
 *
 * A server is a table of functions, one for each type of request that it knows; it is at the end of this file. Each gets
 * the request, acts on the Chan in it, and answers: `return TN_DONE` when the answer is in r, `return tn_fail(r, ERR)`.
 * None of them waits. What is not in the table has an honest default (src/core/server.c). Three things to know:
 *
 * - A Chan is a place in a server. Its `aux` is the server's own word: here the variable, which it counts, or NULL for
 *   the directory. Attach, walk and create set it; the clunk, once for each Chan, gives it back.
 * - A qid says which file it is. Its path is never used for another variable, its version moves with each change.
 * - A variable that was removed lives on as long as a Chan is at it: reads and writes of it go on.
 */
#include "fs/env.h"

#include "core/chan.h"
#include "core/mem.h"

enum { NAME_MAX_BYTES = 255 };

struct var {
	struct var *next; /* in the group, by path: in the order of their making */
	uint32_t refs;    /* the group, as long as it is there; Chans */
	uint32_t version;
	uint64_t path;
	int64_t mtime_ns;
	uint8_t *value;
	uint32_t len; /* bytes of value */
	uint8_t name_len;
	char name[];
};

struct tn_env {
	uint32_t refs;
	uint32_t n, bytes; /* variables; bytes of their names and values, of removed ones too */
	uint64_t path;     /* the last one given; 0 is the directory's */
	uint32_t version;  /* of the directory: moves when a variable comes or goes */
	int64_t mtime_ns;  /* the same */
	struct var *first, **last;
};

/* ---- variables and their group ---- */

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

static struct var *find(const struct tn_env *env, struct tn_str name)
{
	struct var *v = env->first;

	while (v && (v->name_len != name.len || memcmp(v->name, name.s, name.len) != 0))
		v = v->next;
	return v;
}

static void directory_changed(struct tn_env *env)
{
	env->version++;
	env->mtime_ns = tn_time_ns();
}

/* A new variable without a value; the name is legal and not there. */
static enum tn_err add(struct tn_env *env, struct tn_str name, struct var **out)
{
	struct var *v;

	if (env->n >= TN_ENV_VARS_MAX)
		return TN_ELIMIT_FILES;
	if (name.len > TN_ENV_BYTES_MAX - env->bytes)
		return TN_ENOSPC;
	v = tn_alloc(sizeof(*v) + name.len);
	if (!v)
		return TN_ENOMEM;
	v->refs = 1;
	v->path = ++env->path;
	v->mtime_ns = tn_time_ns();
	v->name_len = (uint8_t)name.len;
	memcpy(v->name, name.s, name.len);
	*env->last = v;
	env->last = &v->next;
	env->n++;
	env->bytes += name.len;
	directory_changed(env);
	*out = v;
	return TN_OK;
}

static void put(struct tn_env *env, struct var *v)
{
	if (!v || --v->refs > 0)
		return;
	env->bytes -= v->len + v->name_len;
	tn_free(v->value);
	tn_free(v);
}

/* Takes a variable out of the group. false: it has gone already. */
static bool take_out(struct tn_env *env, struct var *v)
{
	struct var **at = &env->first;

	while (*at && *at != v)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = v->next;
	if (!*at)
		env->last = at;
	v->next = NULL;
	env->n--;
	directory_changed(env);
	put(env, v);
	return true;
}

/* Makes the value `len` bytes long: cut, which cannot fail, or with zeros behind it. */
static enum tn_err resize(struct tn_env *env, struct var *v, uint64_t len)
{
	uint8_t *value;

	if (len > v->len && len - v->len > TN_ENV_BYTES_MAX - env->bytes)
		return TN_ENOSPC;
	value = tn_realloc(v->value, v->len, (size_t)len);
	if (!value && len > v->len)
		return TN_ENOMEM;
	if (value)
		v->value = value;
	env->bytes += (uint32_t)len - v->len;
	v->len = (uint32_t)len;
	return TN_OK;
}

static void changed(struct var *v)
{
	v->version++;
	v->mtime_ns = tn_time_ns();
}

static struct tn_str name_of(const struct var *v)
{
	return (struct tn_str){ v->name, v->name_len };
}

static struct tn_str value_of(const struct var *v)
{
	return (struct tn_str){ (const char *)v->value, v->len };
}

/* ---- the operations ---- */

static struct tn_env *env_of(const struct tn_req *r)
{
	return r->server->data;
}

/* Where a Chan is: a variable, or NULL, the directory. */
static struct var *var_of(const struct tn_chan *c)
{
	return c->aux.p;
}

static struct tn_qid qid_of(const struct tn_env *env, const struct var *v)
{
	if (!v)
		return (struct tn_qid){ .version = env->version, .type = TN_QTDIR };
	return (struct tn_qid){ .path = v->path, .version = v->version };
}

static void place(const struct tn_env *env, struct tn_chan *c, struct var *v)
{
	if (v)
		v->refs++;
	c->aux.p = v;
	c->qid = qid_of(env, v);
}

static enum tn_status env_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	place(env_of(r), r->u.attach.newchan, NULL);
	return TN_DONE;
}

/* From *at (a variable, or NULL) to what `name` is there. */
static enum tn_err walk_one(const struct tn_env *env, struct var **at, struct tn_str name)
{
	struct var *to;

	if (*at)
		return TN_ENOTDIR;
	if (name.len == 2 && name.s[0] == '.' && name.s[1] == '.')
		return TN_OK; /* above the root is the root */
	to = find(env, name);
	if (!to)
		return TN_ENOENT;
	*at = to;
	return TN_OK;
}

/* walk(5): as far as it goes. Only when all names were walked newchan becomes anything. */
static enum tn_status env_walk(struct tn_req *r)
{
	struct var *at = var_of(r->chan);
	enum tn_err err = TN_OK;
	uint16_t n = 0;

	while (n < r->u.walk.n_names) {
		err = walk_one(env_of(r), &at, r->u.walk.names[n]);
		if (err != TN_OK)
			break;
		r->u.walk.qids[n++] = qid_of(env_of(r), at);
	}
	r->u.walk.n_walked = n;
	if (err != TN_OK)
		return n > 0 ? TN_DONE : tn_fail(r, err);
	place(env_of(r), r->u.walk.newchan, at);
	return TN_DONE;
}

/* Variables are their group's: whoever can name them may read and write them. */
static enum tn_status env_open(struct tn_req *r)
{
	struct var *v = var_of(r->chan);
	uint32_t access = r->flags & TN_OF_ACCESS;

	if (!v && (access == TN_OWRITE || access == TN_ORDWR || (r->flags & TN_OF_TRUNC)))
		return tn_fail(r, TN_EISDIR);
	if (access == TN_OEXEC && v)
		return tn_fail(r, TN_EACCES);
	if ((r->flags & TN_OF_TRUNC) && v->len > 0) {
		resize(env_of(r), v, 0);
		changed(v);
	}
	r->chan->qid = qid_of(env_of(r), v);
	return TN_DONE;
}

static enum tn_status env_create(struct tn_req *r)
{
	struct tn_str name = r->u.create.name;
	enum tn_err err = check_name(name);
	struct var *v;

	if (var_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	if (r->u.create.perm & TN_DMDIR)
		return tn_fail(r, TN_EACCES);
	if (err == TN_OK && find(env_of(r), name))
		err = TN_EEXIST;
	if (err == TN_OK)
		err = add(env_of(r), name, &v);
	if (err != TN_OK)
		return tn_fail(r, err);
	place(env_of(r), r->chan, v);
	return TN_DONE;
}

static enum tn_status env_read(struct tn_req *r)
{
	const struct var *v = var_of(r->chan);

	if (!v)
		return tn_fail(r, TN_EISDIR);
	return tn_reply_text(r, (const char *)v->value, v->len);
}

static enum tn_status env_write(struct tn_req *r)
{
	struct var *v = var_of(r->chan);
	uint64_t at = r->u.io.offset, end;

	if (!v)
		return tn_fail(r, TN_EISDIR);
	if (r->chan->flags & TN_OF_APPEND)
		at = v->len;
	end = at + r->u.io.count;
	if (at > TN_ENV_BYTES_MAX || end > TN_ENV_BYTES_MAX)
		return tn_fail(r, TN_ENOSPC);
	if (r->u.io.count == 0)
		return TN_DONE;
	if (end > v->len) {
		enum tn_err err = resize(env_of(r), v, end);

		if (err != TN_OK)
			return tn_fail(r, err);
	}
	memcpy(v->value + at, r->u.io.data, r->u.io.count);
	changed(v);
	return TN_DONE;
}

static enum tn_status env_remove(struct tn_req *r)
{
	struct var *v = var_of(r->chan);

	if (!v)
		return tn_fail(r, TN_EACCES);
	return take_out(env_of(r), v) ? TN_DONE : tn_fail(r, TN_ENOENT);
}

static enum tn_status env_clunk(struct tn_req *r)
{
	struct var *v = var_of(r->chan);

	if (v && (r->chan->flags & TN_CF_OPEN) && (r->chan->flags & TN_OF_RCLOSE))
		take_out(env_of(r), v);
	put(env_of(r), v);
	return TN_DONE;
}

static void fill(const struct tn_env *env, const struct var *v, const struct tn_user *user,
    struct tn_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(env, v);
	st->mode = v ? 0666 : TN_DMDIR | 0777;
	st->length = v ? v->len : 0;
	st->name = v ? name_of(v) : TN_STR("/");
	st->atime_ns = st->mtime_ns = v ? v->mtime_ns : env->mtime_ns;
	st->uid = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");
	st->gid = st->muid = st->uid;
}

static enum tn_status env_stat(struct tn_req *r)
{
	struct tn_stat st;

	fill(env_of(r), var_of(r->chan), r->chan->user, &st);
	return tn_reply_stat(r, &st);
}

/* An offset is the path of the last variable that was taken: it stays right whatever comes and goes meanwhile. */
static enum tn_status env_readdir(struct tn_req *r)
{
	if (var_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	for (const struct var *v = env_of(r)->first; v; v = v->next) {
		struct tn_stat st;

		if (v->path <= r->u.readdir.offset)
			continue;
		fill(env_of(r), v, r->chan->user, &st);
		if (!r->owner->entry(r, &st, v->path))
			break;
	}
	return TN_DONE;
}

/* The length can be set, as a shell's `>` does through some doors; names, owners and modes are not a variable's. */
static enum tn_status env_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	struct var *v = var_of(r->chan);
	enum tn_err err;

	if (st->valid == 0)
		return TN_DONE; /* stat(5): a sync */
	if (!v || st->valid != TN_ST_LENGTH)
		return tn_fail(r, TN_EACCES);
	err = st->length > TN_ENV_BYTES_MAX ? TN_ENOSPC : resize(env_of(r), v, st->length);
	if (err != TN_OK)
		return tn_fail(r, err);
	changed(v);
	return TN_DONE;
}

static void env_free(struct tn_server *s)
{
	tn_env_put(s->data);
	tn_free(s);
}

static const struct tn_ops env_ops = {
	.name = "#env",
	.op = {
		[TN_ATTACH] = env_attach,
		[TN_WALK] = env_walk,
		[TN_OPEN] = env_open,
		[TN_CREATE] = env_create,
		[TN_READ] = env_read,
		[TN_READDIR] = env_readdir,
		[TN_WRITE] = env_write,
		[TN_CLUNK] = env_clunk,
		[TN_REMOVE] = env_remove,
		[TN_STAT] = env_stat,
		[TN_WSTAT] = env_wstat,
	},
	.free = env_free,
};

struct tn_server *tn_env_server(struct tn_loop *home, struct tn_env *env)
{
	struct tn_server *s = tn_alloc(sizeof(*s));

	if (s)
		tn_server_init(s, &env_ops, home, tn_env_get(env));
	return s;
}

/* ---- for the host ---- */

struct tn_env *tn_env_new(void)
{
	struct tn_env *env = tn_alloc(sizeof(*env));

	if (!env)
		return NULL;
	env->refs = 1;
	env->last = &env->first;
	env->mtime_ns = tn_time_ns();
	return env;
}

struct tn_env *tn_env_get(struct tn_env *env)
{
	tn_count_up(&env->refs);
	return env;
}

/* Servers count the group, Chans their server: at the end nobody but the group has variables. */
void tn_env_put(struct tn_env *env)
{
	if (!env || tn_count_down(&env->refs) > 0)
		return;
	while (env->first)
		take_out(env, env->first);
	tn_free(env);
}

enum tn_err tn_env_set(struct tn_env *env, struct tn_str name, struct tn_str value)
{
	enum tn_err err = check_name(name);
	struct var *v = err == TN_OK ? find(env, name) : NULL;
	bool is_new = !v;

	if (err == TN_OK && is_new)
		err = add(env, name, &v);
	if (err != TN_OK)
		return err;
	err = resize(env, v, value.len);
	if (err != TN_OK) {
		if (is_new)
			take_out(env, v);
		return err;
	}
	if (value.len > 0)
		memcpy(v->value, value.s, value.len);
	changed(v);
	return TN_OK;
}

bool tn_env_value(const struct tn_env *env, struct tn_str name, struct tn_str *value)
{
	const struct var *v = find(env, name);

	if (!v)
		return false;
	*value = value_of(v);
	return true;
}

void tn_env_unset(struct tn_env *env, struct tn_str name)
{
	struct var *v = find(env, name);

	if (v)
		take_out(env, v);
}

void tn_env_each(const struct tn_env *env,
    void (*each)(void *arg, struct tn_str name, struct tn_str value), void *arg)
{
	for (const struct var *v = env->first; v; v = v->next)
		each(arg, name_of(v), value_of(v));
}

struct tn_env *tn_env_copy(const struct tn_env *env)
{
	struct tn_env *copy = tn_env_new();

	for (const struct var *v = env->first; copy && v; v = v->next) {
		if (tn_env_set(copy, name_of(v), value_of(v)) != TN_OK) {
			tn_env_put(copy);
			return NULL;
		}
	}
	return copy;
}
