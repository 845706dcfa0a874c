//! The service doing many things at once, and killed at random moments of that: what it leaves is whole, and the rest goes
//! away.

mod support;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use container_client::ImagesClient;
use container_ipc::{Error, ErrorCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use support::{HOW, connect, noise, registry, run, skopeo_copy, start};

/// How often the service is killed.
const ROUNDS: u32 = 50;

/// Pseudo-random numbers (SplitMix64), so that a seed repeats what is done, though not how far it gets.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

/// What the service is asked to do.
#[derive(Debug, Clone)]
enum Operation {
    Pull(String),
    Load(String, PathBuf),
    Unpack(String),
    Delete(String),
    Prune,
}

impl Operation {
    async fn perform(self, client: ImagesClient) -> Result<(), Error> {
        match self {
            Self::Pull(name) => client.pull(&name, None, &HOW, None).await.map(|_| ()),
            Self::Load(_, archive) => client.load(&archive, false).await.map(|_| ()),
            Self::Unpack(name) => {
                let image = client.get(&name, HOW.default_domain).await?;
                client.unpack(&image, None, None).await
            }
            Self::Delete(name) => client.delete(&name, true).await,
            Self::Prune => client.clean_up().await.map(|_| ()),
        }
    }

    /// Whether the error is none of the service: what is not there cannot be unpacked or deleted.
    fn may_fail(&self, error: &Error) -> bool {
        matches!(self, Self::Unpack(_) | Self::Delete(_)) && error.code == ErrorCode::NotFound
    }

    /// The reference it makes (true) or removes.
    fn outcome(&self) -> Option<(&str, bool)> {
        match self {
            Self::Pull(name) | Self::Load(name, _) => Some((name, true)),
            Self::Delete(name) => Some((name, false)),
            Self::Unpack(_) | Self::Prune => None,
        }
    }
}

/// Three images that share a layer, each in the registry and in an archive.
struct Images {
    pulled: Vec<String>,
    loaded: Vec<(String, PathBuf)>,
}

impl Images {
    fn make(dir: &Path, host: &str) -> Self {
        let layout = dir.join("layout");
        let image = |name: &str| format!("{}:{name}", layout.display());
        run("umoci", &["init", "--layout", layout.to_str().unwrap()]);
        run("umoci", &["new", "--image", &image("base")]);
        let insert = |seed: u32, into: &str| {
            let file = dir.join(format!("file{seed}"));
            fs::write(&file, noise(seed, 300_000)).unwrap();
            let (file, target) = (file.to_str().unwrap(), format!("/{seed}"));
            let arguments = ["insert", "--rootless", "--image", &image(into), file, &target];
            run("umoci", &arguments);
        };
        insert(1, "base");
        let mut images = Self {
            pulled: Vec::new(),
            loaded: Vec::new(),
        };
        for (seed, name) in (2u32..).zip(["a", "b", "c"]) {
            run("umoci", &["tag", "--image", &image("base"), name]);
            insert(seed, name);
            insert(seed + 10, name);
            let pulled = format!("{host}/{name}:1");
            let loaded = format!("example.com/{name}:1");
            let archive = dir.join(format!("{name}.tar"));
            skopeo_copy(&format!("oci:{}", image(name)), &format!("docker://{pulled}"));
            let target = format!("oci-archive:{}:{loaded}", archive.display());
            skopeo_copy(&format!("oci:{}", image(name)), &target);
            images.pulled.push(pulled);
            images.loaded.push((loaded, archive));
        }
        images
    }

    fn references(&self) -> impl Iterator<Item = &str> {
        let loaded = self.loaded.iter().map(|(name, _)| name);
        self.pulled.iter().chain(loaded).map(String::as_str)
    }

    /// Up to three operations on different references.
    fn operations(&self, random: &mut Random) -> Vec<Operation> {
        let mut names: Vec<usize> = (0..self.pulled.len() + self.loaded.len()).collect();
        (0..=random.below(3))
            .map(|_| self.operation(names.swap_remove(random.below(names.len())), random))
            .collect()
    }

    /// An operation on the reference of this number.
    fn operation(&self, name: usize, random: &mut Random) -> Operation {
        let make = match name.checked_sub(self.pulled.len()) {
            None => Operation::Pull(self.pulled[name].clone()),
            Some(at) => Operation::Load(self.loaded[at].0.clone(), self.loaded[at].1.clone()),
        };
        let reference = make.outcome().unwrap().0.to_owned();
        match random.below(10) {
            0..5 => make,
            5..7 => Operation::Unpack(reference),
            7..9 => Operation::Delete(reference),
            _ => Operation::Prune,
        }
    }
}

/// What is on disk below an application root, read without the service's help.
struct Store {
    root: PathBuf,
    /// Digests by reference.
    references: BTreeMap<String, String>,
    blobs: BTreeSet<String>,
    /// Hexadecimal digits of chain IDs.
    disks: BTreeSet<String>,
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

impl Store {
    /// Reads the store. Every blob must be what its name says, every reference complete, and every disk sound; `checked` are
    /// the inodes of disks that fsck.erofs has seen.
    fn verified(root: &Path, checked: &mut HashSet<u64>) -> Self {
        let state = fs::read(root.join("state.json")).unwrap_or_else(|_| b"{}".to_vec());
        let state: BTreeMap<String, Value> = serde_json::from_slice(&state).expect("state.json");
        let text = |descriptor: &Value| descriptor["digest"].as_str().unwrap().to_owned();
        let store = Self {
            root: root.to_owned(),
            references: state
                .iter()
                .map(|(name, descriptor)| (name.clone(), text(descriptor)))
                .collect(),
            blobs: names(&root.join("content/blobs/sha256")),
            disks: names(&root.join("snapshots"))
                .into_iter()
                .filter(|name| name != "ingest")
                .collect(),
        };
        for blob in &store.blobs {
            let contents = fs::read(root.join("content/blobs/sha256").join(blob)).unwrap();
            assert_eq!(*blob, hex(&contents), "a blob's contents");
        }
        for disk in &store.disks {
            let path = root.join("snapshots").join(disk).join("disk.erofs");
            let info = fs::read(path.with_file_name("info.json")).expect("a disk's information");
            let info: Value = serde_json::from_slice(&info).expect("a disk's information");
            assert_eq!(info["chainId"], format!("sha256:{disk}"));
            if checked.insert(fs::metadata(&path).expect("a disk").ino()) {
                run("fsck.erofs", &[path.to_str().unwrap()]);
            }
        }
        let (needed, _) = store.reachable();
        let missing: Vec<_> = needed.difference(&store.blobs).collect();
        assert!(missing.is_empty(), "references lead to nothing: {missing:?}");
        store
    }

    fn document(&self, hex: &str) -> Value {
        let path = self.root.join("content/blobs/sha256").join(hex);
        serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .unwrap()
    }

    /// The blobs, and the chain IDs of the disks, that references lead to.
    fn reachable(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut blobs, mut chains) = (BTreeSet::new(), BTreeSet::new());
        let digits = |digest: &str| digest.strip_prefix("sha256:").unwrap().to_owned();
        let of = |descriptor: &Value| digits(descriptor["digest"].as_str().unwrap());
        for index in self.references.values().map(|digest| digits(digest)) {
            for manifest in self.document(&index)["manifests"].as_array().unwrap() {
                let contents = self.document(&of(manifest));
                let config = of(&contents["config"]);
                let layers = self.document(&config)["rootfs"]["diff_ids"].clone();
                let layers = layers.as_array().unwrap().iter().map(|id| id.as_str().unwrap());
                let chain = layers
                    .map(str::to_owned)
                    .reduce(|chain, id| format!("sha256:{}", hex(format!("{chain} {id}").as_bytes())));
                chains.insert(digits(&chain.unwrap()));
                blobs.extend([of(manifest), config]);
                blobs.extend(contents["layers"].as_array().unwrap().iter().map(of));
            }
            blobs.insert(index);
        }
        (blobs, chains)
    }

    /// Files that a running operation makes and finished ones do not leave.
    fn unfinished(root: &Path) -> Vec<String> {
        let known = ["content", "run", "snapshots", "state.json"];
        let ingest = ["content/ingest", "snapshots/ingest"];
        names(root)
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()))
            .chain(ingest.iter().flat_map(|dir| names(&root.join(dir))))
            .collect()
    }
}

