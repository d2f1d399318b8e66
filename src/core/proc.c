/*
 * The part of a process that names need. Its first `/` and `.` are the device `#/` itself, as a name space that nothing
 * is mounted in shows it.
 */
#include "core/proc.h"

#include "core/mem.h"
#include "core/server.h"

static bool is_word_char(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Bytes of `name` that name the device: its whole name, or its letter; 0: another device. */
static size_t match(const struct tn_device_row *row, struct tn_str name)
{
	size_t len = tn_strlen(row->name);

	if (name.len >= len && memcmp(row->name, name.s, len) == 0)
		return len;
	if (name.len == 0 || row->letter != name.s[0])
		return 0;
	/* `#l0` is `#l` with the attach name 0, but `#lost` is no `#l`. */
	return name.len > 1 && is_word_char(name.s[0]) && is_word_char(name.s[1]) ? 0 : 1;
}

const struct tn_device_row *tn_device_find(const struct tn_node *node, struct tn_str name,
    struct tn_str *spec)
{
	const struct tn_device_row *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < node->n_devices; i++) {
		size_t len = match(&node->devices[i], name);

		if (len <= best_len)
			continue;
		best = &node->devices[i];
		best_len = len;
	}
	*spec = (struct tn_str){ name.s + best_len, name.len - (uint32_t)best_len };
	return best;
}

static const struct tn_owner nobody;

/* Attaches to a server, which must answer at once. NULL: no memory, or it refused. */
static struct tn_chan *attach(struct tn_proc *p, struct tn_server *server)
{
	struct tn_chan *c = tn_chan_new(server, p->user);
	struct tn_req r;

	if (!c)
		return NULL;
	tn_req_init(&r, TN_ATTACH, NULL, &nobody);
	r.server = server;
	r.user = p->user;
	r.u.attach.newchan = c;
	tn_assert(tn_submit(&r) == TN_DONE);
	tn_req_reset(&r);
	c->path = r.err == TN_OK ? tn_path_root(TN_STR("/")) : NULL;
	if (c->path)
		return c;
	tn_chan_put(c);
	return NULL;
}

/* That of `#/`. */
static struct tn_chan *root_of(struct tn_proc *p)
{
	const struct tn_device_row *row;
	struct tn_server *server;
	struct tn_str spec;
	struct tn_chan *c;

	row = tn_device_find(p->node, TN_STR("/"), &spec);
	tn_assert(row); /* a node has a root device */
	if (row->instance(p, spec, &server) != TN_OK)
		return NULL;
	c = attach(p, server);
	tn_server_put(server);
	return c;
}

struct tn_proc *tn_proc_new(struct tn_node *node, struct tn_user *user)
{
	struct tn_proc *p = tn_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->node = node;
	p->user = user ? tn_user_get(user) : NULL;
	p->ns = tn_ns_empty(NULL);
	if (!p->ns)
		goto put;
	p->slash = root_of(p);
	if (!p->slash)
		goto put;
	p->dot = tn_chan_get(p->slash);
	return p;

put:
	tn_proc_put(p);
	return NULL;
}

struct tn_proc *tn_proc_copy(struct tn_proc *p)
{
	struct tn_proc *new = tn_alloc(sizeof(*new));

	if (!new)
		return NULL;
	new->refs = 1;
	new->node = p->node;
	new->user = p->user ? tn_user_get(p->user) : NULL;
	new->ns = tn_ns_get(p->ns);
	new->slash = tn_chan_get(p->slash);
	new->dot = tn_chan_get(p->dot);
	new->pid = p->pid;
	if (p->share_env)
		p->share_env(new, p);
	return new;
}

struct tn_proc *tn_proc_get(struct tn_proc *p)
{
	tn_count_up(&p->refs);
	return p;
}

void tn_proc_put(struct tn_proc *p)
{
	if (!p || tn_count_down(&p->refs) > 0)
		return;
	if (p->fds)
		p->free_fds(p);
	if (p->env)
		p->free_env(p);
	tn_chan_put(p->slash);
	tn_chan_put(p->dot);
	tn_ns_put(p->ns);
	tn_user_put(p->user);
	tn_free(p);
}

void tn_proc_set_ns(struct tn_proc *p, struct tn_ns *ns)
{
	struct tn_ns *old = p->ns;

	p->ns = ns;
	tn_ns_put(old);
}

void tn_proc_set_dot(struct tn_proc *p, struct tn_chan *dot)
{
	struct tn_chan *old = p->dot;

	p->dot = dot;
	tn_chan_put(old);
}

bool tn_proc_set_root(struct tn_proc *p, struct tn_server *server)
{
	struct tn_chan *root = attach(p, server);

	if (!root)
		return false;
	tn_chan_put(p->slash);
	p->slash = tn_chan_get(root);
	tn_proc_set_dot(p, root);
	return true;
}
