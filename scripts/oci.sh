# Sourced after common.sh: makes an OCI image of one layer out of a directory.

# oci_archive TREE NAME ARCH EPOCH CONFIG OUTPUT
#
# Writes the tree as a tar archive of an OCI image layout. NAME goes into the
# annotations that `container image load` reads, ARCH is GOARCH's word, EPOCH
# the time stamp of every file and of the image, CONFIG the JSON object of the
# image's `config`. Equal input gives an equal archive, byte for byte.
oci_archive() {
  local tree=$1 name=$2 arch=$3 epoch=$4 config=$5 output=$6
  local layout created tar_options
  layout=$(mktemp -d)
  created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
  tar_options=(--format=pax --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime
    --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner)
  mkdir -p "$layout/blobs/sha256"

  # oci_blob FILE moves it into the layout and prints `digest:size`.
  oci_blob() {
    local digest; digest=$(sha256sum < "$1" | cut -d' ' -f1)
    mv "$1" "$layout/blobs/sha256/$digest"
    echo "sha256:$digest,$(stat -c %s "$layout/blobs/sha256/$digest")"
  }

  tar -C "$tree" "${tar_options[@]}" -cf "$layout/layer.tar" .
  local diff_id layer image manifest
  diff_id=sha256:$(sha256sum < "$layout/layer.tar" | cut -d' ' -f1)
  gzip -n "$layout/layer.tar"
  layer=$(oci_blob "$layout/layer.tar.gz")
  printf '{"created":"%s","architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["%s"]},"history":[{"created":"%s","created_by":"%s"}]}' \
    "$created" "$arch" "$config" "$diff_id" "$created" "${0##*/}" > "$layout/config"
  image=$(oci_blob "$layout/config")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%s}]}' \
    "${image%,*}" "${image#*,}" "${layer%,*}" "${layer#*,}" > "$layout/manifest"
  manifest=$(oci_blob "$layout/manifest")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"platform":{"architecture":"%s","os":"linux"},"annotations":{"com.apple.containerization.image.name":"%s","io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}' \
    "${manifest%,*}" "${manifest#*,}" "$arch" "$name" "$name" "$name" > "$layout/index.json"
  printf '{"imageLayoutVersion":"1.0.0"}' > "$layout/oci-layout"

  mkdir -p "$(dirname "$output")"
  tar -C "$layout" "${tar_options[@]}" -cf "$output.new" oci-layout index.json blobs
  mv "$output.new" "$output"
  rm -rf "$layout"
}
