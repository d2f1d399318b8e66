/*
 * mnt against conn, with #ram behind it, over a line that moves bytes in ragged pieces, or not at all for a while: what
 * is read is what was written, whatever the pieces were. The line is the test's; the pieces come from a seed.
 */
#include "fs/ram.h"
#include "link/conn.h"
#include "peer.h"

enum { READS = 200, SIZE = 8000, LINE_MAX = 1 << 16 };

static struct {
	struct tn_server *ram;
	struct tn_server *served; /* ram, or an import of it: a server whose answers come later */
	struct tn_conn *conn;
	struct tn_stream *ends[2];
	uint64_t seed;
	unsigned slow; /* of 8 turns, how many move nothing towards end 0 */
	unsigned conns;
} line;

static uint32_t chance(void)
{
	line.seed ^= line.seed << 13;
	line.seed ^= line.seed >> 7;
	line.seed ^= line.seed << 17;
	return (uint32_t)(line.seed >> 20);
}

static void line_detached(struct tn_stream *s)
{
	line.ends[line.ends[1] == s] = NULL;
}

static const struct tn_transport_ops line_ops = { peer_ready, line_detached };

static void hang_up(int i)
{
	struct tn_stream *s = line.ends[i];

	line.ends[i] = NULL;
	if (!s)
		return;
	s->transport = NULL;
	tn_stream_hangup(s, TN_OK);
}

/* A random part of what is there, from the middle of pieces to the middle of pieces. */
static bool move_some(int from)
{
	static uint8_t buf[LINE_MAX];
	struct tn_vec vec[3];
	size_t room, len = 0, n = tn_stream_output(line.ends[from], vec, 1 + chance() % 3);
	uint8_t *to;

	for (size_t i = 0; i < n; i++) {
		size_t part = vec[i].len < sizeof(buf) - len ? vec[i].len : sizeof(buf) - len;

		memcpy(buf + len, vec[i].data, part);
		len += part;
	}
	to = tn_stream_input(line.ends[!from], &room);
	if (!to || len == 0)
		return false;
	if (chance() % 4)
		len = 1 + chance() % len;
	if (len > room)
		len = room;
	memcpy(to, buf, len);
	if (chance() % 2) {
		tn_stream_sent(line.ends[from], len);
		tn_stream_arrived(line.ends[!from], len);
	} else {
		tn_stream_arrived(line.ends[!from], len);
		tn_stream_sent(line.ends[from], len);
	}
	return true;
}

static void line_run(void)
{
	unsigned idle = 0;

	while (idle < 300) {
		bool moved = false;

		run();
		for (int i = 0; i < 2; i++)
			if (line.ends[i] && line.ends[i]->closing)
				hang_up(i);
		if (!line.ends[0] || !line.ends[1]) {
			hang_up(0);
			hang_up(1);
			run();
			return;
		}
		moved |= move_some(0);
		if (line.ends[0] && line.ends[1] && chance() % 8 >= line.slow)
			moved |= move_some(1);
		idle = moved ? 0 : idle + 1;
	}
}

static void conn_closed(struct tn_conn *conn, void *arg)
{
	(void)arg;
	tn_conn_free(conn);
	line.conns--;
}

static void line_dial(struct tn_dialer *d, struct tn_client *client, struct tn_stream *stream)
{
	(void)d;
	line.conn = tn_conn_new(line.served, NULL, "test", conn_closed, NULL);
	line.conns++;
	line.ends[0] = stream;
	line.ends[1] = tn_conn_stream(line.conn);
	stream->transport = line.ends[1]->transport = &line_ops;
	tn_client_connected(client);
}

static void near_dial(struct tn_dialer *d, struct tn_client *client, struct tn_stream *stream)
{
	struct tn_conn *conn = tn_conn_new(line.ram, NULL, "near", conn_closed, NULL);

	(void)d;
	line.conns++;
	assert_true(tn_pair_connect(&peer.loop, stream, tn_conn_stream(conn)));
	tn_client_connected(client);
}

static void nothing(struct tn_dialer *d)
{
	(void)d;
}

static struct tn_dialer near_dialer = { near_dial, nothing, nothing, false };

static void line_start(uint64_t seed, uint32_t msize, bool imported)
{
	struct tn_client_options near = { .label = "near", .dialect = TN_DIALECTS };
	struct tn_client *client;
	struct tn_client_options o = { .label = "line", .dialect = TN_DIALECTS, .msize = msize };

	peer_start(&o);
	peer.dialer.connect = line_dial;
	line.seed = seed * 0x9e3779b97f4a7c15u + 1;
	line.served = line.ram = tn_ram_new(&peer.loop, NULL);
	if (imported) {
		client = tn_client_new(&peer.loop, &near_dialer, &near);
		line.served = tn_mnt_server(client);
		tn_client_put(client);
	}
	line.slow = (unsigned)(seed % 8);
}

static void line_end(void)
{
	tn_server_put(peer.server);
	tn_client_put(peer.client);
	line_run();
	if (line.served != line.ram)
		tn_server_put(line.served);
	line_run();
	run();
	assert_int_equal(line.conns, 0);
	assert_int_equal(peer.freed, 1);
	tn_server_put(line.ram);
	tn_loop_fini(&peer.loop);
	tn_now_hook = NULL;
	tn_log_hook = NULL;
}

static struct tn_chan *line_got(struct ask *a)
{
	struct tn_chan *c = a->newchan;

	line_run();
	a->newchan = NULL;
	must(a, TN_OK);
	return c;
}

static void read_much(bool imported)
{
	static struct ask *asks[READS];

	for (uint64_t seed = 1; seed < 40; seed++) {
		struct tn_chan *root, *c;
		struct ask *a;

		line_start(seed, seed % 3 ? 65536 : 9000, imported);
		root = line_got(ask_attach());
		c = line_got(ask_walk(root, ""));
		a = ask_new(TN_CREATE, c);
		a->r.u.create.name = TN_STR("f");
		a->r.u.create.perm = 0666;
		a->r.flags = TN_ORDWR;
		ask_go(a);
		line_run();
		must(a, TN_OK);
		a = ask_io(TN_WRITE, c, 3 * SIZE, 0);
		line_run();
		assert_int_equal(a->r.u.io.count, 3 * SIZE);
		for (unsigned i = 0; i < READS; i++)
			asks[i] = ask_io(TN_READ, c, SIZE - i % 7, i * 50);
		line_run();
		for (unsigned i = 0; i < READS; i++) {
			assert_int_equal(asks[i]->done, 1);
			assert_int_equal(asks[i]->r.u.io.count, SIZE - i % 7);
			assert_memory_equal(asks[i]->data, a->data + i * 50, SIZE - i % 7);
			must(asks[i], TN_OK);
		}
		must(a, TN_OK);
		tn_chan_put(c);
		tn_chan_put(root);
		line_run();
		line_end();
	}
}

static void many_reads_on_a_ragged_line_are_all_whole(void **state)
{
	(void)state;
	read_much(false);
}

static void many_reads_of_an_import_exported_again_are_all_whole(void **state)
{
	(void)state;
	read_much(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_reads_on_a_ragged_line_are_all_whole),
		cmocka_unit_test(many_reads_of_an_import_exported_again_are_all_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
