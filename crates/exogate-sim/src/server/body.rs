//! The body as it goes over the wire: pieces, optionally compressed, optionally broken off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future as _;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use http_body::{Frame, SizeHint};

use super::ReplyBody;

/// Bodies below this are not worth compressing.
const COMPRESS_FROM: usize = 1024;

/// Between the last bytes and the break.
const LINGER: Duration = Duration::from_millis(25);

/// The connection is broken off on purpose.
#[derive(Debug)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off by a fault rule")
    }
}

impl std::error::Error for BrokenOff {}

impl From<Infallible> for BrokenOff {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body on its way.
#[derive(Debug)]
pub struct WireBody {
    pieces: VecDeque<Bytes>,
    /// What the length header promises beyond the pieces at hand.
    missing: u64,
    /// Time for what was sent to leave before the connection breaks.
    linger: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl WireBody {
    pub fn new(body: ReplyBody) -> Self {
        let pieces = match body {
            ReplyBody::Bytes(bytes) if bytes.is_empty() => VecDeque::new(),
            ReplyBody::Bytes(bytes) => VecDeque::from([bytes]),
            ReplyBody::Chunks(chunks) => chunks.into_iter().filter(|c| !c.is_empty()).collect(),
        };
        Self { pieces, missing: 0, linger: None }
    }

    /// Half of the body, with the length of the whole.
    pub fn broken_off(body: &ReplyBody) -> Self {
        let whole = body.to_bytes();
        let half = whole.slice(..whole.len() / 2);
        let missing = (whole.len() - half.len()) as u64;
        // An empty body has no middle; promising one byte more breaks it off all the same.
        Self { pieces: VecDeque::from([half]), missing: missing.max(1), linger: None }
    }

    fn remaining(&self) -> u64 {
        self.pieces.iter().map(|p| p.len() as u64).sum::<u64>() + self.missing
    }
}

impl http_body::Body for WireBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.missing > 0 {
            let linger = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
            if linger.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.missing = 0;
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining())
    }
}

/// Whether a client takes gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or("");
            let refused = parts.any(|p| p.replace(' ', "").trim_end_matches(['0', '.']) == "q=");
            (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
        })
    })
}

/// The body compressed fast, when that is worth it.
pub fn compress(body: &ReplyBody) -> Option<Bytes> {
    let length = body.len();
    if length < COMPRESS_FROM {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(length / 4), Compression::fast());
    let written = match body {
        ReplyBody::Bytes(bytes) => encoder.write_all(bytes),
        ReplyBody::Chunks(chunks) => chunks.iter().try_for_each(|c| encoder.write_all(c)),
    };
    written.ok()?;
    encoder.finish().ok().map(Bytes::from)
}
