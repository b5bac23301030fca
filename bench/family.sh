#!/usr/bin/env bash
# Runs every shape of the BERT family, the large ones too, and prints a Markdown table.
#
# usage: bench/family.sh ENCL [OPTION…]
#   ENCL      the program
#   OPTION…   of `encl profile`; the default is --batch 1 --seq 128 --repeat 5
#   SHAPES    in the environment: names, separated by spaces (default: all that the program knows)
#
# Weights are random, which changes no time. A large shape takes 1.3 GB on the device.
set -euo pipefail
encl=${1:?usage: bench/family.sh ENCL [OPTION…]}
shift
[ $# -gt 0 ] || set -- --batch 1 --seq 128 --repeat 5

# The program lists its shapes where it is asked for one that it does not know.
known=$("$encl" profile --shape '?' 2>&1 || true)
shapes=${SHAPES:-$(sed -n 's/.*expected one of //p' <<<"$known" | tr -d ,)}
[ -n "$shapes" ] || { echo "family: $encl names no shapes" >&2; exit 1; }

echo "| shape | batch × tokens | weights, MB | create, ms | p50, ms | tokens/s |"
echo "| --- | --- | --- | --- | --- | --- |"
for shape in $shapes; do
    "$encl" --json --quiet profile --shape "$shape" "$@" | jq -r --arg s "$shape" '
        def round1: . * 10 | round / 10;
        select(.plain_p50_us) |
        "| \($s) | \(.batch) × \(.seq) | \(.weight_bytes / 1e6 | round) | \(.create_us / 1000 | round) | " +
        "\(.plain_p50_us / 1000 | round1) | \(.tokens_per_s | round) |"'
done
