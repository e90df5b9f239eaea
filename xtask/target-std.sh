#!/usr/bin/env bash
# Gives the installed rustc a standard library for TARGET, if it has none.
#
#   xtask/target-std.sh TARGET
#
# `rustup target add` does it wherever it can. Where it cannot (no network but Debian's mirror), Debian's package rust-src
# carries the sources of exactly one compiler version, and cargo builds the library from them: a minute on two cores for
# Windows. The mirror and its key come from the machine's own apt configuration. What was built is kept in the user's cache,
# by compiler version and target, so that a second clone or a second run costs nothing.
set -euo pipefail

target=${1:?usage: target-std.sh TARGET}
version=$(rustc --version | cut -d' ' -f2)
sysroot=$(rustc --print sysroot)
installed=$sysroot/lib/rustlib/$target/lib
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bilayer/std
built=$cache/$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  has_library "$installed" && exit 0
  # Asked again: rustup takes its own list for the truth, whatever became of the files.
  rustup target add "$target" 2>/dev/null && has_library "$installed" && exit 0
  echo "rustup has no $target here; building its standard library from Debian's rust-src $version" >&2
  if ! has_library "$built"; then
    [ -d "$sysroot/lib/rustlib/src/rust/library" ] || sources
    build
  fi
  mkdir -p "$installed"
  cp "$built"/*.rlib "$installed/"
}

has_library() { compgen -G "$1/libcore-*.rlib" >/dev/null; }

# The library's sources, into the sysroot, where cargo looks for them.
sources() {
  local mirror key suite full
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
  key=$(sed -n 's/^Signed-By: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
  mkdir -p "$work/sources" "$work/lists/partial"
  for suite in trixie-backports trixie sid; do
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" "$key" >"$work/sources/a.sources"
    apt-get "${apt[@]}" update -qq || continue
    full=$(apt-cache "${apt[@]}" madison rust-src | awk -v v="$version" 'index($3, v "+") == 1 { print $3; exit }')
    [ -n "$full" ] && break
  done
  [ -n "${full:-}" ] || { echo "no rust-src $version among Debian's packages; add the target $target another way" >&2; exit 1; }
  (cd "$work" && apt-get "${apt[@]}" download -qq "rust-src=$full" && dpkg -x rust-src_*.deb unpacked)
  mkdir -p "$sysroot/lib/rustlib/src"
  cp -r "$work/unpacked/usr/src/rustc-$version" "$sysroot/lib/rustlib/src/rust"
}
apt=(-o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/nonexistent -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::Lists=$work/lists")

# Nothing is tested without an operating system.
crates() {
  case $target in
    wasm32-unknown-unknown) echo std,panic_abort ;;
    *) echo std,panic_abort,panic_unwind,test ;;
  esac
}

# The library, into the cache. A rename makes it complete or absent, also with two builds at once.
build() {
  mkdir -p "$work/empty" "$cache"
  (cd "$work/empty" && cargo init -q --name empty --vcs none . &&
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" cargo build -q --release --target "$target" \
      "-Zbuild-std=$(crates)")
  mkdir "$work/built"
  find "$work/target/$target/release/deps" -name 'lib*.rlib' ! -name 'libempty*' -exec cp {} "$work/built/" \;
  rm -rf "$built"
  local next=$built.$$
  cp -r "$work/built" "$next"
  mv -T "$next" "$built" 2>/dev/null || rm -rf "$next"
}

main
