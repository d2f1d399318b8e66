/*
 * An engine (link/stream.h) for tests of transports: takes what comes, sends what it is given; echoes if it is told to.
 */
#ifndef TEST_ENGINE_H
#define TEST_ENGINE_H

#include "link/stream.h"

struct engine {
	struct tn_stream stream;
	uint8_t *in, *out;
	size_t in_len, in_size; /* in_size: all the room there is */
	size_t out_len, out_at;
	size_t piece; /* how much it shows of `out` at a time; 0: all */
	bool echo;
	bool hung_up;
	enum tn_err why;
	unsigned hangups;
};

void engine_init(struct engine *e, size_t in_size);
void engine_fini(struct engine *e);
/* Gives it bytes to send. */
void engine_send(struct engine *e, const void *data, size_t len);
/* Throws away what has come: there is room again. */
void engine_drain(struct engine *e);
/* Asks the transport to close when all is sent. */
void engine_close(struct engine *e);
/* Goes away. */
void engine_detach(struct engine *e);

#endif
