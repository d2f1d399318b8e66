/*
 * Errors. Each has two faces from birth: Plan 9's text and Linux's errno (the numbers of 9P2000.L, which are the same
 * on every host). A server's own words may travel beside the number: tn_fail_words in tenon/server.h, where the faces are.
 */
#ifndef TN_CORE_ERR_H
#define TN_CORE_ERR_H

#include "tenon/server.h"

/*
 * The error that a server's text means: an exact text of the table, or one of the well-known spellings of other
 * servers (u9fs, lib9p, Linux's strerror). TN_EREMOTE when it is none of them; then the words themselves count.
 */
enum tn_err tn_err_of_text(struct tn_str text);

/* The error that a Linux errno means. TN_EIO when the table has none. */
enum tn_err tn_err_of_linux(uint32_t number);

#endif
