/*
 * counted WHAT: does one operation again and again, in a function of its own name, for test/speed/run.py, which has
 * callgrind count the instructions of that function. What is made ready and what is put away is outside of it.
 */
#include "tenon.h"

#include "core/name.h"
#include "core/server.h"
#include "lib/call.h"
#include "link/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMES = 100, MOUNTS_FEW = 50, MOUNTS_MANY = 1000, BLOCK = 4096 };

#define COUNTED __attribute__((noinline, used)) void

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, tn_errstr());
	exit(1);
}

/* ---- a read of a device in the program ---- */

static int fd;
static char buf[BLOCK];

COUNTED counted_null(void);
COUNTED counted_null(void)
{
	tn_read(fd, buf, 16);
}

static void null(void)
{
	must(tn_ns_use(tn_ns_new(TN_NS_EMPTY)) == 0, "ns");
	fd = tn_open("#cons/null", TN_OREAD);
	must(fd >= 0, "open");
	for (int i = 0; i < TIMES; i++)
		counted_null();
}

/* ---- a name of four elements, and a fork, in a name space with mounts ---- */

static struct tn_proc *part;
static struct tn_proc *copy;

static void mounts(int n)
{
	char name[64];

	part = tn_ns_new(TN_NS_EMPTY);
	must(part && tn_ns_use(part) == 0, "ns");
	must(tn_bind("#ram", "/", TN_REPL | TN_CREATE_HERE) == 0, "bind");
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "/m%d", i);
		must(tn_close(tn_create(name, TN_OREAD, TN_DMDIR | 0755)) == 0, name);
		must(tn_bind("#cons", name, TN_REPL) == 0, name);
	}
	for (size_t i = 2; i <= strlen("/a/b/c/d"); i += 2) {
		snprintf(name, sizeof(name), "%.*s", (int)i, "/a/b/c/d");
		must(tn_close(tn_create(name, TN_OREAD, TN_DMDIR | 0755)) == 0, name);
	}
}

static struct tn_name resolved;

COUNTED counted_name(void);
COUNTED counted_name(void)
{
	tn_name_start(&resolved);
}

static void name(void)
{
	mounts(MOUNTS_FEW);
	for (int i = 0; i < TIMES; i++) {
		resolved = (struct tn_name){ .proc = part,
			.name = TN_STR("/a/b/c/d"),
			.want = TN_FOR_ACCESS,
			.follow = true };
		counted_name();
		must(resolved.err == TN_OK, "name");
		tn_name_fini(&resolved);
	}
}

COUNTED counted_fork(void);
COUNTED counted_fork(void)
{
	copy = tn_ns_fork(NULL, 0);
}

static void fork_of_many(void)
{
	mounts(MOUNTS_MANY);
	for (int i = 0; i < TIMES; i++) {
		counted_fork();
		must(copy != NULL, "fork");
		tn_ns_free(copy);
	}
}

/* ---- a Tread, from frame to frame ---- */

static struct tn_loop loop;
static struct tn_stream *stream;
static uint8_t frame[256];
static size_t frame_len, answer_len;

/* As a transport: what it has read lies in the conn's room, and what it would write is looked at where it lies. */
static inline void exchange(void)
{
	struct tn_vec vec;

	tn_stream_arrived(stream, frame_len);
	answer_len = tn_stream_output(stream, &vec, 1) ? vec.len : 0;
	tn_stream_sent(stream, answer_len);
}

COUNTED counted_message(void);
COUNTED counted_message(void)
{
	exchange();
}

static void put_frame(struct tn_msg *m)
{
	size_t room;
	uint8_t *to = tn_stream_input(stream, &room);

	m->tag = m->type == TN_TVERSION ? TN_NOTAG : 1;
	must(to && !tn_msg_encode(m, TN_9P2000_L, frame, sizeof(frame), &frame_len), "frame");
	memcpy(to, frame, frame_len);
}

static void talk(struct tn_msg m)
{
	put_frame(&m);
	exchange();
	must(answer_len >= TN_HDR_SIZE, tn_msg_name(m.type));
}

static void closed(struct tn_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
}

/* A file of a block that is there without being copied: what is counted is the way, not the bytes. */
static enum tn_status block_read(struct tn_req *r)
{
	r->u.io.count = BLOCK;
	return TN_DONE;
}

static const struct tn_file files[] = { { .name = "f", .perm = 0444, .read = block_read } };
static const struct tn_device device = { "#block", files, TN_COUNT(files) };

static void serve(void)
{
	struct tn_server *server;
	struct tn_conn *conn;

	tn_loop_init(&loop, NULL, NULL);
	server = tn_device_server(&device, &loop, NULL, NULL);
	must(server != NULL, "device");
	conn = tn_conn_new(server, NULL, "", closed, NULL);
	stream = conn ? tn_conn_stream(conn) : NULL;
	must(stream != NULL, "conn");
	talk((struct tn_msg){ .type = TN_TVERSION, .msize = 65536, .version = TN_STR("9P2000.L") });
	talk((struct tn_msg){ .type = TN_TATTACH, .fid = 1, .afid = TN_NOFID, .n_uname = 0 });
	talk((struct tn_msg){ .type = TN_TWALK,
	    .fid = 1,
	    .newfid = 2,
	    .nwname = 1,
	    .wname = { TN_STR("f") } });
	talk((struct tn_msg){ .type = TN_TLOPEN, .fid = 2 });
}

static void messages(struct tn_msg m, size_t len)
{
	serve();
	for (int i = 0; i < TIMES; i++) {
		put_frame(&m);
		counted_message();
		must(answer_len == len, tn_msg_name(m.type));
	}
}

static void read_block(void)
{
	messages((struct tn_msg){ .type = TN_TREAD, .fid = 2, .count = BLOCK }, 11 + BLOCK);
}

static void getattr(void)
{
	messages((struct tn_msg){ .type = TN_TGETATTR, .fid = 2, .valid = 0x7ff }, 160);
}

static void walk(void)
{
	serve();
	for (int i = 0; i < TIMES; i++) {
		struct tn_msg m = { .type = TN_TWALK,
			.fid = 1,
			.newfid = 3,
			.nwname = 1,
			.wname = { TN_STR("f") } };

		put_frame(&m);
		counted_message();
		must(answer_len == 22, "Twalk");
		talk((struct tn_msg){ .type = TN_TCLUNK, .fid = 3 });
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} rows[] = {
	{ "null", null },
	{ "name", name },
	{ "fork", fork_of_many },
	{ "read", read_block },
	{ "getattr", getattr },
	{ "walk", walk },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		if (argc != 2 || strcmp(argv[1], rows[i].name) != 0)
			continue;
		rows[i].run();
		printf("%d\n", TIMES);
		return 0;
	}
	fprintf(stderr, "usage: counted null|name|fork|read|getattr|walk\n");
	return 2;
}
