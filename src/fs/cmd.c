/*
 * #cmd. A file is its qid.path: the number of its directory, and which it is there. Numbers are never given anew, so a
 * Chan that is not open needs nothing of the directory that it is in; an open one counts it, in its aux.
 */
#include "fs/cmd.h"

#include "core/chan.h"
#include "core/mem.h"
#include "core/server.h"
#include "fs/cmd_in.h"

enum { DIGITS_MAX = 20, STATUS_MAX = 128 };

static const char *const state_names[] = { "Open", "Starting", "Execute", "Done" };

static struct cmd *cmd_of(const struct tn_server *s)
{
	return (struct cmd *)s;
}

/* ---- what is where ---- */

/* clang-format off */
static const struct { const char *name; uint32_t mode; } files[FILES] = {
	[DIR] =    { "",       TN_DMDIR | 0555 },
	[CTL] =    { "ctl",    0600 },
	[DATA] =   { "data",   0600 },
	[STDERR] = { "stderr", 0400 },
	[STATUS] = { "status", 0400 },
	[WAIT] =   { "wait",   0400 },
};
/* clang-format on */

static uint64_t path_of(uint64_t number, unsigned file)
{
	return number << 3 | file;
}

static unsigned file_of(uint64_t path)
{
	return path & 7;
}

/* The top has the number 0: its directory and, as CTL, `clone`. */
static bool is_clone(uint64_t path)
{
	return path == path_of(0, CTL);
}

static struct tn_qid qid_of(uint64_t path)
{
	return (struct tn_qid){ .path = path, .type = file_of(path) == DIR ? TN_QTDIR : 0 };
}

static struct tn_cmd_run *find(const struct cmd *c, uint64_t number)
{
	struct tn_cmd_run *run = c->first;

	while (run && run->number != number)
		run = run->next;
	return run;
}

/* A directory's number as text; 0: it is none, or there is no such one. */
static uint64_t number_named(const struct cmd *c, struct tn_str s)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len >= DIGITS_MAX || s.s[0] == '0')
		return 0;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.s[i] < '0' || s.s[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(s.s[i] - '0');
	}
	return find(c, n) ? n : 0;
}

/* false: there is no such name. */
static bool walk_one(const struct cmd *c, uint64_t *path, struct tn_str name)
{
	uint64_t number = *path >> 3;

	if (file_of(*path) != DIR)
		return false;
	if (cmd_is_named(name, "..")) {
		*path = path_of(0, DIR);
		return true;
	}
	if (number == 0) {
		uint64_t to = number_named(c, name);

		*path = to ? path_of(to, DIR) : path_of(0, CTL);
		return to || cmd_is_named(name, "clone");
	}
	for (unsigned i = CTL; i < FILES; i++) {
		*path = path_of(number, i);
		if (cmd_is_named(name, files[i].name))
			return find(c, number) != NULL;
	}
	return false;
}

static enum tn_status cmd_attach(struct tn_req *r)
{
	struct tn_str aname = r->u.attach.aname;

	if (aname.len > 1 || (aname.len == 1 && aname.s[0] != '/'))
		return tn_fail(r, TN_EBADATTACH);
	r->u.attach.newchan->qid = qid_of(path_of(0, DIR));
	return TN_DONE;
}

static enum tn_status cmd_walk(struct tn_req *r)
{
	uint64_t path = r->chan->qid.path, next;
	uint16_t i;

	r->u.walk.n_walked = 0;
	for (i = 0; i < r->u.walk.n_names; i++) {
		next = path;
		if (!walk_one(cmd_of(r->server), &next, r->u.walk.names[i]))
			break;
		path = next;
		r->u.walk.qids[i] = qid_of(path);
		r->u.walk.n_walked++;
	}
	if (i < r->u.walk.n_names)
		return i > 0 ? TN_DONE : tn_fail(r, file_of(path) == DIR ? TN_ENOENT : TN_ENOTDIR);
	r->u.walk.newchan->qid = qid_of(path);
	return TN_DONE;
}

static size_t put_number(char *to, uint64_t n)
{
	char digits[DIGITS_MAX];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	for (size_t i = 0; i < len; i++)
		to[i] = digits[len - 1 - i];
	return len;
}

