//! Names of assets, read for the tasks on the way: newest first, each once, bounded in rate and
//! number.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use super::client::Client;
use super::outlet::Outlet;
use crate::domain::{AssetId, ChangeKind, Failure, FailureKind, Origin};

/// Assets remembered as asked for, so that none is asked for twice.
const MAX_ASKED: usize = 200_000;
/// Assets that wait; the oldest leave first.
const MAX_WAITING: usize = 2000;
/// Requests under way at once.
const AT_ONCE: usize = 4;
/// The least time from one request to the next.
const PACE: Duration = Duration::from_millis(25);
/// How long to leave a server in peace that has trouble.
const PAUSE: Duration = Duration::from_secs(10);

/// Reads names until it is dropped. `seen` brings the assets of the tasks that went out.
pub async fn run(client: Client, outlet: Outlet, mut seen: mpsc::Receiver<Vec<AssetId>>) {
    let mut asked: HashSet<AssetId> = HashSet::new();
    let mut waiting: VecDeque<AssetId> = VecDeque::new();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let (to_failed, mut failed) = mpsc::channel::<(AssetId, Failure)>(AT_ONCE * 2);
    loop {
        if waiting.is_empty() {
            tokio::select! {
                assets = seen.recv() => match assets {
                    Some(assets) => queue(assets, &mut asked, &mut waiting),
                    None => return,
                },
                Some((asset, failure)) = failed.recv() => {
                    give_back(asset, &failure, &mut asked).await;
                }
            }
        }
        while let Ok(assets) = seen.try_recv() {
            queue(assets, &mut asked, &mut waiting);
        }
        while let Ok((asset, failure)) = failed.try_recv() {
            give_back(asset, &failure, &mut asked).await;
        }
        let Some(asset) = waiting.pop_back() else {
            continue;
        };
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let (client, outlet, to_failed) = (client.clone(), outlet.clone(), to_failed.clone());
        tokio::spawn(async move {
            if let Err(failure) = look(&client, &outlet, &asset).await {
                let _ = to_failed.send((asset, failure)).await;
            }
            drop(slot);
        });
        sleep(PACE).await;
    }
}

/// Reads one asset's name and tells it.
pub async fn look(client: &Client, outlet: &Outlet, asset: &AssetId) -> Result<(), Failure> {
    if let Some(name) = client.asset_name(asset).await? {
        let asset = asset.clone();
        outlet
            .tell(Origin::Poll, ChangeKind::AssetNamed { asset, name })
            .await;
    }
    Ok(())
}

fn queue(assets: Vec<AssetId>, asked: &mut HashSet<AssetId>, waiting: &mut VecDeque<AssetId>) {
    for asset in assets {
        if asked.len() >= MAX_ASKED {
            asked.clear();
        }
        if asked.insert(asset.clone()) {
            waiting.push_back(asset);
        }
    }
    while waiting.len() > MAX_WAITING {
        if let Some(oldest) = waiting.pop_front() {
            // It may come again, when its task does.
            asked.remove(&oldest);
        }
    }
}

/// A name that is not there is not asked for again; a server with trouble is left in peace.
async fn give_back(asset: AssetId, failure: &Failure, asked: &mut HashSet<AssetId>) {
    let is_final = matches!(
        failure.kind,
        FailureKind::NotFound
            | FailureKind::NotOffered
            | FailureKind::Forbidden
            | FailureKind::Invalid
            | FailureKind::NotAspect
            | FailureKind::TooLarge
    );
    if !is_final {
        asked.remove(&asset);
        sleep(PAUSE).await;
    }
}
