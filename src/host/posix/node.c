/*
 * The table of devices on this host. A device that is one for the whole node keeps its instance here; one that is anew
 * for each use is made when it is named.
 */
#include "host/posix/node.h"

#include "core/chan.h"
#include "core/server.h"
#include "fs/cons.h"
#include "fs/mntgen.h"
#include "fs/pipe.h"
#include "fs/ram.h"
#include "fs/root.h"
#include "host/posix/cmdrun.h"
#include "host/posix/dial.h"
#include "host/posix/fdio.h"
#include "host/posix/host.h"
#include "host/posix/hostfs.h"
#include "host/posix/procfs.h"
#include "link/mnt.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

struct node {
	struct tn_node base; /* first */
	struct tn_host_loop *h;
	struct tn_server *root, *files, *services, *processes, *console, *descriptors;
	struct tn_fdio *fdio;
	struct tn_srv *srv;
	struct tn_hostfs_options files_with;
	struct tn_procfs_options procs;
	struct tn_server *commands; /* NULL: #cmd is off, or nobody has named it */
	bool has_cmd;
	enum tn_err (*ns)(struct tn_proc *p, struct tn_server **out);
};

static struct node *node_of(const struct tn_proc *p)
{
	return p->node->host;
}

/* ---- instances ---- */

static enum tn_err given(struct tn_server *s, struct tn_server **out)
{
	*out = s;
	return s ? TN_OK : TN_ENOMEM;
}

static enum tn_err shared(struct tn_server *s, struct tn_server **out)
{
	*out = tn_server_get(s);
	return TN_OK;
}

static enum tn_err root_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return shared(node_of(p)->root, out);
}

static enum tn_err ram_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct tn_ram_options o = { .owner = p->user };

	(void)spec;
	return given(tn_ram_new(p->node->loop, &o), out);
}

static enum tn_err mntgen_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return given(tn_mntgen_new(p->node->loop), out);
}

static enum tn_err pipe_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return given(tn_pipe_new(p->node->loop), out);
}

static void free_env(struct tn_proc *p)
{
	tn_env_put(p->env);
	p->env = NULL;
}

/* rfork(2) without RFENVG: the copies of a process's part that composing and views make see one environment. */
static void share_env(struct tn_proc *copy, const struct tn_proc *from)
{
	copy->env = tn_env_get(from->env);
	copy->free_env = from->free_env;
	copy->share_env = from->share_env;
}

static bool has_env(struct tn_proc *p)
{
	if (!p->env) {
		p->env = tn_env_new();
		p->free_env = free_env;
		p->share_env = p->env ? share_env : NULL;
	}
	return p->env != NULL;
}

static enum tn_err env_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	if (!has_env(p))
		return TN_ENOMEM;
	return given(tn_env_server(p->node->loop, p->env), out);
}

static enum tn_err srv_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return shared(node_of(p)->services, out);
}

static enum tn_err cons_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return shared(node_of(p)->console, out);
}

static enum tn_err fd_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	return shared(node_of(p)->descriptors, out);
}

/* What is asked for p is asked by this program itself. */
static struct tn_server *files_for(struct tn_proc *p)
{
	struct node *n = p->node->host;

	if (!n->files)
		n->files_with.own = p->user;
	return tn_host_node_files(p->node);
}

static enum tn_err host_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct tn_server *files = files_for(p);

	(void)spec;
	return files ? shared(files, out) : TN_ENODEV;
}

static enum tn_err ns_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct node *n = node_of(p);

	(void)spec;
	return n->ns ? n->ns(p, out) : TN_ENODEV;
}

static enum tn_err proc_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct node *n = node_of(p);

	(void)spec;
	if (!n->processes)
		n->processes = tn_procfs_new(p->node->loop, &n->procs);
	return n->processes ? shared(n->processes, out) : TN_ENOMEM;
}

static enum tn_err cmd_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct node *n = node_of(p);

	(void)spec;
	if (!n->has_cmd)
		return TN_EACCES;
	if (!n->commands)
		n->commands = tn_cmdrun_new(n->h);
	return n->commands ? shared(n->commands, out) : TN_ENOMEM;
}

/* product.md 3. Allowed: RFNOMNT's five (namespace-semantics.md 8). */
static const struct tn_device_row rows[] = {
	{ "root", '/', false, root_instance },
	{ "mntgen", 0, false, mntgen_instance },
	{ "ram", 0, false, ram_instance },
	{ "env", 'e', true, env_instance },
	{ "srv", 's', false, srv_instance },
	{ "cons", 'c', true, cons_instance },
	{ "fd", 'd', true, fd_instance },
	{ "pipe", '|', true, pipe_instance },
	{ "proc", 'p', true, proc_instance },
	{ "ns", 0, false, ns_instance },
	{ "cmd", 0, false, cmd_instance },
	{ "host", 0, false, host_instance },
};

const char *tn_host_device_name(size_t i)
{
	return i < TN_COUNT(rows) ? rows[i].name : NULL;
}

