//! What is written at random comes back, by the checksum that is in each block.

use std::fs;
use std::os::unix::fs::FileExt;

use container_tests::{DEBIAN, System};

/// Writes blocks in any order, with a sync now and then, and reads them all; with `--verify_only` it only reads.
const VERIFY: &str = "fio --name=verify --filename_format=data --thread --size=8m --bs=4k --rw=randwrite \
                      --randseed=7 --ioengine=psync --fsync=64 --verify=crc32c --verify_fatal=1 --output=/dev/null";

#[test]
fn what_is_written_at_random_comes_back() {
    let system = System::start().with_debian();
    let host = system.home().join("host");
    fs::create_dir(&host).unwrap();
    let options = ["-m", "512m", "-v", "./host:/host", "-v", "data:/volume"];
    system.idle("one", DEBIAN, &options);
    for directory in ["/root", "/volume", "/host"] {
        system.shell("one", &format!("{VERIFY} --directory={directory}"));
    }
    system.ok(["kill", "one"]);
    system.ok(["wait", "one"]);

    // From the disks themselves: another machine has nothing in its memory.
    system.ok(["start", "one"]);
    let check = |directory: &str| {
        let script = format!("{VERIFY} --verify_only --directory={directory}");
        system.run(["exec", "one", "sh", "-c", &script])
    };
    for directory in ["/volume", "/host", "/root"] {
        let checked = check(directory);
        assert_eq!(checked.code, 0, "{directory}: {checked:?}");
    }
    let file = fs::File::options().write(true).open(host.join("data")).unwrap();
    file.write_all_at(b"damaged", 5 << 20).unwrap();
    assert_ne!(check("/host").code, 0, "a damaged block is found");
}
