//! The texts of the pages about users and organisations.

/// All of them.
pub(crate) struct OfficeWords {
    pub(crate) users: UsersWords,
    pub(crate) organisations: OrganisationsWords,
}

/// *Users*
pub(crate) struct UsersWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) none: &'static str,
    pub(crate) one_time: fn(&str) -> String,
    pub(crate) name: &'static str,
    pub(crate) name_hint: &'static str,
    pub(crate) may: &'static str,
    pub(crate) since: &'static str,
    pub(crate) password: &'static str,
    pub(crate) must_choose: &'static str,
    pub(crate) chosen: &'static str,
    pub(crate) second_factor: &'static str,
    pub(crate) change: &'static str,
    pub(crate) actions: &'static str,
    pub(crate) role: &'static str,
    pub(crate) role_hint: &'static str,
    pub(crate) for_whom: &'static str,
    pub(crate) edge: &'static str,
    pub(crate) set: &'static str,
    pub(crate) several: &'static str,
    pub(crate) for_edge: &'static str,
    pub(crate) for_organisations: &'static str,
    pub(crate) either: &'static str,
    pub(crate) no_role: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) reset: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) new: &'static str,
    pub(crate) add: &'static str,
}

/// *Organisations*
pub(crate) struct OrganisationsWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) none: &'static str,
    pub(crate) name: &'static str,
    pub(crate) sites: &'static str,
    pub(crate) sites_hint: &'static str,
    pub(crate) company: &'static str,
    pub(crate) company_hint: &'static str,
    pub(crate) organisation: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) locality: &'static str,
    pub(crate) state: &'static str,
    pub(crate) country: &'static str,
    pub(crate) contacts: &'static str,
    pub(crate) contacts_hint: &'static str,
    pub(crate) new: &'static str,
    pub(crate) change: &'static str,
    pub(crate) save: &'static str,
    pub(crate) remove: &'static str,
}
