# Sourced by `run` and `long`: the environment, the tools in pinned versions, and the loop over the steps.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# One target folder for everything, the scratch crates included, so that dependencies are built once.
target=${CARGO_TARGET_DIR:-target}
case $target in
/* | ?:*) ;;
*) target=$root/$target ;;
esac
export CARGO_TARGET_DIR=$target
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
scratch=$target/ci
tools=${GCM_CI_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/gcm-ci}
export PATH=$tools/bin:$PATH

crates='gcm-proto gcm-blocking gcm-async'

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# An empty folder of this name for a step to work in.
fresh() {
    rm -rf "${scratch:?}/$1"
    mkdir -p "$scratch/$1"
}

# copy_sources NAME: a fresh folder of this name with every file of the repository, new ones included.
copy_sources() {
    fresh "$1"
    git ls-files -z --cached --others --exclude-standard | tar --null -cf - -T - | tar -xf - -C "$scratch/$1"
}

# tool NAME VERSION: `cargo NAME` of exactly this version, installed into the cache folder when it is not there.
tool() {
    local started=$SECONDS
    [ "$(cargo "$1" --version 2>/dev/null | awk '{ print $2; exit }')" != "$2" ] || return 0
    echo "installing cargo-$1 $2"
    CARGO_TARGET_DIR=$scratch/install cargo install --quiet --locked --force --root "$tools" "cargo-$1" --version "$2"
    rm -rf "$scratch/install"
    echo "installed in $((SECONDS - started)) s"
}

# fuzz NAME NEW OPTIONS...: runs a fuzz target over the committed corpus, which is only read; new inputs go to the folder
# NEW. Address sanitizer and coverage are unstable options: the stable compiler takes them when told to, which spares
# everybody a second toolchain.
fuzz() {
    local name=$1 new=$2 dictionary=fuzz/dict/$1.dict
    shift 2
    mkdir -p "$new"
    [ ! -e "$dictionary" ] || set -- "$@" "-dict=$dictionary"
    RUSTC_BOOTSTRAP=1 cargo fuzz run "$name" "$new" "fuzz/corpus/$name" -- "$@" -timeout=10
}

# debian PACKAGE COMMAND: brings COMMAND from Debian where that is possible.
debian() {
    ! command -v "$2" >/dev/null || return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        apt-get install -y -qq "$1" >/dev/null
    fi
    command -v "$2" >/dev/null || fail "$2 is missing: install it first (Debian: $1)"
}

# must_fail PATTERN COMMAND...: the command fails, and says PATTERN.
must_fail() {
    local pattern=$1 output
    shift
    if output=$(CARGO_TERM_COLOR=never "$@" 2>&1); then
        printf '%s\n' "$output"
        fail "this should have failed: $*"
    fi
    if ! grep -q -- "$pattern" <<<"$output"; then
        printf '%s\n' "$output"
        fail "this failed without saying '$pattern': $*"
    fi
    echo "fails as it should: $(grep -m 1 -- "$pattern" <<<"$output")"
}

# debian_rustc FOLDER VERSION PACKAGES...: prints the path of Debian's compiler of that version, of the newest when VERSION
# is empty, unpacked with PACKAGES of the same version into FOLDER of the cache (nothing is installed). Prints nothing when
# there is none.
debian_rustc() {
    local rustc=$tools/$1/rustc
    if [ ! -x "$rustc" ] && command -v apt-get >/dev/null; then
        unpack_rustc "$@" >&2 || return 0
    fi
    [ ! -x "$rustc" ] || echo "$rustc"
}

# Each step looks at the one before, as `set -e` is off where a caller looks at the status. The compiler gets its name last.
unpack_rustc() (
    version=$2
    mkdir -p "$tools/$1" && cd "$tools/$1" && rm -rf root ./*.deb || return
    shift 2
    [ "$(id -u)" != 0 ] || apt-get update -qq
    found=$(apt-cache madison rustc-web | awk -v v="$version" 'v == "" || index($3, v ".") == 1 { print $3; exit }')
    [ -n "$found" ] || return
    std=libstd-rust-web-$(cut -d. -f1,2 <<<"$found")
    llvm=$(apt-cache depends "$std=$found" | grep -o 'libllvm[0-9]*' | head -n 1)
    set -- rustc-web libstd-rust-web-dev "$std" "$@"
    apt-get download -qq -o APT::Sandbox::User=root "${@/%/=$found}" "$llvm" || return
    for package in *.deb; do
        dpkg -x "$package" root || return
    done
    # Of the sources, only the standard library's are of use.
    rm -rf ./*.deb root/usr/src/*/{compiler,src}
    libraries=$(dirname "$(find "$PWD/root" -name 'libLLVM*' | head -n 1)")
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$PWD/root/usr/bin/rustc" >rustc.new
    chmod +x rustc.new
    ./rustc.new --version && mv rustc.new rustc
)

# main TITLE "ALL STEPS" ARGUMENTS...: runs the steps named, or all; each is a function step_NAME.
main() {
    local all=$2 wanted step started times=''
    title=$1
    shift 2
    if [ "${1:-}" = --list ]; then
        printf '%s\n' $all
        return
    fi
    wanted=${*:-$all}
    for step in $wanted; do
        case " $all " in
        *" $step "*) ;;
        *) fail "no step named $step; there are: $all" ;;
        esac
    done
    current=''
    notes=''
    trap 'status=$?; [ "$status" = 0 ] || echo "$title: FAILED in ${current:-the set-up} after $SECONDS s"' EXIT
    for step in $wanted; do
        current=$step
        started=$SECONDS
        printf '\n==> %s\n' "$step"
        "step_$step"
        printf -- '--- %s: %d s\n' "$step" "$((SECONDS - started))"
        times="$times $step $((SECONDS - started)) s,"
    done
    printf '\n%s' "$notes"
    set -- $wanted
    echo "$title: $# of $# steps passed in $SECONDS s:${times%,}"
}
