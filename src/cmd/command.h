/*
 * The subcommands: each in the file named for it, each a function from its arguments to an exit status (enum cmd_status).
 * What failed it has said on standard error by then.
 */
#ifndef TN_CMD_COMMAND_H
#define TN_CMD_COMMAND_H

#include "cmd/option.h"

int cmd_run(const struct cmd_args *a);
int cmd_doctor(const struct cmd_args *a);
int cmd_export(const struct cmd_args *a);

int cmd_bind(const struct cmd_args *a);
int cmd_mount(const struct cmd_args *a);
int cmd_unmount(const struct cmd_args *a);
int cmd_ns(const struct cmd_args *a);
int cmd_whence(const struct cmd_args *a);
int cmd_ps(const struct cmd_args *a);

int cmd_ls(const struct cmd_args *a);
int cmd_cat(const struct cmd_args *a);
int cmd_put(const struct cmd_args *a);
int cmd_stat(const struct cmd_args *a);
int cmd_mkdir(const struct cmd_args *a);
int cmd_rm(const struct cmd_args *a);
int cmd_mv(const struct cmd_args *a);
int cmd_cp(const struct cmd_args *a);

int cmd_completion(const struct cmd_args *a);
int cmd_version(const struct cmd_args *a);

#endif
