# Sourced after common.sh: Debian's rustc-web as a compiler for other targets, and
# packages of other architectures. Everything is unpacked or built below
# ~/.cache/container-darwin, nothing is installed.

target_home=$cache/container-darwin
target_prefix=$target_home/prefix/usr target_bin=$target_home/bin

# What apt needs to know packages of other architectures, in lists of its own.
foreign_apt=(-o "Dir::State::lists=$target_home/lists" -o "Dir::Cache=$target_home/archives" -o "APT::Sandbox::User=$(id -un)")

# unpack PREFIX PACKAGE...: downloads packages and extracts them below PREFIX.
# PACKAGE:arm64 is one of that architecture.
unpack() {
  local prefix=$1 dir deb foreign=(); shift
  dir=$(mktemp -d "$target_home/debs.XXXXXX")
  case " $* " in *:*)
    foreign=(-o "APT::Architectures::=${1##*:}" "${foreign_apt[@]}")
    mkdir -p "$target_home"/lists/partial "$target_home"/archives/archives/partial ;;
  esac
  (cd "$dir" && apt-get -q "${foreign[@]}" download "$@" >log 2>&1) ||
    { if [ ${#foreign[@]} -gt 0 ]; then apt-get -q "${foreign[@]}" update; else as_root apt-get -q update; fi >"$dir/update" 2>&1 &&
      (cd "$dir" && apt-get -q "${foreign[@]}" download "$@" >log 2>&1); } ||
    { cat "$dir/log" >&2; rm -rf "$dir"; die "could not download $*"; }
  mkdir -p "$prefix"
  for deb in "$dir"/*.deb; do dpkg -x "$deb" "$prefix"; done
  rm -rf "$dir"
}

# target_compiler makes sure that the compiler is there.
target_compiler() {
  local libs=$target_prefix/lib/x86_64-linux-gnu std program
  [ "$(uname -m)" = x86_64 ] || die "made for x86_64"
  mkdir -p "$target_home" "$target_bin"
  exec 9>"$target_home/lock"; flock 9
  if [ ! -e "$target_home/toolchain" ]; then
    apt_install gcc binutils
    say "fetching Debian's rustc-web"
    rm -rf "$target_home/prefix"
    _depends() { apt-cache depends --important "$1" | awk '$1 == "Depends:" { print $2 }'; }
    std=$(_depends libstd-rust-web-dev | grep -m1 '^libstd-rust-web-[0-9]' || true)
    [ -n "$std" ] || die "this machine's apt sources have no rustc-web (bookworm-security has)"
    unpack "$target_home/prefix" rustc-web "$std" libstd-rust-web-dev rust-web-src rust-web-clippy "$(_depends "$std" | grep -m1 '^libllvm')"
    if LD_LIBRARY_PATH=$libs ldd "$libs"/librustc_driver-*.so "$libs"/libLLVM*.so.* | grep -q 'not found'; then
      unpack "$target_home/prefix" libz3-4 libedit2 libbsd0 libmd0 libxml2 libicu72 libffi8 libzstd1 zlib1g libtinfo6 liblzma5 libstdc++6
    fi
    find "$target_prefix"/src/rustc-*/ -mindepth 1 -maxdepth 1 ! -name library -exec rm -rf {} +
    for program in rustc rustdoc clippy-driver cargo-clippy; do
      # Run with the prefix's libraries.
      printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\nexec %s "$@"\n' "$libs" "$target_prefix/bin/$program" > "$target_bin/$program"
    done
    # The standard library's panic_abort has to be built with its own strategy.
    printf '#!/bin/sh\ncase " $* " in *" --crate-name panic_abort "*) set -- "$@" -Cpanic=abort ;; esac\nexec %s/rustc "$@"\n' "$target_bin" > "$target_bin/rustc-std"
    chmod +x "$target_bin"/*
    "$target_bin/rustc" -V > "$target_home/toolchain.new" || die "rustc-web does not run"
    mv "$target_home/toolchain.new" "$target_home/toolchain"
  fi
  target_cargo=$(cd "$root" && rustup which cargo 2>/dev/null || command -v cargo) || die "needs a cargo (scripts/setup-debian.sh)"
  flock -u 9; exec 9>&-
}

# target_std TARGET makes sure that the standard library for TARGET is there, and
# sets target_stamp to a word that is another for each build of it. Under two
# minutes; its dependencies come with its sources, so no network is needed.
target_std() {
  local target=$1 stamp=$target_home/std build=$target_home/std-build lib
  [ "$target" = aarch64-apple-darwin ] || stamp=$target_home/std-$target
  exec 9>"$target_home/lock"; flock 9
  if [ ! -e "$stamp" ]; then
    say "building the standard library for $target"
    rm -rf "$build"; mkdir -p "$build/src"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[profile.release]\nopt-level = "s"\n' > "$build/Cargo.toml"
    echo '#![no_std]' > "$build/src/lib.rs"
    # With bitcode, for programs that are optimised as a whole.
    (cd "$build" && env -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER CARGO_HOME="$build/home" RUSTFLAGS=-Cembed-bitcode=yes \
      RUSTC="$target_bin/rustc-std" RUSTC_BOOTSTRAP=1 "$target_cargo" build -q --offline --release \
      --config 'source.crates-io.replace-with="vendor"' \
      --config "source.vendor.directory=\"$(echo "$target_prefix"/src/rustc-*/library/vendor)\"" \
      -Zbuild-std=core,alloc,std,proc_macro,test,panic_abort,panic_unwind --target "$target" --target-dir "$build/target")
    lib=$target_prefix/lib/rustlib/$target/lib
    rm -rf "$lib"; mkdir -p "$lib"
    cp "$build/target/$target"/release/deps/*.rlib "$lib"; rm -f "$lib"/libempty-*
    rm -rf "$build"
    cat "$lib"/libstd-*.rlib | sha256sum | cut -c1-16 > "$stamp.new"
    mv "$stamp.new" "$stamp"
  fi
  target_stamp=$(cat "$stamp")
  flock -u 9; exec 9>&-
}
