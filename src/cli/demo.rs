//! `noctule demo`: two weeks of the whole service, told as they happen, then the history and where everything is.

use super::access::Access;
use super::api::Client;
use super::{Outcome, explain, history, output};
use crate::sim::demo;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder of the demo: publishers, orchestrator, servers, letters; an earlier demo there is replaced
    #[arg(long, value_name = "DIR", default_value = "noctule-demo")]
    dir: PathBuf,
    /// End when the story has been told, instead of going on serving
    #[arg(long)]
    exit: bool,
}

pub async fn run(args: DemoArgs) -> Outcome {
    let mut demo = demo::set_up(&args.dir).await?;
    output::print(
        "Noctule demo: four accounting firms, three publishers, two weeks from Wednesday 29 April 2026.\n\
         Every line below is read back from the history; times are the site's own, [rule clause] says why.",
    )?;
    demo.play(&mut |line: &str| output::print(line).map_err(|error| error.to_string())).await?;
    let access = Access { config: Some(demo.dir.join("noctule.toml")), ..Access::default() };
    let client = Client::connect(&access).await?;
    output::print("\nWhat the order does not name is never touched:\n")?;
    explain::show(&client, "rhin-srv1", Some("eic")).await?;
    output::print("\nThe history:\n")?;
    history::show(&client).await?;
    output::print(&whereabouts(&demo))?;
    if args.exit {
        return Ok(());
    }
    output::print(&format!("\nServing at http://{} until Ctrl-C.", demo.address))?;
    demo.go_on(async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}

fn whereabouts(demo: &demo::Demo) -> String {
    let dir = demo.dir.display();
    format!(
        "\nThe letters:         {dir}/outbox ({} of them, one .eml each)\n\
         The configuration:   {dir}/noctule.toml\n\
         The installed trees: {dir}/servers/*/products\n\n\
         Look further:\n  \
         noctule history --config {dir}/noctule.toml --events 1\n  \
         noctule plan --config {dir}/noctule.toml\n  \
         noctule explain rhin-srv1 isapaye --config {dir}/noctule.toml\n  \
         noctule request isapaye 2027.1 --before 2026-06-06 --client fiduciaire-du-rhin --config {dir}/noctule.toml",
        demo.letters()
    )
}
