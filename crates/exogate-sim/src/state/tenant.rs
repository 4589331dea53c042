//! The organisation itself: names, domains, licences, forest. Get-OrganizationConfig's defaults
//! are computed by the Exchange face; only differences are kept here.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attrs::Attrs;
use crate::clock::Time;

/// `DomainType` of an accepted domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainType {
    #[default]
    Authoritative,
    InternalRelay,
}

/// A verified domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcceptedDomain {
    pub name: String,
    /// New users and mailboxes get addresses here.
    #[serde(default)]
    pub default: bool,
    /// The `….onmicrosoft.com` domain that the tenant began with.
    #[serde(default)]
    pub initial: bool,
    #[serde(default)]
    pub domain_type: DomainType,
    /// Sign-in is federated (`account_type` Federated).
    #[serde(default)]
    pub federated: bool,
}

/// A service plan inside a licence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    pub id: Uuid,
    pub name: String,
}

/// A subscribed licence (SKU).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sku {
    pub id: Uuid,
    pub part_number: String,
    pub plans: Vec<ServicePlan>,
    pub enabled_units: u32,
    /// A user with it gets a mailbox.
    #[serde(default)]
    pub mailbox: bool,
}

/// The organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: Uuid,
    pub display_name: String,
    pub domains: Vec<AcceptedDomain>,
    pub skus: Vec<Sku>,
    pub created: Time,
    /// Country of the organisation (ISO 3166).
    pub country: String,
    /// Exchange forest, such as `EURPR01A001.PROD.OUTLOOK.COM`.
    pub forest: String,
    /// Mailbox server name for `OriginatingServer` and back-end headers.
    pub server: String,
    /// The three parts of the domain SID: S-1-5-21-a-b-c.
    pub sid_authority: [u32; 3],
    pub seed: u64,
    /// Differences of Get-OrganizationConfig from its defaults.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub organization: Attrs,
    /// New recipients are named by their object id, as tenants since late 2022 do.
    #[serde(default)]
    pub guid_names: bool,
}

impl Tenant {
    /// A tenant whose identifiers all follow from `seed`.
    #[must_use]
    pub fn new(display_name: &str, default_domain: &str, seed: u64, created: Time) -> Self {
        let label = default_domain.split('.').next().unwrap_or("tenant").to_owned();
        let id = derived_id(seed, 0);
        let bytes = id.as_bytes();
        let part = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) | 1 << 28
        };
        let initial = format!("{label}.onmicrosoft.com");
        let mut domains = vec![AcceptedDomain {
            name: initial.clone(),
            default: initial == default_domain,
            initial: true,
            domain_type: DomainType::Authoritative,
            federated: false,
        }];
        if initial != default_domain {
            domains.push(AcceptedDomain {
                name: default_domain.to_owned(),
                default: true,
                initial: false,
                domain_type: DomainType::Authoritative,
                federated: false,
            });
        }
        Self {
            id,
            display_name: display_name.to_owned(),
            domains,
            skus: well_known_skus(),
            created,
            country: "IE".to_owned(),
            forest: "EURPR01A001.PROD.OUTLOOK.COM".to_owned(),
            server: "DB9PR01MB1234".to_owned(),
            sid_authority: [part(0), part(4), part(12)],
            seed,
            organization: Attrs::default(),
            guid_names: false,
        }
    }

    /// The `….onmicrosoft.com` domain.
    #[must_use]
    pub fn initial_domain(&self) -> &str {
        self.domains
            .iter()
            .find(|d| d.initial)
            .or(self.domains.first())
            .map_or("tenant.onmicrosoft.com", |d| &d.name)
    }

    #[must_use]
    pub fn default_domain(&self) -> &str {
        self.domains.iter().find(|d| d.default).map_or_else(|| self.initial_domain(), |d| &d.name)
    }

    #[must_use]
    pub fn domain(&self, name: &str) -> Option<&AcceptedDomain> {
        self.domains.iter().find(|d| d.name.eq_ignore_ascii_case(name))
    }

    /// Whether a path segment names this tenant, by id or by any of its domains.
    #[must_use]
    pub fn is_named(&self, segment: &str) -> bool {
        Uuid::try_parse(segment).map_or_else(|_| self.domain(segment).is_some(), |id| id == self.id)
    }

    #[must_use]
    pub fn sid(&self, rid: u32) -> String {
        let [a, b, c] = self.sid_authority;
        format!("S-1-5-21-{a}-{b}-{c}-{rid}")
    }

    /// The relative id in a SID of this tenant.
    #[must_use]
    pub fn rid_of(&self, sid: &str) -> Option<u32> {
        let [a, b, c] = self.sid_authority;
        let prefix = format!("S-1-5-21-{a}-{b}-{c}-");
        let head = sid.get(..prefix.len())?;
        if !head.eq_ignore_ascii_case(&prefix) {
            return None;
        }
        sid.get(prefix.len()..)?.parse().ok()
    }

    /// `eurpr01a001.prod.outlook.com/Microsoft Exchange Hosted Organizations/contoso.onmicrosoft.com`
    #[must_use]
    pub fn organizational_unit(&self) -> String {
        format!(
            "{}/Microsoft Exchange Hosted Organizations/{}",
            self.forest.to_ascii_lowercase(),
            self.initial_domain()
        )
    }

    /// What follows `CN=<Name>` in the distinguished name of a recipient.
    #[must_use]
    pub fn dn_suffix(&self) -> String {
        let mut suffix = format!(",OU={},OU=Microsoft Exchange Hosted Organizations", self.initial_domain());
        for part in self.forest.split('.') {
            suffix.push_str(",DC=");
            suffix.push_str(part);
        }
        suffix
    }

    #[must_use]
    pub fn distinguished_name(&self, name: &str) -> String {
        let mut dn = String::with_capacity(name.len() + 120);
        dn.push_str("CN=");
        for c in name.chars() {
            if matches!(c, ',' | '\\' | '+' | '"' | '<' | '>' | ';' | '=') {
                dn.push('\\');
            }
            dn.push(c);
        }
        dn.push_str(&self.dn_suffix());
        dn
    }

    #[must_use]
    pub fn sku(&self, id: Uuid) -> Option<(u16, &Sku)> {
        let at = self.skus.iter().position(|s| s.id == id)?;
        Some((u16::try_from(at).ok()?, &self.skus[at]))
    }
}

