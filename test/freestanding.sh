#!/bin/sh
# Compiles every file of the freestanding rooms for a Cortex-M3 with a bare cross compiler and nothing but its own
# headers and test/freestanding/string.h, links all of them into one, and looks at what is still missing then: only
# functions of src/core/host.h, mem*, and the compiler's own.
set -u
cd "$(dirname "$0")/.."
cc=arm-none-eabi-gcc
if ! command -v $cc >/dev/null; then
	echo "no $cc"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

for file in src/wire/*.c src/core/*.c src/link/*.c src/fs/*.c; do
	[ -e "$file" ] || continue
	object=$work/$(echo "$file" | tr / -).o
	if $cc -mcpu=cortex-m3 -mthumb -std=c11 -ffreestanding -Os -g0 -Wall -Wextra -Wpedantic -Wconversion \
		-Wno-sign-conversion -Werror -nostdinc -isystem "$($cc -print-file-name=include)" \
		-isystem test/freestanding -Iinclude -Isrc -DTN_VERSION='"0"' -c "$file" -o "$object" 2>"$work/errors"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $file: $(grep -m1 error "$work/errors")"
		cat "$work/errors"
	fi
done

set -- "$work"/*.o
if [ -e "$1" ]; then
	arm-none-eabi-ld -r -o "$work/all" "$@"
	sed -nE 's/.*[ *](tn_[a-z_0-9]+)\(.*/\1/p' src/core/host.h | sort -u >"$work/host"
	extra=$(arm-none-eabi-nm -u "$work/all" | awk '{ print $2 }' |
		grep -vxE 'memcpy|memmove|memset|memcmp|memchr|__aeabi_.*|__gnu_.*' | grep -vxF -f "$work/host")
	if [ -z "$extra" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok the rooms call what no host gives:" $extra
	fi
	arm-none-eabi-size "$work/all" | tail -1 | awk '{ print "# text " $1 ", data " $2 ", bss " $3 " bytes" }'
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
