/*
 * mnt and a peer that lies. A row is what the peer sends for a request, and what the request must get: of a message that
 * cannot be, the connection ends, with the reason in words; of contents that cannot be, that request alone.
 */
#include "peer.h"

#define LOST "connection lost: tcp!test!564"

static void put_le(uint8_t *p, size_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/*
 * Bytes as hexadecimal text; "tt" is the request's tag, "~N" N bytes of ff, "L" the frame's length, "C" and "c" the
 * number of bytes behind it, of four bytes and of two. Returns how many they are.
 */
static size_t bytes_of(const char *text, uint16_t tag, uint8_t *buf)
{
	size_t n = 0, count_at = 0, count_width = 0;

	for (const char *s = text; *s;) {
		unsigned byte;

		if (*s == ' ') {
			s++;
		} else if (*s == 'L') {
			n += 4;
			s++;
		} else if (*s == 'C' || (*s == 'c' && s[1] == ' ')) {
			count_at = n;
			count_width = *s++ == 'C' ? 4 : 2;
			n += count_width;
		} else if (*s == 't') {
			buf[n++] = (uint8_t)tag;
			buf[n++] = (uint8_t)(tag >> 8);
			s += 2;
		} else if (*s == '~') {
			unsigned long count = strtoul(s + 1, (char **)&s, 10);

			memset(buf + n, 0xff, count);
			n += count;
		} else {
			assert_int_equal(sscanf(s, "%2x", &byte), 1);
			buf[n++] = (uint8_t)byte;
			s += 2;
		}
	}
	if (text[0] == 'L')
		put_le(buf, n, 4);
	put_le(buf + count_at, n - count_at - count_width, (unsigned)count_width);
	return n;
}

enum what { WALK, OPEN, READ, WRITE, LIST, STAT };

#define QID "80 00000000 0100000000000000"
/* A whole entry: size 49, type dev qid mode atime mtime length, name "f", uid gid muid "". */
#define ENTRY(size, name_len, name)                                                              \
	size " 0000 00000000 " QID " 00000080 00000000 00000000 0000000000000000 " name_len name \
	     " 0000 0000 0000"

static const struct {
	const char *what;
	enum what ask;
	const char *bytes;
	enum tn_err err;
	const char *words; /* NULL: the error's own; behind LOST when that is the error */
} rows[] = {
	/* what cannot be a message */
	{ "a length of 0", STAT, "00000000 75 tt", TN_ECONNLOST, "bad size of a message" },
	{ "a length of 6", STAT, "06000000 75 tt", TN_ECONNLOST, "bad size of a message" },
	{ "a length above msize", STAT, "19200000 75 tt", TN_ECONNLOST, "bad size of a message" },
	{ "the largest length", STAT, "ffffffff 75 tt", TN_ECONNLOST, "bad size of a message" },
	{ "a type of no dialect", STAT, "07000000 ff tt", TN_ECONNLOST, "malformed message" },
	{ "a type of another dialect", STAT, "0b000000 07 tt 02000000", TN_ECONNLOST,
	    "malformed message" },
	{ "an error with a NUL", STAT, "0b000000 6b tt 0200 6100", TN_ECONNLOST,
	    "malformed message" },
	{ "an error longer than itself", STAT, "0b000000 6b tt 0300 6161", TN_ECONNLOST,
	    "malformed message" },
	{ "an error with something behind", STAT, "0b000000 6b tt 0100 6161", TN_ECONNLOST,
	    "malformed message" },
	{ "nothing behind the tag", STAT, "07000000 7d tt", TN_ECONNLOST, "malformed message" },
	/* what is none to this request */
	{ "an unknown tag", STAT, "07000000 79 ee00", TN_ECONNLOST, "answer with an unknown tag" },
	{ "a tag beyond all", STAT, "07000000 79 feff", TN_ECONNLOST,
	    "answer with an unknown tag" },
	{ "the probe's tag", STAT, "07000000 6d 0000", TN_ECONNLOST, "answer with an unknown tag" },
	{ "Rclunk", STAT, "07000000 79 tt", TN_ECONNLOST, "answer of the wrong type" },
	{ "Rflush", READ, "07000000 6d tt", TN_ECONNLOST, "answer of the wrong type" },
	{ "a request", STAT, "0b000000 7c tt 00000000", TN_ECONNLOST, "answer of the wrong type" },
	{ "Rversion again", STAT, "13000000 65 ffff 00200000 0600 395032303030", TN_ECONNLOST,
	    "answer with an unknown tag" },
	{ "Rversion with the tag", STAT, "13000000 65 tt 00200000 0600 395032303030", TN_ECONNLOST,
	    "answer of the wrong type" },
	{ "an error with NOTAG", STAT, "0a000000 6b ffff 0100 61", TN_ECONNLOST,
	    "answer with an unknown tag" },
	/* what promises more than was asked */
	{ "three qids for two names", WALK, "30000000 6f tt 0300 " QID QID QID, TN_ECONNLOST,
	    "more qids than names were walked" },
	{ "seventeen qids", WALK, "e6000000 6f tt 1100 ~221", TN_ECONNLOST, "malformed message" },
	{ "qids that are not there", WALK, "09000000 6f tt 0200", TN_ECONNLOST,
	    "malformed message" },
	{ "no qid at all", WALK, "09000000 6f tt 0000", TN_ENOENT, NULL },
	{ "a read longer than asked", READ, "70000000 75 tt 65000000 ~101", TN_ECONNLOST,
	    "Rread with more than was asked for" },
	{ "a read longer than its message", READ, "0c000000 75 tt 02000000 ff", TN_ECONNLOST,
	    "malformed message" },
	{ "a read of 4 GiB", READ, "0c000000 75 tt ffffffff ff", TN_ECONNLOST,
	    "malformed message" },
	{ "a write longer than sent", WRITE, "0b000000 77 tt 65000000", TN_ECONNLOST,
	    "Rwrite with more than was sent" },
	{ "a list longer than asked", LIST, "19200000 75 tt 0e200000 ~8206", TN_ECONNLOST,
	    "bad size of a message" },
	/* directories */
	{ "half an entry", LIST, "1b000000 75 tt 10000000 3100 0000 00000000 8000000000 010000",
	    TN_EBADMSG, NULL },
	{ "an entry of size 0", LIST, "0d000000 75 tt 02000000 0000", TN_EBADMSG, NULL },
	{ "bytes", LIST, "15000000 75 tt 0a000000 ~10", TN_EBADMSG, NULL },
	{ "an entry whose size lies", LIST, "L 75 tt C " ENTRY("3300", "0100", "66"), TN_EBADMSG,
	    NULL },
	{ "an entry without a name", LIST, "L 75 tt C " ENTRY("2f00", "0000", ""), TN_EBADMSG,
	    NULL },
	{ "a name with a slash", LIST, "L 75 tt C " ENTRY("3200", "0300", "662f66"), TN_EBADMSG,
	    NULL },
	{ "a good entry and a bad one", LIST,
	    "L 75 tt C " ENTRY("3000", "0100", "66") ENTRY("3000", "0100", "2f"), TN_EBADMSG,
	    NULL },
	{ "a name of two dots", LIST, "L 75 tt C " ENTRY("3100", "0200", "2e2e"), TN_OK, NULL },
	/* stats */
	{ "a stat whose outer size lies", STAT, "L 7d tt 3300 " ENTRY("3000", "0100", "66"),
	    TN_ECONNLOST, "malformed message" },
	{ "a stat whose inner size lies", STAT, "L 7d tt c " ENTRY("3100", "0100", "66"),
	    TN_ECONNLOST, "malformed message" },
	{ "a stat as it should be", STAT, "L 7d tt c " ENTRY("3000", "0100", "66"), TN_OK, NULL },
	/* errors */
	{ "an error without words", STAT, "09000000 6b tt 0000", TN_EREMOTE, NULL },
	{ "an error that says no error", OPEN, "11000000 6b tt 0800 6e6f206572726f72", TN_EREMOTE,
	    "no error" },
};

struct world {
	struct tn_chan *root, *d, *f, *opened, *listed;
};

static struct world world_start(void)
{
	struct world w;

	peer_start(NULL);
	w.root = got_attach();
	w.d = got_walk(w.root, "d");
	w.f = got_walk(w.root, "f");
	w.opened = got_open(w.root, "f");
	w.listed = got_open(w.root, "dl");
	return w;
}

/* Whatever was said, the client goes on, on this connection or the next. */
static void world_end(struct world *w)
{
	struct tn_chan *root;

	tn_chan_put(w->d);
	tn_chan_put(w->f);
	tn_chan_put(w->opened);
	tn_chan_put(w->listed);
	tn_chan_put(w->root);
	if (peer.stream)
		peer_hangup();
	root = got_attach();
	put(root);
	peer_end();
}

static struct ask *ask_what(const struct world *w, enum what what)
{
	switch (what) {
	case WALK: return ask_walk(w->root, "da/f");
	case OPEN: return ask_open(w->f, TN_OREAD);
	case READ: return ask_io(TN_READ, w->opened, 100, 0);
	case WRITE: return ask_io(TN_WRITE, w->opened, 100, 0);
	case LIST: return ask_readdir(w->listed, 0, 100);
	default: return ask_simple(TN_STAT, w->f);
	}
}

static void a_lie_ends_as_its_row_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < TN_COUNT(rows); i++) {
		static uint8_t buf[PEER_BUF];
		char words[256];
		struct world w = world_start();
		struct ask *a = ask_what(&w, rows[i].ask), *b = ask_simple(TN_STAT, w.d);
		uint16_t tag = peer_take()->tag;
		struct tn_msg other;

		print_message("%s\n", rows[i].what);
		other = *peer_expect(TN_TSTAT);
		peer_bytes(buf, bytes_of(rows[i].bytes, tag, buf));
		run();
		snprintf(words, sizeof(words), "%s%s%s", rows[i].err == TN_ECONNLOST ? LOST : "",
		    rows[i].err == TN_ECONNLOST ? ": " : "",
		    rows[i].words ? rows[i].words : tn_err_text(rows[i].err));
		if (rows[i].err == TN_ECONNLOST) {
			assert_null(peer.stream);
			assert_string_equal(peer_log, words); /* a line in the log says why */
			must_say(b, TN_ECONNLOST, words);
		} else {
			assert_non_null(peer.stream);
			peer_answer(&other);
			must(b, TN_OK);
			if (a->done == 0) { /* a list of nothing but dots goes on */
				struct tn_msg end = { .type = TN_RREAD, .data = buf };

				end.tag = peer_expect(TN_TREAD)->tag;
				peer_send(&end);
				assert_string_equal(a->entries, "");
			}
		}
		must_say(a, rows[i].err, words);
		world_end(&w);
	}
}

