internal import Models

/// What was seen of one appliance.
struct SeenEvents: Sendable {
  /// So many types are told apart; past them the one whose last event is the oldest is forgotten.
  static let typeCountMax = 256

  /// The greatest id: a subscription's `since`.
  private(set) var last: EventID?
  private var byType: [String: EventID] = [:]

  init(last: EventID? = nil) { self.last = last }

  /// Whether an event is new, which is remembered. Within one type the server keeps the order, so an older one came before. One without
  /// an id was never stored, and cannot come twice.
  mutating func isNew(_ type: String, _ id: EventID?) -> Bool {
    guard let id else { return true }
    if let before = byType[type], id <= before { return false }
    byType[type] = id
    if byType.count > Self.typeCountMax, let oldest = byType.min(by: { $0.value < $1.value }) { byType[oldest.key] = nil }
    last = last.map { max($0, id) } ?? id
    return true
  }

  /// When the log took in what was seen last, by the server's clock and to the millisecond: the window of a question begins there.
  var time: String? {
    guard let time = last?.receivedAt.iso8601 else { return nil }
    return time.contains(".") ? time : "\(time.dropLast()).000Z"
  }
}
