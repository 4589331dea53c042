//! What a scenario may bend in the activity feed.

use serde::{Deserialize, Serialize};

/// Scenario settings of the activity feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityKnobs {
    /// Seconds after the first start of a subscription before any content is listed.
    pub first_content_delay_seconds: u32,
    /// Hours before the start of a subscription that are filled in once it runs.
    pub backfill_hours: u32,
    /// Width of a content blob in seconds.
    pub blob_seconds: u32,
    /// Blobs in one page of the content listing.
    pub page_blobs: u32,
    /// Every n-th record is delivered again in the next blob; 0 = never.
    pub duplicate_every: u32,
    /// Every n-th record is never delivered; 0 = all are.
    pub lose_every: u32,
    /// Every n-th record comes `late_seconds` later than it would, and so after younger ones; 0 = none.
    pub late_every: u32,
    /// By how much such a record is late.
    pub late_seconds: u32,
    /// Blobs are listed and their records written newest first: no order is promised.
    pub newest_first: bool,
    /// Every n-th blob of a page is listed twice; 0 = none.
    pub list_twice_every: u32,
    /// Requests per minute and tenant before AF429; 0 = no limit.
    pub requests_per_minute: u32,
    /// Days until a blob expires.
    pub content_life_days: u32,
    /// The troubleshooting page's name of the paging header (`NextPageUrl`) instead of `NextPageUri`.
    pub next_page_url_header: bool,
}

impl Default for ActivityKnobs {
    fn default() -> Self {
        Self {
            first_content_delay_seconds: 0,
            backfill_hours: 22,
            blob_seconds: 300,
            page_blobs: 200,
            duplicate_every: 0,
            lose_every: 0,
            late_every: 0,
            late_seconds: 0,
            newest_first: false,
            list_twice_every: 0,
            requests_per_minute: 2000,
            content_life_days: 7,
            next_page_url_header: false,
        }
    }
}
