import EventLog
import Models

/// What is to be told of an appliance that was heard, or was silent for too long: an `appliance:status` in its name (deploy/decisions/0020). Pure.
enum PresenceWord: String {
  case online, offline

  /// It was heard: online, if the last word before was that it is offline, or there was none.
  init?(heardAt: Timestamp, told: Event?) {
    if let told {
      // Heard before that word, which may be its last will: it is the newer one.
      guard Self.saysOffline(told), heardAt > told.id?.receivedAt ?? told.timestamp else { return nil }
    }
    self = .online
  }

  /// It was silent: offline, unless that was the last word.
  init?(silentAfter told: Event?) {
    if let told, Self.saysOffline(told) { return nil }
    self = .offline
  }

  private static func saysOffline(_ status: Event) -> Bool {
    (try? JSONObject(parsing: status.data))?.string("status") == Self.offline.rawValue
  }

  /// Of several replicas that tell it, one is heard: what it takes the place of is in its fingerprint.
  func entry(of appliance: ApplianceID, insteadOf told: Event?, at now: Timestamp) -> LogEntry {
    let data = self == .online ? #"{"status":"online"}"# : #"{"status":"offline","reason":"silent"}"#
    return LogEntry(
      .event(Event(type: .applianceStatus, applianceID: appliance, timestamp: now, data: Array(data.utf8))),
      fingerprint: Fingerprint.ofPresence(rawValue, of: appliance, insteadOf: told?.id), mayBeDuplicate: true, window: .everyone, order: now
    )
  }
}

/// Whether a silence means anything. While messages do not get through, every device is silent for us; what waits for us meanwhile may take a while to come. Pure.
struct PresenceTrust {
  private var since: Timestamp?

  /// - Parameter isWorking: whether messages get through now.
  /// - Returns: whether they have for longer than the longest silence that is let pass.
  mutating func mayTell(isWorking: Bool, at now: Timestamp) -> Bool {
    guard isWorking else {
      since = nil
      return false
    }
    let start = min(since ?? now, now)
    since = start
    return now - start > Sightings.silenceMaxLongest
  }
}
