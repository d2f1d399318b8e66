#include "cmd/tree.h"

#include "cmd/progress.h"
#include "cmd/say.h"
#include "core/host.h"

#include <stdlib.h>
#include <string.h>

#define PIECE (128u * 1024)

/* What is still to be done: a name, for a copy also where it goes. */
struct step {
	char *from, *to;
	bool
	    is_open; /* its directory was read: what was in it stands above it on the stack, or is done */
};

struct stack {
	struct step *steps;
	size_t n, size;
};

static bool push(struct stack *s, char *from, char *to)
{
	if (s->n == s->size) {
		size_t size = s->size ? s->size * 2 : 16;
		struct step *more = realloc(s->steps, size * sizeof(*more));

		if (!more)
			return false;
		s->steps = more;
		s->size = size;
	}
	s->steps[s->n++] = (struct step){ from, to, false };
	return true;
}

static void pop(struct stack *s)
{
	struct step *top = &s->steps[--s->n];

	free(top->from);
	free(top->to);
}

static void stack_fini(struct stack *s)
{
	while (s->n)
		pop(s);
	free(s->steps);
}

/* Puts what is in the directory of the top step on the stack. false: told. */
static bool push_children(struct stack *s, struct cmd_place *p, const char *what)
{
	struct step top = s->steps[s->n - 1]; /* the array may move */
	struct cmd_files files;
	bool ok = true;

	s->steps[s->n - 1].is_open = true;
	if (cmd_files_read(p, top.from, false, &files) < 0) {
		cmd_say_call(what, top.from);
		ok = false;
	}
	cmd_files_sort(&files);
	for (size_t i = files.n; ok && i-- > 0;) {
		char *from = cmd_join(top.from, files.file[i]->st.name);
		char *to = top.to ? cmd_join(top.to, files.file[i]->st.name) : NULL;

		if (!from || (top.to && !to) || !push(s, from, to)) {
			free(from);
			free(to);
			files.no_memory = true;
			break;
		}
	}
	if (files.no_memory)
		cmd_say(what, top.from, "no memory");
	ok = ok && !files.no_memory;
	cmd_files_free(&files);
	return ok;
}

static bool start(struct stack *s, const char *what, const char *from, const char *to)
{
	char *a = strdup(from);
	char *b = to ? strdup(to) : NULL;

	if (a && (b || !to) && push(s, a, b))
		return true;
	free(a);
	free(b);
	cmd_say(what, from, "no memory");
	return false;
}

/* ---- remove ---- */

/* Whether an error of a removal means that something is in the directory. Servers have several words for that. */
static bool may_be_full(enum tn_err err)
{
	return err == TN_ENOTEMPTY || err == TN_EREMOTE || err == TN_EEXIST || err == TN_EPERM ||
	       err == TN_EACCES;
}

int cmd_tree_remove(struct cmd_place *p, const char *what, const char *name, bool recursive)
{
	struct stack s = { 0 };
	int status = start(&s, what, name, NULL) ? CMD_OK : CMD_FAILED;

	while (s.n) {
		struct step *top = &s.steps[s.n - 1];
		bool gone = tn_call_remove(p->proc, top->from) == 0;

		if (gone || top->is_open || !recursive || !may_be_full(tn_call_err())) {
			if (!gone)
				status = cmd_say_call(what, top->from);
			pop(&s);
			continue;
		}
		if (!cmd_is_directory(p, top->from)) {
			tn_call_remove(p->proc, top->from); /* for its error */
			status = cmd_say_call(what, top->from);
			pop(&s);
		} else if (!push_children(&s, p, what)) {
			status = CMD_FAILED;
			pop(&s);
		}
	}
	stack_fini(&s);
	return status;
}

/* ---- copy ---- */

static int copy_data(struct cmd_place *p, const char *what, const struct step *f, int in, int out)
{
	char *piece = malloc(PIECE);
	int status = CMD_OK;
	int64_t n = 0;

	if (!piece) {
		cmd_say(what, f->from, "no memory");
		return CMD_FAILED;
	}
	while (status == CMD_OK && (n = tn_call_read(p->proc, in, piece, PIECE)) > 0) {
		for (int64_t at = 0; at < n && status == CMD_OK;) {
			int64_t wrote = tn_call_write(p->proc, out, piece + at, (size_t)(n - at));

			if (wrote < 0)
				status = cmd_say_call(what, f->to);
			at += wrote;
			if (wrote > 0)
				cmd_progress_add(p->progress, (uint64_t)wrote, 0);
		}
	}
	if (n < 0)
		status = cmd_say_call(what, f->from);
	free(piece);
	return status;
}

static bool is_same_file(struct cmd_place *p, int in, const char *to)
{
	int fd = tn_call_open(p->proc, to, TN_OREAD);
	bool same = fd >= 0 && tn_chan_same(tn_call_chan(p->proc, in), tn_call_chan(p->proc, fd));

	if (fd >= 0)
		tn_call_close(p->proc, fd);
	return same;
}

