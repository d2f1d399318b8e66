/*
 * Threads, each with a name space of its own: what is at /tmp is another RAM disk for each, and what is at /shared the
 * same for all. Nobody sees another one's /tmp, and none of them needs a lock for it.
 */
#include <tenon.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4 };

struct worker {
	pthread_t thread;
	int number;
	struct tn_proc *ns; /* a fork of the main thread's */
	char read[64];
};

static int put(const char *name, unsigned flags, const char *text)
{
	int fd = tn_create(name, flags, 0644);

	return fd < 0 || tn_write(fd, text, strlen(text)) < 0 ? -1 : tn_close(fd);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char text[32];
	int fd;

	snprintf(text, sizeof(text), "of thread %d", w->number);
	tn_ns_use(w->ns);
	if (tn_bind("#ram", "/tmp", TN_REPL | TN_CREATE_HERE) < 0 ||
	    put("/tmp/note", TN_OWRITE, text) < 0)
		return NULL;
	snprintf(text, sizeof(text), "/shared/%d", w->number);
	if (put(text, TN_OWRITE, "was here\n") < 0)
		return NULL;
	fd = tn_open("/tmp/note", TN_OREAD);
	tn_read(fd, w->read, sizeof(w->read) - 1);
	tn_close(fd);
	return NULL;
}

int main(void)
{
	struct worker w[THREADS] = { 0 };
	struct tn_stat st[THREADS + 1];
	int n, fd;

	tn_ns_use(tn_ns_new(TN_NS_EMPTY));
	if (tn_bind("#ram", "/shared", TN_REPL | TN_CREATE_HERE) < 0)
		return 1;
	for (int i = 0; i < THREADS; i++) {
		w[i].number = i;
		w[i].ns = tn_ns_fork(NULL, 0);
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			return 1;
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		tn_ns_free(w[i].ns);
		printf("/tmp/note %s\n", w[i].read);
	}
	fd = tn_open("/shared", TN_OREAD);
	n = tn_dirread(fd, st, THREADS + 1, NULL, 0);
	printf("/shared has %d files; /tmp/note here: ", n);
	printf("%s\n", tn_open("/tmp/note", TN_OREAD) < 0 ? tn_errstr() : "is there");
	return n != THREADS;
}
