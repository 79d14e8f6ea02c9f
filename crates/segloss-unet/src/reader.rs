//! Batches are made while the net is busy with the one before.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;

/// Makes something of each item on another thread, at most two ahead of `take`, which gets them in order. Returns how
/// long `take` was kept waiting.
///
/// # Errors
/// The first of `take`; nothing is made after it.
pub fn read_ahead<I: Sync, T: Send>(
    items: &[I],
    make: impl Fn(&I) -> T + Send,
    mut take: impl FnMut(usize, &I, T) -> Result<()>,
) -> Result<Duration> {
    let mut waited = Duration::ZERO;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for item in items {
                // Nobody listens any more after an error.
                if sender.send(make(item)).is_err() {
                    return;
                }
            }
        });
        for (number, item) in items.iter().enumerate() {
            let began = Instant::now();
            // No sender, no item: its thread has panicked, and the scope passes that on.
            let Ok(made) = receiver.recv() else { break };
            waited += began.elapsed();
            take(number, item, made)?;
        }
        Ok(waited)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConfigProblem;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn items_come_in_order_and_none_after_an_error() {
        let items: Vec<usize> = (0..50).collect();
        let mut taken = Vec::new();
        let take = |number, &item: &usize, made: usize| {
            assert_eq!((number, made), (item, item * item));
            taken.push(item);
            Ok(())
        };
        read_ahead(&items, |i| i * i, take).unwrap();
        assert_eq!(taken, items);

        let made = AtomicUsize::new(0);
        let count = |_: &usize| made.fetch_add(1, Ordering::Relaxed);
        let refuse = |number, _: &usize, _| match number {
            3 => Err(ConfigProblem::NothingToLearn { epoch: 1 }.into()),
            _ => Ok(()),
        };
        assert!(read_ahead(&items, count, refuse).is_err());
        assert!(made.load(Ordering::Relaxed) <= 7);
    }
}
