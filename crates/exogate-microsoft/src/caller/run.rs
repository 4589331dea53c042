//! The loop itself.

use std::sync::Arc;
use std::time::Duration;

use exogate_model::clock::Clock;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;
use url::Url;

use super::call::{CallSpec, Effect, Repeat, Verdict};
use super::ids::{Ids, RandomIds};
use super::observe::{CallEvent, CallObserver, CallStep, Silent};
use crate::cloud::{Endpoints, Resource};
use crate::error::{ErrorKind, WireError};
use crate::governor::{Governor, Permit, Snapshot};
use crate::settings::{RetrySettings, TenantSettings};
use crate::signin::{AccessToken, SignIn, TokenCache, TokenHints};
use crate::transport::{
    ReqwestTransport, Sent, Transport, TransportError, TransportErrorKind, TransportSettings,
    TransportSetupError, WireRequest, WireResponse,
};

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Makes calls to one tenant. Clones share connections, tokens and governors.
#[derive(Clone)]
pub struct Caller {
    shared: Arc<Shared>,
}

struct Shared {
    tenant: String,
    client_id: Option<String>,
    username: Option<String>,
    signs_in_at: Url,
    endpoints: Endpoints,
    transport: Arc<dyn Transport>,
    tokens: TokenCache,
    governors: [Governor; Resource::ALL.len()],
    retry: RetrySettings,
    ids: Arc<dyn Ids>,
    observer: Arc<dyn CallObserver>,
}

impl Caller {
    /// A caller over the network.
    pub fn connect(settings: &TenantSettings, clock: Arc<dyn Clock>) -> Result<Self, TransportSetupError> {
        let transport = ReqwestTransport::new(&TransportSettings::from(settings))?;
        Ok(Self::new(settings, Arc::new(transport), clock, Arc::new(RandomIds), Arc::new(Silent)))
    }

