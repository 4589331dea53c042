//! Several services over one store: one of them delivers.

use std::sync::Arc;
use std::time::Duration;

use exogate_model::change::Author;
use exogate_model::value::AttributeValue;
use exogate_server::{Gateway, Life, Source, webhook};
use exogate_store::{AttributesOf, Provisioned, Store};

use crate::receiver::{Mood, Receiver};
use crate::{hook, support};

#[tokio::test]
async fn of_two_services_over_one_store_one_delivers_until_it_is_gone() {
    let served = support::Served::start().await;
    let receiver = Receiver::new(Mood::Takes);
    let address = receiver.start().await;
    let service = async || {
        let store = Store::open(served.store_path(), support::clock()).unwrap();
        let store = store.source(support::SOURCE).await.unwrap();
        let source = Source { store, webhooks: vec![Arc::new(hook(address))], ..(**served.source()).clone() };
        let sources = Arc::new([(source.name.clone(), Arc::new(source))].into());
        let gateway = Gateway { sources, life: Life::default(), ..served.gateway.clone() };
        webhook::keep(&gateway);
        gateway
    };
    let store = &served.source().store;
    let mut round = 0;
    let mut change = async || {
        round += 1;
        let user = store.accounts(None, 1).await.unwrap().items.remove(0).user;
        let of = Provisioned::Attributes {
            of: AttributesOf::User,
            id: user.id,
            values: [("department".into(), AttributeValue::Text(round.to_string()))].into(),
            cleared: Vec::new(),
        };
        store.provisioned(vec![of], Author::Unknown).await.unwrap();
    };
    let told = async |count: usize| {
        let heard = async {
            while receiver.cursors().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
        // Time for another one to say the same.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut once = receiver.cursors();
        once.dedup();
        assert_eq!((once.len(), receiver.attempts().len()), (count, count), "each change once");
    };

    let first = service().await;
    let began = async {
        while store.webhook("siem").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), began).await.unwrap();
    let second = service().await;
    change().await;
    told(1).await;
    first.life.stopping.cancel();
    first.life.tasks.idle().await;
    change().await;
    told(2).await;
    second.life.stopping.cancel();
    second.life.tasks.idle().await;
    served.stop().await;
}
