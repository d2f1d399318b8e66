#!/bin/sh
# Compiles every file of the freestanding rooms for a Cortex-M3 with a bare cross compiler and nothing but its own
# headers and test/freestanding/string.h, links all of them into one, and looks at what is still missing then: only
# functions of src/core/host.h, mem*, and the compiler's own. Says how large each room is.
#
# freestanding.sh --selftest: shows with small made-up rooms that each of these can fail.
set -u
cd "$(dirname "$0")/.."
cc=arm-none-eabi-gcc
shim=$PWD/test/freestanding
if ! command -v $cc >/dev/null; then
	echo "no $cc"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# ok STATUS TEXT...: counts a check, and says what was wrong.
ok() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		shift
		echo "not ok $*"
	fi
}

# compile FILE OBJECT: in the current folder.
compile() {
	$cc -mcpu=cortex-m3 -mthumb -std=c11 -ffreestanding -Os -g0 -Wall -Wextra -Wpedantic -Wconversion \
		-Wno-sign-conversion -Werror -nostdinc -isystem "$($cc -print-file-name=include)" \
		-isystem "$shim" -Iinclude -Isrc -DTN_VERSION='"0"' -c "$1" -o "$2" 2>"$work/errors"
}

# What the objects in folder $1 lack when they are one, but for what a host gives. Fails when they do not go together.
lacks() {
	arm-none-eabi-ld -r -o "$work/all" "$1"/*.o 2>"$work/errors" || {
		cat "$work/errors"
		return
	}
	sed -nE 's/.*[ *](tn_[a-z_0-9]+)\(.*/\1/p' src/core/host.h | sort -u >"$work/host"
	arm-none-eabi-nm -u "$work/all" | awk '{ print $2 }' |
		grep -vxE 'memcpy|memmove|memset|memcmp|memchr|__aeabi_.*|__gnu_.*' | grep -vxF -f "$work/host"
}

# Checks the rooms of the current folder. A line a room: text and data in bytes.
check() {
	rm -rf "$work/objects"
	mkdir "$work/objects"
	for file in src/wire/*.c src/core/*.c src/link/*.c src/fs/*.c; do
		[ -e "$file" ] || continue
		compile "$file" "$work/objects/$(echo "${file#src/}" | tr / -).o"
		status=$?
		ok $status "$file: $(grep -m1 error "$work/errors")"
		[ $status = 0 ] || cat "$work/errors"
	done
	set -- "$work"/objects/*.o
	[ -e "$1" ]
	ok $? "there is nothing to look at"
	[ -e "$1" ] || return
	missing=$(lacks "$work/objects")
	[ -z "$missing" ]
	ok $? "the rooms call what no host gives:" $missing
	for room in wire core link fs; do
		set -- "$work"/objects/$room-*.o
		[ ! -e "$1" ] || arm-none-eabi-size -t "$@" |
			awk -v room=$room 'END { print "# " room ": text " $1 ", data " $2 ", bss " $3 " bytes" }'
	done
}

# refused WHAT TEXT PATTERN: a room of one file that says TEXT must fail with PATTERN in the output. PATTERN -: must pass.
refused() {
	mkdir -p "$work/made/src/core" "$work/made/src/wire" "$work/made/include"
	echo 'void *tn_alloc(unsigned long size);' >"$work/made/src/core/host.h"
	printf '%s\n' "$2" >"$work/made/src/core/a.c"
	(cd "$work/made" && passed=0 failed=0 && check && [ $failed = 0 ]) >"$work/output" 2>&1
	status=$?
	if [ "$3" = - ]; then
		[ $status = 0 ]
	else
		[ $status != 0 ] && grep -q "not ok.*$3" "$work/output"
	fi
	ok $? "$1: $(cat "$work/output")"
}

selftest() {
	head='#include "core/host.h"
#include <stdint.h>
#include <string.h>
extern uint64_t wide; void *g(void); void *f(void *p, int n); void *f(void *p, int n)'
	refused 'what is allowed' "$head { memset(p, n, 4); return tn_alloc(9); }" -
	refused 'a header of the system' '#include <stdio.h>' 'stdio.h'
	refused 'a header of Linux' '#include <sys/types.h>' 'sys/types.h'
	refused 'a function that only a C library has' "$head { p = tn_alloc(strlen(p) + (unsigned)n); return p; }" strlen
	refused 'a function that nobody gives' "$head { return n ? g() : p; }" 'no host gives: g$'
	refused 'an atomic that a small processor lacks' "$head { __atomic_add_fetch(&wide, (unsigned)n, 5); return p; }" \
		'no host gives:.* __atomic_'
	refused 'a warning' "$head { return p; }" unused
	refused 'a narrowing' "$head { uint8_t c = n; return c ? p : 0; }" conversion
}

case ${1:-} in
--selftest) selftest ;;
*) check ;;
esac
echo "$passed passed, $failed failed"
[ $failed = 0 ]
