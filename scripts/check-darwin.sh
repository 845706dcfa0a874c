#!/usr/bin/env bash
# Type-checks and lints the workspace for macOS on Apple silicon, on Debian.
#
#   check-darwin.sh [check|clippy] [CARGO-ARG...]
#
# Without an argument: clippy, warnings denied, for every crate that is part of
# the macOS product. Nothing is linked, so neither Apple's SDK nor a linker is
# needed. The compiler is Debian's rustc-web, which comes with the sources from
# which its standard library is built for aarch64-apple-darwin, once (under two
# minutes). Packages are unpacked under ~/.cache/container-darwin, not installed.
set -euo pipefail
. "$(dirname "$0")/common.sh"

# Crates that are no part of the macOS product: name, then why.
excluded=(
  vminitd # runs in the guest, which is Linux on every host
  container-share-fs # Virtualization.framework serves shared directories itself
)

target=aarch64-apple-darwin
home=$cache/container-darwin prefix=$cache/container-darwin/prefix/usr bin=$cache/container-darwin/bin
libs=$prefix/lib/x86_64-linux-gnu
[ "$(uname -m)" = x86_64 ] || die "made for x86_64"
mkdir -p "$home" "$bin"
exec 9>"$home/lock"; flock 9

unpack() { # unpack PACKAGE...: downloads packages and extracts them into the prefix
  local dir; dir=$(mktemp -d "$home/debs.XXXXXX")
  (cd "$dir" && apt-get -q download "$@" >log 2>&1) ||
    { as_root apt-get -q update >/dev/null && (cd "$dir" && apt-get -q download "$@" >log 2>&1); } ||
    { cat "$dir/log" >&2; rm -rf "$dir"; die "could not download $*"; }
  local deb; for deb in "$dir"/*.deb; do dpkg -x "$deb" "$home/prefix"; done
  rm -rf "$dir"
}
wrap() { # wrap NAME: a program of the prefix, run with the prefix's libraries
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\nexec %s "$@"\n' "$libs" "$prefix/bin/$1" > "$bin/$1"
  chmod +x "$bin/$1"
}

if [ ! -e "$home/toolchain" ]; then
  apt_install gcc binutils
  say "fetching Debian's rustc-web"
  rm -rf "$home/prefix"
  depends() { apt-cache depends --important "$1" | awk '$1 == "Depends:" { print $2 }'; }
  std=$(depends libstd-rust-web-dev | grep -m1 '^libstd-rust-web-[0-9]' || true)
  [ -n "$std" ] || die "this machine's apt sources have no rustc-web (bookworm-security has)"
  unpack rustc-web "$std" libstd-rust-web-dev rust-web-src rust-web-clippy "$(depends "$std" | grep -m1 '^libllvm')"
  if LD_LIBRARY_PATH=$libs ldd "$libs"/librustc_driver-*.so "$libs"/libLLVM*.so.* | grep -q 'not found'; then
    unpack libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libffi8 libzstd1 zlib1g libtinfo6 liblzma5 libstdc++6
  fi
  find "$prefix"/src/rustc-*/ -mindepth 1 -maxdepth 1 ! -name library -exec rm -rf {} +
  for program in rustc rustdoc clippy-driver cargo-clippy; do wrap "$program"; done
  # The standard library's panic_abort has to be built with its own strategy.
  printf '#!/bin/sh\ncase " $* " in *" --crate-name panic_abort "*) set -- "$@" -Cpanic=abort ;; esac\nexec %s/rustc "$@"\n' "$bin" > "$bin/rustc-std"
  # Build scripts that compile C get empty objects (nothing is linked), and the
  # answers that clang would give to cc-rs's questions.
  cat > "$bin/no-cc" <<'E'
#!/bin/sh
out='' last='' source='' expand=''
for word in "$@"; do
  case $word in
    '-?') exit 1 ;;
    -E) expand=1 ;;
    --version|-dumpversion|-dumpmachine) echo 'clang version 19.0.0'; exit 0 ;;
    *.c|*.cc|*.cpp|*.S|*.s|*.h|*.m) source=$word ;;
  esac
  [ "$last" != -o ] || out=$word
  last=$word
done
[ -z "$expand" ] || exec gcc -E -D__clang__ -U__GNUC__ "$source"
[ -z "$out" ] || : > "$out"
E
  chmod +x "$bin"/*
  "$bin/rustc" -V > "$home/toolchain.new" || die "rustc-web does not run"
  mv "$home/toolchain.new" "$home/toolchain"
fi

cargo=$(cd "$root" && rustup which cargo 2>/dev/null || command -v cargo) || die "needs a cargo (scripts/setup-debian.sh)"
if [ ! -e "$home/std" ]; then
  say "building the standard library for $target"
  build=$home/std-build; rm -rf "$build"; mkdir -p "$build/src"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[profile.release]\nopt-level = "s"\n' > "$build/Cargo.toml"
  echo '#![no_std]' > "$build/src/lib.rs"
  # Its dependencies come with its sources: no network.
  (cd "$build" && env -u RUSTFLAGS -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER CARGO_HOME="$build/home" \
    RUSTC="$bin/rustc-std" RUSTC_BOOTSTRAP=1 "$cargo" build -q --offline --release \
    --config 'source.crates-io.replace-with="vendor"' \
    --config "source.vendor.directory=\"$(echo "$prefix"/src/rustc-*/library/vendor)\"" \
    -Zbuild-std=core,alloc,std,proc_macro,test,panic_abort,panic_unwind --target $target --target-dir "$build/target")
  lib=$prefix/lib/rustlib/$target/lib
  rm -rf "$lib"; mkdir -p "$lib"
  cp "$build/target/$target"/release/deps/*.rlib "$lib"; rm -f "$lib"/libempty-*
  rm -rf "$build"
  cat "$lib"/libstd-*.rlib | sha256sum | cut -c1-16 > "$home/std.new"
  mv "$home/std.new" "$home/std"
fi
flock -u 9; exec 9>&-

# One directory for each build of the standard library: cargo does not notice
# that it changed.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/darwin-$(cat "$home/std")
export CARGO_TARGET_DIR
export RUSTC=$bin/rustc RUSTDOC=$bin/rustdoc SDKROOT=$home
export CC_aarch64_apple_darwin=$bin/no-cc CXX_aarch64_apple_darwin=$bin/no-cc AR_aarch64_apple_darwin=/usr/bin/ar

mode=${1:-} crates=()
[ $# = 0 ] || shift
[ $# -gt 0 ] || crates=(--workspace "${excluded[@]/#/--exclude=}")
cd "$root"
case $mode in
  ""|clippy) CARGO=$cargo exec "$bin/cargo-clippy" clippy --locked --target $target "${crates[@]}" "$@" --all-targets -- -D warnings ;;
  check) exec "$cargo" check --locked --target $target "${crates[@]}" "$@" ;;
  *) die "unknown mode '$mode': check or clippy" ;;
esac