/* number: room for a directory's name. */
static void fill_stat(const struct cmd *c, uint64_t path, struct tn_user *user, char *number,
    struct tn_stat *st)
{
	unsigned file = file_of(path);
	struct tn_str who = user ? (struct tn_str){ user->name, user->len } : TN_STR("tenon");

	memset(st, 0, sizeof(*st));
	st->valid = TN_ST_QID | TN_ST_MODE | TN_ST_LENGTH | TN_ST_NAME | TN_ST_ATIME | TN_ST_MTIME |
		    TN_ST_UID | TN_ST_GID | TN_ST_MUID;
	st->qid = qid_of(path);
	st->mode = is_clone(path) ? 0666 : files[file].mode;
	st->atime_ns = st->mtime_ns = c->made_ns;
	st->name = (struct tn_str){ files[file].name, (uint32_t)tn_strlen(files[file].name) };
	if (is_clone(path))
		st->name = TN_STR("clone");
	else if (path == 0)
		st->name = TN_STR("/");
	else if (file == DIR)
		st->name = (struct tn_str){ number, (uint32_t)put_number(number, path >> 3) };
	st->uid = st->gid = st->muid = who;
	if (user && user->uid != TN_NONUNAME) {
		st->n_uid = user->uid;
		st->n_gid = user->gid;
		st->valid |= TN_ST_NUID | TN_ST_NGID;
	}
}

static struct tn_user *owner_of(const struct tn_req *r, uint64_t path)
{
	const struct tn_cmd_run *run = find(cmd_of(r->server), path >> 3);

	return run ? run->user : r->chan->user;
}

static enum tn_status cmd_stat(struct tn_req *r)
{
	uint64_t path = r->chan->qid.path;
	char number[DIGITS_MAX];
	struct tn_stat st;

	if (path >> 3 && !find(cmd_of(r->server), path >> 3))
		return tn_fail(r, TN_EGONE);
	fill_stat(cmd_of(r->server), path, owner_of(r, path), number, &st);
	return tn_reply_stat(r, &st);
}

/* As other devices: a shell's `>` asks for an empty file, and there is nothing to cut. */
static enum tn_status cmd_wstat(struct tn_req *r)
{
	const struct tn_stat *st = r->u.wstat.st;
	bool truncates = st->valid == TN_ST_LENGTH && st->length == 0;

	return st->valid == 0 || (truncates && file_of(r->chan->qid.path) != DIR)
		   ? TN_DONE
		   : tn_fail(r, TN_EACCES);
}

static bool give(struct tn_req *r, uint64_t path, uint64_t next)
{
	char number[DIGITS_MAX];
	struct tn_stat st;

	fill_stat(cmd_of(r->server), path, owner_of(r, path), number, &st);
	return r->owner->entry(r, &st, next);
}

/* The offset behind a directory is its number and one, behind a file its number: neither moves. */
static enum tn_status cmd_readdir(struct tn_req *r)
{
	const struct cmd *c = cmd_of(r->server);
	uint64_t number = r->chan->qid.path >> 3, off = r->u.readdir.offset;
	bool room = true;

	if (file_of(r->chan->qid.path) != DIR)
		return tn_fail(r, TN_ENOTDIR);
	for (uint64_t i = off + 1; number && i < FILES && room; i++)
		room = give(r, path_of(number, (unsigned)i), i);
	if (number == 0 && off == 0)
		room = give(r, path_of(0, CTL), 1);
	for (const struct tn_cmd_run *run = c->first; number == 0 && run && room; run = run->next) {
		if (run->number >= off)
			room = give(r, path_of(run->number, DIR), run->number + 1);
	}
	return TN_DONE;
}

/* ---- a directory's life ---- */

static enum tn_err new_run(struct cmd *c, struct tn_user *user, struct tn_cmd_run **out)
{
	struct tn_cmd_run *run, **last = &c->first;

	if (c->n >= TN_CMD_MAX)
		return TN_ELIMIT_OPEN;
	run = tn_alloc(sizeof(*run));
	if (!run)
		return TN_ENOMEM;
	run->cmd = c;
	run->number = ++c->number;
	run->user = user ? tn_user_get(user) : NULL;
	while (*last)
		last = &(*last)->next;
	*last = run;
	c->n++;
	*out = run;
	return TN_OK;
}

