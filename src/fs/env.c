/*
 * #env, and an example of a file server: one directory, whose files come and go, are read and written.
 *
 * A server is a table of functions, one for each type of request that it knows; it is at the end of the operations. Each
 * gets the request, acts on the Chan in it, and answers: `return TN_DONE` when the answer is in r, `return tn_fail(r,
 * ERR)`. None of them waits. What is not in the table has an honest default (src/core/server.c); what servers of this
 * shape share is in src/core/flat.h. Three things to know:
 *
 * - A Chan is a place in a server. Its `aux` is the server's own word: here the variable, which it counts, or NULL for
 *   the directory. Attach, walk and create set it; the clunk, once for each Chan, gives it back.
 * - A qid says which file it is. Its path is never used for another variable, its version moves with each change.
 * - A variable that was removed lives on as long as a Chan is at it: reads and writes of it go on.
 */
#include "fs/env.h"

#include "core/chan.h"
#include "core/flat.h"
#include "core/mem.h"

struct var {
	struct tn_entry entry; /* first: an entry is its variable */
	uint8_t *value;
	uint32_t len; /* bytes of value */
};

struct tn_env {
	struct tn_flat flat; /* first: the server's data is its directory */
	uint32_t refs;
	uint32_t bytes; /* of names and values, of removed variables too */
};

/* ---- variables and their group ---- */

static struct var *var_of_entry(const struct tn_entry *e)
{
	return (struct var *)(uintptr_t)e;
}

static struct var *find(const struct tn_env *env, struct tn_str name)
{
	return var_of_entry(tn_flat_find(&env->flat, name));
}

/* A new variable without a value. */
static enum tn_err add(struct tn_env *env, struct tn_str name, struct var **out)
{
	struct tn_entry *e;
	enum tn_err err = TN_ENOSPC;

	if (name.len <= TN_ENV_BYTES_MAX - env->bytes)
		err = tn_flat_add(&env->flat, name, &e);
	if (err != TN_OK)
		return err;
	env->bytes += name.len;
	*out = var_of_entry(e);
	return TN_OK;
}

static void drop(struct tn_flat *flat, struct tn_entry *e)
{
	struct tn_env *env = (struct tn_env *)flat;
	struct var *v = var_of_entry(e);

	env->bytes -= v->len + e->name_len;
	tn_free(v->value);
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
	v->entry.version++;
	v->entry.mtime_ns = tn_time_ns();
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
	return var_of_entry(tn_flat_at(c));
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
	r->chan->qid = tn_flat_qid(&env_of(r)->flat, tn_flat_at(r->chan));
	return TN_DONE;
}

static enum tn_status env_create(struct tn_req *r)
{
	enum tn_err err;
	struct var *v;

	if (var_of(r->chan))
		return tn_fail(r, TN_ENOTDIR);
	if (r->u.create.perm & TN_DMDIR)
		return tn_fail(r, TN_EACCES);
	err = add(env_of(r), r->u.create.name, &v);
	if (err != TN_OK)
		return tn_fail(r, err);
	tn_flat_place(&env_of(r)->flat, r->chan, &v->entry);
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
	return tn_flat_take_out(&env_of(r)->flat, &v->entry) ? TN_DONE : tn_fail(r, TN_ENOENT);
}

static enum tn_status env_clunk(struct tn_req *r)
{
	struct var *v = var_of(r->chan);

	if (v && (r->chan->flags & TN_CF_OPEN) && (r->chan->flags & TN_OF_RCLOSE))
		tn_flat_take_out(&env_of(r)->flat, &v->entry);
	return tn_flat_clunk(r);
}

static void fill(const struct tn_flat *flat, const struct tn_entry *e, struct tn_stat *st)
{
	(void)flat;
	st->length = e ? var_of_entry(e)->len : 0;
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

static const struct tn_flat_kind kind = {
	.entry_size = sizeof(struct var),
	.files_max = TN_ENV_VARS_MAX,
	.fill = fill,
	.drop = drop,
};

static const struct tn_ops env_ops = {
	.name = "#env",
	.op = {
		[TN_ATTACH] = tn_flat_attach,
		[TN_WALK] = tn_flat_walk,
		[TN_OPEN] = env_open,
		[TN_CREATE] = env_create,
		[TN_READ] = env_read,
		[TN_READDIR] = tn_flat_readdir,
		[TN_WRITE] = env_write,
		[TN_CLUNK] = env_clunk,
		[TN_REMOVE] = env_remove,
		[TN_STAT] = tn_flat_stat,
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
	tn_flat_init(&env->flat, &kind);
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
	tn_flat_clear(&env->flat);
	tn_free(env);
}

enum tn_err tn_env_set(struct tn_env *env, struct tn_str name, struct tn_str value)
{
	struct var *v = find(env, name);
	bool is_new = !v;
	enum tn_err err = is_new ? add(env, name, &v) : TN_OK;

	if (err != TN_OK)
		return err;
	err = resize(env, v, value.len);
	if (err != TN_OK) {
		if (is_new)
			tn_flat_take_out(&env->flat, &v->entry);
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
		tn_flat_take_out(&env->flat, &v->entry);
}

void tn_env_each(const struct tn_env *env,
    void (*each)(void *arg, struct tn_str name, struct tn_str value), void *arg)
{
	for (const struct tn_entry *e = env->flat.first; e; e = e->next)
		each(arg, tn_entry_name(e), value_of(var_of_entry(e)));
}

struct tn_env *tn_env_copy(const struct tn_env *env)
{
	struct tn_env *copy = tn_env_new();

	for (const struct tn_entry *e = env->flat.first; copy && e; e = e->next) {
		if (tn_env_set(copy, tn_entry_name(e), value_of(var_of_entry(e))) != TN_OK) {
			tn_env_put(copy);
			return NULL;
		}
	}
	return copy;
}
