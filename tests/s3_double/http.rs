//! As much of HTTP/1.1 as an S3 client speaks: bodies with a length, connections that stay. Where messages end
//! is told by the file that the fault proxy has for it, too.

#[path = "../fault_proxy/http.rs"]
#[allow(clippy::duplicate_mod, reason = "a test may have the proxy, too")]
mod framing;

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use framing::{Body, Head, decode};

/// A request.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Decoded.
    pub path: String,
    query: Vec<(String, String)>,
    head: Head,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn query(&self, name: &str) -> Option<String> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// The first and the last byte asked for.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse().unwrap_or(usize::MAX)))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn error(status: u16, code: &str) -> Self {
        let xml = format!("<Error><Code>{code}</Code><Message>as it was told</Message></Error>");
        Self::new(status).body(xml.into_bytes())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

/// Reads the next request; `None` where the client is gone. `read` keeps what came too early.
pub async fn read(connection: &mut TcpStream, read: &mut Vec<u8>) -> Option<Request> {
    let head = loop {
        if let Some(head) = Head::take(read).ok()? {
            break head;
        }
        more(connection, read).await?;
    };
    let Body::Length(length) = head.request_body().ok()? else { return None };
    let length = usize::try_from(length).ok()?;
    while read.len() < length {
        more(connection, read).await?;
    }
    let word = |text: &str| decode(&text.replace('+', "%20"));
    let pairs = head.query().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (word(key), word(value))
    });
    Some(Request {
        method: head.method().to_owned(),
        path: head.path(),
        query: pairs.collect(),
        body: read.drain(..length).collect(),
        head,
    })
}

async fn more(connection: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let count = connection.read_buf(read).await.ok()?;
    (count > 0).then_some(())
}

/// Writes an answer.
pub async fn write(connection: &mut TcpStream, request: &Request, response: Response) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {} as told\r\n", response.status);
    for (name, value) in &response.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if response.status != 204 {
        text.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if request.method != "HEAD" {
        bytes.extend(response.body);
    }
    connection.write_all(&bytes).await
}

/// For XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// From XML.
pub fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}
