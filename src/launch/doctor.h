/*
 * What this machine can do for `tenon run`, tried and not guessed: each probe does the thing itself, in a child. The
 * first failure is the cause of what follows; every failure has a fix.
 */
#ifndef TN_LAUNCH_DOCTOR_H
#define TN_LAUNCH_DOCTOR_H

#include "launch/step.h"

#include <stdbool.h>

/* What came of one probe. Strings are constant. */
struct tn_probe_result {
	const char *name;    /* "user name spaces" */
	const char *serves;  /* what needs it: "run", "live changes", "run --pids" */
	bool required;       /* `tenon run` cannot do without */
	bool tried;          /* false: an earlier failure made it useless */
	int error;           /* errno, 0: it works */
	enum tn_step step;   /* what failed */
	const char *message; /* what is missing; NULL when error is 0 */
	const char *fix;     /* how to get it */
};

#define TN_PROBES 7

/* Runs the probes in their order. */
void tn_doctor_probe(struct tn_probe_result results[TN_PROBES]);

/*
 * Says on standard error what the machine lacks, and the fix: the first probe that fails, of those that a run with these
 * options needs; if none does, what the table has for the step and errno that failed. Says nothing if it has nothing.
 */
void tn_doctor_explain(const char *who, bool pids, bool read_only, enum tn_step step, int error);

/* The row for a failed step: false if the table has none. */
bool tn_doctor_fix(enum tn_step step, int error, const char **message, const char **fix);

#endif
