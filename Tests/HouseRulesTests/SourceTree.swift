import Foundation
import Testing

/// The repository's own Swift sources, as text.
struct SourceFile: Sendable {
  /// Relative to the repository's root.
  let path: String
  let lines: [String]

  /// Lines without what follows `//`, so that a rule does not trip over prose.
  var code: [(number: Int, text: String)] {
    lines.enumerated().map { index, line in
      (index + 1, line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line)
    }
  }

  var imports: [String] {
    code.compactMap { _, text in
      let words = text.split(separator: " ").map(String.init)
      guard let keyword = words.firstIndex(of: "import"), words[..<keyword].allSatisfy(Self.importModifiers.contains),
        keyword + 1 < words.count
      else { return nil }
      return words[keyword + 1]
    }
  }

  private static let importModifiers: Set<String> = [
    "public", "package", "internal", "private", "fileprivate", "@testable", "@preconcurrency",
  ]
}

enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every Swift file below `folder`, by path.
  static func files(in folder: String) throws -> [SourceFile] {
    let base = root.appending(path: folder)
    guard let walker = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else { return [] }
    return try walker.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map { file in
      let path = String(file.path(percentEncoded: false).dropFirst(root.path(percentEncoded: false).count))
      return SourceFile(path: path, lines: try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n"))
    }.sorted { $0.path < $1.path }
  }
}
