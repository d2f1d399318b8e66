/*
 * What Linux calls things, by the numbers that 9P2000.L has on the wire whatever this host's are: flags of open(2), modes
 * and kinds of files, attributes.
 */
#ifndef TN_LINK_LINUX_H
#define TN_LINK_LINUX_H

#include "tenon/server.h"

enum { TN_L_REMOVEDIR = 0x200 /* AT_REMOVEDIR of unlinkat(2) */ };

/* TN_OF bits for flags of open(2); those that mean nothing to a server are passed over. TN_OF_ACCESS 3: no access. */
uint32_t tn_linux_open(uint32_t flags);

/* The permissions in a mode, as TN_DM bits. */
uint32_t tn_linux_perm(uint32_t mode);

/* The kind in a mode as TN_DM bits, 0 for a plain file. UINT32_MAX: there is none. */
uint32_t tn_linux_kind(uint32_t mode);

/* "b" or "c" for the mode of a device. */
struct tn_str tn_linux_device(uint32_t mode);

/* d_type of readdir(3); 0 when it is not known. */
uint8_t tn_linux_dtype(const struct tn_stat *st);

/* Fills what Rgetattr has. What the server does not know is what is least wrong: Linux's client wants all or nothing. */
void tn_linux_getattr(struct tn_msg *m, const struct tn_stat *st);

/* What a Tsetattr changes of the file `is`. TN_OK, or what is wrong with it. */
enum tn_err tn_linux_setattr(struct tn_stat *st, const struct tn_msg *m, struct tn_qid is);

#endif
