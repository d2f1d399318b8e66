/*
 * Lines that are written to ctl files: of #cmd, over a host that starts nothing and tells what the input says, and of #proc,
 * whose processes are made up and are signalled by nobody. The first byte says which.
 */
#include "fs/cmd.h"
#include "host/posix/procfs_in.h"
#include "world.h"

enum { FILES = 6, STEPS = 60 };

static struct fuzz_world world;
static struct tn_server *server;

/* An open file, with a write or read of it. */
static struct open_file {
	struct tn_req r; /* first */
	struct tn_chan *chan;
	bool waits;
	char data[512];
} files[FILES];

/* ---- the host of #cmd: one word of memory for each process that is ---- */

static struct tn_cmd_run **processes[FILES];
static bool has_started[FILES], has_ended[FILES]; /* as it was told */
static bool refuses;

static enum tn_err start(void *arg, struct tn_cmd_run *run, const struct tn_cmd_what *what,
    void **process)
{
	size_t i = 0;

	(void)arg;
	must(what->argv[0] && what->nice >= 0 && what->nice <= 19);
	for (size_t n = 0; what->argv[n]; n++)
		must(n < TN_CMD_ARGS_MAX && strlen(what->argv[n]) < TN_CMD_LINE_MAX);
	while (i < FILES && processes[i])
		i++;
	if (refuses || i == FILES)
		return TN_ENOENT;
	processes[i] = malloc(sizeof(*processes[i]));
	must(processes[i]);
	*processes[i] = run;
	has_started[i] = has_ended[i] = false;
	*process = processes[i];
	return TN_OK;
}

static enum tn_status io(void *process, enum tn_cmd_stream stream, struct tn_req *r)
{
	must(*(struct tn_cmd_run **)process);
	if (stream != TN_CMD_IN)
		r->u.io.count = 0;
	return TN_DONE;
}

static void flush(void *process, struct tn_req *r)
{
	(void)process, (void)r;
	must(false); /* nothing is kept */
}

static void touch(void *process)
{
	must(*(struct tn_cmd_run **)process);
}

static void put(void *process)
{
	for (size_t i = 0; i < FILES; i++) {
		if (processes[i] == process)
			processes[i] = NULL;
	}
	free(process);
}

static const struct tn_cmd_host host = { .start = start,
	.io = io,
	.flush = flush,
	.close_in = touch,
	.kill = touch,
	.put = put };

/* Of a process: that it has started, or could not; then that it has ended. Each once. */
static void host_tells(struct fuzz_in *in)
{
	uint8_t how = fuzz_byte(in);
	size_t i = how % FILES;

	refuses = how & 128;
	if (!processes[i])
		return;
	if (!has_started[i]) {
		has_started[i] = true;
		tn_cmd_started(*processes[i], how & 64 ? TN_EACCES : TN_OK);
	} else if (!has_ended[i]) {
		has_ended[i] = true;
		tn_cmd_ended(*processes[i], "1 2 3 4 ''\n", 11);
	}
}

/* ---- the processes of #proc ---- */

bool pf_find(uint32_t pid, struct process *p)
{
	*p = (struct process){ pid, 1 };
	return pid < 10;
}

bool pf_is_there(const struct process *p)
{
	return p->pid != 3;
}

bool pf_owner(uint32_t pid, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	return pid < 10;
}

void pf_put(struct snap *s)
{
	s->err = TN_ESRCH;
}

static bool may_be_seen;

static bool shows(void *arg, uint32_t pid)
{
	(void)arg, (void)pid;
	return may_be_seen;
}

/* ---- files ---- */

static void done(struct tn_req *r)
{
	((struct open_file *)r)->waits = false;
}

/* What is written lies in data already. */
static bool keep(struct tn_req *r)
{
	(void)r;
	return true;
}

static const struct tn_owner owner = { .done = done, .keep = keep };

static void submit(struct open_file *f)
{
	f->waits = true;
	if (tn_submit(&f->r) == TN_DONE)
		f->waits = false;
}

static struct tn_chan *attach(void)
{
	struct tn_chan *c = tn_chan_new(server, world.user);
	struct tn_req r;

	must(c);
	tn_req_init(&r, TN_ATTACH, NULL, NULL);
	r.server = server;
	r.u.attach.newchan = c;
	must(tn_submit(&r) == TN_DONE && r.err == TN_OK);
	return c;
}

/* NULL: there is no such file, or it cannot be opened. */
static struct tn_chan *open_at(const struct tn_str *names, uint16_t n, uint8_t mode)
{
	struct tn_chan *root = attach(), *c = tn_chan_clone(root);
	struct tn_qid qids[2];
	struct tn_req r;

