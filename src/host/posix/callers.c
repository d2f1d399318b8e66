#include "host/posix/callers.h"

#include "core/host.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { CHAINS = 1024, NET_BYTES = 8 /* of an IPv6 address */ };

struct key {
	uint8_t bytes[12]; /* family, then what of the address counts */
};

struct tn_caller {
	struct tn_caller *next;
	uint32_t n;
	struct key key;
};

struct tn_callers {
	uint64_t secret; /* so that nobody can choose addresses of one chain */
	struct tn_caller *chains[CHAINS];
};

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_storage room;
};

static struct key key_of(int fd)
{
	struct key key = { 0 };
	union address a;
	socklen_t len = sizeof(a);
	struct ucred who;

	memset(&a, 0, sizeof(a));
	if (getpeername(fd, &a.any, &len))
		return key;
	key.bytes[0] = (uint8_t)a.any.sa_family;
	if (a.any.sa_family == AF_INET) {
		memcpy(key.bytes + 1, &a.four.sin_addr, sizeof(a.four.sin_addr));
	} else if (a.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.six.sin6_addr)) {
		key.bytes[0] = AF_INET;
		memcpy(key.bytes + 1, a.six.sin6_addr.s6_addr + 12, sizeof(a.four.sin_addr));
	} else if (a.any.sa_family == AF_INET6) {
		memcpy(key.bytes + 1, a.six.sin6_addr.s6_addr, NET_BYTES);
	} else if (a.any.sa_family == AF_UNIX) {
		len = sizeof(who);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
			memcpy(key.bytes + 1, &who.uid, sizeof(who.uid));
	}
	return key;
}

static struct tn_caller **chain_of(struct tn_callers *callers, const struct key *key)
{
	uint64_t h = callers->secret;

	for (size_t i = 0; i < sizeof(key->bytes); i++)
		h = (h ^ key->bytes[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return &callers->chains[(h >> 40) % CHAINS];
}

struct tn_callers *tn_callers_new(void)
{
	struct tn_callers *callers = tn_alloc(sizeof(*callers));

	if (callers)
		tn_random(&callers->secret, sizeof(callers->secret));
	return callers;
}

void tn_callers_free(struct tn_callers *callers)
{
	for (int i = 0; callers && i < CHAINS; i++)
		tn_assert(!callers->chains[i]);
	tn_free(callers);
}

struct tn_caller *tn_caller_enter(struct tn_callers *callers, int fd)
{
	struct key key = key_of(fd);
	struct tn_caller **chain = chain_of(callers, &key), *caller = *chain;

	while (caller && memcmp(&caller->key, &key, sizeof(key)) != 0)
		caller = caller->next;
	if (!caller) {
		caller = tn_alloc(sizeof(*caller));
		if (!caller)
			return NULL;
		caller->key = key;
		caller->next = *chain;
		*chain = caller;
	}
	caller->n++;
	return caller;
}

void tn_caller_leave(struct tn_callers *callers, struct tn_caller *caller)
{
	struct tn_caller **at;

	if (!caller || --caller->n > 0)
		return;
	for (at = chain_of(callers, &caller->key); *at != caller; at = &(*at)->next)
		;
	*at = caller->next;
	tn_free(caller);
}

uint32_t tn_caller_count(const struct tn_caller *caller)
{
	return caller->n;
}
