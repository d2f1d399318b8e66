/*
 * The world of world.h, served by a conn to a peer in memory: the target. What it says arrives in the pieces that the conn
 * has room for; its answers are taken away whole, and are held against what was asked.
 */
#ifndef TEST_FUZZ_SERVED_H
#define TEST_FUZZ_SERVED_H

#include "link/conn.h"
#include "world.h"

/* dialect: agreed on in a session with an attached fid 0, and with 1 and 2 walked to /a/f and /u. TN_DIALECTS: nothing yet. */
void fuzz_served_begin(enum tn_dialect dialect, const struct tn_view_options *o);

/* Hangs up. The conn must have ended by then, and be gone. */
void fuzz_served_end(void);

/* Bytes to the conn; then all that is due. false: it listens no more. */
bool fuzz_served_send(const uint8_t *bytes, size_t len);

/* A message of the session's dialect; false: it cannot be said, or nobody listens. */
bool fuzz_served_say(const struct tn_msg *m);

/*
 * Takes what the conn has to say, frame by frame. Each is a message of the agreed dialect, the answer to one that was said
 * with fuzz_served_say, with its tag, and the only one.
 */
void fuzz_served_hear(void);

/* The same without a look at it: for bytes that were no messages of ours. */
void fuzz_served_drop(void);

bool fuzz_served_waits(uint16_t tag); /* for its answer */

#endif
