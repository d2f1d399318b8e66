#!/bin/sh
# A target as AFL++ has it: built by its compiler, whose driver stands in libFuzzer's place, it runs half a minute from the
# seeds and finds nothing. The others are built alike (README.md).
set -eu
cd "$(dirname "$0")/../.."
if ! command -v afl-clang-fast >/dev/null; then
	echo "skip: there is no AFL++"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
place=build/afl
rm -rf "$place"
mkdir -p "$place"
afl-clang-fast -g -O1 -fsanitize=fuzzer -D_GNU_SOURCE -Iinclude -Isrc test/fuzz/wire.c test/fuzz/fuzz.c src/wire/*.c \
	src/host/posix/host.c -Wl,--wrap=tn_random,--wrap=tn_time_ns -o "$place/fuzz-wire" >"$place/build.log" 2>&1
python3 test/fuzz/seeds.py "$place/seeds" wire
export AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
afl-fuzz -V 30 -i "$place/seeds/wire" -o "$place/out" -x "$place/seeds/wire.dict" "$place/fuzz-wire" >"$place/run.log" 2>&1
of() {
	sed -n "s/^$1 *: //p" "$place/out/default/fuzzer_stats"
}
said="wire: $(of execs_done) executions, $(of edges_found) edges, $(of corpus_count) inputs"
if [ "$(of saved_crashes)" = 0 ] && [ "$(of saved_hangs)" = 0 ] && [ "$(of execs_done)" -gt 1000 ]; then
	echo "ok $said"
	echo "1 passed, 0 failed, 0 skipped"
else
	echo "not ok $said: $place/out"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
