//! As much of HTTP/1.1 as an S3 client speaks: bodies with a length, connections that stay.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Decoded.
    pub path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
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
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head: Vec<u8> = read.drain(..end + 4).collect();
            break String::from_utf8(head).ok()?;
        }
        more(connection, read).await?;
    };
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    });
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut request = Request {
        method,
        path: decode(path),
        query: pairs.collect(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    let length: usize = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while read.len() < length {
        more(connection, read).await?;
    }
    request.body = read.drain(..length).collect();
    Some(request)
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

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', "%20")).decode_utf8().expect("UTF-8").into_owned()
}

/// For XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// From XML.
pub fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}
