internal import Logging
internal import Models
internal import Synchronization

/// The lines in the service's log on frames that are not acted on (the reefnet document, "Error handling"). Whoever sends many fills no disk: ten lines in ten seconds, then a count.
final class ReefnetLines: Sendable {
  private let logger: Logger
  private let budget = Mutex(LineBudget())

  init(_ logger: Logger) { self.logger = logger }

  /// - Parameters:
  ///   - speaker: who sent it, as far as is known.
  ///   - frame: as it came; logged escaped, and cut at 1 KiB.
  func refused(_ reason: String, from speaker: String, _ frame: [UInt8], at now: Timestamp) {
    guard let suppressedCount = budget.withLock({ $0.admit(at: now) }) else { return }
    let earlier = suppressedCount == 0 ? "" : " (and \(suppressedCount) more since the line before)"
    let name = LineBudget.escaped(speaker.utf8, bytesMax: 128)
    logger.warning(
      "A frame on /ws/reefnet from \(name): \(LineBudget.escaped(reason.utf8, bytesMax: 256)); it was \(Self.raw(frame))\(earlier)")
  }

  /// A frame that names a token may have one in it, in whatever shape.
  private static func raw(_ frame: [UInt8]) -> String {
    if frame.firstRange(of: Array("token".utf8)) != nil { return "\(frame.count) bytes that name a token" }
    return "'\(LineBudget.escaped(frame, bytesMax: ReefnetRefusal.loggedBytesMax))'"
  }
}
