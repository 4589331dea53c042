//! Each kind of refusal of Exchange has a sentence of its own, the blame where it belongs, and a
//! remedy; what is not known is shown in full.

use exogate_model::operation::{Fault, Outcome};
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};

use crate::world::{World, patience, plan};

/// Type, text of the service; the fault, and what the outcome must say of it.
const TABLE: [(&str, &str, Fault, &str); 12] = [
    (
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
        "The specified mailbox doesn't exist.",
        Fault::Request,
        "mailbox",
    ),
    (
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException",
        "There are multiple recipients matching the identity \"kim\". Please specify a unique value.",
        Fault::Request,
        "object id",
    ),
    (
        "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
        "The object 'CN=kim' already exists.",
        Fault::Request,
        "already exists",
    ),
    (
        "Microsoft.Exchange.Management.Tasks.WLCDManagedMemberExistsException",
        "The proxy address \"SMTP:a@b\" is already being used. Please choose another proxy address.",
        Fault::Request,
        "another address",
    ),
    (
        "Microsoft.Exchange.Configuration.Tasks.OperationRequiresGroupManagerException",
        "You don't have sufficient permissions. This operation can only be performed by a manager of the group.",
        Fault::Tenant,
        "bypass of the group-manager check",
    ),
    (
        "Microsoft.Exchange.Management.Tasks.RecipientTaskException",
        "A rule of recipients was broken.",
        Fault::Request,
        "A rule of recipients was broken.",
    ),
    (
        "Microsoft.Exchange.Management.Tasks.ValidationException",
        "The value is no good.",
        Fault::Request,
        "The value is no good.",
    ),
    (
        "Microsoft.Exchange.Data.Directory.InvalidObjectOperationException",
        "The operation on mailbox \"kim\" failed because it's out of the current user's write scope. The action 'Set-Mailbox' \
         can't be performed on the object 'kim' because the object is being synchronized from your on-premises organization.",
        Fault::Tenant,
        "on-premises",
    ),
    (
        "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
        "The executing user is not in the current organization.",
        Fault::Tenant,
        "not in the current organization",
    ),
    (
        "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterTransformationException",
        "Cannot process argument transformation on parameter 'CustomAttribute1'.",
        Fault::Request,
        "CustomAttribute1",
    ),
    (
        "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException",
        "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. CustomAttribute1",
        Fault::Request,
        "CustomAttribute1",
    ),
    (
        "Microsoft.Exchange.Management.Tasks.NeverSeenBeforeException",
        "Something else altogether.",
        Fault::Request,
        "Something else altogether.",
    ),
];

fn refusing(exception: &str, text: &str) -> FaultRule {
    let body = serde_json::json!({"error": {"code": "BadRequest", "message": "Error executing cmdlet",
        "details": [{"code": "Context", "target": "", "message": format!("Ex123456|{exception}|{text}")}]}});
    let action = FaultAction::Status {
        status: 400,
        body: Some(body.to_string()),
        content_type: Some("application/json".to_owned()),
        retry_after: None,
    };
    let when = FaultMatch { cmdlet: Some("Set-Mailbox".to_owned()), ..FaultMatch::default() };
    FaultRule { name: None, when, action }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_its_sentence_and_remedy() {
    let world = World::new(Scenario::default()).await;
    let provisioner = world.provisioner(patience(200));
    let plan = plan(
        r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"name":"EXO_CustomAttribute1","value":"Sales"}]}]}"#,
    );
    let effects = world.effects();
    for (exception, text, blamed, says) in TABLE {
        world.sim.running.world().set_faults(vec![refusing(exception, text)]);
        let result = world.apply(&provisioner, &plan).await;
        let outcome = result.results[0].outcome.as_ref().unwrap();
        let Outcome::Failed { fault, retry, remedy, .. } = outcome else {
            panic!("{exception}: {outcome:?}")
        };
        let told = outcome.why().unwrap();
        assert_eq!((*fault, *retry), (blamed, false), "{exception}: {told}");
        assert!(told.contains(says) && !remedy.is_empty(), "{exception}: {told}");
        assert!(!told.contains("JSON") && !told.contains("Ex123456|"), "{exception}: {told}");
    }
    assert_eq!(world.effects(), effects, "none of them had an effect");
    world.agrees("nothing was stored").await;
}
