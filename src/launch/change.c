/*
 * A line is parsed as namespace(6) has it, applied to a fork of the name space, and shadowed in the kernel; if that fails
 * the old name space and the old shadow come back. Answers are given when all is there.
 */
#include "launch/change.h"

#include "host/posix/node.h"
#include "lib/call.h"
#include "lib/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Something that somebody waits for. Exactly one of ask and r is set, r until it is flushed. */
struct item {
	struct item *next;
	struct tn_changes *ch;
	struct tn_control_ask *ask;
	struct tn_req *r;
	char *line;
};

struct tn_changes {
	struct tn_proc *proc;
	struct tn_shadow *shadow;
	struct launch_fuse *f;
	struct item *first, **last; /* the first is the one that is being carried out */
	bool is_running;
};

/* What came of an item: error NULL: it is well. text, error: for free(). */
struct outcome {
	char *text, *error;
};

struct tn_changes *tn_changes_new(struct tn_proc *proc, struct tn_shadow *shadow)
{
	struct tn_changes *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return NULL;
	ch->proc = proc;
	ch->shadow = shadow;
	ch->last = &ch->first;
	return ch;
}

void tn_changes_door(struct tn_changes *ch, struct launch_fuse *f)
{
	ch->f = f;
}

/* ---- text that grows ---- */

static void add_text(char **text, const char *more)
{
	size_t had = *text ? strlen(*text) : 0, len = strlen(more);
	char *longer = realloc(*text, had + len + 1);

	if (!longer)
		return;
	memcpy(longer + had, more, len + 1);
	*text = longer;
}

static void add_line(void *arg, const char *line)
{
	add_text(arg, line);
	add_text(arg, "\n");
}

static void add_path(char **text, const struct tn_path *path)
{
	char buf[4096] = "";

	if (path)
		tn_path_text(path, buf, sizeof(buf));
	add_text(text, buf);
}

/* ---- questions ---- */

static const char *label_of(void *arg, const struct tn_chan *c)
{
	(void)arg;
	return c->server->label;
}

static struct outcome print_ns(struct tn_changes *ch, const char *argument)
{
	struct outcome o = { 0 };
	enum tn_err err = tn_ns_lines(ch->proc, strcmp(argument, "specs") == 0, label_of, add_line,
	    &o.text);

	if (err)
		o.error = strdup(tn_err_text(err));
	return o;
}

/* A line a member: the name of the file, its server, and "create" where files may be made. */
static void add_member(char **text, const struct tn_chan *c, uint32_t flags)
{
	add_path(text, c->path);
	add_text(text, " ");
	add_text(text, c->server->label ? c->server->label : c->server->ops->name);
	add_text(text, flags & TN_CREATE_HERE ? " create\n" : "\n");
}

/* What is printed is true of the kernel too: what the host has done meanwhile is looked at, and mended where it can be. */
static struct outcome ns(struct tn_changes *ch, const char *argument)
{
	enum tn_step step;

	tn_shadow_apply(ch->shadow, NULL, 0, &step);
	return print_ns(ch, argument);
}

static struct outcome whence(struct tn_changes *ch, const char *argument)
{
	struct tn_name n = { .proc = ch->proc, .want = TN_FOR_ACCESS };
	struct outcome o = { 0 };
	struct tn_ns_where where;
	struct tn_ns_script script;
	const char *name = argument;
	char *as_line = NULL;

	/* The words' own quoting: parsed as the argument of a line that has one. */
	memset(&script, 0, sizeof(script));
	if (asprintf(&as_line, "cd %s\n", argument) > 0 &&
	    tn_ns_parse(&script, "whence", as_line, strlen(as_line), NULL, NULL, false, NULL,
		&where) == TN_OK &&
	    script.n == 1)
		name = script.lines[0].place;
	n.name = (struct tn_str){ name, (uint32_t)strlen(name) };
	if (tn_call_name(&n) < 0) {
		o.error = strdup(tn_call_text());
	} else if (n.members) {
		for (uint32_t i = 0; i < n.members->n; i++)
			add_member(&o.text, n.members->m[i].to, n.members->m[i].flags);
	} else {
		add_member(&o.text, n.chan, 0);
	}
	tn_name_fini(&n);
	tn_ns_script_free(&script);
	free(as_line);
	return o;
}

static struct outcome stats(struct tn_changes *ch, const char *argument)
{
	struct launch_fuse_stats st = { 0 };
	struct outcome o = { 0 };

