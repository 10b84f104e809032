//! Chance, for a campaign.

/// xorshift64 (Marsaglia 2003): a seed tells a whole campaign.
pub struct Dice(u64);

impl Dice {
    /// Takes a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Returns a number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
