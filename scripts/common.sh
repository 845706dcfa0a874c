# Sourced by the scripts beside it (bash).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}

# With another HOME than the one that rustup was installed in, its cargo does not
# find the toolchains.
if _cargo=$(command -v cargo) && [ -d "${_cargo%/.cargo/bin/cargo}/.rustup" ] &&
  ! (cd "$root" && cargo --version >/dev/null 2>&1); then
  export RUSTUP_HOME=${_cargo%/.cargo/bin/cargo}/.rustup
fi

# A Mac's own tools lack what the scripts ask of tar, date and stat; Homebrew has
# those of Linux.
if [ "$(uname -s)" = Darwin ]; then
  for _tools in coreutils gnu-tar; do
    _tools=$(brew --prefix 2>/dev/null || echo /opt/homebrew)/opt/$_tools/libexec/gnubin
    [ ! -d "$_tools" ] || PATH=$_tools:$PATH
  done
fi

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "needs root for: $* (no sudo here)"
  fi
}

# installed PACKAGE: whether it is
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# linux_source prints the package of kernel sources to use: the first that is
# installed, or that apt knows.
linux_source() {
  local package
  for package in linux-source-6.12 linux-source; do
    if installed "$package" || apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; return; fi
  done
  return 1
}

# apt_install PACKAGE... installs what is missing, and nothing when all is there.
apt_install() {
  local missing=() package
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "needs ${missing[*]}, and there is no apt-get to install them with"
  say "installing ${missing[*]}"
  local log; log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}" >"$log" 2>&1 &&
    ! { as_root apt-get -q update && as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2; rm -f "$log"
    die "apt could not install: ${missing[*]} (its last lines are above)"
  fi
  rm -f "$log"
}
