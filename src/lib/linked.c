/* The counters of a client in words. */
#include "lib/linked.h"

#include "link/mnt.h"

bool tn_linked(const struct tn_server *s, struct tn_linked *out)
{
	struct tn_client_stats st;
	const struct tn_client *client = tn_mnt_client(s);

	if (!client)
		return false;
	tn_client_stats(client, &st);
	*out = (struct tn_linked){ .client = client,
		.messages = st.messages_out,
		.losses = st.losses };
	out->state = st.connected ? "connected" : st.dials ? "lost" : "not yet connected";
	out->dialect = st.dialect < TN_DIALECTS ? tn_dialect_name(st.dialect) : NULL;
	return true;
}
