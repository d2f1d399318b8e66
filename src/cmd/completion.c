/*
 * tenon completion: what makes bash, zsh and fish complete tenon's command lines. Commands, options and what they take come
 * from the one table (option.h), devices, nets and options of mounts from theirs; here is how each shell is told.
 */
#include "cmd/command.h"
#include "cmd/say.h"
#include "host/posix/dial.h"
#include "host/posix/node.h"
#include "lib/compose.h"

#include <string.h>

/* What may stand at a place of a command line. Each shell has a way to complete each: the name is part of it. */
static const char *const kinds[][2] = {
	/* as the table calls it  kind */
	{ "NAME=SRC", "bindings" },
	{ "NAME=DIAL", "bindings" },
	{ "OPTIONS", "mounting" },
	{ "PID|NAME", "spaces" },
	{ "NAME|PID", "spaces" },
	{ "FILE", "files" },
	{ "DIR", "files" },
	{ "DIAL", "sources" },
};

/* Of an option's argument; "nothing": it is a word of the user's own. */
static const char *kind_of_argument(const char *arg)
{
	for (size_t i = 0; i < TN_COUNT(kinds); i++) {
		if (strcmp(kinds[i][0], arg) == 0)
			return kinds[i][1];
	}
	return "nothing";
}

/* Of a command's words; "choice": they are spelled out, with bars between. */
static const char *kind_of_words(const char *words)
{
	if (!*words)
		return "nothing";
	if (strstr(words, "CMD"))
		return "programs";
	if (strchr(words, '|'))
		return "choice";
	return "sources";
}

