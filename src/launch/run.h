/*
 * `tenon run`: a program in a name space of its own. product.md 2; launcher.md. This is S: it composes the name space,
 * serves what of it is not the kernel's, and carries out changes until the last process inside has ended.
 */
#ifndef TN_LAUNCH_RUN_H
#define TN_LAUNCH_RUN_H

#include "lib/compose.h"

struct tn_run {
	struct tn_compose *compose; /* what the command line says; ->clean, ->read_only with it */
	bool no_mount;              /* CMD may mount nothing and name few devices: RFNOMNT */
	bool pids;
	bool commands; /* #cmd may be named */
	const char *
	    keep; /* a name (control.h): it goes on when argv has ended, until it is asked to end; NULL: it does not */
	char *const *argv; /* what to run, terminated by NULL */
};

/*
 * Returns the exit status that `tenon` ends with, all being said; when the program died by a signal it does not return.
 * The caller has no threads and no loop.
 */
int tn_run(const struct tn_run *run);

#endif
