//! One client's connection: request by request, each with what is decided for it.
//!
//! Request and answer go at the same time, piece by piece; no more than a piece of either is held.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::http::{Body, Head};
use super::script::{Amount, Asked, Decision, Fault, Way};
use super::serve::Shared;

/// Read at once where nothing limits it.
const PIECE: usize = 64 * 1024;
/// A client has so long to close a connection that was ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Stay,
    Close,
    /// Closed in a way that its other end cannot take for an end.
    Reset,
}

/// A socket, and what was read from it too early.
struct Reader {
    socket: Arc<TcpStream>,
    kept: Vec<u8>,
}

impl Reader {
    fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self { socket: Arc::new(socket), kept: Vec::new() }
    }

    /// Reads once, at most so many bytes; false at the end.
    async fn more(&mut self, most: usize) -> io::Result<bool> {
        let begin = self.kept.len();
        loop {
            self.socket.readable().await?;
            self.kept.resize(begin + most, 0);
            let read = self.socket.try_read(&mut self.kept[begin..]);
            self.kept.truncate(begin + read.as_ref().copied().unwrap_or(0));
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Ok(read? > 0),
            }
        }
    }

    /// The next head; `None` where the other end is gone.
    async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(head) = Head::take(&mut self.kept)? {
                return Ok(Some(head));
            }
            if !self.more(PIECE).await? {
                return Ok(None);
            }
        }
    }

    /// Ends when something comes that nobody asked for, or the other end is gone.
    async fn stirs(&self) {
        let _ = self.socket.peek(&mut [0]).await;
    }
}

async fn write_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How handing a body on ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// All of it.
    Whole,
    /// As much of it as was to be.
    Part,
    /// Who sent it is gone.
    SourceGone,
    /// Who was to get it is gone.
    TargetGone,
}

/// Serves a client until it is gone or to be left, or all are cut off.
pub(super) async fn serve(shared: Arc<Shared>, client: TcpStream, mut cuts: watch::Receiver<u64>) {
    let mut client = Reader::new(client);
    let socket = Arc::clone(&client.socket);
    let after = tokio::select! {
        after = requests(&shared, &mut client) => after.unwrap_or(After::Reset),
        _ = cuts.changed() => {
            shared.note(|record| record.totals.reset += 1);
            After::Reset
        }
    };
    match after {
        After::Reset => {
            let _ = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
        }
        // Closed with something unread, it would be reset, and take with it what the client has not read yet.
        After::Stay | After::Close => {
            let _ = SockRef::from(&*socket).shutdown(Shutdown::Write);
            let _ = tokio::time::timeout(FAREWELL, drain(&mut client)).await;
        }
    }
}

/// Reads to the end.
async fn drain(from: &mut Reader) -> io::Result<()> {
    while from.more(PIECE).await? {
        from.kept.clear();
    }
    Ok(())
}

async fn requests(shared: &Shared, client: &mut Reader) -> io::Result<After> {
    let mut server: Option<Reader> = None;
    loop {
        let gone = async {
            match &server {
                Some(server) => server.stirs().await,
                None => std::future::pending().await,
            }
        };
        let head = tokio::select! {
            head = client.head() => head?,
            () = gone => return Ok(After::Close),
        };
        let Some(head) = head else { return Ok(After::Close) };
        let key = head.path().trim_start_matches('/').to_owned();
        let asked = Asked { method: head.method().to_owned(), key };
        let (number, decision) = shared.decide(&asked);
        let exchange = Exchange { shared, asked, number, decision };
        match exchange.carry_out(head, client, &mut server).await? {
            After::Stay => {}
            end => return Ok(end),
        }
    }
}

/// A request and its answer.
struct Exchange<'a> {
    shared: &'a Shared,
    asked: Asked,
    number: usize,
    decision: Decision,
}

