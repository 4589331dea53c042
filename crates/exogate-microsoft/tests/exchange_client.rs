//! What is refused before it is sent, what is checked when it came back, and what the identity may run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exchange_support;
mod wire_support;

use exchange_support::{Service, header, json, recorded};
use exogate_microsoft::error::ErrorKind;
use exogate_microsoft::exchange::Cmdlet;
use serde_json::json;

const KIM: &str = "3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01";

#[tokio::test]
async fn a_call_that_could_mean_everything_is_never_sent() {
    let service = Service::in_order(vec![json(200, &json!({"value": []}))]);
    for cmdlet in [
        Cmdlet::new("Get-Mailbox").text("Identity", " "),
        Cmdlet::new("Remove-MailboxPermission").text("Identity", "x").text("User", ""),
        Cmdlet::new("Set-Mailbox").clear("Identity"),
        Cmdlet::new("Get-Mailbox; Remove-Mailbox"),
    ] {
        let error = service.exchange().invoke(&cmdlet).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        let error = service.exchange().invoke_page(&cmdlet, None).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert!(service.sent().is_empty());
}

#[tokio::test]
async fn an_answer_with_all_mailboxes_to_a_question_about_one_is_refused() {
    let all = json!({"value": [
        {"ExternalDirectoryObjectId": KIM, "Guid": "g1", "Name": "kim"},
        {"ExternalDirectoryObjectId": "00000000-0000-4000-8000-000000000002", "Guid": "g2", "Name": "lee"}]});
    let service = Service::in_order(vec![json(200, &all)]);
    let cmdlet = Cmdlet::new("Get-Mailbox").text("Identity", KIM);
    let error = service.exchange().invoke(&cmdlet).await.expect_err("all");
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.remedy().contains("Nothing was taken"));
}

#[tokio::test]
async fn a_selection_still_asks_for_what_the_check_needs() {
    let one = json!({"value": [{"DisplayName": "Kim", "ExternalDirectoryObjectId": KIM, "Guid": "g1"}]});
    let service = Service::in_order(vec![json(200, &one)]);
    let cmdlet = Cmdlet::new("Get-Mailbox").text("Identity", KIM).select(["DisplayName"]);
    service.exchange().invoke(&cmdlet).await.expect("the one asked for");
    let query = service.sent()[0].url.query().map(str::to_owned).expect("a selection");
    assert!(query.starts_with("$select=DisplayName,ExternalDirectoryObjectId,Guid"), "{query}");
}

#[tokio::test]
async fn requests_bear_what_routing_and_support_need() {
    let service = Service::in_order(vec![json(200, &json!({"value": []}))]);
    service.exchange().invoke(&Cmdlet::new("Get-AcceptedDomain")).await.expect("none");
    let request = &service.sent()[0];
    let tenant = wire_support::TENANT;
    assert_eq!(
        request.url.as_str(),
        format!("https://outlook.office365.com/adminapi/beta/{tenant}/InvokeCommand")
    );
    for (name, value) in [
        ("authorization", "Bearer t0".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json".to_owned()),
        ("accept-language", "en-US".to_owned()),
        ("x-responseformat", "json".to_owned()),
        ("x-cmdletname", "Get-AcceptedDomain".to_owned()),
        ("x-anchormailbox", format!("APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant}")),
    ] {
        assert_eq!(header(request, name), value, "{name}");
    }
    assert!(request.answer_timeout.is_some_and(|wait| wait.as_secs() == 960));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_no_more() {
    let service = Service::new(|_, nth| {
        Ok(if nth == 0 {
            recorded("unauthorized-audience.http")
        } else {
            json(200, &json!({"value": [{"Name": "a"}]}))
        })
    });
    let answer =
        service.exchange().invoke(&Cmdlet::new("Get-AcceptedDomain")).await.expect("the second time");
    assert_eq!(answer.records.len(), 1);
    let service = Service::in_order(vec![recorded("unauthorized-audience.http")]);
    let error = service.exchange().invoke(&Cmdlet::new("Get-AcceptedDomain")).await.expect_err("for good");
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(error.to_string().contains("audience claim"), "{error}");
    assert_eq!(service.sent().len(), 2);
}

#[tokio::test]
async fn the_service_lists_what_the_identity_may_run() {
    let module = json!({"value": [
        {"fileName": "m.psm1", "fileContent": "function Get-Mailbox { }", "exportedCmdlets": "Get-Mailbox,Get-MailboxPermission"},
        {"fileName": "m.format.ps1xml", "fileContent": "<x/>"}]});
    let service = Service::in_order(vec![json(200, &module)]);
    let cmdlets = service.exchange().exported_cmdlets().await.expect("listed");
    assert!(cmdlets.contains("get-mailboxpermission") && !cmdlets.contains("Set-Mailbox"));
    let request = &service.sent()[0];
    assert_eq!((request.method.as_str(), header(request, "commandname")), ("GET", "*"));
    assert!(request.url.path().ends_with("/EXOModuleFile"));
    assert!(request.url.path().starts_with("/adminapi/v1.0/"));
}

#[tokio::test]
async fn a_writing_cmdlet_is_sent_once_whatever_its_answer_links_to() {
    let answers = [
        json(
            200,
            &json!({"value": [{"Name": "a"}],
            "@odata.nextLink": "https://outlook.office365.com/adminapi/beta/t/InvokeCommand?%24skiptoken=1"}),
        ),
        recorded("page-expired.http"),
    ];
    for answer in answers {
        let service = Service::in_order(vec![answer]);
        let cmdlet = Cmdlet::new("New-DistributionGroup").text("Name", "sg").text("ResultSize", "Unlimited");
        let _ = service.exchange().invoke(&cmdlet).await;
        assert_eq!(service.sent().len(), 1);
    }
}
