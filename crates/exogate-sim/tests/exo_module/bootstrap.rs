//! Banner, module text, help, state of the service, list of cmdlets, model.

use serde_json::json;

use crate::tenant::Bench;

#[test]
fn connecting_gets_banner_module_and_state() {
    let bench = Bench::new();
    let banner = bench.get("EXOBanner('AutogenSession')?Version=3.6.0").json();
    assert_eq!(banner["value"][0]["sessionType"], "AutogenSession");
    let state = bench.get("basicinfo('AdminApiState')").json();
    assert_eq!(state["PropertyName"], "AdminApiState");
    assert_eq!(state["PropertyValue"], "Running");
    assert_eq!(bench.get("basicinfo('Other')").status, 404);
    let answer = bench.get_with("EXOModuleFile?Version=3.6.0", &[("commandname", "*")]).json();
    let files = answer["value"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert!(files[0]["fileName"].as_str().unwrap().ends_with(".psm1"));
    assert!(files[1]["fileName"].as_str().unwrap().ends_with(".format.ps1xml"));
    let exported = files[0]["exportedCmdlets"].as_str().unwrap();
    assert!(exported.split(',').any(|name| name == "Get-Mailbox"));
    assert!(exported.split(',').any(|name| name == "Remove-MailboxPermission"));
    // The client appends two assignments on lines of their own.
    assert!(files[0]["fileContent"].as_str().unwrap().ends_with('\n'));
    let help = bench.get("EXOHelpFile?Version=3.6.0").json();
    assert!(
        help["value"][0]["fileContent"]
            .as_str()
            .unwrap()
            .contains("<command:name>Set-Mailbox</command:name>")
    );
}

#[test]
fn both_versions_and_any_casing_are_the_same() {
    let bench = Bench::new();
    for path in ["AdminApi/v1.0", "adminapi/beta", "ADMINAPI/V1.0"] {
        let mut request = bench.request(bench.app, &format!("/{path}/{}/exomodulefile", bench.tenant()), "");
        request.method = http::Method::GET;
        assert_eq!(bench.send(request).status, 200, "{path}");
    }
}

#[test]
fn command_names_narrow_the_module() {
    let bench = Bench::new();
    let names = |header: &str| {
        let answer = bench.get_with("EXOModuleFile", &[("commandname", header)]).json();
        answer["value"][0]["exportedCmdlets"].as_str().unwrap().to_owned()
    };
    assert_eq!(names("Get-Mailbox,set-mailbox, Nothing-Here"), "Get-Mailbox,Set-Mailbox");
    assert_eq!(
        names("*-MailboxPermission"),
        "Add-MailboxPermission,Get-MailboxPermission,Remove-MailboxPermission"
    );
    assert_eq!(names("Nothing-Here"), "");
}

#[test]
fn roles_decide_what_is_exported() {
    let bench = Bench::new();
    let exported = |app: u128| {
        let mut request = bench.request(
            Bench::numbered_app(app),
            &format!("/adminapi/v1.0/{}/EXOModuleFile?Version=3.6.0", bench.tenant()),
            "",
        );
        request.method = http::Method::GET;
        let answer = bench.send(request);
        (answer.status == 200).then(|| {
            let file = answer.json()["value"][0].clone();
            (
                file["exportedCmdlets"].as_str().unwrap().to_owned(),
                file["fileContent"].as_str().unwrap().to_owned(),
            )
        })
    };
    let (all, text) = exported(1).unwrap();
    assert!(all.contains("Set-Mailbox") && text.contains("${BypassSecurityGroupManagerCheck}"));
    let (reader, _) = exported(2).unwrap();
    assert!(reader.contains("Get-Mailbox") && !reader.contains("Set-Mailbox"));
    let (manager, text) = exported(7).unwrap();
    assert!(manager.contains("Set-Mailbox") && !text.contains("${BypassSecurityGroupManagerCheck}"));
    // An app role alone may sign in and run nothing.
    assert_eq!(exported(4), None);
}

#[test]
fn cmdlet_info_and_the_model_can_be_read() {
    let bench = Bench::new();
    let one = bench.get("CmdletInfo('get-mailboxpermission')").json();
    assert_eq!(one["CmdletName"], "Get-MailboxPermission");
    assert!(one["Parameters"].as_array().unwrap().contains(&json!("Identity")));
    assert_eq!(bench.get("CmdletInfo('Get-Nothing')").status, 404);
    assert!(bench.get("CmdletInfo").json()["value"].as_array().unwrap().len() > 40);
    let model = bench.get("$metadata");
    assert_eq!(model.status, 200);
    assert_eq!(model.headers["content-type"], "application/xml");
    let text = String::from_utf8(model.body).unwrap();
    assert!(text.contains("<EntitySet Name=\"Mailbox\" EntityType=\"Exchange.Mailbox\" />"));
    assert!(text.contains("<Property Name=\"ProhibitSendQuota\" Type=\"Edm.String\" />"));
}

#[test]
fn only_reading_is_allowed_and_unknown_paths_are_not_found() {
    let bench = Bench::new();
    let post = bench.request(bench.app, &format!("/adminapi/beta/{}/EXOModuleFile", bench.tenant()), "{}");
    assert_eq!(bench.send(post).status, 405);
    for path in ["Nothing", "Mailbox('x')/Nothing", "Mailbox('x", "EXOModuleFile/Other", "Divergence"] {
        assert_eq!(bench.get(path).status, 404, "{path}");
    }
}
