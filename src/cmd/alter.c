/*
 * tenon bind, mount, unmount: lines of namespace(6) for the server of a running name space, from inside or with -p PID.
 * Outside of one, mount and unmount are ordinary mounts of the host.
 */
#include "cmd/command.h"
#include "cmd/live.h"
#include "cmd/say.h"
#include "host/posix/dial.h"
#include "launch/hostmount.h"

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

static int mount_on_host(const struct cmd_args *a)
{
	struct tn_host_mount m = {
		.dial = a->words[0],
		.dir = a->words[1],
		.aname = a->n_words > 2 ? a->words[2] : "",
		.options = cmd_value(a, OPT_WITH),
	};

	if (!tn_is_dial(m.dial))
		return cmd_usage_error(a->command, m.dial,
		    "no dial string; outside of tenon run only those can be mounted");
	if (tn_host_mount(&m))
		return CMD_OK;
	cmd_say("mount", m.what, m.error);
	return m.lacking ? CMD_LACKING : CMD_FAILED;
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
	return CMD_FAILED;
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
