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

/* 9P2000.L: spelll.c, spellname.c, spellx.c, spelllock.c */
extern const struct tn_spelling tn_spelll_lopen, tn_spelll_lcreate, tn_spelll_setattr,
    tn_spelll_readdir, tn_spelll_fsync, tn_spelll_statfs;
extern const struct tn_spelling tn_spelll_mkdir, tn_spelll_mknod, tn_spelll_symlink,
    tn_spelll_readlink, tn_spelll_link, tn_spelll_rename, tn_spelll_renameat, tn_spelll_unlinkat;
extern const struct tn_spelling tn_spelll_xattrwalk, tn_spelll_xattrcreate, tn_spelll_clunk,
    tn_spelll_remove;
extern const struct tn_spelling tn_spelll_lock, tn_spelll_getlock;

/* spellt.c: 9P2000.L.tenon. Trenameat2 is tn_spelll_renameat */
extern const struct tn_spelling tn_spellt_allocate, tn_spellt_seek, tn_spellt_copy;

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

/* A name that something has in a directory, and not the directory itself. TN_OK, or what is wrong. */
enum tn_err tn_spell_old_name(const struct tn_call *call, struct tn_str name);

/*
 * Makes call->r the TN_WALK of m->name from the fid to call->newchan. false: it has failed. name_point: of that request.
 * walked: it was answered; false: by an error.
 */
bool tn_spell_walk_name(struct tn_call *call, struct tn_msg *m);
void tn_spell_name_point(struct tn_call *call, struct tn_msg *m);
bool tn_spell_walked(struct tn_call *call);

/* The call was flushed, or nobody waits for it: call->r has failed, and what is left to ask is not asked. */
bool tn_spell_is_over(struct tn_call *call);

/* Tread. */
bool tn_spell_read_then(struct tn_call *call, struct tn_msg *m);

/*
 * Tclunk, Tremove. last: what the peer hears is in call->r; makes that the TN_CLUNK of the fid's Chan, to be submitted by
 * tn_chan_close. last_then does so when call->r was something else than a clunk.
 */
enum tn_status tn_spell_clunk_ask(struct tn_call *call, struct tn_msg *m);
enum tn_status tn_spell_remove_ask(struct tn_call *call, struct tn_msg *m);
void tn_spell_last(struct tn_call *call);
bool tn_spell_last_then(struct tn_call *call, struct tn_msg *m);

#endif
