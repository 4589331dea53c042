//! What a scenario may bend in the directory API: page sizes, token lives and the oddities of delta.

use serde::{Deserialize, Serialize};

/// Scenario settings of the directory API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphKnobs {
    /// Seconds after which a `$skiptoken` is refused; `None` = never.
    pub page_token_life_seconds: Option<u32>,
    /// Seconds after which a `$deltatoken` is refused.
    pub delta_token_life_seconds: u32,
    /// How an expired delta token is refused.
    pub delta_expiry: DeltaExpiry,
    /// Every delta token issued before now is void (`syncStateNotFound`) while this is set.
    pub delta_tokens_void: bool,
    /// Users per page of `users/delta`.
    pub delta_users_per_page: u32,
    /// Groups per page of `groups/delta`.
    pub delta_groups_per_page: u32,
    /// Members in one slice of `members@delta`, and in one page.
    pub delta_members_per_slice: u32,
    /// How many objects of the last round are repeated in the next one.
    pub delta_replay: u32,
    /// The n-th page of a sweep comes back empty with a nextLink; 0 = never.
    pub delta_empty_page_every: u32,
    /// The nextLink of the second page of a sweep points at itself.
    pub delta_loop: bool,
    /// Every n-th page of a sweep or round is told twice, one after the other; 0 = none.
    pub delta_repeat_page_every: u32,
    /// A sweep also tells of what is in the recycle bin, as `@removed`.
    pub delta_sweep_tells_removed: bool,
    /// Leave out `@removed` members that were removed by deletion of the member itself.
    pub delta_hides_members_deleted: bool,
    /// The n-th page of a listing comes back empty with a nextLink; 0 = never.
    pub list_empty_page_every: u32,
    /// Every n-th page of a listing is cut to half its size; 0 = never.
    pub list_short_page_every: u32,
    /// Repeat the last object of a page at the head of the next one.
    pub list_duplicate_across_pages: bool,
    /// Seconds by which the index behind `ConsistencyLevel: eventual` lags.
    pub eventual_index_seconds: f64,
    /// Answers of a `$batch` come back in another order than asked.
    pub batch_shuffle: bool,
    /// Casts such as `/members/microsoft.graph.user` need `ConsistencyLevel: eventual` and `$count=true`. Microsoft's
    /// pages say so; clients in use rely on the service being lenient.
    pub strict_casts: bool,
    /// The tenant has a premium licence (`signInActivity`).
    pub premium: bool,
    /// Cloud security groups are kept in deletedItems (since late 2025).
    pub soft_delete_security_groups: bool,
}

/// The two ways in which an expired delta token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaExpiry {
    /// 400 `syncStateNotFound`.
    BadRequest,
    /// 410 with a `Location` to start over from.
    Gone,
}

impl Default for GraphKnobs {
    fn default() -> Self {
        Self {
            page_token_life_seconds: None,
            delta_token_life_seconds: 7 * 86_400,
            delta_expiry: DeltaExpiry::BadRequest,
            delta_tokens_void: false,
            delta_users_per_page: 200,
            delta_groups_per_page: 200,
            delta_members_per_slice: 500,
            delta_replay: 0,
            delta_empty_page_every: 0,
            delta_loop: false,
            delta_repeat_page_every: 0,
            delta_sweep_tells_removed: false,
            delta_hides_members_deleted: false,
            list_empty_page_every: 0,
            list_short_page_every: 0,
            list_duplicate_across_pages: false,
            eventual_index_seconds: 0.0,
            batch_shuffle: true,
            strict_casts: false,
            premium: true,
            soft_delete_security_groups: true,
        }
    }
}
