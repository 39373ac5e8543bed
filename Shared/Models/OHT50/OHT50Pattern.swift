/// Which event types a console wants (the OHT-50 document, section 3.1): a type by its name, or a pattern of whole segments. `*` stands for one segment, and as the last one for
/// all that follow: `mission.*`, `*.status`, `*`.
package struct OHT50Pattern: Hashable, Sendable, CustomStringConvertible {
  /// Of one frame.
  package static let countMax = 64

  private let segments: [Substring]

  /// Refuses what can match no event type: a name that the document does not know, empty segments, `*` as a part of a segment.
  package init(_ text: String) throws(OHT50Refusal) {
    let segments = text.split(separator: ".", omittingEmptySubsequences: false)
    self.segments = segments
    let isWhole = segments.allSatisfy { $0 == "*" || !$0.isEmpty && !$0.contains("*") }
    guard text.utf8.count <= EventType.lengthMax, isWhole, OHT50EventType.allCases.contains(where: { matches($0.eventType) }) else {
      throw .unknownEventType(text)
    }
  }

  /// Whether it matches every type of the document and every robot's own.
  package var isEverything: Bool { segments.count <= 2 && segments.allSatisfy { $0 == "*" } }

  package var description: String { segments.joined(separator: ".") }

  package func matches(_ type: EventType) -> Bool {
    let names = type.rawValue.split(separator: ".", omittingEmptySubsequences: false)
    guard segments.last == "*" ? names.count >= segments.count : names.count == segments.count else { return false }
    return zip(segments, names).allSatisfy { $0 == "*" || $0 == $1 }
  }
}
