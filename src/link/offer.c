/*
 * The version: in which dialect a connection is spoken. version(5). What carries most is offered first; a peer that does
 * not speak it says "unknown", answers with an error or hangs up: then the next is offered. And what errors mean in each
 * dialect.
 */
#include "link/client.h"
#include "link/dialect.h"

/* What is offered to a peer that one knows nothing of. */
static const enum tn_dialect best = TN_9P2000_TENON;

/* What a person calls the dialect: between two Tenons 9P2000.L is 9P2000.L.tenon. */
static enum tn_dialect as_asked(enum tn_dialect dialect)
{
	return dialect == TN_9P2000_TENON ? TN_9P2000_L : dialect;
}

void tn_client_offer_first(struct tn_client *client)
{
	client->offered = client->asked;
	if (client->asked == TN_DIALECTS || client->asked == TN_9P2000_L)
		client->offered = client->is_no_tenon ? TN_9P2000_L : best;
}

void tn_client_send_version(struct tn_client *client)
{
	struct tn_msg m;

	m.type = TN_TVERSION;
	m.tag = TN_NOTAG;
	m.msize = client->offer;
	m.version.s = tn_dialect_name(client->offered);
	m.version.len = (uint32_t)tn_strlen(m.version.s);
	client->dialect = client->offered; /* the same message in all */
	tn_client_put_msg(client, &m);     /* the empty buffer has room for it */
}

static bool may_offer_less(const struct tn_client *client)
{
	return client->offered > (client->asked == TN_DIALECTS ? TN_9P2000 : client->asked);
}

static void offer_less(struct tn_client *client)
{
	if (client->offered == TN_9P2000_TENON)
		client->is_no_tenon = true;
	client->offered--;
}

static bool same(struct tn_str a, const char *b, size_t len)
{
	return a.len == len && memcmp(a.s, b, len) == 0;
}

/*
 * The dialect that the answer means: what was offered or something lower. A suffix that no dialect here has is part of
 * 9P2000; one that a dialect has would change the messages' form, so it must have been offered. TN_DIALECTS: none.
 */
static enum tn_dialect answered(const struct tn_client *client, struct tn_str version)
{
	const char *plain = tn_dialect_name(TN_9P2000);
	uint32_t len = (uint32_t)tn_strlen(plain);

	for (int d = TN_9P2000; d < TN_DIALECTS; d++) {
		const char *name = tn_dialect_name((enum tn_dialect)d);

		if (same(version, name, tn_strlen(name)))
			return d <= (int)client->offered ? (enum tn_dialect)d : TN_DIALECTS;
	}
	return version.len > len && memcmp(version.s, plain, len) == 0 && version.s[len] == '.'
		   ? TN_9P2000
		   : TN_DIALECTS;
}

/* No version came of the offer. */
static void refused(struct tn_client *client, const char *what, struct tn_str said)
{
	static const char *const whats[TN_DIALECTS] = {
		[TN_9P2000_U] = "9P2000.u was asked for, the peer says",
		[TN_9P2000_L] = "9P2000.L was asked for, the peer says",
	};

	if (may_offer_less(client)) {
		offer_less(client);
		client->offer_is_late = true;
		tn_client_send_version(client);
	} else if (client->asked != TN_DIALECTS && whats[client->asked]) {
		tn_client_refuse(client, whats[client->asked], said);
	} else {
		tn_client_refuse(client, what, said);
	}
}

static void agreed(struct tn_client *client, enum tn_dialect dialect, uint32_t msize)
{
	client->dialect = client->spoke = dialect;
	client->msize = msize;
	client->state = TN_CLIENT_READY;
	client->ever = true;
	client->quiet_ns = tn_now_ns();
	tn_op_wake_all(client, &client->waiting);
}

