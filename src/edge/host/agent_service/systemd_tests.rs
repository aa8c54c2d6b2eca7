//! The unit's life with a systemd that a script plays: it writes down its orders, and keeps what it was told.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// `show` answers from the files beside it: a unit is loaded when its file is there.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
[ "$1" = show ] || echo "$*" >>log
case "$1" in
    show)
        unit=; for folder in own packaged; do [ -e $folder/noctule-agent.service ] && unit=$folder; done
        [ "$unit" ] || { echo LoadState=not-found; exit; }
        echo LoadState=loaded
        echo "ActiveState=$(cat state 2>/dev/null || echo inactive)"
        echo "UnitFileState=$(cat enabled 2>/dev/null || echo disabled)"
        echo "ConditionResult=$(cat condition 2>/dev/null || echo yes)"
        echo "ExecStart={ path=/p ; argv[]=/p agent --config /c ; ignore_errors=no ; pid=0 }" ;;
    enable) echo enabled >enabled ;;
    disable) rm -f enabled; echo inactive >state ;;
    start) cat becomes >state 2>/dev/null || echo active >state; [ ! -e becomes ] ;;
    stop) echo inactive >state ;;
esac
"#;

struct Machine {
    dir: tempfile::TempDir,
    service: AgentService,
}

impl Machine {
    fn new() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let systemctl = dir.path().join("systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, PermissionsExt::from_mode(0o755)).unwrap();
        let service = AgentService {
            systemctl: systemctl.display().to_string(),
            own: dir.path().join("own"),
            packaged: vec![dir.path().join("packaged")],
        };
        Machine { dir, service }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The orders since the last look.
    fn orders(&self) -> Vec<String> {
        let log = self.dir.path().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        text.lines().map(str::to_owned).collect()
    }

    async fn state(&self) -> State {
        self.service.status().await.unwrap().state
    }
}

fn definition() -> Definition {
    Definition { program: "/usr/bin/noctule".into(), config: "/etc/noctule/agent.toml".into() }
}

#[tokio::test]
async fn a_life_from_installation_to_removal() {
    let machine = Machine::new();
    let service = &machine.service;
    assert_eq!(machine.state().await, State::NotInstalled);
    assert_eq!(service.install(&definition()).await.unwrap(), Change::Done);
    assert_eq!(machine.orders(), ["daemon-reload", "enable --quiet noctule-agent.service"]);
    assert_eq!(machine.state().await, State::Stopped);
    assert_eq!(service.start().await.unwrap(), Change::Done);
    assert_eq!(machine.orders(), ["start --no-ask-password noctule-agent.service"]);
    let status = service.status().await.unwrap();
    assert_eq!((status.state, status.starts_with_machine), (State::Running, true));
    assert_eq!(status.command.as_deref(), Some("/p agent --config /c"));
    assert_eq!(service.stop().await.unwrap(), Change::Done);
    assert_eq!(service.uninstall().await.unwrap(), Change::Done);
    let last =
        ["stop --no-ask-password", "disable --quiet --now"].map(|order| format!("{order} noctule-agent.service"));
    assert_eq!(machine.orders(), [last.as_slice(), &["daemon-reload".to_owned()]].concat());
    assert_eq!(machine.state().await, State::NotInstalled);
    assert!(!machine.dir.path().join("own/noctule-agent.service").exists());
}

#[tokio::test]
async fn what_is_so_already_is_left_alone() {
    let machine = Machine::new();
    let service = &machine.service;
    assert_eq!(service.uninstall().await.unwrap(), Change::Nothing);
    service.install(&definition()).await.unwrap();
    service.start().await.unwrap();
    machine.orders();
    assert_eq!(service.install(&definition()).await.unwrap(), Change::Nothing);
    assert_eq!(service.start().await.unwrap(), Change::Nothing);
    assert!(machine.orders().is_empty());
    service.stop().await.unwrap();
    machine.orders();
    assert_eq!(service.stop().await.unwrap(), Change::Nothing);
    let moved = Definition { config: "/srv/agent.toml".into(), ..definition() };
    assert_eq!(service.install(&moved).await.unwrap(), Change::Done);
    assert_eq!(machine.orders(), ["daemon-reload"]);
}

#[tokio::test]
async fn the_unit_of_a_package_is_used_and_stays() {
    let machine = Machine::new();
    machine.write("packaged/noctule-agent.service", &unit(&definition()).unwrap());
    assert_eq!(machine.service.install(&definition()).await.unwrap(), Change::Done);
    assert_eq!(machine.orders(), ["enable --quiet noctule-agent.service"]);
    assert!(!machine.dir.path().join("own").exists());
    let error = machine.service.uninstall().await.unwrap_err();
    assert!(matches!(error, AgentServiceError::Packaged(_)), "{error}");
    assert!(!machine.service.status().await.unwrap().starts_with_machine);
}

#[tokio::test]
async fn one_that_does_not_stay_up_is_told_from_one_that_has_no_configuration() {
    let machine = Machine::new();
    for result in [machine.service.start().await, machine.service.stop().await] {
        assert!(matches!(result.unwrap_err(), AgentServiceError::NotInstalled));
    }
    machine.service.install(&definition()).await.unwrap();
    machine.write("becomes", "failed");
    let error = machine.service.start().await.unwrap_err();
    assert!(matches!(error, AgentServiceError::DoesNotStay(_)), "{error}");
    assert_eq!(machine.state().await, State::Failed);
    assert_eq!(machine.service.stop().await.unwrap(), Change::Nothing);
    machine.write("becomes", "inactive");
    machine.write("condition", "no");
    let error = machine.service.start().await.unwrap_err();
    assert!(matches!(error, AgentServiceError::NotConfigured), "{error}");
}

#[test]
fn paths_are_spoken_as_systemd_reads_them() {
    let unit = |config: &str| unit(&Definition { config: config.into(), ..definition() });
    let plain = unit("/etc/noctule/agent.toml").unwrap();
    assert!(plain.contains("\nExecStart=/usr/bin/noctule agent --config /etc/noctule/agent.toml\n"), "{plain}");
    assert!(plain.contains("\nConditionPathExists=/etc/noctule/agent.toml\n"), "{plain}");
    let odd = unit("/srv/a b/100%/$x\"y.toml").unwrap();
    assert!(odd.contains("--config \"/srv/a b/100%%/$$x\\\"y.toml\"\n"), "{odd}");
    assert!(odd.contains("\nConditionPathExists=/srv/a b/100%%/$x\"y.toml\n"), "{odd}");
    assert!(matches!(unit("/srv/a\nb").unwrap_err(), AgentServiceError::Unspeakable(_)));
}

#[tokio::test]
async fn a_service_needs_absolute_paths() {
    let machine = Machine::new();
    let here = Definition { config: "agent.toml".into(), ..definition() };
    let error = machine.service.install(&here).await.unwrap_err();
    assert!(matches!(error, AgentServiceError::Relative(_)), "{error}");
    assert_eq!(machine.state().await, State::NotInstalled);
}
