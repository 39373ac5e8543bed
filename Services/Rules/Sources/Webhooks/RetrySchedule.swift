import Models

/// When a delivery that failed is tried again. Pure: the randomness is an argument.
struct RetrySchedule: Sendable {
  /// After the first failure, the second, and so on; after one more the delivery is given up. 27 hours and 35 minutes in all.
  static let standard = RetrySchedule(delays: [
    .seconds(5), .seconds(300), .seconds(1800), .seconds(7200), .seconds(18_000), .seconds(36_000), .seconds(36_000),
  ])
  /// The longest that a receiver's Retry-After is heeded, so that no receiver keeps messages here for ever.
  static let retryAfterMax = Duration.seconds(86_400)

  let delays: [Duration]

  /// - Parameters:
  ///   - failures: how many attempts have failed, this one included.
  ///   - retryAfter: what the receiver asked for.
  ///   - random: 0 to 1. Up to a tenth is added, so that many that failed together do not come back together.
  /// - Returns: how long to wait; nil when the delivery is to be given up.
  func delay(afterFailures failures: Int, retryAfter: Duration? = nil, random: Double) -> Duration? {
    guard failures >= 1, failures <= delays.count else { return nil }
    let planned = max(delays[failures - 1], min(retryAfter ?? .zero, Self.retryAfterMax))
    return planned + planned * (random / 10)
  }
}

/// The header Retry-After (RFC 9110, section 10.2.3): seconds, or a moment.
enum RetryAfter {
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// Nil for what cannot be read; a moment that has passed is no wait at all.
  static func parse(_ text: String, now: Timestamp) -> Duration? {
    let text = text.split(separator: " ").joined(separator: " ")
    if !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ (48...57).contains($0) }) {
      return Int(text).map { .seconds($0) }
    }
    return moment(text).map { max(.zero, $0 - now) }
  }

  /// An IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
  private static func moment(_ text: String) -> Timestamp? {
    let parts = text.split(separator: " ")
    guard parts.count == 6, parts[5] == "GMT", parts[1].count == 2, let month = months.firstIndex(of: String(parts[2])) else { return nil }
    return Timestamp(iso8601: "\(parts[3])-\(month < 9 ? "0" : "")\(month + 1)-\(parts[1])T\(parts[4])Z")
  }
}
