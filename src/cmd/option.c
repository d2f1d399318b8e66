#include "cmd/option.h"

#include "cmd/command.h"
#include "cmd/facts.h"
#include "cmd/say.h"

#include <stdlib.h>
#include <string.h>

#define ANY     255
#define COMPOSE (CMD_RUN | CMD_EXPORT)
#define ALTER   (CMD_BIND | CMD_MOUNT)
#define LIVE    (CMD_BIND | CMD_MOUNT | CMD_UNMOUNT | CMD_NS | CMD_WHENCE)
#define FACTS   (CMD_LS | CMD_STAT | CMD_VERSION | CMD_NS | CMD_WHENCE | CMD_PS | CMD_DOCTOR)

/* clang-format off */
static const struct cmd_row commands[] = {
	/* name      bit          function     words                      min max   ends   what it does; an example */
	{ "run",     CMD_RUN,     cmd_run,     "[--] [CMD [ARGUMENT...]]", 0, ANY,  true,
	  "run a program in a name space of its own", "tenon run -b '/n/ram=#ram' -- sh -c 'echo kept >/n/ram/x; cat /n/ram/x'" },
	{ "bind",    CMD_BIND,    cmd_bind,    "SRC NAME",                2,  2,    false,
	  "alter the name space one is in: show SRC at NAME", "tenon bind -a /usr/local/bin /bin" },
	{ "mount",   CMD_MOUNT,   cmd_mount,   "DIAL NAME [ANAME]",       2,  3,    false,
	  "mount the 9P server at DIAL on NAME", "tenon mount 'tcp!127.0.0.1!5640' /n/far" },
	{ "unmount", CMD_UNMOUNT, cmd_unmount, "[SRC] NAME",              1,  2,    false,
	  "take away what is shown at NAME, or of it SRC", "tenon unmount /n/far" },
	{ "ns",      CMD_NS,      cmd_ns,      "",                        0,  0,    false,
	  "print the name space in the form that makes it again", "tenon ns" },
	{ "whence",  CMD_WHENCE,  cmd_whence,  "NAME...",                 1,  ANY,  false,
	  "say which server and file a name is, member by member", "tenon whence /bin/ls" },
	{ "ps",      CMD_PS,      cmd_ps,      "",                        0,  0,    false,
	  "list the name spaces of this user that are running", "tenon ps" },
	{ "export",  CMD_EXPORT,  cmd_export,  "[SRC]",                   0,  1,    false,
	  "serve a directory, a device or a name space as 9P", "tenon export -l 'tcp!127.0.0.1!5640' '#ram'" },
	{ "ls",      CMD_LS,      cmd_ls,      "[DIAL] [NAME...]",        0,  ANY,  false,
	  "list directories", "tenon ls -l /etc/hostname" },
	{ "cat",     CMD_CAT,     cmd_cat,     "[DIAL] NAME...",          1,  ANY,  false,
	  "print files", "tenon cat '#cons/sysname'" },
	{ "put",     CMD_PUT,     cmd_put,     "[DIAL] NAME",             1,  2,    false,
	  "write standard input to a file", "tenon put 'tcp!127.0.0.1!5640' notes <notes.txt" },
	{ "stat",    CMD_STAT,    cmd_stat,    "[DIAL] NAME...",          1,  ANY,  false,
	  "print what is known of files", "tenon stat --json /etc/passwd" },
	{ "mkdir",   CMD_MKDIR,   cmd_mkdir,   "[DIAL] NAME...",          1,  ANY,  false,
	  "make directories", "tenon mkdir -p 'tcp!127.0.0.1!5640' a/b/c" },
	{ "rm",      CMD_RM,      cmd_rm,      "[DIAL] NAME...",          1,  ANY,  false,
	  "remove files and directories", "tenon rm -r 'tcp!127.0.0.1!5640' a" },
	{ "mv",      CMD_MV,      cmd_mv,      "[DIAL] OLD NEW",          2,  3,    false,
	  "rename a file, or move it within one server", "tenon mv 'tcp!127.0.0.1!5640' notes old-notes" },
	{ "cp",      CMD_CP,      cmd_cp,      "[DIAL] FROM... TO",       2,  ANY,  false,
	  "copy files", "tenon cp -r /etc/skel /tmp/skel" },
	{ "doctor",  CMD_DOCTOR,  cmd_doctor,  "",                        0,  0,    false,
	  "say what this machine can do, and the fix for what it cannot", "tenon doctor" },
	{ "completion", CMD_COMPLETION, cmd_completion, "bash|zsh|fish",   1,  1,    false,
	  "print what makes a shell complete tenon's command lines", "tenon completion bash" },
	{ "version", CMD_VERSION, cmd_version, "",                        0,  0,    false,
	  "print version, dialects and features", "tenon version" },
};

