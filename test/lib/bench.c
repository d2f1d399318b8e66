/*
 * What a call costs: a read of 16 bytes in the program, while another thread waits, from several threads; and over a
 * connection to a server in another process. `lib-bench [SECONDS]`; not run by the tests.
 */
#include "gate.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 8 };

static double seconds = 0.5;
static struct tn_proc *ns;

struct reader {
	pthread_t id;
	uint64_t n;
};

/* Reads for a while. */
static void *reads(void *arg)
{
	struct reader *r = arg;
	uint64_t until = tn_now_ns() + (uint64_t)(seconds * 1e9);
	char buf[16];
	int fd;

	tn_ns_use(ns);
	fd = tn_open("/text", TN_OREAD);
	while (tn_now_ns() < until) {
		for (int i = 0; i < 16; i++, r->n++) {
			if (tn_pread(fd, buf, sizeof(buf), 0) <= 0)
				abort();
		}
	}
	tn_close(fd);
	return NULL;
}

static void measure(const char *what, int n_threads)
{
	struct reader r[THREADS_MAX] = { 0 };
	uint64_t n = 0, start = tn_now_ns();

	for (int i = 0; i < n_threads; i++)
		pthread_create(&r[i].id, NULL, reads, &r[i]);
	for (int i = 0; i < n_threads; i++) {
		pthread_join(r[i].id, NULL);
		n += r[i].n;
	}
	printf("%-52s %9.0f reads/s %9.0f ns each\n", what,
	    (double)n * 1e9 / (double)(tn_now_ns() - start),
	    (double)(tn_now_ns() - start) / (double)n);
}

static void *waits(void *arg)
{
	char buf[16];
	int fd;

	(void)arg;
	tn_ns_use(ns);
	fd = tn_open("/gate", TN_OREAD);
	tn_read(fd, buf, sizeof(buf));
	tn_close(fd);
	return NULL;
}

static void serve_child(int fd)
{
	struct tn_server *s = gate_new();
	struct tn_service *service = tn_serve_fd(s, fd, fd);

	while (service && tn_serve_count(service) > 0)
		tn_loop_turn(-1);
	_exit(0);
}

int main(int argc, char **argv)
{
	int ends[2], key;
	struct tn_server *s;
	pthread_t waiter;
	pid_t child;

	if (argc > 1)
		seconds = atof(argv[1]);
	/* Before the first call: a child may not go on with the library. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		close(ends[1]);
		serve_child(ends[0]);
	}
	close(ends[0]);

	s = gate_new();
	ns = tn_ns_new(TN_NS_EMPTY);
	tn_ns_use(ns);
	tn_mount_server(s, "/", TN_REPL, "");
	measure("in the program, one thread", 1);
	measure("in the program, four threads", 4);
	pthread_create(&waiter, NULL, waits, NULL);
	while (gate_waits(s) == 0)
		usleep(1000);
	measure("in the program, one thread, while another waits", 1);

	key = tn_open("/key", TN_OWRITE);
	ns = tn_ns_new(TN_NS_EMPTY);
	tn_ns_use(ns);
	if (tn_mount_fd(ends[1], ends[1], "/", TN_REPL, "") < 0)
		return 1;
	close(ends[1]);
	measure("over a socket, one thread, while another waits", 1);
	tn_write(key, "open", 4);
	pthread_join(waiter, NULL);
	measure("over a socket, one thread", 1);
	measure("over a socket, four threads", 4);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}
