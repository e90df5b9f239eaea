//! Scenarios side by side: each has a machine of its own, and most of a scenario is waiting.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::bed::Seat;
use crate::play::Play;

/// Plays them all, as many at once as there are lanes, and returns how many failed. Virtual terminals belong to the whole
/// machine, so only the first lane has them; it begins with what is about them, and nothing else is given them.
pub(crate) fn play(plays: Vec<Play>, seat: &Seat, lanes: usize) -> usize {
    // Each lane takes from the end.
    let (at_terminals, elsewhere): (Vec<_>, Vec<_>) =
        plays.into_iter().rev().partition(Play::is_at_terminals);
    let (at_terminals, elsewhere) = (Mutex::new(at_terminals), Mutex::new(elsewhere));
    thread::scope(|scope| {
        let others: Vec<_> = (1..lanes).map(|_| scope.spawn(|| lane(&[&elsewhere], &Seat::Plain))).collect();
        let first = lane(&[&at_terminals, &elsewhere], seat);
        let others = others.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| resume_unwind(panic)));
        first + others.sum::<usize>()
    })
}

/// Plays until nothing is left to be played; returns how many failed.
fn lane(waiting: &[&Mutex<Vec<Play>>], seat: &Seat) -> usize {
    let next = || waiting.iter().find_map(|plays| plays.lock().unwrap_or_else(PoisonError::into_inner).pop());
    std::iter::from_fn(next).filter(|play| !play.passes(seat)).count()
}
