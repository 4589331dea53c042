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

/// Whose business the sign-in of a domain's users is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realm {
    /// This service's.
    Managed,
    /// A federation server's on premises, which is not here.
    Federated,
    /// No domain of the tenant.
    Unknown,
}

/// The user realm of a sign-in name. A federated one names the server that clients must ask in our place.
#[must_use]
pub fn user_realm(upn: &str, realm: Realm, host: &str) -> Value {
    let domain = upn.rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut document = json!({"ver": "1.0"});
    match realm {
        Realm::Managed => {
            document["account_type"] = "Managed".into();
            document["domain_name"] = domain.into();
        }
        Realm::Federated => {
            let server = format!("https://sts.{domain}/adfs/services/trust");
            document["account_type"] = "Federated".into();
            document["domain_name"] = domain.into();
            document["federation_protocol"] = "WSTrust".into();
            document["federation_metadata_url"] = format!("{server}/mex").into();
            document["federation_active_auth_url"] = format!("{server}/2005/usernamemixed").into();
        }
        Realm::Unknown => document["account_type"] = "Unknown".into(),
    }
    document["cloud_instance_name"] = cloud_of(host).instance.into();
    document["cloud_audience_urn"] = "urn:federation:MicrosoftOnline".into();
    document
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
    fn realms_say_who_signs_users_in() {
        let realm = |realm| user_realm("kim@contoso.com", realm, "login.microsoftonline.com");
        let managed = realm(Realm::Managed);
        assert_eq!(
            (managed["account_type"].as_str(), managed["domain_name"].as_str()),
            (Some("Managed"), Some("contoso.com"))
        );
        assert_eq!(managed["cloud_instance_name"], "microsoftonline.com");
        assert!(managed.get("federation_protocol").is_none());
        let federated = realm(Realm::Federated);
        assert_eq!(federated["account_type"], "Federated");
        assert_eq!(federated["federation_metadata_url"], "https://sts.contoso.com/adfs/services/trust/mex");
        assert!(realm(Realm::Unknown).get("domain_name").is_none());
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
