//! Refusals of the binder and of cmdlets, in every form.

use exogate_sim::exchange::ErrorForm;
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::tenant::Bench;

#[test]
fn the_binder_refuses_as_recorded() {
    let bench = Bench::new();
    for (cmdlet, parameters, kind) in [
        ("Get-Mailbox", json!({"BogusParameter": 1}), "AmbiguousParameterSetException"),
        ("Get-Mailbox", json!({"Identity": "a", "Anr": "b"}), "AmbiguousParameterSetException"),
        ("Get-MailboxPermission", json!({}), "ParameterBindingException"),
        ("Get-Mailbox", json!({"RecipientTypeDetails": "Nonsense"}), "ParameterTransformationException"),
        ("Get-Mailbox", json!({"ResultSize": "many"}), "ParameterTransformationException"),
        ("Get-Mailbox", json!({"SoftDeletedMailbox": "yes"}), "ParameterTransformationException"),
        ("Get-Mailbox", json!({"Identity": ["a", "b"]}), "ParameterTransformationException"),
        ("Get-Mailbox", json!({"Identity": {"a": 1}}), "ParameterTransformationException"),
        (
            "Set-Mailbox",
            json!({"Identity": "kim.akers", "GrantSendOnBehalfTo": {"Add": ["lee"]}}),
            "ParameterTransformationException",
        ),
        (
            "Add-MailboxPermission",
            json!({"Identity": "kim.akers", "User": "lee.gu", "AccessRights": {"@odata.type": "#Exchange.GenericHashTable", "Add": ["FullAccess"]}}),
            "ParameterTransformationException",
        ),
        ("Get-Mailbox", json!({"Filter": "Alias -match 'x'"}), "ParsingException"),
        ("Get-Mailbox", json!({"Filter": "Nothing -eq 'x'"}), "ParsingException"),
    ] {
        let answer = bench.call(cmdlet, parameters.clone());
        assert_eq!(answer.status, 400, "{cmdlet} {parameters}");
        assert!(answer.exception().ends_with(kind), "{cmdlet} {parameters} {}", answer.exception());
    }
}

#[test]
fn enumerations_match_by_their_beginning() {
    let bench = Bench::new();
    assert_eq!(bench.ok("Get-Mailbox", json!({"RecipientTypeDetails": "Shar"})).rows().len(), 3);
    assert_eq!(bench.call("Get-Mailbox", json!({"RecipientTypeDetails": "Linked"})).status, 400);
    assert_eq!(
        bench.ok("Get-Mailbox", json!({"RecipientTypeDetails": ["RoomM", "usermailbox"]})).rows().len(),
        4
    );
}

#[test]
fn parameters_must_be_an_object() {
    let bench = Bench::new();
    for body in [
        r#"{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":null}}"#,
        r#"{"CmdletInput":{"CmdletName":"Get-Mailbox","Parameters":[]}}"#,
        r#"{"CmdletInput":{"Parameters":{}}}"#,
        r#"{"CmdletInput":null}"#,
        "{}",
        "[]",
        "",
        "<html>",
    ] {
        let answer = bench.send(bench.request(bench.app, &bench.target(), body));
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"]["code"], "BadRequest");
    }
}

#[test]
fn not_found_and_its_forms() {
    let bench = Bench::new();
    let natural = bench.call("Get-Mailbox", json!({"Identity": "nobody@contoso.com"}));
    assert_eq!(natural.status, 404);
    assert_eq!(natural.json()["error"]["code"], "NotFound");
    assert_eq!(natural.json()["error"]["message"], "Error executing cmdlet");
    assert!(natural.detail().starts_with(
        "Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|The operation couldn't be performed because object 'nobody@contoso.com' couldn't be found on '"
    ));
    for (form, start) in
        [(ErrorForm::Uncoded, "|Microsoft."), (ErrorForm::Json, "{\"Message\":"), (ErrorForm::Coded, "Ex")]
    {
        bench.world.adjust(|scenario| {
            scenario.exchange.error_form = form;
            scenario.exchange.not_found_status = 400;
        });
        let answer = bench.call("Get-Mailbox", json!({"Identity": "nobody"}));
        assert_eq!(answer.status, 400);
        assert!(answer.detail().starts_with(start), "{}", answer.detail());
    }
}

#[test]
fn texts_follow_the_language_of_the_client() {
    let bench = Bench::new();
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"Identity": "nobody"}}})
        .to_string();
    let request = bench
        .request(bench.app, &bench.target(), body)
        .with_header(HeaderName::from_static("accept-language"), HeaderValue::from_static("de-DE,de;q=0.9"));
    assert!(bench.send(request).detail().contains("nicht gefunden"));
}

#[test]
fn a_stale_replica_shows_what_was() {
    let rule = json!({"match": {"service": "exchange"}, "action": {"kind": "stale", "seconds": 60}});
    let faults = vec![serde_json::from_value(rule).unwrap()];
    let mut scenario = exogate_sim::options::Scenario { faults, ..Default::default() };
    scenario.visibility.exchange_seconds = Some(0.0);
    let bench = Bench::with(scenario);
    bench.ok("New-Mailbox", json!({"Shared": true, "Name": "late"}));
    bench.ok("Get-Mailbox", json!({"Identity": "late"}));
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"Identity": "late"}}});
    let mut request = bench.request(bench.app, &bench.target(), body.to_string());
    request.view_at = request.received_at.minus(std::time::Duration::from_secs(60));
    let answer = bench.send(request);
    assert_eq!(
        answer.exception(),
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
    );
    assert_eq!(answer.headers["cmdlet-name"], "Get-Mailbox");
}
