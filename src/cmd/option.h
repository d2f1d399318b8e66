/*
 * The one table of subcommands and options: parsing, `--help`, usage errors, man pages and completion come from it
 * (the last two by `tenon --dump-options`). A new option is a row in option.c; a new command a row there and a file.
 */
#ifndef TN_CMD_OPTION_H
#define TN_CMD_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Commands as bits: a row of an option says which of them take it. */
enum cmd_bit {
	CMD_RUN = 1 << 0,
	CMD_EXPORT = 1 << 1,
	CMD_BIND = 1 << 2,
	CMD_MOUNT = 1 << 3,
	CMD_UNMOUNT = 1 << 4,
	CMD_NS = 1 << 5,
	CMD_WHENCE = 1 << 6,
	CMD_LS = 1 << 7,
	CMD_CAT = 1 << 8,
	CMD_PUT = 1 << 9,
	CMD_STAT = 1 << 10,
	CMD_MKDIR = 1 << 11,
	CMD_RM = 1 << 12,
	CMD_MV = 1 << 13,
	CMD_CP = 1 << 14,
	CMD_DOCTOR = 1 << 15,
	CMD_VERSION = 1 << 16,
	CMD_PS = 1 << 17,
	CMD_COMPLETION = 1 << 18
};

enum cmd_opt {
	OPT_HELP,
	OPT_JSON,
	/* composition, in the order given */
	OPT_BIND_REPLACE,
	OPT_BIND_BEFORE,
	OPT_BIND_AFTER,
	OPT_MOUNT,
	OPT_WITH,
	OPT_FILE,
	OPT_CLEAN,
	/* run */
	OPT_NO_MOUNT,
	OPT_READ_ONLY,
	OPT_PIDS,
	OPT_KEEP,
	OPT_IN,
	OPT_END,
	/* export */
	OPT_LISTEN,
	OPT_SUB,
	OPT_MAP_USER,
	OPT_READY_FD,
	OPT_LIMIT,
	/* alteration, as flags of bind(1) and mount(1) */
	OPT_BEFORE,
	OPT_AFTER,
	OPT_CREATE,
	OPT_CACHE,
	OPT_PID,
	OPT_HOST,
	/* looking and changing */
	OPT_LONG,
	OPT_UNION,
	OPT_SELF,
	OPT_PARENTS,
	OPT_RECURSIVE,
	OPT_APPEND,
	OPT_MODE,
	OPT_SPECS,
	OPT_QUIET
};

struct cmd_args;

struct cmd_row {
	const char *name;
	enum cmd_bit bit;
	int (*run)(const struct cmd_args *a); /* gives the exit status */
	const char *words;                    /* "[DIAL] NAME..." */
	uint8_t words_min;
	uint8_t words_max; /* 255: any number */
	bool
	    ends_at_word; /* what stands behind the first word is not looked at: it is another program's */
	const char *does;    /* half a sentence, for the list of commands */
	const char *example; /* a line; a test runs it */
};

struct cmd_option {
	enum cmd_opt id;
	char letter;       /* 0: none */
	const char *name;  /* without "--"; NULL: none */
	const char *arg;   /* "DIAL"; NULL: takes none */
	uint32_t commands; /* enum cmd_bit */
	const char *does;
};

/* An option as it was given, in the order of the command line. value: NULL when it takes none. Borrowed from argv. */
struct cmd_given {
	enum cmd_opt id;
	const char *value;
};

struct cmd_args {
	const struct cmd_row *command;
	struct cmd_given *given;
	size_t n_given;
	char **words; /* what is no option; of argv */
	int n_words;
};

/* Exit status of every command; product.md section 2. */
enum cmd_status { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_LACKING = 125 };

/* The row named so, or NULL. */
const struct cmd_row *cmd_row_of(const char *name);

/*
 * Parses what stands behind the command's name; words come into argv's front. Returns true, or false when the program
 * is to end with *status: --help was printed, or the usage error on standard error. cmd_args_free either way.
 */
bool cmd_args_parse(struct cmd_args *a, const struct cmd_row *command, int argc, char **argv,
    int *status);
void cmd_args_free(struct cmd_args *a);

/* Whether the option was given; its last value, or NULL. */
bool cmd_has(const struct cmd_args *a, enum cmd_opt id);
const char *cmd_value(const struct cmd_args *a, enum cmd_opt id);

/* The rows of the table in order; NULL behind the last. An option is a command's if it has the command's bit. */
const struct cmd_row *cmd_row_at(size_t i);
const struct cmd_option *cmd_option_at(size_t i);

/* `tenon --help`; a usage error of a word, with a hint; both give the exit status. */
int cmd_usage(FILE *to);
int cmd_usage_error(const struct cmd_row *command, const char *name, const char *cause);

/* The name nearest to a mistyped command's, or NULL when none is near. */
const char *cmd_nearest(const char *name);

/* The whole table as JSON, for man/make.py and completion. */
int cmd_dump_options(void);

#endif