/* flush(5): behind Rflush there is no answer. */
static void an_answer_behind_its_rflush_ends_the_connection(void **state)
{
	struct world w = world_start();
	struct ask *a = ask_simple(TN_STAT, w.f);
	struct tn_msg victim = *peer_expect(TN_TSTAT);

	(void)state;
	tn_flush(&a->r);
	peer_answer(peer_expect(TN_TFLUSH));
	must(a, TN_EINTR);
	peer_answer(&victim);
	run();
	assert_null(peer.stream);
	world_end(&w);
}

static void an_answer_twice_ends_the_connection(void **state)
{
	struct world w = world_start();
	struct ask *a = ask_simple(TN_STAT, w.f);
	struct tn_msg m = *peer_expect(TN_TSTAT);

	(void)state;
	peer_answer(&m);
	must(a, TN_OK);
	peer_answer(&m);
	run();
	assert_null(peer.stream);
	assert_string_equal(peer_log, LOST ": answer with an unknown tag");
	world_end(&w);
}

static void endless_versions_end_the_connection(void **state)
{
	struct ask *a = ask_attach();
	struct tn_msg m = { .type = TN_RVERSION,
		.tag = TN_NOTAG,
		.msize = 8192,
		.version = TN_STR("9P2000") };

	(void)state;
	peer_expect(TN_TVERSION);
	for (int i = 0; i < 100 && peer.stream; i++) {
		peer_send(&m);
		run();
	}
	assert_null(peer.stream);
	must(a, TN_ECONNLOST);
}

