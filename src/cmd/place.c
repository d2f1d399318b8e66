#include "cmd/place.h"

#include "cmd/say.h"
#include "core/server.h"
#include "host/posix/dial.h"
#include "host/posix/host.h"
#include "host/posix/node.h"
#include "lib/compose.h"

#include <stdlib.h>
#include <unistd.h>

static void count(uv_handle_t *handle, void *arg)
{
	(void)handle;
	++*(unsigned *)arg;
}

static unsigned handles_of(struct tn_host_loop *loop)
{
	unsigned n = 0;

	uv_walk(tn_host_loop_uv(loop), count, &n);
	return n;
}

/* Names that do not begin at the root begin where one is, if the host's files show it. */
static void go_where_one_is(struct tn_proc *p)
{
	char *cwd = getcwd(NULL, 0);

	if (cwd)
		tn_call_chdir(p, cwd);
	free(cwd);
}

bool cmd_place_start(struct cmd_place *p, bool is_clean)
{
	tn_call_turn = tn_host_loop_turn;
	p->loop = tn_host_loop_new();
	p->n_handles = p->loop ? handles_of(p->loop) : 0;
	p->node = p->loop ? tn_host_node_new(p->loop) : NULL;
	if (p->node)
		tn_host_node_files_with(p->node, &p->files);
	if (p->node)
		p->proc = is_clean ? tn_host_proc_clean(p->node) : tn_host_proc_new(p->node);
	if (!p->proc) {
		cmd_say(NULL, NULL, "no memory, or no descriptors, for a loop");
		return false;
	}
	if (!is_clean)
		go_where_one_is(p->proc);
	return true;
}

/* What a command has to say it says itself; of lost connections and the like a node's log would speak again. */
static void no_log(const char *text, size_t len)
{
	(void)text;
	(void)len;
}

/* The tree at a dial string becomes the root of an otherwise empty name space. */
static int mount_root(struct cmd_place *p, const char *what, const char *dial)
{
	struct tn_mount_options options = { .dialect = TN_DIALECTS };
	char words[TN_COMPOSE_ERROR_SIZE];
	struct tn_server *server;
	enum tn_err err;
	int status = CMD_OK;

	server = tn_mount_dial(p->node->loop, dial, &options, &err, words);
	if (!server) {
		cmd_say(what, dial, words);
		return err == TN_EBADDIAL ? CMD_USAGE : CMD_FAILED;
	}
	if (tn_call_mount(p->proc, server, "/", TN_REPL | TN_CREATE_HERE, "") < 0)
		status = cmd_say_call(what, dial);
	tn_server_put(server);
	return status;
}

bool cmd_place_open(struct cmd_place *p, const struct cmd_args *a, int names_min, int names_max,
    int *status)
{
	const char *what = a->command->name;
	const char *dial = a->n_words && tn_is_dial(a->words[0]) ? a->words[0] : NULL;

	*p = (struct cmd_place){ .names = a->words + (dial ? 1 : 0),
		.n_names = a->n_words - (dial ? 1 : 0) };
	*status = CMD_OK;
	tn_log_hook = no_log;
	if (p->n_names < names_min)
		*status = cmd_usage_error(a->command, NULL, "a name is missing");
	else if (p->n_names > names_max)
		*status = cmd_usage_error(a->command, p->names[names_max], "one argument too many");
	else if (!cmd_place_start(p, dial != NULL))
		*status = CMD_FAILED;
	else if (dial)
		*status = mount_root(p, what, dial);
	return *status == CMD_OK;
}

/* Connections say goodbye before their loop may go: turns it until only its own handles are left. */
static void drain(struct cmd_place *p)
{
	struct tn_loop *core = tn_host_loop_core(p->loop);

	while (handles_of(p->loop) > p->n_handles || tn_loop_next_ns(core) == 0)
		tn_host_loop_turn(core);
}

void cmd_place_close(struct cmd_place *p)
{
	if (p->proc) {
		/* A name space may hold itself, by a view of it that is mounted in it. */
		tn_ns_clear(p->proc->ns);
		tn_proc_put(p->proc);
	}
	if (p->loop)
		drain(p);
	if (p->node)
		tn_host_node_free(p->node);
	if (p->loop)
		tn_host_loop_free(p->loop);
	p->proc = NULL;
	p->node = NULL;
	p->loop = NULL;
}