	(void)argument;
	if (ch->f)
		launch_fuse_stats(ch->f, &st);
	if (asprintf(&o.text,
		"requests %llu\nerrors %llu\ninterrupted %llu\nwalked_again %llu\nnodes %u\nchans %u\nopen %u\nmounts %zu\n"
		"watched %u\nraised %llu\nechoes %llu\nlost %llu\nnot_raised %llu\n",
		(unsigned long long)st.requests, (unsigned long long)st.errors,
		(unsigned long long)st.interrupted, (unsigned long long)st.walked_again, st.nodes,
		st.chans, st.open, tn_shadow_count(ch->shadow), st.watched,
		(unsigned long long)st.raised, (unsigned long long)st.echoes,
		(unsigned long long)st.lost, (unsigned long long)st.not_raised) < 0)
		o.text = NULL;
	return o;
}

static struct outcome version(struct tn_changes *ch, const char *argument)
{
	(void)ch;
	(void)argument;
	return (struct outcome){ .text = strdup(TN_VERSION "\n") };
}

/* ---- changes ---- */

/* `mount -o OPTIONS` is ours, the rest of the line namespace(6)'s: takes the options out. NULL: there are none. */
static char *take_options(char *line)
{
	static const char head[] = "mount -o ";
	char *from, *to, *options;
	bool quoted = false;

	if (strncmp(line, head, sizeof(head) - 1) != 0)
		return NULL;
	from = to = options = strdup(line + sizeof(head) - 1);
	if (!options)
		return NULL;
	for (; *from && (quoted || *from != ' '); from++) {
		if (*from != '\'')
			*to++ = *from;
		else if (quoted && from[1] == '\'')
			*to++ = *from++;
		else
			quoted = !quoted;
	}
	memmove(line + sizeof("mount") - 1, line + sizeof(head) - 1 + (from - options),
	    strlen(line + sizeof(head) - 1 + (from - options)) + 1);
	*to = '\0';
	return options;
}

static const char *no_variable(void *arg, struct tn_str name)
{
	(void)arg;
	(void)name;
	return NULL;
}

/* The one line of a script as a mount with options. */
static bool mount_with(struct tn_compose *c, struct tn_compose_op *op, const struct tn_ns_line *l,
    char *options)
{
	const char *bad, *cause;

	op->is_file = false;
	op->name = l->place;
	op->src = l->src;
	op->with = (struct tn_mount_options){ .dialect = TN_DIALECTS, .flags = l->flags };
	if (!tn_mount_options_parse(&op->with, options, &bad, &cause)) {
		snprintf(c->what, sizeof(c->what), "%s", bad);
		snprintf(c->error, sizeof(c->error), "%s", cause);
		return false;
	}
	if (l->spec)
		op->with.aname = l->spec;
	return true;
}

/* Puts the name space and its shadow back. */
static void undo(struct tn_changes *ch, struct tn_ns *before)
{
	enum tn_step step;

	tn_proc_set_ns(ch->proc, tn_ns_get(before));
	tn_shadow_apply(ch->shadow, NULL, 0, &step);
}

static char *carry_out(struct tn_changes *ch, struct tn_compose *c,
    const struct tn_ns_script *script)
{
	struct tn_ns *before = tn_ns_get(ch->proc->ns);
	const char **names = calloc(script->n + 1, sizeof(*names));
	char *error = NULL;
	enum tn_step step;
	size_t n = 0;
	int number;

	if (!names) {
		tn_ns_put(before);
		return strdup("no memory");
	}
	for (size_t i = 0; i < script->n; i++) {
		if (script->lines[i].place)
			names[n++] = script->lines[i].place;
	}
	if (!tn_compose_apply(c, ch->proc)) {
		error = strdup(c->error);
	} else {
		number = tn_shadow_apply(ch->shadow, names, n, &step);
		if (number) {
			undo(ch, before);
			if (asprintf(&error, "%s: %s", tn_step_name(step), strerror(number)) < 0)
				error = NULL;
		}
	}
	free(names);
	tn_ns_put(before);
	return error;
}

static struct outcome change(struct tn_changes *ch, char *line)
{
	char *options = take_options(line);
	struct tn_compose c;
	struct tn_compose_op op = { .is_file = true, .name = "line" };
	struct tn_ns_where where = { 0 };
	struct outcome o = { 0 };
	enum tn_err err;
	bool ok = true;

	tn_compose_init(&c);
	err = tn_ns_parse(&op.script, "line", line, strlen(line), no_variable, NULL, false, NULL,
	    &where);
	if (err != TN_OK) {
		o.error = strdup(where.what ? where.what : tn_err_text(err));
		free(options);
		return o;
	}
	c.clean = true; /* where the root is ours, a name that is missing appears */
	c.ops = &op;
	c.n = 1;
	if (options && op.script.n == 1)
		ok = mount_with(&c, &op, &op.script.lines[0], options);
	o.error = ok ? carry_out(ch, &c, &op.script) : strdup(c.error);
	tn_ns_script_free(&op.script);
	c.ops = NULL;
	c.n = 0;
	tn_compose_fini(&c);
	free(options);
	return o;
}

static const struct {
	const char *verb;
	struct outcome (*answer)(struct tn_changes *ch, const char *argument);
} questions[] = { { "ns", ns }, { "whence", whence }, { "stats", stats }, { "version", version } };

