/*
 * tenon ps: the name spaces of this user. Each is asked and says lines of a word and a text (launch/state.h), which become
 * an object of JSON; what is printed for people is made of that.
 */
#include "cmd/command.h"
#include "cmd/facts.h"
#include "cmd/say.h"
#include "launch/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 1000 /* for each: a server that stands still is told as such */

/* Which words go where, and as what. What a newer server says besides is passed over. */
enum kind { NUMBER, TEXT, MOUNT, LINK, LINK_NUMBER, LINK_TEXT };
static const struct {
	const char *word;
	enum kind kind;
} words[] = {
	{ "server", NUMBER },
	{ "pid", NUMBER },
	{ "keep", TEXT },
	{ "program", TEXT },
	{ "mount", MOUNT },
	{ "link", LINK },
	{ "dial", LINK_TEXT },
	{ "dialect", LINK_TEXT },
	{ "messages", LINK_NUMBER },
	{ "losses", LINK_NUMBER },
};

/* Bytes that are no UTF-8 become question marks: JSON has no others. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	char *copy = j ? NULL : strdup(text);

	for (char *s = copy; s && *s; s++)
		*s = (unsigned char)*s < 0x80 ? *s : '?';
	if (copy)
		j = json_string(copy);
	free(copy);
	return j;
}

static void take_fact(json_t *space, enum kind kind, const char *word, const char *text)
{
	json_t *links = json_object_get(space, "connections");
	json_t *last = json_array_get(links, json_array_size(links) - 1);

	switch (kind) {
	case NUMBER: json_object_set_new(space, word, json_integer(atoll(text))); break;
	case TEXT: json_object_set_new(space, word, text_json(text)); break;
	case MOUNT: json_array_append_new(json_object_get(space, "mounts"), text_json(text)); break;
	case LINK: json_array_append_new(links, json_pack("{s:s}", "state", text)); break;
	case LINK_NUMBER: json_object_set_new(last, word, json_integer(atoll(text))); break;
	case LINK_TEXT: json_object_set_new(last, word, text_json(text)); break;
	}
}

static void take_line(json_t *space, char *line)
{
	char *text = strchr(line, ' ');

	if (!text)
		return;
	*text++ = '\0';
	for (size_t i = 0; i < TN_COUNT(words); i++) {
		if (strcmp(words[i].word, line) == 0)
			take_fact(space, words[i].kind, line, text);
	}
}

static void take_space(void *arg, pid_t server, int status, const char *answer)
{
	json_t *space = json_pack("{s:i, s:s}", "server", (int)server, "state",
	    status == 0  ? "running"
	    : status > 0 ? "of another version"
			 : "no answer");
	char *copy = status == 0 ? strdup(answer) : NULL, *rest = copy, *line;

	json_array_append_new(arg, space);
	if (!copy)
		return;
	json_object_set_new(space, "mounts", json_array());
	json_object_set_new(space, "connections", json_array());
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(space, line);
	free(copy);
}

/* ---- for people ---- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static long long number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_link(const json_t *l)
{
	fputs("    connection ", stdout);
	cmd_print_text(stdout, text_of(l, "dial"));
	printf(": %s", text_of(l, "state"));
	if (json_object_get(l, "dialect"))
		printf(", %s", text_of(l, "dialect"));
	printf(", %lld messages", number_of(l, "messages"));
	if (number_of(l, "losses"))
		printf(", lost %lld time%s", number_of(l, "losses"),
		    number_of(l, "losses") == 1 ? "" : "s");
	putchar('\n');
}

static void print_space(const json_t *space)
{
	const json_t *mounts = json_object_get(space, "mounts"),
		     *links = json_object_get(space, "connections");

	if (!mounts) {
		printf("?       its server, process %lld: %s\n", number_of(space, "server"),
		    text_of(space, "state"));
		return;
	}
	if (number_of(space, "pid"))
		printf("%-7lld ", number_of(space, "pid"));
	else
		printf("-       ");
	cmd_print_text(stdout, text_of(space, "program"));
	if (json_object_get(space, "keep"))
		printf(" (kept as %s)", text_of(space, "keep"));
	putchar('\n');
	for (size_t i = 0; i < json_array_size(mounts); i++) {
		fputs("    ", stdout);
		cmd_print_text(stdout, json_string_value(json_array_get(mounts, i)));
		putchar('\n');
	}
	for (size_t i = 0; i < json_array_size(links); i++)
		print_link(json_array_get(links, i));
}

int cmd_ps(const struct cmd_args *a)
{
	json_t *all = json_array();

	errno = tn_control_each("state", ANSWER_MS, take_space, all);
	if (errno) {
		json_decref(all);
		return cmd_say_errno("ps", "/proc/net/unix");
	}
	if (cmd_has(a, OPT_JSON)) {
		cmd_print_json(all);
		return CMD_OK;
	}
	for (size_t i = 0; i < json_array_size(all); i++)
		print_space(json_array_get(all, i));
	json_decref(all);
	return CMD_OK;
}
