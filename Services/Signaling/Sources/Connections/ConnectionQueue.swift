internal import Models

/// What waits to be done for one connection, in which order, and how much of it. Pure.
///
/// Frames are taken in their order; what waits for the client is fetched before the next of them, once for any number of rings.
struct ConnectionQueue {
  enum Work: Equatable, Sendable {
    case frame([UInt8])
    case collect
    case receipt
    case receiptOverdue
    case takePlaceAnew
    case accessChanged(AccessChange)
    case closed(inGoodOrder: Bool)
  }

  /// Frames that may wait; a well-behaved client never has so many.
  static let frameCountMax = 128

  private var frames: [[UInt8]] = []
  private var mustCollect = false
  private var hasReceipt = false
  private var isReceiptOverdue = false
  private var mustTakePlaceAnew = false
  private var change: AccessChange?
  /// What failed and must be done, until `tryAgain`.
  private var failedPlace = false
  private var failedChange: AccessChange?
  private var close: Bool?
  private var isOver = false

  /// False when too many wait already.
  mutating func append(_ frame: [UInt8]) -> Bool {
    guard frames.count < Self.frameCountMax else { return false }
    frames.append(frame)
    return true
  }

  mutating func ring() { mustCollect = true }
  mutating func receipt() { (hasReceipt, isReceiptOverdue) = (true, false) }
  mutating func receiptOverdue() { isReceiptOverdue = true }
  mutating func takePlaceAnew() { mustTakePlaceAnew = true }
  mutating func accessChanged(_ next: AccessChange) { change = Self.both(change, next) }
  mutating func closed(inGoodOrder: Bool) { close = inGoodOrder }

  /// What the client said before it closed still counts, and what it has; what waits for it does not any more.
  mutating func next() -> Work? {
    if isOver { return nil }
    if hasReceipt {
      hasReceipt = false
      return .receipt
    }
    if close == nil {
      if mustTakePlaceAnew {
        mustTakePlaceAnew = false
        return .takePlaceAnew
      }
      if let change {
        self.change = nil
        return .accessChanged(change)
      }
      if isReceiptOverdue {
        isReceiptOverdue = false
        return .receiptOverdue
      }
      if mustCollect {
        mustCollect = false
        return .collect
      }
    }
    if !frames.isEmpty { return .frame(frames.removeFirst()) }
    guard let close else { return nil }
    isOver = true
    return .closed(inGoodOrder: close)
  }

  private static func both(_ first: AccessChange?, _ second: AccessChange) -> AccessChange {
    first == nil || first == second ? second : .everything
  }

  /// It could not be done. What waits for the client waits on: the next ring or refresh comes for it.
  mutating func failed(_ work: Work) {
    switch work {
    case .takePlaceAnew: failedPlace = true
    case .accessChanged(let change): failedChange = Self.both(failedChange, change)
    case .frame, .collect, .receipt, .receiptOverdue, .closed: break
    }
  }

  mutating func tryAgain() {
    mustTakePlaceAnew = mustTakePlaceAnew || failedPlace
    if let failedChange { accessChanged(failedChange) }
    (failedPlace, failedChange) = (false, nil)
  }

  /// The client was sent away: what it said and was not heard yet does not count.
  mutating func dropFrames() { frames.removeAll() }
}
