/*
 * Peers as users of this host: half of what a user is, said by the peer, and the other half from the host.
 */
#ifndef TN_POSIX_PEER_H
#define TN_POSIX_PEER_H

#include "tenon/server.h"

/*
 * The user of that name and number: a name without a number has the number and group that the host gives to it, a number
 * without a name the name. What the host does not know, and what both are given of, is as the peer says. Asks getpwnam(3),
 * getpwuid(3), and waits for them. Any thread. Counted. NULL: no memory.
 */
struct tn_user *tn_peer_user(struct tn_str name, uint32_t uid);

/*
 * For tn_conn_users: who says half of who he is is user_of's answer to that, which may take its time: it is asked on a
 * worker, and nobody but this attach waits. A flush ends that; an answer that comes still is dropped. NULL: no memory.
 */
struct tn_server *tn_peers_new(struct tn_loop *home, struct tn_user *(*user_of)(struct tn_str name, uint32_t uid));

#endif
