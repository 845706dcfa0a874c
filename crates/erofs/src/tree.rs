//! The names of the image, merged from the layers applied so far.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::Fault;
use crate::inode::{FileType, Metadata};

/// Index of an inode in the tree.
pub(crate) type Id = u32;

/// The root directory.
pub(crate) const ROOT: Id = 0;

/// Symbolic links that a path may pass, as in the kernel.
const MAX_LINKS: u32 = 40;
/// Components that the targets of these links may have together.
const MAX_LINK_PARTS: usize = 4096;

/// An inode.
#[derive(Debug)]
pub(crate) enum Inode {
    /// Not in use.
    Free,
    /// A directory, which is written at the end.
    Directory(Box<Directory>),
    /// Anything else, which has been written already.
    Leaf(Leaf),
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The directory that holds it; the root's own is itself.
    pub(crate) parent: Id,
    /// What the topmost layer that describes it says.
    pub(crate) metadata: Metadata,
    /// Its names in ascending order.
    pub(crate) children: BTreeMap<Box<[u8]>, Child>,
    /// Number of its inode, known at the end.
    pub(crate) nid: u64,
    /// The topmost layer that hides what lower ones have here, so that nothing of them is left.
    opaque: Option<u32>,
}

impl Directory {
    fn empty(parent: Id, metadata: Metadata) -> Inode {
        Inode::Directory(Box::new(Directory {
            parent,
            metadata,
            children: BTreeMap::new(),
            nid: 0,
            opaque: None,
        }))
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    /// The inode.
    pub(crate) id: Id,
    /// The topmost layer that has the name, or something below it.
    layer: u32,
}

/// An inode that has been written.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Type.
    pub(crate) file_type: FileType,
    /// Number of names.
    pub(crate) links: u32,
    /// Number of its inode.
    pub(crate) nid: u64,
    /// Blocks of its content.
    pub(crate) blocks: Range<u32>,
    /// Target, if it is a symbolic link.
    pub(crate) target: Option<Box<[u8]>>,
}

/// All inodes with their names.
#[derive(Debug)]
pub(crate) struct Tree {
    inodes: Vec<Inode>,
    unused: Vec<Id>,
    max_inodes: u64,
    /// The layer that is being applied.
    layer: u32,
    /// Blocks of contents that lost their last name.
    freed: Vec<Range<u32>>,
}

impl Tree {
    /// A tree that consists of a root directory.
    pub(crate) fn new(max_inodes: u64) -> Self {
        let root = Directory::empty(ROOT, Metadata::default_directory());
        Tree {
            inodes: vec![root],
            unused: Vec::new(),
            max_inodes,
            layer: 0,
            freed: Vec::new(),
        }
    }

    /// Everything from here on belongs to a further layer.
    pub(crate) fn next_layer(&mut self) {
        self.layer += 1;
    }

    /// Number of inodes.
    pub(crate) fn len(&self) -> u64 {
        (self.inodes.len() - self.unused.len()) as u64
    }

    /// An inode.
    pub(crate) fn inode(&self, id: Id) -> &Inode {
        &self.inodes[id as usize]
    }

