//! From what a user wrote to an open [`Input`].
//!
//! | written | input |
//! |---|---|
//! | `-` | standard input |
//! | `recording.ts`, `/dev/dvb/adapter0/dvr0`, a FIFO | a file, or a device read like a pipe |
//! | `udp://239.1.1.1:5000`, `udp://@239.1.1.1:5000?iface=eth0` | a multicast group |
//! | `udp://127.0.0.1:5000`, `udp://@:5000` | datagrams to that address; to any of this machine |
//! | `tcp://host:5000` | connects |
//! | `tcp://@:5000`, `tcp://0.0.0.0:5000?listen` | waits for one sender |
//! | `http://...`, `https://...` | a stream or a file (feature `http`) |

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::file::FileReader;
use super::pipe::PipeReader;
#[cfg(feature = "http")]
use super::shown::shown;
use super::source::{Input, Kind};
use super::tcp::TcpReader;
use super::udp::UdpReader;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::store::split_scheme;

/// Opens an input. `clock` dates what arrives.
///
/// # Errors
/// `InvalidInput` for what cannot be right, `NotFound` for a missing file or page, `Unavailable` for what
/// may work later.
pub async fn open(spec: &str, clock: SharedClock) -> Result<Input> {
    let (kind, name) = match split_scheme(spec) {
        None if spec == "-" => (open_stdin()?, "standard input".to_owned()),
        None if spec.is_empty() => {
            return Err(invalid("the input's name is empty: write a file, a URL or -"));
        }
        None => (open_file(spec.into()).await?, spec.to_owned()),
        Some(("file", _)) => (open_file(file_url_path(spec)?).await?, spec.to_owned()),
        Some(("udp", rest)) => {
            let place = Place::parse(spec, rest)?;
            let address = place.first_address().await?;
            (Kind::Udp(UdpReader::bind(spec, address, place.interface)?), spec.to_owned())
        }
        Some(("tcp", rest)) => {
            let place = Place::parse(spec, rest)?;
            let reader = if place.listen {
                TcpReader::listen(spec, place.first_address().await?).await?
            } else {
                TcpReader::connect(spec, &place.addresses().await?, clock.as_ref()).await?
            };
            (Kind::Tcp(reader), spec.to_owned())
        }
        Some(("http" | "https", _)) => open_http(spec, &clock).await?,
        Some((scheme, _)) => {
            return Err(invalid(format!(
                "{scheme}: is no kind of input; there are files, - and udp: tcp: http: https: rtsp:, and for a \
                 file of such a name write ./ before it"
            )));
        }
    };
    Ok(Input::new(kind, name, clock))
}

/// A file redirected to standard input is read like any file, anything else like a pipe.
fn open_stdin() -> Result<Kind> {
    const NAME: &str = "standard input";
    // A handle of our own goes around the buffer that std keeps for it.
    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let opened = file.and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| cannot_read(NAME, error))?;
    if metadata.is_file() {
        Ok(Kind::File(FileReader::new(file, &metadata)))
    } else {
        Ok(Kind::Pipe(PipeReader::start(NAME, move || Ok(file))?))
    }
}

async fn open_file(path: PathBuf) -> Result<Kind> {
    let name = path.display().to_string();
    let opening = tokio::task::spawn_blocking(move || {
        // Asked before opening, since to open a FIFO is to wait for its writer.
        let metadata = std::fs::metadata(&path)?;
        match () {
            () if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            () if metadata.is_file() => Ok((Some((File::open(&path)?, metadata)), path)),
            () => Ok((None, path)),
        }
    });
    let opened = opening.await.map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the task that opened {name} died")).with_source(error)
    })?;
    match opened.map_err(|error| cannot_read(&name, error))? {
        (Some((file, metadata)), _) => Ok(Kind::File(FileReader::new(file, &metadata))),
        (None, path) => Ok(Kind::Pipe(PipeReader::open(&name, path)?)),
    }
}

fn file_url_path(url: &str) -> Result<PathBuf> {
    let path = url::Url::parse(url).ok().and_then(|parsed| parsed.to_file_path().ok());
    path.filter(|_| url.starts_with("file:/") && !url.contains(['?', '#']))
        .ok_or_else(|| invalid(format!("{url} is no file URL: write file:///path, or the path alone")))
}

#[cfg(feature = "http")]
async fn open_http(spec: &str, clock: &SharedClock) -> Result<(Kind, String)> {
    let url = reqwest::Url::parse(spec)
        .ok()
        .filter(reqwest::Url::has_host)
        .ok_or_else(|| invalid("the input's URL cannot be read: write http://HOST/PATH"))?;
    let name = shown(spec);
    let reader = super::http::HttpReader::get(&name, url, clock.as_ref()).await?;
    Ok((Kind::Http(reader), name))
}

