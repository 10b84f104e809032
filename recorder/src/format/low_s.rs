//! One ECDSA signature for each signing: of (r, s) and (r, n − s), which verify alike, the one with the lower s
//! (FORMAT.md 4). Otherwise anyone could turn a seal into another that is as valid.

/// Returns the DER signature with its s made low, or as it is if it is no P-256 signature.
pub fn normalise(der: Vec<u8>) -> Vec<u8> {
    match split(&der) {
        Some((r, s)) if !is_low_value(&s) => join(&r, &subtract_from_order(&s)),
        _ => der,
    }
}

/// Returns whether a DER signature has a low s, and is written in the one way that DER has.
pub fn is_low(der: &[u8]) -> bool {
    split(der).is_some_and(|(r, s)| is_low_value(&s) && join(&r, &s) == der)
}

fn is_low_value(s: &[u8; 32]) -> bool {
    s <= &HALF_ORDER
}

/// Splits SEQUENCE { INTEGER r, INTEGER s } into two 32-byte values.
fn split(der: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (&[0x30, len], rest) = der.split_first_chunk::<2>()? else { return None };
    let (r, rest) = integer(rest.get(..usize::from(len)).filter(|body| body.len() == rest.len())?)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some((r, s))
}

fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (&[0x02, len], rest) = der.split_first_chunk::<2>()? else { return None };
    let (digits, rest) = rest.split_at_checked(usize::from(len))?;
    let digits = if digits.len() == 33 { digits.strip_prefix(&[0])? } else { digits };
    let mut value = [0; 32];
    let from = value.len().checked_sub(digits.len())?;
    value.get_mut(from..)?.copy_from_slice(digits);
    Some((value, rest))
}

fn join(r: &[u8; 32], s: &[u8; 32]) -> Vec<u8> {
    let body = [write_integer(r), write_integer(s)].concat();
    // Two integers of at most 35 bytes: the short form of a length.
    [&[0x30, u8::try_from(body.len()).unwrap_or(0)], body.as_slice()].concat()
}

fn write_integer(value: &[u8; 32]) -> Vec<u8> {
    let zeros = value.iter().take_while(|b| **b == 0).count().min(31);
    let digits = value.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_some_and(|b| b & 0x80 != 0) { &[0] } else { &[] };
    let len = u8::try_from(sign.len() + digits.len()).unwrap_or(0);
    [&[0x02, len], sign, digits].concat()
}

fn subtract_from_order(s: &[u8; 32]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = false;
    for ((to, n), s) in result.iter_mut().zip(&ORDER).zip(s).rev() {
        let (part, first) = n.overflowing_sub(*s);
        let (part, second) = part.overflowing_sub(u8::from(borrow));
        (*to, borrow) = (part, first || second);
    }
    result
}

/// The order n of P-256 (SEC 2, 2.4.2), and half of it, rounded down.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// Returns the other signature that verifies alike: what a forger can make of one.
#[doc(hidden)]
pub fn flipped(der: &[u8]) -> Option<Vec<u8>> {
    split(der).map(|(r, s)| join(&r, &subtract_from_order(&s)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn of_two_signatures_one_is_low_and_both_normalise_to_it(r: [u8; 32], s: [u8; 32]) {
            prop_assume!(s != [0; 32] && s < ORDER);
            let one = join(&r, &s);
            let other = flipped(&one).unwrap();
            prop_assert!(is_low(&one) != is_low(&other));
            prop_assert_eq!(normalise(one.clone()), normalise(other.clone()));
            prop_assert_eq!(flipped(&other).unwrap(), one);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            prop_assert!(!is_low(&bytes) || bytes.len() > 7);
        }
    }
}
