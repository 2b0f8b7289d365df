//! Names in playlists: a relative URI of one path segment (RFC 3986 sections 2 and 4.2).
//!
//! A raw name would break there: `#` starts a fragment, `?` a query, `%` an escape, and a `:` in the first
//! segment makes what stands before it a scheme.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name as a relative URI. Every character is encoded but letters, digits and `-._~`.
pub fn encode_uri(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The name that a relative URI of one path segment stands for.
///
/// Characters that need not have been encoded, or that a careless writer left raw, are taken as they are.
/// `None` for what is not one name in the playlist's own folder: an escape without two hex digits or
/// not of UTF-8, a query or a fragment, the segments `.` and `..`, nothing at all, and any `/`, raw or
/// encoded, so that no playlist can point out of its folder.
pub fn decode_uri(uri: &str) -> Option<String> {
    let mut escapes = uri.split('%');
    escapes.next();
    let well_formed = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if uri.contains(['?', '#']) || !escapes.all(well_formed) {
        return None;
    }
    let name = percent_decode_str(uri).decode_utf8().ok().map(Cow::into_owned)?;
    let is_one_segment = !name.contains('/') && !matches!(name.as_str(), "" | "." | "..");
    is_one_segment.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn everything_reserved_is_encoded() {
        assert_eq!(encode_uri("s_a b:c#d?e%f,g~h.ts"), "s_a%20b%3Ac%23d%3Fe%25f%2Cg~h.ts");
        assert_eq!(encode_uri("é"), "%C3%A9");
    }

    #[test]
    fn only_one_name_in_the_same_folder_is_decoded() {
        let cases = [
            ("s_a%20b%3ac.ts", Some("s_a b:c.ts")),
            ("s_a b,c+d.ts", Some("s_a b,c+d.ts")),
            ("%252F", Some("%2F")),
            ("a/b.ts", None),
            ("..%2Fb.ts", None),
            ("%2e%2e", None),
            (".", None),
            ("", None),
            ("a.ts?x=1", None),
            ("a#b.ts", None),
            ("a%2.ts", None),
            ("a%", None),
            ("a%+1", None),
            ("%C3.ts", None),
        ];
        for (uri, name) in cases {
            assert_eq!(decode_uri(uri).as_deref(), name, "{uri:?}");
        }
    }

    proptest! {
        #[test]
        fn names_round_trip_and_need_no_care(name in "[^/]{3,40}") {
            let uri = encode_uri(&name);
            prop_assert_eq!(decode_uri(&uri), Some(name));
            prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{uri}");
        }

        #[test]
        fn decoding_anything_gives_one_segment(uri in "[a%2fF./ ?#é\\\\]{0,12}") {
            if let Some(name) = decode_uri(&uri) {
                prop_assert!(!name.contains('/'));
                prop_assert_eq!(decode_uri(&encode_uri(&name)), Some(name));
            }
        }
    }
}
