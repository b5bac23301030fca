#!/usr/bin/env bash
# Fetches Intel's OpenCL runtime for CPUs (x86-64, AMD's too; 0.9 GB) and prints a folder for OCL_ICD_VENDORS.
#
# usage: OCL_ICD_VENDORS=$(scripts/get-intel-runtime.sh) encl devices
#
# It comes from PyPI in the versions and with the hashes of scripts/intel-runtime.txt, and goes into
# ${XDG_CACHE_HOME:-~/.cache}/encl-intel-runtime. Nothing else on the system changes. A second run finds it there.
# Leave LD_LIBRARY_PATH alone: the package brings an OpenCL loader of its own that would come first.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

case "${1:-}" in
    "") ;;
    -h | --help) show_help "$0"; exit 0 ;;
    *) fail "unknown argument: $1 (see --help)" ;;
esac
[ "$(uname -m)" = x86_64 ] || fail "Intel's runtime is for x86-64; this machine is $(uname -m)"

# The folder is named after the list, so that new versions go beside the old ones.
list=$(sha256sum scripts/intel-runtime.txt | cut -c1-12)
target=$(cache_folder)/encl-intel-runtime/$list
library=$target/lib/libintelocl.so
icd=$target/icd
if [ ! -f "$icd/intel.icd" ]; then
    say "Intel's runtime: fetching intel-opencl-rt (225 MB) from PyPI"
    rm -rf "$target"
    mkdir -p "$(dirname "$target")"
    python3 -m venv "$target" || fail "python3 -m venv does not work (Debian and Ubuntu: python3-venv)"
    "$target/bin/pip" install -q --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
        -r scripts/intel-runtime.txt >&2 || fail "could not fetch Intel's runtime"
    [ -f "$library" ] || fail "Intel's packages did not bring $library"
    mkdir -p "$icd"
    echo "$library" >"$icd/intel.icd"
fi
echo "$icd"