/* The last file was closed: nobody waits, for who waits holds a Chan. */
static void free_run(struct tn_cmd_run *run)
{
	struct tn_cmd_run **at = &run->cmd->first;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
	run->cmd->n--;
	if (run->process)
		run->cmd->host.put(run->process);
	tn_user_put(run->user);
	tn_free(run->dir);
	tn_free(run->name);
	tn_free(run->end);
	tn_free(run);
}

/* A command is its user's: others on the same connection or machine have nothing to do with it. */
static bool is_users(const struct tn_cmd_run *run, const struct tn_user *user)
{
	const struct tn_user *own = run->user;

	if (own == user)
		return true;
	if (!own || !user || own->uid != user->uid)
		return false;
	return own->uid != TN_NONUNAME ||
	       (own->len == user->len && memcmp(own->name, user->name, own->len) == 0);
}

static bool may_open(unsigned file, uint32_t flags)
{
	uint32_t mode = files[file].mode, access = flags & TN_OF_ACCESS;

	if (access == TN_OEXEC)
		return false;
	return (access == TN_OREAD || (mode & 0200)) && (access == TN_OWRITE || (mode & 0400));
}

static enum tn_status cmd_open(struct tn_req *r)
{
	uint64_t path = r->chan->qid.path;
	struct tn_user *user = r->user ? r->user : r->chan->user;
	struct tn_cmd_run *run = find(cmd_of(r->server), path >> 3);
	enum tn_err err = TN_OK;

	if (file_of(path) == DIR)
		return (r->flags & TN_OF_ACCESS) == TN_OREAD ? TN_DONE : tn_fail(r, TN_EISDIR);
	if (!may_open(file_of(path), r->flags))
		return tn_fail(r, TN_EACCES);
	if (is_clone(path))
		err = new_run(cmd_of(r->server), user, &run);
	else if (!run)
		err = TN_EGONE;
	else if (!is_users(run, user))
		err = TN_EACCES;
	if (err != TN_OK)
		return tn_fail(r, err);
	run->opens++;
	run->writers += file_of(path) == DATA && (r->flags & TN_OF_ACCESS) != TN_OREAD;
	r->chan->aux.p = run;
	r->chan->qid = qid_of(path_of(run->number, file_of(path)));
	return TN_DONE;
}

static enum tn_status cmd_clunk(struct tn_req *r)
{
	struct tn_cmd_run *run = r->chan->aux.p;

	if (!run)
		return TN_DONE;
	r->chan->aux.p = NULL;
	if (file_of(r->chan->qid.path) == DATA && (r->chan->flags & TN_OF_ACCESS) != TN_OREAD &&
	    --run->writers == 0 && run->process)
		run->cmd->host.close_in(run->process);
	if (--run->opens == 0)
		free_run(run);
	return TN_DONE;
}

/* ---- reading and writing ---- */

static size_t put_text(char *to, size_t at, const char *text)
{
	for (; *text && at < STATUS_MAX; text++)
		to[at++] = *text;
	return at;
}

/* cmd/N OPENS STATE DIRECTORY COMMAND, cut off where it is long. */
static enum tn_status status_read(struct tn_req *r, const struct tn_cmd_run *run)
{
	char text[STATUS_MAX + 2 * DIGITS_MAX];
	size_t at = put_text(text, 0, "cmd/");

	at += put_number(text + at, run->number);
	text[at++] = ' ';
	at += put_number(text + at, run->opens);
	text[at++] = ' ';
	at = put_text(text, at, state_names[run->state]);
	at = put_text(text, at, " ");
	at = put_text(text, at, run->dir ? run->dir : ".");
	at = put_text(text, at, " ");
	at = put_text(text, at, run->name ? run->name : "");
	text[at++] = '\n';
	return tn_reply_text(r, text, at);
}

static enum tn_status wait_read(struct tn_req *r, struct tn_cmd_run *run)
{
	if (run->end)
		return tn_reply_text(r, run->end, run->end_len);
	if (run->state == ENDED)
		return tn_fail(r, TN_ENOMEM); /* for what it would give: tn_cmd_ended */
	if (!tn_keep(r))
		return TN_DONE;
	r->next = run->waiters;
	run->waiters = r;
	return TN_LATER;
}

