internal import Synchronization

/// The name under which this replica holds its connections. It changes when the replica was taken for dead: what others have made of its old
/// name cannot touch what it holds under the new one.
final class Place: Sendable {
  private let name = Mutex(Place.fresh())

  var replica: String { name.withLock { $0 } }

  /// Takes another name, and returns it.
  func takeAnother() -> String {
    name.withLock {
      $0 = Self.fresh()
      return $0
    }
  }

  private static func fresh() -> String { String(UInt64.random(in: .min ... .max), radix: 36) }
}