    /// A caller over any transport.
    pub fn new(
        settings: &TenantSettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        observer: Arc<dyn CallObserver>,
    ) -> Self {
        let sign_in = SignIn::new(settings, Arc::clone(&transport), Arc::clone(&clock), Arc::clone(&ids));
        let shared = Shared {
            tenant: settings.tenant.clone(),
            client_id: settings.credential.client_id().map(str::to_owned),
            username: settings.credential.username().map(str::to_owned),
            signs_in_at: settings.credential.identity_endpoint().unwrap_or(&settings.endpoints.login).clone(),
            endpoints: settings.endpoints.clone(),
            transport,
            tokens: TokenCache::new(Arc::new(sign_in), clock),
            governors: std::array::from_fn(|_| Governor::new(settings.governor)),
            retry: settings.retry,
            ids,
            observer,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The same connections, tokens and governors, watched by `observer`.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn CallObserver>) -> Self {
        let old = &self.shared;
        let shared = Shared {
            tenant: old.tenant.clone(),
            client_id: old.client_id.clone(),
            username: old.username.clone(),
            signs_in_at: old.signs_in_at.clone(),
            endpoints: old.endpoints.clone(),
            transport: Arc::clone(&old.transport),
            tokens: old.tokens.clone(),
            governors: old.governors.clone(),
            retry: old.retry,
            ids: Arc::clone(&old.ids),
            observer,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The tenant as configured: its id or a domain.
    pub fn tenant(&self) -> &str {
        &self.shared.tenant
    }

    /// The application that signs in, where the configuration says which it is.
    pub fn client_id(&self) -> Option<&str> {
        self.shared.client_id.as_deref()
    }

    /// The user who signs in, if it is a user.
    pub fn username(&self) -> Option<&str> {
        self.shared.username.as_deref()
    }

    /// Where tokens come from.
    pub fn signs_in_at(&self) -> &Url {
        &self.shared.signs_in_at
    }

    /// Where the services are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.shared.endpoints
    }

    /// Where ids come from.
    pub fn ids(&self) -> &dyn Ids {
        self.shared.ids.as_ref()
    }

    /// The gate before `resource`.
    pub fn governor(&self, resource: Resource) -> &Governor {
        match resource {
            Resource::Graph => &self.shared.governors[0],
            Resource::Exchange => &self.shared.governors[1],
            Resource::Activity => &self.shared.governors[2],
        }
    }

    /// What the gate before `resource` is doing.
    pub fn snapshot(&self, resource: Resource) -> Snapshot {
        self.governor(resource).snapshot()
    }

    /// Signs in to `resource` and shows what the token says, for people.
    pub async fn sign_in(&self, resource: Resource) -> Result<TokenHints, WireError> {
        Ok(TokenHints::of(&self.token(resource).await?))
    }

    /// Signs in anew, so that permissions granted since are in the token, and shows what it says.
    pub async fn sign_in_again(&self, resource: Resource) -> Result<TokenHints, WireError> {
        let old = self.token(resource).await?;
        let name = self.resource_name(resource)?;
        Ok(TokenHints::of(&self.shared.tokens.renew(name, &old, None).await?))
    }

    /// Makes one logical call.
    pub async fn call(&self, spec: CallSpec<'_>) -> Result<WireResponse, WireError> {
        let (what, service) = (spec.what, spec.resource.service());
        let span = tracing::trace_span!(
            "call",
            what,
            %service,
            client_request_id = Empty,
            attempts = Empty,
            error = Empty
        );
        let settled = self.settle(spec).instrument(span.clone()).await;
        if let Err(error) = &settled {
            // What it came to, not what was said: services name people.
            span.record("error", error.kind.name());
        }
        settled
    }

    async fn settle(&self, spec: CallSpec<'_>) -> Result<WireResponse, WireError> {
        let mut run = Run::new(self, spec);
        let settled = run.until_settled().await;
        let span = tracing::Span::current();
        span.record("client_request_id", run.id.to_str().unwrap_or_default());
        span.record("attempts", run.attempt + 1);
        settled.map_err(|mut error| {
            error.attempts = run.attempt + 1;
            run.tell(CallStep::Failed { error: &error });
            error
        })
    }

    fn resource_name(&self, resource: Resource) -> Result<&str, WireError> {
        self.shared.endpoints.resource(resource).ok_or_else(|| {
            WireError::new(ErrorKind::InvalidRequest, resource.service(), "sign-in")
                .with_sentence("this cloud has no such service")
                .with_remedy("Configure its address and token resource, or switch the feature off.")
        })
    }

    /// A token for `resource`, for requests that carry it in their body as well.
    pub(crate) async fn token(&self, resource: Resource) -> Result<AccessToken, WireError> {
        self.shared.tokens.get(self.resource_name(resource)?).await
    }
}

/// How an attempt ended, if not for good.
enum Again {
    /// The governor decides when.
    WhenAllowed,
    /// After a wait of our own.
    After(WireError),
    /// At once, with another token.
    WithFreshToken,
}

/// One logical call under way.
struct Run<'a> {
    caller: &'a Caller,
    spec: CallSpec<'a>,
    id: HeaderValue,
    begun: Instant,
    attempt: u32,
    faults: u32,
    turned_away: bool,
    /// A token that was refused, and the claims that were asked for.
    refused: Option<(AccessToken, Option<String>)>,
}

impl<'a> Run<'a> {
    fn new(caller: &'a Caller, spec: CallSpec<'a>) -> Self {
        let id = caller.shared.ids.id().to_string();
        Self {
            caller,
            spec,
            // A UUID is always a valid header; the empty one is only there to avoid a panic.
            id: HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("")),
            begun: Instant::now(),
            attempt: 0,
            faults: 0,
            turned_away: false,
            refused: None,
        }
    }

    async fn until_settled(&mut self) -> Result<WireResponse, WireError> {
        loop {
            match self.attempt().await? {
                Ok(response) => return Ok(response),
                Err(Again::WhenAllowed | Again::WithFreshToken) => {}
                Err(Again::After(error)) => {
                    self.faults += 1;
                    let wait = self.backoff().max(error.retry_after.unwrap_or_default());
                    if self.faults >= self.caller.shared.retry.attempts || !self.within_budget(wait) {
                        return Err(error);
                    }
                    self.tell(CallStep::Retrying { error: &error, wait });
                    tokio::time::sleep(wait).await;
                }
            }
            self.attempt += 1;
        }
    }