impl Exchange<'_> {
    async fn carry_out(
        &self,
        head: Head,
        client: &mut Reader,
        server: &mut Option<Reader>,
    ) -> io::Result<After> {
        let body = head.request_body()?;
        self.wait(self.decision.delay).await;
        let limit = match self.decision.end {
            Some(Fault::Away | Fault::Drop) => return Ok(After::Reset),
            Some(Fault::Hang) => {
                drain(client).await?;
                return Ok(After::Close);
            }
            Some(Fault::Status(status)) => {
                // Who waits to be told sends no body after a refusal, and may as well after one.
                let waits = head.expects_continue();
                if !waits && self.pass(client, None, body, Way::Up, None).await? != Passed::Whole {
                    return Ok(After::Reset);
                }
                self.answer(&client.socket, status).await?;
                return Ok(if waits || !head.stays() { After::Close } else { After::Stay });
            }
            // There is nothing that could be cut.
            Some(Fault::CutRequest(_)) if body.is_whole() => return Ok(After::Reset),
            Some(Fault::CutRequest(amount)) => Some(amount),
            _ => None,
        };
        let server = match server {
            Some(server) => server,
            None => {
                let Ok(socket) = TcpStream::connect(self.shared.to).await else { return Ok(After::Reset) };
                server.insert(Reader::new(socket))
            }
        };
        let (to_server, to_client) = (Arc::clone(&server.socket), Arc::clone(&client.socket));
        let up = async {
            if self.send(&to_server, &head.bytes, Way::Up).await.is_err() {
                return Ok(Passed::TargetGone);
            }
            self.pass(client, Some(&to_server), body, Way::Up, limit).await
        };
        let down = self.hand_back(server, &to_client);
        tokio::pin!(up, down);
        let (mut sent, mut answered) = (None, None);
        loop {
            tokio::select! {
                passed = &mut up, if sent.is_none() => match passed? {
                    Passed::Part | Passed::SourceGone => return Ok(After::Reset),
                    // Who takes no more of the body may still say why.
                    passed => sent = Some(passed),
                },
                after = &mut down, if answered.is_none() => answered = Some(after?),
            }
            match (sent, answered) {
                // What is left of the request would be taken for the next one.
                (Some(Passed::TargetGone), Some(After::Stay)) => return Ok(After::Close),
                (Some(_), Some(After::Stay)) if !head.stays() => return Ok(After::Close),
                (Some(_), Some(after)) => return Ok(after),
                // An answer may come before the request has gone, and both connections go on.
                (None, None | Some(After::Stay)) | (Some(_), None) => {}
                (None, Some(end)) => return Ok(end),
            }
        }
    }

    /// Hands the server's answer to the client, or what is to come in its place.
    async fn hand_back(&self, server: &mut Reader, client: &TcpStream) -> io::Result<After> {
        let head = loop {
            let Some(head) = server.head().await? else { return Ok(After::Reset) };
            if !(100..200).contains(&head.status()?) {
                break head;
            }
            self.send(client, &head.bytes, Way::Down).await?;
        };
        let (status, body) = (head.status()?, head.response_body(&self.asked.method)?);
        self.shared.note(|record| record.entries[self.number].server = Some(status));
        self.wait(self.decision.delay_reply).await;
        let stays = head.stays() && body != Body::UntilClose;
        let limit = match self.decision.end {
            Some(Fault::LoseReply) => return Ok(After::Reset),
            Some(Fault::ReplaceReply(status)) => {
                self.pass(server, None, body, Way::Down, None).await?;
                self.answer(client, status).await?;
                return Ok(if stays { After::Stay } else { After::Close });
            }
            // An answer without a body is cut in its head.
            Some(Fault::CutReply(_)) if body.is_whole() => {
                let end = head.bytes.len() - 2;
                self.send(client, &head.bytes[..end], Way::Down).await?;
                return Ok(After::Close);
            }
            Some(Fault::CutReply(amount)) => Some(amount),
            _ => None,
        };
        // Before the client knows: who has read the answer finds it here.
        self.told(Some(status).filter(|_| limit.is_none()));
        let passed = match self.send(client, &head.bytes, Way::Down).await {
            Ok(()) => self.pass(server, Some(client), body, Way::Down, limit).await?,
            Err(_) => Passed::TargetGone,
        };
        match passed {
            Passed::Whole => return Ok(if stays { After::Stay } else { After::Close }),
            Passed::Part => return Ok(After::Close),
            Passed::SourceGone | Passed::TargetGone => self.told(None),
        }
        Ok(After::Reset)
    }

    fn told(&self, status: Option<u16>) {
        self.shared.note(|record| record.entries[self.number].client = status);
    }

    /// Hands a body on, or with `to` `None` reads it only. With a limit, never all of it.
    async fn pass(
        &self,
        from: &mut Reader,
        to: Option<&TcpStream>,
        mut body: Body,
        way: Way,
        limit: Option<Amount>,
    ) -> io::Result<Passed> {
        let mut left = limit.map_or(u64::MAX, |amount| amount.of(body.length()));
        while !body.is_whole() {
            let piece = self.shared.piece(&self.asked, way).unwrap_or(PIECE);
            if from.kept.is_empty() && !from.more(piece).await.unwrap_or(false) {
                return Ok(if body == Body::UntilClose { Passed::Whole } else { Passed::SourceGone });
            }
            let there = &from.kept[..from.kept.len().min(piece)];
            let taken = body.take(there)?;
            let spared = usize::from(limit.is_some() && body.is_whole());
            let handed = usize::try_from(left).unwrap_or(usize::MAX).min(taken - spared);
            left -= handed as u64;
            match to {
                Some(to) if self.send(to, &there[..handed], way).await.is_err() => {
                    return Ok(Passed::TargetGone);
                }
                Some(_) => {}
                None => self.shared.turn(&self.asked, way, handed).await,
            }
            from.kept.drain(..taken);
            if handed < taken || limit.is_some() && left == 0 {
                return Ok(Passed::Part);
            }
        }
        Ok(Passed::Whole)
    }

    /// Writes, when it is these bytes' turn.
    async fn send(&self, to: &TcpStream, bytes: &[u8], way: Way) -> io::Result<()> {
        self.shared.turn(&self.asked, way, bytes.len()).await;
        self.shared.note(|record| match way {
            Way::Up => record.totals.up += bytes.len() as u64,
            Way::Down => record.totals.down += bytes.len() as u64,
        });
        write_all(to, bytes).await
    }

    /// Answers in the server's place.
    async fn answer(&self, client: &TcpStream, status: u16) -> io::Result<()> {
        let code = match status {
            403 => "AccessDenied",
            404 => "NoSuchKey",
            409 => "ConditionalRequestConflict",
            412 => "PreconditionFailed",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "SlowDown",
            _ => "Told",
        };
        let body = format!("<Error><Code>{code}</Code><Message>by the fault proxy</Message></Error>");
        let mut text = format!("HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n");
        if status != 204 {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        if self.asked.method != "HEAD" && status != 204 && status != 304 {
            text.push_str(&body);
        }
        self.told(Some(status));
        write_all(client, text.as_bytes()).await
    }

    async fn wait(&self, pause: Duration) {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}
