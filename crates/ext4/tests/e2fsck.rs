//! Checks of formatted files with e2fsprogs.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use container_ext4::{Directory, Journal, JournalMode, Options, Summary, format};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn run(program: &str, arguments: &[&str], path: &Path) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap_or_else(|e| panic!("{program} (Debian package e2fsprogs): {e}"));
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Formats, lets e2fsck check everything and returns the summary and dumpe2fs's header.
fn checked(options: &Options<'_>) -> (Summary, HashMap<String, String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let file = File::create(&path).unwrap();
    let summary = format(&file, options).unwrap();
    assert_eq!(file.metadata().unwrap().len(), summary.size_bytes);
    let (clean, text) = run("e2fsck", &["-fn"], &path);
    assert!(clean, "{options:?}\n{text}");
    // Checks that e2fsck makes without calling the file system unclean would be announced by a line of their own.
    assert!(!text.contains("Fix?") && !text.contains("FIXED"), "{text}");
    let (read, text) = run("dumpe2fs", &["-h"], &path);
    assert!(read, "{text}");
    let header = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect();
    (summary, header)
}

fn journal(mode: JournalMode, size: Option<u64>) -> Option<Journal> {
    Some(Journal { mode, size })
}

#[test]
fn sizes() {
    for size in [
        MIB,
        3 * MIB + 1,
        128 * MIB,
        129 * MIB,
        600 * MIB,
        10 * GIB,
        64 * GIB,
        100 * GIB,
        512 * GIB,
        2 * TIB,
    ] {
        let (summary, header) = checked(&Options::new(size));
        assert_eq!(summary.size_bytes, size.next_multiple_of(128 * MIB));
        assert_eq!(header["Block count"], (summary.size_bytes / 4096).to_string());
        assert_eq!(header["Free blocks"], summary.free_blocks.to_string());
        assert_eq!(header["Inode count"], summary.inodes.to_string());
        checked(&Options {
            journal: journal(JournalMode::Ordered, None),
            lost_found: true,
            ..Options::new(size)
        });
    }
}

#[test]
fn eight_tebibytes() {
    let directories = [Directory::new("upper"), Directory::new("work")];
    let options = Options {
        journal: journal(JournalMode::Ordered, None),
        directories: &directories,
        ..Options::new(8 * TIB)
    };
    let (summary, _) = checked(&options);
    assert_eq!(summary.size_bytes, 8 * TIB + GIB);
}

#[test]
fn journal_modes() {
    let modes = [
        (JournalMode::Ordered, "journal_data_ordered"),
        (JournalMode::Writeback, "journal_data_writeback"),
        (JournalMode::Journal, "journal_data"),
    ];
    for (mode, option) in modes {
        let (_, header) = checked(&Options {
            journal: journal(mode, None),
            ..Options::new(GIB)
        });
        assert_eq!(
            header["Default mount options"],
            format!("{option} user_xattr acl")
        );
        assert_eq!(header["Journal inode"], "8");
        assert_eq!(header["Total journal blocks"], "4096");
    }
}

#[test]
fn journal_sizes() {
    for size in [
        4 * MIB,
        5 * MIB + 4097,
        100 * MIB,
        127 * MIB,
        128 * MIB,
        600 * MIB,
        3 * GIB,
        39 * GIB,
    ] {
        for capacity in [MIB, 300 * MIB, 5 * GIB, 600 * GIB] {
            let options = Options {
                journal: journal(JournalMode::Ordered, Some(size)),
                ..Options::new(capacity)
            };
            let (summary, header) = checked(&options);
            assert_eq!(summary.journal_bytes, size / 4096 * 4096);
            assert_eq!(header["Total journal blocks"], (size / 4096).to_string());
            assert!(summary.free_blocks * 4096 < summary.size_bytes - size);
        }
    }
}

#[test]
fn header_fields() {
    let (summary, header) = checked(&Options {
        label: "sixteen byte lab",
        uuid: Some(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"),
        journal: journal(JournalMode::Ordered, None),
        ..Options::new(512 * GIB)
    });
    assert_eq!(header["Filesystem volume name"], "sixteen byte lab");
    assert_eq!(header["Filesystem UUID"], "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(header["Filesystem state"], "clean");
    assert_eq!(header["Block size"], "4096");
    assert_eq!(header["Blocks per group"], "32768");
    assert_eq!(header["Inode size"], "256");
    assert_eq!(header["First inode"], "11");
    assert_eq!(header["Required extra isize"], "32");
    assert_eq!(
        header["Filesystem features"],
        "has_journal ext_attr dir_index sparse_super2 filetype extent flex_bg large_file huge_file uninit_bg \
         dir_nlink extra_isize"
    );
    assert_eq!(header["Mount options"], "no_prefetch_block_bitmaps");
    let files = 10;
    assert_eq!(header["Free inodes"], (summary.inodes - files).to_string());
    // Everything but the root directory and the leaf of the journal's extent tree is overhead.
    let overhead: u64 = header["Overhead clusters"].parse().unwrap();
    assert_eq!(overhead + summary.free_blocks + 2, summary.size_bytes / 4096);
}

#[test]
fn directories() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("disk");
    let owned = Directory {
        name: "data",
        mode: 0o1777,
        uid: 70_000,
        gid: 80_000,
    };
    let options = Options {
        root_uid: 1000,
        root_gid: 100_000,
        root_mode: 0o750,
        lost_found: true,
        directories: &[Directory::new("upper"), Directory::new("work"), owned],
        ..Options::new(GIB)
    };
    format(&File::create(&path).unwrap(), &options).unwrap();
    assert!(run("e2fsck", &["-fn"], &path).0);
    let stat = |name: &str| run("debugfs", &["-R", &format!("stat {name}")], &path).1;
    let holds = |name: &str, parts: &[&str]| {
        let text = stat(name).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(text.contains(part), "{name}: {part}: {text}");
        }
    };
    holds("/", &["Mode: 0750", "User: 1000", "Group: 100000", "Links: 6"]);
    holds("/lost+found", &["Inode: 11 ", "Mode: 0700", "Links: 2"]);
    holds(
        "/upper",
        &[
            "Inode: 12 ",
            "Type: directory",
            "Mode: 0755",
            "User: 0 ",
            "Group: 0 ",
        ],
    );
    holds("/work", &["Inode: 13 "]);
    holds("/data", &["Mode: 01777", "User: 70000", "Group: 80000"]);
}

#[test]
fn a_large_disk_is_nearly_all_hole() {
    let temporary = tempfile::tempdir().unwrap();
    let file = File::create(temporary.path().join("disk")).unwrap();
    let options = Options {
        journal: journal(JournalMode::Ordered, None),
        ..Options::new(512 * GIB)
    };
    format(&file, &options).unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 < MIB);
}

#[test]
fn old_content_is_gone() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("disk");
    std::fs::write(&path, vec![0xa5; 20 << 20]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    format(&file, &Options::new(MIB)).unwrap();
    assert!(run("e2fsck", &["-fn"], &path).0);
    assert!(file.metadata().unwrap().blocks() * 512 < MIB);
}
