/// When to come back: the Epicura document's "Client Reconnection Strategy".
enum ReconnectSchedule {
  /// Upper bounds of the wait before each attempt, the last for all further ones.
  private static let bounds: [Duration] = [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(15)]
  /// From this attempt on the wait is long enough for a server that asked for some peace.
  private static let laterAttempt = 3

  /// How long to wait before an attempt: a random 50 to 100 % of the document's delay, so that many clients do not come back as one.
  ///
  /// - Parameters:
  ///   - attempt: from 1.
  ///   - random: from 0 to 1.
  ///   - isLater: whether the server asked to be left alone for a while (close code 1013).
  static func wait(beforeAttempt attempt: Int, random: Double, isLater: Bool = false) -> Duration {
    let place = max(attempt, isLater ? laterAttempt : 1)
    return bounds[min(place, bounds.count) - 1] * (0.5 + random / 2)
  }
}
