//! What was decided about sites while an edge was running, for commands that judge without one.

use crate::certs::decided_minimums;
use crate::config::Config;

/// Has each site ask of its certificates what was decided since it was configured. Gives a line for whatever cannot be known.
pub(super) fn apply(config: &mut Config) -> Vec<String> {
    let folder = &config.certificates.state_directory;
    let unknown = |why: String| {
        let folder = folder.display();
        format!(
            "certificates.state_directory: {folder}: {why}; what was decided about minimum validations is not known here, and the \
                 configured ones are gone by"
        )
    };
    let (decided, unread) = match decided_minimums(folder) {
        Ok(found) => found,
        Err(error) => return vec![unknown(error.to_string())],
    };
    for site in &mut config.sites {
        if let Some(minimum) = decided.get(&site.name) {
            site.minimum_validation = minimum.level;
        }
    }
    unread.into_iter().map(unknown).collect()
}
