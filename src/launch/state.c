/* Lines about a name space, printed into memory. A text with a newline in it would be two lines: it gets a `?` instead. */
#include "launch/state.h"

#include "core/nsfile.h"
#include "lib/linked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PROGRAM_MAX = 4096, /* bytes of the program's words that are told */
	LINKS_MAX = 256     /* connections that are told */
};

struct telling {
	FILE *to;
	const void *told[LINKS_MAX];
	size_t n_told;
};

static void put_line(FILE *to, const char *word, const char *text)
{
	fprintf(to, "%s ", word);
	for (; *text; text++)
		fputc(*text == '\n' ? '?' : *text, to);
	fputc('\n', to);
}

static void put_program(FILE *to, char *const *argv)
{
	char text[PROGRAM_MAX] = "";
	size_t len = 0;

	for (; *argv && len + 1 < sizeof(text); argv++) {
		if (len)
			text[len++] = ' ';
		len += tn_quote(*argv, text + len, sizeof(text) - len);
	}
	put_line(to, "program", text);
}

/* The last line of ns is the current directory's. */
static void put_mount(void *arg, const char *line)
{
	if (strncmp(line, "cd ", 3) != 0)
		put_line(((struct telling *)arg)->to, "mount", line);
}

static const char *label_of(void *arg, const struct tn_chan *c)
{
	(void)arg;
	return c->server->label;
}

/* Each connection once, whatever is mounted from it. */
static bool is_new(struct telling *t, const void *client)
{
	for (size_t i = 0; i < t->n_told; i++) {
		if (t->told[i] == client)
			return false;
	}
	if (t->n_told == LINKS_MAX)
		return false;
	t->told[t->n_told++] = client;
	return true;
}

static void put_link(void *arg, struct tn_chan *under, const struct tn_member *m)
{
	const char *label = m->to->server->label;
	struct telling *t = arg;
	struct tn_linked l;

	(void)under;
	if (!tn_linked(m->to->server, &l) || !is_new(t, l.client))
		return;
	put_line(t->to, "link", l.state);
	put_line(t->to, "dial", label ? label : "");
	if (l.dialect)
		put_line(t->to, "dialect", l.dialect);
	fprintf(t->to, "messages %llu\nlosses %llu\n", (unsigned long long)l.messages,
	    (unsigned long long)l.losses);
}

char *tn_state_text(struct tn_proc *proc, const struct tn_state *state)
{
	struct telling t = { 0 };
	char *text = NULL;
	size_t size;

	t.to = open_memstream(&text, &size);
	if (!t.to)
		return NULL;
	fprintf(t.to, "server %d\npid %d\n", (int)getpid(), (int)state->pid);
	if (state->keep)
		put_line(t.to, "keep", state->keep);
	put_program(t.to, state->argv);
	tn_ns_lines(proc, false, label_of, put_mount, &t);
	tn_ns_each(proc->ns, put_link, &t);
	if (fclose(t.to) == 0)
		return text;
	free(text);
	return NULL;
}
