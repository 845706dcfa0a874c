//! What this build calls itself.

/// Release number.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `debug` or `release`.
pub const BUILD: &str = if cfg!(debug_assertions) {
    "debug"
} else {
    "release"
};

/// Seven hexadecimal digits of the commit, or `unspecified`; set at build time by `CONTAINER_COMMIT`.
pub const COMMIT: &str = match option_env!("CONTAINER_COMMIT") {
    Some(commit) => commit,
    None => "unspecified",
};

/// The text of `container --version`.
pub fn sentence() -> String {
    format!("container CLI version {VERSION} (build: {BUILD}, commit: {COMMIT})")
}
