//! Spans of time as people write them: `90d`, `4h`, `90m`.

use std::time::Duration;

use jiff::SignedDuration;

use super::section::Section;

/// A span of time; days, which the format of instants does not count, are 24 hours.
pub fn span(text: &str) -> Option<SignedDuration> {
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    days.map(|days| SignedDuration::from_hours(24 * i64::from(days))).or_else(|| text.parse().ok())
}

impl Section<'_> {
    /// A span of time of at least `least`, which `words` says in words.
    pub fn time(&mut self, name: &'static str, least: Duration, words: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let found = span(&text.value).and_then(|span| Duration::try_from(span).ok());
        match found {
            Some(found) if found >= least => Some(found),
            Some(_) => {
                self.error(text.line, name, format!("must be at least {words}"));
                None
            }
            None => {
                self.error(
                    text.line,
                    name,
                    format!("{:?} is not a time such as \"90d\", \"4h\" or \"90m\"", text.value),
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_hours_and_minutes() {
        assert_eq!(span("90d"), Some(SignedDuration::from_hours(90 * 24)));
        assert_eq!(span("4h"), Some(SignedDuration::from_hours(4)));
        assert_eq!(span("1h 30m"), Some(SignedDuration::from_mins(90)));
        for wrong in ["", "d", "-3d", "soon", "4"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
