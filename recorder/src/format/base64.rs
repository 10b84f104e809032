//! Canonical base64 (FORMAT.md 2): one text for each value.

/// Returns the text.
pub fn encode(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// Reads a text that encoding gives again. The library alone also takes padding in the middle, as of texts that
/// were joined.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok()?;
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_text_is_taken() {
        assert_eq!(decode("AAEC").unwrap(), [0, 1, 2]);
        for text in ["AA==AQI=", "AAE", "AAF=", "AAE= ", "AAE=\n", "=AAE"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
