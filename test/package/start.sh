#!/bin/sh
# start.sh: as root in a Debian 12 that is thrown away (run.py makes one). Unpacks what is committed, installs what debian/control
# says that the build needs, and nothing else, and goes on with inside.py.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /var/tmp/tenon-package.XXXXXX)
export DEBIAN_FRONTEND=noninteractive
get() {
	apt-get -q -y --no-install-recommends "$@" >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log"; exit 1; }
}
get update
get install git
mkdir "$work/tenon"
git -c safe.directory='*' -C "$top" archive HEAD | tar -x -C "$work/tenon"
(cd "$work/tenon" && find . ! -type d) | sed 's,^\./,,' >"$work/committed"
cd "$work/tenon"
get build-dep ./
exec python3 test/package/inside.py "$work"
