/*
 * tenon doctor: what this machine can do for tenon run.
 */
#include "launch/doctor.h"

#include "cmd/command.h"

int cmd_doctor(const struct cmd_args *a)
{
	return tn_doctor_print(stdout, cmd_has(a, OPT_JSON));
}
