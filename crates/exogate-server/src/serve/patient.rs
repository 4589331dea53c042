//! A connection whose other end may be slow, but not endlessly: one that does not begin to speak, or
//! takes nothing of its answer, is given up.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// As much as is looked at to tell HTTP/2 from HTTP/1.1.
const OPENING: usize = 24;

/// A connection with limits to its other end's silence.
pub(super) struct Patient<S> {
    io: S,
    heard: usize,
    opening: Pin<Box<Sleep>>,
    stall_time: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Waits `opening` for the first bytes, and `stall` for each piece to be taken.
    pub(super) fn new(io: S, opening: Duration, stall: Duration) -> Self {
        Self { io, heard: 0, opening: Box::pin(sleep(opening)), stall_time: stall, stalled: None }
    }

    /// Fails once what was to be taken has not been for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.stalled = None;
            return taken;
        }
        let stall_time = self.stall_time;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_time)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        self.heard = self.heard.saturating_add(buffer.filled().len() - before);
        if read.is_pending() && self.heard < OPENING {
            ready!(self.opening.as_mut().poll(context));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end says nothing")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, pieces);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const OPENING_TIME: Duration = Duration::from_secs(3);
    const STALL: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn silence_at_the_beginning_ends_it_and_later_silence_does_not() {
        let (mut here, there) = tokio::io::duplex(64);
        let mut patient = Patient::new(there, OPENING_TIME, STALL);
        here.write_all(b"P").await.unwrap();
        assert_eq!(patient.read_u8().await.unwrap(), b'P');
        assert_eq!(patient.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (mut here, there) = tokio::io::duplex(64);
        let mut patient = Patient::new(there, OPENING_TIME, STALL);
        here.write_all(&[b'x'; OPENING]).await.unwrap();
        patient.read_exact(&mut [0; OPENING]).await.unwrap();
        assert!(tokio::time::timeout(OPENING_TIME * 9, patient.read_u8()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_is_slow_is_not() {
        let (mut here, there) = tokio::io::duplex(8);
        let mut patient = Patient::new(there, OPENING_TIME, STALL);
        let slow = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(STALL / 2).await;
                here.read_exact(&mut [0; 8]).await.unwrap();
            }
            here
        });
        patient.write_all(&[0; 40]).await.unwrap();
        let here = slow.await.unwrap();
        assert_eq!(patient.write_all(&[0; 40]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(here);
    }
}
