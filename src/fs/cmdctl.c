/*
 * Lines of ctl: a word that says what to do, and its words. cmd(3).
 */
#include "fs/cmd_in.h"

/* The next word of a line, quoted as in rc, taken out in place; NULL: there is none; *bad: a quote has no end. */
static char *next_word(char **at, bool *bad)
{
	char *from = *at, *to, *word;
	bool quoted = false;

	while (*from == ' ' || *from == '\t')
		from++;
	if (*from == '\0')
		return NULL;
	for (word = to = from; *from && (quoted || (*from != ' ' && *from != '\t')); from++) {
		if (*from != '\'')
			*to++ = *from;
		else if (quoted && from[1] == '\'')
			*to++ = *from++;
		else
			quoted = !quoted;
	}
	*bad = quoted;
	*at = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static char *copy_of(const char *text)
{
	size_t size = tn_strlen(text) + 1;
	char *copy = tn_alloc(size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

static enum tn_status start(struct tn_req *r, struct tn_cmd_run *run, char **argv)
{
	struct tn_cmd_what what = { .argv = (const char *const *)argv,
		.dir = run->dir ? run->dir : "",
		.nice = run->nice,
		.user = run->user };
	const struct tn_cmd_host *host = &run->cmd->host;
	enum tn_err err;

	if (run->state != NEW)
		return tn_fail(r, TN_EBUSY);
	run->name = copy_of(argv[0]);
	if (!run->name)
		return tn_fail(r, TN_ENOMEM);
	err = host->start(host->arg, run, &what, &run->process);
	if (err != TN_OK) {
		tn_free(run->name);
		run->name = NULL;
		return tn_fail(r, err);
	}
	run->state = STARTING;
	if (!tn_keep(r))
		return TN_DONE;
	run->starter = r;
	return TN_LATER;
}

static enum tn_status do_exec(struct tn_req *r, struct tn_cmd_run *run, char *rest)
{
	char *argv[TN_CMD_ARGS_MAX + 2];
	bool bad = false;
	size_t n = 0;

	while (n <= TN_CMD_ARGS_MAX && (argv[n] = next_word(&rest, &bad)) != NULL)
		n++;
	if (n > TN_CMD_ARGS_MAX)
		return tn_fail(r, TN_E2BIG);
	argv[n] = NULL;
	return n && !bad ? start(r, run, argv) : tn_fail(r, TN_EBADARG);
}

static enum tn_status do_kill(struct tn_req *r, struct tn_cmd_run *run, char *rest)
{
	(void)rest;
	if (run->state != RUNNING && run->state != STARTING)
		return tn_fail(r, TN_ESRCH);
	run->cmd->host.kill(run->process);
	return TN_DONE;
}

/* It is always so here. */
static enum tn_status do_killonclose(struct tn_req *r, struct tn_cmd_run *run, char *rest)
{
	(void)r, (void)run, (void)rest;
	return TN_DONE;
}

static enum tn_status do_dir(struct tn_req *r, struct tn_cmd_run *run, char *rest)
{
	bool bad = false;
	char *dir = next_word(&rest, &bad), *copy;

	if (!dir || bad)
		return tn_fail(r, TN_EBADARG);
	copy = copy_of(dir);
	if (!copy)
		return tn_fail(r, TN_ENOMEM);
	tn_free(run->dir);
	run->dir = copy;
	return TN_DONE;
}

/* 1 to 19, or the middle of it; less is not for everybody. */
static enum tn_status do_nice(struct tn_req *r, struct tn_cmd_run *run, char *rest)
{
	int n = 0;

	for (; *rest >= '0' && *rest <= '9' && n < 100; rest++)
		n = n * 10 + (*rest - '0');
	if (*rest || n > 19)
		return tn_fail(r, TN_EBADARG);
	run->nice = n ? n : 10;
	return TN_DONE;
}

static const struct {
	const char *verb;
	enum tn_status (*act)(struct tn_req *r, struct tn_cmd_run *run, char *rest);
} verbs[] = {
	{ "exec", do_exec },
	{ "kill", do_kill },
	{ "killonclose", do_killonclose },
	{ "dir", do_dir },
	{ "nice", do_nice },
};

static enum tn_status ctl_line(struct tn_req *r, struct tn_cmd_run *run, char *line)
{
	bool bad = false;
	char *rest = line, *verb = next_word(&rest, &bad);

	for (size_t i = 0; verb && i < TN_COUNT(verbs); i++) {
		if (cmd_is_named((struct tn_str){ verb, (uint32_t)tn_strlen(verb) }, verbs[i].verb))
			return verbs[i].act(r, run, rest);
	}
	return tn_fail(r, TN_EBADARG);
}

enum tn_status cmd_ctl_write(struct tn_req *r, struct tn_cmd_run *run)
{
	uint32_t len = r->u.io.count;
	enum tn_status status;
	char *line;

	if (len > TN_CMD_LINE_MAX)
		return tn_fail(r, TN_E2BIG);
	line = tn_alloc((size_t)len + 1);
	if (!line)
		return tn_fail(r, TN_ENOMEM);
	memcpy(line, r->u.io.data, len);
	while (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	for (uint32_t i = 0; i < len; i++) {
		if (line[i] == '\0' || line[i] == '\n') {
			tn_free(line);
			return tn_fail(r, TN_EBADCHAR);
		}
	}
	status = ctl_line(r, run, line);
	tn_free(line);
	return status;
}
