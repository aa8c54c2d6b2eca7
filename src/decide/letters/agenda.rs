//! Planned work as calendar entries: attended work by itself, as it was invited to; a server's night as one entry.

use super::entry;
use super::facts::product_name;
use super::markup::line;
use crate::model::deployment::Deployment;
use crate::model::entry::Entry;
use crate::model::fleet::Language;
use crate::model::manifest::Manifest;
use crate::model::notice::Installation;
use crate::model::slot::Slot;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One deployment that is to come.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    pub deployment: &'a Deployment,
    pub manifest: &'a Arc<Manifest>,
    pub zone: Tz,
    /// For those who read of several clients.
    pub client: Option<&'a str>,
}

/// The entries of `work`, by their start.
pub fn entries(work: &[Work], language: Language) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut nights: BTreeMap<(Slot, &str), Vec<Work>> = BTreeMap::new();
    for it in work {
        let deployment = it.deployment;
        match &deployment.concertation {
            Some(asked) => {
                let entry = entry::installation(&installation(it), deployment.id, asked.version, language);
                entries.push(of_client(entry, it.client));
            }
            None => nights.entry((deployment.slot, &deployment.server)).or_default().push(*it),
        }
    }
    entries.extend(nights.into_values().filter_map(|night| of_night(&night, language)));
    entries.sort_by(|a, b| (a.slot, &a.key).cmp(&(b.slot, &b.key)));
    entries
}

/// What is done unattended on one server in one slot.
fn of_night(night: &[Work], language: Language) -> Option<Entry> {
    let first = night.first()?;
    let (server, slot) = (line(&first.deployment.server), first.deployment.slot);
    let products: Vec<String> = night
        .iter()
        .map(|it| format!("{} {}", product_name(&it.deployment.product), line(it.deployment.to.as_str())))
        .collect();
    let (summary, closes, description) = match language {
        Language::Fr => (
            format!("{server} : mise à jour de nuit"),
            "l'accès sera fermé pendant l'intervention",
            "Rien à faire sur le serveur.",
        ),
        Language::En => {
            (format!("{server}: update at night"), "access will be closed meanwhile", "Nothing to do on the server.")
        }
    };
    let lines = night.iter().zip(&products).map(|(it, product)| match it.manifest.closes_access {
        true => format!("{product} ({closes})"),
        false => product.clone(),
    });
    let description = lines.chain([description.to_owned()]).collect::<Vec<_>>().join("\n");
    let entry = Entry {
        key: format!("night/{server}/{}", slot.start.timestamp()),
        sequence: 0,
        slot,
        summary: format!("{summary} ({})", products.join(", ")),
        description,
        location: server,
        cancelled: false,
    };
    Some(of_client(entry, first.client))
}

fn of_client(entry: Entry, client: Option<&str>) -> Entry {
    match client {
        Some(client) => Entry { summary: format!("{}, {}", line(client), entry.summary), ..entry },
        None => entry,
    }
}

fn installation(it: &Work) -> Installation {
    let deployment = it.deployment;
    Installation {
        server: deployment.server.clone(),
        zone: it.zone,
        product: deployment.product.clone(),
        from: deployment.from.clone(),
        to: deployment.to.clone(),
        slot: deployment.slot,
        deadline: deployment.deadline,
        finished_at: None,
        sequence: deployment.concertation.as_ref().map(|it| it.version),
        manifest: it.manifest.clone(),
    }
}
