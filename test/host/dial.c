/* src/host/posix/dial.c: dial strings, product.md 1. */
#include "host/posix/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static const struct {
	const char *text;
	enum tn_net net;
	const char *host, *service;
	int read_fd, write_fd;
} good[] = {
	{ "tcp!example.org!5640", TN_NET_TCP, "example.org", "5640", -1, -1 },
	{ "tcp!example.org", TN_NET_TCP, "example.org", "564", -1, -1 },
	{ "tcp!::1!564", TN_NET_TCP, "::1", "564", -1, -1 },
	{ "tcp!*!0", TN_NET_TCP, "*", "0", -1, -1 },
	{ "tcp!h!9fs", TN_NET_TCP, "h", "9fs", -1, -1 },
	{ "unix!/run/x!y", TN_NET_UNIX, "/run/x!y", NULL, -1, -1 },
	{ "unix!@abstract", TN_NET_UNIX, "@abstract", NULL, -1, -1 },
	{ "exec!ssh host tenon export -l fd!0,1 /data", TN_NET_EXEC,
	    "ssh host tenon export -l fd!0,1 /data", NULL, -1, -1 },
	{ "fd!0,1", TN_NET_FD, NULL, NULL, 0, 1 },
	{ "fd!7", TN_NET_FD, NULL, NULL, 7, 7 },
};

static void assert_same(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

static void a_dial_string_is_taken_apart(void **state)
{
	char words[TN_WORDS_SIZE];
	struct tn_dial d;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(good); i++) {
		print_message("%s\n", good[i].text);
		assert_true(tn_is_dial(good[i].text));
		assert_int_equal(tn_dial_parse(&d, good[i].text, words), TN_OK);
		assert_int_equal(d.net, good[i].net);
		assert_string_equal(d.text, good[i].text);
		assert_same(d.host, good[i].host);
		assert_same(d.service, good[i].service);
		assert_int_equal(d.read_fd, good[i].read_fd);
		assert_int_equal(d.write_fd, good[i].write_fd);
		tn_dial_fini(&d);
	}
}

static const struct {
	const char *text;
	const char *why; /* in the words */
} bad[] = {
	{ "tcp!", "no host" },
	{ "tcp!!564", "no host" },
	{ "tcp!h!", "no port" },
	{ "tcp!h!1!2", "more than host and port" },
	{ "unix!", "neither" },
	{ "unix!@", "neither" },
	{ "unix!relative", "neither" },
	{ "exec!", "no command" },
	{ "exec!  ", "no command" },
	{ "fd!", "not a number" },
	{ "fd!x", "not a number" },
	{ "fd!1,", "not a number" },
	{ "fd!1,2,3", "not a number" },
	{ "fd!-1", "not a number" },
	{ "fd!99999999999", "not a number" },
};

static void a_bad_one_is_refused_with_the_reason(void **state)
{
	char words[TN_WORDS_SIZE];
	struct tn_dial d;

	(void)state;
	for (size_t i = 0; i < TN_COUNT(bad); i++) {
		print_message("%s: %s\n", bad[i].text, bad[i].why);
		assert_true(tn_is_dial(bad[i].text));
		assert_int_equal(tn_dial_parse(&d, bad[i].text, words), TN_EBADDIAL);
		assert_non_null(strstr(words, bad[i].why));
		assert_non_null(strstr(words, bad[i].text));
	}
}

static void a_word_is_a_dial_string_by_a_known_net_only(void **state)
{
	static const char *const words[] = { "", "tcp", "tcpx!h", "udp!h!1", "/tcp!h", "TCP!h", "!",
		"#host/x!y" };

	(void)state;
	for (size_t i = 0; i < TN_COUNT(words); i++)
		assert_false(tn_is_dial(words[i]));
}

static void a_socket_name_that_is_too_long_says_so(void **state)
{
	char text[200] = "unix!/", words[TN_WORDS_SIZE];
	struct tn_dial d;

	(void)state;
	memset(text + 6, 'a', 106);
	assert_int_equal(tn_dial_parse(&d, text, words),
	    TN_OK); /* 107 bytes and the end: unix(7)'s 108 */
	tn_dial_fini(&d);
	memset(text + 6, 'a', 107);
	assert_int_equal(tn_dial_parse(&d, text, words), TN_ENAMETOOLONG);
	assert_non_null(strstr(words, "107 bytes"));
}

static const struct {
	const char *text;
	enum tn_err err;
	uint16_t port;
} ports[] = {
	{ "tcp!h", TN_OK, 564 },
	{ "tcp!h!0", TN_OK, 0 },
	{ "tcp!h!65535", TN_OK, 65535 },
	{ "tcp!h!65536", TN_EBADDIAL, 0 },
	{ "tcp!h!12x", TN_EBADDIAL, 0 },
	{ "tcp!h!9fs", TN_OK, 564 },
	{ "tcp!h!nosuchservice", TN_EBADDIAL, 0 },
};

static void a_port_is_a_number_or_a_service(void **state)
{
	char words[TN_WORDS_SIZE];

	(void)state;
	for (size_t i = 0; i < TN_COUNT(ports); i++) {
		struct tn_dial d;
		uint16_t port = 0;

		print_message("%s\n", ports[i].text);
		assert_int_equal(tn_dial_parse(&d, ports[i].text, words), TN_OK);
		assert_int_equal(tn_dial_port(&d, &port, words), ports[i].err);
		assert_int_equal(port, ports[i].port);
		assert_int_equal(ports[i].err != TN_OK, words[0] != 0);
		tn_dial_fini(&d);
	}
}

static void an_abstract_name_has_its_length_as_its_end(void **state)
{
	char words[TN_WORDS_SIZE], text[64];
	struct sockaddr_un address;
	struct tn_dial d;
	unsigned len;

	(void)state;
	assert_int_equal(tn_dial_parse(&d, "unix!@abc", words), TN_OK);
	len = tn_dial_unix_address(&d, &address);
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 4);
	assert_memory_equal(address.sun_path, "\0abc", 4);
	tn_dial_of_address((struct sockaddr *)&address, len, text, sizeof(text));
	assert_string_equal(text, "unix!@abc");
	tn_dial_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dial_string_is_taken_apart),
		cmocka_unit_test(a_bad_one_is_refused_with_the_reason),
		cmocka_unit_test(a_word_is_a_dial_string_by_a_known_net_only),
		cmocka_unit_test(a_socket_name_that_is_too_long_says_so),
		cmocka_unit_test(a_port_is_a_number_or_a_service),
		cmocka_unit_test(an_abstract_name_has_its_length_as_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
