#!/bin/sh
# archive.sh OUT WORK ARCHIVE...: makes of the archives one, in which only what is visible outside is global.
set -eu
out=$1 work=$2
shift 2
mkdir -p "$work"
ld -r -o "$work/tenon.o" --whole-archive "$@"
readelf -sW "$work/tenon.o" |
	awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND" { print $8 }' >"$work/public"
objcopy --keep-global-symbols="$work/public" "$work/tenon.o"
rm -f "$out"
ar rcs "$out" "$work/tenon.o"
