#!/usr/bin/env bash
# Installs a build into an empty prefix and uses it as a stranger would: run.sh BUILD-FOLDER [MODEL]
#
# Builds docs/examples/embed.c through pkg-config and through find_package, shared and static, runs what came out
# where there is a model, and looks at what the shared library exports.
set -euo pipefail

build=$(cd "$1" && pwd)
model=${2:-}
source=$(cd "$(dirname "$0")/../.." && pwd)
example=$source/docs/examples
compiler=${CC:-cc}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "[  FAILED  ] $*"
    exit 1
}
pass() {
    echo "[       OK ] $*"
}

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix" # an installed tree may move
prefix=$work/prefix
library=$(dirname "$(find "$prefix" -name libencl.so)")
for file in include/encl/encl.h include/encl/encl_model.h bin/encl; do
    [ -f "$prefix/$file" ] || fail "$file is not installed"
done
pass "files"

# Exactly the functions that the public headers declare, each spelled ENCL_API … name(.
grep -h '^ENCL_API' "$prefix"/include/encl/*.h | sed 's/^\([^(]*\)(.*/\1/; s/.*[ *]//' | sort >"$work/declared"
nm -D --defined-only "$library/libencl.so" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort >"$work/exported"
diff "$work/declared" "$work/exported" >"$work/difference" ||
    fail "exported functions differ from declared ones (< declared, > exported): $(cat "$work/difference")"
pass "exported functions"

for header in encl.h encl_model.h; do
    echo "#include <encl/$header>" >"$work/header.c"
    "$compiler" -std=c11 -pedantic-errors -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only "$work/header.c" ||
        fail "$header does not stand alone in C"
    if command -v c++ >/dev/null; then
        c++ -std=c++11 -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only -x c++ "$work/header.c" ||
            fail "$header does not stand alone in C++"
    fi
done
pass "headers"

export PKG_CONFIG_PATH=$library/pkgconfig LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
read -ra flags < <(pkg-config --cflags --libs encl)
"$compiler" -std=c11 -Wall -Wextra -Werror "$example/embed.c" -o "$work/embed" "${flags[@]}" ||
    fail "pkg-config, shared"
# The archive by its own name, because -lencl would choose the shared library beside it.
read -ra flags < <(pkg-config --static --cflags --libs encl | sed 's/-lencl/-l:libencl.a/')
"$compiler" -std=c11 -Wall -Wextra -Werror "$example/embed.c" -o "$work/embed-static" "${flags[@]}" ||
    fail "pkg-config, static"
pass "pkg-config"

cmake -G Ninja -S "$example" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" >"$work/log" 2>&1 &&
    cmake --build "$work/cmake" >>"$work/log" 2>&1 || fail "find_package: $(cat "$work/log")"
[ -x "$work/cmake/embed_static" ] || fail "find_package: no target encl::encl_static"
pass "find_package"

for program in embed embed-static cmake/embed cmake/embed_static; do
    needs=$(readelf -d "$work/$program" | grep -c 'NEEDED.*libencl' || true)
    case $program in *static) expected=0 ;; *) expected=1 ;; esac
    [ "$needs" = $expected ] || fail "$program: needs libencl.so $needs times, expected $expected"
done
pass "linking"

"$prefix/bin/encl" --version >/dev/null || fail "encl --version"
if [ -z "$model" ]; then
    echo "[  SKIPPED ] running (no model)"
    exit 0
fi
for program in embed embed-static cmake/embed cmake/embed_static; do
    "$work/$program" "$model" "hello world" "hello world" "good night" >"$work/output" || fail "$program does not run"
    [ "$(grep -c '^ 1.000  hello world$' "$work/output")" = 2 ] ||
        fail "$program: the same text twice should have cosine 1: $(cat "$work/output")"
done
pass "running"
