#!/bin/sh
# boot.sh [DIR]: starts systemd as the first process of a name space of its own, in a copy of this machine that is gone afterwards (with
# what lies in DIR laid over it), and there asks booted.sh whether the units of the exports do what tenon-systemd(7) says.
# Prints what that printed; its status is 0 if all was well. Needs root. Nothing of systemd that is not asked for is started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
	over=$(realpath -m "${1:-/nonexistent}")
	work=$(mktemp -d /var/tmp/tenon-boot.XXXXXX)
	group=$(sed -n 's,^0::,,p' /proc/self/cgroup | sed 's,/$,,')/tenon-boot.$$
	mkdir "$work/cgroup"
	: >"$work/log"
	# Its control groups are below one of our own, which goes with it.
	groups() {
		unshare --mount sh -ec 'mount -t cgroup2 cgroup2 "$0/cgroup"; group=$0/cgroup$1; shift; '"$@"
	}
	end() {
		groups 'find "$group" -depth -type d -exec rmdir {} \;' "$work" "$group" || true
		rm -rf "$work"
	}
	trap end EXIT
	groups 'mkdir "$group"; echo $$ >"$group/cgroup.procs"; exec "$@"' "$work" "$group" \
		timeout -s KILL 120 unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup --propagation private \
		sh "$0" inside "$work" "$over" >"$work/console" 2>&1 || true
	cat "$work/log"
	[ -s "$work/log" ] || cat "$work/console"
	grep -q '^booted: all is well$' "$work/log"
	exit
fi

work=$2 over=$3
mkdir "$work/t"
mount -t tmpfs tmpfs "$work/t"
mkdir "$work/t/upper" "$work/t/work" "$work/t/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/t/upper,workdir=$work/t/work" "$work/t/root"
cd "$work/t/root"
mkdir -p .outside .booted
mount --bind "$work" .booted
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
[ ! -d "$over" ] || cp -a "$over/." .
rm -rf lib/systemd/system/*.wants etc/systemd/system/*.wants etc/tenon
mkdir etc/tenon
cp "$here/../../examples/share.ns" etc/tenon/share.ns
echo 'bind -c #host/ /h' >etc/tenon/wide.ns
cp "$here/booted.sh" booted.sh
cat >etc/systemd/system/booted.service <<'END'
[Service]
Type=oneshot
StandardOutput=append:/.booted/log
StandardError=append:/.booted/log
ExecStart=/bin/sh /booted.sh
ExecStopPost=/bin/systemctl exit 0
END
pivot_root . .outside
umount -l /.outside
exec env -i container=tenon PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=booted.service