fn random() -> Random {
    let seed = match std::env::var("CONTAINER_TEST_SEED") {
        Ok(seed) => seed.parse().expect("a number in CONTAINER_TEST_SEED"),
        Err(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64,
    };
    println!("CONTAINER_TEST_SEED={seed}");
    Random(seed)
}

/// Eight operations at a time, on the same few images.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_things_at_once() {
    let mut random = random();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let (_registry, host) = registry(dir.path());
    let images = Images::make(dir.path(), &host);
    let mut checked = HashSet::new();
    let _service = start(&root);
    let client = connect(&root).await;
    for round in 0..24 {
        let operations: Vec<_> = (0..8)
            .map(|_| images.operation(random.below(images.references().count()), &mut random))
            .collect();
        let tasks = operations
            .iter()
            .map(|operation| tokio::spawn(operation.clone().perform(client.clone())));
        for (operation, task) in operations.iter().zip(tasks.collect::<Vec<_>>()) {
            if let Err(error) = task.await.unwrap() {
                assert!(operation.may_fail(&error), "{operation:?}: {error:?}");
            }
        }
        println!("round {round}: {operations:?}");
        if round % 4 == 0 {
            collect(&client, &root, &mut checked).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments() {
    let mut random = random();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let (_registry, host) = registry(dir.path());
    let images = Images::make(dir.path(), &host);
    let mut checked = HashSet::new();
    let mut expected = BTreeMap::new();
    let (mut interrupted, mut left) = (0, 0);
    // How long operations take, as far as is known.
    let mut typical = Duration::from_millis(200);
    for round in 0..ROUNDS {
        let service = start(&root);
        let client = connect(&root).await;
        assert_eq!(Store::unfinished(&root), [""; 0], "left by the last crash");
        let operations = images.operations(&mut random);
        println!("round {round}: {operations:?}");
        let begun = Instant::now();
        let tasks: Vec<_> = operations
            .iter()
            .map(|operation| {
                let running = operation.clone().perform(client.clone());
                tokio::spawn(async move { (running.await, begun.elapsed()) })
            })
            .collect();
        let moment = typical.mul_f64(random.below(1200) as f64 / 1000.0);
        tokio::time::sleep(moment).await;
        drop(service);
        for (operation, task) in operations.iter().zip(tasks) {
            let (result, took) = task.await.unwrap();
            match (result, operation.outcome()) {
                (Ok(()), outcome) => {
                    typical = (typical * 3 + took) / 4;
                    expected.extend(outcome.map(|(name, made)| (name.to_owned(), made)));
                }
                (Err(error), outcome) if error.code == ErrorCode::Interrupted => {
                    interrupted += 1;
                    typical = typical.max(took);
                    if let Some((name, _)) = outcome {
                        expected.remove(name);
                    }
                }
                (Err(error), _) => assert!(operation.may_fail(&error), "{operation:?}: {error:?}"),
            }
        }
        left += usize::from(!Store::unfinished(&root).is_empty());
        let store = Store::verified(&root, &mut checked);
        for (name, there) in &expected {
            assert_eq!(
                store.references.contains_key(name),
                *there,
                "{name} after the answer"
            );
        }
        for name in images.references() {
            expected.insert(name.to_owned(), store.references.contains_key(name));
        }
        if round % 5 == 4 {
            let _service = start(&root);
            collect(&connect(&root).await, &root, &mut checked).await;
        }
    }
    println!("{interrupted} operations interrupted, {left} crashes left something");
    assert!(
        interrupted >= ROUNDS / 5 && left > 0,
        "killed at the wrong moments"
    );

    let _service = start(&root);
    let client = connect(&root).await;
    for image in client.list().await.unwrap() {
        client.unpack(&image, None, None).await.unwrap();
        client.delete(&image.reference, false).await.unwrap();
    }
    client.clean_up().await.unwrap();
    let store = Store::verified(&root, &mut checked);
    assert!(store.blobs.is_empty() && store.disks.is_empty() && store.references.is_empty());
}

/// Has the service collect its garbage, after which exactly what references lead to is there.
async fn collect(client: &ImagesClient, root: &Path, checked: &mut HashSet<u64>) {
    client.clean_up().await.unwrap();
    let store = Store::verified(root, checked);
    let (blobs, chains) = store.reachable();
    assert_eq!(store.blobs, blobs);
    assert!(store.disks.is_subset(&chains), "{:?} of {chains:?}", store.disks);
    assert_eq!(Store::unfinished(root), [""; 0]);
}
