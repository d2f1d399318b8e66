/*
 * What words of a command line, and of a mount's line, are taken apart into: dial strings and the options of a mount. The
 * first byte says which.
 */
#include "host/posix/dial.h"

#include "fuzz.h"
#include "lib/compose.h"

#include <sys/un.h>

static bool is_terminated(const char *words, size_t size)
{
	return memchr(words, '\0', size) != NULL;
}

/* What is taken apart is there, and the whole of it is what was said. */
static void parsed(struct tn_dial *d, const char *text)
{
	struct sockaddr_un address;
	char again[256];

	must(tn_is_dial(text) && strcmp(d->text, text) == 0);
	if (d->net == TN_NET_TCP)
		must(d->host[0] && d->service[0]);
	if (d->net == TN_NET_FD)
		must(d->read_fd >= 0 && d->write_fd >= 0);
	if (d->net == TN_NET_UNIX) {
		unsigned len = tn_dial_unix_address(d, &address);

		must(len <= sizeof(address));
		tn_dial_of_address((struct sockaddr *)&address, len, again, sizeof(again));
		must(strcmp(again, text) == 0);
	}
	tn_dial_fini(d);
}

static void dial(const char *text)
{
	struct tn_dial d;
	char words[TN_WORDS_SIZE];
	enum tn_err err = tn_dial_parse(&d, text, words);

	must(is_terminated(words, sizeof(words)));
	must((err == TN_OK) == (words[0] == '\0'));
	if (err == TN_OK)
		parsed(&d, text);
	else
		must(!d.text && !d.host && !d.service);
}

static void options(char *text)
{
	struct tn_mount_options o = { .dialect = TN_DIALECTS };
	const char *bad = NULL, *cause = NULL;

	if (tn_mount_options_parse(&o, text, &bad, &cause))
		must(tn_mount_flags_ok(o.flags) && o.dialect <= TN_DIALECTS);
	else
		must(bad && cause);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text;

	fuzz_begin();
	if (len == 0)
		return 0;
	text = fuzz_text(bytes + 1, len - 1);
	if (bytes[0] & 1)
		options(text);
	else
		dial(text);
	free(text);
	return 0;
}
