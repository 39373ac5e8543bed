import Models

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
