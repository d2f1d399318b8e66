/*
 * tenon export: serves a directory, a device, an import or a composed name space as 9P. What is not composed, cut or made
 * read-only is served directly; everything else through a view (core/view.h).
 */
#include "cmd/command.h"
#include "cmd/compose.h"
#include "cmd/limits.h"
#include "cmd/place.h"
#include "cmd/say.h"
#include "core/view.h"
#include "fs/watch.h"
#include "host/posix/hostfs.h"
#include "host/posix/listen.h"
#include "host/posix/node.h"
#include "host/posix/peer.h"
#include "host/posix/serve.h"
#include "host/posix/usermap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct export
{
	const struct cmd_args *a;
	struct tn_compose compose;
	struct cmd_place place;
	struct tn_server *server; /* what is served */
	struct tn_service *service;
	struct tn_service_options limits;
	struct tn_usermap *users; /* of --map-user FILE, or NULL */
	uv_signal_t signals[2];
	bool is_listening, is_ending;
};

/* ---- for whom ---- */

static int read_map(struct export *e, const char *path)
{
	unsigned line;

	e->users = tn_usermap_read(path, &line);
	e->place.files.users = e->users;
	if (e->users)
		return CMD_OK;
	if (line == 0)
		return cmd_say_errno("export", path);
	fprintf(stderr, "tenon: export: %s:%u: not two words: PEER LOCAL\n", path, line);
	return CMD_FAILED;
}

/*
 * An export by root acts for whoever attaches, with his rights, unless it is told to be itself to all; one by somebody
 * else can be nobody but himself.
 */
static int choose_user(struct export *e)
{
	const char *who = cmd_value(e->a, OPT_MAP_USER);
	bool is_self = who && strcmp(who, "self") == 0;

	e->place.files.as_asker = tn_hostfs_has_others() && !is_self;
	if (!who || is_self)
		return CMD_OK;
	if (!e->place.files.as_asker)
		return cmd_usage_error(e->a->command, who, "only root can be others: self");
	e->place.files.squash = strcmp(who, "squash") == 0;
	return e->place.files.squash ? CMD_OK : read_map(e, who);
}

/* ---- what is served ---- */

static bool is_composed(const struct export *e)
{
	return e->compose.n || e->compose.clean;
}

static int fail(const char *what, enum tn_err err)
{
	cmd_say("export", what, tn_err_text(err));
	return CMD_FAILED;
}

/* A view of the name space from `src`, or from what --sub names below it, down. */
static int serve_view(struct export *e, const char *src)
{
	struct tn_view_options options = {
		.read_only = e->compose.read_only,
		.follow = true,
		.as_asker = e->place.files.as_asker,
	};
	const char *sub = cmd_value(e->a, OPT_SUB);
	char *name = sub ? cmd_join(src, cmd_str(sub)) : strdup(src);
	struct tn_chan *root;

	if (!name)
		return fail(src, TN_ENOMEM);
	root = tn_call_walk(e->place.proc, name, TN_FOR_TARGET);
	free(name);
	if (!root)
		return cmd_say_call("export", sub ? sub : src);
	e->server = tn_view_new(e->place.proc, root, &options);
	tn_chan_put(root);
	return e->server ? CMD_OK : fail(src, TN_ENOMEM);
}

/* The server at a dial string: itself, or cut or made read-only a view of a name space that holds nothing else. */
static int serve_dial(struct export *e, const char *dial, bool is_direct)
{
	struct tn_mount_options options = { .dialect = TN_DIALECTS };
	char words[TN_COMPOSE_ERROR_SIZE];
	enum tn_err err;

	e->server = tn_mount_dial(e->place.node->loop, dial, &options, &err, words);
	if (!e->server) {
		cmd_say("export", dial, words);
		return err == TN_EBADDIAL ? CMD_USAGE : CMD_FAILED;
	}
	if (is_direct)
		return CMD_OK;
	if (tn_call_mount(e->place.proc, e->server, "/", TN_REPL, "") < 0)
		return cmd_say_call("export", dial);
	tn_server_put(e->server);
	e->server = NULL;
	return serve_view(e, "/");
}

