import Foundation

/// What the stack shares with real deployments: the files in the repository's `deploy` folder, and the web page.
enum DeployFiles {
  /// The path of a file or folder in `deploy`.
  static func path(_ name: String) throws(LocalStackError) -> String { try checkout("deploy/\(name)") }

  /// The folder of the web page.
  static func dashboard() throws(LocalStackError) -> String { try checkout("Services/Dashboard") }

  private static func checkout(_ name: String) throws(LocalStackError) -> String {
    // The stack is a tool of the checkout and runs from it. Resolved, because a build may see its sources through a symbolic link.
    var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    while folder.path != "/" {
      let candidate = folder.appendingPathComponent(name).path
      if FileManager.default.fileExists(atPath: candidate) { return candidate }
      folder.deleteLastPathComponent()
    }
    throw LocalStackError(.unusable, part: name, "It is missing from the checkout that this program was built in; restore it.")
  }

  /// A template's text with each `${NAME}` replaced, and lines that start with `#` left out.
  static func render(_ name: String, _ values: [String: String]) throws -> String {
    var text = try String(contentsOfFile: path(name), encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("#") }.joined(separator: "\n")
    for (key, value) in values { text = text.replacingOccurrences(of: "${\(key)}", with: value) }
    return text
  }
}
