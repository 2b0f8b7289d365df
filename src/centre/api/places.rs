//! Which sources a client's recording may have: pure.
//!
//! The operator says where a channel's stream is, in a pattern; or allows clients to name URLs, of some schemes and hosts alone.
//! A file is never one of them: it would be this machine's.

use core::net::IpAddr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Uid};

/// What a name may hold that is put into a URL, and stays one element of it.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Where channels' streams are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The source of a channel, with `{app}`, `{cname}` and `{uid}` in it.
    pub pattern: Option<String>,
    /// What clients may name.
    pub allowed: Vec<Allowed>,
}

/// A scheme, and hosts that may be named with it: `rtsp://cameras.example`, `udp://239.0.0.0/8`, `tcp://10.1.2.3:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    scheme: String,
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// This name and no other. What it stands for is the operator's word.
    Name(String),
    Network(IpAddr, u32),
}

impl Places {
    /// The source of a recording: what the client names, or what the pattern says.
    ///
    /// # Errors
    /// `InvalidInput` for a source that is not allowed, and where none is known.
    pub fn source(&self, app: &str, cname: &Cname, uid: Uid, named: Option<&str>) -> Result<String> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, message);
        if let Some(named) = named {
            let url = Url::parse(named).map_err(|error| invalid(format!("sourceUrl is no URL: {error}")))?;
            if self.allowed.iter().any(|allowed| allowed.has(&url)) {
                return Ok(url.into());
            }
            return Err(invalid(
                "this service does not record from that sourceUrl: it is none of those allowed".to_owned(),
            ));
        }
        let Some(pattern) = &self.pattern else {
            return Err(invalid(
                "clientRequest.sourceUrl is missing: this service does not know where channels are"
                    .to_owned(),
            ));
        };
        let encoded = |text: &str| utf8_percent_encode(text, &PLAIN).to_string();
        Ok(pattern
            .replace("{app}", &encoded(app))
            .replace("{uid}", &uid.get().to_string())
            .replace("{cname}", &encoded(cname.as_str())))
    }
}

impl Allowed {
    fn has(&self, url: &Url) -> bool {
        let is_host = match (&self.hosts, url.host()) {
            (Hosts::Name(name), Some(Host::Domain(host))) => name.eq_ignore_ascii_case(host),
            (Hosts::Name(_), _) => false,
            (Hosts::Network(network, bits), Some(host)) => {
                let address = match host {
                    Host::Ipv4(address) => Some(IpAddr::V4(address)),
                    Host::Ipv6(address) => Some(IpAddr::V6(address)),
                    // Of other schemes than HTTP's, addresses are not read as such.
                    Host::Domain(host) => host.parse().ok(),
                };
                address.is_some_and(|address| is_within(address, *network, *bits))
            }
            (Hosts::Network(..), None) => false,
        };
        is_host
            && url.scheme() == self.scheme
            && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

/// Whether two addresses have the first bits in common.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address.to_canonical(), network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differ = u32::from(address) ^ u32::from(network);
            differ.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differ = u128::from(address) ^ u128::from(network);
            differ.leading_zeros() >= bits
        }
        _ => false,
    }
}

impl FromStr for Allowed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let message = format!(
                "{text} cannot be allowed: {why}; write SCHEME://HOST, with /BITS behind a network, or :PORT"
            );
            Error::new(ErrorKind::InvalidInput, message)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("there is no ://"))?;
        if !["udp", "tcp", "http", "https", "rtsp", "rtsps"].contains(&scheme) {
            return Err(refuse("the scheme is none of udp, tcp, http, https, rtsp"));
        }
        let scheme = scheme.to_owned();
        if let Some((network, bits)) = rest.split_once('/') {
            let network: IpAddr = network
                .trim_matches(['[', ']'])
                .parse()
                .map_err(|_| refuse("before / there is no address"))?;
            let most = if network.is_ipv4() { 32 } else { 128 };
            let bits: u32 = bits.parse().map_err(|_| refuse("behind / there is no number"))?;
            if bits > most {
                return Err(refuse("an address has fewer bits"));
            }
            return Ok(Self { scheme, hosts: Hosts::Network(network, bits), port: None });
        }
        let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
        let host = url.host_str().unwrap_or_default();
        let hosts = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => Hosts::Network(address, if address.is_ipv4() { 32 } else { 128 }),
            Err(_) if host.is_empty() || host.contains('*') => return Err(refuse("a host has a name")),
            Err(_) => Hosts::Name(host.to_owned()),
        };
        Ok(Self { scheme, hosts, port: url.port() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let allowed =
            ["udp://239.0.0.0/8", "rtsp://cameras.example", "tcp://10.1.2.3:5000", "tcp://[fd00::]/8"];
        Places { pattern: None, allowed: allowed.map(|text| text.parse().unwrap()).into() }
    }

    fn source(places: &Places, cname: &str, named: Option<&str>) -> Result<String> {
        places.source("app", &Cname::new(cname).unwrap(), Uid::new(7).unwrap(), named)
    }

    #[test]
    fn clients_name_what_is_allowed_and_nothing_else() {
        for (named, allowed) in [
            ("udp://239.1.2.3:5000", true),
            ("udp://238.1.2.3:5000", false),
            ("tcp://239.1.2.3:5000", false),
            ("rtsp://cameras.example/one", true),
            ("rtsp://CAMERAS.example:554/one", true),
            ("rtsp://user:secret@cameras.example/one", true),
            ("rtsp://cameras.example@evil.example/one", false),
            ("rtsp://evil.example/cameras.example", false),
            ("rtsp://cameras.example.evil/", false),
            ("tcp://10.1.2.3:5000", true),
            ("tcp://10.1.2.3:22", false),
            ("tcp://10.1.2.4:5000", false),
            ("tcp://[fd12::1]:9", true),
            ("tcp://[fe80::1]:9", false),
            ("tcp://[::ffff:10.1.2.3]:5000", true),
            ("file:///etc/passwd", false),
            ("/etc/passwd", false),
            ("-", false),
            ("", false),
        ] {
            assert_eq!(source(&places(), "lobby", Some(named)).is_ok(), allowed, "{named}");
        }
    }

    #[test]
    fn a_channels_name_stays_one_element_of_the_pattern() {
        let places =
            Places { pattern: Some("rtsp://media/{app}/{cname}?u={uid}".to_owned()), allowed: Vec::new() };
        assert_eq!(source(&places, "lobby", None).unwrap(), "rtsp://media/app/lobby?u=7");
        assert_eq!(source(&places, "..", None).unwrap(), "rtsp://media/app/%2E%2E?u=7");
        assert_eq!(
            source(&places, "a b{uid}?@:", None).unwrap(),
            "rtsp://media/app/a%20b%7Buid%7D%3F%40%3A?u=7"
        );
        assert!(source(&places, "lobby", Some("rtsp://media/app/other")).is_err());
        assert!(source(&Places::default(), "lobby", None).is_err());
    }

    #[test]
    fn what_cannot_be_allowed_says_why() {
        for text in [
            "file:///",
            "udp:239.0.0.0",
            "udp://239.0.0.0/33",
            "udp://x/8",
            "udp://239.0.0.0/x",
            "rtsp://*.example",
            "rtsp://",
        ] {
            assert_eq!(text.parse::<Allowed>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
    }
}
