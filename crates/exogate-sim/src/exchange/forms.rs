//! The forms of texts in parameters and rows: addresses, time spans, sizes.

/// Whether the text looks like `local@domain`.
#[must_use]
pub fn is_smtp_address(text: &str) -> bool {
    match text.rsplit_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && local.len() <= 64
                && !local.contains(char::is_whitespace)
                && !local.contains('@')
                && !domain.is_empty()
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && domain.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
        }
        None => false,
    }
}

/// Whether the text is an address with or without the prefix of its kind.
#[must_use]
pub fn is_proxy_address(text: &str) -> bool {
    match text.split_once(':') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("smtp") => is_smtp_address(rest),
        Some((prefix, rest)) => {
            !prefix.is_empty()
                && prefix.len() <= 9
                && prefix.chars().all(|c| c.is_ascii_alphanumeric())
                && !rest.is_empty()
        }
        None => is_smtp_address(text),
    }
}

/// Whether the text is a time span: days, or days and clock.
#[must_use]
pub fn is_time_span(text: &str) -> bool {
    let text = text.trim();
    if text.parse::<u32>().is_ok() {
        return true;
    }
    let (days, clock) = text.split_once('.').filter(|(days, _)| !days.contains(':')).unwrap_or(("0", text));
    let parts: Vec<_> = clock.split(':').collect();
    days.parse::<u32>().is_ok()
        && (2..=3).contains(&parts.len())
        && parts.iter().all(|part| part.parse::<f32>().is_ok_and(|number| (0.0..60.0).contains(&number)))
}

/// `25MB`, `25 MB`, `26214400` or `25 MB (26,214,400 bytes)` in bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let number = text.split('(').next()?.trim().replace(',', "");
    let digits: String = number.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let value: f64 = digits.parse().ok()?;
    let unit = match number[digits.len()..].trim().to_ascii_uppercase().as_str() {
        "" | "B" | "BYTES" => 1.0,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = value * unit;
    // Sizes beyond an exabyte are mistakes.
    (0.0..=1e18).contains(&bytes).then_some(bytes as u64)
}

/// A size as the service prints it.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..=1023 => (1_u64, "B"),
        1024..=1_048_575 => (1 << 10, "KB"),
        1_048_576..=1_073_741_823 => (1 << 20, "MB"),
        1_073_741_824..=1_099_511_627_775 => (1 << 30, "GB"),
        _ => (1_u64 << 40, "TB"),
    };
    let tenths = u128::from(bytes) * 1000 / u128::from(unit);
    let (whole, rest) = (tenths / 1000, tenths % 1000);
    let mut short = whole.to_string();
    if rest > 0 {
        short.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    let digits = bytes.to_string();
    let mut grouped = String::with_capacity(digits.len() + 8);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{short} {name} ({grouped} bytes)")
}
