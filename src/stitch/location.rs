//! From the URIs of a list to keys, and back to URIs of another list: pure.

use crate::naming::{decode_uri, encode_uri};
use crate::playlist::is_uri;

/// Where a segment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Its key; `None` for what is not in this store.
    pub key: Option<String>,
    /// The URI for a list in the folder that was asked for.
    pub uri: String,
}

/// Whether what stands for a segment's key is a URL of something outside this store.
pub fn is_elsewhere(key: &str) -> bool {
    key.starts_with('/')
        || key.split('/').next().is_some_and(|first| first.contains(':') && key.contains("//"))
}

/// The folder of a key, empty at the top.
pub fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The key of a name in a folder.
pub fn inside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What `uri`, in a list that lies in `from`, is for a list that lies in `to`.
pub fn locate(uri: &str, from: &str, to: &str) -> Location {
    let first = uri.split(['/', '?', '#']).next().unwrap_or_default();
    let elsewhere = first.contains(':') || uri.starts_with('/');
    let (path, query) = uri.find(['?', '#']).map_or((uri, ""), |at| uri.split_at(at));
    let key = if elsewhere { None } else { resolve(path, from) };
    let uri = match &key {
        Some(_) if from == to => legal(uri),
        Some(key) => legal(&format!("{}{query}", relative(key, to))),
        None => legal(uri),
    };
    Location { key, uri }
}

/// The URI as it is, or with what no URI may have encoded: there are recorders that leave names raw.
fn legal(uri: &str) -> String {
    if is_uri(uri) {
        return uri.to_owned();
    }
    let absolute = uri.split_once("://").is_some_and(|(scheme, _)| is_uri(&format!("{scheme}://x")));
    let mut text = String::with_capacity(uri.len() + 16);
    for (at, c) in uri.char_indices() {
        let rest = uri.get(at + 1..).unwrap_or_default().as_bytes();
        let is_legal = match c {
            ':' | '[' | ']' => absolute,
            '#' => !text.contains('#'),
            '%' => rest.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
            c => c.is_ascii_alphanumeric() || "-._~/?&=+,;@!$'()*".contains(c),
        };
        match c {
            c if is_legal => text.push(c),
            c => text.push_str(&encode_uri(c.encode_utf8(&mut [0; 4]))),
        }
    }
    text
}

/// The key that a relative path means.
fn resolve(path: &str, from: &str) -> Option<String> {
    let mut parts: Vec<String> = from.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(decode_uri(part)?),
        }
    }
    Some(parts.join("/")).filter(|key| !key.is_empty())
}

/// The URI of a key for a list that lies in `to`.
pub fn relative(key: &str, to: &str) -> String {
    let own: Vec<&str> = key.split('/').collect();
    let list: Vec<&str> = to.split('/').filter(|part| !part.is_empty()).collect();
    let deepest = own.len().saturating_sub(1);
    let shared = own.iter().take(deepest).zip(&list).take_while(|(one, two)| one == two).count();
    let up = std::iter::repeat_n("..".to_owned(), list.len() - shared);
    let down = own.iter().skip(shared).map(|part| encode_uri(part));
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_lead_to_keys_and_back() {
        for (uri, from, to, key, expected) in [
            ("a%23.ts", "", "", Some("a#.ts"), "a%23.ts"),
            ("a.ts", "x", "x", Some("x/a.ts"), "a.ts"),
            ("a.ts", "x/y", "x", Some("x/y/a.ts"), "y/a.ts"),
            ("a.ts", "x", "x/y", Some("x/a.ts"), "../a.ts"),
            ("../b/a.ts?t=1", "x", "", Some("b/a.ts"), "b/a.ts?t=1"),
            ("../a.ts", "", "", None, "../a.ts"),
            ("https://h/a.ts", "x", "y", None, "https://h/a.ts"),
            ("/a.ts", "x", "y", None, "/a.ts"),
            // As careless recorders write them.
            ("é 1%20.ts", "x", "x", Some("x/é 1 .ts"), "%C3%A9%201%20.ts"),
            ("a.ts?é#1#2", "x", "x", Some("x/a.ts"), "a.ts?%C3%A9#1%232"),
            ("https://h:1/é%2.ts", "x", "y", None, "https://h:1/%C3%A9%252.ts"),
            ("1é:a.ts", "x", "y", None, "1%C3%A9%3Aa.ts"),
        ] {
            let found = locate(uri, from, to);
            assert_eq!(
                (found.key.as_deref(), found.uri.as_str()),
                (key, expected),
                "{uri} in {from} for {to}"
            );
        }
    }
}
