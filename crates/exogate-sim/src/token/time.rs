//! How the sign-in service writes times.

/// `yyyy-MM-dd HH:mm:ssZ`, the form of its error bodies.
#[must_use]
pub fn error_stamp(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds).map_or_else(
        |_| "1970-01-01 00:00:00Z".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// `MM/dd/yyyy HH:mm:ss`, the form inside certificate texts.
#[must_use]
pub fn text_stamp(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds).map_or_else(
        |_| "01/01/1970 00:00:00".to_owned(),
        |time| time.strftime("%m/%d/%Y %H:%M:%S").to_string(),
    )
}
