#!/bin/sh
# The tests of the library in a build with ThreadSanitizer, in build-tsan: no two threads touch the same without an order.
set -eu
cd "$(dirname "$0")/../.."
[ -e build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false >/dev/null
ninja -C build-tsan test/lib/lib-files test/lib/lib-mount test/lib/lib-ns test/lib/lib-threads
export TSAN_OPTIONS="exitcode=66 suppressions=$PWD/test/lib/tsan.supp"
exec python3 test/unit.py build-tsan lib
