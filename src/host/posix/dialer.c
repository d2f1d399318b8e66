/*
 * The dialer of a client (link/mnt.h): connect.c under the client's contract.
 */
#include "host/posix/dial.h"

#include <stdio.h>
#include <unistd.h>

struct dialer {
	struct tn_dialer base;
	struct tn_host_loop *h;
	struct tn_dial dial;
	uint64_t timeout_ns;
	struct tn_client *client;
	struct tn_connect *connect; /* NULL: none is on its way */
	struct tn_task refuse;      /* tells what was known at once, from outside of `connect` */
	enum tn_err refusal;
	bool used, freed;
	bool owns_fds; /* closes them if they were not used */
};

static void connected(void *arg, enum tn_err err, const char *words)
{
	struct dialer *d = arg;

	d->connect = NULL;
	if (err)
		tn_client_failed(d->client, err, words[0] ? words : NULL);
	else
		tn_client_connected(d->client);
}

static void close_both(int read_fd, int write_fd)
{
	close(read_fd);
	if (write_fd != read_fd)
		close(write_fd);
}

static void dialer_fini(struct dialer *d)
{
	if (d->owns_fds && !d->used)
		close_both(d->dial.read_fd, d->dial.write_fd);
	tn_dial_fini(&d->dial);
	tn_free(d);
}

static void refuse(struct tn_task *task)
{
	struct dialer *d = (struct dialer *)((char *)task - offsetof(struct dialer, refuse));
	enum tn_err why = d->refusal;

	if (d->freed) {
		dialer_fini(d);
		return;
	}
	d->refusal = TN_OK;
	if (why)
		tn_client_failed(d->client, why, NULL);
}

static void dialer_connect(struct tn_dialer *base, struct tn_client *client,
    struct tn_stream *stream)
{
	struct dialer *d = (struct dialer *)base;

	d->client = client;
	if (d->dial.net == TN_NET_FD && d->used)
		d->refusal = TN_ECONNLOST; /* descriptors do not come back */
	else
		d->connect = tn_connect_start(d->h, &d->dial, stream, d->timeout_ns, connected, d);
	d->used = true;
	if (d->connect)
		return;
	if (!d->refusal)
		d->refusal = TN_ENOMEM;
	tn_loop_defer(tn_host_loop_core(d->h), &d->refuse);
}

static void dialer_cancel(struct tn_dialer *base)
{
	struct dialer *d = (struct dialer *)base;

	d->refusal = TN_OK;
	if (d->connect)
		tn_connect_cancel(d->connect);
	d->connect = NULL;
}

static void dialer_free(struct tn_dialer *base)
{
	struct dialer *d = (struct dialer *)base;

	dialer_cancel(base);
	d->freed = true;
	if (!d->refuse.queued)
		dialer_fini(d);
}

struct tn_dialer *tn_dialer_new(struct tn_host_loop *h, const char *text, uint64_t timeout_ns,
    enum tn_err *err, char words[TN_WORDS_SIZE])
{
	struct dialer *d = tn_alloc(sizeof(*d));

	words[0] = 0;
	*err = d ? tn_dial_parse(&d->dial, text, words) : TN_ENOMEM;
	if (*err) {
		tn_free(d);
		return NULL;
	}
	d->base.connect = dialer_connect;
	d->base.cancel = dialer_cancel;
	d->base.free = dialer_free;
	d->base.once = d->dial.net == TN_NET_FD || d->dial.net == TN_NET_EXEC;
	d->h = h;
	d->timeout_ns = timeout_ns;
	d->refuse.fn = refuse;
	return &d->base;
}

struct tn_dialer *tn_dialer_of_fds(struct tn_host_loop *h, int read_fd, int write_fd,
    enum tn_err *err)
{
	char text[40], words[TN_WORDS_SIZE];
	struct tn_dialer *d;

	snprintf(text, sizeof(text), "fd!%d,%d", read_fd, write_fd);
	d = tn_dialer_new(h, text, 0, err, words);
	if (d)
		((struct dialer *)d)->owns_fds = true;
	else
		close_both(read_fd, write_fd);
	return d;
}
