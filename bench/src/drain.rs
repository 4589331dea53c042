//! Takes bytes from a server as fast as they come, over some connections at once, and keeps only
//! what is needed to find the next page.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use memchr::memmem;
use tokio::task::JoinSet;

/// What to ask for, again and again.
#[derive(Clone)]
pub struct Question {
    pub client: reqwest::Client,
    pub url: String,
    pub token: String,
    /// Pages are linked only within one back end, which this chooses.
    pub anchor: String,
    pub body: String,
}

/// What came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    pub bytes: u64,
    pub answers: u64,
    pub seconds: f64,
}

/// Bytes at either end of an answer in which a link to the next page is looked for.
const END: usize = 4096;

/// Asks over `connections` for a while; answers under way at the end are counted with their time.
pub async fn drain(question: &Question, connections: usize, time: Duration) -> Result<Taken> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let question = question.clone();
        tasks.spawn(async move {
            let mut taken = Taken::default();
            let mut url = question.url.clone();
            while begun.elapsed() < time {
                let (bytes, next) = answer(&question, &url).await?;
                taken.bytes += bytes;
                taken.answers += 1;
                url = next.unwrap_or_else(|| question.url.clone());
            }
            Ok::<_, anyhow::Error>(taken)
        });
    }
    let mut all = Taken::default();
    while let Some(done) = tasks.join_next().await {
        let taken = done??;
        all.bytes += taken.bytes;
        all.answers += taken.answers;
    }
    all.seconds = begun.elapsed().as_secs_f64();
    Ok(all)
}

async fn answer(question: &Question, url: &str) -> Result<(u64, Option<String>)> {
    let mut answer = question
        .client
        .post(url)
        .bearer_auth(&question.token)
        .header("content-type", "application/json")
        .header("prefer", "odata.maxpagesize=1000")
        .header("x-responseformat", "json")
        .header("x-anchormailbox", &question.anchor)
        .body(question.body.clone())
        .send()
        .await?;
    if !answer.status().is_success() {
        bail!("{url} was answered with {}: {}", answer.status(), answer.text().await?);
    }
    let (mut head, mut tail) = (Vec::with_capacity(END), Vec::new());
    let mut bytes = 0;
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len() as u64;
        if head.len() < END {
            head.extend_from_slice(&chunk[..chunk.len().min(END - head.len())]);
        }
        tail.extend_from_slice(&chunk[chunk.len().saturating_sub(END)..]);
        tail.drain(..tail.len().saturating_sub(END));
    }
    Ok((bytes, next(&head).or_else(|| next(&tail))))
}

fn next(text: &[u8]) -> Option<String> {
    const MARK: &[u8] = br#""@odata.nextLink":"#;
    let rest = &text[memmem::find(text, MARK)? + MARK.len()..];
    let end = rest.iter().skip(1).position(|byte| *byte == b'"')?;
    serde_json::from_slice(&rest[..end + 2]).ok()
}
