//! A polling client that nobody here wrote (the `hawkbit` crate), over a real socket on loopback.

use super::site::{self, PACKAGE};
use hawkbit::ddi::{Client, ClientAuthorization, Execution, Finished, MaintenanceWindow, Mode, Type};
use noctule::web;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::test]
async fn the_hawkbit_crate_reports_installs_and_closes() {
    site::each(async |site| {
        site.publish("isacompta", "14.20.003", "minor", "").await;
        let token = site.target("martin-1").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(web::serve(listener, site.router.clone(), async { drop(stopped.await) }));
        let secret = token.strip_prefix("TargetToken ").unwrap().to_owned();
        let authorization = ClientAuthorization::TargetToken(secret);
        let client = Client::new(&url, "DEFAULT", "martin-1", authorization, None, None, None).unwrap();

        site.at("2026-04-29 18:00");
        let early = client.poll().await.unwrap();
        assert!(early.update().is_none() && early.cancel_action().is_none(), "a closed slot means no link");
        assert!(early.polling_sleep().unwrap().as_secs() >= 300);
        let attributes = json!({"noctule.inventory.isacompta": "14.20.002", "noctule.capabilities": "inventory",
        "noctule.backup.finished_at": "2026-04-29T15:30:00Z", "noctule.backup.succeeded": "true"});
        let wanted = early.config_data_request().expect("attributes are an hour old");
        wanted.upload(Execution::Closed, Finished::Success, Some(Mode::Replace), attributes, vec![]).await.unwrap();

        site.at("2026-04-29 22:05");
        let update = client.poll().await.unwrap().update().expect("the slot is open").fetch().await.unwrap();
        assert_eq!((update.download_type(), update.update_type()), (Type::Forced, Type::Forced));
        assert_eq!(update.maintenance_window(), Some(MaintenanceWindow::Available));
        update.send_feedback(Execution::Proceeding, Finished::None, vec!["downloading"]).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let files = update.download(dir.path()).await.unwrap();
        assert_eq!(std::fs::read(files[0].file()).unwrap(), PACKAGE);
        let wanted = client.poll().await.unwrap().config_data_request().expect("attributes are hours old");
        let installed = json!({"noctule.inventory.isacompta": "14.20.003"});
        wanted.upload(Execution::Closed, Finished::Success, Some(Mode::Merge), installed, vec![]).await.unwrap();
        update.send_feedback(Execution::Closed, Finished::Success, vec!["done"]).await.unwrap();

        let deployments = site.o.store.deployments(&Default::default()).await.unwrap();
        let mine = deployments.iter().find(|d| d.server == "martin-1").unwrap();
        assert_eq!(mine.state.name(), "installed");
        assert!(client.poll().await.unwrap().update().is_none());
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
    })
    .await;
}
