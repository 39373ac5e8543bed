import Foundation
import Testing

/// The example messages of one dialect's document, as files under `Tests/Fixtures`.
struct GoldenFixture: Sendable {
  let folder: URL

  init(_ dialect: String) {
    folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/\(dialect)")
  }

  func text(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: folder.appending(path: "\(name).json"))) }

  /// The names that begin with one of these.
  func names(_ prefixes: String...) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
    return files.filter { file in file.hasSuffix(".json") && prefixes.contains { file.hasPrefix($0) } }.map { String($0.dropLast(5)) }
      .sorted()
  }

  /// Foundation's own reading of a text, to compare meanings with.
  static func meaning(_ text: some Sequence<UInt8>) throws -> [String: NSObject] {
    try #require(JSONSerialization.jsonObject(with: Data(text)) as? [String: NSObject])
  }
}
