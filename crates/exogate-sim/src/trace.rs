//! The trace: one record per request and running aggregates, from which a bench computes how fast
//! a client could have been. Observed only; nothing here influences an answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::options::TraceSink;
use crate::server::operation::{Operation, Service};

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceRecord {
    /// Number of the request, from 1.
    pub number: u64,
    pub service: Service,
    /// Cmdlet, or path with ids left out.
    pub operation: String,
    /// Cmdlets of a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// The id that the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    pub status: u16,
    /// Virtual time.
    pub start: Time,
    pub end: Time,
    /// Requests to the same service in flight when this one came, itself included.
    pub in_flight: u32,
    /// Simulated latency in milliseconds, before any scaling.
    pub work_ms: f64,
    /// Real microseconds spent making the answer, without simulated latency.
    pub own_micros: u64,
    /// Resource units.
    pub cost: u32,
    pub bytes_in: u64,
    /// Before compression.
    pub bytes_out: u64,
    pub throttled: bool,
    /// The fault that acted on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The faults that acted on items of a batch, in the items' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub item_faults: Vec<String>,
}

/// Sums over one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationTotals {
    /// Requests, throttled ones included.
    pub requests: u64,
    /// Times that the cmdlet ran inside batches.
    pub in_batches: u64,
    pub throttled: u64,
    pub failed: u64,
    pub work_ms: f64,
    pub bytes_out: u64,
}

/// Sums over everything since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    pub operations: BTreeMap<String, OperationTotals>,
    pub requests: u64,
    pub throttled: u64,
    /// Simulated latency of all requests that were let in, in milliseconds.
    pub work_ms: f64,
    /// The same by service.
    pub work_ms_by_service: BTreeMap<String, f64>,
    pub max_in_flight: BTreeMap<String, u32>,
    pub bytes_out: u64,
    pub faults: u64,
    /// Virtual time of the first request and of the last answer.
    pub first: Option<Time>,
    pub last: Option<Time>,
}

impl Aggregate {
    /// Milliseconds that Exchange's work takes at best with `concurrency` calls in flight and
    /// latencies divided by `time_scale`.
    #[must_use]
    pub fn ideal_exchange_ms(&self, concurrency: u32, time_scale: f64) -> f64 {
        let work = self.work_ms_by_service.get("exchange").copied().unwrap_or(0.0);
        work / f64::from(concurrency.max(1)) / time_scale.max(f64::MIN_POSITIVE)
    }
}

#[derive(Debug, Default)]
struct Kept {
    aggregate: Aggregate,
    records: Vec<TraceRecord>,
    file: Option<BufWriter<File>>,
}

/// The trace of a running tenant.
#[derive(Debug, Default)]
pub struct Trace {
    keep: bool,
    to_file: bool,
    numbers: AtomicU64,
    in_flight: [AtomicU32; 7],
    kept: Mutex<Kept>,
}

impl Trace {
    /// # Errors
    /// When the trace file cannot be created.
    pub fn new(sink: &TraceSink) -> io::Result<Self> {
        let file = match sink {
            TraceSink::File(path) => Some(BufWriter::new(File::create(path)?)),
            TraceSink::Off | TraceSink::Memory => None,
        };
        Ok(Self {
            keep: *sink == TraceSink::Memory,
            to_file: file.is_some(),
            kept: Mutex::new(Kept { file, ..Kept::default() }),
            ..Self::default()
        })
    }

    /// Number of a request that has just come, and how many of its service are in flight with it.
    pub(crate) fn enter(&self, service: Service) -> (u64, u32) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let held = self.in_flight[service as usize].fetch_add(1, Ordering::Relaxed) + 1;
        (number, held)
    }

    pub(crate) fn leave(&self, service: Service) {
        self.in_flight[service as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn record(&self, record: TraceRecord, operation: &Operation) {
        // Written outside the lock's critical path only where a file asks for it.
        let line = if self.to_file { serde_json::to_vec(&record).ok() } else { None };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.aggregate.add(&record, operation);
        if let (Some(file), Some(mut line)) = (&mut kept.file, line) {
            line.push(b'\n');
            // A trace that cannot be written must not stop the tenant.
            let _ = file.write_all(&line);
        }
        if self.keep {
            kept.records.push(record);
        }
    }

    /// Every record kept in memory.
    #[must_use]
    pub fn records(&self) -> Vec<TraceRecord> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }

    #[must_use]
    pub fn aggregate(&self) -> Aggregate {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).aggregate.clone()
    }

    /// Begins anew; a file goes on.
    pub fn reset(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.aggregate = Aggregate::default();
        kept.records.clear();
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// When the trace file cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        match &mut self.kept.lock().unwrap_or_else(PoisonError::into_inner).file {
            Some(file) => file.flush(),
            None => Ok(()),
        }
    }
}

impl Aggregate {
    fn add(&mut self, record: &TraceRecord, operation: &Operation) {
        let totals = self.operations.entry(record.operation.clone()).or_default();
        totals.requests += 1;
        totals.throttled += u64::from(record.throttled);
        totals.failed += u64::from(record.status >= 400 && !record.throttled);
        totals.bytes_out += record.bytes_out;
        self.requests += 1;
        self.bytes_out += record.bytes_out;
        self.faults += u64::from(record.fault.is_some());
        let service = record.service.as_str();
        if record.throttled {
            self.throttled += 1;
        } else {
            totals.work_ms += record.work_ms;
            self.work_ms += record.work_ms;
            *self.work_ms_by_service.entry(service.to_owned()).or_default() += record.work_ms;
            for item in &operation.items {
                self.operations.entry(item.name.clone()).or_default().in_batches += 1;
            }
        }
        let most = self.max_in_flight.entry(service.to_owned()).or_default();
        *most = (*most).max(record.in_flight);
        self.first = Some(self.first.map_or(record.start, |t| t.min(record.start)));
        self.last = Some(self.last.map_or(record.end, |t| t.max(record.end)));
    }
}
