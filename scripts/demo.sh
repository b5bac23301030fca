#!/usr/bin/env bash
# Shows encl at work on a fresh machine: installs what is needed, builds, fetches a real model (all-MiniLM-L6-v2,
# 84 MB), compares sentences with it and shows where the time goes, layer by layer.
#
# usage: scripts/demo.sh [--no-install]
#
# Without a network it says what it could not fetch and goes on with a tiny model of this repository, whose answers
# mean nothing. Run it again: nothing is done twice.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

install=yes
case "${1:-}" in
    "") ;;
    --no-install) install= ;;
    -h | --help) show_help "$0"; exit 0 ;;
    *) fail "unknown argument: $1 (see --help)" ;;
esac

show() {
    local argument
    printf '\n$ encl'
    for argument in "$@"; do
        case $argument in
            *[!A-Za-z0-9/._-]*) printf ' %s' "${argument@Q}" ;;
            *) printf ' %s' "$argument" ;;
        esac
    done
    printf '\n'
    build/release/encl "$@"
}

[ -z $install ] || install_packages build run fetch

say "building in build/release"
cmake --preset release -DENCL_TESTS=OFF >/dev/null
cmake --build --preset release -- --quiet

if ! model=$(scripts/get-minilm.sh); then
    model=tests/fixtures/tiny-bert
    say "warning: going on with $model instead: everything runs, but its random weights know nothing"
fi

show devices
show info "$model"
show similarity "$model" \
    "The train to the coast leaves at noon." \
    "At twelve o'clock there is a railway connection to the seaside." \
    "My cat refuses to eat anything but fish." \
    "What do felines like for dinner?"
show profile "$model" --html build/profile.html \
    "OpenCL lets one program run on graphics processors, central processors and other devices of many vendors." \
    "An encoder reads a whole text at once and gives every word a vector that knows about all the others." \
    "Most of the work is in matrix products; attention, normalization and activations share the rest." \
    "The first figure to look at is the share of time that each operator takes, the second how near it comes to \
what the device can do."
say ""
say "The same profile as a page to open in a browser: build/profile.html"
say "Next: \`build/release/encl doctor' checks this machine's OpenCL, \`encl --help' lists the commands, docs/ explains
them, and scripts/test.sh runs all tests."
