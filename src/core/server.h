/*
 * Server instances (tenon/server.h) from within: the honest defaults of operations.
 */
#ifndef TN_CORE_SERVER_H
#define TN_CORE_SERVER_H

#include "core/loop.h"
#include "core/req.h"

/* The function that serves r: the server's own or the default. */
enum tn_status tn_server_call(struct tn_req *r);

#endif
