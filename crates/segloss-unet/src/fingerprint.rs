//! Whether two things are the same, in 16 hexadecimal digits: FNV-1a, 64 bits, good against confusion and not against forgery.

/// The hash of what was added so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}
