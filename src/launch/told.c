/*
 * The operations that change something, as they stand in the table of the door: first whether it is the child that
 * raises what others did, then what echo there will be, then the operation itself. notify.h.
 */
#include "launch/notify.h"

#include <fcntl.h>

void launch_told_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	if (launch_raised_make(req, parent, name))
		return;
	launch_notify_makes(launch_door_of(req), parent, name);
	launch_do_mknod(req, parent, name, mode, rdev);
}

void launch_told_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (launch_raised_make(req, parent, name))
		return;
	launch_notify_makes(launch_door_of(req), parent, name);
	launch_do_mkdir(req, parent, name, mode);
}

void launch_told_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	launch_notify_makes(launch_door_of(req), parent, name);
	launch_do_symlink(req, target, parent, name);
}

void launch_told_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	launch_notify_makes(launch_door_of(req), newparent, newname);
	launch_do_link(req, ino, newparent, newname);
}

void launch_told_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	launch_notify_makes(launch_door_of(req), parent, name);
	launch_do_create(req, parent, name, mode, fi);
}

void launch_told_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (launch_raised_remove(req, parent, name))
		return;
	launch_notify_removes(launch_door_of(req), parent, name);
	launch_do_unlink(req, parent, name);
}

void launch_told_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (launch_raised_remove(req, parent, name))
		return;
	launch_notify_removes(launch_door_of(req), parent, name);
	launch_do_rmdir(req, parent, name);
}

void launch_told_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
    const char *newname, unsigned int flags)
{
	enum { EXCHANGE = 2 }; /* renameat2(2) */

	if (launch_raised_rename(req, parent, name))
		return;
	launch_notify_renames(launch_door_of(req), parent, name, newparent, newname,
	    flags & EXCHANGE);
	launch_do_rename(req, parent, name, newparent, newname, flags);
}

void launch_told_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->flags & O_TRUNC)
		launch_notify_touches(launch_door_of(req), ino);
	launch_do_open(req, ino, fi);
}

void launch_told_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	launch_notify_touches(launch_door_of(req), ino);
	launch_do_write(req, ino, buf, size, off, fi);
}

void launch_told_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
    struct fuse_file_info *fi)
{
	launch_notify_touches(launch_door_of(req), ino);
	launch_do_fallocate(req, ino, mode, off, length, fi);
}

void launch_told_copy_file_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
    struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out,
    size_t len, int flags)
{
	launch_notify_touches(launch_door_of(req), out);
	launch_do_copy_file_range(req, in, off_in, fi_in, out, off_out, fi_out, len, flags);
}

void launch_told_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags)
{
	launch_notify_touches(launch_door_of(req), ino);
	launch_do_setxattr(req, ino, name, value, size, flags);
}

void launch_told_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	launch_notify_touches(launch_door_of(req), ino);
	launch_do_removexattr(req, ino, name);
}
