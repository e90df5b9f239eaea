#!/bin/sh
# Runs a Windows program under Wine in a prefix of its own: `run.sh PROGRAM.exe [ARGUMENT…]`.
#
# Serves as a cargo runner, so that `cargo test` for Windows works on Linux:
#   CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$PWD/e2e/wine/run.sh cargo test --target x86_64-pc-windows-gnu …
#
# WINE_PREFIX_DIR names the prefix (default: target/wine in the workspace). It is made at the first use, in about 12 s.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${WINE_PREFIX_DIR:-$here/../../target/wine}

for tool in wine x86_64-w64-mingw32-gcc; do
    command -v "$tool" >/dev/null || {
        echo "run.sh: $tool is not installed; on Debian: apt-get install --no-install-recommends wine wine64 mingw-w64" >&2
        exit 127
    }
done

mkdir -p "$(dirname "$prefix")"
prefix=$(cd "$(dirname "$prefix")" && pwd)/$(basename "$prefix")
export WINEPREFIX="$prefix"
export WINEDEBUG="${WINEDEBUG:--all}"
# No dialogs about Mono and Gecko, which nothing here needs.
export WINEDLLOVERRIDES="${WINEDLLOVERRIDES:-mscoree=;mshtml=}"

# Several tests may start side by side: the first makes the prefix, the others wait for it.
exec 9>"$prefix.lock"
flock 9
if [ ! -e "$prefix/ready" ]; then
    rm -rf "$prefix"
    wine wineboot -i >"$prefix.log" 2>&1 9>&- || { cat "$prefix.log" >&2; exit 1; }
    # It leaves two service managers behind, each with services of its own. The next program starts with one.
    wineserver -k 9>&- || true
    wineserver -w 9>&-
    # Windows without a display: top-level windows are there all the same, and take messages.
    wine reg add 'HKCU\Software\Wine\Drivers' /v Graphics /d null /f >/dev/null 2>&1 9>&-
    system32=$prefix/drive_c/windows/system32
    [ -e "$system32/bcryptprimitives.dll" ] ||
        x86_64-w64-mingw32-gcc -shared -Os -o "$system32/bcryptprimitives.dll" "$here/bcryptprimitives.c" -ladvapi32
    touch "$prefix/ready"
fi
exec 9>&-

exec wine "$@"