/* ---- services that are posted as dial strings ---- */

struct dial_post {
	struct tn_post post; /* first */
	struct tn_client *client;
	size_t len;
	char dial[];
};

static enum tn_err post_instance(struct tn_post *p, struct tn_server **out)
{
	return given(tn_mnt_server(((struct dial_post *)p)->client), out);
}

static bool post_lives(const struct tn_post *p, const struct tn_server *s)
{
	return tn_mnt_client(s) == ((const struct dial_post *)p)->client;
}

static size_t post_text(const struct tn_post *p, char *buf, size_t size)
{
	const struct dial_post *d = (const struct dial_post *)p;
	size_t n = d->len < size ? d->len : size;

	memcpy(buf, d->dial, n);
	return n;
}

static void post_free(struct tn_post *p)
{
	struct dial_post *d = (struct dial_post *)p;

	tn_client_put(d->client);
	tn_free(d);
}

static const struct tn_post_ops post_ops = { post_instance, post_lives, post_text, post_free };

/*
 * A line in #srv makes this node dial. Whoever can write there may be a peer of an export: he gets no command run
 * (exec!) and none of this program's descriptors (fd!).
 */
static bool may_post(const char *dial)
{
	struct tn_dial d;
	char words[TN_WORDS_SIZE];
	bool is_net;

	if (tn_dial_parse(&d, dial, words) != TN_OK)
		return true; /* the dialer says what is wrong with it */
	is_net = d.net == TN_NET_TCP || d.net == TN_NET_UNIX;
	tn_dial_fini(&d);
	return is_net;
}

static enum tn_err make_post(void *arg, struct tn_user *who, struct tn_str dial,
    struct tn_post **out)
{
	struct node *n = arg;
	struct dial_post *d = tn_alloc(sizeof(*d) + dial.len + 1);
	struct tn_client_options o = { .dialect = TN_DIALECTS };
	char words[TN_WORDS_SIZE];
	struct tn_dialer *dialer;
	enum tn_err err;

	(void)who;
	if (!d)
		return TN_ENOMEM;
	memcpy(d->dial, dial.s, dial.len);
	d->len = dial.len;
	o.label = d->dial;
	if (!may_post(d->dial)) {
		tn_free(d);
		return TN_EPERM;
	}
	dialer = tn_dialer_new(n->h, d->dial, 0, &err, words);
	d->client = dialer ? tn_client_new(n->base.loop, dialer, &o) : NULL;
	if (!d->client) {
		tn_free(d);
		return dialer ? TN_ENOMEM : err;
	}
	tn_post_init(&d->post, &post_ops);
	*out = &d->post;
	return TN_OK;
}

/* ---- the console: what this program has logged ---- */

/* One for the program, as its log is; held by each node's #cons. */
static struct tn_cons_log *console_log;

/* Who had the lines before still gets them: a command that tells its failures itself drops them. */
static void (*log_before)(const char *text, size_t len) = tn_log_stderr;

static void log_line(const char *text, size_t len)
{
	tn_cons_log_line(console_log, text, len);
	log_before(text, len);
}

static uint32_t own_pid(void *arg)
{
	(void)arg;
	return (uint32_t)getpid();
}

/* What is typed. What is written to `cons` is a line of the log: others follow it as `console`. */
static enum tn_status keyboard_read(void *arg, struct tn_req *r)
{
	return tn_fdio_read(arg, r, STDIN_FILENO);
}

static void keyboard_flush(void *arg, struct tn_req *r)
{
	tn_fdio_flush(arg, r);
}

static struct tn_server *console_new(struct tn_loop *loop, struct tn_fdio *fdio)
{
	static struct utsname names;
	struct tn_cons_host host = {
		.arg = fdio,
		.read = keyboard_read,
		.flush = keyboard_flush,
		.pid = own_pid,
		.sysname = names.nodename,
	};

	if (names.nodename[0] == '\0' && uname(&names) != 0)
		host.sysname = NULL;
	if (!console_log)
		console_log = tn_cons_log_new(0);
	if (!console_log)
		return NULL;
	host.log = console_log;
	if (tn_log_hook && tn_log_hook != log_line)
		log_before = tn_log_hook;
	tn_log_hook = log_line;
	return tn_cons_new(loop, &host);
}

/* ---- the node ---- */

struct tn_node *tn_host_node_new(struct tn_host_loop *h)
{
	struct node *n = tn_alloc(sizeof(*n));
	struct tn_loop *loop = tn_host_loop_core(h);

	if (!n)
		return NULL;
	n->base = (struct tn_node){ .loop = loop,
		.devices = rows,
		.n_devices = TN_COUNT(rows),
		.host = n };
	n->h = h;
	n->root = tn_rootfs_new(loop);
	n->srv = tn_srv_new();
	n->services = n->srv ? tn_srv_server(loop, n->srv) : NULL;
	n->fdio = tn_fdio_new(loop);
	n->console = n->fdio ? console_new(loop, n->fdio) : NULL;
	n->descriptors = n->fdio ? tn_descriptors_new(loop, n->fdio) : NULL;
	if (!n->root || !n->services || !n->console || !n->descriptors) {
		tn_host_node_free(&n->base);
		return NULL;
	}
	tn_srv_maker(n->srv, make_post, n);
	return &n->base;
}

