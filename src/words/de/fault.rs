//! What is wrong with what others serve, in German.

/// By its word.
pub(super) fn fault(word: &str) -> Option<&'static str> {
    Some(match word {
        "unresolved" => "Der Name führt nirgendwohin",
        "unreachable" => "Dort ist niemand zu erreichen",
        "no_certificate" => "Dort wird kein Zertifikat gezeigt",
        "wrong_name" => "Das Zertifikat dort ist für andere Namen",
        "expired" => "Das Zertifikat dort, oder eines seiner Kette, ist abgelaufen",
        "not_yet_valid" => "Das Zertifikat dort gilt noch nicht",
        "untrusted" => "Hinter dem Zertifikat dort steht keine Wurzel, der Browser trauen",
        "other_certificate" => "Dort antwortet ein anderer Server mit einem anderen Zertifikat",
        "unpublished" => "Dort wird ein Zertifikat gezeigt, das die Edge nicht veröffentlicht",
        "expires_soon" => "Das Zertifikat dort läuft bald ab",
        "apple_file" => "Die Datei, die Apple sehen will, ist dort nicht zu sehen",
        "late" => "Die Zeit war um, bevor dort hingesehen wurde",
        "inside" => "Der Name führt ins eigene Netz, wo nur mit Erlaubnis hingesehen wird",
        _ => return None,
    })
}
