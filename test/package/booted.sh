#!/bin/sh
# booted.sh: what tenon-systemd(7) says of the units, asked where systemd runs (boot.sh). The last line says that all is well.
set -eu
share='unix!/run/tenon/share' wide='unix!/run/tenon/wide'
units=tenon-export@share
must() {
	"$@" || { echo "not so: $*"; systemctl --no-pager status "$units.service" "$units.socket"; exit 1; }
}
not() {
	! "$@"
}
of_service() {
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$(systemctl show -p MainPID --value "$1.service")/$3"
}

# Who connects starts the service.
systemctl start $units.socket
must test -S /run/tenon/share
must test "$(stat -c %a:%u:%g /run/tenon/share)" = 660:0:0
must not systemctl -q is-active $units.service
echo hello >/tmp/hello
must tenon put "$share" files/greeting </tmp/hello
must test "$(tenon ls "$share" | tr '\n' ' ')" = 'files ram '
must systemctl -q is-active $units.service

# It is a user of its own without privileges, and what is made is his.
user=$(of_service $units Uid status)
must test "$user" -ge 61184
must test "$(of_service $units CapEff status) $(of_service $units NoNewPrivs status)" = '0000000000000000 1'
must test "$(of_service $units Seccomp status)" = 2
must test "$(stat -Lc %u /var/lib/tenon/share/greeting)" = "$user"
must test "$(cat /var/lib/tenon/share/greeting)" = hello

# A program works in it.
must tenon run -m "/n/x=$share" -- sh -ec 'cd /n/x/files; ln -s a l; cp greeting a; ln a b; chmod 600 b; touch -d @1 b
	mkdir d; mv b d; truncate -s 3 a; sync a; cp a ../ram; test "$(cat ../ram/a)" = hel; rm -r a l d'

# Another export is another user. Beyond its own directory it changes nothing, and of homes it sees nothing.
systemctl start tenon-export@wide.socket
must test "$(tenon cat "$wide" h/etc/hostname)" = "$(cat /etc/hostname)"
must test "$(of_service tenon-export@wide Uid status)" != "$user"
for name in etc usr tmp/.. var/lib/tenon/share; do
	must not tenon put "$wide" "h/$name/new" </tmp/hello
done
must not tenon ls "$wide" h/home
must not tenon cat "$wide" h/var/lib/tenon/share/greeting

# Stopping the socket takes it away and ends the service; what was written stays.
systemctl stop $units.socket
must not systemctl -q is-active $units.service
must not systemctl -q is-failed $units.service
must test ! -e /run/tenon/share
must test "$(cat /var/lib/tenon/share/greeting)" = hello

# What no name space file describes is not there.
systemctl start tenon-export@none.socket
must test ! -e /run/tenon/none
echo 'booted: all is well'
