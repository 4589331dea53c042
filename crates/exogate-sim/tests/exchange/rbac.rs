//! The ladder of grants, and what each role runs.

use exogate_sim::exchange::DeniedReply;
use serde_json::json;

use crate::tenant::Bench;

#[test]
fn the_ladder_is_401_403_200() {
    let bench = Bench::new();
    let status = |n| bench.call_as(Bench::numbered_app(n), "Get-Mailbox", json!({})).status;
    assert_eq!(status(5), 401, "no app role");
    assert_eq!(status(4), 403, "app role only");
    assert_eq!(status(3), 403, "security reader");
    assert_eq!(status(2), 200, "global reader");
    assert_eq!(status(1), 200);
    assert_eq!(status(7), 200, "role group");
    let mut anonymous = bench.request(bench.app, &bench.target(), "{}");
    anonymous.headers.remove("authorization");
    let refused = bench.send(anonymous);
    assert_eq!((refused.status, refused.body.len()), (401, 0));
    assert!(refused.headers.contains_key("www-authenticate"));
    let elsewhere = bench.send(bench.request(bench.app, "/adminapi/beta/other.example/InvokeCommand", "{}"));
    assert_eq!(elsewhere.status, 401);
}

#[test]
fn a_refusal_is_made_of_nul_bytes() {
    let bench = Bench::new();
    let refused = bench.call("Get-NothingOfTheKind", json!({}));
    assert_eq!(refused.status, 403);
    assert!(refused.body.len() >= 1024 && refused.body.iter().all(|byte| *byte == 0));
    assert_eq!(bench.call("Get-EXOMailbox", json!({})).status, 403);
    bench.world.adjust(|scenario| scenario.exchange.denied_reply = DeniedReply::Text);
    let text = String::from_utf8(bench.call("Get-Nothing", json!({})).body).unwrap();
    assert!(
        text.starts_with(
            "[FailureCategory=AuthZ-CmdletAccessDeniedException] The role assigned to application"
        )
    );
}

#[test]
fn roles_differ_in_what_they_run() {
    let bench = Bench::new();
    let status =
        |n, cmdlet: &str, parameters| bench.call_as(Bench::numbered_app(n), cmdlet, parameters).status;
    assert_eq!(status(2, "Get-RecipientPermission", json!({})), 403);
    assert_eq!(status(6, "Get-RecipientPermission", json!({})), 200);
    assert_eq!(status(2, "Get-OrganizationConfig", json!({})), 200);
    assert_eq!(status(6, "Get-OrganizationConfig", json!({})), 403);
    assert_eq!(status(2, "Set-Mailbox", json!({"Identity": "kim.akers", "CustomAttribute1": "x"})), 403);
    bench.world.adjust(|scenario| scenario.exchange.global_reader_recipient_permission = true);
    assert_eq!(status(2, "Get-RecipientPermission", json!({})), 200);
}

#[test]
fn paths_come_in_any_case_and_with_a_domain() {
    let bench = Bench::new();
    let body = json!({"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {}}}).to_string();
    let tenant = bench.tenant();
    for target in [
        "/AdminApi/v1.0/contoso.com/InvokeCommand".to_owned(),
        "/adminapi/beta/contoso.onmicrosoft.com/invokecommand".to_owned(),
        format!("/ADMINAPI/Beta/{}/InvokeCommand", tenant.to_uppercase()),
    ] {
        let answer = bench.send(bench.request(bench.app, &target, body.clone()));
        assert_eq!(answer.status, 200, "{target}");
        assert!(answer.json()["@odata.context"].as_str().unwrap().contains(&tenant));
        for header in [
            "request-id",
            "rate-limit-limit",
            "rate-limit-remaining",
            "x-calculatedbetarget",
            "odata-version",
            "preference-applied",
        ] {
            assert!(answer.headers.contains_key(header), "{header}");
        }
    }
}
