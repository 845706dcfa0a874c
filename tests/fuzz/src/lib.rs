//! One function per fuzz target. They panic when a parser breaks its promises; that it returns at all, in bounded time
//! and memory, is the fuzzer's to watch.

use container_erofs::{Builder, Options};
use container_resource::Reference;

pub use container_dns::fuzzing::dns;
pub use container_image_store::fuzzing::{challenge, documents};

/// Applies a layer twice, the second time on top of itself: every whiteout, link and replaced file then meets a lower layer.
pub fn layer(bytes: &[u8]) {
    let options = Options {
        max_bytes: 32 << 20,
        max_entries: 10_000,
    };
    let Ok(file) = tempfile::tempfile() else {
        return;
    };
    let Ok(mut builder) = Builder::new(file, options) else {
        return;
    };
    let Ok(summary) = builder.add_layer(bytes, None) else {
        assert!(builder.finish().is_err(), "a failed layer was ignored");
        return;
    };
    if builder.add_layer(bytes, Some(summary.diff_id)).is_ok()
        && let Ok(image) = builder.finish()
    {
        assert!(image.bytes >= 4096 && image.inodes > 0);
    }
}

/// Parses a reference; what is printed of it is the same reference.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    for parsed in [
        text.parse::<Reference>(),
        Reference::parse_normalized(text, "docker.io"),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(parsed.to_string().parse(), Ok(parsed.clone()), "{text:?}");
        let normalized = parsed.normalized();
        assert_eq!(normalized.clone().normalized(), normalized, "{text:?}");
    }
}
