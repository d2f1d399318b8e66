/*
 * The keeper of a command: what it does between its fork and its end. It makes system calls only, because the program that
 * forked it may have threads.
 */
#ifndef TN_POSIX_CMDKEEP_H
#define TN_POSIX_CMDKEEP_H

#include <stdint.h>

/* What the keeper reports, in whole records: STARTED or FAILED, then ENDED; then, at the end of file, it has ended. */
enum cmd_report_kind { CMD_STARTED, CMD_FAILED, CMD_ENDED };

struct cmd_report {
	uint32_t kind;
	int32_t value; /* FAILED: an errno; ENDED: a wait status */
	int32_t pid;
	uint32_t user_ms, system_ms, real_ms;
};

struct cmd_keep {
	int in, out, err; /* of the command */
	int life;         /* a byte: kill all; the end of file: and end */
	int report;
	const char *const *argv;
	const char *dir; /* "": as it is */
	int nice;
};

_Noreturn void cmd_keep(const struct cmd_keep *k);

#endif
