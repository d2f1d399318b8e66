/*
 * An import exported again, for tests: link-import [-s SECONDS] REMOTE LISTEN mounts the server at REMOTE and serves it
 * at LISTEN. It prints the address that it listens at, and when it ends (SIGTERM) what the client has counted.
 */
#include "core/loop.h"
#include "core/server.h"
#include "host/posix/dial.h"
#include "host/posix/listen.h"
#include "host/posix/loop.h"
#include "host/posix/stream.h"
#include "link/conn.h"
#include "link/mnt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tn_host_loop *host;
static struct tn_server *server;
static uv_signal_t term;

static void conn_closed(struct tn_conn *conn, void *arg)
{
	(void)arg;
	tn_conn_free(conn);
}

static void accepted(void *arg, int fd, const char *peer)
{
	struct tn_conn *conn = tn_conn_new(server, NULL, peer, conn_closed, NULL);

	(void)arg;
	tn_socket_tune(fd);
	if (conn)
		tn_transport_join(host, tn_conn_stream(conn), fd, fd, NULL, NULL);
	else
		close(fd);
}

static void terminated(uv_signal_t *handle, int number)
{
	(void)number;
	uv_close((uv_handle_t *)handle, NULL);
	tn_host_loop_stop(host);
}

static void tell(void)
{
	struct tn_client_stats st;

	tn_client_stats(tn_mnt_client(server), &st);
	fprintf(stderr, "messages %llu fids %u flushes %llu timeouts %llu dials %llu losses %llu\n",
	    (unsigned long long)st.messages_out, st.fids, (unsigned long long)st.flushes,
	    (unsigned long long)st.timeouts, (unsigned long long)st.dials,
	    (unsigned long long)st.losses);
}

int main(int argc, char **argv)
{
	struct tn_client_options options = { .dialect = TN_DIALECTS };
	char words[TN_WORDS_SIZE];
	struct tn_listener *listener;
	struct tn_dialer *dialer;
	struct tn_client *client;
	enum tn_err err;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		options.soft_ns = (uint64_t)(atof(argv[2]) * 1e9);
		argc -= 2;
		argv += 2;
	}
	if (argc != 3)
		return 2;
	options.label = argv[1];
	host = tn_host_loop_new();
	dialer = tn_dialer_new(host, argv[1], 0, &err, words);
	if (!dialer) {
		fprintf(stderr, "link-import: %s\n", words);
		return 1;
	}
	client = tn_client_new(tn_host_loop_core(host), dialer, &options);
	server = tn_mnt_server(client);
	tn_client_put(client);
	listener = tn_listener_new(host, argv[2], accepted, NULL, &err, words);
	if (!listener) {
		fprintf(stderr, "link-import: %s\n", words);
		return 1;
	}
	printf("%s\n", tn_listener_address(listener));
	fflush(stdout);
	uv_signal_init(tn_host_loop_uv(host), &term);
	uv_signal_start(&term, terminated, SIGTERM);
	tn_host_loop_run(host);
	tell();
	return 0;
}
