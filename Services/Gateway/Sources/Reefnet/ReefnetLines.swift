internal import Logging
internal import Models
internal import Synchronization

/// The lines in the service's log on frames that are not acted on, or not wholly (the reefnet document, "Error handling"). Whoever sends many fills no disk, and hides nobody else's: in ten seconds some lines of each
/// connection, and more of all together, then a count.
final class ReefnetLines: Sendable {
  private struct State {
    var budget = LineBudget(linesMax: 40)
    /// Since the last line.
    var keptBackCount = 0
  }

  private let logger: Logger
  private let state = Mutex(State())

  init(_ logger: Logger) { self.logger = logger }

  /// What each connection keeps for its own lines.
  static let ofOneConnection = LineBudget(linesMax: 5)

  /// - Parameters:
  ///   - speaker: who sent it, as far as is known.
  ///   - frame: as it came; logged escaped, and cut at 1 KiB.
  ///   - own: the connection's.
  func refused(_ reason: String, from speaker: String, _ frame: [UInt8], within own: inout LineBudget, at now: Timestamp) {
    let isAmongOwn = own.admit(at: now) != nil
    let keptBackCount: Int? = state.withLock { state in
      guard isAmongOwn, state.budget.admit(at: now) != nil else {
        state.keptBackCount += 1
        return nil
      }
      defer { state.keptBackCount = 0 }
      return state.keptBackCount
    }
    guard let keptBackCount else { return }
    let earlier = keptBackCount == 0 ? "" : " (and \(keptBackCount) more since the line before)"
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
