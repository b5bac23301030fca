#!/usr/bin/env bash
# Runs the fuzz targets under libFuzzer, starting from tests/fuzz/corpus and what earlier runs found.
#
# usage: scripts/fuzz.sh [--seconds N] [--no-install] [TARGET…]
#   --seconds N     how long each target runs (default 60); as many run at once as there are processors
#   TARGET          safetensors, pickle, zip, …; default: all
#
# Inputs that make new code run are kept in build/fuzz/corpus. One that breaks something is written to build/fuzz/crashes
# and named; once the fault is mended it belongs in tests/fuzz/crashes/TARGET, where the tests replay it.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

seconds=60
install=yes
targets=()
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) seconds=${2:?--seconds needs a number}; shift ;;
        --no-install) install= ;;
        -h | --help) show_help "$0"; exit 0 ;;
        -*) fail "unknown argument: $1 (see --help)" ;;
        *) targets+=("$1") ;;
    esac
    shift
done
if [ ${#targets[@]} = 0 ]; then
    for file in tests/fuzz/fuzz_*.c; do
        name=${file#tests/fuzz/fuzz_}
        targets+=("${name%.c}")
    done
fi
[ -z $install ] || install_packages build test fuzz

cmake --preset fuzz -DENCL_TESTS=ON >/dev/null
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}" -- --quiet

# fuzz_one TARGET: its last lines, or on failure the report.
fuzz_one() {
    local name=$1 log=build/fuzz/logs/$1.log folder=build/fuzz/corpus/$1 status=0
    mkdir -p "$folder" "build/fuzz/crashes/$name" build/fuzz/logs
    local inputs=("$folder" "tests/fuzz/corpus/$name")
    [ ! -d "tests/fuzz/crashes/$name" ] || inputs+=("tests/fuzz/crashes/$name")
    UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
        "build/fuzz/tests/fuzz_$name" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name/" "${inputs[@]}" >"$log" 2>&1 || status=$?
    if [ $status != 0 ]; then
        printf '%-14s FAILED\n' "$name"
        tail -n 60 "$log"
    else
        printf '%-14s %s inputs, %s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
            "$(sed -n 's/.*\(cov: [0-9]*\).*/\1/p' "$log" | tail -n 1)"
    fi
    return $status
}
export -f fuzz_one
export fuzz_seconds=$seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}' || fail "a target failed; see above"
