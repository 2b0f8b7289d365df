//! What people, and logs, may see of an input's name: pure.

use url::Url;

/// A name or a URL without what is nobody's business: a user and a password, and of HTTP and RTSP what stands behind `?`, which may
/// be a signature.
pub fn shown(spec: &str) -> String {
    let Some(mut url) = Url::parse(spec).ok().filter(Url::has_host) else { return spec.to_owned() };
    let has_login = !url.username().is_empty() || url.password().is_some();
    let is_web = matches!(url.scheme(), "http" | "https" | "rtsp" | "rtsps");
    if !has_login && !is_web {
        return spec.to_owned();
    }
    let hidden = url.set_username("").and_then(|()| url.set_password(None));
    if is_web {
        let stands_for = url.query().map(|_| "...");
        url.set_query(stands_for);
        url.set_fragment(None);
    }
    if hidden.is_ok() { url.to_string() } else { url.scheme().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_secrets_are_not() {
        for (spec, expected) in [
            ("recording.ts", "recording.ts"),
            ("udp://@239.1.1.1:5000?iface=eth0", "udp://@239.1.1.1:5000?iface=eth0"),
            ("tcp://host:5000?listen", "tcp://host:5000?listen"),
            ("http://host/a.ts", "http://host/a.ts"),
            ("http://user:hidden@host/a.ts?token=hidden#x", "http://host/a.ts?..."),
            ("rtsp://user:hidden@host:554/live", "rtsp://host:554/live"),
            ("channel:lobby", "channel:lobby"),
        ] {
            assert_eq!(shown(spec), expected);
        }
    }
}
