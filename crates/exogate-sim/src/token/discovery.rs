//! The documents that clients read before they sign in: instance discovery, OpenID configuration, user realm.
//! Pure text from names.

use serde_json::{Value, json};

use super::resource::{CLOUDS, Cloud, cloud_of};

/// The OpenID configuration for `tenant` as the caller named it. `origin` is how the caller reached us.
#[must_use]
pub fn openid_configuration(origin: &str, host: &str, tenant: &str, tenant_id: &str, v2: bool) -> Value {
    let cloud = cloud_of(host);
    // `common` and `organizations` publish a template: the real issuer is in the token.
    let issuer_tenant = match tenant {
        "common" | "organizations" => "{tenantid}",
        _ => tenant_id,
    };
    let path_tenant = match tenant {
        "common" | "organizations" => tenant,
        _ => tenant_id,
    };
    let version = if v2 { "/v2.0" } else { "" };
    let issuer = if v2 {
        format!("https://{}/{issuer_tenant}/v2.0", cloud.login)
    } else {
        format!("https://sts.windows.net/{issuer_tenant}/")
    };
    json!({
        "token_endpoint": format!("{origin}/{path_tenant}/oauth2{version}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": if v2 { format!("{origin}/{path_tenant}/discovery/v2.0/keys") } else { format!("{origin}/common/discovery/keys") },
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": format!("https://{}/oidc/userinfo", cloud.graph),
        "authorization_endpoint": format!("{origin}/{path_tenant}/oauth2{version}/authorize"),
        "device_authorization_endpoint": format!("{origin}/{path_tenant}/oauth2{version}/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{origin}/{path_tenant}/oauth2{version}/logout"),
        "claims_supported": ["sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"],
        "tenant_region_scope": if issuer_tenant == "{tenantid}" { Value::Null } else { "EU".into() },
        "cloud_instance_name": cloud.instance,
        "cloud_graph_host_name": cloud.directory_graph,
        "msgraph_host": cloud.graph,
        "rbac_url": "https://pas.windows.net",
    })
}

/// The answer to instance discovery for an authorization endpoint on `asked_host`; `None` for a host that is no login host.
#[must_use]
pub fn instance(asked_host: &str, tenant: &str, own_host: &str) -> Option<Value> {
    let bare = asked_host.split(':').next().unwrap_or(asked_host);
    let known = CLOUDS.iter().any(|cloud| cloud.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(bare)));
    if !known && !asked_host.eq_ignore_ascii_case(own_host) {
        return None;
    }
    let mut metadata: Vec<Value> = CLOUDS.iter().map(cloud_metadata).collect();
    if !known {
        // Reached under another name (a test's own host): that name is an instance of its own.
        metadata.insert(
            0,
            json!({"preferred_network": asked_host, "preferred_cache": asked_host, "aliases": [asked_host]}),
        );
    }
    Some(json!({
        "tenant_discovery_endpoint": format!("https://{asked_host}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": metadata,
    }))
}

fn cloud_metadata(cloud: &Cloud) -> Value {
    json!({"preferred_network": cloud.login, "preferred_cache": cloud.cache, "aliases": cloud.aliases})
}

/// The user realm: every domain of the tenant is managed, others are unknown.
#[must_use]
pub fn user_realm(upn: &str, managed: bool, host: &str) -> Value {
    let domain = upn.rsplit_once('@').map_or("", |(_, domain)| domain);
    let cloud = cloud_of(host);
    if managed {
        json!({
            "ver": "1.0", "account_type": "Managed", "domain_name": domain,
            "cloud_instance_name": cloud.instance, "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        })
    } else {
        json!({"ver": "1.0", "account_type": "Unknown", "cloud_instance_name": cloud.instance, "cloud_audience_urn": "urn:federation:MicrosoftOnline"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_matches_the_tenant_and_links_lead_back_to_us() {
        let document = openid_configuration("https://localhost:1", "localhost:1", "contoso.com", "tid", true);
        assert_eq!(document["issuer"], "https://login.microsoftonline.com/tid/v2.0");
        assert_eq!(document["token_endpoint"], "https://localhost:1/tid/oauth2/v2.0/token");
        let common = openid_configuration(
            "https://login.microsoftonline.com",
            "login.microsoftonline.com",
            "common",
            "tid",
            true,
        );
        assert_eq!(common["issuer"], "https://login.microsoftonline.com/{tenantid}/v2.0");
    }

    #[test]
    fn instance_discovery_knows_the_clouds_and_nobody_else() {
        let known = instance("login.microsoftonline.com", "t", "localhost").unwrap();
        assert_eq!(known["metadata"][0]["preferred_cache"], "login.windows.net");
        assert!(instance("evil.test", "t", "localhost:1").is_none());
        assert_eq!(
            instance("localhost:1", "t", "localhost:1").unwrap()["metadata"][0]["preferred_network"],
            "localhost:1"
        );
    }
}