/// How every `legacyExchangeDN` of a recipient begins.
pub const LEGACY_RECIPIENTS: &str =
    "/o=ExchangeLabs/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=";

/// `legacyExchangeDN` of a recipient; the directory id in it is what lookups go by.
#[must_use]
pub fn legacy_dn(guid: Uuid, alias: &str) -> String {
    format!("{LEGACY_RECIPIENTS}{}-{alias}", guid.simple())
}

/// The `n`-th id of a tenant: version 4 in shape, a pure function of the seed.
#[must_use]
pub fn derived_id(seed: u64, n: u64) -> Uuid {
    let high = mix(seed ^ 0x6f67_6174_6521_5eed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let low = mix(high ^ seed.rotate_left(32) ^ n);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn well_known_skus() -> Vec<Sku> {
    let exchange_2 = ServicePlan {
        id: Uuid::from_u128(0xefb87545_963c_4e0d_99df_69c6916d9eb0),
        name: "EXCHANGE_S_ENTERPRISE".to_owned(),
    };
    let exchange_1 = ServicePlan {
        id: Uuid::from_u128(0x9aaf7827_d63c_4b61_89c3_182f06f82e5c),
        name: "EXCHANGE_S_STANDARD".to_owned(),
    };
    let teams = ServicePlan {
        id: Uuid::from_u128(0x57ff2da0_773e_42df_b2af_ffb7a2317929),
        name: "TEAMS1".to_owned(),
    };
    let entra = ServicePlan {
        id: Uuid::from_u128(0x41781fb2_bc02_4b7c_bd55_b576c07bb09d),
        name: "AAD_PREMIUM".to_owned(),
    };
    let sku = |id: u128, part: &str, plans: Vec<ServicePlan>, units: u32, mailbox: bool| Sku {
        id: Uuid::from_u128(id),
        part_number: part.to_owned(),
        plans,
        enabled_units: units,
        mailbox,
    };
    vec![
        sku(
            0x05e9a617_0261_4cee_bb44_138d3ef5d965,
            "SPE_E3",
            vec![exchange_2.clone(), teams.clone(), entra.clone()],
            1_000_000,
            true,
        ),
        sku(
            0x6fd2c87f_b296_42f0_b197_1e91e994b900,
            "ENTERPRISEPACK",
            vec![exchange_2.clone(), teams],
            1_000_000,
            true,
        ),
        sku(0x4b9405b0_7788_4568_add1_99614e613b69, "EXCHANGESTANDARD", vec![exchange_1], 100_000, true),
        sku(0x19ec0d23_8335_4cbd_94ac_6050e30712fa, "EXCHANGEENTERPRISE", vec![exchange_2], 100_000, true),
        sku(0x078d2b04_f1bd_4111_bbd4_b4b1b354cef4, "AAD_PREMIUM", vec![entra], 1_000_000, false),
    ]
}
