/*
 * What the kernel asks for the child's sake: answered from the event that is being raised, never by the server.
 */
#include "launch/raise_in.h"

#include <errno.h>
#include <string.h>

/* The child's, about the event that is being raised. */
static struct launch_raiser *asked_by(fuse_req_t req)
{
	struct launch_notify *n = launch_door_of(req)->notify;
	struct launch_raiser *r = n ? n->raiser : NULL;

	return r && !r->ended && fuse_req_ctx(req)->pid == r->pid ? r : NULL;
}

static const struct launch_raised_name *name_of(const struct launch_raiser *r, fuse_ino_t parent,
    const char *name)
{
	const struct launch_node *dir = launch_node_of(r->n->f, parent);

	for (size_t i = 0; i < 2; i++) {
		const struct launch_raised_name *at = &r->names[i];

		if (at->dir == dir && at->name && strcmp(at->name, name) == 0)
			return at;
	}
	return NULL;
}

static void give_entry(struct launch_raiser *r, fuse_req_t req, struct launch_node *node,
    const struct stat *attr)
{
	struct launch_nodes *nodes = &r->n->f->nodes;
	struct fuse_entry_param e = { .attr = *attr };

	if (!node) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	e.ino = launch_ino_of(r->n->f, node);
	e.generation = node->generation;
	launch_node_looked_up(node);
	if (fuse_reply_entry(req, &e) != 0)
		launch_node_forget(nodes, node, 1);
}

/* Of nobody's: for as long as the kernel keeps it, which nobody asks it to. */
static void give_nobody(struct launch_raiser *r, fuse_req_t req, fuse_ino_t parent,
    const char *name)
{
	struct launch_fuse *f = r->n->f;
	struct launch_node *node = launch_node_nobody(&f->nodes, launch_node_of(f, parent),
	    (struct tn_str){ name, (uint32_t)strlen(name) }, r->command.is_dir);

	if (node)
		r->attr.st_ino = launch_ino_number(node->instance, node->qid_path);
	give_entry(r, req, node, &r->attr);
	launch_node_put(&f->nodes, node);
}

bool launch_raised_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct launch_raiser *r = asked_by(req);
	const struct launch_raised_name *at;
	struct stat attr;

	if (!r)
		return false;
	if (r->command.what == RAISE_OPEN && r->command.slot != RAISE_SLOT_ASIDE)
		return false; /* on its way to a directory, as anybody */
	if (r->command.what == RAISE_OPEN) {
		launch_raise_attr(r->aside, true, &attr);
		give_entry(r, req, strcmp(name, LAUNCH_ASIDE) == 0 ? r->aside : NULL, &attr);
		return true;
	}
	at = name_of(r, parent, name);
	if (!at || !at->is_there)
		fuse_reply_err(req, ENOENT);
	else if (r->entry)
		give_entry(r, req, r->entry, &r->attr);
	else
		give_nobody(r, req, parent, name);
	return true;
}

/* Of a directory, as it was when it was begun to be followed; of the entry. */
bool launch_raised_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct launch_raiser *r = asked_by(req);
	const struct launch_node *node;
	struct stat attr;

	if (!r)
		return false;
	node = launch_node_of(r->n->f, ino);
	for (const struct launch_follow *w = r->n->follows; w; w = w->next) {
		if (w->node == node && w->attr.st_ino) {
			fuse_reply_attr(req, &w->attr, 0);
			return true;
		}
	}
	if (r->command.what == RAISE_OPEN && node != r->aside)
		return false;
	attr = r->attr;
	if (node == r->aside)
		launch_raise_attr(node, true, &attr);
	fuse_reply_attr(req, &attr, 0);
	return true;
}

bool launch_raised_setattr(fuse_req_t req, fuse_ino_t ino)
{
	return launch_raised_getattr(req, ino);
}

bool launch_raised_make(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct launch_raiser *r = asked_by(req);

	if (!r)
		return false;
	if (r->command.what == RAISE_MADE && name_of(r, parent, name))
		give_nobody(r, req, parent, name);
	else
		fuse_reply_err(req, ESTALE);
	return true;
}

static bool answer(fuse_req_t req, enum launch_raise what, fuse_ino_t parent, const char *name)
{
	struct launch_raiser *r = asked_by(req);

	if (!r)
		return false;
	fuse_reply_err(req, r->command.what == what && name_of(r, parent, name) ? 0 : ESTALE);
	return true;
}

bool launch_raised_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	return answer(req, RAISE_GONE, parent, name);
}

bool launch_raised_rename(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	return answer(req, RAISE_MOVED, parent, name);
}
