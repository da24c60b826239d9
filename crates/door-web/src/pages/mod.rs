//! The pages, one file each.

pub(crate) mod add;
pub(crate) mod avatar;
pub(crate) mod barcode;
pub(crate) mod edit;
pub(crate) mod files;
pub(crate) mod home;
pub(crate) mod people;
mod problem;
pub(crate) mod profile;
pub(crate) mod search;