static int copy_file(struct cmd_place *p, const char *what, const struct step *f, uint32_t mode)
{
	int in = tn_call_open(p->proc, f->from, TN_OREAD);
	int out, status;

	if (in < 0)
		return cmd_say_call(what, f->from);
	if (is_same_file(p, in, f->to)) {
		tn_call_close(p->proc, in);
		cmd_say(what, f->to, "is the same file");
		return CMD_FAILED;
	}
	out = tn_call_create(p->proc, f->to, TN_OWRITE | TN_OF_TRUNC, mode & 0777);
	status = out < 0 ? cmd_say_call(what, f->to) : copy_data(p, what, f, in, out);
	tn_call_close(p->proc, in);
	if (out >= 0 && tn_call_close(p->proc, out) < 0 && status == CMD_OK)
		status = cmd_say_call(what, f->to);
	return status;
}

/* A directory is made writable for its owner while it is filled; finish_directory gives it what it is to have. */
static int make_directory(struct cmd_place *p, const char *what, const char *to, uint32_t mode)
{
	int fd;

	if (cmd_is_directory(p, to))
		return CMD_OK;
	fd = tn_call_create(p->proc, to, TN_OREAD | TN_OF_EXCL, TN_DMDIR | (mode & 0777) | 0700);
	if (fd < 0)
		return cmd_say_call(what, to);
	tn_call_close(p->proc, fd);
	return CMD_OK;
}

static int finish_directory(struct cmd_place *p, const char *what, const struct step *f)
{
	struct tn_call_stat from, to;
	struct tn_stat change = { .valid = TN_ST_MODE };
	int status = CMD_OK;

	if (tn_call_stat(p->proc, f->from, &from) < 0)
		return cmd_say_call(what, f->from);
	if (tn_call_stat(p->proc, f->to, &to) < 0) {
		tn_free(from.text);
		return cmd_say_call(what, f->to);
	}
	change.mode = (to.st.mode & ~0777u) | (from.st.mode & 0777);
	if (change.mode != to.st.mode && tn_call_wstat(p->proc, f->to, &change) < 0)
		status = cmd_say_call(what, f->to);
	tn_free(from.text);
	tn_free(to.text);
	return status;
}

static int copy_step(struct cmd_place *p, struct stack *s, const char *what, bool recursive)
{
	struct step *top = &s->steps[s->n - 1];
	struct tn_call_stat got;
	struct tn_stat st;
	int status;

	if (top->is_open) {
		status = finish_directory(p, what, top);
		pop(s);
		return status;
	}
	if (tn_call_stat(p->proc, top->from, &got) < 0) {
		status = cmd_say_call(what, top->from);
		pop(s);
		return status;
	}
	st = got.st;
	tn_free(got.text);
	if (!cmd_is_dir(&st)) {
		status = copy_file(p, what, top, st.mode);
		cmd_progress_add(p->progress, 0, 1);
		pop(s);
		return status;
	}
	if (!recursive) {
		cmd_say(what, top->from, "is a directory: -r copies it");
		pop(s);
		return CMD_FAILED;
	}
	status = make_directory(p, what, top->to, st.mode);
	if (status == CMD_OK && !push_children(s, p, what))
		status = CMD_FAILED;
	if (status != CMD_OK)
		pop(s);
	return status;
}

/* Whether `to` lies in the tree `from`, by its names: then a copy would never end. */
static bool is_inside(const char *from, const char *to)
{
	size_t len = strlen(from);

	while (len > 1 && from[len - 1] == '/')
		len--;
	return strncmp(from, to, len) == 0 &&
	       (to[len] == '/' || to[len] == '\0' || from[len - 1] == '/');
}

int cmd_tree_copy(struct cmd_place *p, const char *what, const char *from, const char *to,
    bool recursive)
{
	struct stack s = { 0 };
	int status;

	if (recursive && cmd_is_directory(p, from) && is_inside(from, to)) {
		cmd_say(what, to, "lies in what is to be copied");
		return CMD_FAILED;
	}
	status = start(&s, what, from, to) ? CMD_OK : CMD_FAILED;
	while (s.n) {
		if (copy_step(p, &s, what, recursive) != CMD_OK)
			status = CMD_FAILED;
	}
	stack_fini(&s);
	return status;
}

static void measure_file(struct cmd_progress *to, const struct tn_stat *st)
{
	to->files_all++;
	to->bytes_all += st->length;
}

/* Of a directory: its files are counted, its directories put on the stack. */
static void measure_step(struct cmd_place *p, struct stack *s)
{
	char *directory = s->steps[--s->n].from;
	struct cmd_files files;

	cmd_files_read(p, directory, true, &files);
	for (size_t i = 0; i < files.n; i++) {
		const struct tn_stat *st = &files.file[i]->st;
		char *name = cmd_is_dir(st) ? cmd_join(directory, st->name) : NULL;

		if (!cmd_is_dir(st))
			measure_file(p->progress, st);
		else if (!name || !push(s, name, NULL))
			free(name);
	}
	cmd_files_free(&files);
	free(directory);
}

void cmd_tree_measure(struct cmd_place *p, const char *from)
{
	struct stack s = { 0 };
	struct tn_call_stat got;
	char *top;

	if (tn_call_stat(p->proc, from, &got) < 0)
		return;
	top = cmd_is_dir(&got.st) ? strdup(from) : NULL;
	if (!cmd_is_dir(&got.st))
		measure_file(p->progress, &got.st);
	else if (!top || !push(&s, top, NULL))
		free(top);
	tn_free(got.text);
	while (s.n)
		measure_step(p, &s);
	stack_fini(&s);
}

char *cmd_tree_target(struct cmd_place *p, const char *from, const char *to)
{
	return cmd_is_directory(p, to) ? cmd_join(to, cmd_last(from)) : strdup(to);
}
