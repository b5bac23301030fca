#!/usr/bin/env bash
# Static checks: format, clang-tidy, cppcheck, the scripts in shell and Python, who includes whom.
#
# usage: scripts/check.sh [--fix] [--no-install] [format|rooms|tidy|cppcheck|shell|python…]
#
# Without names it runs all six. --fix formats the files instead of complaining. What clang-tidy looks for is in
# .clang-tidy, what cppcheck leaves out in scripts/cppcheck.txt, which headers a room may include in scripts/rooms.txt.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

fix=
install=yes
checks=()
while [ $# -gt 0 ]; do
    case "$1" in
        --fix) fix=yes ;;
        --no-install) install= ;;
        -h | --help) show_help "$0"; exit 0 ;;
        format | rooms | tidy | cppcheck | shell | python) checks+=("$1") ;;
        *) fail "unknown argument: $1 (see --help)" ;;
    esac
    shift
done
[ ${#checks[@]} -gt 0 ] || checks=(format rooms shell python cppcheck tidy)
[ -z $install ] || install_packages build test check

# Tracked files and new ones that git does not ignore.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

check_format() {
    local mode=(--dry-run -Werror)
    [ -z $fix ] || mode=(-i)
    files '*.c' '*.h' '*.cl' | xargs clang-format-14 "${mode[@]}"
}

check_rooms() {
    files 'runtime/*.[ch]' 'host/*.[ch]' | xargs grep -HnE '^[[:space:]]*#[[:space:]]*include' |
        awk -f scripts/rooms.awk scripts/rooms.txt -
}

check_shell() {
    files '*.sh' .ci/run | xargs shellcheck -x -P SCRIPTDIR -S warning
}

# Those without an ending too: what has Python's first line.
check_python() {
    { files '*.py'; files scripts bench tests | xargs grep -lE '^#!/usr/bin/env python3'; } | sort -u | xargs pyflakes3
}

# The list of compilations, made by CMake, is what both analysers read. It names files that are made by the build.
compilations() {
    cmake --preset debug -DENCL_TESTS=ON >/dev/null &&
        cmake --build --preset debug --target kernel_sources.c page_files.c shape_files.c calibration_files.c generated/tensor_bundle.pb-c.c -- --quiet &&
        mkdir -p build/cppcheck
}

check_cppcheck() {
    compilations &&
        cppcheck --project=build/debug/compile_commands.json --cppcheck-build-dir=build/cppcheck -i build \
            --suppressions-list=scripts/cppcheck.txt --inline-suppr --enable=warning,performance,portability \
            --std=c11 --library=posix --error-exitcode=1 --quiet -j "$(nproc)"
}

check_tidy() {
    compilations &&
        files 'runtime/*.c' 'host/*.c' 'tests/*.c' |
        xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build/debug --quiet 2>&1 |
        { grep -v -e ' warnings\? generated\.$' -e '^Suppressed ' -e '^Use -header-filter' || true; }
}

status=0
for check in "${checks[@]}"; do
    say "check: $check"
    "check_$check" || { say "check: $check failed"; status=1; }
done
exit $status
