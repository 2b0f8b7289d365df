//! What clients send, as far as it means something here: pure. Fields that change nothing of what is recorded are let be.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Refusal;
use crate::ids::{Cname, Uid};
use crate::naming::Prefix;

/// What every call's body has.
#[derive(Debug, Deserialize)]
pub struct Body {
    /// The channel.
    pub cname: String,
    /// Digits, as text.
    pub uid: String,
    /// What is asked.
    #[serde(rename = "clientRequest", default)]
    pub request: Map<String, Value>,
}

impl Body {
    /// Reads one.
    ///
    /// # Errors
    /// What is missing, or no JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes)
            .map_err(|error| Refusal::parameter(format!("the body cannot be read: {error}")))
    }

    /// Whose recording of which channel.
    ///
    /// # Errors
    /// For what is no name of a channel, or no user.
    pub fn subject(&self) -> Result<(Cname, Uid), Refusal> {
        let cname = Cname::new(&self.cname).map_err(|error| Refusal::parameter(error.to_string()))?;
        let uid = self.uid.parse().map_err(|error| Refusal::parameter(format!("{error}")))?;
        Ok((cname, uid))
    }

    /// The source that the client names.
    ///
    /// # Errors
    /// Where it is no text.
    pub fn source(&self) -> Result<Option<&str>, Refusal> {
        text(&self.request, "sourceUrl")
    }

    /// The folders that its objects are to be in. Everything else about storage is the service's, unless the bucket is one that
    /// the operator takes for the own.
    ///
    /// # Errors
    /// For folders that cannot be, and for another place.
    pub fn prefix(&self, buckets: &[String]) -> Result<Prefix, Refusal> {
        let storage = match self.request.get("storageConfig") {
            None | Some(Value::Null) => return Ok(Prefix::default()),
            Some(Value::Object(storage)) => storage,
            Some(_) => return Err(Refusal::parameter("storageConfig is no object")),
        };
        let is_ours =
            text(storage, "bucket")?.is_some_and(|bucket| buckets.iter().any(|ours| ours == bucket));
        let other = storage.keys().find(|key| *key != "fileNamePrefix");
        if let Some(other) = other.filter(|_| !is_ours) {
            return Err(Refusal::parameter(format!(
                "storageConfig.{other}: this service stores where its operator says; send fileNamePrefix alone, or have your bucket allowed"
            )));
        }
        let elements = match storage.get("fileNamePrefix") {
            None | Some(Value::Null) => return Ok(Prefix::default()),
            Some(Value::Array(elements)) => elements,
            Some(_) => return Err(Refusal::parameter("storageConfig.fileNamePrefix is no list")),
        };
        let elements: Option<Vec<&str>> = elements.iter().map(Value::as_str).collect();
        let elements = elements
            .ok_or_else(|| Refusal::parameter("storageConfig.fileNamePrefix holds what is no text"))?;
        // An element is a folder, whatever is in it.
        if let Some(bad) = elements.iter().find(|element| element.contains('/')) {
            return Err(Refusal::parameter(format!(
                "storageConfig.fileNamePrefix: {bad:?} is more than one folder"
            )));
        }
        Prefix::new(&elements.join("/"))
            .map_err(|error| Refusal::parameter(format!("storageConfig.fileNamePrefix: {error}")))
    }

    /// Whether the client does not wait for the end.
    pub fn is_async(&self) -> bool {
        self.request.get("async_stop").and_then(Value::as_bool) == Some(true)
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::parameter(format!("{field} is no text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &str) -> Body {
        Body::parse(format!(r#"{{"cname":"lobby","uid":"7","clientRequest":{request}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn folders_are_honoured_and_other_places_refused_unless_they_are_the_own() {
        let ours = ["ours".to_owned()];
        for (request, expected) in [
            ("{}", Ok("")),
            (r#"{"storageConfig":null}"#, Ok("")),
            (r#"{"storageConfig":{"fileNamePrefix":["a","b"]}}"#, Ok("a/b")),
            (
                r#"{"storageConfig":{"vendor":1,"bucket":"ours","accessKey":"x","fileNamePrefix":["a"]}}"#,
                Ok("a"),
            ),
            (r#"{"storageConfig":{"vendor":1,"bucket":"theirs"}}"#, Err("this service stores")),
            (r#"{"storageConfig":{"vendor":1}}"#, Err("storageConfig.vendor")),
            (r#"{"storageConfig":{"fileNamePrefix":[".."]}}"#, Err("fileNamePrefix")),
            (r#"{"storageConfig":{"fileNamePrefix":["a/b"]}}"#, Err("more than one")),
            (r#"{"storageConfig":{"fileNamePrefix":[1]}}"#, Err("no text")),
            (r#"{"storageConfig":{"fileNamePrefix":"a"}}"#, Err("no list")),
            (r#"{"storageConfig":[]}"#, Err("no object")),
        ] {
            match (body(request).prefix(&ours), expected) {
                (Ok(prefix), Ok(expected)) => assert_eq!(prefix.as_str(), expected, "{request}"),
                (Err(refusal), Err(part)) => assert!(refusal.reason.contains(part), "{request}: {refusal:?}"),
                (got, _) => panic!("{request}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_body_is_refused_with_what_is_wrong() {
        for (text, part) in [
            ("", "cannot be read"),
            ("[]", "cannot be read"),
            (r#"{"cname":"lobby"}"#, "uid"),
            (r#"{"cname":"lobby","uid":7}"#, "string"),
        ] {
            let refusal = Body::parse(text.as_bytes()).unwrap_err();
            assert!(refusal.reason.contains(part) && refusal.code == Some(2), "{text}: {refusal:?}");
        }
        for (cname, uid) in
            [("../x", "7"), ("lobby", "0"), ("lobby", "x"), ("", "7"), ("lobby", "4294967296")]
        {
            let body = Body { cname: cname.to_owned(), uid: uid.to_owned(), request: Map::new() };
            assert!(body.subject().is_err(), "{cname} {uid}");
        }
    }
}
