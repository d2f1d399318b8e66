/*
 * A thread's part: its name space and `.`; rfork(2) between threads. What is applied as text goes to a copy, which then
 * takes the place of the name space for all who share it, unless that was changed meanwhile: then once more.
 */
#include "lib/part.h"

#include "core/nsfile.h"
#include "core/server.h"
#include "fs/root.h"
#include "host/posix/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TRIES_MAX 8 /* to apply lines while others change the same name space */

/* ---- making ---- */

/* #/ is one for the program; a name space has mount points of its own. */
static struct tn_proc *new_empty(void)
{
	struct tn_proc *p = tn_host_proc_clean(tn_program.node);
	struct tn_server *root = p ? tn_rootfs_new(p->node->loop) : NULL;

	if (!root || !tn_proc_set_root(p, root)) {
		tn_proc_put(p);
		p = NULL;
		tn_call_set(TN_ENOMEM, NULL);
	}
	tn_server_put(root);
	return p;
}

static struct tn_proc *new_host(void)
{
	struct tn_proc *p = tn_host_proc_new(tn_program.node);

	if (!p)
		tn_call_set(tn_err_of_linux((uint32_t)errno), NULL);
	return p;
}

/* Another reference of the program's, or the end of its call. */
static struct tn_proc *give(struct tn_proc *p, unsigned how)
{
	if (p && how & TN_NS_NOMOUNT)
		tn_ns_forbid(p->ns);
	tn_program.n_refs += (p != NULL);
	return tn_leave_with(p);
}

struct tn_proc *tn_ns_new(unsigned how)
{
	if (!tn_enter((how & ~(unsigned)(TN_NS_HOST | TN_NS_NOMOUNT)) == 0))
		return NULL;
	return give(how & TN_NS_HOST ? new_host() : new_empty(), how);
}

static struct tn_proc *copy_of(struct tn_proc *p, uint32_t how)
{
	struct tn_proc *copy = tn_proc_copy(p);

	if (copy && tn_call_rfork(copy, how) == 0)
		return copy;
	tn_proc_put(copy);
	tn_call_set(TN_ENOMEM, NULL);
	return NULL;
}

struct tn_proc *tn_ns_fork(struct tn_proc *ns, unsigned how)
{
	struct tn_proc *p = tn_enter_part(ns, (how & ~(unsigned)TN_NS_NOMOUNT) == 0);

	return p ? give(copy_of(p, TN_RF_NAMEG), how) : NULL;
}

struct tn_proc *tn_ns_share(struct tn_proc *ns)
{
	struct tn_proc *p = tn_enter_part(ns, true);

	return p ? give(copy_of(p, 0), 0) : NULL;
}

/* ---- using ---- */

int tn_ns_use(struct tn_proc *ns)
{
	if (!tn_enter(true))
		return -1;
	tn_thread_use(ns);
	return (int)tn_leave(0);
}

struct tn_proc *tn_ns_current(void)
{
	return tn_thread_part();
}

void tn_ns_free(struct tn_proc *ns)
{
	if (!ns || !tn_enter(true))
		return;
	tn_program.n_refs--;
	tn_proc_put(ns);
	tn_leave(0);
}

int tn_end(void)
{
	struct tn_proc *mine;

	if (!tn_enter(true))
		return -1;
	mine = tn_thread_part();
	if (tn_program.n_refs || tn_program.n_services || tn_program.n_uses > (mine != NULL))
		tn_call_set(TN_EBUSY, NULL);
	else {
		tn_thread_use(NULL);
		if (tn_program_end())
			return (int)tn_leave(0);
		tn_thread_use(mine);
		tn_call_set(TN_EBUSY, NULL);
	}
	return (int)tn_leave(-1);
}

/* ---- as text ---- */

struct print {
	char *buf;
	size_t size, len;
};

static void add_text(struct print *p, const char *text, size_t len)
{
	if (p->len < p->size)
		memcpy(p->buf + p->len, text, len < p->size - p->len ? len : p->size - p->len);
	p->len += len;
}

static void add_line(void *arg, const char *line)
{
	add_text(arg, line, strlen(line));
	add_text(arg, "\n", 1);
}

static const char *label_of(void *arg, const struct tn_chan *c)
{
	(void)arg;
	return c->server->label ? c->server->label : c->server->ops->name;
}

int64_t tn_ns_print(struct tn_proc *ns, char *buf, size_t size)
{
	struct tn_proc *p = tn_enter_part(ns, buf || size == 0);
	struct print print = { buf, size, 0 };
	enum tn_err err;

	if (!p)
		return -1;
	err = tn_ns_lines(p, false, label_of, add_line, &print);
	if (size > 0)
		buf[print.len < size ? print.len : size - 1] = '\0';
	return tn_leave(err ? tn_call_set(err, NULL) : (int64_t)print.len);
}

static bool compose_copy(struct tn_proc *p, struct tn_compose *c, bool *was_changed)
{
	struct tn_proc *copy = tn_proc_copy(p);
	uint64_t version = tn_ns_version(p->ns);
	bool ok = copy && tn_compose_apply(c, copy);

	if (!copy)
		tn_call_set(TN_ENOMEM, NULL);
	*was_changed = ok && tn_ns_version(p->ns) != version;
	if (ok && !*was_changed) {
		tn_ns_become(p->ns, copy->ns);
		tn_proc_set_dot(p, tn_chan_get(copy->dot));
	}
	tn_proc_put(copy);
	return ok;
}

int tn_part_compose(struct tn_proc *p, struct tn_compose *c)
{
	bool was_changed = true;

	c->clean = true;
	for (int i = 0; i < TRIES_MAX && was_changed; i++) {
		if (!compose_copy(p, c, &was_changed))
			return tn_part_compose_error(c);
	}
	if (was_changed)
		return tn_call_set(TN_EBUSY, "the name space is being changed by others");
	return tn_call_set(TN_OK, NULL);
}

int tn_part_compose_error(const struct tn_compose *c)
{
	char words[2 * TN_COMPOSE_ERROR_SIZE + 2];

	snprintf(words, sizeof(words), "%s: %s", c->what, c->error);
	return tn_call_set(tn_compose_err(c), words);
}

int tn_ns_apply(struct tn_proc *ns, const char *text)
{
	struct tn_proc *p = tn_enter_part(ns, text != NULL);
	struct tn_compose c;
	int ret;

	if (!p)
		return -1;
	tn_proc_get(p); /* the program may free it meanwhile */
	tn_compose_init(&c);
	ret = tn_compose_text(&c, "text", text, strlen(text)) ? tn_part_compose(p, &c)
							      : tn_part_compose_error(&c);
	tn_compose_fini(&c);
	tn_proc_put(p);
	return (int)tn_leave(ret);
}
