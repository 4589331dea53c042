//! Each kind of failure that Exchange is known to have has a treatment and a sentence of its own, the
//! blame where it belongs, and a remedy; what is not known is shown in full.

use exogate_engine::provision::PlanResult;
use exogate_model::operation::{Fault, Outcome};
use exogate_model::plan::Plan;
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};

use crate::world::{World, outcomes, patience, plan};

/// What a failure comes to.
enum Comes {
    /// Refused: the blame, and what must be said of it, by us and in the service's words.
    Refused(Fault, [&'static str; 2]),
    /// It may have had its effect and may pass: looked at, sent again where nothing is seen, and told
    /// with this sentence if it stays.
    Unclear(&'static str),
    /// It passes by itself, and nobody hears of it.
    Passes,
}
use Comes::{Passes, Refused, Unclear};

const TASKS: &str = "Microsoft.Exchange.Configuration.Tasks.";
const MANAGEMENT: &str = "Microsoft.Exchange.Management.Tasks.";
const BINDER: &str = "Microsoft.Exchange.AdminApi.CommandInvocation.";
const WRAPPER: &str = "Microsoft.Exchange.Admin.OData.Core.";

/// Namespace, type, text of the service, and what it comes to.
const TABLE: [(&str, &str, &str, Comes); 35] = [
    (
        TASKS,
        "ManagementObjectNotFoundException",
        "The operation couldn't be performed because object 'kim' couldn't be found on 'DC1'.",
        Refused(Fault::Request, ["the object was not found", "object 'kim'"]),
    ),
    (
        TASKS,
        "ManagementObjectNotFoundException",
        "Couldn't find object \"lee\". Please make sure that it was spelled correctly or specify a different object.",
        Refused(Fault::Request, ["an object named in the call was not found", "\"lee\""]),
    ),
    (
        TASKS,
        "ManagementObjectNotFoundException",
        "The specified mailbox doesn't exist.",
        Refused(Fault::Request, ["the mailbox does not exist any more", "specified mailbox"]),
    ),
    (
        TASKS,
        "ManagementObjectAmbiguousException",
        "The operation couldn't be performed because 'kim' matches multiple entries.",
        Refused(Fault::Request, ["more than one object answers", "object id"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "There are multiple recipients matching the identity \"kim\". Please specify a unique value.",
        Refused(Fault::Request, ["more than one object answers", "object id"]),
    ),
    (
        "Microsoft.Exchange.Data.Directory.",
        "ADObjectAlreadyExistsException",
        "The object 'CN=kim' already exists.",
        Refused(Fault::Request, ["of this name or alias exists already", "'CN=kim'"]),
    ),
    (
        MANAGEMENT,
        "WLCDManagedMemberExistsException",
        "The proxy address \"SMTP:a@b\" is already being used. Please choose another proxy address.",
        Refused(Fault::Request, ["the address belongs to another object", "SMTP:a@b"]),
    ),
    (
        "Microsoft.Exchange.Data.",
        "ProxyAddressExistsException",
        "The proxy address \"SMTP:a@b\" is already being used by the proxy addresses or LegacyExchangeDN of \"x\".",
        Refused(Fault::Request, ["the address belongs to another object", "of \"x\""]),
    ),
    (
        TASKS,
        "OperationRequiresGroupManagerException",
        "You don't have sufficient permissions. This operation can only be performed by a manager of the group.",
        Refused(Fault::Tenant, ["only a manager of the group", "bypass of the group-manager check"]),
    ),
    (
        MANAGEMENT,
        "RecipientTaskException",
        "The group can't be its own member.",
        Refused(Fault::Request, ["a rule that Exchange has for recipients", "its own member"]),
    ),
    (
        MANAGEMENT,
        "RecipientTaskException",
        "The mailbox can't have more than 500 access control entries.",
        Refused(Fault::Tenant, ["500 permission entries", "mail-enabled security group"]),
    ),
    (
        MANAGEMENT,
        "ValidationException",
        "The value is too long.",
        Refused(Fault::Request, ["not valid for this object", "too long"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "The parameter \"GrantSendOnBehalfTo\" contains the following duplicated recipient identity: \"lee\"",
        Refused(Fault::Request, ["names the same recipient twice", "\"lee\""]),
    ),
    (
        "Microsoft.Exchange.Data.Directory.",
        "InvalidObjectOperationException",
        "The operation on mailbox \"kim\" failed because it's out of the current user's write scope. The action \
         'Set-Mailbox' can't be performed on the object 'kim' because the object is being synchronized from your \
         on-premises organization.",
        Refused(
            Fault::Tenant,
            ["mastered in the on-premises directory", "Change the object in the on-premises"],
        ),
    ),
    (
        "Microsoft.Exchange.Data.Directory.",
        "InvalidObjectOperationException",
        "This cannot be done with an arbitration mailbox.",
        Refused(Fault::Request, ["the object does not allow this operation", "arbitration"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "The executing user is not in the current organization.",
        Refused(Fault::Tenant, ["does not belong to this tenant", "Sign in with an application or user"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "ExternalDirectoryObjectId was not returned",
        Refused(Fault::Request, ["soft-deleted or not yet provisioned", "restore the object"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "The role assigned to application 4711 isn't supported in this scenario.",
        Refused(Fault::Tenant, ["not one that Exchange accepts here", "Assign a supported Entra role"]),
    ),
    (
        WRAPPER,
        "ODataServiceException",
        "Set-Mailbox is not present in the role definition of the current user.",
        Refused(Fault::Tenant, ["does not include this cmdlet or parameter", "role group"]),
    ),
    (
        BINDER,
        "CommandNotFoundException",
        "The term 'Set-Mailbox' is not recognized.",
        Refused(Fault::Tenant, ["role does not include this cmdlet", "Exchange Administrator"]),
    ),
    (
        BINDER,
        "ParameterTransformationException",
        "Cannot process argument transformation on parameter 'CustomAttribute1'.",
        Refused(Fault::Request, ["not one that the cmdlet accepts", "CustomAttribute1"]),
    ),
    (
        BINDER,
        "AmbiguousParameterSetException",
        "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. CustomAttribute1",
        Refused(Fault::Request, ["a parameter does not exist", "CustomAttribute1"]),
    ),
    (
        BINDER,
        "AmbiguousParameterSetException",
        "Parameter set cannot be resolved. Invalid cmdlet parameters specified. BypassSecurityGroupManagerCheck",
        Refused(Fault::Request, ["does not include the bypass", "Security Group Creation and Membership"]),
    ),
    (
        MANAGEMENT,
        "NeverSeenBeforeException",
        "Something else altogether.",
        Refused(
            Fault::Request,
            [
                "not known here, Microsoft.Exchange.Management.Tasks.NeverSeenBeforeException, Ex123456",
                "Something else altogether.",
            ],
        ),
    ),
    (
        TASKS,
        "CmdletProxyException",
        "Error on proxy command 'Set-Mailbox' to server X: Server version 15, Proxy method PSWS: NotFound: \
         {\"error\":{\"code\":\"NotFound\",\"message\":\"Error executing cmdlet\",\"details\":[{\"code\":\"Context\",\
         \"message\":\"Ex6F9304|M.ManagementObjectNotFoundException|object 'kim' couldn't be found on 'DC'.\"}]}} [Server=X]",
        Refused(Fault::Request, ["the object was not found", "object 'kim'"]),
    ),
    (
        "Microsoft.Exchange.Configuration.",
        "CmdletProxyException",
        "Error on proxy command 'Set-Mailbox' to server X: no answer. [Server=X,RequestId=1]",
        Unclear("the server that holds the object did not answer"),
    ),
    (
        "Microsoft.Exchange.Configuration.",
        "UnableToWriteToAadException",
        "The change could not be written; the issue may be transient.",
        Unclear("Exchange could not write the change to Entra ID"),
    ),
    ("M.", "CmdletProxyNotAvailableFailure", "The server is not available.", Passes),
    ("M.", "ServerBusyException", "The server is busy.", Passes),
    ("M.", "SomeTransientException", "It passes.", Passes),
    ("M.", "BackendCommunicationException", "The back end did not answer.", Passes),
    ("M.", "DCOverloadedException", "The domain controller is overloaded.", Passes),
    ("M.", "SuitabilityDirectoryException", "No suitable domain controller was found.", Passes),
    ("M.", "ADServerSettingsChangedException", "Settings have changed.", Passes),
    ("M.", "StorageTransientException", "The store did not answer.", Passes),
];

fn failing(exception: &str, text: &str, times: Option<u64>) -> FaultRule {
    let body = serde_json::json!({"error": {"code": "BadRequest", "message": "Error executing cmdlet",
        "details": [{"code": "Context", "target": "", "message": format!("Ex123456|{exception}|{text}")}]}});
    let action = FaultAction::Status {
        status: 400,
        body: Some(body.to_string()),
        content_type: Some("application/json".to_owned()),
        retry_after: None,
    };
    let when = FaultMatch { cmdlet: Some("Set-Mailbox".to_owned()), times, ..FaultMatch::default() };
    FaultRule { name: None, when, action }
}

/// Another value each time, so that there is always something to do.
fn setting(number: usize) -> Plan {
    plan(&format!(
        r#"{{"accounts":[{{"account":"kim.akers@contoso.com","attributes":[
            {{"name":"EXO_CustomAttribute1","value":"value {number}"}}]}}]}}"#
    ))
}

async fn befallen(world: &World, rule: FaultRule, number: usize) -> PlanResult {
    world.sim.running.world().set_faults(vec![rule]);
    world.apply(&world.provisioner(patience(200)), &setting(number)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_treatment_its_sentence_and_its_remedy() {
    let world = World::new(Scenario::default()).await;
    for (number, (namespace, name, text, comes)) in TABLE.iter().enumerate() {
        let exception = format!("{namespace}{name}");
        let what = format!("{exception}: {text}");
        let effects = world.effects();
        if !matches!(comes, Passes) {
            let result = befallen(&world, failing(&exception, text, None), number).await;
            let outcome = result.results[0].outcome.as_ref().unwrap();
            let Outcome::Failed { fault, retry, remedy, .. } = outcome else { panic!("{what}: {outcome:?}") };
            let told = outcome.why().unwrap();
            let wanted = match comes {
                Refused(blamed, says) => (*blamed, false, says.to_vec()),
                Unclear(says) => (Fault::Service, true, vec![*says, *text]),
                Passes => continue,
            };
            assert_eq!((*fault, *retry), (wanted.0, wanted.1), "{what}: {told}");
            assert!(wanted.2.iter().all(|says| told.contains(says)), "{what}: {told}");
            assert!(!remedy.is_empty() && !told.contains("JSON") && !told.contains("Ex123456|"), "{told}");
            assert_eq!(world.effects(), effects, "{what}: it had no effect");
        }
        // Once, and then no more: what may pass is sent again after a look, what is refused is not.
        let result = befallen(&world, failing(&exception, text, Some(1)), number).await;
        let wanted = if matches!(comes, Refused(..)) { "failed" } else { "done" };
        assert_eq!(outcomes(&result), [wanted], "{what}: {result:#?}");
        assert_eq!(world.effects() - effects, usize::from(wanted == "done"), "{what}");
    }
    world.sim.running.world().set_faults(Vec::new());
    world.agrees("what failed was not stored, what was done was").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_a_member_already_or_no_more_is_no_failure() {
    let world = World::new(Scenario::default()).await;
    for (op, member) in [("add", "kim.akers@contoso.com"), ("remove", "mark.taylor@contoso.com")] {
        let change = plan(&format!(
            r#"{{"groups":[{{"group":"All staff","attributes":[{{"op":"{op}","name":"members","value":"{member}"}}]}}]}}"#
        ));
        let effects = world.effects();
        // Nobody sees it for a while; the service knows better than its readers.
        world.sim.running.world().adjust(|scenario| scenario.visibility.exchange_seconds = Some(600.0));
        let first = world.apply(&world.provisioner(patience(20)), &change).await;
        assert_eq!(outcomes(&first), ["done, not yet visible"], "{op}");
        let second = world.apply(&world.provisioner(patience(20)), &change).await;
        let said = world.journal().plan(world.source.store.name(), &second.plan).await.unwrap();
        let said = serde_json::to_string(&said).unwrap();
        assert!(said.contains("already so: the member is"), "{op}: {said}");
        assert!(second.is_success(), "{op}: {second:#?}");
        world.sim.running.world().clock.advance(std::time::Duration::from_secs(700));
        let third = world.apply(&world.provisioner(patience(2000)), &change).await;
        assert_eq!(outcomes(&third), ["already so"], "{op}");
        assert_eq!(world.effects() - effects, 1, "{op}: once, and once only");
    }
    world.agrees("in the end").await;
}