void tn_host_node_free(struct tn_node *node)
{
	struct node *n = node ? node->host : NULL;

	if (!n)
		return;
	tn_server_put(n->services);
	tn_server_put(n->console);
	tn_server_put(n->descriptors);
	tn_fdio_free(n->fdio);
	if (n->srv)
		tn_srv_put(n->srv);
	tn_server_put(n->processes);
	tn_server_put(n->commands);
	tn_server_put(n->files);
	tn_server_put(n->root);
	tn_free(n);
}

void tn_host_node_cmd(struct tn_node *node)
{
	((struct node *)node->host)->has_cmd = true;
}

/* Made when first asked for: whoever uses no files of the host holds no descriptors of it. */
struct tn_server *tn_host_node_files(struct tn_node *node)
{
	struct node *n = node->host;
	enum tn_err err;

	if (!n->files)
		n->files = tn_hostfs_new(node->loop, "/", &n->files_with, &err);
	return n->files;
}

void tn_host_node_files_with(struct tn_node *node, const struct tn_hostfs_options *o)
{
	((struct node *)node->host)->files_with = *o;
}

struct tn_srv *tn_host_node_srv(struct tn_node *node)
{
	return ((struct node *)node->host)->srv;
}

void tn_host_node_ns(struct tn_node *node,
    enum tn_err (*instance)(struct tn_proc *p, struct tn_server **out))
{
	((struct node *)node->host)->ns = instance;
}

void tn_host_node_procs(struct tn_node *node, const struct tn_procfs_options *o)
{
	struct node *n = node->host;

	n->procs = *o;
	tn_server_put(n->processes);
	n->processes = NULL;
}

/* ---- a process's part ---- */

static struct tn_user *whoever_runs_this(void)
{
	struct passwd entry, *found = NULL;
	char buf[16384], number[16];
	const char *name = number;

	snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	getpwuid_r(geteuid(), &entry, buf, sizeof(buf), &found);
	if (found)
		name = found->pw_name;
	return tn_user_new((struct tn_str){ name, (uint32_t)strlen(name) }, geteuid(), getegid());
}

/* What cannot be a file's name, or is too much, is left out: others still have it in environ. */
static bool take_environ(struct tn_proc *p)
{
	if (!has_env(p))
		return false;
	for (char **at = environ; at && *at; at++) {
		const char *sign = strchr(*at, '=');

		if (!sign)
			continue;
		tn_env_set(p->env, (struct tn_str){ *at, (uint32_t)(sign - *at) },
		    (struct tn_str){ sign + 1, (uint32_t)strlen(sign + 1) });
	}
	return true;
}

struct tn_proc *tn_host_proc_clean(struct tn_node *node)
{
	struct tn_user *user = whoever_runs_this();
	struct tn_proc *p = user ? tn_proc_new(node, user) : NULL;

	if (user)
		tn_user_put(user);
	if (p && !take_environ(p)) {
		tn_proc_put(p);
		p = NULL;
	}
	if (!p)
		errno = ENOMEM;
	else
		p->pid = (uint32_t)getpid();
	return p;
}

struct attach {
	struct tn_req r; /* first */
	bool done;
};

static void attached(struct tn_req *r)
{
	((struct attach *)r)->done = true;
}

/* A new Chan of the host's root; NULL: errno. Its server may have to ask a worker. */
static struct tn_chan *host_root(struct tn_proc *p)
{
	static const struct tn_owner owner = { .done = attached };
	struct tn_server *files = files_for(p);
	struct tn_chan *c = files ? tn_chan_new(files, p->user) : NULL;
	struct attach a = { 0 };

	errno = ENOMEM;
	if (!c)
		return NULL;
	tn_req_init(&a.r, TN_ATTACH, NULL, &owner);
	a.r.server = files;
	a.r.user = p->user;
	a.r.u.attach.newchan = c;
	if (tn_submit(&a.r) == TN_LATER) {
		while (!a.done)
			tn_host_loop_turn(p->node->loop);
	}
	c->path = a.r.err ? NULL : tn_path_root(TN_STR("/"));
	if (a.r.err)
		errno = (int)tn_err_linux((enum tn_err)a.r.err);
	tn_req_reset(&a.r);
	if (c->path)
		return c;
	tn_chan_put(c);
	return NULL;
}

struct tn_proc *tn_host_proc_new(struct tn_node *node)
{
	struct tn_proc *p = tn_host_proc_clean(node);
	struct tn_chan *root = p ? host_root(p) : NULL, *old;

	if (!root) {
		int number = errno;

		if (p)
			tn_proc_put(p);
		errno = number;
		return NULL;
	}
	old = p->slash;
	p->slash = tn_chan_get(root);
	tn_chan_put(old);
	tn_proc_set_dot(p, root);
	return p;
}
