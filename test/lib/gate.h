/*
 * A file server for the tests, with the public headers alone: `text` says what it says; a read of `gate` waits until
 * somebody writes to `key`, then it gives what was written; a read of `inside` makes a call from where none is allowed and
 * gives the name of its error.
 */
#ifndef TN_TEST_LIB_GATE_H
#define TN_TEST_LIB_GATE_H

#include <tenon.h>

#define GATE_TEXT "open to all\n"

/* One reference, for tn_server_put. */
struct tn_server *gate_new(void);

/* How many reads wait at the gate. Any thread. */
unsigned gate_waits(const struct tn_server *s);

/* How many gates there are. */
unsigned gates(void);

#endif
