//! What a call is answered from: the world's state, scenario, moment and caller in one place.

use std::time::Duration;

use super::error::GraphError;
use super::knobs::GraphKnobs;
use super::value::Source;
use crate::clock::Time;
use crate::state::{Actor, ActorKind, Edit, Face, NewAudit, State, View};
use crate::token::Principal;
use crate::world::World;

/// The surroundings of one call.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The world.
    pub world: &'a World,
    /// The scenario's settings.
    pub knobs: &'a GraphKnobs,
    /// The caller.
    pub principal: &'a Principal,
    /// Now.
    pub now: Time,
    /// The moment whose state readers see: now, or earlier when a replica or an index lags.
    pub view_at: Time,
    /// Time until an audit record may be read.
    pub audit_latency: Duration,
    /// Address of the client.
    pub client: Option<std::net::IpAddr>,
}

impl Scene<'_> {
    /// What directory readers see of `state`.
    #[must_use]
    pub fn view<'s>(&self, state: &'s State) -> View<'s> {
        state.view(Face::Graph, self.view_at)
    }

    /// What value accessors need.
    #[must_use]
    pub fn source<'s>(&self, state: &'s State) -> Source<'s> {
        Source { tenant: &state.tenant, premium: self.knobs.premium }
    }

    /// Begins to write.
    pub fn edit<'s>(&self, state: &'s mut State) -> Edit<'s> {
        state.edit(Face::Graph, self.now)
    }

    /// Who acts, for the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let app = self.principal.is_app();
        Actor {
            kind: if app { ActorKind::ServicePrincipal } else { ActorKind::Admin },
            user_id: match &self.principal.upn {
                Some(upn) => upn.as_str().into(),
                None => format!("ServicePrincipal_{}", self.principal.object_id).into(),
            },
            object_id: self.principal.object_id,
            app_id: Some(self.principal.app_id),
        }
    }

    /// Writes an audit record of the directory.
    pub fn audit(
        &self,
        edit: &mut Edit<'_>,
        operation: &str,
        object: &str,
        parameters: Vec<(String, String)>,
    ) {
        edit.audit(
            NewAudit {
                workload: "AzureActiveDirectory",
                operation: operation.to_owned(),
                actor: self.actor(),
                object: object.to_owned(),
                parameters,
                succeeded: true,
                client_ip: self.client.map(|address| address.to_string()),
            },
            self.audit_latency,
        );
    }

    /// Lets the caller through if any of the acts is allowed.
    ///
    /// # Errors
    /// 403
    pub fn require(&self, acts: &[super::permission::Act]) -> Result<(), GraphError> {
        super::permission::require(self.principal, acts)
    }
}
