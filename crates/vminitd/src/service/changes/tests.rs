//! An overlay's two directories, made by hand; what the kernel makes of them is tested with containers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use container_sandbox::proto::OverlayChangesRequest;
use container_sandbox::proto::overlay_changes_request::Format;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::write;

fn overlay() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let (upper, lower) = (place.path().join("upper"), place.path().join("lower"));
    let file = |path: PathBuf, content: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for path in ["etc/passwd", "etc/hosts", "usr/bin/tool", "usr/old", "kept/file"] {
        file(lower.join(path), "image");
    }
    file(upper.join("etc/hosts"), "ours");
    file(upper.join("usr/bin/tool"), "changed");
    file(upper.join("new/deep/file"), "added");
    file(upper.join("run/secret"), "ours");
    fs::hard_link(upper.join("new/deep/file"), upper.join("new/link")).unwrap();
    symlink("/etc/passwd", upper.join("new/symlink")).unwrap();
    fs::set_permissions(upper.join("usr/bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::create_dir_all(upper.join("kept")).unwrap();
    fs::set_permissions(upper.join("kept"), fs::Permissions::from_mode(0o700)).unwrap();
    mknodat(
        CWD,
        upper.join("usr/old"),
        FileType::CharacterDevice,
        Mode::empty(),
        0,
    )
    .unwrap();
    file(upper.join(format!("new/{}", "x".repeat(150))), "");
    // Directories that were copied up without a change have the image's times.
    for path in ["etc", "usr/bin", "usr"] {
        let modified = fs::metadata(lower.join(path)).unwrap().modified().unwrap();
        fs::File::open(upper.join(path))
            .unwrap()
            .set_modified(modified)
            .unwrap();
    }
    place
}

fn changes(place: &Path, format: Format) -> Vec<u8> {
    let path = |name: &str| place.join(name).display().to_string();
    let request = OverlayChangesRequest {
        upper: path("upper"),
        lower: path("lower"),
        excluded: ["/etc/hosts", "/run/secret"].map(str::to_owned).into(),
        format: format.into(),
        ..OverlayChangesRequest::default()
    };
    let mut bytes = Vec::new();
    write(&request, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_list_has_what_came_went_and_changed() {
    let place = overlay();
    let list = String::from_utf8(changes(place.path(), Format::List)).unwrap();
    let mut list: Vec<&str> = list.split_terminator('\0').collect();
    list.sort_by_key(|record| &record[2..]);
    let long = format!("A /new/{}", "x".repeat(150));
    let expected = [
        "C /kept",
        "A /new",
        "A /new/deep",
        "A /new/deep/file",
        "A /new/link",
        "A /new/symlink",
        &long,
        "C /usr",
        "C /usr/bin/tool",
        "D /usr/old",
    ];
    assert_eq!(list, expected, "neither /etc nor /run is the container's change");
}

#[test]
fn a_layer_has_the_changed_files_and_whiteouts() {
    let place = overlay();
    let bytes = changes(place.path(), Format::Layer);
    let mut archive = tar::Archive::new(&*bytes);
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let path = entry.path().unwrap().display().to_string();
        let path = path.trim_end_matches('/').to_owned();
        let link = entry.link_name().unwrap().map(|link| link.display().to_string());
        let mode = entry.header().mode().unwrap();
        order.push(path.clone());
        found.insert(path, (mode, content, link));
    }
    assert_eq!(found["usr/bin/tool"], (0o4755, "changed".to_owned(), None));
    assert_eq!(found["usr/.wh.old"].1, "");
    assert_eq!(found["new/link"].2.as_deref(), Some("new/deep/file"));
    assert_eq!(found["new/symlink"].2.as_deref(), Some("/etc/passwd"));
    assert_eq!(found["kept"].0, 0o700);
    assert!(found.contains_key(&format!("new/{}", "x".repeat(150))));
    assert!(
        !order
            .iter()
            .any(|path| path.starts_with("etc") || path.starts_with("run")),
        "{order:?}"
    );
    let place_of = |path: &str| order.iter().position(|found| found == path);
    assert!(place_of("usr/bin").unwrap() < place_of("usr/bin/tool").unwrap());
}
