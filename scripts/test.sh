#!/usr/bin/env bash
# Installs what is needed, builds encl and runs all tests.
#
# usage: scripts/test.sh [OPTION…] [-- CTEST ARGUMENT…]
#   --preset NAME     release (the default), debug, asan-ubsan or tsan; built in build/NAME
#   --all-platforms   on PoCL, Mesa's rusticl and Intel's CPU runtime, which are fetched; else on the drivers installed
#   --pocl            on PoCL only
#   --werror          warnings are errors in a release build too
#   --no-install      install and fetch nothing
#
# The tests read ENCL_SHARED (a folder with real data; default ../shared) and ENCL_MINILM (all-MiniLM-L6-v2, fetched
# unless set), and skip, saying so, what they lack. Run it again: nothing is done twice.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

preset=release
platforms=
install=yes
configure=()
while [ $# -gt 0 ]; do
    case "$1" in
        --preset) preset=${2:?--preset needs a name}; shift ;;
        --all-platforms) platforms=all ;;
        --pocl) platforms=pocl ;;
        --werror) configure+=(-DENCL_WERROR=ON) ;;
        --no-install) install= ;;
        -h | --help) show_help "$0"; exit 0 ;;
        --) shift; break ;;
        *) fail "unknown argument: $1 (see --help)" ;;
    esac
    shift
done

if [ $install ]; then
    install_packages build run fetch test
    [ "$platforms" != all ] || offer_packages platforms page
    if [ -z "${ENCL_MINILM:-}" ]; then
        ENCL_MINILM=$(scripts/get-minilm.sh) || say "warning: without the model, its tests will be skipped"
    fi
    export ENCL_MINILM
fi
[ -z "$platforms" ] || use_platforms $platforms

cmake --preset "$preset" -DENCL_TESTS=ON "${configure[@]}" >/dev/null
cmake --build --preset "$preset" -- --quiet

# The tests start with an empty cache and leave none behind. Mesa's too: it maps its cache's index, for writing, into
# every process, where a kernel that writes out of bounds, tried here some day, breaks it for all that come later.
ENCL_CACHE_DIR=$(mktemp -d)
MESA_SHADER_CACHE_DIR=$ENCL_CACHE_DIR/mesa
export ENCL_CACHE_DIR MESA_SHADER_CACHE_DIR
trap 'rm -rf "$ENCL_CACHE_DIR"' EXIT

# GCC 12's thread sanitizer cannot work where the kernel spreads addresses widely.
wrap=()
if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
    wrap=(setarch -R)
fi
status=0
"${wrap[@]}" ctest --preset "$preset" --parallel "$(nproc)" "$@" || status=$?

log=build/$preset/Testing/Temporary/LastTest.log
if [ -f "$log" ]; then
    skipped=$(sed -n 's/^\[  SKIPPED \] \([a-z_0-9]*\)$/\1/p' "$log" | sort -u)
    [ -z "$skipped" ] || say "test cases that were skipped ($log says why): $(echo "$skipped" | paste -sd' ')"
fi
exit $status
