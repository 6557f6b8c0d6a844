//! From what the operator said of a proxy with single sign-on to who believes it.

use std::fs;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::admin::TrustedHeader;
use crate::config::Config;

/// Who is believed when he says who somebody is; `None`: nobody.
///
/// # Errors
/// A line that says why the secret cannot be used.
pub fn trusted_header(config: &Config) -> Result<Option<Arc<TrustedHeader>>, Vec<String>> {
    let Some(trusted) = &config.admin.trusted_header else { return Ok(None) };
    let named =
        |why: String| vec![format!("admin.trusted_header.secret_file: {}: {why}", trusted.secret_file.display())];
    let text =
        fs::read_to_string(&trusted.secret_file).map(Zeroizing::new).map_err(|error| named(error.to_string()))?;
    let secret = text.lines().next().unwrap_or_default().trim();
    let names = (trusted.header.clone(), trusted.secret_header.clone());
    TrustedHeader::new(names, secret, trusted.networks.clone()).map(|trusted| Some(Arc::new(trusted))).map_err(named)
}
