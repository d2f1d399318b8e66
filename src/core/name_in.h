/*
 * What the files of tn_name share: name.c turns the steps and has what they have in common, namewalk.c the steps from
 * element to element, nameend.c those at the end of the name.
 */
#ifndef TN_CORE_NAME_IN_H
#define TN_CORE_NAME_IN_H

#include "core/element.h"
#include "core/mem.h"
#include "core/name.h"
#include "core/server.h"
#include "core/union.h"

/* What a step says: the next one, an answer is awaited, or that was all. */
enum next { GO, WAIT, END };

enum step {
	START,    /* nothing done */
	ATTACHED, /* the device has answered */
	NEXT,     /* at cur; go on with the next elements */
	TRY,      /* walk the run in the member that is next to be tried */
	WALKED,   /* the answer to that */
	LINKED,   /* what the symbolic link says that was walked to */
	WENT_UP,  /* the answer to a walk of ".." */
	LAST,     /* at cur, and there are no more elements */
	CLONED,   /* the answer to a walk of no names for TARGET and REMOVE */
	OPEN,     /* the answer to the same for OPEN, or none was needed: next is to be opened */
	OPENED,
	MAKE, /* CREATE: it is not there */
	CREATE, /* the answer to a walk of no names for it, or none was needed: next is the directory */
	CREATED
};

/* ---- name.c: what steps have in common. Ends, requests, paths, mount points. ---- */

enum next tn_name_fail(struct tn_name *n, enum tn_err err);
enum next tn_name_fail_as_said(struct tn_name *n);
enum next tn_name_go(struct tn_name *n, enum step step);
void tn_name_set_chan(struct tn_chan **at, struct tn_chan *c);
void tn_name_set_path(struct tn_name *n, struct tn_path *path);
void tn_name_set_list(struct tn_name *n, struct tn_members *list);
enum next tn_name_give(struct tn_name *n, struct tn_chan *c);
void tn_name_request(struct tn_name *n, enum tn_req_type type, struct tn_chan *c);
enum next tn_name_send(struct tn_name *n, enum step then);
enum next tn_name_walk(struct tn_name *n, struct tn_chan *base, uint16_t n_names, enum step then);
bool tn_name_is_private(const struct tn_chan *c);
struct tn_path *tn_name_path_behind(struct tn_name *n, uint32_t k, enum tn_err *err);
bool tn_name_is_same_path(const struct tn_path *a, const struct tn_path *b);
struct tn_members *tn_name_mounted_at(struct tn_name *n, const struct tn_server *server,
    uint64_t path, struct tn_chan **under);
bool tn_name_cross(struct tn_name *n, struct tn_path *path, struct tn_chan *under,
    struct tn_members *list);
bool tn_name_cross_here(struct tn_name *n);
struct tn_chan *tn_name_shown(const struct tn_name *n);
void tn_name_saw(struct tn_name *n, uint32_t i, struct tn_server *server, const struct tn_qid *qid,
    const struct tn_members *list);

/* ---- the steps, by enum step ---- */

enum next tn_name_do_cloned(struct tn_name *n);
enum next tn_name_do_last(struct tn_name *n);
enum next tn_name_do_open(struct tn_name *n);
enum next tn_name_do_opened(struct tn_name *n);
enum next tn_name_do_make(struct tn_name *n);
enum next tn_name_do_create(struct tn_name *n);
enum next tn_name_do_created(struct tn_name *n);
enum next tn_name_do_start(struct tn_name *n);
enum next tn_name_do_attached(struct tn_name *n);
enum next tn_name_do_went_up(struct tn_name *n);
enum next tn_name_do_next(struct tn_name *n);
enum next tn_name_do_try(struct tn_name *n);
enum next tn_name_do_linked(struct tn_name *n);
enum next tn_name_do_walked(struct tn_name *n);

#endif
