//! Systems with the image of Debian that has real programs.

use crate::{System, artifact};

/// What `scripts/test.sh` makes, with the programs that it lists.
pub const DEBIAN: &str = "debian:bench";

impl System {
    /// The same with [`DEBIAN`].
    pub fn with_debian(self) -> Self {
        let archive = artifact("CONTAINER_TEST_PROGRAMS");
        self.ok(["image", "load", "-i", archive.to_str().expect("UTF-8")]);
        self
    }

    /// A container in the background that does nothing by itself, made with `options`.
    #[track_caller]
    pub fn idle(&self, name: &str, image: &str, options: &[&str]) {
        let first = ["run", "-d", "--name", name].into_iter();
        let last = [image, "sleep", "1000"];
        self.ok(first.chain(options.iter().copied()).chain(last));
    }

    /// What a shell in a container prints.
    #[track_caller]
    pub fn shell(&self, name: &str, script: &str) -> String {
        self.ok(["exec", name, "sh", "-c", script])
    }

    /// What a shell in a container of its own prints, which is made with `options`.
    #[track_caller]
    pub fn shell_in(&self, image: &str, options: &[&str], script: &str) -> String {
        let first = ["run", "--rm"].into_iter().chain(options.iter().copied());
        self.ok(first.chain([image, "sh", "-c", script]))
    }
}
