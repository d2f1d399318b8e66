/*
 * doorway DIR [chans=N] [host=PATH] [plain] [dial=DIAL]: mounts (as root) a name space on DIR by the FUSE door and serves
 * it until DIR is unmounted. What the door does is then tried from outside with plain file calls (door.py).
 *
 *     /          a #ram            /a /b /u   /u is a union of them, in which /b takes what is created
 *     /r         a #ram behind 9P: a conn and a client back to back, or over DIAL
 *     /h         PATH by #host     /pipe /cons /env   devices     /rpipe /rcons   the same behind 9P
 *
 * Lines on standard input are commands (the table below); each is answered by lines and a last one, ".". What they do to
 * /r is done behind the door's back, at its server.
 */
#include "core/chan.h"
#include "fs/cons.h"
#include "fs/pipe.h"
#include "fs/ram.h"
#include "host/posix/listen.h"
#include "host/posix/node.h"
#include "host/posix/serve.h"
#include "launch/fuse.h"
#include "lib/call.h"
#include "link/conn.h"
#include "link/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* A server behind 9P. */
struct remote {
	struct tn_dialer dialer; /* first: a dialer is its remote */
	struct tn_server *server;
	struct tn_client *client;
	struct tn_conn *conn; /* NULL: over DIAL, or ended */
};

enum { RAM, PIPE, CONS, REMOTES };

static struct {
	struct tn_host_loop *hl;
	struct tn_node *node;
	struct tn_proc *p;     /* what is served */
	struct tn_proc *other; /* somebody at the server of /r: its `/` is that tree */
	struct remote remotes[REMOTES];
	struct tn_service *service;
	struct launch_fuse *fuse;
	uint32_t fids_peak;
	bool ended;
	const char *dir, *host, *dial;
	bool plain; /* 9P2000 is spoken with the remotes */
	uint32_t chans_max;
	char line[4096];
	size_t line_len;
} way;

static int complain(const char *what)
{
	fprintf(stderr, "doorway: %s: %s\n", what, tn_call_text());
	return 1;
}

/* ---- /r: a tree behind 9P ---- */

static void conn_closed(struct tn_conn *conn, void *arg)
{
	struct remote *remote = arg;

	remote->conn = NULL;
	tn_conn_free(conn);
}

static void pair_dial(struct tn_dialer *d, struct tn_client *client, struct tn_stream *stream)
{
	struct remote *r = (struct remote *)d;

	r->conn = tn_conn_new(r->server, NULL, "pair", conn_closed, r);
	if (r->conn && tn_pair_connect(way.node->loop, tn_conn_stream(r->conn), stream))
		tn_client_connected(client);
	else
		tn_client_failed(client, TN_ENOMEM, NULL);
}

static void pair_nothing(struct tn_dialer *d)
{
	(void)d;
}

static struct tn_dialer *dialer(struct remote *r)
{
	char words[TN_WORDS_SIZE];
	enum tn_err err;

	r->dialer = (struct tn_dialer){ pair_dial, pair_nothing, pair_nothing, false };
	if (!way.dial || r != &way.remotes[RAM])
		return &r->dialer;
	way.service = tn_service_new(way.hl, r->server, NULL);
	if (!way.service || tn_service_listen(way.service, way.dial, NULL, words) != TN_OK)
		return NULL;
	return tn_dialer_new(way.hl, way.dial, 0, &err, words);
}

static int mount_remote(struct remote *r, const char *place)
{
	struct tn_client_options o = { .label = place,
		.dialect = way.plain ? TN_9P2000 : TN_DIALECTS };
	struct tn_dialer *d = dialer(r);
	struct tn_server *s;
	int status;

	if (!d)
		return complain("dial");
	r->client = tn_client_new(way.node->loop, d, &o);
	s = tn_mnt_server(r->client);
	status = tn_call_mount(way.p, s, place, TN_REPL | TN_CREATE_HERE, "");
	tn_server_put(s);
	return status < 0 ? complain(place) : 0;
}

