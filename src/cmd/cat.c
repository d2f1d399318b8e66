/* tenon cat: prints files. What has come is printed at once: a file that follows (a console) is seen as it grows. */
#include "cmd/command.h"
#include "cmd/place.h"
#include "cmd/say.h"

#include <stdlib.h>

#define PIECE (128u * 1024)

/* Returns false when standard output is gone: main says so. */
static bool print(struct cmd_place *p, const char *name, char *piece, int *status)
{
	int fd = tn_call_open(p->proc, name, TN_OREAD);
	int64_t n = fd;

	while (fd >= 0 && (n = tn_call_read(p->proc, fd, piece, PIECE)) > 0) {
		fwrite(piece, 1, (size_t)n, stdout);
		if (fflush(stdout) != 0)
			return false;
	}
	if (n < 0)
		*status = cmd_say_call("cat", name);
	if (fd >= 0)
		tn_call_close(p->proc, fd);
	return true;
}

int cmd_cat(const struct cmd_args *a)
{
	struct cmd_place place;
	char *piece = malloc(PIECE);
	int status = CMD_FAILED;

	if (!piece) {
		cmd_say("cat", NULL, "no memory");
		return status;
	}
	if (cmd_place_open(&place, a, 1, CMD_NAMES_MAX, &status)) {
		for (int i = 0; i < place.n_names && print(&place, place.names[i], piece, &status);
		     i++)
			continue;
	}
	cmd_place_close(&place);
	free(piece);
	return status;
}
