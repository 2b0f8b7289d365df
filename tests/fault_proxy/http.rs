//! Where a message of HTTP/1.1 begins and ends (RFC 9112, 6): heads and the framing of bodies, chunks too.
//!
//! Bytes go in as they come; nothing is decoded but the path, and a head keeps its bytes as they came. No I/O.

#![allow(dead_code, reason = "the proxy and the server that include this use their own parts of it")]

/// A head larger than this is no head.
const LONGEST_HEAD: usize = 64 * 1024;

/// What is no HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, malformed.0)
    }
}

/// The head of a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// As they came, with the empty line.
    pub bytes: Vec<u8>,
    /// The parts of the first line.
    first: [String; 3],
    headers: Vec<(String, String)>,
}

impl Head {
    /// Takes a head off the front of what was read; `None` where it is not whole yet.
    pub fn take(read: &mut Vec<u8>) -> Result<Option<Self>, Malformed> {
        let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return if read.len() > LONGEST_HEAD { Err(Malformed("an endless head")) } else { Ok(None) };
        };
        let bytes: Vec<u8> = read.drain(..end + 4).collect();
        let text = std::str::from_utf8(&bytes).map_err(|_| Malformed("a head that is no text"))?;
        let mut lines = text.lines();
        let mut first = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
        // An answer's reason may be missing.
        let first = [first.next(), first.next(), first.next()].map(Option::unwrap_or_default);
        if first[1].is_empty() {
            return Err(Malformed("a first line that is none"));
        }
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Ok(Some(Self { first, headers, bytes }))
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// A request's method.
    pub fn method(&self) -> &str {
        &self.first[0]
    }

    /// A request's path, decoded.
    pub fn path(&self) -> String {
        decode(self.first[1].split('?').next().unwrap_or_default())
    }

    /// A request's query, as it came.
    pub fn query(&self) -> &str {
        self.first[1].split_once('?').map_or("", |(_, query)| query)
    }

    /// An answer's status.
    pub fn status(&self) -> Result<u16, Malformed> {
        self.first[1].parse().map_err(|_| Malformed("an answer without a status"))
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// Whether the connection stays open after the message.
    pub fn stays(&self) -> bool {
        let old = self.first.iter().any(|part| part == "HTTP/1.0");
        match self.header("connection") {
            Some(value) if value.eq_ignore_ascii_case("close") => false,
            Some(value) if value.eq_ignore_ascii_case("keep-alive") => true,
            _ => !old,
        }
    }

    /// The body that follows a request's head.
    pub fn request_body(&self) -> Result<Body, Malformed> {
        Ok(self.body()?.unwrap_or(Body::Length(0)))
    }

    /// The body that follows an answer's head, where `method` was asked.
    pub fn response_body(&self, method: &str) -> Result<Body, Malformed> {
        match self.status()? {
            _ if method == "HEAD" => Ok(Body::Length(0)),
            100..200 | 204 | 304 => Ok(Body::Length(0)),
            _ => Ok(self.body()?.unwrap_or(Body::UntilClose)),
        }
    }

    fn body(&self) -> Result<Option<Body>, Malformed> {
        if let Some(coding) = self.header("transfer-encoding") {
            let chunked =
                coding.rsplit(',').next().unwrap_or_default().trim().eq_ignore_ascii_case("chunked");
            return if chunked {
                Ok(Some(Body::Chunked(Chunks::Size { size: 0, known: false })))
            } else {
                Err(Malformed("a transfer coding other than chunked"))
            };
        }
        let Some(length) = self.header("content-length") else { return Ok(None) };
        length
            .parse()
            .map(|length| Some(Body::Length(length)))
            .map_err(|_| Malformed("a length that is none"))
    }
}

/// What is still to come of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, with their sizes and what trails them.
    Chunked(Chunks),
    /// All until the connection ends.
    UntilClose,
}

impl Body {
    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Done))
    }

    /// How much is to come, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(*length),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Of bytes that have come, how many are of this body; they count as taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::Length(left) => Ok(take_of(left, bytes.len())),
            Self::UntilClose => Ok(bytes.len()),
            Self::Chunked(chunks) => chunks.take(bytes),
        }
    }
}

/// Where in a chunked body one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunks {
    /// In the line that says the size of a chunk; `known` from the first byte behind its digits.
    Size {
        /// What its digits say so far.
        size: u64,
        /// All digits have come.
        known: bool,
    },
    /// In a chunk; so much is left of it and of the line end behind it.
    Data(u64),
    /// In a line behind the last chunk, of which so many bytes have come.
    Trailer(u64),
    /// Behind the end.
    Done,
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken)
            && *self != Self::Done
        {
            if let Self::Data(left) = self {
                taken += take_of(left, bytes.len() - taken);
                if *left == 0 {
                    *self = Self::Size { size: 0, known: false };
                }
                continue;
            }
            taken += 1;
            *self = self.clone().after(byte)?;
        }
        Ok(taken)
    }

    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size { size: 0, .. }, b'\n') => Self::Trailer(0),
            (Self::Size { size, .. }, b'\n') => Self::Data(size + 2),
            (Self::Size { size, known: true }, _) => Self::Size { size, known: true },
            (Self::Size { size, known: false }, byte) => match char::from(byte).to_digit(16) {
                Some(digit) if size < 1 << 40 => {
                    Self::Size { size: size * 16 + u64::from(digit), known: false }
                }
                Some(_) => return Err(Malformed("an endless chunk")),
                None => Self::Size { size, known: true },
            },
            (Self::Trailer(0), b'\n') => Self::Done,
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), b'\r') => Self::Trailer(length),
            (Self::Trailer(length), _) => Self::Trailer(length + 1),
            (inside @ (Self::Data(_) | Self::Done), _) => inside,
        })
    }
}

fn take_of(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= taken as u64;
    taken
}

/// Decodes a part of a URL.
pub fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
