//! Which coding a client likes best of those that there are (RFC 9110 §12.5.3).

use http::HeaderValue;

use crate::live::Coding;

/// The best of `codings`, the first where the client likes several alike; `None`: it would rather have none, or says nothing.
pub(super) fn best<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, codings: &[Coding]) -> Option<Coding> {
    let mut weights: [Option<u16>; MOST] = [None; MOST];
    let (mut identity, mut any) = (None, None);
    for line in lines {
        for item in line.to_str().unwrap_or_default().split(',') {
            let (token, weight) = weighed(item);
            if let Some(place) = codings.iter().take(MOST).position(|coding| is_named(*coding, token)) {
                weights[place] = Some(weight);
            } else if token.eq_ignore_ascii_case("identity") {
                identity = Some(weight);
            } else if token == "*" {
                any = Some(weight);
            }
        }
    }
    let liked = codings.iter().zip(weights).map(|(coding, weight)| (*coding, weight.or(any).unwrap_or(0)));
    let best = liked.rev().max_by_key(|(_, weight)| *weight)?;
    (best.1 > 0 && best.1 >= identity.unwrap_or(0)).then_some(best.0)
}

/// `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
fn is_named(coding: Coding, token: &str) -> bool {
    token.eq_ignore_ascii_case(coding.token()) || (coding == Coding::Gzip && token.eq_ignore_ascii_case("x-gzip"))
}

/// A token and its weight in thousandths. A weight that cannot be read is none.
fn weighed(item: &str) -> (&str, u16) {
    let (token, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = match parameters.trim() {
        "" => Some(1000),
        text => text.strip_prefix(['q', 'Q']).and_then(|text| thousandths(text.trim_start().strip_prefix('=')?.trim())),
    };
    (token.trim(), weight.unwrap_or(0))
}

/// `0.5`, at most three digits behind the point (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = fraction.bytes().all(|octet| octet.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !are_digits {
        return None;
    }
    let weight: u16 = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

/// There are no more codings.
const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_wins_and_the_sites_order_where_several_are() {
        let all = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
        for (lines, expected) in [
            (&["gzip, deflate, br, zstd"][..], Some(Coding::Zstd)),
            (&["gzip", "br"], Some(Coding::Brotli)),
            (&["gzip;q=1.0, br;q=0.5"], Some(Coding::Gzip)),
            (&["gzip;q=0.5 , br; Q = 0.501"], Some(Coding::Brotli)),
            (&["zstd;q=0, *"], Some(Coding::Brotli)),
            (&["*;q=0.1, identity;q=0.2"], None),
            (&["gzip, identity"], Some(Coding::Gzip)),
            (&["gzip;q=0.5, identity"], None),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["deflate"], None),
            (&["gzip;q=0"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=1.001"], None),
            (&["gzip;q=0.0001"], None),
            (&["gzip;x=1"], None),
            (&["identity"], None),
            (&[""], None),
            (&[], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
            assert_eq!(best(&lines, &all), expected, "{lines:?}");
        }
        let gzip = HeaderValue::from_static("zstd, gzip;q=0.1");
        assert_eq!(best([&gzip], &[Coding::Gzip]), Some(Coding::Gzip));
    }
}
