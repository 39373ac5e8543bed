internal import Digests
package import Models

extension LogEntry {
  /// By what the log knows a message again: the first 16 bytes of a SHA-256 over what makes it this message.
  ///
  /// - Parameter domain: keeps apart what is known by different things.
  package static func fingerprint(_ domain: String, _ parts: [UInt8]...) -> [UInt8] {
    var text = Array(domain.utf8)
    for part in parts {
      text += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: UInt32(part.count) >> $0) }
      text += part
    }
    return Array(Digests.sha256(text).prefix(16))
  }

  /// An event that has no name of its own by which a second append could be known: it gets one, so that whoever appends it may try again.
  package init(named event: Event, order: Timestamp) {
    let name = [UInt64.random(in: 0 ... .max), .random(in: 0 ... .max)]
    self.init(.event(event), fingerprint: name.withUnsafeBytes(Array.init), mayBeDuplicate: true, order: order)
  }
}
