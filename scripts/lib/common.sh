# What the scripts share: messages, packages, platforms. Source it; it moves to the repository's root.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

# The comment block at the top of a script is its help.
show_help() {
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"
}

cache_folder() {
    printf '%s' "${XDG_CACHE_HOME:-$HOME/.cache}"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "installing packages needs root, and there is no sudo: run this as root, or install them yourself"
    fi
}

# "package why" of every package of the groups that is not installed yet.
missing_packages() {
    local group package why
    while read -r group package why; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            printf '%s %s\n' "$package" "$why"
        fi
    done < <(grep -v '^#' scripts/packages.txt)
}

require_apt() {
    command -v apt-get >/dev/null && return
    say "This system has no apt-get; on it the same packages have other names (docs/install.md lists Fedora's):"
    awk -v groups=" $* " '!/^#/ && index(groups, " " $1 " ")' scripts/packages.txt | cut -c12- >&2
    fail "install them, then run this again with --no-install"
}

# Runs apt-get quietly; its words are shown only when it fails. Waits for another package manager to finish.
apt() {
    local log status=0
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" \
        >"$log" 2>&1 || status=$?
    [ $status = 0 ] || tail -n 20 "$log" >&2
    rm -f "$log"
    return $status
}

# install_packages GROUP…: installs what is missing, says what and why, fails where it cannot.
install_packages() {
    local missing
    require_apt "$@"
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say "packages: all there ($*)"
        return
    fi
    say "packages: installing"
    printf '%s\n' "$missing" | awk '{ name = $1; $1 = ""; printf "  %-20s%s\n", name, $0 }' >&2
    apt update || say "warning: the package lists could not be refreshed; trying with the old ones"
    # shellcheck disable=SC2046
    apt install --no-install-recommends $(printf '%s\n' "$missing" | cut -d' ' -f1) ||
        fail "apt-get could not install the packages above"
}

# offer_packages GROUP…: the same for packages that a distribution may lack. One that is not to be had, or that would
# remove others, is named and left out.
offer_packages() {
    local package why chosen=()
    command -v apt-get >/dev/null || return 0
    [ -n "$(missing_packages "$@")" ] || { say "packages: all there ($*)"; return 0; }
    apt update || true
    while read -r package why; do
        if apt-get -s install --no-remove --no-install-recommends "${chosen[@]}" "$package" >/dev/null 2>&1; then
            chosen+=("$package")
            say "packages: installing $package: $why"
        else
            say "packages: not to be had here, left out: $package: $why"
        fi
    done < <(missing_packages "$@")
    [ ${#chosen[@]} = 0 ] || apt install --no-remove --no-install-recommends "${chosen[@]}" ||
        say "warning: apt-get could not install: ${chosen[*]}"
}

# The name of a Python that has pip, made in the cache folder where the system's has none.
python_with_pip() {
    local folder
    if python3 -m pip --version >/dev/null 2>&1; then
        printf 'python3'
        return
    fi
    folder=$(cache_folder)/encl-pip
    [ -x "$folder/bin/pip" ] || python3 -m venv --clear "$folder" >&2 || return 1
    printf '%s' "$folder/bin/python3"
}

# use_platforms pocl|all: lets the loader see only these OpenCL drivers, of those that are installed.
use_platforms() {
    local folder=$PWD/build/platforms-$1 name intel
    rm -rf "$folder"
    mkdir -p "$folder"
    for name in pocl rusticl; do
        if [ "$1" = all ] || [ "$1" = "$name" ]; then
            cp "/etc/OpenCL/vendors/$name.icd" "$folder/" 2>/dev/null || say "platforms: $name is not installed"
        fi
    done
    if [ "$1" = all ] && intel=$(scripts/get-intel-runtime.sh); then
        cp "$intel"/*.icd "$folder/"
    fi
    export OCL_ICD_VENDORS=$folder RUSTICL_ENABLE=llvmpipe
    say "platforms: $(cd "$folder" && ls -m ./*.icd | sed 's/\.\///g; s/\.icd//g')"
}
