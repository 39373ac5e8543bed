import Digests
import FoundationEssentials

/// Where the next page begins, as a text that means nothing to clients. It belongs to one question: with another one it is refused.
struct Cursor: Hashable, Sendable {
  private static let version = "1"

  /// The parts by which the last row of the page is found again.
  let parts: [String]

  init(_ parts: [String]) { self.parts = parts }

  /// - Parameter question: names the list and all that narrows it.
  func text(for question: [String]) -> String {
    ([Self.version, Self.mark(question)] + parts.map(Self.encoded)).joined(separator: ".")
  }

  /// Throws `invalid_cursor` for a text that is no cursor of this question.
  init(_ text: String, for question: [String], count: Int) throws(Problem) {
    let pieces = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let parts = pieces.dropFirst(2).compactMap(Self.decoded)
    guard parts.count == count, pieces.count == count + 2, pieces[0] == Self.version, pieces[1] == Self.mark(question) else {
      throw Problem(.invalidCursor)
    }
    self.parts = parts
  }

  private static func encoded(_ part: String) -> String {
    Data(part.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  private static func decoded(_ piece: String) -> String? {
    let base64 = piece.replacing("-", with: "+").replacing("_", with: "/")
    let padded = base64 + String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
    return Data(base64Encoded: padded).flatMap { String(validating: Array($0), as: UTF8.self) }
  }

  /// A few bytes that tell questions apart.
  private static func mark(_ question: [String]) -> String {
    Digests.hex(Digests.sha256(Array(question.joined(separator: "\u{1F}").utf8)).prefix(6))
  }
}
