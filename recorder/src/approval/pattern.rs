//! Pattern lists, as ssh-keygen matches principals and namespaces (match.c of OpenSSH).

/// Returns whether some pattern of a comma-separated list matches, and none that refuses (`!`).
pub fn list_matches(list: &str, text: &str) -> bool {
    let mut matched = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(refusing) if matches(refusing.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => matched |= matches(pattern.as_bytes(), text.as_bytes()),
        }
    }
    matched
}

/// Matches `*` and `?`. After a mismatch, only the last `*` takes one byte more: linear for each byte of the text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut rest = pattern;
    let mut left = text;
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest, left) {
            ([b'*', more @ ..], _) => {
                retry = Some((more, left));
                rest = more;
            }
            ([], []) => return true,
            ([byte, more @ ..], [first, behind @ ..]) if byte == first || *byte == b'?' => {
                (rest, left) = (more, behind);
            }
            _ => match retry {
                Some((more, [_, behind @ ..])) => {
                    retry = Some((more, behind));
                    (rest, left) = (more, behind);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_openssh() {
        for (list, text, expected) in [
            ("alice@x", "alice@x", true),
            ("alice@x", "alice@xy", false),
            ("bob,al*", "alice", true),
            ("a?ice", "alice", true),
            ("*", "", true),
            ("?", "", false),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbx", false),
            ("*@x,!mallory@x", "mallory@x", false),
            ("!mallory@x,*@x", "alice@x", true),
            ("!mallory@x", "alice@x", false),
            ("", "alice", false),
        ] {
            assert_eq!(list_matches(list, text), expected, "{list} {text}");
        }
    }
}