/* What the peer would have answered, kept instead. */
static uint8_t answer[PEER_BUF];
static size_t answer_len;

static uint8_t *catch_input(struct tn_stream *s, size_t *room)
{
	(void)s;
	*room = sizeof(answer) - answer_len;
	return answer + answer_len;
}

static void catch_arrived(struct tn_stream *s, size_t n)
{
	(void)s;
	answer_len += n;
}

static void catch_answer(const struct tn_msg *m)
{
	static const struct tn_stream_ops ops = { .input = catch_input, .arrived = catch_arrived };
	struct tn_stream catcher = { .ops = &ops }, *s = peer.stream;

	answer_len = 0;
	peer.stream = &catcher;
	peer_answer(m);
	peer.stream = s;
}

/* Each kind of answer cut at each place: with a size that fits it is malformed, without it is awaited. */
static void every_answer_cut_anywhere_is_refused_or_awaited(void **state)
{
	(void)state;
	for (int what = WALK; what <= STAT; what++) {
		size_t len = 100000;

		for (size_t cut = 0; cut < len; cut++) {
			struct world w = world_start();
			struct ask *a = ask_what(&w, (enum what)what);

			catch_answer(peer_take());
			len = answer_len;
			if (cut >= TN_HDR_SIZE) {
				put_le(answer, cut, 4);
				peer_bytes(answer, cut);
				run();
				assert_null(peer.stream);
				assert_string_equal(peer_log, LOST ": malformed message");
			} else {
				peer_bytes(answer, cut);
				run();
				assert_int_equal(a->done, 0);
				peer_hangup();
			}
			must(a, TN_ECONNLOST);
			world_end(&w);
		}
	}
}

