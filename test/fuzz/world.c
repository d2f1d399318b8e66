#include "world.h"

#include "fs/env.h"
#include "fs/mntgen.h"
#include "fs/pipe.h"
#include "fs/ram.h"
#include "fs/root.h"
#include "lib/call.h"

static struct tn_loop own;
static struct fuzz_world *world; /* whose devices are asked for */

void fuzz_turn(struct tn_loop *loop)
{
	do
		tn_loop_run(loop);
	while (tn_loop_next_ns(loop) <= fuzz_now);
}

void fuzz_pass(struct tn_loop *loop, unsigned seconds)
{
	fuzz_now += seconds * FUZZ_SECOND;
	fuzz_turn(loop);
}

/* ---- devices ---- */

static enum tn_err given(struct tn_server *s, struct tn_server **out)
{
	*out = s;
	return s ? TN_OK : TN_ENOMEM;
}

static enum tn_err root(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p, (void)spec;
	return given(tn_server_get(world->root), out);
}

static enum tn_err ram(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	static const struct tn_ram_options small = { .bytes_max = 1 << 20, .files_max = 200 };

	(void)p, (void)spec;
	return given(tn_ram_new(world->loop, &small), out);
}

static enum tn_err same_ram(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p, (void)spec;
	return given(tn_server_get(world->ram), out);
}

static enum tn_err mntgen(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p, (void)spec;
	return given(tn_mntgen_new(world->loop), out);
}

static enum tn_err pipes(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	(void)p, (void)spec;
	return given(tn_pipe_new(world->loop), out);
}

static enum tn_err env(struct tn_proc *p, struct tn_str spec, struct tn_server **out)
{
	struct tn_env *e = tn_env_new();
	enum tn_err err = given(tn_env_server(world->loop, e), out);

	(void)p, (void)spec;
	tn_env_put(e);
	return err;
}

static const struct tn_device_row rows[] = {
	{ "root", '/', false, root },
	{ "ram", 0, false, ram },
	{ "same", 'R', false, same_ram },
	{ "mntgen", 0, false, mntgen },
	{ "pipe", '|', true, pipes },
	{ "env", 'e', true, env },
};

/* ---- the name space ---- */

static const struct {
	const char *name, *at;
	uint32_t flags;
} binds[] = {
	{ "#R", "/", TN_REPL | TN_CREATE_HERE },
	{ "#mntgen", "/m", TN_REPL },
	{ "#env", "/m/env", TN_REPL | TN_CREATE_HERE },
	{ "#|", "/m/pipe", TN_REPL },
	{ "/d", "/u", TN_REPL },
	{ "#ram", "/u", TN_BEFORE | TN_CREATE_HERE },
	{ "/a/f", "/a/g", TN_REPL },
};

static void fill(struct tn_server *s)
{
	static const char *const dirs[] = { "/a", "/d", "/d/e", "/m", "/u" };
	static const char *const files[] = { "/a/f", "/a/g", "/d/f", "/b" };

	for (size_t i = 0; i < TN_COUNT(dirs); i++)
		tn_ram_put_dir(s, (struct tn_str){ dirs[i], (uint32_t)strlen(dirs[i]) }, 0777);
	for (size_t i = 0; i < TN_COUNT(files); i++)
		tn_ram_put_file(s, (struct tn_str){ files[i], (uint32_t)strlen(files[i]) }, 0666,
		    TN_STR("0123456789"));
}

void fuzz_world_begin(struct fuzz_world *w, struct tn_loop *loop)
{
	static const struct tn_ram_options small = { .bytes_max = 1 << 20, .files_max = 200 };

	fuzz_begin();
	if (!loop)
		tn_loop_init(&own, NULL, NULL);
	world = w;
	w->loop = loop ? loop : &own;
	w->node = (struct tn_node){ .loop = w->loop,
		.devices = rows,
		.n_devices = TN_COUNT(rows),
		.view_key = { 1, 2 } };
	w->user = tn_user_new(TN_STR("glenda"), 1000, 1000);
	w->root = tn_rootfs_new(w->loop);
	w->ram = tn_ram_new(w->loop, &small);
	fill(w->ram);
	w->proc = tn_proc_new(&w->node, w->user);
	for (size_t i = 0; i < TN_COUNT(binds); i++)
		must(tn_call_bind(w->proc, binds[i].name, binds[i].at, binds[i].flags) >= 0);
	must(tn_call_chdir(w->proc, "/") == 0);
}

struct tn_server *fuzz_world_view(struct fuzz_world *w, const struct tn_view_options *o)
{
	struct tn_chan *c = tn_call_walk(w->proc, "/", TN_FOR_TARGET);
	struct tn_server *s;

	must(c);
	s = tn_view_new(w->proc, c, o);
	tn_chan_put(c);
	must(s);
	return s;
}

void fuzz_world_end(struct fuzz_world *w)
{
	fuzz_turn(w->loop);
	tn_ns_clear(w->proc->ns);
	tn_proc_put(w->proc);
	fuzz_turn(w->loop);
	tn_server_put(w->ram);
	tn_server_put(w->root);
	tn_user_put(w->user);
	fuzz_turn(w->loop);
	if (w->loop == &own)
		tn_loop_fini(&own);
	world = NULL;
}
