/* tenon put: standard input to a file, which is made, or emptied first; with -a behind what is there. */
#include "cmd/command.h"
#include "cmd/place.h"
#include "cmd/say.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (128u * 1024)

static int open_for(struct cmd_place *p, const char *name, bool append, uint32_t mode)
{
	int fd;

	if (append) {
		fd = tn_call_open(p->proc, name, TN_OWRITE | TN_OF_APPEND);
		if (fd >= 0 && tn_call_seek(p->proc, fd, 0, 2) < 0)
			return -1;
		if (fd >= 0 || tn_call_err() != TN_ENOENT)
			return fd;
	}
	return tn_call_create(p->proc, name, TN_OWRITE | TN_OF_TRUNC, mode);
}

/* Everything that standard input has goes to fd. */
static int pour(struct cmd_place *p, int fd, const char *name, char *piece)
{
	for (;;) {
		ssize_t n = read(STDIN_FILENO, piece, PIECE);

		if (n == 0)
			return CMD_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cmd_say_errno("put", "standard input");
		for (int64_t at = 0; at < n;) {
			int64_t wrote = tn_call_write(p->proc, fd, piece + at, (size_t)(n - at));

			if (wrote < 0)
				return cmd_say_call("put", name);
			at += wrote;
		}
	}
}

int cmd_put(const struct cmd_args *a)
{
	struct cmd_place place;
	char *piece = malloc(PIECE);
	int status = CMD_USAGE;
	uint32_t mode;

	if (!piece) {
		cmd_say("put", NULL, "no memory");
		return CMD_FAILED;
	}
	if (!cmd_mode(a, 0666, &mode)) {
		free(piece);
		return CMD_USAGE;
	}
	if (cmd_place_open(&place, a, 1, 1, &status)) {
		int fd = open_for(&place, place.names[0], cmd_has(a, OPT_APPEND), mode);

		status = fd < 0 ? cmd_say_call("put", place.names[0])
				: pour(&place, fd, place.names[0], piece);
		/* A server may refuse only now what it took before: a close is part of the writing. */
		if (fd >= 0 && tn_call_close(place.proc, fd) < 0 && status == CMD_OK)
			status = cmd_say_call("put", place.names[0]);
	}
	cmd_place_close(&place);
	free(piece);
	return status;
}
