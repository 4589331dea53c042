//! Answers that were given a moment ago, for who asks the same again while nothing was written. Forgets
//! by itself: what is kept is bounded in bytes, and worth nothing once the store has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use exogate_store::State;

use super::limits;

/// What was asked, as far as the answer depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Where the client sees the door, with the source.
    pub base: String,
    /// The path behind that, and the parameters.
    pub path: String,
}

/// What was answered: 200, with this.
#[derive(Debug)]
pub struct Remembered {
    /// The body.
    pub body: Bytes,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub version: Option<String>,
}

type Answers = HashMap<Question, Arc<Remembered>>;

/// The answers of one source, of one state of its store.
#[derive(Debug)]
pub struct Memory<S = State> {
    kept: Mutex<Kept<S>>,
}

/// Two halves: the younger one takes what comes, and becomes the older one when it is full. What is asked
/// for comes into the younger one again, so that only what nobody asks for is dropped.
#[derive(Debug)]
struct Kept<S> {
    /// The state of the store that all of it is of.
    state: Option<S>,
    young: Answers,
    old: Answers,
    bytes: usize,
}

impl<S> Default for Memory<S> {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept::of(None)) }
    }
}

impl<S: Copy + PartialEq> Memory<S> {
    /// The answer to this question, if it was given in this state of the store.
    pub fn recall(&self, question: &Question, state: S) -> Option<Arc<Remembered>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.state != Some(state) {
            return None;
        }
        if let Some(known) = kept.young.get(question) {
            return Some(Arc::clone(known));
        }
        let (question, known) = kept.old.remove_entry(question)?;
        let forgotten = kept.put(question, Arc::clone(&known));
        // Thousands of answers are let go after others may look again.
        drop(kept);
        drop(forgotten);
        Some(known)
    }

    /// Keeps an answer that was made from this state of the store, or a later one.
    pub fn keep(&self, question: Question, state: S, answer: Remembered) {
        if answer.body.len() > limits::REMEMBERED_ANSWER {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let outdated =
            (kept.state != Some(state)).then(|| std::mem::replace(&mut *kept, Kept::of(Some(state))));
        let forgotten = kept.put(question, Arc::new(answer));
        drop(kept);
        drop((outdated, forgotten));
    }
}

impl<S> Kept<S> {
    fn of(state: Option<S>) -> Self {
        Self { state, young: Answers::new(), old: Answers::new(), bytes: 0 }
    }

    /// Gives back what is forgotten for it.
    fn put(&mut self, question: Question, answer: Arc<Remembered>) -> Answers {
        // The rest of an entry is about as large as what is counted of it here.
        let size = 2 * (question.base.len() + question.path.len()) + answer.body.len() + 256;
        let mut forgotten = Answers::new();
        if self.bytes + size > limits::REMEMBERED / 2 {
            forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.bytes = 0;
        }
        self.bytes += size;
        self.young.insert(question, answer);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> Question {
        Question { base: "http://here".into(), path: format!("/Users/{number}") }
    }

    fn answer(size: usize) -> Remembered {
        Remembered { body: vec![b'x'; size].into(), location: None, version: None }
    }

    #[test]
    fn an_answer_is_worth_nothing_in_another_state() {
        let memory = Memory::<u8>::default();
        memory.keep(question(1), 7, answer(10));
        assert_eq!(memory.recall(&question(1), 7).map(|known| known.body.len()), Some(10));
        assert!(memory.recall(&question(2), 7).is_none() && memory.recall(&question(1), 8).is_none());
        memory.keep(question(2), 8, answer(10));
        assert!(memory.recall(&question(1), 8).is_none() && memory.recall(&question(1), 7).is_none());
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let memory = Memory::<u8>::default();
        let size = limits::REMEMBERED_ANSWER;
        let many = 4 * limits::REMEMBERED / size;
        for number in 0..many {
            memory.keep(question(number), 1, answer(size));
            assert!(memory.recall(&question(0), 1).is_some(), "{number}");
        }
        let kept = memory.kept.lock().unwrap();
        assert!((kept.young.len() + kept.old.len()) * size <= limits::REMEMBERED);
        drop(kept);
        assert!(memory.recall(&question(1), 1).is_none());
        memory.keep(question(many), 1, answer(size + 1));
        assert!(memory.recall(&question(many), 1).is_none());
    }
}
