/*
 * The oracle's driver: answers the operations of ../shared/oracle/README.md with Tenon's own name spaces, one line each.
 * A server of the oracle's world is a #ram; a 9P connection leads to it, on which each mount is an attach of its own; an
 * export is a view on such a connection. Everything is in this process and on one loop.
 */
#include "core/err.h"
#include "core/nsfile.h"
#include "core/server.h"
#include "core/union.h"
#include "core/view.h"
#include "fs/pipe.h"
#include "fs/ram.h"
#include "lib/call.h"
#include "link/conn.h"
#include "link/mnt.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32, INCLUDE_MAX = 16 };

/* ---- the world ---- */

struct env {
	struct env *next;
	char *name, *value;
};

struct env_group {
	int refs;
	struct env *first;
};

struct fd_name {
	struct fd_name *next;
	char *name;
	int fd;
};

struct process {
	struct process *next;
	char *name;
	struct tn_proc *p;
	struct env_group *env;
	struct fd_name *fds;
};

struct service {
	struct service *next;
	char *name;
	struct tn_server *server; /* what is served: a #ram or a view */
	struct tn_client *client; /* the connection to it */
	bool is_ram;
};

static struct {
	struct tn_loop loop;
	struct tn_node node;
	struct tn_user *user;
	struct tn_server *root_device;
	struct process *processes;
	struct service *services;
	struct env_group *env;
} world;

static FILE *answer; /* the line that is being made */

/* ---- devices ---- */

static const struct tn_device empty_device = { "root", NULL, 0 };

static enum tn_err root_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p;
	(void)spec;
	*out = tn_server_get(world.root_device);
	return TN_OK;
}

static enum tn_err srv_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	*out = tn_device_server(&empty_device, p->node->loop, NULL, NULL);
	return *out ? TN_OK : TN_ENOMEM;
}

static enum tn_err pipe_instance(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)spec;
	*out = tn_pipe_new(p->node->loop);
	return *out ? TN_OK : TN_ENOMEM;
}

static const struct tn_device_row devices[] = {
	{ "root", '/', false, root_instance },
	{ "pipe", '|', true, pipe_instance },
	{ "srv", 's', false, srv_instance },
};

/* ---- answers ---- */

static const struct {
	const char *class;
	enum tn_err errs[4];
} classes[] = {
	{ "notexist", { TN_ENOENT } },
	/* That a directory cannot be written conn says in its own words; the oracle's servers had but these. */
	{ "perm", { TN_EACCES, TN_EPERM, TN_EISDIR } },
	{ "exists", { TN_EEXIST } },
	{ "notdir", { TN_ENOTDIR } },
	{ "isdir", { TN_EEXECDIR } },
	{ "mount", { TN_EMOUNT } },
	{ "notmounted", { TN_ENOTMOUNTED } },
	{ "notunion", { TN_ENOTUNION } },
	{ "nocreate", { TN_ENOCREATE } },
	{ "ismount", { TN_EISMOUNT } },
	{ "noattach", { TN_ENOATTACH } },
	{ "badarg", { TN_EBADARG } },
	{ "badfd", { TN_EBADFD, TN_EBADUSE } },
	{ "nodev", { TN_ENODEV } },
	{ "badname", { TN_EEMPTYNAME, TN_EBADCHAR } },
	{ "needdir", { TN_ENEEDDIR } },
	{ "notempty", { TN_ENOTEMPTY } },
	{ "badattach", { TN_EBADATTACH } },
};

static const char *class_of(enum tn_err err)
{
	for (size_t i = 0; i < TN_COUNT(classes); i++) {
		for (size_t k = 0; k < TN_COUNT(classes[i].errs) && classes[i].errs[k]; k++) {
			if (classes[i].errs[k] == err)
				return classes[i].class;
		}
	}
	return "other";
}

/* The answers of an operation: 0 or -1, the error in tn_call_err. */
static int refuse(enum tn_err err)
{
	fprintf(answer, "err %s %s", class_of(err), tn_err_text(err));
	return 1;
}

