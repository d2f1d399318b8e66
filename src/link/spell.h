/*
 * The spellings of requests, which the table in dialect.c points at. spell.c and spellio.c have those of 9P2000, most of
 * which the other dialects share.
 */
#ifndef TN_LINK_SPELL_H
#define TN_LINK_SPELL_H

#include "link/call.h"

#define TN_OFFSET_MAX ((uint64_t)INT64_MAX)

/* spell.c */
extern const struct tn_spelling tn_spell_auth, tn_spell_attach, tn_spell_walk, tn_spell_open,
    tn_spell_create, tn_spell_clunk, tn_spell_remove;

/* spellio.c */
extern const struct tn_spelling tn_spell_read, tn_spell_write, tn_spell_stat, tn_spell_wstat;

/* spellu.c: 9P2000.u */
extern const struct tn_spelling tn_spellu_create, tn_spellu_stat;

/* ---- what they share ---- */

/* A name that a file may get. TN_OK, or why not. */
enum tn_err tn_spell_new_name(const struct tn_call *call, struct tn_str name);

/* An answer that says nothing but that it is one. */
void tn_spell_only(struct tn_call *call, struct tn_msg *m);

/* call->r has opened the file of the fid: the fid is open, and the answer says so. */
void tn_spell_opened(struct tn_call *call, struct tn_msg *m, uint32_t iounit);

/* The fid stands for the Chan that was made for the call. */
void tn_spell_move(struct tn_call *call, struct tn_fid *fid);

/* Tcreate; what must be so whatever is made. */
enum tn_err tn_spell_check_create(const struct tn_call *call, const struct tn_msg *m);
enum tn_status tn_spell_create_ask(struct tn_call *call, struct tn_msg *m);
void tn_spell_create_point(struct tn_call *call, struct tn_msg *m);
void tn_spell_create_answer(struct tn_call *call, struct tn_msg *m);

/* Tstat. */
enum tn_status tn_spell_stat_ask(struct tn_call *call, struct tn_msg *m);
bool tn_spell_stat_then(struct tn_call *call, struct tn_msg *m);

/* Makes call->r the TN_CLUNK of the fid's Chan, to be submitted by tn_chan_close; the fid has none any more. */
void tn_spell_close(struct tn_call *call);

/* Another request is asked: what came of the first is kept, to be what the peer hears. */
void tn_spell_keep(struct tn_call *call);
void tn_spell_tell(struct tn_call *call);

#endif
