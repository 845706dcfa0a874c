#!/usr/bin/env bash
# Prints a Homebrew formula that builds a release from its sources.
#
#   formula.sh URL SHA256 > container.rb
#
# URL is that of the source archive. The formula signs what it builds on the
# machine it is installed on, without a certificate.
set -euo pipefail

[ $# = 2 ] || { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
url=$1 sum=$2
[[ $sum =~ ^[0-9a-f]{64}$ ]] || { echo "formula.sh: not a SHA-256 digest: $sum" >&2; exit 2; }
case $url in https://*\"*|[!h]*) echo "formula.sh: not an address: $url" >&2; exit 2 ;; esac

cat <<EOF
class Container < Formula
  desc "Runs OCI containers, each in a virtual machine of its own"
  homepage "${url%/archive/*}"
  url "$url"
  sha256 "$sum"
  license "Apache-2.0"

  depends_on "rust" => :build
  depends_on arch: :arm64
  depends_on macos: :sequoia

  conflicts_with cask: "container"

  def install
    system "make", "install", "PREFIX=#{prefix}"
  end

  def caveats
    <<~TEXT
      The services are started by
        container system start
      Containers boot a kernel and an init image (docs/macos.md):
        container system kernel set --recommended
        container image load -i init-image-arm64.tar
      and removed, with their entry among the login items, by
        container system stop
    TEXT
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/container --version")
    assert_match "com.apple.security.virtualization", shell_output(
      "codesign --display --entitlements - #{libexec}/container/plugins/container-runtime-linux/bin/container-runtime-linux 2>&1",
    )
  end
end
EOF
