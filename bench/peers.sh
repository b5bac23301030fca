#!/usr/bin/env bash
# Times encl and another runtime in turn on the same shapes, and prints a Markdown table of medians and their ratio.
#
# usage: bench/peers.sh ENCL MODELS PEER_COMMAND [ROUNDS]
#   ENCL          the program
#   MODELS        "SHAPE…": names that both know, e.g. "rbt3 base"
#   PEER_COMMAND  called as: PEER_COMMAND SHAPE 1x16,1x32,…; prints a JSON object with batch, tokens and median_ms for
#                 each on a line of its own
#   ROUNDS        how often the two take turns (default 3)
#   SHAPES        in the environment: batches × tokens (default 1x16,1x32,1x128,1x512,8x128)
#
# Every row of a batch is computed. Each round gives a median a program; the table shows the median of the rounds.
set -euo pipefail
encl=${1:?usage: bench/peers.sh ENCL MODELS PEER_COMMAND [ROUNDS]}
models=${2:?}
peer=${3:?}
rounds=${4:-3}
shapes=${SHAPES:-1x16,1x32,1x128,1x512,8x128}
results=$(mktemp)
trap 'rm -f "$results"' EXIT

for _ in $(seq "$rounds"); do
    for model in $models; do
        $peer "$model" "$shapes" | jq -c --arg m "$model" 'select(.median_ms) |
            {who: "peer", model: $m, shape: "\(.batch)x\(.tokens)", ms: .median_ms}' >>"$results"
        for shape in ${shapes//,/ }; do
            "$encl" --json --quiet profile --shape "$model" --batch "${shape%x*}" --seq "${shape#*x}" --tokens --repeat 15 |
                jq -c --arg m "$model" --arg s "$shape" 'select(.plain_p50_us) |
                    {who: "encl", model: $m, shape: $s, ms: (.plain_p50_us / 1000)}' >>"$results"
        done
    done
done

jq -rs '
    def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
    def round2: . * 100 | round / 100;
    "| model | batch × tokens | encl, ms | peer, ms | encl ÷ peer |", "| --- | --- | --- | --- | --- |",
    (group_by([.model, .shape]) | sort_by(.[0].model, (.[0].shape | split("x") | map(tonumber) | .[0] * .[1], .[0]))[] |
        ([.[] | select(.who == "encl").ms] | median) as $e | ([.[] | select(.who == "peer").ms] | median) as $p |
        "| \(.[0].model) | \(.[0].shape) | \($e | round2) | \($p | round2) | \($e / $p | round2) |")' "$results"