/* `#ram`: an instance of the device. What is below a device is a name. */
static int serve_device(struct export *e, const char *src)
{
	struct tn_str name = { src + 1, (uint32_t)strlen(src + 1) };
	struct tn_str spec;
	const struct tn_device_row *row = tn_device_find(e->place.node, name, &spec);
	enum tn_err err = row ? row->instance(e->place.proc, spec, &e->server) : TN_ENODEV;

	return err == TN_OK ? CMD_OK : fail(src, err);
}

static int serve_directory(struct export *e, const char *src)
{
	enum tn_err err;

	e->server = tn_hostfs_new(e->place.node->loop, src, &e->place.files, &err);
	return e->server ? CMD_OK : fail(src, err);
}

/* A device or directory as it is; what is composed, cut or read-only through a view. */
static int choose_server(struct export *e)
{
	const char *src = e->a->n_words ? e->a->words[0] : "/";
	bool is_direct = !is_composed(e) && !e->compose.read_only && !cmd_has(e->a, OPT_SUB);

	if (tn_is_dial(src))
		return serve_dial(e, src, is_direct);
	if (is_direct && src[0] == '#' && !strchr(src + 2, '/'))
		return serve_device(e, src);
	if (is_direct && src[0] != '#')
		return serve_directory(e, src);
	return serve_view(e, src);
}

/* ---- where ---- */

/* Tells each address to whoever waits for it: people on standard error, programs on --ready-fd. */
static void tell(FILE *ready, const char *address)
{
	fprintf(stderr, "listening on %s\n", address);
	if (ready)
		fprintf(ready, "%s\n", address);
}

static int listen_all(struct export *e, FILE *ready)
{
	for (size_t i = 0; i < e->a->n_given; i++) {
		const struct cmd_given *g = &e->a->given[i];
		char words[TN_WORDS_SIZE] = "";
		const char *address;
		enum tn_err err;

		if (g->id != OPT_LISTEN)
			continue;
		err = tn_service_listen(e->service, g->value, &address, words);
		if (err != TN_OK) {
			cmd_say("export", g->value, words[0] ? words : tn_err_text(err));
			return CMD_FAILED;
		}
		e->is_listening = true;
		tell(ready, address);
	}
	return CMD_OK;
}

/* Sockets that were opened for us: systemd's. */
static int listen_inherited(struct export *e)
{
	int n = tn_listen_fds();

	for (int fd = 3; fd < 3 + n; fd++) {
		char words[TN_WORDS_SIZE] = "";
		enum tn_err err;

		e->is_listening = e->is_listening || tn_fd_listens(fd);
		err = tn_service_fd(e->service, fd, words);
		if (err != TN_OK) {
			cmd_say("export", "LISTEN_FDS", words[0] ? words : tn_err_text(err));
			return CMD_FAILED;
		}
	}
	return CMD_OK;
}

static int serve_standard(struct export *e)
{
	char words[TN_WORDS_SIZE] = "";
	enum tn_err err = tn_service_pair(e->service, STDIN_FILENO, STDOUT_FILENO, words);

	if (err == TN_OK)
		return CMD_OK;
	cmd_say("export", "standard input", words[0] ? words : tn_err_text(err));
	return CMD_FAILED;
}

static int open_doors(struct export *e)
{
	const char *fd = cmd_value(e->a, OPT_READY_FD);
	FILE *ready = fd ? fdopen(atoi(fd), "w") : NULL;
	int status;

	if (fd && !ready)
		return cmd_say_errno("export", fd);
	status = listen_inherited(e);
	if (status == CMD_OK)
		status = listen_all(e, ready);
	if (status == CMD_OK && !e->is_listening)
		status = serve_standard(e);
	if (ready && fclose(ready) != 0 && status == CMD_OK)
		status = cmd_say_errno("export", fd);
	return status;
}

