/*
 * A command line: words that end with a NUL, the first of which is a command's name. Usage errors and helps are said to
 * nobody.
 */
#include "cmd/option.h"

#include "fuzz.h"

enum { WORDS = 40 };

static FILE *nobody;

static int cut(char *text, size_t len, char **words)
{
	int n = 0;

	for (size_t at = 0; at < len && n < WORDS; at += strlen(text + at) + 1)
		words[n++] = text + at;
	return n;
}

/* All that was given is of the command, and all words are there, in their order. */
static void parsed(const struct cmd_args *a, int argc)
{
	must(a->n_words >= a->command->words_min && a->n_words <= argc);
	must(a->command->words_max == 255 || a->n_words <= a->command->words_max);
	for (size_t i = 0; i < a->n_given; i++) {
		const struct cmd_option *o = NULL;

		for (size_t k = 0; (o = cmd_option_at(k)) && o->id != a->given[i].id; k++)
			;
		must(o && o->commands & a->command->bit && !o->arg == !a->given[i].value);
		must(cmd_has(a, a->given[i].id));
	}
}

static void parse(const struct cmd_row *command, int argc, char **argv)
{
	struct cmd_args a;
	int status = -1;

	if (cmd_args_parse(&a, command, argc, argv, &status))
		parsed(&a, argc);
	else
		must(status == CMD_OK || status == CMD_USAGE);
	cmd_args_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	FILE *out = stdout, *err = stderr;
	char *text = fuzz_text(bytes, len), *words[WORDS + 1] = { NULL };
	int n = cut(text, len, words);
	const struct cmd_row *command;
	const char *near;

	if (!nobody)
		nobody = fopen("/dev/null", "w");
	must(nobody);
	stdout = stderr = nobody;
	command = n > 0 ? cmd_row_of(words[0]) : NULL;
	near = n > 0 && !command ? cmd_nearest(words[0]) : NULL;
	if (command)
		parse(command, n - 1, words + 1);
	else if (near)
		must(cmd_row_of(near) != NULL);
	stdout = out;
	stderr = err;
	free(text);
	return 0;
}
