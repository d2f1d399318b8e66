/*
 * tenon bind, mount, unmount: lines of namespace(6) for the server of a running name space, from inside or with -p PID.
 * Outside of one, mount and unmount are ordinary mounts of the host.
 */
#include "cmd/command.h"
#include "cmd/live.h"
#include "cmd/say.h"
#include "host/posix/dial.h"
#include "launch/hostmount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum cmd_opt id;
	char letter;
} flags[] = { { OPT_BEFORE, 'b' }, { OPT_AFTER, 'a' }, { OPT_CREATE, 'c' }, { OPT_CACHE, 'C' } };

static void add_flags(struct cmd_line *line, const struct cmd_args *a)
{
	char text[8] = "-";
	size_t n = 1;

	for (size_t i = 0; i < TN_COUNT(flags); i++) {
		if (cmd_has(a, flags[i].id))
			text[n++] = flags[i].letter;
	}
	if (n > 1)
		cmd_line_word(line, text);
}

int cmd_bind(const struct cmd_args *a)
{
	struct cmd_line line;

	if (cmd_has(a, OPT_BEFORE) && cmd_has(a, OPT_AFTER))
		return cmd_usage_error(a->command, "-a -b", "one of them");
	cmd_line_start(&line, "bind");
	add_flags(&line, a);
	cmd_line_name(&line, a->words[0]);
	cmd_line_name(&line, a->words[1]);
	return cmd_line_send(&line, a, a->words[1]);
}

static int mount_inside(const struct cmd_args *a)
{
	struct cmd_line line;

	cmd_line_start(&line, "mount");
	if (cmd_has(a, OPT_WITH)) {
		cmd_line_word(&line, "-o");
		cmd_line_word(&line, cmd_value(a, OPT_WITH));
	}
	add_flags(&line, a);
	cmd_line_name(&line, a->words[0]);
	cmd_line_name(&line, a->words[1]);
	if (a->n_words > 2)
		cmd_line_word(&line, a->words[2]);
	return cmd_line_send(&line, a, a->words[1]);
}

/* The mount as a composition of one, so that -o means here what it means everywhere. false: said. */
static bool compose_for_host(struct tn_compose *c, const struct cmd_args *a)
{
	const char *options = cmd_value(a, OPT_WITH), *dial = a->words[0];
	size_t size = strlen(dial) + 3;
	char *text = malloc(size);
	bool ok = text != NULL && (!options || tn_compose_with(c, options));

	if (ok) {
		snprintf(text, size, "/=%s", dial);
		ok = tn_compose_bind(c, text, TN_REPL, true);
	}
	free(text);
	if (!ok) {
		cmd_usage_error(a->command, c->what, c->error);
		return false;
	}
	if (c->ops[0].with.has_order || (c->ops[0].with.aname && a->n_words > 2)) {
		cmd_usage_error(a->command, options,
		    c->ops[0].with.has_order ? "a mount of the host has no order"
					     : "ANAME is given, too");
		return false;
	}
	if (a->n_words > 2)
		c->ops[0].with.aname = a->words[2];
	return true;
}

/* For unions and creation in them there must be a name space. */
static const char *letter_for_inside(const struct cmd_args *a)
{
	static const char *const names[] = { "-b", "-a", "-c", "-C" };

	for (size_t i = 0; i < TN_COUNT(flags); i++) {
		if (cmd_has(a, flags[i].id))
			return names[i];
	}
	return NULL;
}

static int mount_on_host(const struct cmd_args *a)
{
	struct tn_compose compose;
	struct tn_host_mount m = { .dir = a->words[1], .compose = &compose };
	int status = CMD_USAGE;

	if (!tn_is_dial(a->words[0]))
		return cmd_usage_error(a->command, a->words[0],
		    "no dial string; outside of tenon run only those can be mounted");
	if (letter_for_inside(a))
		return cmd_usage_error(a->command, letter_for_inside(a),
		    "only inside of tenon run, and without --host");
	tn_compose_init(&compose);
	if (compose_for_host(&compose, a)) {
		status = CMD_OK;
		if (!tn_host_mount(&m)) {
			cmd_say("mount", m.what, m.error);
			status = m.lacking ? CMD_LACKING : CMD_FAILED;
		}
	}
	tn_compose_fini(&compose);
	return status;
}

int cmd_mount(const struct cmd_args *a)
{
	if (cmd_has(a, OPT_BEFORE) && cmd_has(a, OPT_AFTER))
		return cmd_usage_error(a->command, "-a -b", "one of them");
	return cmd_has(a, OPT_HOST) || !cmd_is_inside(a) ? mount_on_host(a) : mount_inside(a);
}

static int unmount_on_host(const struct cmd_args *a)
{
	struct tn_host_mount m = { .dir = a->words[0] };

	if (a->n_words != 1)
		return cmd_usage_error(a->command, a->words[1],
		    "outside of tenon run one directory is unmounted");
	if (tn_host_unmount(&m))
		return CMD_OK;
	cmd_say("unmount", m.what, m.error);
	return m.lacking ? CMD_LACKING : CMD_FAILED;
}

int cmd_unmount(const struct cmd_args *a)
{
	struct cmd_line line;

	if (cmd_has(a, OPT_HOST) || !cmd_is_inside(a))
		return unmount_on_host(a);
	cmd_line_start(&line, "unmount");
	for (int i = 0; i < a->n_words; i++)
		cmd_line_name(&line, a->words[i]);
	return cmd_line_send(&line, a, a->words[a->n_words - 1]);
}
