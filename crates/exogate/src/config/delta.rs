//! How differences of a source are looked for: the table `delta`.

use std::time::Duration;

use exogate_engine::delta::DeltaOptions;

use super::section::Section;

/// Reads the table `delta`.
pub fn read(mut section: Section<'_>) -> DeltaOptions {
    let default = DeltaOptions::default();
    let mut flag = |name, otherwise| section.flag(name).unwrap_or(otherwise);
    let directory = flag("directory", default.directory);
    let change_time = flag("change_time", default.change_time);
    let activity = flag("activity", default.activity);
    let sweep = flag("sweep", default.sweep);
    let reread = flag("reread", default.reread);
    let reread_percent = section
        .integer("reread_percent", 1..=100)
        .and_then(|percent| u8::try_from(percent).ok())
        .unwrap_or(default.reread_percent);
    let mut time = |name, least, text, otherwise| {
        section.time(name, Duration::from_secs(least), text).unwrap_or(otherwise)
    };
    let freshness = time("freshness", 5 * 60, "five minutes", default.freshness);
    let overlap = time("overlap", 1, "a second", default.overlap);
    let settling = time("settling", 1, "a second", default.settling);
    section.finish();
    DeltaOptions {
        directory,
        change_time,
        activity,
        sweep,
        reread,
        freshness,
        reread_percent,
        overlap,
        settling,
    }
}