static void put_quoted(const char *s, size_t len)
{
	fputc('\'', answer);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'')
			fputc('\'', answer);
		fputc(s[i], answer);
	}
	fputc('\'', answer);
}

static void put_name(struct tn_str s)
{
	if (s.len == 0 || memchr(s.s, ' ', s.len) || memchr(s.s, '\'', s.len))
		put_quoted(s.s, s.len);
	else
		fwrite(s.s, 1, s.len, answer);
}

static int put_path(const struct tn_path *path)
{
	size_t len = path->text_len;
	char *text = malloc(len + 1);

	tn_path_text(path, text, len + 1);
	fputc(' ', answer);
	put_quoted(text, len);
	free(text);
	return 0;
}

/* ---- environment ---- */

static void env_put(struct env_group *g)
{
	if (!g || --g->refs > 0)
		return;
	for (struct env *e = g->first, *next; e; e = next) {
		next = e->next;
		free(e->name);
		free(e->value);
		free(e);
	}
	free(g);
}

static struct env_group *env_new(void)
{
	struct env_group *g = calloc(1, sizeof(*g));

	g->refs = 1;
	return g;
}

static void env_set(struct env_group *g, const char *name, const char *value)
{
	struct env *e = g->first;

	while (e && strcmp(e->name, name) != 0)
		e = e->next;
	if (!e) {
		e = calloc(1, sizeof(*e));
		e->name = strdup(name);
		e->next = g->first;
		g->first = e;
	}
	free(e->value);
	e->value = strdup(value);
}

static const char *env_get(void *arg, struct tn_str name)
{
	struct process *q = arg;

	for (struct env *e = q->env->first; e; e = e->next) {
		if (strlen(e->name) == name.len && memcmp(e->name, name.s, name.len) == 0)
			return e->value;
	}
	return NULL;
}

/* ---- processes and services ---- */

static struct process *find_process(const char *name)
{
	struct process *q = world.processes;

	while (q && strcmp(q->name, name) != 0)
		q = q->next;
	return q;
}

static struct service *find_service(const char *name)
{
	struct service *s = world.services;

