//! The intake with real folders under a real watch.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::LazyLock;

use tokio::time::timeout;

use super::*;
use crate::certs::testing::{Chain, Leaf};

static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::new);

struct Edge {
    folder: tempfile::TempDir,
    index: Live<CertIndex>,
    well_known: Live<WellKnown>,
    intake: IntakeHandle,
}

impl Edge {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (index_publisher, index) = table(CertIndex::default());
        let (publisher, well_known) = table(WellKnown::default());
        let intake = {
            let store = Store::in_memory();
            Intake::start(
                folder.path().join("certs"),
                store,
                folder.path(),
                (index_publisher, publisher),
                watch::channel(Arc::default()).1,
                watch::channel(false).1,
            )
            .expect("started")
        };
        intake.first_scan().await;
        Self { folder, index, well_known, intake }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("certs").join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().expect("a parent")).expect("created");
        fs::write(self.path(name), content).expect("written");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("closed");
    }

    fn serves(&self, name: &str) -> bool {
        self.index.load().find(name).is_some()
    }

    async fn until(&self, within: Duration, what: impl Fn(&Self) -> bool) {
        let mut looks = self.intake.looks.clone();
        if timeout(within, looks.wait_for(|_| what(self))).await.is_err() {
            panic!("not within {within:?}: {:?}", self.intake.ledger());
        }
    }
}