static void take_version(struct tn_client *client, const struct tn_msg *m)
{
	enum tn_dialect dialect = answered(client, m->version);
	/* Whoever knows 9P2000.L and no suffix of it leaves out both: it has still to be offered. */
	bool is_short = client->offered == TN_9P2000_TENON && dialect < TN_9P2000_L;

	if (dialect == TN_DIALECTS || is_short ||
	    (client->asked != TN_DIALECTS && client->asked != as_asked(dialect)))
		refused(client, "9P version not supported", m->version);
	else if (m->msize > client->offer || m->msize < TN_MSIZE_MIN)
		tn_client_refuse(client, "msize out of range in Rversion",
		    (struct tn_str){ NULL, 0 });
	else
		agreed(client, dialect, m->msize);
}

/* An error may come in the form of any dialect: none is agreed on. diod says Rlerror to all that it does not know. */
const char *tn_client_version(struct tn_client *client, const uint8_t *frame, size_t len)
{
	struct tn_msg m;
	int d = TN_9P2000;

	while (!tn_client_decode(client, &m, (enum tn_dialect)d, frame, len)) {
		if (++d == TN_DIALECTS)
			return "malformed message";
	}
	if (m.type == TN_RLERROR) {
		m.ename.s = tn_err_text(tn_err_of_linux(m.error));
		m.ename.len = (uint32_t)tn_strlen(m.ename.s);
	}
	if (m.tag == TN_NOTAG && m.type == TN_RVERSION)
		take_version(client, &m);
	else if (m.tag == TN_NOTAG && tn_is_error(&m))
		refused(client, "version refused", m.ename);
	else
		tn_client_refuse(client, "not a 9P server", (struct tn_str){ NULL, 0 });
	return NULL;
}

/*
 * Some servers hang up at a version that they do not know, or behind their answer to it. One that has agreed on it before is no such server: it went.
 * What cannot or should not be dialled for this alone is not: descriptors, programs.
 */
bool tn_client_offer_again(struct tn_client *client)
{
	bool has_spoken = client->spoke != TN_DIALECTS &&
			  client->spoke >= as_asked(client->offered);

	if (client->state != TN_CLIENT_VERSION || has_spoken || client->dialer->once ||
	    (!may_offer_less(client) && !client->offer_is_late))
		return false;
	if (!client->offer_is_late)
		offer_less(client);
	tn_client_redial(client);
	return true;
}

/* ---- errors ---- */

/*
 * nfs-ganesha's errors are Rerror with the number of Rlerror, which Linux's client takes. They can mean nothing else where
 * an Rerror has no words: as a text a number below 65536 would be two characters NUL.
 */
static bool decode_number(struct tn_client *client, struct tn_msg *m, const uint8_t *frame,
    size_t len)
{
	uint8_t number[TN_HDR_SIZE + 4];

	if (len != sizeof(number))
		return false;
	memcpy(number, frame, len);
	number[4] = TN_RLERROR;
	if (tn_msg_decode(m, TN_9P2000_L, number, len) != TN_CODEC_OK || m->error > UINT16_MAX)
		return false;
	tn_client_shows(client, TN_SIGN_RERROR_OF_NUMBER);
	return true;
}

bool tn_client_decode(struct tn_client *client, struct tn_msg *m, enum tn_dialect dialect,
    const uint8_t *frame, size_t len)
{
	if (tn_msg_decode(m, dialect, frame, len) == TN_CODEC_OK)
		return true;
	return dialect == TN_9P2000_L && m->type == TN_RERROR &&
	       decode_number(client, m, frame, len);
}

static enum tn_err of_number(uint32_t number)
{
	enum tn_err err = tn_err_of_linux(number);

	if (number == 0 || (err == TN_EIO && number != tn_err_linux(TN_EIO)))
		return TN_EREMOTE; /* the table has none */
	return err;
}

enum tn_err tn_client_err(const struct tn_client *client, const struct tn_msg *m)
{
	enum tn_err err = m->type == TN_RERROR ? tn_err_of_text(m->ename) : TN_EREMOTE;

	/* Plain 9P2000 has no number. */
	return err == TN_EREMOTE && client->dialect != TN_9P2000 ? of_number(m->error) : err;
}
