/*
 * Bytes of the wire: little-endian numbers, and the two cursors. Everything that is read goes through take(),
 * everything that is written through give(); both compare with what is left, so no length can wrap a pointer.
 */
#ifndef TN_WIRE_BYTES_H
#define TN_WIRE_BYTES_H

#include "tenon/9p.h"

#include "wire/mem.h"

enum { QID_SIZE = 13 }; /* type[1] version[4] path[8] */

/* What is left of the input. */
struct cursor {
	const uint8_t *at, *end;
};

/* What is left of the room for output. */
struct room {
	uint8_t *at, *end;
	uint32_t apart; /* bytes of the frame that its sender adds from elsewhere */
};

/* Takes the next n bytes, or NULL when fewer are left: the only place where input is bounded. */
static inline const uint8_t *take(struct cursor *c, size_t n)
{
	if (n > (size_t)(c->end - c->at))
		return NULL;
	c->at += n;
	return c->at - n;
}

/* Gives the next n bytes to be written, or NULL when fewer are left: the only place where output is bounded. */
static inline uint8_t *give(struct room *o, size_t n)
{
	if (n > (size_t)(o->end - o->at))
		return NULL;
	o->at += n;
	return o->at - n;
}

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline struct tn_qid get_qid(const uint8_t *p)
{
	return (struct tn_qid){ .type = p[0], .version = get32(p + 1), .path = get64(p + 5) };
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static inline void put_qid(uint8_t *p, struct tn_qid qid)
{
	p[0] = qid.type;
	put32(p + 1, qid.version);
	put64(p + 5, qid.path);
}

static inline bool has_nul(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == 0)
			return true;
	return false;
}

/* The bytes of a string whose len[2] has been taken. intro(5): no NUL in it. */
static inline enum tn_codec_err take_text(struct cursor *c, uint16_t len, struct tn_str *out)
{
	const uint8_t *p = take(c, len);

	if (!p)
		return TN_CODEC_SHORT;
	if (has_nul(p, len))
		return TN_CODEC_STRING;
	*out = (struct tn_str){ (const char *)p, len };
	return TN_CODEC_OK;
}

/* A whole string, len[2] and bytes. */
static inline enum tn_codec_err take_str(struct cursor *c, struct tn_str *out)
{
	const uint8_t *p = take(c, 2);

	return p ? take_text(c, get16(p), out) : TN_CODEC_SHORT;
}

/* The bytes of a string, and its length to len[2], which has been given. */
static inline enum tn_codec_err give_text(struct room *o, uint8_t *len, struct tn_str s)
{
	uint8_t *p;

	if (s.len > UINT16_MAX)
		return TN_CODEC_ROOM;
	p = give(o, s.len);
	if (!p)
		return TN_CODEC_ROOM;
	put16(len, (uint16_t)s.len);
	if (s.len)
		memcpy(p, s.s, s.len);
	return TN_CODEC_OK;
}

/* A whole string, len[2] and bytes. */
static inline enum tn_codec_err give_str(struct room *o, struct tn_str s)
{
	uint8_t *len = give(o, 2);

	return len ? give_text(o, len, s) : TN_CODEC_ROOM;
}

#endif
