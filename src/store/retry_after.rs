//! The header `Retry-After` (RFC 9110, section 10.2.3), which is gone once a client has made an error of an answer:
//! it is read between a client and its connection, and told to the store's gate.
//!
//! Of answers 429 and 503 alone, and only as a number of seconds: the other form, a date, would be compared with a
//! clock that may be wrong. Changes neither requests nor answers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use super::gate::Gate;

/// Makes connections whose answers are listened to.
#[derive(Debug)]
pub(super) struct Listening {
    gate: Arc<Gate>,
}

impl Listening {
    /// What it hears is told to this gate.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }
}

impl HttpConnector for Listening {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service { client, gate: Arc::clone(&self.gate) }))
    }
}

struct Service {
    client: HttpClient,
    gate: Arc<Gate>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl HttpService for Service {
    // What `async_trait` makes of `async fn call(&self, request) -> Result<..>`.
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let response = self.client.execute(request).await?;
            if let Some(pause) = pause_asked_for(&response) {
                self.gate.hold(pause);
            }
            Ok(response)
        })
    }
}

fn pause_asked_for(response: &HttpResponse) -> Option<Duration> {
    if !matches!(response.status().as_u16(), 429 | 503) {
        return None;
    }
    let header = response.headers().get("retry-after")?.to_str().ok()?;
    header.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use object_store::HeaderValue;

    use super::*;

    #[test]
    fn seconds_are_read_from_answers_that_ask_for_less_and_from_no_others() {
        let asked = |status: u16, header: Option<&str>| {
            let mut response = HttpResponse::new(String::new().into());
            *response.status_mut() = status.try_into().unwrap();
            if let Some(value) = header {
                response.headers_mut().insert("retry-after", HeaderValue::from_str(value).unwrap());
            }
            pause_asked_for(&response)
        };
        let seconds = |count| Some(Duration::from_secs(count));
        let cases = [
            (503, Some("7"), seconds(7)),
            (429, Some(" 120 "), seconds(120)),
            (503, Some("0"), seconds(0)),
            (503, None, None),
            (503, Some("Mon, 23 Nov 2026 01:02:03 GMT"), None),
            (503, Some("-1"), None),
            (503, Some("99999999999999999999"), None),
            (200, Some("7"), None),
            (301, Some("7"), None),
        ];
        for (status, header, pause) in cases {
            assert_eq!(asked(status, header), pause, "{status} {header:?}");
        }
    }
}