static struct outcome carry_line(struct tn_changes *ch, char *line)
{
	for (size_t i = 0; i < TN_COUNT(questions); i++) {
		size_t len = strlen(questions[i].verb);

		if (strncmp(line, questions[i].verb, len) == 0 &&
		    (line[len] == ' ' || line[len] == '\0'))
			return questions[i].answer(ch, line + len + (line[len] == ' '));
	}
	return change(ch, line);
}

/* ---- the queue ---- */

static struct item *enqueue(struct tn_changes *ch, const char *line, size_t len)
{
	struct item *item = calloc(1, sizeof(*item));

	if (item)
		item->line = strndup(line, len);
	if (!item || !item->line) {
		free(item);
		return NULL;
	}
	item->ch = ch;
	*ch->last = item;
	ch->last = &item->next;
	return item;
}

/* A request's answer: what whence gives is read on the same Chan. The words of an error are those that were said. */
static void answer_request(struct tn_req *r, const struct outcome *o)
{
	struct tn_str words = { o->error, o->error ? (uint32_t)strlen(o->error) : 0 };

	if (o->error)
		tn_fail_words(r, tn_err_of_words(words), words.s, words.len);
	else if (o->text)
		tn_nsdev_answer(r, o->text, strlen(o->text));
	tn_respond(r);
}

void tn_changes_run(struct tn_changes *ch)
{
	if (ch->is_running)
		return;
	ch->is_running = true;
	while (ch->first) {
		struct item *item = ch->first;
		struct outcome o;

		tn_shadow_prune(ch->shadow);
		o = carry_line(ch, item->line);

		if (item->ask)
			tn_control_answer(item->ask, o.error, o.text);
		if (item->r)
			answer_request(item->r, &o);
		ch->first = item->next;
		if (!ch->first)
			ch->last = &ch->first;
		free(o.text);
		free(o.error);
		free(item->line);
		free(item);
	}
	ch->is_running = false;
}

void tn_changes_line(void *arg, struct tn_control_ask *ask, const char *line, pid_t pid)
{
	struct item *item = enqueue(arg, line, strlen(line));

	(void)pid;
	if (item)
		item->ask = ask;
	else
		tn_control_answer(ask, "no memory", NULL);
}

/* ---- #ns ---- */

static enum tn_status queue_request(struct tn_changes *ch, struct tn_req *r, const char *line)
{
	struct item *item = line ? enqueue(ch, line, strlen(line)) : NULL;

	if (!item)
		return tn_fail(r, TN_ENOMEM);
	/* From here on it is in the queue: a request that cannot be kept only has nobody to be told. */
	if (!tn_keep(r))
		return TN_DONE;
	item->r = r;
	return TN_LATER;
}

static enum tn_status dev_ctl(void *arg, struct tn_req *r, struct tn_str text)
{
	char *line = strndup(text.s, text.len);
	enum tn_status status = queue_request(arg, r, line);

	free(line);
	return status;
}

static enum tn_status dev_whence(void *arg, struct tn_req *r, struct tn_str text)
{
	char *line;
	enum tn_status status;

	if (asprintf(&line, "whence %.*s", (int)text.len, text.s) < 0)
		line = NULL;
	status = queue_request(arg, r, line);
	free(line);
	return status;
}

static enum tn_status tell(struct tn_req *r, struct outcome o)
{
	enum tn_status status = TN_DONE;

	if (o.error)
		status = tn_fail(r, TN_ENOMEM);
	else
		tn_nsdev_answer(r, o.text ? o.text : "", o.text ? strlen(o.text) : 0);
	free(o.text);
	free(o.error);
	return status;
}

static enum tn_status dev_print(void *arg, struct tn_req *r, struct tn_str text)
{
	struct tn_changes *ch = arg;

	(void)text;
	tn_shadow_prune(ch->shadow);
	return tell(r, print_ns(ch, ""));
}

static enum tn_status dev_stats(void *arg, struct tn_req *r, struct tn_str text)
{
	(void)text;
	return tell(r, stats(arg, ""));
}

/* Nobody waits any more; what is under way goes on, or the name space would be half changed. */
static void dev_flush(void *arg, struct tn_req *r)
{
	struct tn_changes *ch = arg;

	for (struct item *item = ch->first; item; item = item->next) {
		if (item->r != r)
			continue;
		item->r = NULL;
		tn_fail(r, TN_EINTR);
		tn_respond(r);
		return;
	}
}

struct tn_server *tn_changes_device(struct tn_changes *ch)
{
	struct tn_nsdev_host host = { .arg = ch,
		.ctl = dev_ctl,
		.print = dev_print,
		.whence = dev_whence,
		.stats = dev_stats,
		.flush = dev_flush };

	return tn_nsdev_new(ch->proc->node->loop, &host);
}