fn leaf(name: &str) -> Leaf {
    CHAIN.leaf(&[name])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_files_are_served_within_a_second() {
    let edge = Edge::start().await;
    assert_eq!(edge.intake.ledger().alarms[0].code, AlarmCode::FolderMissing);
    fs::create_dir(edge.path("")).expect("created");
    edge.write("a.pem", &leaf("a.example").whole());
    edge.until(Duration::from_secs(1), |edge| edge.serves("a.example")).await;
    edge.write("deep/er/b.pem", &leaf("b.example").whole());
    edge.until(Duration::from_secs(1), |edge| edge.serves("b.example")).await;
    edge.write("well-known/a.example/security.txt", "hello");
    let object = |edge: &Edge| edge.well_known.load().find("a.example", "/.well-known/security.txt").is_some();
    edge.until(Duration::from_secs(1), object).await;
    assert_eq!(edge.intake.ledger().alarms, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_behind_links_are_served_within_a_second() {
    let edge = Edge::start().await;
    // As certbot has it: a folder of links into another one, here linked as a whole.
    for folder in ["certs", "live/a", "archive/a", "secret/..1", "secret/..2", "elsewhere", "tree/sub"] {
        fs::create_dir_all(edge.folder.path().join(folder)).expect("created");
    }
    let put = |file: &str, leaf: &Leaf| edge.write(&format!("../{file}"), &leaf.whole());
    let link = |to: &str, from: &str| {
        symlink(to, edge.folder.path().join("next")).expect("linked");
        fs::rename(edge.folder.path().join("next"), edge.folder.path().join(from)).expect("renamed");
    };
    put("archive/a/1.pem", &leaf("a1.example"));
    link("../../archive/a/1.pem", "live/a/cert.pem");
    link("../live/a", "certs/a");
    // As Kubernetes has it, elsewhere, and a plain file.
    put("secret/..1/b.pem", &leaf("b1.example"));
    link("..1", "secret/..data");
    link("..data/b.pem", "secret/b.pem");
    link("../secret/b.pem", "certs/b.pem");
    put("elsewhere/c.pem", &leaf("c1.example"));
    link("../elsewhere/c.pem", "certs/c.pem");
    // A new file below a linked folder.
    link("../tree", "certs/tree");
    let within = Duration::from_secs(1);
    edge.until(within, |edge| ["a1.example", "b1.example", "c1.example"].iter().all(|name| edge.serves(name))).await;
    // The places are watched, and looked at once more, when that look is over.
    put("archive/a/2.pem", &leaf("a2.example"));
    link("../../archive/a/2.pem", "live/a/cert.pem");
    edge.until(within, |edge| edge.serves("a2.example")).await;
    put("secret/..2/b.pem", &leaf("b2.example"));
    link("..2", "secret/..data");
    edge.until(within, |edge| edge.serves("b2.example")).await;
    put("elsewhere/c.pem", &leaf("c2.example"));
    edge.until(within, |edge| edge.serves("c2.example")).await;
    put("tree/sub/d.pem", &leaf("d.example"));
    edge.until(within, |edge| edge.serves("d.example")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_files_are_listed_soon_and_go_when_mended() {
    let edge = Edge::start().await;
    edge.write("a.pem", "garbage");
    edge.until(Duration::from_secs(3), |edge| !edge.intake.ledger().rejected.is_empty()).await;
    let notice = edge.intake.ledger().rejected[0].clone();
    assert_eq!((notice.code, notice.file), ("nothing", edge.path("a.pem").display().to_string()));
    edge.write("a.pem", &leaf("a.example").whole());
    edge.until(Duration::from_secs(1), |edge| edge.serves("a.example")).await;
    assert_eq!(edge.intake.ledger().rejected, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_withdrawals_go_when_the_operator_confirms() {
    let edge = Edge::start().await;
    for number in 0..7 {
        edge.write(&format!("{number}.pem"), &leaf(&format!("s{number}.example")).whole());
    }
    edge.until(Duration::from_secs(3), |edge| edge.index.load().name_count() == 7).await;
    fs::remove_dir_all(edge.path("")).expect("removed");
    fs::create_dir(edge.path("")).expect("created");
    let alarmed = |edge: &Edge| edge.intake.ledger().alarms.iter().any(|alarm| alarm.code == AlarmCode::WithdrawalHeld);
    edge.until(Duration::from_secs(3), alarmed).await;
    assert_eq!(edge.index.load().name_count(), 7);
    assert_eq!(edge.intake.confirm_withdrawal(Some(7)).await, Ok(7));
    edge.until(Duration::from_secs(1), |edge| edge.intake.ledger().alarms.is_empty()).await;
    assert!(edge.index.load().certificates().iter().all(|served| served.facts.in_grace));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_certificate_goes_after_a_minute_by_itself() {
    let edge = Edge::start().await;
    edge.write("a.pem", &leaf("a.example").whole());
    edge.until(Duration::from_secs(120), |edge| edge.serves("a.example")).await;
    fs::remove_file(edge.path("a.pem")).expect("removed");
    let in_grace = |edge: &Edge| edge.index.load().certificates().iter().all(|served| served.facts.in_grace);
    edge.until(Duration::from_secs(120), in_grace).await;
    let start = Instant::now();
    edge.until(Duration::from_secs(120), |edge| !edge.serves("a.example")).await;
    let took = start.elapsed();
    assert!(took > Duration::from_secs(59) && took < Duration::from_secs(61), "{took:?}");
}

#[tokio::test]
async fn a_look_that_fails_leaves_what_is_served_and_is_not_the_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut desk = Desk {
        scanner: Scanner::new(folder.path().to_owned()),
        shelf: Shelf::new(folder.path().to_owned(), None),
        is_restored: false,
        requests: Requests::open(Store::in_memory(), folder.path()).expect("none"),
        not_kept: None,
        choices: Choices::open(Store::in_memory()).expect("none"),
        demanded: Arc::default(),
        self_signed: SelfSigned::new(Store::in_memory(), folder.path()),
        stand_ins: StandIns::default(),
        gaps: Vec::new(),
        objects: AllObjects::new(
            &folder.path().into(),
            Objects::open(Store::in_memory(), Path::new("state")).expect("none"),
        ),
        index: table(CertIndex::default()).0,
        well_known: table(WellKnown::default()).0,
        terms: watch::channel(Arc::default()).1,
        ledger: table(Ledger::default()).0,
        failed: 0,
        unwatched_since: None,
        places: None,
        owed: Vec::new(),
        is_told: false,
        due: Due::Everything,
        not_issued: None,
        endings: Alarms::default(),
    };
    fs::write(folder.path().join("a.pem"), leaf("a.example").whole()).expect("written");
    desk.survive(|desk| desk.look(&Errand::Everything, false));
    let failed = desk.survive(|_| panic!("on purpose"));
    assert!(failed.is_some());
    assert_eq!(desk.ledger.current().alarms.last().map(|alarm| alarm.code), Some(AlarmCode::ScanFailed));
    assert_eq!((desk.ledger.current().failed_scans, desk.index.current().name_count()), (1, 1));
    fs::write(folder.path().join("b.pem"), leaf("b.example").whole()).expect("written");
    desk.survive(|desk| desk.look(&Errand::Everything, false));
    assert_eq!((desk.ledger.current().failed_scans, desk.index.current().name_count()), (1, 2));
    assert!(desk.ledger.current().alarms.iter().all(|alarm| alarm.code != AlarmCode::ScanFailed));
}

#[test]
fn a_survey_tells_all_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.pem"), leaf("a.example").whole()).expect("written");
    fs::write(folder.path().join("b.key"), leaf("b.example").key).expect("written");
    fs::write(folder.path().join("c.pem"), "garbage").expect("written");
    let survey = crate::certs::survey(folder.path(), Arc::default());
    assert_eq!(survey.certificates.len(), 1);
    let codes: Vec<_> = survey.ledger.rejected.iter().map(|notice| notice.code).collect();
    assert_eq!(codes, ["waiting-for-certificate", "nothing"]);
    assert_eq!(
        crate::certs::survey(folder.path().join("missing"), Arc::default()).ledger.alarms[0].code,
        AlarmCode::FolderMissing
    );
}
