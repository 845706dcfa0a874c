//! Which blocks are in use.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::BLOCK_SIZE;
use crate::geometry::BLOCKS_PER_GROUP;

/// Hands out free blocks in ascending order, around the metadata at fixed places.
#[derive(Debug)]
pub(crate) struct Space {
    fixed: Vec<Range<u64>>,
    taken: Vec<Range<u64>>,
    next: u64,
}

impl Space {
    /// A space in which ascending, disjoint ranges are already taken.
    pub(crate) fn new(fixed: Vec<Range<u64>>) -> Self {
        Space {
            fixed,
            taken: Vec::new(),
            next: 0,
        }
    }

    /// Takes the next `count` free blocks, as runs.
    pub(crate) fn take(&mut self, mut count: u64) -> Vec<Range<u64>> {
        let mut runs = Vec::new();
        while count > 0 {
            let following = self.fixed.partition_point(|range| range.end <= self.next);
            let limit = match self.fixed.get(following) {
                Some(range) if range.start <= self.next => {
                    self.next = range.end;
                    continue;
                }
                Some(range) => range.start,
                None => u64::MAX,
            };
            let run = self.next..limit.min(self.next + count);
            count -= run.end - run.start;
            self.next = run.end;
            runs.push(run);
        }
        self.taken.extend(runs.iter().cloned());
        runs
    }

    /// The blocks in use of each group that has any, relative to the group's start.
    pub(crate) fn by_group(&self) -> BTreeMap<u32, Vec<Range<usize>>> {
        let mut groups: BTreeMap<u32, Vec<Range<usize>>> = BTreeMap::new();
        for range in self.fixed.iter().chain(&self.taken) {
            let mut start = range.start;
            while start < range.end {
                let group = start / BLOCKS_PER_GROUP;
                let end = range.end.min((group + 1) * BLOCKS_PER_GROUP);
                let base = group * BLOCKS_PER_GROUP;
                groups
                    .entry(group as u32)
                    .or_default()
                    .push((start - base) as usize..(end - base) as usize);
                start = end;
            }
        }
        groups
    }
}

/// A bitmap block in which the bits of the given ranges are set.
pub(crate) fn bitmap(ranges: &[Range<usize>]) -> Vec<u8> {
    let mut bits = vec![0u8; BLOCK_SIZE as usize];
    for range in ranges {
        let mut bit = range.start;
        while bit < range.end {
            if bit % 8 == 0 && bit + 8 <= range.end {
                bits[bit / 8] = 0xff;
                bit += 8;
            } else {
                bits[bit / 8] |= 1 << (bit % 8);
                bit += 1;
            }
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_around_fixed_ranges() {
        let mut space = Space::new(vec![0..10, 32768..32770]);
        assert_eq!(space.take(1).first(), Some(&(10..11)));
        assert_eq!(space.take(32760), [11..32768, 32770..32773]);
        let groups = space.by_group();
        assert_eq!(groups[&0], [0..10, 10..11, 11..32768]);
        assert_eq!(groups[&1], [0..2, 2..5]);
    }

    #[test]
    fn bits() {
        let bits = bitmap(&[0..3, 6..17]);
        assert_eq!(&bits[..4], [0b1100_0111, 0xff, 1, 0]);
    }
}
