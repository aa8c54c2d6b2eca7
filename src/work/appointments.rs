//! Planned work as a calendar that a client, or staff, subscribe to under an address that only they know.
//!
//! The address holds a token that opens this and nothing else; the feed is made anew each time it is asked for.

use super::Orchestrator;
use super::tokens::{self, TokenError};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::agenda::{self, Work};
use crate::edge::ics;
use crate::edge::store::{DeploymentFilter, Scope, StoreError};
use crate::model::fleet::{Client, Language};
use crate::model::release::Release;
use std::collections::BTreeMap;

/// Most entries of a feed; the nearest ones.
const WORK_MAX: usize = 5_000;

/// The address of the feed of `client`, or of staff's, which no one else can guess; the one before it ends.
pub async fn address(o: &Orchestrator, client: Option<&str>) -> Result<String, TokenError> {
    let name = format!("calendar of {}", client.unwrap_or("staff"));
    match tokens::revoke(o, &name).await {
        Ok(()) | Err(TokenError::NoToken(_)) => {}
        Err(error) => return Err(error),
    }
    let secret = tokens::issue(o, &name, Scope::Calendar { client: client.map(str::to_owned) }).await?;
    Ok(format!("{}/calendar/{secret}.ics", o.base_url))
}

/// What is planned for `client`, or for everybody; `None` for a client that has left the fleet.
pub async fn feed(o: &Orchestrator, client: Option<&str>) -> Result<Option<String>, StoreError> {
    let clients: Vec<Client> = match client {
        Some(id) => o.store.client(id).await?.map(|found| found.value).into_iter().collect(),
        None => o.store.clients().await?.into_iter().map(|found| found.value).collect(),
    };
    let (name, language) = match (client, clients.first()) {
        (Some(_), None) => return Ok(None),
        (Some(_), Some(known)) => (format!("{} ({})", known.name, o.staff.signature), known.language),
        (None, _) => (o.staff.signature.clone(), Language::En),
    };
    let filter = DeploymentFilter {
        client: client.map(str::to_owned),
        states: vec!["planned".to_owned(), "running".to_owned()],
        ..DeploymentFilter::default()
    };
    let deployments = o.store.deployments(&filter).await?;
    let releases = o.store.releases().await?;
    let releases: BTreeMap<_, &Release> =
        releases.iter().map(|release| ((release.product(), release.version()), &release.value)).collect();
    let sites: BTreeMap<&str, _> = clients
        .iter()
        .flat_map(|client| client.servers.iter().map(move |server| (server.id.as_str(), (client, server.zone))))
        .collect();
    let work: Vec<Work> = deployments
        .iter()
        .filter_map(|deployment| {
            let release = releases.get(&(deployment.product.as_str(), &deployment.to))?;
            let site = sites.get(deployment.server.as_str());
            Some(Work {
                deployment,
                manifest: &release.signed.manifest,
                zone: site.map_or(PROVIDER_ZONE, |(_, zone)| *zone),
                client: if client.is_none() { site.map(|(client, _)| client.name.as_str()) } else { None },
            })
        })
        .take(WORK_MAX)
        .collect();
    let entries = agenda::entries(&work, language);
    Ok(Some(ics::feed(&name, &entries, &o.config.mail.domain, o.clock.now())))
}
