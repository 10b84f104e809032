//! Texts that look random and are the same every time.

/// Numbers that look random and are the same every time (Marsaglia's xorshift).
pub struct Random(pub u64);

impl Random {
    /// Returns one below the bound.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Returns one to four of them, in a row.
    pub fn tokens(&mut self, tokens: &[&str]) -> String {
        let count = 1 + self.below(4);
        (0..count).map(|_| tokens[self.below(tokens.len())]).collect()
    }
}

/// What a line of an allowed_signers file has before its key, in pieces.
pub const OPTIONS: &[&str] = &[
    "namespaces=\"bg-shell-approval@v1\"",
    "namespaces=\"*\"",
    "Namespaces=\"",
    "x,bg-*",
    "!bg-shell-approval@v1",
    "\"",
    ",",
    ",",
    ",",
    " ",
    "valid-after=\"20261123\"",
    "valid-after=\"2026112305",
    "valid-before=\"20261123055959\"",
    "VALID-BEFORE=\"202611240000Z\"",
    "00\"",
    "Z\"",
    "\\\"",
    "\\",
    "=",
    "cert-authority",
    "Verify-Required",
    "valid-before=\"20260230\"",
    "#",
    "\t",
];