static enum tn_status ctl_read(struct tn_req *r, const struct tn_cmd_run *run)
{
	char number[DIGITS_MAX];

	return tn_reply_text(r, number, put_number(number, run->number));
}

static enum tn_status stream(struct tn_req *r, const struct tn_cmd_run *run,
    enum tn_cmd_stream which)
{
	return run->process ? run->cmd->host.io(run->process, which, r) : tn_fail(r, TN_EBADUSE);
}

static enum tn_status cmd_read(struct tn_req *r)
{
	struct tn_cmd_run *run = r->chan->aux.p;

	switch (file_of(r->chan->qid.path)) {
	case CTL: return ctl_read(r, run);
	case DATA: return stream(r, run, TN_CMD_OUT);
	case STDERR: return stream(r, run, TN_CMD_ERR);
	case STATUS: return status_read(r, run);
	case WAIT: return wait_read(r, run);
	}
	return tn_fail(r, TN_EISDIR);
}

static enum tn_status cmd_write(struct tn_req *r)
{
	struct tn_cmd_run *run = r->chan->aux.p;

	switch (file_of(r->chan->qid.path)) {
	case CTL: return cmd_ctl_write(r, run);
	case DATA: return stream(r, run, TN_CMD_IN);
	}
	return tn_fail(r, TN_EACCES);
}

static enum tn_status cmd_flush(struct tn_req *r)
{
	struct tn_cmd_run *run = r->chan->aux.p;
	struct tn_req **at = &run->waiters;
	unsigned file = file_of(r->chan->qid.path);

	if (file == DATA || file == STDERR) {
		run->cmd->host.flush(run->process, r);
		return TN_DONE;
	}
	if (run->starter == r)
		run->starter = NULL; /* the command goes on */
	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	tn_fail(r, TN_EINTR);
	tn_respond(r);
	return TN_DONE;
}

/* ---- what the host tells ---- */

void tn_cmd_started(struct tn_cmd_run *run, enum tn_err err)
{
	struct tn_req *r = run->starter;

	run->starter = NULL;
	run->state = err ? NEW : RUNNING;
	if (err) {
		run->cmd->host.put(run->process);
		run->process = NULL;
		tn_free(run->name);
		run->name = NULL;
	}
	if (!r)
		return;
	if (err)
		tn_fail(r, err);
	tn_respond(r);
}

/* Who is answered may close the last file, and the directory goes. */
void tn_cmd_ended(struct tn_cmd_run *run, const char *text, size_t len)
{
	struct cmd *c = run->cmd;
	uint64_t number = run->number;
	struct tn_req *r;

	run->state = ENDED;
	run->end = tn_alloc(len + 1);
	run->end_len = run->end ? len : 0;
	if (run->end)
		memcpy(run->end, text, len);
	tn_server_get(&c->s);
	while ((run = find(c, number)) != NULL && (r = run->waiters) != NULL) {
		run->waiters = r->next;
		tn_reply_text(r, text, len);
		tn_respond(r);
	}
	tn_server_put(&c->s);
}

/* ---- the server ---- */

static void cmd_free(struct tn_server *s)
{
	tn_free(cmd_of(s)); /* a directory is held by Chans, and they hold the server */
}

static const struct tn_ops cmd_ops = {
	.name = "#cmd",
	.op = {
		[TN_ATTACH] = cmd_attach,
		[TN_WALK] = cmd_walk,
		[TN_OPEN] = cmd_open,
		[TN_READ] = cmd_read,
		[TN_READDIR] = cmd_readdir,
		[TN_WRITE] = cmd_write,
		[TN_CLUNK] = cmd_clunk,
		[TN_STAT] = cmd_stat,
		[TN_WSTAT] = cmd_wstat,
		[TN_FLUSH] = cmd_flush,
	},
	.free = cmd_free,
};

struct tn_server *tn_cmd_new(struct tn_loop *home, const struct tn_cmd_host *host)
{
	struct cmd *c = tn_alloc(sizeof(*c));

	if (!c)
		return NULL;
	tn_server_init(&c->s, &cmd_ops, home, NULL);
	c->s.flags |= TN_SF_BLOCKS | TN_SF_DEVICE;
	c->host = *host;
	c->made_ns = tn_time_ns();
	return &c->s;
}
