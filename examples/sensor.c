/*
 * A driver as a file server: a sensor that another thread samples. `value` is the last sample; a read of `next` waits for
 * the one that comes; `ctl` takes "period MILLISECONDS". Without an argument it reads itself, with a dial string it serves.
 *
 * The thread stands for an interrupt: it touches nothing of the server, but posts a task, which runs on the loop.
 */
#include <tenon.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sensor {
	/* Of the sampling thread; and its latest sample, in a task that is on its way. */
	struct tn_task task; /* first: a task is its sensor */
	pthread_t thread;
	int fresh;
	unsigned is_posted, period_ms, is_over; /* atomic */
	struct tn_loop *home;
	/* Of the server. */
	int value;
	struct tn_req *waiting; /* reads of `next`, linked by next */
};

static enum tn_status give(struct tn_req *r, int value)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", value);

	if ((uint32_t)len < r->u.io.count)
		r->u.io.count = (uint32_t)len;
	memcpy(r->u.io.data, text, r->u.io.count);
	return TN_DONE;
}

static enum tn_status value_read(struct tn_req *r)
{
	struct sensor *s = r->server->data;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", s->value);

	return tn_reply_text(r, text, (size_t)len);
}

static enum tn_status next_read(struct tn_req *r)
{
	struct sensor *s = r->server->data;

	if (!tn_keep(r))
		return TN_DONE;
	r->next = s->waiting;
	s->waiting = r;
	return TN_LATER;
}

/* Whoever waits does not want to any more. */
static enum tn_status next_flush(struct tn_req *r)
{
	struct sensor *s = r->server->data;

	for (struct tn_req **at = &s->waiting; *at; at = &(*at)->next) {
		if (*at == r) {
			*at = r->next;
			tn_fail(r, TN_EINTR);
			tn_respond(r);
			break;
		}
	}
	return TN_DONE;
}

static enum tn_status ctl_write(struct tn_req *r)
{
	struct sensor *s = r->server->data;
	char line[32] = "";
	unsigned ms;

	if (r->u.io.count < sizeof(line))
		memcpy(line, r->u.io.data, r->u.io.count);
	if (sscanf(line, "period %u", &ms) != 1 || ms < 1 || ms > 60000)
		return tn_fail_words(r, TN_EBADARG, "period MILLISECONDS, 1 to 60000", 31);
	__atomic_store_n(&s->period_ms, ms, __ATOMIC_SEQ_CST);
	return TN_DONE;
}

static const struct tn_file files[] = {
	{ .name = "value", .perm = 0444, .read = value_read },
	{ .name = "next", .perm = 0444, .read = next_read, .flush = next_flush },
	{ .name = "ctl", .perm = 0222, .write = ctl_write },
};
static const struct tn_device sensor_device = { "sensor", files, TN_COUNT(files) };

/* On the loop: all who wait get the sample. */
static void sampled(struct tn_task *task)
{
	struct sensor *s = (struct sensor *)task;
	struct tn_req *r;

	s->value = __atomic_load_n(&s->fresh, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->is_posted, 0, __ATOMIC_SEQ_CST);
	while ((r = s->waiting) != NULL) {
		s->waiting = r->next;
		give(r, s->value);
		tn_respond(r);
	}
}

/* The hardware: counts up. A sample that comes before the last one was taken replaces it. */
static void *sample(void *arg)
{
	struct sensor *s = arg;

	while (!__atomic_load_n(&s->is_over, __ATOMIC_SEQ_CST)) {
		unsigned ms = __atomic_load_n(&s->period_ms, __ATOMIC_SEQ_CST);
		struct timespec period = { ms / 1000, (long)(ms % 1000) * 1000000 };

		nanosleep(&period, NULL);
		__atomic_add_fetch(&s->fresh, 1, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&s->is_posted, 1, __ATOMIC_SEQ_CST) == 0)
			tn_loop_post(s->home, &s->task);
	}
	return NULL;
}

static int read_some(void)
{
	char text[16];
	int64_t n = 0;
	int fd = tn_open("/dev/sensor/next", TN_OREAD);

	for (int i = 0; i < 3 && (n = tn_pread(fd, text, sizeof(text), 0)) > 0; i++)
		fwrite(text, 1, (size_t)n, stdout);
	tn_close(fd);
	return n > 0 ? 0 : -1;
}

static int run(struct tn_server *server, const char *dial)
{
	struct tn_service *service = dial ? tn_serve(server, dial) : NULL;

	if (service) {
		fprintf(stderr, "listening on %s\n", tn_serve_address(service));
		while (tn_loop_turn(-1) == 0)
			continue;
	}
	tn_ns_use(tn_ns_new(TN_NS_EMPTY));
	return dial || tn_mount_server(server, "/dev/sensor", TN_REPL, "") < 0 ? -1 : read_some();
}

int main(int argc, char **argv)
{
	static struct sensor s = { .task.fn = sampled, .period_ms = 20 };
	struct tn_server *server;
	int ret;

	s.home = tn_home();
	server = s.home ? tn_device_server(&sensor_device, s.home, &s, NULL) : NULL;
	if (!server || pthread_create(&s.thread, NULL, sample, &s) != 0)
		return 1;
	ret = run(server, argv[1]);
	if (ret < 0)
		fprintf(stderr, "sensor: %s\n", tn_errstr());
	__atomic_store_n(&s.is_over, 1, __ATOMIC_SEQ_CST);
	pthread_join(s.thread, NULL);
	(void)argc;
	return ret < 0;
}
