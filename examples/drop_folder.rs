//! Measures the drop folder: fills one with certificates, times the first look, one changed file, and the memory.
//!
//! ```text
//! cargo run --release --example drop_folder -- 10000
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use vitrine::certs::{Intake, KeyKind, LocalCa, valid_for};
use vitrine::live::{CertIndex, WellKnown, table};
use vitrine::name::HostPattern;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(10_000), |count| count.parse())?;
    let folder = std::env::temp_dir().join(format!("vitrine-drop-folder-{}", std::process::id()));
    let authority = LocalCa::new("Vitrine measurement")?;
    let write = |number: usize| -> Result<(), Box<dyn std::error::Error>> {
        let name = HostPattern::parse(&format!("shop{number}.example"))?;
        let issued = authority.issue(&[name], valid_for(30), KeyKind::Ecdsa)?;
        let folder = folder.join(format!("{:02}", number % 100));
        std::fs::create_dir_all(&folder)?;
        // Two certificates a file, as from an authority with one intermediate.
        let chain = format!("{}{}", issued.chain, authority.root_pem());
        replace(&folder.join(format!("{number}.crt")), chain.as_bytes())?;
        replace(&folder.join(format!("{number}.key")), issued.key.as_bytes())
    };
    for number in 0..count {
        write(number)?;
    }

    let before = resident_kib();
    let (publisher, index) = table(CertIndex::default());
    let (well_known, _) = table(WellKnown::default());
    let (start, cpu) = (Instant::now(), cpu_millis());
    let intake = Intake::start(folder.clone(), publisher, well_known);
    intake.first_scan().await;
    let (took, cpu) = (start.elapsed().as_millis(), cpu_millis() - cpu);
    println!("{} names served {took} ms after the start, for {cpu} ms of processor time", index.load().name_count());
    println!("{:.1} KiB each", (resident_kib() - before) as f64 / count as f64);

    tokio::time::sleep(Duration::from_secs(3)).await;
    for number in [0, count / 2] {
        let name = format!("shop{number}.example");
        let serving = || {
            let index = index.load();
            index.find(&name).and_then(|choice| choice.iter().next()).map(|served| served.facts.fingerprint.clone())
        };
        let old = serving();
        write(number)?;
        let (start, cpu) = (Instant::now(), cpu_millis());
        while serving() == old && start.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (took, cpu) = (start.elapsed().as_millis(), cpu_millis() - cpu);
        println!("a changed file served after {took} ms, for {cpu} ms of processor time");
    }
    println!("{:.1} KiB each after the changes", (resident_kib() - before) as f64 / count as f64);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn replace(path: &Path, content: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let new = path.with_extension("new");
    std::fs::write(&new, content)?;
    std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(std::fs::rename(new, path)?)
}

/// User and system time of the process; the kernel counts in hundredths of a second.
fn cpu_millis() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
