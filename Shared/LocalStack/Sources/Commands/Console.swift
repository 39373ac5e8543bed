import Foundation

/// Lines for the person at the terminal.
enum Console {
  /// Writes one line to standard output at once, so that progress is seen when it happens.
  static func say(_ line: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
  }
}
