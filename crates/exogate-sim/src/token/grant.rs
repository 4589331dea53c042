//! The grants: from a token request to claims and an answer, or to the refusal that the sign-in service would give.
//! Reads the state; sends nothing.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::assertion::{Assertion, Expected};
use super::claims::{Proof, Ticket};
use super::client::{Form, find_app, is_first_party};
use super::error::SignInError;
use super::interactive::Screen;
use super::keys::SigningKey;
use super::knobs::TokenKnobs;
use super::resource::{Requested, ScopeProblem, cloud_of, read_resource, read_scope};
use super::tenant::{TenantName, resolve};
use crate::clock::Time;
use crate::state::{App, AppKind, Idx, KeyKind, Object, State};

/// One request for a token.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The tenant.
    pub state: &'a State,
    /// The scenario.
    pub knobs: &'a TokenKnobs,
    /// The signing key.
    pub key: &'a SigningKey,
    /// The tenant as the path names it.
    pub tenant: &'a str,
    /// Host by which the caller reached us.
    pub host: &'a str,
    /// The v2 endpoint.
    pub v2: bool,
    /// The body.
    pub form: &'a Form,
    /// Now.
    pub now: Time,
}

impl TokenRequest<'_> {
    /// The answer to the request.
    ///
    /// # Errors
    /// The refusal.
    pub fn answer(&self) -> Result<Value, SignInError> {
        if let Some(seconds) = self.knobs.throttle_retry_after {
            let mut error =
                SignInError::new(90055, "The tenant has reached its limit of requests. Try again later.");
            error.retry_after = Some(seconds);
            return Err(error);
        }
        let grant = self.form.required("grant_type")?;
        let tenant = resolve(self.state, self.tenant)?;
        match grant {
            "client_credentials" => self.client_credentials(),
            "password" => self.password(tenant),
            "refresh_token" => self.refresh(),
            "authorization_code" | "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => {
                self.redeem()
            }
            other => Err(SignInError::new(
                70003,
                format!("The app requested an unsupported grant type '{other}'."),
            )),
        }
    }

    fn directory_name(&self) -> String {
        self.state.tenant.display_name.clone()
    }

    fn app(&self) -> Result<Cow<'_, App>, SignInError> {
        let client_id = match self.form.client_id() {
            Some(id) => id.to_owned(),
            // Without client_id the assertion's issuer names the app.
            None => self
                .form
                .get("client_assertion")
                .and_then(|token| Assertion::parse(token).ok()?.issuer().map(str::to_owned))
                .ok_or_else(|| SignInError::missing("client_id"))?,
        };
        let app = find_app(self.state, &client_id)
            .ok_or_else(|| SignInError::app_not_found(&client_id, &self.directory_name()))?;
        if !app.enabled {
            return Err(SignInError::app_disabled(&client_id, &app.display_name));
        }
        Ok(app)
    }

    /// Checks the client's credential. `None` when it sent none.
    fn prove(&self, app: &App) -> Result<Option<Proof>, SignInError> {
        let id = app.client_id.to_string();
        if let Some(assertion) = self.form.get("client_assertion") {
            let kind = self.form.get("client_assertion_type").unwrap_or_default();
            if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
                return Err(SignInError::missing("client_assertion_type"));
            }
            let names = super::tenant::names(self.state);
            let certificates: Vec<&[u8]> =
                app.certificates.iter().map(|certificate| certificate.der.as_slice()).collect();
            let expected =
                Expected { app_id: &id, tenant_names: &names, host: self.host, now: self.now.seconds() };
            Assertion::parse(assertion)?.verify(&certificates, &expected)?;
            return Ok(Some(Proof::Assertion));
        }
        let Some(secret) = self.form.client_secret() else { return Ok(None) };
        let Some(found) = app.secrets.iter().find(|known| known.value == secret) else {
            return Err(SignInError::wrong_secret(&id));
        };
        if found.expires <= self.now {
            return Err(SignInError::secret_expired(&id));
        }
        Ok(Some(Proof::Secret))
    }

    fn requested(&self, app_only: bool) -> Result<Requested, SignInError> {
        let read = if self.v2 || self.form.get("scope").is_some() && self.form.get("resource").is_none() {
            read_scope(self.form.required("scope")?, app_only)
        } else {
            read_resource(self.form.required("resource")?)
        };
        read.map_err(|problem| self.scope_refused(problem))
    }

    fn scope_refused(&self, problem: ScopeProblem) -> SignInError {
        match problem {
            ScopeProblem::Malformed(scope) => SignInError::new(
                70011,
                format!(
                    "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
                ),
            ),
            ScopeProblem::NotDefault(scope) => SignInError::new(
                1002012,
                format!(
                    "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
                ),
            ),
            ScopeProblem::UnknownResource(resource) => {
                SignInError::resource_not_found(&resource, &self.directory_name())
            }
        }
    }

    fn blocked(&self, app: &App) -> Result<(), SignInError> {
        let id = app.client_id.to_string();
        if !self.knobs.blocked_apps.iter().any(|blocked| blocked.eq_ignore_ascii_case(&id)) {
            return Ok(());
        }
        let mut error = SignInError::new(
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        );
        let policy = crate::state::tenant::derived_id(self.state.tenant.seed, 53003);
        error.claims =
            Some(json!({"access_token": {"capolids": {"essential": true, "values": [policy]}}}).to_string());
        Err(error)
    }

    fn cae(&self) -> bool {
        self.form.get("claims").is_some_and(|claims| claims.to_ascii_lowercase().contains("cp1"))
    }

    fn lifetime(&self, cae: bool) -> i64 {
        i64::from(if cae { self.knobs.cae_lifetime_seconds } else { self.knobs.lifetime_seconds })
    }

    fn client_credentials(&self) -> Result<Value, SignInError> {
        let app = self.app()?;
        if app.kind == AppKind::ManagedIdentity {
            return Err(SignInError::app_not_found(&app.client_id.to_string(), &self.directory_name()));
        }
        let proof = self.prove(&app)?.ok_or_else(|| {
            SignInError::new(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        })?;
        let requested = self.requested(true)?;
        self.blocked(&app)?;
        let cae = self.cae();
        let ticket = Ticket {
            state: self.state,
            app: &app,
            requested: &requested,
            proof,
            now: self.now.seconds(),
            lifetime: self.lifetime(cae),
            cae,
        };
        let token = sign(self.key, &ticket.app_claims())?;
        Ok(self.success(&ticket, token))
    }

    /// The fields that every answer has; numbers on v2, strings on v1.
    fn success(&self, ticket: &Ticket<'_>, token: String) -> Value {
        let mut answer = Map::new();
        answer.insert("token_type".into(), "Bearer".into());
        let number = |value: i64| if self.v2 { json!(value) } else { json!(value.to_string()) };
        answer.insert("expires_in".into(), number(ticket.lifetime));
        answer.insert("ext_expires_in".into(), number(ticket.lifetime));
        if ticket.cae {
            answer.insert("refresh_in".into(), number(ticket.lifetime / 2));
        }
        if !self.v2 {
            answer.insert("expires_on".into(), number(ticket.now + ticket.lifetime));
            answer.insert("not_before".into(), number(ticket.now - 300));
            answer.insert("resource".into(), ticket.requested.audience.as_str().into());
        }
        answer.insert("access_token".into(), token.into());
        Value::Object(answer)
    }

    fn password(&self, tenant: TenantName) -> Result<Value, SignInError> {
        if matches!(tenant, TenantName::Common | TenantName::Consumers) {
            return Err(SignInError::new(
                9001023,
                "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
            ));
        }
        let app = self.app()?;
        let proof = self.prove_user_client(&app)?;
        let requested = self.requested(false)?;
        let username = self.form.required("username")?;
        let password = self.form.required("password")?;
        let (idx, user) = self.user(username)?;
        let listed = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(username));
        if listed(&self.knobs.locked_users) {
            return Err(SignInError::new(
                50053,
                "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
            ));
        }
        let domain = username.rsplit_once('@').map_or("", |(_, domain)| domain);
        if self.state.tenant.domain(domain).is_some_and(|known| known.federated) {
            // The password lies with the federation server, not here.
            return Err(SignInError::new(
                50056,
                "Invalid or null password: password does not exist in the directory for this user.",
            ));
        }
        let own = user.user().and_then(|account| account.password.as_deref());
        if password != own.unwrap_or(&self.knobs.user_password) {
            return Err(SignInError::new(
                50126,
                "Error validating credentials due to invalid username or password.",
            ));
        }
        self.usable(user)?;
        if listed(&self.knobs.expired_password_users) {
            return Err(SignInError::new(50055, "The password is expired."));
        }
        if self.knobs.mfa_for_all || listed(&self.knobs.mfa_users) {
            return Err(SignInError::new(
                50076,
                format!(
                    "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{}'.",
                    requested.resource.app_id()
                ),
            ));
        }
        self.blocked(&app)?;
        self.user_answer(&app, proof, &requested, &SignedIn { idx, user, nonce: None, consented: &[] })
    }

    fn prove_user_client(&self, app: &App) -> Result<Proof, SignInError> {
        let id = app.client_id.to_string();
        let confidential = app.kind == AppKind::Confidential
            && !app.secrets.is_empty() | !app.certificates.is_empty()
            || self.knobs.confidential_apps.iter().any(|known| known.eq_ignore_ascii_case(&id));
        match self.prove(app)? {
            Some(_) if app.kind == AppKind::Public => Err(SignInError::new(
                700025,
                format!(
                    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented. (client '{id}')"
                ),
            )),
            Some(proof) => Ok(proof),
            None if confidential => Err(SignInError::new(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )),
            None => Ok(Proof::None),
        }
    }

    fn user(&self, username: &str) -> Result<(Idx, &Object), SignInError> {
        self.state
            .live_by_text(KeyKind::UserPrincipalName, username.trim())
            .into_iter()
            .find_map(|idx| Some((idx, self.state.get(idx)?)))
            .ok_or_else(|| {
                SignInError::new(
                    50034,
                    format!("The user account {{EUII Hidden}} does not exist in the {} directory. To sign into this application, the account must be added to the directory.", self.state.tenant.id),
                )
            })
    }

    fn usable(&self, user: &Object) -> Result<(), SignInError> {
        if user.user().is_some_and(|account| account.account_enabled) {
            Ok(())
        } else {
            Err(SignInError::new(50057, "The user account is disabled."))
        }
    }

    /// The delegated permissions that the token carries: all that the app was granted, `consented` ones included.
    fn scopes(
        &self,
        app: &App,
        requested: &Requested,
        consented: &[String],
    ) -> Result<Vec<String>, SignInError> {
        let resource: Uuid = requested.resource.app_id().parse().unwrap_or_default();
        let mut scopes: Vec<String> = app
            .consents
            .iter()
            .filter(|consent| consent.resource == resource)
            .flat_map(|consent| consent.scopes.iter().cloned())
            .collect();
        let first_party = is_first_party(app.client_id);
        if scopes.is_empty() && first_party {
            scopes = super::client::first_party_scopes(requested.resource);
        }
        let holds = |held: &[String], scope: &str| held.iter().any(|one| one.eq_ignore_ascii_case(scope));
        for asked in &requested.permissions {
            // The service's own applications need nobody's consent.
            if !holds(&scopes, asked) && (first_party || holds(consented, asked)) {
                scopes.push(asked.clone());
            }
        }
        let refused = requested.permissions.iter().any(|asked| !holds(&scopes, asked));
        if scopes.is_empty() || refused {
            return Err(SignInError::new(
                65001,
                format!(
                    "The user or administrator has not consented to use the application with ID '{}' named '{}'. Send an interactive authorization request for this user and resource.",
                    app.client_id, app.display_name
                ),
            ));
        }
        Ok(scopes)
    }

    fn user_answer(
        &self,
        app: &App,
        proof: Proof,
        requested: &Requested,
        who: &SignedIn<'_>,
    ) -> Result<Value, SignInError> {
        let scopes = self.scopes(app, requested, who.consented)?;
        let cae = self.cae();
        let ticket = Ticket {
            state: self.state,
            app,
            requested,
            proof,
            now: self.now.seconds(),
            lifetime: self.lifetime(cae),
            cae,
        };
        let token = sign(self.key, &ticket.user_claims(who.idx, who.user, &scopes.join(" ")))?;
        let mut answer = self.success(&ticket, token);
        answer["scope"] = requested.answered(&scopes).into();
        let asked = |scope: &str| requested.oidc.iter().any(|known| known == scope) || !self.v2;
        if asked("offline_access") {
            let consented: Vec<&String> = who.consented.iter().chain(&requested.permissions).collect();
            let refresh = json!({
                "typ": "refresh", "oid": who.user.id, "appid": app.client_id, "aud": requested.audience,
                "iat": self.now.seconds(), "scope": self.form.get("scope").unwrap_or_default(),
                "consented": consented,
            });
            answer["refresh_token"] = format!("1.{}", sign(self.key, &refresh)?).into();
        }
        if asked("openid") {
            let mut claims = ticket.id_claims(who.user, cloud_of(self.host).login);
            if let Some(nonce) = who.nonce {
                claims["nonce"] = nonce.into();
            }
            answer["id_token"] = sign(self.key, &claims)?.into();
        }
        if self.form.get("client_info").is_some() {
            use base64::Engine as _;
            let info = json!({"uid": who.user.id, "utid": self.state.tenant.id}).to_string();
            answer["client_info"] = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(info).into();
        }
        Ok(answer)
    }

    /// A code from a browser or for a device.
    fn redeem(&self) -> Result<Value, SignInError> {
        let app = self.app()?;
        let proof = self.prove_user_client(&app)?;
        let screen = Screen { state: self.state, knobs: self.knobs, key: self.key, now: self.now };
        let redeemed = screen.redeem(self.form, &app.client_id.to_string())?;
        let requested = if self.form.get("scope").is_some() || self.form.get("resource").is_some() {
            self.requested(false)?
        } else if redeemed.scope.contains("://") && !redeemed.scope.contains(' ') && !self.v2 {
            read_resource(&redeemed.scope).map_err(|problem| self.scope_refused(problem))?
        } else {
            read_scope(&redeemed.scope, false).map_err(|problem| self.scope_refused(problem))?
        };
        let (idx, user) = self.user(&redeemed.upn)?;
        self.usable(user)?;
        self.blocked(&app)?;
        // Who signs in at the screen consents to what the application asks for.
        let who = SignedIn { idx, user, nonce: redeemed.nonce.as_deref(), consented: &requested.permissions };
        self.user_answer(&app, proof, &requested, &who)
    }

    fn refresh(&self) -> Result<Value, SignInError> {
        let app = self.app()?;
        let proof = self.prove_user_client(&app)?;
        let malformed = || {
            SignInError::new(
                70008,
                "The provided authorization code or refresh token has expired due to inactivity or is malformed. Send a new interactive authorization request for this user and resource.",
            )
        };
        let token = self.form.required("refresh_token")?;
        let claims = token.strip_prefix("1.").and_then(|token| self.key.open(token)).ok_or_else(malformed)?;
        if claims["typ"] != "refresh" || claims["appid"] != app.client_id.to_string() {
            return Err(malformed());
        }
        let id: Uuid = claims["oid"].as_str().and_then(|id| id.parse().ok()).ok_or_else(malformed)?;
        let issued = claims["iat"].as_i64().unwrap_or_default();
        if self.now.seconds() - issued > 90 * 86_400 {
            return Err(malformed());
        }
        let (idx, user) = self
            .state
            .find(id)
            .and_then(|idx| Some((idx, self.state.get(idx).filter(|user| user.is_live())?)))
            .ok_or_else(malformed)?;
        self.usable(user)?;
        if user
            .user()
            .and_then(|account| account.sessions_valid_from)
            .is_some_and(|from| from.seconds() > issued)
        {
            return Err(malformed());
        }
        let requested = match (self.form.get("scope"), self.form.get("resource")) {
            (None, None) => {
                let mut requested =
                    read_resource(claims["aud"].as_str().unwrap_or_default()).map_err(|_| malformed())?;
                requested.oidc = vec!["openid".into(), "profile".into(), "offline_access".into()];
                requested
            }
            _ => self.requested(false)?,
        };
        self.blocked(&app)?;
        let consented: Vec<String> = claims["consented"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|scope| scope.as_str().map(str::to_owned))
            .collect();
        self.user_answer(&app, proof, &requested, &SignedIn { idx, user, nonce: None, consented: &consented })
    }
}

/// A user whose sign-in is accepted.
struct SignedIn<'a> {
    idx: Idx,
    user: &'a Object,
    /// To be repeated in the id token.
    nonce: Option<&'a str>,
    /// Permissions that this user consented to, beside those that the application holds.
    consented: &'a [String],
}

/// Signs claims as tokens of this tenant are signed.
///
/// # Errors
/// A refusal if they cannot be signed.
pub(super) fn sign(key: &SigningKey, claims: &Value) -> Result<String, SignInError> {
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": key.kid(), "kid": key.kid()});
    key.sign(&header, claims)
        .ok_or_else(|| SignInError::new(90033, "A transient error has occurred. Please try again."))
}