static int make_remotes(void)
{
	static const char *const places[] = { "/r", "/rpipe", "/rcons" };
	struct tn_ram_options ram = { .owner = way.p->user };
	struct tn_cons_host console = { .arg = NULL };

	way.remotes[RAM].server = tn_ram_new(way.node->loop, &ram);
	way.remotes[PIPE].server = tn_pipe_new(way.node->loop);
	way.remotes[CONS].server = tn_cons_new(way.node->loop, &console);
	for (size_t i = 0; i < REMOTES; i++) {
		if (mount_remote(&way.remotes[i], places[i]) != 0)
			return 1;
	}
	way.other = tn_host_proc_clean(way.node);
	if (tn_call_mount(way.other, way.remotes[RAM].server, "/", TN_REPL | TN_CREATE_HERE, "") <
	    0)
		return complain("other");
	return 0;
}

/* ---- the name space ---- */

static int make_dirs(void)
{
	static const char *const dirs[] = { "/a", "/b", "/u", "/r", "/h", "/pipe", "/cons", "/env",
		"/rcons", "/rpipe" };

	for (size_t i = 0; i < TN_COUNT(dirs); i++) {
		int fd = tn_call_create(way.p, dirs[i], TN_OREAD, TN_DMDIR | 0777);

		if (fd < 0)
			return complain(dirs[i]);
		tn_call_close(way.p, fd);
	}
	return 0;
}

static int compose(void)
{
	struct tn_ram_options ram = { .owner = way.p->user };
	struct tn_cons_host console = { .arg = NULL };
	struct tn_server *s = tn_ram_new(way.node->loop, &ram), *cons;
	char host[4200];
	int r = tn_call_mount(way.p, s, "/", TN_REPL | TN_CREATE_HERE, "");

	tn_server_put(s);
	if (r < 0)
		return complain("mount");
	if (make_dirs() != 0)
		return 1;
	cons = tn_cons_new(way.node->loop, &console);
	snprintf(host, sizeof(host), "#host%s", way.host ? way.host : "");
	if (tn_call_bind(way.p, "/a", "/u", TN_REPL) < 0 ||
	    tn_call_bind(way.p, "/b", "/u", TN_AFTER | TN_CREATE_HERE) < 0 ||
	    tn_call_bind(way.p, "#pipe", "/pipe", TN_REPL) < 0 ||
	    tn_call_mount(way.p, cons, "/cons", TN_REPL, "") < 0 ||
	    tn_call_bind(way.p, "#env", "/env", TN_REPL | TN_CREATE_HERE) < 0 ||
	    (way.host && tn_call_bind(way.p, host, "/h", TN_REPL | TN_CREATE_HERE) < 0))
		return complain("bind");
	tn_server_put(cons);
	return make_remotes();
}

/* ---- commands ---- */

static void say(int r)
{
	if (r < 0)
		printf("error %s\n", tn_call_text());
}

static void cmd_stats(char **arg)
{
	struct launch_fuse_stats f;
	struct tn_client_stats c;
	struct tn_conn_stats s = { 0 };

	(void)arg;
	launch_fuse_stats(way.fuse, &f);
	tn_client_stats(way.remotes[RAM].client, &c);
	if (way.remotes[RAM].conn)
		tn_conn_stats(way.remotes[RAM].conn, &s);
	printf("requests %llu\nerrors %llu\ninterrupted %llu\nwalked_again %llu\n",
	    (unsigned long long)f.requests, (unsigned long long)f.errors,
	    (unsigned long long)f.interrupted, (unsigned long long)f.walked_again);
	printf("nodes %u\nchans %u\nopen %u\nmessages %llu\nfids %u\nfids_peak %u\n", f.nodes,
	    f.chans, f.open, (unsigned long long)c.messages_out, s.fids, way.fids_peak);
	way.fids_peak = 0;
}

static void cmd_fill(char **arg)
{
	char path[64];

	say(-(int)tn_ram_put_dir(way.remotes[RAM].server,
	    (struct tn_str){ arg[0], (uint32_t)strlen(arg[0]) }, 0777));
	for (int i = 0; i < atoi(arg[1]); i++) {
		int len = snprintf(path, sizeof(path), "%s/f%06d", arg[0], i);

		if (tn_ram_put_file(way.remotes[RAM].server, (struct tn_str){ path, (uint32_t)len },
			0666, TN_STR("x\n")) != TN_OK)
			printf("error %s\n", path);
	}
}

