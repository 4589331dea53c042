//! What a call costs in resource units.

use http::Method;

use super::call::Call;

/// Units of a call and whether it also counts as a write.
#[must_use]
pub fn cost(call: &Call) -> (u32, bool) {
    let segments: Vec<String> = call.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if call.method != Method::GET && call.method != Method::HEAD {
        return match segments.as_slice() {
            ["directoryobjects", "getbyids"] => (5, false),
            [.., "checkmembergroups"] => (4, false),
            [.., "getmembergroups" | "getmemberobjects"] => (2, false),
            _ => (1, true),
        };
    }
    let base: i32 = match segments.as_slice() {
        ["groups", _, "transitivemembers", ..] => 5,
        ["users"]
        | ["users", _, "memberof" | "transitivememberof" | "licensedetails", ..]
        | ["applications", ..] => 2,
        ["groups", _, "members", ..] | ["subscribedskus", ..] => 3,
        _ => 1,
    };
    let options = &call.options;
    let small = options.top.as_deref().and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    let total =
        base - i32::from(options.select.is_some()) + i32::from(options.expand.is_some()) - i32::from(small);
    (u32::try_from(total.max(1)).unwrap_or(1), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::server::Request;

    #[test]
    fn costs_follow_the_table() {
        for (method, target, units, write) in [
            (Method::GET, "/v1.0/users", 2, false),
            (Method::GET, "/v1.0/users?$select=id", 1, false),
            (Method::GET, "/v1.0/users?$expand=manager", 3, false),
            (Method::GET, "/v1.0/users/x", 1, false),
            (Method::GET, "/v1.0/users/delta", 1, false),
            (Method::GET, "/v1.0/groups/x/members?$select=id", 2, false),
            (Method::GET, "/v1.0/groups/x/members?$top=5", 2, false),
            (Method::GET, "/v1.0/groups/x/transitiveMembers", 5, false),
            (Method::GET, "/v1.0/subscribedSkus", 3, false),
            (Method::POST, "/v1.0/groups/x/members/$ref", 1, true),
            (Method::POST, "/v1.0/directoryObjects/getByIds", 5, false),
        ] {
            let call = Call::of(&Request::new(method, "g", target, Time::default()));
            assert_eq!(cost(&call), (units, write), "{target}");
        }
    }
}
