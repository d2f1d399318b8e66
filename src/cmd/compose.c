#include "cmd/compose.h"

#include "cmd/say.h"

#include <string.h>

static bool take(struct tn_compose *c, const struct cmd_given *g)
{
	switch (g->id) {
	case OPT_BIND_REPLACE: return tn_compose_bind(c, g->value, TN_REPL, false);
	case OPT_BIND_BEFORE: return tn_compose_bind(c, g->value, TN_BEFORE, false);
	case OPT_BIND_AFTER: return tn_compose_bind(c, g->value, TN_AFTER, false);
	case OPT_MOUNT: return tn_compose_bind(c, g->value, TN_REPL, true);
	case OPT_WITH: return tn_compose_with(c, g->value);
	case OPT_FILE: return tn_compose_file(c, g->value);
	case OPT_CLEAN: return c->clean = true;
	case OPT_READ_ONLY: return c->read_only = true;
	default: return true; /* of the command itself */
	}
}

bool cmd_compose(struct tn_compose *c, const struct cmd_args *a)
{
	for (size_t i = 0; i < a->n_given; i++) {
		if (!take(c, &a->given[i])) {
			cmd_usage_error(a->command, c->what, c->error);
			return false;
		}
	}
	if (tn_compose_end(c))
		return true;
	cmd_usage_error(a->command, c->what, c->error);
	return false;
}

int cmd_say_compose(const char *what, const struct tn_compose *c)
{
	cmd_say(what, c->what, c->error);
	return CMD_FAILED;
}

static bool is_cmd(const char *src)
{
	return strcmp(src, "#cmd") == 0 || strncmp(src, "#cmd/", 5) == 0;
}

bool cmd_gives_commands(const struct tn_compose *c, const struct cmd_args *a)
{
	bool given = a->command->bit == CMD_EXPORT && a->n_words > 0 && is_cmd(a->words[0]);

	for (size_t i = 0; i < c->n; i++)
		given = given || (!c->ops[i].is_file && is_cmd(c->ops[i].src));
	return given;
}
