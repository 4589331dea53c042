//! Numbers of things in sentences.

/// So many of a thing: `1 change`, `2 changes`, `3 mailboxes`. The thing is named as if it were one.
pub fn counted(count: impl TryInto<u64>, thing: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    match (count, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ if thing.ends_with(['x', 's', 'h']) => format!("{count} {thing}es"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_one_and_all_else_is_several() {
        assert_eq!(
            [counted(0_u64, "change"), counted(1_usize, "change"), counted(2_u64, "mailbox")],
            ["0 changes", "1 change", "2 mailboxes"]
        );
        assert_eq!(counted(5_u64, "entry"), "5 entries");
    }
}
