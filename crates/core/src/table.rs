//! A map for few changes and very many look-ups.
//!
//! The keys stand in order in one block, apart from their values: a look-up reads a few neighbouring words and then the one
//! value that it is about. In a `BTreeMap` the keys of a node lie among values of several hundred bytes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::{InstanceKey, SpecId};

/// A key that is a number.
pub(crate) trait Key: Copy {
    /// Its place in the order of keys.
    fn rank(self) -> u64;
}

impl Key for SpecId {
    fn rank(self) -> u64 {
        u64::from(self.0)
    }
}

impl Key for InstanceKey {
    fn rank(self) -> u64 {
        u64::from(self.logon.0) << 32 | u64::from(self.spec.0)
    }
}

/// Values in the order of their keys.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V> {
    keys: Vec<K>,
    /// `values[n]` belongs to `keys[n]`. Boxed: a change moves pointers only.
    values: Vec<Box<V>>,
    /// Where the latest change was made: what changed is mostly what is read next.
    latest: usize,
}

impl<K: Key, V> Table<K, V> {
    pub(crate) const fn new() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), latest: 0 }
    }

    pub(crate) fn contains_key(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let at = if self.is_at(self.latest, key) { self.latest } else { self.find(key).ok()? };
        Some(&self.values[at])
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.latest = self.find(key).ok()?;
        Some(&mut self.values[self.latest])
    }

    /// Adds a value, or replaces that of the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(at) => *self.values[at] = value,
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, Box::new(value));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let at = self.find(key).ok()?;
        self.keys.remove(at);
        Some(*self.values.remove(at))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.keys.iter().copied()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter().map(|value| &**value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().map(|value| &mut **value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.keys().zip(self.values())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.keys.iter().copied().zip(self.values.iter_mut().map(|value| &mut **value))
    }

    pub(crate) fn range_mut(&mut self, keys: RangeInclusive<K>) -> impl Iterator<Item = (K, &mut V)> {
        let first = self.keys.partition_point(|key| key.rank() < keys.start().rank());
        let end = self.keys.partition_point(|key| key.rank() <= keys.end().rank()).max(first);
        let values = self.values[first..end].iter_mut().map(|value| &mut **value);
        self.keys[first..end].iter().copied().zip(values)
    }

    /// Where a key stands, or where it would.
    fn find(&self, key: K) -> Result<usize, usize> {
        // Numbers that were given out without gaps, as those of specs, stand at their own place.
        let own = key.rank() as usize;
        if self.is_at(own, key) {
            return Ok(own);
        }
        self.keys.binary_search_by_key(&key.rank(), |key| key.rank())
    }

    fn is_at(&self, at: usize, key: K) -> bool {
        self.keys.get(at).is_some_and(|there| there.rank() == key.rank())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;
    use crate::Logon;

    /// Any sequence of changes leaves the same as in a `BTreeMap`, whatever was read in between.
    #[test]
    fn it_is_a_map() {
        let (mut table, mut map) = (Table::new(), BTreeMap::new());
        let mut state = 1_u64;
        for value in 0..20_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pick = |shift: u32, end: u64| (state >> shift) % end;
            let key = InstanceKey { logon: Logon(pick(33, 9) as u32), spec: SpecId(pick(40, 3) as u32) };
            match pick(50, 3) {
                0 => {
                    table.insert(key, value);
                    map.insert(key, value);
                }
                1 => assert_eq!(table.remove(key), map.remove(&key)),
                _ => assert_eq!(table.get_mut(key), map.get_mut(&key)),
            }
            assert_eq!(table.get(key), map.get(&key));
            assert_eq!(table.contains_key(key), map.contains_key(&key));
            let range = key..=InstanceKey { logon: Logon(key.logon.0 + 2), ..key };
            assert!(
                table.range_mut(range.clone()).eq(map.range_mut(range).map(|(&key, value)| (key, value)))
            );
            assert!(table.iter().eq(map.iter().map(|(&key, value)| (key, value))));
        }
    }
}
