//! Every recorded form of failure and of success, through the client: what it means, what is said, what is repeated.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exchange_support;
mod wire_support;

use exchange_support::{Service, json, recorded, text};
use exogate_microsoft::error::{ErrorKind, WireError};
use exogate_microsoft::exchange::{Cmdlet, Warning, missing_object};
use serde_json::json;

fn set() -> Cmdlet {
    Cmdlet::new("Set-Mailbox").text("Identity", "kim@contoso.com").flag("Confirm", false)
}

fn get() -> Cmdlet {
    Cmdlet::new("Get-MailboxPermission").text("Identity", "shared@contoso.com")
}

async fn error(name: &str, cmdlet: Cmdlet) -> WireError {
    let service = Service::in_order(vec![recorded(name)]);
    service.exchange().invoke(&cmdlet).await.expect_err(name)
}

#[tokio::test(start_paused = true)]
async fn each_recorded_failure_has_its_kind_and_says_what_to_do() {
    use ErrorKind::*;
    let table = [
        ("not-found.http", NotFound),
        ("not-found-as-400.http", NotFound),
        ("not-found-localised.http", NotFound),
        ("trustee-not-found.http", NotFound),
        ("mailbox-gone.http", NotFound),
        ("proxied.http", NotFound),
        ("ambiguous.http", Ambiguous),
        ("ambiguous-as-500.http", Ambiguous),
        ("already-member.http", AlreadyMember),
        ("error-with-status-200.http", AlreadyMember),
        ("not-member.http", NotMember),
        ("already-exists-document.http", AlreadyExists),
        ("already-exists-plain-document.http", AlreadyExists),
        ("conflict-409.http", AlreadyExists),
        ("address-in-use.http", AddressInUse),
        ("address-in-use-untyped.http", AddressInUse),
        ("not-group-manager.http", NotGroupManager),
        ("directory-synced.http", DirectorySynced),
        ("invalid-operation-on-object.http", Refused),
        ("duplicate-in-list.http", InvalidRequest),
        ("recipient-rule.http", Refused),
        ("validation.http", Refused),
        ("ace-limit.http", LimitReached),
        ("not-provisioned.http", Refused),
        ("foreign-principal.http", Forbidden),
        ("role-definition.http", Forbidden),
        ("role-unsupported.http", Forbidden),
        ("forbidden-nul.http", Forbidden),
        ("forbidden-empty.http", Forbidden),
        ("unauthorized-audience.http", Unauthorized),
        ("unknown-parameter.http", InvalidRequest),
        ("bypass-not-in-role.http", InvalidRequest),
        ("bad-value.http", InvalidRequest),
        ("missing-parameter.http", InvalidRequest),
        ("page-expired.http", PageExpired),
        ("proxy-page.http", NotMicrosoft),
        ("proxy-login.http", NotMicrosoft),
        ("throttled-429.http", Throttled),
        ("throttled-text-200.http", Throttled),
        ("throttled-text-403.http", Throttled),
        ("overloaded.http", Throttled),
        ("transient-before-effect.http", Transient),
        ("transient-storage.http", LostAnswer),
        ("aad-write-failed.http", LostAnswer),
    ];
    for (name, kind) in table {
        let error = error(name, set()).await;
        assert_eq!(error.kind, kind, "{name}: {error}");
        let shown = error.to_string();
        assert!(shown.starts_with("Set-Mailbox: "), "{name}: {shown}");
        assert!(!error.remedy().is_empty(), "{name}");
        for noise in ["Error executing cmdlet", "expected value", "\0", "ODataServiceException", "{\""] {
            assert!(!shown.contains(noise), "{name}: {shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_the_passing_fault_and_not_a_lost_answer() {
    for name in ["transient-storage.http", "aad-write-failed.http"] {
        assert_eq!(error(name, get()).await.kind, ErrorKind::Transient, "{name}");
    }
}

#[tokio::test]
async fn types_codes_and_texts_are_kept_for_people() {
    let error = error("not-found.http", set()).await;
    assert_eq!(error.code.as_deref(), Some("Ex6F9304"));
    assert_eq!(
        error.type_name.as_deref(),
        Some("Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException")
    );
    assert_eq!(error.status, Some(404));
    assert_eq!(error.request_id.as_deref(), Some("8a1f0c52-0000-4000-8000-000000000001"));
    assert_eq!(missing_object(&error), Some("nobody@contoso.com"));
    let text = self::error("recipient-rule.http", set()).await.message.clone();
    assert_eq!(text.as_deref(), Some("The group can't be its own member | really."));
}

#[tokio::test]
async fn the_missing_object_may_be_the_trustee() {
    let trustee = error("trustee-not-found.http", set()).await;
    assert_eq!(missing_object(&trustee), Some("kim@contoso.com"));
    let other = error("already-member.http", set()).await;
    assert_eq!(missing_object(&other), None);
}

#[tokio::test]
async fn two_unknown_parameters_have_two_remedies() {
    let bypass = error("bypass-not-in-role.http", set()).await;
    assert!(bypass.remedy().contains("Security Group Creation and Membership"));
    let bogus = error("unknown-parameter.http", set()).await;
    assert!(!bogus.remedy().contains("Security Group Creation"));
    assert!(bogus.to_string().contains("BogusParameter"));
}

#[tokio::test(start_paused = true)]
async fn load_and_faults_pass_and_the_answer_is_the_same() {
    for fault in [
        "throttled-429.http",
        "throttled-text-200.http",
        "throttled-text-403.http",
        "overloaded.http",
        "transient-storage.http",
        "transient-before-effect.http",
    ] {
        let service =
            Service::in_order(vec![recorded(fault), recorded(fault), recorded("permission-rows.http")]);
        let answer = service.exchange().invoke(&get()).await.expect(fault);
        assert_eq!(answer.records.len(), 4, "{fault}");
        let sent = service.sent();
        assert_eq!(sent.len(), 3, "{fault}");
        assert!(sent.iter().all(|request| request.body == sent[0].body));
        let id = |n: usize| exchange_support::header(&sent[n], "client-request-id").to_owned();
        assert_eq!((id(0), id(0)), (id(1), id(2)), "{fault}: one id for one invocation");
    }
}

#[tokio::test(start_paused = true)]
async fn garbled_successes_are_asked_again_by_readers_only() {
    let rows = json!({"value": [{"User": "kim"}]}).to_string();
    for garbage in [text(200, &rows[..rows.len() - 3]), text(200, "\0\0\0\0"), json(200, &json!([1]))] {
        let service = Service::in_order(vec![garbage.clone(), text(200, &rows)]);
        let answer = service.exchange().invoke(&get()).await.expect("asked again");
        assert_eq!(answer.records.len(), 1);

        let service = Service::in_order(vec![garbage, text(200, &rows)]);
        let error = service.exchange().invoke(&set()).await.expect_err("a writer must look");
        assert_eq!(error.kind, ErrorKind::LostAnswer);
        assert_eq!(service.sent().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_never_a_second_write() {
    let service = Service::new(|_, _| Err(exchange_support::broken_connection()));
    let error = service.exchange().invoke(&set()).await.expect_err("lost");
    assert_eq!(error.kind, ErrorKind::LostAnswer);
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test]
async fn annotations_on_and_off_read_the_same() {
    let cmdlet = Cmdlet::new("Get-Mailbox").text("Identity", "shared@contoso.com");
    let read = async |name| {
        let service = Service::in_order(vec![recorded(name)]);
        let mut records = service.exchange().invoke(&cmdlet).await.expect(name).records;
        assert_eq!(records.len(), 1);
        records.remove(0)
    };
    let (annotated, lean) = (read("mailbox-annotated.http").await, read("mailbox-lean.http").await);
    assert_eq!(annotated, lean);
    assert_eq!(annotated.id(), Some("22222222-0000-4000-8000-000000000001"));
    assert_eq!(annotated.texts("EmailAddresses").len(), 2);
    assert_eq!(annotated.text("RetentionUrl"), None);
    assert_eq!(annotated.integer("RecipientLimits"), Some(500));
    assert!(annotated.has("ForwardingAddress") && annotated.text("ForwardingAddress").is_none());
}

#[tokio::test]
async fn permission_rows_keep_their_rights_as_written() {
    let service = Service::in_order(vec![recorded("permission-rows.http")]);
    let rows = service.exchange().invoke(&get()).await.expect("rows").records;
    assert_eq!(rows[0].texts("AccessRights"), ["FullAccess, ReadPermission"]);
    assert_eq!(rows[2].texts("AccessRights"), ["FullAccess", "DeleteItem"]);
    assert_eq!(rows[3].texts("AccessRights"), ["FullAccess"]);
    let deny: Vec<_> = rows.iter().map(|row| row.flag("Deny")).collect();
    assert_eq!(deny, [Some(false), Some(false), Some(true), Some(false)]);
    assert_eq!(rows[2].flag("IsInherited"), None);
}

#[tokio::test]
async fn a_write_may_answer_nothing_in_five_ways() {
    for name in [
        "write-empty-body.http",
        "write-no-content.http",
        "write-value-null.http",
        "write-value-missing.http",
        "write-value-empty.http",
    ] {
        let service = Service::in_order(vec![recorded(name)]);
        let answer = service.exchange().invoke(&set()).await.expect(name);
        assert!(answer.records.is_empty() && answer.warnings.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_warning_is_all_that_tells_of_an_absent_right() {
    let service = Service::in_order(vec![recorded("write-ace-absent.http")]);
    let cmdlet = Cmdlet::new("Remove-MailboxPermission").text("Identity", "shared").text("User", "kim");
    let answer = service.exchange().invoke(&cmdlet).await.expect("200");
    assert_eq!(answer.warnings, [Warning::AceAbsent]);
}

#[tokio::test]
async fn a_question_in_place_of_a_result_is_an_error() {
    let error = error("confirmation.http", set()).await;
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.remedy().contains("Confirm"));
}
