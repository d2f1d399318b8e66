/*
 * --limit NAME=VALUE of tenon export: the table of what a service bounds for its peers. docs/limits.md describes it.
 */
#ifndef TN_CMD_LIMITS_H
#define TN_CMD_LIMITS_H

#include "cmd/option.h"
#include "host/posix/serve.h"

/* Sets in *o what the command line says of limits. false: a usage error was said. */
bool cmd_limits(const struct cmd_args *a, struct tn_service_options *o);

#endif
