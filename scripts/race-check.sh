#!/usr/bin/env bash
# Runs the self-check of every kernel row, then a tiny model, on Oclgrind, a simulated device that reports races and wild
# accesses in kernels. Takes minutes.
#
# usage: scripts/race-check.sh        (after scripts/test.sh, which builds)
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

case "${1:-}" in
    "") ;;
    -h | --help) show_help "$0"; exit 0 ;;
    *) fail "unknown argument: $1 (see --help)" ;;
esac
command -v oclgrind >/dev/null || fail "oclgrind is not installed (Debian and Ubuntu: oclgrind)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ENCL_CACHE_DIR=$work
oclgrind --data-races --max-errors 20 --log "$work/log" build/release/tests/test_self_checks
[ -s "$work/log" ] || oclgrind --data-races --max-errors 20 --log "$work/log" \
    build/release/encl --gemm tile embed tests/fixtures/tiny-bert "One short text." "And another one, which is a little longer."
if [ -s "$work/log" ]; then
    cat "$work/log"
    fail "Oclgrind found errors in kernels"
fi
say "Oclgrind found nothing"
