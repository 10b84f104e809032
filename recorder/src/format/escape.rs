//! JSON strings of terminal output: long runs that need no escape are copied whole.

/// Appends `text` as a JSON string: byte for byte what serde_json writes.
pub fn string(to: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    to.reserve(rest.len() + rest.len() / 16 + 2);
    to.push(b'"');
    while !rest.is_empty() {
        let (plain, special) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        to.extend_from_slice(plain);
        let Some((byte, behind)) = special.split_first() else { break };
        escape(to, *byte);
        rest = behind;
    }
    to.push(b'"');
}

/// Returns how many bytes at the start of `bytes` stand for themselves.
fn plain_len(bytes: &[u8]) -> usize {
    // Sixteen at a time and without a branch inside, which the compiler makes one comparison of.
    let whole = bytes
        .chunks_exact(STEP)
        .take_while(|step| !step.iter().fold(false, |any, b| any | special(*b)));
    let len = whole.count() * STEP;
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().position(|b| special(*b)).unwrap_or(rest.len())
}

fn special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escape(to: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        b'"' | b'\\' => byte,
        _ => {
            let low = byte & 0x0f;
            let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            return to.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
        }
    };
    to.extend_from_slice(&[b'\\', letter]);
}

const STEP: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Vec<u8> {
        let mut to = Vec::new();
        string(&mut to, text);
        to
    }

    #[test]
    fn every_byte_below_the_printable_ones_is_escaped_as_serde_json_does_it() {
        let text: String = ('\0'..='\u{ff}').collect();
        assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_serde_json_does_it(text in "[ -~\r\n\t\\\\\"\x1b\x00é€]{0,100}", any: String) {
            prop_assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
            prop_assert_eq!(written(&any), serde_json::to_vec(&any).unwrap());
        }
    }
}