static const struct cmd_option options[] = {
	/* id                letter name         argument    commands      what it does */
	{ OPT_BIND_REPLACE,  'b', "bind",        "NAME=SRC", COMPOSE,      "show SRC at NAME" },
	{ OPT_BIND_BEFORE,   'B', "before",      "NAME=SRC", COMPOSE,      "show SRC at NAME, before what is there" },
	{ OPT_BIND_AFTER,    'a', "after",       "NAME=SRC", COMPOSE,      "show SRC at NAME, after what is there" },
	{ OPT_MOUNT,         'm', "mount",       "NAME=DIAL", COMPOSE,     "mount the 9P server at DIAL on NAME" },
	{ OPT_WITH,          'o', "with",        "OPTIONS",  COMPOSE | CMD_MOUNT,
	  "for the next of -b -B -a -m, a list with commas: create before after aname=A ro user=U soft=SECONDS hard "
	  "skip-down qids=names dialect=D" },
	{ OPT_FILE,          'n', "file",        "FILE",     COMPOSE,      "alter the name space as FILE says: tenon-ns(5)" },
	{ OPT_CLEAN,         0,   "clean",       NULL,       COMPOSE,
	  "start from an empty root, in which mount points appear as they are named" },
	{ OPT_NO_MOUNT,      0,   "no-mount",    NULL,       CMD_RUN,      "the program may mount nothing, and name few devices" },
	{ OPT_READ_ONLY,     0,   "ro",          NULL,       COMPOSE,      "let no file be changed" },
	{ OPT_PIDS,          0,   "pids",        NULL,       CMD_RUN,      "run in a pid name space, so that nothing outlives it" },
	{ OPT_KEEP,          0,   "keep",        "NAME",     CMD_RUN,
	  "let the name space go on when the program has ended, by this name, until --end" },
	{ OPT_IN,            0,   "in",          "NAME|PID", CMD_RUN,
	  "run the program in a name space that is there: kept by NAME, or that of process PID" },
	{ OPT_END,           0,   "end",         "NAME|PID", CMD_RUN,      "end such a name space, and all that runs in it" },
	{ OPT_LISTEN,        'l', "listen",      "DIAL",     CMD_EXPORT,
	  "listen there (may be given again); without it 9P is spoken on standard input and output" },
	{ OPT_SUB,           0,   "sub",         "DIR",      CMD_EXPORT,   "serve this directory of the tree alone" },
	{ OPT_MAP_USER,      0,   "map-user", "WHO",         CMD_EXPORT,
	  "as whom root uses files of the host: self, as root; squash, as nobody; FILE, as its lines PEER LOCAL say; without "
	  "it as who attaches" },
	{ OPT_LIMIT,         0,   "limit",       "NAME=VALUE", CMD_EXPORT,
	  "another bound for peers than the default (may be given again): conns conns-per-peer memory conn-memory msize "
	  "answers requests fids attributes message-time idle-time" },
	{ OPT_READY_FD,      0,   "ready-fd",    "N",        CMD_EXPORT,
	  "write the addresses listened on to descriptor N, a line each, and close it" },
	{ OPT_BEFORE,        'b', "before",      NULL,       ALTER,        "before what is there: a union" },
	{ OPT_AFTER,         'a', "after",       NULL,       ALTER,        "after what is there: a union" },
	{ OPT_CREATE,        'c', "create",      NULL,       ALTER,        "files may be created in it" },
	{ OPT_CACHE,         'C', "cache",       NULL,       ALTER,        "accepted, shown by ns, of no effect yet" },
	{ OPT_PID,           'p', "pid",         "PID|NAME", LIVE,
	  "of the name space of process PID, or kept by NAME, instead of one's own" },
	{ OPT_HOST,          0,   "host",        NULL,       CMD_MOUNT | CMD_UNMOUNT,
	  "an ordinary mount of the host, also inside of tenon run" },
	{ OPT_SPECS,         0,   "specs",       NULL,       CMD_NS,       "print attach names of mounts also for binds of them" },
	{ OPT_LONG,          'l', "long",        NULL,       CMD_LS,       "with mode, owner, group, length and time" },
	{ OPT_UNION,         'u', "union",       NULL,       CMD_LS,       "a union as it is: in its order, with duplicates" },
	{ OPT_SELF,          'd', "directory",   NULL,       CMD_LS,       "the directory itself, not what is in it" },
	{ OPT_PARENTS,       'p', "parents",     NULL,       CMD_MKDIR,    "make parents too; existing directories are no error" },
	{ OPT_RECURSIVE,     'r', "recursive",   NULL,       CMD_RM | CMD_CP, "directories with all that is in them" },
	{ OPT_QUIET,         'q', "quiet",       NULL,       CMD_CP,       "draw no bar of how far it is on a terminal" },
	{ OPT_APPEND,        'a', "append",      NULL,       CMD_PUT,      "behind what is there, instead of replacing it" },
	{ OPT_MODE,          'm', "mode",        "OCTAL",    CMD_PUT | CMD_MKDIR, "permissions of what is made" },
	{ OPT_JSON,          0,   "json",        NULL,       FACTS,        "print JSON" },
	{ OPT_HELP,          'h', "help",        NULL,       UINT32_MAX,   "print this" },
};
/* clang-format on */

