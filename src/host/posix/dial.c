/*
 * Dial strings taken apart and put together, by the table of nets; nothing is looked up but ports, and nothing is
 * opened. A new transport is a row here and one in connect.c and listen.c.
 */
#include "host/posix/dial.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_SERVICE "564"

static enum tn_err parse_tcp(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE]);
static enum tn_err parse_unix(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE]);
static enum tn_err parse_exec(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE]);
static enum tn_err parse_fd(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE]);

static const struct {
	const char *name;
	enum tn_err (*parse)(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE]);
} nets[TN_NETS] = {
	[TN_NET_TCP] = { "tcp", parse_tcp },
	[TN_NET_UNIX] = { "unix", parse_unix },
	[TN_NET_EXEC] = { "exec", parse_exec },
	[TN_NET_FD] = { "fd", parse_fd },
};

const char *tn_net_name(enum tn_net net)
{
	return nets[net].name;
}

/* The net that the word begins with, and what is behind its `!`. TN_NETS: none. */
static enum tn_net net_of(const char *word, const char **rest)
{
	for (unsigned i = 0; i < TN_NETS; i++) {
		size_t len = strlen(nets[i].name);

		if (strncmp(word, nets[i].name, len) == 0 && word[len] == '!') {
			*rest = word + len + 1;
			return (enum tn_net)i;
		}
	}
	return TN_NETS;
}

bool tn_is_dial(const char *word)
{
	const char *rest;

	return net_of(word, &rest) != TN_NETS;
}

__attribute__((format(printf, 3, 4))) static enum tn_err say(enum tn_err err,
    char words[TN_WORDS_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(words, TN_WORDS_SIZE, format, args);
	va_end(args);
	return err;
}

/* At the last `!`: an IPv6 address has colons, and nothing that stands before a port has a `!`. */
static enum tn_err parse_tcp(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE])
{
	const char *bang = strchr(rest, '!');
	size_t host_len = bang ? (size_t)(bang - rest) : strlen(rest);

	if (host_len == 0)
		return say(TN_EBADDIAL, words, "bad dial string: %s: there is no host", d->text);
	if (bang && strchr(bang + 1, '!'))
		return say(TN_EBADDIAL, words, "bad dial string: %s: more than host and port",
		    d->text);
	if (bang && !bang[1])
		return say(TN_EBADDIAL, words, "bad dial string: %s: there is no port", d->text);
	d->host = strndup(rest, host_len);
	d->service = strdup(bang ? bang + 1 : DEFAULT_SERVICE);
	return d->host && d->service ? TN_OK : TN_ENOMEM;
}

static enum tn_err parse_unix(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE])
{
	if ((rest[0] != '/' && rest[0] != '@') || !rest[1])
		return say(TN_EBADDIAL, words, "bad dial string: %s: neither /PATH nor @NAME",
		    d->text);
	if (strlen(rest) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return say(TN_ENAMETOOLONG, words, "%s: a socket's name has at most %zu bytes",
		    d->text, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	d->host = strdup(rest);
	return d->host ? TN_OK : TN_ENOMEM;
}

static enum tn_err parse_exec(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE])
{
	if (rest[strspn(rest, " \t\n")] == 0)
		return say(TN_EBADDIAL, words, "bad dial string: %s: there is no command", d->text);
	d->host = strdup(rest);
	return d->host ? TN_OK : TN_ENOMEM;
}

/* Takes a decimal number up to 65535. false: there is none. */
static bool take_number(const char **at, unsigned *value)
{
	const char *s = *at;

	*value = 0;
	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		*value = *value * 10 + (unsigned)(*s - '0');
		if (*value > UINT16_MAX)
			return false;
	}
	*at = s;
	return true;
}

static enum tn_err parse_fd(struct tn_dial *d, const char *rest, char words[TN_WORDS_SIZE])
{
	unsigned in, out;
	bool good = take_number(&rest, &in);

	out = in;
	if (good && *rest == ',') {
		rest++;
		good = take_number(&rest, &out);
	}
	if (!good || *rest)
		return say(TN_EBADDIAL, words,
		    "bad dial string: %s: not a number, or two with a comma", d->text);
	d->read_fd = (int)in;
	d->write_fd = (int)out;
	return TN_OK;
}

enum tn_err tn_dial_parse(struct tn_dial *d, const char *text, char words[TN_WORDS_SIZE])
{
	const char *rest;
	enum tn_net net = net_of(text, &rest);
	enum tn_err err;