    /// All leaves.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.inodes.iter().filter_map(|inode| match inode {
            Inode::Leaf(leaf) => Some(leaf),
            _ => None,
        })
    }

    /// A directory. The id must be one of a directory.
    pub(crate) fn directory(&self, id: Id) -> &Directory {
        match self.inode(id) {
            Inode::Directory(directory) => directory,
            other => unreachable!("{other:?} is not a directory"),
        }
    }

    /// A directory. The id must be one of a directory.
    pub(crate) fn directory_mut(&mut self, id: Id) -> &mut Directory {
        match &mut self.inodes[id as usize] {
            Inode::Directory(directory) => directory,
            other => unreachable!("{other:?} is not a directory"),
        }
    }

    /// All directories, each before those in it.
    pub(crate) fn directories(&self) -> Vec<Id> {
        let (mut pending, mut all) = (vec![ROOT], Vec::new());
        while let Some(id) = pending.pop() {
            all.push(id);
            let children = self.directory(id).children.values().rev().map(|child| child.id);
            pending.extend(children.filter(|&child| matches!(self.inode(child), Inode::Directory(_))));
        }
        all
    }

    /// Blocks that lost their last name since this was called last.
    pub(crate) fn take_freed(&mut self) -> Vec<Range<u32>> {
        std::mem::take(&mut self.freed)
    }

    /// The directory at a path, created with default metadata as far as it is missing.
    ///
    /// Symbolic links are followed, absolute ones from the root of the tree, and `..` stays inside it.
    pub(crate) fn make_directory(&mut self, path: &[&[u8]]) -> Result<Id, Fault> {
        let mut walk = Walk::new(path);
        loop {
            match walk.run(self)? {
                Step::Arrived(id) => return Ok(id),
                Step::Missing(parent, name) => {
                    let id = self.put_directory(parent, &name, Metadata::default_directory())?;
                    walk.at = id;
                }
                Step::Passed(parent, name) => {
                    // The layer has something below this directory, so that it is not only a lower layer's.
                    let layer = self.layer;
                    if let Some(child) = self.directory_mut(parent).children.get_mut(&*name) {
                        child.layer = layer;
                    }
                }
            }
        }
    }

    /// The directory at a path, if it exists. Links are followed as in [`Tree::make_directory`].
    pub(crate) fn find_directory(&mut self, path: &[&[u8]]) -> Result<Option<Id>, Fault> {
        let mut walk = Walk::new(path);
        loop {
            match walk.run(self) {
                Ok(Step::Arrived(id)) => return Ok(Some(id)),
                Ok(Step::Missing(..)) | Err(Fault::NotADirectory) => return Ok(None),
                Ok(Step::Passed(..)) => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// What a name of a directory stands for.
    pub(crate) fn child(&self, parent: Id, name: &[u8]) -> Option<Id> {
        self.directory(parent).children.get(name).map(|child| child.id)
    }

    /// Gives a directory new metadata, or replaces what has its name by an empty directory.
    pub(crate) fn put_directory(&mut self, parent: Id, name: &[u8], metadata: Metadata) -> Result<Id, Fault> {
        if let Some(id) = self.child(parent, name)
            && matches!(self.inode(id), Inode::Directory(_))
        {
            self.directory_mut(id).metadata = metadata;
            self.link(parent, name, id);
            return Ok(id);
        }
        let id = self.add(Directory::empty(parent, metadata))?;
        self.link(parent, name, id);
        Ok(id)
    }

    /// Gives the root directory new metadata.
    pub(crate) fn set_root(&mut self, metadata: Metadata) {
        self.directory_mut(ROOT).metadata = metadata;
    }

    /// Adds a leaf under a name, which may have stood for something else before.
    pub(crate) fn put_leaf(&mut self, parent: Id, name: &[u8], leaf: Leaf) -> Result<(), Fault> {
        let id = self.add(Inode::Leaf(leaf))?;
        self.link(parent, name, id);
        Ok(())
    }

    /// Gives a leaf a further name; returns whether the inode is one.
    pub(crate) fn put_link(&mut self, parent: Id, name: &[u8], id: Id) -> bool {
        let same = self.child(parent, name) == Some(id);
        let Inode::Leaf(leaf) = &mut self.inodes[id as usize] else {
            return false;
        };
        if !same {
            leaf.links += 1;
        }
        self.link(parent, name, id);
        true
    }

    /// Takes away what lower layers have under a name.
    pub(crate) fn whiteout(&mut self, parent: Id, name: &[u8]) {
        let Some(&child) = self.directory(parent).children.get(name) else {
            return;
        };
        if child.layer != self.layer {
            self.directory_mut(parent).children.remove(name);
            self.release(child.id);
        } else if matches!(self.inode(child.id), Inode::Directory(_)) {
            self.opaque(child.id);
        }
    }

    /// Takes away everything that lower layers have in a directory.
    pub(crate) fn opaque(&mut self, id: Id) {
        let layer = self.layer;
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let Inode::Directory(directory) = &mut self.inodes[id as usize] else {
                continue;
            };
            // Looking through a large directory again for every entry of a hostile layer would take for ever.
            if directory.opaque.replace(layer) == Some(layer) {
                continue;
            }
            let mut lower = Vec::new();
            directory.children.retain(|_, child| {
                let own = child.layer == layer;
                if own { &mut pending } else { &mut lower }.push(child.id);
                own
            });
            lower.into_iter().for_each(|id| self.release(id));
        }
    }

    fn add(&mut self, inode: Inode) -> Result<Id, Fault> {
        if let Some(id) = self.unused.pop() {
            self.inodes[id as usize] = inode;
            return Ok(id);
        }
        let id = Id::try_from(self.inodes.len())
            .ok()
            .filter(|&id| u64::from(id) < self.max_inodes);
        let id = id.ok_or(Fault::TooManyEntries(self.max_inodes))?;
        self.inodes.push(inode);
        Ok(id)
    }

    fn link(&mut self, parent: Id, name: &[u8], id: Id) {
        let child = Child {
            id,
            layer: self.layer,
        };
        let children = &mut self.directory_mut(parent).children;
        let before = match children.get_mut(name) {
            Some(before) => Some(std::mem::replace(before, child)),
            None => children.insert(name.into(), child),
        };
        if let Some(before) = before
            && before.id != id
        {
            self.release(before.id);
        }
    }

    /// Takes a name away from an inode, and from everything below it if that was the last one.
    fn release(&mut self, id: Id) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let slot = &mut self.inodes[id as usize];
            if let Inode::Leaf(leaf) = slot {
                leaf.links -= 1;
                if leaf.links > 0 {
                    continue;
                }
            }
            match std::mem::replace(slot, Inode::Free) {
                Inode::Leaf(leaf) if !leaf.blocks.is_empty() => self.freed.push(leaf.blocks),
                Inode::Directory(directory) => {
                    pending.extend(directory.children.values().map(|child| child.id));
                }
                _ => {}
            }
            self.unused.push(id);
        }
    }
}