const struct cmd_row *cmd_row_of(const char *name)
{
	for (size_t i = 0; i < TN_COUNT(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

const struct cmd_row *cmd_row_at(size_t i)
{
	return i < TN_COUNT(commands) ? &commands[i] : NULL;
}

const struct cmd_option *cmd_option_at(size_t i)
{
	return i < TN_COUNT(options) ? &options[i] : NULL;
}

static const struct cmd_option *option_of(uint32_t bit, char letter, const char *name, size_t len)
{
	for (size_t i = 0; i < TN_COUNT(options); i++) {
		const struct cmd_option *o = &options[i];

		if (!(o->commands & bit))
			continue;
		if (letter ? o->letter == letter
			   : o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

bool cmd_has(const struct cmd_args *a, enum cmd_opt id)
{
	for (size_t i = 0; i < a->n_given; i++) {
		if (a->given[i].id == id)
			return true;
	}
	return false;
}

const char *cmd_value(const struct cmd_args *a, enum cmd_opt id)
{
	for (size_t i = a->n_given; i-- > 0;) {
		if (a->given[i].id == id)
			return a->given[i].value;
	}
	return NULL;
}

/* ---- help ---- */

static void print_wrapped(FILE *to, const char *text, size_t indent, size_t column)
{
	while (*text) {
		size_t word = strcspn(text, " ");
		bool is_first = column == indent;

		if (!is_first && column + 1 + word > 78)
			is_first = (column = (size_t)fprintf(to, "\n%*s", (int)indent, "") - 1);
		fprintf(to, "%s%.*s", is_first ? "" : " ", (int)word, text);
		column += word + !is_first;
		text += word + (text[word] == ' ');
	}
	fputc('\n', to);
}

static void print_option(FILE *to, const struct cmd_option *o)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "  %s%c%s--%s%s%s", o->letter ? "-" : " ",
	    o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
	    o->arg ? o->arg : "");

	fprintf(to, "%-26s", left);
	if (n >= 26)
		fprintf(to, "\n%26s", "");
	print_wrapped(to, o->does, 26, 26);
}

static void print_help(FILE *to, const struct cmd_row *command)
{
	fprintf(to, "usage: tenon %s [OPTION...]%s%s\n", command->name, *command->words ? " " : "",
	    command->words);
	print_wrapped(to, command->does, 0, 0);
	fputc('\n', to);
	for (size_t i = 0; i < TN_COUNT(options); i++) {
		if (options[i].commands & command->bit)
			print_option(to, &options[i]);
	}
	fprintf(to, "\nexample: %s\n", command->example);
}

int cmd_usage(FILE *to)
{
	fputs("usage: tenon COMMAND [OPTION...] [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < TN_COUNT(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].does);
	fputs(
	    "\nA SRC is a name, a device (#ram #root #pipe #host/PATH ...) or a dial string (tcp!HOST!PORT, unix!PATH,\n"
	    "exec!COMMAND). `tenon COMMAND --help` says more of each.\n",
	    to);
	return CMD_OK;
}

int cmd_usage_error(const struct cmd_row *command, const char *name, const char *cause)
{
	cmd_say(command->name, name, cause);
	fprintf(stderr, "try: tenon %s --help\n", command->name);
	return CMD_USAGE;
}

/* ---- the nearest name: edit distance, for hints ---- */

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static size_t distance(const char *a, const char *b)
{
	size_t row[32];
	size_t n = strlen(b);

	if (n >= TN_COUNT(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

const char *cmd_nearest(const char *name)
{
	const char *best = NULL;
	size_t best_distance = 3; /* of two edits at most, and not of the whole word */

	for (size_t i = 0; i < TN_COUNT(commands); i++) {
		size_t d = distance(name, commands[i].name);

		if (d < best_distance && d < strlen(commands[i].name)) {
			best = commands[i].name;
			best_distance = d;
		}
	}
	return best;
}

/* ---- parsing ---- */

struct parse {
	struct cmd_args *a;
	int argc, at; /* argv[at] is looked at next */
	char **argv;
	int status;
};

static bool refuse(struct parse *p, const char *name, const char *cause)
{
	p->status = cmd_usage_error(p->a->command, name, cause);
	return false;
}

static bool give(struct parse *p, const struct cmd_option *o, const char *value)
{
	if (o->id == OPT_HELP) {
		print_help(stdout, p->a->command);
		p->status = CMD_OK;
		return false;
	}
	p->a->given[p->a->n_given++] = (struct cmd_given){ o->id, value };
	return true;
}

/* The value of o: what stands behind it in the same word, else the next word. */
static bool give_with_value(struct parse *p, const struct cmd_option *o, const char *word,
    const char *rest)
{
	if (!rest && p->at < p->argc)
		rest = p->argv[p->at++];
	if (!rest)
		return refuse(p, word, "wants an argument");
	return give(p, o, rest);
}

static bool take_long(struct parse *p, const char *word)
{
	size_t len = strcspn(word + 2, "=");
	const char *rest = word[2 + len] ? word + 3 + len : NULL;
	const struct cmd_option *o = option_of(p->a->command->bit, 0, word + 2, len);

	if (!o)
		return refuse(p, word, "unknown option");
	if (o->arg)
		return give_with_value(p, o, word, rest);
	if (rest)
		return refuse(p, word, "takes no argument");
	return give(p, o, NULL);
}

static bool take_letters(struct parse *p, const char *word)
{
	for (const char *s = word + 1; *s; s++) {
		const struct cmd_option *o = option_of(p->a->command->bit, *s, NULL, 0);
		const char name[3] = { '-', *s, '\0' };

		if (!o)
			return refuse(p, name, "unknown option");
		if (o->arg)
			return give_with_value(p, o, name, s[1] ? s + 1 : NULL);
		if (!give(p, o, NULL))
			return false;
	}
	return true;
}

static bool take_words(struct parse *p)
{
	bool only_words = false;

	while (p->at < p->argc) {
		char *word = p->argv[p->at++];

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1]) {
			if (!(word[1] == '-' ? take_long(p, word) : take_letters(p, word)))
				return false;
		} else {
			p->a->words[p->a->n_words++] = word;
			only_words = only_words || p->a->command->ends_at_word;
		}
	}
	return true;
}

static size_t most_given(int argc, char **argv)
{
	size_t n = 1;

	for (int i = 0; i < argc; i++)
		n += strlen(argv[i]);
	return n;
}

bool cmd_args_parse(struct cmd_args *a, const struct cmd_row *command, int argc, char **argv,
    int *status)
{
	struct parse p = { .a = a, .argc = argc, .argv = argv };

	*a = (struct cmd_args){ .command = command, .words = argv };
	a->given = calloc(most_given(argc, argv), sizeof(*a->given));
	if (!a->given) {
		cmd_say(command->name, NULL, "no memory");
		*status = CMD_FAILED;
		return false;
	}
	if (!take_words(&p)) {
		*status = p.status;
		return false;
	}
	if (a->n_words < command->words_min ||
	    (command->words_max != ANY && a->n_words > command->words_max)) {
		refuse(&p, a->n_words > command->words_min ? a->words[command->words_max] : NULL,
		    a->n_words < command->words_min ? "an argument is missing"
						    : "one argument too many");
		*status = p.status;
		return false;
	}
	return true;
}

void cmd_args_free(struct cmd_args *a)
{
	free(a->given);
	a->given = NULL;
}

/* ---- the table for others ---- */

static json_t *option_json(const struct cmd_option *o)
{
	char letter[2] = { o->letter, '\0' };

	return json_pack("{s:s*, s:s*, s:s*, s:s}", "letter", o->letter ? letter : NULL, "name",
	    o->name, "arg", o->arg, "does", o->does);
}

int cmd_dump_options(void)
{
	json_t *all = json_array();

	for (size_t i = 0; i < TN_COUNT(commands); i++) {
		const struct cmd_row *c = &commands[i];
		json_t *of = json_array();

		for (size_t j = 0; j < TN_COUNT(options); j++) {
			if (options[j].commands & c->bit)
				json_array_append_new(of, option_json(&options[j]));
		}
		json_array_append_new(all,
		    json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", c->name, "words", c->words,
			"does", c->does, "example", c->example, "options", of));
	}
	cmd_print_json(all);
	return CMD_OK;
}