/* Within single quotes of a shell; bytes of `escape` get a backslash besides. */
static void put_quoted(const char *text, const char *escape)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(escape, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void put_words(const char *words, char between, const char *separator)
{
	for (; *words; words++) {
		if (*words == between)
			fputs(separator, stdout);
		else
			putchar(*words);
	}
}

/* The lists that all three have; in quotes, for '#' and '!' mean something to shells. */
static void put_devices(const char *before, const char *after)
{
	const char *name;

	for (size_t i = 0; (name = tn_host_device_name(i)) != NULL; i++)
		printf("%s'#%s%s'%s", before, name, strcmp(name, "host") == 0 ? "/" : "", after);
}

static void put_nets(const char *before, const char *after)
{
	for (unsigned i = 0; i < TN_NETS; i++)
		printf("%s'%s!'%s", before, tn_net_name((enum tn_net)i), after);
}

static void put_mounting(const char *before, const char *after)
{
	const char *name;

	for (size_t i = 0; (name = tn_mount_option_name(i)) != NULL; i++)
		printf("%s%s%s", before, name, after);
}

static void put_lists(const char *set, const char *open, const char *close)
{
	printf("%s_tenon_devices%s", set, open);
	put_devices(" ", "");
	printf("%s\n%s_tenon_nets%s", close, set, open);
	put_nets(" ", "");
	printf("%s\n%s_tenon_mounting%s", close, set, open);
	put_mounting(" ", "");
	printf("%s\n", close);
}

typedef void put_option(const struct cmd_row *c, const struct cmd_option *o);

static void each_option(const struct cmd_row *c, put_option *put)
{
	const struct cmd_option *o;

	for (size_t i = 0; (o = cmd_option_at(i)) != NULL; i++) {
		if (o->commands & c->bit)
			put(c, o);
	}
}

/* ---- bash ---- */

static const char bash_how[] =
    "# Those of the words that begin with what was typed. What the shell would obey has a backslash, outside of quotes.\n"
    "_tenon_from() {\n"
    "\tlocal word\n"
    "\tfor word; do\n"
    "\t\t[[ $word == \"$cur\"* ]] || continue\n"
    "\t\t[[ $word == *[=!/] ]] && compopt -o nospace 2>/dev/null\n"
    "\t\tword=$pre$word\n"
    "\t\t[[ $quote ]] || { word=${word//'#'/\\\\#}; word=${word//'!'/\\\\!}; }\n"
    "\t\tCOMPREPLY+=(\"$word\")\n"
    "\tdone\n"
    "}\n"
    "_tenon_nothing() { :; }\n"
    "_tenon_files() { :; } # the shell's own\n"
    "_tenon_programs() { mapfile -t COMPREPLY < <(compgen -c -- \"$cur\"); }\n"
    "_tenon_choice() { _tenon_from ${choice//|/ }; }\n"
    "_tenon_mounting() { [[ $cur != *,* ]] || { pre+=${cur%,*},; cur=${cur##*,}; }; compopt -o nospace 2>/dev/null; _tenon_from "
    "\"${_tenon_mounting[@]}\"; }\n"
    "_tenon_spaces() { _tenon_from $(tenon ps 2>/dev/null | sed -n 's/^[0-9-].*(kept as \\(.*\\))$/\\1/p'); }\n"
    "_tenon_sources() {\n"
    "\tcase $cur in\n"
    "\t'#'*) _tenon_from \"${_tenon_devices[@]}\" ;;\n"
    "\t?*) _tenon_from \"${_tenon_nets[@]}\"; [[ ! $COMPREPLY ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
    "\"$cur\") ;;\n"
    "\tesac\n"
    "}\n"
    "# NAME=SRC: one word within quotes or three, as COMP_WORDBREAKS has it.\n"
    "_tenon_bindings() {\n"
    "\tif [[ $cur == *=* ]]; then pre=${cur%%=*}=; cur=${cur#*=}; elif [[ ! $is_behind ]]; then return; fi\n"
    "\t_tenon_sources\n"
    "}\n"
    "_tenon() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} at=$((COMP_CWORD - 1)) quote= pre= is_behind= opt options words=nothing choice= value i\n"
    "\tCOMPREPLY=()\n"
    "\tcase $cur in\n"
    "\t\"'\"* | '\"'*) quote=${cur:0:1}; cur=${cur:1} ;;\n"
    "\t'\\#'*) cur=${cur:1} ;;\n"
    "\t'=') cur= is_behind=1 ;;\n"
    "\tesac\n"
    "\tif [[ ! $is_behind && ${COMP_WORDS[at]} == '=' ]]; then is_behind=1; ((at--)); fi\n"
    "\t[[ ! $is_behind || ${COMP_WORDS[at]} == --* ]] || ((at--))\n"
    "\topt=${COMP_WORDS[at]}\n"
    "\tif ((COMP_CWORD == 1)); then _tenon_from \"${_tenon_commands[@]}\"; return; fi\n"
    "\tcase ${COMP_WORDS[1]} in\n";

static const char bash_end[] =
    "\t*) return ;;\n"
    "\tesac\n"
    "\tif [[ $words == programs ]]; then\n"
    "\t\tfor ((i = 2; i < COMP_CWORD; i++)); do # the program's own words are files\n"
    "\t\t\t[[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i]} == = || ${COMP_WORDS[i - 1]} == [-=]* || ${COMP_WORDS[i + 1]} == = ]] || return\n"
    "\t\tdone\n"
    "\tfi\n"
    "\tif [[ $value ]]; then _tenon_$value; elif [[ $cur == -* ]]; then _tenon_from $options; else _tenon_$words; fi\n"
    "}\n"
    "complete -o default -F _tenon tenon\n";

static void bash_name(const struct cmd_row *c, const struct cmd_option *o)
{
	(void)c;
	if (o->letter)
		printf("-%c ", o->letter);
	printf("--%s ", o->name);
}

static void bash_value(const struct cmd_row *c, const struct cmd_option *o)
{
	(void)c;
	if (!o->arg)
		return;
	fputs("\t\t", stdout);
	if (o->letter)
		printf("-%c | ", o->letter);
	printf("--%s) value=%s ;;\n", o->name, kind_of_argument(o->arg));
}

static void print_bash(void)
{
	const struct cmd_row *c;

	put_lists("", "=(", ")");
	fputs("_tenon_commands=(", stdout);
	for (size_t i = 0; (c = cmd_row_at(i)) != NULL; i++)
		printf(" %s", c->name);
	printf(")\n%s", bash_how);
	for (size_t i = 0; (c = cmd_row_at(i)) != NULL; i++) {
		const char *words = kind_of_words(c->words);

		printf("\t%s)\n\t\tvalue= words=%s", c->name, words);
		if (strcmp(words, "choice") == 0)
			printf(" choice='%s'", c->words);
		fputs(" options='", stdout);
		each_option(c, bash_name);
		fputs("'\n\t\tcase $opt in\n", stdout);
		each_option(c, bash_value);
		fputs("\t\tesac\n\t\t;;\n", stdout);
	}
	fputs(bash_end, stdout);
}

/* ---- zsh ---- */

static const char zsh_how[] =
    "_tenon_nothing() { _message 'a word'; }\n"
    "_tenon_files() { _files; }\n"
    "_tenon_programs() { _normal; }\n"
    "_tenon_mounting() { compset -P '*,'; compadd -S '' -a _tenon_mounting; }\n"
    "_tenon_spaces() { compadd -- $(tenon ps 2>/dev/null | sed -n 's/^[0-9-].*(kept as \\(.*\\))$/\\1/p'); }\n"
    "_tenon_sources() {\n"
    "\tcompadd -S '' -M 'r:|/=*' -- ${_tenon_nets} ${(M)_tenon_devices:#*/}\n"
    "\tcompadd -- ${_tenon_devices:#*/}\n"
    "\t_files\n"
    "}\n"
    "_tenon_bindings() { if compset -P 1 '*='; then _tenon_sources; else _files; fi; }\n"
    "_tenon() {\n"
    "\tlocal context state line\n"
    "\tif (( CURRENT == 2 )); then _describe -t commands 'tenon command' _tenon_commands; return; fi\n"
    "\tshift words; (( CURRENT-- ))\n"
    "\tcase $words[1] in\n";

static const char zsh_end[] =
    "\tesac\n"
    "}\n"
    "if [[ $funcstack[1] == _tenon ]]; then _tenon \"$@\"; else compdef _tenon tenon; fi\n";

static void zsh_spec(const char *dashes, const char *name, size_t len, const struct cmd_option *o)
{
	printf(" \\\n\t\t'*%s%.*s%s[", dashes, (int)len, name,
	    !o->arg                ? ""
	    : *dashes && dashes[1] ? "="
				   : "+");
	put_quoted(o->does, "[]:\\");
	putchar(']');
	if (o->arg) {
		putchar(':');
		put_quoted(o->arg, ":\\");
		printf(":_tenon_%s", kind_of_argument(o->arg));
	}
	putchar('\'');
}

static void zsh_option(const struct cmd_row *c, const struct cmd_option *o)
{
	(void)c;
	if (o->letter)
		zsh_spec("-", &o->letter, 1, o);
	zsh_spec("--", o->name, strlen(o->name), o);
}

static void zsh_words(const struct cmd_row *c)
{
	const char *kind = kind_of_words(c->words);

	if (!*c->words)
		return;
	fputs(" \\\n\t\t'", stdout);
	fputs(c->ends_at_word ? "*::" : "*:", stdout);
	put_quoted(c->words, ":\\");
	if (strcmp(kind, "choice") == 0) {
		fputs(":(", stdout);
		put_words(c->words, '|', " ");
		fputs(")'", stdout);
	} else {
		printf(":_tenon_%s'", kind);
	}
}

static void print_zsh(void)
{
	const struct cmd_row *c;

	puts("#compdef tenon");
	put_lists("typeset -ga ", "=(", ")");
	puts("typeset -ga _tenon_commands=(");
	for (size_t i = 0; (c = cmd_row_at(i)) != NULL; i++) {
		printf("\t'%s:", c->name);
		put_quoted(c->does, ":\\");
		puts("'");
	}
	printf(")\n%s", zsh_how);
	for (size_t i = 0; (c = cmd_row_at(i)) != NULL; i++) {
		printf("\t%s)\n\t\t_arguments -s -S", c->name);
		each_option(c, zsh_option);
		zsh_words(c);
		puts(" ;;");
	}
	fputs(zsh_end, stdout);
}

/* ---- fish ---- */

static const char fish_how[] =
    "function __tenon_nothing; end\n"
    "function __tenon_files; __fish_complete_path (commandline -ct | string trim -l -c '\\'\"'); end\n"
    "function __tenon_programs; __fish_complete_subcommand --fcs-skip=2; end\n"
    "function __tenon_mounting\n"
    "\tset -l given (string replace -r '[^,]*$' '' -- (commandline -ct))\n"
    "\tprintf '%s\\n' $given$_tenon_mounting\n"
    "end\n"
    "function __tenon_spaces; tenon ps 2>/dev/null | string replace -rf '^[-0-9].*\\(kept as (.*)\\)$' '$1'; end\n"
    "function __tenon_sources; printf '%s\\n' $_tenon_devices $_tenon_nets; __tenon_files; end\n"
    "function __tenon_bindings\n"
    "\tset -l word (commandline -ct | string trim -l -c '\\'\"')\n"
    "\tif not string match -q '*=*' -- $word; __tenon_files; return; end\n"
    "\tset -l name (string replace -r '=.*' '=' -- $word)\n"
    "\tprintf '%s\\n' $name$_tenon_devices $name$_tenon_nets\n"
    "\tprintf '%s\\n' $name(__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))\n"
    "end\n"
    "function __tenon_is; set -l words (commandline -opc); test (count $words) -ge 2; and test $words[2] = $argv[1]; end\n"
    "complete -c tenon -f\n";

static void fish_option(const struct cmd_row *c, const struct cmd_option *o)
{
	printf("complete -c tenon -n '__tenon_is %s' -l %s", c->name, o->name);
	if (o->letter)
		printf(" -s %c", o->letter);
	if (o->arg)
		printf(" -xa '(__tenon_%s)'", kind_of_argument(o->arg));
	fputs(" -d '", stdout);
	put_quoted(o->does, "");
	puts("'");
}

static void print_fish(void)
{
	const struct cmd_row *c;

	put_lists("set -g ", "", "");
	fputs(fish_how, stdout);
	for (size_t i = 0; (c = cmd_row_at(i)) != NULL; i++) {
		const char *kind = kind_of_words(c->words);

		printf("complete -c tenon -n 'test (count (commandline -opc)) -eq 1' -a %s -d '",
		    c->name);
		put_quoted(c->does, "");
		puts("'");
		each_option(c, fish_option);
		printf("complete -c tenon -n '__tenon_is %s' -a '", c->name);
		if (strcmp(kind, "choice") == 0)
			put_words(c->words, '|', " ");
		else
			printf("(__tenon_%s)", kind);
		puts("'");
	}
}

static const struct {
	const char *name;
	void (*print)(void);
} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

int cmd_completion(const struct cmd_args *a)
{
	for (size_t i = 0; i < TN_COUNT(shells); i++) {
		if (strcmp(shells[i].name, a->words[0]) == 0) {
			shells[i].print();
			return CMD_OK;
		}
	}
	return cmd_usage_error(a->command, a->words[0],
	    "no shell that is known: bash, zsh or fish");
}
