/*
 * tenon mv: a new name within the same directory is one message (wstat); another directory is a copy and a removal,
 * since 9P2000 has no other way.
 */
#include "cmd/command.h"
#include "cmd/say.h"
#include "cmd/tree.h"
#include "core/host.h"

#include <stdlib.h>
#include <string.h>

/* The directory that a name stands in, for free(). */
static char *parent(const char *name)
{
	struct tn_str last = cmd_last(name);
	size_t len = (size_t)(last.s - name);

	return len ? strndup(name, len) : strdup(".");
}

/* 1: both names are in one directory, 0: they are not, -1: told. */
static int are_neighbours(struct cmd_place *p, const char *old, const char *new)
{
	char *a = parent(old), *b = parent(new);
	int fa = a ? tn_call_open(p->proc, a, TN_OREAD) : -1;
	int fb = b && fa >= 0 ? tn_call_open(p->proc, b, TN_OREAD) : -1;
	int same = -1;

	if (fa >= 0 && fb >= 0)
		same = tn_chan_same(tn_call_chan(p->proc, fa), tn_call_chan(p->proc, fb));
	else
		cmd_say_call("mv", fa < 0 ? a : b);
	if (fb >= 0)
		tn_call_close(p->proc, fb);
	if (fa >= 0)
		tn_call_close(p->proc, fa);
	free(a);
	free(b);
	return same;
}

static int rename_to(struct cmd_place *p, const char *old, const char *new)
{
	struct tn_stat change = { .valid = TN_ST_NAME, .name = cmd_last(new) };

	if (tn_call_wstat(p->proc, old, &change) == 0)
		return CMD_OK;
	/* stat(5): a name that is taken is refused. Then, as Plan 9's mv does, the file that has it goes first. */
	if (tn_call_err() != TN_EEXIST)
		return cmd_say_call("mv", old);
	if (tn_call_remove(p->proc, new) < 0)
		return cmd_say_call("mv", new);
	return tn_call_wstat(p->proc, old, &change) == 0 ? CMD_OK : cmd_say_call("mv", old);
}

static bool is_same_name(struct tn_str a, struct tn_str b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static int move(struct cmd_place *p, const char *old, const char *new)
{
	int same = are_neighbours(p, old, new);
	int status;

	if (same < 0)
		return CMD_FAILED;
	if (same && is_same_name(cmd_last(old), cmd_last(new))) {
		cmd_say("mv", new, "is the same file");
		return CMD_FAILED;
	}
	if (same)
		return rename_to(p, old, new);
	status = cmd_tree_copy(p, "mv", old, new, true);
	return status == CMD_OK ? cmd_tree_remove(p, "mv", old, true) : status;
}

int cmd_mv(const struct cmd_args *a)
{
	struct cmd_place place;
	int status = CMD_OK;

	if (cmd_place_open(&place, a, 2, 2, &status)) {
		struct tn_call_stat got;
		char *target = NULL;

		if (tn_call_stat(place.proc, place.names[0], &got) < 0) {
			status = cmd_say_call("mv", place.names[0]);
		} else {
			tn_free(got.text);
			target = cmd_tree_target(&place, place.names[0], place.names[1]);
			status = target ? move(&place, place.names[0], target) : CMD_FAILED;
		}
		free(target);
	}
	cmd_place_close(&place);
	return status;
}
