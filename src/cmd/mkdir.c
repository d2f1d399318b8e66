/* tenon mkdir: makes directories; with -p the parents too. */
#include "cmd/command.h"
#include "cmd/place.h"
#include "cmd/say.h"
#include "core/host.h"

#include <stdlib.h>
#include <string.h>

static int make(struct cmd_place *p, const char *name, uint32_t mode)
{
	int fd = tn_call_create(p->proc, name, TN_OREAD | TN_OF_EXCL, TN_DMDIR | mode);

	if (fd < 0)
		return -1;
	tn_call_close(p->proc, fd);
	return 0;
}

/* Each prefix of the name in turn; `name` is cut and mended meanwhile. */
static int make_all(struct cmd_place *p, char *name, uint32_t mode)
{
	for (char *end = name; *end;) {
		char after;
		int made;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		after = *end;
		*end = '\0';
		/* Whoever makes the same meanwhile does no harm: what counts is that it is there at the end. */
		made = cmd_is_directory(p, name) || make(p, name, mode) == 0 ||
		       cmd_is_directory(p, name);
		if (!made) {
			make(p, name, mode); /* for its error */
			return -1;
		}
		*end = after;
	}
	return 0;
}

int cmd_mkdir(const struct cmd_args *a)
{
	struct cmd_place place;
	int status = CMD_OK;
	uint32_t mode;

	if (!cmd_mode(a, 0777, &mode))
		return CMD_USAGE;
	if (cmd_place_open(&place, a, 1, CMD_NAMES_MAX, &status)) {
		for (int i = 0; i < place.n_names; i++) {
			char *name = place.names[i];

			if ((cmd_has(a, OPT_PARENTS) ? make_all(&place, name, mode)
						     : make(&place, name, mode)) < 0)
				status = cmd_say_call("mkdir", name);
		}
	}
	cmd_place_close(&place);
	return status;
}
