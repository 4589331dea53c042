//! Exchange Online: cmdlets over the admin API that the Exchange module itself speaks.
//!
//! [`Cmdlet`] says what to run, [`ExchangeClient`] runs it: paging by sending the same body again,
//! batches, warnings, every form of error. An answer is checked to be about the object that was
//! asked for. What rights, mailboxes and groups mean is not known here.

mod batch;
mod client;
mod cmdlet;
mod exported;
mod failure;
mod guard;
mod judge;
mod keyset;
mod meaning;
mod powershell;
mod request;
mod warning;

pub use client::{Answer, ExchangeClient};
pub use cmdlet::{Anchor, Cmdlet, Parameter};
pub use exported::ExportedCmdlets;
pub use meaning::missing_object;
pub use warning::Warning;
