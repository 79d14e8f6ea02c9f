//! One stream of random numbers for each name, so that what is drawn for one case changes no other.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A generator for one case: the run's seed, and a stream of its own for each name.
pub fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // FNV-1a: a fixed, portable hash of the name.
    let stream = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    rng.set_stream(stream);
    rng
}
