//! Bytes of a file into text and cells of a table into something a spreadsheet will not run.

use std::borrow::Cow;

use encoding_rs::GBK;

use crate::Fault;

/// The text of a file: UTF-8 with or without a byte order mark, else GBK (GB 18030 included), as Chinese spreadsheets
/// write it.
///
/// # Errors
/// When the bytes are neither.
pub fn decode_text(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    GBK.decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or_else(|| Fault::whole("the file is neither UTF-8 nor GBK text"))
}

/// How many bytes a text takes in GBK, the only alphabet of a terminal; `None` when it has a character that GBK lacks.
#[must_use]
pub fn gbk_len(text: &str) -> Option<usize> {
    let (bytes, _, lossy) = GBK.encode(text);
    (!lossy).then_some(bytes.len())
}

/// A text as a CSV cell: quoted where needed, and with an apostrophe before what a spreadsheet would take for a
/// formula. For texts only: a negative number is no formula.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let formula =
        text.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = text.contains([',', '"', '\n', '\r']);
    match (formula, quoted) {
        (false, false) => Cow::Borrowed(text),
        (true, false) => Cow::Owned(format!("'{text}")),
        _ => Cow::Owned(format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded() {
        let (gbk, ..) = GBK.encode("云D12345");
        for bytes in ["云D12345".as_bytes(), "\u{feff}云D12345".as_bytes(), &gbk] {
            assert_eq!(decode_text(bytes).unwrap(), "云D12345");
        }
        assert!(decode_text(b"\x81\x20\xff").is_err());
        assert_eq!(gbk_len("前方a"), Some(5));
        assert_eq!(gbk_len("🚚"), None);
    }

    #[test]
    fn cells_are_no_formulas() {
        for (text, cell) in [
            ("云D12345", "云D12345"),
            ("=1+1", "'=1+1"),
            ("+86", "'+86"),
            (" @x", "' @x"),
            ("-a,b", "\"'-a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
