/*
 * hostserve DIR [all-workers]: serves a host directory at tcp!127.0.0.1!0, for ../shared/conformance (conformance.sh).
 * Prints where it listens; ends when its standard input does.
 */
#include "host/posix/hostfs.h"
#include "host/posix/serve.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tn_host_loop *h;

static void input_over(uv_poll_t *poll, int status, int events)
{
	char buf[64];

	(void)status;
	(void)events;
	if (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		return;
	uv_poll_stop(poll);
	tn_host_loop_stop(h);
}

int main(int argc, char **argv)
{
	struct tn_hostfs_options o = { .all_workers = argc > 2 &&
						      strcmp(argv[2], "all-workers") == 0 };
	char words[TN_WORDS_SIZE];
	struct tn_service *service;
	struct tn_server *server;
	const char *address;
	enum tn_err err;
	uv_poll_t in;

	h = tn_host_loop_new();
	server = tn_hostfs_new(tn_host_loop_core(h), argv[1], &o, &err);
	if (!server) {
		fprintf(stderr, "%s: %s\n", argv[1], tn_err_text(err));
		return 1;
	}
	service = tn_service_new(h, server, NULL);
	if (tn_service_listen(service, "tcp!127.0.0.1!0", &address, words)) {
		fprintf(stderr, "%s\n", words);
		return 1;
	}
	printf("%s\n", address);
	fflush(stdout);
	uv_poll_init(tn_host_loop_uv(h), &in, STDIN_FILENO);
	uv_poll_start(&in, UV_READABLE, input_over);
	tn_host_loop_run(h);
	return 0;
}