	words[0] = 0;
	*d = (struct tn_dial){ .net = net, .read_fd = -1, .write_fd = -1 };
	if (net == TN_NETS)
		return say(TN_EBADDIAL, words,
		    "bad dial string: %s: does not begin with tcp! unix! exec! or fd!", text);
	d->text = strdup(text);
	err = d->text ? nets[net].parse(d, rest, words) : TN_ENOMEM;
	if (err)
		tn_dial_fini(d);
	return err;
}

void tn_dial_fini(struct tn_dial *d)
{
	free(d->text);
	free(d->host);
	free(d->service);
	*d = (struct tn_dial){ .read_fd = -1, .write_fd = -1 };
}

/* services(5) of the host, and Plan 9's names for 9P's port, which it may not have. */
enum tn_err tn_dial_port(const struct tn_dial *d, uint16_t *port, char words[TN_WORDS_SIZE])
{
	static const char *const own[] = { "9fs", "9pfs", "9p" };
	const char *at = d->service;
	struct servent entry, *found = NULL;
	char buf[2048];
	unsigned value;

	words[0] = 0;
	if (take_number(&at, &value) && !*at) {
		*port = (uint16_t)value;
		return TN_OK;
	}
	for (size_t i = 0; i < TN_COUNT(own); i++) {
		if (strcmp(d->service, own[i]) == 0) {
			*port = TN_PORT;
			return TN_OK;
		}
	}
	if (isdigit((unsigned char)d->service[0]))
		return say(TN_EBADDIAL, words, "bad dial string: %s: %s is no port", d->text,
		    d->service);
	getservbyname_r(d->service, "tcp", &entry, buf, sizeof(buf), &found);
	if (!found)
		return say(TN_EBADDIAL, words, "bad dial string: %s: no service is called %s",
		    d->text, d->service);
	*port = ntohs((uint16_t)found->s_port);
	return TN_OK;
}

unsigned tn_dial_unix_address(const struct tn_dial *d, struct sockaddr_un *address)
{
	size_t len = strlen(d->host);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	tn_assert(len < sizeof(address->sun_path)); /* parse_unix has looked */
	memcpy(address->sun_path, d->host, len);
	if (d->host[0] == '@') {
		address->sun_path[0] = 0;
		return (unsigned)(offsetof(struct sockaddr_un, sun_path) +
				  len); /* unix(7): its length is its end */
	}
	return (unsigned)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

static void text_of_ip(const struct sockaddr *address, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
	snprintf(buf, size, "tcp!%s!%u", host,
	    (unsigned)ntohs(address->sa_family == AF_INET ? four->sin_port : six->sin6_port));
}

static void text_of_unix(const struct sockaddr_un *address, unsigned len, char *buf, size_t size)
{
	size_t name_len = len - offsetof(struct sockaddr_un, sun_path);

	if (len <= offsetof(struct sockaddr_un, sun_path))
		snprintf(buf, size, "unix!");
	else if (address->sun_path[0] == 0)
		snprintf(buf, size, "unix!@%.*s", (int)name_len - 1, address->sun_path + 1);
	else
		snprintf(buf, size, "unix!%.*s", (int)strnlen(address->sun_path, name_len),
		    address->sun_path);
}

void tn_dial_of_address(const struct sockaddr *address, unsigned len, char *buf, size_t size)
{
	if (len >= sizeof(sa_family_t) && address->sa_family == AF_UNIX)
		text_of_unix((const struct sockaddr_un *)(const void *)address, len, buf, size);
	else if (len >= sizeof(struct sockaddr_in) &&
		 (address->sa_family == AF_INET || address->sa_family == AF_INET6))
		text_of_ip(address, buf, size);
	else
		snprintf(buf, size, "fd!");
}

enum tn_err tn_dial_failed(const char *what, const struct tn_dial *d, int number,
    char words[TN_WORDS_SIZE])
{
	enum tn_err err = tn_err_of_linux((uint32_t)number);
	const char *cause = tn_err_linux(err) == (uint32_t)number ? tn_err_text(err)
								  : strerror(number);

	return say(err, words, "cannot %s %s: %s", what, d->text, cause);
}

enum tn_err tn_dial_unresolved(const char *cause, const struct tn_dial *d,
    char words[TN_WORDS_SIZE])
{
	return say(TN_ENOHOST, words, "%s: cannot find host %s: %s", d->text, d->host, cause);
}