#[cfg(not(feature = "http"))]
async fn open_http(_: &str, _: &SharedClock) -> Result<(Kind, String)> {
    Err(invalid("this program was built without http:// inputs; build it with --features http"))
}

/// What stands behind `udp:` or `tcp:`.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    spec: &'a str,
    /// Empty: any address of this machine.
    host: &'a str,
    port: u16,
    listen: bool,
    interface: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn parse(spec: &'a str, rest: &'a str) -> Result<Self> {
        let refuse = |why: &str| invalid(format!("{spec} cannot be read: {why}"));
        let rest = rest.strip_prefix("//").ok_or_else(|| refuse("write // before the address"))?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address.strip_suffix('/').unwrap_or(address);
        let (mut listen, address) = match address.strip_prefix('@') {
            Some(address) => (true, address),
            None => (false, address),
        };
        let (host, port) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or_else(|| refuse("write HOST:PORT, with a port from 0 to 65535"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let udp = spec.starts_with("udp:");
        let mut interface = None;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("listen", "" | "1") if !udp => listen = true,
                // ffmpeg's name for it.
                ("iface" | "localaddr", name) if udp && !name.is_empty() => interface = Some(name),
                _ if udp => return Err(refuse("the only option is ?iface=NAME, for multicast")),
                _ => return Err(refuse("the only option is ?listen")),
            }
        }
        if host.is_empty() && !listen && !udp {
            return Err(refuse("write the host to connect to, or @ before the port to wait for a sender"));
        }
        Ok(Self { spec, host, port, listen, interface })
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            return Ok(vec![(Ipv4Addr::UNSPECIFIED, self.port).into()]);
        }
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![(address, self.port).into()]);
        }
        let unknown = || {
            let message = format!(
                "cannot read {}: the name {} was not found; check it, and this machine's DNS",
                self.spec, self.host
            );
            Error::new(ErrorKind::Unavailable, message)
        };
        let found = tokio::net::lookup_host((self.host, self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| unknown().with_source(error))?.collect();
        if found.is_empty() { Err(unknown()) } else { Ok(found) }
    }

    async fn first_address(&self) -> Result<SocketAddr> {
        let addresses = self.addresses().await?;
        addresses.first().copied().ok_or_else(|| invalid(format!("{} has no address", self.spec)))
    }
}

/// Why an input could not be opened or read any further.
pub(crate) fn cannot_read(name: &str, error: io::Error) -> Error {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "there is no such file; check the path"),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::InvalidInput, "permission denied; let this user read it")
        }
        io::ErrorKind::IsADirectory => (ErrorKind::InvalidInput, "it is a folder; name a file in it"),
        io::ErrorKind::NotADirectory => {
            (ErrorKind::InvalidInput, "a part of the path is a file, not a folder")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            (ErrorKind::Unavailable, "the sender broke the connection off; start it again")
        }
        io::ErrorKind::TimedOut => (ErrorKind::Unavailable, "the sender is gone; start it again"),
        _ => (ErrorKind::Unavailable, "it cannot be read now; check the device or the network"),
    };
    Error::new(kind, format!("cannot read {name}: {advice}")).with_source(error)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str) -> Result<Place<'_>> {
        Place::parse(spec, split_scheme(spec).unwrap().1)
    }

    #[test]
    fn addresses_are_read_as_other_players_write_them() {
        for (spec, host, port, listen, interface) in [
            ("udp://239.1.1.1:5000", "239.1.1.1", 5000, false, None),
            ("udp://@239.1.1.1:5000/", "239.1.1.1", 5000, true, None),
            ("udp://@:5000?iface=eth0", "", 5000, true, Some("eth0")),
            ("udp://[ff02::1]:1?localaddr=3", "ff02::1", 1, false, Some("3")),
            ("tcp://host.example:80", "host.example", 80, false, None),
            ("tcp://@:80", "", 80, true, None),
            ("tcp://0.0.0.0:80?listen", "0.0.0.0", 80, true, None),
            ("tcp://0.0.0.0:80?listen=1", "0.0.0.0", 80, true, None),
        ] {
            assert_eq!(parse(spec).unwrap(), Place { spec, host, port, listen, interface });
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for spec in [
            "udp:127.0.0.1:5000",
            "udp://127.0.0.1",
            "udp://127.0.0.1:70000",
            "udp://127.0.0.1:5000?listen",
            "udp://127.0.0.1:5000?pkt_size=1316",
            "tcp://:80",
            "tcp://host:80?iface=eth0",
        ] {
            assert_eq!(parse(spec).unwrap_err().kind(), ErrorKind::InvalidInput, "{spec}");
        }
    }
}