/* Answers with bytes changed at random: each request ends once, whatever comes. */
static void answers_with_errors_in_them_end_everything_once(void **state)
{
	uint64_t seed = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct world w = world_start();
		struct ask *asks[6];

		for (int i = WALK; i <= STAT; i++)
			asks[i] = ask_what(&w, (enum what)i);
		for (int i = 0; i < 40 && peer.stream && peer_take(); i++) {
			unsigned n;

			if (peer.m.type == TN_TCREATE || peer.m.fid >= PEER_FIDS ||
			    !peer.fids[peer.m.fid].used)
				break;
			if (peer.m.type == TN_TREAD || peer.m.type == TN_TWRITE)
				peer.fids[peer.m.fid].dir_off = peer.m.offset;
			catch_answer(&peer.m);
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			for (n = (unsigned)(seed >> 60) % 3; n > 0 && answer_len > 0; n--)
				answer[(seed >> (8 * n)) % (answer_len < 64 ? answer_len : 64)] ^=
				    (uint8_t)(1u << ((seed >> (3 * n)) % 8));
			peer_bytes(answer, answer_len);
			run();
		}
		if (peer.stream)
			peer_hangup();
		for (int i = WALK; i <= STAT; i++)
			ask_free(asks[i]);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lie_ends_as_its_row_says),
		cmocka_unit_test(an_answer_behind_its_rflush_ends_the_connection),
		cmocka_unit_test(an_answer_twice_ends_the_connection),
		PEER_TEST(endless_versions_end_the_connection),
		cmocka_unit_test(every_answer_cut_anywhere_is_refused_or_awaited),
		cmocka_unit_test(answers_with_errors_in_them_end_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
