//! `[neighbours]` of `agent.toml`: servers of one site that share what they download.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Most neighbours of one server.
const PEERS_MAX: usize = 32;
const KEEP_DAYS_MAX: u32 = 90;

/// The whole section. Addresses are numbers of the site's own network or of loopback: nothing else is spoken to, and a
/// name could lead elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighboursConfig {
    /// File with a secret that the servers of the site have in common, and nobody else.
    pub secret_file: PathBuf,
    /// Where this server gives to the others what it has; left out, it only takes.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// Where the others listen.
    #[serde(default)]
    pub peers: Vec<SocketAddr>,
    /// How long a package is kept for the others.
    #[serde(default = "keep_days")]
    pub keep_days: u32,
    /// Most disk that kept packages take, in MiB.
    #[serde(default = "mib_max")]
    pub mib_max: u64,
}

fn keep_days() -> u32 {
    3
}

fn mib_max() -> u64 {
    4096
}

impl NeighboursConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.peers.is_empty() && self.listen.is_none() {
            return Err("neighbours: give listen, peers, or both".to_owned());
        }
        if self.peers.len() > PEERS_MAX {
            return Err(format!("neighbours: at most {PEERS_MAX} peers"));
        }
        if let Some(address) = self.listen.iter().chain(&self.peers).find(|address| !is_of_a_site(address.ip())) {
            return Err(format!(
                "neighbours: {address} is no address of the site's own network (10.x, 172.16.x to 172.31.x, 192.168.x, fd…) or loopback"
            ));
        }
        if let Some(own) = self.listen.filter(|own| self.peers.contains(own)) {
            return Err(format!("neighbours: {own} is this server itself; list the others as peers"));
        }
        if !(1..=KEEP_DAYS_MAX).contains(&self.keep_days) {
            return Err(format!("neighbours: keep_days has to be between 1 and {KEEP_DAYS_MAX}"));
        }
        Ok(())
    }
}

fn is_of_a_site(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sites_own_addresses_are_spoken_to() {
        let said = |text: &str| match toml::from_str::<NeighboursConfig>(&format!("secret_file = '/s'\n{text}")) {
            Ok(config) => config.check().map_or_else(|why| why, |()| "good".to_owned()),
            Err(error) => error.to_string(),
        };
        for good in ["127.0.0.1:1", "10.0.0.1:1", "172.31.0.1:1", "192.168.1.1:8421", "[::1]:1", "[fd00::1]:1"] {
            assert_eq!(said(&format!("listen = '{good}'")), "good");
            assert_eq!(said(&format!("peers = ['{good}']")), "good");
        }
        for bad in ["0.0.0.0:1", "[::]:1", "8.8.8.8:1", "172.32.0.1:1", "[2001:db8::1]:1", "[::ffff:8.8.8.8]:1"] {
            assert!(said(&format!("listen = '{bad}'")).contains("no address of the site"), "{bad}");
            assert!(said(&format!("peers = ['{bad}']")).contains("no address of the site"), "{bad}");
        }
        assert!(said("").contains("give listen"));
        assert!(said("listen = 'srv2:8421'").contains("invalid socket address"));
        assert!(said("listen = '10.0.0.1:1'\npeers = ['10.0.0.1:1']").contains("this server itself"));
        assert!(said("listen = '10.0.0.1:1'\nkeep_days = 0").contains("between 1 and 90"));
    }
}