	while (s && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

static struct process *new_process(const char *name, struct tn_proc *p, struct env_group *env)
{
	struct process *q = calloc(1, sizeof(*q));

	q->name = strdup(name);
	q->p = p;
	q->env = env;
	env->refs++;
	q->next = world.processes;
	world.processes = q;
	return q;
}

static void end_process(struct process *q)
{
	struct process **at = &world.processes;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	for (struct fd_name *f = q->fds, *next; f; f = next) {
		next = f->next;
		free(f->name);
		free(f);
	}
	env_put(q->env);
	tn_proc_put(q->p);
	free(q->name);
	free(q);
}

/* Both ends of the connection are here; it is made when it is first used. */
struct dialer {
	struct tn_dialer d; /* first: a dialer is one */
	struct tn_server *server;
};

static void conn_closed(struct tn_conn *conn, void *arg)
{
	(void)arg;
	tn_conn_free(conn);
}

static void dial(struct tn_dialer *d, struct tn_client *client, struct tn_stream *stream)
{
	struct tn_server *server = ((struct dialer *)d)->server;
	struct tn_conn *conn = tn_conn_new(server, NULL, "pair", conn_closed, NULL);

	tn_pair_connect(&world.loop, tn_conn_stream(conn), stream);
	tn_client_connected(client);
}

static void dial_cancel(struct tn_dialer *d)
{
	(void)d;
}

static void dial_free(struct tn_dialer *d)
{
	tn_server_put(((struct dialer *)d)->server);
	free(d);
}

/* Takes the server. */
static void add_service(const char *name, struct tn_server *server, bool is_ram)
{
	struct tn_client_options o = { .label = name, .dialect = TN_9P2000 };
	struct service *s = calloc(1, sizeof(*s));
	struct dialer *d = calloc(1, sizeof(*d));

	d->d = (struct tn_dialer){ dial, dial_cancel, dial_free, false };
	d->server = tn_server_get(server);
	s->name = strdup(name);
	s->server = server;
	s->client = tn_client_new(&world.loop, &d->d, &o);
	s->is_ram = is_ram;
	s->next = world.services;
	world.services = s;
}

/* Each mount is an attach of its own on the one connection. */
static struct tn_server *instance_of(struct service *s)
{
	return tn_mnt_server(s->client);
}

static bool lives_on(const struct tn_chan *to, void *arg)
{
	struct service *s = arg;

	return tn_mnt_client(to->server) == s->client;
}

static const char *server_name(void *arg, const struct tn_chan *c)
{
	struct service *s = world.services;

	(void)arg;
	while (s && !lives_on(c, s))
		s = s->next;
	return s ? s->name : "?";
}

static void settle(void)
{
	while (tn_loop_next_ns(&world.loop) == 0)
		tn_loop_run(&world.loop);
}

static void reset(void)
{
	while (world.processes) {
		tn_ns_clear(world.processes->p->ns);
		end_process(world.processes);
	}
	settle();
	for (struct service *s = world.services, *next; s; s = next) {
		next = s->next;
		tn_client_put(s->client);
		tn_server_put(s->server);
		free(s->name);
		free(s);
	}
	world.services = NULL;
	env_put(world.env);
	world.env = env_new();
	settle();
}

/* ---- words ---- */

/* Cuts the line up as rc does; the words lie in the line. */
static int split(char *line, char **word)
{
	char *to = line;
	int n = 0;

	for (;;) {
		bool quoted = false;

		while (*line == ' ')
			line++;
		if (!*line || n == WORDS_MAX)
			return n;
		word[n++] = to;
		for (; *line && (quoted || *line != ' '); line++) {
			if (*line != '\'') {
				*to++ = *line;
			} else if (quoted && line[1] == '\'') {
				*to++ = '\'';
				line++;
			} else {
				quoted = !quoted;
			}
		}
		if (*line)
			line++;
		*to++ = '\0';
	}
}

static char *unescape(char *s)
{
	char *to = s;

	for (char *from = s; *from; from++) {
		if (*from == '\\' && (from[1] == 'n' || from[1] == 't'))
			*to++ = *++from == 'n' ? '\n' : '\t';
		else
			*to++ = *from;
	}
	*to = '\0';
	return s;
}

static struct tn_str str(const char *s)
{
	return (struct tn_str){ s, (uint32_t)strlen(s) };
}

static uint32_t mount_flags(const char *s)
{
	uint32_t flags = 0;

	if (isdigit((unsigned char)*s))
		return (uint32_t)atoi(s);
	for (; *s; s++)
		flags |= *s == 'b'   ? TN_BEFORE
			 : *s == 'a' ? TN_AFTER
			 : *s == 'c' ? TN_CREATE_HERE
				     : 0;
	return flags;
}

static uint32_t open_mode(const char *s)
{
	uint32_t mode = strchr(s, 'w') ? (strchr(s, 'r') ? TN_ORDWR : TN_OWRITE) : TN_OREAD;

	if (strchr(s, 'x'))
		mode = TN_OEXEC;
	if (strchr(s, 't'))
		mode |= TN_OF_TRUNC;
	if (strchr(s, 'c'))
		mode |= TN_OF_RCLOSE;
	return strchr(s, 'e') ? mode | TN_OF_EXCL : mode;
}

static struct fd_name **find_fd(struct process *q, const char *name)
{
	struct fd_name **at = &q->fds;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static int fd_of(struct process *q, const char *name)
{
	struct fd_name *f = *find_fd(q, name);

	return f ? f->fd : -1;
}

static int name_fd(struct process *q, const char *name, int fd)
{
	struct fd_name **at = find_fd(q, name);

	if (fd < 0)
		return -1;
	if (*at) {
		tn_call_close(q->p, (*at)->fd);
	} else {
		*at = calloc(1, sizeof(**at));
		(*at)->name = strdup(name);
	}
	(*at)->fd = fd;
	return 0;
}

/* ---- operations: 0, -1 with tn_call_err, 1: the answer is there already ---- */

static int op_bind(struct process *q, char **w)
{
	return tn_call_bind(q->p, w[1], w[2], mount_flags(w[0]));
}

static int mount_service(struct process *q, const char *name, const char *place, uint32_t flags,
    const char *aname)
{
	struct service *s = find_service(name);
	struct tn_server *server;
	int ret;

	if (!s)
		return refuse(TN_ENOENT);
	server = instance_of(s);
	ret = tn_call_mount(q->p, server, place, flags, aname ? aname : "");
	tn_server_put(server);
	return ret;
}

static int op_mount(struct process *q, char **w)
{
	return mount_service(q, w[0], w[2], mount_flags(w[1]), w[3]);
}

static int op_unmount(struct process *q, char **w)
{
	return w[1] ? tn_call_unmount(q->p, w[0], w[1]) : tn_call_unmount(q->p, NULL, w[0]);
}

static int op_unmountsrv(struct process *q, char **w)
{
	struct service *s = find_service(w[0]);

	return s ? tn_call_unmount_where(q->p, w[1], lives_on, s) : refuse(TN_ENOENT);
}

static int op_open(struct process *q, char **w)
{
	return name_fd(q, w[2], tn_call_open(q->p, w[0], open_mode(w[1])));
}

static int op_create(struct process *q, char **w)
{
	bool dir = w[2][0] == 'd';
	uint32_t perm = (uint32_t)strtoul(w[2] + dir, NULL, 8) | (dir ? TN_DMDIR : 0);

	return name_fd(q, w[3], tn_call_create(q->p, w[0], open_mode(w[1]), perm));
}

static int op_mkdir(struct process *q, char **w)
{
	int fd = tn_call_create(q->p, w[0], TN_OREAD, TN_DMDIR | 0775);

	return fd < 0 ? -1 : tn_call_close(q->p, fd);
}

static int op_put(struct process *q, char **w)
{
	int fd = tn_call_create(q->p, w[0], TN_OWRITE | TN_OF_TRUNC, 0664);

	if (fd < 0)
		return -1;
	if (tn_call_write(q->p, fd, w[1], strlen(w[1])) < 0) {
		enum tn_err err = tn_call_err();

		tn_call_close(q->p, fd);
		return refuse(err);
	}
	return tn_call_close(q->p, fd);
}

/* Reads a file whole, into a string that is freed by the caller; NULL: tn_call_err. */
static char *read_all(struct process *q, const char *name, size_t *len)
{
	int fd = tn_call_open(q->p, name, TN_OREAD);
	char *text = NULL;
	int64_t n = 1;

	*len = 0;
	if (fd < 0)
		return NULL;
	while (n > 0) {
		text = realloc(text, *len + 8192);
		n = tn_call_read(q->p, fd, text + *len, 8191);
		if (n > 0)
			*len += (size_t)n;
	}
	if (n < 0) {
		free(text);
		text = NULL;
	}
	tn_call_close(q->p, fd);
	return text;
}

static int op_cat(struct process *q, char **w)
{
	size_t len;
	char *text = read_all(q, w[0], &len);

	if (!text)
		return -1;
	fputc(' ', answer);
	put_quoted(text, len);
	free(text);
	return 0;
}

static int op_read(struct process *q, char **w)
{
	size_t size = (size_t)atoi(w[1]);
	char *buf = malloc(size + 1);
	int64_t n = tn_call_read(q->p, fd_of(q, w[0]), buf, size);

	if (n >= 0) {
		fputc(' ', answer);
		put_quoted(buf, (size_t)n);
	}
	free(buf);
	return n < 0 ? -1 : 0;
}

static int op_write(struct process *q, char **w)
{
	int64_t n = tn_call_write(q->p, fd_of(q, w[0]), w[1], strlen(w[1]));

	if (n >= 0)
		fprintf(answer, " %d", (int)n);
	return n < 0 ? -1 : 0;
}

static int op_rewind(struct process *q, char **w)
{
	return tn_call_seek(q->p, fd_of(q, w[0]), 0, 0) < 0 ? -1 : 0;
}

static int op_close(struct process *q, char **w)
{
	struct fd_name **at = find_fd(q, w[0]), *f = *at;
	int fd = f ? f->fd : -1;

	if (f) {
		*at = f->next;
		free(f->name);
		free(f);
	}
	return tn_call_close(q->p, fd);
}

static bool put_entry(void *arg, const struct tn_stat *st)
{
	bool dir = st->mode & TN_DMDIR;

	fputc(' ', answer);
	put_name(st->name);
	if (dir)
		fputc('/', answer);
	if (*(bool *)arg)
		fprintf(answer, ":%o:%llu", st->mode & 0777,
		    dir ? 0 : (unsigned long long)st->length);
	return true;
}

static int list_fd(struct process *q, int fd, bool with_stats)
{
	int n;

	do {
		n = tn_call_dirread(q->p, fd, TN_OF_STATS, put_entry, &with_stats);
	} while (n > 0);
	return n;
}

static int list(struct process *q, const char *name, bool with_stats)
{
	int fd = tn_call_open(q->p, name, TN_OREAD);
	enum tn_err err = TN_OK;

	if (fd < 0)
		return -1;
	if (list_fd(q, fd, with_stats) < 0)
		err = tn_call_err();
	tn_call_close(q->p, fd);
	return err == TN_OK ? 0 : refuse(err);
}

static int op_ls(struct process *q, char **w)
{
	return list(q, w[0], false);
}

static int op_lsl(struct process *q, char **w)
{
	return list(q, w[0], true);
}

static int op_dirread(struct process *q, char **w)
{
	return list_fd(q, fd_of(q, w[0]), false);
}

static int put_stat(int ret, struct tn_call_stat *s)
{
	bool dir = s->st.mode & TN_DMDIR;

	if (ret < 0)
		return -1;
	fprintf(answer, " %c ", dir ? 'd' : 'f');
	put_quoted(s->st.name.s, s->st.name.len);
	fprintf(answer, " %o %llu", s->st.mode & 0777, dir ? 0 : (unsigned long long)s->st.length);
	tn_free(s->text);
	return 0;
}

static int op_stat(struct process *q, char **w)
{
	struct tn_call_stat s;

	return put_stat(tn_call_stat(q->p, w[0], &s), &s);
}

static int op_fstat(struct process *q, char **w)
{
	struct tn_call_stat s;

	return put_stat(tn_call_fstat(q->p, fd_of(q, w[0]), &s), &s);
}

static int op_same(struct process *q, char **w)
{
	struct tn_chan *a = tn_call_walk(q->p, w[0], TN_FOR_ACCESS);
	struct tn_chan *b = a ? tn_call_walk(q->p, w[1], TN_FOR_ACCESS) : NULL;

	if (b)
		fputs(tn_chan_same(a, b) ? " yes" : " no", answer);
	tn_chan_put(a);
	tn_chan_put(b);
	return b ? 0 : -1;
}

static int op_rename(struct process *q, char **w)
{
	struct tn_stat st = { .valid = TN_ST_NAME, .name = str(w[1]) };

	return tn_call_wstat(q->p, w[0], &st);
}

static int op_chmod(struct process *q, char **w)
{
	struct tn_call_stat now;
	struct tn_stat st = { .valid = TN_ST_MODE };

	if (tn_call_stat(q->p, w[0], &now) < 0)
		return -1;
	st.mode = (now.st.mode & ~0777u) | (uint32_t)strtoul(w[1], NULL, 8);
	tn_free(now.text);
	return tn_call_wstat(q->p, w[0], &st);
}

static int op_remove(struct process *q, char **w)
{
	return tn_call_remove(q->p, w[0]);
}

static int op_chdir(struct process *q, char **w)
{
	return tn_call_chdir(q->p, w[0]);
}

static int op_path(struct process *q, char **w)
{
	struct tn_chan *c = tn_call_chan(q->p, fd_of(q, w[0]));

	return c ? put_path(c->path) : refuse(TN_EBADFD);
}

static int op_pwd(struct process *q, char **w)
{
	struct tn_chan *c = tn_call_walk(q->p, ".", TN_FOR_OPEN);

	(void)w;
	if (!c)
		return -1;
	put_path(c->path);
	tn_chan_put(c);
	return 0;
}

static void put_ns_line(void *arg, const char *text)
{
	bool *first = arg;

	fprintf(answer, "%s%s", *first ? " " : " ; ", text);
	*first = false;
}

static int op_ns(struct process *q, char **w)
{
	bool first = true;
	enum tn_err err = tn_ns_lines(q->p, false, server_name, put_ns_line, &first);

	(void)w;
	return err == TN_OK ? 0 : refuse(err);
}

static const struct {
	const char *name;
	uint32_t how;
} forks[] = {
	{ "share", 0 },
	{ "copy", TN_RF_NAMEG },
	{ "clean", TN_RF_CNAMEG },
	{ "nomount", TN_RF_NOMNT },
	{ "copynomount", TN_RF_NAMEG | TN_RF_NOMNT },
	{ "cleannomount", TN_RF_CNAMEG | TN_RF_NOMNT },
};

static int rfork_how(struct tn_proc *p, const char *how)
{
	for (size_t i = 0; i < TN_COUNT(forks); i++) {
		if (strcmp(forks[i].name, how) == 0)
			return tn_call_rfork(p, forks[i].how);
	}
	return refuse(TN_EBADARG);
}

static int op_rfork(struct process *q, char **w)
{
	return rfork_how(q->p, w[0]);
}

static int op_fork(struct process *q, char **w)
{
	struct process *child = new_process(w[0], tn_proc_copy(q->p), q->env);

	tn_call_copy_fds(child->p, q->p);
	for (struct fd_name *f = q->fds; f; f = f->next) {
		struct fd_name **at = find_fd(child, f->name);

		*at = calloc(1, sizeof(**at));
		(*at)->name = strdup(f->name);
		(*at)->fd = f->fd;
	}
	return rfork_how(child->p, w[1]);
}

static int op_exit(struct process *q, char **w)
{
	(void)w;
	end_process(q);
	settle();
	return 0;
}

static int op_export(struct process *q, char **w)
{
	struct tn_view_options o = { 0 };
	struct tn_chan *root = tn_call_walk(q->p, w[1], TN_FOR_TARGET);
	struct tn_server *view;

	if (!root)
		return -1;
	if (!tn_chan_is_dir(root)) {
		tn_chan_put(root);
		return refuse(TN_ENOTDIR);
	}
	view = tn_view_new(q->p, root, &o);
	tn_chan_put(root);
	add_service(w[0], view, false);
	return 0;
}

static int op_env(struct process *q, char **w)
{
	env_set(q->env, w[0], w[1]);
	return 0;
}

/* ---- name space files ---- */

/* What is read: files within files. */
struct files {
	struct tn_ns_script script[INCLUDE_MAX];
	size_t at[INCLUDE_MAX];
	int n;
};

static bool push_file(struct process *q, struct files *f, const char *name)
{
	size_t len;
	char *text = read_all(q, name, &len);
	enum tn_err err;

	if (!text)
		return false;
	err = f->n == INCLUDE_MAX
		  ? TN_ELOOP
		  : tn_ns_parse(&f->script[f->n], name, text, len, env_get, q, true, NULL, NULL);
	if (err == TN_OK)
		f->at[f->n++] = 0;
	free(text);
	return err == TN_OK;
}

/* A line of a file; what fails is passed over. Returns whether it was an absolute cd. */
static bool run_line(struct process *q, struct files *f, const struct tn_ns_line *l)
{
	switch (l->verb) {
	case TN_NS_BIND: tn_call_bind(q->p, l->src, l->place, l->flags); break;
	case TN_NS_MOUNT:
		if (strncmp(l->src, "/srv/", 5) == 0 && find_service(l->src + 5))
			mount_service(q, l->src + 5, l->place, l->flags, l->spec);
		break;
	case TN_NS_UNMOUNT: tn_call_unmount(q->p, l->src, l->place); break;
	case TN_NS_CD: return tn_call_chdir(q->p, l->place) == 0 && l->place[0] == '/';
	case TN_NS_CLEAR: tn_call_rfork(q->p, TN_RF_CNAMEG); break;
	case TN_NS_INCLUDE: push_file(q, f, l->src); break;
	case TN_NS_IMPORT: break;
	}
	return false;
}

/* Runs the files until none is left; whether there was an absolute cd. */
static bool run_files(struct process *q, struct files *f)
{
	bool moved = false;

	while (f->n > 0) {
		struct tn_ns_script *s = &f->script[f->n - 1];
		size_t i = f->at[f->n - 1]++;

		if (i < s->n) {
			moved |= run_line(q, f, &s->lines[i]);
			continue;
		}
		tn_ns_script_free(s);
		f->n--;
	}
	return moved;
}

static int op_addns(struct process *q, char **w)
{
	struct files f = { .n = 0 };

	if (!push_file(q, &f, w[0]))
		return -1;
	run_files(q, &f);
	return 0;
}

static void cd_again(struct process *q)
{
	struct tn_chan *c = tn_call_walk(q->p, ".", TN_FOR_OPEN);
	size_t len = c ? c->path->text_len : 0;
	char *name = malloc(len + 1);

	if (c)
		tn_path_text(c->path, name, len + 1);
	tn_chan_put(c);
	if (!c || tn_call_chdir(q->p, name) < 0)
		tn_call_chdir(q->p, "/");
	free(name);
}

static int op_newns(struct process *q, char **w)
{
	struct files f = { .n = 0 };
	struct env_group *env = env_new();

	for (struct env *e = q->env->first; e; e = e->next)
		env_set(env, e->name, e->value);
	env_set(env, "user", "glenda");
	env_set(env, "home", "/usr/glenda");
	env_put(q->env);
	q->env = env;
	if (!push_file(q, &f, w[0]))
		return -1;
	tn_call_rfork(q->p, TN_RF_CNAMEG);
	if (!run_files(q, &f))
		cd_again(q);
	return 0;
}

/* ---- the lines ---- */

static const struct {
	const char *name;
	int min, max; /* words behind it */
	int (*op)(struct process *q, char **w);
} ops[] = {
	{ "bind", 3, 3, op_bind },
	{ "mount", 3, 4, op_mount },
	{ "unmount", 1, 2, op_unmount },
	{ "unmountsrv", 2, 2, op_unmountsrv },
	{ "open", 3, 3, op_open },
	{ "create", 4, 4, op_create },
	{ "mkdir", 1, 1, op_mkdir },
	{ "put", 2, 2, op_put },
	{ "cat", 1, 1, op_cat },
	{ "read", 2, 2, op_read },
	{ "write", 2, 2, op_write },
	{ "rewind", 1, 1, op_rewind },
	{ "close", 1, 1, op_close },
	{ "ls", 1, 1, op_ls },
	{ "lsl", 1, 1, op_lsl },
	{ "dirread", 1, 1, op_dirread },
	{ "stat", 1, 1, op_stat },
	{ "fstat", 1, 1, op_fstat },
	{ "same", 2, 2, op_same },
	{ "rename", 2, 2, op_rename },
	{ "chmod", 2, 2, op_chmod },
	{ "remove", 1, 1, op_remove },
	{ "chdir", 1, 1, op_chdir },
	{ "path", 1, 1, op_path },
	{ "pwd", 0, 0, op_pwd },
	{ "ns", 0, 0, op_ns },
	{ "rfork", 1, 1, op_rfork },
	{ "fork", 2, 2, op_fork },
	{ "export", 2, 2, op_export },
	{ "env", 2, 2, op_env },
	{ "newns", 1, 1, op_newns },
	{ "addns", 1, 1, op_addns },
	{ "exit", 0, 0, op_exit },
};

static int run_op(struct process *q, char **w, int n)
{
	for (size_t i = 0; i < TN_COUNT(ops); i++) {
		if (strcmp(ops[i].name, w[0]) == 0 && n - 1 >= ops[i].min && n - 1 <= ops[i].max)
			return ops[i].op(q, w + 1);
	}
	fputs("unsupported", answer);
	return 1;
}

static int start(const char *name)
{
	struct process *q = new_process(name, tn_proc_new(&world.node, world.user), world.env);
	int ret = mount_service(q, "root", "/", TN_REPL | TN_CREATE_HERE, "");

	return ret != 0 ? ret : tn_call_chdir(q->p, "/");
}

static int new_ram(const char *name)
{
	struct tn_ram_options o = { .owner = world.user,
		.root_perm = 0775,
		.owner_bits_only = true };

	add_service(name, tn_ram_new(&world.loop, &o), true);
	return 0;
}

static int set_up(char **w, int n)
{
	struct service *s;
	enum tn_err err = TN_EBADARG;

	if (strcmp(w[0], "reset") == 0) {
		reset();
		return 0;
	}
	if (n == 2 && strcmp(w[0], "srv") == 0)
		return new_ram(w[1]);
	if (n == 2 && strcmp(w[0], "start") == 0)
		return start(w[1]);
	s = n > 2 ? find_service(w[1]) : NULL;
	if (!s || !s->is_ram) {
		fputs("unsupported", answer);
		return 1;
	}
	if (n == 3 && strcmp(w[0], "dir") == 0)
		err = tn_ram_put_dir(s->server, str(w[2]), 0775);
	else if (n == 4 && strcmp(w[0], "file") == 0)
		err = tn_ram_put_file(s->server, str(w[2]), 0664, str(unescape(w[3])));
	else if (n == 4 && strcmp(w[0], "perm") == 0)
		err = tn_ram_set_perm(s->server, str(w[2]), (uint32_t)strtoul(w[3], NULL, 8));
	return err == TN_OK ? 0 : refuse(err);
}

static void run_line_of_input(char *line)
{
	char *w[WORDS_MAX + 1] = { NULL }, *text = NULL;
	int n = split(line, w), ret;
	size_t len = 0;
	struct process *q;

	if (n == 0)
		return;
	answer = open_memstream(&text, &len);
	q = find_process(w[0]);
	ret = q && n > 1 ? run_op(q, w + 1, n - 1) : set_up(w, n);
	if (ret < 0)
		fprintf(answer, "err %s %s", class_of(tn_call_err()), tn_call_text());
	fclose(answer);
	/* What was begun before an error is thrown away. */
	if (ret != 0) {
		char *err = strstr(text, "err ");

		puts(err ? err : text);
	} else {
		printf("ok%s\n", text);
	}
	fflush(stdout);
	free(text);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	tn_loop_init(&world.loop, NULL, NULL);
	world.node = (struct tn_node){ .loop = &world.loop,
		.devices = devices,
		.n_devices = TN_COUNT(devices) };
	world.user = tn_user_new(TN_STR("glenda"), TN_NONUNAME, TN_NONUNAME);
	world.root_device = tn_device_server(&empty_device, &world.loop, NULL, NULL);
	world.env = env_new();
	while ((len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		run_line_of_input(line);
	}
	free(line);
	reset();
	env_put(world.env);
	tn_server_put(world.root_device);
	tn_user_put(world.user);
	settle();
	tn_loop_fini(&world.loop);
	return 0;
}
