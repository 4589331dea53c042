//! The sign-in service.

use crate::probe::{APP, Everything, Expect, Table, judge};
use crate::tenant::Bench;

pub fn tables() -> Vec<Table> {
    let all = Everything::new();
    let (tenant, app) = (all.bench.tenant(), Bench::numbered_app(APP));
    let scope = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
    let secret = format!("client_id={app}&client_secret=secret&grant_type=client_credentials");
    let mut pages = Table::new(
        "Sign-in: endpoints",
        "Assertions (PS256 and RS256, every way of writing thumbprints and times), managed identities and App Service are proved by tests of their own.",
        &["request", "state"],
    );
    for (name, target, form) in [
        ("v2 token, client secret", format!("/{tenant}/oauth2/v2.0/token"), format!("{secret}&{scope}")),
        (
            "v2 token, tenant by domain",
            "/contoso.com/oauth2/v2.0/token".to_owned(),
            format!("{secret}&{scope}"),
        ),
        (
            "v1 token with resource",
            format!("/{tenant}/oauth2/token"),
            format!("{secret}&resource=https%3A%2F%2Fgraph.microsoft.com"),
        ),
        (
            "v2 token with a query",
            format!("/{tenant}/oauth2/v2.0/token?client-request-id=1"),
            format!("{secret}&{scope}"),
        ),
    ] {
        pages.add([name], judge(&all.form(&target, &form), Expect::Works));
    }
    for (name, target) in [
        ("OpenID configuration", format!("/{tenant}/v2.0/.well-known/openid-configuration")),
        ("OpenID configuration v1", format!("/{tenant}/.well-known/openid-configuration")),
        (
            "instance discovery",
            "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/contoso.com/oauth2/v2.0/authorize".to_owned(),
        ),
        ("signing keys", format!("/{tenant}/discovery/v2.0/keys")),
        ("user realm", "/common/userrealm/kim.akers@contoso.com?api-version=1.0".to_owned()),
    ] {
        pages.add([name], judge(&all.page(&target), Expect::Works));
    }
    let mut errors = Table::new("Sign-in: refusals", "", &["condition", "status", "code", "state"]);
    let other = "00000000-0000-4000-8000-000000000000";
    for (name, target, form, status, code) in [
        (
            "wrong secret",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!("client_id={app}&client_secret=no&grant_type=client_credentials&{scope}"),
            401,
            "AADSTS7000215",
        ),
        (
            "no credential",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!("client_id={app}&grant_type=client_credentials&{scope}"),
            401,
            "AADSTS7000218",
        ),
        (
            "unknown application",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!("client_id={other}&client_secret=x&grant_type=client_credentials&{scope}"),
            400,
            "AADSTS700016",
        ),
        (
            "unknown tenant",
            "/nowhere.example/oauth2/v2.0/token".to_owned(),
            format!("{secret}&{scope}"),
            400,
            "AADSTS90002",
        ),
        (
            "unknown grant",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!("client_id={app}&client_secret=secret&grant_type=nonsense&{scope}"),
            400,
            "AADSTS70003",
        ),
        (
            "scope without .default",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!("{secret}&scope=https%3A%2F%2Fgraph.microsoft.com%2FUser.Read"),
            400,
            "AADSTS1002012",
        ),
        (
            "wrong password",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!(
                "client_id=fb78d390-0c51-40cd-8e17-fdbfab77341b&grant_type=password&username=kim.akers%40contoso.com&password=no&{scope}"
            ),
            400,
            "AADSTS50126",
        ),
        (
            "unknown user",
            format!("/{tenant}/oauth2/v2.0/token"),
            format!(
                "client_id=fb78d390-0c51-40cd-8e17-fdbfab77341b&grant_type=password&username=nobody%40contoso.com&password=no&{scope}"
            ),
            400,
            "AADSTS50034",
        ),
        (
            "device code",
            "/organizations/oauth2/v2.0/devicecode".to_owned(),
            format!("client_id=fb78d390-0c51-40cd-8e17-fdbfab77341b&{scope}"),
            400,
            "AADSTS53003",
        ),
    ] {
        let answer = all.form(&target, &form);
        errors.add([name, &status.to_string(), code], judge(&answer, Expect::Refusal(status, code)));
    }
    vec![pages, errors]
}
