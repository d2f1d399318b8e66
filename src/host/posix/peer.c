/*
 * Peers as users of this host. Linux's client attaches by name when it is mounted, and by number for each user that comes
 * later; a server whose users are names has to see one person in both.
 */
#include "host/posix/peer.h"

#include "core/chan.h"

#include <pwd.h>
#include <string.h>

#define NAME_SIZE 256   /* no user of a host has a longer one */
#define TEXT_SIZE 16384 /* of a line of passwd(5) */

struct tn_user *tn_peer_user(struct tn_str name, uint32_t uid)
{
	bool by_name = uid == TN_NONUNAME && name.len > 0 && name.len < NAME_SIZE;
	struct passwd entry, *found = NULL;
	char text[TEXT_SIZE], said[NAME_SIZE];

	if (by_name && !memchr(name.s, 0, name.len)) {
		memcpy(said, name.s, name.len);
		said[name.len] = 0;
		getpwnam_r(said, &entry, text, sizeof(text), &found);
	} else if (uid != TN_NONUNAME && name.len == 0) {
		getpwuid_r(uid, &entry, text, sizeof(text), &found);
	}
	if (!found)
		return tn_user_new(name, uid, TN_NONUNAME);
	name = (struct tn_str){ found->pw_name, (uint32_t)strlen(found->pw_name) };
	return tn_user_new(name, found->pw_uid, found->pw_gid);
}