	tn_req_init(&r, TN_WALK, root, NULL);
	r.u.walk.names = names;
	r.u.walk.qids = qids;
	r.u.walk.n_names = n;
	r.u.walk.newchan = c;
	must(tn_submit(&r) == TN_DONE);
	tn_req_reset(&r);
	if (r.u.walk.n_walked == n) {
		tn_req_init(&r, TN_OPEN, c, NULL);
		r.flags = mode;
		must(tn_submit(&r) == TN_DONE);
		tn_req_reset(&r);
	}
	tn_chan_put(root);
	if (r.err == TN_OK && c->flags & TN_CF_OPEN)
		return c;
	tn_chan_put(c);
	return NULL;
}

static void open_one(struct fuzz_in *in, struct open_file *f)
{
	static const struct tn_str dirs[] = { { "1", 1 }, { "2", 1 }, { "3", 1 }, { "4", 1 } };
	static const struct tn_str leaves[] = { { "ctl", 3 }, { "data", 4 }, { "wait", 4 },
		{ "status", 6 }, { "stderr", 6 } };
	uint8_t how = fuzz_byte(in), mode = fuzz_below(in, 3);
	struct tn_str names[2] = { dirs[how & 3], leaves[(how >> 2) % TN_COUNT(leaves)] };

	if (f->chan)
		return;
	/* Those of #proc are made on a worker. */
	if (may_be_seen)
		names[1] = leaves[0], mode = TN_OWRITE;
	if (how & 128 && !may_be_seen)
		f->chan = open_at(&(struct tn_str){ "clone", 5 }, 1, TN_ORDWR);
	else
		f->chan = open_at(names, 2, mode);
}

static void write_one(struct fuzz_in *in, struct open_file *f)
{
	static const char *const verbs[] = { "exec ", "kill", "killonclose", "dir ", "nice ",
		"start", "stop", "" };
	uint8_t how = fuzz_byte(in);
	const char *verb = verbs[how % TN_COUNT(verbs)];
	struct tn_str rest = fuzz_bytes(in, how >> 3);

	if (!f->chan || f->waits)
		return;
	tn_req_reset(&f->r);
	tn_req_init(&f->r, TN_WRITE, f->chan, &owner);
	memcpy(f->data, verb, strlen(verb));
	if (rest.len)
		memcpy(f->data + strlen(verb), rest.s, rest.len);
	f->r.u.io.data = (uint8_t *)f->data;
	f->r.u.io.count = (uint32_t)strlen(verb) + rest.len;
	may_be_seen = false;
	submit(f);
}

static void read_one(struct open_file *f)
{
	if (!f->chan || f->waits || (f->chan->flags & TN_OF_ACCESS) == TN_OWRITE)
		return;
	tn_req_reset(&f->r);
	tn_req_init(&f->r, TN_READ, f->chan, &owner);
	f->r.u.io.data = (uint8_t *)f->data;
	f->r.u.io.count = sizeof(f->data);
	submit(f);
}

static void close_one(struct open_file *f)
{
	if (f->waits)
		tn_flush(&f->r);
	must(!f->waits);
	tn_req_reset(&f->r);
	tn_chan_put(f->chan);
	f->chan = NULL;
}

static void step(struct fuzz_in *in, bool is_proc)
{
	uint8_t what = fuzz_byte(in);
	struct open_file *f = &files[what / 8 % FILES];

	may_be_seen = is_proc;
	switch (what % 8) {
	case 0:
	case 1: open_one(in, f); break;
	case 2:
	case 3:
	case 4: write_one(in, f); break;
	case 5: read_one(f); break;
	case 6: close_one(f); break;
	default: host_tells(in); break;
	}
	fuzz_turn(world.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_in in = { bytes, len };
	bool is_proc = fuzz_byte(&in) & 1;
	const struct tn_procfs_options options = { .shows = shows };

	fuzz_world_begin(&world, NULL);
	memset(files, 0, sizeof(files));
	refuses = false;
	server = is_proc ? tn_procfs_new(world.loop, &options) : tn_cmd_new(world.loop, &host);
	must(server);
	for (int i = 0; i < STEPS && in.left > 0; i++)
		step(&in, is_proc);
	for (size_t i = 0; i < FILES; i++)
		close_one(&files[i]);
	fuzz_turn(world.loop);
	for (size_t i = 0; i < FILES; i++)
		must(!processes[i]);
	tn_server_put(server);
	fuzz_world_end(&world);
	return 0;
}