static void cmd_write(char **arg)
{
	int fd = tn_call_create(way.other, arg[0], TN_OWRITE, 0666);

	say(fd);
	if (fd >= 0 && arg[1])
		say((int)tn_call_write(way.other, fd, arg[1], strlen(arg[1])));
	if (fd >= 0)
		tn_call_close(way.other, fd);
}

/* What somebody else makes between a look and a create. */
static struct {
	const struct tn_ops *ops; /* the server's own */
	struct tn_ops late;
	char path[256], text[64];
} race;

static struct tn_str str_of(const char *text)
{
	return (struct tn_str){ text, (uint32_t)strlen(text) };
}

static enum tn_status create_late(struct tn_req *r)
{
	struct tn_str name = r->u.create.name;
	const char *last = strrchr(race.path, '/');

	if (last && strlen(last + 1) == name.len && memcmp(last + 1, name.s, name.len) == 0) {
		tn_ram_put_file(r->server, str_of(race.path), 0666, str_of(race.text));
		race.path[0] = '\0';
	}
	return race.ops->op[TN_CREATE](r);
}

static void cmd_race(char **arg)
{
	struct tn_server *s = way.remotes[RAM].server;

	if (!race.ops) {
		race.ops = s->ops;
		race.late = *s->ops;
		race.late.op[TN_CREATE] = create_late;
		s->ops = &race.late;
	}
	snprintf(race.path, sizeof(race.path), "%s", arg[0]);
	snprintf(race.text, sizeof(race.text), "%s", arg[1]);
}

static void cmd_mkdir(char **arg)
{
	int fd = tn_call_create(way.other, arg[0], TN_OREAD | TN_OF_EXCL, TN_DMDIR | 0777);

	say(fd);
	if (fd >= 0)
		tn_call_close(way.other, fd);
}

static void cmd_remove(char **arg)
{
	say(tn_call_remove(way.other, arg[0]));
}

static void cmd_rename(char **arg)
{
	struct tn_stat st = { .valid = TN_ST_NAME };

	st.name = (struct tn_str){ arg[1], (uint32_t)strlen(arg[1]) };
	say(tn_call_wstat(way.other, arg[0], &st));
}

static void cmd_bind(char **arg)
{
	say(tn_call_bind(way.p, arg[0], arg[1], (uint32_t)atoi(arg[2])));
}

static void cmd_unmount(char **arg)
{
	say(tn_call_unmount(way.p, NULL, arg[0]));
}

static void cmd_pin(char **arg)
{
	if (launch_fuse_pin(way.fuse, arg[0]) != 0)
		printf("error pin\n");
}

static void cmd_unpin(char **arg)
{
	launch_fuse_unpin(way.fuse, arg[0]);
}

/* clang-format off */
static const struct {
	const char *name;
	int n_args;
	void (*run)(char **arg);
} commands[] = {
	{ "stats",   0, cmd_stats },   /* what door and server have counted; the peak of fids starts again */
	{ "fill",    2, cmd_fill },    /* DIR N: N small files in a new directory of /r's server */
	{ "write",   2, cmd_write },   /* PATH TEXT: a file there */
	{ "race",    2, cmd_race },    /* PATH TEXT: the same, just before the door makes one of that name */
	{ "mkdir",   1, cmd_mkdir },
	{ "remove",  1, cmd_remove },
	{ "rename",  2, cmd_rename },  /* PATH NAME */
	{ "bind",    3, cmd_bind },    /* NEW OLD FLAGS in the name space */
	{ "unmount", 1, cmd_unmount },
	{ "pin",     1, cmd_pin },
	{ "unpin",   1, cmd_unpin },
};
/* clang-format on */

static void run_line(char *line)
{
	char *arg[4] = { 0 }, *at = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &at); word && n < 4;
	     word = strtok_r(NULL, " \n", &at))
		arg[n++] = word;
	for (size_t i = 0; i < TN_COUNT(commands) && n > 0; i++) {
		if (strcmp(arg[0], commands[i].name) == 0 && n - 1 == commands[i].n_args)
			commands[i].run(arg + 1);
	}
	printf(".\n");
	fflush(stdout);
}

