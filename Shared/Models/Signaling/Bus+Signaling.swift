/// The signaling broker's names on Redis. All keys of one device and its sessions carry its shard as hash tag.
extension Bus {
  /// Hash: where a device is connected, while it is: `replica`, `connection`, `generation`, `since` (ms); `base`, the number of its mail's oldest frame.
  package static func signalDevice(_ device: ApplianceID) -> String { "signal:{\(shard(of: device))}:device:\(device)" }
  /// Hash: what a device last said of itself: `data`, a JSON object, and `at`, µs since 1970.
  package static func signalPresence(_ device: ApplianceID) -> String { "signal:{\(shard(of: device))}:presence:\(device)" }
  /// Set: the device's sessions.
  package static func signalWatches(_ device: ApplianceID) -> String { "signal:{\(shard(of: device))}:watches:\(device)" }
  /// List: frames that the device is not known to have.
  package static func signalMail(_ device: ApplianceID) -> String { "signal:{\(shard(of: device))}:mail:\(device)" }
  /// Hash: one session, with its version; `base`, the number of its letters' oldest frame.
  package static func signalWatch(_ watch: WatchID) -> String { "signal:{\(watch.shard)}:watch:\(watch)" }
  /// List: frames that the session's viewer is not known to have.
  package static func signalLetters(_ watch: WatchID) -> String { "signal:{\(watch.shard)}:letters:\(watch)" }
  /// Sorted set: when each session of the shard must be looked at next.
  package static func signalDeadlines(_ shard: Int) -> String { "signal:{\(shard)}:deadlines" }
  /// Stream: what is to be written into PostgreSQL about sessions of the shard.
  package static func signalRecords(_ shard: Int) -> String { "signal:{\(shard)}:records" }

  /// Sorted set: the broker's replicas by their last sign of life.
  package static let signalReplicas = "signal:{replicas}:alive"
  /// String: the replica that takes care of what no connection does.
  package static let signalCaretaker = "signal:{replicas}:caretaker"
  /// Set: the ends that a replica holds, `d:<device>` and `v:<session>`: what is lost when it dies.
  package static func signalPlace(_ replica: String) -> String { "signal:{\(replica)}:place" }

  /// Channel: connections of one replica for which something waits, by their numbers.
  package static func signalRing(_ replica: String) -> String { signalRingPrefix + replica }
  package static let signalRingPrefix = "signal:ring:"
  /// Channel: sessions that somebody asked to end, by their ids.
  package static let signalEnds = "signal:ends"
}