/// Looks a path up, component by component.
struct Walk {
    at: Id,
    /// Components that are left, the next one last.
    rest: Vec<Box<[u8]>>,
    links: u32,
    link_parts: usize,
}

enum Step {
    /// The path ends at this directory.
    Arrived(Id),
    /// The directory does not have the name.
    Missing(Id, Box<[u8]>),
    /// The name of the directory stands for a directory, where the walk goes on.
    Passed(Id, Box<[u8]>),
}

impl Walk {
    fn new(path: &[&[u8]]) -> Self {
        Walk {
            at: ROOT,
            rest: path.iter().rev().map(|&name| name.into()).collect(),
            links: 0,
            link_parts: 0,
        }
    }

    /// Goes on to the next event. After `Missing`, the caller sets `at`.
    fn run(&mut self, tree: &Tree) -> Result<Step, Fault> {
        while let Some(name) = self.rest.pop() {
            let here = tree.directory(self.at);
            if *name == *b".." {
                self.at = here.parent;
                continue;
            }
            let Some(child) = here.children.get(&name) else {
                return Ok(Step::Missing(self.at, name));
            };
            match tree.inode(child.id) {
                Inode::Directory(_) => {
                    return Ok(Step::Passed(std::mem::replace(&mut self.at, child.id), name));
                }
                Inode::Leaf(Leaf {
                    target: Some(target), ..
                }) => {
                    let parts = target
                        .split(|&byte| byte == b'/')
                        .filter(|part| !matches!(*part, b"" | b"."));
                    let parts: Vec<&[u8]> = parts.collect();
                    self.links += 1;
                    self.link_parts += parts.len();
                    if self.links > MAX_LINKS || self.link_parts > MAX_LINK_PARTS {
                        return Err(Fault::SymlinkLoop);
                    }
                    if target.starts_with(b"/") {
                        self.at = ROOT;
                    }
                    if parts.iter().any(|part| part.len() > crate::path::MAX_NAME) {
                        return Err(Fault::NameTooLong);
                    }
                    self.rest.extend(parts.into_iter().rev().map(Box::from));
                }
                _ => return Err(Fault::NotADirectory),
            }
        }
        Ok(Step::Arrived(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(blocks: Range<u32>) -> Leaf {
        Leaf {
            file_type: FileType::Regular,
            links: 1,
            nid: 0,
            blocks,
            target: None,
        }
    }

    fn symlink(target: &[u8]) -> Leaf {
        Leaf {
            file_type: FileType::Symlink,
            target: Some(target.into()),
            ..leaf(0..0)
        }
    }

    fn names(tree: &Tree, id: Id) -> Vec<&str> {
        tree.directory(id)
            .children
            .keys()
            .map(|name| str::from_utf8(name).unwrap())
            .collect()
    }

    #[test]
    fn links_of_parents_are_followed_inside_the_tree() {
        let mut tree = Tree::new(100);
        let usr = tree.make_directory(&[b"usr"]).unwrap();
        tree.put_leaf(ROOT, b"lib", symlink(b"../../usr/./lib")).unwrap();
        tree.put_leaf(ROOT, b"abs", symlink(b"/usr")).unwrap();
        tree.put_leaf(ROOT, b"loop", symlink(b"loop")).unwrap();
        tree.put_leaf(ROOT, b"file", leaf(0..0)).unwrap();
        let lib = tree.make_directory(&[b"lib"]).unwrap();
        assert_eq!(tree.child(usr, b"lib"), Some(lib));
        assert_eq!(tree.find_directory(&[b"abs", b"lib"]).unwrap(), Some(lib));
        assert!(matches!(
            tree.make_directory(&[b"loop", b"x"]),
            Err(Fault::SymlinkLoop)
        ));
        assert!(matches!(
            tree.make_directory(&[b"file", b"x"]),
            Err(Fault::NotADirectory)
        ));
        assert_eq!(tree.find_directory(&[b"file", b"x"]).unwrap(), None);
        assert_eq!(tree.find_directory(&[b"none"]).unwrap(), None);
    }

    #[test]
    fn replaced_files_free_their_blocks() {
        let mut tree = Tree::new(100);
        let a = tree.make_directory(&[b"a"]).unwrap();
        tree.put_leaf(a, b"x", leaf(1..2)).unwrap();
        tree.put_leaf(a, b"y", leaf(2..5)).unwrap();
        let y = tree.child(a, b"y").unwrap();
        assert!(tree.put_link(ROOT, b"y", y));
        assert!(!tree.put_link(ROOT, b"d", a));
        tree.next_layer();
        tree.put_leaf(ROOT, b"a", leaf(0..0)).unwrap();
        assert_eq!(tree.take_freed().first(), Some(&(1..2)));
        assert_eq!(tree.len(), 3);
        tree.whiteout(ROOT, b"y");
        assert_eq!(tree.take_freed().first(), Some(&(2..5)));
        assert_eq!(tree.len(), 2);
    }

    #[test]
    fn a_link_to_its_own_name_changes_nothing() {
        let mut tree = Tree::new(100);
        tree.put_leaf(ROOT, b"x", leaf(1..2)).unwrap();
        let x = tree.child(ROOT, b"x").unwrap();
        assert!(tree.put_link(ROOT, b"x", x));
        assert_eq!(tree.leaves().next().unwrap().links, 1);
    }

    #[test]
    fn a_link_may_replace_the_directory_of_its_target() {
        let mut tree = Tree::new(100);
        let a = tree.make_directory(&[b"a"]).unwrap();
        tree.put_leaf(a, b"x", leaf(1..2)).unwrap();
        let x = tree.child(a, b"x").unwrap();
        assert!(tree.put_link(ROOT, b"a", x));
        assert_eq!((tree.len(), tree.leaves().next().unwrap().links), (2, 1));
    }

    #[test]
    fn whiteouts_spare_the_own_layer() {
        let mut tree = Tree::new(100);
        let d = tree.make_directory(&[b"d", b"sub"]).unwrap();
        tree.put_leaf(d, b"old", leaf(0..1)).unwrap();
        tree.put_leaf(ROOT, b"f", leaf(1..2)).unwrap();
        tree.next_layer();
        tree.put_leaf(ROOT, b"f", leaf(2..3)).unwrap();
        let d = tree.make_directory(&[b"d", b"sub"]).unwrap();
        tree.put_leaf(d, b"new", leaf(3..4)).unwrap();
        tree.whiteout(ROOT, b"f");
        tree.whiteout(ROOT, b"d");
        assert_eq!(names(&tree, ROOT), ["d", "f"]);
        assert_eq!(names(&tree, d), ["new"]);
        tree.next_layer();
        tree.opaque(ROOT);
        assert!(names(&tree, ROOT).is_empty());
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn inodes_are_limited() {
        let mut tree = Tree::new(3);
        tree.make_directory(&[b"a", b"b"]).unwrap();
        assert!(matches!(
            tree.make_directory(&[b"c"]),
            Err(Fault::TooManyEntries(3))
        ));
        tree.put_directory(ROOT, b"a", Metadata::default_directory())
            .unwrap();
        tree.next_layer();
        tree.whiteout(ROOT, b"a");
        tree.make_directory(&[b"c"]).unwrap();
    }
}
