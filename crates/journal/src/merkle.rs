//! Merkle trees of RFC 6962 (the left part is the largest power of two), with the prefixes of
//! `proto/hazwatch/journal/v1`.

use crate::hash::{Algorithm, Hash};

const LEAF: u8 = 2;
const NODE: u8 = 3;

/// The root over no leaves; never proved against.
pub(crate) const EMPTY: Hash = [0; 32];

fn leaf(algorithm: Algorithm, of: &Hash) -> Hash {
    algorithm.of(&[&[LEAF], of])
}

fn node(algorithm: Algorithm, left: &Hash, right: &Hash) -> Hash {
    algorithm.of(&[&[NODE], left, right])
}

/// Computes a root leaf by leaf, in memory for its height only.
pub(crate) struct Root {
    algorithm: Algorithm,
    count: u64,
    /// Roots of whole subtrees, the largest first.
    whole: Vec<Hash>,
}

impl Root {
    pub(crate) const fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, count: 0, whole: Vec::new() }
    }

    pub(crate) fn push(&mut self, of: &Hash) {
        let mut hash = leaf(self.algorithm, of);
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.whole.pop() {
                hash = node(self.algorithm, &left, &hash);
            }
        }
        self.whole.push(hash);
        self.count += 1;
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn finish(self) -> Hash {
        let algorithm = self.algorithm;
        let join = |right: Hash, left: Hash| node(algorithm, &left, &right);
        self.whole.into_iter().rev().reduce(join).unwrap_or(EMPTY)
    }
}

/// The hashes that lead from one leaf to the root, from below.
pub(crate) fn path(algorithm: Algorithm, of: &[Hash], index: usize) -> Vec<Hash> {
    if of.len() <= 1 || index >= of.len() {
        return Vec::new();
    }
    let split = of.len().next_power_of_two() / 2;
    let (left, right) = of.split_at(split);
    let root = |part: &[Hash]| {
        let mut root = Root::new(algorithm);
        part.iter().for_each(|hash| root.push(hash));
        root.finish()
    };
    let (mut below, beside) = if index < split {
        (path(algorithm, left, index), right)
    } else {
        (path(algorithm, right, index - split), left)
    };
    below.push(root(beside));
    below
}

/// The root that a path leads to (RFC 9162, 2.1.3.2); `None` when it does not fit the place.
pub(crate) fn follow(algorithm: Algorithm, of: &Hash, index: u64, count: u64, path: &[Hash]) -> Option<Hash> {
    if index >= count {
        return None;
    }
    let (mut at, mut last) = (index, count - 1);
    let mut hash = leaf(algorithm, of);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(algorithm, beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(algorithm, &hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_trees_of_every_size_is_proved_and_no_other() {
        for count in 1..40_u64 {
            let hashes: Vec<Hash> = (0..count).map(|n| [n as u8; 32]).collect();
            let mut root = Root::new(Algorithm::Sm3);
            hashes.iter().for_each(|hash| root.push(hash));
            assert_eq!(root.count(), count);
            let root = root.finish();
            for index in 0..count {
                let path = path(Algorithm::Sm3, &hashes, index as usize);
                let follow = |hash, at, count, path: &[Hash]| follow(Algorithm::Sm3, hash, at, count, path);
                let hash = &hashes[index as usize];
                assert_eq!(follow(hash, index, count, &path), Some(root), "{index} of {count}");
                assert_ne!(follow(&[99; 32], index, count, &path), Some(root));
                for other in (0..count + 2).filter(|other| *other != index) {
                    assert_ne!(follow(hash, other, count, &path), Some(root), "{index} passes for {other} of {count}");
                }
                let longer = [&path[..], &[[7; 32]]].concat();
                assert_ne!(follow(hash, index, count, &longer), Some(root));
            }
        }
    }

    /// The structure of RFC 6962: of three leaves, the first two stand together.
    #[test]
    fn the_left_part_is_the_largest_power_of_two() {
        let of = [[1; 32], [2; 32], [3; 32]];
        let mut root = Root::new(Algorithm::Sha256);
        of.iter().for_each(|hash| root.push(hash));
        let [a, b, c] = of.map(|hash| leaf(Algorithm::Sha256, &hash));
        let expected = node(Algorithm::Sha256, &node(Algorithm::Sha256, &a, &b), &c);
        assert_eq!(root.finish(), expected);
    }
}
