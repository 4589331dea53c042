//! The nearest known name to a mistyped one. Knows nothing of what the names mean.

/// The candidate closest to `name`, if any is close enough to be a likely typing mistake.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `", did you mean X?"` or nothing, ready to be put behind an error.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |n| format!("; did you mean {n:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_likely_one_and_nothing_for_nonsense() {
        let names = ["EXO_EmailAddresses", "EXO_Alias", "EXO_DisplayName"];
        assert_eq!(nearest("EXO_EmailAdresses", names), Some("EXO_EmailAddresses"));
        assert_eq!(nearest("exo_alais", names), Some("EXO_Alias"));
        assert_eq!(nearest("qwertz", names), None);
        assert_eq!(hint("qwertz", names), "");
    }
}