    /// The outer error is final; the inner one says how to go on.
    async fn attempt(&mut self) -> Result<Result<WireResponse, Again>, WireError> {
        let permit =
            self.caller.governor(self.spec.resource).acquire(self.spec.priority, self.turned_away).await;
        let token = match self.token().await {
            Ok(token) => token,
            Err(error) => {
                drop(permit);
                return self.after_fault(error, false);
            }
        };
        self.tell(CallStep::Sending);
        let sent_at = Instant::now();
        let answer = self.caller.shared.transport.send(self.request(&token)).await;
        let latency = sent_at.elapsed();
        let response = match answer {
            Ok(response) => response,
            Err(fault) => {
                permit.failed();
                return self.no_answer(&fault);
            }
        };
        match self.spec.judge.judge(self.spec.what, &response) {
            Verdict::Done => {
                permit.ok(latency);
                self.tell(CallStep::Done { latency, bytes: response.body.len() });
                Ok(Ok(response))
            }
            Verdict::Failed(error) => {
                // A refusal is an answer too: the service had room for it.
                permit.ok(latency);
                Err(error)
            }
            Verdict::Throttled { retry_after, error } => self.throttled(permit, retry_after, error),
            Verdict::Transient { error, effect } => {
                permit.failed();
                if self.may_repeat(effect == Effect::None) {
                    Ok(Err(Again::After(error)))
                } else {
                    Err(lost(error))
                }
            }
            Verdict::Unauthorized { claims, error } => {
                permit.ok(latency);
                if self.refused.is_some() {
                    return Err(error);
                }
                self.tell(CallStep::SigningInAgain);
                self.refused = Some((token, claims));
                Ok(Err(Again::WithFreshToken))
            }
        }
    }

    fn throttled(
        &mut self,
        permit: Permit,
        retry_after: Option<Duration>,
        mut error: WireError,
    ) -> Result<Result<WireResponse, Again>, WireError> {
        permit.throttled(retry_after);
        self.tell(CallStep::Throttled { retry_after });
        self.turned_away = true;
        if self.within_budget(retry_after.unwrap_or_default()) {
            return Ok(Err(Again::WhenAllowed));
        }
        error.retry_after = retry_after;
        Err(error)
    }

    fn no_answer(&self, fault: &TransportError) -> Result<Result<WireResponse, Again>, WireError> {
        let error = WireError::of_fault(fault, self.spec.resource.service(), self.spec.what);
        if !self.may_repeat(fault.sent == Sent::No) {
            return Err(lost(error));
        }
        self.after_fault(error, fault.kind == TransportErrorKind::Garbled)
    }

    /// Goes on after a fault, if that has any prospect.
    fn after_fault(&self, error: WireError, garbled: bool) -> Result<Result<WireResponse, Again>, WireError> {
        // A host that never answered is a matter of configuration; one that did is a matter of patience.
        let never_answered = self.caller.snapshot(self.spec.resource).ok == 0;
        let hopeless = error.kind == ErrorKind::Unreachable && self.faults >= 2 && never_answered;
        if hopeless || !(error.is_retryable() || garbled) { Err(error) } else { Ok(Err(Again::After(error))) }
    }

    async fn token(&self) -> Result<AccessToken, WireError> {
        let name = self.caller.resource_name(self.spec.resource)?;
        match &self.refused {
            None => self.caller.shared.tokens.get(name).await,
            Some((token, claims)) => self.caller.shared.tokens.renew(name, token, claims.as_deref()).await,
        }
    }

    fn request(&self, token: &AccessToken) -> WireRequest {
        let mut request = (self.spec.request)(self.attempt);
        request.headers.insert(AUTHORIZATION, token.header());
        request.headers.entry(CLIENT_REQUEST_ID).or_insert_with(|| self.id.clone());
        request
    }

    fn may_repeat(&self, no_effect: bool) -> bool {
        no_effect || self.spec.repeat == Repeat::Safe
    }

    fn within_budget(&self, wait: Duration) -> bool {
        self.begun.elapsed().saturating_add(wait) <= self.caller.shared.retry.budget
    }

    /// Full jitter over a doubling wait, never below a quarter of it.
    fn backoff(&self) -> Duration {
        let RetrySettings { backoff, backoff_cap, .. } = self.caller.shared.retry;
        let doublings = self.faults.saturating_sub(1).min(16);
        let wait = backoff.saturating_mul(1 << doublings).min(backoff_cap);
        wait.mul_f64(0.25 + 0.75 * self.caller.shared.ids.fraction().clamp(0.0, 1.0))
    }

    fn tell(&self, step: CallStep<'_>) {
        let CallSpec { resource, what, .. } = self.spec;
        self.caller.shared.observer.observe(&CallEvent { resource, what, attempt: self.attempt, step });
    }
}

/// A fault of a request that may have had its effect.
fn lost(mut error: WireError) -> WireError {
    error.kind = ErrorKind::LostAnswer;
    error
}