static void line_came(uv_poll_t *poll, int status, int events)
{
	ssize_t n = read(0, way.line + way.line_len, sizeof(way.line) - 1 - way.line_len);

	(void)status;
	(void)events;
	if (n <= 0 && errno != EAGAIN)
		uv_poll_stop(poll);
	if (n > 0)
		way.line_len += (size_t)n;
}

/* Commands block, so they are run here and not where the line came. */
static void run_lines(void)
{
	char line[sizeof(way.line)], *end;

	while ((end = memchr(way.line, '\n', way.line_len))) {
		size_t len = (size_t)(end - way.line) + 1;

		memcpy(line, way.line, len);
		line[len] = '\0';
		way.line_len -= len;
		memmove(way.line, way.line + len, way.line_len);
		run_line(line);
	}
}

/* ---- serving ---- */

static void ended(void *arg)
{
	(void)arg;
	way.ended = true;
}

static int mount_door(void)
{
	struct launch_fuse_options o = { .ended = ended };

	o.chans_max = way.chans_max;
	o.debug = getenv("DOORWAY_DEBUG") != NULL;
	o.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	way.fuse = o.fd < 0 ? NULL : launch_fuse_new(way.hl, way.p, &o);
	if (!way.fuse)
		return complain("/dev/fuse");
	if (launch_fuse_mount(way.dir, o.fd, "fuse") != 0) {
		perror("doorway: mount");
		return 1;
	}
	return launch_fuse_start(way.fuse) == 0 ? 0 : complain("start");
}

static int serve(void)
{
	struct tn_conn_stats s;
	uv_poll_t in;

	if (mount_door() != 0)
		return 1;
	uv_poll_init(tn_host_loop_uv(way.hl), &in, 0);
	uv_poll_start(&in, UV_READABLE, line_came);
	printf("ready\n");
	fflush(stdout);
	while (!way.ended) {
		tn_host_loop_turn(way.node->loop);
		if (way.remotes[RAM].conn) {
			tn_conn_stats(way.remotes[RAM].conn, &s);
			way.fids_peak = s.fids > way.fids_peak ? s.fids : way.fids_peak;
		}
		run_lines();
	}
	uv_close((uv_handle_t *)&in, NULL);
	tn_host_loop_poll(way.node->loop);
	return 0;
}

static void settle(void)
{
	while (tn_loop_next_ns(way.node->loop) == 0)
		tn_host_loop_poll(way.node->loop);
}

static void service_ended(void *arg)
{
	(void)arg;
	way.service = NULL;
}

static void end_remote(struct remote *r)
{
	if (r->conn)
		tn_conn_end(r->conn);
	while (r->conn)
		tn_host_loop_turn(way.node->loop);
	tn_server_put(r->server);
}

static void finish(void)
{
	launch_fuse_free(way.fuse);
	if (way.other)
		tn_ns_clear(way.other->ns);
	tn_ns_clear(way.p->ns);
	tn_proc_put(way.other);
	tn_proc_put(way.p);
	settle();
	for (size_t i = 0; i < REMOTES; i++)
		tn_client_put(way.remotes[i].client);
	settle();
	if (way.service)
		tn_service_end(way.service, service_ended, NULL);
	while (way.service)
		tn_host_loop_turn(way.node->loop);
	for (size_t i = 0; i < REMOTES; i++)
		end_remote(&way.remotes[i]);
	settle();
	tn_host_node_free(way.node);
	tn_host_loop_free(way.hl);
}

static bool take_option(const char *word)
{
	if (strncmp(word, "chans=", 6) == 0)
		way.chans_max = (uint32_t)atoi(word + 6);
	else if (strncmp(word, "host=", 5) == 0)
		way.host = word + 5;
	else if (strncmp(word, "dial=", 5) == 0)
		way.dial = word + 5;
	else if (strcmp(word, "plain") == 0)
		way.plain = true;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2)
		return 2;
	way.dir = argv[1];
	for (int i = 2; i < argc; i++) {
		if (!take_option(argv[i]))
			return 2;
	}
	way.hl = tn_host_loop_new();
	tn_call_turn = tn_host_loop_turn;
	way.node = tn_host_node_new(way.hl);
	way.p = tn_host_proc_clean(way.node);
	status = compose();
	if (status == 0)
		status = serve();
	finish();
	return status;
}
