"""What `tenon run` says where the machine lacks something: the cause, the fix, status 125. launcher.md section 6."""
import os
import re

from bench import Skipped, case
from people import AS_USER, open_fuse, people


@case('a device that may not be opened: 125 and the fix')
def _(b):
    if os.getuid():
        raise Skipped('only root can take the device away')
    mode = os.stat('/dev/fuse').st_mode & 0o777
    try:
        os.chmod('/dev/fuse', 0o600)
        b.shows(AS_USER + 'tenon run true', '',
                'tenon run: open /dev/fuse: Permission denied\ntenon run: no right to /dev/fuse: ...0666...\n', 125)
        b.shows(AS_USER + 'tenon doctor', re.compile(r'missing +FUSE device.*\n.*no right to /dev/fuse.*\n.*fix: .*0666'),
                None, 125)
    finally:
        os.chmod('/dev/fuse', mode)


@case('where no user name space is to be had: 125 and the fix')
def _(b):
    open_fuse()
    # The limit of a user name space of our own; without capabilities, so that there is no other way.
    b.shows("unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all "
            "tenon run true'", '',
            'tenon run: unshare(CLONE_NEWUSER): No space left on device\n'
            'tenon run: no user name space is left: sysctl user.max_user_namespaces=...\n', 125)


@case('what doctor finds in order is in order for run')
def _(b):
    for who in people():
        b.shows(who + 'tenon doctor', re.compile(r'\A(ok .*\n)+\Z'))


