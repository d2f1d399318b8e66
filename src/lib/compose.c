/*
 * Collecting a composition: command line options and name space files, checked while they come in. apply.c applies it.
 */
#include "lib/compose.h"

#include "host/posix/dial.h"
#include "lib/compose_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool tn_compose_fail(struct tn_compose *c, const char *what, const char *cause)
{
	snprintf(c->what, sizeof(c->what), "%s", what);
	snprintf(c->error, sizeof(c->error), "%s", cause);
	c->err = TN_OK;
	return false;
}

/* Words of limits have a colon in them. */
enum tn_err tn_err_of_words(struct tn_str words)
{
	enum tn_err err = tn_err_of_text(words);

	for (uint32_t i = 0; err == TN_EREMOTE && i + 1 < words.len; i++) {
		if (words.s[i] == ':' && words.s[i + 1] == ' ')
			err = tn_err_of_text((struct tn_str){ words.s + i + 2, words.len - i - 2 });
	}
	return err;
}

enum tn_err tn_compose_err(const struct tn_compose *c)
{
	enum tn_err err = c->err;

	if (err == TN_OK)
		err = tn_err_of_words((struct tn_str){ c->error, (uint32_t)strlen(c->error) });
	return err == TN_OK || (err == TN_EREMOTE && c->err == TN_OK) ? TN_EINVAL : err;
}

/* A copy of text that lives as long as c. NULL: no memory, told. */
static char *keep_text(struct tn_compose *c, const char *text)
{
	char **more = realloc(c->texts, (c->n_texts + 1) * sizeof(*more));
	char *copy = more ? strdup(text) : NULL;

	if (more)
		c->texts = more;
	if (!copy) {
		tn_compose_fail(c, text, "no memory");
		return NULL;
	}
	return c->texts[c->n_texts++] = copy;
}

static struct tn_compose_op *add_op(struct tn_compose *c, const char *name)
{
	struct tn_compose_op *more = realloc(c->ops, (c->n + 1) * sizeof(*more));

	if (!more) {
		tn_compose_fail(c, name, "no memory");
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
	for (int d = 0; d <= TN_9P2000_L; d++) {
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

const char *tn_mount_option_name(size_t i)
{
	return i < TN_COUNT(with_rows) ? with_rows[i].name : NULL;
}

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
	return tn_mount_options_parse(&c->next, text, &bad, &cause) ||
	       tn_compose_fail(c, bad, cause);
}

bool tn_compose_end(struct tn_compose *c)
{
	return !c->has_next || tn_compose_fail(c, "-o", "no bind or mount stands behind it");
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
			return tn_compose_fail(c, op->src,
			    "no dial string: it begins with no net (tcp! unix! exec! fd!)");
		if (which)
			return tn_compose_fail(c, op->src,
			    "is bound, not mounted: it takes only the options create, before, after, ro");
		return true;
	}
	if (!tn_is_dial(op->src))
		return true;
	err = tn_dial_parse(&d, op->src, words);
	if (err != TN_OK) {
		tn_compose_fail(c, op->src, words[0] ? words : tn_err_text(err));
		c->err = err;
		return false;
	}
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
		return tn_compose_fail(c, name_is_src, "not of the form NAME=SRC");
	*equals = '\0';
	if (name[0] != '/')
		return tn_compose_fail(c, name, "the name must begin with /");
	op = add_op(c, name);
	if (!op)
		return false;
	op->src = equals + 1;
	op->with = c->next;
	if (op->with.has_order && (flags & TN_ORDER))
		return tn_compose_fail(c, name,
		    "there are two orders: -B or -a, and before or after of -o");
	op->with.flags |= flags;
	op->may_create = !(op->with.flags & TN_ORDER);
	c->has_next = false;
	c->next = (struct tn_mount_options){ .dialect = TN_DIALECTS };
	return check_source(c, op, is_mount);
}

bool tn_compose_add(struct tn_compose *c, const char *name, const char *src,
    const struct tn_mount_options *with)
{
	struct tn_compose_op *op = add_op(c, name);

	if (!op)
		return false;
	op->src = src;
	op->with = *with;
	return check_source(c, op, true);
}

/* ---- -n ---- */

const char *tn_compose_variable(void *arg, struct tn_str name)
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
	char *text = f ? malloc(TN_COMPOSE_FILE_MAX + 2) : NULL;

	if (!text) {
		tn_compose_fail(c, path, strerror(errno));
	} else {
		*len = fread(text, 1, TN_COMPOSE_FILE_MAX + 1, f);
		text[*len] = '\0';
		if (ferror(f) || *len > TN_COMPOSE_FILE_MAX) {
			tn_compose_fail(c, path, ferror(f) ? strerror(errno) : "longer than 1 MiB");
			free(text);
			text = NULL;
		}
	}
	if (f && f != stdin)
		fclose(f);
	return text;
}

bool tn_compose_fail_where(struct tn_compose *c, const struct tn_ns_where *w)
{
	snprintf(c->what, sizeof(c->what), "%s:%u:%u", w->file, w->line, w->column);
	snprintf(c->error, sizeof(c->error), "%s", w->what);
	c->err = TN_EINVAL;
	return false;
}

bool tn_compose_file(struct tn_compose *c, const char *path)
{
	size_t len;
	char *text = read_file(c, path, &len);
	bool ok = false;

	if (text && c->has_next)
		tn_compose_fail(c, path, "-o stands in front of it, which is for binds and mounts");
	else if (text)
		ok = tn_compose_text(c, path, text, len);
	free(text);
	return ok;
}

bool tn_compose_text(struct tn_compose *c, const char *path, const char *text, size_t len)
{
	struct tn_ns_where where = { 0 };
	char *name = keep_text(c, path);
	struct tn_compose_op *op = name ? add_op(c, name) : NULL;
	enum tn_err err;

	if (!op)
		return false;
	if (len > TN_COMPOSE_FILE_MAX) {
		c->n--;
		return tn_compose_fail(c, name, "longer than 1 MiB");
	}
	op->is_file = true;
	err = tn_ns_parse(&op->script, name, text, len, tn_compose_variable, NULL, false, NULL,
	    &where);
	if (err == TN_OK)
		return true;
	c->n--;
	return where.line ? tn_compose_fail_where(c, &where)
			  : tn_compose_fail(c, name, tn_err_text(err));
}
