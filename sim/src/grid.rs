//! Where the instances of a world stand in its tables.

use std::ops::Range;

use bilayer_core::InstanceKey;

use crate::world::place_of;

/// Instances by place and spec, place after place. Every place has room for a power of two of specs, so that both numbers
/// are read off an index without a division: that is done several times per event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    shift: u32,
    machine: usize,
}

impl Grid {
    /// So many places of sessions, and a last one that is the machine's own.
    pub(crate) fn new(sessions: usize, specs: usize) -> Self {
        Self { shift: specs.next_power_of_two().ilog2(), machine: sessions }
    }

    /// How many places there are.
    pub(crate) fn places(self) -> usize {
        self.machine + 1
    }

    /// The place of workers.
    #[inline]
    pub(crate) fn machine(self) -> usize {
        self.machine
    }

    /// Room for how many specs a place has; also the distance between two instances of one spec.
    #[inline]
    pub(crate) fn width(self) -> usize {
        1 << self.shift
    }

    #[inline]
    pub(crate) fn index(self, key: InstanceKey) -> usize {
        let place = if key.logon.is_machine() { self.machine } else { place_of(key.logon) };
        place << self.shift | key.spec.0 as usize
    }

    /// The place of an instance.
    #[inline]
    pub(crate) fn place(self, index: usize) -> usize {
        index >> self.shift
    }

    /// The number of an instance's spec.
    #[inline]
    pub(crate) fn number(self, index: usize) -> usize {
        index & (self.width() - 1)
    }

    /// The instances at a place.
    #[inline]
    pub(crate) fn at(self, place: usize) -> Range<usize> {
        place << self.shift..(place + 1) << self.shift
    }
}