/* Before anything is started: what -l says is a place to listen at, and a terminal speaks no 9P. */
static int check_doors(const struct export *e)
{
	for (size_t i = 0; i < e->a->n_given; i++) {
		const char *dial = e->a->given[i].value;
		char words[TN_WORDS_SIZE] = "";
		struct tn_dial d;
		enum tn_err err;

		if (e->a->given[i].id != OPT_LISTEN)
			continue;
		if (!tn_is_dial(dial))
			return cmd_usage_error(e->a->command, dial,
			    "no dial string: it begins with no net (tcp! unix!)");
		err = tn_dial_parse(&d, dial, words);
		if (err != TN_OK)
			return cmd_usage_error(e->a->command, dial,
			    words[0] ? words : tn_err_text(err));
		tn_dial_fini(&d);
	}
	if (!cmd_has(e->a, OPT_LISTEN) && !getenv("LISTEN_FDS") && isatty(STDIN_FILENO))
		return cmd_usage_error(e->a->command, NULL,
		    "a terminal speaks no 9P: listen somewhere (-l)");
	return CMD_OK;
}

/* ---- serving ---- */

static void has_ended(void *arg)
{
	struct export *e = arg;

	e->service = NULL;
	tn_host_loop_stop(e->place.loop);
}

static void end(struct export *e)
{
	if (e->is_ending)
		return;
	e->is_ending = true;
	tn_service_end(e->service, has_ended, e);
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	end(signal->data);
}

/* The last connection has ended. On standard input and output there comes no other. */
static void on_idle(void *arg)
{
	struct export *e = arg;

	if (!e->is_listening)
		end(e);
}

static int serve(struct export *e)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	struct tn_service_options options = e->limits;
	int status;

	options.idle = on_idle;
	options.arg = e;

	options.beside = tn_watch_new(e->server);
	options.aname = TN_WATCH_ANAME;
	/* The names and numbers of --map-user are the peers' own: this host has nothing to add. */
	options.users = e->users ? NULL : tn_peers_new(e->server->home, tn_peer_user);
	if (options.beside && (options.users || e->users))
		e->service = tn_service_new(e->place.loop, e->server, &options);
	tn_server_put(options.beside);
	tn_server_put(options.users);
	if (!e->service)
		return fail(NULL, TN_ENOMEM);
	for (size_t i = 0; i < TN_COUNT(numbers); i++) {
		uv_signal_init(tn_host_loop_uv(e->place.loop), &e->signals[i]);
		e->signals[i].data = e;
		uv_signal_start(&e->signals[i], on_signal, numbers[i]);
	}
	status = open_doors(e);
	if (status != CMD_OK)
		end(e);
	tn_host_loop_run(e->place.loop);
	for (size_t i = 0; i < TN_COUNT(numbers); i++)
		uv_close((uv_handle_t *)&e->signals[i], NULL);
	return status;
}

static int export(struct export *e)
{
	int status = cmd_compose(&e->compose, e->a) ? check_doors(e) : CMD_USAGE;

	if (status == CMD_OK && !cmd_limits(e->a, &e->limits))
		status = CMD_USAGE;
	if (status == CMD_OK)
		status = choose_user(e);
	if (status == CMD_OK && is_composed(e) && e->a->n_words && tn_is_dial(e->a->words[0]))
		status = cmd_usage_error(e->a->command, e->a->words[0],
		    "is no name in what was composed: use -m");
	if (status == CMD_OK)
		status = cmd_place_start(&e->place, e->compose.clean) ? CMD_OK : CMD_FAILED;
	if (status == CMD_OK && cmd_gives_commands(&e->compose, e->a))
		tn_host_node_cmd(e->place.node);
	if (status == CMD_OK && !tn_compose_apply(&e->compose, e->place.proc))
		status = cmd_say_compose("export", &e->compose);
	if (status == CMD_OK)
		status = choose_server(e);
	if (status == CMD_OK)
		status = serve(e);
	return status;
}

int cmd_export(const struct cmd_args *a)
{
	struct export e = { .a = a };
	int status;

	tn_compose_init(&e.compose);
	status = export(&e);
	tn_server_put(e.server);
	tn_compose_fini(&e.compose);
	cmd_place_close(&e.place);
	tn_usermap_free(e.users);
	return status;
}
