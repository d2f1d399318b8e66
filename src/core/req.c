/*
 * The life of a request. Who may answer when is the table `next_state`; servers see none of it but through tn_keep,
 * tn_respond, tn_fail.
 */
#include "core/req.h"

#include "core/chan.h"
#include "core/mem.h"
#include "core/server.h"

enum state {
	BAD,
	NEW,      /* made, not submitted */
	SERVING,  /* inside the server's operation */
	HELD,     /* the same, and tn_keep was called */
	ANSWERED, /* the same, and tn_respond was called */
	KEPT,     /* the operation has returned TN_LATER */
	FLUSHED,  /* the same, and its end has been asked for */
	DONE,
	STATES
};

enum event { EV_SUBMIT, EV_KEEP, EV_RESPOND, EV_RETURN_DONE, EV_RETURN_LATER, EV_FLUSH, EVENTS };

/* clang-format off */
static const uint8_t next_state[STATES][EVENTS] = {
	[NEW] = { [EV_SUBMIT] = SERVING, [EV_KEEP] = HELD },
	[SERVING] = { [EV_KEEP] = HELD, [EV_RETURN_DONE] = DONE },
	[HELD] = { [EV_KEEP] = HELD, [EV_RESPOND] = ANSWERED, [EV_RETURN_DONE] = DONE, [EV_RETURN_LATER] = KEPT },
	[ANSWERED] = { [EV_RETURN_LATER] = DONE, [EV_RETURN_DONE] = DONE },
	[KEPT] = { [EV_RESPOND] = DONE, [EV_FLUSH] = FLUSHED, [EV_SUBMIT] = SERVING },
	[FLUSHED] = { [EV_RESPOND] = DONE, [EV_SUBMIT] = SERVING },
};
/* clang-format on */

static void move(struct tn_req *r, enum event event)
{
	uint8_t to = next_state[r->state][event];

	tn_assert(to != BAD);
	r->state = to;
}

void tn_req_init(struct tn_req *r, enum tn_req_type type, struct tn_chan *c,
    const struct tn_owner *owner)
{
	memset(r, 0, sizeof(*r));
	r->type = (uint8_t)type;
	r->state = NEW;
	r->owner = owner;
	r->chan = c;
	r->server = c ? c->server : NULL;
	r->user = c ? c->user : NULL;
}

void tn_req_reset(struct tn_req *r)
{
	tn_free(r->words);
	r->words = NULL;
}

/* What an answer means for the Chans, whoever served it. A clunk is the end of its Chan, whatever the server says. */
static void finish(struct tn_req *r)
{
	struct tn_chan *c = r->chan;

	if (r->type == TN_CLUNK && c) {
		tn_chan_destroy(c);
		r->chan = NULL;
	}
	if (r->err != TN_OK)
		return;
	if (r->type == TN_ATTACH)
		r->u.attach.newchan->flags |= TN_CF_USED;
	else if (r->type == TN_WALK && r->u.walk.n_walked == r->u.walk.n_names)
		r->u.walk.newchan->flags |= TN_CF_USED;
	else if (r->type == TN_OPEN || r->type == TN_CREATE)
		c->flags |= TN_CF_OPEN | (r->flags & TN_OF_LASTING);
}

enum tn_status tn_submit(struct tn_req *r)
{
	enum tn_status status;

	move(r, EV_SUBMIT);
	status = tn_server_call(r);
	move(r, status == TN_LATER ? EV_RETURN_LATER : EV_RETURN_DONE);
	if (r->state != DONE)
		return TN_LATER;
	finish(r);
	return TN_DONE;
}

bool tn_keep(struct tn_req *r)
{
	if (r->state != HELD && r->owner && r->owner->keep && !r->owner->keep(r)) {
		tn_fail(r, TN_ENOMEM);
		return false;
	}
	move(r, EV_KEEP);
	return true;
}

void tn_req_wait(struct tn_req *r)
{
	move(r, EV_RETURN_LATER);
}

void tn_respond(struct tn_req *r)
{
	move(r, EV_RESPOND);
	if (r->state != DONE)
		return; /* still inside the operation: tn_submit will say TN_DONE */
	finish(r);
	r->owner->done(r);
}

void tn_flush(struct tn_req *r)
{
	enum tn_status (*flush)(struct tn_req *);

	if (r->state != KEPT)
		return;
	move(r, EV_FLUSH);
	flush = r->server ? r->server->ops->op[TN_FLUSH] : NULL;
	if (flush)
		flush(r);
}

bool tn_req_pending(const struct tn_req *r)
{
	return r->state == KEPT || r->state == FLUSHED;
}

bool tn_req_flushed(const struct tn_req *r)
{
	return r->state == FLUSHED;
}

enum tn_status tn_fail(struct tn_req *r, enum tn_err err)
{
	tn_req_reset(r);
	r->err = (uint16_t)err;
	return TN_DONE;
}

enum tn_status tn_fail_words(struct tn_req *r, enum tn_err err, const char *text, size_t len)
{
	tn_fail(r, err);
	/* The table's own text needs no copy; without memory the number must do. */
	if (tn_strlen(tn_err_text(err)) == len && memcmp(tn_err_text(err), text, len) == 0)
		return TN_DONE;
	r->words = tn_alloc(len + 1);
	if (r->words)
		memcpy(r->words, text, len);
	return TN_DONE;
}

const char *tn_req_text(const struct tn_req *r)
{
	return r->words ? r->words : tn_err_text((enum tn_err)r->err);
}

void tn_req_take_error(struct tn_req *to, struct tn_req *from)
{
	tn_fail(to, (enum tn_err)from->err);
	to->words = from->words;
	from->words = NULL;
}

enum tn_status tn_reply_text(struct tn_req *r, const char *text, size_t len)
{
	uint64_t off = r->u.io.offset;
	size_t n = off < len ? len - (size_t)off : 0;

	if (n > r->u.io.count)
		n = r->u.io.count;
	if (n > 0)
		memcpy(r->u.io.data, text + off, n);
	r->u.io.count = (uint32_t)n;
	return TN_DONE;
}

/*
 * stat(5)'s type, the letter of the device: how a peer can know that a file is made up when it is read, so that its
 * length says nothing and its bytes must not be kept. Files that are kept somewhere say 0.
 */
enum tn_status tn_reply_stat(struct tn_req *r, const struct tn_stat *st)
{
	struct tn_stat with_type;

	if (!(r->server->flags & (TN_SF_DEVICE | TN_SF_BLOCKS)) || st->type != 0) {
		r->owner->stat(r, st);
		return TN_DONE;
	}
	with_type = *st;
	with_type.type = r->server->label[0] == '#' ? (uint8_t)r->server->label[1] : '#';
	r->owner->stat(r, &with_type);
	return TN_DONE;
}
